//! Operations on rows: what every message that is taken keeps to, and some to begin with.

use std::collections::BTreeMap;

use syncline_core::{
    api::{Hash, Method, PropertyValue, ReplicaId},
    engine::limits::{ROW_KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX},
    log::{InvalidEntry, Message, MessageError},
    records::{OperationRef, Operations, OperationsBuilder, Row},
};

use crate::{
    member::{Member, Said},
    memory,
};

/// The last stamp that there is, in nanoseconds since 1970.
const LAST_NS: u64 = ((1 << 32) - 1) * 1_000_000_000 + 999_999_999;

/// When the first of the operations to begin with are stamped, in nanoseconds since 1970.
pub(crate) const FIRST_NS: u64 = 1_767_225_600_000_000_000;

/// Keys are written out before it is known whether operations fit together.
pub(crate) fn more_memory(decoded: &Result<(Message, Hash), MessageError>) -> u64 {
    let has_keys = match decoded {
        Ok((message, _)) => message.operations().next().is_some(),
        Err(error) => matches!(error, MessageError::Entry(InvalidEntry::Records(_))),
    };
    if has_keys { memory::KEYS_BYTES } else { 0 }
}

/// Operations that were taken fit together, keep to the limits, and come to the same rows in whatever order they are applied.
pub(crate) fn check(author: ReplicaId, operations: &Operations) {
    let opened = operations.open().expect("operations of a message that was taken fit together");
    let (mut count, mut forward) = (0, BTreeMap::<(String, Vec<u8>), Row>::new());
    opened.walk(author, |operation| {
        count += 1;
        check_operation(author, &operation);
        forward.entry(row_of(&operation)).or_default().apply(&operation);
    });
    assert_eq!(count, operations.len(), "operations are counted wrongly");
    let mut backward = BTreeMap::<(String, Vec<u8>), Row>::new();
    let mut walked = 0;
    opened.walk_rows(author, |operations| {
        walked += operations.len();
        let row = backward.entry(row_of(&operations[0])).or_default();
        for operation in operations.iter().rev() {
            assert_eq!(row_of(operation), row_of(&operations[0]), "operations of two rows come as one row's");
            row.apply(operation);
            assert!(!row.apply(operation), "an operation counts twice");
        }
    });
    assert_eq!(walked, count, "row by row there are other operations");
    assert_eq!(forward, backward, "rows depend on the order of operations");
}

fn check_operation(author: ReplicaId, operation: &OperationRef<'_>) {
    assert!(operation.table.len() <= TABLE_NAME_BYTES_MAX && operation.key.len() <= ROW_KEY_BYTES_MAX);
    assert!(operation.at.unix_ns <= LAST_NS && operation.at.replica == author, "{:?}", operation.at);
    let deletes = matches!(operation.method, Method::SharedDelete | Method::OwnedDelete);
    assert!(!deletes || operation.values().next().is_none(), "a deletion has values");
    assert!(operation.values().all(|(property, _)| property.len() <= TABLE_NAME_BYTES_MAX), "a name that is too long");
}

fn row_of(operation: &OperationRef<'_>) -> (String, Vec<u8>) {
    (operation.table.into(), operation.key.into())
}

/// What a member says of rows: all methods, rows of several tables and keys that share their beginning, many operations at
/// an even pace, one stamped far ahead, some that are taken back.
pub(crate) fn said() -> Vec<Said> {
    let mut all = OperationsBuilder::new();
    let value = |property: &str, value: &str| PropertyValue { property: property.into(), value: value.into() };
    let methods = [
        ("lists", Method::SharedCreate, vec![value("a", "one"), value("b", "")]),
        ("lists", Method::SharedUpdate, vec![value("b", "two")]),
        ("tags", Method::SharedDelete, vec![]),
        ("paths", Method::OwnedBatchCreate, vec![value("a", "three")]),
        ("paths", Method::OwnedDelete, vec![]),
        ("unknown", Method::SharedCreate, vec![value("", "four")]),
    ];
    for (at, (table, method, values)) in (FIRST_NS..).step_by(7).zip(&methods) {
        all.push(table, b"a common beginning", *method, values, at);
        all.push(table, b"a common ending", *method, values, at);
    }
    let mut paced = OperationsBuilder::new();
    for number in 0..40u64 {
        let key = format!("key {}", number % 9);
        paced.push("lists", key.as_bytes(), Method::SharedUpdate, &[value("a", "same")], FIRST_NS + number * 1_000);
    }
    let mut ahead = OperationsBuilder::new();
    ahead.push("tags", b"k", Method::SharedCreate, &[value("a", "late")], FIRST_NS + 5_000_000_000);
    ahead.push("tags", b"k", Method::SharedCreate, &[value("a", "last")], LAST_NS);
    vec![
        Said::Records(all.finish()),
        Said::Records(paced.finish()),
        Said::Records(ahead.finish()),
        Said::Records(Operations::default()),
        Said::Retraction { after_ns: FIRST_NS + 20_000 },
    ]
}

/// Messages of one who says all of that.
pub(crate) fn messages() -> Vec<Vec<u8>> {
    let mut member = Member::new(4);
    said().into_iter().map(|said| member.say(syncline_sim::ROOT, said, 0, 0)).collect()
}

//! What must hold of operations and rows whatever comes.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec;
use alloc::vec::Vec;

use proptest::prelude::*;

use super::lengths::{Lengths, Run};
use super::{InvalidOperations, Operations, OperationsBuilder, Row, RowId, Rule, SAID_BYTES, VALUE_BYTES};
use crate::api::{DeleteRule, MergeType, Method, PropertyValue, ReplicaId, RowStamp, TableKind};
use crate::engine::limits::{OPERATION_KEYS_BYTES_MAX, ROW_KEY_BYTES_MAX};
use crate::log::encoded_size;

/// An operation, in plain sight.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Plain {
    table: String,
    key: Vec<u8>,
    method: Method,
    values: Vec<(String, Vec<u8>)>,
    at: u64,
}

const METHODS: [Method; 5] =
    [Method::OwnedBatchCreate, Method::OwnedDelete, Method::SharedCreate, Method::SharedUpdate, Method::SharedDelete];

fn replica(number: u8) -> ReplicaId {
    ReplicaId::from_bytes([number; 16])
}

fn rule(merge: MergeType, delete: DeleteRule) -> Rule {
    Rule { kind: TableKind::Shared, merge, delete }
}

const REVIVES: Rule = Rule { kind: TableKind::Shared, merge: MergeType::LwwMap, delete: DeleteRule::UpdateRevives };

fn plain() -> impl Strategy<Value = Plain> {
    let value = (0..3u8, prop::collection::vec(any::<u8>(), 0..4));
    let key = prop_oneof![prop::collection::vec(0..3u8, 0..4), prop::collection::vec(any::<u8>(), 0..40)];
    (0..3u8, key, 0..5usize, prop::collection::vec(value, 0..3), 0..2_000u64).prop_map(
        |(table, key, method, values, step)| {
            let method = METHODS[method];
            let has_values = !matches!(method, Method::SharedDelete | Method::OwnedDelete);
            let values: BTreeMap<u8, Vec<u8>> = values.into_iter().filter(|_| has_values).collect();
            let values = values.into_iter().map(|(number, value)| (format!("p{number}"), value)).collect();
            Plain { table: format!("t{table}"), key, method, values, at: step }
        },
    )
}

/// Gives them growing stamps and packs them.
fn pack(plain: &mut [Plain]) -> (OperationsBuilder, usize) {
    let mut builder = OperationsBuilder::new();
    let mut at = 1_700_000_000_000_000_000;
    for operation in plain.iter_mut() {
        at += operation.at + 1;
        operation.at = at;
        let value =
            |(property, value): &(String, Vec<u8>)| PropertyValue { property: property.clone(), value: value.clone() };
        let values: Vec<PropertyValue> = operation.values.iter().map(value).collect();
        builder.push(&operation.table, &operation.key, operation.method, &values, at);
    }
    let bytes = builder.bytes();
    (builder, bytes)
}

fn unpack(operations: &Operations) -> Vec<Plain> {
    let mut plain = Vec::new();
    operations.open().unwrap().walk(replica(1), |operation| {
        let mut values: Vec<(String, Vec<u8>)> =
            operation.values().map(|(property, value)| (property.into(), value.to_vec())).collect();
        values.sort();
        plain.push(Plain {
            table: operation.table.into(),
            key: operation.key.to_vec(),
            method: operation.method,
            values,
            at: operation.at.unix_ns,
        });
    });
    plain
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// Of what a replica wrote, while another one wrote too.
    #[test]
    fn what_is_told_to_count_no_more_and_what_is_left_are_all_that_was_said(
        mut plain in prop::collection::vec(plain(), 0..60),
        whose in prop::collection::vec(1..3u8, 60),
    ) {
        pack(&mut plain);
        let name = |table: &str, key: &[u8], method: Method| {
            (table.to_string(), key.to_vec(), matches!(method, Method::OwnedBatchCreate | Method::OwnedDelete))
        };
        let (mut rows, mut own, mut gone) = (BTreeMap::<_, Row>::new(), OperationsBuilder::new(), 0);
        for (Plain { table, key, method, values, at }, author) in plain.iter().zip(whose) {
            let values: Vec<PropertyValue> = values
                .iter()
                .map(|(property, value)| PropertyValue { property: property.clone(), value: value.clone() })
                .collect();
            let row = rows.entry(name(table, key, *method)).or_default();
            let mut over = |at: RowStamp, bytes: usize| gone += if at.replica == replica(1) { bytes } else { 0 };
            let stamp = RowStamp { unix_ns: *at, replica: replica(author) };
            if author == 1 {
                own.push(table, key, *method, &values, *at);
                row.write_over(*method, &values, stamp, &mut over);
            } else {
                let mut said = Row::default();
                said.write(*method, &values, stamp);
                row.merge_over(&said, &mut over);
            }
        }
        let (own, mut left) = (own.finish(), 0);
        own.open().unwrap().walk(replica(1), |operation| {
            let row = &rows[&name(operation.table, operation.key, operation.method)];
            if let Some(counts) = row.left_of(&operation, |_| true) {
                let values = counts.values.iter().map(|value| value.value.len() + VALUE_BYTES);
                left += values.sum::<usize>() + if counts.stands { SAID_BYTES } else { 0 };
            }
        });
        prop_assert_eq!(gone + left, own.weight());
    }

    #[test]
    fn operations_are_read_as_they_were_written(mut plain in prop::collection::vec(plain(), 0..60)) {
        let (builder, bytes) = pack(&mut plain);
        let operations = builder.finish();
        prop_assert_eq!(operations.len(), plain.len());
        let encoded = postcard::to_allocvec(&operations).unwrap();
        prop_assert!(encoded.len() <= bytes + 16, "{} of at most {bytes} bytes", encoded.len());
        prop_assert_eq!(encoded.len(), encoded_size(&operations));
        let read: Operations = postcard::from_bytes(&encoded).unwrap();
        // By rows they are the same, those of a row in the same order and together.
        let (mut rows, mut walked) = (BTreeMap::<_, Vec<u64>>::new(), BTreeMap::new());
        read.open().unwrap().walk(replica(1), |operation| {
            rows.entry((operation.table.to_string(), operation.key.to_vec())).or_default().push(operation.at.unix_ns);
        });
        read.open().unwrap().walk_rows(replica(1), |operations| {
            let row = (operations[0].table.to_string(), operations[0].key.to_vec());
            assert!(operations.iter().all(|operation| (operation.table, operation.key) == (&row.0, row.1.as_slice())));
            let times = operations.iter().map(|operation| operation.at.unix_ns).collect();
            assert_eq!(walked.insert(row, times), None);
        });
        prop_assert_eq!(walked, rows);
        plain.sort_by_key(|operation| operation.at);
        let mut unpacked = unpack(&read);
        unpacked.sort_by_key(|operation| operation.at);
        prop_assert_eq!(unpacked, plain);
    }

    /// Whatever bytes come: they are refused, or walked without more memory than they may take.
    #[test]
    fn no_bytes_make_the_reader_panic(
        mut plain in prop::collection::vec(plain(), 0..12),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        other in prop::collection::vec(any::<u8>(), 0..60),
    ) {
        let mut bytes = postcard::to_allocvec(&pack(&mut plain).0.finish()).unwrap();
        for (index, byte) in flips {
            if !bytes.is_empty() {
                let at = index.index(bytes.len());
                bytes[at] ^= byte;
            }
        }
        for bytes in [bytes, other] {
            if let Ok(operations) = postcard::from_bytes::<Operations>(&bytes)
                && let Ok(opened) = operations.open()
            {
                let mut count = 0;
                opened.walk(replica(1), |operation| {
                    assert!(operation.key.len() <= ROW_KEY_BYTES_MAX);
                    count += 1;
                });
                prop_assert_eq!(count, operations.len());
            }
        }
    }

    /// R10, R18: order, repetition, batches and saving in between make no difference.
    #[test]
    fn a_row_is_the_same_in_whatever_order_and_batches_operations_come(
        operations in prop::collection::vec((1..4u8, 0..8u64, 0..5usize, prop::collection::vec((0..2u8, 0..3u8), 0..3)), 1..12),
        order in prop::collection::vec(any::<prop::sample::Index>(), 0..40),
        cut in any::<prop::sample::Index>(),
    ) {
        let apply = |row: &mut Row, (author, at, method, values): &(u8, u64, usize, Vec<(u8, u8)>)| {
            let value = |(property, value): &(u8, u8)| PropertyValue { property: format!("p{property}"), value: vec![*value] };
            let values: Vec<PropertyValue> = values.iter().map(value).collect();
            row.write(METHODS[*method], &values, RowStamp { unix_ns: *at, replica: replica(*author) });
        };
        let mut straight = Row::default();
        operations.iter().for_each(|operation| apply(&mut straight, operation));
        let (mut shuffled, mut other) = (Row::default(), Row::default());
        let cut = cut.index(order.len() + 1);
        for (place, index) in order.iter().enumerate() {
            let row = if place < cut { &mut shuffled } else { &mut other };
            apply(row, &operations[index.index(operations.len())]);
        }
        operations.iter().rev().for_each(|operation| apply(&mut shuffled, operation));
        let saved = postcard::to_allocvec(&shuffled).unwrap();
        let mut shuffled: Row = postcard::from_bytes(&saved).unwrap();
        prop_assert!(!shuffled.merge(&shuffled.clone()));
        shuffled.merge(&other);
        prop_assert_eq!(&shuffled, &straight);
        prop_assert!(!shuffled.merge(&straight));
    }
}

/// R18 for small sets: every order of every five operations out of these, on one row.
#[test]
fn r18_the_same_operations_in_every_order_and_duplication_give_one_state() {
    let mut all: Vec<(Method, Option<u8>, RowStamp)> = Vec::new();
    for (at, author) in [(1, 1), (2, 1), (2, 2)] {
        let stamp = RowStamp { unix_ns: at, replica: replica(author) };
        all.extend([
            (Method::SharedCreate, Some(author), stamp),
            (Method::SharedUpdate, Some(author + 10), stamp),
            (Method::SharedDelete, None, stamp),
        ]);
    }
    let apply = |row: &mut Row, (method, value, stamp): &(Method, Option<u8>, RowStamp)| {
        let values: Vec<PropertyValue> =
            value.iter().map(|value| PropertyValue { property: "p".into(), value: vec![*value] }).collect();
        row.write(*method, &values, *stamp);
    };
    let mut sets = 0;
    for set in 0u32..1 << all.len() {
        let chosen: Vec<_> = (0..all.len()).filter(|bit| set >> bit & 1 == 1).map(|bit| all[bit]).collect();
        if chosen.len() > 5 {
            continue;
        }
        let mut expected = Row::default();
        chosen.iter().for_each(|operation| apply(&mut expected, operation));
        permute(chosen.len(), &mut |order| {
            let mut row = Row::default();
            for place in order {
                apply(&mut row, &chosen[*place]);
                apply(&mut row, &chosen[order[0]]);
            }
            assert_eq!(row, expected, "{chosen:?} in {order:?}");
        });
        sets += 1;
    }
    assert_eq!(sets, 382);
}

fn permute(count: usize, visit: &mut impl FnMut(&[usize])) {
    fn go(order: &mut Vec<usize>, from: usize, visit: &mut impl FnMut(&[usize])) {
        if from == order.len() {
            return visit(order);
        }
        for at in from..order.len() {
            order.swap(from, at);
            go(order, from + 1, visit);
            order.swap(from, at);
        }
    }
    let mut order: Vec<usize> = (0..count).collect();
    go(&mut order, 0, visit);
}

/// A method, when, and a value that it writes.
type Writing<'a> = (Method, u64, Option<(&'a str, u8)>);

fn row(writes: &[Writing<'_>]) -> Row {
    let mut row = Row::default();
    for (method, at, value) in writes {
        let named =
            |(property, value): &(&str, u8)| PropertyValue { property: (*property).into(), value: vec![*value] };
        let values: Vec<PropertyValue> = value.iter().map(named).collect();
        row.write(*method, &values, RowStamp { unix_ns: *at, replica: replica(1) });
    }
    row
}

#[test]
fn r05_an_update_stamped_later_than_the_deletion_brings_the_row_back_whole() {
    use Method::{SharedCreate, SharedDelete, SharedUpdate};
    let revived = row(&[
        (SharedCreate, 1, Some(("name", 1))),
        (SharedUpdate, 2, Some(("artist", 2))),
        (SharedDelete, 3, None),
        (SharedUpdate, 4, Some(("name", 4))),
    ]);
    assert!(revived.exists(REVIVES));
    assert_eq!((revived.get("name"), revived.get("artist")), (Some(&[4][..]), Some(&[2][..])));
    assert!(!revived.exists(rule(MergeType::LwwMap, DeleteRule::DeletionWins)));

    let earlier = row(&[(SharedCreate, 1, None), (SharedDelete, 3, None), (SharedUpdate, 2, Some(("name", 4)))]);
    assert!(!earlier.exists(REVIVES));
}

#[test]
fn r08_a_default_row_that_two_devices_create_is_one_and_stays_deleted() {
    use Method::{SharedCreate, SharedDelete};
    let both = row(&[(SharedCreate, 1, Some(("name", 1))), (SharedCreate, 2, Some(("name", 2)))]);
    assert!(both.exists(REVIVES));
    assert_eq!(both.get("name"), Some(&[2][..]));
    // A third device makes its default row after another had deleted it, not knowing of either.
    let deleted = row(&[(SharedCreate, 1, None), (SharedDelete, 3, None), (SharedCreate, 4, Some(("name", 4)))]);
    assert!(!deleted.exists(REVIVES));
}

#[test]
fn r15_of_two_operations_on_one_property_in_one_batch_the_later_one_wins() {
    let mut builder = OperationsBuilder::new();
    let value = |value: u8| PropertyValue { property: "name".into(), value: vec![value] };
    builder.push("albums", b"k", Method::SharedUpdate, &[value(1), value(2)], 5);
    builder.push("albums", b"k", Method::SharedUpdate, &[value(3)], 6);
    let operations = builder.finish();
    let mut row = Row::default();
    operations.open().unwrap().walk(replica(1), |operation| assert!(row.apply(&operation)));
    assert_eq!(row.get("name"), Some(&[3][..]));
}

#[test]
fn r16_an_update_before_its_create_is_kept_until_that_comes() {
    let mut early = row(&[(Method::SharedUpdate, 5, Some(("name", 5)))]);
    assert!(!early.exists(REVIVES));
    early.merge(&row(&[(Method::SharedCreate, 1, Some(("name", 1)))]));
    assert!(early.exists(REVIVES));
    assert_eq!(early.get("name"), Some(&[5][..]));
}

#[test]
fn rows_of_a_set_are_never_deleted() {
    let deleted = row(&[(Method::SharedCreate, 1, None), (Method::SharedDelete, 3, None)]);
    assert!(deleted.exists(rule(MergeType::GSet, DeleteRule::DeletionWins)));
    assert!(!deleted.exists(REVIVES));
}

#[test]
fn h02_keys_that_expand_without_end_are_refused() {
    let mut builder = OperationsBuilder::new();
    let long = [7u8; ROW_KEY_BYTES_MAX - 4];
    let count = OPERATION_KEYS_BYTES_MAX / ROW_KEY_BYTES_MAX + 2;
    for number in 0..count as u32 {
        let key = [long.as_slice(), &number.to_be_bytes()].concat();
        builder.push("t", &key, Method::SharedDelete, &[], u64::from(number) + 1);
    }
    let operations = builder.finish();
    assert!(encoded_size(&operations) < 200_000);
    assert_eq!(operations.open().unwrap_err(), InvalidOperations::TooLong);
}

#[test]
fn h02_lengths_that_expand_without_end_are_refused() {
    let mut builder = OperationsBuilder::new();
    let value = PropertyValue { property: "a".into(), value: Vec::new() };
    for at in 1..9 {
        builder.push("t", b"k", Method::SharedUpdate, core::slice::from_ref(&value), at);
    }
    let mut operations = builder.finish();
    assert!(operations.open().is_ok());
    operations.tables[0].lengths = Lengths::Runs(vec![Run { bytes: 0, count: u32::MAX }]);
    assert_eq!(operations.open().unwrap_err(), InvalidOperations::TooMany);
    operations.tables[0].lengths = Lengths::Runs(vec![Run { bytes: 0, count: 9 }]);
    assert_eq!(operations.open().unwrap_err(), InvalidOperations::Columns);
}

#[test]
fn r04_stamps_beyond_the_last_are_refused() {
    let stamped = |at| {
        let mut builder = OperationsBuilder::new();
        builder.push("t", b"k", Method::SharedDelete, &[], at);
        builder.finish().open().map(drop)
    };
    assert_eq!(stamped(crate::clock::LAST_NS), Ok(()));
    assert_eq!(stamped(crate::clock::LAST_NS + 1), Err(InvalidOperations::Stamp));
    assert_eq!(stamped(u64::MAX), Err(InvalidOperations::Stamp));
}

#[test]
fn a_batch_of_updates_takes_a_few_bytes_each() {
    let mut builder = OperationsBuilder::new();
    for number in 0..100_000u64 {
        let key = format!("key-{}", number * 7919 % 20_000);
        let value = PropertyValue { property: "value".into(), value: postcard::to_allocvec(&number).unwrap() };
        builder.push("items", key.as_bytes(), Method::SharedUpdate, &[value], 1_700_000_000_000_000_000 + number);
    }
    let bytes = encoded_size(&builder.finish());
    assert!(bytes < 650_000, "{bytes} bytes");
}

#[test]
fn rows_of_several_owners_are_several_rows() {
    let ids = [None, Some(&[1; 32]), Some(&[2; 32])].map(|owner| RowId::new("t", owner, b"k"));
    assert!(ids.is_sorted_by(|a, b| a < b));
}

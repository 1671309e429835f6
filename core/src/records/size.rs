//! How large a change of a row may be: it travels within one message.

use crate::api::{PropertyValue, RowChange, RowChangeKind};
use crate::engine::limits::{OPERATIONS_BYTES_MAX, PAYLOAD_BYTES_MAX, ROW_KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX};

/// What one change takes in a message beside its names, key and values; far more than it does.
const CHANGE_BYTES: usize = 1024;
/// And a value beside its bytes.
const VALUE_BYTES: usize = 32;
/// The most bytes of a change: what a message has room for beside others.
const CHANGE_BYTES_MAX: usize = PAYLOAD_BYTES_MAX.saturating_sub(OPERATIONS_BYTES_MAX);

/// A change that no message can carry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum TooLarge {
    /// The row's key is too long, in bytes.
    #[error("expected a key of at most {ROW_KEY_BYTES_MAX} bytes, found {0}")]
    Key(usize),
    /// The name of a table or property is too long, in bytes.
    #[error("expected names of at most {TABLE_NAME_BYTES_MAX} bytes, found {0}")]
    Name(usize),
    /// Its values are too large, in bytes with what goes with them.
    #[error("expected a change of at most {CHANGE_BYTES_MAX} bytes, found {0}")]
    Values(usize),
}

/// Whether a change can be sent. A host asks before it gives one to the engine, which would refuse it.
///
/// # Errors
/// It is too large; it can be given once it is smaller.
pub fn check_size(change: &RowChange) -> Result<(), TooLarge> {
    if change.key.len() > ROW_KEY_BYTES_MAX {
        return Err(TooLarge::Key(change.key.len()));
    }
    let names = values(change).iter().map(|value| value.property.len()).chain([change.table.len()]);
    if let Some(name) = names.max().filter(|length| *length > TABLE_NAME_BYTES_MAX) {
        return Err(TooLarge::Name(name));
    }
    let found = change_size(change);
    if found > CHANGE_BYTES_MAX { Err(TooLarge::Values(found)) } else { Ok(()) }
}

/// What a change takes in a message at most.
pub fn change_size(change: &RowChange) -> usize {
    let size =
        |value: &PropertyValue| value.property.len().saturating_add(value.value.len()).saturating_add(VALUE_BYTES);
    let named = CHANGE_BYTES.saturating_add(change.table.len()).saturating_add(change.key.len());
    values(change).iter().map(size).fold(named, usize::saturating_add)
}

fn values(change: &RowChange) -> &[PropertyValue] {
    match &change.change {
        RowChangeKind::Insert { values } | RowChangeKind::Update { values } => values,
        RowChangeKind::Delete => &[],
    }
}

#[cfg(test)]
mod tests {
    use alloc::string::String;
    use alloc::vec;
    use alloc::vec::Vec;

    use super::*;

    fn change(key: usize, property: usize, value: usize) -> RowChange {
        let values = vec![PropertyValue { property: "p".repeat(property), value: vec![0; value] }];
        RowChange { table: String::from("t"), key: vec![0; key], change: RowChangeKind::Update { values }, at: None }
    }

    #[test]
    fn a_change_fits_into_a_message_or_says_what_is_too_large() {
        assert_eq!(check_size(&change(1024, 255, 500_000)), Ok(()));
        assert_eq!(check_size(&change(1025, 1, 1)), Err(TooLarge::Key(1025)));
        assert_eq!(check_size(&change(1, 256, 1)), Err(TooLarge::Name(256)));
        let large = change(1, 1, CHANGE_BYTES_MAX);
        assert_eq!(check_size(&large), Err(TooLarge::Values(change_size(&large))));
        let deletion = RowChange { change: RowChangeKind::Delete, ..large };
        assert_eq!(check_size(&deletion), Ok(()));
        assert_eq!(values(&deletion), &Vec::<PropertyValue>::new());
    }
}

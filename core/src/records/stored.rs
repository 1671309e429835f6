//! How a row stands in the store: under its table, its owner and its key, so that a table's rows are one range, in the order of
//! their keys.

use alloc::string::String;
use alloc::vec::Vec;
use core::borrow::Borrow;

use super::{Row, Rule};
use crate::api::{RowName, RowState};

/// Below everything that a start reads.
const ROW: u8 = b'R';
const SHARED: u8 = 0;
const OWNED: u8 = 1;
const BEHIND: u8 = 2;

/// Which row, as the store names it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct RowId(Vec<u8>);

impl RowId {
    /// The row of a table with this key: a shared one, or the one that the device with this public key owns.
    pub fn new(table: &str, owner: Option<&[u8; 32]>, key: &[u8]) -> RowId {
        let mut bytes =
            Vec::with_capacity(table.len().saturating_add(key.len()).saturating_add(owner.map_or(3, |_| 35)));
        begin(&mut bytes, table);
        match owner {
            None => bytes.push(SHARED),
            Some(owner) => {
                bytes.push(OWNED);
                bytes.extend_from_slice(owner);
            }
        }
        bytes.extend_from_slice(key);
        RowId(bytes)
    }

    /// The row that has this name; none if its owner is no key.
    pub fn of(name: &RowName) -> Option<RowId> {
        match name.owner.as_slice() {
            [] => Some(RowId::new(&name.table, None, &name.key)),
            owner => Some(RowId::new(&name.table, Some(owner.try_into().ok()?), &name.key)),
        }
    }

    /// The row that the store has under this key; none if it names no row.
    pub fn from_key(bytes: &[u8]) -> Option<RowId> {
        RowId::parse(bytes).map(|_| RowId(bytes.to_vec()))
    }

    /// Where the store has it.
    pub fn key(&self) -> &[u8] {
        &self.0
    }

    /// Where the store has it.
    pub fn into_key(self) -> Vec<u8> {
        self.0
    }

    /// Its name; none if these bytes name no row.
    pub fn parse(bytes: &[u8]) -> Option<RowName> {
        let (length, rest) = bytes.strip_prefix(&[ROW])?.split_first()?;
        let (table, rest) = rest.split_at_checked(usize::from(*length))?;
        let table = String::from(core::str::from_utf8(table).ok()?);
        match rest.split_first()? {
            (&SHARED, key) => Some(RowName { table, key: key.to_vec(), owner: Vec::new() }),
            (&OWNED, rest) => {
                let (owner, key) = rest.split_first_chunk::<32>()?;
                Some(RowName { table, key: key.to_vec(), owner: owner.to_vec() })
            }
            _ => None,
        }
    }
}

impl Borrow<[u8]> for RowId {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

/// Behind the last row of a table, those that are owned included.
pub fn table_end(table: &str) -> Vec<u8> {
    let mut bytes = prefix(table);
    bytes.push(BEHIND);
    bytes
}

/// Where all rows begin, and where they end.
pub fn all_rows() -> (Vec<u8>, Vec<u8>) {
    (alloc::vec![ROW], alloc::vec![ROW.saturating_add(1)])
}

fn prefix(table: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    begin(&mut bytes, table);
    bytes
}

fn begin(bytes: &mut Vec<u8>, table: &str) {
    // Names are at most 255 bytes long; a longer one is refused before it gets here.
    bytes.extend_from_slice(&[ROW, u8::try_from(table.len()).unwrap_or(u8::MAX)]);
    bytes.extend_from_slice(table.as_bytes());
}

impl Row {
    /// The row as the application sees it.
    pub fn state(&self, name: RowName, rule: Rule) -> RowState {
        RowState { name, exists: self.exists(rule), values: self.values(), at: self.standing(rule) }
    }
}

#[cfg(test)]
mod tests {
    use serde_bytes::ByteBuf;

    use super::*;
    use crate::api::{ReplicaId, RowStamp};

    #[test]
    fn names_are_read_as_they_are_written() {
        for owner in [vec![], vec![7; 32]] {
            let name = RowName { table: "albums".into(), key: b"\0k".to_vec(), owner };
            let id = RowId::of(&name).unwrap();
            assert_eq!(RowId::parse(id.key()), Some(name));
            assert!(id.key() < table_end("albums").as_slice());
        }
        assert_eq!(RowId::of(&RowName { table: "t".into(), key: vec![], owner: vec![1] }), None);
        for bytes in [&b""[..], b"R", b"R\x05ab", b"R\x01a", b"R\x01a\x01short", b"R\x01\xff\0", b"R\x01a\x02"] {
            assert_eq!(RowId::parse(bytes), None, "{bytes:?}");
        }
    }

    #[test]
    fn a_row_whose_properties_are_out_of_order_or_there_twice_is_none() {
        let at = RowStamp { unix_ns: 5, replica: ReplicaId::from_bytes([1; 16]) };
        let stored = |properties: &[&str]| {
            let registers: Vec<_> = properties.iter().map(|property| (*property, at, ByteBuf::from(b"v"))).collect();
            let none = None::<RowStamp>;
            postcard::to_allocvec(&(none, none, none, registers)).unwrap()
        };
        assert_eq!(Row::from_stored(&stored(&["", "a", "b"])).unwrap().values().len(), 3);
        for broken in [&["b", "a"][..], &["a", "a"]] {
            assert_eq!(Row::from_stored(&stored(broken)), None, "{broken:?}");
        }
    }

    #[test]
    fn the_rows_of_a_table_are_one_range_in_the_order_of_their_keys() {
        let key = |key: &[u8]| RowId::new("t", None, key).into_key();
        let sorted = [key(b""), key(b"\0"), key(b"a"), key(b"a\0"), key(b"b"), key(&[0xff; 9])];
        assert!(sorted.is_sorted());
        assert!(sorted[5] < RowId::new("t", Some(&[0; 32]), b"").into_key());
        assert!(RowId::new("t", Some(&[0xff; 32]), &[0xff; 9]).into_key() < table_end("t"));
        assert!(table_end("t") < RowId::new("u", None, b"").into_key());
        let (start, end) = all_rows();
        assert!(start < sorted[0] && table_end(&"z".repeat(255)) < end);
    }
}

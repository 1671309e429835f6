//! Operations of one author as a message carries them: by table, in columns, each name and key once (protocol §11).
//!
//! A stamp is told by its distance from the one before it, a row by its number in a sorted dictionary, what is done by its
//! *shape*: a method and the properties that get values. Where many operations of one shape follow each other at an even
//! pace, what is left of each is its row's number and its values.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Range;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::lengths::Lengths;
use super::round::Round;
use super::row::{SAID_BYTES, VALUE_BYTES};
use crate::api::{Method, ReplicaId, RowStamp};
use crate::engine::limits::{OPERATION_KEYS_BYTES_MAX, OPERATION_VALUES_MAX, ROW_KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX};

/// Operations of one message.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Operations {
    pub(super) tables: Vec<TableOperations>,
}

/// Those of one table, in the order of their stamps.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct TableOperations {
    pub(super) table: String,
    pub(super) properties: Vec<String>,
    pub(super) shapes: Vec<Shape>,
    pub(super) keys: Keys,
    /// How many operations in a row have which shape.
    pub(super) shaped: Vec<Run>,
    /// Of each operation the number of its key.
    pub(super) rows: Vec<u32>,
    /// How many operations in a row are stamped so many nanoseconds behind the one before them; the first one behind 1970.
    pub(super) paced: Vec<Pace>,
    /// The lengths of all values, and the values one behind the other.
    pub(super) lengths: Lengths,
    pub(super) values: ByteBuf,
}

/// What an operation does, without its row and values.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(super) struct Shape {
    pub(super) method: Method,
    /// The numbers of the properties that get values.
    pub(super) properties: Vec<u32>,
}

/// Keys in byte order, each as what it has in common with the one before it and the rest.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Keys {
    pub(super) shared: Vec<u32>,
    pub(super) lengths: Vec<u32>,
    pub(super) rests: ByteBuf,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) shape: u32,
    pub(super) count: u32,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Pace {
    pub(super) step: u64,
    pub(super) count: u32,
}

/// One operation, borrowed from those that it came with.
#[derive(Debug, Clone, Copy)]
pub struct OperationRef<'a> {
    /// The table.
    pub table: &'a str,
    /// The row's key.
    pub key: &'a [u8],
    /// What it does.
    pub method: Method,
    /// Its stamp.
    pub at: RowStamp,
    names: &'a [String],
    properties: &'a [u32],
    lengths: &'a [u32],
    values: &'a [u8],
}

impl<'a> OperationRef<'a> {
    /// The properties that get values, with these.
    pub fn values(&self) -> impl Iterator<Item = (&'a str, &'a [u8])> {
        let (names, mut rest) = (self.names, self.values);
        self.properties.iter().zip(self.lengths).filter_map(move |(property, length)| {
            let (value, behind) = rest.split_at_checked(*length as usize)?;
            rest = behind;
            Some((names.get(*property as usize)?.as_str(), value))
        })
    }
}

/// Why operations were refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidOperations {
    /// A table's or property's name is too long, or a key is.
    #[error(
        "expected names of at most {TABLE_NAME_BYTES_MAX} bytes and keys of at most {ROW_KEY_BYTES_MAX}, all together of at most {OPERATION_KEYS_BYTES_MAX}"
    )]
    TooLong,
    /// There are more values than a message has.
    #[error("expected at most {OPERATION_VALUES_MAX} values in one table")]
    TooMany,
    /// Columns do not fit together: a number names nothing, or a column ends too soon or too late.
    #[error("expected columns of operations that fit together")]
    Columns,
    /// A stamp is later than any clock can issue.
    #[error("expected stamps until the year 2106 in growing order")]
    Stamp,
    /// A method writes values that has none, or writes one property twice.
    #[error("expected values only where a method has them, one for each property")]
    Shape,
}

impl Operations {
    /// Unpacks the keys and checks that all columns fit together; the operations can be walked then.
    ///
    /// # Errors
    /// What no honest replica writes. Memory stays within [`OPERATION_KEYS_BYTES_MAX`] beside the operations' own.
    pub fn open(&self) -> Result<Opened<'_>, InvalidOperations> {
        let mut tables = Vec::with_capacity(self.tables.len());
        let mut bytes_left = OPERATION_KEYS_BYTES_MAX;
        for table in &self.tables {
            if table.table.len() > TABLE_NAME_BYTES_MAX
                || table.properties.iter().any(|p| p.len() > TABLE_NAME_BYTES_MAX)
            {
                return Err(InvalidOperations::TooLong);
            }
            check_shapes(table)?;
            check_columns(table)?;
            tables.push(OpenTable { table, keys: table.keys.unpack(&mut bytes_left)?, lengths: table.lengths.each() });
        }
        Ok(Opened { tables })
    }

    /// The latest stamp, in nanoseconds since 1970.
    pub fn latest_ns(&self) -> u64 {
        let way = |pace: &Pace| pace.step.saturating_mul(u64::from(pace.count));
        let latest = |table: &TableOperations| table.paced.iter().map(way).fold(0, u64::saturating_add);
        self.tables.iter().map(latest).max().unwrap_or(0)
    }

    /// The earliest stamp, in nanoseconds since 1970.
    pub fn earliest_ns(&self) -> u64 {
        let first = |table: &TableOperations| table.paced.first().map(|pace| pace.step);
        self.tables.iter().filter_map(first).min().unwrap_or(0)
    }

    /// How many bytes their keys and values take.
    pub fn bytes(&self) -> usize {
        let bytes = |table: &TableOperations| table.keys.rests.len().saturating_add(table.values.len());
        self.tables.iter().map(bytes).fold(0, usize::saturating_add)
    }

    /// About how many bytes what they say takes, keys and names left out: what a row that replaces it gives
    /// ([`Row::write_over`](super::Row::write_over)).
    pub fn weight(&self) -> usize {
        let values = |table: &TableOperations| {
            let properties = |shape: u32| table.shapes.get(shape as usize).map_or(0, |shape| shape.properties.len());
            let values = table.shaped.iter().map(|run| properties(run.shape).saturating_mul(run.count as usize));
            values.fold(0, usize::saturating_add).saturating_mul(VALUE_BYTES).saturating_add(table.values.len())
        };
        self.tables.iter().map(values).fold(self.len().saturating_mul(SAID_BYTES), usize::saturating_add)
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.tables.iter().map(|table| table.rows.len()).fold(0, usize::saturating_add)
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.tables.iter().all(|table| table.rows.is_empty())
    }
}

fn check_shapes(table: &TableOperations) -> Result<(), InvalidOperations> {
    let count = u32::try_from(table.properties.len()).map_err(|_| InvalidOperations::Columns)?;
    for shape in &table.shapes {
        let is_deletion = matches!(shape.method, Method::SharedDelete | Method::OwnedDelete);
        let grows = shape.properties.windows(2).all(|pair| matches!(pair, [a, b] if a < b));
        if is_deletion && !shape.properties.is_empty() || !grows {
            return Err(InvalidOperations::Shape);
        }
        if shape.properties.last().is_some_and(|last| *last >= count) {
            return Err(InvalidOperations::Columns);
        }
    }
    Ok(())
}

/// Every column has an element for each operation, and every stamp is one that a clock can issue.
fn check_columns(table: &TableOperations) -> Result<(), InvalidOperations> {
    let (mut shaped, mut needed) = (0usize, 0usize);
    for run in &table.shaped {
        let shape = table.shapes.get(run.shape as usize).ok_or(InvalidOperations::Columns)?;
        shaped = shaped.saturating_add(run.count as usize);
        needed = needed.saturating_add((run.count as usize).saturating_mul(shape.properties.len()));
    }
    let (mut paced, mut at) = (0usize, 0u64);
    for pace in &table.paced {
        paced = paced.saturating_add(pace.count as usize);
        let way = pace.step.checked_mul(u64::from(pace.count)).ok_or(InvalidOperations::Stamp)?;
        at = at.checked_add(way).ok_or(InvalidOperations::Stamp)?;
    }
    if at > crate::clock::LAST_NS {
        return Err(InvalidOperations::Stamp);
    }
    let (values, bytes) = table.lengths.totals();
    if values > OPERATION_VALUES_MAX {
        return Err(InvalidOperations::TooMany);
    }
    let keys = table.keys.lengths.len();
    let fits = shaped == table.rows.len()
        && paced == table.rows.len()
        && needed == values
        && bytes == table.values.len()
        && table.rows.iter().all(|row| (*row as usize) < keys);
    if fits { Ok(()) } else { Err(InvalidOperations::Columns) }
}

impl Keys {
    fn unpack(&self, bytes_left: &mut usize) -> Result<OpenKeys, InvalidOperations> {
        if self.shared.len() != self.lengths.len() {
            return Err(InvalidOperations::Columns);
        }
        let mut open = OpenKeys { bytes: Vec::new(), ends: Vec::with_capacity(self.lengths.len()) };
        let (mut rest, mut last) = (self.rests.as_slice(), 0..0usize);
        for (shared, length) in self.shared.iter().zip(&self.lengths) {
            let (own, behind) = rest.split_at_checked(*length as usize).ok_or(InvalidOperations::Columns)?;
            rest = behind;
            let key_bytes = (*shared as usize).saturating_add(own.len());
            *bytes_left = bytes_left.checked_sub(key_bytes).ok_or(InvalidOperations::TooLong)?;
            let common = last.start..last.start.saturating_add(*shared as usize);
            if key_bytes > ROW_KEY_BYTES_MAX {
                return Err(InvalidOperations::TooLong);
            }
            if common.end > last.end {
                return Err(InvalidOperations::Columns);
            }
            let start = open.bytes.len();
            open.bytes.extend_from_within(common);
            open.bytes.extend_from_slice(own);
            last = start..open.bytes.len();
            open.ends.push(last.clone());
        }
        if rest.is_empty() { Ok(open) } else { Err(InvalidOperations::Columns) }
    }
}

#[derive(Debug)]
struct OpenKeys {
    bytes: Vec<u8>,
    ends: Vec<Range<usize>>,
}

/// Operations whose columns fit together.
#[derive(Debug)]
pub struct Opened<'a> {
    tables: Vec<OpenTable<'a>>,
}

#[derive(Debug)]
struct OpenTable<'a> {
    table: &'a TableOperations,
    keys: OpenKeys,
    lengths: Cow<'a, [u32]>,
}

impl Opened<'_> {
    /// Walks all operations, table by table, each in the order of its stamps. `author` stamped them.
    pub fn walk<'a>(&'a self, author: ReplicaId, mut visit: impl FnMut(OperationRef<'a>)) {
        for table in &self.tables {
            table.walk(author, |_, operation| visit(operation));
        }
    }

    /// Walks all operations row by row: those of one key together, in the order of their stamps, and keys of one table in
    /// byte order, so that whoever keeps rows in order finds each near the one before, and once for all that is said of
    /// it. A message of very many operations is walked in several such rounds, which bounds the memory that takes.
    pub fn walk_rows<'a>(&'a self, author: ReplicaId, mut visit: impl FnMut(&[OperationRef<'a>])) {
        for table in &self.tables {
            let mut round = Round::default();
            table.walk(author, |row, operation| {
                round.push(row, operation);
                if round.is_full() {
                    round.visit(&mut visit);
                }
            });
            round.visit(&mut visit);
        }
    }
}

impl OpenTable<'_> {
    /// Gives each operation with the number of its key.
    fn walk<'a>(&'a self, author: ReplicaId, mut visit: impl FnMut(u32, OperationRef<'a>)) {
        let OpenTable { table, keys, lengths } = self;
        let mut shapes = table.shaped.iter().flat_map(|run| {
            let shape = table.shapes.get(run.shape as usize);
            core::iter::repeat_n(shape, run.count as usize)
        });
        let steps = table.paced.iter().flat_map(|pace| core::iter::repeat_n(pace.step, pace.count as usize));
        let (mut at, mut lengths, mut values) = (0u64, lengths.as_ref(), table.values.as_slice());
        for (row, step) in table.rows.iter().zip(steps) {
            let Some(Some(shape)) = shapes.next() else { return };
            at = at.saturating_add(step);
            let Some(key) = keys.ends.get(*row as usize).and_then(|range| keys.bytes.get(range.clone())) else {
                return;
            };
            let Some((own, behind)) = lengths.split_at_checked(shape.properties.len()) else { return };
            let bytes = own.iter().map(|length| *length as usize).fold(0, usize::saturating_add);
            let Some((own_values, values_behind)) = values.split_at_checked(bytes) else { return };
            (lengths, values) = (behind, values_behind);
            let operation = OperationRef {
                table: &table.table,
                key,
                method: shape.method,
                at: RowStamp { unix_ns: at, replica: author },
                names: &table.properties,
                properties: &shape.properties,
                lengths: own,
                values: own_values,
            };
            visit(*row, operation);
        }
    }
}

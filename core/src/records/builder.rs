//! Gathers operations for a message.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde_bytes::ByteBuf;

use super::lengths::Lengths;
use super::names::{Names, common};
use super::operations::{Keys, Operations, Pace, Run, Shape, TableOperations};
use crate::api::{Method, PropertyValue};

/// What an operation takes at most in a message beside its table's name, its key and its values: its row's number, its
/// length, a run of its shape and one of its pace.
const OPERATION_BYTES: usize = 5 + 5 + 10 + 15;
/// What a value takes beside its bytes, and a key, a name or a table likewise.
const PART_BYTES: usize = 10;

/// Operations that are being gathered.
#[derive(Debug, Default)]
pub struct OperationsBuilder {
    tables: Vec<TableBuilder>,
    numbers: BTreeMap<String, usize>,
    bytes: usize,
    count: usize,
}

#[derive(Debug, Default)]
struct TableBuilder {
    table: String,
    properties: Names,
    /// Each with its number.
    shapes: BTreeMap<Shape, u32>,
    /// The shape of the last operation.
    last_shape: Option<Shape>,
    /// In the order in which they first came; they are numbered in byte order at the end.
    keys: Names,
    shaped: Vec<Run>,
    rows: Vec<u32>,
    paced: Vec<Pace>,
    last_ns: u64,
    lengths: Vec<u32>,
    values: Vec<u8>,
}

impl OperationsBuilder {
    /// None yet.
    pub fn new() -> OperationsBuilder {
        OperationsBuilder::default()
    }

    /// Adds an operation. Stamps must grow.
    pub fn push(&mut self, table: &str, key: &[u8], method: Method, values: &[PropertyValue], unix_ns: u64) {
        let number = match self.numbers.get(table) {
            Some(number) => *number,
            None => {
                self.bytes = self.bytes.saturating_add(table.len()).saturating_add(8 * PART_BYTES);
                self.tables.push(TableBuilder { table: table.to_string(), ..TableBuilder::default() });
                let number = self.tables.len().saturating_sub(1);
                self.numbers.insert(table.to_string(), number);
                number
            }
        };
        let Some(table) = self.tables.get_mut(number) else { return };
        self.bytes = self.bytes.saturating_add(table.push(key, method, values, unix_ns));
        self.count = self.count.saturating_add(1);
    }

    /// How many bytes they take in a message at most.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.count
    }

    /// There are none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The operations as a message carries them.
    pub fn finish(self) -> Operations {
        Operations { tables: self.tables.into_iter().map(TableBuilder::finish).collect() }
    }
}

impl TableBuilder {
    /// Returns how many bytes that takes at most.
    fn push(&mut self, key: &[u8], method: Method, values: &[PropertyValue], unix_ns: u64) -> usize {
        let mut bytes = OPERATION_BYTES;
        let (row, is_new) = self.keys.number(key);
        if is_new {
            bytes = bytes.saturating_add(key.len()).saturating_add(PART_BYTES);
        }
        self.rows.push(row);
        if self.is_as_last(method, values) {
            for PropertyValue { value, .. } in values {
                bytes = bytes.saturating_add(value.len()).saturating_add(PART_BYTES);
                self.lengths.push(count(value.len()));
                self.values.extend_from_slice(value);
            }
            if let Some(run) = self.shaped.last_mut() {
                run.count = run.count.saturating_add(1);
            }
        } else {
            bytes = bytes.saturating_add(self.push_values(method, values));
        }
        let step = unix_ns.saturating_sub(self.last_ns);
        self.last_ns = unix_ns;
        match self.paced.last_mut() {
            Some(pace) if pace.step == step => pace.count = pace.count.saturating_add(1),
            _ => self.paced.push(Pace { step, count: 1 }),
        }
        bytes
    }

    /// It does what the operation before it did, and its values come in that one's order.
    fn is_as_last(&self, method: Method, values: &[PropertyValue]) -> bool {
        let is_named =
            |(number, value): (&u32, &PropertyValue)| self.properties.get(*number) == value.property.as_bytes();
        self.last_shape.as_ref().is_some_and(|last| {
            last.method == method
                && last.properties.len() == values.len()
                && last.properties.iter().zip(values).all(is_named)
        })
    }

    /// Adds what is done and the values; how many bytes that takes at most.
    fn push_values(&mut self, method: Method, values: &[PropertyValue]) -> usize {
        let mut bytes = 0usize;
        let mut written: Vec<(u32, &[u8])> = Vec::with_capacity(values.len());
        for PropertyValue { property, value } in values {
            let (number, is_new) = self.properties.number(property.as_bytes());
            if is_new {
                bytes = bytes.saturating_add(property.len()).saturating_add(PART_BYTES);
            }
            bytes = bytes.saturating_add(value.len()).saturating_add(PART_BYTES);
            // Of two values for one property the later one counts (R15).
            match written.iter_mut().find(|(known, _)| *known == number) {
                Some((_, known)) => *known = value,
                None => written.push((number, value)),
            }
        }
        written.sort_unstable_by_key(|(number, _)| *number);
        for (_, value) in &written {
            self.lengths.push(count(value.len()));
            self.values.extend_from_slice(value);
        }
        let properties = written.iter().map(|(number, _)| *number).collect();
        let next = count(self.shapes.len());
        let shape = Shape { method, properties };
        let number = *self.shapes.entry(shape.clone()).or_insert(next);
        self.last_shape = Some(shape);
        match self.shaped.last_mut() {
            Some(run) if run.shape == number => run.count = run.count.saturating_add(1),
            _ => self.shaped.push(Run { shape: number, count: 1 }),
        }
        bytes
    }

    fn finish(self) -> TableOperations {
        let mut places = alloc::vec![0u32; self.keys.len()];
        let mut keys = Keys::default();
        let mut rests: Vec<u8> = Vec::new();
        let mut last: &[u8] = &[];
        for (place, number) in (0u32..).zip(self.keys.sorted()) {
            if let Some(known) = places.get_mut(number as usize) {
                *known = place;
            }
            let key = self.keys.get(number);
            let shared = common(last, key);
            let rest = key.get(shared..).unwrap_or_default();
            keys.shared.push(count(shared));
            keys.lengths.push(count(rest.len()));
            rests.extend_from_slice(rest);
            last = key;
        }
        keys.rests = ByteBuf::from(rests);
        let rows = self.rows.iter().filter_map(|number| places.get(*number as usize).copied()).collect();
        let names = (0..count(self.properties.len())).map(|number| self.properties.get(number));
        let properties = names.map(|name| String::from_utf8_lossy(name).into_owned()).collect();
        TableOperations {
            table: self.table,
            properties,
            shapes: in_order(self.shapes),
            keys,
            shaped: self.shaped,
            rows,
            paced: self.paced,
            lengths: Lengths::of(self.lengths),
            values: ByteBuf::from(self.values),
        }
    }
}

/// What was numbered, in the order of its numbers.
fn in_order<T>(numbered: BTreeMap<T, u32>) -> Vec<T> {
    let mut pairs: Vec<(T, u32)> = numbered.into_iter().collect();
    pairs.sort_unstable_by_key(|(_, number)| *number);
    pairs.into_iter().map(|(part, _)| part).collect()
}

/// A message has far fewer parts than 2^32.
pub(super) fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

//! One row: what all operations on it come to, in whatever order and however often they are applied (§7.1).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use smallvec::SmallVec;
use smol_str::SmolStr;

use super::{OperationRef, Rule};
use crate::api::{DeleteRule, MergeType, Method, PropertyValue, ReplicaId, RowStamp, StampedValue};
use crate::planted::{Planted, planted};

/// About what it takes in a message that something is said of a row, beside its key and values,
pub const SAID_BYTES: usize = 4;
/// and a value beside its bytes.
pub const VALUE_BYTES: usize = 2;

/// A row's state: for each thing that can be said of it the latest time that it was said.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// It was made.
    created: Option<RowStamp>,
    /// It was written to by someone for whom it was there: what can bring it back.
    touched: Option<RowStamp>,
    /// It was deleted.
    deleted: Option<RowStamp>,
    /// Its values, in the order of their properties' names.
    registers: Vec<Register>,
}

/// A property's latest value. There are very many, and merging waits for memory: names and values that are short stand here
/// and nowhere else.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Register {
    property: SmolStr,
    at: RowStamp,
    #[serde(with = "short")]
    value: Short,
}

type Short = SmallVec<[u8; 16]>;

/// What counts of an operation.
pub struct Counts {
    /// What it says of the row as a whole.
    pub stands: bool,
    /// Of its values.
    pub values: Vec<PropertyValue>,
}

impl Counts {
    /// The same operation was said with some of its values elsewhere.
    pub fn join(&mut self, other: Counts) {
        self.stands |= other.stands;
        for value in other.values {
            if self.values.iter().all(|own| own.property != value.property) {
                self.values.push(value);
            }
        }
    }
}

/// Written as bytes are.
mod short {
    use serde::{Deserialize, Deserializer, Serializer};
    use serde_bytes::Bytes;

    use super::Short;

    pub fn serialize<S: Serializer>(value: &Short, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(value)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Short, D::Error> {
        <&Bytes>::deserialize(deserializer).map(|bytes| Short::from_slice(bytes))
    }
}

impl Row {
    /// A row as the store has it; none if these bytes are none.
    pub fn from_stored(value: &[u8]) -> Option<Row> {
        let row: Row = postcard::from_bytes(value).ok()?;
        row.registers.is_sorted_by(|a, b| a.property < b.property).then_some(row)
    }

    /// Applies an operation on this row, stamped by `at.replica`; whether that changed anything.
    pub fn apply(&mut self, operation: &OperationRef<'_>) -> bool {
        let at = operation.at;
        let mut changed = self.stamp(operation.method, at, &mut |_, _| {});
        for (property, value) in operation.values() {
            changed |= self.set(property, value, at, &mut |_, _| {});
        }
        changed
    }

    fn stamp(&mut self, method: Method, at: RowStamp, over: &mut impl FnMut(RowStamp, usize)) -> bool {
        match method {
            Method::SharedCreate => later(&mut self.created, at, over),
            Method::SharedUpdate => later(&mut self.touched, at, over),
            Method::OwnedBatchCreate => {
                later(&mut self.created, at, &mut |_, _| {}) | later(&mut self.touched, at, over)
            }
            Method::SharedDelete | Method::OwnedDelete => later(&mut self.deleted, at, over),
        }
    }

    /// Writes to it as an operation with this stamp does.
    pub fn write(&mut self, method: Method, values: &[PropertyValue], at: RowStamp) {
        self.write_over(method, values, at, &mut |_, _| {});
    }

    /// The same, and tells of the stamp of each thing that was said before and counts no more, and about how many bytes it takes
    /// in its message.
    pub fn write_over(
        &mut self,
        method: Method,
        values: &[PropertyValue],
        at: RowStamp,
        over: &mut impl FnMut(RowStamp, usize),
    ) {
        self.stamp(method, at, over);
        for value in values {
            self.set(&value.property, &value.value, at, over);
        }
    }

    /// Takes what another copy of the row has that is later; whether that changed anything.
    pub fn merge(&mut self, other: &Row) -> bool {
        self.merge_over(other, &mut |_, _| {})
    }

    /// The same, and tells of what counts no more as [`write_over`](Self::write_over) does.
    pub fn merge_over(&mut self, other: &Row, over: &mut impl FnMut(RowStamp, usize)) -> bool {
        // Of a row that is owned both are said at once.
        let is_one = self.created == self.touched;
        let mut changed = other.created.is_some_and(|at| {
            later(&mut self.created, at, &mut |at, bytes| {
                if !is_one {
                    over(at, bytes)
                }
            })
        });
        changed |= other.touched.is_some_and(|at| later(&mut self.touched, at, over));
        changed |= other.deleted.is_some_and(|at| later(&mut self.deleted, at, over));
        for register in &other.registers {
            changed |= self.set(&register.property, &register.value, register.at, over);
        }
        changed
    }

    /// Of two writes of one stamp, which no honest replica makes, the larger value counts: any other rule would let the
    /// order of their arrival decide.
    fn set(&mut self, property: &str, value: &[u8], at: RowStamp, over: &mut impl FnMut(RowStamp, usize)) -> bool {
        match self.registers.binary_search_by(|register| register.property.as_str().cmp(property)) {
            Ok(place) => {
                let place = if planted(Planted::PropertiesMixed) { 0 } else { place };
                let Some(register) = self.registers.get_mut(place) else { return false };
                let wins = if planted(Planted::StampReplicaIgnored) {
                    at.unix_ns > register.at.unix_ns
                } else {
                    at > register.at
                        || at == register.at && value > register.value.as_slice()
                        || planted(Planted::LastArrivalWins)
                };
                if wins {
                    over(register.at, register.value.len().saturating_add(VALUE_BYTES));
                    register.at = at;
                    register.value.clear();
                    register.value.extend_from_slice(value);
                }
                wins
            }
            Err(place) => {
                let value = Short::from_slice(value);
                if self.registers.is_empty() {
                    // Many rows have one property, and there are very many rows.
                    self.registers.reserve_exact(1);
                }
                self.registers.insert(place, Register { property: SmolStr::new(property), at, value });
                true
            }
        }
    }

    /// What no later operation replaced of one on this row, by a stamp that `covers` what is earlier; none if nothing of it counts
    /// any more.
    pub fn left_of(&self, operation: &OperationRef<'_>, mut covers: impl FnMut(RowStamp) -> bool) -> Option<Counts> {
        let mut is_over = |stamp: Option<RowStamp>| stamp.is_some_and(|at| at > operation.at && covers(at));
        let values = operation.values().filter(|(property, _)| !is_over(self.register(property).map(|own| own.at)));
        let values: Vec<PropertyValue> =
            values.map(|(property, value)| PropertyValue { property: property.into(), value: value.into() }).collect();
        let stands = match operation.method {
            Method::SharedCreate => !is_over(self.created),
            Method::SharedUpdate => !is_over(self.touched),
            Method::OwnedBatchCreate => !is_over(self.created) || !is_over(self.touched),
            Method::SharedDelete | Method::OwnedDelete => !is_over(self.deleted),
        };
        (stands || !values.is_empty()).then_some(Counts { stands, values })
    }

    /// Forgets what is stamped later than this, by this replica or, without one, by any; whether there was anything.
    pub fn strip(&mut self, after_ns: u64, of: Option<ReplicaId>) -> bool {
        let goes = |at: RowStamp| at.unix_ns > after_ns && of.is_none_or(|of| of == at.replica);
        let mut changed = false;
        for place in [&mut self.created, &mut self.touched, &mut self.deleted] {
            changed |= place.take_if(|at| goes(*at)).is_some();
        }
        let before = self.registers.len();
        self.registers.retain(|register| !goes(register.at));
        changed || self.registers.len() < before
    }

    /// Something was written to it by one of these, and nothing says that it was made.
    pub fn waits_for_creation(&self, by: impl Fn(ReplicaId) -> bool) -> bool {
        self.created.is_none() && self.registers.iter().any(|register| by(register.at.replica))
    }

    /// Keeps stamps alone.
    pub fn drop_values(&mut self) {
        self.registers.iter_mut().for_each(|register| register.value = Short::new());
    }

    /// It is there, by the rule of its table. One that was written to before anyone said that it was made waits for that.
    pub fn exists(&self, rule: Rule) -> bool {
        let is_deleted = match (rule.merge, rule.delete) {
            (MergeType::GSet, _) => false,
            (_, DeleteRule::DeletionWins) if !planted(Planted::DeletionWinsIgnored) => self.deleted.is_some(),
            _ if planted(Planted::OldUpdateRevives) => self.deleted.is_some() && self.touched.is_none(),
            _ => self.deleted.is_some() && self.touched <= self.deleted,
        };
        self.created.is_some() && !is_deleted
    }

    /// It was made, as far as is known.
    pub fn is_created(&self) -> bool {
        self.created.is_some()
    }

    /// It was deleted once.
    pub fn was_deleted(&self) -> bool {
        self.deleted.is_some()
    }

    /// A property's value.
    pub fn get(&self, property: &str) -> Option<&[u8]> {
        self.register(property).map(|register| register.value.as_slice())
    }

    fn register(&self, property: &str) -> Option<&Register> {
        let place = self.registers.binary_search_by(|register| register.property.as_str().cmp(property)).ok()?;
        self.registers.get(place)
    }

    /// Its values with their stamps, in the order of their properties' names.
    pub fn values(&self) -> Vec<StampedValue> {
        let value = |register: &Register| StampedValue {
            property: register.property.as_str().into(),
            value: register.value.to_vec(),
            at: register.at,
        };
        self.registers.iter().map(value).collect()
    }

    /// The stamp that its being there or not rests on.
    pub fn standing(&self, rule: Rule) -> Option<RowStamp> {
        if self.exists(rule) { self.created.max(self.touched) } else { self.deleted }
    }

    /// The latest stamp in it.
    pub fn latest(&self) -> Option<RowStamp> {
        let values = self.registers.iter().map(|register| Some(register.at)).max().flatten();
        values.max(self.created).max(self.touched).max(self.deleted)
    }
}

fn later(place: &mut Option<RowStamp>, at: RowStamp, over: &mut impl FnMut(RowStamp, usize)) -> bool {
    let is_later = Some(at) > *place;
    if is_later {
        place.iter().for_each(|at| over(*at, SAID_BYTES));
        *place = Some(at);
    }
    is_later
}

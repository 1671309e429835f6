//! The key-value store of one device.

use std::collections::BTreeMap;

use syncline_core::{
    api::{Failure, LoadQuery, Outcome, Pair, Write},
    log::parse_message_key,
};

/// A sorted map whose batches are written whole or not at all.
#[derive(Clone, Default)]
pub struct Store {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    failing: bool,
    failing_saves: u32,
    failing_late: u32,
    space: Option<u64>,
    /// How often a message was taken out or written over.
    messages_lost: u64,
}

/// What stood under the keys of a batch before it was written.
pub(crate) type Before = Vec<(Vec<u8>, Option<Vec<u8>>)>;

impl Store {
    /// From now on saves fail, or succeed again.
    pub fn fail(&mut self, failing: bool) {
        self.failing = failing;
    }

    /// The next so many saves fail, each without an effect; those after it succeed again.
    pub fn fail_saves(&mut self, count: u32) {
        self.failing_saves = count;
    }

    /// The next so many saves are written, and still said to have failed: their `fsync` told of an error.
    pub fn fail_saves_late(&mut self, count: u32) {
        self.failing_late = count;
    }

    /// So many bytes of keys and values can still be written; none lifts the limit.
    pub fn space(&mut self, bytes: Option<u64>) {
        self.space = bytes;
    }

    /// No fault is left.
    pub fn mend(&mut self) {
        (self.failing, self.failing_saves, self.failing_late, self.space) = (false, 0, 0, None);
    }

    /// Everything is gone.
    pub fn lose(&mut self) {
        self.messages_lost += 1;
        self.pairs.clear();
    }

    /// Holds what another one holds; what fails here goes on failing.
    pub(crate) fn put_back(&mut self, other: &Store) {
        self.pairs.clone_from(&other.pairs);
    }

    /// Carries out a [`Save`](syncline_core::api::Work::Save).
    pub fn save(&mut self, writes: Vec<Write>) -> Outcome {
        self.write(writes).0
    }

    /// Carries out a save, and tells what it wrote over.
    pub(crate) fn write(&mut self, writes: Vec<Write>) -> (Outcome, Before) {
        let failed = |message: &str| Outcome::Failed { failure: Failure::Other { message: message.into() } };
        if self.failing || self.failing_saves > 0 {
            self.failing_saves = self.failing_saves.saturating_sub(1);
            return (failed("the store's disk is gone"), Before::new());
        }
        let bytes: usize = writes.iter().map(|write| write.key.len() + write.value.as_ref().map_or(0, Vec::len)).sum();
        match &mut self.space {
            Some(left) if *left < bytes as u64 => {
                return (Outcome::Failed { failure: Failure::NoSpace }, Before::new());
            }
            Some(left) => *left -= bytes as u64,
            None => {}
        }
        let before = writes.into_iter().map(|write| self.write_one(write)).collect();
        if self.failing_late > 0 {
            self.failing_late -= 1;
            return (failed("the store's disk fails"), before);
        }
        (Outcome::Saved, before)
    }

    fn write_one(&mut self, write: Write) -> (Vec<u8>, Option<Vec<u8>>) {
        assert!(write.key.len() <= 8 << 10, "a key of {} bytes", write.key.len());
        let before = match write.value {
            Some(value) => self.pairs.insert(write.key.clone(), value),
            None => self.pairs.remove(&write.key),
        };
        if before.is_some() && parse_message_key(&write.key).is_some() {
            self.messages_lost += 1;
        }
        (write.key, before)
    }

    /// Undoes the batch that was written last.
    pub(crate) fn take_back(&mut self, before: Before) {
        self.messages_lost += 1;
        // A batch may name a key twice.
        for (key, value) in before.into_iter().rev() {
            match value {
                Some(value) => self.pairs.insert(key, value),
                None => self.pairs.remove(&key),
            };
        }
    }

    /// Carries out a [`Load`](syncline_core::api::Work::Load).
    pub fn load(&self, query: &LoadQuery) -> Outcome {
        match query {
            LoadQuery::Range { start, end, bytes_max } => self.load_range(start, end, *bytes_max),
            LoadQuery::Keys { keys } => {
                let pairs = keys.iter().filter_map(|key| self.pairs.get_key_value(&key.bytes)).map(pair).collect();
                Outcome::Loaded { pairs, more: false }
            }
        }
    }

    /// What stands under a key.
    pub fn value(&self, key: &[u8]) -> Option<&[u8]> {
        self.pairs.get(key).map(Vec::as_slice)
    }

    /// Changes where a message that stood here may stand no more.
    pub(crate) fn messages_lost(&self) -> u64 {
        self.messages_lost
    }

    /// The pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    /// Those from a key up to another one.
    pub(crate) fn range(&self, start: Vec<u8>, end: Vec<u8>) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.range(start..end).map(|(key, value)| (key.as_slice(), value.as_slice()))
    }

    fn load_range(&self, start: &[u8], end: &[u8], bytes_max: u32) -> Outcome {
        let mut pairs = Vec::new();
        let mut bytes = 0;
        if start < end {
            for found in self.pairs.range(start.to_vec()..end.to_vec()) {
                if bytes > bytes_max as usize {
                    return Outcome::Loaded { pairs, more: true };
                }
                bytes += found.0.len() + found.1.len();
                pairs.push(pair(found));
            }
        }
        Outcome::Loaded { pairs, more: false }
    }
}

fn pair((key, value): (&Vec<u8>, &Vec<u8>)) -> Pair {
    Pair { key: key.clone(), value: value.clone() }
}

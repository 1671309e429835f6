//! The key-value store of one device.

use std::collections::BTreeMap;

use syncline_core::api::{Failure, LoadQuery, Outcome, Pair, Write};

/// A sorted map whose batches are written whole or not at all.
#[derive(Clone, Default)]
pub struct Store {
    pairs: BTreeMap<Vec<u8>, Vec<u8>>,
    failing: bool,
}

impl Store {
    /// From now on saves fail, or succeed again.
    pub fn fail(&mut self, failing: bool) {
        self.failing = failing;
    }

    /// Everything is gone.
    pub fn lose(&mut self) {
        self.pairs.clear();
    }

    /// Carries out a [`Save`](syncline_core::api::Work::Save).
    pub fn save(&mut self, writes: Vec<Write>) -> Outcome {
        if self.failing {
            return Outcome::Failed { failure: Failure::Other { message: "the store's disk is gone".into() } };
        }
        for write in writes {
            assert!(write.key.len() <= 8 << 10, "a key of {} bytes", write.key.len());
            match write.value {
                Some(value) => self.pairs.insert(write.key, value),
                None => self.pairs.remove(&write.key),
            };
        }
        Outcome::Saved
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

    /// The pairs, in order.
    pub fn pairs(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        self.pairs.iter().map(|(key, value)| (key.as_slice(), value.as_slice()))
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

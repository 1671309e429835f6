//! One batch for the store in flight; what happens meanwhile forms the next (§2.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::root::CommitBatch;
use crate::api::{Hash, Write};
use crate::log::Heads;

/// What may happen once a batch is on disk.
pub enum After {
    /// The intents of these changes are saved: they may be made.
    Commit {
        /// The root's place in the configuration.
        root: usize,
        /// The changes.
        batch: CommitBatch,
    },
}

/// The store's next batch.
#[derive(Default)]
pub struct Saver {
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    then: Vec<After>,
    in_flight: bool,
    failed: bool,
    saved: SavedLog,
}

/// The part of the log that is on disk.
#[derive(Default)]
pub struct SavedLog {
    /// Its messages.
    pub heads: Heads,
    /// What two replicas compare.
    pub digest: Option<Hash>,
}

impl Saver {
    /// Writes a pair with the next batch.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.pending.insert(key, Some(value));
    }

    /// Removes a pair with the next batch.
    pub fn remove(&mut self, key: Vec<u8>) {
        self.pending.insert(key, None);
    }

    /// Lets something happen once the next batch is on disk.
    pub fn then(&mut self, after: After) {
        self.then.push(after);
    }

    /// Takes the next batch; it is in flight from now on.
    pub fn begin(&mut self) -> Option<(Vec<Write>, Vec<After>)> {
        if self.failed || self.is_idle() {
            return None;
        }
        self.in_flight = true;
        let pending = core::mem::take(&mut self.pending);
        let writes = pending.into_iter().map(|(key, value)| Write { key, value }).collect();
        Some((writes, core::mem::take(&mut self.then)))
    }

    /// The batch in flight is on disk, and with it these messages.
    pub fn saved(&mut self, log: SavedLog) {
        self.in_flight = false;
        self.saved = log;
    }

    /// The store does not take what it is given: nothing is saved and so nothing is sent any more.
    pub fn fail(&mut self) {
        self.in_flight = false;
        self.failed = true;
    }

    /// The messages that are on disk: what may be sent and acknowledged.
    pub fn saved_heads(&self) -> &Heads {
        &self.saved.heads
    }

    /// Their digest; none before the store was read.
    pub fn saved_digest(&self) -> Option<Hash> {
        self.saved.digest
    }

    /// A batch is in flight, or none can be any more.
    pub fn is_busy(&self) -> bool {
        self.in_flight || self.failed
    }

    /// The store failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// Nothing is in flight, and nothing waits for it.
    pub fn is_idle(&self) -> bool {
        !self.in_flight && self.pending.is_empty() && self.then.is_empty()
    }
}

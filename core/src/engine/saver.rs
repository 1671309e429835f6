//! One batch for the store in flight; what happens meanwhile forms the next (§2.3).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::keys;
use super::root::CommitBatch;
use crate::api::{Hash, ReplicaId, Write};
use crate::log::Heads;
use crate::planted::{Planted, planted};

/// What may happen once a batch is on disk.
pub enum After {
    /// The intents of these changes are saved: they may be made.
    Commit {
        /// The root's place in the configuration.
        root: usize,
        /// The changes.
        batch: CommitBatch,
    },
    /// What was done to rows is saved.
    Records,
    /// An application message is saved.
    Publish {
        /// Its author, this replica.
        author: ReplicaId,
        /// Its number.
        counter: u64,
    },
}

/// The store's next batch.
#[derive(Default)]
pub struct Saver {
    pending: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    /// Manifests that are not on disk yet: of the next batch, and of the one in flight.
    manifests: BTreeMap<Hash, Vec<u8>>,
    manifests_in_flight: BTreeMap<Hash, Vec<u8>>,
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
    /// How many application messages have their number in the order of delivery.
    pub numbers: u64,
}

impl Saver {
    /// Writes a pair with the next batch.
    pub fn put(&mut self, key: Vec<u8>, value: Vec<u8>) {
        self.pending.insert(key, Some(value));
    }

    /// Writes a manifest with the next batch. It can be looked up at once, for a content that stands here and has no
    /// manifest is taken for a single chunk.
    pub fn put_manifest(&mut self, content: &Hash, bytes: Vec<u8>) {
        self.manifests.insert(*content, bytes.clone());
        self.put(keys::manifest(content), bytes);
    }

    /// A manifest that the store does not have yet.
    pub fn manifest(&self, content: &Hash) -> Option<&Vec<u8>> {
        self.manifests.get(content).or_else(|| self.manifests_in_flight.get(content))
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
        self.manifests_in_flight = core::mem::take(&mut self.manifests);
        let pending = core::mem::take(&mut self.pending);
        let writes = pending.into_iter().map(|(key, value)| Write { key, value }).collect();
        Some((writes, core::mem::take(&mut self.then)))
    }

    /// The batch in flight is on disk, and with it these messages.
    pub fn saved(&mut self, log: SavedLog) {
        self.in_flight = false;
        self.manifests_in_flight.clear();
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
        let overlaps = planted(Planted::SavesOverlap) && !self.pending.is_empty();
        self.in_flight && !overlaps || self.failed
    }

    /// The store failed.
    pub fn has_failed(&self) -> bool {
        self.failed
    }

    /// There is something for the next batch.
    pub fn has_pending(&self) -> bool {
        !self.pending.is_empty()
    }

    /// Nothing is in flight, and nothing waits for it.
    pub fn is_idle(&self) -> bool {
        !self.in_flight && self.pending.is_empty() && self.then.is_empty()
    }
}

//! The open message: local changes gather in it until it is closed, signed and saved.

use alloc::vec::Vec;

use super::limits::DRAFT_BYTES;
use crate::api::{ReplicaId, RootId, UnixMs};
use crate::log::{ComposeError, Dot, Entry, Log, Sealed, encoded_size};
use crate::tree::{Change, ChangeOrder};

/// A message that is not signed yet. Its number, lamport and time are settled, so that its changes have their order.
pub struct Draft {
    author: ReplicaId,
    counter: u64,
    lamport: u64,
    unix: UnixMs,
    entries: Vec<Entry>,
    changes: u32,
    bytes: usize,
}

impl Draft {
    /// The next message of this replica's feed; none if it has no number left.
    pub fn open(log: &Log, unix: UnixMs) -> Option<Self> {
        Some(Self {
            author: log.own()?,
            counter: log.next_counter()?,
            lamport: log.next_lamport(),
            unix,
            entries: Vec::new(),
            changes: 0,
            bytes: 0,
        })
    }

    /// Adds a change; returns its place among all changes.
    pub fn push(&mut self, root: RootId, change: &Change) -> ChangeOrder {
        let index = self.changes;
        self.changes = self.changes.saturating_add(1);
        self.bytes = self.bytes.saturating_add(encoded_size(change));
        match self.entries.last_mut() {
            Some(Entry::Tree { root: last, changes }) if *last == root => changes.push(change.clone()),
            _ => self.entries.push(Entry::Tree { root, changes: alloc::vec![change.clone()] }),
        }
        ChangeOrder::new(self.lamport, self.unix, Dot::new(self.author, self.counter, index))
    }

    /// It is large enough to be closed.
    pub fn is_full(&self) -> bool {
        self.bytes >= DRAFT_BYTES
    }

    /// Signs it as the next message of the feed.
    pub fn compose(self, log: &mut Log, name: &str) -> Result<Sealed, ComposeError> {
        log.compose(self.unix, self.entries, name)
    }
}

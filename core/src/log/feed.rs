//! What is held of one author's feed, as far as judging its messages needs it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;
use core::ops::Bound;

use super::{Heads, IntervalSet, Message, Previous};
use crate::api::{Hash, ReplicaId, UnixMs};
use crate::crypto::PublicKey;

/// One author's feed: a chain of messages, of which any may be missing.
#[derive(Debug, Clone, Default)]
pub(super) struct Feed {
    /// What the first message said, if it is held.
    pub introduced: Option<Introduced>,
    /// When the highest message held was written.
    pub last_written: UnixMs,
    /// What the last acknowledgement held says that the author has applied.
    pub acknowledged: Option<Heads>,
    acknowledgement: u64,
    /// What its checkpoints void, of that what was cleared, and the highest of them.
    pub voided: IntervalSet<u64>,
    pub cleared: IntervalSet<u64>,
    pub checkpoint: u64,
    /// Whom its last declaration held calls stale.
    pub stale: BTreeMap<ReplicaId, u64>,
    declaration: u64,
    /// The hashes of the messages held: 45 bytes each, far less than what any message says.
    messages: BTreeMap<u64, Hash>,
    /// The messages that held ones name as their previous and that are missing: at most one in each gap.
    expected: BTreeMap<u64, Hash>,
}

/// Whose feed it is.
#[derive(Debug, Clone)]
pub(super) struct Introduced {
    pub public_key: PublicKey,
    pub name: String,
    /// That message's lamport: of a device's incarnations the latest has the highest.
    pub lamport: u64,
}

/// How a message stands to those held.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fit {
    /// It is one of them.
    Known,
    /// It has a place among them.
    New,
    /// Its author wrote another one in its place, or one of both claims that the other does not exist.
    Fork,
}

impl Feed {
    /// Adds a message that [fits](Feed::fit) as a new one; returns the first counter that it settles, its own being the
    /// last: those between its previous and itself are proven empty.
    pub fn admit(&mut self, message: &Message, hash: Hash) -> u64 {
        if self.last().is_none_or(|last| last.counter < message.counter) {
            self.last_written = message.unix_ms;
        }
        if let Some(applied) = message.acknowledged().filter(|_| self.acknowledgement < message.counter) {
            self.acknowledgement = message.counter;
            self.acknowledged = Some(applied.clone());
        }
        if let Some((voided, cleared)) = message.checkpoint() {
            self.checkpoint = self.checkpoint.max(message.counter);
            self.voided.union(voided);
            self.cleared.union(cleared);
        }
        if let Some(members) = message.stale().filter(|_| self.declaration < message.counter) {
            self.declaration = message.counter;
            self.stale = members.clone();
        }
        self.messages.insert(message.counter, hash);
        self.expected.remove(&message.counter);
        let Some(previous) = message.previous else { return 1 };
        if !self.messages.contains_key(&previous.counter) {
            self.expected.insert(previous.counter, previous.hash);
        }
        // Lower than the message's own counter, so there is a next one.
        previous.counter.saturating_add(1)
    }

    /// How a message stands to those held.
    pub fn fit(&self, message: &Message, hash: Hash) -> Fit {
        let counter = message.counter;
        if self.voided.contains(counter) {
            return Fit::Known;
        }
        if let Some(held) = self.messages.get(&counter) {
            return if *held == hash { Fit::Known } else { Fit::Fork };
        }
        if self.fits_behind(message) && self.fits_before_next(counter, hash) { Fit::New } else { Fit::Fork }
    }

    /// The hash of a message held; none of one that is void, which others need not hold.
    pub fn hash(&self, counter: u64) -> Option<Hash> {
        self.messages.get(&counter).copied().filter(|_| !self.voided.contains(counter))
    }

    /// The numbers of the messages held from `first` to `last`, but for void ones.
    pub fn numbers(&self, first: u64, last: u64) -> impl Iterator<Item = u64> + '_ {
        let held = self.messages.range(first..=last).map(|(counter, _)| *counter);
        held.filter(|counter| !self.voided.contains(*counter))
    }

    /// The numbers of the messages held that are to become void.
    pub fn held_among(&self, voided: &IntervalSet<u64>) -> Vec<u64> {
        let intervals = voided.intervals();
        intervals.flat_map(|(first, last)| self.numbers(first, last)).collect()
    }

    /// The highest message held.
    pub fn last(&self) -> Option<Previous> {
        self.messages.last_key_value().map(|(counter, hash)| Previous { counter: *counter, hash: *hash })
    }

    /// Whether nothing held contradicts what the message claims to follow. The caller knows that no message is held
    /// under its own counter.
    fn fits_behind(&self, message: &Message) -> bool {
        let below = self.messages.range(..message.counter).next_back();
        match (message.previous, below) {
            (None, _) | (Some(_), None) => true,
            (Some(previous), Some((held, hash))) => {
                previous.counter > *held || (previous.counter == *held && previous.hash == *hash)
            }
        }
    }

    /// Whether the next message held, if there is one, leaves room for this one.
    fn fits_before_next(&self, counter: u64, hash: Hash) -> bool {
        let Some((next, _)) = self.messages.range((Bound::Excluded(counter), Bound::Unbounded)).next() else {
            return true;
        };
        // That message's previous is missing and lies at or above this one; else it is held below, and all between is
        // proven empty.
        match self.expected.range(counter..*next).next_back() {
            Some((expected, named)) => *expected > counter || *named == hash,
            None => false,
        }
    }
}

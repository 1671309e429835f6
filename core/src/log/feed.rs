//! What is held of one author's feed, as far as judging its messages needs it.

use alloc::collections::BTreeMap;
use alloc::string::String;
use alloc::vec::Vec;

use super::marks::{MarkKey, Marks};
use super::{Heads, IntervalSet, Message, Previous};
use crate::api::{Hash, ReplicaId, UnixMs};
use crate::crypto::PublicKey;

/// One author's feed: a chain of messages, of which any may be missing.
#[derive(Debug, Clone)]
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
    /// What its author takes back, if it does.
    pub retracted: Option<Retracted>,
    /// The messages held.
    messages: Marks,
    /// The hashes of those that no held one names as its previous: at most one before each gap, and the last. Of others
    /// nobody asks for more than whether a hash is theirs.
    ends: BTreeMap<u64, Hash>,
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

/// Of several retractions of one feed the least one counts.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Retracted {
    /// No operation counts that is stamped later, in nanoseconds since 1970.
    pub after_ns: u64,
    counter: u64,
    /// Nor any of these feeds, which the author has left.
    pub left: Vec<ReplicaId>,
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
    /// A feed of which nothing is held.
    pub fn new(key: MarkKey) -> Feed {
        Feed {
            introduced: None,
            last_written: UnixMs::default(),
            acknowledged: None,
            acknowledgement: 0,
            voided: IntervalSet::new(),
            cleared: IntervalSet::new(),
            checkpoint: 0,
            stale: BTreeMap::new(),
            declaration: 0,
            retracted: None,
            messages: Marks::new(key),
            ends: BTreeMap::new(),
            expected: BTreeMap::new(),
        }
    }

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
        if let Some((after_ns, left)) = message.retraction() {
            let this = Retracted { after_ns, counter: message.counter, left: left.to_vec() };
            self.retracted = self.retracted.take().into_iter().chain([this]).min();
        }
        self.messages.insert(message.counter, &hash);
        if self.expected.remove(&message.counter).is_none() {
            self.ends.insert(message.counter, hash);
        }
        let Some(previous) = message.previous else { return 1 };
        if !self.messages.contains(previous.counter) {
            self.expected.insert(previous.counter, previous.hash);
        }
        self.ends.remove(&previous.counter);
        // Lower than the message's own counter, so there is a next one.
        previous.counter.saturating_add(1)
    }

    /// How a message stands to those held.
    pub fn fit(&self, message: &Message, hash: Hash) -> Fit {
        let counter = message.counter;
        if self.voided.contains(counter) {
            return Fit::Known;
        }
        if self.holds(counter) {
            return if self.is(counter, &hash) { Fit::Known } else { Fit::Fork };
        }
        if self.fits_behind(message) && self.fits_before_next(counter, hash) { Fit::New } else { Fit::Fork }
    }

    /// Whether a message of this number is held.
    pub fn holds(&self, counter: u64) -> bool {
        self.messages.contains(counter)
    }

    /// Whether the message of this number and hash is held.
    pub fn is(&self, counter: u64, hash: &Hash) -> bool {
        self.messages.is(counter, hash)
    }

    /// The hash of a held message that none names as its previous: the last one before each gap, and the last of all; none of
    /// one that is void, which others need not hold.
    pub fn end(&self, counter: u64) -> Option<Hash> {
        self.ends.get(&counter).copied().filter(|_| !self.voided.contains(counter))
    }

    /// The numbers of the messages held from `first` to `last`, but for void ones.
    pub fn numbers(&self, first: u64, last: u64) -> impl Iterator<Item = u64> + '_ {
        self.messages.numbers(first, last).filter(|counter| !self.voided.contains(*counter))
    }

    /// The numbers of the messages held from this one on, those that a checkpoint made void among them.
    pub fn all_from(&self, first: u64) -> impl Iterator<Item = u64> + '_ {
        self.messages.numbers(first, u64::MAX)
    }

    /// The numbers of the messages held that are to become void.
    pub fn held_among(&self, voided: &IntervalSet<u64>) -> Vec<u64> {
        let intervals = voided.intervals();
        intervals.flat_map(|(first, last)| self.numbers(first, last)).collect()
    }

    /// The highest message held.
    pub fn last(&self) -> Option<Previous> {
        self.ends.last_key_value().map(|(counter, hash)| Previous { counter: *counter, hash: *hash })
    }

    /// Whether nothing held contradicts what the message claims to follow. The caller knows that no message is held
    /// under its own counter.
    fn fits_behind(&self, message: &Message) -> bool {
        match (message.previous, self.messages.below(message.counter)) {
            (None, _) | (Some(_), None) => true,
            (Some(previous), Some(held)) => {
                previous.counter > held || (previous.counter == held && self.is(held, &previous.hash))
            }
        }
    }

    /// Whether the next message held, if there is one, leaves room for this one.
    fn fits_before_next(&self, counter: u64, hash: Hash) -> bool {
        let Some(next) = self.messages.above(counter) else { return true };
        // That message's previous is missing and lies at or above this one; else it is held below, and all between is
        // proven empty.
        match self.expected.range(counter..next).next_back() {
            Some((expected, named)) => *expected > counter || *named == hash,
            None => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;
    use core::ops::Bound;

    use proptest::prelude::*;

    use super::*;
    use crate::api::ReplicaId;
    use crate::crypto::{Identity, Signature};
    use crate::log::IntervalSet;

    /// A feed that keeps every hash whole.
    #[derive(Default)]
    struct Plain {
        messages: BTreeMap<u64, Hash>,
        expected: BTreeMap<u64, Hash>,
        settled: IntervalSet<u64>,
    }

    impl Plain {
        fn admit(&mut self, message: &Message, hash: Hash) {
            self.messages.insert(message.counter, hash);
            self.expected.remove(&message.counter);
            let first = message.previous.map_or(1, |previous| {
                if !self.messages.contains_key(&previous.counter) {
                    self.expected.insert(previous.counter, previous.hash);
                }
                previous.counter + 1
            });
            self.settled.insert_range(first, message.counter);
        }

        fn fit(&self, message: &Message, hash: Hash) -> Fit {
            let counter = message.counter;
            if let Some(held) = self.messages.get(&counter) {
                return if *held == hash { Fit::Known } else { Fit::Fork };
            }
            let below = self.messages.range(..counter).next_back();
            let behind = match (message.previous, below) {
                (None, _) | (Some(_), None) => true,
                (Some(previous), Some((held, hash))) => {
                    previous.counter > *held || (previous.counter == *held && previous.hash == *hash)
                }
            };
            let next = self.messages.range((Bound::Excluded(counter), Bound::Unbounded)).next();
            let before = next.is_none_or(|(next, _)| {
                let expected = self.expected.range(counter..*next).next_back();
                expected.is_some_and(|(expected, named)| *expected > counter || *named == hash)
            });
            if behind && before { Fit::New } else { Fit::Fork }
        }
    }

    fn feed() -> Feed {
        Feed::new(MarkKey::new(&Identity::from_secret(&[1; 32]).unwrap()))
    }

    /// Counters that lie close to each other, also over the borders of what is kept together and at the range's end.
    const COUNTERS: [u64; 14] = [1, 2, 3, 4, 126, 127, 128, 129, 130, 255, 256, 257, u64::MAX - 1, u64::MAX];

    fn hash(counter: u64, said: u8) -> Hash {
        Hash::from_bytes(*blake3::hash(&[&counter.to_le_bytes()[..], &[said]].concat()).as_bytes())
    }

    fn message(counter: u64, previous: Option<Previous>) -> Message {
        Message {
            author: ReplicaId::from_bytes([1; 16]),
            counter,
            lamport: 1,
            unix_ms: UnixMs(counter),
            previous,
            entries: Vec::new(),
            signature: Signature::from_bytes([0; 64]),
        }
    }

    /// A message at one of the counters, saying one of two things, behind one of those below: mostly what an honest author
    /// says, who skips nothing.
    fn arrival() -> impl Strategy<Value = (Message, Hash)> {
        let said = || prop_oneof![6 => Just(0u8), 1 => Just(1)];
        let back = prop_oneof![6 => Just(1usize), 1 => 2..5usize];
        (0..COUNTERS.len(), said(), back, said()).prop_map(|(at, said, back, before)| {
            let before = |at: usize| Previous { counter: COUNTERS[at], hash: hash(COUNTERS[at], before) };
            let previous = (at > 0).then(|| before(at.saturating_sub(back)));
            (message(COUNTERS[at], previous), hash(COUNTERS[at], said))
        })
    }

    proptest! {
        #[test]
        fn judges_as_one_that_keeps_every_hash(arrivals in prop::collection::vec(arrival(), 0..60)) {
            let (mut ours, mut plain) = (feed(), Plain::default());
            for (message, hash) in arrivals {
                let fit = ours.fit(&message, hash);
                prop_assert_eq!(fit, plain.fit(&message, hash), "{:?}", message);
                if fit == Fit::New {
                    ours.admit(&message, hash);
                    plain.admit(&message, hash);
                }
                let last = plain.messages.last_key_value();
                prop_assert_eq!(ours.last(), last.map(|(counter, hash)| Previous { counter: *counter, hash: *hash }));
                prop_assert_eq!(ours.last_written, last.map_or(UnixMs(0), |(counter, _)| UnixMs(*counter)));
            }
            prop_assert!(ours.numbers(0, u64::MAX).eq(plain.messages.keys().copied()));
            for counter in COUNTERS {
                let held = plain.messages.get(&counter);
                prop_assert_eq!(ours.holds(counter), held.is_some());
                for said in 0..2 {
                    prop_assert_eq!(ours.is(counter, &hash(counter, said)), held == Some(&hash(counter, said)));
                }
            }
            // What the digest asks for, and nothing else.
            let ends: Vec<(u64, Option<Hash>)> = ours.ends.iter().map(|(counter, hash)| (*counter, Some(*hash))).collect();
            let asked = plain.settled.intervals().map(|(_, last)| (last, plain.messages.get(&last).copied()));
            prop_assert_eq!(ends, asked.collect::<Vec<_>>());
        }
    }
}

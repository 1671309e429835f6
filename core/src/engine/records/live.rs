//! Own messages of operations that are neither void nor to become so, and how much of each still counts.
//!
//! What is written replaces earlier values. Where those are this device's own, the message that they stand in is known by their
//! stamp, so that of each message that was written since the start it is known what is left of it, and none need be looked at
//! before little is. Of those that were there before nothing is known until they were looked at once; nor is it of one that was
//! looked at while others' stamps that may still be taken back covered some of it.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::log::{Entry, IntervalSet, Message};
use crate::records::Operations;

/// A message is looked at when no more than one in so many of its bytes is left, and what is left is written again.
pub const RESTATED_SHARE: usize = 4;
/// A small message has so few operations,
const SMALL_OPERATIONS: usize = 4;
/// with keys and values of so few bytes.
const SMALL_BYTES: usize = 1024;

/// A message: its earliest stamp, in nanoseconds since 1970, and its number.
type Place = (u64, u64);

/// Own messages of operations.
///
/// Each has stamps of a time in which no other one has any: what is written anew, and what is gathered, keeps to that. So
/// messages in the order of their earliest stamps have all operations in order, and a stamp tells the message that it is in.
/// Only where a message that was written again must stay after all that is not so: as long as it is there nothing is known of any.
pub struct Live {
    /// So many small ones that follow each other are written again as one.
    gathered: usize,
    /// Those that may become void.
    counters: IntervalSet<u64>,
    /// Of those, the ones of which it is not known what is left, and how many they are.
    unknown: IntervalSet<u64>,
    unknown_count: u64,
    /// Those of which little is left, or that are to be gathered.
    due: BTreeSet<u64>,
    by_stamp: BTreeMap<Place, Noted>,
    /// How many of them have stamps of the time of the next one.
    overlaps: usize,
    earliest: BTreeMap<u64, u64>,
    /// Of stamps that count no more, whose messages may not be noted yet: how many bytes.
    replaced: Vec<(u64, usize)>,
}

struct Noted {
    /// Its last stamp.
    latest_ns: u64,
    /// It may be gathered.
    is_small: bool,
    left: Option<Left>,
}

/// What is left of a message.
struct Left {
    bytes: usize,
    /// It is looked at when no more than this is left.
    due_bytes: usize,
}

impl Live {
    /// None yet; so many small ones are to be gathered.
    pub fn new(gathered: usize) -> Live {
        Live {
            gathered,
            counters: IntervalSet::new(),
            unknown: IntervalSet::new(),
            unknown_count: 0,
            due: BTreeSet::new(),
            by_stamp: BTreeMap::new(),
            overlaps: 0,
            earliest: BTreeMap::new(),
            replaced: Vec::new(),
        }
    }

    /// None; as many are to be gathered as before.
    pub fn clear(&mut self) {
        *self = Live::new(self.gathered);
    }

    /// Whether a message is one of them, and may become void.
    pub fn contains(&self, counter: u64) -> bool {
        self.counters.contains(counter)
    }

    /// How many there are of which it is not known what is left.
    pub fn unknown_count(&self) -> u64 {
        self.unknown_count
    }

    /// Little is left of one, or many small ones are to become one.
    pub fn has_due(&self) -> bool {
        !self.due.is_empty()
    }

    /// How much is left of a message, as far as that is known.
    pub fn left(&self, counter: u64) -> Option<usize> {
        let earliest = self.earliest.get(&counter)?;
        self.by_stamp.get(&(*earliest, counter))?.left.as_ref().map(|left| left.bytes)
    }

    /// Notes a message, of which everything counts if it is new.
    pub fn insert(&mut self, message: &Message, is_new: bool) {
        let Some(earliest) = message.operations().map(Operations::earliest_ns).min() else { return };
        self.remove(message.counter);
        let latest_ns = message.operations().map(Operations::latest_ns).max().unwrap_or(earliest);
        let sum = |what: fn(&Operations) -> usize| message.operations().map(what).fold(0, usize::saturating_add);
        let is_of_operations = |entry: &Entry| matches!(entry, Entry::Records(_));
        let may_go = message.counter > 1 && message.entries.iter().all(is_of_operations);
        let is_small = may_go && sum(Operations::len) <= SMALL_OPERATIONS && sum(Operations::bytes) <= SMALL_BYTES;
        let place = (earliest, message.counter);
        self.put(place, Noted { latest_ns, is_small, left: None });
        if may_go {
            self.counters.insert(message.counter);
            self.set_known(message.counter, false);
        }
        if may_go && is_new {
            let bytes = sum(Operations::weight);
            self.know(message.counter, bytes, bytes / RESTATED_SHARE);
        }
        self.note_run(place);
    }

    /// A message is void, or is to be.
    pub fn remove(&mut self, counter: u64) {
        self.set_known(counter, true);
        self.counters.remove(counter);
        self.due.remove(&counter);
        if let Some(earliest) = self.earliest.remove(&counter) {
            self.take((earliest, counter));
            // Small ones before and behind it follow each other now.
            let before = self.by_stamp.range(..(earliest, counter)).next_back().map(|(place, _)| *place);
            before.into_iter().for_each(|place| self.note_run(place));
        }
    }

    /// Nothing of a message counts, and all of it may again: it stays as it is.
    pub fn keep(&mut self, counter: u64) {
        self.set_known(counter, true);
        self.counters.remove(counter);
        self.due.remove(&counter);
        if let Some(noted) = self.noted(counter) {
            (noted.is_small, noted.left) = (false, None);
        }
    }

    /// These are void, or are to be.
    pub fn subtract(&mut self, other: &IntervalSet<u64>) {
        let gone: Vec<u64> = self.earliest.keys().copied().filter(|counter| other.contains(*counter)).collect();
        gone.into_iter().for_each(|counter| self.remove(counter));
    }

    /// Of none of these anything counts.
    pub fn keep_all(&mut self, of: impl Fn(u64) -> bool) {
        let kept: Vec<u64> = self.earliest.keys().copied().filter(|counter| of(*counter)).collect();
        kept.into_iter().for_each(|counter| self.keep(counter));
    }

    /// Something that was stamped then counts no more: so many bytes of a message that is noted before this is
    /// [settled](Self::settle).
    pub fn replaced(&mut self, at_ns: u64, bytes: usize) {
        self.replaced.push((at_ns, bytes));
    }

    /// All that was stamped until now is noted.
    pub fn settle(&mut self) {
        for (at_ns, bytes) in core::mem::take(&mut self.replaced) {
            let of = self.by_stamp.range_mut(..=(at_ns, u64::MAX)).next_back();
            let Some(((_, counter), Noted { left: Some(left), .. })) = of else { continue };
            left.bytes = left.bytes.saturating_sub(bytes);
            if left.bytes <= left.due_bytes {
                self.due.insert(*counter);
            }
        }
    }

    /// It is known that so much is left of a message. It is looked at when no more than `due_bytes` are.
    pub fn know(&mut self, counter: u64, bytes: usize, due_bytes: usize) {
        if self.overlaps > 0 {
            return;
        }
        if let Some(noted) = self.noted(counter) {
            noted.left = Some(Left { bytes, due_bytes });
            self.set_known(counter, true);
        }
    }

    /// It is not known any more what is left of a message.
    pub fn doubt(&mut self, counter: u64) {
        self.due.remove(&counter);
        if let Some(noted) = self.noted(counter) {
            noted.left = None;
        }
        if self.counters.contains(counter) {
            self.set_known(counter, false);
        }
    }

    /// Nor of any of them.
    pub fn doubt_all(&mut self) {
        let all: Vec<u64> = self.earliest.keys().copied().collect();
        all.into_iter().for_each(|counter| self.doubt(counter));
    }

    /// What is to be looked at next: one of which little is left, or else the next behind this one of which nothing is known, if any
    /// of those may be.
    pub fn next(&self, behind: u64, may_be_unknown: bool) -> Option<u64> {
        let unknown = || self.unknown.after(behind).or_else(|| self.unknown.first());
        self.due.first().copied().or_else(|| unknown().filter(|_| may_be_unknown))
    }

    /// What is written again as one, if anything is: a message with those that have stamps of its time, or with a small one as many
    /// more behind it as are gathered, if so many small ones follow each other; none as long as not all of them are saved.
    pub fn together(&self, counter: u64, saved: &IntervalSet<u64>) -> Option<Vec<u64>> {
        let first = self.earliest.get(&counter).map(|earliest| (*earliest, counter))?;
        let run: Vec<u64> = self.run(first).collect();
        let is_run = run.len() == self.gathered;
        let counters = if is_run { run } else { self.of_one_time(first) };
        counters.iter().all(|counter| saved.contains(*counter)).then_some(counters)
    }

    /// A message and those with stamps of its time, of which one is what another one was written again as.
    fn of_one_time(&self, place: Place) -> Vec<u64> {
        let mut counters = Vec::from([place.1]);
        let Some(noted) = self.by_stamp.get(&place).filter(|_| self.overlaps > 0) else { return counters };
        let (mut earliest, mut latest_ns) = (place.0, noted.latest_ns);
        for ((start, counter), noted) in self.by_stamp.range(..place).rev().take(self.gathered) {
            if noted.latest_ns >= earliest && self.counters.contains(*counter) {
                earliest = *start;
                latest_ns = latest_ns.max(noted.latest_ns);
                counters.push(*counter);
            }
        }
        for ((start, counter), noted) in self.by_stamp.range(place..).skip(1).take(self.gathered) {
            if *start <= latest_ns && self.counters.contains(*counter) {
                latest_ns = latest_ns.max(noted.latest_ns);
                counters.push(*counter);
            }
        }
        counters
    }

    /// The small messages from this one on that follow each other, of those that are to be gathered.
    fn run(&self, first: Place) -> impl Iterator<Item = u64> {
        let run = self.by_stamp.range(first..).take(self.gathered).take_while(|(_, noted)| noted.is_small);
        run.map(|((_, counter), _)| *counter)
    }

    /// If this message is one of enough small ones that follow each other they are due.
    fn note_run(&mut self, place: Place) {
        let before = self.by_stamp.range(..=place).rev().take(self.gathered).take_while(|(_, noted)| noted.is_small);
        let Some(first) = before.last().map(|(place, _)| *place) else { return };
        if self.run(first).count() == self.gathered {
            self.due.insert(first.1);
        }
    }

    fn set_known(&mut self, counter: u64, is_known: bool) {
        if is_known {
            let was_unknown = self.unknown.remove(counter);
            self.unknown_count = self.unknown_count.saturating_sub(u64::from(was_unknown));
        } else {
            let was_known = self.unknown.insert(counter);
            self.unknown_count = self.unknown_count.saturating_add(u64::from(was_known));
        }
    }

    fn noted(&mut self, counter: u64) -> Option<&mut Noted> {
        let earliest = self.earliest.get(&counter)?;
        self.by_stamp.get_mut(&(*earliest, counter))
    }

    fn put(&mut self, place: Place, noted: Noted) {
        let had_overlaps = self.overlaps > 0;
        self.overlaps = self.overlaps.saturating_sub(self.overlaps_around(place));
        self.earliest.insert(place.1, place.0);
        self.by_stamp.insert(place, noted);
        self.overlaps = self.overlaps.saturating_add(self.overlaps_around(place));
        if !had_overlaps && self.overlaps > 0 {
            self.doubt_all();
        }
    }

    fn take(&mut self, place: Place) {
        self.overlaps = self.overlaps.saturating_sub(self.overlaps_around(place));
        self.by_stamp.remove(&place);
        self.overlaps = self.overlaps.saturating_add(self.overlaps_around(place));
    }

    /// How many have stamps of the time of the next one, of the one before this place, the one there and the one behind. If any two
    /// messages share a time then some two do that follow each other.
    fn overlaps_around(&self, place: Place) -> usize {
        let there = usize::from(self.by_stamp.contains_key(&place));
        let before = self.by_stamp.range(..place).next_back();
        let around = before.into_iter().chain(self.by_stamp.range(place..).take(there.saturating_add(1)));
        let around: Vec<(u64, u64)> = around.map(|((earliest, _), noted)| (*earliest, noted.latest_ns)).collect();
        around.windows(2).filter(|pair| matches!(pair, [(_, latest), (next, _)] if latest >= next)).count()
    }
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::api::{Method, PropertyValue, ReplicaId, UnixMs};
    use crate::crypto::Signature;
    use crate::records::OperationsBuilder;

    /// A message whose operations have these stamps, each of one value of so many bytes.
    fn message(counter: u64, stamps: &[u64], value_bytes: usize) -> Message {
        let mut builder = OperationsBuilder::new();
        for at in stamps {
            let values = [PropertyValue { property: "a".into(), value: vec![7; value_bytes] }];
            builder.push("t", &at.to_be_bytes(), Method::SharedUpdate, &values, *at);
        }
        Message {
            author: ReplicaId::from_bytes([1; 16]),
            counter,
            lamport: counter,
            unix_ms: UnixMs(counter),
            previous: None,
            entries: vec![Entry::Records(builder.finish())],
            signature: Signature::from_bytes([0; 64]),
        }
    }

    fn all() -> IntervalSet<u64> {
        let mut all = IntervalSet::new();
        (1..=1_000).for_each(|counter| {
            all.insert(counter);
        });
        all
    }

    /// Ten operations of 100 bytes each, at these stamps; the first one of a feed, which never goes, before it.
    fn one_large(is_new: bool) -> Live {
        let mut live = Live::new(3);
        live.insert(&message(1, &[1], 100), is_new);
        live.insert(&message(2, &[10, 11, 12, 13, 14, 15, 16, 17, 18, 19], 100), is_new);
        live
    }

    #[test]
    fn a_message_is_due_once_little_is_left_of_it() {
        let mut live = one_large(true);
        assert_eq!((live.left(2), live.unknown_count(), live.next(0, true)), (Some(1_060), 0, None));
        for at in 10..17 {
            live.replaced(at, 106);
        }
        live.settle();
        assert_eq!((live.left(2), live.has_due()), (Some(318), false));
        live.replaced(19, 106);
        // It counts once all that was stamped is noted.
        assert!(!live.has_due());
        live.settle();
        assert_eq!((live.left(2), live.has_due(), live.next(0, false)), (Some(212), true, Some(2)));
        assert_eq!(live.together(2, &all()), Some(vec![2]));
        assert_eq!(live.together(2, &IntervalSet::new()), None);
    }

    #[test]
    fn a_message_that_was_looked_at_is_due_again_when_less_is_left() {
        let mut live = one_large(true);
        live.doubt(2);
        assert_eq!(
            (live.left(2), live.unknown_count(), live.next(0, false), live.next(2, true)),
            (None, 1, None, Some(2))
        );
        live.know(2, 400, 200);
        assert_eq!((live.unknown_count(), live.has_due()), (0, false));
        live.replaced(12, 106);
        live.settle();
        assert!(!live.has_due());
        live.replaced(13, 106);
        live.settle();
        assert!(live.has_due());
    }

    #[test]
    fn of_messages_that_were_there_before_nothing_is_known() {
        let mut live = one_large(false);
        live.insert(&message(3, &[30, 31, 32, 33, 34], 100), false);
        live.replaced(30, 106);
        live.settle();
        assert_eq!((live.left(2), live.left(3), live.unknown_count(), live.has_due()), (None, None, 2, false));
        // One behind the other, and round again; the first message of a feed never goes.
        assert_eq!([0, 2, 3].map(|behind| live.next(behind, true)), [Some(2), Some(3), Some(2)]);
        live.know(2, 1_060, 265);
        assert_eq!([0, 2, 3].map(|behind| live.next(behind, true)), [Some(3); 3]);
        live.remove(3);
        assert_eq!((live.unknown_count(), live.next(0, true)), (0, None));
        live.doubt_all();
        assert_eq!(
            (live.unknown_count(), live.contains(1), live.contains(2), live.contains(3)),
            (1, false, true, false)
        );
    }

    #[test]
    fn small_messages_that_follow_each_other_are_due_together() {
        let mut live = Live::new(3);
        live.insert(&message(1, &[1], 1), true);
        live.insert(&message(2, &[10], 1), true);
        live.insert(&message(3, &[20, 21, 22, 23, 24], 100), true);
        live.insert(&message(4, &[30], 1), true);
        live.insert(&message(5, &[40], 1), true);
        assert!(!live.has_due());
        // What stood between them goes.
        let mut gone = IntervalSet::new();
        gone.insert(3);
        live.subtract(&gone);
        assert_eq!((live.has_due(), live.next(0, false)), (true, Some(2)));
        assert_eq!(live.together(2, &all()), Some(vec![2, 4, 5]));
        // The last of them is not saved yet.
        let mut saved = all();
        saved.remove(5);
        assert_eq!(live.together(2, &saved), None);
    }

    /// A message that was written again, and must stay all the same: a stamp does not tell which of the two it is in.
    #[test]
    fn nothing_is_known_while_two_messages_have_stamps_of_one_time() {
        let mut live = one_large(true);
        live.insert(&message(3, &[12], 100), true);
        live.insert(&message(4, &[30, 31, 32, 33, 34], 100), true);
        assert_eq!(([2, 3, 4].map(|counter| live.left(counter)), live.unknown_count()), ([None; 3], 3));
        live.know(2, 100, 25);
        live.replaced(12, 106);
        live.replaced(15, 106);
        live.settle();
        assert_eq!((live.left(2), live.left(3), live.has_due()), (None, None, false));
        live.remove(2);
        live.know(3, 106, 26);
        live.know(4, 530, 132);
        live.replaced(12, 106);
        live.settle();
        assert_eq!((live.left(3), live.left(4), live.next(0, true)), (Some(0), Some(530), Some(3)));
        // One of a longer time than those behind it.
        live.insert(&message(5, &[40, 50], 100), true);
        live.insert(&message(6, &[41], 100), true);
        live.insert(&message(7, &[45], 100), true);
        live.remove(6);
        live.know(7, 106, 26);
        assert_eq!(live.left(7), None);
        live.remove(7);
        live.know(5, 212, 53);
        assert_eq!(live.left(5), Some(212));
    }

    #[test]
    fn messages_with_stamps_of_one_time_are_written_again_together() {
        let mut live = Live::new(3);
        live.insert(&message(2, &[10, 11, 12, 13, 14, 15], 100), true);
        live.insert(&message(3, &[12, 14], 400), true);
        live.insert(&message(4, &[20, 21, 22, 23, 24], 100), true);
        live.insert(&message(5, &[14], 2_000), true);
        let sorted = |counter| {
            let mut counters = live.together(counter, &all()).unwrap();
            counters.sort_unstable();
            counters
        };
        assert_eq!([2, 3, 4, 5].map(sorted), [vec![2, 3, 5], vec![2, 3, 5], vec![4], vec![2, 3, 5]]);
    }

    fn recounted(live: &Live) -> usize {
        let spans: Vec<_> = live.by_stamp.iter().map(|((earliest, _), noted)| (*earliest, noted.latest_ns)).collect();
        spans.windows(2).filter(|pair| pair[0].1 >= pair[1].0).count()
    }

    proptest! {
        #[test]
        fn overlaps_are_counted_as_messages_come_and_go(
            steps in prop::collection::vec((any::<bool>(), 2..9u64, 0..20u64, 0..6u64), 0..60),
        ) {
            let mut live = Live::new(3);
            for (comes, counter, earliest, length) in steps {
                if comes {
                    live.insert(&message(counter, &[earliest, earliest + length], 1), true);
                } else {
                    live.remove(counter);
                }
                prop_assert_eq!(live.overlaps, recounted(&live));
                let known = live.by_stamp.values().filter(|noted| noted.left.is_some()).count();
                prop_assert!(live.overlaps == 0 || known == 0);
            }
        }
    }

    #[test]
    fn what_says_nothing_that_counts_stays_and_parts_what_is_gathered() {
        let mut live = Live::new(2);
        (2..5).for_each(|counter| live.insert(&message(counter, &[counter * 10], 1), counter == 3));
        live.keep_all(|counter| counter == 3);
        assert_eq!((live.contains(3), live.left(3), live.unknown_count(), live.has_due()), (false, None, 2, true));
        // It was due together with the one before, and is not any more.
        assert_eq!(live.together(2, &all()), Some(vec![2]));
        assert_eq!(live.together(4, &all()), Some(vec![4]));
    }

    #[test]
    fn another_incarnation_begins_with_none() {
        let mut live = one_large(true);
        live.doubt(2);
        live.clear();
        assert_eq!((live.unknown_count(), live.next(0, true), live.contains(2)), (0, None, false));
        for counter in 2..5 {
            live.insert(&message(counter, &[counter * 10], 1), true);
        }
        assert_eq!(live.together(2, &all()), Some(vec![2, 3, 4]));
    }
}

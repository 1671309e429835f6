//! Which files of one author's directory are to be read.
//!
//! It never counts: what is found by name and not held yet is read, in whatever order things arrive. What it remembers
//! grows with what is missing or troubled, not with what is held.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use crate::api::Monotonic;
use crate::engine::limits::{
    FOLDER_FOUND_MAX, FOLDER_RETRY_MS_MAX, FOLDER_TROUBLED_MAX, PROBE_AHEAD, PROBE_GAPS_MAX, RETRY_MS,
};
use crate::log::IntervalSet;
use crate::planted::{Planted, planted};

/// Why a file that is there is not a message yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Trouble {
    /// Its bytes are elsewhere.
    Placeholder,
    /// It is torn, still arriving, or none of its author's.
    Unverifiable,
    /// It is of a session that was begun in the folder at the same time and did not prevail.
    OtherSession,
}

#[derive(Debug, Clone, Copy)]
struct Troubled {
    trouble: Trouble,
    tries: u32,
    again: Monotonic,
}

/// What was found in one author's directory and is not held.
#[derive(Debug, Clone, Default)]
pub struct FeedIndex {
    found: BTreeSet<u64>,
    reading: BTreeSet<u64>,
    troubled: BTreeMap<u64, Troubled>,
    overflowed: bool,
}

impl FeedIndex {
    /// A message's file is there. One that could not be read keeps its time. Returns whether there is news in that, and room
    /// to remember it.
    pub fn find(&mut self, counter: u64) -> bool {
        if self.troubled.contains_key(&counter) || self.reading.contains(&counter) {
            return false;
        }
        let has_room = self.found.len() < FOLDER_FOUND_MAX;
        self.overflowed |= !has_room;
        has_room && self.found.insert(counter)
    }

    /// A watcher saw a change of a message's file: it is read as soon as possible.
    pub fn hint(&mut self, counter: u64, now: Monotonic) {
        match self.troubled.get_mut(&counter) {
            Some(troubled) => troubled.again = now,
            None => drop(self.find(counter)),
        }
    }

    /// The next files to read, at most `count`; they are being read from now on. Before the feed's first message is held
    /// no other can be judged.
    pub fn take(&mut self, count: usize, is_introduced: bool, now: Monotonic) -> Vec<u64> {
        let is_ready = |counter: &u64| is_introduced || *counter == 1;
        let due = self.troubled.iter().filter(|(counter, troubled)| troubled.again <= now && is_ready(counter));
        let due = due.map(|(counter, _)| *counter).filter(|counter| !self.reading.contains(counter));
        let found = self.found.iter().copied().filter(is_ready);
        let taken: Vec<u64> = due.chain(found).take(count).collect();
        for counter in &taken {
            self.found.remove(counter);
            self.reading.insert(*counter);
        }
        taken
    }

    /// A file was read: it is held now, or it is not there any more.
    pub fn settle(&mut self, counter: u64) {
        self.reading.remove(&counter);
        self.found.remove(&counter);
        self.troubled.remove(&counter);
    }

    /// A file could not be read, or did not verify. Returns how often that has happened to it.
    pub fn fail(&mut self, counter: u64, trouble: Trouble, now: Monotonic) -> u32 {
        self.reading.remove(&counter);
        if planted(Planted::TornFileGivenUp) {
            return 1;
        }
        if self.troubled.len() >= FOLDER_TROUBLED_MAX && !self.troubled.contains_key(&counter) {
            return 0;
        }
        let tries = self.troubled.get(&counter).map_or(0, |troubled| troubled.tries).saturating_add(1);
        let wait = RETRY_MS.saturating_mul(1u64.checked_shl(tries.saturating_sub(1)).unwrap_or(u64::MAX));
        let again = now.plus(wait.min(FOLDER_RETRY_MS_MAX));
        self.troubled.insert(counter, Troubled { trouble, tries, again });
        tries
    }

    /// More was found than is remembered: the directory is to be listed again. It is told once.
    pub fn take_overflow(&mut self) -> bool {
        self.found.len() < FOLDER_FOUND_MAX / 2 && core::mem::take(&mut self.overflowed)
    }

    /// Whether something can be read now.
    pub fn is_ready(&self, is_introduced: bool, now: Monotonic) -> bool {
        let is_ready = |counter: &u64| is_introduced || *counter == 1;
        let is_due = |(counter, troubled): (&u64, &Troubled)| {
            troubled.again <= now && is_ready(counter) && !self.reading.contains(counter)
        };
        self.found.iter().any(is_ready) || self.troubled.iter().any(is_due)
    }

    /// When something can be read again that could not be.
    pub fn deadline(&self) -> Option<Monotonic> {
        let waiting = self.troubled.iter().filter(|(counter, _)| !self.reading.contains(counter));
        waiting.map(|(_, troubled)| troubled.again).min()
    }

    /// Nothing that was found is still to be read for the first time.
    pub fn is_read(&self, is_introduced: bool) -> bool {
        let is_ready = |counter: &u64| is_introduced || *counter == 1;
        self.reading.iter().all(|counter| self.troubled.contains_key(counter))
            && !self.overflowed
            && !self.found.iter().any(is_ready)
    }

    /// Nothing was found that is not held.
    pub fn is_clear(&self) -> bool {
        self.found.is_empty() && self.reading.is_empty() && self.troubled.is_empty() && !self.overflowed
    }

    /// How many files have this trouble.
    pub fn troubled(&self, trouble: Trouble) -> u64 {
        self.troubled.values().filter(|troubled| troubled.trouble == trouble).count() as u64
    }

    /// The names to ask for where a directory is not listed: what is missing below what is held, and the next ones that are
    /// not known.
    pub fn probes(&self, held: &IntervalSet<u64>) -> Vec<u64> {
        let is_known = |counter: &u64| {
            self.found.contains(counter) || self.reading.contains(counter) || self.troubled.contains_key(counter)
        };
        let mut below = 0u64;
        let mut missing: Vec<u64> = Vec::new();
        for (first, last) in held.intervals() {
            let room = PROBE_GAPS_MAX.saturating_sub(missing.len());
            let gap = below.saturating_add(1)..first;
            missing.extend(gap.filter(|counter| !is_known(counter)).take(room));
            below = last;
        }
        let next = (below..=u64::MAX).skip(1).filter(|counter| !is_known(counter));
        missing.extend(next.take(PROBE_AHEAD));
        missing
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec;

    use super::*;

    const NOW: Monotonic = Monotonic(1_000);

    fn held(ranges: &[(u64, u64)]) -> IntervalSet<u64> {
        let mut set = IntervalSet::new();
        for (first, last) in ranges {
            set.insert_range(*first, *last);
        }
        set
    }

    #[test]
    fn what_is_found_is_read_once_and_the_first_message_before_all_others() {
        let mut index = FeedIndex::default();
        for counter in [3, 1, 2, 3] {
            index.find(counter);
        }
        assert_eq!(index.take(9, false, NOW), vec![1]);
        assert!(!index.is_read(false));
        index.settle(1);
        assert!(index.is_read(false) && !index.is_read(true));
        assert_eq!(index.take(1, true, NOW), vec![2]);
        index.find(2);
        assert_eq!(index.take(9, true, NOW), vec![3]);
        index.settle(2);
        index.settle(3);
        assert!(index.is_read(true) && !index.is_ready(true, NOW));
    }

    #[test]
    fn f06_a_torn_file_is_read_again_later_and_later_and_at_once_when_it_changes() {
        let mut index = FeedIndex::default();
        index.find(5);
        let mut now = NOW;
        for (tries, wait) in [(1, 1_000), (2, 2_000), (3, 4_000)] {
            assert_eq!(index.take(9, true, now), vec![5]);
            assert_eq!(index.fail(5, Trouble::Unverifiable, now), tries);
            index.find(5);
            assert!(index.take(9, true, now).is_empty());
            assert_eq!(index.deadline(), Some(now.plus(wait)));
            now = now.plus(wait);
        }
        assert_eq!(index.troubled(Trouble::Unverifiable), 1);
        assert_eq!(index.take(9, true, now), vec![5]);
        index.fail(5, Trouble::Placeholder, now);
        assert_eq!((index.troubled(Trouble::Placeholder), index.troubled(Trouble::Unverifiable)), (1, 0));
        index.hint(5, now);
        assert_eq!(index.take(9, true, now), vec![5]);
        index.settle(5);
        assert_eq!((index.troubled(Trouble::Placeholder), index.deadline()), (0, None));
    }

    #[test]
    fn f01_a_gap_of_any_size_costs_nothing_to_probe() {
        let index = FeedIndex::default();
        let probes = index.probes(&held(&[(1, 5), (u64::MAX, u64::MAX)]));
        assert_eq!(probes, (6..6 + PROBE_GAPS_MAX as u64).collect::<Vec<_>>());
        assert_eq!(index.probes(&held(&[])), (1..=PROBE_AHEAD as u64).collect::<Vec<_>>());
    }

    #[test]
    fn probes_ask_for_what_is_missing_and_for_what_comes_next_but_not_for_what_is_known() {
        let mut index = FeedIndex::default();
        index.find(3);
        index.find(9);
        let probes = index.probes(&held(&[(1, 2), (5, 7)]));
        assert_eq!(probes[..3], [4, 8, 10]);
        assert_eq!(probes.last(), Some(&(7 + 1 + PROBE_AHEAD as u64)));
    }

    #[test]
    fn probes_go_on_behind_what_was_found_and_end_at_the_last_number() {
        let mut index = FeedIndex::default();
        let first = index.probes(&held(&[(1, 2)]));
        assert!(first.iter().all(|counter| index.find(*counter)) && !index.find(first[0]));
        assert_eq!(index.probes(&held(&[(1, 2)])), (3 + first.len() as u64..).take(PROBE_AHEAD).collect::<Vec<_>>());
        let near = u64::MAX - 2;
        assert_eq!(index.probes(&held(&[(1, near)])), vec![near + 1, u64::MAX]);
    }

    #[test]
    fn more_than_is_remembered_is_told_again() {
        let mut index = FeedIndex::default();
        for counter in 1..=FOLDER_FOUND_MAX as u64 + 1 {
            index.find(counter);
        }
        assert!(!index.take_overflow() && !index.is_read(true));
        for counter in index.take(FOLDER_FOUND_MAX, true, NOW) {
            index.settle(counter);
        }
        assert!(index.take_overflow() && !index.take_overflow());
    }
}

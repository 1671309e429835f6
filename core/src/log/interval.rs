//! Sets of numbers as intervals: their cost is the number of gaps, not of members.

use alloc::vec::Vec;
use core::cmp::{max, min};

use serde::{Deserialize, Serialize, Serializer};

use crate::planted::{Planted, planted};

/// A number that knows its neighbours.
///
/// `a.next() == Some(b)` exactly where `b.previous() == Some(a)`, and then `a < b` with nothing between.
pub trait Ordinal: Copy + Ord {
    /// The next larger one; none at the end of a run.
    fn next(self) -> Option<Self>;

    /// The next smaller one; none at the start of a run.
    fn previous(self) -> Option<Self>;

    /// Whether `next` leads from this one to `end`, so that the two can bound one interval.
    fn leads_to(self, end: Self) -> bool;
}

impl Ordinal for u64 {
    fn next(self) -> Option<u64> {
        self.checked_add(1)
    }

    fn previous(self) -> Option<u64> {
        self.checked_sub(1)
    }

    fn leads_to(self, end: u64) -> bool {
        self <= end
    }
}

/// A set of numbers: intervals, sorted, none touching the next.
///
/// Equal sets are equal values and equal bytes; bytes of any other form are refused when read. Looking up costs
/// O(log intervals), adding at the end O(1), joining two sets O(both).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Vec<(T, T)>", bound(deserialize = "T: Ordinal + Deserialize<'de>"))]
pub struct IntervalSet<T> {
    intervals: Vec<(T, T)>,
}

impl<T> Default for IntervalSet<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T> IntervalSet<T> {
    /// The empty set.
    pub const fn new() -> Self {
        Self { intervals: Vec::new() }
    }
}

impl<T: Ordinal> IntervalSet<T> {
    /// The set of `start`, `end` and all between; empty where `start` does not [lead to](Ordinal::leads_to) `end`.
    pub fn from_range(start: T, end: T) -> Self {
        let mut set = Self::new();
        set.insert_range(start, end);
        set
    }

    /// Adds one number; whether it is new.
    pub fn insert(&mut self, number: T) -> bool {
        if let Some((_, last)) = self.intervals.last_mut()
            && last.next() == Some(number)
        {
            *last = number;
            return true;
        }
        if self.contains(number) {
            return false;
        }
        self.insert_range(number, number);
        true
    }

    /// Adds `start`, `end` and all between; nothing where `start` does not [lead to](Ordinal::leads_to) `end`.
    pub fn insert_range(&mut self, start: T, end: T) {
        if !start.leads_to(end) {
            return;
        }
        // What lies in between these two indexes overlaps or touches the new interval.
        let from = self.intervals.partition_point(|(_, last)| *last < start && !touches(*last, start));
        let to = self.intervals.partition_point(|(first, _)| *first <= end || touches(end, *first));
        match self.intervals.get_mut(from..to) {
            Some([only]) => *only = (min(only.0, start), max(only.1, end)),
            Some([lowest, .., highest]) => {
                *lowest = (min(lowest.0, start), max(highest.1, end));
                self.intervals.drain(from.saturating_add(1)..to);
            }
            Some([]) | None => {
                if self.intervals.is_empty() {
                    // Most sets never have a second interval, and there are very many sets.
                    self.intervals.reserve_exact(1);
                }
                self.intervals.insert(from, (start, end));
            }
        }
    }

    /// Adds every number of another set.
    pub fn union(&mut self, other: &IntervalSet<T>) {
        // A few intervals are put in one by one, many are merged in one pass.
        if other.intervals.len() <= 4 {
            for (start, end) in other.intervals() {
                self.insert_range(start, end);
            }
            return;
        }
        let total = self.intervals.len().saturating_add(other.intervals.len());
        let mut joined: Vec<(T, T)> = Vec::with_capacity(total);
        let mut left = self.intervals.iter().copied().peekable();
        let mut right = other.intervals.iter().copied().peekable();
        loop {
            let from_left = match (left.peek(), right.peek()) {
                (Some(a), Some(b)) => a <= b,
                (Some(_), None) => true,
                (None, Some(_)) => false,
                (None, None) => break,
            };
            let Some((start, end)) = (if from_left { left.next() } else { right.next() }) else { break };
            match joined.last_mut() {
                Some((_, last)) if start <= *last || last.next() == Some(start) => *last = max(*last, end),
                _ => joined.push((start, end)),
            }
        }
        self.intervals = joined;
    }

    /// Removes one number; whether it was there.
    pub fn remove(&mut self, number: T) -> bool {
        let at = self.intervals.partition_point(|(_, end)| *end < number);
        let Some(found) = self.intervals.get_mut(at) else { return false };
        let (start, end) = *found;
        if number < start {
            return false;
        }
        let before = number.previous().filter(|_| start < number).map(|last| (start, last));
        let after = number.next().filter(|_| number < end).map(|first| (first, end));
        match (before, after) {
            (Some(before), Some(after)) => {
                *found = before;
                self.intervals.insert(at.saturating_add(1), after);
            }
            (Some(rest), None) | (None, Some(rest)) => *found = rest,
            (None, None) => {
                self.intervals.remove(at);
            }
        }
        true
    }

    /// Removes every number of another set.
    pub fn subtract(&mut self, other: &IntervalSet<T>) {
        if !self.is_empty() && !other.is_empty() {
            *self = self.difference(other);
        }
    }

    /// The numbers of this set that another one lacks.
    pub fn difference(&self, other: &IntervalSet<T>) -> IntervalSet<T> {
        let mut left = Vec::new();
        let mut holes = other.intervals.iter().copied().peekable();
        for (mut start, end) in self.intervals() {
            let mut whole = true;
            while let Some((hole_start, hole_end)) = holes.peek().copied() {
                if hole_end < start {
                    holes.next();
                    continue;
                }
                if end < hole_start {
                    break;
                }
                if start < hole_start
                    && let Some(last) = hole_start.previous()
                {
                    left.push((start, last));
                }
                // A hole that reaches beyond this interval may cut into the next one, so it stays.
                match hole_end.next() {
                    Some(next) if hole_end < end => start = next,
                    _ => {
                        whole = false;
                        break;
                    }
                }
            }
            if whole {
                left.push((start, end));
            }
        }
        IntervalSet { intervals: left }
    }

    /// Whether the number is in the set.
    pub fn contains(&self, number: T) -> bool {
        let at = self.intervals.partition_point(|(_, end)| *end < number);
        let found = self.intervals.get(at).is_some_and(|(start, _)| *start <= number);
        found && !(planted(Planted::IntervalContainsOpen) && self.intervals.get(at).is_some_and(|own| own.0 == number))
    }

    /// Whether every number of another set is in this one.
    pub fn contains_all(&self, other: &IntervalSet<T>) -> bool {
        other.intervals().all(|(start, end)| {
            let at = self.intervals.partition_point(|(_, last)| *last < end);
            self.intervals.get(at).is_some_and(|(first, _)| *first <= start)
        })
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.intervals.is_empty()
    }

    /// The smallest number.
    pub fn first(&self) -> Option<T> {
        self.intervals.first().map(|(start, _)| *start)
    }

    /// The largest number.
    pub fn last(&self) -> Option<T> {
        self.intervals.last().map(|(_, end)| *end)
    }

    /// The interval that holds the number.
    pub fn interval_of(&self, number: T) -> Option<(T, T)> {
        let at = self.intervals.partition_point(|(_, end)| *end < number);
        self.intervals.get(at).copied().filter(|(start, _)| *start <= number)
    }

    /// The largest number below this one.
    pub fn before(&self, number: T) -> Option<T> {
        let at = self.intervals.partition_point(|(start, _)| *start < number);
        let (start, end) = *self.intervals.get(at.checked_sub(1)?)?;
        if end < number { Some(end) } else { number.previous().filter(|previous| start <= *previous) }
    }

    /// The smallest number above this one.
    pub fn after(&self, number: T) -> Option<T> {
        let at = self.intervals.partition_point(|(_, end)| *end <= number);
        self.intervals.get(at).and_then(|(start, _)| if number < *start { Some(*start) } else { number.next() })
    }

    /// The intervals, ascending, of a set that is no longer needed.
    pub fn into_intervals(self) -> impl Iterator<Item = (T, T)> {
        self.intervals.into_iter()
    }

    /// The intervals, ascending: first and last number of each.
    pub fn intervals(&self) -> impl DoubleEndedIterator<Item = (T, T)> + ExactSizeIterator + '_ {
        self.intervals.iter().copied()
    }
}

/// Nothing lies between the two.
fn touches<T: Ordinal>(end: T, start: T) -> bool {
    let joins = |last: T| last.next() == Some(start);
    joins(end) || planted(Planted::IntervalJoinsGap) && end.next().is_some_and(joins)
}

impl<T: Serialize> Serialize for IntervalSet<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.intervals.serialize(serializer)
    }
}

impl<T: Ordinal> TryFrom<Vec<(T, T)>> for IntervalSet<T> {
    type Error = InvalidIntervals;

    fn try_from(intervals: Vec<(T, T)>) -> Result<Self, InvalidIntervals> {
        let bounded = intervals.iter().all(|(start, end)| start.leads_to(*end));
        let apart = intervals.windows(2).all(|pair| match pair {
            [(_, end), (start, _)] => end < start && end.next() != Some(*start),
            _ => true,
        });
        if bounded && apart { Ok(Self { intervals }) } else { Err(InvalidIntervals) }
    }
}

impl<T: Ordinal> Extend<T> for IntervalSet<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, numbers: I) {
        for number in numbers {
            self.insert(number);
        }
    }
}

impl<T: Ordinal> FromIterator<T> for IntervalSet<T> {
    fn from_iter<I: IntoIterator<Item = T>>(numbers: I) -> Self {
        let mut set = Self::new();
        set.extend(numbers);
        set
    }
}

/// Intervals that are not in the one form allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected intervals in ascending order that do not touch")]
pub struct InvalidIntervals;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn set(numbers: &BTreeSet<u64>) -> IntervalSet<u64> {
        numbers.iter().copied().collect()
    }

    fn members(set: &IntervalSet<u64>) -> BTreeSet<u64> {
        set.intervals().flat_map(|(start, end)| start..=end).collect()
    }

    /// Numbers around zero and around the end of the range, where arithmetic would overflow.
    fn numbers() -> impl Strategy<Value = BTreeSet<u64>> {
        let number = prop_oneof![0..40u64, (u64::MAX - 20)..=u64::MAX];
        prop::collection::btree_set(number, 0..40)
    }

    /// Both ends of the numbers, and one for all between.
    const EDGES: [u64; 9] = [0, 1, 2, 3, 1 << 40, u64::MAX - 3, u64::MAX - 2, u64::MAX - 1, u64::MAX];

    fn edge() -> impl Strategy<Value = u64> {
        prop::sample::select(EDGES.to_vec())
    }

    /// Whether one interval holds both, or there is nothing between.
    fn spans(set: &IntervalSet<u64>, a: u64, b: u64) -> bool {
        a > b || set.interval_of(a).is_some_and(|(_, end)| end >= b)
    }

    fn canonical(set: &IntervalSet<u64>) -> bool {
        IntervalSet::try_from(set.intervals().collect::<Vec<_>>()).as_ref() == Ok(set)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn agrees_with_a_plain_set(a in numbers(), b in numbers(), probe in prop_oneof![0..42u64, (u64::MAX - 22)..=u64::MAX]) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(members(&x), a.clone());
            prop_assert_eq!(x.contains(probe), a.contains(&probe));
            prop_assert_eq!(x.before(probe), a.range(..probe).next_back().copied());
            prop_assert_eq!(x.after(probe), probe.checked_add(1).and_then(|p| a.range(p..).next().copied()));
            prop_assert_eq!((x.first(), x.last()), (a.first().copied(), a.last().copied()));
            prop_assert_eq!(x.interval_of(probe).is_some(), a.contains(&probe));
            prop_assert_eq!(x.contains_all(&y), a.is_superset(&b));

            let mut union = x.clone();
            union.union(&y);
            prop_assert_eq!(&union, &set(&(&a | &b)));
            prop_assert!(canonical(&union));

            let difference = x.difference(&y);
            prop_assert_eq!(&difference, &set(&(&a - &b)));
            prop_assert!(canonical(&difference));

            let mut without = x.clone();
            let mut model = a.clone();
            prop_assert_eq!(without.remove(probe), model.remove(&probe));
            prop_assert_eq!(&without, &set(&model));

            let mut with = x.clone();
            let mut model = a.clone();
            prop_assert_eq!(with.insert(probe), model.insert(probe));
            prop_assert_eq!(with, set(&model));
        }

        #[test]
        fn order_of_insertion_does_not_matter(mut a in prop::collection::vec(0..60u64, 0..60)) {
            let one: IntervalSet<u64> = a.iter().copied().collect();
            a.reverse();
            let other: IntervalSet<u64> = a.iter().copied().collect();
            prop_assert_eq!(&one, &other);
            prop_assert!(canonical(&one));
        }

        #[test]
        fn ranges_agree_with_their_members(ranges in prop::collection::vec((0..50u64, 0..50u64), 0..12)) {
            let mut set = IntervalSet::new();
            let mut model = BTreeSet::new();
            for (start, end) in ranges {
                set.insert_range(start, end);
                model.extend(start..=end);
            }
            prop_assert_eq!(members(&set), model);
            prop_assert!(canonical(&set));
        }

        /// Ranges of any size at both ends of the numbers; the model counts only those near the ends.
        #[test]
        fn any_acts_at_the_edges_agree_with_a_plain_set_and_keep_the_one_form(
            acts in prop::collection::vec((0..6u8, edge(), edge()), 1..24),
        ) {
            let mut set = IntervalSet::new();
            let mut model = BTreeSet::new();
            for (act, a, b) in acts {
                let range = IntervalSet::from_range(a, b);
                let of_range = || EDGES.into_iter().filter(move |number| (a..=b).contains(number));
                match act {
                    0 => prop_assert_eq!(set.insert(a), model.insert(a)),
                    1 => prop_assert_eq!(set.remove(a), model.remove(&a)),
                    2 => { set.insert_range(a, b); model.extend(of_range()); }
                    3 => { set.union(&range); model.extend(of_range()); }
                    4 => { set.subtract(&range); model.retain(|number| !(a..=b).contains(number)); }
                    _ => {
                        prop_assert_eq!(set.contains_all(&range), of_range().all(|number| model.contains(&number)) && spans(&set, a, b));
                    }
                }
                prop_assert!(canonical(&set));
                for number in EDGES {
                    prop_assert_eq!(set.contains(number), model.contains(&number), "{} after {} {} {}", number, act, a, b);
                    prop_assert_eq!(set.interval_of(number).is_some(), model.contains(&number));
                }
                // What no number near the ends tells costs one interval at most.
                prop_assert!(set.intervals().len() <= EDGES.len());
            }
        }

        #[test]
        fn union_is_a_join(a in numbers(), b in numbers(), c in numbers()) {
            let join = |x: &IntervalSet<u64>, y: &IntervalSet<u64>| { let mut z = x.clone(); z.union(y); z };
            let (a, b, c) = (set(&a), set(&b), set(&c));
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        }

        #[test]
        fn bytes_round_trip_and_other_forms_are_refused(intervals in prop::collection::vec((0..12u64, 0..12u64), 0..4)) {
            let bytes = postcard::to_allocvec(&intervals).unwrap();
            let mut set = IntervalSet::new();
            for (start, end) in &intervals {
                set.insert_range(*start, *end);
            }
            match postcard::from_bytes::<IntervalSet<u64>>(&bytes) {
                Ok(read) => {
                    prop_assert_eq!(&read, &set);
                    prop_assert_eq!(postcard::to_allocvec(&read).unwrap(), bytes);
                }
                Err(_) => prop_assert!(set.intervals().collect::<Vec<_>>() != intervals),
            }
        }
    }

    #[test]
    fn the_whole_range_is_one_interval() {
        let mut set = IntervalSet::from_range(0, u64::MAX);
        set.insert_range(5, u64::MAX);
        assert!(!set.insert(u64::MAX) && !set.insert(0));
        assert_eq!(set.intervals().collect::<Vec<_>>(), [(0, u64::MAX)]);
        assert!(set.remove(u64::MAX) && set.remove(0));
        assert_eq!(set.intervals().collect::<Vec<_>>(), [(1, u64::MAX - 1)]);
        assert_eq!(
            IntervalSet::from_range(0, u64::MAX).difference(&IntervalSet::from_range(0, u64::MAX)),
            IntervalSet::new()
        );
    }

    #[test]
    fn unsorted_touching_overlapping_and_reversed_intervals_are_refused() {
        for intervals in
            [vec![(5, 6), (1, 2)], vec![(1, 2), (3, 4)], vec![(1, 4), (3, 5)], vec![(2, 1)], vec![(1, 1), (1, 1)]]
        {
            assert_eq!(IntervalSet::<u64>::try_from(intervals), Err(InvalidIntervals));
        }
    }
}

//! Heads: what of every feed is held.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize, Serializer};

use super::{IntervalSet, dot};
use crate::api::ReplicaId;

/// For each author the counters held, those that later messages prove empty included (§5.2).
///
/// Equal heads are equal values and equal bytes; bytes of any other form are refused when read. A claim costs its
/// intervals, however large its numbers are. Clones share what they hold until one changes, and are found equal at once:
/// an engine compares what is held, saved, applied and told with each event.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Vec<(ReplicaId, IntervalSet<u64>)>")]
pub struct Heads {
    /// Never an author with an empty set, never the counter 0.
    authors: Arc<BTreeMap<ReplicaId, IntervalSet<u64>>>,
}

impl Heads {
    /// Nothing is held.
    pub fn new() -> Heads {
        Heads::default()
    }

    /// Adds one message. There is no message 0, so it is passed over.
    pub fn insert(&mut self, author: ReplicaId, counter: u64) {
        self.insert_range(author, counter, counter);
    }

    /// Adds `first..=last`; nothing where `last` is below `first`.
    pub fn insert_range(&mut self, author: ReplicaId, first: u64, last: u64) {
        let first = first.max(1);
        if first <= last {
            Arc::make_mut(&mut self.authors).entry(author).or_default().insert_range(first, last);
        }
    }

    /// Adds all that others hold.
    pub fn union(&mut self, other: &Heads) {
        if self.contains_all(other) {
            return;
        }
        let authors = Arc::make_mut(&mut self.authors);
        for (author, counters) in other.authors.iter() {
            authors.entry(*author).or_default().union(counters);
        }
    }

    /// Whether the message is held.
    pub fn contains(&self, author: ReplicaId, counter: u64) -> bool {
        self.authors.get(&author).is_some_and(|counters| counters.contains(counter))
    }

    /// Whether all that others hold is held.
    pub fn contains_all(&self, other: &Heads) -> bool {
        let holds = |(author, counters)| self.authors.get(author).is_some_and(|own| own.contains_all(counters));
        Arc::ptr_eq(&self.authors, &other.authors) || other.authors.iter().all(holds)
    }

    /// They share what they hold, so that they are equal. Tells at once; false says nothing.
    pub fn is_clone_of(&self, other: &Heads) -> bool {
        Arc::ptr_eq(&self.authors, &other.authors)
    }

    /// What is held here and not there: author, first and last counter, ascending.
    pub fn missing_from<'a>(&'a self, theirs: &'a Heads) -> impl Iterator<Item = (ReplicaId, u64, u64)> + 'a {
        let mut others = theirs.authors.iter().peekable();
        self.authors.iter().flat_map(move |(author, counters)| {
            while others.next_if(|(other, _)| *other < author).is_some() {}
            let missing = match others.next_if(|(other, _)| *other == author) {
                None => counters.clone(),
                Some((_, held)) if held == counters => IntervalSet::new(),
                Some((_, held)) => counters.difference(held),
            };
            missing.into_intervals().map(|(first, last)| (*author, first, last))
        })
    }

    /// The highest counter held of an author; 0 if none is.
    pub fn highest(&self, author: ReplicaId) -> u64 {
        self.authors.get(&author).and_then(IntervalSet::last).unwrap_or(0)
    }

    /// Up to which counter nothing of an author is missing; 0 if the first message is.
    pub fn complete_until(&self, author: ReplicaId) -> u64 {
        let first = self.authors.get(&author).and_then(|counters| counters.interval_of(1));
        first.map_or(0, |(_, last)| last)
    }

    /// The counters of an author that are held, if any is.
    pub fn of(&self, author: ReplicaId) -> Option<&IntervalSet<u64>> {
        self.authors.get(&author)
    }

    /// The interval of counters held around one of them.
    pub fn interval_of(&self, author: ReplicaId, counter: u64) -> Option<(u64, u64)> {
        self.of(author)?.interval_of(counter)
    }

    /// The lowest counter of an author that is not held; none if all there can be are.
    pub fn next_expected(&self, author: ReplicaId) -> Option<u64> {
        self.complete_until(author).checked_add(1)
    }

    /// Whether nothing is held.
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty()
    }

    /// The authors, ascending, with the counters held of each.
    pub fn authors(&self) -> impl Iterator<Item = (ReplicaId, &IntervalSet<u64>)> + '_ {
        self.authors.iter().map(|(author, counters)| (*author, counters))
    }
}

impl Serialize for Heads {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.authors.iter())
    }
}

impl TryFrom<Vec<(ReplicaId, IntervalSet<u64>)>> for Heads {
    type Error = InvalidHeads;

    fn try_from(list: Vec<(ReplicaId, IntervalSet<u64>)>) -> Result<Heads, InvalidHeads> {
        if list.iter().any(|(_, counters)| counters.contains(0)) {
            return Err(InvalidHeads);
        }
        dot::authors(list).map(|authors| Heads { authors: Arc::new(authors) }).map_err(|_| InvalidHeads)
    }
}

/// Heads that are not in the one form allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected authors in ascending order, none with an empty set or the counter 0")]
pub struct InvalidHeads;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    fn held() -> impl Strategy<Value = BTreeSet<(u8, u64)>> {
        let counter = prop_oneof![1..20u64, (u64::MAX - 5)..=u64::MAX];
        prop::collection::btree_set((0..3u8, counter), 0..40)
    }

    fn heads(held: &BTreeSet<(u8, u64)>) -> Heads {
        let mut heads = Heads::new();
        for (author, counter) in held {
            heads.insert(replica(*author), *counter);
        }
        heads
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn agrees_with_a_plain_set(a in held(), b in held(), author in 0..3u8, counter in 0..22u64) {
            let (x, y) = (heads(&a), heads(&b));
            prop_assert_eq!(x.contains(replica(author), counter), a.contains(&(author, counter)));
            prop_assert_eq!(x.contains_all(&y), a.is_superset(&b));
            prop_assert_eq!(x.is_empty(), a.is_empty());
            let highest = a.iter().filter(|(of, _)| *of == author).map(|(_, counter)| *counter).max();
            prop_assert_eq!(x.highest(replica(author)), highest.unwrap_or(0));
            let expected = (1..).find(|counter| !a.contains(&(author, *counter)));
            prop_assert_eq!(x.next_expected(replica(author)), expected);

            let mut missing = Heads::new();
            for (author, first, last) in x.missing_from(&y) {
                missing.insert_range(author, first, last);
            }
            prop_assert_eq!(&missing, &heads(&(&a - &b)));

            let mut joined = x.clone();
            joined.union(&y);
            prop_assert_eq!(&joined, &heads(&(&a | &b)));
            prop_assert_eq!(joined.missing_from(&joined).count(), 0);

            let bytes = postcard::to_allocvec(&x).unwrap();
            prop_assert_eq!(postcard::from_bytes::<Heads>(&bytes).unwrap(), x);
        }

        #[test]
        fn what_was_heard_in_any_order_is_one_heads(
            ranges in prop::collection::vec((0..3u8, 0..6u64, 0..6u64, any::<bool>()), 0..12),
        ) {
            let ranges: Vec<(ReplicaId, u64, u64)> = ranges.into_iter().map(|(author, first, last, at_the_end)| {
                let counter = |counter: u64| if at_the_end { u64::MAX - 5 + counter } else { counter };
                (replica(author), counter(first), counter(last))
            }).collect();
            let heard = |ranges: &[(ReplicaId, u64, u64)]| {
                let mut heads = Heads::new();
                ranges.iter().for_each(|(author, first, last)| heads.insert_range(*author, *first, *last));
                heads
            };
            let straight = heard(&ranges);
            let (front, back) = ranges.split_at(ranges.len() / 2);
            let mut joined = heard(back);
            joined.union(&heard(front));
            joined.union(&heard(back));
            prop_assert_eq!(&joined, &straight);
            for (author, first, last) in &ranges {
                for counter in (*first.max(&1)..=*last).take(6) {
                    prop_assert!(straight.contains(*author, counter));
                }
                prop_assert!(!straight.contains(*author, 0));
            }
            // Nobody is there of whom nothing is held.
            prop_assert!(straight.authors().all(|(_, counters)| !counters.is_empty()));
            prop_assert!(straight.contains_all(&heard(front)));
        }

        #[test]
        fn joining_is_commutative_associative_and_idempotent(a in held(), b in held(), c in held()) {
            let join = |x: &Heads, y: &Heads| { let mut z = x.clone(); z.union(y); z };
            let (a, b, c) = (heads(&a), heads(&b), heads(&c));
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        }

        #[test]
        fn telling_what_is_missing_both_ways_makes_heads_equal(a in held(), b in held()) {
            let (a, b) = (heads(&a), heads(&b));
            let with = |own: &Heads, from: &Heads| {
                let mut heads = own.clone();
                from.missing_from(own).for_each(|(author, first, last)| heads.insert_range(author, first, last));
                heads
            };
            prop_assert_eq!(with(&a, &b), with(&b, &a));
            prop_assert_eq!(a.missing_from(&b).count() == 0, b.contains_all(&a));
        }

        #[test]
        fn any_bytes_are_heads_in_their_only_form_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..80)) {
            if let Ok((heads, rest)) = postcard::take_from_bytes::<Heads>(&bytes) {
                let read = bytes.len() - rest.len();
                let again = postcard::to_allocvec(&heads).unwrap();
                // Only a varint with padding can be longer than what it stands for; messages and frames compare bytes.
                prop_assert!(again == bytes[..read] || again.len() < read);
            }
        }
    }

    #[test]
    fn h02_a_claim_of_everything_costs_one_interval() {
        let mut heads = Heads::new();
        heads.insert_range(replica(1), 0, u64::MAX);
        assert_eq!(heads.missing_from(&Heads::new()).collect::<Vec<_>>(), [(replica(1), 1, u64::MAX)]);
        assert_eq!(heads.next_expected(replica(1)), None);
        assert!(postcard::to_allocvec(&heads).unwrap().len() < 40);
    }

    #[test]
    fn other_forms_are_refused() {
        type Form = Vec<(ReplicaId, Vec<(u64, u64)>)>;
        let forms: [Form; 5] = [
            vec![(replica(1), vec![])],
            vec![(replica(1), vec![(0, 4)])],
            vec![(replica(2), vec![(1, 1)]), (replica(1), vec![(1, 1)])],
            vec![(replica(1), vec![(1, 1)]), (replica(1), vec![(3, 3)])],
            vec![(replica(1), vec![(1, 1), (2, 3)])],
        ];
        for form in forms {
            let bytes = postcard::to_allocvec(&form).unwrap();
            assert!(postcard::from_bytes::<Heads>(&bytes).is_err(), "{form:?}");
        }
    }
}

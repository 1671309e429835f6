//! Dots: names of single changes, and sets of them.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize, Serializer};

use super::{IntervalSet, Ordinal};
use crate::api::ReplicaId;

/// The name of one change: who wrote it, in which message, at which place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Dot {
    /// The author.
    pub author: ReplicaId,
    /// Where in the author's feed.
    pub place: Place,
}

impl Dot {
    /// The change at `index` among the changes of message `counter` of `author`.
    pub const fn new(author: ReplicaId, counter: u64, index: u32) -> Dot {
        Dot { author, place: Place { counter, index } }
    }
}

/// A change's place in its author's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The message's counter.
    pub counter: u64,
    /// The change's index among the message's changes.
    pub index: u32,
}

/// Neighbours are within one message: how many changes a message has is not known here, so no interval spans two.
impl Ordinal for Place {
    fn next(self) -> Option<Place> {
        self.index.checked_add(1).map(|index| Place { counter: self.counter, index })
    }

    fn previous(self) -> Option<Place> {
        self.index.checked_sub(1).map(|index| Place { counter: self.counter, index })
    }

    fn leads_to(self, end: Place) -> bool {
        self.counter == end.counter && self.index <= end.index
    }
}

/// An exact set of dots.
///
/// Equal sets are equal values and equal bytes; bytes of any other form are refused when read. A claim of any number
/// of dots costs its intervals, so single dots are only ever asked for, never listed.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "Vec<(ReplicaId, IntervalSet<Place>)>")]
pub struct DotSet {
    /// Never an author with an empty set.
    /// Ascending, none without places. Nearly every set has one author, for which a map would cost ten times as much.
    authors: Vec<(ReplicaId, IntervalSet<Place>)>,
}

impl DotSet {
    /// The empty set.
    pub const fn new() -> DotSet {
        DotSet { authors: Vec::new() }
    }

    /// Adds one dot; whether it is new.
    pub fn insert(&mut self, dot: Dot) -> bool {
        self.of_author(dot.author).is_some_and(|places| places.insert(dot.place))
    }

    /// Adds the dots of the changes `first..=last` of one message; nothing where `last` is below `first`.
    pub fn insert_range(&mut self, author: ReplicaId, counter: u64, first: u32, last: u32) {
        if first <= last {
            let (first, last) = (Place { counter, index: first }, Place { counter, index: last });
            if let Some(places) = self.of_author(author) {
                places.insert_range(first, last);
            }
        }
    }

    /// Adds every dot of another set.
    pub fn extend(&mut self, other: &DotSet) {
        for (author, places) in &other.authors {
            if let Some(own) = self.of_author(*author) {
                own.union(places);
            }
        }
    }

    /// Removes one dot; whether it was there.
    pub fn remove(&mut self, dot: &Dot) -> bool {
        let Ok(at) = self.find(&dot.author) else { return false };
        let removed = self.authors.get_mut(at).is_some_and(|(_, places)| places.remove(dot.place));
        self.authors.retain(|(_, places)| !places.is_empty());
        removed
    }

    /// Removes every dot of another set.
    pub fn subtract(&mut self, other: &DotSet) {
        self.authors.retain_mut(|(author, places)| {
            if let Some(others) = other.places(author) {
                places.subtract(others);
            }
            !places.is_empty()
        });
    }

    /// Keeps only what another set has, too.
    pub fn intersect(&mut self, other: &DotSet) {
        let mut alone = self.clone();
        alone.subtract(other);
        self.subtract(&alone);
    }

    /// Whether the dot is in the set.
    pub fn contains(&self, dot: &Dot) -> bool {
        self.places(&dot.author).is_some_and(|places| places.contains(dot.place))
    }

    /// Whether every dot of another set is in this one.
    pub fn contains_all(&self, other: &DotSet) -> bool {
        other.authors.iter().all(|(author, places)| self.places(author).is_some_and(|own| own.contains_all(places)))
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.authors.is_empty()
    }

    /// The intervals, ascending by author: first and last place of each, both in one message.
    pub fn intervals(&self) -> impl Iterator<Item = (ReplicaId, Place, Place)> + '_ {
        self.authors.iter().flat_map(|(author, places)| places.intervals().map(|(first, last)| (*author, first, last)))
    }

    /// The author's places, made empty if there are none. It is always there.
    fn of_author(&mut self, author: ReplicaId) -> Option<&mut IntervalSet<Place>> {
        let at = match self.find(&author) {
            Ok(at) => at,
            Err(at) => {
                // Nearly every set has one author: room for four would be wasted a million times.
                self.authors.reserve_exact(1);
                self.authors.insert(at, (author, IntervalSet::default()));
                at
            }
        };
        self.authors.get_mut(at).map(|(_, places)| places)
    }

    fn places(&self, author: &ReplicaId) -> Option<&IntervalSet<Place>> {
        let at = self.find(author).ok()?;
        self.authors.get(at).map(|(_, places)| places)
    }

    fn find(&self, author: &ReplicaId) -> Result<usize, usize> {
        self.authors.binary_search_by_key(author, |(author, _)| *author)
    }
}

impl From<Dot> for DotSet {
    fn from(dot: Dot) -> DotSet {
        DotSet::from_iter([dot])
    }
}

impl FromIterator<Dot> for DotSet {
    fn from_iter<I: IntoIterator<Item = Dot>>(dots: I) -> DotSet {
        let mut set = DotSet::new();
        for dot in dots {
            set.insert(dot);
        }
        set
    }
}

impl Serialize for DotSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(&self.authors)
    }
}

impl TryFrom<Vec<(ReplicaId, IntervalSet<Place>)>> for DotSet {
    type Error = InvalidAuthors;

    fn try_from(list: Vec<(ReplicaId, IntervalSet<Place>)>) -> Result<DotSet, InvalidAuthors> {
        Ok(DotSet { authors: authors(list)?.into_iter().collect() })
    }
}

/// Sets by author, if the authors ascend and none has an empty set.
pub(super) fn authors<T: Ordinal>(
    list: Vec<(ReplicaId, IntervalSet<T>)>,
) -> Result<BTreeMap<ReplicaId, IntervalSet<T>>, InvalidAuthors> {
    let ascending = list.windows(2).all(|pair| matches!(pair, [(a, _), (b, _)] if a < b));
    if ascending && list.iter().all(|(_, set)| !set.is_empty()) {
        Ok(list.into_iter().collect())
    } else {
        Err(InvalidAuthors)
    }
}

/// Sets by author that are not in the one form allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected authors in ascending order, none with an empty set")]
pub struct InvalidAuthors;

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    fn dot() -> impl Strategy<Value = Dot> {
        let index = prop_oneof![0..6u32, (u32::MAX - 2)..=u32::MAX];
        let counter = prop_oneof![1..4u64, (u64::MAX - 1)..=u64::MAX];
        (0..3u8, counter, index).prop_map(|(author, counter, index)| Dot::new(replica(author), counter, index))
    }

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    fn dots() -> impl Strategy<Value = BTreeSet<Dot>> {
        prop::collection::btree_set(dot(), 0..30)
    }

    fn set(dots: &BTreeSet<Dot>) -> DotSet {
        dots.iter().copied().collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn agrees_with_a_plain_set(a in dots(), b in dots(), probe in dot()) {
            let (x, y) = (set(&a), set(&b));
            prop_assert_eq!(x.contains(&probe), a.contains(&probe));
            prop_assert_eq!(x.contains_all(&y), a.is_superset(&b));
            prop_assert_eq!(x.is_empty(), a.is_empty());
            let listed: BTreeSet<Dot> = x.intervals().flat_map(|(author, first, last)| {
                assert_eq!(first.counter, last.counter);
                (first.index..=last.index).map(move |index| Dot::new(author, first.counter, index))
            }).collect();
            prop_assert_eq!(&listed, &a);

            let mut joined = x.clone();
            joined.extend(&y);
            prop_assert_eq!(&joined, &set(&(&a | &b)));
            let mut reversed = y.clone();
            reversed.extend(&x);
            prop_assert_eq!(&joined, &reversed);
            let mut again = joined.clone();
            again.extend(&joined);
            prop_assert_eq!(&again, &joined);

            let mut less = x.clone();
            less.subtract(&y);
            prop_assert_eq!(&less, &set(&(&a - &b)));
            let mut shared = x.clone();
            shared.intersect(&y);
            prop_assert_eq!(&shared, &set(&(&a & &b)));

            let mut without = x.clone();
            let mut model = a.clone();
            prop_assert_eq!(without.remove(&probe), model.remove(&probe));
            prop_assert_eq!(without, set(&model));
        }

        #[test]
        fn any_acts_in_any_order_agree_with_a_plain_set(
            acts in prop::collection::vec((0..4u8, 0..2u8, 1..3u64, (0..5u32, 0..5u32), any::<bool>()), 1..24),
        ) {
            let mut set = DotSet::new();
            let mut model = BTreeSet::new();
            for (act, author, counter, (first, last), at_the_end) in acts {
                let index = |index: u32| if at_the_end { u32::MAX - 4 + index } else { index };
                let dots = || (first..=last).map(|at| Dot::new(replica(author), counter, index(at)));
                let mut range = DotSet::new();
                range.insert_range(replica(author), counter, index(first), index(last));
                prop_assert_eq!(&range, &dots().collect::<DotSet>());
                let one = Dot::new(replica(author), counter, index(first));
                match act {
                    0 => { set.insert_range(replica(author), counter, index(first), index(last)); model.extend(dots()); }
                    1 => prop_assert_eq!(set.insert(one), model.insert(one)),
                    2 => prop_assert_eq!(set.remove(&one), model.remove(&one)),
                    _ => { set.subtract(&range); model.retain(|dot| !range.contains(dot)); }
                }
                prop_assert_eq!(&set, &self::set(&model));
                prop_assert_eq!(set.contains_all(&range), dots().all(|dot| model.contains(&dot)));
            }
        }

        #[test]
        fn extending_is_a_join(a in dots(), b in dots(), c in dots()) {
            let join = |x: &DotSet, y: &DotSet| { let mut z = x.clone(); z.extend(y); z };
            let (a, b, c) = (set(&a), set(&b), set(&c));
            prop_assert_eq!(join(&a, &a), a.clone());
            prop_assert_eq!(join(&a, &b), join(&b, &a));
            prop_assert_eq!(join(&join(&a, &b), &c), join(&a, &join(&b, &c)));
        }

        #[test]
        fn bytes_are_read_exactly_if_they_are_what_their_set_is_written_as(
            form in prop::collection::vec((0..3u8, prop::collection::vec((1..3u64, 0..4u32, 1..3u64, 0..4u32), 0..3)), 0..3),
        ) {
            let form: Vec<(ReplicaId, Vec<(Place, Place)>)> = form.into_iter().map(|(author, intervals)| {
                let interval = |(c, i, d, j)| (Place { counter: c, index: i }, Place { counter: d, index: j });
                (replica(author), intervals.into_iter().map(interval).collect())
            }).collect();
            let bytes = postcard::to_allocvec(&form).unwrap();
            let mut meant = DotSet::new();
            for (author, intervals) in &form {
                for (first, last) in intervals.iter().filter(|(first, last)| first.counter == last.counter) {
                    meant.insert_range(*author, first.counter, first.index, last.index);
                }
            }
            let canonical = postcard::to_allocvec(&meant).unwrap() == bytes;
            let read = postcard::from_bytes::<DotSet>(&bytes);
            prop_assert_eq!(read.is_ok(), canonical);
            if let Ok(read) = read {
                prop_assert_eq!(read, meant);
            }
        }

        #[test]
        fn bytes_round_trip(a in dots()) {
            let bytes = postcard::to_allocvec(&set(&a)).unwrap();
            prop_assert_eq!(postcard::from_bytes::<DotSet>(&bytes).unwrap(), set(&a));
        }
    }

    #[test]
    fn h02_a_claim_of_all_places_costs_one_interval() {
        let mut set = DotSet::new();
        set.insert_range(replica(1), u64::MAX, 0, u32::MAX);
        assert_eq!(set.intervals().count(), 1);
        assert!(set.remove(&Dot::new(replica(1), u64::MAX, 7)));
        assert_eq!(set.intervals().count(), 2);
        let bytes = postcard::to_allocvec(&set).unwrap();
        assert!(bytes.len() < 80);
        assert_eq!(postcard::from_bytes::<DotSet>(&bytes).unwrap(), set);
    }

    #[test]
    fn other_forms_are_refused() {
        type Form = Vec<(ReplicaId, Vec<(Place, Place)>)>;
        let place = |counter, index| Place { counter, index };
        let one = vec![(place(1, 0), place(1, 0))];
        let forms: [(&str, Form); 4] = [
            ("an author with nothing", vec![(replica(1), vec![])]),
            ("an author twice", vec![(replica(1), one.clone()), (replica(1), one.clone())]),
            ("authors in disorder", vec![(replica(2), one.clone()), (replica(1), one.clone())]),
            ("an interval over two messages", vec![(replica(1), vec![(place(1, 0), place(2, 0))])]),
        ];
        for (what, form) in forms {
            let bytes = postcard::to_allocvec(&form).unwrap();
            assert!(postcard::from_bytes::<DotSet>(&bytes).is_err(), "{what}");
        }
        let good = postcard::to_allocvec(&vec![(replica(1), one)]).unwrap();
        assert!(postcard::from_bytes::<DotSet>(&good).is_ok());
    }
}

//! Names and keys that are numbered as they come, each once.

use alloc::vec::Vec;

use super::builder::count;

const PRIME: u64 = 0x9e37_79b9_7f4a_7c15;

/// Distinct byte strings in the order in which they first came.
///
/// They are those that this device writes itself, and as many as fit into a message: strings that were chosen to collide
/// would cost its own time alone.
#[derive(Debug, Default)]
pub(super) struct Names {
    bytes: Vec<u8>,
    /// Of each the end of its bytes, and its hash.
    parts: Vec<(usize, u32)>,
    /// An open table of numbers, each one more than it is; 0 is a free place. At least half of the places are free.
    places: Vec<u32>,
}

impl Names {
    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.parts.len()
    }

    /// The number of a string, and whether it is new.
    pub(super) fn number(&mut self, name: &[u8]) -> (u32, bool) {
        if self.parts.len().saturating_mul(2) >= self.places.len() {
            self.grow();
        }
        let hash = hash(name);
        let mut place = self.first_place(hash);
        loop {
            let number = match self.places.get(place) {
                None | Some(0) => break,
                Some(number) => number.saturating_sub(1),
            };
            let is_same = self.parts.get(number as usize).is_some_and(|(_, other)| *other == hash);
            if is_same && self.get(number) == name {
                return (number, false);
            }
            place = self.next_place(place);
        }
        let number = count(self.parts.len());
        self.bytes.extend_from_slice(name);
        self.parts.push((self.bytes.len(), hash));
        if let Some(place) = self.places.get_mut(place) {
            *place = number.saturating_add(1);
        }
        (number, true)
    }

    /// The string of a number; empty for one that there is not.
    pub(super) fn get(&self, number: u32) -> &[u8] {
        let before = (number as usize).checked_sub(1).and_then(|before| self.parts.get(before));
        let start = before.map_or(0, |(end, _)| *end);
        let end = self.parts.get(number as usize).map_or(start, |(end, _)| *end);
        self.bytes.get(start..end).unwrap_or_default()
    }

    /// The numbers in byte order of the strings.
    pub(super) fn sorted(&self) -> Vec<u32> {
        // Keys of a table often begin alike: what is behind that tells most of them apart at once.
        let numbers = 0..count(self.parts.len());
        let first = self.get(0);
        let shared = numbers.clone().map(|number| common(first, self.get(number))).min().unwrap_or(0);
        let head = |number: u32| {
            let rest = self.get(number).get(shared..).unwrap_or_default();
            let mut head = [0u8; 8];
            head.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
            u64::from_be_bytes(head)
        };
        let mut order: Vec<(u64, u32)> = numbers.map(|number| (head(number), number)).collect();
        order.sort_unstable_by(|(a, one), (b, other)| a.cmp(b).then_with(|| self.get(*one).cmp(self.get(*other))));
        order.into_iter().map(|(_, number)| number).collect()
    }

    fn grow(&mut self) {
        let length = self.places.len().saturating_mul(2).max(16);
        self.places.clear();
        self.places.resize(length, 0);
        for index in 0..self.parts.len() {
            let mut place = self.parts.get(index).map_or(0, |(_, hash)| self.first_place(*hash));
            while self.places.get(place).is_some_and(|number| *number != 0) {
                place = self.next_place(place);
            }
            if let Some(free) = self.places.get_mut(place) {
                *free = count(index).saturating_add(1);
            }
        }
    }

    fn first_place(&self, hash: u32) -> usize {
        hash as usize & self.places.len().saturating_sub(1)
    }

    /// The length of the table is a power of two.
    fn next_place(&self, place: usize) -> usize {
        place.saturating_add(1) & self.places.len().saturating_sub(1)
    }
}

/// How many first bytes two have in common.
pub(super) fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

fn hash(name: &[u8]) -> u32 {
    let (words, rest) = name.as_chunks::<8>();
    let mut last = [0u8; 8];
    last.iter_mut().zip(rest).for_each(|(to, from)| *to = *from);
    let mut state = u64::try_from(name.len()).unwrap_or(u64::MAX);
    for word in words.iter().chain([&last]) {
        state = (state ^ u64::from_le_bytes(*word)).wrapping_mul(PRIME);
        state ^= state >> 32;
    }
    // The lower half has been mixed with the upper one.
    u32::try_from(state & u64::from(u32::MAX)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::collections::BTreeMap;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(256))]

        #[test]
        fn agrees_with_a_plain_map(
            names in prop::collection::vec(prop_oneof![
                prop::collection::vec(0..3u8, 0..4),
                prop::collection::vec(any::<u8>(), 0..20),
                (0..300u32).prop_map(|number| alloc::format!("key-{number}").into_bytes()),
            ], 0..300),
        ) {
            let (mut numbered, mut plain) = (Names::default(), BTreeMap::new());
            for name in &names {
                let next = plain.len() as u32;
                let is_new = !plain.contains_key(name);
                let number = *plain.entry(name.clone()).or_insert(next);
                prop_assert_eq!(numbered.number(name), (number, is_new));
                prop_assert_eq!(numbered.get(number), name.as_slice());
            }
            prop_assert_eq!(numbered.len(), plain.len());
            prop_assert_eq!(numbered.sorted(), plain.values().copied().collect::<Vec<_>>());
        }
    }
}

//! Which messages of a feed are held, and what tells each of them from any other.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use crate::api::Hash;
use crate::crypto::Identity;

const KEY_CONTEXT: &str = "Syncline 2026 marks of held messages, version 1";

/// How many numbers a block is for, as a power of two: one for each bit of its [`held`](Block::held).
const BLOCK_BITS: u32 = 7;

/// By how many marks a block grows at least, and as a share of those it has: little enough that room which is never used
/// costs little, much enough that a block is not moved for every message.
const GROWTH_MIN: usize = 4;
const GROWTH_SHARE: usize = 8;

/// What is kept of a message's hash: enough to say whether another hash is the same.
///
/// Nobody but this device can compute marks, so that also who writes a feed can only guess at two messages of one mark,
/// and each guess fails with odds of 2^128 to one. Half of the hash itself would not do: two messages that have it in
/// common can be searched for, with 2^64 trials.
type Mark = [u8; 16];

/// What marks are made with, a secret of this device.
#[derive(Clone, Copy)]
pub(super) struct MarkKey([u8; 32]);

impl MarkKey {
    /// The key of a device.
    pub fn new(identity: &Identity) -> MarkKey {
        MarkKey(identity.secret_for(KEY_CONTEXT))
    }

    fn mark(&self, hash: &Hash) -> Mark {
        let mut mark = Mark::default();
        blake3::Hasher::new_keyed(&self.0).update(hash.as_bytes()).finalize_xof().fill(&mut mark);
        mark
    }
}

impl core::fmt::Debug for MarkKey {
    fn fmt(&self, f: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        f.write_str("MarkKey")
    }
}

/// The numbers of the messages held of one feed, each with a mark of its hash.
///
/// Of numbers without gaps it costs 17 bytes each, and the looks of a map with one entry for 128 of them.
#[derive(Debug, Clone)]
pub(super) struct Marks {
    key: MarkKey,
    /// By the numbers' upper bits. No block is empty.
    blocks: BTreeMap<u64, Block>,
}

#[derive(Debug, Clone, Default)]
struct Block {
    /// A bit for each number that is held, the lowest first.
    held: u128,
    /// Their marks, ascending.
    marks: Vec<Mark>,
}

impl Marks {
    /// None, with marks of this key.
    pub fn new(key: MarkKey) -> Marks {
        Marks { key, blocks: BTreeMap::new() }
    }

    /// Adds a message; nothing where one of its number is held.
    pub fn insert(&mut self, counter: u64, hash: &Hash) {
        let (index, bit) = place(counter);
        let block = self.blocks.entry(index).or_default();
        if block.held & bit == 0 {
            block.insert(bit, self.key.mark(hash));
        }
    }

    /// Whether a message of this number is held.
    pub fn contains(&self, counter: u64) -> bool {
        let (index, bit) = place(counter);
        self.blocks.get(&index).is_some_and(|block| block.held & bit != 0)
    }

    /// Whether a message of this number and hash is held.
    pub fn is(&self, counter: u64, hash: &Hash) -> bool {
        let (index, bit) = place(counter);
        let mark = self.blocks.get(&index).and_then(|block| block.mark(bit));
        mark.is_some_and(|mark| *mark == self.key.mark(hash))
    }

    /// The highest number below this one.
    pub fn below(&self, counter: u64) -> Option<u64> {
        let (index, bit) = place(counter);
        self.blocks.range(..=index).rev().find_map(|(at, block)| {
            let below = if *at == index { block.held & lower(bit) } else { block.held };
            number(*at, below.checked_ilog2()?)
        })
    }

    /// The lowest number above this one.
    pub fn above(&self, counter: u64) -> Option<u64> {
        let (index, bit) = place(counter);
        self.blocks.range(index..).find_map(|(at, block)| {
            let above = if *at == index { block.held & !(bit | lower(bit)) } else { block.held };
            number(*at, above.trailing_zeros())
        })
    }

    /// The numbers from `first` to `last`, ascending.
    pub fn numbers(&self, first: u64, last: u64) -> impl Iterator<Item = u64> + '_ {
        let (from, _) = place(first);
        let (to, _) = place(last.max(first));
        let all = self.blocks.range(from..=to).flat_map(|(index, block)| block.numbers(*index));
        all.filter(move |counter| (first..=last).contains(counter))
    }
}

impl Block {
    fn insert(&mut self, bit: u128, mark: Mark) {
        let (at, count) = (self.rank(bit), self.marks.len());
        if count == self.marks.capacity() {
            let room = (1usize << BLOCK_BITS).saturating_sub(count);
            self.marks.reserve_exact((count / GROWTH_SHARE).max(GROWTH_MIN).min(room));
        }
        self.held |= bit;
        self.marks.insert(at.min(count), mark);
    }

    fn mark(&self, bit: u128) -> Option<&Mark> {
        if self.held & bit == 0 { None } else { self.marks.get(self.rank(bit)) }
    }

    /// How many marks stand before this number's.
    fn rank(&self, bit: u128) -> usize {
        (self.held & lower(bit)).count_ones() as usize
    }

    fn numbers(&self, index: u64) -> impl Iterator<Item = u64> + use<> {
        let mut rest = self.held;
        core::iter::from_fn(move || {
            let next = number(index, rest.trailing_zeros())?;
            rest &= rest.wrapping_sub(1);
            Some(next)
        })
    }
}

/// In which block a number stands, and its bit there.
fn place(counter: u64) -> (u64, u128) {
    let offset = counter & ((1 << BLOCK_BITS) - 1);
    (counter >> BLOCK_BITS, 1u128.rotate_left(u32::try_from(offset).unwrap_or(0)))
}

/// The number that a bit of a block stands for; none behind the last one.
fn number(index: u64, offset: u32) -> Option<u64> {
    (offset < 1 << BLOCK_BITS).then(|| index << BLOCK_BITS | u64::from(offset))
}

/// The bits below this one.
fn lower(bit: u128) -> u128 {
    bit.wrapping_sub(1)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn marks() -> Marks {
        Marks::new(MarkKey::new(&Identity::from_secret(&[1; 32]).unwrap()))
    }

    fn hash(number: u8) -> Hash {
        Hash::from_bytes([number; 32])
    }

    /// Numbers around the borders of blocks and at both ends of the range.
    fn number() -> impl Strategy<Value = u64> {
        prop_oneof![0..6u64, 120..136u64, 250..260u64, (u64::MAX - 130)..=u64::MAX]
    }

    proptest! {
        #[test]
        fn agree_with_a_plain_map(
            put in prop::collection::vec((number(), 0..3u8), 0..300),
            asked in prop::collection::vec((number(), number()), 20),
        ) {
            let (mut ours, mut plain) = (marks(), BTreeMap::new());
            for (counter, said) in put {
                ours.insert(counter, &hash(said));
                plain.entry(counter).or_insert(said);
            }
            for (a, b) in asked {
                prop_assert_eq!(ours.contains(a), plain.contains_key(&a));
                for said in 0..3 {
                    prop_assert_eq!(ours.is(a, &hash(said)), plain.get(&a) == Some(&said));
                }
                prop_assert_eq!(ours.below(a), plain.range(..a).next_back().map(|(counter, _)| *counter));
                let above = a.checked_add(1).and_then(|next| plain.range(next..).next());
                prop_assert_eq!(ours.above(a), above.map(|(counter, _)| *counter));
                let (first, last) = (a.min(b), a.max(b));
                let within: Vec<u64> = plain.range(first..=last).map(|(counter, _)| *counter).collect();
                prop_assert_eq!(ours.numbers(first, last).collect::<Vec<_>>(), within);
            }
            prop_assert!(ours.blocks.values().all(|block| block.marks.len() == block.held.count_ones() as usize));
        }
    }

    #[test]
    fn marks_of_two_devices_and_of_two_hashes_differ() {
        let key = |number| MarkKey::new(&Identity::from_secret(&[number; 32]).unwrap());
        assert_eq!(key(1).mark(&hash(1)), key(1).mark(&hash(1)));
        assert_ne!(key(1).mark(&hash(1)), key(1).mark(&hash(2)));
        assert_ne!(key(1).mark(&hash(1)), key(2).mark(&hash(1)));
        assert_ne!(key(1).mark(&hash(1))[..], hash(1).as_bytes()[..16]);
    }

    #[test]
    fn room_that_is_not_used_stays_small_in_whatever_order_messages_come() {
        let orders: [fn(u64) -> u64; 3] = [|at| at, |at| 9_999 - at, |at| at * 7_919 % 10_000];
        for order in orders {
            let mut marks = marks();
            (0..10_000).for_each(|at| marks.insert(order(at), &hash(1)));
            let room: usize = marks.blocks.values().map(|block| block.marks.capacity()).sum();
            assert!((10_000..10_100).contains(&room) && marks.blocks.len() == 79, "{room}");
        }
    }
}

//! Where a file is cut: FastCDC.
//!
//! After Xia et al., *FastCDC* (USENIX ATC 2016) and *The Design of Fast Content-Defined Chunking for Data
//! Deduplication Based Storage Systems* (IEEE TPDS 2020): a gear hash over the last 64 bytes, and no search below the
//! minimum. Three things are our own: the condition asks for leading zero bits, which hang on the most bytes of the
//! window and cost one comparison; the window is filled before the minimum is reached, so that whether a place is a
//! cut depends on the 64 bytes before it alone and not on where the chunk began; and two places are searched at once.

use super::Scale;
use super::gear::GEAR;

/// How many bytes the gear hash remembers: the bits of its word.
const WINDOW: u32 = u64::BITS;

/// Finds the cuts of a stream of bytes, in pieces of any size.
#[derive(Debug, Clone)]
pub(super) struct Cutter {
    scale: Scale,
    /// Bytes of the open chunk so far.
    length: u32,
    gear: u64,
}

impl Cutter {
    pub(super) const fn new(scale: Scale) -> Self {
        Self { scale, length: 0, gear: 0 }
    }

    /// Takes bytes up to the end of the open chunk and tells how many these were, or takes all of them and tells none.
    pub(super) fn cut(&mut self, bytes: &[u8]) -> Option<usize> {
        let min = self.scale.min();
        let (skipped, rest) = self.take(bytes, min.saturating_sub(WINDOW));
        // The byte that makes the chunk as long as its minimum is the first that can end it.
        let (warming, rest) = self.take(rest, min.saturating_sub(1));
        self.gear = warming.iter().fold(self.gear, |gear, byte| roll(gear, *byte));
        let (searched, _) = self.take(rest, self.scale.max());
        let found = match search(searched, self.gear, self.scale.threshold()) {
            Search::Found { count } => count,
            Search::Nothing { gear } => {
                self.gear = gear;
                if self.length < self.scale.max() {
                    return None;
                }
                searched.len()
            }
        };
        self.length = 0;
        self.gear = 0;
        Some(skipped.len().saturating_add(warming.len()).saturating_add(found))
    }

    /// Takes bytes off the front until the chunk has `until` of them.
    fn take<'a>(&mut self, bytes: &'a [u8], until: u32) -> (&'a [u8], &'a [u8]) {
        let room = usize::try_from(until.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let (taken, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.length = self.length.saturating_add(u32::try_from(taken.len()).unwrap_or(u32::MAX));
        (taken, rest)
    }
}

/// What a search came to.
enum Search {
    /// A cut behind this many bytes.
    Found { count: usize },
    /// No cut; the gear hash behind the last byte.
    Nothing { gear: u64 },
}

#[inline(always)]
fn word(byte: u8) -> u64 {
    GEAR.get(usize::from(byte)).copied().unwrap_or_default()
}

#[inline(always)]
fn roll(gear: u64, byte: u8) -> u64 {
    gear.wrapping_shl(1).wrapping_add(word(byte))
}

/// Bytes that one [`search`] step looks at: two lanes of this many.
const LANE: usize = 512;

/// Rolls over `bytes` up to and with the first one behind which the gear hash is at most `threshold`.
///
/// One hash waits for the last one, which leaves most of a processor idle. Since the hash knows only the last
/// [`WINDOW`] bytes, a second one can start anywhere with so many bytes before it: two run side by side.
fn search(bytes: &[u8], mut gear: u64, threshold: u64) -> Search {
    let (blocks, rest) = bytes.as_chunks::<{ 2 * LANE }>();
    let mut done: usize = 0;
    for block in blocks {
        let (lanes, _) = block.as_chunks::<LANE>();
        let [left, right] = lanes else { break };
        match search_lanes(left, right, gear, threshold) {
            Search::Found { count } => return Search::Found { count: done.saturating_add(count) },
            Search::Nothing { gear: last } => gear = last,
        }
        done = done.saturating_add(block.len());
    }
    match search_lane(rest, gear, threshold) {
        Search::Found { count } => Search::Found { count: done.saturating_add(count) },
        nothing => nothing,
    }
}

/// The search in two lanes at once, of which `right` follows `left`.
fn search_lanes(left: &[u8; LANE], right: &[u8; LANE], gear: u64, threshold: u64) -> Search {
    const STEP: usize = 8;
    let window = left.last_chunk::<{ WINDOW as usize }>().into_iter().flatten();
    let (mut first, mut second) = (gear, window.fold(0, |gear, byte| roll(gear, *byte)));
    let mut done: usize = 0;
    let (left_steps, _) = left.as_chunks::<STEP>();
    let (right_steps, _) = right.as_chunks::<STEP>();
    for (left_step, right_step) in left_steps.iter().zip(right_steps) {
        for (index, (left_byte, right_byte)) in left_step.iter().zip(right_step).enumerate() {
            first = roll(first, *left_byte);
            second = roll(second, *right_byte);
            if first <= threshold {
                return Search::Found { count: done.wrapping_add(index).wrapping_add(1) };
            }
            if second <= threshold {
                // A cut farther left in the file comes first.
                let done = done.wrapping_add(index).wrapping_add(1);
                return match search_lane(left.get(done..).unwrap_or_default(), first, threshold) {
                    Search::Found { count } => Search::Found { count: done.wrapping_add(count) },
                    Search::Nothing { .. } => Search::Found { count: LANE.wrapping_add(done) },
                };
            }
        }
        done = done.wrapping_add(STEP);
    }
    Search::Nothing { gear: second }
}

fn search_lane(bytes: &[u8], mut gear: u64, threshold: u64) -> Search {
    for (index, byte) in bytes.iter().enumerate() {
        gear = roll(gear, *byte);
        if gear <= threshold {
            return Search::Found { count: index.saturating_add(1) };
        }
    }
    Search::Nothing { gear }
}

#[cfg(test)]
mod tests {
    use std::vec::Vec;

    use proptest::prelude::*;

    use super::*;

    /// The rule in its plainest form: the hash of the last 64 bytes, worked out anew at each place.
    fn cut_plainly(scale: Scale, bytes: &[u8]) -> Option<usize> {
        (scale.min() as usize..=bytes.len()).find(|end| {
            let window = &bytes[end - WINDOW as usize..*end];
            let gear = window.iter().fold(0_u64, |gear, byte| (gear << 1).wrapping_add(GEAR[usize::from(*byte)]));
            gear <= scale.threshold() || *end == scale.max() as usize
        })
    }

    fn noise(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = std::vec![0; length];
        blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
        bytes
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn cut_is_where_the_plain_rule_has_it(seed in any::<u64>(), repeat in 1_usize..300_000, split in 0_usize..300_000) {
            let scale = Scale::of(0).unwrap();
            let bytes: Vec<u8> = noise(seed, repeat).into_iter().cycle().take(300_000).collect();
            let expected = cut_plainly(scale, &bytes);
            prop_assert_eq!(Cutter::new(scale).cut(&bytes), expected);

            let mut cutter = Cutter::new(scale);
            let (first, second) = bytes.split_at(split);
            let found = match cutter.cut(first) {
                Some(count) => Some(count),
                None => cutter.cut(second).map(|count| split + count),
            };
            prop_assert_eq!(found, expected);
        }
    }

    #[test]
    fn two_lanes_find_the_first_of_two_cuts() {
        // A threshold so easy that almost every pair of lanes holds several cuts.
        for seed in 0..200 {
            let bytes = noise(seed, 3 * LANE + 17);
            for threshold in [u64::MAX >> 6, u64::MAX >> 9, u64::MAX >> 12] {
                let plain = search_lane(&bytes, 0, threshold);
                match (search(&bytes, 0, threshold), plain) {
                    (Search::Found { count: a }, Search::Found { count: b }) => assert_eq!(a, b),
                    (Search::Nothing { gear: a }, Search::Nothing { gear: b }) => assert_eq!(a, b),
                    _ => panic!("one found a cut and the other did not, seed {seed}"),
                }
            }
        }
    }
}

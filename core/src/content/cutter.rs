//! Where a file is cut: FastCDC with normalised chunking.
//!
//! After Xia et al., *FastCDC* (USENIX ATC 2016) and *The Design of Fast Content-Defined Chunking* (IEEE TPDS 2020): a
//! gear hash over the last 64 bytes, no search below the minimum, a harder condition before the normal length than
//! behind it. Two things are our own: the condition asks for leading zero bits, which hang on the most bytes of the
//! window and cost one comparison; and the window is filled before the minimum is reached, so that whether a place is
//! a cut depends on the bytes before it alone and not on where the chunk began.

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
        let warm = self.scale.min().saturating_sub(WINDOW);
        let mut rest = self.skip(bytes, warm);
        // The window fills up to, but not with, the byte that makes the chunk as long as its minimum.
        let (limit, threshold) = (self.scale.min().saturating_sub(1), None);
        for (limit, threshold) in [
            (limit, threshold),
            (self.scale.normal(), Some(self.scale.strict())),
            (self.scale.max(), Some(self.scale.loose())),
        ] {
            let room = usize::try_from(limit.saturating_sub(self.length)).unwrap_or(usize::MAX);
            let (now, later) = rest.split_at_checked(room).unwrap_or((rest, &[]));
            let (gear, found) = match threshold {
                None => (now.iter().fold(self.gear, |gear, byte| roll(gear, *byte)), None),
                Some(threshold) => search(now, self.gear, threshold),
            };
            if let Some(count) = found {
                let left = now.len().saturating_sub(count).saturating_add(later.len());
                self.restart();
                return Some(bytes.len().saturating_sub(left));
            }
            self.gear = gear;
            self.grow(now.len());
            rest = later;
        }
        if self.length < self.scale.max() {
            return None;
        }
        self.restart();
        Some(bytes.len().saturating_sub(rest.len()))
    }

    /// Passes over bytes until the chunk has `until` of them.
    fn skip<'a>(&mut self, bytes: &'a [u8], until: u32) -> &'a [u8] {
        let room = usize::try_from(until.saturating_sub(self.length)).unwrap_or(usize::MAX);
        let (passed, rest) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
        self.grow(passed.len());
        rest
    }

    fn grow(&mut self, count: usize) {
        self.length = self.length.saturating_add(u32::try_from(count).unwrap_or(u32::MAX));
    }

    fn restart(&mut self) {
        self.length = 0;
        self.gear = 0;
    }
}

#[inline(always)]
fn word(byte: u8) -> u64 {
    GEAR.get(usize::from(byte)).copied().unwrap_or_default()
}

#[inline(always)]
fn roll(gear: u64, byte: u8) -> u64 {
    gear.wrapping_shl(1).wrapping_add(word(byte))
}

/// Rolls over `bytes` up to and with the first one behind which the gear hash is at most `threshold`; tells the hash
/// and how many bytes that took.
///
/// Two bytes a step: the second hash is computed from the last step's, not from the first one, which halves the chain
/// of dependent operations that otherwise bounds the speed.
fn search(bytes: &[u8], mut gear: u64, threshold: u64) -> (u64, Option<usize>) {
    const STEP: usize = 8;
    let (steps, rest) = bytes.as_chunks::<STEP>();
    for (index, step) in steps.iter().enumerate() {
        let (pairs, _) = step.as_chunks::<2>();
        for (pair, [first, second]) in pairs.iter().enumerate() {
            let (first, second) = (word(*first), word(*second));
            let half = gear.wrapping_shl(1).wrapping_add(first);
            let both = first.wrapping_shl(1).wrapping_add(second);
            gear = gear.wrapping_shl(2).wrapping_add(both);
            if half <= threshold {
                return (half, Some(count(index, STEP, pair, 1)));
            }
            if gear <= threshold {
                return (gear, Some(count(index, STEP, pair, 2)));
            }
        }
    }
    for (index, byte) in rest.iter().enumerate() {
        gear = roll(gear, *byte);
        if gear <= threshold {
            return (gear, Some(count(steps.len(), STEP, 0, index.saturating_add(1))));
        }
    }
    (gear, None)
}

/// Bytes up to and with one of a step's.
#[inline(always)]
fn count(steps: usize, step: usize, pairs: usize, bytes: usize) -> usize {
    steps.wrapping_mul(step).wrapping_add(pairs.wrapping_mul(2)).wrapping_add(bytes)
}

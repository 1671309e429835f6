//! Drawing positions so that the same seed draws the same on every machine: `usize` has another width in WebAssembly, and
//! fastrand draws it from other bits there.

/// Draws positions.
pub(crate) trait Pick {
    /// A position among so many, which are at least one.
    fn pick(&mut self, count: usize) -> usize;

    /// Puts items into any order.
    fn mix<T>(&mut self, items: &mut [T]) {
        for last in 1..items.len() {
            let other = self.pick(last + 1);
            items.swap(last, other);
        }
    }
}

impl Pick for fastrand::Rng {
    fn pick(&mut self, count: usize) -> usize {
        self.u64(..count as u64) as usize
    }
}

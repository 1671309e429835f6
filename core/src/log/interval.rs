//! Sets of numbers as intervals: their cost is the number of gaps, not of members.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

/// A number that knows its neighbours.
pub trait Ordinal: Copy + Ord {
    /// The next larger one.
    fn next(self) -> Option<Self>;
}

impl Ordinal for u64 {
    fn next(self) -> Option<u64> {
        self.checked_add(1)
    }
}

/// A set of numbers: intervals, sorted, none touching the next.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct IntervalSet<T> {
    intervals: Vec<(T, T)>,
}

impl<T> Default for IntervalSet<T> {
    fn default() -> Self {
        Self { intervals: Vec::new() }
    }
}

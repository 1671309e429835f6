//! Dots: names of single changes, and sets of them.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

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

/// A change's place in its author's feed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Place {
    /// The message's counter.
    pub counter: u64,
    /// The change's index among the message's changes.
    pub index: u32,
}

impl Ordinal for Place {
    fn next(self) -> Option<Place> {
        self.index.checked_add(1).map(|index| Place { counter: self.counter, index })
    }
}

/// An exact set of dots.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DotSet {
    authors: BTreeMap<ReplicaId, IntervalSet<Place>>,
}

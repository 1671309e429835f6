//! The total order of changes.

use serde::{Deserialize, Serialize};

use crate::api::UnixMs;
use crate::log::Dot;

/// Where a change stands among all changes: by its message's order (lamport, unix time, author), then by its place in
/// the author's feed (§4.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ChangeOrder {
    lamport: u64,
    unix: UnixMs,
    dot: Dot,
}

impl ChangeOrder {
    /// The order of the change `dot` in a message of this lamport and time.
    pub fn new(lamport: u64, unix: UnixMs, dot: Dot) -> Self {
        Self { lamport, unix, dot }
    }

    /// The change.
    pub fn dot(&self) -> Dot {
        self.dot
    }
}

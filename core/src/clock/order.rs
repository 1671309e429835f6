//! The order of messages.

use serde::{Deserialize, Serialize};

use crate::api::{ReplicaId, UnixMs};

/// Where a message stands among all messages (§4.2): by lamport, then time, then author.
///
/// The order is total: two messages with equal orders are one. The counter decides only where an author has reached
/// the end of the lamports' range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageOrder {
    /// Exceeds all that the author had seen.
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// Who wrote it.
    pub author: ReplicaId,
    /// Which of the author's messages it is.
    pub counter: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lamport_comes_before_time_before_author_before_counter() {
        let order = |lamport, unix, author, counter| MessageOrder {
            lamport,
            unix_ms: UnixMs(unix),
            author: ReplicaId::from_bytes([author; 16]),
            counter,
        };
        let ascending = [order(1, 9, 9, 9), order(2, 1, 9, 9), order(2, 2, 1, 9), order(2, 2, 2, 1), order(2, 2, 2, 2)];
        assert!(ascending.is_sorted_by(|a, b| a < b));
    }
}

//! What became of a received message.

use alloc::vec::Vec;

use super::{MessageError, Sealed};
use crate::api::{Hash, ReplicaId};

/// What [`Log::receive`](super::Log::receive) made of some bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receipt {
    /// They are a new message, which is held now: save it, then act on it.
    Accepted {
        /// It, and the messages that had waited for it, in an order in which each can be taken again.
        messages: Vec<Sealed>,
        /// Of those that had waited, the ones that were found to be forks; they are dropped.
        forks: Vec<Fork>,
    },
    /// They are a message that is held.
    Known,
    /// They are a message that does not count: its author was no member any more (§5.3).
    Void,
    /// They wait for their author's introduction, in memory only.
    Waiting {
        /// The author.
        author: ReplicaId,
    },
    /// They are a message by a member whose lamport is too far ahead to be followed. It waits, in memory only, until
    /// the others have come that far (§4.2).
    AheadOfTime {
        /// The author.
        author: ReplicaId,
        /// The message's number.
        counter: u64,
        /// Its lamport.
        lamport: u64,
        /// The highest one that would be followed now.
        limit: u64,
    },
    /// They are a second message with one number by one member. It is not taken.
    Fork(Fork),
    /// They are a message of this very replica that it does not hold: its store is older than its feed, or another
    /// device uses its id. Nothing more may be written under this id: [begin](super::Log::begin) a new incarnation.
    OwnFeedAhead {
        /// The message's number.
        counter: u64,
    },
    /// They are no message that anyone should hold.
    Refused(MessageError),
}

/// A message that contradicts held ones of its author (§5.7).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fork {
    /// The author.
    pub author: ReplicaId,
    /// The message's number.
    pub counter: u64,
    /// Its hash.
    pub hash: Hash,
}

//! Why a link is closed.

use crate::api::{GroupId, ReplicaId};

use super::Lane;

/// What a peer did, or was asked to do, that ends its link. The session is closed after it; the text is for a log.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// A packet that carries no part of a frame.
    #[error("expected a packet with a header and a part of a frame, found {found} bytes")]
    PacketTooShort {
        /// Its length.
        found: usize,
    },
    /// A packet longer than any may be.
    #[error("expected a packet of at most {limit} bytes, found {found}")]
    PacketTooLong {
        /// Its length.
        found: usize,
        /// The limit.
        limit: usize,
    },
    /// A packet that begins with no header of this protocol.
    #[error("expected a packet header, found {found:#04x}; the other end may speak another protocol")]
    PacketHeader {
        /// Its first byte.
        found: u8,
    },
    /// A frame longer than its lane carries.
    #[error("expected a frame of at most {limit} bytes on the {lane} lane, found more")]
    FrameTooLong {
        /// The lane.
        lane: Lane,
        /// The lane's limit at this moment.
        limit: usize,
    },
    /// Bytes that are no frame.
    #[error("expected a frame, found {length} bytes that are none")]
    FrameMalformed {
        /// How many bytes.
        length: usize,
    },
    /// A frame written in another way than the canonical one.
    #[error("expected a frame in canonical form, found another encoding of it")]
    FrameNotCanonical,
    /// A value that has no encoding; none that the engine makes.
    #[error("expected a frame that can be encoded, found one that cannot")]
    FrameUnencodable,
    /// A frame to send that only the session itself sends.
    #[error("expected a frame for the peer, found a hello or credit, which the link sends by itself")]
    FrameReserved,
    /// A frame on a lane that is not its own.
    #[error("expected only frames of the {lane} lane on it, found one of the {belongs} lane")]
    FrameOnWrongLane {
        /// Where it came.
        lane: Lane,
        /// Where it belongs.
        belongs: Lane,
    },
    /// A part of a frame that is larger, or smaller, than it may be.
    #[error("expected {what} between {min} and {max}, found {found}")]
    OutOfRange {
        /// What was counted.
        what: &'static str,
        /// The least allowed.
        min: u64,
        /// The most allowed.
        max: u64,
        /// What was found.
        found: u64,
    },
    /// Another frame than a hello came first.
    #[error("expected a hello as the first frame, found another frame")]
    HelloMissing,
    /// A second hello.
    #[error("expected one hello a link, found a second one")]
    HelloRepeated,
    /// The peer belongs to another group.
    #[error("expected group {ours}, found {theirs}; both ends must share the group")]
    GroupDiffers {
        /// This replica's group.
        ours: GroupId,
        /// The peer's.
        theirs: GroupId,
    },
    /// The two speak no version in common.
    #[error(
        "expected a peer that speaks a version from {our_min} to {our_max}, found {their_min} to {their_max}; update the older one"
    )]
    NoCommonVersion {
        /// The oldest version spoken here.
        our_min: u16,
        /// The newest version spoken here.
        our_max: u16,
        /// The oldest version spoken there.
        their_min: u16,
        /// The newest version spoken there.
        their_max: u16,
    },
    /// The other end has this replica's own id: it is this replica, or a copy of its store.
    #[error("expected another replica, found this one's own id {replica}; the link leads back, or a store was copied")]
    OwnReplica {
        /// The id.
        replica: ReplicaId,
    },
    /// Messages beyond what was granted.
    #[error("expected messages within a credit of {granted} bytes, found {found}")]
    CreditExceeded {
        /// What was left.
        granted: u64,
        /// What came.
        found: u64,
    },
    /// Credit beyond what was spent.
    #[error("expected at most {spent} bytes of credit back, found {found}")]
    CreditInvented {
        /// What may still come back.
        spent: u64,
        /// What came.
        found: u64,
    },
    /// Answers pile up: the peer asks and does not read.
    #[error("expected a peer that reads its answers, found {limit} bytes waiting on the {lane} lane")]
    QueueFull {
        /// The lane.
        lane: Lane,
        /// How much may wait.
        limit: usize,
    },
    /// The session is closed.
    #[error("expected an open link, found a closed one")]
    Closed,
}

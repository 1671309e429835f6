//! What people and applications can ask for.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FolderId, MemberMode, ReplicaId, RootId, RowChange, RowQuery};

/// A request to the engine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Command {
    /// Compare the whole folder with what is known of it.
    Rescan {
        /// Which root.
        root: RootId,
    },
    /// Go on with the deletions that were held because there were so many.
    AllowDeletions {
        /// Which root.
        root: RootId,
    },
    /// Bring back what held deletions had removed from the folder.
    RestoreDeletions {
        /// Which root.
        root: RootId,
    },
    /// Send an application message to all members.
    Publish {
        /// What it says, at most [`PAYLOAD_BYTES_MAX`](crate::engine::limits::PAYLOAD_BYTES_MAX) bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        payload: Vec<u8>,
    },
    /// Take changes that the application made to rows. [`RowsWritten`](super::Action::RowsWritten) says when they are saved.
    /// A host gives the next ones then, a few thousand at a time, so that a change of any size costs no memory.
    WriteRows {
        /// Where these changes end in the host's own count. It is saved with them, as one, and stands in the
        /// [`status`](super::RecordsStatus::taken) at the next start: a host that remembers what it has still to give forgets
        /// what lies up to there, gives what lies behind, and so nothing is taken twice or not at all.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        taken: u64,
        /// The changes, in the order in which they were made.
        changes: Vec<RowChange>,
        /// There are more: others' operations are merged only behind those, for who made them had not seen any of that.
        more: bool,
    },
    /// Read rows as they are saved. The answer is [`RowsRead`](super::Action::RowsRead).
    ReadRows {
        /// Names the answer.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        request: u64,
        /// Which.
        query: RowQuery,
    },
    /// Let another member decide for the group, too, ranked behind all who do so far. Only who decides may, as the
    /// [founder](super::GroupConfig::founder) does.
    Appoint {
        /// The member's public key, 32 bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        member: Vec<u8>,
    },
    /// Remove a device from the group for good, one that ranks below this one. What it wrote and is held here counts, anything
    /// else of it is void on all members, whatever had come where. It keeps what it has, and the group's key.
    Remove {
        /// Its public key, 32 bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        member: Vec<u8>,
    },
    /// Set which way data goes between a member and the others: of one that ranks below this one by decision, or of this
    /// device itself, by its own wish. Where both were set, only what both allow goes. What the member wrote and is held here
    /// still counts; what it writes beyond that in a mode that does not send counts for nobody.
    SetMode {
        /// Its public key, 32 bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        member: Vec<u8>,
        /// The mode.
        mode: MemberMode,
    },
    /// Undo in a folder what was done there while this device only receives: what was changed or deleted comes back as the
    /// group has it, what was added goes, and is kept in the host's history.
    Revert {
        /// Which root.
        root: RootId,
    },
    /// Discard on all members what an incarnation stamped beyond this device's time, what is held of it and what it still
    /// stamps so: only who decides may. Where its clock is right and this one's is behind that is all it writes from now on,
    /// until it hears of it and goes on under a new id.
    DiscardHeld {
        /// The incarnation.
        replica: ReplicaId,
    },
    /// Let what is held here of an incarnation count before its time, as its clock is right, or nobody wants to wait. It then
    /// counts on this device alone, and so does what it writes from now on until that time comes: its stamps are later.
    ReleaseHeld {
        /// The incarnation.
        replica: ReplicaId,
    },
    /// Look through a message folder now.
    Poll {
        /// Which folder.
        folder: FolderId,
    },
    /// Try again now what failed before.
    Retry {
        /// Which root.
        root: RootId,
    },
    /// Come to rest soon, once: what waits for others so that one message can serve for all of them is said as soon as
    /// nothing else is left to do. For a host that ends when the engine is [`quiet`](super::Status::quiet).
    Settle,
}

//! What crosses the boundary for message folders and application messages.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Failure, ReplicaId, UnixMs};

/// What stands under a name in a message folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum FolderEntryKind {
    /// A file whose bytes are here.
    File,
    /// A file that is known here and whose bytes are elsewhere; its name is that of the file, not of what stands for it.
    Placeholder,
    /// A directory.
    Directory,
    /// A link, or anything else that is no message.
    Other,
}

/// A file to create in a message folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct FolderFile {
    /// Where, below the session's directory. Its directory is made if it is missing, the session's is not.
    pub path: alloc::string::String,
    /// What it shall hold.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub bytes: Vec<u8>,
}

/// What a probe found in a message folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum FolderProbeResult {
    /// Something.
    Present {
        /// What.
        kind: FolderEntryKind,
    },
    /// [`Missing`](Failure::Missing), or it could not be told.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// What became of a change of a message folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum FolderResult {
    /// It was made, and is on disk.
    Done,
    /// It was not. Of a file to create, [`Changed`](Failure::Changed): something of that name stands there.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// One application message on its way to the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Delivery {
    /// Its number in the order of delivery on this device, from 1. An application stores it together with what it makes of
    /// the message, and gives the last one back at the next start: so each comes once. There are gaps only where an
    /// application or a store was put back to an older state: numbers of messages that were cleared since are left out.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub sequence: u64,
    /// Who wrote it.
    pub author: ReplicaId,
    /// Its number in its author's feed.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub counter: u64,
    /// Its place in time: it exceeds those of all messages that the author had seen.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// What it says.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub payload: Vec<u8>,
}

//! How work ended.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Content, FolderProbeResult, FolderResult, Stat};

/// The answer to one piece of [`Work`](super::Work).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Outcome {
    /// Pairs of the store.
    Loaded {
        /// The pairs.
        pairs: Vec<Pair>,
        /// The range has more behind the last one.
        more: bool,
    },
    /// The batch is on disk.
    Saved,
    /// A page of a directory.
    Listed {
        /// Entries, packed ([`listing`](super::listing)).
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        listing: Vec<u8>,
        /// The directory has more behind the last one.
        more: bool,
        /// The root's marker was there after the listing.
        marker: bool,
    },
    /// What stands at the paths, in the order asked.
    Probed {
        /// One a path.
        results: Vec<ProbeResult>,
        /// The root's marker was there after the last probe.
        marker: bool,
    },
    /// Contents, in the order asked.
    Hashed {
        /// One an item.
        results: Vec<HashResult>,
    },
    /// Parts of files, in the order asked.
    Read {
        /// One a range.
        results: Vec<ReadResult>,
    },
    /// Chunks were written, in the order asked.
    Staged {
        /// One an item.
        results: Vec<StageResult>,
    },
    /// The tree was changed, in the order asked.
    Committed {
        /// One an item.
        results: Vec<CommitResult>,
    },
    /// The staged files are gone.
    Discarded,
    /// A page of a directory of a message folder.
    FolderListed {
        /// Names and kinds, packed ([`listing::names`](super::listing::names)).
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        names: Vec<u8>,
        /// The page behind this one; none if it is the last.
        next: Option<u64>,
    },
    /// What stands at paths of a message folder, in the order asked.
    FolderProbed {
        /// One a path.
        results: Vec<FolderProbeResult>,
        /// How many entries the directory has; none if counting them has its cost.
        count: Option<u64>,
    },
    /// Files of a message folder, in the order asked.
    FolderRead {
        /// One a file, its bytes whole.
        results: Vec<ReadResult>,
    },
    /// A message folder was changed, in the order asked.
    FolderWritten {
        /// One a file.
        results: Vec<FolderResult>,
    },
    /// The application has stored the messages and the last one's number.
    Delivered,
    /// The application's database has the rows and the sequence.
    RowsApplied,
    /// The work as a whole failed; nothing of it was done.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// Why work, or one item of it, failed. A failure is not an absence: only [`Missing`](Failure::Missing) is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Failure {
    /// It is not there, and neither an error nor a missing parent directory's permission hides it.
    Missing,
    /// It is known but its bytes are elsewhere (a placeholder).
    NotLocal,
    /// The operating system forbids it.
    Denied,
    /// The disk is full, or a quota.
    NoSpace,
    /// It is not what was expected; nothing was done.
    Changed,
    /// The bytes do not match their hash.
    Corrupt,
    /// The file is larger than was asked for.
    TooLarge,
    /// The directory holds entries.
    NotEmpty,
    /// The platform cannot hold this name, target or mode.
    Unrepresentable,
    /// Anything else.
    Other {
        /// What the platform said.
        message: String,
    },
}

/// A key and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Pair {
    /// The key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// Its value.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub value: Vec<u8>,
}

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum ProbeResult {
    /// Something.
    Present {
        /// Its metadata.
        stat: Stat,
    },
    /// [`Missing`](Failure::Missing), or it could not be told.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// A file's or link's content.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum HashResult {
    /// It was read whole.
    Hashed {
        /// What it holds.
        content: Content,
        /// Its metadata, the same before and after the reading.
        stat: Stat,
        /// The manifest's bytes where the file has more than one chunk, else empty.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        manifest: Vec<u8>,
    },
    /// It was not; [`Changed`](Failure::Changed) if it was written to meanwhile or is no file or link now.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum ReadResult {
    /// Exactly the bytes asked for.
    Bytes {
        /// The bytes.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// None.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// What became of a chunk.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum StageResult {
    /// It stands in the staged file.
    Staged,
    /// It does not.
    Failed {
        /// Why.
        failure: Failure,
    },
}

/// What became of a change of the tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum CommitResult {
    /// It was made.
    Committed {
        /// What stands there now; none if nothing.
        stat: Option<Stat>,
    },
    /// It was not, and the path is as before.
    Failed {
        /// Why.
        failure: Failure,
    },
}

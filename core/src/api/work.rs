//! Everything a host does for the engine.
//!
//! Paths are names joined with `/`, with no leading one; the empty text is the root itself.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Content, Delivery, FolderFile, FolderId, Hash, RootId, RowState, StageId, Stat};

/// One piece of work. The engine never asks for two at once whose order matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Work {
    /// Read from the store. Answer: [`Loaded`](super::Outcome::Loaded).
    Load {
        /// Which pairs.
        query: LoadQuery,
    },
    /// Write a batch to the store, all or nothing, on disk when it completes. One is in flight at a time. Answer:
    /// [`Saved`](super::Outcome::Saved).
    Save {
        /// The batch.
        writes: Vec<Write>,
    },
    /// List a directory's entries in byte order of their names. Answer: [`Listed`](super::Outcome::Listed).
    List {
        /// The root.
        root: RootId,
        /// The directory's path; empty for the root itself.
        directory: String,
        /// Go on behind this name.
        after: Option<String>,
    },
    /// Tell what stands at paths, without following links. Answer: [`Probed`](super::Outcome::Probed).
    Probe {
        /// The root.
        root: RootId,
        /// The paths.
        paths: Vec<String>,
    },
    /// Read files whole: content id and manifest; read links' targets. Answer: [`Hashed`](super::Outcome::Hashed).
    Hash {
        /// The root.
        root: RootId,
        /// The files and links.
        items: Vec<HashItem>,
    },
    /// Read parts of files. Answer: [`Read`](super::Outcome::Read).
    Read {
        /// The root.
        root: RootId,
        /// The parts.
        ranges: Vec<ReadRange>,
    },
    /// Write chunks into staged files outside the tree, read them back and check their hashes. Answer:
    /// [`Staged`](super::Outcome::Staged).
    Stage {
        /// The root.
        root: RootId,
        /// The chunks.
        items: Vec<StageItem>,
    },
    /// Change the tree, item by item in this order. All staged files of the batch are on disk before the first rename;
    /// the changed directories are on disk before the completion. Answer: [`Committed`](super::Outcome::Committed).
    Commit {
        /// The root.
        root: RootId,
        /// The changes.
        items: Vec<CommitItem>,
    },
    /// Forget staged files. Answer: [`Discarded`](super::Outcome::Discarded).
    Discard {
        /// The root.
        root: RootId,
        /// Which; every one of the root's staging area when empty.
        stages: Vec<StageId>,
    },
    /// List a directory of a message folder, a page at a time, in any order; the host keeps its place between pages. Answer:
    /// [`FolderListed`](super::Outcome::FolderListed).
    FolderList {
        /// The folder.
        folder: FolderId,
        /// The directory's path; empty for the session's.
        directory: String,
        /// Go on with this page, which the one before named; none to begin.
        page: Option<u64>,
    },
    /// Tell what stands at paths of a message folder, without following links or fetching anything. Answer:
    /// [`FolderProbed`](super::Outcome::FolderProbed).
    FolderProbe {
        /// The folder.
        folder: FolderId,
        /// The paths.
        paths: Vec<String>,
        /// A directory whose entries are to be counted, if that costs nothing. With it, these paths are polled for what is
        /// new: a host that has seen no placeholder in the folder need not look for one beside each missing name every
        /// time, as long as repeated polls find the first that comes.
        count: Option<String>,
    },
    /// Read files of a message folder whole. Answer: [`FolderRead`](super::Outcome::FolderRead).
    FolderRead {
        /// The folder.
        folder: FolderId,
        /// The files.
        paths: Vec<String>,
        /// The largest file that is read; another one is [`TooLarge`](super::Failure::TooLarge).
        bytes_max: u32,
    },
    /// Create files of a message folder, in this order, each whole or not at all, none where something stands. The first
    /// that fails ends it, and those behind it fail too. What was created is on disk when it completes. Answer:
    /// [`FolderWritten`](super::Outcome::FolderWritten).
    FolderCreate {
        /// The folder.
        folder: FolderId,
        /// The files.
        files: Vec<FolderFile>,
    },
    /// Remove files of a message folder; one that is not there counts as removed. Answer:
    /// [`FolderWritten`](super::Outcome::FolderWritten).
    FolderRemove {
        /// The folder.
        folder: FolderId,
        /// The files.
        paths: Vec<String>,
    },
    /// Ask for the bytes of placeholders; they may come at any time. Answer:
    /// [`FolderWritten`](super::Outcome::FolderWritten).
    FolderFetch {
        /// The folder.
        folder: FolderId,
        /// The files.
        paths: Vec<String>,
    },
    /// Give these to the application, in this order. Answer, when it has stored them:
    /// [`Delivered`](super::Outcome::Delivered).
    Deliver {
        /// The messages.
        messages: Vec<Delivery>,
    },
    /// Make these rows of the application's database what they are here, and store the sequence, in one transaction. A row or
    /// property that the application has changed and whose change was not given to the engine yet keeps the change. One is
    /// asked for at a time. Answer: [`RowsApplied`](super::Outcome::RowsApplied).
    ApplyRows {
        /// The host gives it back at the next start ([`applied`](super::RecordsConfig::applied)).
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        sequence: u64,
        /// The rows, each once, in any order.
        rows: Vec<RowState>,
    },
}

/// What to read from the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum LoadQuery {
    /// Pairs with `start <= key < end` in byte order, until `bytes_max` of keys and values are exceeded.
    Range {
        /// The first key.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        start: Vec<u8>,
        /// Behind the last key.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        end: Vec<u8>,
        /// When to stop; at least one pair comes if there is one.
        bytes_max: u32,
    },
    /// The pairs of these keys that exist, in the order asked.
    Keys {
        /// The keys.
        keys: Vec<Key>,
    },
}

/// A key of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Key {
    /// At most 8 KiB.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub bytes: Vec<u8>,
}

/// One change of the store.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Write {
    /// The key, at most 8 KiB.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// The new value; none removes the key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array | undefined"))]
    pub value: Option<Vec<u8>>,
}

/// A file or link to read whole.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct HashItem {
    /// Its path.
    pub path: String,
    /// How large it was when last seen, so that a host can divide the work.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub size: u64,
}

/// A part of a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct ReadRange {
    /// The file.
    pub path: String,
    /// What the file must still be, before and after: size, modification time, identity; else
    /// [`Changed`](super::Failure::Changed).
    pub stat: Stat,
    /// Where it begins.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub offset: u64,
    /// How many bytes, at most 4 MiB.
    pub length: u32,
}

/// A chunk to write into a staged file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct StageItem {
    /// The staged file; made when first named.
    pub stage: StageId,
    /// Where the chunk goes.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub offset: u64,
    /// How long the chunk is, in bytes.
    pub length: u32,
    /// What it must hash to, read back from the staged file; else [`Corrupt`](super::Failure::Corrupt).
    pub hash: Hash,
    /// Where its bytes are.
    pub source: StageSource,
}

/// Where a chunk's bytes come from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum StageSource {
    /// They are here.
    Bytes {
        /// The chunk.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// They lie in a file of the root.
    Copy {
        /// The file.
        path: String,
        /// Where they begin in it.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        offset: u64,
    },
}

/// One change of the tree, made only if the path is as expected.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct CommitItem {
    /// Where. Its parent directories must be real directories inside the root, no links; else
    /// [`Changed`](super::Failure::Changed).
    pub path: String,
    /// What must stand there (kind, size, times, identity; of a directory kind and identity); none: nothing at all. Else
    /// [`Changed`](super::Failure::Changed), and the tree is as before. A host that looks again after it moved what stood
    /// there compares no status change time, which moving may have changed.
    pub expect: Option<Stat>,
    /// What shall stand there.
    pub put: Put,
    /// The plain name's path where this is a conflict copy.
    pub conflict_of: Option<String>,
}

/// What a commit puts at a path. What stood there moves to the local history, unless it is a directory, which is
/// removed only when empty ([`NotEmpty`](super::Failure::NotEmpty)).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Put {
    /// A staged file, whole and checked.
    File {
        /// The staged file; an empty file if it was never written to. In a dry run it does not exist.
        stage: StageId,
        /// What it holds.
        content: Content,
        /// Permission bits.
        mode: u16,
        /// Modification time, nanoseconds since 1970.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        modified_ns: i64,
    },
    /// A symbolic link.
    Symlink {
        /// Its target.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        target: Vec<u8>,
    },
    /// A new directory, made with these bits and the owner's read, write and search.
    Directory {
        /// Permission bits.
        mode: u16,
    },
    /// The same file or directory with other permission bits.
    Mode {
        /// Permission bits.
        mode: u16,
    },
    /// Nothing.
    Nothing,
}

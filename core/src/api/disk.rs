//! What stands on a disk, as a host sees it.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Hash;

/// What a name in a directory is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum EntryKind {
    /// A regular file.
    File,
    /// A directory.
    Directory,
    /// A symbolic link; never followed.
    Symlink,
    /// A socket, device or pipe: not kept, left alone.
    Special,
    /// A name that is no UTF-8, given with replacement characters: left alone, noticed.
    Unnameable,
}

/// A path's metadata. Two equal ones, both settled, mean that nothing was written in between.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Stat {
    /// What it is.
    pub kind: EntryKind,
    /// Bytes of a file, 0 for others.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub size: u64,
    /// Permission bits, 0o777 at most; 0 where the platform has none. What is told as 0 keeps the bits that it has on
    /// other platforms.
    pub mode: u16,
    /// Modification time, nanoseconds since 1970.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub modified_ns: i64,
    /// Status change time, nanoseconds since 1970; 0 where the platform has none.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub changed_ns: i64,
    /// The file's identity on its device (an inode number); 0 where the platform has none.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub file_id: u64,
    /// The modification time lay so far back when this was read (20 ms; 2 s on coarse file systems) that a later
    /// write must show another one, and so did the change time where it is coarse (whole seconds or worse): what is put
    /// there with an old modification time shows itself by that alone.
    pub settled: bool,
}

/// What stands at a path: the part of it that is compared and carried.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Content {
    /// A file's bytes.
    File {
        /// The content id: the hash of the only chunk, or of the manifest (`docs/protocol.md` §5).
        hash: Hash,
        /// How many bytes.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        size: u64,
    },
    /// A symbolic link's target, as it was written.
    Symlink {
        /// The target's bytes; any but NUL, at most 4,095.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        target: Vec<u8>,
    },
    /// A directory.
    Directory,
}

//! Content ids as a host computes them.

use syncline_core::api::{Content, Hash};

/// What a file with these bytes holds, and its manifest.
pub fn content(bytes: &[u8]) -> (Content, Vec<u8>) {
    (Content::File { hash: chunk(bytes), size: bytes.len() as u64 }, Vec::new())
}

/// A chunk's hash.
pub fn chunk(bytes: &[u8]) -> Hash {
    blake3::hash(bytes).into()
}

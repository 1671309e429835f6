//! Content ids as a host computes them.

use syncline_core::{
    api::{Content, Hash},
    content,
};

/// What a file with these bytes holds, and its manifest where it has more than one chunk.
pub fn content(bytes: &[u8]) -> (Content, Vec<u8>) {
    let hashed = content::hash(bytes).expect("a file in memory is not too large");
    (hashed.content, hashed.manifest.map_or_else(Vec::new, |manifest| manifest.encode()))
}

/// A chunk's hash.
pub fn chunk(bytes: &[u8]) -> Hash {
    content::chunk_hash(bytes)
}

//! Chunks, manifests and content ids: what a file's bytes are called.
//!
//! A file is cut into chunks where its own bytes say so (FastCDC), so that an insertion moves no cut but those
//! nearby. Each chunk is named by its BLAKE3 hash. The *content id* of a file of one chunk, the empty file included, is
//! that chunk's hash; otherwise it is the hash of its [`Manifest`], the list of its chunks, in BLAKE3's key derivation
//! mode. So every byte is hashed once, a manifest is checked at once against the content id, and each chunk against the
//! manifest: a source that lies is named before anything of it is kept.
//!
//! Everything here is a pure function of the bytes. Hosts run it on any thread: [`Hasher`] for a file read in pieces, on
//! one thread or several, and [`hash`](fn@hash) for one that is in memory.

mod cutter;
mod gear;
mod hasher;
mod manifest;
mod scale;
#[cfg(test)]
mod tests;
#[cfg(test)]
mod vectors;

pub use hasher::{HashError, Hashed, Hasher, hash, shares, verify};
pub use manifest::{Chunk, Manifest, ManifestError};
pub use scale::{CHUNK_MAX, CHUNK_MIN, FILE_MAX, Scale};

use crate::api::Hash;

/// The name of a chunk: BLAKE3 of its bytes.
pub fn chunk_hash(bytes: &[u8]) -> Hash {
    blake3::hash(bytes).into()
}

//! Directory listings, packed: many entries cross the boundary as one byte array.
//!
//! The format is postcard's: for each entry its name (length as a varint, then UTF-8), and the fields of [`Stat`] in
//! their order (kind as a varint from 0; `size`, `mode`, `file_id` as varints; times as zigzag varints; `settled` as
//! one byte). Entries stand one behind the other; the array's end is the listing's end.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::Stat;

/// One name in a directory.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The name.
    pub name: String,
    /// Its metadata.
    pub stat: Stat,
}

/// Adds an entry to a packed listing.
pub fn push(listing: &mut Vec<u8>, name: &str, stat: &Stat) {
    #[derive(Serialize)]
    struct Borrowed<'a> {
        name: &'a str,
        stat: &'a Stat,
    }
    if let Ok(bytes) = postcard::to_extend(&Borrowed { name, stat }, core::mem::take(listing)) {
        *listing = bytes;
    }
}

/// Reads a packed listing.
///
/// # Errors
/// A listing that ends in the middle of an entry or holds what no entry is.
pub fn entries(mut listing: &[u8]) -> Result<Vec<Entry>, InvalidListing> {
    let mut entries = Vec::new();
    while !listing.is_empty() {
        let (entry, rest) = postcard::take_from_bytes(listing).map_err(|_| InvalidListing)?;
        entries.push(entry);
        listing = rest;
    }
    Ok(entries)
}

/// Bytes given as a listing that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packed listing is malformed")]
pub struct InvalidListing;

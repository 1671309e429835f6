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
/// A listing that ends in the middle of an entry, holds what no entry is, or says it in another form than
/// [`push`] does.
pub fn entries(mut listing: &[u8]) -> Result<Vec<Entry>, InvalidListing> {
    let mut entries = Vec::new();
    let mut again = Vec::new();
    while !listing.is_empty() {
        let (entry, rest): (Entry, _) = postcard::take_from_bytes(listing).map_err(|_| InvalidListing)?;
        again.clear();
        push(&mut again, &entry.name, &entry.stat);
        // What is left behind the entry's only form must be what is left behind the entry.
        if listing.strip_prefix(again.as_slice()) != Some(rest) {
            return Err(InvalidListing);
        }
        entries.push(entry);
        listing = rest;
    }
    Ok(entries)
}

/// Bytes given as a listing that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the packed listing is malformed")]
pub struct InvalidListing;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::EntryKind;

    #[test]
    fn a_listing_is_read_as_it_was_written_and_in_no_other_form() {
        let stat = Stat {
            kind: EntryKind::File,
            size: 5,
            mode: 0o644,
            modified_ns: -1,
            changed_ns: 0,
            file_id: 9,
            settled: true,
        };
        let mut listing = Vec::new();
        push(&mut listing, "a", &stat);
        push(&mut listing, "b", &stat);
        let names: Vec<_> = entries(&listing).unwrap().into_iter().map(|entry| entry.name).collect();
        assert_eq!(names, ["a", "b"]);
        assert_eq!(entries(&listing[..listing.len() - 1]), Err(InvalidListing));

        // The size, 5, as a longer number.
        let at = listing.iter().position(|byte| *byte == 5).unwrap();
        listing.splice(at..=at, [0x85, 0]);
        assert_eq!(entries(&listing), Err(InvalidListing));
    }
}

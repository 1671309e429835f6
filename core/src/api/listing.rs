//! Directory listings, packed: many entries cross the boundary as one byte array.
//!
//! The format is postcard's: for each entry its name (length as a varint, then UTF-8), and the fields of [`Stat`] in
//! their order (kind as a varint from 0; `size`, `mode`, `file_id` as varints; times as zigzag varints; `settled` as
//! one byte). Entries stand one behind the other; the array's end is the listing's end.
//!
//! A page of a message folder needs less: for each entry its kind (a varint from 0) and its name.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FolderEntryKind, Stat};

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

/// Adds an entry to a packed page of a message folder.
pub fn push_name(names: &mut Vec<u8>, kind: FolderEntryKind, name: &str) {
    if let Ok(bytes) = postcard::to_extend(&(kind, name), core::mem::take(names)) {
        *names = bytes;
    }
}

/// Reads a packed page of a message folder, entry by entry. It ends with the first error.
pub fn names(mut names: &[u8]) -> impl Iterator<Item = Result<(FolderEntryKind, &str), InvalidListing>> {
    core::iter::from_fn(move || {
        if names.is_empty() {
            return None;
        }
        let entry = postcard::take_from_bytes(core::mem::take(&mut names));
        Some(entry.map_err(|_| InvalidListing).map(|(entry, rest)| {
            names = rest;
            entry
        }))
    })
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
    fn names_are_read_as_they_were_written_up_to_the_first_error() {
        let mut page = Vec::new();
        push_name(&mut page, FolderEntryKind::File, "a");
        push_name(&mut page, FolderEntryKind::Placeholder, "ff");
        let written = [Ok((FolderEntryKind::File, "a")), Ok((FolderEntryKind::Placeholder, "ff"))];
        assert!(names(&page).eq(written));
        assert!(names(&page[..page.len() - 1]).eq([written[0], Err(InvalidListing)]));
    }

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

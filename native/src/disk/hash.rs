//! Content ids of files and links.

use std::ops::Range;

use rustix::fd::{AsFd, OwnedFd};
use rustix::io::Errno;
use syncline_core::api::{Content, EntryKind, Failure, HashItem, HashResult, Stat};
use syncline_core::content::{self, HashError, Hashed, Hasher};

use super::Disk;
use super::failure::failure;
use super::open::{open_file, read_full};
use super::stat::{stat_at, stat_of};
use super::tree::Directories;

/// Files of at most this many bytes are read by one call.
const WHOLE_BYTES_MAX: u64 = 1024 * 1024;
/// How much of a larger file is read by one call.
const PIECE_BYTES: usize = 1024 * 1024;
/// Files below this are not worth two threads.
const SHARED_BYTES_MIN: u64 = 64 * 1024 * 1024;
/// The longest target of a link.
const TARGET_BYTES_MAX: usize = 4095;

/// Memory that is used again for each file.
#[derive(Default)]
pub(crate) struct Buffer {
    bytes: Vec<u8>,
}

impl Buffer {
    pub(crate) fn of(&mut self, length: usize) -> &mut [u8] {
        if self.bytes.len() < length {
            self.bytes.resize(length, 0);
        }
        self.bytes.get_mut(..length).unwrap_or_default()
    }
}

/// A share of a large file, hashed by one thread.
pub(crate) struct Part {
    file: OwnedFd,
    before: Stat,
    hasher: Hasher,
}

/// The shares that this many threads may hash a file of this size in; one where it is not worth dividing.
pub(crate) fn shares(size: u64, threads: u32) -> Vec<Range<u64>> {
    if size < SHARED_BYTES_MIN || threads < 2 {
        return std::iter::once(0..size).collect();
    }
    content::shares(size, threads)
}

impl Disk {
    /// Reads and hashes files and links, one after the other.
    pub(crate) fn hash(&self, items: &[HashItem], buffer: &mut Buffer) -> Vec<HashResult> {
        let mut directories = Directories::new(&self.tree);
        items.iter().map(|item| result(hash_one(&mut directories, &item.path, buffer))).collect()
    }

    /// Hashes one share of a large file.
    pub(crate) fn hash_share(&self, item: &HashItem, share: Range<u64>, buffer: &mut Buffer) -> Result<Part, Failure> {
        let (directory, name) = Directories::new(&self.tree).parent(&item.path, failure)?;
        let file = open_file(&directory, name).map_err(changed_kind)?;
        let before = stat_of(&file).map_err(failure)?;
        if before.kind != EntryKind::File || before.size != item.size {
            return Err(Failure::Changed);
        }
        let mut hasher = Hasher::part(before.size, share.start).map_err(refused)?;
        feed(&file, &mut hasher, share, buffer)?;
        Ok(Part { file, before, hasher })
    }

    /// Joins the shares of a file, in their order.
    pub(crate) fn join_shares(&self, parts: Vec<Result<Part, Failure>>, buffer: &mut Buffer) -> HashResult {
        result(join(parts, buffer))
    }
}

fn join(parts: Vec<Result<Part, Failure>>, buffer: &mut Buffer) -> Result<(Content, Stat, Vec<u8>), Failure> {
    let mut parts = parts.into_iter();
    let Some(first) = parts.next() else { return Err(Failure::Changed) };
    let Part { file, mut before, mut hasher } = first?;
    for part in parts {
        let part = part?;
        // The shares were begun one after the other: that the file settled in between is no change, and counts for none.
        let settled = before.settled && part.before.settled;
        before.settled = settled;
        if (Stat { settled, ..part.before }) != before {
            return Err(Failure::Changed);
        }
        while let Some(range) = hasher.until_joined(&part.hasher) {
            feed(&file, &mut hasher, range, buffer)?;
        }
        hasher.join(part.hasher);
    }
    finish(&file, &before, hasher.finish().map_err(refused)?)
}

fn hash_one(
    directories: &mut Directories<'_>,
    path: &str,
    buffer: &mut Buffer,
) -> Result<(Content, Stat, Vec<u8>), Failure> {
    let (directory, name) = directories.parent(path, failure)?;
    let file = match open_file(&directory, name) {
        Ok(file) => file,
        Err(Errno::LOOP | Errno::MLINK) => return read_link(&directory, name),
        Err(errno) => return Err(changed_kind(errno)),
    };
    let before = stat_of(&file).map_err(failure)?;
    if before.kind != EntryKind::File {
        return Err(Failure::Changed);
    }
    let hashed = if before.size <= WHOLE_BYTES_MAX {
        // One byte more than there should be tells whether the file grew.
        let length = usize::try_from(before.size).map_err(|_| Failure::Changed)?;
        let bytes = buffer.of(length + 1);
        if read_once(&file, bytes).map_err(failure)? != length {
            return Err(Failure::Changed);
        }
        content::hash(bytes.get(..length).unwrap_or_default()).map_err(refused)?
    } else {
        let mut hasher = Hasher::new(before.size).map_err(refused)?;
        feed(&file, &mut hasher, 0..before.size, buffer)?;
        if read_full(&file, buffer.of(1), before.size).map_err(failure)? != 0 {
            return Err(Failure::Changed);
        }
        hasher.finish().map_err(refused)?
    };
    finish(&file, &before, hashed)
}

/// Reads a small file; a read that ends before the buffer does has met the file's end.
fn read_once(file: impl AsFd, buffer: &mut [u8]) -> Result<usize, Errno> {
    loop {
        match rustix::io::pread(&file, &mut *buffer, 0) {
            Err(Errno::INTR) => {}
            result => return result,
        }
    }
}

fn feed(file: &OwnedFd, hasher: &mut Hasher, range: Range<u64>, buffer: &mut Buffer) -> Result<(), Failure> {
    let mut offset = range.start;
    while offset < range.end {
        let length = usize::try_from(range.end - offset).map_or(PIECE_BYTES, |left| left.min(PIECE_BYTES));
        let piece = buffer.of(length);
        if read_full(file, piece, offset).map_err(failure)? != length {
            return Err(Failure::Changed);
        }
        hasher.update(piece);
        offset += length as u64;
    }
    Ok(())
}

fn finish(file: &OwnedFd, before: &Stat, hashed: Hashed) -> Result<(Content, Stat, Vec<u8>), Failure> {
    let mut after = stat_of(file).map_err(failure)?;
    // Whether it was settled counts as of before the reading.
    after.settled = before.settled;
    if after != *before {
        return Err(Failure::Changed);
    }
    Ok((hashed.content, after, hashed.manifest.map(|manifest| manifest.encode()).unwrap_or_default()))
}

fn read_link(directory: &OwnedFd, name: &str) -> Result<(Content, Stat, Vec<u8>), Failure> {
    let before = stat_at(directory, name).map_err(failure)?;
    if before.kind != EntryKind::Symlink {
        return Err(Failure::Changed);
    }
    let target = rustix::fs::readlinkat(directory, name, Vec::new()).map_err(failure)?.into_bytes();
    let mut after = stat_at(directory, name).map_err(failure)?;
    after.settled = before.settled;
    if after != before {
        return Err(Failure::Changed);
    }
    if target.len() > TARGET_BYTES_MAX {
        return Err(Failure::Unrepresentable);
    }
    Ok((Content::Symlink { target }, after, Vec::new()))
}

/// Opening a socket or a device that has taken the place of a file.
fn changed_kind(errno: Errno) -> Failure {
    match errno {
        Errno::NXIO | Errno::NODEV | Errno::LOOP => Failure::Changed,
        errno => failure(errno),
    }
}

fn refused(error: HashError) -> Failure {
    match error {
        HashError::TooLarge { .. } => Failure::Unrepresentable,
        HashError::SizeChanged { .. } => Failure::Changed,
    }
}

fn result(result: Result<(Content, Stat, Vec<u8>), Failure>) -> HashResult {
    match result {
        Ok((content, stat, manifest)) => HashResult::Hashed { content, stat, manifest },
        Err(failure) => HashResult::Failed { failure },
    }
}

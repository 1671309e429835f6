//! Content ids of whole files, read in pieces, by one thread or by several.

use alloc::vec::Vec;
use core::ops::Range;

use super::cutter::Cutter;
use super::manifest::manifest_hash;
use super::{CHUNK_MIN, Chunk, Manifest, Scale, chunk_hash};
use crate::api::{Content, Hash};

/// What hashing a file found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hashed {
    /// [`Content::File`] with the content id and size.
    pub content: Content,
    /// The chunks, if there is more than one.
    pub manifest: Option<Manifest>,
}

/// Why a file has no content id.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum HashError {
    /// Larger than [`FILE_MAX`](super::FILE_MAX).
    #[error("expected a file of at most {} bytes, found {size}; split it or leave it out", super::FILE_MAX)]
    TooLarge {
        /// The file's size.
        size: u64,
    },
    /// The file grew or shrank while it was read.
    #[error("expected a file of {expected} bytes, read {read}; it was written to meanwhile, read it again")]
    SizeChanged {
        /// The size when reading began.
        expected: u64,
        /// Bytes read, up to the first that was too much.
        read: u64,
    },
}

/// Computes a file's content id and manifest from its bytes in order, in pieces of any size; the pieces' borders change
/// nothing. Each byte is hashed once.
///
/// Memory: 2 KiB, and 36 bytes a chunk found.
///
/// # Several threads
///
/// A large file can be read by several threads, each with a [`Hasher::part`] of its own ([`shares`] divides the file).
/// The parts are then joined from the front, which reads a few chunks behind each border again:
///
/// ```
/// # use syncline_core::content::{self, Hasher};
/// # fn main() -> Result<(), content::HashError> {
/// # let file: Vec<u8> = (0..3_000_000_u32).map(|at| (at.wrapping_mul(0x9e37_79b9) >> 24) as u8).collect();
/// # let size = file.len() as u64;
/// # let read = |range: core::ops::Range<u64>| &file[range.start as usize..range.end as usize];
/// let mut parts = Vec::new();
/// for share in content::shares(size, 2) {
///     let mut part = Hasher::part(size, share.start)?; // from here to `push` on a thread of its own
///     part.update(read(share));
///     parts.push(part);
/// }
/// let mut parts = parts.into_iter();
/// let mut whole = parts.next().expect("there is at least one share");
/// for part in parts {
///     while let Some(range) = whole.until_joined(&part) {
///         whole.update(read(range));
///     }
///     whole.join(part);
/// }
/// assert_eq!(whole.finish()?, content::hash(&file)?);
/// # Ok(())
/// # }
/// ```
#[derive(Debug, Clone)]
pub struct Hasher {
    size: u64,
    scale: Scale,
    start: u64,
    /// Behind the last byte taken.
    position: u64,
    cutter: Cutter,
    /// The open chunk's bytes, of which there are `open_length`.
    open: blake3::Hasher,
    open_length: u32,
    chunks: Vec<Chunk>,
}

impl Hasher {
    /// A hasher of a file that has `size` bytes.
    ///
    /// # Errors
    ///
    /// [`HashError::TooLarge`] above [`FILE_MAX`](super::FILE_MAX).
    pub fn new(size: u64) -> Result<Self, HashError> {
        Self::part(size, 0)
    }

    /// A hasher of the part of a file of `size` bytes that begins at `start`, as if a chunk began there.
    ///
    /// # Errors
    ///
    /// [`HashError::TooLarge`] above [`FILE_MAX`](super::FILE_MAX).
    pub fn part(size: u64, start: u64) -> Result<Self, HashError> {
        Ok(Self { start, position: start, ..Self::at(Scale::of(size)?, size) })
    }

    /// A hasher that cuts a file of `size` bytes at another file's scale, to find chunks that the two have in common.
    /// What it finishes with is a content id only if the scale is the file's own.
    pub fn at(scale: Scale, size: u64) -> Self {
        Self {
            size,
            scale,
            start: 0,
            position: 0,
            cutter: Cutter::new(scale),
            open: blake3::Hasher::new(),
            open_length: 0,
            chunks: Vec::new(),
        }
    }

    /// Takes the next bytes. Those behind the stated size are counted and not looked at.
    pub fn update(&mut self, bytes: &[u8]) {
        let count = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        let mut rest = bytes;
        if count > self.size.saturating_sub(self.position) {
            let within = self.size.saturating_sub(self.position);
            rest = bytes.get(..usize::try_from(within).unwrap_or(usize::MAX)).unwrap_or_default();
        }
        self.position = self.position.saturating_add(count);
        while let Some(length) = self.cutter.cut(rest) {
            let (last, next) = rest.split_at_checked(length).unwrap_or((rest, &[]));
            self.close(last);
            rest = next;
        }
        if !rest.is_empty() {
            self.open.update(rest);
            self.open_length = self.open_length.saturating_add(length_of(rest));
        }
    }

    /// Ends the open chunk with `last`.
    fn close(&mut self, last: &[u8]) {
        let length = self.open_length.saturating_add(length_of(last));
        let hash = if self.open_length == 0 {
            chunk_hash(last)
        } else {
            let hash = self.open.update(last).finalize().into();
            self.open.reset();
            hash
        };
        self.open_length = 0;
        self.chunks.push(Chunk { hash, length });
    }

    /// Takes over what the hasher of the next part found, when [`Hasher::until_joined`] asks for nothing more.
    ///
    /// If the two have no cut in common, only this hasher's bytes count; [`Hasher::finish`] then tells the difference.
    pub fn join(&mut self, next: Self) {
        let Some(index) = next.chunk_at(self.open_start()) else { return };
        self.chunks.extend(next.chunks.iter().skip(index));
        self.position = next.position;
        self.cutter = next.cutter;
        self.open = next.open;
        self.open_length = next.open_length;
    }

    /// Bytes to [`update`](Hasher::update) with before the hasher of the next part can be [joined](Hasher::join): both
    /// must have found the same cut, which mostly takes two to four chunks; at worst it is all that `next` has read.
    pub fn until_joined(&self, next: &Self) -> Option<Range<u64>> {
        if self.position >= next.position || next.chunk_at(self.open_start()).is_some() {
            return None;
        }
        let end = self.position.saturating_add(u64::from(self.scale.average()));
        Some(self.position..end.min(next.position))
    }

    /// Where the open chunk begins.
    fn open_start(&self) -> u64 {
        self.position.saturating_sub(u64::from(self.open_length))
    }

    /// The number of the chunk that begins at `offset`; the open chunk comes behind the last closed one.
    fn chunk_at(&self, offset: u64) -> Option<usize> {
        let mut begin = self.start;
        for (index, chunk) in self.chunks.iter().enumerate() {
            if begin >= offset {
                return (begin == offset).then_some(index);
            }
            begin = begin.saturating_add(u64::from(chunk.length));
        }
        (begin == offset).then_some(self.chunks.len())
    }

    /// Behind the last byte taken.
    pub const fn position(&self) -> u64 {
        self.position
    }

    /// The content id and manifest.
    ///
    /// # Errors
    ///
    /// [`HashError::SizeChanged`] unless exactly the stated number of bytes was taken, from the first on.
    pub fn finish(mut self) -> Result<Hashed, HashError> {
        if self.position != self.size || self.start != 0 {
            return Err(HashError::SizeChanged { expected: self.size, read: self.position.saturating_sub(self.start) });
        }
        if self.open_length > 0 || self.chunks.is_empty() {
            self.close(&[]);
        }
        Ok(hashed(self.chunks, self.size))
    }
}

fn hashed(chunks: Vec<Chunk>, size: u64) -> Hashed {
    match chunks.as_slice() {
        [chunk] => Hashed { content: Content::File { hash: chunk.hash, size }, manifest: None },
        _ => {
            let manifest = Manifest::of(chunks, size);
            let hash = manifest_hash(&manifest.encode());
            Hashed { content: Content::File { hash, size }, manifest: Some(manifest) }
        }
    }
}

/// The content id and manifest of a file whose bytes are all here.
///
/// # Errors
///
/// [`HashError::TooLarge`] above [`FILE_MAX`](super::FILE_MAX).
pub fn hash(bytes: &[u8]) -> Result<Hashed, HashError> {
    let size = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
    if size <= u64::from(CHUNK_MIN) {
        return Ok(Hashed { content: Content::File { hash: chunk_hash(bytes), size }, manifest: None });
    }
    let mut hasher = Hasher::new(size)?;
    hasher.update(bytes);
    hasher.finish()
}

/// Whether `bytes` are the file of this content id: the check of a file put together from chunks.
pub fn verify(bytes: &[u8], content: &Hash) -> bool {
    hash(bytes).is_ok_and(|hashed| matches!(hashed.content, Content::File { hash, .. } if hash == *content))
}

/// Shares of a file of `size` bytes for at most `threads` threads, in order and without gaps: as equal as can be, each
/// large enough that reading a few chunks twice does not count. One share if more do not pay.
pub fn shares(size: u64, threads: u32) -> Vec<Range<u64>> {
    /// Two percent of this are read twice at most.
    const CHUNKS_MIN: u64 = 128;
    let average = Scale::of(size).map_or(u64::MAX, |scale| u64::from(scale.average()));
    let most = size.checked_div(average.saturating_mul(CHUNKS_MIN)).unwrap_or(1);
    let count = most.min(u64::from(threads)).max(1);
    let share = size.div_ceil(count);
    (0..count)
        .map(|index| {
            let start = index.saturating_mul(share);
            start.min(size)..start.saturating_add(share).min(size)
        })
        .collect()
}

fn length_of(bytes: &[u8]) -> u32 {
    u32::try_from(bytes.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_scale_cuts_in_its_limits() {
        const GIB: u64 = 1 << 30;
        let mut bytes = std::vec![0; 24 << 20];
        blake3::Hasher::new().finalize_xof().fill(&mut bytes);
        for size in [GIB / 4, GIB / 4 + 1, 4 * GIB + 1, 64 * GIB + 1] {
            let mut hasher = Hasher::new(size).unwrap();
            hasher.update(&bytes);
            let scale = Scale::of(size).unwrap();
            assert!(hasher.chunks.len() > 5);
            for chunk in &hasher.chunks {
                assert!((scale.min()..=scale.max()).contains(&chunk.length), "{size}: {}", chunk.length);
            }
        }
    }
}

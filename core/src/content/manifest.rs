//! The list of a file's chunks.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{HashError, Scale, chunk_hash};
use crate::api::Hash;

/// Names what a manifest's hash is of, so that no chunk's bytes can be passed off as a manifest.
const CONTEXT: &str = "syncline 2026-11 content manifest v1";

/// The most bytes that one entry takes: the hash, and a length below 2²⁸.
const ENTRY_BYTES_MAX: u64 = 32 + 4;

/// The most bytes that the number of entries takes.
const COUNT_BYTES_MAX: u64 = 5;

/// A piece of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Chunk {
    /// BLAKE3 of its bytes.
    pub hash: Hash,
    /// How many bytes, at most [`CHUNK_MAX`](super::CHUNK_MAX); never 0 in a manifest.
    pub length: u32,
}

impl Chunk {
    /// Whether `bytes` are this chunk's: the check of what a source gave, and of what was written and read back.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        u32::try_from(bytes.len()) == Ok(self.length) && chunk_hash(bytes) == self.hash
    }
}

/// The chunks of a file of at least two, in their order. Its hash is the file's content id.
///
/// A manifest shows what bytes a content id stands for, not that they were cut as [`hash`](fn@super::hash) would cut
/// them: only hashing the whole file shows that, and a file put together from a wrongly cut manifest has another id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manifest {
    chunks: Vec<Chunk>,
    size: u64,
}

/// Why bytes are not the manifest of a content id.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ManifestError {
    /// No file of this size is kept.
    #[error(transparent)]
    Size(#[from] HashError),
    /// More bytes than any manifest of a file of this size has.
    #[error("expected a manifest of at most {max} bytes, found {found}; do not ask this source again")]
    TooLong {
        /// The most that is possible.
        max: u64,
        /// How many were given.
        found: u64,
    },
    /// The bytes hash to something else than the content id.
    #[error("expected the manifest of content {expected}, found one of {found}; ask another source")]
    Content {
        /// The content id asked for.
        expected: Hash,
        /// The content id of what was given.
        found: Hash,
    },
    /// The content id is that of bytes that are no canonical list of at least two chunks.
    #[error(
        "expected a canonical list of at least two chunks, found other bytes; the file's author must write it again"
    )]
    Form,
    /// A chunk is shorter or longer than files of this size have.
    #[error("expected chunks of {min} to {max} bytes, found one of {found}; the file's author must write it again")]
    Length {
        /// The shortest chunk but the last.
        min: u32,
        /// The longest chunk.
        max: u32,
        /// What was found.
        found: u32,
    },
    /// The chunks together are not as long as the file.
    #[error("expected chunks of {expected} bytes together, found {found}; the file's author must write it again")]
    Sum {
        /// The file's size.
        expected: u64,
        /// The chunks' lengths together.
        found: u64,
    },
}

impl Manifest {
    /// The manifest of chunks that were just found, at least two of them.
    pub(super) fn of(chunks: Vec<Chunk>, size: u64) -> Self {
        Self { chunks, size }
    }

    /// Reads a manifest that a peer or a store gave for the file of this content id and size.
    ///
    /// Nothing is allocated before the bytes have shown that they are the content id's, and then no more than a small
    /// multiple of their length.
    ///
    /// # Errors
    ///
    /// [`ManifestError::TooLong`] and [`ManifestError::Content`] are the source's fault, the others the file's author's.
    pub fn decode(bytes: &[u8], content: &Hash, size: u64) -> Result<Self, ManifestError> {
        let scale = Scale::of(size)?;
        let max = encoded_max(scale, size);
        let found = u64::try_from(bytes.len()).unwrap_or(u64::MAX);
        if found > max {
            return Err(ManifestError::TooLong { max, found });
        }
        let hash = manifest_hash(bytes);
        if hash != *content {
            return Err(ManifestError::Content { expected: *content, found: hash });
        }
        let chunks: Vec<Chunk> = postcard::from_bytes(bytes).map_err(|_| ManifestError::Form)?;
        let manifest = Self { chunks, size };
        if manifest.chunks.len() < 2 || manifest.encode() != bytes {
            return Err(ManifestError::Form);
        }
        manifest.check_lengths(scale)?;
        Ok(manifest)
    }

    fn check_lengths(&self, scale: Scale) -> Result<(), ManifestError> {
        let (min, max) = (scale.min(), scale.max());
        let last = self.chunks.len().saturating_sub(1);
        let mut sum = 0_u64;
        for (index, chunk) in self.chunks.iter().enumerate() {
            let least = if index == last { 1 } else { min };
            if chunk.length < least || chunk.length > max {
                return Err(ManifestError::Length { min, max, found: chunk.length });
            }
            sum = sum.saturating_add(u64::from(chunk.length));
        }
        if sum != self.size {
            return Err(ManifestError::Sum { expected: self.size, found: sum });
        }
        Ok(())
    }

    /// The file's chunks in their order.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// The file's chunks in their order, each with the offset of its first byte.
    pub fn with_offsets(&self) -> impl Iterator<Item = (u64, Chunk)> + '_ {
        self.chunks.iter().scan(0_u64, |next, chunk| {
            let offset = *next;
            *next = next.saturating_add(u64::from(chunk.length));
            Some((offset, *chunk))
        })
    }

    /// The file's size in bytes.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// The content id that this manifest stands for.
    pub fn content_hash(&self) -> Hash {
        manifest_hash(&self.encode())
    }

    /// The canonical bytes: postcard of the list of hashes and lengths.
    pub fn encode(&self) -> Vec<u8> {
        let capacity = self.chunks.len().saturating_mul(36).saturating_add(5);
        // Serializing plain numbers and arrays into a growing vector has no way to fail.
        postcard::to_extend(&self.chunks, Vec::with_capacity(capacity)).unwrap_or_default()
    }
}

/// The content id of a file with this manifest.
pub(super) fn manifest_hash(bytes: &[u8]) -> Hash {
    Hash::from_bytes(blake3::derive_key(CONTEXT, bytes))
}

/// The most bytes a manifest of a file of `size` bytes has.
fn encoded_max(scale: Scale, size: u64) -> u64 {
    let chunks_max = size.div_ceil(u64::from(scale.min()).max(1));
    chunks_max.saturating_mul(ENTRY_BYTES_MAX).saturating_add(COUNT_BYTES_MAX)
}

#[cfg(test)]
mod tests {
    use std::vec;

    use proptest::prelude::*;

    use super::*;
    use crate::content::{CHUNK_MIN, FILE_MAX};

    const MIN: u32 = CHUNK_MIN;

    fn manifest(lengths: &[u32]) -> Manifest {
        let chunk = |(index, length): (usize, &u32)| Chunk { hash: chunk_hash(&index.to_le_bytes()), length: *length };
        let size = lengths.iter().map(|length| u64::from(*length)).sum();
        Manifest::of(lengths.iter().enumerate().map(chunk).collect(), size)
    }

    /// Decodes bytes under their own content id, as if their author had published them.
    fn decode(bytes: &[u8], size: u64) -> Result<Manifest, ManifestError> {
        Manifest::decode(bytes, &manifest_hash(bytes), size)
    }

    #[test]
    fn encoded_manifest_decodes_to_itself() {
        for lengths in [&[MIN, 1][..], &[MIN, MIN, MIN], &[4 * 65_536, 3 * 65_536, 77]] {
            let manifest = manifest(lengths);
            let content = manifest.content_hash();
            assert_eq!(Manifest::decode(&manifest.encode(), &content, manifest.size()), Ok(manifest));
        }
    }

    #[test]
    fn encoding_is_a_count_then_hashes_and_lengths() {
        let manifest = manifest(&[MIN, 1]);
        let mut bytes = vec![2];
        bytes.extend(manifest.chunks()[0].hash.as_bytes());
        bytes.extend([0x80, 0x80, 0x03]);
        bytes.extend(manifest.chunks()[1].hash.as_bytes());
        bytes.push(1);
        assert_eq!(manifest.encode(), bytes);
    }

    #[test]
    fn offsets_follow_from_the_lengths() {
        let manifest = manifest(&[MIN, MIN + 5, 1]);
        let offsets: Vec<u64> = manifest.with_offsets().map(|(offset, _)| offset).collect();
        assert_eq!(offsets, [0, u64::from(MIN), u64::from(2 * MIN + 5)]);
    }

    #[test]
    fn manifest_of_other_content_is_the_sources_fault() {
        let (asked, given) = (manifest(&[MIN, 1]), manifest(&[MIN, 2]));
        let error = Manifest::decode(&given.encode(), &asked.content_hash(), asked.size()).unwrap_err();
        assert_eq!(error, ManifestError::Content { expected: asked.content_hash(), found: given.content_hash() });
    }

    #[test]
    fn chunk_cannot_be_passed_off_as_a_manifest() {
        let bytes = manifest(&[MIN, 1]).encode();
        assert_ne!(chunk_hash(&bytes), manifest_hash(&bytes));
        assert!(matches!(Manifest::decode(&bytes, &chunk_hash(&bytes), 49_153), Err(ManifestError::Content { .. })));
    }

    #[test]
    fn fewer_than_two_chunks_are_refused() {
        assert_eq!(decode(&[0], 0), Err(ManifestError::Form));
        assert_eq!(decode(&manifest(&[MIN]).encode(), u64::from(MIN)), Err(ManifestError::Form));
    }

    #[test]
    fn count_beyond_the_bytes_is_refused() {
        let mut bytes = vec![0xff, 0xff, 0xff, 0xff, 0x0f];
        bytes.extend([0; 60]);
        assert_eq!(decode(&bytes, FILE_MAX), Err(ManifestError::Form));
    }

    #[test]
    fn lengthened_numbers_and_trailing_bytes_are_refused() {
        let manifest = manifest(&[MIN, 1]);
        let bytes = manifest.encode();
        let mut lengthened = vec![0x82, 0x00];
        lengthened.extend(&bytes[1..]);
        assert_eq!(decode(&lengthened, manifest.size()), Err(ManifestError::Form));
        let mut trailing = bytes.clone();
        trailing.push(0);
        assert_eq!(decode(&trailing, manifest.size()), Err(ManifestError::Form));
        assert_eq!(decode(&bytes[..bytes.len() - 1], manifest.size()), Err(ManifestError::Form));
    }

    #[test]
    fn lengths_outside_the_scale_are_refused() {
        for lengths in [&[MIN - 1, MIN][..], &[MIN + 1, 0], &[256 * 1024 + 1, 5], &[MIN, MIN, 256 * 1024 + 1]] {
            let manifest = manifest(lengths);
            let error = decode(&manifest.encode(), manifest.size()).unwrap_err();
            assert!(matches!(error, ManifestError::Length { .. }), "{lengths:?}: {error}");
        }
    }

    #[test]
    fn lengths_that_do_not_add_up_are_refused() {
        let manifest = manifest(&[MIN, 7]);
        let size = manifest.size();
        for stated in [size - 1, size + 1] {
            assert_eq!(decode(&manifest.encode(), stated), Err(ManifestError::Sum { expected: stated, found: size }));
        }
    }

    #[test]
    fn more_bytes_than_a_file_of_the_size_needs_are_refused_before_they_are_hashed() {
        let content = manifest_hash(&[]);
        let error = Manifest::decode(&vec![0; 10_000], &content, 100_000).unwrap_err();
        assert_eq!(error, ManifestError::TooLong { max: 3 * 36 + 5, found: 10_000 });
    }

    #[test]
    fn size_above_the_largest_is_refused() {
        let error = decode(&[2], FILE_MAX + 1).unwrap_err();
        assert_eq!(error, ManifestError::Size(HashError::TooLarge { size: FILE_MAX + 1 }));
    }

    #[test]
    fn manifest_of_the_largest_file_stays_below_its_stated_size() {
        assert!(encoded_max(Scale::of(FILE_MAX).unwrap(), FILE_MAX) < 25_300_000);
        for (size, most) in [(1 << 28, 200_000), (1 << 32, 790_000), (1 << 34, 790_000), (1 << 36, 3_200_000)] {
            let found = encoded_max(Scale::of(size).unwrap(), size);
            assert!(found < most, "{size}: {found}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_decode_to_another_form(bytes in prop::collection::vec(any::<u8>(), 0..300), size in any::<u64>()) {
            if let Ok(manifest) = decode(&bytes, size) {
                prop_assert_eq!(manifest.encode(), bytes);
                prop_assert_eq!(manifest.size(), size);
            }
        }

        #[test]
        fn damaged_manifest_is_refused_or_canonical(at in 0_usize..140, to in any::<u8>(), size in 0_u64..500_000) {
            let mut bytes = manifest(&[MIN, MIN + 1, MIN + 2, 9]).encode();
            let at = at % bytes.len();
            bytes[at] = to;
            if let Ok(manifest) = decode(&bytes, size) {
                prop_assert_eq!(manifest.encode(), bytes);
            }
        }
    }
}

//! How large the chunks of a file are.

use super::HashError;

const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;
const GIB: u64 = 1024 * 1024 * 1024;

/// Files of at most this many bytes are one chunk and never have a manifest.
///
/// 32 KiB: below it a request costs more than the bytes that finer chunks could save, and BLAKE3 needs 16 KiB in one
/// piece to fill its widest vectors.
pub const CHUNK_MIN: u32 = 32 * KIB;

/// No chunk is larger: it must fit into one message and into the memory of a small device several times.
pub const CHUNK_MAX: u32 = 4 * MIB;

/// The largest file that is kept. With chunks of at least 1 MiB its manifest has at most 2¹⁹ entries, below 18 MiB.
pub const FILE_MAX: u64 = 512 * GIB;

/// The sizes of a file's chunks: a function of the file's size alone, so that equal bytes have equal ids everywhere.
///
/// Chunks grow with the file so that a manifest stays small beside it: below 300 kB for 256 MiB, about 0.5 MB for 4 and
/// for 16 GiB. Steps of four rather than two, because a file that grows past a step is cut anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    min: u32,
    normal: u32,
    max: u32,
    strict: u64,
    loose: u64,
}

impl Scale {
    /// The scale of files of `size` bytes.
    ///
    /// # Errors
    ///
    /// [`HashError::TooLarge`] above [`FILE_MAX`].
    pub const fn of(size: u64) -> Result<Self, HashError> {
        const SMALL: u64 = GIB / 4;
        const MEDIUM: u64 = 4 * GIB;
        const LARGE: u64 = 64 * GIB;
        if size <= SMALL {
            Ok(Self::new(CHUNK_MIN, 16, 256 * KIB))
        } else if size <= MEDIUM {
            Ok(Self::new(128 * KIB, 18, MIB))
        } else if size <= LARGE {
            Ok(Self::new(512 * KIB, 20, CHUNK_MAX))
        } else if size <= FILE_MAX {
            Ok(Self::new(MIB, 21, CHUNK_MAX))
        } else {
            Err(HashError::TooLarge { size })
        }
    }

    /// `normal` is a power of two, given by its exponent. Two bits harder before and two bits easier behind it is what
    /// the paper found best (FastCDC, §3.5, "normalization level 2").
    const fn new(min: u32, normal_bits: u32, max: u32) -> Self {
        Self {
            min,
            normal: 1 << normal_bits,
            max,
            strict: u64::MAX >> (normal_bits + 2),
            loose: u64::MAX >> (normal_bits - 2),
        }
    }

    /// Every chunk but a file's last has at least this many bytes.
    pub const fn min(&self) -> u32 {
        self.min
    }

    /// Behind this length cuts become likely; the average chunk is about a sixth longer.
    pub const fn normal(&self) -> u32 {
        self.normal
    }

    /// No chunk has more bytes.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// A cut before the normal length: the gear hash is at most this.
    pub(super) const fn strict(&self) -> u64 {
        self.strict
    }

    /// A cut behind the normal length: the gear hash is at most this.
    pub(super) const fn loose(&self) -> u64 {
        self.loose
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scale_changes_only_at_the_stated_sizes() {
        let cases = [
            (0, CHUNK_MIN),
            (GIB / 4, CHUNK_MIN),
            (GIB / 4 + 1, 128 * KIB),
            (4 * GIB, 128 * KIB),
            (4 * GIB + 1, 512 * KIB),
            (64 * GIB, 512 * KIB),
            (64 * GIB + 1, MIB),
            (FILE_MAX, MIB),
        ];
        for (size, min) in cases {
            assert_eq!(Scale::of(size).unwrap().min(), min, "size {size}");
        }
    }

    #[test]
    fn scale_refuses_files_above_the_largest() {
        assert_eq!(Scale::of(FILE_MAX + 1), Err(HashError::TooLarge { size: FILE_MAX + 1 }));
        assert!(Scale::of(u64::MAX).is_err());
    }

    #[test]
    fn every_scale_keeps_its_sizes_in_order() {
        for size in [0, GIB, 16 * GIB, FILE_MAX] {
            let scale = Scale::of(size).unwrap();
            assert!(CHUNK_MIN <= scale.min() && scale.min() < scale.normal());
            assert!(scale.normal() < scale.max() && scale.max() <= CHUNK_MAX);
            assert!(scale.strict() < scale.loose());
        }
    }
}

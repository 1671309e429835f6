//! How large the chunks of a file are.

use super::HashError;

const KIB: u32 = 1024;
const MIB: u32 = 1024 * KIB;
const GIB: u64 = 1024 * 1024 * 1024;

/// Files of at most this many bytes are one chunk and never have a manifest.
///
/// 48 KiB: below it a request costs more than the bytes that finer chunks could save, and BLAKE3 needs 16 KiB in one
/// piece to fill its widest vectors.
pub const CHUNK_MIN: u32 = 48 * KIB;

/// No chunk is larger: it must fit into one message and several times into the memory of a small device.
pub const CHUNK_MAX: u32 = 4 * MIB;

/// The largest file that is kept, 1 TiB. With chunks of at least 1.5 MiB its manifest has below 700,000 entries of 36
/// bytes, 25 MB.
pub const FILE_MAX: u64 = 1024 * GIB;

/// The sizes of a file's chunks: a function of the file's size alone, so that equal bytes have equal ids everywhere.
///
/// | file up to | least | average | most | manifest, at most |
/// |---|---|---|---|---|
/// | 256 MiB | 48 KiB | 64 KiB | 256 KiB | 0.2 MB |
/// | 4 GiB | 192 KiB | 256 KiB | 1 MiB | 0.8 MB |
/// | 64 GiB | 768 KiB | 1 MiB | 4 MiB | 3.2 MB (0.8 MB for 16 GiB) |
/// | 1 TiB | 1.5 MiB | 2 MiB | 4 MiB | 25.2 MB |
///
/// Steps of four rather than two, because a file that grows past a step is cut anew. To find the chunks of a new
/// version in an old one of another step, the old one is cut at the new one's scale ([`Hasher::at`](super::Hasher::at)).
///
/// The minimum is three quarters of the average, and behind it each place is a cut with the same chance, four in an
/// average. FastCDC's usual sizes (a quarter, a harder condition before the average and an easier one behind it)
/// narrow the lengths as much but search twice to three times as many bytes, and on random edits resend as many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Scale {
    average_bits: u32,
    max: u32,
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
            Ok(Self { average_bits: 16, max: 256 * KIB })
        } else if size <= MEDIUM {
            Ok(Self { average_bits: 18, max: MIB })
        } else if size <= LARGE {
            Ok(Self { average_bits: 20, max: CHUNK_MAX })
        } else if size <= FILE_MAX {
            Ok(Self { average_bits: 21, max: CHUNK_MAX })
        } else {
            Err(HashError::TooLarge { size })
        }
    }

    /// Every chunk but a file's last has at least this many bytes.
    pub const fn min(&self) -> u32 {
        3_u32.wrapping_shl(self.average_bits.saturating_sub(2))
    }

    /// How many bytes a chunk has on average.
    pub const fn average(&self) -> u32 {
        1_u32.wrapping_shl(self.average_bits)
    }

    /// No chunk has more bytes.
    pub const fn max(&self) -> u32 {
        self.max
    }

    /// A place behind the minimum is a cut if the gear hash there is at most this: a chance of four in an average.
    pub(super) const fn threshold(&self) -> u64 {
        u64::MAX.wrapping_shr(self.average_bits.saturating_sub(2))
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
            (GIB / 4 + 1, 192 * KIB),
            (4 * GIB, 192 * KIB),
            (4 * GIB + 1, 768 * KIB),
            (64 * GIB, 768 * KIB),
            (64 * GIB + 1, 1536 * KIB),
            (FILE_MAX, 1536 * KIB),
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
            assert!(CHUNK_MIN <= scale.min() && scale.min() < scale.average());
            assert!(scale.average() < scale.max() && scale.max() <= CHUNK_MAX);
            let chance = scale.threshold() as f64 / u64::MAX as f64;
            assert!((f64::from(scale.min()) + 1.0 / chance - f64::from(scale.average())).abs() < 1.0);
        }
    }
}

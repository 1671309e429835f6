//! The engine's only source of chance: a stream drawn from the host's seed.

/// A stream of numbers that depends on the seed alone (§2.6).
pub struct Random {
    stream: blake3::OutputReader,
}

impl Random {
    /// The stream of a seed.
    pub fn new(seed: &[u8; 32]) -> Self {
        let mut hasher = blake3::Hasher::new_derive_key("syncline 2026 engine random");
        hasher.update(seed);
        Self { stream: hasher.finalize_xof() }
    }

    /// The next bytes.
    pub fn bytes<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        self.stream.fill(&mut bytes);
        bytes
    }

    /// The next number.
    pub fn number(&mut self) -> u64 {
        u64::from_le_bytes(self.bytes())
    }
}

//! A device's key, and the keys of others.

use core::fmt;

use ed25519_dalek::{Signer, SigningKey, VerifyingKey};
use serde::{Deserialize, Serialize};

use crate::api::ConfigError;

/// A device's Ed25519 key. Its secret is wiped from memory when it is dropped, and never shown.
#[derive(Clone)]
pub struct Identity {
    key: SigningKey,
}

impl Identity {
    /// The identity with this secret of 32 bytes.
    ///
    /// # Errors
    /// A secret of another length.
    pub fn from_secret(secret: &[u8]) -> Result<Identity, ConfigError> {
        let found = u32::try_from(secret.len()).unwrap_or(u32::MAX);
        let secret = secret.try_into().map_err(|_| ConfigError::IdentityLength { found })?;
        #[cfg(feature = "simulation")]
        return Ok(super::seen::identity(secret, || Identity { key: SigningKey::from_bytes(secret) }));
        #[cfg(not(feature = "simulation"))]
        Ok(Identity { key: SigningKey::from_bytes(secret) })
    }

    /// Signs a hash. Whoever calls it hashes what is signed under a domain of its own, so that no signature can pass
    /// for one over something else.
    pub fn sign(&self, hash: &blake3::Hash) -> Signature {
        let signature = Signature(self.key.sign(hash.as_bytes()).to_bytes());
        #[cfg(feature = "simulation")]
        super::seen::note(&self.public_key(), hash, &signature, true);
        signature
    }

    /// A secret for a use of its own, which the context names: it tells nothing of the key, and nobody else has it.
    pub fn secret_for(&self, context: &str) -> [u8; 32] {
        blake3::derive_key(context, self.key.as_bytes())
    }

    /// What others need to check the signatures.
    pub fn public_key(&self) -> PublicKey {
        PublicKey(self.key.verifying_key())
    }
}

impl fmt::Debug for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Identity({:?})", self.public_key())
    }
}

/// A device's public key.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PartialOrd for PublicKey {
    fn partial_cmp(&self, other: &Self) -> Option<core::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for PublicKey {
    fn cmp(&self, other: &Self) -> core::cmp::Ordering {
        self.as_bytes().cmp(other.as_bytes())
    }
}

impl PublicKey {
    /// The key with these bytes.
    ///
    /// # Errors
    /// Bytes that are no point of the curve, or in another form than its only one, or one of the few points under which
    /// signatures mean nothing.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<PublicKey, InvalidPublicKey> {
        #[cfg(feature = "simulation")]
        return super::seen::key(bytes, || PublicKey::found_in(bytes));
        #[cfg(not(feature = "simulation"))]
        PublicKey::found_in(bytes)
    }

    fn found_in(bytes: &[u8; 32]) -> Result<PublicKey, InvalidPublicKey> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| InvalidPublicKey)?;
        // The library takes a few points in two forms.
        let canonical = key.to_edwards().compress().as_bytes() == bytes;
        if canonical && !key.is_weak() { Ok(PublicKey(key)) } else { Err(InvalidPublicKey) }
    }

    /// The key's 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// Whether the signature over this hash was made with the key. Strict: every implementation that follows RFC 8032
    /// to the letter says the same.
    pub fn verify(&self, hash: &blake3::Hash, signature: &Signature) -> bool {
        #[cfg(feature = "simulation")]
        return super::seen::verdict(self, hash, signature, || self.verify_anew(hash, signature));
        #[cfg(not(feature = "simulation"))]
        self.verify_anew(hash, signature)
    }

    fn verify_anew(&self, hash: &blake3::Hash, signature: &Signature) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(hash.as_bytes(), &signature).is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from(*self.as_bytes()).to_hex())
    }
}

/// An Ed25519 signature.
#[derive(Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Signature(#[serde(with = "serde_bytes")] [u8; Signature::BYTES]);

impl Signature {
    /// How long a signature is.
    pub const BYTES: usize = 64;

    /// The signature with these bytes.
    pub const fn from_bytes(bytes: [u8; Signature::BYTES]) -> Signature {
        Signature(bytes)
    }

    /// The signature's bytes.
    pub const fn as_bytes(&self) -> &[u8; Signature::BYTES] {
        &self.0
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Bytes given as a public key that are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("expected an Ed25519 public key of full order")]
pub struct InvalidPublicKey;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_good_for_its_hash_and_key_only() {
        let identity = Identity::from_secret(&[1; 32]).unwrap();
        let other = Identity::from_secret(&[2; 32]).unwrap();
        let hash = blake3::hash(b"text");
        let signature = identity.sign(&hash);
        assert!(identity.public_key().verify(&hash, &signature));
        assert!(!identity.public_key().verify(&blake3::hash(b"texts"), &signature));
        assert!(!other.public_key().verify(&hash, &signature));
    }

    #[test]
    fn secrets_of_another_length_are_refused_and_never_shown() {
        assert!(matches!(Identity::from_secret(&[1; 31]), Err(ConfigError::IdentityLength { found: 31 })));
        let identity = Identity::from_secret(&[0xa7; 32]).unwrap();
        assert!(!alloc::format!("{identity:?}").contains("a7a7"));
    }

    #[test]
    fn weak_and_impossible_keys_are_refused() {
        let mut neutral = [0; 32];
        neutral[0] = 1;
        for bytes in [[0; 32], neutral, [0xff; 32]] {
            assert_eq!(PublicKey::from_bytes(&bytes), Err(InvalidPublicKey), "{bytes:?}");
        }
        let key = Identity::from_secret(&[1; 32]).unwrap().public_key();
        assert_eq!(PublicKey::from_bytes(key.as_bytes()), Ok(key));
    }
}

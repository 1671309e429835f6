//! How an incarnation shows that it belongs to a group, so that its feed can be judged by itself (§5.10).

use alloc::string::String;
use core::fmt;

use serde::{Deserialize, Serialize};

use super::{Identity, InvalidPublicKey, PublicKey, Signature};
use crate::api::{ConfigError, GroupConfig, GroupId, ReplicaId};
use crate::engine::limits::DEVICE_NAME_BYTES_MAX;
use crate::planted::{Planted, planted};

const CERTIFICATE_CONTEXT: &str = "Syncline 2026 certificate of an incarnation, version 1";
const PROOF_CONTEXT: &str = "Syncline 2026 proof of membership, version 1";

/// The first entry of each incarnation: whose it is, and that its device knew the group's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Introduction {
    /// The device's public key.
    pub public_key: [u8; 32],
    /// The device's name, at most [`DEVICE_NAME_BYTES_MAX`] bytes.
    pub name: String,
    /// The device's signature over group and incarnation.
    pub certificate: Signature,
    /// A hash over group, incarnation and public key that only holders of the group's key can compute.
    pub proof: [u8; 32],
}

impl Introduction {
    /// Introduces `replica` as an incarnation of the device.
    ///
    /// # Errors
    /// A name that is too long.
    pub fn new(
        identity: &Identity,
        proof_key: &ProofKey,
        replica: ReplicaId,
        name: &str,
    ) -> Result<Introduction, IntroductionError> {
        check_name(name)?;
        let public_key = identity.public_key();
        Ok(Introduction {
            public_key: *public_key.as_bytes(),
            name: name.into(),
            certificate: identity.sign(&certified(proof_key.group, replica)),
            proof: proof_key.proof(replica, public_key.as_bytes()).into(),
        })
    }

    /// The device's key, if this introduces `replica` to the group of `proof_key`. Takes the same time wherever a
    /// false proof differs from the true one.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn verify(&self, proof_key: &ProofKey, replica: ReplicaId) -> Result<PublicKey, IntroductionError> {
        // Comparing two `blake3::Hash` is constant in time.
        let is_proven = proof_key.proof(replica, &self.public_key) == blake3::Hash::from(self.proof);
        if !is_proven && !planted(Planted::ProofUnchecked) {
            return Err(IntroductionError::Proof);
        }
        let public_key = self.public_key()?;
        if !public_key.verify(&certified(proof_key.group, replica), &self.certificate) {
            return Err(IntroductionError::Certificate);
        }
        Ok(public_key)
    }

    /// The device's key, unproven.
    ///
    /// # Errors
    /// Bytes that are no key, or a name that is too long.
    pub fn public_key(&self) -> Result<PublicKey, IntroductionError> {
        check_name(&self.name)?;
        Ok(PublicKey::from_bytes(&self.public_key)?)
    }
}

impl fmt::Debug for ProofKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ProofKey({})", self.group)
    }
}

fn check_name(name: &str) -> Result<(), IntroductionError> {
    if name.len() > DEVICE_NAME_BYTES_MAX { Err(IntroductionError::Name) } else { Ok(()) }
}

fn certified(group: GroupId, replica: ReplicaId) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key(CERTIFICATE_CONTEXT);
    hasher.update(group.as_bytes()).update(replica.as_bytes());
    hasher.finalize()
}

/// What proofs of membership are made and checked with: the group and a key derived from its key.
#[derive(Clone)]
pub struct ProofKey {
    group: GroupId,
    key: [u8; 32],
}

impl ProofKey {
    /// The proof key of a group.
    ///
    /// # Errors
    /// A group key that is not 32 bytes.
    pub fn new(group: &GroupConfig) -> Result<ProofKey, ConfigError> {
        if group.key.len() != 32 {
            let found = u32::try_from(group.key.len()).unwrap_or(u32::MAX);
            return Err(ConfigError::GroupKeyLength { found });
        }
        Ok(ProofKey { group: group.id, key: blake3::derive_key(PROOF_CONTEXT, &group.key) })
    }

    /// The group.
    pub fn group(&self) -> GroupId {
        self.group
    }

    fn proof(&self, replica: ReplicaId, public_key: &[u8; 32]) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_keyed(&self.key);
        hasher.update(self.group.as_bytes()).update(replica.as_bytes()).update(public_key);
        hasher.finalize()
    }
}

/// Why an [`Introduction`] was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IntroductionError {
    /// Whoever made it did not know this group's key.
    #[error("expected a proof made with this group's key")]
    Proof,
    /// The device did not certify this incarnation for this group.
    #[error("expected the device's certificate for this incarnation and group")]
    Certificate,
    /// The public key is none.
    #[error(transparent)]
    PublicKey(#[from] InvalidPublicKey),
    /// The device's name is too long.
    #[error("expected a device name of at most {DEVICE_NAME_BYTES_MAX} bytes")]
    Name,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn proof_key(group: u8, key: u8) -> ProofKey {
        ProofKey::new(&GroupConfig { id: GroupId::from_bytes([group; 16]), key: vec![key; 32], founder: None }).unwrap()
    }

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    #[test]
    fn an_introduction_is_good_for_its_group_key_and_incarnation_only() {
        let identity = Identity::from_secret(&[1; 32]).unwrap();
        let introduction = Introduction::new(&identity, &proof_key(1, 1), replica(1), "desk").unwrap();
        assert_eq!(introduction.verify(&proof_key(1, 1), replica(1)), Ok(identity.public_key()));
        assert_eq!(introduction.verify(&proof_key(2, 1), replica(1)), Err(IntroductionError::Proof));
        assert_eq!(introduction.verify(&proof_key(1, 2), replica(1)), Err(IntroductionError::Proof));
        assert_eq!(introduction.verify(&proof_key(1, 1), replica(2)), Err(IntroductionError::Proof));
    }

    #[test]
    fn a_member_cannot_introduce_another_device() {
        let thief = Identity::from_secret(&[2; 32]).unwrap();
        let honest = Identity::from_secret(&[1; 32]).unwrap();
        let key = proof_key(1, 1);
        let mut stolen = Introduction::new(&thief, &key, replica(1), "").unwrap();
        stolen.public_key = *honest.public_key().as_bytes();
        stolen.proof = key.proof(replica(1), &stolen.public_key).into();
        assert_eq!(stolen.verify(&key, replica(1)), Err(IntroductionError::Certificate));
    }

    #[test]
    fn long_names_and_short_group_keys_are_refused() {
        let identity = Identity::from_secret(&[1; 32]).unwrap();
        let long = "x".repeat(DEVICE_NAME_BYTES_MAX + 1);
        let key = proof_key(1, 1);
        assert_eq!(Introduction::new(&identity, &key, replica(1), &long), Err(IntroductionError::Name));
        let mut introduction = Introduction::new(&identity, &key, replica(1), &long[1..]).unwrap();
        introduction.name = long;
        assert_eq!(introduction.verify(&key, replica(1)), Err(IntroductionError::Name));
        let group = GroupConfig { id: GroupId::from_bytes([1; 16]), key: vec![1; 31], founder: None };
        assert!(matches!(ProofKey::new(&group), Err(ConfigError::GroupKeyLength { found: 31 })));
    }
}

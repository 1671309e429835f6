//! Who wrote what: keys, signatures, and how an incarnation shows that it belongs to a group.

mod file_key;
mod identity;
mod introduction;
#[cfg(feature = "simulation")]
mod seen;

pub use file_key::FileKey;
pub use identity::{Identity, InvalidPublicKey, PublicKey, Signature};
pub use introduction::{Introduction, IntroductionError, ProofKey};

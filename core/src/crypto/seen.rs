//! Signatures that were made or checked in this thread, and keys that were read: the simulator lets one process
//! play all replicas of a group, and each of them would check what the others did already.
//!
//! A verdict is a function of the key, the hash and the signature alone, and a key one of its bytes, so that remembering
//! them changes nothing but time.

use core::cell::RefCell;
use std::collections::BTreeMap;

use super::{Identity, InvalidPublicKey, PublicKey, Signature};

/// So many verdicts, and so many keys of each kind, are remembered; then all of them are forgotten. A story has some hundreds.
const VERDICTS_MAX: usize = 10_000;

type Signed = ([u8; 32], [u8; 32], [u8; Signature::BYTES]);

std::thread_local! {
    static VERDICTS: RefCell<BTreeMap<Signed, bool>> = const { RefCell::new(BTreeMap::new()) };
    static KEYS: Known<Result<PublicKey, InvalidPublicKey>> = const { RefCell::new(BTreeMap::new()) };
    static IDENTITIES: Known<Identity> = const { RefCell::new(BTreeMap::new()) };
}

/// What was made of 32 bytes.
type Known<T> = RefCell<BTreeMap<[u8; 32], T>>;

/// The key that was found in these bytes before, or that is found in them now.
pub fn key(
    bytes: &[u8; 32],
    find: impl FnOnce() -> Result<PublicKey, InvalidPublicKey>,
) -> Result<PublicKey, InvalidPublicKey> {
    KEYS.with(|known| remembered(known, bytes, find))
}

/// The identity that was made of this secret before, or that is made of it now: secrets of simulated devices are none.
pub fn identity(secret: &[u8; 32], make: impl FnOnce() -> Identity) -> Identity {
    IDENTITIES.with(|known| remembered(known, secret, make))
}

fn remembered<T: Clone>(known: &Known<T>, bytes: &[u8; 32], find: impl FnOnce() -> T) -> T {
    if let Some(found) = known.borrow().get(bytes) {
        return found.clone();
    }
    let found = find();
    let mut known = known.borrow_mut();
    if known.len() >= VERDICTS_MAX {
        known.clear();
    }
    known.insert(*bytes, found.clone());
    found
}

/// What was found before, or what is found now.
pub fn verdict(key: &PublicKey, hash: &blake3::Hash, signature: &Signature, find: impl FnOnce() -> bool) -> bool {
    let known = VERDICTS.with_borrow(|verdicts| verdicts.get(&signed(key, hash, signature)).copied());
    known.unwrap_or_else(|| {
        let verdict = find();
        note(key, hash, signature, verdict);
        verdict
    })
}

/// Remembers a verdict.
pub fn note(key: &PublicKey, hash: &blake3::Hash, signature: &Signature, verdict: bool) {
    VERDICTS.with_borrow_mut(|verdicts| {
        if verdicts.len() >= VERDICTS_MAX {
            verdicts.clear();
        }
        verdicts.insert(signed(key, hash, signature), verdict);
    });
}

fn signed(key: &PublicKey, hash: &blake3::Hash, signature: &Signature) -> Signed {
    (*hash.as_bytes(), *key.as_bytes(), *signature.as_bytes())
}

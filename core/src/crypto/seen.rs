//! Signatures that were made or checked in this thread: the simulator lets one process play all replicas of a group, and
//! each of them would check what the others did already.
//!
//! A verdict is a function of the key, the hash and the signature alone, so that remembering it changes nothing but time.

use core::cell::RefCell;
use std::collections::BTreeMap;

use super::{PublicKey, Signature};

/// So many verdicts are remembered; then all of them are forgotten. A story has some hundreds.
const VERDICTS_MAX: usize = 10_000;

type Signed = ([u8; 32], [u8; 32], [u8; Signature::BYTES]);

std::thread_local! {
    static VERDICTS: RefCell<BTreeMap<Signed, bool>> = const { RefCell::new(BTreeMap::new()) };
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

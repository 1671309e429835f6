//! What engines did, in one number.

use std::{cell::RefCell, rc::Rc};

use serde::Serialize;
use syncline_core::api::Hash;

/// A BLAKE3 hash over everything that was added, in order; clones add to the same. Two worlds that live through the same
/// have the same, on every machine.
#[derive(Clone, Default)]
pub struct Trace {
    hasher: Rc<RefCell<blake3::Hasher>>,
}

impl Trace {
    /// Adds plain data; returns how many bytes it has as postcard.
    ///
    /// # Panics
    /// If the data is of a kind that postcard has no form for.
    pub fn add(&self, data: impl Serialize) -> usize {
        let bytes = postcard::to_stdvec(&data).expect("plain data");
        self.hasher.borrow_mut().update(&bytes);
        bytes.len()
    }

    /// The hash of what was added so far.
    pub fn hash(&self) -> Hash {
        Hash::from_bytes(*self.hasher.borrow().finalize().as_bytes())
    }
}

//! Messages that cannot be taken yet.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Message;
use crate::api::{Hash, ReplicaId};
use crate::engine::limits::{WAITING_BYTES_MAX, WAITING_MESSAGES_MAX};

/// Messages that wait for their author's introduction or for their time, in the order they came.
///
/// Many of them are unproven, so they are kept as bytes and the oldest make room for new ones: nobody can fill the place
/// for good, and a peer sends again what is not in our heads.
#[derive(Debug, Clone, Default)]
pub(super) struct Waiting {
    messages: VecDeque<Waiter>,
    bytes: usize,
}

#[derive(Debug, Clone)]
struct Waiter {
    author: ReplicaId,
    counter: u64,
    lamport: u64,
    hash: Hash,
    bytes: Vec<u8>,
}

impl Waiting {
    /// Lets a message wait.
    pub fn push(&mut self, message: &Message, hash: Hash, bytes: &[u8]) {
        if self.messages.iter().any(|waiter| waiter.hash == hash) {
            return;
        }
        self.bytes = self.bytes.saturating_add(bytes.len());
        let Message { author, counter, lamport, .. } = *message;
        self.messages.push_back(Waiter { author, counter, lamport, hash, bytes: bytes.to_vec() });
        while self.messages.len() > WAITING_MESSAGES_MAX || self.bytes > WAITING_BYTES_MAX {
            let Some(oldest) = self.messages.pop_front() else { break };
            self.bytes = self.bytes.saturating_sub(oldest.bytes.len());
        }
    }

    /// Takes out the messages of authors that are `introduced` with lamports up to `limit`, each author's in order.
    pub fn take_ready(&mut self, limit: u64, introduced: impl Fn(ReplicaId) -> bool) -> Vec<Vec<u8>> {
        let (mut ready, left): (VecDeque<Waiter>, VecDeque<Waiter>) = core::mem::take(&mut self.messages)
            .into_iter()
            .partition(|waiter| waiter.lamport <= limit && introduced(waiter.author));
        self.bytes = left.iter().fold(0, |sum, waiter| sum.saturating_add(waiter.bytes.len()));
        self.messages = left;
        ready.make_contiguous().sort_by_key(|waiter| (waiter.author, waiter.counter));
        ready.into_iter().map(|waiter| waiter.bytes).collect()
    }

    /// Whether none waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }
}

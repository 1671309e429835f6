//! Messages that nobody needs any more, as a store says.

use syncline_core::{
    api::ReplicaId,
    log::{IntervalSet, Message, message_keys},
};

use super::Store;

/// A message is void by a checkpoint that is saved.
pub fn is_void(store: &Store, author: ReplicaId, counter: u64) -> bool {
    checkpoints(store, author, |voided| voided.contains(counter))
}

/// All messages of an author that are void by the checkpoints that are saved.
pub(super) fn voided(store: &Store, author: ReplicaId) -> IntervalSet<u64> {
    let mut all = IntervalSet::new();
    checkpoints(store, author, |voided| {
        all.union(voided);
        false
    });
    all
}

/// Shows what each checkpoint of an author voids, up to the first of which the answer is true; whether there was one.
fn checkpoints(store: &Store, author: ReplicaId, mut answer: impl FnMut(&IntervalSet<u64>) -> bool) -> bool {
    let (start, end) = message_keys(author, 1, u64::MAX);
    let mut messages = store.range(start, end).filter_map(|(_, bytes)| Message::decode(bytes).ok());
    messages.any(|(message, _)| message.checkpoint().is_some_and(|(voided, _)| answer(voided)))
}

//! Messages that nobody needs any more, as a store says.

use syncline_core::{
    api::ReplicaId,
    log::{Message, message_keys},
};

use super::Store;

/// A message is void by a checkpoint that is saved.
pub fn is_void(store: &Store, author: ReplicaId, counter: u64) -> bool {
    let (start, end) = message_keys(author, 1, u64::MAX);
    let of_author = store.pairs().filter(|(key, _)| *key >= start.as_slice() && *key < end.as_slice());
    let mut messages = of_author.filter_map(|(_, bytes)| Message::decode(bytes).ok());
    messages.any(|(message, _)| message.checkpoint().is_some_and(|(voided, _)| voided.contains(counter)))
}

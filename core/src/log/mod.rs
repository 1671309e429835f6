//! The log: signed messages by many authors, which of them are held, and what they say.

mod dot;
mod entry;
mod feed;
mod group;
mod heads;
mod interval;
mod keys;
#[cfg(test)]
mod laws;
#[expect(clippy::module_inception, reason = "the file is named after its concept")]
mod log;
mod marks;
mod members;
mod message;
mod modes;
mod receipt;
mod waiting;

pub use dot::{Dot, DotSet, InvalidAuthors, Place};
pub use entry::{Entry, InvalidEntry, encoded_size};
pub use group::{Act, Decided, MemberKey};
pub use heads::{Heads, InvalidHeads};
pub use interval::{IntervalSet, InvalidIntervals, Ordinal};
pub use keys::{all_message_keys, message_key, message_keys, parse_message_key};
pub use log::{ComposeError, Log};
pub use members::Regrouping;
pub use message::{MESSAGE_VERSION, Message, MessageError, Previous, Sealed};
pub use receipt::{Fork, Receipt};

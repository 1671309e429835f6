//! Message folders as pure functions: what the files in them are called, what `info` says, which of them are to be read
//! (`docs/protocol.md §10`).

mod index;
mod info;
mod name;

pub use index::{FeedIndex, Trouble};
pub use info::{INFO_VERSION, Info, InfoError};
pub use name::{
    SESSION_DIRECTORY, blob_path, feed_directory, is_info, message_path, message_paths, parse_blob_path, parse_counter,
    parse_feed_directory, parse_message_path,
};

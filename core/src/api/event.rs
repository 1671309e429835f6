//! What a host tells the engine.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Command, FolderId, LinkId, Outcome, RootId, TaskId};

/// Something that happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Event {
    /// The first event of every engine.
    Start,
    /// The time of [`deadline`](crate::Engine::deadline) has come.
    Wake,
    /// A person or the application asks for something.
    Command {
        /// What is asked.
        command: Command,
    },
    /// A piece of work ended. Each [`Perform`](super::Action::Perform) gets exactly one.
    Completed {
        /// The work.
        task: TaskId,
        /// How it ended.
        outcome: Outcome,
    },
    /// A pipe to a peer is open; both ends get this. The pipe keeps order and message boundaries.
    LinkUp {
        /// The host's name for it.
        link: LinkId,
        /// The largest message the pipe takes, in bytes; values outside the limits are clamped.
        message_bytes_max: u32,
    },
    /// A message of the peer arrived, as it was sent.
    LinkData {
        /// The pipe.
        link: LinkId,
        /// The message.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// All that was sent to this pipe so far has left the host's buffer.
    LinkReady {
        /// The pipe.
        link: LinkId,
    },
    /// The pipe is closed; nothing more comes from it.
    LinkDown {
        /// The pipe.
        link: LinkId,
    },
    /// A watcher saw something; only a hint, a rescan decides.
    Changed {
        /// Where.
        root: RootId,
        /// What may have changed; empty means anything.
        hints: Vec<Hint>,
    },
    /// A watcher saw something in a message folder; only a hint.
    FolderChanged {
        /// Which folder.
        folder: FolderId,
        /// Paths below the session's directory that may have changed; empty means anything.
        paths: Vec<String>,
    },
    /// The host is about to end: finish the save in flight, start nothing new, answer with
    /// [`Stopped`](super::Action::Stopped).
    Stop,
}

/// A place where a watcher saw a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Hint {
    /// A directory's path below the root whose entries may have changed.
    pub directory: String,
    /// Also everything below it.
    pub recursive: bool,
}

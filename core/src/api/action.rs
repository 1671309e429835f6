//! What the engine asks of a host.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{LinkId, Notice, ReplicaId, RowName, RowState, TaskId, Work};

/// One thing to do. A host may run all the work of one answer at once; sends to one link go in order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Action {
    /// Do this and answer with [`Completed`](super::Event::Completed).
    Perform {
        /// Names the work in its completion.
        task: TaskId,
        /// What to do.
        work: Work,
    },
    /// The outcome is no longer of use: stop if that is easy. A completion is still due.
    Cancel {
        /// The work.
        task: TaskId,
    },
    /// Give these bytes to the pipe as one message.
    Send {
        /// The pipe.
        link: LinkId,
        /// The message, at most the pipe's `message_bytes_max`.
        #[serde(with = "serde_bytes")]
        #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
        bytes: Vec<u8>,
    },
    /// Close the pipe; a [`LinkDown`](super::Event::LinkDown) is not needed.
    Close {
        /// The pipe.
        link: LinkId,
        /// Why, for a log.
        reason: String,
    },
    /// Tell people or the application.
    Notify {
        /// What to tell.
        notice: Notice,
    },
    /// What a [`Publish`](super::Command::Publish) asked to send is saved, under this number: it is never lost any more. Each
    /// gets one, in the order of the commands, unless it was refused with a notice.
    Published {
        /// This replica.
        author: ReplicaId,
        /// The message's number in its feed.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        counter: u64,
    },
    /// What a [`WriteRows`](super::Command::WriteRows) gave is saved, all or nothing of it. Each gets one, in the order of the
    /// commands. Changes that were refused have a notice each and count as taken. Another one comes at a start, before any rows
    /// do, for what the engine before had taken: a host that had not heard of it forgets these changes then.
    RowsWritten {
        /// The command's own.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        taken: u64,
    },
    /// The answer to a [`ReadRows`](super::Command::ReadRows).
    RowsRead {
        /// The command's own.
        #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
        request: u64,
        /// The rows, in byte order of their keys.
        rows: Vec<RowState>,
        /// There are more behind the last one.
        more: bool,
    },
    /// These rows are other than they were, in the application's database or, without one, in the engine's store: what is
    /// derived from them is to be derived again.
    RowsChanged {
        /// Which.
        rows: Vec<RowName>,
    },
    /// The answer to [`Stop`](super::Event::Stop): nothing is in flight that matters.
    Stopped,
}

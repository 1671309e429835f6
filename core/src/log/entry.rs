//! What messages say.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::Heads;
use crate::api::{Content, RootId};
use crate::crypto::Introduction;
use crate::engine::limits::SYMLINK_TARGET_BYTES_MAX;
use crate::planted::{Planted, planted};
use crate::tree::{Body, Change};

/// One thing that a message says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Entry {
    /// Who writes this feed: the first entry of its first message, and nowhere else.
    Introduction(Introduction),
    /// Changes of one root.
    Tree {
        /// The root.
        root: RootId,
        /// The changes, in order.
        changes: Vec<Change>,
    },
    /// An application message; at most one in a message.
    Application {
        /// What it says, for the application alone.
        payload: ByteBuf,
    },
    /// What the author has saved and applied, for members that it does not speak with; at most one in a message.
    Acknowledgement {
        /// The messages it has saved.
        received: Heads,
        /// Of those the ones that stand on its disk and are with its application.
        applied: Heads,
    },
}

impl Entry {
    /// How many bytes the entry takes in a message; all entries of one together may take
    /// [`ENTRIES_BYTES_MAX`](crate::engine::limits::ENTRIES_BYTES_MAX).
    pub fn encoded_size(&self) -> usize {
        encoded_size(self)
    }

    /// Refuses what the types allow and no honest replica writes.
    pub(super) fn check(&self) -> Result<(), InvalidEntry> {
        match self {
            Entry::Introduction(_) | Entry::Application { .. } | Entry::Acknowledgement { .. } => Ok(()),
            Entry::Tree { changes, .. } => changes.iter().try_for_each(check_change),
        }
    }
}

/// How many bytes a part of an entry, such as a [`Change`], takes in a message.
pub fn encoded_size<T: Serialize>(part: &T) -> usize {
    // Counting bytes cannot fail; what could not be encoded must not pass for small.
    postcard::experimental::serialized_size(part).unwrap_or(usize::MAX)
}

fn check_change(change: &Change) -> Result<(), InvalidEntry> {
    let (content, mode) = match change {
        Change::Birth { content, mode, .. } => (Some(content), *mode),
        Change::Version { body: Body::Content(content), .. } => (Some(content), 0),
        Change::Version { body: Body::Deleted, .. } => (None, 0),
        Change::Mode { mode, .. } => (None, *mode),
    };
    if mode > 0o777 {
        return Err(InvalidEntry::Mode);
    }
    match content {
        _ if planted(Planted::LinkTargetUnchecked) => Ok(()),
        Some(Content::Symlink { target }) if target.len() > SYMLINK_TARGET_BYTES_MAX || target.contains(&0) => {
            Err(InvalidEntry::SymlinkTarget)
        }
        _ => Ok(()),
    }
}

/// Why an [`Entry`] was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidEntry {
    /// Bits beyond the permissions, such as set-uid (§8.9).
    #[error("expected permission bits of at most 0o777")]
    Mode,
    /// A target that no link can have.
    #[error("expected a link's target without NUL and of at most {SYMLINK_TARGET_BYTES_MAX} bytes")]
    SymlinkTarget,
}

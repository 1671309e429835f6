//! What messages say.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::{Act, Heads, IntervalSet};
use crate::api::{Content, ReplicaId, RootId};
use crate::crypto::Introduction;
use crate::engine::limits::{LEFT_FEEDS_MAX, SYMLINK_TARGET_BYTES_MAX};
use crate::planted::{Planted, planted};
use crate::records::{InvalidOperations, Operations};
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
    /// Messages of the author that nobody needs any more: they are void, whether or when they arrive. At most one in a
    /// message; of an author's checkpoints the last one counts, so that each names what those before it do.
    Checkpoint {
        /// All of them, from the second message on and below this one.
        voided: IntervalSet<u64>,
        /// Of those the application messages, which every member had.
        cleared: IntervalSet<u64>,
        /// Tells what the author held to be decided about members from anything else that may be; 0 while that was nothing.
        decided: u64,
    },
    /// Members that the author has not heard of for long (§5.6): they hold nobody back until they write again. At most one
    /// in a message; of an author's declarations the last one counts.
    Stale {
        /// Each with the highest number that the author has of it.
        members: BTreeMap<ReplicaId, u64>,
    },
    /// Operations on records, which the author stamped.
    Records(Operations),
    /// The author's clock was ahead: no operation of this feed counts that is stamped later than this (§4.4), nor of some that
    /// it has left for the same reason before. At most one in a message; of several retractions of a feed the one with the
    /// earliest time counts.
    Retraction {
        /// In nanoseconds since 1970.
        after_ns: u64,
        /// The feeds that it has left, and will never write again, at most
        /// [`LEFT_FEEDS_MAX`]; those of other devices do not count.
        left: Vec<ReplicaId>,
    },
    /// The author decides something for the group; whether it may, its rank says.
    Act(Act),
}

impl Entry {
    /// How many bytes the entry takes in a message; all entries of one together may take
    /// [`ENTRIES_BYTES_MAX`](crate::engine::limits::ENTRIES_BYTES_MAX).
    pub fn encoded_size(&self) -> usize {
        encoded_size(self)
    }

    /// It says how its author stands, and nothing that lasts: of each such kind only an author's last one counts.
    pub fn is_passing(&self) -> bool {
        matches!(self, Entry::Acknowledgement { .. } | Entry::Checkpoint { .. } | Entry::Stale { .. })
    }

    /// Refuses what the types allow and no honest replica writes.
    pub(super) fn check(&self) -> Result<(), InvalidEntry> {
        match self {
            Entry::Introduction(_) | Entry::Application { .. } | Entry::Acknowledgement { .. } => Ok(()),
            Entry::Checkpoint { voided, cleared, .. } => check_checkpoint(voided, cleared),
            Entry::Retraction { left, .. } if left.len() > LEFT_FEEDS_MAX => Err(InvalidEntry::Retraction),
            Entry::Stale { .. } | Entry::Retraction { .. } | Entry::Act(_) => Ok(()),
            Entry::Records(operations) => operations.open().map(drop).map_err(InvalidEntry::Records),
            Entry::Tree { changes, .. } => changes.iter().try_for_each(check_change),
        }
    }
}

/// How many bytes a part of an entry, such as a [`Change`], takes in a message.
pub fn encoded_size<T: Serialize>(part: &T) -> usize {
    // Counting bytes cannot fail; what could not be encoded must not pass for small.
    postcard::experimental::serialized_size(part).unwrap_or(usize::MAX)
}

/// The first message, which introduces the author, is never void.
fn check_checkpoint(voided: &IntervalSet<u64>, cleared: &IntervalSet<u64>) -> Result<(), InvalidEntry> {
    let is_sound = voided.first().is_some_and(|first| first > 1) && voided.contains_all(cleared);
    if is_sound { Ok(()) } else { Err(InvalidEntry::Checkpoint) }
}

fn check_change(change: &Change) -> Result<(), InvalidEntry> {
    let (content, mode) = match change {
        Change::Birth { content, mode, .. } => (Some(content), *mode),
        Change::Version { body: Body::Content(content), .. } => (Some(content), 0),
        Change::Version { body: Body::Deleted, .. } => (None, 0),
        Change::Mode { mode, .. } => (None, *mode),
    };
    if mode > 0o777 && !planted(Planted::ModeUnchecked) {
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
    /// A checkpoint that voids nothing, its author's first message or one that is not before it.
    #[error("expected a checkpoint of messages from the second one to the one before it")]
    Checkpoint,
    /// More feeds than a retraction may name.
    #[error("expected a retraction of at most {LEFT_FEEDS_MAX} feeds that were left")]
    Retraction,
    /// Operations that do not fit together.
    #[error(transparent)]
    Records(InvalidOperations),
}

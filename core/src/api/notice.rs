//! What the engine has to tell people.

use alloc::string::String;

use serde::{Deserialize, Serialize};

use super::{ReplicaId, RootId};

/// Something a person or the application should know; never needed for correctness.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Notice {
    /// What kind of thing, stable for programs.
    pub code: NoticeCode,
    /// The same for people: lower case, no full stop, no secrets; names are not escaped yet.
    pub message: String,
    /// The root it is about.
    pub root: Option<RootId>,
    /// The path it is about.
    pub path: Option<String>,
    /// The replica it is about.
    pub replica: Option<ReplicaId>,
}

/// The kinds of [`Notice`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum NoticeCode {
    /// A host broke the rules of the boundary: an unknown task, a second completion, an outcome of another kind.
    HostError,
    /// The store could not be read, or what it holds makes no sense; the engine has stopped.
    StoreCorrupt,
    /// The store could not be written; the engine has stopped sending.
    StoreFailed,
    /// A peer sent what no honest peer sends; its link was closed.
    PeerInvalid,
    /// A peer is of another group.
    PeerOtherGroup,
    /// A peer speaks no version that we speak.
    PeerVersion,
    /// Nothing came from a peer for so long that its link was closed: it is gone, or the pipe to it is broken.
    PeerSilent,
    /// A message was refused: unsigned, not by a member, or not canonical.
    MessageRefused,
    /// Two messages with one number: the feed forked, both branches are kept.
    Fork,
    /// This replica's own feed is ahead of its store (an old backup): a new incarnation starts.
    NewIncarnation,
    /// The root's marker is gone: the folder was unmounted, emptied or replaced. Nothing is sent or deleted.
    RootMissing,
    /// Many deletions at once wait for a person.
    DeletionsHeld,
    /// A path could not be read.
    Unreadable,
    /// A path could not be written.
    Unwritable,
    /// The disk is full.
    NoSpace,
    /// A file kept changing while it was read; it is tried again.
    StillChanging,
    /// A name that is no UTF-8, or too long or too deep: left alone.
    Unrepresentable,
    /// A socket, device or pipe: left alone.
    Skipped,
    /// A conflict copy stands beside its file.
    Conflict,
    /// A chunk did not match its hash and was thrown away.
    ChunkCorrupt,
    /// Nobody connected has a content that is needed.
    ContentUnavailable,
    /// A message folder is not there, empty, or another session's: nothing is written into it.
    FolderMissing,
    /// A message folder's `info` cannot be read, or is of a newer version.
    FolderUnusable,
    /// Another device made a session in the same message folder at the same time, and all go on with that one: open the
    /// folder again.
    SessionSuperseded,
    /// Application messages were cleared before they came to this device, as where it was away for long.
    MessagesMissed,
    /// A file in a message folder is no message of its author.
    MessageUnverifiable,
    /// A change of a row was refused: the row is another device's, its table is not known or takes no such change.
    RowRefused,
    /// A clock is wrong: a member's, of which something stamped in the future is held until then, or this device's own, by
    /// those of the devices that it is linked to. The replica is the one whose clock it is.
    ClockSkew,
    /// A device is no member any more, and what had come of it beyond its last message that counts is taken back.
    MemberRemoved,
    /// This device is no member any more: nothing is sent or taken any more.
    Expelled,
    /// This device may not decide what it was asked to decide, or write what it was asked to write.
    NotPermitted,
    /// Nothing of the incarnation is held that was to be released.
    NothingHeld,
    /// Something was changed in a folder while this device only receives: it stays, and nobody is told.
    NotSent,
    /// A directory that is deleted elsewhere stays, for it holds entries that are not kept.
    DirectoryRetained,
}

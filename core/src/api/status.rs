//! A plain snapshot of an engine.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FolderId, Hash, LinkId, MemberMode, RecordsStatus, ReplicaId, RootId, UnixMs};

/// How an engine stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Status {
    /// This replica; none before the store was read.
    pub replica: Option<ReplicaId>,
    /// Two replicas with equal digests hold the same messages.
    pub digest: Hash,
    /// Nothing is in flight or due: only an event from outside changes anything.
    pub quiet: bool,
    /// The store failed: nothing is sent any more.
    pub failed: bool,
    /// The members known, this one included.
    pub members: Vec<MemberStatus>,
    /// The open links.
    pub links: Vec<LinkStatus>,
    /// The roots, in the order of the configuration.
    pub roots: Vec<RootStatus>,
    /// The message folders, in the order of the configuration.
    pub folders: Vec<FolderStatus>,
    /// Messages that are missing below others of their authors that are held: the first
    /// [`GAPS_SHOWN_MAX`](crate::engine::limits::GAPS_SHOWN_MAX) such ranges.
    pub gaps: Vec<Gap>,
    /// Application messages that are not with the application yet, as far as they can be.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub undelivered: u64,
    /// The records; none where the application keeps none, and before the store was read.
    pub records: Option<RecordsStatus>,
    /// Messages up to this one, in message order, are stable: no member that is known can write one that comes before
    /// them any more. None if none is.
    pub stable: Option<MessagePlace>,
}

/// Where a message stands among all messages: they are ordered by these fields, in this order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct MessagePlace {
    /// It exceeds those of all messages that the author had seen.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// Who wrote it.
    pub author: ReplicaId,
    /// Its number in its author's feed.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub counter: u64,
}

/// Messages of one author that are missing below others of it that are held.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Gap {
    /// Whose.
    pub author: ReplicaId,
    /// The first missing number.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub from: u64,
    /// The last one.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub to: u64,
}

/// How one message folder stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct FolderStatus {
    /// The folder.
    pub folder: FolderId,
    /// What it does.
    pub state: FolderState,
    /// It was looked through whole since the start, and nothing that was found is still to be read or saved.
    pub indexed: bool,
    /// Messages of this replica that are not in it yet.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unwritten: u64,
    /// Files that are known and whose bytes are elsewhere.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub placeholders: u64,
    /// Files under a message's name that are none, or not yet.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unverifiable: u64,
}

/// What a message folder does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum FolderState {
    /// It was not looked through yet.
    Starting,
    /// It is looked through again and again.
    Following,
    /// It is not there, empty, or another session's: nothing is written, and it is looked at again.
    Halted,
}

/// One incarnation of a member.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct MemberStatus {
    /// The incarnation.
    pub replica: ReplicaId,
    /// The device's name.
    pub name: String,
    /// The device's public key, 32 bytes.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub public_key: Vec<u8>,
    /// The highest counter held of it.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub counter: u64,
    /// When its last message was written, by its own clock.
    pub last_written: UnixMs,
    /// When this device last heard of it, by this device's clock: something came on a link to it, or a new message of it came
    /// from anywhere. 0 never. A restart may forget the last hour of that. Of this replica itself always now.
    pub last_seen: UnixMs,
    /// When it was last known to have applied all messages that this device held then, and this device held all that it had
    /// said to hold; likewise by this device's clock, and 0 never. Members that this device is not linked to tell that by
    /// their acknowledgements in message folders.
    pub last_synchronized: UnixMs,
    /// Up to which of this replica's messages it has said, in a message, that they stand on its disk or are with its
    /// application; 0 if it has said nothing, as members that are only spoken with on links do.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub applied: u64,
    /// Nobody had heard of it for long, someone declared, and it has not written since: it holds nobody back.
    pub stale: bool,
    /// It is no member any more: what it wrote up to [`counter`](Self::counter) counts, nothing beyond.
    pub removed: bool,
    /// It may remove members that rank below it, and appoint others who may.
    pub decides: bool,
    /// Which way data goes between it and the others.
    pub mode: MemberMode,
}

/// One open link.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct LinkStatus {
    /// The link.
    pub link: LinkId,
    /// Who is at the other end; none before it said so.
    pub replica: Option<ReplicaId>,
    /// The peer has acknowledged saving every message held here.
    pub received: bool,
    /// The peer has acknowledged that every message held here stands on its disk.
    pub applied: bool,
}

/// How one root stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RootStatus {
    /// The root.
    pub root: RootId,
    /// What it does.
    pub state: RootState,
    /// Files that stand on this disk and are known.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub files: u64,
    /// Directories, likewise.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub directories: u64,
    /// Symbolic links, likewise.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub symlinks: u64,
    /// Bytes of those files.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub bytes: u64,
    /// Conflict copies that stand among them.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub conflicts: u64,
    /// Paths that are being changed or wait for content.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub pending: u64,
    /// Bytes of content still to be fetched.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub pending_bytes: u64,
    /// Paths whose change failed and is tried again later.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub waiting: u64,
    /// Deletions held for a person.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub held: u64,
    /// Paths that were changed here while this device only receives: nobody is told of them.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unsent: u64,
    /// Special files that were skipped.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub skipped: u64,
    /// Entries that could not be read or named.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unreadable: u64,
}

/// What a root does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum RootState {
    /// Its state is being read from the store.
    Loading,
    /// It waits for a first peer before it looks at its files.
    Joining,
    /// It compares the folder with what is known.
    Scanning,
    /// It keeps up.
    Following,
    /// The marker is gone; nothing is done until it is back and the host starts anew.
    Halted,
}

//! What an engine is made from.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{FolderId, GroupId, RecordsConfig, RootId};
use crate::engine::limits::{CHECKPOINT_ITEMS_MIN, STALE_AFTER_MS};

/// 32 fresh random bytes for each engine, also after a restart: the engine's only source of chance.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Seed {
    /// Exactly 32 bytes.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub bytes: Vec<u8>,
}

/// The configuration of one engine: one group, one device.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Config {
    /// The group to take part in.
    pub group: GroupConfig,
    /// The device's Ed25519 secret key, 32 bytes; kept by the host, the same at every start.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub identity: Vec<u8>,
    /// The device's name as people see it, at most 256 bytes.
    pub name: String,
    /// The folders to keep in agreement.
    pub roots: Vec<RootConfig>,
    /// The message folders that carry the group's log, beside its links. Their sessions are the group
    /// ([`Info`](crate::folder::Info)).
    pub folders: Vec<FolderConfig>,
    /// How application messages come to the application; none where it wants none.
    pub delivery: Option<DeliveryConfig>,
    /// The records of the group; none where the application keeps none. Those of others are passed on all the same.
    pub records: Option<RecordsConfig>,
    /// Which own messages are made void once nobody needs them.
    pub compaction: CompactionConfig,
    /// How long a path must stay as it is before a vanished one counts as deleted, in milliseconds.
    pub debounce_ms: u32,
    /// Plan only: commits are asked for without their bytes being fetched or staged, so that a host can show what would
    /// be done. Such an engine's store must not be kept.
    pub dry_run: bool,
}

/// A group's public id and secret key.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct GroupConfig {
    /// The group.
    pub id: GroupId,
    /// Its 32-byte key: whoever has it may join.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// The public key of the device that founded it, 32 bytes, the same on every member, like the group's key: it may remove
    /// members and appoint others who may. Without one everybody stays a member.
    #[serde(with = "serde_bytes", default)]
    #[cfg_attr(feature = "wasm", tsify(optional, type = "Uint8Array"))]
    #[cfg_attr(feature = "uniffi", uniffi(default = None))]
    pub founder: Option<Vec<u8>>,
}

/// How a replica stands to the content of a root at its first start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Membership {
    /// It makes the root: what is there is published at once. Only where there has never been a member: a founder whose
    /// store was lost is a [`Joiner`](Self::Joiner), or what it publishes stands beside what it had published before.
    Founder,
    /// It joins: it hears a peer before it looks at its own files, so that two equal folders agree in silence.
    Joiner,
    /// It rejoins with a folder that was emptied on purpose: what peers have and the folder lacks is deleted
    /// everywhere.
    Emptied,
}

/// One folder of the group on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RootConfig {
    /// The root's id, the same on every member.
    pub id: RootId,
    /// What this replica is to the root; read only while its store knows nothing of the root.
    pub membership: Membership,
    /// Apply deletions of any number without asking (the limit is a quarter of the root and more than ten files).
    pub allow_deletions: bool,
}

/// One message folder: a folder that something else carries between the members (§6).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct FolderConfig {
    /// The host's name for it.
    pub id: FolderId,
    /// Its messages are sealed with the group's key.
    pub sealed: bool,
    /// How new messages in it are found.
    pub indexing: FolderIndexing,
    /// How long after it was last looked through it is looked through again where no watcher says anything, in
    /// milliseconds.
    pub poll_ms: u32,
}

/// How new messages in a folder are found (§6.4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum FolderIndexing {
    /// By listing the authors' directories.
    Listing,
    /// By asking for the next names and the missing ones, where a directory is long and its entries are counted for free.
    /// It is listed at the start, when probes find nothing though the count grew, and hourly.
    Probing,
}

/// Which of its own messages a replica makes void, by a checkpoint, and removes from the message folders (§5.5).
///
/// Superseded acknowledgements always go. Messages that say something of a tree stay.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct CompactionConfig {
    /// Application messages go once every member has applied them, as it said itself. Who joins later never gets them.
    pub clear_applied: bool,
    /// After how long a member that nothing is heard of counts as stale and holds nobody back, in milliseconds; it is
    /// declared so only where `clear_applied` is set. 30 days is usual.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub stale_after_ms: u64,
    /// How many more messages than the one before a checkpoint voids at least: it is a message itself. And so many small
    /// messages of operations on rows are written again as one. 64 is usual.
    pub checkpoint_items_min: u32,
}

impl Default for CompactionConfig {
    fn default() -> CompactionConfig {
        CompactionConfig {
            clear_applied: false,
            stale_after_ms: STALE_AFTER_MS,
            checkpoint_items_min: CHECKPOINT_ITEMS_MIN,
        }
    }
}

/// How application messages come to the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct DeliveryConfig {
    /// In which order.
    pub order: DeliveryOrder,
    /// The last [`sequence`](super::Delivery::sequence) of this order that the application stored; 0 if none (§2.8).
    /// Where it exceeds all that the store ever numbered, the store is an old copy, or a new one: then messages come again,
    /// behind this number, rather than that one does not come.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub delivered: u64,
}

/// An order of application messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum DeliveryOrder {
    /// As they arrive: at once, on each member in its own order.
    Arrival,
    /// In message order, the same on every member: each when no member known can write one that comes before it any more.
    Total,
}

/// Why a [`Config`] or [`Seed`] was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Error))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum ConfigError {
    /// The seed is not 32 bytes.
    #[error("expected a seed of 32 bytes, found {found}")]
    SeedLength {
        /// How many bytes were given.
        found: u32,
    },
    /// The group key is not 32 bytes.
    #[error("expected a group key of 32 bytes, found {found}")]
    GroupKeyLength {
        /// How many bytes were given.
        found: u32,
    },
    /// The founder's key is not 32 bytes.
    #[error("expected a founder's public key of 32 bytes, found {found}")]
    Founder {
        /// How many bytes were given.
        found: u32,
    },
    /// The identity is not 32 bytes.
    #[error("expected an identity of 32 bytes, found {found}")]
    IdentityLength {
        /// How many bytes were given.
        found: u32,
    },
    /// The device's name is too long.
    #[error("expected a device name of at most {limit} bytes, found {found}")]
    NameLength {
        /// How many bytes were given.
        found: u32,
        /// How many are allowed.
        limit: u32,
    },
    /// The same table twice.
    #[error("table {name} is configured twice")]
    DuplicateTable {
        /// Which one.
        name: String,
    },
    /// A table's name is too long.
    #[error("expected a table name of at most {} bytes, found `{name}`", crate::engine::limits::TABLE_NAME_BYTES_MAX)]
    TableName {
        /// Which one.
        name: String,
    },
    /// The same folder twice.
    #[error("folder {} is configured twice", folder.0)]
    DuplicateFolder {
        /// Which one.
        folder: FolderId,
    },
    /// The same root twice.
    #[error("root {root} is configured twice")]
    DuplicateRoot {
        /// Which one.
        root: RootId,
    },
}

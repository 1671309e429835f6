//! Rows of an application's tables (§7), as they cross the boundary.
//!
//! A table's name is at most [`TABLE_NAME_BYTES_MAX`](crate::engine::limits::TABLE_NAME_BYTES_MAX) bytes, a property's
//! likewise, a row's key at most [`ROW_KEY_BYTES_MAX`](crate::engine::limits::ROW_KEY_BYTES_MAX) bytes. Keys and values are
//! bytes that only applications read.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering;

use serde::{Deserialize, Serialize};

use super::{ReplicaId, UnixMs};

/// The records of a group, as this device keeps them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RecordsConfig {
    /// The tables that this version of the application knows. Rows of others are kept and passed on, and come to the
    /// application once it names their table.
    pub tables: Vec<TableConfig>,
    /// How far in the future an operation's stamp may lie before the operation is held, in milliseconds. 100 is usual.
    pub max_drift_ms: u32,
    /// The application may have changed rows while no engine ran: others' operations are merged only when a
    /// [`WriteRows`](super::Command::WriteRows) says that there are no more of these changes, even if there were none. Otherwise
    /// what was changed offline would count as changed behind all that had come meanwhile.
    pub has_changes: bool,
    /// The store may be a copy of one that still speaks for this device, or an older state of it: the engine goes on under a
    /// new id, so that no number is used twice (§4.1). What was written under the old one stays.
    pub is_copy: bool,
    /// The last [`sequence`](super::Work::ApplyRows) that the application's database stored; 0 if none (§2.8). None where there
    /// is no such database: the engine's own store is all there is.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint | undefined"))]
    pub applied: Option<u64>,
    /// The last change that the application's database knows to be [taken](super::Action::RowsWritten); 0 if none, or where the
    /// engine's store is a part of the database. If it is more than the store knows, the store was put back to before that:
    /// all rows are given again.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub taken: u64,
}

/// One table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct TableConfig {
    /// Its name.
    pub name: String,
    /// Who may write its rows.
    pub kind: TableKind,
    /// What becomes of concurrent changes of one row.
    pub merge: MergeType,
    /// What becomes of a row that one device deletes while another changes it.
    pub delete: DeleteRule,
}

/// Who may write a table's rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum TableKind {
    /// Every member.
    Shared,
    /// Of each row only the device that made it.
    Owned,
}

/// What becomes of concurrent changes of one row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum MergeType {
    /// Each property has the value that was written last. The conflict action `Merge`.
    LwwMap,
    /// The row is as it was written last: it has one property, the empty name, with all that it says. The conflict action
    /// `Overwrite`.
    LwwRow,
    /// Rows are added and never changed or deleted. The conflict action `Ignore`.
    GSet,
}

/// What becomes of a row that one device deletes while another changes it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum DeleteRule {
    /// It is deleted, and no later change brings it back.
    DeletionWins,
    /// A change that was stamped later than the deletion brings it back whole.
    UpdateRevives,
}

/// What an operation does (seed 001).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum Method {
    /// A row of an owned table is as given, whether it was there before or not.
    OwnedBatchCreate,
    /// A row of an owned table is gone.
    OwnedDelete,
    /// A row of a shared table is there, with these values where it was not; it brings no deleted row back.
    SharedCreate,
    /// A property of a row has this value.
    SharedUpdate,
    /// A row of a shared table is gone.
    SharedDelete,
}

/// A property and its value.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct PropertyValue {
    /// The property's name.
    pub property: String,
    /// What it is.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub value: Vec<u8>,
}

/// A change that the application made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RowChange {
    /// The table, one of the configuration.
    pub table: String,
    /// The row's key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// What was done.
    pub change: RowChangeKind,
    /// When, by the device's clock; none for now. It is stamped no later than now and later than all that the engine
    /// had applied.
    pub at: Option<UnixMs>,
}

/// What was done to a row.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Enum))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub enum RowChangeKind {
    /// It was made with these values. One that the engine knows as deleted comes back, and what is not given has the value
    /// that it had.
    Insert {
        /// Its values.
        values: Vec<PropertyValue>,
    },
    /// These properties have these values now.
    Update {
        /// The values.
        values: Vec<PropertyValue>,
    },
    /// It was deleted.
    Delete,
}

/// Which row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RowName {
    /// Its table.
    pub table: String,
    /// Its key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub key: Vec<u8>,
    /// The public key of the device that owns it, 32 bytes; empty in a shared table. Rows of one key that several devices own
    /// are several rows.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub owner: Vec<u8>,
}

/// A row as it stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RowState {
    /// Which row.
    pub name: RowName,
    /// It is there. A deleted one has its last values still.
    pub exists: bool,
    /// Its values, in the order of their properties' names.
    pub values: Vec<StampedValue>,
    /// When it was made or brought back or deleted, whichever its standing rests on.
    pub at: Option<RowStamp>,
}

/// A property's value and who wrote it when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct StampedValue {
    /// The property's name.
    pub property: String,
    /// What it is.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub value: Vec<u8>,
    /// The write that counts.
    pub at: RowStamp,
}

/// A stamp of a record (§4.3). Stamps are ordered by time, then as numbers whose lowest byte is the replica's first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RowStamp {
    /// Nanoseconds since 1970.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unix_ns: u64,
    /// Who stamped.
    pub replica: ReplicaId,
}

/// Which rows to read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RowQuery {
    /// Of which table.
    pub table: String,
    /// Only those behind this one: the last of the page before.
    pub after: Option<RowName>,
    /// From this key on. Shared rows come in byte order of their keys; owned ones behind them, by owner and then by key.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))]
    pub from: Vec<u8>,
    /// Up to this key, which does not belong to them; none for all, those that are owned included.
    #[serde(with = "serde_bytes")]
    #[cfg_attr(feature = "wasm", tsify(type = "Uint8Array | undefined"))]
    pub until: Option<Vec<u8>>,
    /// Rows that were deleted, too.
    pub deleted: bool,
    /// How many at most; a page ends sooner where rows are long.
    pub limit: u32,
}

/// How the records stand.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "uniffi", derive(uniffi::Record))]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct RecordsStatus {
    /// What the application's changes are saved up to: the last [`taken`](super::Command::WriteRows) of a saved command.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub taken: u64,
    /// Messages whose operations are not merged yet.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unmerged: u64,
    /// Of those the messages that hold operations stamped too far ahead.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub held: u64,
    /// Batches of rows that are not in the application's database yet.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub unapplied: u64,
    /// Operations of other devices that were merged since the start.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub received: u64,
    /// Operations of this device since the start.
    #[cfg_attr(feature = "wasm", tsify(type = "bigint"))]
    pub sent: u64,
}

impl RowStamp {
    /// What stamps are ordered by, as [`uhlc::Timestamp`] orders them.
    fn place(&self) -> (u64, u128) {
        (self.unix_ns, u128::from_le_bytes(*self.replica.as_bytes()))
    }
}

impl Ord for RowStamp {
    fn cmp(&self, other: &RowStamp) -> Ordering {
        self.place().cmp(&other.place())
    }
}

impl PartialOrd for RowStamp {
    fn partial_cmp(&self, other: &RowStamp) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

//! The boundary: everything that crosses between a host and the engine, as plain data.
//!
//! A host calls [`Engine::handle`](crate::Engine::handle) with an [`Event`] and carries out the [`Action`]s it gets
//! back. Each [`Work`] is answered by exactly one [`Outcome`]. The types carry the derives of every language binding
//! behind features, and are defined nowhere else.
//!
//! Shapes: named fields only; 64-bit integers cross as `bigint`, `UInt64` and `ULong`; byte arrays as byte arrays;
//! directory listings as one packed array ([`listing`]).

mod action;
mod command;
mod config;
mod disk;
mod event;
mod folder;
mod id;
pub mod listing;
mod mode;
mod notice;
mod outcome;
mod records;
mod status;
mod unit;
mod work;

pub use action::Action;
pub use command::Command;
pub use config::{
    CompactionConfig, Config, ConfigError, DeliveryConfig, DeliveryOrder, FolderConfig, FolderIndexing, GroupConfig,
    Membership, RootConfig, Seed,
};
pub use disk::{Content, EntryKind, Stat};
pub use event::{Event, Hint};
pub use folder::{Delivery, FolderEntryKind, FolderFile, FolderProbeResult, FolderResult};
pub use id::{FolderId, GroupId, Hash, LinkId, ReplicaId, RootId, StageId, TaskId};
pub use mode::MemberMode;
pub use notice::{Notice, NoticeCode};
pub use outcome::{CommitResult, Failure, HashResult, Outcome, Pair, ProbeResult, ReadResult, StageResult};
pub use records::{
    DeleteRule, MergeType, Method, PropertyValue, RecordsConfig, RecordsStatus, RowChange, RowChangeKind, RowName,
    RowQuery, RowStamp, RowState, StampedValue, TableConfig, TableKind,
};
pub use status::{
    FolderState, FolderStatus, Gap, LinkStatus, MemberStatus, MessagePlace, RootState, RootStatus, Status,
};
pub use unit::{Monotonic, Now, UnixMs};
pub use work::{CommitItem, HashItem, Key, LoadQuery, Put, ReadRange, StageItem, StageSource, Work, Write};

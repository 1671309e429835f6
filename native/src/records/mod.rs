//! Keeping the tables of two SQLite databases in agreement, or those of one and of whoever else uses a message folder.
//!
//! [`Records`] is for applications: their rows as their own types, a stream of what others change, agreement in the background.
//! [`Databases`] is what it runs, and what the `syncline` command runs on databases that other programs write.
//!
//! [`Database`](crate::sqlite::Database) is what an application's database becomes when its tables are kept; here engines run
//! on such databases. The engine's store lies in the database itself, so one thread does all that is done to it:
//! loads and saves, rows of others, and the application's own changes, which it gives to the engine a page at a time.

mod follow;
mod keeper;
mod key;
mod open;
mod place;
mod reading;
mod row;
mod run;
#[cfg(test)]
mod tests;
mod transaction;
mod typed;
mod watch;

use serde::Serialize;

pub use follow::{Following, Partner};
pub use key::RowKey;
pub use open::{Databases, Side};
pub use reading::{LoggedOperation, RowShown, StatusReport, ValueShown, log, show, status};
pub use run::{Observer, Report};
pub use transaction::Transaction;
pub use typed::Records;
pub use watch::{Change, Watch};

/// How databases are to be brought together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// End at the first agreement instead of following what applications do.
    pub once: bool,
}

/// What a run did, summed over its databases.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Rows made.
    pub rows_created: u64,
    /// Rows changed.
    pub rows_updated: u64,
    /// Rows deleted.
    pub rows_deleted: u64,
    /// Operations that the applications' changes became.
    pub operations_sent: u64,
    /// Operations of other devices that were merged.
    pub operations_received: u64,
    /// What waits for a person or for a time: operations stamped ahead, rows that their tables do not take, and rows that are too
    /// large to be sent.
    pub held: u64,
    /// Bytes sent to the other side or written into the message folder.
    pub bytes_moved: u64,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
    /// Both hold the same, and nothing waits.
    pub in_sync: bool,
}

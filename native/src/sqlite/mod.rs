//! An application's own SQLite database whose tables are kept in agreement between devices.
//!
//! The application goes on using its database as before; nothing of Syncline need run while it does. [`Database::init`] adds
//! triggers that note, in the transaction that writes, which rows and columns were changed ([`Database::next_changes`] reads
//! them later, with the values they have then). What other devices changed is written by [`Database::apply`] in one
//! transaction, which the triggers do not note. [`Database::deinit`] takes all of it out again.
//!
//! **One file.** The engine's own store, the changes that were not sent yet, how far others' changes were applied, and the
//! rows themselves lie in one database and are written in its transactions. A backup that is brought back brings all of them
//! back together, and there is no moment at which one is newer than the other. The group's key and the device's identity lie
//! there, too: whoever reads the file can speak for the device. A copy of the file that is used beside it goes on under an id of
//! its own, and writes the rows that the device owns as it does.
//!
//! **What wins.** A change that the application made and the engine was not given yet stays where others' rows are applied;
//! what was applied to such a row is tried again later. Foreign keys are not enforced while rows are applied, for a child may
//! come before its parent; a missing parent is told. A row that the table does not take (`NOT NULL`, `CHECK`, types) is *set
//! aside*: not in the table, but remembered and tried again whenever rows of its table are applied. So is a row whose unique
//! value another row has that was stamped later; then the rows are, in any order of arrival, what they would be if they were
//! put into an empty table one after the other, the latest stamped first. A row's stamp for this is the latest of its unique
//! columns, and of two that are equal the larger key goes first.
//!
//! **What is too large.** A change travels within one message, which has room for about 500 KB of it. A row with more stays as
//! the application has it, alone: nothing of it is sent, nothing of others is written over it, and each run tells of it, until it is
//! made smaller or deleted.
//!
//! **What is left out.** Generated columns; rows with NULL in their key; the text of an expression's unique index when
//! `REPLACE` displaces a row by it while `recursive_triggers` is off (that deletion is not noted). Triggers of the application
//! fire for applied rows as for any; what they write into tables that are kept in agreement is not noted, and one that calls a
//! function which only the application has makes its table take no row. Rows that are set aside are tried one after the other,
//! so that thousands of them make each transaction longer.

mod apply;
mod aside;
mod capture;
mod copy;
mod fault;
mod kept_back;
mod pending;
mod place;
mod rows;
mod schema;
mod sql;
mod store;
mod tables;
mod triggers;
mod value;

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

pub use apply::{Applied, Applying, RowNotice};
pub use aside::{SetAside, Trouble};
pub use capture::Changes;
pub use pending::Page;
pub(crate) use rows::{Assignment, Cell};
pub use schema::{Column, ForeignKey, Table, Unfit, Unique};
pub use store::Facts;
pub use tables::{Tracked, owned, parse_tables, set, shared};
pub use value::{NoValue, Value, decode_key, decode_row, encode_key, plain_key, show_key};

use crate::Error;
use fault::{Fault, Tried};

/// The newest format of what Syncline keeps in a database that this host writes and reads.
pub const FORMAT: u32 = 1;

/// How long to wait for another program that holds the database's lock.
const BUSY: Duration = Duration::from_secs(10);
const STATEMENTS_CACHED: usize = 512;
/// How much of the file SQLite holds in memory, in KiB; the minus says so. Rows lie by their keys, which come in any order.
const CACHE_KIB: i64 = -16_000;

/// An application's database.
pub struct Database {
    connection: Connection,
    path: PathBuf,
    tables: Vec<Tracked>,
    noticed: Changes,
}

impl Database {
    /// Opens a database that is there, and keeps up with what the application did to its schema.
    ///
    /// # Errors
    /// There is none, it is none, it was written by a newer Syncline (nothing is touched then), or it cannot be read.
    pub fn open(path: &Path) -> Result<Database, Error> {
        if !path.exists() {
            return Err(Error::MissingDatabase { path: path.to_path_buf() });
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Self::connect(path, flags)?;
        if database.is_initialized()? {
            database.check_format()?;
            database.noticed = database.refresh()?;
        }
        Ok(database)
    }

    /// Whether tables are kept in agreement here.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn is_initialized(&self) -> Result<bool, Error> {
        self.read(|connection| Ok(capture::exists(connection, "table", "syncline_state")?))
    }

    /// What the application did to its schema since the last time, as it was found and followed when the database was opened.
    pub fn noticed(&self) -> &Changes {
        &self.noticed
    }

    /// The tables that are kept in agreement, but for those that are not there any more.
    pub fn tables(&self) -> &[Tracked] {
        &self.tables
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(path: &Path, flags: OpenFlags) -> Result<Database, Error> {
        let open = || -> Tried<Connection> {
            let connection = Connection::open_with_flags(path, flags)?;
            connection.busy_timeout(BUSY)?;
            connection.pragma_update(None, "cache_size", CACHE_KIB)?;
            connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
            // A merge must not get stuck at a child that comes before its parent. What is committed is on disk. That `REPLACE`
            // fires triggers for what it removes tells which rows another one would displace.
            connection.execute_batch(
                "PRAGMA foreign_keys = OFF; PRAGMA synchronous = FULL; PRAGMA recursive_triggers = ON;",
            )?;
            // Reading the schema finds out whether it is a database at all.
            connection.query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get::<_, i64>(0))?;
            Ok(connection)
        };
        let connection = open().map_err(|fault| fault.told("open", path))?;
        Ok(Database { connection, path: path.to_path_buf(), tables: Vec::new(), noticed: Changes::default() })
    }

    fn check_format(&self) -> Result<(), Error> {
        let found = self.read(|connection| {
            let found = store::state::<i64>(connection, "format")?;
            found.ok_or_else(|| Fault::Damaged("its format is not told".into()))
        })?;
        let found = u32::try_from(found).unwrap_or(u32::MAX);
        if found > FORMAT {
            return Err(Error::NewerFormat { path: self.path.clone(), found, known: FORMAT });
        }
        Ok(())
    }

    /// Reads in one transaction: each statement by itself would lock the file and look whether another program wrote.
    fn read<T>(&self, work: impl FnOnce(&Connection) -> Tried<T>) -> Result<T, Error> {
        let done = || -> Tried<T> {
            let is_within = !self.connection.is_autocommit();
            let _transaction = if is_within { None } else { Some(self.connection.unchecked_transaction()?) };
            work(&self.connection)
        };
        done().map_err(|fault| fault.told("read", &self.path))
    }
}

#[cfg(test)]
mod tests;

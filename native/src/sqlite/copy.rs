//! Beginning a second database that is like a first one.

use std::path::Path;

use rusqlite::{OpenFlags, Transaction, TransactionBehavior};
use syncline_core::api::TableConfig;

use super::fault::{Fault, Tried};
use super::{Database, capture, schema};
use crate::Error;

impl Database {
    /// Opens a database, or makes an empty one, and gives it the tables that are kept in agreement in another one: those that
    /// it lacks are created, with their indexes and without rows. They are kept in agreement there as in the other one. An
    /// empty one takes the other's `user_version` and `application_id` as well, by which applications tell what state their
    /// schema is in.
    ///
    /// # Errors
    /// The other one's schema cannot be read, or this one cannot be written; a table that is there is unfit.
    pub fn create_like(path: &Path, other: &Database) -> Result<Database, Error> {
        let mut statements = Vec::new();
        for tracked in other.tables() {
            let table = tracked.table.name.clone();
            statements.push((other.read(|connection| Ok(schema::statements(connection, &table)?))?, table));
        }
        let version = other.read(|connection| Ok(pragma(connection, "user_version")?))?;
        let id = other.read(|connection| Ok(pragma(connection, "application_id")?))?;
        let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let mut database = Self::connect(path, flags)?;
        if database.is_initialized()? {
            database.check_format()?;
        }
        let create = |database: &Database| -> Tried<()> {
            let transaction = Transaction::new_unchecked(&database.connection, TransactionBehavior::Immediate)?;
            let things: i64 = transaction.query_row("SELECT count(*) FROM main.sqlite_schema", [], |row| row.get(0))?;
            if things == 0 {
                transaction
                    .execute_batch(&format!("PRAGMA user_version = {version}; PRAGMA application_id = {id};"))?;
            }
            for (statements, table) in &statements {
                if !capture::exists(&transaction, "table", table)? {
                    statements.iter().try_for_each(|statement| transaction.execute_batch(statement))?;
                }
            }
            Ok(transaction.commit()?)
        };
        create(&database).map_err(|fault| fault.told("create tables in", path))?;
        let configs: Vec<TableConfig> = other.tables().iter().map(|tracked| tracked.config.clone()).collect();
        database.noticed = database.init(&configs)?;
        Ok(database)
    }
}

impl Database {
    /// Writes a copy of the whole database, as it is now, where nothing is yet.
    ///
    /// # Errors
    /// It cannot be read, or the copy cannot be written.
    pub fn copy_to(&self, path: &Path) -> Result<(), Error> {
        // It is a transaction of its own.
        let copied = self.connection.execute("VACUUM INTO ?1", [path.to_string_lossy()]);
        copied.map(drop).map_err(|error| Fault::from(error).told("read", &self.path))
    }
}

fn pragma(connection: &rusqlite::Connection, name: &str) -> rusqlite::Result<i64> {
    connection.query_row(&format!("PRAGMA main.{name}"), [], |row| row.get(0))
}

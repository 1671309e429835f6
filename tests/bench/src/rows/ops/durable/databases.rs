//! The peers: databases that are given the values alone.

use std::path::Path;

use anyhow::{Result, ensure};
use redb::{Database, ReadableDatabase, ReadableTableMetadata, TableDefinition};
use rusqlite::Connection;

use super::Keeper;
use crate::rows::ops::data::Update;

const TABLE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("items");

/// redb, which syncs each transaction.
pub struct Redb(Database);

impl Keeper for Redb {
    fn create(directory: &Path) -> Result<Redb> {
        let database = Database::create(directory.join("peer.redb"))?;
        let transaction = database.begin_write()?;
        transaction.open_table(TABLE)?;
        transaction.commit()?;
        Ok(Redb(database))
    }

    fn take(&mut self, batch: &[Update]) -> Result<()> {
        let transaction = self.0.begin_write()?;
        {
            let mut table = transaction.open_table(TABLE)?;
            for update in batch {
                table.insert(update.key.as_bytes(), update.number.to_le_bytes().as_slice())?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn rows(&self) -> Result<usize> {
        Ok(usize::try_from(self.0.begin_read()?.open_table(TABLE)?.len()?)?)
    }
}

/// SQLite, which syncs its log with each transaction.
pub struct Sqlite(Connection);

impl Keeper for Sqlite {
    fn create(directory: &Path) -> Result<Sqlite> {
        let connection = Connection::open(directory.join("peer.sqlite"))?;
        let mode: String = connection.query_row("PRAGMA journal_mode = WAL", [], |row| row.get(0))?;
        ensure!(mode == "wal", "expected a write-ahead log, found {mode}");
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.execute_batch("CREATE TABLE items (key BLOB PRIMARY KEY, value INTEGER) WITHOUT ROWID")?;
        Ok(Sqlite(connection))
    }

    fn take(&mut self, batch: &[Update]) -> Result<()> {
        let transaction = self.0.transaction()?;
        {
            let sql = "INSERT INTO items VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = excluded.value";
            let mut statement = transaction.prepare_cached(sql)?;
            for update in batch {
                statement.execute((update.key.as_bytes(), update.number))?;
            }
        }
        Ok(transaction.commit()?)
    }

    fn rows(&self) -> Result<usize> {
        let count: u32 = self.0.query_row("SELECT count(*) FROM items", [], |row| row.get(0))?;
        Ok(count as usize)
    }
}

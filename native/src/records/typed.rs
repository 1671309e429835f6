//! Rows as a program's own types.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use syncline_core::api::TableConfig;

use super::key::RowKey;
use super::row;
use super::transaction::Transaction;
use super::watch::{Watch, Watchers};
use crate::Error;
use crate::sqlite::{Database, Value};

/// An application's database whose tables are kept in agreement, with rows as the program's own types.
///
/// A row is a struct with a field for each column, or a map such as `serde_json::json!` makes. Texts, whole and floating-point
/// numbers, bytes (`Vec<u8>`) and `Option`s of them are as SQLite has them; a `bool` is 0 or 1 and is read from a column that
/// is declared `BOOLEAN`; an enum without data is its name. A field that is a struct, a map or a list of anything but bytes is
/// refused, as is a number above `i64::MAX`; a float that is not finite is written as NULL, and cannot be read.
///
/// ```
/// use serde::{Deserialize, Serialize};
/// use syncline::records::Records;
/// use syncline::sqlite::shared;
///
/// #[derive(Debug, PartialEq, Serialize, Deserialize)]
/// struct Album {
///     id: String,
///     name: String,
///     year: Option<i64>,
/// }
///
/// # let folder = tempfile::tempdir()?;
/// # let path = folder.path().join("library.db");
/// // The schema is the application's own.
/// let schema = "CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT NOT NULL, year INTEGER)";
/// rusqlite::Connection::open(&path)?.execute_batch(schema)?;
///
/// let records = Records::open(&path, &[shared("albums")])?;
/// records.create("albums", &Album { id: "1".into(), name: "Geogaddi".into(), year: None })?;
/// records.update("albums", "1", &serde_json::json!({ "year": 2002 }))?;
/// let album: Option<Album> = records.get("albums", "1")?;
/// assert_eq!(album, Some(Album { id: "1".into(), name: "Geogaddi".into(), year: Some(2002) }));
/// records.delete("albums", "1")?;
/// assert!(records.all::<Album>("albums")?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Each write is a transaction of its own and on disk when it returns; [`transaction`](Records::transaction) puts several into
/// one. The application may write with a connection of its own as well: triggers note it and others get it all the same, only
/// watchers here are not told. Foreign keys are not enforced by this connection. In an owned table, rows of other devices can be read; a change of one is
/// undone when the engine hears of it.
pub struct Records {
    pub(super) open: Arc<Open>,
}

/// What watchers need of an open database.
pub(super) struct Open {
    database: Mutex<Database>,
    pub(super) path: PathBuf,
    pub(super) watchers: Arc<Watchers>,
}

impl Records {
    /// Opens a database that is there, and begins to keep these tables in agreement; others that are kept stay so. Nothing is
    /// exchanged before [`sync`](Records::sync) or [`follow`](Records::follow).
    ///
    /// # Errors
    /// The database is missing or cannot be used, or a table is not there or [unfit](crate::sqlite::Unfit), and why.
    pub fn open(path: &Path, tables: &[TableConfig]) -> Result<Records, Error> {
        let mut database = Database::open(path)?;
        database.init(tables)?;
        let (path, watchers) = (path.to_path_buf(), Arc::default());
        Ok(Records { open: Arc::new(Open { database: Mutex::new(database), path, watchers }) })
    }

    /// Makes a row; its key comes back. Columns that the value does not have get their defaults.
    ///
    /// # Errors
    /// The value is no row, the table is not kept in agreement or does not take it (the key is taken, a constraint forbids it,
    /// there is no such column), or the database cannot be written.
    pub fn create<T: Serialize + ?Sized>(&self, table: &str, row: &T) -> Result<Vec<Value>, Error> {
        self.transaction(|rows| rows.create(table, row))
    }

    /// Changes the columns of a row that the value has, and no others.
    ///
    /// # Errors
    /// There is no such row ([`Error::MissingRow`]), or as of [`create`](Records::create).
    pub fn update<T: Serialize + ?Sized>(&self, table: &str, key: impl RowKey, values: &T) -> Result<(), Error> {
        self.transaction(|rows| rows.update(table, key, values))
    }

    /// Deletes a row; whether it was there comes back.
    ///
    /// # Errors
    /// The table is not kept in agreement, or the database cannot be written.
    pub fn delete(&self, table: &str, key: impl RowKey) -> Result<bool, Error> {
        self.transaction(|rows| rows.delete(table, key))
    }

    /// Does several writes together: all of them once the work is done, and none where it returns an error. They are written to
    /// the disk once, so that thousands of rows take no longer than a few. Only what the work is given may be used in it: this
    /// value waits for the work to end. An error of the application's own may come back, if it can be made from [`Error`].
    ///
    /// # Errors
    /// The work's, or the database cannot be written.
    pub fn transaction<R, E: From<Error>>(&self, work: impl FnOnce(&Transaction<'_>) -> Result<R, E>) -> Result<R, E> {
        let database = self.open.database();
        let writing = database.begin()?;
        let transaction = Transaction::new(&database);
        let done = work(&transaction)?;
        writing.commit()?;
        let written = transaction.into_written();
        drop(database);
        for (table, key) in &written {
            self.open.watchers.tell(table, key);
        }
        Ok(done)
    }

    /// A row; none if it is not there.
    ///
    /// # Errors
    /// The row is not of this type, the table is not kept in agreement, or the database cannot be read.
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: impl RowKey) -> Result<Option<T>, Error> {
        self.open.row(table, &key.values())
    }

    /// All rows of a table, in the order of their keys.
    ///
    /// # Errors
    /// As of [`get`](Records::get); one row that is not of this type is enough.
    pub fn all<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<T>, Error> {
        row::all(&self.open.database(), table)
    }

    /// What is changed in a table from now on: by others, as [`sync`](Records::sync) and [`follow`](Records::follow) of this
    /// value apply it, and by its own writes. The stream ends when this value is dropped. To miss nothing, watch first and read
    /// [`all`](Records::all) then.
    ///
    /// # Errors
    /// The table is not kept in agreement.
    pub fn watch<T: DeserializeOwned>(&self, table: &str) -> Result<Watch<T>, Error> {
        self.open.database().tracked(table)?;
        Ok(Watch::new(&self.open, table))
    }

    /// Where the database lies.
    pub fn path(&self) -> &Path {
        &self.open.path
    }
}

impl Drop for Records {
    fn drop(&mut self) {
        self.open.watchers.end();
    }
}

impl Open {
    /// A row as it is now.
    pub(super) fn row<T: DeserializeOwned>(&self, table: &str, key: &[Value]) -> Result<Option<T>, Error> {
        row::get(&self.database(), table, key)
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

//! Rows as a program's own types.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;
use syncline_core::api::TableConfig;

use super::key::RowKey;
use super::row;
use super::watch::{Watch, Watchers};
use crate::Error;
use crate::sqlite::{Assignment, Cell, Database, Value, encode_key, show_key};

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
/// Each write is a transaction of its own and on disk when it returns. The application may write with a connection of its own
/// as well, for instance many rows at once: triggers note it and others get it all the same, only watchers here are not told.
/// Foreign keys are not enforced by this connection. In an owned table, rows of other devices can be read; a change of one is
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
        let values = self.open.values(table, row)?;
        let key = self.open.database().insert_row(table, &values)?;
        self.open.tell(table, &key);
        Ok(key)
    }

    /// Changes the columns of a row that the value has, and no others.
    ///
    /// # Errors
    /// There is no such row ([`Error::MissingRow`]), or as of [`create`](Records::create).
    pub fn update<T: Serialize + ?Sized>(&self, table: &str, key: impl RowKey, values: &T) -> Result<(), Error> {
        let (before, values) = (key.values(), self.open.values(table, values)?);
        let Some(now) = self.open.database().update_row(table, &before, &values)? else {
            let (path, table) = (self.open.path.clone(), table.to_string());
            return Err(Error::MissingRow { path, table, key: show_key(&encode_key(&before)) });
        };
        self.open.tell(table, &now);
        if before != now {
            self.open.tell(table, &before);
        }
        Ok(())
    }

    /// Deletes a row; whether it was there comes back.
    ///
    /// # Errors
    /// The table is not kept in agreement, or the database cannot be written.
    pub fn delete(&self, table: &str, key: impl RowKey) -> Result<bool, Error> {
        let deleted = self.open.database().delete_row(table, &key.values())?;
        if let Some(key) = &deleted {
            self.open.tell(table, key);
        }
        Ok(deleted.is_some())
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
        let database = self.open.database();
        let key = &database.tracked(table)?.table.key;
        database.rows(table, |cells| self.open.typed(table, key, cells))
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
        let database = self.database();
        let columns = &database.tracked(table)?.table.key;
        database.row(table, key)?.map(|cells| self.typed(table, columns, cells)).transpose()
    }

    fn typed<T: DeserializeOwned>(&self, table: &str, key: &[String], cells: Vec<Cell>) -> Result<T, Error> {
        let value = |column: &String| cells.iter().find(|cell| cell.column == *column).map(|cell| cell.value.show());
        let shown = key.iter().filter_map(value).collect::<Vec<_>>().join(", ");
        let (path, table) = (self.path.clone(), table.to_string());
        row::from_cells(cells).map_err(|detail| Error::UnfitRow { path, table, key: shown, detail })
    }

    fn values<T: Serialize + ?Sized>(&self, table: &str, row: &T) -> Result<Vec<Assignment>, Error> {
        let unfit = |detail| Error::UnfitValue { path: self.path.clone(), table: table.to_string(), detail };
        row::to_columns(row).map_err(unfit)
    }

    fn tell(&self, table: &str, key: &[Value]) {
        self.watchers.tell(table, &encode_key(key));
    }

    fn database(&self) -> MutexGuard<'_, Database> {
        self.database.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

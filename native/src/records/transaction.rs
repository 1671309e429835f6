//! Several writes that happen together.

use std::cell::RefCell;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::key::RowKey;
use super::row;
use crate::Error;
use crate::sqlite::{Database, Value, encode_key, show_key};

/// Writes that happen together or not at all; [`Records::transaction`](super::Records::transaction) gives it to the work that
/// makes them. Its methods are those of [`Records`](super::Records), and what they read is what was written here.
pub struct Transaction<'r> {
    database: &'r Database,
    /// The tables and keys of the rows that were written.
    written: RefCell<Vec<(String, Vec<u8>)>>,
}

impl Transaction<'_> {
    pub(super) fn new(database: &Database) -> Transaction<'_> {
        Transaction { database, written: RefCell::default() }
    }

    pub(super) fn into_written(self) -> Vec<(String, Vec<u8>)> {
        self.written.into_inner()
    }

    /// Makes a row; its key comes back.
    ///
    /// # Errors
    /// As of [`Records::create`](super::Records::create).
    pub fn create<T: Serialize + ?Sized>(&self, table: &str, row: &T) -> Result<Vec<Value>, Error> {
        let key = self.database.insert_row(table, &row::values(self.database, table, row)?)?;
        self.note(table, &key);
        Ok(key)
    }

    /// Changes the columns of a row that the value has, and no others.
    ///
    /// # Errors
    /// As of [`Records::update`](super::Records::update).
    pub fn update<T: Serialize + ?Sized>(&self, table: &str, key: impl RowKey, values: &T) -> Result<(), Error> {
        let (before, values) = (key.values(), row::values(self.database, table, values)?);
        let Some(now) = self.database.update_row(table, &before, &values)? else {
            let (path, table) = (self.database.path().to_path_buf(), table.to_string());
            return Err(Error::MissingRow { path, table, key: show_key(&encode_key(&before)) });
        };
        self.note(table, &now);
        if before != now {
            self.note(table, &before);
        }
        Ok(())
    }

    /// Deletes a row; whether it was there comes back.
    ///
    /// # Errors
    /// As of [`Records::delete`](super::Records::delete).
    pub fn delete(&self, table: &str, key: impl RowKey) -> Result<bool, Error> {
        let deleted = self.database.delete_row(table, &key.values())?;
        if let Some(key) = &deleted {
            self.note(table, key);
        }
        Ok(deleted.is_some())
    }

    /// A row; none if it is not there.
    ///
    /// # Errors
    /// As of [`Records::get`](super::Records::get).
    pub fn get<T: DeserializeOwned>(&self, table: &str, key: impl RowKey) -> Result<Option<T>, Error> {
        row::get(self.database, table, &key.values())
    }

    /// All rows of a table, in the order of their keys.
    ///
    /// # Errors
    /// As of [`Records::all`](super::Records::all).
    pub fn all<T: DeserializeOwned>(&self, table: &str) -> Result<Vec<T>, Error> {
        row::all(self.database, table)
    }

    fn note(&self, table: &str, key: &[Value]) {
        self.written.borrow_mut().push((table.to_string(), encode_key(key)));
    }
}

//! Rows as the application itself reads and writes them: values by column.
//!
//! These are ordinary statements, so triggers note what they change as they note what any other program does.

use std::path::Path;

use rusqlite::{Column, Connection, OptionalExtension, Row, ToSql, Transaction, TransactionBehavior, params_from_iter};

use super::Database;
use super::fault::{Fault, Tried, is_about_row};
use super::sql::{each, name};
use super::tables::Tracked;
use super::value::{Value, encode_key, show_key};
use crate::Error;

/// What stands in one column of a row.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Cell {
    /// The column's name.
    pub(crate) column: String,
    /// What stands there.
    pub(crate) value: Value,
    /// The column was declared as `BOOLEAN` or `BOOL`, of which SQLite keeps 0 and 1.
    pub(crate) is_boolean: bool,
}

/// What is tried here, for errors.
const WRITE: &str = "write to";

/// A value and the column that it is for.
pub(crate) type Assignment = (String, Value);

/// Writes that happen together once they are [committed](Writing::commit), and not at all where this is dropped before.
pub(crate) struct Writing<'d> {
    transaction: Transaction<'d>,
    path: &'d Path,
}

impl Writing<'_> {
    /// What was written is on disk when this returns.
    pub(crate) fn commit(self) -> Result<(), Error> {
        let Writing { transaction, path } = self;
        transaction.commit().map_err(|error| Fault::from(error).told(WRITE, path))
    }
}

impl Database {
    /// Begins to write.
    pub(crate) fn begin(&self) -> Result<Writing<'_>, Error> {
        let begun = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate);
        let transaction = begun.map_err(|error| Fault::from(error).told(WRITE, &self.path))?;
        Ok(Writing { transaction, path: &self.path })
    }

    /// Makes a row; its key comes back, with what the table put there by default.
    pub(crate) fn insert_row(&self, table: &str, values: &[Assignment]) -> Result<Vec<Value>, Error> {
        let tracked = self.tracked(table)?;
        let columns = each(values, ", ", |_, (column, _)| name(column));
        let places = each(values, ", ", |index, _| format!("?{}", index + 1));
        let into = match values {
            [] => "DEFAULT VALUES".to_string(),
            _ => format!("({columns}) VALUES ({places})"),
        };
        let insert = format!("INSERT INTO main.{} {into} RETURNING {}", name(&tracked.table.name), keys(tracked));
        self.execute(|connection| {
            let key = returned(connection, tracked, &insert, values.iter().map(|(_, value)| value));
            let key = key.map_err(|error| self.refused(table, error))?;
            key.ok_or_else(|| self.refusal(table, "a trigger of the application left it out").into())
        })
    }

    /// Changes these columns of a row; its key comes back, which may be another one now. None if the row is not there.
    pub(crate) fn update_row(
        &self,
        table: &str,
        key: &[Value],
        values: &[Assignment],
    ) -> Result<Option<Vec<Value>>, Error> {
        let tracked = self.keyed(table, key)?;
        let mut sets =
            each(values, ", ", |index, (column, _)| format!("{} = ?{}", name(column), key.len() + index + 1));
        if sets.is_empty() {
            // Finds out whether the row is there and changes nothing.
            sets = each(tracked.table.key.get(..1).unwrap_or_default(), "", |_, key| format!("{0} = {0}", name(key)));
        }
        let table_name = name(&tracked.table.name);
        let update =
            format!("UPDATE main.{table_name} SET {sets} WHERE {} RETURNING {}", named(tracked), keys(tracked));
        self.execute(|connection| {
            let values = key.iter().chain(values.iter().map(|(_, value)| value));
            returned(connection, tracked, &update, values).map_err(|error| self.refused(table, error))
        })
    }

    /// Deletes a row; its key comes back as it stood there. None if the row is not there.
    pub(crate) fn delete_row(&self, table: &str, key: &[Value]) -> Result<Option<Vec<Value>>, Error> {
        let tracked = self.keyed(table, key)?;
        let table_name = name(&tracked.table.name);
        let delete = format!("DELETE FROM main.{table_name} WHERE {} RETURNING {}", named(tracked), keys(tracked));
        self.execute(|connection| {
            returned(connection, tracked, &delete, key.iter()).map_err(|error| self.refused(table, error))
        })
    }

    /// What a row holds, generated columns included; none if it is not there.
    pub(crate) fn row(&self, table: &str, key: &[Value]) -> Result<Option<Vec<Cell>>, Error> {
        let tracked = self.keyed(table, key)?;
        let select = format!("SELECT * FROM main.{} WHERE {}", name(&tracked.table.name), named(tracked));
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&select)?;
            Ok(statement.query_row(params_from_iter(key), cells).optional()?)
        })
    }

    /// What is made of each row of a table, in the order of its key.
    pub(crate) fn rows<R>(
        &self,
        table: &str,
        mut make: impl FnMut(Vec<Cell>) -> Result<R, Error>,
    ) -> Result<Vec<R>, Error> {
        let tracked = self.tracked(table)?;
        let select = format!("SELECT * FROM main.{} ORDER BY {}", name(&tracked.table.name), keys(tracked));
        self.read(|connection| {
            let mut statement = connection.prepare_cached(&select)?;
            let mut rows = statement.query([])?;
            let mut made = Vec::new();
            while let Some(row) = rows.next()? {
                made.push(make(cells(row)?)?);
            }
            Ok(made)
        })
    }

    /// Does one statement; within what was [begun](Database::begin), if anything was.
    fn execute<T>(&self, work: impl FnOnce(&Connection) -> Tried<T>) -> Result<T, Error> {
        work(&self.connection).map_err(|fault| fault.told(WRITE, &self.path))
    }

    /// A table that is kept in agreement.
    pub(crate) fn tracked(&self, table: &str) -> Result<&Tracked, Error> {
        let unknown = || Error::UnknownTable { path: self.path.clone(), table: table.to_string() };
        self.tables.iter().find(|tracked| tracked.config.name == table).ok_or_else(unknown)
    }

    /// A table whose rows have keys like this one.
    fn keyed(&self, table: &str, key: &[Value]) -> Result<&Tracked, Error> {
        let tracked = self.tracked(table)?;
        if key.len() == tracked.table.key.len() {
            return Ok(tracked);
        }
        Err(Error::UnfitKey {
            path: self.path.clone(),
            table: table.to_string(),
            key: show_key(&encode_key(key)),
            columns: tracked.table.key.clone(),
        })
    }

    fn refused(&self, table: &str, error: rusqlite::Error) -> Fault {
        if is_about_row(&error) { self.refusal(table, &error.to_string()).into() } else { error.into() }
    }

    fn refusal(&self, table: &str, detail: &str) -> Error {
        Error::RefusedRow { path: self.path.clone(), table: table.to_string(), detail: detail.to_string() }
    }
}

/// The key's columns, in the order of the key.
fn keys(tracked: &Tracked) -> String {
    each(&tracked.table.key, ", ", |_, key| name(key))
}

/// The row whose key is in the first places.
fn named(tracked: &Tracked) -> String {
    each(&tracked.table.key, " AND ", |index, key| format!("{} = ?{}", name(key), index + 1))
}

/// Runs a statement that returns the key of the row that it wrote.
fn returned<'v>(
    connection: &Connection,
    tracked: &Tracked,
    sql: &str,
    values: impl Iterator<Item = &'v Value>,
) -> rusqlite::Result<Option<Vec<Value>>> {
    let mut statement = connection.prepare_cached(sql)?;
    let values: Vec<&dyn ToSql> = values.map(|value| value as &dyn ToSql).collect();
    let key = |row: &Row<'_>| (0..tracked.table.key.len()).map(|index| Ok(Value::from(row.get_ref(index)?))).collect();
    statement.query_row(values.as_slice(), key).optional()
}

fn cells(row: &Row<'_>) -> rusqlite::Result<Vec<Cell>> {
    let cell = |(index, column): (usize, Column<'_>)| {
        let declared = column.decl_type().unwrap_or_default();
        Ok(Cell {
            column: column.name().to_string(),
            value: Value::from(row.get_ref(index)?),
            is_boolean: ["BOOLEAN", "BOOL"].iter().any(|name| declared.eq_ignore_ascii_case(name)),
        })
    };
    row.as_ref().columns().enumerate().map(cell).collect()
}

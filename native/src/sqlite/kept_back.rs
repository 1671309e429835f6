//! Changes that no message can carry: they are *kept back*. Their entries get negative ids, so that they stay noted, nothing of
//! others is written over them, and nobody waits for them. They come again with the next change of their row, and whenever a
//! run begins.

use std::collections::BTreeSet;

use rusqlite::{Connection, params_from_iter};
use syncline_core::api::RowName;

use super::Database;
use super::fault::Tried;
use super::place::key_of;
use super::sql::each;
use super::store::{set_state, state};
use super::tables::Tracked;
use super::triggers::{changes_table, key_columns};
use super::value::{Value, encode_key};
use crate::Error;

impl Database {
    /// Keeps rows of a page back whose changes can never be sent as they are, up to where the page ends.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn keep_back(&self, rows: &BTreeSet<RowName>, taken: u64) -> Result<(), Error> {
        self.write("write to", |connection| {
            for row in rows {
                let Some(tracked) = self.tables.iter().find(|tracked| tracked.config.name == row.table) else {
                    continue;
                };
                let Some(key) = key_of(tracked, &row.key) else { continue };
                let keyed = each(&tracked.table.key, " AND ", |index, _| format!("k{index} = ?{}", index + 2));
                let update = format!(
                    "UPDATE {} SET id = -id WHERE id BETWEEN 0 AND ?1 AND {keyed}",
                    changes_table(tracked.number)
                );
                let taken = Value::Integer(i64::try_from(taken).unwrap_or(i64::MAX));
                connection.prepare_cached(&update)?.execute(params_from_iter(std::iter::once(&taken).chain(&key)))?;
            }
            Ok(())
        })
    }

    /// Lets everything come again that was kept back; how many rows that are.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn try_kept_back(&self) -> Result<u64, Error> {
        self.write("write to", |connection| {
            let mut rows = 0;
            let mut id: i64 = state(connection, "change")?.unwrap_or_default();
            for tracked in &self.tables {
                let changes = changes_table(tracked.number);
                let own = key_columns(&tracked.table);
                let keyed = each(&tracked.table.key, " AND ", |index, _| format!("k{index} = ?{}", index + 2));
                let update = format!("UPDATE {changes} SET id = ?1 WHERE id < 0 AND {keyed}");
                for key in keys(connection, tracked, &own)? {
                    // Each by itself, for they are large.
                    id += 1;
                    rows += 1;
                    let id = Value::Integer(id);
                    connection.prepare_cached(&update)?.execute(params_from_iter(std::iter::once(&id).chain(&key)))?;
                }
            }
            set_state(connection, "change", &id)?;
            Ok(rows)
        })
    }

    /// The rows of a table whose changes are kept back: their keys.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn kept_back(&self, table: &str) -> Result<Vec<Vec<u8>>, Error> {
        self.read(|connection| {
            let Some(tracked) = self.tables.iter().find(|tracked| tracked.config.name == table) else {
                return Ok(Vec::new());
            };
            let keys = keys(connection, tracked, &key_columns(&tracked.table))?;
            Ok(keys.iter().map(|key| encode_key(key)).collect())
        })
    }
}

/// The keys of a table's rows whose changes are kept back.
fn keys(connection: &Connection, tracked: &Tracked, own: &str) -> Tried<Vec<Vec<Value>>> {
    let select = format!("SELECT DISTINCT {own} FROM {} WHERE id < 0 ORDER BY {own}", changes_table(tracked.number));
    let mut statement = connection.prepare_cached(&select)?;
    let width = tracked.table.key.len();
    let keys = statement.query_map([], |row| (0..width).map(|index| Ok(Value::from(row.get_ref(index)?))).collect())?;
    Ok(keys.collect::<rusqlite::Result<_>>()?)
}

/// Whether changes of a table are kept back.
pub(super) fn has_kept_back(connection: &Connection, tracked: &Tracked) -> Tried<bool> {
    let select = format!("SELECT EXISTS (SELECT 1 FROM {} WHERE id < 0)", changes_table(tracked.number));
    Ok(connection.prepare_cached(&select)?.query_row([], |row| row.get(0))?)
}

/// Two entries of a table of changes are of one row.
pub(super) fn same_key(tracked: &Tracked, one: &str, other: &str) -> String {
    each(&tracked.table.key, " AND ", |index, _| format!("{one}.k{index} = {other}.k{index}"))
}

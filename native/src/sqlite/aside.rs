//! Rows that are not in their table though they exist, or that stand there otherwise than they should, until they can be as
//! they should.

use rusqlite::{Connection, OptionalExtension};
use syncline_core::api::{RowName, RowState};
use syncline_core::records::TooLarge;

use super::Database;
use super::fault::{Fault, Tried};
use super::tables::Tracked;
use crate::Error;

/// What keeps a row from standing as it should.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, thiserror::Error)]
pub enum Trouble {
    /// The application has changed it, and the engine was not given the change yet: the change stays.
    #[error("it was changed here and waits until that is sent")]
    Waiting,
    /// Another row that was stamped later has a unique value of it. It is set aside.
    #[error("another row, written later, has the same unique value")]
    Unique,
    /// Another device's row has this key. It is set aside.
    #[error("a row of another device has this key")]
    Key,
    /// The table does not take it. It is set aside.
    #[error("the table does not take it: {0}")]
    Refused(String),
    /// It stands there, but a row of this table that it belongs to does not.
    #[error("it belongs to a row of `{0}` that is not there")]
    MissingParent(String),
    /// What the application changed in it can never be sent as it is. It stays so here alone.
    #[error("it cannot be sent to other devices as it is: {0}")]
    TooLarge(TooLarge),
    /// Its bytes are no row of this table. It is left out.
    #[error("its bytes are no row of this table")]
    Unreadable,
}

impl Trouble {
    fn stored(&self) -> String {
        match self {
            Trouble::Waiting => "waiting".into(),
            Trouble::Unique => "unique".into(),
            Trouble::Key => "key".into(),
            Trouble::Refused(detail) => format!("refused: {detail}"),
            Trouble::MissingParent(_) | Trouble::TooLarge(_) | Trouble::Unreadable => String::new(),
        }
    }

    fn restored(text: &str) -> Trouble {
        match text {
            "waiting" => Trouble::Waiting,
            "unique" => Trouble::Unique,
            "key" => Trouble::Key,
            text => Trouble::Refused(text.strip_prefix("refused: ").unwrap_or(text).to_string()),
        }
    }
}

/// A row that is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SetAside {
    /// What keeps it from standing as it should.
    pub trouble: Trouble,
    /// How it was when it was to be applied.
    pub state: RowState,
}

impl Database {
    /// The rows of a table that are not in it though they exist, or wait to be applied, at most so many.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn set_aside(&self, table: &str, limit: u32) -> Result<Vec<SetAside>, Error> {
        self.read(|connection| {
            let Some(tracked) = self.tables.iter().find(|tracked| tracked.config.name == table) else {
                return Ok(Vec::new());
            };
            let mut rows = Vec::new();
            for (key, owner) in names(connection, tracked)?.into_iter().take(limit as usize) {
                rows.extend(get(connection, tracked, &key, &owner)?);
            }
            Ok(rows)
        })
    }

    /// Whether rows are remembered that may be tried again, as with [`apply`](Database::apply) of no rows.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn has_aside(&self) -> Result<bool, Error> {
        self.read(|connection| {
            Ok(connection
                .prepare_cached("SELECT EXISTS (SELECT 1 FROM syncline_aside)")?
                .query_row([], |row| row.get(0))?)
        })
    }
}

/// Remembers a row.
pub(super) fn put(connection: &Connection, tracked: &Tracked, state: &RowState, trouble: &Trouble) -> Tried<()> {
    let bytes = postcard::to_allocvec(state).map_err(|e| Fault::Damaged(e.to_string()))?;
    connection
        .prepare_cached(
            "INSERT INTO syncline_aside (number, key, owner, reason, state) VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT DO \
             UPDATE SET reason = excluded.reason, state = excluded.state WHERE reason <> excluded.reason OR \
             state <> excluded.state",
        )?
        .execute((tracked.number, &state.name.key, &state.name.owner, trouble.stored(), bytes))?;
    Ok(())
}

/// Forgets a row.
pub(super) fn remove(connection: &Connection, tracked: &Tracked, name: &RowName) -> Tried<()> {
    connection
        .prepare_cached("DELETE FROM syncline_aside WHERE number = ?1 AND key = ?2 AND owner = ?3")?
        .execute((tracked.number, &name.key, &name.owner))?;
    Ok(())
}

/// The keys and owners of a table's rows that are remembered.
pub(super) fn names(connection: &Connection, tracked: &Tracked) -> Tried<Vec<(Vec<u8>, Vec<u8>)>> {
    let mut statement =
        connection.prepare_cached("SELECT key, owner FROM syncline_aside WHERE number = ?1 ORDER BY key, owner")?;
    let found = statement.query_map([tracked.number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// A row that is remembered.
pub(super) fn get(connection: &Connection, tracked: &Tracked, key: &[u8], owner: &[u8]) -> Tried<Option<SetAside>> {
    let mut statement = connection
        .prepare_cached("SELECT reason, state FROM syncline_aside WHERE number = ?1 AND key = ?2 AND owner = ?3")?;
    let found = statement
        .query_row((tracked.number, key, owner), |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))
        .optional()?;
    let restore = |(reason, bytes): (String, Vec<u8>)| {
        let state = postcard::from_bytes(&bytes)
            .map_err(|_| Fault::Damaged("a row in the table `syncline_aside` is malformed".into()))?;
        Ok(SetAside { trouble: Trouble::restored(&reason), state })
    };
    found.map(restore).transpose()
}

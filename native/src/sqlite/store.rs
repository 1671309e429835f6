//! What a replica keeps beside the rows, in the same database: the engine's pairs and the host's own few facts.
//!
//! They mean what those of a folder's store mean. Each batch is one transaction, on disk when it is done.

use rusqlite::types::FromSql;
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction, TransactionBehavior};
use syncline_core::api::{GroupId, Key, LoadQuery, Pair, Write};

use super::Database;
use super::fault::{Fault, Tried};
use crate::Error;

/// Who a replica is.
#[derive(Clone, PartialEq, Eq)]
pub struct Facts {
    /// The device's Ed25519 secret key.
    pub identity: [u8; 32],
    /// The device's name as people see it.
    pub name: String,
    /// The group and its key; none until the database is brought together with another one for the first time.
    pub group: Option<(GroupId, [u8; 32])>,
}

impl Database {
    /// Writes a batch, all or nothing; it is on disk when this returns.
    ///
    /// # Errors
    /// The database cannot be written; nothing of the batch is kept.
    pub fn save(&self, writes: &[Write]) -> Result<(), Error> {
        self.write("write to", |connection| {
            let mut put = connection.prepare_cached(
                "INSERT INTO syncline_store (key, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
            )?;
            let mut remove = connection.prepare_cached("DELETE FROM syncline_store WHERE key = ?1")?;
            for write in writes {
                match &write.value {
                    Some(value) => put.execute((&write.key, value))?,
                    None => remove.execute([&write.key])?,
                };
            }
            Ok(())
        })
    }

    /// Reads pairs, and whether the range has more behind them.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn load(&self, query: &LoadQuery) -> Result<(Vec<Pair>, bool), Error> {
        self.read(|connection| match query {
            LoadQuery::Range { start, end, bytes_max } => range(connection, start, end, *bytes_max),
            LoadQuery::Keys { keys } => found(connection, keys).map(|pairs| (pairs, false)),
        })
    }

    /// Who this replica is; none before that was written.
    ///
    /// # Errors
    /// The database cannot be read, or what it holds makes no sense.
    pub fn facts(&self) -> Result<Option<Facts>, Error> {
        self.read(|connection| {
            let Some(identity) = array(connection, "identity")? else { return Ok(None) };
            let name = state(connection, "device_name")?.unwrap_or_default();
            let group = match (array(connection, "group")?, array(connection, "group_key")?) {
                (Some(group), Some(key)) => Some((GroupId::from_bytes(group), key)),
                _ => None,
            };
            Ok(Some(Facts { identity, name, group }))
        })
    }

    /// Writes who this replica is.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn write_facts(&self, facts: &Facts) -> Result<(), Error> {
        self.write("write to", |connection| {
            set_state(connection, "identity", &facts.identity)?;
            set_state(connection, "device_name", &facts.name)?;
            let group = facts.group.as_ref();
            set_state(connection, "group", &group.map(|(group, _)| group.as_bytes().to_vec()))?;
            set_state(connection, "group_key", &group.map(|(_, key)| key.to_vec()))?;
            Ok(())
        })
    }

    /// Which file this was when it was last noted, as the host told it.
    pub(crate) fn place(&self) -> Result<Option<String>, Error> {
        self.read(|connection| state(connection, "place"))
    }

    /// Notes which file this is.
    pub(crate) fn write_place(&self, place: &str) -> Result<(), Error> {
        self.write("write to", |connection| set_state(connection, "place", &place))
    }

    /// Does work in one transaction that writes.
    pub(super) fn write<T>(
        &self,
        action: &'static str,
        work: impl FnOnce(&Connection) -> Tried<T>,
    ) -> Result<T, Error> {
        let done = || -> Tried<T> {
            let transaction = Transaction::new_unchecked(&self.connection, TransactionBehavior::Immediate)?;
            let done = work(&transaction)?;
            transaction.commit()?;
            Ok(done)
        };
        done().map_err(|fault| fault.told(action, &self.path))
    }
}

/// Reads a fact; none where it is not there or NULL.
pub(super) fn state<T: FromSql>(connection: &Connection, name: &str) -> Tried<Option<T>> {
    let mut statement = connection.prepare_cached("SELECT value FROM syncline_state WHERE name = ?1")?;
    Ok(statement.query_row([name], |row| row.get::<_, Option<T>>(0)).optional()?.flatten())
}

/// Writes a fact.
pub(super) fn set_state(connection: &Connection, name: &str, value: &dyn ToSql) -> Tried<()> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO syncline_state (name, value) VALUES (?1, ?2) ON CONFLICT DO UPDATE SET value = excluded.value",
    )?;
    statement.execute([&name as &dyn ToSql, value])?;
    Ok(())
}

fn array<const N: usize>(connection: &Connection, name: &str) -> Tried<Option<[u8; N]>> {
    let bytes: Option<Vec<u8>> = state(connection, name)?;
    let array = |bytes: Vec<u8>| bytes.try_into().map_err(|_| Fault::Damaged(format!("`{name}` is malformed")));
    bytes.map(array).transpose()
}

fn range(connection: &Connection, start: &[u8], end: &[u8], bytes_max: u32) -> Tried<(Vec<Pair>, bool)> {
    let mut statement =
        connection.prepare_cached("SELECT key, value FROM syncline_store WHERE key >= ?1 AND key < ?2 ORDER BY key")?;
    let mut rows = statement.query((start, end))?;
    let mut pairs = Vec::new();
    let mut bytes = 0usize;
    while let Some(row) = rows.next()? {
        if bytes > bytes_max as usize {
            return Ok((pairs, true));
        }
        let pair = Pair { key: row.get(0)?, value: row.get(1)? };
        bytes = bytes.saturating_add(pair.key.len()).saturating_add(pair.value.len());
        pairs.push(pair);
    }
    Ok((pairs, false))
}

fn found(connection: &Connection, keys: &[Key]) -> Tried<Vec<Pair>> {
    let mut statement = connection.prepare_cached("SELECT value FROM syncline_store WHERE key = ?1")?;
    let mut pairs = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(value) = statement.query_row([&key.bytes], |row| row.get(0)).optional()? {
            pairs.push(Pair { key: key.bytes.clone(), value });
        }
    }
    Ok(pairs)
}

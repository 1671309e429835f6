//! Beginning and ending to capture what is changed, and keeping up with an application that changes its schema.
//!
//! Rows that are there already are captured as made now. What the application does to its schema later is found when the
//! database is opened: a new column is captured from then on (and at once where it does not hold its default), a table that was
//! built anew is captured whole, with the oldest time there is, so that it wins over nothing that others wrote meanwhile. A
//! column that triggers name cannot be dropped: `ALTER TABLE … DROP COLUMN` fails until [`deinit`](Database::deinit).

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, ToSql, TransactionBehavior};
use syncline_core::api::{MergeType, TableConfig, TableKind};

use super::fault::{Fault, Tried};
use super::schema::{self, Unfit};
use super::sql::{each, name, text};
use super::tables::{self, Remembered, Tracked};
use super::triggers::{self, COLUMN, NOW, ROW, changes_table, key_columns, triggers};
use super::value::Value;
use super::{Database, FORMAT};
use crate::Error;

/// What was changed in a database so that its rows can be kept in agreement.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// Tables and triggers that were made.
    pub made: Vec<String>,
    /// Tables and triggers that were removed.
    pub removed: Vec<String>,
    /// Tables that are kept otherwise than before, or whose columns are others.
    pub altered: Vec<String>,
    /// Rows that were there and are now to be sent, by table.
    pub captured: BTreeMap<String, u64>,
    /// Rows with NULL in their key, which have no name on other devices and are left out, by table.
    pub keyless: BTreeMap<String, u64>,
    /// Tables that the application built anew, so that changes of them may have gone unnoticed; all their rows are sent again.
    pub rebuilt: Vec<String>,
    /// Tables that were kept in agreement and are not there any more.
    pub missing: Vec<String>,
}

impl Changes {
    /// Nothing was changed.
    pub fn is_none(&self) -> bool {
        self.made.is_empty() && self.removed.is_empty() && self.altered.is_empty() && self.captured.is_empty()
    }
}

/// Syncline's tables with the columns they have; the tables of changes come in addition.
const TABLES: [(&str, &str); 5] = [
    ("syncline_state", "(name TEXT PRIMARY KEY NOT NULL, value) WITHOUT ROWID"),
    (
        "syncline_tables",
        "(number INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, kind TEXT NOT NULL, merge TEXT NOT NULL, \
         delete_rule TEXT NOT NULL, key_columns TEXT NOT NULL, value_columns TEXT NOT NULL)",
    ),
    // Rows have numbers here: where they lie by their key alone, each comparison with the key of a large value reads that value.
    ("syncline_store", "(key BLOB PRIMARY KEY NOT NULL, value BLOB NOT NULL)"),
    (
        "syncline_aside",
        "(number INTEGER NOT NULL, key BLOB NOT NULL, owner BLOB NOT NULL, reason TEXT NOT NULL, state BLOB NOT NULL, \
         PRIMARY KEY (number, key, owner)) WITHOUT ROWID",
    ),
    (
        "syncline_owners",
        "(number INTEGER NOT NULL, key BLOB NOT NULL, owner BLOB NOT NULL, PRIMARY KEY (number, key)) WITHOUT ROWID",
    ),
];

impl Database {
    /// Begins to keep these tables in agreement, or keeps them otherwise than before; others that are kept stay so. All or
    /// nothing, and nothing where all is as it should be. Rows that are there are captured to be sent.
    ///
    /// # Errors
    /// A table is not there or unfit, and why; the database cannot be written.
    pub fn init(&mut self, tables: &[TableConfig]) -> Result<Changes, Error> {
        self.capture("prepare", |connection, changes| {
            for (table, columns) in TABLES {
                if !exists(connection, "table", table)? {
                    connection.execute_batch(&format!("CREATE TABLE {table} {columns}"))?;
                    changes.made.push(table.to_string());
                }
            }
            let state = "INSERT OR IGNORE INTO syncline_state (name, value) VALUES ('format', ?1), ('applying', 0), \
                         ('change', 0), ('applied', 0)";
            connection.execute(state, [FORMAT])?;
            for config in tables {
                track(connection, config, changes)?;
            }
            Ok(())
        })
    }

    /// Takes all of Syncline out of the database: its tables and triggers, with changes that were not sent yet, the engine's
    /// store and the rows that were set aside. The application's tables stay as they are.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn deinit(&mut self) -> Result<Changes, Error> {
        self.capture("clear", |connection, changes| {
            let ours = "SELECT type, name FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB 'syncline_[0-9]*' \
                        OR type = 'table' AND (name GLOB 'syncline_changes_[0-9]*' OR name IN (SELECT value FROM \
                        json_each(?1))) ORDER BY type DESC, name";
            let names = serde_json::Value::from(TABLES.map(|(name, _)| name).to_vec()).to_string();
            let mut statement = connection.prepare(ours)?;
            let found = statement.query_map([names], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
            for (kind, found) in found.collect::<rusqlite::Result<Vec<_>>>()? {
                connection.execute_batch(&format!("DROP {kind} main.{}", name(&found)))?;
                changes.removed.push(found);
            }
            Ok(())
        })
    }

    /// Keeps up with what the application did to its schema.
    pub(super) fn refresh(&mut self) -> Result<Changes, Error> {
        let told = |fault: Fault, database: &Database| fault.told("read", &database.path);
        let stale = stale(&self.connection).map_err(|fault| told(fault, self))?;
        if !stale {
            let mut changes = Changes::default();
            self.tables = load(&self.connection, &mut changes).map_err(|fault| told(fault, self))?;
            return Ok(changes);
        }
        self.capture("prepare", |connection, changes| {
            for remembered in tables::all(connection)? {
                match track(connection, &remembered.config, changes) {
                    Err(Fault::Unfit(_, Unfit::Missing)) => {}
                    done => done?,
                }
            }
            Ok(())
        })
    }

    fn capture(
        &mut self,
        action: &'static str,
        work: impl FnOnce(&Connection, &mut Changes) -> Tried<()>,
    ) -> Result<Changes, Error> {
        let done = (|| {
            let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
            let mut changes = Changes::default();
            work(&transaction, &mut changes)?;
            let initialized = exists(&transaction, "table", "syncline_tables")?;
            let tables = if initialized { load(&transaction, &mut changes)? } else { Vec::new() };
            transaction.commit()?;
            Ok((changes, tables))
        })();
        let (changes, tables) = done.map_err(|fault: Fault| fault.told(action, &self.path))?;
        self.tables = tables;
        Ok(changes)
    }
}

/// Whether something of this name is there.
pub(super) fn exists(connection: &Connection, kind: &str, name: &str) -> rusqlite::Result<bool> {
    connection
        .prepare_cached(
            "SELECT EXISTS (SELECT 1 FROM main.sqlite_schema WHERE type = ?1 AND name = ?2 COLLATE NOCASE)",
        )?
        .query_row([kind, name], |row| row.get(0))
}

/// The tables that are there.
fn load(connection: &Connection, changes: &mut Changes) -> Tried<Vec<Tracked>> {
    let mut loaded = Vec::new();
    for Remembered { number, config, .. } in tables::all(connection)? {
        match schema::read(connection, &config.name)? {
            Ok(table) => loaded.push(Tracked { number, config, table }),
            Err(Unfit::Missing) => changes.missing.push(config.name),
            Err(unfit) => return Err(Fault::Unfit(config.name, unfit)),
        }
    }
    Ok(loaded)
}

/// Whether a table is other than it was when its triggers were made.
fn stale(connection: &Connection) -> Tried<bool> {
    for remembered in tables::all(connection)? {
        let Ok(table) = schema::read(connection, &remembered.config.name)? else { continue };
        let tracked = Tracked { number: remembered.number, config: remembered.config.clone(), table };
        if as_remembered(&tracked) != remembered || found_triggers(connection, tracked.number)? != wanted(&tracked) {
            return Ok(true);
        }
    }
    Ok(false)
}

fn as_remembered(tracked: &Tracked) -> Remembered {
    let columns = tracked.table.values.iter().map(|column| column.name.clone()).collect();
    Remembered { number: tracked.number, config: tracked.config.clone(), key: tracked.table.key.clone(), columns }
}

fn wanted(tracked: &Tracked) -> BTreeMap<String, String> {
    triggers(tracked).into_iter().collect()
}

fn found_triggers(connection: &Connection, number: i64) -> Tried<BTreeMap<String, String>> {
    let mut statement = connection
        .prepare_cached("SELECT name, sql FROM main.sqlite_schema WHERE type = 'trigger' AND name GLOB ?1")?;
    let found = statement.query_map([format!("syncline_{number}_*")], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(found.collect::<rusqlite::Result<_>>()?)
}

/// Captures a table as it is to be captured now.
fn track(connection: &Connection, config: &TableConfig, changes: &mut Changes) -> Tried<()> {
    let table = schema::read(connection, &config.name)?.map_err(|unfit| Fault::Unfit(config.name.clone(), unfit))?;
    let config = TableConfig { name: table.name.clone(), ..config.clone() };
    let before = tables::named(connection, &config.name)?;
    let number = match &before {
        Some(before) => before.number,
        None => connection
            .query_row("SELECT coalesce(max(number), 0) + 1 FROM syncline_tables", [], |row| row.get::<_, i64>(0))?,
    };
    let tracked = Tracked { number, config, table };
    let now = as_remembered(&tracked);
    let same_key = before.as_ref().is_some_and(|before| before.key == now.key);
    if !same_key {
        let changes_table = changes_table(number);
        connection.execute_batch(&format!("DROP TABLE IF EXISTS {changes_table}"))?;
        connection.execute_batch(&triggers::create_changes(number, &tracked.table))?;
        changes.made.push(changes_table);
    }
    if before.as_ref() != Some(&now) {
        tables::remember(connection, &now)?;
        changes.altered.extend(before.as_ref().map(|_| now.config.name.clone()));
    }
    let found = found_triggers(connection, number)?;
    replace_triggers(connection, &tracked, &found, changes)?;
    let Some(before) = before else {
        let captured = capture_all(connection, &tracked, NOW)?;
        return note_rows(connection, &tracked, captured, changes);
    };
    if !same_key || found.is_empty() {
        changes.rebuilt.push(now.config.name.clone());
        let captured = capture_all(connection, &tracked, "0")?;
        return note_rows(connection, &tracked, captured, changes);
    }
    let captured = new_columns(connection, &tracked, &before)?;
    note_rows(connection, &tracked, captured, changes)
}

fn replace_triggers(
    connection: &Connection,
    tracked: &Tracked,
    found: &BTreeMap<String, String>,
    changes: &mut Changes,
) -> Tried<()> {
    let wanted = wanted(tracked);
    for trigger in found.keys().filter(|trigger| found.get(*trigger) != wanted.get(*trigger)) {
        connection.execute_batch(&format!("DROP TRIGGER main.{}", name(trigger)))?;
        changes.removed.push(trigger.clone());
    }
    for (trigger, sql) in wanted.iter().filter(|(trigger, sql)| found.get(*trigger) != Some(*sql)) {
        connection.execute_batch(sql)?;
        changes.made.push(trigger.clone());
    }
    Ok(())
}

fn note_rows(connection: &Connection, tracked: &Tracked, captured: u64, changes: &mut Changes) -> Tried<()> {
    let table = &tracked.table;
    if captured > 0 {
        changes.captured.insert(table.name.clone(), captured);
    }
    let keyless = each(&table.key, " OR ", |_, key| format!("{} IS NULL", name(key)));
    let count = format!("SELECT count(*) FROM main.{} WHERE {keyless}", name(&table.name));
    let keyless = connection.query_row(&count, [], |row| row.get::<_, i64>(0))?.unsigned_abs();
    if keyless > 0 {
        changes.keyless.insert(table.name.clone(), keyless);
    }
    Ok(())
}

/// Captures what a new column holds that is not its default: values that were written, or a renamed column's. What was noted
/// of columns that are gone says nothing more.
fn new_columns(connection: &Connection, tracked: &Tracked, before: &Remembered) -> Tried<u64> {
    let changes = changes_table(tracked.number);
    for gone in before.columns.iter().filter(|gone| !tracked.table.values.iter().any(|column| column.name == **gone)) {
        connection.execute(&format!("DELETE FROM {changes} WHERE kind = {COLUMN} AND part = ?1"), [gone])?;
    }
    let whole = tracked.config.merge == MergeType::LwwRow || tracked.config.kind == TableKind::Owned;
    let mut captured = 0;
    for column in tracked.table.values.iter().filter(|column| !before.columns.contains(&column.name)) {
        let default = column.default.as_deref().unwrap_or("NULL");
        let filter = format!("{} IS NOT ({default})", name(&column.name));
        let part = if whole { "" } else { column.name.as_str() };
        captured += capture_where(connection, tracked, (COLUMN, part), &filter, NOW)?;
    }
    Ok(captured)
}

fn capture_all(connection: &Connection, tracked: &Tracked, at: &str) -> Tried<u64> {
    capture_where(connection, tracked, (ROW, ""), "1", at)
}

/// Notes rows as changed, each under an id of its own so that pages of any size can be made of them. What is noted already
/// stays. One row after the other, so that they need no memory.
fn capture_where(
    connection: &Connection,
    tracked: &Tracked,
    (kind, part): (i64, &str),
    filter: &str,
    at: &str,
) -> Tried<u64> {
    let table = &tracked.table;
    let keys = each(&table.key, ", ", |_, key| name(key));
    let keyed = each(&table.key, " AND ", |_, key| format!("{} IS NOT NULL", name(key)));
    let select = format!("SELECT {keys} FROM main.{} WHERE {keyed} AND {filter}", name(&table.name));
    let own = key_columns(table);
    let places = each(&table.key, ", ", |index, _| format!("?{}", index + 2));
    let insert = format!(
        "INSERT INTO {} ({own}, kind, part, id, at_ms) VALUES ({places}, {kind}, {}, ?1, {at}) ON CONFLICT DO NOTHING",
        changes_table(tracked.number),
        text(part)
    );
    let mut id: i64 = connection
        .query_row("SELECT value FROM syncline_state WHERE name = 'change'", [], |row| row.get(0))
        .optional()?
        .unwrap_or_default();
    let mut select = connection.prepare(&select)?;
    let mut insert = connection.prepare(&insert)?;
    let mut rows = select.query([])?;
    let mut captured = 0;
    while let Some(row) = rows.next()? {
        id += 1;
        let keys = (0..table.key.len()).map(|index| Ok(Value::from(row.get_ref(index)?)));
        let keys = keys.collect::<rusqlite::Result<Vec<_>>>()?;
        let values = std::iter::once(&id as &dyn ToSql).chain(keys.iter().map(|key| key as &dyn ToSql));
        captured += insert.execute(rusqlite::params_from_iter(values))? as u64;
    }
    connection.execute("UPDATE syncline_state SET value = ?1 WHERE name = 'change'", [id])?;
    Ok(captured)
}

//! What a person wants to know of a database: how its rows came to be, and how it stands.

use std::path::Path;

use syncline_core::api::{Action, Event, Monotonic};
use syncline_core::api::{
    LoadQuery, MemberStatus, Method, Now, Outcome, ReplicaId, RowChange, RowChangeKind, RowName, RowStamp, TableKind,
    UnixMs, Work,
};
use syncline_core::clock::{Clock, StampText, stamp_id};
use syncline_core::log::{Message, all_message_keys};
use syncline_core::records::{Row, RowId, Rule, table_end};

use super::Side;
use super::open::{config_of, prepared};
use crate::Error;
use crate::sqlite::{Database, Value, decode_row, plain_key};

const PAGE_BYTES: u32 = 1 << 20;
const PENDING_AT_ONCE: u32 = 4096;

/// A row, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct RowShown {
    /// Which row.
    pub name: RowName,
    /// Its key's values with commas between.
    pub key: String,
    /// Its values, column by column.
    pub values: Vec<ValueShown>,
}

/// A value, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct ValueShown {
    /// Its column.
    pub column: String,
    /// What it is; none where its bytes are none of SQLite's.
    pub value: Option<Value>,
    /// The stamp of the write that counts; none where the engine was not given the change yet.
    pub stamp: Option<String>,
}

/// One operation, as seed 001 has it in a table.
#[derive(Debug, Clone, PartialEq)]
pub struct LoggedOperation {
    /// Who did it; none where it is pending.
    pub client_uuid: Option<ReplicaId>,
    /// When, as text; none where it is pending.
    pub uhlc_timestamp: Option<String>,
    /// What it does.
    pub method: Method,
    /// The table.
    pub resource_type: String,
    /// The row's key; none for a batch that is pending.
    pub resource_uuid: Option<String>,
    /// The property; none where it is about the row.
    pub resource_property: Option<String>,
    /// The value; none where there is none, or it is still read from the row when it is sent.
    pub value: Option<Value>,
}

/// How a database stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusReport {
    /// This replica; none before the first run.
    pub replica: Option<ReplicaId>,
    /// Whom it knows.
    pub members: Vec<MemberStatus>,
    /// Changes of the application that were not given to the engine yet.
    pub pending: u64,
    /// Messages that hold operations stamped ahead of this device's clock.
    pub held: u64,
    /// Rows that are set aside: their table and key, and why.
    pub aside: Vec<(String, String, String)>,
    /// The tables that are kept in agreement.
    pub tables: Vec<String>,
}

/// Walks all rows of a table, or the one with this key, that exist.
///
/// # Errors
/// The database cannot be read, or keeps no such table in agreement.
pub fn show(path: &Path, table: &str, key: Option<&str>, mut visit: impl FnMut(RowShown)) -> Result<(), Error> {
    let database = prepared(path)?;
    let Some(tracked) = database.tables().iter().find(|tracked| tracked.config.name == table) else {
        return Err(Error::UnknownTable { path: path.to_path_buf(), table: table.to_string() });
    };
    let rule = Rule::of(&tracked.config);
    let wanted = |shown: &str| key.is_none_or(|key| key == shown);
    let start = RowId::new(table, None, &[]).into_key();
    pages(&database, start, &table_end(table), |key, value| {
        let (Some(name), Some(row)) = (RowId::parse(key), Row::from_stored(value)) else { return };
        let shown = plain_key(&name.key);
        if !row.exists(rule) || !wanted(&shown) {
            return;
        }
        let values = row.values().into_iter();
        let values = values.flat_map(|value| columns(&value.property, &value.value, Some(stamp_text(value.at))));
        visit(RowShown { key: shown, values: values.collect(), name });
    })?;
    pending(&database, |change| {
        let shown = plain_key(&change.key);
        if change.table != table || !wanted(&shown) {
            return;
        }
        let values = match change.change {
            RowChangeKind::Insert { values } | RowChangeKind::Update { values } => values,
            RowChangeKind::Delete => return,
        };
        let name = RowName { table: change.table, key: change.key, owner: Vec::new() };
        let values = values.iter().flat_map(|value| columns(&value.property, &value.value, None)).collect();
        visit(RowShown { name, key: shown, values });
    })
}

/// Walks all operations that are held, of one table or of all, message by message, and behind them what is pending.
///
/// # Errors
/// The database cannot be read.
pub fn log(path: &Path, table: Option<&str>, mut visit: impl FnMut(LoggedOperation)) -> Result<(), Error> {
    let database = prepared(path)?;
    let (start, end) = all_message_keys();
    pages(&database, start, &end, |_, value| {
        let Ok((message, _)) = Message::decode(value) else { return };
        for operations in message.operations() {
            let Ok(opened) = operations.open() else { continue };
            opened.walk(message.author, |operation| {
                if table.is_some_and(|table| table != operation.table) {
                    return;
                }
                let line = LoggedOperation {
                    client_uuid: Some(message.author),
                    uhlc_timestamp: Some(stamp_text(operation.at)),
                    method: operation.method,
                    resource_type: operation.table.to_string(),
                    resource_uuid: Some(plain_key(operation.key)),
                    resource_property: None,
                    value: None,
                };
                let values: Vec<(&str, &[u8])> = operation.values().collect();
                if operation.method != Method::SharedUpdate || values.is_empty() {
                    visit(line.clone());
                }
                for (property, value) in values {
                    for ValueShown { column, value, .. } in columns(property, value, None) {
                        visit(LoggedOperation { resource_property: Some(column), value, ..line.clone() });
                    }
                }
            });
        }
    })?;
    let owned = |name: &str| {
        let tracked = database.tables().iter().find(|tracked| tracked.config.name == name);
        tracked.is_some_and(|tracked| tracked.config.kind == TableKind::Owned)
    };
    let mut batches: Vec<String> = Vec::new();
    pending(&database, |change| {
        if table.is_some_and(|table| table != change.table) {
            return;
        }
        pending_lines(change, &owned, &mut batches, &mut visit);
    })
}

/// A pending batch of an owned table is one entry, whatever its size; others carry no values yet but those of updates.
fn pending_lines(
    change: RowChange,
    is_owned: &impl Fn(&str) -> bool,
    batches: &mut Vec<String>,
    visit: &mut impl FnMut(LoggedOperation),
) {
    let owned = is_owned(&change.table);
    let method = match (&change.change, owned) {
        (RowChangeKind::Delete, true) => Method::OwnedDelete,
        (RowChangeKind::Delete, false) => Method::SharedDelete,
        (_, true) => Method::OwnedBatchCreate,
        (RowChangeKind::Insert { .. }, false) => Method::SharedCreate,
        (RowChangeKind::Update { .. }, false) => Method::SharedUpdate,
    };
    let line = LoggedOperation {
        client_uuid: None,
        uhlc_timestamp: None,
        method,
        resource_type: change.table.clone(),
        resource_uuid: Some(plain_key(&change.key)),
        resource_property: None,
        value: None,
    };
    match change.change {
        _ if method == Method::OwnedBatchCreate => {
            if !batches.contains(&change.table) {
                batches.push(change.table);
                visit(LoggedOperation { resource_uuid: None, ..line });
            }
        }
        RowChangeKind::Update { values } => {
            for ValueShown { column, value, .. } in values.iter().flat_map(|v| columns(&v.property, &v.value, None)) {
                visit(LoggedOperation { resource_property: Some(column), value, ..line.clone() });
            }
        }
        _ => visit(line),
    }
}

/// Tells how a database stands. Nothing is written.
///
/// # Errors
/// The database cannot be read.
pub fn status(path: &Path) -> Result<StatusReport, Error> {
    let database = prepared(path)?;
    let pending = database.noted()?;
    let tables: Vec<String> = database.tables().iter().map(|tracked| tracked.config.name.clone()).collect();
    let mut aside = Vec::new();
    for table in &tables {
        for row in database.set_aside(table, u32::MAX)? {
            aside.push((table.clone(), plain_key(&row.state.name.key), row.trouble.to_string()));
        }
        for key in database.kept_back(table)? {
            aside.push((table.clone(), plain_key(&key), "it is too large to be sent to other devices".into()));
        }
    }
    let none = StatusReport { replica: None, members: Vec::new(), pending, held: 0, aside, tables };
    let Some(facts) = database.facts()? else { return Ok(none) };
    let Some(group) = facts.group else { return Ok(none) };
    let side =
        Side { database, facts, group: config_of(group), given: path.to_path_buf(), is_copy: false, _lock: None };
    let Some(status) = loaded(&side)? else { return Ok(none) };
    let held = status.records.as_ref().map_or(0, |records| records.held);
    Ok(StatusReport { replica: status.replica, members: status.members, held, ..none })
}

/// How an engine stands once it has read its store, before it writes anything; none where it has not run yet.
fn loaded(side: &Side) -> Result<Option<syncline_core::api::Status>, Error> {
    let mut engine = side.engine(None)?;
    let unix = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    let now = Now { monotonic: Monotonic(0), unix: UnixMs(u64::try_from(unix.as_millis()).unwrap_or(u64::MAX)) };
    let has_run =
        !side.database.load(&LoadQuery::Range { start: vec![0], end: vec![0xff], bytes_max: 1 })?.0.is_empty();
    let mut events = vec![Event::Start];
    while let Some(event) = events.pop() {
        for action in engine.handle(now, event) {
            // What comes behind reading would be work, and is left.
            if let Action::Perform { task, work: Work::Load { query } } = action {
                let (pairs, more) = side.database.load(&query)?;
                events.push(Event::Completed { task, outcome: Outcome::Loaded { pairs, more } });
            }
        }
    }
    Ok(has_run.then(|| engine.status()))
}

/// Walks pairs of the engine's store.
fn pages(
    database: &Database,
    mut start: Vec<u8>,
    end: &[u8],
    mut visit: impl FnMut(&[u8], &[u8]),
) -> Result<(), Error> {
    loop {
        let query = LoadQuery::Range { start, end: end.to_vec(), bytes_max: PAGE_BYTES };
        let (pairs, more) = database.load(&query)?;
        pairs.iter().for_each(|pair| visit(&pair.key, &pair.value));
        match pairs.last() {
            Some(last) if more => start = [last.key.as_slice(), &[0]].concat(),
            _ => return Ok(()),
        }
    }
}

/// Walks the application's changes that were not given to the engine yet.
fn pending(database: &Database, mut visit: impl FnMut(RowChange)) -> Result<(), Error> {
    let page = database.next_changes(PENDING_AT_ONCE)?;
    page.into_iter().flat_map(|page| page.changes).for_each(&mut visit);
    Ok(())
}

/// The columns that a property stands for: itself, or, without a name, all of the row.
fn columns(property: &str, bytes: &[u8], stamp: Option<String>) -> Vec<ValueShown> {
    if let ("", Ok(row)) = (property, decode_row(bytes)) {
        let shown = |(column, value)| ValueShown { column, value: Some(value), stamp: stamp.clone() };
        return row.into_iter().map(shown).collect();
    }
    vec![ValueShown { column: property.to_string(), value: Value::decode(bytes).ok(), stamp }]
}

/// A stamp as text, as seed 001 has it.
fn stamp_text(stamp: RowStamp) -> String {
    let Some(id) = stamp_id(stamp.replica) else { return "?".into() };
    let time = Clock::new(id).next(stamp.unix_ns);
    time.map_or_else(|_| "?".into(), |time| StampText(&time).to_string())
}

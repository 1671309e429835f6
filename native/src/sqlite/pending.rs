//! The application's changes, as they are given to the engine.
//!
//! What was noted says which rows and columns changed; their values are read when they are given, so that one that was replaced
//! meanwhile is never sent. What one statement changed in one row is one change with its own time: two columns that were
//! written at different times keep their times.

use rusqlite::{Connection, params_from_iter};
use syncline_core::api::{MergeType, PropertyValue, RowChange, RowChangeKind, TableKind, UnixMs};

use std::collections::BTreeMap;

use super::Database;
use super::fault::Tried;
use super::kept_back::{has_kept_back, same_key};
use super::sql::{each, name};
use super::tables::Tracked;
use super::triggers::{DISPLACED, ROW, changes_table, key_columns};
use super::value::{Value, encode_key, encode_row};
use crate::Error;

/// When a page ends.
const PAGE_BYTES: usize = 256 * 1024;

/// Changes to give to the engine, in the order in which they were made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// Where they end: what to [`forget`](Database::forget) when they are saved.
    pub taken: u64,
    /// The changes. There may be none where what was noted turned out to be none: such a page need not be given, only
    /// forgotten.
    pub changes: Vec<RowChange>,
}

impl Database {
    /// The next changes that were noted and not forgotten, of about `limit` rows at most and about 256 KiB (more only if one
    /// row is larger); none if there are none. They stay until they are [forgotten](Database::forget).
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn next_changes(&self, limit: u32) -> Result<Option<Page>, Error> {
        self.read(|snapshot| {
            let mut page: Option<Page> = None;
            let mut bytes = 0;
            let mut kept_back = BTreeMap::new();
            for (id, tracked) in ids(snapshot, &self.tables, limit.max(1))? {
                let has_kept_back = match kept_back.get(&tracked.number) {
                    Some(has) => *has,
                    None => *kept_back.entry(tracked.number).or_insert(has_kept_back(snapshot, tracked)?),
                };
                let page = page.get_or_insert(Page { taken: 0, changes: Vec::new() });
                // Tables may share an id, which is never divided.
                if bytes >= PAGE_BYTES && id.unsigned_abs() != page.taken {
                    break;
                }
                noted(snapshot, (tracked, has_kept_back), id, &mut page.changes, &mut bytes)?;
                page.taken = id.unsigned_abs();
            }
            Ok(page)
        })
    }

    /// Forgets changes that the engine has saved, up to there. What was changed again since then stays.
    ///
    /// # Errors
    /// The database cannot be written.
    pub fn forget(&self, taken: u64) -> Result<(), Error> {
        self.write("write to", |connection| {
            let taken = i64::try_from(taken).unwrap_or(i64::MAX);
            for tracked in &self.tables {
                let changes = changes_table(tracked.number);
                // What had been kept back went with it.
                let same = same_key(tracked, "given", &changes);
                let kept_back = format!(
                    "DELETE FROM {changes} WHERE id < 0 AND EXISTS (SELECT 1 FROM {changes} AS given WHERE {same} AND \
                     given.id BETWEEN 0 AND ?1)"
                );
                connection.prepare_cached(&kept_back)?.execute([taken])?;
                let delete = format!("DELETE FROM {changes} WHERE id BETWEEN 0 AND ?1");
                connection.prepare_cached(&delete)?.execute([taken])?;
            }
            Ok(())
        })
    }

    /// How many changes were noted and not forgotten, those that are kept back included.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn noted(&self) -> Result<u64, Error> {
        self.read(|connection| {
            let mut sum = 0;
            for tracked in &self.tables {
                let count = format!("SELECT count(*) FROM {}", changes_table(tracked.number));
                sum += connection.prepare_cached(&count)?.query_row([], |row| row.get::<_, i64>(0))?.unsigned_abs();
            }
            Ok(sum)
        })
    }
}

/// The lowest ids of all tables, each with its table.
fn ids<'t>(connection: &Connection, tables: &'t [Tracked], limit: u32) -> Tried<Vec<(i64, &'t Tracked)>> {
    let mut ids = Vec::new();
    for tracked in tables {
        let select =
            format!("SELECT DISTINCT id FROM {} WHERE id >= 0 ORDER BY id LIMIT ?1", changes_table(tracked.number));
        let mut statement = connection.prepare_cached(&select)?;
        for id in statement.query_map([limit], |row| row.get::<_, i64>(0))? {
            ids.push((id?, tracked));
        }
    }
    ids.sort_by_key(|(id, tracked)| (*id, tracked.number));
    let last = ids.get((limit as usize).min(ids.len()).saturating_sub(1)).map_or(0, |(id, _)| *id);
    ids.retain(|(id, _)| *id <= last);
    Ok(ids)
}

/// One row, as one statement changed it.
struct Noted {
    key: Vec<Value>,
    at_ms: i64,
    row: bool,
    displaced: bool,
    parts: Vec<String>,
}

fn noted(
    connection: &Connection,
    (tracked, has_kept_back): (&Tracked, bool),
    id: i64,
    changes: &mut Vec<RowChange>,
    bytes: &mut usize,
) -> Tried<()> {
    let own = key_columns(&tracked.table);
    let table = changes_table(tracked.number);
    let entries = format!("SELECT {own}, kind, part, at_ms FROM {table}");
    // What was kept back of a row comes again with what is new of it.
    let again = if has_kept_back {
        let same = same_key(tracked, "new", &table);
        format!(
            " UNION ALL {entries} WHERE id < 0 AND EXISTS (SELECT 1 FROM {table} AS new WHERE {same} AND new.id = ?1)"
        )
    } else {
        String::new()
    };
    let select = format!("{entries} WHERE id = ?1{again} ORDER BY {own}");
    let width = tracked.table.key.len();
    let mut rows: Vec<Noted> = Vec::new();
    let mut statement = connection.prepare_cached(&select)?;
    let mut found = statement.query([id])?;
    while let Some(row) = found.next()? {
        let key = (0..width).map(|index| Ok(Value::from(row.get_ref(index)?))).collect::<rusqlite::Result<Vec<_>>>()?;
        if rows.last().is_none_or(|last| last.key != key) {
            rows.push(Noted { key, at_ms: row.get(width + 2)?, row: false, displaced: false, parts: Vec::new() });
        }
        let Some(last) = rows.last_mut() else { continue };
        match row.get::<_, i64>(width)? {
            ROW => last.row = true,
            DISPLACED => last.displaced = true,
            _ => last.parts.push(row.get(width + 1)?),
        }
    }
    for row in &rows {
        let Some(change) = change(connection, tracked, row)? else { continue };
        let key = encode_key(&row.key);
        *bytes += key.len() + size(&change);
        let at = Some(UnixMs(row.at_ms.try_into().unwrap_or_default()));
        changes.push(RowChange { table: tracked.config.name.clone(), key, change, at });
    }
    Ok(())
}

fn change(connection: &Connection, tracked: &Tracked, noted: &Noted) -> Tried<Option<RowChangeKind>> {
    let whole = tracked.config.merge == MergeType::LwwRow;
    let owned = tracked.config.kind == TableKind::Owned;
    let all = noted.row || noted.displaced || whole || owned || noted.parts.iter().any(String::is_empty);
    let known = tracked.table.values.iter().map(|column| column.name.as_str());
    let columns: Vec<&str> = known.filter(|column| all || noted.parts.iter().any(|part| part == column)).collect();
    let found = read_row(connection, tracked, &noted.key, &columns)?;
    Ok(match found {
        None if noted.row || noted.displaced => Some(RowChangeKind::Delete),
        // It was deleted or displaced, which is noted under a later id.
        None => None,
        Some(_) if !noted.row && noted.parts.is_empty() => None,
        Some(_) if !noted.row && columns.is_empty() && !whole => None,
        Some(values) => {
            let values = properties(whole, &columns, values);
            Some(if noted.row || owned { RowChangeKind::Insert { values } } else { RowChangeKind::Update { values } })
        }
    })
}

fn properties(whole: bool, columns: &[&str], values: Vec<Value>) -> Vec<PropertyValue> {
    let pairs = columns.iter().map(|column| (*column).to_string()).zip(values);
    if whole {
        let row: BTreeMap<_, _> = pairs.collect();
        return vec![PropertyValue { property: String::new(), value: encode_row(&row) }];
    }
    pairs.map(|(property, value)| PropertyValue { property, value: value.encode() }).collect()
}

/// Reads columns of a row; none if it is not there.
pub(super) fn read_row(
    connection: &Connection,
    tracked: &Tracked,
    key: &[Value],
    columns: &[&str],
) -> rusqlite::Result<Option<Vec<Value>>> {
    let table = &tracked.table;
    let select = each(columns, "", |_, column| format!(", {}", name(column)));
    let keyed = each(&table.key, " AND ", |index, key| format!("{} = ?{}", name(key), index + 1));
    let select = format!("SELECT 1{select} FROM main.{} WHERE {keyed}", name(&table.name));
    let mut statement = connection.prepare_cached(&select)?;
    let mut rows = statement.query(params_from_iter(key))?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let values = (1..=columns.len()).map(|index| Ok(Value::from(row.get_ref(index)?)));
    Ok(Some(values.collect::<rusqlite::Result<_>>()?))
}

fn size(change: &RowChangeKind) -> usize {
    match change {
        RowChangeKind::Insert { values } | RowChangeKind::Update { values } => {
            values.iter().map(|value| value.property.len() + value.value.len() + 16).sum()
        }
        RowChangeKind::Delete => 16,
    }
}

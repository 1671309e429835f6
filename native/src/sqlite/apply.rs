//! Making the application's rows what the engine says they are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use rusqlite::{Connection, params_from_iter};
use syncline_core::api::{RowName, RowState};

use super::Database;
use super::aside::Trouble;
use super::fault::Tried;
use super::pending::read_row;
use super::place::{Placer, key_of};
use super::schema::{self, ForeignKey};
use super::sql::{each, name};
use super::store::{set_state, state};
use super::tables::Tracked;
use super::triggers::{APPLYING, CAPTURING};
use super::value::Value;
use crate::Error;

/// What is to be known where rows are applied.
pub struct Applying<'a> {
    /// Up to where the engine was given the application's changes before it said how the rows are. Only what was changed
    /// later stays as it is.
    pub given: u64,
    /// The public key of this device: whose rows those of owned tables are of which nothing else is noted.
    pub me: &'a [u8],
    /// How the engine has a row now, which is asked where two rows have the same unique value, and of rows that waited; none
    /// if it does not know it. It is asked within the transaction and must not need this database.
    pub stamps: &'a dyn Fn(&RowName) -> Option<RowState>,
}

/// What was applied.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Applied {
    /// Rows that were not there before.
    pub created: u64,
    /// Rows that are other than before.
    pub updated: u64,
    /// Rows that are not there any more.
    pub deleted: u64,
    /// Which rows these are: their tables and keys, in no order.
    pub changed: Vec<(String, Vec<u8>)>,
    /// Rows that stayed as the application had made them, until that is sent.
    pub kept: u64,
    /// Rows of tables that are not kept in agreement here.
    pub unknown_tables: u64,
    /// Values of columns that are not here.
    pub unknown_columns: u64,
    /// What a person should know of rows.
    pub notices: Vec<RowNotice>,
}

/// Something to know of a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RowNotice {
    /// Which row.
    pub name: RowName,
    /// What keeps it from standing as it should.
    pub trouble: Trouble,
}

impl Database {
    /// Makes rows what they are here, and stores the sequence, in one transaction; triggers note nothing of it. Rows of their
    /// tables that were set aside or wait are tried again; of all tables where no rows are given.
    ///
    /// A row that its table does not take is set aside and told. Counts compare with what stood there.
    ///
    /// # Errors
    /// The database cannot be written; nothing is applied.
    pub fn apply(&self, sequence: u64, rows: &[RowState], with: &Applying<'_>) -> Result<Applied, Error> {
        self.write("apply rows in", |connection| {
            set_state(connection, "applying", &APPLYING)?;
            let mut placer = Placer {
                connection,
                with,
                touched: HashMap::new(),
                told: BTreeMap::new(),
                kept: 0,
                unknown_columns: 0,
            };
            let mut applied = Applied::default();
            let mut tables = BTreeSet::new();
            for row in rows {
                match self.tables.iter().find(|tracked| tracked.config.name == row.name.table) {
                    Some(tracked) => {
                        tables.insert(tracked.number);
                        placer.place(tracked, row)?;
                    }
                    None => applied.unknown_tables += 1,
                }
            }
            for tracked in self.tables.iter().filter(|t| rows.is_empty() || tables.contains(&t.number)) {
                placer.retry(tracked)?;
            }
            for ((number, key), (before, now)) in &placer.touched {
                let table = self.tables.iter().find(|tracked| tracked.number == *number && (*before || *now));
                applied.changed.extend(table.map(|tracked| (tracked.config.name.clone(), key.clone())));
                match (before, now) {
                    (false, true) => applied.created += 1,
                    (true, true) => applied.updated += 1,
                    (true, false) => applied.deleted += 1,
                    (false, false) => {}
                }
            }
            applied.kept = placer.kept;
            applied.unknown_columns = placer.unknown_columns;
            let told = placer.told.into_iter().map(|(name, trouble)| RowNotice { name, trouble });
            applied.notices = told.collect();
            self.orphans(connection, rows, &mut applied.notices)?;
            let before = state::<i64>(connection, "applied")?.unwrap_or_default();
            set_state(connection, "applied", &before.max(i64::try_from(sequence).unwrap_or(i64::MAX)))?;
            set_state(connection, "applying", &CAPTURING)?;
            Ok(applied)
        })
    }

    /// The last sequence that was stored; 0 if none.
    ///
    /// # Errors
    /// The database cannot be read.
    pub fn applied(&self) -> Result<u64, Error> {
        self.read(|connection| Ok(state::<i64>(connection, "applied")?.unwrap_or_default().unsigned_abs()))
    }

    /// Tells of rows that stand there and whose parents do not.
    fn orphans(&self, connection: &Connection, rows: &[RowState], notices: &mut Vec<RowNotice>) -> Tried<()> {
        let mut parents = HashMap::new();
        for row in rows.iter().filter(|row| row.exists) {
            let Some(tracked) = self.tables.iter().find(|tracked| tracked.config.name == row.name.table) else {
                continue;
            };
            let Some(key) = key_of(tracked, &row.name.key) else { continue };
            for foreign in &tracked.table.foreign {
                let parent = match parents.get(&foreign.parent) {
                    Some(parent) => parent,
                    None => parents.entry(&foreign.parent).or_insert(parent_key(connection, &foreign.parent)?),
                };
                if is_orphan(connection, tracked, &key, foreign, parent)? {
                    let trouble = Trouble::MissingParent(foreign.parent.clone());
                    notices.push(RowNotice { name: row.name.clone(), trouble });
                }
            }
        }
        Ok(())
    }
}

/// The key's columns of a table that others belong to; none if it is not there.
fn parent_key(connection: &Connection, table: &str) -> Tried<Option<Vec<String>>> {
    let key = schema::key(connection, table)?;
    Ok((super::capture::exists(connection, "table", table)?).then_some(key))
}

fn is_orphan(
    connection: &Connection,
    tracked: &Tracked,
    key: &[Value],
    foreign: &ForeignKey,
    parent: &Option<Vec<String>>,
) -> Tried<bool> {
    let columns: Vec<&str> = foreign.columns.iter().map(|(column, _)| column.as_str()).collect();
    let Some(values) = read_row(connection, tracked, key, &columns)? else { return Ok(false) };
    if values.contains(&Value::Null) {
        return Ok(false);
    }
    let Some(parent) = parent else { return Ok(true) };
    let named = foreign.columns.iter().zip(0..).map(|((_, to), place)| to.as_ref().or(parent.get::<usize>(place)));
    // A key that names more columns than the parent's has is the application's own mistake.
    let Some(named) = named.collect::<Option<Vec<_>>>() else { return Ok(false) };
    let keyed = each(&named, " AND ", |index, column| format!("{} = ?{}", name(column), index + 1));
    let select = format!("SELECT EXISTS (SELECT 1 FROM main.{} WHERE {keyed})", name(&foreign.parent));
    let found: bool = connection.prepare_cached(&select)?.query_row(params_from_iter(values), |row| row.get(0))?;
    Ok(!found)
}

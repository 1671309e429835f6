//! Putting one row where it belongs: into its table, out of it, or aside.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, OptionalExtension, params_from_iter};
use syncline_core::api::{MergeType, RowName, RowState, TableKind};

use super::apply::Applying;
use super::aside::{self, Trouble};
use super::fault::{Tried, is_about_row};
use super::pending::read_row;
use super::sql::{each, name};
use super::store::set_state;
use super::tables::Tracked;
use super::triggers::{APPLYING, COLUMN, PROBED, PROBING, ROW, changes_table, key_columns};
use super::value::{Value, decode_key, decode_row, encode_key};

/// `SQLITE_CONSTRAINT_UNIQUE`.
const UNIQUE: i32 = 2067;
/// `SQLITE_CONSTRAINT_PRIMARYKEY`.
const PRIMARY_KEY: i32 = 1555;

/// Puts rows where they belong, within one transaction.
pub(super) struct Placer<'a> {
    pub(super) connection: &'a Connection,
    pub(super) with: &'a Applying<'a>,
    /// Whether each row that was touched stood there before, and stands there now.
    pub(super) touched: HashMap<(i64, Vec<u8>), (bool, bool)>,
    /// What to tell of rows.
    pub(super) told: BTreeMap<RowName, Trouble>,
    /// Rows that stayed as the application had made them.
    pub(super) kept: u64,
    /// Values of columns that the table does not have.
    pub(super) unknown_columns: u64,
}

/// What the application changed in a row and the engine was not given yet.
struct Pending {
    row: bool,
    displaced: bool,
    parts: Vec<String>,
}

impl Pending {
    fn is_none(&self) -> bool {
        !self.row && !self.displaced && self.parts.is_empty()
    }
}

/// Why a table did not take a row.
enum Refusal {
    Unique,
    Other(String),
}

/// Ranks rows that have the same unique value: stamp, then replica, then key.
type Rank<'s> = (u64, u128, &'s [u8]);

impl Placer<'_> {
    /// Puts a row where it belongs.
    pub(super) fn place(&mut self, tracked: &Tracked, state: &RowState) -> Tried<()> {
        let Some(key) = key_of(tracked, &state.name.key) else {
            self.told.insert(state.name.clone(), Trouble::Unreadable);
            return Ok(());
        };
        let columns: Vec<&str> = tracked.table.values.iter().map(|column| column.name.as_str()).collect();
        let standing = read_row(self.connection, tracked, &key, &columns)?;
        let pending = self.pending(tracked, &key)?;
        if pending.row || (pending.displaced && standing.is_none()) {
            return self.wait(tracked, state);
        }
        if standing.is_some() && self.owner(tracked, &state.name.key)? != state.name.owner {
            // Who came first keeps the key: nobody can take another device's row away.
            return if state.exists {
                self.set_aside(tracked, state, Trouble::Key)
            } else {
                self.forget(tracked, state)
            };
        }
        if !state.exists {
            return match standing {
                Some(_) if !pending.parts.is_empty() => self.wait(tracked, state),
                Some(_) => {
                    self.remove(tracked, &key, &state.name)?;
                    self.forget(tracked, state)
                }
                None => self.forget(tracked, state),
            };
        }
        let Some(mut target) = self.target(tracked, state) else {
            self.told.insert(state.name.clone(), Trouble::Unreadable);
            return Ok(());
        };
        let whole = pending.parts.iter().any(String::is_empty);
        for ((column, value), place) in columns.iter().zip(&mut target).zip(0..) {
            let same = standing.as_ref().and_then(|row| row.get::<usize>(place)) == value.as_ref();
            if same || whole || pending.parts.iter().any(|part| part == column) {
                *value = None;
            }
        }
        self.put(tracked, state, &key, standing.is_some(), &target)
    }

    /// Writes these values of a row, or sets it aside.
    fn put(
        &mut self,
        tracked: &Tracked,
        state: &RowState,
        key: &[Value],
        stands: bool,
        target: &[Option<Value>],
    ) -> Tried<()> {
        if stands && target.iter().all(Option::is_none) {
            return self.forget(tracked, state);
        }
        let mut refusal = self.write(tracked, key, stands, target, "ABORT")?;
        if let Some(Refusal::Unique) = refusal {
            let displaced = self.displaced(tracked, key, stands, target)?;
            if self.outranks(tracked, state, &displaced)? {
                for key in &displaced {
                    self.displace(tracked, key)?;
                }
                refusal = self.write(tracked, key, stands, target, "ABORT")?;
            }
        }
        let Some(refusal) = refusal else {
            self.touch(tracked, &state.name.key, stands, true);
            self.own(tracked, &state.name)?;
            return self.forget(tracked, state);
        };
        if stands && !self.pending(tracked, key)?.is_none() {
            return self.wait(tracked, state);
        }
        if stands {
            self.remove(tracked, key, &state.name)?;
        }
        let trouble = match refusal {
            Refusal::Unique => Trouble::Unique,
            Refusal::Other(detail) => Trouble::Refused(detail),
        };
        self.set_aside(tracked, state, trouble)
    }

    /// The row stays as the application has made it until that is sent.
    fn wait(&mut self, tracked: &Tracked, state: &RowState) -> Tried<()> {
        self.kept += 1;
        aside::put(self.connection, tracked, state, &Trouble::Waiting)
    }

    fn set_aside(&mut self, tracked: &Tracked, state: &RowState, trouble: Trouble) -> Tried<()> {
        aside::put(self.connection, tracked, state, &trouble)?;
        self.told.insert(state.name.clone(), trouble);
        Ok(())
    }

    /// The row stands as it should: it is aside no more.
    fn forget(&mut self, tracked: &Tracked, state: &RowState) -> Tried<()> {
        self.told.remove(&state.name);
        aside::remove(self.connection, tracked, &state.name)
    }

    fn touch(&mut self, tracked: &Tracked, key: &[u8], before: bool, now: bool) {
        self.touched.entry((tracked.number, key.to_vec())).or_insert((before, now)).1 = now;
    }

    fn remove(&mut self, tracked: &Tracked, key: &[Value], row: &RowName) -> Tried<()> {
        let keyed = each(&tracked.table.key, " AND ", |index, key| format!("{} = ?{}", name(key), index + 1));
        let delete = format!("DELETE FROM main.{} WHERE {keyed}", name(&tracked.table.name));
        self.connection.prepare_cached(&delete)?.execute(params_from_iter(key))?;
        self.connection
            .prepare_cached("DELETE FROM syncline_owners WHERE number = ?1 AND key = ?2")?
            .execute((tracked.number, &row.key))?;
        self.touch(tracked, &row.key, true, false);
        Ok(())
    }

    /// Who owns the row that stands there. Nobody in a shared table; this device where nothing else is noted.
    fn owner(&self, tracked: &Tracked, key: &[u8]) -> Tried<Vec<u8>> {
        if tracked.config.kind == TableKind::Shared {
            return Ok(Vec::new());
        }
        let mut statement =
            self.connection.prepare_cached("SELECT owner FROM syncline_owners WHERE number = ?1 AND key = ?2")?;
        let owner = statement.query_row((tracked.number, key), |row| row.get(0)).optional()?;
        Ok(owner.unwrap_or_else(|| self.with.me.to_vec()))
    }

    fn own(&self, tracked: &Tracked, row: &RowName) -> Tried<()> {
        if tracked.config.kind == TableKind::Owned && row.owner != self.with.me {
            self.connection
                .prepare_cached("INSERT OR REPLACE INTO syncline_owners (number, key, owner) VALUES (?1, ?2, ?3)")?
                .execute((tracked.number, &row.key, &row.owner))?;
        }
        Ok(())
    }

    /// What the application changed in a row behind what the engine was given.
    fn pending(&self, tracked: &Tracked, key: &[Value]) -> Tried<Pending> {
        let keyed = each(&tracked.table.key, " AND ", |index, _| format!("k{index} = ?{}", index + 2));
        let select =
            format!("SELECT kind, part FROM {} WHERE (id > ?1 OR id < 0) AND {keyed}", changes_table(tracked.number));
        let mut statement = self.connection.prepare_cached(&select)?;
        let given = Value::Integer(i64::try_from(self.with.given).unwrap_or(i64::MAX));
        let mut rows = statement.query(params_from_iter(std::iter::once(&given).chain(key)))?;
        let mut pending = Pending { row: false, displaced: false, parts: Vec::new() };
        while let Some(row) = rows.next()? {
            match row.get::<_, i64>(0)? {
                ROW => pending.row = true,
                COLUMN => pending.parts.push(row.get(1)?),
                _ => pending.displaced = true,
            }
        }
        Ok(pending)
    }

    /// The values that a state gives to the table's columns; none where it says nothing of one. None at all if a value's bytes
    /// are none.
    fn target(&mut self, tracked: &Tracked, state: &RowState) -> Option<Vec<Option<Value>>> {
        let columns = &tracked.table.values;
        let mut target = vec![None; columns.len()];
        let mut set = |property: &str, value: Value| match columns.iter().position(|c| c.name == property) {
            Some(place) => target.iter_mut().skip(place).take(1).for_each(|slot| *slot = Some(value.clone())),
            None => self.unknown_columns += 1,
        };
        for value in &state.values {
            if tracked.config.merge == MergeType::LwwRow && value.property.is_empty() {
                decode_row(&value.value).ok()?.into_iter().for_each(|(column, value)| set(&column, value));
            } else {
                set(&value.property, Value::decode(&value.value).ok()?);
            }
        }
        Some(target)
    }

    /// Writes a row, with this conflict clause, which goes before those of the schema.
    fn write(
        &self,
        tracked: &Tracked,
        key: &[Value],
        stands: bool,
        target: &[Option<Value>],
        conflict: &str,
    ) -> Tried<Option<Refusal>> {
        let table = name(&tracked.table.name);
        let known: Vec<_> = tracked.table.values.iter().zip(target).filter(|(_, value)| value.is_some()).collect();
        let sql = if stands {
            let sets =
                each(&known, ", ", |index, (column, _)| format!("{} = ?{}", name(&column.name), key.len() + index + 1));
            let keyed = each(&tracked.table.key, " AND ", |index, key| format!("{} = ?{}", name(key), index + 1));
            format!("UPDATE OR {conflict} main.{table} SET {sets} WHERE {keyed}")
        } else {
            let keys = each(&tracked.table.key, ", ", |_, key| name(key));
            let columns = each(&known, "", |_, (column, _)| format!(", {}", name(&column.name)));
            let places = each(&vec![(); key.len() + known.len()], ", ", |index, ()| format!("?{}", index + 1));
            format!("INSERT OR {conflict} INTO main.{table} ({keys}{columns}) VALUES ({places})")
        };
        let values = key.iter().chain(known.iter().filter_map(|(_, value)| value.as_ref()));
        let done =
            self.connection.prepare_cached(&sql).and_then(|mut statement| statement.execute(params_from_iter(values)));
        match done {
            Ok(0) => Ok(Some(Refusal::Other("a trigger of the application left it out".into()))),
            Ok(_) => Ok(None),
            Err(error) => Ok(Some(refusal(error)?)),
        }
    }

    /// The keys of the rows that this one would displace: SQLite itself is asked, for it alone knows what conflicts.
    fn displaced(
        &self,
        tracked: &Tracked,
        key: &[Value],
        stands: bool,
        target: &[Option<Value>],
    ) -> Tried<Vec<Vec<Value>>> {
        self.connection.execute_batch("SAVEPOINT syncline_probe")?;
        set_state(self.connection, "applying", &PROBING)?;
        self.write(tracked, key, stands, target, "REPLACE")?;
        let own = key_columns(&tracked.table);
        let select = format!("SELECT {own} FROM {} WHERE kind = {PROBED}", changes_table(tracked.number));
        let mut found = Vec::new();
        {
            let mut statement = self.connection.prepare_cached(&select)?;
            let mut rows = statement.query([])?;
            while let Some(row) = rows.next()? {
                let key = (0..tracked.table.key.len()).map(|index| Ok(Value::from(row.get_ref(index)?)));
                found.push(key.collect::<rusqlite::Result<Vec<_>>>()?);
            }
        }
        self.connection.execute_batch("ROLLBACK TO syncline_probe; RELEASE syncline_probe")?;
        debug_assert_eq!(super::store::state::<i64>(self.connection, "applying").ok().flatten(), Some(APPLYING));
        found.retain(|other| other.as_slice() != key);
        Ok(found)
    }

    /// Whether a row goes before all of these, which stand there. One that the application has just written goes before
    /// every other: it will be stamped later than all that is here.
    fn outranks(&self, tracked: &Tracked, state: &RowState, others: &[Vec<Value>]) -> Tried<bool> {
        let mine = rank(tracked, state);
        for key in others {
            let bytes = encode_key(key);
            let name = self.name(tracked, bytes)?;
            if !self.pending(tracked, key)?.is_none() {
                return Ok(false);
            }
            let Some(other) = (self.with.stamps)(&name) else { return Ok(false) };
            if other.exists && rank(tracked, &other) > mine {
                return Ok(false);
            }
        }
        Ok(!others.is_empty())
    }

    fn displace(&mut self, tracked: &Tracked, key: &[Value]) -> Tried<()> {
        let name = self.name(tracked, encode_key(key))?;
        let state = (self.with.stamps)(&name);
        self.remove(tracked, key, &name)?;
        match state {
            Some(state) if state.exists => self.set_aside(tracked, &state, Trouble::Unique),
            _ => Ok(()),
        }
    }

    fn name(&self, tracked: &Tracked, key: Vec<u8>) -> Tried<RowName> {
        let owner = self.owner(tracked, &key)?;
        Ok(RowName { table: tracked.config.name.clone(), key, owner })
    }

    /// Tries the rows of a table again that were set aside, until none can be put where it belongs any more.
    ///
    /// It ends, for a row only ever displaces rows of lower rank; and the rows that stand then are those that a table would
    /// have which was filled in the order of the ranks, whatever the order in which they came.
    pub(super) fn retry(&mut self, tracked: &Tracked) -> Tried<()> {
        loop {
            let before = aside::names(self.connection, tracked)?;
            for (key, owner) in &before {
                self.retry_one(tracked, key, owner)?;
            }
            let after = aside::names(self.connection, tracked)?;
            if after == before || after.is_empty() {
                return Ok(());
            }
        }
    }

    fn retry_one(&mut self, tracked: &Tracked, key: &[u8], owner: &[u8]) -> Tried<()> {
        let Some(row) = aside::get(self.connection, tracked, key, owner)? else { return Ok(()) };
        let Some(values) = key_of(tracked, key) else {
            return aside::remove(self.connection, tracked, &row.state.name);
        };
        let told = self.told.get(&row.state.name).cloned();
        let kept = self.kept;
        if row.trouble == Trouble::Waiting {
            if self.pending(tracked, &values)?.is_none() {
                aside::remove(self.connection, tracked, &row.state.name)?;
                let state = (self.with.stamps)(&row.state.name).unwrap_or(row.state);
                self.place(tracked, &state)?;
            }
            return Ok(());
        }
        let stands = read_row(self.connection, tracked, &values, &[])?.is_some();
        let made_anew = stands && self.owner(tracked, key)? == owner;
        if made_anew || self.pending(tracked, &values)?.row {
            // The application has made it anew, or deleted what it had made: that is what counts.
            return self.forget(tracked, &row.state);
        }
        self.place(tracked, &row.state)?;
        // What was told when it was set aside is not told again.
        if self.told.contains_key(&row.state.name) && told.is_none() {
            self.told.remove(&row.state.name);
        }
        self.kept = kept;
        Ok(())
    }
}

/// The values of a row's key, if it is one of this table.
pub(super) fn key_of(tracked: &Tracked, key: &[u8]) -> Option<Vec<Value>> {
    decode_key(key).ok().filter(|values| values.len() == tracked.table.key.len())
}

/// The latest stamp of what must be unique in a row; where that is part of the key, when the row was made.
fn rank<'s>(tracked: &Tracked, state: &'s RowState) -> Rank<'s> {
    let unique = |property: &str| {
        property.is_empty()
            || tracked.table.unique.iter().any(|unique| match &unique.columns {
                Some(columns) => columns.iter().any(|(column, _)| column == property),
                None => true,
            })
    };
    let of_key = tracked.table.key.iter().any(|column| unique(column));
    let stamps = state.values.iter().filter(|value| unique(&value.property)).map(|value| value.at);
    let stamps = stamps.chain(state.at.filter(|_| of_key));
    let latest = stamps.map(|at| (at.unix_ns, u128::from_le_bytes(*at.replica.as_bytes()))).max().unwrap_or_default();
    (latest.0, latest.1, &state.name.key)
}

/// Why this row alone was not taken; where it was not about the row, nothing can be applied.
fn refusal(error: rusqlite::Error) -> rusqlite::Result<Refusal> {
    match error.sqlite_error() {
        Some(code) if matches!(code.extended_code, UNIQUE | PRIMARY_KEY) => Ok(Refusal::Unique),
        _ if is_about_row(&error) => Ok(Refusal::Other(error.to_string())),
        _ => Err(error),
    }
}

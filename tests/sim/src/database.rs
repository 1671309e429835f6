//! An application's database: rows, what people changed in them and the engine does not have yet, and how far the engine's
//! rows came into it; all of it in one transaction (§2.8).

use std::collections::BTreeMap;

use syncline_core::api::{
    Failure, Outcome, PropertyValue, RowChange, RowChangeKind, RowName, RowState, TableKind, UnixMs,
};

/// The values of a row.
pub type Values = BTreeMap<String, Vec<u8>>;

/// A database in memory.
#[derive(Debug, Clone, Default)]
pub struct Database {
    rows: BTreeMap<RowName, Values>,
    /// What people changed, in the order in which they did.
    pending: BTreeMap<u64, RowChange>,
    changes: u64,
    applied: u64,
    /// The last change that is known to be taken.
    taken: u64,
    batches: u64,
    failing: u32,
    /// Answers to what was asked of the engine.
    answers: BTreeMap<u64, (Vec<RowState>, bool)>,
}

impl Database {
    /// Somebody makes a row, or writes over the one that is there.
    pub fn put(&mut self, kind: TableKind, name: RowName, values: &[(&str, &str)], at: UnixMs) -> &RowChange {
        let values: Values = values.iter().map(|(property, value)| ((*property).into(), (*value).into())).collect();
        let list =
            values.iter().map(|(property, value)| PropertyValue { property: property.clone(), value: value.clone() });
        let list = list.collect();
        let is_new = !self.rows.contains_key(&name);
        let whole = is_new || kind == TableKind::Owned;
        let change =
            if whole { RowChangeKind::Insert { values: list } } else { RowChangeKind::Update { values: list } };
        self.rows.entry(name.clone()).or_default().extend(values);
        self.note(name, change, at)
    }

    /// Somebody deletes a row.
    pub fn delete(&mut self, name: RowName, at: UnixMs) -> &RowChange {
        self.rows.remove(&name);
        self.note(name, RowChangeKind::Delete, at)
    }

    fn note(&mut self, name: RowName, change: RowChangeKind, at: UnixMs) -> &RowChange {
        self.changes += 1;
        let change = RowChange { table: name.table, key: name.key, change, at: Some(at) };
        self.pending.entry(self.changes).or_insert(change)
    }

    /// What the engine does not have yet, behind this number: where it ends, and the changes.
    pub fn next(&self, behind: u64, limit: usize) -> Option<(u64, Vec<RowChange>)> {
        let page: Vec<_> = self.pending.range(behind + 1..).take(limit).collect();
        let last = **page.last().map(|(number, _)| number)?;
        Some((last, page.into_iter().map(|(_, change)| change.clone()).collect()))
    }

    /// The engine has what lies up to this number.
    pub fn forget(&mut self, taken: u64) {
        self.taken = self.taken.max(taken);
        self.pending.retain(|number, _| *number > taken);
    }

    /// What the engine does not have yet, by number.
    pub fn pending(&self) -> impl Iterator<Item = u64> {
        self.pending.keys().copied()
    }

    /// How many changes there were.
    pub fn changes(&self) -> u64 {
        self.changes
    }

    /// Is as another one is, from an image of it. Numbers of changes are not given again.
    pub(crate) fn put_back(&mut self, image: &Database) {
        let (changes, batches) = (self.changes.max(image.changes), self.batches);
        *self = Database { changes, batches, answers: BTreeMap::new(), failing: 0, ..image.clone() };
    }

    /// Everything is gone but how many changes there were.
    pub(crate) fn lose(&mut self) {
        *self = Database { changes: self.changes, batches: self.batches, ..Database::default() };
    }

    /// An application without a database shows these rows of a table, and what people changed since.
    pub(crate) fn show(&mut self, table: &str, rows: &[RowState]) {
        let pending: Vec<&RowChange> = self.pending.values().collect();
        let is_changed =
            |name: &RowName| pending.iter().any(|change| change.table == name.table && change.key == name.key);
        self.rows.retain(|name, _| name.table != table || is_changed(name));
        for row in rows.iter().filter(|row| !is_changed(&row.name)) {
            let values = row.values.iter().map(|value| (value.property.clone(), value.value.clone()));
            self.rows.insert(row.name.clone(), values.collect());
        }
    }

    /// Nothing fails any more.
    pub fn mend(&mut self) {
        self.failing = 0;
    }

    /// So many of the next batches fail.
    pub fn fail_next(&mut self, batches: u32) {
        self.failing += batches;
    }

    /// The engine's rows come in. What people changed and the engine does not have yet stays.
    pub fn apply(&mut self, sequence: u64, rows: &[RowState]) -> Outcome {
        if self.failing > 0 {
            self.failing -= 1;
            return Outcome::Failed { failure: Failure::Other { message: "the database is locked".into() } };
        }
        for row in rows {
            self.apply_row(row);
        }
        self.applied = sequence;
        self.batches += 1;
        Outcome::RowsApplied
    }

    fn apply_row(&mut self, row: &RowState) {
        let is_of = |change: &&RowChange| change.table == row.name.table && change.key == row.name.key;
        let changes: Vec<RowChange> = self.pending.values().filter(is_of).cloned().collect();
        if changes.last().is_some_and(|change| change.change == RowChangeKind::Delete) {
            return;
        }
        if !row.exists && changes.is_empty() {
            self.rows.remove(&row.name);
            return;
        }
        let is_changed = |property: &str| {
            changes.iter().any(|change| match &change.change {
                RowChangeKind::Insert { values } | RowChangeKind::Update { values } => {
                    values.iter().any(|value| value.property == property)
                }
                RowChangeKind::Delete => false,
            })
        };
        let new = row.values.iter().filter(|value| !is_changed(&value.property));
        let values: Values = new.map(|value| (value.property.clone(), value.value.clone())).collect();
        // Of a row that is not there what the application changed itself stays.
        let stands = self.rows.entry(row.name.clone()).or_default();
        stands.retain(|property, _| is_changed(property));
        stands.extend(values);
    }

    /// The number to give the next engine.
    pub fn applied(&self) -> u64 {
        self.applied
    }

    /// The last change that is known to be taken.
    pub fn taken(&self) -> u64 {
        self.taken
    }

    /// How many batches came in.
    pub fn batches(&self) -> u64 {
        self.batches
    }

    /// The rows.
    pub fn rows(&self) -> &BTreeMap<RowName, Values> {
        &self.rows
    }

    /// What the engine answered to this request, and whether there is more.
    pub fn take_answer(&mut self, request: u64) -> Option<(Vec<RowState>, bool)> {
        self.answers.remove(&request)
    }

    pub(crate) fn answer(&mut self, request: u64, rows: Vec<RowState>, more: bool) {
        self.answers.insert(request, (rows, more));
    }
}

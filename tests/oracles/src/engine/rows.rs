//! Engines that keep records: their configuration, the rules of the boundary for rows, and days to begin with.

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{
        Command, DeleteRule, Event, Failure, MergeType, Outcome, PropertyValue, RecordsConfig, RowChange,
        RowChangeKind, RowQuery, RowState, TableConfig, TableKind, TaskId, UnixMs,
    },
    engine::limits::{ROW_KEY_BYTES_MAX, TABLE_NAME_BYTES_MAX},
};
use syncline_sim::ROOT;

use super::{events::Step, folder::Setup};
use crate::{member::Said, records};

/// How a device keeps rows.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The application may have changed something while no engine ran.
    pub has_changes: bool,
    /// The last batch that its database claims to have; none where it has no database.
    pub applied: Option<u8>,
    /// How far ahead stamps may lie.
    pub max_drift_ms: u16,
}

impl Kept {
    /// What the engine is told of it: a table of each kind.
    pub fn config(self) -> RecordsConfig {
        let table = |name: &str, kind, merge, delete| TableConfig { name: name.into(), kind, merge, delete };
        let (shared, owned) = (TableKind::Shared, TableKind::Owned);
        RecordsConfig {
            tables: vec![
                table("lists", shared, MergeType::LwwMap, DeleteRule::UpdateRevives),
                table("tags", shared, MergeType::LwwMap, DeleteRule::DeletionWins),
                table("genres", shared, MergeType::GSet, DeleteRule::UpdateRevives),
                table("paths", owned, MergeType::LwwMap, DeleteRule::UpdateRevives),
            ],
            max_drift_ms: self.max_drift_ms.into(),
            has_changes: self.has_changes,
            is_copy: false,
            applied: self.applied.map(u64::from),
            taken: 0,
        }
    }
}

/// What an engine did to an application's database so far.
pub(crate) struct RowRules {
    tables: Vec<String>,
    /// The number of the last batch that the database has; none without one.
    applied: Option<u64>,
    applying: Option<(TaskId, u64)>,
}

impl RowRules {
    /// Nothing was done yet.
    pub fn new(config: &RecordsConfig) -> RowRules {
        let tables = config.tables.iter().map(|table| table.name.clone()).collect();
        RowRules { tables, applied: config.applied, applying: None }
    }

    /// Takes note of what the engine is about to be told.
    pub fn told(&mut self, event: &Event) {
        if let Event::Completed { task, outcome } = event
            && let Some((_, sequence)) = self.applying.take_if(|(applying, _)| applying == task)
            && *outcome == Outcome::RowsApplied
        {
            self.applied = Some(sequence);
        }
    }

    /// Batches come one at a time, to who has a database, and their numbers do not fall.
    pub fn check_batch(&mut self, task: TaskId, sequence: u64, rows: &[RowState]) {
        let applied = self.applied.expect("rows are given to a database that is not there");
        assert_eq!(self.applying, None, "two batches are under way");
        assert!(sequence >= applied, "batch {sequence} comes behind {applied}");
        self.check(rows);
        self.applying = Some((task, sequence));
    }

    /// Rows are of tables that are known, within the limits, and have each property once.
    pub fn check(&self, rows: &[RowState]) {
        for row in rows {
            assert!(self.tables.contains(&row.name.table), "a row of `{}`, which nobody asked for", row.name.table);
            assert!(matches!(row.name.owner.len(), 0 | 32), "an owner of {} bytes", row.name.owner.len());
            let is_sorted = row.values.is_sorted_by(|a, b| a.property < b.property);
            assert!(is_sorted, "values out of order, or a property twice: {row:?}");
        }
    }
}

/// Days of engines with rows: of a member who says all kinds of things over a link and in a folder, of an application that
/// writes and reads, of a database that fails, over restarts.
pub(super) fn days() -> Vec<Vec<Step>> {
    let setup = Setup { rooted: false, sealed: false, probing: false, delivery: None };
    let mut days = Vec::new();
    for (has_changes, applied) in [(true, Some(0)), (false, None), (true, None), (false, Some(200))] {
        let keep = Step::Keep(Kept { has_changes, applied, max_drift_ms: 100 });
        let works = || Step::Work { count: 60 };
        let start = || Step::Event(Event::Start);
        let mut day = vec![Step::Configure(setup), keep, start(), works(), write(1, !has_changes), write(3, false)];
        day.extend([works(), Step::Meet { link: 1 }, tell(Said::Nothing)]);
        for said in records::said() {
            day.extend([tell(said), works()]);
        }
        day.extend([Step::Fail { task: 0, failure: Failure::NoSpace }, delete(4), works(), Step::Wait, works()]);
        day.extend([read("lists"), read("paths"), read("nothing"), works()]);
        let again = [Step::Configure(setup), start(), works(), write(9, false), works(), Step::Wait, works()];
        day.extend(again);
        // The clock was ahead, and is set right.
        day.push(Step::Clock { monotonic_ms: 9_000_000, unix_ms: records::FIRST_NS / 1_000_000 + 86_400_000 });
        day.extend([write(10, false), works()]);
        day.push(Step::Clock { monotonic_ms: 9_900_000, unix_ms: records::FIRST_NS / 1_000_000 + 1_000 });
        day.extend([write(11, false), works(), Step::Wait, works(), read("lists"), works()]);
        days.push(day);
    }
    days
}

/// What an application asks of an engine over a store that may hold anything: that all is looked through, changes are taken,
/// and all rows are read.
pub(super) fn commands() -> impl Iterator<Item = Command> {
    let query = |table: &str| RowQuery {
        table: table.into(),
        after: None,
        from: Vec::new(),
        until: None,
        deleted: true,
        limit: u32::MAX,
    };
    let read = move |table| Command::ReadRows { request: 1, query: query(table) };
    let taken = Command::WriteRows { taken: u64::MAX, changes: changes(1), more: false };
    [taken, Command::Rescan { root: ROOT }].into_iter().chain(["lists", "tags", "genres", "paths"].map(read))
}

fn tell(said: Said) -> Step {
    Step::Tell { link: 1, said, skip: 0, lamport: 0 }
}

fn change(taken: u64, more: bool, changes: Vec<RowChange>) -> Step {
    Step::Event(Event::Command { command: Command::WriteRows { taken, changes, more } })
}

fn write(taken: u64, more: bool) -> Step {
    change(taken, more, changes(taken as u8))
}

/// A row of each table is made, one is changed.
fn changes(number: u8) -> Vec<RowChange> {
    let row = |table: &str, change| RowChange { table: table.into(), key: b"own".to_vec(), change, at: None };
    let values = || vec![PropertyValue { property: "a".into(), value: vec![number] }];
    let mut changes: Vec<RowChange> =
        ["lists", "tags", "genres", "paths"].map(|table| row(table, RowChangeKind::Insert { values: values() })).into();
    changes.push(RowChange { at: Some(UnixMs(5)), ..row("lists", RowChangeKind::Update { values: values() }) });
    changes.push(row("unknown", RowChangeKind::Delete));
    changes
}

fn delete(taken: u64) -> Step {
    let long = vec![7; ROW_KEY_BYTES_MAX + 1];
    let keys = [b"own".to_vec(), b"a common ending".to_vec(), long];
    let delete = |key: Vec<u8>| RowChange { table: "lists".into(), key, change: RowChangeKind::Delete, at: None };
    let mut changes: Vec<RowChange> = keys.map(delete).into();
    changes.push(RowChange { table: "t".repeat(TABLE_NAME_BYTES_MAX + 1), ..delete(Vec::new()) });
    change(taken, false, changes)
}

fn read(table: &str) -> Step {
    let query = RowQuery { table: table.into(), after: None, from: Vec::new(), until: None, deleted: true, limit: 3 };
    Step::Event(Event::Command { command: Command::ReadRows { request: 1, query } })
}

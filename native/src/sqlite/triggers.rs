//! The triggers that note what the application, or any other program, changes: plain SQL that every SQLite since 3.24
//! understands.
//!
//! Each table has its own table of changes, whose first columns hold the key as it is, without type, so that every value comes
//! back exactly. An entry says that something changed, never to what.
//!
//! - [`ROW`]: the row was made, replaced or deleted; whether it stands tells which.
//! - [`DISPLACED`]: the row may have been replaced by another one that takes a unique value. `REPLACE` does not tell: its
//!   deletions fire no trigger unless `recursive_triggers` is on. If the row still stands, the entry means nothing.
//! - [`COLUMN`]: a column has another value; the empty name stands for the whole row.
//! - [`PROBED`]: while [`PROBING`], rows that a `REPLACE` removes.
//!
//! Inside a trigger the conflict clause of the outer statement replaces those of the trigger's own (`INSERT OR IGNORE` would
//! make them ignore, too), but not an `ON CONFLICT DO UPDATE`, so only that is used.

use syncline_core::api::{MergeType, TableKind};

use super::schema::Table;
use super::sql::{each, name, text};
use super::tables::Tracked;

/// A row was made, replaced or deleted.
pub(super) const ROW: i64 = 0;
/// A row may have been displaced.
pub(super) const DISPLACED: i64 = 1;
/// A column has another value.
pub(super) const COLUMN: i64 = 2;
/// A row was removed while probing.
pub(super) const PROBED: i64 = 3;

/// The flag while changes are captured.
pub(super) const CAPTURING: i64 = 0;
/// The flag while rows are applied.
pub(super) const APPLYING: i64 = 1;
/// The flag while it is tried out which rows another one would displace.
pub(super) const PROBING: i64 = 2;

/// Milliseconds since 1970, in every SQLite.
pub(super) const NOW: &str = "CAST((julianday('now') - 2440587.5) * 86400000.0 + 0.5 AS INTEGER)";

const FLAG: &str = "(SELECT value FROM syncline_state WHERE name = 'applying')";
const COUNT: &str = "UPDATE syncline_state SET value = value + 1 WHERE name = 'change'";
const ID: &str = "(SELECT value FROM syncline_state WHERE name = 'change')";

/// The name of a table's table of changes.
pub(super) fn changes_table(number: i64) -> String {
    format!("syncline_changes_{number}")
}

/// The statements that make a table's table of changes.
pub(super) fn create_changes(number: i64, table: &Table) -> String {
    let changes = changes_table(number);
    let keys = key_columns(table);
    format!(
        "CREATE TABLE {changes} ({keys}, kind INTEGER NOT NULL, part TEXT NOT NULL, id INTEGER NOT NULL, \
         at_ms INTEGER NOT NULL, PRIMARY KEY ({keys}, kind, part)) WITHOUT ROWID; \
         CREATE INDEX {changes}_by_id ON {changes} (id);"
    )
}

/// The columns of a table of changes that hold the key.
pub(super) fn key_columns(table: &Table) -> String {
    each(&table.key, ", ", |index, _| format!("k{index}"))
}

/// A table's triggers, each with its name.
pub(super) fn triggers(tracked: &Tracked) -> Vec<(String, String)> {
    let text = Text { tracked, table: &tracked.table, changes: changes_table(tracked.number) };
    let mut triggers = vec![
        text.trigger("insert", "AFTER INSERT", &text.there("NEW"), &text.row("NEW", "1")),
        text.trigger("delete", "AFTER DELETE", &text.there("OLD"), &text.row("OLD", "1")),
        text.trigger("update", "AFTER UPDATE", &text.same_key(), &text.updated()),
        text.trigger(
            "rename",
            "AFTER UPDATE",
            &format!("NOT ({})", each(&text.table.key, " AND ", |_, key| format!("OLD.{0} IS NEW.{0}", name(key)))),
            &(text.row("OLD", &text.there("OLD")) + &text.row("NEW", &text.there("NEW"))),
        ),
    ];
    if !tracked.table.unique.is_empty() {
        triggers.push(text.probe());
        for (suffix, event, row) in [("insert_over", "BEFORE INSERT", "NEW"), ("update_over", "BEFORE UPDATE", "OLD")] {
            if let Some(displaced) = text.displaced(row) {
                let condition = format!("EXISTS (SELECT 1 {displaced})");
                triggers.push(text.trigger(suffix, event, &condition, &text.mark(&displaced)));
            }
        }
    }
    triggers
}

struct Text<'t> {
    tracked: &'t Tracked,
    table: &'t Table,
    changes: String,
}

impl Text<'_> {
    fn trigger(&self, suffix: &str, event: &str, condition: &str, body: &str) -> (String, String) {
        let trigger = format!("syncline_{}_{suffix}", self.tracked.number);
        let sql = format!(
            "CREATE TRIGGER {trigger} {event} ON {} WHEN {FLAG} = {CAPTURING} AND {condition} BEGIN {COUNT}; {body}END",
            name(&self.table.name)
        );
        (trigger, sql)
    }

    /// The row has a key. Rows without one, which SQLite allows, have no name on other devices.
    fn there(&self, row: &str) -> String {
        each(&self.table.key, " AND ", |_, key| format!("{row}.{} IS NOT NULL", name(key)))
    }

    fn same_key(&self) -> String {
        let same = each(&self.table.key, " AND ", |_, key| format!("OLD.{0} IS NEW.{0}", name(key)));
        format!("{same} AND {}", self.there("NEW"))
    }

    /// Notes that a row was made or deleted; what was noted of its columns says nothing more.
    fn row(&self, row: &str, guard: &str) -> String {
        // The plus takes the column's type away, without which the index could not be used.
        let same = each(&self.table.key, " AND ", |index, key| format!("k{index} = +{row}.{}", name(key)));
        format!(
            "DELETE FROM {} WHERE {same} AND kind > {ROW} AND {guard}; {}",
            self.changes,
            self.entry(&each(&self.table.key, ", ", |_, key| format!("{row}.{}", name(key))), ROW, "", guard)
        )
    }

    fn updated(&self) -> String {
        let whole = self.tracked.config.merge == MergeType::LwwRow || self.tracked.config.kind == TableKind::Owned;
        let keys = each(&self.table.key, ", ", |_, key| format!("NEW.{}", name(key)));
        each(&self.table.values, "", |_, column| {
            let quoted = name(&column.name);
            // Neither a collation nor the equality of 1 and 1.0 may hide a change.
            let changed = format!(
                "WHERE (OLD.{quoted} COLLATE BINARY IS NOT NEW.{quoted} OR typeof(OLD.{quoted}) <> typeof(NEW.{quoted}))"
            );
            self.entry_from(&keys, COLUMN, if whole { "" } else { &column.name }, &changed)
        })
    }

    fn entry(&self, keys: &str, kind: i64, part: &str, guard: &str) -> String {
        self.entry_from(keys, kind, part, &format!("WHERE {guard}"))
    }

    fn entry_from(&self, keys: &str, kind: i64, part: &str, from: &str) -> String {
        let own = key_columns(self.table);
        format!(
            "INSERT INTO {} ({own}, kind, part, id, at_ms) SELECT {keys}, {kind}, {}, {ID}, {NOW} {from} \
             ON CONFLICT ({own}, kind, part) DO UPDATE SET id = excluded.id, at_ms = excluded.at_ms; ",
            self.changes,
            text(part)
        )
    }

    /// Where to find the other rows that hold a unique value which the new row takes; none if no such index can be asked.
    fn displaced(&self, row: &str) -> Option<String> {
        let same = |unique: &super::schema::Unique| {
            let columns = unique.columns.as_ref()?;
            Some(each(columns, " AND ", |_, (column, collation)| {
                format!("x.{0} COLLATE {1} = NEW.{0}", name(column), name(collation))
            }))
        };
        let any: Vec<_> = self.table.unique.iter().filter_map(same).map(|same| format!("({same})")).collect();
        if any.is_empty() {
            return None;
        }
        let other = each(&self.table.key, " AND ", |_, key| format!("x.{0} IS {row}.{0}", name(key)));
        Some(format!(
            "FROM {} AS x WHERE ({}) AND NOT ({other}) AND {}",
            name(&self.table.name),
            any.join(" OR "),
            self.there("x")
        ))
    }

    fn mark(&self, displaced: &str) -> String {
        let keys = each(&self.table.key, ", ", |_, key| format!("x.{}", name(key)));
        self.entry_from(&keys, DISPLACED, "", displaced)
    }

    fn probe(&self) -> (String, String) {
        let trigger = format!("syncline_{}_probe", self.tracked.number);
        let own = key_columns(self.table);
        let keys = each(&self.table.key, ", ", |_, key| format!("OLD.{}", name(key)));
        let sql = format!(
            "CREATE TRIGGER {trigger} AFTER DELETE ON {} WHEN {FLAG} = {PROBING} AND {} BEGIN \
             INSERT INTO {} ({own}, kind, part, id, at_ms) SELECT {keys}, {PROBED}, '', 0, 0 WHERE 1 \
             ON CONFLICT ({own}, kind, part) DO UPDATE SET id = 0; END",
            name(&self.table.name),
            self.there("OLD"),
            self.changes
        );
        (trigger, sql)
    }
}

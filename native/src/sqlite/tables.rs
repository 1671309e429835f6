//! Which tables are kept in agreement, and how: as a person says it, as a file says it, and as the database remembers it.

use std::collections::BTreeMap;

use rusqlite::{Connection, OptionalExtension, Row};
use serde::Deserialize;
use syncline_core::api::{DeleteRule, MergeType, TableConfig, TableKind};

use super::fault::{Fault, Tried};
use super::schema::Table;
use crate::Error;

/// A table that every member writes, merged column by column, where a later change brings a deleted row back.
pub fn shared(name: impl Into<String>) -> TableConfig {
    let (kind, merge, delete) = (TableKind::Shared, MergeType::LwwMap, DeleteRule::UpdateRevives);
    TableConfig { name: name.into(), kind, merge, delete }
}

/// A table of whose rows each is written only by the device that made it.
pub fn owned(name: impl Into<String>) -> TableConfig {
    TableConfig { kind: TableKind::Owned, ..shared(name) }
}

/// A table to which every member adds rows that are never changed or deleted.
pub fn set(name: impl Into<String>) -> TableConfig {
    TableConfig { merge: MergeType::GSet, ..shared(name) }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    tables: BTreeMap<String, Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    kind: Option<String>,
    merge: Option<String>,
    delete: Option<String>,
}

/// Reads a file of tables: `[tables.albums]` with `kind = "shared" | "owned"`, `merge = "lww-map" | "lww-row" | "g-set"` and
/// `delete = "deletion-wins" | "update-revives"`; what is left out is as in [`shared`].
///
/// # Errors
/// It is no TOML, or says something else.
pub fn parse_tables(toml: &str) -> Result<Vec<TableConfig>, Error> {
    let file: File = toml::from_str(toml).map_err(|e| Error::TablesFile { detail: e.to_string() })?;
    let config = |(name, entry): (String, Entry)| {
        let usual = shared(name.clone());
        let wrong = |what: &str, found: String, known: &str| Error::TablesFile {
            detail: format!("`{found}` is no {what} of a table (`{name}`); expected {known}"),
        };
        let kind = entry
            .kind
            .map_or(Ok(usual.kind), |text| kind_of(&text).ok_or_else(|| wrong("kind", text, "`shared` or `owned`")))?;
        let merge = entry.merge.map_or(Ok(usual.merge), |text| {
            merge_of(&text).ok_or_else(|| wrong("merge type", text, "`lww-map`, `lww-row` or `g-set`"))
        })?;
        let delete = entry.delete.map_or(Ok(usual.delete), |text| {
            delete_of(&text).ok_or_else(|| wrong("delete rule", text, "`deletion-wins` or `update-revives`"))
        })?;
        Ok(TableConfig { name: name.clone(), kind, merge, delete })
    };
    file.tables.into_iter().map(config).collect()
}

fn kind_of(text: &str) -> Option<TableKind> {
    [TableKind::Shared, TableKind::Owned].into_iter().find(|kind| kind_name(*kind) == text)
}

fn kind_name(kind: TableKind) -> &'static str {
    match kind {
        TableKind::Shared => "shared",
        TableKind::Owned => "owned",
    }
}

fn merge_of(text: &str) -> Option<MergeType> {
    [MergeType::LwwMap, MergeType::LwwRow, MergeType::GSet].into_iter().find(|merge| merge_name(*merge) == text)
}

fn merge_name(merge: MergeType) -> &'static str {
    match merge {
        MergeType::LwwMap => "lww-map",
        MergeType::LwwRow => "lww-row",
        MergeType::GSet => "g-set",
    }
}

fn delete_of(text: &str) -> Option<DeleteRule> {
    [DeleteRule::DeletionWins, DeleteRule::UpdateRevives].into_iter().find(|delete| delete_name(*delete) == text)
}

fn delete_name(delete: DeleteRule) -> &'static str {
    match delete {
        DeleteRule::DeletionWins => "deletion-wins",
        DeleteRule::UpdateRevives => "update-revives",
    }
}

/// A table that is kept in agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tracked {
    /// Its number in this database, which its triggers and its table of changes are named for.
    pub number: i64,
    /// How it is kept.
    pub config: TableConfig,
    /// What it is like now.
    pub table: Table,
}

/// What the database remembers of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Remembered {
    /// Its number.
    pub(super) number: i64,
    /// How it is kept.
    pub(super) config: TableConfig,
    /// The columns of its key when its changes began to be captured.
    pub(super) key: Vec<String>,
    /// Its other columns.
    pub(super) columns: Vec<String>,
}

const COLUMNS: &str = "number, name, kind, merge, delete_rule, key_columns, value_columns";

/// All tables that are kept in agreement.
pub(super) fn all(connection: &Connection) -> Tried<Vec<Remembered>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_tables ORDER BY number"))?;
    let mut rows = statement.query([])?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        all.push(remembered(row)?);
    }
    Ok(all)
}

/// The table of this name.
pub(super) fn named(connection: &Connection, name: &str) -> Tried<Option<Remembered>> {
    let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM syncline_tables WHERE name = ?1"))?;
    statement.query_row([name], |row| Ok(remembered(row))).optional()?.transpose()
}

/// Remembers a table.
pub(super) fn remember(connection: &Connection, table: &Remembered) -> Tried<()> {
    let config = &table.config;
    connection.execute(
        &format!("INSERT OR REPLACE INTO syncline_tables ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)"),
        (
            table.number,
            &config.name,
            kind_name(config.kind),
            merge_name(config.merge),
            delete_name(config.delete),
            list(&table.key)?,
            list(&table.columns)?,
        ),
    )?;
    Ok(())
}

fn remembered(row: &Row<'_>) -> Tried<Remembered> {
    let damaged = |what: &str| Fault::Damaged(format!("the table `syncline_tables` holds no {what}"));
    let text = |index: usize| row.get::<_, String>(index);
    let names = |index: usize| -> Tried<Vec<String>> {
        serde_json::from_str(&text(index)?).map_err(|_| damaged("list of columns"))
    };
    Ok(Remembered {
        number: row.get(0)?,
        config: TableConfig {
            name: text(1)?,
            kind: kind_of(&text(2)?).ok_or_else(|| damaged("kind"))?,
            merge: merge_of(&text(3)?).ok_or_else(|| damaged("merge type"))?,
            delete: delete_of(&text(4)?).ok_or_else(|| damaged("delete rule"))?,
        },
        key: names(5)?,
        columns: names(6)?,
    })
}

fn list(names: &[String]) -> Tried<String> {
    serde_json::to_string(names).map_err(|e| Fault::Damaged(e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_names_tables_and_what_it_leaves_out_is_usual() {
        let tables = parse_tables(
            "[tables.albums]\n[tables.\"file paths\"]\nkind = 'owned'\n[tables.tags]\nmerge = 'g-set'\n\
             delete = 'deletion-wins'\n",
        )
        .unwrap();
        let tags = TableConfig { delete: DeleteRule::DeletionWins, ..set("tags") };
        assert_eq!(tables, [shared("albums"), owned("file paths"), tags]);
    }

    #[test]
    fn a_file_that_says_something_else_is_refused_with_what_is_known() {
        let told = |toml: &str| parse_tables(toml).unwrap_err().to_string();
        assert!(told("[tables.a]\nmerge = 'newest'").contains("`newest` is no merge type"));
        assert!(told("[tables.a]\nkind = 'mine'").contains("`shared` or `owned`"));
        assert!(told("[tables.a]\nsort = 'mine'").contains("sort"));
        assert!(told("tables").contains("expected"));
    }
}

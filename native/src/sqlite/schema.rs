//! What a table of the application is like, and whether it can be kept in agreement.

use rusqlite::{Connection, OptionalExtension};

/// How long the name of a table or column may be, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// A table that can be kept in agreement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Table {
    /// Its name, as the application wrote it.
    pub name: String,
    /// The columns of its primary key, in the order of the key.
    pub key: Vec<String>,
    /// The other columns, without generated ones.
    pub values: Vec<Column>,
    /// What must be unique beside the key.
    pub unique: Vec<Unique>,
    /// Which rows of other tables its rows belong to.
    pub foreign: Vec<ForeignKey>,
}

/// A column that is no part of the key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// The expression that gives its value where none is given.
    pub default: Option<String>,
}

/// A unique index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unique {
    /// Its columns with their collations; none where it has expressions, which nothing but SQLite can evaluate.
    pub columns: Option<Vec<(String, String)>>,
}

/// A foreign key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignKey {
    /// The other table.
    pub parent: String,
    /// Columns of this table, and the other's which they name; none for the other's key.
    pub columns: Vec<(String, Option<String>)>,
}

/// Why a table cannot be kept in agreement, and what to do instead.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is not there.
    #[error("there is no such table; create it first, or correct its name")]
    Missing,
    /// It is no table that stores rows of its own.
    #[error("it is a {0}; name the tables that its rows are stored in")]
    NotATable(String),
    /// Its name is taken.
    #[error("names that begin with `syncline_` or `sqlite_` are taken; rename it")]
    Reserved,
    /// It has no primary key.
    #[error(
        "it has no primary key, so that its rows have no name on other devices; give it one, such as \
         `id TEXT PRIMARY KEY` with a UUID"
    )]
    NoKey,
    /// Its key is a number that SQLite counts up.
    #[error(
        "its key `{0}` is a number that SQLite counts up, so that two devices would give one number to two rows; use a \
         TEXT or BLOB key such as a UUID"
    )]
    Counted(String),
    /// Its key does not tell texts apart that differ.
    #[error(
        "its key `{0}` compares with {1}, so that two devices would give one row two names; use the default collation, \
         BINARY, for the key"
    )]
    Collation(String, String),
    /// A name is empty or too long.
    #[error("a name in it is empty or longer than {NAME_BYTES_MAX} bytes; choose another")]
    Name,
}

/// Reads what a table is like.
///
/// # Errors
/// The database cannot be read. The inner error says why the table is unfit.
pub(super) fn read(connection: &Connection, name: &str) -> rusqlite::Result<Result<Table, Unfit>> {
    let lower = name.to_ascii_lowercase();
    if lower.starts_with("syncline_") || lower.starts_with("sqlite_") {
        return Ok(Err(Unfit::Reserved));
    }
    let found = connection
        .prepare_cached(
            "SELECT name, type, wr FROM pragma_table_list WHERE schema = 'main' AND name = ?1 COLLATE NOCASE",
        )?
        .query_row([name], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?, row.get::<_, bool>(2)?)))
        .optional()?;
    let Some((name, kind, without_rowid)) = found else { return Ok(Err(Unfit::Missing)) };
    if kind != "table" {
        return Ok(Err(Unfit::NotATable(if kind == "view" { kind } else { format!("{kind} table") })));
    }
    let (key, values) = columns(connection, &name)?;
    let Some(first) = key.first() else { return Ok(Err(Unfit::NoKey)) };
    let names = key.iter().chain(values.iter().map(|column| &column.name)).chain([&name]);
    if names.into_iter().any(|name| name.is_empty() || name.len() > NAME_BYTES_MAX) {
        return Ok(Err(Unfit::Name));
    }
    let indexes = indexes(connection, &name)?;
    // A key of SQLite's own rows is the only one without an index.
    let Some(key_index) = indexes.iter().find(|index| index.is_key) else {
        return Ok(Err(if without_rowid { Unfit::NoKey } else { Unfit::Counted(first.clone()) }));
    };
    let collated = key_index.columns.iter().flatten().find(|(_, collation)| !collation.eq_ignore_ascii_case("BINARY"));
    if let Some((column, collation)) = collated {
        return Ok(Err(Unfit::Collation(column.clone(), collation.clone())));
    }
    let unique = indexes.into_iter().filter(|index| !index.is_key);
    let unique = unique.map(|index| Unique { columns: index.columns }).collect();
    let foreign = foreign(connection, &name)?;
    Ok(Ok(Table { name, key, values, unique, foreign }))
}

/// The key's columns in order, and the others.
fn columns(connection: &Connection, table: &str) -> rusqlite::Result<(Vec<String>, Vec<Column>)> {
    let mut statement = connection.prepare_cached(
        "SELECT name, dflt_value, pk FROM pragma_table_xinfo(?1, 'main') WHERE hidden = 0 ORDER BY cid",
    )?;
    let mut rows = statement.query([table])?;
    let mut key = Vec::new();
    let mut values = Vec::new();
    while let Some(row) = rows.next()? {
        let (name, default, place): (String, Option<String>, u32) = (row.get(0)?, row.get(1)?, row.get(2)?);
        match place {
            0 => values.push(Column { name, default }),
            place => key.push((place, name)),
        }
    }
    key.sort();
    Ok((key.into_iter().map(|(_, name)| name).collect(), values))
}

/// The columns of a table's key, in order.
pub(super) fn key(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    Ok(columns(connection, table)?.0)
}

struct Index {
    is_key: bool,
    columns: Option<Vec<(String, String)>>,
}

fn indexes(connection: &Connection, table: &str) -> rusqlite::Result<Vec<Index>> {
    let mut statement = connection
        .prepare_cached("SELECT name, origin FROM pragma_index_list(?1, 'main') WHERE \"unique\" ORDER BY name")?;
    let names = statement.query_map([table], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)))?;
    let names = names.collect::<rusqlite::Result<Vec<_>>>()?;
    let mut statement = connection
        .prepare_cached("SELECT name, coll FROM pragma_index_xinfo(?1, 'main') WHERE \"key\" ORDER BY seqno")?;
    names
        .into_iter()
        .map(|(name, origin)| {
            let columns = statement.query_map([&name], |row| {
                let column: Option<String> = row.get(0)?;
                let collation: Option<String> = row.get(1)?;
                Ok(column.map(|column| (column, collation.unwrap_or_else(|| "BINARY".into()))))
            })?;
            Ok(Index { is_key: origin == "pk", columns: columns.collect::<rusqlite::Result<Option<Vec<_>>>>()? })
        })
        .collect()
}

fn foreign(connection: &Connection, table: &str) -> rusqlite::Result<Vec<ForeignKey>> {
    let mut statement = connection.prepare_cached(
        "SELECT id, \"table\", \"from\", \"to\" FROM pragma_foreign_key_list(?1, 'main') ORDER BY id, seq",
    )?;
    let mut rows = statement.query([table])?;
    let mut keys: Vec<(i64, ForeignKey)> = Vec::new();
    while let Some(row) = rows.next()? {
        let (id, column) = (row.get(0)?, (row.get(2)?, row.get(3)?));
        match keys.last_mut() {
            Some((last, key)) if *last == id => key.columns.push(column),
            _ => keys.push((id, ForeignKey { parent: row.get(1)?, columns: vec![column] })),
        }
    }
    Ok(keys.into_iter().map(|(_, key)| key).collect())
}

/// The statements that made a table and what belongs to it, but for triggers.
pub(super) fn statements(connection: &Connection, table: &str) -> rusqlite::Result<Vec<String>> {
    let mut statement = connection.prepare_cached(
        "SELECT sql FROM main.sqlite_schema WHERE tbl_name = ?1 AND type IN ('table', 'index') AND sql IS NOT NULL \
         ORDER BY type DESC, name",
    )?;
    let found = statement.query_map([table], |row| row.get(0))?;
    found.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unfit(sql: &str, name: &str) -> Unfit {
        let connection = Connection::open_in_memory().unwrap();
        connection.execute_batch(sql).unwrap();
        read(&connection, name).unwrap().unwrap_err()
    }

    #[test]
    fn tables_whose_rows_have_no_name_of_their_own_are_refused() {
        assert_eq!(unfit("", "t"), Unfit::Missing);
        assert_eq!(unfit("CREATE TABLE t (a)", "t"), Unfit::NoKey);
        assert_eq!(unfit("CREATE TABLE t (a UNIQUE, b)", "t"), Unfit::NoKey);
        let counted = Unfit::Counted("a".into());
        assert_eq!(unfit("CREATE TABLE t (a INTEGER PRIMARY KEY, b)", "t"), counted);
        assert_eq!(unfit("CREATE TABLE t (a INTEGER PRIMARY KEY AUTOINCREMENT)", "t"), counted);
        let nocase = Unfit::Collation("a".into(), "NOCASE".into());
        assert_eq!(unfit("CREATE TABLE t (a TEXT COLLATE NOCASE PRIMARY KEY)", "t"), nocase);
        assert_eq!(unfit("CREATE VIEW t AS SELECT 1", "t"), Unfit::NotATable("view".into()));
        assert_eq!(unfit("CREATE VIRTUAL TABLE t USING fts5(a)", "t"), Unfit::NotATable("virtual table".into()));
        assert_eq!(unfit("CREATE TABLE syncline_t (a TEXT PRIMARY KEY)", "Syncline_t"), Unfit::Reserved);
        assert_eq!(unfit("", "sqlite_schema"), Unfit::Reserved);
        assert_eq!(unfit("CREATE TABLE t (a TEXT PRIMARY KEY, \"\")", "t"), Unfit::Name);
    }

    #[test]
    fn a_table_is_read_whole() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch(
                "CREATE TABLE p (x TEXT PRIMARY KEY);
                 CREATE TABLE T (b INT, a TEXT, c DEFAULT 5, g AS (c + 1), u TEXT COLLATE NOCASE UNIQUE,
                    p REFERENCES p, PRIMARY KEY (a, b), FOREIGN KEY (c, u) REFERENCES q (m, n)) WITHOUT ROWID;
                 CREATE UNIQUE INDEX e ON t (c + 1);",
            )
            .unwrap();
        let table = read(&connection, "t").unwrap().unwrap();
        assert_eq!((table.name.as_str(), table.key.as_slice()), ("T", &["a".to_string(), "b".to_string()][..]));
        let names: Vec<_> = table.values.iter().map(|column| column.name.as_str()).collect();
        assert_eq!(names, ["c", "u", "p"]);
        assert_eq!(table.values[0].default.as_deref(), Some("5"));
        assert_eq!(table.unique.len(), 2);
        assert!(table.unique.contains(&Unique { columns: None }));
        assert!(table.unique.contains(&Unique { columns: Some(vec![("u".into(), "NOCASE".into())]) }));
        assert_eq!(table.foreign.len(), 2);
        assert!(table.foreign.contains(&ForeignKey { parent: "p".into(), columns: vec![("p".into(), None)] }));
    }

    #[test]
    fn numbers_that_sqlite_does_not_count_up_are_keys() {
        let connection = Connection::open_in_memory().unwrap();
        connection
            .execute_batch("CREATE TABLE a (k INT PRIMARY KEY); CREATE TABLE b (k INTEGER PRIMARY KEY) WITHOUT ROWID;")
            .unwrap();
        assert!(read(&connection, "a").unwrap().is_ok());
        assert!(read(&connection, "b").unwrap().is_ok());
    }
}

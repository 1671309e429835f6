//! A folder with databases of a little library of music.

use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::types::Value as Cell;
use serde_json::Value;

use super::super::support::{Pair, Run};

pub const TABLES: [&str; 4] = ["albums", "tags", "tags_on_files", "file_paths"];
const SCHEMA: &str = "
    CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT, year INTEGER, cover BLOB);
    CREATE TABLE tags (id TEXT PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE tags_on_files (file TEXT, tag TEXT, PRIMARY KEY (file, tag));
    CREATE TABLE file_paths (path TEXT PRIMARY KEY, size INTEGER);
";

/// Databases in a folder of their own.
pub struct Library {
    pub pair: Pair,
}

impl Library {
    /// A folder with one database, whose tables are kept in agreement.
    pub fn new() -> Library {
        let library = Library { pair: Pair::new() };
        library.begin("a.db");
        library
    }

    /// Makes a database of the application and prepares it.
    pub fn begin(&self, name: &str) {
        self.sql(name, SCHEMA);
        let args = ["init", name, "--shared", "albums", "tags", "tags_on_files", "--owned", "file_paths"];
        self.ok(&args);
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.pair.base().join(name)
    }

    /// Another program writes a database.
    pub fn sql(&self, name: &str, statements: &str) {
        Connection::open(self.path(name)).unwrap().execute_batch(statements).unwrap();
    }

    /// All rows of a table, in the order of its key.
    pub fn rows(&self, name: &str, table: &str) -> Vec<Vec<Cell>> {
        let connection = Connection::open(self.path(name)).unwrap();
        let mut statement = connection.prepare(&format!("SELECT * FROM {table} ORDER BY 1, 2")).unwrap();
        let columns = statement.column_count();
        let rows = statement.query_map([], |row| (0..columns).map(|column| row.get(column)).collect()).unwrap();
        rows.map(Result::unwrap).collect()
    }

    pub fn count(&self, name: &str, table: &str) -> usize {
        self.rows(name, table).len()
    }

    pub fn text(&self, name: &str, query: &str) -> String {
        Connection::open(self.path(name)).unwrap().query_row(query, [], |row| row.get(0)).unwrap()
    }

    /// Runs `syncline records` with these arguments and `--json`.
    pub fn run(&self, args: &[&str]) -> Run {
        self.pair.run(&[&["records"], args, &["--json"]].concat())
    }

    pub fn ok(&self, args: &[&str]) -> Run {
        let run = self.run(args);
        assert_eq!(run.code, Some(0), "{run:?}");
        run
    }

    /// Brings two databases together; the summary comes back.
    pub fn sync(&self, first: &str, second: &str) -> Value {
        self.ok(&["sync", first, second, "--once"]).summary()
    }

    /// Brings a database together with whoever uses the folder.
    pub fn via(&self, name: &str, folder: &str) -> Value {
        self.ok(&["sync", name, "--via", folder, "--once"]).summary()
    }

    /// All tables of these databases hold the same rows.
    pub fn assert_equal(&self, names: &[&str]) {
        for table in TABLES {
            let first = self.rows(names[0], table);
            for name in names {
                assert_eq!(self.rows(name, table), first, "{table} of {name}");
            }
        }
    }
}

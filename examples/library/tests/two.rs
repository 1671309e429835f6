//! The example, run for real.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use rusqlite::Connection;

const LIBRARY: &str = env!("CARGO_BIN_EXE_library");
const TABLES: [&str; 5] = ["albums", "tags", "tags_on_files", "file_paths", "files"];

/// What a query gives, a text for each row, in order.
fn rows(database: &Path, query: &str) -> Vec<String> {
    let connection = Connection::open(database).unwrap();
    let mut statement = connection.prepare(query).unwrap();
    let columns = statement.column_count();
    let text = |row: &rusqlite::Row<'_>| -> rusqlite::Result<String> {
        let cells = (0..columns).map(|column| Ok(format!("{:?}", row.get::<_, rusqlite::types::Value>(column)?)));
        Ok(cells.collect::<rusqlite::Result<Vec<_>>>()?.join(" "))
    };
    let mut rows: Vec<String> = statement.query_map([], text).unwrap().map(Result::unwrap).collect();
    rows.sort();
    rows
}

fn assert_equal(folder: &Path) {
    for table in TABLES {
        let query = format!("SELECT * FROM {table}");
        let anna = rows(&folder.join("anna.db"), &query);
        assert_eq!(anna, rows(&folder.join("ben.db"), &query), "{table}");
        assert!(!anna.is_empty(), "{table}");
    }
}

fn library(folder: &Path, arguments: &[&str]) {
    let status = Command::new(LIBRARY).args(arguments).current_dir(folder).status().unwrap();
    assert!(status.success(), "{arguments:?}");
}

/// A library that goes on until it is dropped.
struct Following(Child);

impl Drop for Following {
    fn drop(&mut self) {
        // It may have ended by itself where a test fails.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn two_libraries_side_by_side_hold_the_same_derived_files_included() {
    let folder = tempfile::tempdir().unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("two.sh");
    let run = Command::new(script).arg(folder.path()).env("LIBRARY", LIBRARY).output().unwrap();
    let told = String::from_utf8_lossy(&run.stdout);
    assert!(run.status.success(), "{told}\n{}", String::from_utf8_lossy(&run.stderr));
    assert_eq!(told.matches("ben's list is the same").count(), 2, "{told}");
    assert!(told.contains("3 bytes, paths: 2 #favourite #live"), "{told}");
    assert!(told.contains("album  Geogaddi (2002)"), "{told}");
    assert_equal(folder.path());
    // Four files were found, two of one content; one of those is gone, and another one has other bytes now.
    let sizes = rows(&folder.path().join("ben.db"), "SELECT size, copies FROM files");
    assert_eq!(sizes, ["Integer(15) Integer(1)", "Integer(3) Integer(1)", "Integer(5) Integer(1)"]);
}

#[test]
fn a_library_that_follows_derives_its_files_after_each_batch() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["shared", "ben"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("ben/one.flac"), "one").unwrap();
    // Two that begin in an empty folder at one moment would begin two sessions.
    library(folder.path(), &["anna.db", "sync", "--via", "shared"]);
    let mut command = Command::new(LIBRARY);
    command.args(["anna.db", "sync", "--via", "shared", "--follow"]).current_dir(folder.path()).stdout(Stdio::piped());
    let mut following = Following(command.spawn().unwrap());
    let mut lines = BufReader::new(following.0.stdout.take().unwrap()).lines().map(Result::unwrap);
    let mut until = |wanted: &str| assert!(lines.any(|line| line == wanted), "it ended before `{wanted}`");
    library(folder.path(), &["ben.db", "scan", "ben"]);
    library(folder.path(), &["ben.db", "sync", "--via", "shared"]);
    until("1 files");
    std::fs::write(folder.path().join("ben/two.flac"), "two").unwrap();
    library(folder.path(), &["ben.db", "scan", "ben"]);
    library(folder.path(), &["ben.db", "sync", "--via", "shared"]);
    until("2 files");
    let files = |name: &str| rows(&folder.path().join(name), "SELECT * FROM files");
    assert_eq!(files("anna.db"), files("ben.db"));
}

//! Typed rows on real databases, by themselves and brought together.

use std::path::PathBuf;
use std::sync::Arc;

use futures::executor::{block_on, block_on_stream};
use futures::{FutureExt, StreamExt};
use rusqlite::Connection;
use serde::{Deserialize, Serialize};
use serde_json::json;
use tempfile::TempDir;

use super::*;
use crate::Error;
use crate::sqlite::{Value, owned, shared};

const SCHEMA: &str = "
    CREATE TABLE albums (id TEXT PRIMARY KEY DEFAULT (lower(hex(randomblob(16)))), name TEXT NOT NULL UNIQUE,
        year INTEGER, live BOOLEAN NOT NULL DEFAULT 0, cover BLOB, initial TEXT AS (substr(name, 1, 1)));
    CREATE TABLE tags_on_files (file TEXT, tag TEXT, PRIMARY KEY (file, tag));
    CREATE TABLE file_paths (path TEXT PRIMARY KEY, size INTEGER) WITHOUT ROWID;
    CREATE TABLE local (id TEXT PRIMARY KEY);
";

#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Album {
    id: String,
    name: String,
    year: Option<i64>,
    live: bool,
    cover: Option<Vec<u8>>,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct TagOnFile {
    file: String,
    tag: String,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct FilePath {
    path: String,
    size: i64,
}

struct Bench(TempDir);

impl Bench {
    fn new() -> Bench {
        Bench(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn sql(&self, name: &str, statements: &str) {
        Connection::open(self.path(name)).unwrap().execute_batch(statements).unwrap();
    }

    fn begin(&self, name: &str) -> Records {
        self.sql(name, SCHEMA);
        let tables = [shared("albums"), shared("tags_on_files"), owned("file_paths")];
        Records::open(&self.path(name), &tables).unwrap()
    }
}

fn album(id: &str, name: &str) -> Album {
    Album { id: id.into(), name: name.into(), year: Some(1998), live: true, cover: Some(vec![0, 255]) }
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

#[test]
fn a_row_is_made_read_changed_and_deleted() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    for id in ["2", "1"] {
        assert_eq!(records.create("albums", &album(id, id)).unwrap(), [text(id)]);
    }
    assert_eq!(records.get("albums", "1").unwrap(), Some(album("1", "1")));
    records.update("albums", "1", &json!({ "name": "it's", "live": false })).unwrap();
    let changed = Album { live: false, ..album("1", "it's") };
    assert_eq!(records.all::<Album>("albums").unwrap(), [changed, album("2", "2")]);
    assert!(records.delete("albums", "1").unwrap());
    assert!(!records.delete("albums", "1").unwrap());
    assert_eq!(records.get::<Album>("albums", "1").unwrap(), None);
    // It is what any other program sees, and it is noted for others.
    let noted = status(&bench.path("a.db")).unwrap().pending;
    assert_eq!(noted, 2);
}

#[test]
fn what_is_left_out_gets_its_default_and_the_key_is_told() {
    let records = Bench::new();
    let records = records.begin("a.db");
    let key = records.create("albums", &json!({ "name": "Twoism" })).unwrap();
    let made: Album = records.get("albums", &key).unwrap().unwrap();
    assert_eq!((made.id.len(), made.year, made.live), (32, None, false));
    assert_eq!(key, [Value::Text(made.id)]);
    #[derive(Deserialize)]
    struct Initial {
        initial: String,
    }
    assert_eq!(records.get::<Initial>("albums", &key).unwrap().unwrap().initial, "T");
}

#[test]
fn a_key_of_several_columns_names_a_row() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    let row = TagOnFile { file: "f".into(), tag: "t".into() };
    records.create("tags_on_files", &row).unwrap();
    assert_eq!(records.get("tags_on_files", ("f", "t")).unwrap(), Some(row));
    records.update("tags_on_files", ("f", "t"), &json!({})).unwrap();
    records.update("tags_on_files", ("f", "t"), &json!({ "tag": "u" })).unwrap();
    assert!(records.delete("tags_on_files", [text("f"), text("u")].as_slice()).unwrap());
}

#[test]
fn what_cannot_be_is_told_with_its_kind() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    records.create("albums", &album("1", "one")).unwrap();
    let code = |result: Result<(), Error>| result.unwrap_err().code();
    let create = |row| records.create("albums", &row).map(drop);
    assert_eq!(code(records.update("albums", "2", &json!({ "year": 1 }))), "missing_row");
    assert_eq!(code(records.update("albums", "2", &json!({}))), "missing_row");
    assert_eq!(code(records.update("albums", ("1", "2"), &json!({}))), "unfit_key");
    assert_eq!(code(create(json!({ "id": "1", "name": "other" }))), "refused_row");
    assert_eq!(code(create(json!({ "id": "2", "name": "one" }))), "refused_row");
    assert_eq!(code(create(json!({ "id": "2", "nobody": 1 }))), "refused_row");
    assert_eq!(code(create(json!({ "id": ["2"] }))), "unfit_value");
    assert_eq!(code(records.create("local", &json!({ "id": "1" })).map(drop)), "unknown_table");
    assert_eq!(code(records.get::<TagOnFile>("albums", "1").map(drop)), "unfit_row");
    assert_eq!(code(records.watch::<Album>("nothing").map(drop)), "unknown_table");
    let told = records.all::<FilePath>("albums").unwrap_err().to_string();
    assert!(told.contains("the row '1' of the table `albums`") && told.contains("missing field"), "{told}");
    assert_eq!(records.all::<Album>("albums").unwrap(), [album("1", "one")]);
}

#[test]
fn own_writes_are_watched_and_changes_of_one_row_are_one() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    let mut watch = records.watch::<Album>("albums").unwrap();
    let mut other = records.watch::<FilePath>("file_paths").unwrap();
    assert!(watch.next().now_or_never().is_none());
    records.create("albums", &album("1", "one")).unwrap();
    records.create("albums", &album("2", "two")).unwrap();
    records.update("albums", "1", &json!({ "name": "uno" })).unwrap();
    records.delete("albums", "2").unwrap();
    let mut next = || watch.next().now_or_never().map(|change| change.unwrap().unwrap());
    assert_eq!(next(), Some(Change { key: vec![text("1")], row: Some(album("1", "uno")) }));
    assert_eq!(next(), Some(Change { key: vec![text("2")], row: None }));
    assert_eq!(next(), None);
    // Under another key it is another row.
    records.update("albums", "1", &json!({ "id": "3" })).unwrap();
    assert_eq!(next(), Some(Change { key: vec![text("3")], row: Some(album("3", "uno")) }));
    assert_eq!(next(), Some(Change { key: vec![text("1")], row: None }));
    assert!(other.next().now_or_never().is_none());
}

#[test]
fn a_transaction_writes_all_or_nothing_and_is_told_when_it_is_done() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    let mut watch = records.watch::<Album>("albums").unwrap();
    let failed = records.transaction(|rows| {
        rows.create("albums", &album("1", "one"))?;
        rows.create("albums", &album("2", "one"))
    });
    assert_eq!(failed.unwrap_err().code(), "refused_row");
    assert!(records.all::<Album>("albums").unwrap().is_empty());
    assert!(watch.next().now_or_never().is_none());
    let count = records.transaction(|rows| {
        rows.create("albums", &album("1", "one"))?;
        rows.create("albums", &album("2", "two"))?;
        rows.update("albums", "1", &json!({ "name": "uno" }))?;
        rows.delete("albums", "2")?;
        assert_eq!(rows.get("albums", "1")?, Some(album("1", "uno")));
        Ok::<_, Error>(rows.all::<Album>("albums")?.len())
    });
    assert_eq!(count.unwrap(), 1);
    let told: Vec<_> = std::iter::from_fn(|| Some(watch.next().now_or_never()??.unwrap().row)).collect();
    assert_eq!(told, [Some(album("1", "uno")), None]);
}

#[test]
fn a_row_of_another_type_ends_no_stream() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    let mut watch = records.watch::<FilePath>("file_paths").unwrap();
    records.create("file_paths", &json!({ "path": "/a", "size": "unknown" })).unwrap();
    records.create("file_paths", &FilePath { path: "/b".into(), size: 1 }).unwrap();
    assert_eq!(block_on(watch.next()).unwrap().unwrap_err().code(), "unfit_row");
    assert_eq!(block_on(watch.next()).unwrap().unwrap().key, [text("/b")]);
}

#[test]
fn streams_end_with_their_records() {
    let bench = Bench::new();
    let records = bench.begin("a.db");
    let watch = records.watch::<Album>("albums").unwrap();
    let waiting = std::thread::spawn(move || block_on_stream(watch).count());
    drop(records);
    assert_eq!(waiting.join().unwrap(), 0);
}

#[test]
fn what_the_other_side_writes_comes_to_watchers_of_both() {
    let bench = Bench::new();
    let (a, b) = (bench.begin("a.db"), bench.begin("b.db"));
    a.create("albums", &album("1", "one")).unwrap();
    let mut at_a = block_on_stream(a.watch::<Album>("albums").unwrap());
    let mut at_b = block_on_stream(b.watch::<Album>("albums").unwrap());
    let following = a.follow(Partner::Database(&b), Arc::new(())).unwrap();
    assert_eq!(at_b.next().unwrap().unwrap().row, Some(album("1", "one")));
    b.update("albums", "1", &json!({ "name": "uno" })).unwrap();
    assert_eq!(at_a.next().unwrap().unwrap().row, Some(album("1", "uno")));
    assert_eq!(at_b.next().unwrap().unwrap().row, Some(album("1", "uno")));
    // Another program writes, too.
    bench.sql("a.db", "DELETE FROM albums");
    assert_eq!(at_b.next().unwrap().unwrap().row, None);
    let locked = a.sync(Partner::Database(&b), Arc::new(())).unwrap_err();
    assert_eq!(locked.code(), "locked");
    assert!(!following.has_ended());
    let report = following.stop().unwrap();
    assert_eq!(report.summary.rows_deleted, 1);
    assert!(a.sync(Partner::Database(&b), Arc::new(())).unwrap().summary.in_sync);
}

#[test]
fn rows_come_through_a_message_folder() {
    let bench = Bench::new();
    let (a, b) = (bench.begin("a.db"), bench.begin("b.db"));
    let folder = bench.path("shared");
    std::fs::create_dir(&folder).unwrap();
    let partner = Partner::Folder { path: &folder, key: None };
    let row = FilePath { path: "/m".into(), size: i64::MAX };
    a.create("file_paths", &row).unwrap();
    assert!(a.sync(partner, Arc::new(())).unwrap().summary.in_sync);
    let mut watch = b.watch::<FilePath>("file_paths").unwrap();
    assert!(b.sync(partner, Arc::new(())).unwrap().summary.in_sync);
    assert_eq!(block_on(watch.next()).unwrap().unwrap().row, Some(row));
    assert_eq!(b.all::<FilePath>("file_paths").unwrap(), a.all::<FilePath>("file_paths").unwrap());
}

#[test]
fn a_row_that_loses_its_unique_value_is_told_as_gone() {
    let bench = Bench::new();
    let (a, b) = (bench.begin("a.db"), bench.begin("b.db"));
    a.create("albums", &album("1", "one")).unwrap();
    let mut watch = a.watch::<Album>("albums").unwrap();
    b.create("albums", &album("2", "one")).unwrap();
    a.sync(Partner::Database(&b), Arc::new(())).unwrap();
    let mut rows = a.all::<Album>("albums").unwrap();
    assert_eq!(rows, b.all::<Album>("albums").unwrap());
    assert_eq!(rows.len(), 1);
    let mut told = Vec::new();
    while let Some(change) = watch.next().now_or_never() {
        told.extend(change.unwrap().unwrap().row);
    }
    // The watcher knows what stands here, whichever of the two was written later.
    rows.retain(|row| row.id == "2");
    assert_eq!(told, rows);
}

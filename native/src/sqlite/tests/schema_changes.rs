use super::*;

const ALBUMS: &str = "CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT)";

#[test]
fn init_tells_what_it_changed_and_a_second_time_nothing() {
    let mut bench = Bench::new(&format!("{ALBUMS}; CREATE TABLE tags (id TEXT PRIMARY KEY)"), &[]);
    bench.run("INSERT INTO albums VALUES ('a', 'x')");
    let changes = bench.database.init(&[shared("ALBUMS")]).unwrap();
    assert!(changes.made.contains(&"syncline_changes_1".to_string()));
    assert!(changes.made.contains(&"syncline_1_insert".to_string()));
    assert_eq!(changes.captured["albums"], 1);
    assert_eq!(bench.told(), ["albums 'a': insert name='x'"]);
    assert!(bench.database.init(&[shared("albums")]).unwrap().is_none());
    assert!(bench.database.init(&[]).unwrap().is_none());
    bench.reopen();
    assert!(bench.database.noticed().is_none());
    let changes = bench.database.init(&[owned("albums"), set("tags")]).unwrap();
    assert_eq!(changes.altered, ["albums"]);
    assert_eq!(bench.database.tables().len(), 2);
    assert_eq!(bench.database.tables()[0].config, owned("albums"));
}

#[test]
fn a_refused_table_changes_nothing() {
    let mut bench = Bench::new(&format!("{ALBUMS}; CREATE TABLE n (id INTEGER PRIMARY KEY)"), &[]);
    bench.database.deinit().unwrap();
    let error = bench.database.init(&[shared("albums"), shared("n")]).unwrap_err();
    assert_eq!((error.code(), error.class()), ("unfit_table", crate::ErrorClass::Usage));
    assert!(error.to_string().contains("UUID"), "{error}");
    assert!(!bench.database.is_initialized().unwrap());
}

#[test]
fn deinit_leaves_only_the_applications_own() {
    let query = "SELECT type, name, sql FROM sqlite_schema ORDER BY type, name";
    let schema = format!(
        "{ALBUMS}; CREATE UNIQUE INDEX u ON albums (name); CREATE TABLE other (id INTEGER PRIMARY KEY);
         CREATE TRIGGER mine AFTER INSERT ON albums BEGIN SELECT 1; END; CREATE TABLE syncline_of_mine (x);"
    );
    let mut bench = Bench::new(&schema, &[]);
    bench.database.deinit().unwrap();
    let before = bench.rows(query);
    bench.database.init(&[shared("albums")]).unwrap();
    bench.run("INSERT INTO albums VALUES ('a', 'x')");
    let removed = bench.database.deinit().unwrap().removed;
    assert!(removed.contains(&"syncline_state".to_string()) && removed.contains(&"syncline_1_delete".to_string()));
    assert_eq!(bench.rows(query), before);
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'"]);
    assert!(bench.database.tables().is_empty());
    bench.run("UPDATE albums SET name = 'y'");
    assert!(bench.database.deinit().unwrap().is_none());
}

#[test]
fn a_column_that_is_added_is_noted_once_the_database_was_opened() {
    let mut bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.run("INSERT INTO albums VALUES ('a', 'x'), ('b', 'y')");
    bench.settle();
    bench.run("ALTER TABLE albums ADD COLUMN mood TEXT NOT NULL DEFAULT 'calm'; UPDATE albums SET mood = 'wild' WHERE id = 'b'");
    bench.reopen();
    assert_eq!(bench.database.noticed().altered, ["albums"]);
    assert_eq!(bench.told(), ["albums 'b': update mood='wild'"], "what was written before is found");
    bench.run("UPDATE albums SET mood = 'sad' WHERE id = 'a'");
    assert_eq!(bench.told(), ["albums 'a': update mood='sad'"]);
    bench.apply(&[row("albums", "c", 1, &[("name", text("z"))])]);
    assert_eq!(bench.rows("SELECT mood FROM albums WHERE id = 'c'"), ["'calm'"]);
    bench.reopen();
    assert!(bench.database.noticed().is_none());
}

#[test]
fn a_column_that_is_renamed_is_sent_under_its_new_name() {
    let mut bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.run("INSERT INTO albums VALUES ('a', 'x'), ('b', NULL)");
    bench.settle();
    bench.run("UPDATE albums SET name = 'y' WHERE id = 'a'; ALTER TABLE albums RENAME COLUMN name TO title");
    bench.reopen();
    assert_eq!(bench.told(), ["albums 'a': update title='y'"]);
    bench.run("UPDATE albums SET title = 'z'");
    assert_eq!(bench.told(), ["albums 'a': update title='z'", "albums 'b': update title='z'"]);
}

#[test]
fn a_table_that_is_built_anew_is_captured_whole_with_the_oldest_time() {
    let mut bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.run("INSERT INTO albums VALUES ('a', 'x'), ('b', 'y')");
    bench.settle();
    bench.run("DELETE FROM albums WHERE id = 'b'");
    bench.run(
        "CREATE TABLE new (id TEXT PRIMARY KEY, name TEXT UNIQUE); INSERT INTO new SELECT * FROM albums;
         DROP TABLE albums; ALTER TABLE new RENAME TO albums; UPDATE albums SET name = 'unseen'",
    );
    bench.reopen();
    assert_eq!(bench.database.noticed().rebuilt, ["albums"]);
    let changes = bench.take();
    assert_eq!(
        changes.iter().map(tell).collect::<Vec<_>>(),
        ["albums 'b': delete", "albums 'a': insert name='unseen'"]
    );
    assert_eq!(changes[1].at.map(|at| at.0), Some(0));
    bench.run("UPDATE albums SET name = 'seen'");
    assert_eq!(bench.told(), ["albums 'a': update name='seen'"]);
}

#[test]
fn an_index_that_becomes_unique_and_a_table_that_goes_are_noticed() {
    let mut bench =
        Bench::new(&format!("{ALBUMS}; CREATE TABLE tags (id TEXT PRIMARY KEY)"), &[shared("albums"), shared("tags")]);
    bench.run("CREATE UNIQUE INDEX u ON albums (name); DROP TABLE tags; INSERT INTO albums VALUES ('a', 'x')");
    bench.reopen();
    assert!(bench.database.noticed().made.contains(&"syncline_1_probe".to_string()));
    assert_eq!(bench.database.noticed().missing, ["tags"]);
    assert_eq!(bench.database.tables().len(), 1);
    bench.settle();
    bench.run("REPLACE INTO albums VALUES ('b', 'x')");
    assert_eq!(bench.told(), ["albums 'a': delete", "albums 'b': insert name='x'"]);
}

#[test]
fn an_empty_database_gets_the_tables_of_another_one() {
    let schema = "PRAGMA user_version = 12; CREATE TABLE \"a b\" (id TEXT PRIMARY KEY, n INT CHECK (n > 0), g AS (n + 1));
         CREATE UNIQUE INDEX i ON \"a b\" (n); CREATE TABLE private (x); CREATE TABLE t (k BLOB PRIMARY KEY) WITHOUT ROWID, STRICT;";
    let bench = Bench::new(schema, &[owned("a b"), shared("t")]);
    let path = bench.folder.path().join("second.db");
    let second = Database::create_like(&path, &bench.database).unwrap();
    assert_eq!(second.tables().iter().map(|t| &t.config).collect::<Vec<_>>(), [&owned("a b"), &shared("t")]);
    assert_eq!(second.tables()[0].table, bench.database.tables()[0].table);
    let application = Connection::open(&path).unwrap();
    application.execute_batch("INSERT INTO \"a b\" VALUES ('x', 1)").unwrap();
    application.execute_batch("INSERT INTO private VALUES (1)").unwrap_err();
    assert_eq!(application.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0)), Ok(12));
    let again = Database::create_like(&path, &bench.database).unwrap();
    assert!(again.noticed().is_none());
    assert_eq!(again.noted().unwrap(), 1);
}

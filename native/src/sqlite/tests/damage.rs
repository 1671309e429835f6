use super::*;
use syncline_core::api::{LoadQuery, Write};

const ALBUMS: &str = "CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT)";

fn refused(path: &std::path::Path) -> &'static str {
    Database::open(path).err().unwrap().code()
}

#[test]
fn what_is_no_database_is_refused_and_nothing_is_made() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("none.db");
    assert_eq!(refused(&path), "missing_database");
    assert!(!path.exists());
    std::fs::write(&path, [7; 4096]).unwrap();
    assert_eq!(refused(&path), "not_a_database");
    assert_eq!(std::fs::read(&path).unwrap(), [7; 4096]);
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.run("UPDATE syncline_state SET value = 2 WHERE name = 'format'; ALTER TABLE albums ADD COLUMN more");
    let before = std::fs::read(bench.path()).unwrap();
    assert_eq!(refused(&bench.path()), "newer_format");
    let other = Bench::new(ALBUMS, &[shared("albums")]);
    assert_eq!(Database::create_like(&bench.path(), &other.database).err().unwrap().code(), "newer_format");
    assert_eq!(std::fs::read(bench.path()).unwrap(), before);
}

#[test]
fn damage_is_told_as_damage() {
    for sql in [
        "UPDATE syncline_tables SET merge = 'newest'",
        "UPDATE syncline_tables SET key_columns = '7'",
        "DELETE FROM syncline_state WHERE name = 'format'",
    ] {
        let bench = Bench::new(ALBUMS, &[shared("albums")]);
        bench.run(sql);
        assert_eq!(refused(&bench.path()), "damaged_records");
    }
}

#[test]
fn a_lock_that_is_not_let_go_is_told() {
    let bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.database.connection.busy_timeout(std::time::Duration::from_millis(20)).unwrap();
    bench.run("BEGIN IMMEDIATE");
    let error = bench.database.save(&[]).unwrap_err();
    assert_eq!(error.code(), "database_busy");
    bench.run("COMMIT");
    bench.database.save(&[]).unwrap();
}

#[test]
fn a_transaction_that_is_not_finished_leaves_nothing() {
    let bench = Bench::new(ALBUMS, &[shared("albums")]);
    bench.run("INSERT INTO albums VALUES ('a', 'x')");
    let states = [row("albums", "b", 1, &[("name", text("y"))])];
    // Whoever is asked for stamps stands in the middle of it.
    let fail = bench.database.write::<()>("try", |connection| {
        connection.execute_batch("UPDATE syncline_state SET value = 1 WHERE name = 'applying'; DELETE FROM albums")?;
        connection.execute_batch("INSERT INTO syncline_store VALUES (x'00', x'00')")?;
        Err(Fault::Damaged("on purpose".into()))
    });
    assert_eq!(fail.unwrap_err().code(), "damaged_records");
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'"]);
    bench.run("UPDATE albums SET name = 'z'");
    assert_eq!(bench.told(), ["albums 'a': insert name='z'", "albums 'a': update name='z'"]);
    assert_eq!(bench.apply(&states).created, 1);
}

/// A copy of the files in the middle of a transaction is what a crash leaves.
#[test]
fn what_a_crash_leaves_is_the_state_before_the_transaction() {
    for mode in ["wal", "delete"] {
        let bench = Bench::new(&format!("PRAGMA journal_mode = {mode}; {ALBUMS}"), &[shared("albums")]);
        bench.apply(&[row("albums", "a", 1, &[("name", text("x"))])]);
        let copy = tempfile::tempdir().unwrap();
        // So that pages are written before the end.
        bench.database.connection.execute_batch("PRAGMA cache_size = 1; PRAGMA cache_spill = 1").unwrap();
        bench
            .database
            .write::<()>("try", |connection| {
                connection.execute_batch("UPDATE syncline_state SET value = 1 WHERE name = 'applying'")?;
                connection.execute_batch("UPDATE syncline_state SET value = 9 WHERE name = 'applied'")?;
                connection.execute_batch("UPDATE albums SET name = 'half'")?;
                connection.execute_batch(
                    "INSERT INTO syncline_store SELECT randomblob(16), randomblob(900) FROM json_each('[1,2,3,4,5,6,7,8,9]'), \
                     json_each('[1,2,3,4,5,6,7,8,9]')",
                )?;
                for file in std::fs::read_dir(bench.folder.path()).unwrap().map(Result::unwrap) {
                    std::fs::copy(file.path(), copy.path().join(file.file_name())).unwrap();
                }
                Err(Fault::Damaged("the crash".into()))
            })
            .unwrap_err();
        let crashed = Database::open(&copy.path().join("app.db")).unwrap();
        assert_eq!(crashed.applied().unwrap(), 1);
        let all = LoadQuery::Range { start: vec![], end: vec![255; 20], bytes_max: 9 };
        assert_eq!(crashed.load(&all).unwrap(), (vec![], false));
        let application = Connection::open(copy.path().join("app.db")).unwrap();
        let name: String = application.query_row("SELECT name FROM albums", [], |row| row.get(0)).unwrap();
        assert_eq!(name, "x");
        application.execute_batch("UPDATE albums SET name = 'later'").unwrap();
        assert_eq!(crashed.noted().unwrap(), 1, "changes are captured again");
    }
}

#[test]
fn changes_that_are_made_while_nothing_runs_are_found() {
    let Bench { folder, application, database } = Bench::new(ALBUMS, &[shared("albums")]);
    drop(database);
    application.execute_batch("INSERT INTO albums VALUES ('a', 'x')").unwrap();
    drop(application);
    let path = folder.path().join("app.db");
    let other = Connection::open(&path).unwrap();
    other.execute_batch("UPDATE albums SET name = 'y'; INSERT INTO albums VALUES ('b', 'z')").unwrap();
    let database = Database::open(&path).unwrap();
    let page = database.next_changes(9).unwrap().unwrap();
    let told: Vec<_> = page.changes.iter().map(tell).collect();
    assert_eq!(told, ["albums 'a': insert name='y'", "albums 'a': update name='y'", "albums 'b': insert name='z'"]);
    database.save(&[Write { key: vec![1], value: Some(vec![2]) }]).unwrap();
}

use super::*;

const ALBUMS: &str = "CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT, plays INT)";

fn albums() -> Bench {
    Bench::new(ALBUMS, &[shared("albums")])
}

#[test]
fn inserts_updates_and_deletions_are_noted_by_column() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    assert_eq!(bench.told(), ["albums 'a': insert name='x' plays=1"]);
    bench.run("UPDATE albums SET name = 'y', plays = 1");
    assert_eq!(bench.told(), ["albums 'a': update name='y'"]);
    bench.run("DELETE FROM albums");
    assert_eq!(bench.told(), ["albums 'a': delete"]);
}

#[test]
fn an_update_that_changes_nothing_is_not_noted() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', NULL, 1)");
    bench.settle();
    bench.run("UPDATE albums SET name = NULL, plays = 1; UPDATE albums SET id = id");
    assert_eq!(bench.database.noted().unwrap(), 0);
}

#[test]
fn a_difference_that_a_collation_or_a_number_hides_is_noted() {
    let bench = Bench::new("CREATE TABLE t (id TEXT PRIMARY KEY, a TEXT COLLATE NOCASE, b)", &[shared("t")]);
    bench.run("INSERT INTO t VALUES ('k', 'x', 1)");
    bench.settle();
    bench.run("UPDATE t SET a = 'X', b = 1.0");
    assert_eq!(bench.told(), ["t 'k': update a='X' b=1.0"]);
}

#[test]
fn only_the_newest_value_is_given_in_order_of_the_last_change() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1), ('b', 'x', 1)");
    bench.settle();
    bench.run("UPDATE albums SET name = 'y' WHERE id = 'a'; UPDATE albums SET name = 'z' WHERE id = 'b'");
    bench.run("UPDATE albums SET name = 'w' WHERE id = 'a'");
    assert_eq!(bench.told(), ["albums 'b': update name='z'", "albums 'a': update name='w'"]);
}

#[test]
fn columns_that_were_changed_at_different_times_keep_their_times() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    bench.settle();
    bench.run("UPDATE albums SET name = 'y'");
    std::thread::sleep(std::time::Duration::from_millis(5));
    bench.run("UPDATE albums SET plays = 2");
    let changes = bench.take();
    assert_eq!(
        changes.iter().map(tell).collect::<Vec<_>>(),
        ["albums 'a': update name='y'", "albums 'a': update plays=2"]
    );
    assert!(changes[0].at < changes[1].at);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_millis();
    let at = u128::from(changes[1].at.unwrap().0);
    assert!(at <= now + 1 && at + 10_000 > now, "{at} {now}");
}

#[test]
fn replaced_rows_are_given_whole_with_recursive_triggers_and_without() {
    let bench = albums();
    for pragma in ["PRAGMA recursive_triggers = OFF", "PRAGMA recursive_triggers = ON"] {
        bench.run(pragma);
        bench.run("INSERT OR REPLACE INTO albums VALUES ('a', 'x', 1)");
        bench.settle();
        bench.run("REPLACE INTO albums VALUES ('a', 'y', NULL)");
        assert_eq!(bench.told(), ["albums 'a': insert name='y' plays=NULL"]);
    }
}

#[test]
fn a_row_that_another_one_displaces_is_noted_as_deleted() {
    let schema = "CREATE TABLE t (id TEXT PRIMARY KEY, u TEXT UNIQUE COLLATE NOCASE, v)";
    let bench = Bench::new(schema, &[shared("t")]);
    bench.run("INSERT INTO t VALUES ('a', 'x', 1), ('b', 'y', 1), ('c', 'z', 1)");
    bench.settle();
    bench.run("REPLACE INTO t VALUES ('d', 'X', 2)");
    assert_eq!(bench.told(), ["t 'a': delete", "t 'd': insert u='X' v=2"]);
    bench.run("UPDATE OR REPLACE t SET u = 'Y' WHERE id = 'c'");
    assert_eq!(bench.told(), ["t 'b': delete", "t 'c': update u='Y'"]);
    bench.run("INSERT OR IGNORE INTO t VALUES ('e', 'x', 3)");
    assert_eq!(bench.told(), [""; 0], "it displaced nothing");
    bench.run("INSERT INTO t VALUES ('e', 'x', 3) ON CONFLICT (u) DO UPDATE SET v = 9");
    assert_eq!(bench.told(), ["t 'd': update v=9"]);
    bench.application.execute_batch("INSERT INTO t VALUES ('f', 'x', 1)").unwrap_err();
    assert_eq!(bench.database.noted().unwrap(), 0);
}

#[test]
fn an_outer_conflict_clause_hides_no_change() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    bench.settle();
    for (clause, name) in [("IGNORE", "p"), ("REPLACE", "q"), ("FAIL", "r"), ("ROLLBACK", "s")] {
        bench.run(&format!(
            "UPDATE OR {clause} albums SET name = '{name}1'; UPDATE OR {clause} albums SET name = '{name}'"
        ));
        assert_eq!(bench.told(), [format!("albums 'a': update name='{name}'")]);
    }
    let page = |plays: i32| {
        bench.run(&format!("INSERT OR IGNORE INTO albums VALUES ('b', 'x', {plays})"));
        let page = bench.database.next_changes(9).unwrap().unwrap();
        bench.run("DELETE FROM albums WHERE id = 'b'");
        page.taken
    };
    assert!(page(1) < page(2));
    assert_eq!(bench.told(), ["albums 'b': delete"]);
}

#[test]
fn another_key_is_a_deletion_and_an_insert() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    bench.settle();
    bench.run("UPDATE albums SET plays = 5; UPDATE albums SET id = 'b'");
    assert_eq!(bench.told(), ["albums 'a': delete", "albums 'b': insert name='x' plays=5"]);
}

#[test]
fn an_upsert_is_the_update_that_it_becomes() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    bench.settle();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1) ON CONFLICT DO UPDATE SET plays = plays + 1");
    assert_eq!(bench.told(), ["albums 'a': update plays=2"]);
}

#[test]
fn cascades_of_foreign_keys_are_noted() {
    let bench = Bench::new(
        "CREATE TABLE p (id TEXT PRIMARY KEY);
         CREATE TABLE c (id TEXT PRIMARY KEY, p REFERENCES p ON DELETE CASCADE ON UPDATE CASCADE);
         CREATE TABLE n (id TEXT PRIMARY KEY, p REFERENCES p ON DELETE SET NULL);",
        &[shared("p"), shared("c"), shared("n")],
    );
    bench.run("PRAGMA foreign_keys = ON; INSERT INTO p VALUES ('1'), ('2')");
    bench.run("INSERT INTO c VALUES ('a', '1'), ('b', '2'); INSERT INTO n VALUES ('m', '1')");
    bench.settle();
    bench.run("DELETE FROM p WHERE id = '1'");
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, ["c 'a': delete", "n 'm': update p=NULL", "p '1': delete"]);
    bench.run("UPDATE p SET id = '3'");
    let mut told = bench.told();
    told.sort();
    assert_eq!(told, ["c 'b': update p='3'", "p '2': delete", "p '3': insert"]);
}

#[test]
fn a_row_that_came_and_went_is_deleted_and_one_that_came_back_is_whole() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1); DELETE FROM albums");
    assert_eq!(bench.told(), ["albums 'a': delete"]);
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    bench.settle();
    bench.run("UPDATE albums SET name = 'y'; DELETE FROM albums; INSERT INTO albums VALUES ('a', 'z', 2)");
    assert_eq!(bench.told(), ["albums 'a': insert name='z' plays=2"]);
}

#[test]
fn what_changes_while_a_page_is_out_stays_when_it_is_forgotten() {
    let bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1), ('b', 'x', 1)");
    bench.settle();
    bench.run("UPDATE albums SET name = 'y'");
    let page = bench.database.next_changes(1000).unwrap().unwrap();
    bench.run("UPDATE albums SET name = 'z' WHERE id = 'a'");
    bench.database.forget(page.taken).unwrap();
    assert_eq!(bench.told(), ["albums 'a': update name='z'"]);
}

#[test]
fn ids_are_never_used_again() {
    let mut bench = albums();
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1)");
    let first = bench.database.next_changes(9).unwrap().unwrap().taken;
    bench.database.forget(first).unwrap();
    bench.reopen();
    bench.run("UPDATE albums SET name = 'y'");
    assert!(bench.database.next_changes(9).unwrap().unwrap().taken > first);
}

#[test]
fn what_was_rolled_back_was_never_noted() {
    let bench = albums();
    bench.run("BEGIN; INSERT INTO albums VALUES ('a', 'x', 1); ROLLBACK");
    assert_eq!(bench.database.next_changes(9).unwrap(), None);
}

#[test]
fn rows_of_a_whole_or_an_owned_table_are_given_whole() {
    let schema = format!("{ALBUMS}; CREATE TABLE files (path TEXT PRIMARY KEY, size INT, hash TEXT)");
    let whole = TableConfig { merge: syncline_core::api::MergeType::LwwRow, ..shared("albums") };
    let bench = Bench::new(&schema, &[whole, owned("files")]);
    bench.run("INSERT INTO albums VALUES ('a', 'x', 1); INSERT INTO files VALUES ('f', 1, 'h')");
    let row = |plays| format!(" {{\"name\": Text(\"x\"), \"plays\": Integer({plays})}}");
    assert_eq!(bench.told(), [format!("albums 'a': insert{}", row(1)), "files 'f': insert size=1 hash='h'".into()]);
    bench.run("UPDATE albums SET plays = 2; UPDATE files SET size = 2; UPDATE files SET hash = 'g'");
    assert_eq!(bench.told(), [format!("albums 'a': update{}", row(2)), "files 'f': insert size=2 hash='g'".into()]);
}

#[test]
fn every_value_comes_back_exactly_as_key_and_as_value() {
    let bench = Bench::new("CREATE TABLE t (a, b, v, PRIMARY KEY (a, b)) WITHOUT ROWID", &[shared("t")]);
    let values = [
        Value::Integer(i64::MAX),
        Value::Integer((1 << 53) + 1),
        Value::Real(0.1),
        Value::Real(1e300),
        Value::Real(f64::INFINITY),
        text("nul\0 'quote' \"double\""),
        Value::Text("ü💥".into()),
        Value::Blob(vec![0, 1, 255, 39]),
        Value::Blob(Vec::new()),
        Value::OddText(vec![b'a', 0xff]),
    ];
    for value in &values {
        bench.application.execute("INSERT INTO t VALUES (?1, 'k', ?1)", [value]).unwrap();
    }
    let mut changes = bench.take();
    assert_eq!(changes.len(), values.len());
    for (value, change) in values.iter().zip(&changes) {
        assert_eq!(decode_key(&change.key).unwrap(), [value.clone(), text("k")]);
        let RowChangeKind::Insert { values } = &change.change else { panic!() };
        assert_eq!(Value::decode(&values[0].value).as_ref(), Ok(value));
    }
    bench.run("DELETE FROM t");
    let sort = |changes: &mut Vec<RowChange>| changes.sort_by(|a, b| a.key.cmp(&b.key));
    let mut deleted = bench.take();
    sort(&mut changes);
    sort(&mut deleted);
    assert!(deleted.iter().zip(&changes).all(|(a, b)| a.key == b.key && a.change == RowChangeKind::Delete));
    let states = |change: &RowChange| {
        let RowChangeKind::Insert { values } = &change.change else { panic!() };
        let mut state = row("t", "", 5, &[("v", Value::decode(&values[0].value).unwrap())]);
        state.name.key = change.key.clone();
        state
    };
    let applied = bench.apply(&changes.iter().map(states).collect::<Vec<_>>());
    assert_eq!((applied.created, applied.notices.len()), (values.len() as u64, 0));
    for value in &values {
        let found = bench.application.query_row(
            "SELECT a, v, typeof(a) = typeof(?1) AND typeof(v) = typeof(?1) FROM t WHERE a = ?1",
            [value],
            |row| Ok((Value::from(row.get_ref(0)?), Value::from(row.get_ref(1)?), row.get(2)?)),
        );
        assert_eq!(found, Ok((value.clone(), value.clone(), true)));
    }
}

#[test]
fn names_may_be_anything() {
    let bench = Bench::new(
        "CREATE TABLE \"select \"\"from\"\" 'x'\" (\"group by\" TEXT PRIMARY KEY, \"it's \"\"\" TEXT UNIQUE, \"order\")",
        &[shared("select \"from\" 'x'")],
    );
    let table = "\"select \"\"from\"\" 'x'\"";
    bench.run(&format!("INSERT INTO {table} VALUES ('a', 'b', 'c')"));
    assert_eq!(bench.told(), ["select \"from\" 'x' 'a': insert it's \"='b' order='c'"]);
    bench.run(&format!("UPDATE {table} SET \"it's \"\"\" = 'd', \"order\" = 'e'"));
    assert_eq!(bench.told(), ["select \"from\" 'x' 'a': update it's \"='d' order='e'"]);
    let state = row("select \"from\" 'x'", "z", 1, &[("it's \"", text("d")), ("order", text("f"))]);
    let other = row("select \"from\" 'x'", "a", 2, &[("it's \"", text("d")), ("order", text("e"))]);
    let applied = bench.apply_knowing(std::slice::from_ref(&state), &[state.clone(), other]);
    assert_eq!(applied.notices[0].trouble, Trouble::Unique);
    bench.database.apply(9, &[], &Applying { given: 0, me: &[], stamps: &|_| None }).unwrap();
}

#[test]
fn rows_without_a_whole_key_are_left_out_and_told() {
    let mut bench =
        Bench::new("CREATE TABLE t (a TEXT PRIMARY KEY, b); INSERT INTO t VALUES (NULL, 1)", &[shared("t")]);
    assert_eq!(bench.database.init(&[shared("t")]).unwrap().keyless["t"], 1);
    bench.run("INSERT INTO t VALUES (NULL, 2); UPDATE t SET b = 3; DELETE FROM t WHERE b = 3");
    bench.run("INSERT INTO t VALUES (NULL, 2); UPDATE t SET a = 'k'");
    assert_eq!(bench.told(), ["t 'k': insert b=2"]);
    bench.run("UPDATE t SET a = NULL");
    assert_eq!(bench.told(), ["t 'k': delete"]);
}

#[test]
fn rows_that_were_there_are_captured_page_by_page() {
    const ROWS: u64 = 100_000;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("app.db");
    let application = Connection::open(&path).unwrap();
    let fill = "CREATE TABLE t (id TEXT PRIMARY KEY, v); WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n \
                WHERE i < 100000) INSERT INTO t SELECT printf('%08d', i), randomblob(64) FROM n;";
    application.execute_batch(fill).unwrap();
    let mut database = Database::open(&path).unwrap();
    // A cache of one megabyte, so that nothing large can hide in it.
    database.connection.execute_batch("PRAGMA cache_size = -1000").unwrap();
    assert_eq!(database.init(&[shared("t")]).unwrap().captured["t"], ROWS);
    // SAFETY: the function only reads a counter.
    let highest = unsafe { rusqlite::ffi::sqlite3_memory_highwater(0) };
    assert!(highest < 64 << 20, "{highest}");
    let mut rows = 0;
    let mut last = 0;
    while let Some(page) = database.next_changes(2000).unwrap() {
        assert!(page.changes.len() <= 2000 && page.taken > last);
        assert!(page.changes.iter().map(|change| change.key.len() + 90).sum::<usize>() < 300 * 1024);
        rows += page.changes.len() as u64;
        last = page.taken;
        database.forget(page.taken).unwrap();
    }
    assert_eq!(rows, ROWS);
}

#[test]
fn a_page_ends_where_its_bytes_do() {
    let bench = albums();
    let insert = "INSERT INTO albums SELECT value, hex(zeroblob(50000)), 0 FROM json_each('[\"a\", \"b\", \"c\", \"d\", \"e\"]')";
    bench.run(insert);
    let sizes: Vec<_> = std::iter::from_fn(|| {
        let page = bench.database.next_changes(1000).unwrap()?;
        bench.database.forget(page.taken).unwrap();
        Some(page.changes.len())
    })
    .collect();
    assert_eq!(sizes, [3, 2]);
}

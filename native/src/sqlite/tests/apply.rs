use super::*;
use syncline_core::api::{MergeType, TableKind};

const ALBUMS: &str = "CREATE TABLE albums (id TEXT PRIMARY KEY, name TEXT, plays INT DEFAULT 7)";

fn albums() -> Bench {
    Bench::new(ALBUMS, &[shared("albums")])
}

fn album(key: &str, at: u64, name: &str, plays: i64) -> RowState {
    row("albums", key, at, &[("name", text(name)), ("plays", Value::Integer(plays))])
}

fn counts(applied: &Applied) -> (u64, u64, u64) {
    (applied.created, applied.updated, applied.deleted)
}

#[test]
fn rows_become_what_they_are_without_an_echo_and_the_sequence_is_stored() {
    let bench = albums();
    let rows = [album("a", 1, "x", 1), album("b", 1, "y", 2)];
    assert_eq!(counts(&bench.apply(&rows)), (2, 0, 0));
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'|1", "'b'|'y'|2"]);
    assert_eq!(counts(&bench.apply(&rows)), (0, 0, 0));
    assert_eq!(counts(&bench.apply(&[album("a", 2, "z", 1), gone(&rows[1]), gone(&album("c", 1, "", 0))])), (0, 1, 1));
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'z'|1"]);
    assert_eq!(bench.database.noted().unwrap(), 0);
    assert_eq!(bench.database.applied().unwrap(), 3);
    bench.run("UPDATE albums SET plays = 2");
    assert_eq!(bench.told(), ["albums 'a': update plays=2"], "the application's own changes are noted as before");
}

#[test]
fn what_is_missing_has_its_default_and_what_is_not_known_is_left_out() {
    let bench = albums();
    let state = row("albums", "a", 1, &[("name", text("x")), ("mood", text("blue"))]);
    let applied = bench.apply(&[state, row("artists", "a", 1, &[])]);
    assert_eq!((applied.unknown_columns, applied.unknown_tables), (1, 1));
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'|7"]);
}

#[test]
fn a_column_that_the_application_changed_keeps_its_value() {
    let bench = albums();
    bench.apply(&[album("a", 1, "x", 1)]);
    bench.run("UPDATE albums SET name = 'mine'");
    bench.apply(&[album("a", 2, "theirs", 2)]);
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'mine'|2"]);
    assert_eq!(bench.told(), ["albums 'a': update name='mine'"]);
}

#[test]
fn what_the_engine_was_given_already_is_no_longer_kept() {
    let bench = albums();
    bench.apply(&[album("a", 1, "x", 1)]);
    bench.run("UPDATE albums SET name = 'mine'");
    let given = bench.database.next_changes(9).unwrap().unwrap().taken;
    let with = Applying { given, me: &[], stamps: &|_| None };
    bench.database.apply(2, &[album("a", 2, "theirs", 2)], &with).unwrap();
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'theirs'|2"]);
}

#[test]
fn a_row_that_the_application_made_or_deleted_stays_so() {
    let bench = albums();
    bench.apply(&[album("a", 1, "x", 1)]);
    bench.run("DELETE FROM albums; INSERT INTO albums VALUES ('b', 'mine', 0)");
    let applied = bench.apply(&[album("a", 2, "y", 2), album("b", 2, "theirs", 2)]);
    assert_eq!((counts(&applied), applied.kept), ((0, 0, 0), 2));
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'b'|'mine'|0"]);
}

#[test]
fn a_row_that_was_kept_is_as_the_engine_has_it_once_that_was_told() {
    let bench = albums();
    let state = album("a", 1, "x", 1);
    bench.apply(std::slice::from_ref(&state));
    bench.run("UPDATE albums SET name = 'mine'");
    assert_eq!(bench.apply(&[gone(&state)]).kept, 1);
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'mine'|1"]);
    assert!(bench.database.has_aside().unwrap());
    bench.take();
    // Where deletion wins, the engine has the row as deleted still.
    assert_eq!(counts(&bench.apply_knowing(&[], &[gone(&state)])), (0, 0, 1));
    assert_eq!(bench.rows("SELECT * FROM albums"), [""; 0]);
    assert!(!bench.database.has_aside().unwrap());
    assert_eq!(bench.database.noted().unwrap(), 0);
}

#[test]
fn a_row_that_its_table_does_not_take_is_set_aside_and_no_other_one_waits_for_it() {
    let bench =
        Bench::new("CREATE TABLE t (id TEXT PRIMARY KEY, n INT NOT NULL, c INT CHECK (c > 0)) STRICT", &[shared("t")]);
    let values = |n: Value, c: i64| [("n", n), ("c", Value::Integer(c))];
    let rows = [
        row("t", "null", 1, &values(Value::Null, 1)),
        row("t", "check", 1, &values(Value::Integer(1), -1)),
        row("t", "type", 1, &values(text("one"), 1)),
        row("t", "missing", 1, &[("c", Value::Integer(1))]),
        row("t", "good", 1, &values(Value::Integer(1), 1)),
    ];
    let applied = bench.apply(&rows);
    assert_eq!(counts(&applied), (1, 0, 0));
    assert_eq!(applied.notices.len(), 4);
    assert!(applied.notices.iter().all(|notice| matches!(notice.trouble, Trouble::Refused(_))), "{applied:?}");
    assert_eq!(bench.database.set_aside("t", 10).unwrap().len(), 4);
    let again = bench.apply(&rows[4..]);
    assert_eq!((counts(&again), again.notices), ((0, 0, 0), vec![]), "what was told is not told again");
    let applied = bench.apply(&[row("t", "good", 2, &values(Value::Integer(1), -5)), gone(&rows[0])]);
    assert_eq!(counts(&applied), (0, 0, 1));
    assert_eq!(bench.database.set_aside("t", 10).unwrap().len(), 4);
    let healed = bench.apply(&[row("t", "good", 3, &values(Value::Integer(1), 5))]);
    assert_eq!(counts(&healed), (1, 0, 0));
    assert_eq!(bench.database.noted().unwrap(), 0);
}

#[test]
fn a_child_may_come_before_its_parent_and_is_told() {
    let bench = Bench::new(
        "CREATE TABLE p (id TEXT PRIMARY KEY); CREATE TABLE c (id TEXT PRIMARY KEY, p REFERENCES P)",
        &[shared("p"), shared("c")],
    );
    let child = row("c", "a", 1, &[("p", text("1"))]);
    let orphan = bench.apply(std::slice::from_ref(&child));
    assert_eq!(orphan.created, 1);
    assert_eq!(orphan.notices[0].trouble, Trouble::MissingParent("P".into()));
    let parentless = row("c", "b", 1, &[("p", Value::Null)]);
    assert_eq!(bench.apply(&[child, row("p", "1", 1, &[]), parentless]).notices, []);
}

#[test]
fn rows_of_a_whole_table_come_in_one_property() {
    let bench = Bench::new(ALBUMS, &[TableConfig { merge: MergeType::LwwRow, ..shared("albums") }]);
    let whole = [("name".to_string(), text("x")), ("plays".to_string(), Value::Integer(3))].into_iter().collect();
    let mut state = row("albums", "a", 1, &[("", Value::Null)]);
    state.values[0].value = value::encode_row(&whole);
    assert_eq!(counts(&bench.apply(&[state.clone()])), (1, 0, 0));
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'|3"]);
    bench.run("UPDATE albums SET plays = 9");
    bench.apply(&[state]);
    assert_eq!(bench.rows("SELECT * FROM albums"), ["'a'|'x'|9"]);
}

#[test]
fn nobody_takes_another_devices_row_away() {
    let bench = Bench::new(ALBUMS, &[TableConfig { kind: TableKind::Owned, ..shared("albums") }]);
    let by = |owner: u8, state: RowState| {
        let name = RowName { owner: vec![owner; 32], ..state.name.clone() };
        RowState { name, ..state }
    };
    bench.run("INSERT INTO albums VALUES ('mine', 'x', 1)");
    bench.settle();
    let applied = bench.apply(&[by(8, album("mine", 9, "theirs", 2)), by(8, album("a", 1, "x", 1))]);
    assert_eq!((counts(&applied), applied.notices[0].trouble.clone()), ((1, 0, 0), Trouble::Key));
    let applied = bench.apply(&[by(9, gone(&album("a", 2, "", 1))), by(8, gone(&album("mine", 2, "", 1)))]);
    assert_eq!(counts(&applied), (0, 0, 0));
    assert_eq!(bench.rows("SELECT id, name FROM albums ORDER BY id"), ["'a'|'x'", "'mine'|'x'"]);
    assert_eq!(counts(&bench.apply(&[by(8, album("a", 3, "y", 1)), by(7, album("mine", 3, "z", 1))])), (0, 2, 0));
    assert_eq!(counts(&bench.apply(&[by(8, gone(&album("a", 4, "", 1)))])), (0, 0, 1));
}

#[test]
fn bytes_that_are_no_row_are_told_and_left_out() {
    let bench = albums();
    let mut keyless = album("a", 1, "x", 1);
    keyless.name.key = vec![9, 9];
    let mut wide = album("a", 1, "x", 1);
    wide.name.key = encode_key(&[text("a"), text("b")]);
    let mut valueless = album("b", 1, "x", 1);
    valueless.values[0].value = vec![200];
    let applied = bench.apply(&[keyless, wide, valueless, album("c", 1, "x", 1)]);
    assert_eq!(counts(&applied), (1, 0, 0));
    assert_eq!(applied.notices.len(), 3);
    assert!(applied.notices.iter().all(|notice| notice.trouble == Trouble::Unreadable));
}

#[test]
fn triggers_of_the_application_fire_and_their_failure_concerns_only_their_row() {
    let bench = Bench::new(
        &format!(
            "{ALBUMS}; CREATE TABLE log (what);
             CREATE TRIGGER l AFTER INSERT ON albums BEGIN INSERT INTO log VALUES (NEW.id); END;
             CREATE TRIGGER f AFTER INSERT ON albums WHEN NEW.plays = 5 BEGIN SELECT raise(ABORT, 'five'); END;
             CREATE TABLE tags (id TEXT PRIMARY KEY);
             CREATE TRIGGER i BEFORE INSERT ON albums WHEN NEW.plays = 4 BEGIN SELECT raise(IGNORE); END;
             CREATE TRIGGER g AFTER INSERT ON tags BEGIN SELECT no_such_function(); END;"
        ),
        &[shared("albums"), shared("tags")],
    );
    let applied = bench.apply(&[album("a", 1, "x", 1), album("b", 1, "x", 5)]);
    assert_eq!(counts(&applied), (1, 0, 0));
    assert_eq!(applied.notices[0].trouble, Trouble::Refused("five".into()));
    let applied = bench.apply(&[album("i", 1, "x", 4)]);
    assert_eq!((counts(&applied), applied.notices.len()), ((0, 0, 0), 1));
    assert_eq!(bench.rows("SELECT * FROM log"), ["'a'"]);
    let applied = bench.apply(&[row("tags", "c", 1, &[]), album("d", 1, "z", 1)]);
    assert_eq!(counts(&applied), (1, 0, 0));
    assert!(matches!(&applied.notices[0].trouble, Trouble::Refused(detail) if detail.contains("no_such_function")));
}

#[test]
fn rows_without_other_columns_and_rows_of_several_keys_are_applied() {
    let bench = Bench::new(
        "CREATE TABLE only (id TEXT PRIMARY KEY); CREATE TABLE pairs (b INT, a TEXT, PRIMARY KEY (a, b)) WITHOUT ROWID",
        &[shared("only"), shared("pairs")],
    );
    let mut pair = row("pairs", "", 1, &[]);
    pair.name.key = encode_key(&[text("x"), Value::Integer(2)]);
    assert_eq!(counts(&bench.apply(&[row("only", "a", 1, &[]), pair.clone()])), (2, 0, 0));
    assert_eq!(bench.rows("SELECT a, b FROM pairs"), ["'x'|2"]);
    assert_eq!(counts(&bench.apply(&[row("only", "a", 1, &[]), gone(&pair)])), (0, 0, 1));
    bench.run("INSERT INTO pairs VALUES (3, 'y')");
    assert_eq!(bench.told(), ["pairs 'y', 3: insert"]);
}

#[test]
fn what_one_database_noted_another_one_applies() {
    let one = albums();
    let other = albums();
    one.run("INSERT INTO albums VALUES ('a', 'x', 1), ('b', NULL, 9223372036854775807)");
    let states: Vec<_> = one
        .take()
        .into_iter()
        .map(|change| {
            let RowChangeKind::Insert { values } = change.change else { panic!() };
            let mut state = row("albums", "", 1, &[]);
            state.name.key = change.key;
            state.values = values
                .into_iter()
                .map(|PropertyValue { property, value }| StampedValue { property, value, at: stamp(1, 1) })
                .collect();
            state
        })
        .collect();
    assert_eq!(other.apply(&states).created, 2);
    let query = "SELECT * FROM albums ORDER BY id";
    assert_eq!(one.rows(query), other.rows(query));
}

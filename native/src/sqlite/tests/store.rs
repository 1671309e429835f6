use super::*;
use syncline_core::api::{GroupId, Key, LoadQuery, Pair, Write};

fn write(key: &str, value: Option<&str>) -> Write {
    Write { key: key.into(), value: value.map(Into::into) }
}

fn pairs(bench: &Bench, start: &str, end: &str, bytes_max: u32) -> (Vec<Pair>, bool) {
    bench.database.load(&LoadQuery::Range { start: start.into(), end: end.into(), bytes_max }).unwrap()
}

fn pair(key: &str, value: &str) -> Pair {
    Pair { key: key.into(), value: value.into() }
}

#[test]
fn pairs_are_read_as_they_were_written() {
    let mut bench = Bench::new("", &[]);
    let writes = [write("a", Some("1")), write("b", Some("")), write("c", Some("3")), write("\u{ff}", Some("4"))];
    bench.database.save(&writes).unwrap();
    bench.database.save(&[write("a", Some("5")), write("c", None), write("nothing", None)]).unwrap();
    bench.reopen();
    assert_eq!(pairs(&bench, "a", "c", 1000), (vec![pair("a", "5"), pair("b", "")], false));
    assert_eq!(pairs(&bench, "a", "z", 0), (vec![pair("a", "5")], true));
    assert_eq!(pairs(&bench, "z", "a", 1000), (vec![], false));
    let keys = ["c", "b", "a"].map(|key| Key { bytes: key.into() }).to_vec();
    let found = bench.database.load(&LoadQuery::Keys { keys }).unwrap();
    assert_eq!(found, (vec![pair("b", ""), pair("a", "5")], false));
}

#[test]
fn a_replica_is_who_it_was_and_gets_its_group_later() {
    let mut bench = Bench::new("", &[]);
    assert!(bench.database.facts().unwrap().is_none());
    let alone = Facts { identity: [3; 32], name: "desk".into(), group: None };
    let member = Facts { group: Some((GroupId::from_bytes([1; 16]), [2; 32])), ..alone.clone() };
    for facts in [alone, member] {
        bench.database.write_facts(&facts).unwrap();
        bench.reopen();
        assert!(bench.database.facts().unwrap() == Some(facts));
    }
}

#[test]
fn the_journal_stays_as_the_application_chose_it() {
    for mode in ["wal", "delete"] {
        let mut bench = Bench::new(&format!("PRAGMA journal_mode = {mode}"), &[]);
        bench.reopen();
        bench.database.save(&[write("a", Some("1"))]).unwrap();
        assert_eq!(bench.rows("PRAGMA journal_mode"), [format!("'{mode}'")]);
        let synchronous = bench.database.connection.query_row("PRAGMA synchronous", [], |row| row.get::<_, i64>(0));
        assert_eq!(synchronous, Ok(2));
    }
}

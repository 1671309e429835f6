//! Syncline's own files.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::process::Command;

use super::support::{Pair, assert_nothing_done, read, write};
use super::tree::fingerprint;

#[test]
fn own_files_are_for_their_owner_only() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    for root in [pair.a(""), pair.b("")] {
        let own = root.join(".syncline");
        assert_eq!(fs::metadata(&own).unwrap().mode() & 0o777, 0o700);
        for entry in fs::read_dir(&own).unwrap() {
            let entry = entry.unwrap();
            let mode = entry.metadata().unwrap().mode() & 0o777;
            let expected = if entry.file_type().unwrap().is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, expected, "{:?}", entry.path());
        }
    }
}

#[test]
fn a_newer_format_is_refused_untouched() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    let marker = pair.b(".syncline/marker");
    fs::write(&marker, read(&marker).replace("\"format\":1", "\"format\":2")).unwrap();
    let before = fingerprint(pair.base());
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(1), "{run:?}");
    assert_eq!(run.of_type("error")[0]["code"], "newer_format", "{run:?}");
    assert_eq!(run.summary()["in_sync"], false);
    assert!(before == fingerprint(pair.base()), "it was touched");
}

#[test]
fn t01_an_index_lost_on_one_side_deletes_nothing() {
    let pair = Pair::new();
    for number in 0..30 {
        write(pair.a(&format!("d/{number}")), &number.to_string());
    }
    pair.sync();
    fs::remove_dir_all(pair.a(".syncline")).unwrap();
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    pair.assert_equal();
    let summary = run.summary();
    for count in ["created", "updated", "removed", "conflicts", "bytes_moved"] {
        assert_eq!(summary[count], 0, "{count}: {summary}");
    }
    assert_nothing_done(&pair.sync());
}

#[test]
fn t29_a_root_copied_with_its_state_becomes_a_new_replica() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    let copied = Command::new("cp").args(["-a", "a", "c"]).current_dir(pair.base()).status().unwrap();
    assert!(copied.success());
    write(pair.a("from a"), "1");
    write(pair.base().join("c/from c"), "2");
    let run = pair.run(&["sync", "a", "c", "--once", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.of_type("notice").is_empty(), "{run:?}");
    let summary = run.summary();
    assert_eq!((&summary["created"], &summary["conflicts"]), (&2.into(), &0.into()), "{summary}");
    pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().1.paths(), ["from a", "from c", "x"]);
}

#[test]
fn a_moved_root_stays_the_same_replica() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    fs::rename(pair.b(""), pair.base().join("moved")).unwrap();
    fs::remove_file(pair.base().join("moved/x")).unwrap();
    let run = pair.run(&["sync", "a", "moved", "--once", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.summary()["removed"], 1, "the deletion counts, as the replica is the old one");
}

#[test]
fn three_folders_agree_along_a_chain() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    let run = pair.run(&["sync", "b", "c", "--once", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    write(pair.base().join("c/y"), "y");
    fs::remove_file(pair.base().join("c/x")).unwrap();
    assert_eq!(pair.run(&["sync", "c", "b", "--once"]).code, Some(0));
    pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["y"]);
    assert_eq!(pair.run(&["sync", "a", "c", "--once"]).code, Some(0));
}

//! Concurrent changes: nothing is lost, and copies appear only where needed.

use std::fs;

use super::support::{Pair, assert_nothing_done, read, set_mode, write};

#[test]
fn conflicting_edits_stand_beside_each_other_with_equal_names() {
    let pair = Pair::new();
    write(pair.a("note.tar.gz"), "base");
    pair.sync();
    write(pair.a("note.tar.gz"), "written here");
    write(pair.b("note.tar.gz"), "written there");
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(summary["conflicts"], 1);
    let paths = pair.trees().0.paths();
    assert_eq!(paths.len(), 2, "{paths:?}");
    let copy = paths.iter().find(|path| path.contains("conflict")).unwrap();
    let digits = copy.strip_prefix("note.tar (conflict ").and_then(|rest| rest.strip_suffix(").gz")).unwrap();
    assert!(digits.len() == 8 && digits.chars().all(|c| c.is_ascii_hexdigit() && !c.is_uppercase()), "{copy}");
    let mut texts = [read(pair.a("note.tar.gz")), read(pair.a(copy))];
    texts.sort();
    assert_eq!(texts, ["written here", "written there"]);
    let again = pair.sync();
    assert_nothing_done(&again);
    assert_eq!(again["conflicts"], 1);
}

#[test]
fn t02_a_modification_survives_a_concurrent_deletion() {
    let pair = Pair::new();
    write(pair.a("x"), "base");
    write(pair.a("y"), "base");
    pair.sync();
    fs::remove_file(pair.a("x")).unwrap();
    write(pair.b("x"), "modified there");
    fs::remove_file(pair.b("y")).unwrap();
    write(pair.a("y"), "modified here");
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!((read(pair.a("x")), read(pair.b("y"))), ("modified there".into(), "modified here".into()));
    assert_eq!(summary["conflicts"], 0);
}

#[test]
fn t05_equal_bytes_written_on_both_sides_are_no_conflict() {
    let pair = Pair::new();
    for number in 0..50 {
        write(pair.a(&format!("d/{number}")), &format!("text {number}"));
        write(pair.b(&format!("d/{number}")), &format!("text {number}"));
    }
    set_mode(pair.b("d/7"), 0o755);
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!((&summary["conflicts"], &summary["bytes_moved"]), (&0.into(), &0.into()), "{summary}");
    write(pair.a("new"), "the same");
    write(pair.b("new"), "the same");
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!((&summary["conflicts"], &summary["bytes_moved"]), (&0.into(), &0.into()), "{summary}");
}

#[test]
fn t03_an_edited_conflict_copy_keeps_its_name() {
    let pair = Pair::new();
    write(pair.a("x.md"), "base");
    pair.sync();
    write(pair.a("x.md"), "here");
    write(pair.b("x.md"), "there");
    pair.sync();
    let copy = pair.trees().0.paths().into_iter().find(|path| path.contains("conflict")).unwrap();
    write(pair.a(&copy), "edited copy here");
    write(pair.b(&copy), "edited copy there");
    pair.sync();
    pair.assert_equal();
    let (tree, _) = pair.trees();
    let mut texts: Vec<String> = tree.paths().iter().map(|path| read(pair.a(path))).collect();
    texts.sort();
    assert!(texts.contains(&"edited copy here".into()) && texts.contains(&"edited copy there".into()), "{texts:?}");
    for path in tree.paths() {
        assert!(path.matches("conflict").count() <= 1, "the name grew: {path}");
    }
}

#[test]
fn t09_a_new_file_in_a_directory_deleted_elsewhere_is_kept() {
    let pair = Pair::new();
    write(pair.a("d/old"), "old");
    pair.sync();
    fs::remove_dir_all(pair.a("d")).unwrap();
    write(pair.b("d/new"), "new");
    pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["d", "d/new"]);
}

#[test]
fn t33_twins_made_on_both_sides_die_together() {
    let pair = Pair::new();
    write(pair.a("twin"), "same bytes");
    write(pair.b("twin"), "same bytes");
    write(pair.a("other"), "stays");
    pair.sync();
    fs::remove_file(pair.b("twin")).unwrap();
    pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["other"]);
    assert_nothing_done(&pair.sync());
}

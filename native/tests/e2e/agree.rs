//! Two folders come to hold the same.

use std::fs;
use std::os::unix::fs::{MetadataExt, symlink};
use std::path::Path;
use std::process::Command;

use super::support::{Pair, assert_nothing_done, read, set_mode, write};
use super::tree::generate;

#[test]
fn a_folder_is_brought_into_a_new_one() {
    let pair = Pair::new();
    write(pair.a("notes/today.md"), "hello");
    write(pair.a("notes/empty.md"), "");
    fs::create_dir(pair.a("empty")).unwrap();
    symlink("notes/today.md", pair.a("link")).unwrap();
    set_mode(pair.a("notes/today.md"), 0o600);
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(summary["created"], 5);
    assert_eq!(summary["bytes_moved"], 5);
    assert_eq!(summary["in_sync"], true);
    let times = ["a", "b"].map(|side| fs::metadata(pair.base().join(side).join("notes/today.md")).unwrap());
    assert_eq!((times[0].mtime(), times[0].mtime_nsec()), (times[1].mtime(), times[1].mtime_nsec()));
    assert_nothing_done(&pair.sync());
}

#[test]
fn either_side_may_be_the_one_that_is_filled() {
    let pair = Pair::new();
    write(pair.b("x"), "from b");
    pair.sync();
    pair.assert_equal();
    assert_eq!(read(pair.a("x")), "from b");
}

#[test]
fn two_filled_folders_are_united() {
    let pair = Pair::new();
    write(pair.a("only a"), "1");
    write(pair.b("only b"), "2");
    write(pair.a("both/same"), "same");
    write(pair.b("both/same"), "same");
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["both", "both/same", "only a", "only b"]);
    assert_eq!((&summary["removed"], &summary["conflicts"]), (&0.into(), &0.into()));
}

#[test]
fn a_tree_of_thousands_of_odd_entries_is_kept_exactly() {
    let pair = Pair::new();
    generate(&pair.a(""), 3000, 1);
    let first = pair.run(&["sync", "a", "b", "--once", "--dry-run", "--json"]);
    assert_eq!(first.code, Some(0), "{}", first.stderr);
    assert!(!pair.b("").exists());
    pair.sync();
    pair.assert_equal();
    let diff = Command::new("diff")
        .args(["-r", "--no-dereference", "-x", ".syncline"])
        .args([pair.a(""), pair.b("")])
        .output()
        .unwrap();
    assert!(diff.status.success() && diff.stdout.is_empty(), "{diff:?}");
    assert_nothing_done(&pair.sync());
}

#[test]
fn changes_on_both_sides_meet() {
    let pair = Pair::new();
    for name in ["edited here", "edited there", "deleted here", "deleted there", "mode", "d/inner"] {
        write(pair.a(name), name);
    }
    pair.sync();
    write(pair.a("edited here"), "new text here");
    write(pair.b("edited there"), "new text there");
    fs::remove_file(pair.a("deleted here")).unwrap();
    fs::remove_file(pair.b("deleted there")).unwrap();
    fs::remove_dir_all(pair.b("d")).unwrap();
    set_mode(pair.a("mode"), 0o755);
    write(pair.b("new"), "new");
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["edited here", "edited there", "mode", "new"]);
    assert_eq!(read(pair.b("edited here")), "new text here");
    assert_eq!(read(pair.a("edited there")), "new text there");
    let counts = ["created", "updated", "removed", "conflicts"].map(|name| summary[name].as_u64().unwrap());
    assert_eq!(counts, [1, 3, 4, 0], "{summary}");
    assert_nothing_done(&pair.sync());
}

#[test]
fn what_was_replaced_or_deleted_lies_in_the_history() {
    let pair = Pair::new();
    write(pair.a("d/replaced"), "old text");
    write(pair.a("d/deleted"), "deleted text");
    pair.sync();
    write(pair.a("d/replaced"), "new text");
    fs::remove_file(pair.a("d/deleted")).unwrap();
    pair.sync();
    let mut kept = Vec::new();
    for commit in fs::read_dir(pair.b(".syncline/history")).unwrap() {
        let commit = commit.unwrap().path();
        for name in ["d/replaced", "d/deleted"] {
            kept.extend(fs::read_to_string(commit.join(name)));
        }
    }
    kept.sort();
    assert_eq!(kept, ["deleted text", "old text"]);
}

#[test]
fn a_large_file_arrives_whole_and_its_edit_too() {
    let pair = Pair::new();
    let mut bytes: Vec<u8> = (0..10_000_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    fs::write(pair.a("large"), &bytes).unwrap();
    pair.sync();
    pair.assert_equal();
    bytes.splice(5_000_000..5_000_000, *b"inserted in the middle");
    fs::write(pair.b("large"), &bytes).unwrap();
    pair.sync();
    pair.assert_equal();
    assert!(fs::read(pair.a("large")).unwrap() == bytes);
}

#[test]
fn twins_of_many_chunks_arrive_both() {
    let pair = Pair::new();
    let bytes: Vec<u8> = (0..400_000u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
    for path in ["d/one", "d/two", "e/three"] {
        write(pair.a(path), "");
        fs::write(pair.a(path), &bytes).unwrap();
    }
    pair.sync();
    pair.assert_equal();
    write(pair.b("f/four"), "");
    fs::write(pair.b("f/four"), &bytes).unwrap();
    pair.sync();
    pair.assert_equal();
}

#[test]
fn t10_kinds_may_be_swapped() {
    let pair = Pair::new();
    write(pair.a("file to directory"), "x");
    write(pair.a("directory to file/inner"), "x");
    write(pair.a("file to link"), "x");
    symlink("x", pair.a("link to directory")).unwrap();
    pair.sync();
    fs::remove_file(pair.a("file to directory")).unwrap();
    write(pair.a("file to directory/inner"), "y");
    fs::remove_dir_all(pair.a("directory to file")).unwrap();
    write(pair.a("directory to file"), "y");
    fs::remove_file(pair.a("file to link")).unwrap();
    symlink("elsewhere", pair.a("file to link")).unwrap();
    fs::remove_file(pair.a("link to directory")).unwrap();
    write(pair.a("link to directory/inner"), "y");
    pair.sync();
    pair.assert_equal();
    assert_nothing_done(&pair.sync());
}

#[test]
fn the_example_of_the_readme_works() {
    let pair = Pair::new();
    let notes = Path::new(env!("CARGO_MANIFEST_DIR")).join("../examples/notes");
    let copied = Command::new("cp").arg("-a").arg(notes.join(".")).arg(pair.a("")).status().unwrap();
    assert!(copied.success());
    let _ = fs::remove_dir_all(pair.a(".syncline"));
    let summary = pair.sync();
    pair.assert_equal();
    assert!(summary["created"].as_u64().unwrap() >= 8, "{summary}");
}

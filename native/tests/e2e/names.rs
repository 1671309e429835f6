//! Odd names travel as they are, and never steer a terminal.

use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::UnixListener;

use super::support::{Pair, assert_nothing_done, write};
use super::tree::longest_name;

#[test]
fn t39_odd_names_travel_as_they_are() {
    let pair = Pair::new();
    for name in
        ["back\\slash", "new\nline", "-rf", "--once", "🗒", "tab\there", " ", "...", "\u{1b}[31mred", "CON", "a:b"]
    {
        write(pair.a(name), name);
    }
    fs::write(pair.a("").join(longest_name()), "longest").unwrap();
    // Two spellings of one word are two names.
    write(pair.a("é"), "composed");
    write(pair.a("e\u{301}"), "decomposed");
    pair.sync();
    pair.assert_equal();
    assert_eq!(pair.trees().1.len(), 14);
    assert_nothing_done(&pair.sync());
    fs::write(pair.b("").join(longest_name()), "edited").unwrap();
    fs::write(pair.a("").join(longest_name()), "edited otherwise").unwrap();
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(summary["conflicts"], 1);
    assert_eq!(pair.trees().1.len(), 15);
}

#[test]
fn t39_names_that_are_no_utf8_stay_are_told_and_end_with_3() {
    let pair = Pair::new();
    write(pair.a("fine"), "fine");
    let odd = OsStr::from_bytes(b"caf\xe9");
    fs::write(pair.a("").join(odd), "left").unwrap();
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(pair.trees_of_b(), ["fine"]);
    assert!(pair.a("").join(odd).exists());
    assert!(run.of_type("notice").iter().any(|notice| notice["code"] == "unrepresentable"), "{run:?}");
    fs::remove_file(pair.a("").join(odd)).unwrap();
    assert_nothing_done(&pair.sync());
}

#[test]
fn special_files_are_skipped_counted_and_no_failure() {
    let pair = Pair::new();
    write(pair.a("fine"), "fine");
    let _socket = UnixListener::bind(pair.a("socket")).unwrap();
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let summary = run.summary();
    assert_eq!((&summary["skipped"], &summary["in_sync"]), (&1.into(), &true.into()));
    assert_eq!(pair.trees_of_b(), ["fine"]);
}

#[test]
fn h12_escape_sequences_in_names_reach_no_terminal() {
    let pair = Pair::new();
    let evil = "\u{1b}]0;owned\u{7}\u{9b}31m\r\u{202e}";
    write(pair.a(&format!("{evil}file")), "x");
    write(pair.a(&format!("{evil}directory/inner")), "x");
    let _socket = UnixListener::bind(pair.a(&format!("{evil}s"))).unwrap();
    for args in [
        &["sync", "a", "b", "--once", "--dry-run"][..],
        &["sync", "a", "b", "--once", "-v"],
        &["sync", "a", &format!("{evil}none/b"), "--once"],
        &["status", &format!("a/{evil}directory")],
    ] {
        let run = pair.command(args).env("SYNCLINE_LOG", "trace").spawn().map(super::support::finish).unwrap();
        for text in [&run.stdout, &run.stderr] {
            let steering = text.chars().find(|&c| c != '\n' && (c.is_control() || c == '\u{202e}'));
            assert_eq!(steering, None, "{args:?}: {text:?}");
        }
        assert!(format!("{}{}", run.stdout, run.stderr).contains("\\u{1b}"), "{args:?} names it: {run:?}");
    }
    pair.assert_equal_but(&format!("{evil}s"));
}

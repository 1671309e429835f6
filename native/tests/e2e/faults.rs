//! What cannot be read or written is no deletion, waits, and is done later.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::support::{Pair, assert_nothing_done, read, set_mode, write};

#[test]
fn t12_a_directory_that_cannot_be_read_is_no_deletion() {
    let pair = Pair::ordinary();
    for number in 0..5 {
        write(pair.a(&format!("d/{number}")), "x");
    }
    write(pair.a("other"), "other");
    pair.sync();
    for mode in [0o000, 0o444, 0o111] {
        set_mode(pair.b("d"), mode);
        write(pair.a("other"), &format!("edited while {mode:o}"));
        let run = pair.sync_with(&[]);
        assert_eq!(run.code, Some(3), "mode {mode:o}: {run:?}");
        assert_eq!(run.summary()["removed"], 0, "mode {mode:o}: {run:?}");
        assert!(!run.of_type("notice").is_empty(), "mode {mode:o}: {run:?}");
        assert_eq!(read(pair.b("other")), format!("edited while {mode:o}"), "the rest goes on");
        assert_eq!(fs::read_dir(pair.a("d")).unwrap().count(), 5);
    }
    // The bits themselves were a change, and travelled.
    for side in [pair.a("d"), pair.b("d")] {
        set_mode(side, 0o755);
    }
    pair.sync();
    pair.assert_equal();
    assert_eq!(fs::read_dir(pair.b("d")).unwrap().count(), 5);
}

#[test]
fn a_file_that_cannot_be_read_waits() {
    let pair = Pair::ordinary();
    write(pair.a("secret"), "secret");
    write(pair.a("open"), "open");
    set_mode(pair.a("secret"), 0o000);
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(pair.trees_of_b(), ["open"]);
    set_mode(pair.a("secret"), 0o600);
    pair.sync();
    pair.assert_equal();
}

#[test]
fn t13_a_write_that_failed_is_made_after_a_restart() {
    let pair = Pair::ordinary();
    write(pair.a("d/x"), "old");
    write(pair.a("e/x"), "old");
    pair.sync();
    set_mode(pair.b("d"), 0o555);
    write(pair.a("d/x"), "new text");
    write(pair.a("d/new"), "new");
    write(pair.a("e/x"), "new text");
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!((read(pair.b("d/x")), read(pair.b("e/x"))), ("old".into(), "new text".into()));
    assert_eq!(run.summary()["in_sync"], false);
    set_mode(pair.b("d"), 0o755);
    let summary = pair.sync();
    pair.assert_equal();
    assert_eq!(read(pair.b("d/x")), "new text");
    assert_eq!(summary["conflicts"], 0);
    assert_nothing_done(&pair.sync());
}

#[test]
fn t25_a_file_that_grows_meanwhile_is_never_sent_as_a_mixture() {
    let pair = Pair::new();
    write(pair.a("log"), "");
    for number in 0..200 {
        write(pair.a(&format!("d/{number}")), &"text ".repeat(number));
    }
    let stop = Arc::new(AtomicBool::new(false));
    let writer = {
        let (stop, path) = (Arc::clone(&stop), pair.a("log"));
        std::thread::spawn(move || {
            let mut log = OpenOptions::new().append(true).open(path).unwrap();
            let mut number = 0u64;
            // Bounded, so that a slow machine does not fill its disk.
            while !stop.load(Ordering::Relaxed) && number < 4_000_000 {
                writeln!(log, "line {number}").unwrap();
                number += 1;
            }
        })
    };
    for _ in 0..3 {
        let run = pair.sync_with(&[]);
        assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        if pair.b("log").exists() {
            let sent = fs::read(pair.b("log")).unwrap();
            let whole = fs::read(pair.a("log")).unwrap();
            assert!(whole.starts_with(&sent), "what was sent never stood in the file");
        }
    }
    stop.store(true, Ordering::Relaxed);
    writer.join().unwrap();
    pair.sync();
    pair.assert_equal();
}

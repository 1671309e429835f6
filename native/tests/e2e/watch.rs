//! Watching until Ctrl-C.

use std::io::Read;
use std::process::Stdio;

use rustix::fs::{OFlags, fcntl_setfl};
use rustix::process::{Pid, Signal, kill_process};

use super::support::{Pair, read, write};

#[test]
fn changes_are_followed_until_ctrl_c() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    let mut watching = pair.watch();
    let settled = watching.next("settled");
    assert_eq!((&settled["created"], &settled["in_sync"]), (&1.into(), &true.into()), "{settled}");
    write(pair.a("new/deep/file"), "from a");
    while !pair.b("new/deep/file").exists() {
        watching.next("settled");
    }
    write(pair.b("new/deep/file"), "from b");
    while read(pair.a("new/deep/file")) != "from b" {
        watching.next("settled");
    }
    std::fs::remove_file(pair.b("x")).unwrap();
    while pair.a("x").exists() {
        watching.next("settled");
    }
    watching.signal(Signal::INT);
    let summary = watching.next("summary");
    assert_eq!((&summary["removed"], &summary["in_sync"]), (&1.into(), &true.into()), "{summary}");
    assert_eq!(watching.end(), Some(0));
    pair.assert_equal();
}

/// The first Ctrl-C cannot be obeyed while nobody reads what the command prints; the second ends it at once.
#[test]
fn a_second_ctrl_c_ends_at_once_with_130() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    let (mut reader, writer) = std::io::pipe().unwrap();
    let full = writer.try_clone().unwrap();
    fcntl_setfl(&full, OFlags::NONBLOCK).unwrap();
    while rustix::io::write(&full, &[b'\n'; 4096]).is_ok() {}
    while rustix::io::write(&full, b"\n").is_ok() {}
    fcntl_setfl(&full, OFlags::empty()).unwrap();
    drop(full);
    let mut child = pair.command(&["sync", "a", "b", "--once", "--json"]).stdout(Stdio::from(writer)).spawn().unwrap();
    // Signals are listened for before anything is written.
    while !pair.b(".syncline/marker").exists() {
        std::thread::yield_now();
    }
    let pid = Pid::from_child(&child);
    kill_process(pid, Signal::INT).unwrap();
    kill_process(pid, Signal::TERM).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut printed = Vec::new();
    reader.read_to_end(&mut printed).unwrap();
    assert!(printed.iter().all(|byte| *byte == b'\n'), "a summary was printed after all");
}

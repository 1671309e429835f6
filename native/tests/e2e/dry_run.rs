//! `--dry-run` tells the plan and writes nothing at all.

use std::fs;

use super::support::{Pair, write};
use super::tree::fingerprint;

#[test]
fn a_dry_run_of_new_folders_writes_nothing() {
    let pair = Pair::new();
    write(pair.a("d/x"), "hello");
    let before = fingerprint(pair.base());
    let run = pair.sync_with(&["--dry-run"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(before == fingerprint(pair.base()), "something was written");
    let plan = run.of_type("plan");
    assert_eq!(plan.len(), 2, "{plan:?}");
    assert!(plan.iter().all(|line| line["action"] == "create" && line["root"] == "b"), "{plan:?}");
    let file = plan.iter().find(|line| line["path"] == "d/x").unwrap();
    assert_eq!(file["size"], 5);
    assert!(file["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    let summary = run.summary();
    assert_eq!((&summary["created"], &summary["in_sync"]), (&2.into(), &false.into()));
}

#[test]
fn a_dry_run_of_replicas_writes_nothing_and_tells_each_change() {
    let pair = Pair::new();
    for name in ["edited", "deleted", "both"] {
        write(pair.a(name), "base");
    }
    pair.sync();
    write(pair.a("edited"), "edited text");
    fs::remove_file(pair.b("deleted")).unwrap();
    write(pair.a("both"), "here");
    write(pair.b("both"), "there!");
    write(pair.b("new"), "new");
    let before = fingerprint(pair.base());
    let run = pair.sync_with(&["--dry-run"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(before == fingerprint(pair.base()), "something was written");
    let plan = run.of_type("plan");
    let has = |action: &str, root: &str, path: &str| {
        plan.iter().any(|line| line["action"] == action && line["root"] == root && line["path"] == path)
    };
    assert!(has("update", "b", "edited"), "{plan:?}");
    assert!(has("remove", "a", "deleted"), "{plan:?}");
    assert!(has("create", "a", "new"), "{plan:?}");
    assert!(plan.iter().any(|line| line["action"] == "conflict"), "{plan:?}");
    // The plan is what then happens.
    let summary = pair.sync();
    pair.assert_equal();
    let planned = run.summary();
    for count in ["created", "updated", "removed", "conflicts"] {
        assert_eq!(planned[count], summary[count], "{count}: {planned} / {summary}");
    }
}

#[test]
fn a_dry_run_with_nothing_to_do_says_so() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    let run = pair.sync_with(&["--dry-run"]);
    assert_eq!(run.of_type("plan").len(), 0, "{run:?}");
    super::support::assert_nothing_done(&run.summary());
}

#[test]
fn the_plan_for_people_is_one_item_a_line() {
    let pair = Pair::new();
    write(pair.a("x"), "hello");
    let run = pair.run(&["sync", "a", "b", "--once", "--dry-run"]);
    assert_eq!(run.code, Some(0));
    let first = run.stdout.lines().next().unwrap();
    assert!(first.starts_with("create") && first.contains("b/x") && first.contains("5 B"), "{run:?}");
}

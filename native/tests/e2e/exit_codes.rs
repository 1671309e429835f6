//! How the command ends, and that what is refused leaves no trace.

use std::fs;
use std::os::unix::fs::symlink;

use super::support::{Pair, assert_nothing_done, read, write};
use super::tree::fingerprint;

fn refused(pair: &Pair, a: &str, b: &str, code: &str) {
    let before = fingerprint(pair.base());
    let run = pair.run(&["sync", a, b, "--once", "--json"]);
    assert_eq!(run.code, Some(2), "{a} {b}: {run:?}");
    assert!(before == fingerprint(pair.base()), "{a} {b}: something was written");
    let errors = run.of_type("error");
    assert_eq!(errors.len(), 1, "{run:?}");
    assert_eq!(errors[0]["code"], code, "{run:?}");
    assert!(errors[0]["message"].as_str().is_some_and(|message| message.len() > 20), "{run:?}");
    assert_eq!(run.of_type("summary").len(), 0, "no summary after a usage error");
    assert!(!run.stderr.is_empty(), "people are told too");
}

#[test]
fn folders_that_make_no_sense_together_are_refused() {
    let pair = Pair::new();
    fs::create_dir_all(pair.a("inner")).unwrap();
    write(pair.base().join("file"), "x");
    symlink("a", pair.base().join("same")).unwrap();
    symlink("gone", pair.base().join("dangling")).unwrap();
    refused(&pair, "a", "a", "same_folder");
    refused(&pair, "a", "same", "same_folder");
    refused(&pair, "a", "./a/../a", "same_folder");
    refused(&pair, "a", "a/inner", "nested");
    refused(&pair, "a/inner", "a", "nested");
    refused(&pair, "a", "a/new", "nested");
    refused(&pair, "a", "/", "file_system_root");
    refused(&pair, "/", "b", "file_system_root");
    refused(&pair, "a", "file", "not_a_folder");
    refused(&pair, "a", "none/b", "missing_folder");
    refused(&pair, "a", "dangling", "missing_folder");
    refused(&pair, "none", "gone too", "missing_folder");
}

#[test]
fn wrong_arguments_end_with_2() {
    let pair = Pair::new();
    for args in [&["sync", "a"][..], &["sync", "a", "b", "--nonsense"], &["nonsense"], &[]] {
        let run = pair.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}");
    }
    let both = pair.run(&["sync", "a", "b", "--refill", "--allow-deletions"]);
    assert_eq!(both.code, Some(2));
    let version = pair.run(&["--version"]);
    assert_eq!((version.code, version.stdout), (Some(0), format!("syncline {}\n", env!("CARGO_PKG_VERSION"))));
    let completions = pair.run(&["completions", "bash"]);
    assert!(completions.code == Some(0) && completions.stdout.contains("allow-deletions"));
}

#[test]
fn two_groups_are_refused_and_both_named() {
    let pair = Pair::new();
    pair.sync();
    for folder in ["c", "d"] {
        fs::create_dir(pair.base().join(folder)).unwrap();
    }
    assert_eq!(pair.run(&["sync", "c", "d", "--once"]).code, Some(0));
    refused(&pair, "a", "c", "other_group");
    let run = pair.run(&["sync", "a", "d", "--once"]);
    let groups: Vec<String> = ["a", "d"]
        .map(|root| {
            let marker = read(pair.base().join(root).join(".syncline/marker"));
            serde_json::from_str::<serde_json::Value>(&marker).unwrap()["group"].as_str().unwrap().to_string()
        })
        .to_vec();
    assert!(groups.iter().all(|group| run.stderr.contains(group)), "{run:?}");
}

#[test]
fn a_replica_that_is_remembered_is_not_made_anew() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    pair.sync();
    fs::rename(pair.b(""), pair.base().join("away")).unwrap();
    let run = pair.sync_with(&[]);
    assert_eq!((run.code, run.lines().len()), (Some(2), 1), "{run:?}");
    assert_eq!(run.of_type("error")[0]["code"], "missing_folder", "{run:?}");
    assert!(!pair.b("").exists());
    fs::rename(pair.base().join("away"), pair.b("")).unwrap();
    assert_nothing_done(&pair.sync());
}

#[test]
fn t11_an_emptied_folder_halts_until_a_person_decides() {
    let emptied = || {
        let pair = Pair::new();
        write(pair.a("d/x"), "x");
        write(pair.a("y"), "y");
        pair.sync();
        fs::remove_dir_all(pair.b("")).unwrap();
        fs::create_dir(pair.b("")).unwrap();
        pair
    };
    let pair = emptied();
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!((run.of_type("error").len(), &run.summary()["in_sync"]), (1, &false.into()));
    assert_eq!(pair.trees().0.len(), 3, "nothing was deleted");
    assert_eq!(fs::read_dir(pair.b("")).unwrap().count(), 0, "nothing was written");

    let run = pair.sync_with(&["--refill"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    pair.assert_equal();
    assert_eq!(pair.trees().1.len(), 3);
    assert_nothing_done(&pair.sync());

    let pair = emptied();
    let run = pair.sync_with(&["--allow-deletions"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    pair.assert_equal();
    assert_eq!(pair.trees().0.len(), 0, "everything was deleted");
}

#[test]
fn t14_a_lost_marker_beside_files_makes_a_union() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    write(pair.a("y"), "y");
    pair.sync();
    fs::remove_dir_all(pair.b(".syncline")).unwrap();
    fs::remove_file(pair.b("y")).unwrap();
    write(pair.b("z"), "z");
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert!(!run.of_type("notice").is_empty(), "it is told: {run:?}");
    pair.assert_equal();
    assert_eq!(pair.trees().0.paths(), ["x", "y", "z"]);
    assert_eq!(run.summary()["removed"], 0);
}

#[test]
fn t21_a_mass_deletion_is_held() {
    let filled = || {
        let pair = Pair::new();
        for number in 0..40 {
            write(pair.a(&format!("d/{number}")), &number.to_string());
        }
        pair.sync();
        for number in 0..30 {
            fs::remove_file(pair.b(&format!("d/{number}"))).unwrap();
        }
        pair
    };
    let pair = filled();
    let run = pair.sync_with(&[]);
    assert_eq!(run.code, Some(3), "{run:?}");
    let summary = run.summary();
    assert_eq!((&summary["held"], &summary["removed"], &summary["in_sync"]), (&30.into(), &0.into(), &false.into()));
    assert_eq!(pair.trees().0.len(), 41);

    let run = pair.sync_with(&["--allow-deletions"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    pair.assert_equal();
    assert_eq!(pair.trees().0.len(), 11);

    let pair = filled();
    let run = pair.sync_with(&["--refill"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    pair.assert_equal();
    assert_eq!(pair.trees().1.len(), 41);
}

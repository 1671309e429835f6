//! `syncline status`.

use super::support::{Pair, write};
use super::tree::fingerprint;

#[test]
fn status_tells_what_a_root_holds_and_writes_nothing() {
    let pair = Pair::new();
    write(pair.a("d/x"), "hello");
    std::os::unix::fs::symlink("x", pair.a("d/link")).unwrap();
    pair.sync();
    let before = fingerprint(pair.base());
    let run = pair.run(&["status", "b", "--json"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    let status = &run.of_type("status")[0];
    assert_eq!(run.lines().len(), 1);
    for (name, number) in [("files", 1), ("directories", 1), ("symlinks", 1), ("bytes", 5), ("held", 0)] {
        assert_eq!(status[name], number, "{name}: {status}");
    }
    assert_eq!(status["members"].as_array().unwrap().len(), 2, "{status}");
    let partner = &status["partners"][0];
    assert_eq!(partner["path"].as_str().map(std::path::PathBuf::from), Some(pair.a("").canonicalize().unwrap()));
    let text = pair.run(&["status", "b"]);
    assert!(text.code == Some(0) && text.stdout.contains("1 files (5 B)"), "{text:?}");
    assert!(before == fingerprint(pair.base()), "something was written");
}

#[test]
fn what_is_no_root_has_no_status() {
    let pair = Pair::new();
    for path in ["a", "none"] {
        let run = pair.run(&["status", path, "--json"]);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert_eq!(run.of_type("error").len(), 1);
    }
}

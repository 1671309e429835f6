//! One process per root.

use rustix::process::Signal;

use super::support::{Pair, write};

#[test]
fn t30_a_second_process_is_refused_and_a_killed_one_leaves_the_lock_free() {
    let pair = Pair::new();
    write(pair.a("x"), "x");
    let mut first = pair.watch();
    first.next("settled");
    let pid = first.pid().to_string();
    for args in [
        &["sync", "a", "b", "--once", "--json"][..],
        &["sync", "a", "c", "--once", "--json"],
        &["sync", "b", "c", "--once", "--dry-run", "--json"],
        &["status", "a", "--json"],
    ] {
        let second = pair.run(args);
        assert_eq!(second.code, Some(1), "{args:?}: {second:?}");
        assert!(second.stderr.contains(&pid), "it says who has it: {second:?}");
        assert_eq!(second.of_type("error")[0]["code"], "locked", "{second:?}");
        assert!(!pair.base().join("c").exists(), "{args:?}");
    }
    first.signal(Signal::KILL);
    assert_eq!(first.end(), None);
    pair.sync();
    pair.assert_equal();
}

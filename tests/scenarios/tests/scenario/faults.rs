//! Disks that fail, lose what they knew, or change while they are read.

use syncline_core::api::{Command, Event, Hint, Membership, NoticeCode, RootState, Work};
use syncline_scenarios::model::copy_name;
use syncline_sim::{Fault, ROOT, Tree, World, tree};

#[test]
fn t01_a_lost_index_dominates_nothing_and_equal_bytes_agree_silently() {
    let folder = tree([("a.md", "a"), ("b.md", "b"), ("d/c.md", "c")]);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world.crash(b);
    world.lose_store(b);
    world[a].disk().write("a.md", "a, newer");
    world.rescan(a);
    world[b].disk().write("b.md", "b, newer");
    world.start(b);
    world.meet(a, b);
    world.assert_equal();
    let found = world[a].tree();
    for text in ["a, newer", "b, newer", "c"] {
        assert!(found.contents().contains(&text.as_bytes()), "{text} is lost: {found:?}");
    }
    assert_eq!(found.at("d/c.md"), Some(&"c".into()));
    assert!(found.copies().iter().all(|path| !path.starts_with("d/")), "{found:?}");
}

#[test]
fn t01_a_lost_index_of_an_unchanged_folder_is_no_news() {
    let folder = tree([("a.md", "a"), ("b.md", "b"), ("d/c.md", "c")]);
    for founder in [true, false] {
        let (mut world, a, b) = World::pair(1, folder.clone(), folder.clone());
        let loser = if founder { a } else { b };
        world.crash(loser);
        world.lose_store(loser);
        world.start(loser);
        world.meet(a, b);
        world.assert_all(&folder);
    }
}

#[test]
fn t01_devices_that_all_lost_their_index_do_not_wait_for_each_other() {
    let folder = tree([("a.md", "a"), ("d/c.md", "c")]);
    for count in 2..5 {
        let (mut world, sites) = World::group(1, &vec![folder.clone(); count]);
        for (number, site) in sites.iter().enumerate() {
            world.crash(*site);
            world.lose_store(*site);
            world[*site].disk().write(&format!("of {number}"), "new");
            world.start(*site);
        }
        // Along a chain, so that none knows all.
        for pair in sites.windows(2) {
            world.link(pair[0], pair[1]);
        }
        world.settle();
        let all = (0..count).fold(folder.clone(), |tree, number| tree.with(&format!("of {number}"), "new"));
        world.assert_all(&all);
    }
}

#[test]
fn t13_a_write_that_failed_is_still_pending_after_a_restart() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[b].disk().fail_commits(u32::MAX);
    world[a].disk().write("a.md", "a");
    world.rescan(a);
    assert!(world[b].tree().is_empty());
    assert!(world[b].root().waiting > 0);
    world.restart(b);
    world.link(a, b);
    world.settle();
    assert!(world[b].tree().is_empty());
    assert_eq!(world[a].tree(), tree([("a.md", "a")]), "a failed write is not a deletion");
    world[b].disk().fail_commits(0);
    world.pass(120_000);
    world.assert_all(&tree([("a.md", "a")]));
    assert_eq!(world[b].root().waiting, 0);
}

#[test]
fn t13_a_retry_by_command_comes_at_once() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[b].disk().fail_commits(u32::MAX);
    world[a].disk().write("a.md", "a");
    world.rescan(a);
    world.pass(90_000);
    world[b].disk().fail_commits(0);
    world.command(b, Command::Retry { root: ROOT });
    world.settle();
    world.assert_all(&tree([("a.md", "a")]));
}

#[test]
fn t14_a_reset_on_one_side_is_a_union() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a"), ("b", "b"), ("c", "c")]), Tree::default());
    world.crash(b);
    world.lose_store(b);
    world[b].disk().remove("a");
    world[b].disk().write("d", "d");
    world.start(b);
    world.meet(a, b);
    world.assert_all(&tree([("a", "a"), ("b", "b"), ("c", "c"), ("d", "d")]));
}

#[test]
fn t20_a_full_disk_keeps_the_old_bytes_until_there_is_room() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old")]), Tree::default());
    world[b].disk().space(Some(10));
    world[a].disk().write("a.md", "more than ten bytes");
    world.rescan(a);
    assert_eq!(world[b].tree(), tree([("a.md", "old")]));
    assert!(world[b].has_notice(NoticeCode::NoSpace));
    world[b].disk().space(None);
    world.pass(120_000);
    world.assert_all(&tree([("a.md", "more than ten bytes")]));
}

#[test]
fn t20_on_a_full_disk_one_file_tries_and_the_others_wait_for_it() {
    let (mut world, a, b) = World::pair(1, tree([("first", "old")]), Tree::default());
    world[b].disk().space(Some(10));
    for number in 0..70 {
        world[a].disk().write(&format!("part {number}"), format!("more than ten bytes: {number}"));
    }
    world.rescan(a);
    let staged = world[b].counts().staged;
    world.pass(3_600_000);
    let tries = world[b].counts().staged - staged;
    assert!(tries <= 80, "{tries} tries in an hour");
    assert_eq!(world[b].root().waiting, 70);
    world[b].disk().space(None);
    world.pass(120_000);
    world.assert_equal();
    assert_eq!(world[b].root().waiting, 0);
}

#[test]
fn t20_a_small_file_does_not_wait_for_room_for_a_large_one() {
    let (mut world, a, b) = World::pair(1, tree([("first", "old")]), Tree::default());
    world[b].disk().space(Some(10));
    for (path, bytes) in [("a", 1_000), ("b", 500), ("z", 20)] {
        world[a].disk().write(path, "x".repeat(bytes));
    }
    world.rescan(a);
    assert_eq!(world[b].root().waiting, 3);
    world[b].disk().space(Some(100));
    world.pass(180_000);
    assert_eq!(world[b].disk().read("z").map(<[u8]>::len), Some(20));
    assert_eq!(world[b].root().waiting, 2);
}

#[test]
fn t20_a_path_that_cannot_be_written_holds_nothing_else_back() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "old"), ("z", "old")]), Tree::default());
    world[b].disk().fault("d", Some(Fault::Denied));
    world[a].disk().write("d/x", "new");
    world[a].disk().write("z", "new");
    world.rescan(a);
    assert_eq!(world[b].tree(), tree([("d/x", "old"), ("z", "new")]));
    assert_eq!(world[b].root().state, RootState::Following);
    world[b].disk().fault("d", None);
    world.pass(120_000);
    world.assert_all(&tree([("d/x", "new"), ("z", "new")]));
}

#[test]
fn t24_corrupted_pipes_corrupt_nothing() {
    for seed in 0..20 {
        let big: Vec<u8> = (0..300_000u32).flat_map(|number| number.to_le_bytes()).collect();
        let folder = Tree::default().with("a", "a").with("d/b", "b").with("big", big);
        let (mut world, sites) = World::group(seed, &[folder.clone(), Tree::default()]);
        let (a, b) = (sites[0], sites[1]);
        world.corrupt_one_in(20);
        for _ in 0..5 {
            world.meet(a, b);
        }
        world.corrupt_one_in(0);
        world.link(a, b);
        world.pass(120_000);
        world.assert_all(&folder);
    }
}

#[test]
fn t25_a_file_that_grows_while_it_is_hashed_is_read_again() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[a].hold(|work| matches!(work, Work::Hash { .. }));
    world[a].disk().write("log", "first line\n");
    world.rescan(a);
    world[a].disk().append("log", "second line\n");
    world[a].let_go();
    world.settle();
    world.rescan(a);
    world.assert_all(&tree([("log", "first line\nsecond line\n")]));
    assert!(world[b].is_running());
}

#[test]
fn t25_a_file_that_grows_while_it_is_sent_is_never_a_mixture() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[a].hold(|work| matches!(work, Work::Read { .. }));
    let start = vec![b'x'; 100_000];
    world[a].disk().write("log", &start);
    world.rescan(a);
    world.pass(1_000);
    world[a].disk().append("log", "more");
    world[a].let_go();
    world.settle();
    let found = world[b].tree();
    let whole = |bytes: &&[u8]| bytes.len() == start.len() || bytes.len() == start.len() + 4;
    assert!(found.contents().iter().all(whole), "{found:?}");
    world.rescan(a);
    world.assert_all(&Tree::default().with("log", [start, b"more".to_vec()].concat()));
}

#[test]
fn a_file_edited_while_a_remote_change_arrives_is_not_overwritten() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old")]), Tree::default());
    world[b].hold(|work| matches!(work, Work::Commit { .. }));
    world.pass(1_000);
    world[a].disk().write("a.md", "of a");
    world.rescan(a);
    world[b].disk().write("a.md", "of b");
    world[b].let_go();
    world.settle();
    world.rescan(b);
    world.assert_equal();
    let found = world[a].tree();
    assert!(found.at("a.md") == Some(&"of b".into()) && found.at(&copy_name("a.md", "of a")).is_some(), "{found:?}");
}

#[test]
fn what_is_replaced_or_deleted_goes_to_the_history() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old"), ("b.md", "gone")]), Tree::default());
    world.pass(1_000);
    world[a].disk().write("a.md", "new");
    world[a].disk().remove("b.md");
    world.rescan(a);
    let mut kept: Vec<_> = world[b].disk().history().iter().map(|displaced| displaced.path.clone()).collect();
    kept.sort();
    assert_eq!(kept, ["a.md", "b.md"]);
}

/// Bytes that only an absent device has must not hold back what needs none of them.
#[test]
fn a_content_that_nobody_connected_has_holds_nothing_else_back() {
    let (mut world, sites) =
        World::group(1, &[tree([("gone", "old"), ("stays", "old")]), Tree::default(), Tree::default()]);
    let (a, b, c) = (sites[0], sites[1], sites[2]);
    world.meet(a, b);
    world.meet(a, c);
    world.pass(1_000);
    // `b` hears of the new file, but `c` goes away before it gives its bytes.
    world[c].hold(|work| matches!(work, Work::Read { .. }));
    world[c].disk().write("new", "of c");
    world.rescan(c);
    world.meet(b, c);
    world[c].let_go();
    world.settle();
    assert_eq!(world[b].tree().at("new"), None);
    world[b].disk().write("small", "of b");
    world[b].disk().remove("gone");
    world.rescan(b);
    world.meet(a, b);
    assert_eq!(world[a].tree().at("new"), None);
    assert_eq!(world[a].tree().at("gone"), None, "{:?}", world[a].tree());
    assert_eq!(world[a].tree().at("small"), Some(&"of b".into()));
    world.meet(a, c);
    world.meet(a, b);
    world.assert_equal();
}

#[test]
fn t14_what_was_asked_for_twice_and_is_nowhere_any_more_holds_nothing_back() {
    let (mut world, a, b) = World::pair(1, tree([("gone", "g")]), Tree::default());
    world[a].hold(|work| matches!(work, Work::Read { .. }));
    world[a].disk().write("a", "bytes that only one device has");
    world.rescan(a);
    world[a].disk().rename("a", "b");
    world.rescan(a);
    world.pass(1_000);
    world.crash(a);
    world.lose_store(a);
    world[a].disk().remove("b");
    world[a].let_go();
    world.start(a);
    world.link(a, b);
    world.settle();
    assert_eq!((world[b].root().pending, world[b].root().waiting), (1, 1), "{:?}", world[b].root());
    assert!(world[b].status().quiet);
    world[a].disk().remove("gone");
    world.rescan(a);
    world.pass(1_000);
    assert!(world[b].tree().is_empty(), "{:?}", world[b].tree());
}

#[test]
fn t20_what_lies_in_a_directory_that_cannot_be_known_yet_is_not_read_without_end() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[b].host().store.fail(true);
    world[a].disk().mkdir("d");
    world.rescan(a);
    world[b].disk().write("d/e/f", "f");
    let before = world[b].counts().performed;
    world.set_steps_max(10_000);
    world.rescan(b);
    world.pass(60_000);
    let performed = world[b].counts().performed - before;
    assert!(performed < 500, "{performed} pieces of work for two entries");
}

#[test]
fn t20_a_path_that_can_be_read_again_is_compared_with_what_others_have() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old")]), Tree::default());
    world.pass(10_000);
    world.rescan(b);
    let c = world.add(Membership::Joiner);
    world[b].disk().fault("a.md", Some(Fault::Device));
    world.start(c);
    world.link(b, c);
    world.settle();
    world[a].disk().write("a.md", "newer");
    world.rescan(a);
    assert_eq!(world[b].tree(), tree([("a.md", "old")]));
    world[b].disk().fault("a.md", None);
    world.rescan(b);
    world.pass(1);
    assert_eq!(world[b].tree(), tree([("a.md", "newer")]));
}

#[test]
fn t20_a_directory_that_cannot_be_read_is_read_again_whatever_else_fails_there() {
    let (mut world, a, b) = World::pair(1, tree([("d/a.md", "old")]), Tree::default());
    world.pass(10_000);
    world[b].hold(|work| matches!(work, Work::Commit { .. }));
    world[a].disk().chmod("d", 0o744);
    world.rescan(a);
    world[b].disk().fault("d", Some(Fault::Device));
    world[b].disk().write("d/a.md", "newer");
    let hints = vec![Hint { directory: "d".into(), recursive: false }];
    world.tell(b, Event::Changed { root: ROOT, hints });
    while world.step() {}
    assert_eq!(world[b].root().unreadable, 1);
    // Its bits cannot be set either.
    world[b].let_go();
    while world.step() {}
    world[b].disk().fault("d", None);
    world.pass(10_000);
    assert_eq!(world[a].disk().read("d/a.md"), Some(b"newer".as_slice()));
    world.assert_equal();
}

#[test]
fn t20_a_directory_that_is_seen_is_not_read_by_that() {
    let (mut world, a, b) = World::pair(1, tree([("d/a.md", "old")]), Tree::default());
    world.pass(10_000);
    world[b].disk().fault("d", Some(Fault::Denied));
    world[b].disk().write("d/a.md", "newer");
    world.hint(b, "d");
    world[b].disk().write("z", "new");
    world.hint(b, "");
    assert_eq!(world[b].root().unreadable, 1);
    world[b].disk().fault("d", None);
    world.pass(10_000);
    assert_eq!(world[a].disk().read("d/a.md"), Some(b"newer".as_slice()));
    assert_eq!(world[b].root().unreadable, 0);
    world.assert_equal();
}

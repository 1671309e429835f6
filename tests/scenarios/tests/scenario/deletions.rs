//! What counts as a deletion, and what does not.

use syncline_core::api::{Command, Failure, NoticeCode, Outcome, RootState, Work};
use syncline_sim::{Fault, ROOT, SiteId, Tree, World, directory, tree};

fn notes(count: usize) -> Tree {
    (0..count)
        .fold(Tree::default(), |tree, number| tree.with(&format!("note {number}.md"), format!("{number}").as_str()))
}

fn in_a_directory(count: usize) -> Tree {
    (0..count)
        .fold(Tree::default(), |tree, number| tree.with(&format!("d/note {number}.md"), format!("{number}").as_str()))
}

fn remove_notes(world: &mut World, site: SiteId, count: usize) {
    world.pass(1_000);
    for number in 0..count {
        world[site].disk().remove(&format!("note {number}.md"));
    }
    world.rescan(site);
}

#[test]
fn t09_a_new_file_in_a_directory_deleted_elsewhere_is_kept() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "old"), ("d/e/y", "old")]), Tree::default());
    world.unlink(a, b);
    world.settle();
    world[a].disk().remove("d");
    world.rescan(a);
    world[b].disk().write("d/e/new", "not yet seen");
    world.meet(a, b);
    world.rescan(b);
    world.meet(a, b);
    world.assert_all(&tree([("d/e/new", "not yet seen")]));
}

#[test]
fn t09_a_directory_is_deleted_with_all_that_was_seen_of_it() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "old"), ("d/e/y", "old"), ("z", "stays")]), Tree::default());
    world[a].disk().remove("d");
    world.rescan(a);
    world.assert_all(&tree([("z", "stays")]));
    assert!(world[b].is_running());
}

#[test]
fn t11_a_root_that_is_unmounted_deletes_nothing() {
    let folder = notes(5).with("d/x", "x");
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world[a].disk().set_marker(false);
    world[a].disk().clear();
    world.rescan(a);
    world.pass(120_000);
    assert_eq!(world[a].root().state, RootState::Halted);
    assert!(world[a].has_notice(NoticeCode::RootMissing));
    assert_eq!(world[b].tree(), folder);
    assert!(world[a].tree().is_empty(), "nothing is written into what is not the root");
}

#[test]
fn t11_a_root_that_is_replaced_deletes_and_sends_nothing() {
    let folder = notes(5);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world[a].disk().set_marker(false);
    world[a].disk().clear();
    world[a].disk().write("other.md", "of another root");
    world.rescan(a);
    world.pass(120_000);
    assert_eq!(world[a].root().state, RootState::Halted);
    assert_eq!(world[b].tree(), folder);
    assert_eq!(world[a].tree(), tree([("other.md", "of another root")]));
}

#[test]
fn t11_a_root_that_goes_away_between_runs_deletes_nothing() {
    let folder = notes(5);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world.crash(a);
    let kept = world[a].tree();
    world[a].disk().set_marker(false);
    world[a].disk().clear();
    world.start(a);
    world.meet(a, b);
    assert_eq!(world[b].tree(), folder);

    world.crash(a);
    world[a].disk().put(&kept);
    world[a].disk().set_marker(true);
    world.start(a);
    world.meet(a, b);
    world.assert_all(&folder);
}

#[test]
fn t12_a_directory_that_cannot_be_read_is_not_deleted() {
    for fault in [Fault::Device, Fault::Denied] {
        for path in ["d", "d/e", "d/x"] {
            let folder = tree([("d/x", "x"), ("d/e/y", "y"), ("z", "z")]);
            let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
            world[a].disk().fault(path, Some(fault));
            world[a].disk().write("z", "more");
            world.rescan(a);
            world.rescan(a);
            let changed = folder.clone().with("z", "more");
            assert_eq!(world[b].tree(), changed, "{fault:?} at {path}");
            world[a].disk().fault(path, None);
            world.rescan(a);
            world.assert_all(&changed);
        }
    }
}

#[test]
fn t12_an_unreadable_directory_is_noticed_and_read_again() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "x")]), Tree::default());
    world[a].disk().fault("d", Some(Fault::Denied));
    world[a].disk().write("d/new", "new");
    world.rescan(a);
    assert!(world[a].has_notice(NoticeCode::Unreadable));
    assert!(world[a].root().unreadable > 0);
    world[a].disk().fault("d", None);
    world.rescan(a);
    world.assert_all(&tree([("d/x", "x"), ("d/new", "new")]));
    assert_eq!(world[a].root().unreadable, 0);
    assert!(world[b].is_running());
}

#[test]
fn a_path_that_comes_back_within_the_debounce_is_not_deleted() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old")]), Tree::default());
    let digest = world[a].status().digest;
    world.pass(1_000);
    world[a].disk().rename("a.md", "a.md~");
    world.command(a, Command::Rescan { root: ROOT });
    while world.step() {}
    world[a].disk().rename("a.md~", "a.md");
    world.settle();
    world.rescan(a);
    assert_eq!(world[b].tree().at("a.md"), world[a].tree().at("a.md"));
    world.assert_all(&tree([("a.md", "old")]));
    let _ = digest;
}

#[test]
fn a_few_deletions_are_not_held() {
    let (mut world, a, _) = World::pair(1, notes(12), Tree::default());
    remove_notes(&mut world, a, 10);
    world.assert_all(&tree([("note 10.md", "10"), ("note 11.md", "11")]));
}

#[test]
fn t21_many_deletions_wait_for_a_person() {
    let (mut world, a, b) = World::pair(1, notes(40), Tree::default());
    remove_notes(&mut world, a, 24);
    assert_eq!(world[b].tree(), notes(40));
    assert_eq!(world[a].root().held, 24);
    assert!(world[a].has_notice(NoticeCode::DeletionsHeld));

    world.command(a, Command::AllowDeletions { root: ROOT });
    world.settle();
    world.assert_equal();
    assert_eq!(world[b].tree().len(), 16);
    assert_eq!(world[a].root().held, 0);
}

#[test]
fn t21_held_deletions_are_held_after_a_restart_and_can_be_undone() {
    let (mut world, a, b) = World::pair(1, notes(40), Tree::default());
    remove_notes(&mut world, a, 24);
    world.restart(a);
    world.link(a, b);
    world.settle();
    assert_eq!(world[b].tree(), notes(40));
    assert_eq!(world[a].root().held, 24);

    world.command(a, Command::RestoreDeletions { root: ROOT });
    world.settle();
    world.assert_all(&notes(40));
    assert_eq!(world[a].root().held, 0);
}

#[test]
fn t21_what_stands_where_a_deletion_is_held_is_read_when_that_can_be_done() {
    let (mut world, a, b) = World::pair(1, in_a_directory(40), Tree::default());
    world.pass(1_000);
    world[a].disk().remove("d");
    world.rescan(a);
    assert_eq!(world[a].root().held, 41);

    world[a].disk().write("d/new.md", "new");
    world[a].disk().fault("d", Some(Fault::Denied));
    world.hint(a, "d");
    assert_eq!(world[a].root().unreadable, 1);
    world[a].disk().fault("d", None);
    world.pass(10_000);
    assert_eq!(world[a].root().unreadable, 0);
    assert_eq!(world[b].tree(), in_a_directory(40).with("d/new.md", "new"));
    assert_eq!(world[a].root().held, 40);
}

#[test]
fn t21_what_is_held_is_held_or_not_whatever_a_look_at_it_says() {
    for allowed in [true, false] {
        let (mut world, a, _) = World::pair(1, in_a_directory(40), Tree::default());
        world.pass(1_000);
        world[a].disk().remove("d");
        world.rescan(a);
        world[a].disk().fault("d", Some(Fault::Denied));
        world.hint(a, "d");
        world[a].disk().fault("d", None);
        world[a].hold(|work| matches!(work, Work::Probe { .. }));
        world.pass(10_000);
        assert!(world[a].pending().count() > 0, "a look at what could not be read");
        assert_eq!(world[a].root().held, 41);
        let root = ROOT;
        world.command(a, if allowed { Command::AllowDeletions { root } } else { Command::RestoreDeletions { root } });
        world[a].let_go();
        world.pass(10_000);
        world.assert_all(&if allowed { Tree::default() } else { in_a_directory(40) });
        assert_eq!(world[a].root().held, 0);
    }
}

#[test]
fn t21_a_directory_that_could_not_be_read_and_is_a_file_now_is_unreadable_no_more() {
    let (mut world, a, _) = World::pair(1, in_a_directory(40), Tree::default());
    world.pass(1_000);
    world[a].disk().fault("d", Some(Fault::Denied));
    world.rescan(a);
    assert_eq!(world[a].root().unreadable, 1);
    world[a].disk().remove("d");
    world[a].disk().write("d", "now a file");
    world[a].disk().fault("d", None);
    world.pass(10_000);
    // What lay in it is held, and the file waits for that.
    assert_eq!((world[a].root().held, world[a].root().unreadable), (40, 0));
}

#[test]
fn t21_deletions_that_come_one_after_the_other_are_counted_together() {
    let (mut world, a, b) = World::pair(1, notes(40), Tree::default());
    for number in 0..30 {
        world[a].disk().remove(&format!("note {number}.md"));
        world.rescan(a);
    }
    assert!(world[b].tree().len() >= 29, "at most a quarter and ten are gone: {:?}", world[b].tree().len());
}

#[test]
fn a_directory_with_entries_that_are_not_kept_is_retained() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "x")]), Tree::default());
    world[b].disk().special("d/socket");
    world.rescan(b);
    world[a].disk().remove("d");
    world.rescan(a);
    assert!(world[a].tree().is_empty());
    assert_eq!(world[b].tree().at("d"), Some(&directory()));
    assert!(world[b].has_notice(NoticeCode::DirectoryRetained));
    world.restart(b);
    world.link(a, b);
    world.settle();
    assert!(world[a].tree().is_empty(), "what is retained does not come back: {:?}", world[a].tree());
}

/// A directory in a directory, both deleted elsewhere, stays on one device for a socket in it.
fn retained() -> (World, SiteId, SiteId) {
    let (mut world, a, b) = World::pair(1, tree([("d/e/x", "x"), ("y", "y")]), Tree::default());
    world[b].disk().special("d/e/socket");
    world.rescan(b);
    world[a].disk().remove("d");
    world.rescan(a);
    world.pass(1_000);
    world.rescan(b);
    assert_eq!(world[b].tree().at("d/e"), Some(&directory()));
    assert_eq!(world[a].tree(), tree([("y", "y")]), "what is retained does not come back");
    (world, a, b)
}

#[test]
fn what_a_retained_directory_stayed_for_goes_with_all_that_stayed_for_it() {
    let (mut world, _, b) = retained();
    world[b].disk().remove("d/e/socket");
    world.rescan(b);
    world.assert_all(&tree([("y", "y")]));
}

#[test]
fn a_file_in_the_place_of_a_retained_directory_comes_when_that_goes() {
    let (mut world, a, b) = retained();
    world[a].disk().write("d", "a file");
    world.rescan(a);
    world.pass(60_000);
    world[b].disk().remove("d/e/socket");
    world.rescan(b);
    world.assert_all(&tree([("d", "a file"), ("y", "y")]));
}

#[test]
fn a_retained_directory_that_someone_needs_again_is_one_of_all() {
    let (mut world, a, _) = retained();
    world[a].disk().write("d/e/z", "z");
    world.rescan(a);
    world.pass(10_000);
    for site in world.sites().collect::<Vec<_>>() {
        assert_eq!(world[site].tree().at("d/e/z"), Some(&"z".into()), "{:?}", world[site].tree());
        assert_eq!((world[site].root().pending, world[site].root().waiting), (0, 0));
    }
}

#[test]
fn a_directory_made_where_a_retained_one_was_removed_is_a_new_one() {
    let (mut world, _, b) = retained();
    world[b].disk().remove("d");
    world.rescan(b);
    world.pass(1_000);
    world[b].disk().mkdir("d");
    world.rescan(b);
    world.pass(1_000);
    world.assert_all(&tree([("y", "y")]).with("d", directory()));
}

#[test]
fn t12_a_look_that_fails_as_a_whole_is_no_absence_and_is_taken_again() {
    let (mut world, a, b) = World::pair(1, tree([("gone", "x"), ("stays", "y")]), Tree::default());
    world.pass(1_000);
    world[b].disk().remove("gone");
    world[b].hold(|work| matches!(work, Work::Probe { .. }));
    world.rescan(b);
    let (task, _) = world[b].pending().next().expect("a look at what is missing");
    world.complete(b, task, Outcome::Failed { failure: Failure::Missing });
    world.pass(1_000);
    assert_eq!(world[a].tree().at("gone"), Some(&"x".into()), "nobody looked at the path");
    world[b].let_go();
    world.rescan(b);
    world.pass(10_000);
    world.assert_all(&tree([("stays", "y")]));
}

#[test]
fn the_last_bytes_stay_until_they_stand_where_they_were_moved_while_that_place_is_looked_at() {
    let (mut world, a, b) = World::pair(1, tree([("from", "text"), ("to", "old")]), Tree::default());
    world.unlink(a, b);
    world.settle();
    world.pass(1_000);
    world[a].disk().rename("from", "to");
    world.rescan(a);
    // Nothing can be begun at `to` while the device is not told what stands there.
    world[b].hold(|work| matches!(work, Work::Hash { .. }));
    world[b].disk().write("to", "old");
    world.rescan(b);
    world.meet(a, b);
    assert_eq!(world[b].tree(), tree([("from", "text"), ("to", "old")]));
    world[b].let_go();
    world.settle();
    assert_eq!(world[b].tree(), tree([("to", "text")]), "the bytes were there all the time");
    world.meet(a, b);
    world.assert_all(&tree([("to", "text")]));
}

#[test]
fn what_was_kept_for_a_path_that_could_not_be_written_goes_when_nothing_is_wanted_there_any_more() {
    let (mut world, a, b) = World::pair(1, tree([("d/a.md", "text")]), Tree::default());
    world.pass(1_000);
    world[b].disk().special("b.md");
    world.rescan(b);
    world[a].disk().rename("d/a.md", "b.md");
    world.rescan(a);
    // The only file with these bytes stays while the socket is in the way of the one that is to have them.
    assert_eq!(world[b].tree().at("d/a.md"), Some(&"text".into()));
    world[a].disk().remove("b.md");
    world.rescan(a);
    world.pass(60_000);
    assert_eq!(world[b].tree().at("d/a.md"), None);
}

#[test]
fn what_stands_in_the_place_of_a_directory_goes_when_what_was_known_to_lie_in_it_is_gone() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "x")]), Tree::default());
    world.pass(1_000);
    // The file cannot be removed; when that is tried again, it is gone with its directory.
    world[b].disk().fault("d/x", Some(Fault::Device));
    world[a].disk().remove("d");
    world[a].disk().write("d", "a file");
    world.rescan(a);
    world.pass(10_000);
    assert_eq!(world[b].tree(), tree([("d/x", "x")]));
    world[b].disk().remove("d");
    world[b].disk().fault("d/x", None);
    assert!(world.pass_until(60_000, |world| world[b].tree().at("d").is_some()));
    assert_eq!(world[b].tree(), tree([("d", "a file")]));
    world[a].disk().remove("d");
    world[a].disk().mkdir("d");
    world.rescan(a);
    world.pass(120_000);
    world.assert_all(&Tree::default().with("d", directory()));
}

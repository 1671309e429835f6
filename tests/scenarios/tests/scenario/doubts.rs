//! What an engine that ended in the midst of a change left in doubt, and what people do there before the next one looks.

use syncline_core::api::Command;
use syncline_scenarios::model::copy_name;
use syncline_sim::{Fault, ROOT, Tree, World, directory, tree};

#[test]
fn t32_what_a_crash_left_in_doubt_is_not_changed_before_it_was_looked_at() {
    // What cannot be read when the next engine looks through the folder.
    for unreadable in ["", "d", "d/a.md"] {
        let (mut world, a, b) = World::pair(1, tree([("d/a.md", "old")]), Tree::default());
        world.pass(1_000);
        world[b].hold(|_| false);
        world[a].disk().write("d/a.md", "new");
        world.command(a, Command::Rescan { root: ROOT });
        let commits = world[b].counts().commits;
        assert!(world.run_until(|world| world[b].counts().commits > commits), "nothing was written");
        world.crash(b);
        world[a].disk().remove("d/a.md");
        world.rescan(a);
        world.pass(1_000);
        world[b].disk().fault(unreadable, Some(Fault::Device));
        world.start(b);
        world.link(a, b);
        world.pass(100);
        world[b].disk().fault(unreadable, None);
        world.pass(100_000);
        world.assert_all(&Tree::default().with("d", directory()));
    }
}

#[test]
fn t32_what_a_crash_left_in_doubt_stays_so_until_it_was_looked_at() {
    let (mut world, a, b) = World::pair(1, tree([("d/a.md", "old")]), Tree::default());
    world.pass(1_000);
    world[b].hold(|_| false);
    world[a].disk().write("d/a.md", "new");
    world.command(a, Command::Rescan { root: ROOT });
    let commits = world[b].counts().commits;
    assert!(world.run_until(|world| world[b].counts().commits > commits), "nothing was written");
    world.crash(b);
    // An engine that ends before it could look leaves it in doubt to the next one.
    world[b].disk().fault("d", Some(Fault::Device));
    world.start(b);
    world.pass(10_000);
    world.crash(b);
    world[b].disk().fault("d", None);
    world[a].disk().write("d/a.md", "newer");
    world.rescan(a);
    world.start(b);
    world.link(a, b);
    world.pass(100_000);
    world.assert_all(&tree([("d/a.md", "newer")]));
}

#[test]
fn t32_a_copy_moved_back_over_what_a_crash_left_in_its_place_lives_on() {
    // Also where its place cannot be read for a moment.
    for unreadable in [None, Some("c.md")] {
        let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
        world.unlink(a, b);
        world.settle();
        world[a].disk().write("c.md", "one");
        world.rescan(a);
        world.pass(1_000);
        world[b].disk().write("c.md", "two");
        world.rescan(b);
        world.pass(1_000);
        world[a].hold(|_| false);
        world.link(a, b);
        assert!(world.run_until(|world| world[a].tree().at("c.md") == Some(&"two".into())), "nothing was written");
        world.crash(a);
        let copy = copy_name("c.md", "one");
        world[a].disk().rename(&copy, "c.md");
        if let Some(path) = unreadable {
            world[a].disk().fault(path, Some(Fault::Device));
        }
        world.start(a);
        world.link(a, b);
        world.pass(5_000);
        if let Some(path) = unreadable {
            world[a].disk().fault(path, None);
        }
        world.pass(700_000);
        world.assert_equal();
        assert!(world[a].tree().contents().contains(&b"one".as_slice()), "{:?}", world[a].tree());
    }
}

#[test]
fn a_copy_moved_to_where_a_change_brought_its_text_before_a_crash_is_not_deleted() {
    let (mut world, a, b) = World::pair(1, tree([("f.md", "old")]), Tree::default());
    world.unlink(a, b);
    world.settle();
    for (site, text) in [(a, "of a"), (b, "of b")] {
        world.pass(1_000);
        world[site].disk().write("f.md", text);
        world.rescan(site);
    }
    world.meet(a, b);
    world.pass(1_000);
    // Someone edits the copy, which takes the plain name; the engine ends when the text stands there, too.
    let copy = copy_name("f.md", "of a");
    world[b].disk().write(&copy, "edited");
    world.command(b, Command::Rescan { root: ROOT });
    let stands_twice = |world: &World| ["f.md", &copy].iter().all(|path| text_at(&world[b].folder().tree(), path));
    assert!(world.run_until(stands_twice), "the text takes the plain name before the copy goes");
    world.crash(b);
    world[b].disk().rename(&copy, "f.md");
    world.start(b);
    world.settle();
    world.meet(a, b);
    world.assert_all(&tree([("f.md", "edited"), (&copy_name("f.md", "of b"), "of b")]));
}

/// Where files change places each waits for the other; whatever happens on the way, each stands somewhere.
#[test]
fn files_that_change_places_stand_somewhere_at_every_moment() {
    let exchanged = tree([("a", "of b"), ("b", "of c"), ("c", "of a")]);
    for end in 0.. {
        let before = tree([("a", "of a"), ("b", "of b"), ("c", "of c")]);
        let (mut world, a, b) = World::pair(1, before, Tree::default());
        world.unlink(a, b);
        world.pass(1_000);
        for (from, to) in [("a", "t"), ("b", "a"), ("c", "b"), ("t", "c")] {
            world[a].disk().rename(from, to);
        }
        world.rescan(a);
        world.link(a, b);
        let mut steps = 0;
        while steps < end && world[b].tree() != exchanged && world.step() {
            steps += 1;
            let tree = world[b].tree();
            for text in ["of a", "of b", "of c"] {
                assert!(
                    tree.contents().contains(&text.as_bytes()),
                    "after {steps} steps {text} stands nowhere: {tree:?}"
                );
            }
        }
        let is_done = steps < end;
        world.crash(b);
        world.start(b);
        world.meet(a, b);
        world.pass(10_000);
        world.assert_all(&exchanged);
        if is_done {
            assert!(steps > 10, "it took {steps} steps");
            return;
        }
    }
}

fn text_at(folder: &Tree, path: &str) -> bool {
    folder.at(path).and_then(syncline_sim::Item::bytes) == Some(b"edited")
}

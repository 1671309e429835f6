//! Files, directories, links and their permission bits, one in place of the other.

use syncline_core::api::{Command, Work};
use syncline_scenarios::model::copy_name;
use syncline_sim::{Item, ROOT, Tree, World, directory, symlink, tree};

/// What can stand at a path, the last one with something in it.
fn kinds() -> [Tree; 4] {
    [
        Tree::default(),
        tree([("x", Item::from("file"))]),
        tree([("x", symlink("elsewhere"))]),
        tree([("x/inner", Item::from("inside")), ("x/empty", directory())]),
    ]
}

#[test]
fn t10_any_kind_replaces_any_other() {
    for before in kinds() {
        for after in kinds() {
            let (mut world, a, b) = World::pair(1, before.clone(), Tree::default());
            world.pass(1_000);
            world[a].disk().clear();
            world[a].disk().put(&after);
            world.rescan(a);
            world.rescan(b);
            world.assert_all(&after);
        }
    }
}

#[test]
fn t10_concurrent_changes_of_kind_converge_and_keep_all_contents() {
    for left in kinds() {
        for right in kinds() {
            let (mut world, a, b) = World::pair(1, tree([("x", "before")]), Tree::default());
            world.unlink(a, b);
            world.settle();
            for (site, tree) in [(a, &left), (b, &right)] {
                world.pass(1_000);
                world[site].disk().clear();
                world[site].disk().put(tree);
                world.rescan(site);
            }
            for _ in 0..2 {
                world.meet(a, b);
            }
            world.assert_equal();
            let found = world[a].tree();
            for tree in [&left, &right] {
                for bytes in tree.contents() {
                    assert!(found.contents().contains(&bytes), "{left:?} and {right:?} became {found:?}");
                }
                for (_, item) in tree.items().filter(|(_, item)| matches!(item, Item::Symlink { .. })) {
                    let stands = found.items().any(|(_, other)| other == item);
                    assert!(stands, "{left:?} and {right:?} became {found:?}");
                }
            }
        }
    }
}

#[test]
fn t10_nothing_is_written_through_a_link() {
    let (mut world, a, b) = World::pair(1, tree([("d/x", "old"), ("target/x", "of target")]), Tree::default());
    world.unlink(a, b);
    world.settle();
    world.pass(1_000);
    world[b].disk().remove("d");
    world[b].disk().symlink("d", "target");
    world[a].disk().write("d/x", "new");
    world[a].disk().write("d/y", "new too");
    world.rescan(a);
    // The link is not known yet when the writes arrive.
    world.meet(a, b);
    world.rescan(b);
    world.meet(a, b);
    world.assert_equal();
    for site in [a, b] {
        assert_eq!(world[site].tree().at("target/x"), Some(&"of target".into()));
        assert_eq!(world[site].tree().at("target/y"), None);
        assert_eq!(world[site].tree().at("d/x"), Some(&"new".into()));
    }
}

#[test]
fn t37_other_bits_here_and_other_bytes_there_are_no_conflict() {
    let (mut world, a, b) = World::pair(1, tree([("run.sh", "old")]), Tree::default());
    world.unlink(a, b);
    world.settle();
    world.pass(1_000);
    world[a].disk().chmod("run.sh", 0o755);
    world.rescan(a);
    world[b].disk().write("run.sh", "new");
    world.rescan(b);
    world.meet(a, b);
    world.assert_all(&tree([("run.sh", Item::from("new").mode(0o755))]));
}

#[test]
fn bits_travel_and_the_later_change_wins() {
    let folder = tree([
        ("a", Item::from("a").mode(0o600)),
        ("b", Item::from("b").mode(0o755)),
        ("d", directory().mode(0o750)),
        ("d/c", Item::from("c").mode(0o444)),
    ]);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world.assert_all(&folder);
    world.unlink(a, b);
    world.settle();
    for (site, mode) in [(a, 0o640), (b, 0o660)] {
        world.pass(1_000);
        world[site].disk().chmod("a", mode);
        world.rescan(site);
    }
    world.meet(a, b);
    world.assert_all(&folder.with("a", Item::from("a").mode(0o660)));
}

#[test]
fn a_directory_that_its_owner_may_not_write_still_gets_its_entries() {
    let folder = tree([("d", directory().mode(0o555)), ("d/x", Item::from("x")), ("d/e", directory().mode(0o500))]);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world.assert_all(&folder);
    world.rescan(b);
    world.rescan(a);
    world.assert_all(&folder);
}

#[test]
fn a_directory_where_a_files_bytes_are_awaited_is_taken_without_them() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world[a].hold(|work| matches!(work, Work::Read { .. }));
    world.pass(1_000);
    world[a].disk().write("d", "file");
    world[b].disk().write("d/e/f", "inner");
    world.rescan(a);
    world.rescan(b);
    assert!(world[b].root().files == 1, "what stands in the directory is known: {:?}", world[b].root());
    world[a].let_go();
    // What was asked for stands elsewhere there by now: it is asked for again a minute later.
    world.pass(70_000);
    let copy = copy_name("d.", "file");
    world.assert_all(&tree([("d/e/f", "inner"), (copy.trim_end_matches('.'), "file")]));
}

#[test]
fn a_copy_stays_until_its_bytes_stand_at_the_name_that_became_free() {
    for size in [10, 200_000] {
        let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
        world.unlink(a, b);
        world.settle();
        world.pass(1_000);
        world[a].disk().write("d/e", "inner");
        world[b].disk().write("d", vec![7; size]);
        world.rescan(a);
        world.rescan(b);
        world.meet(a, b);
        assert_eq!(world[a].tree().copies().len(), 1);
        world[a].disk().remove("d");
        // Seen twice, so that the name is looked at once more when its deletion is known.
        world.command(a, Command::Rescan { root: ROOT });
        world.command(a, Command::Rescan { root: ROOT });
        world.settle();
        world.meet(a, b);
        world.assert_all(&tree([("d", vec![7; size])]));
    }
}

//! Concurrent versions of one name.

use syncline_core::api::{Command, Work};
use syncline_scenarios::model::copy_name;
use syncline_sim::{Item, ROOT, SiteId, Tree, World, directory, symlink, tree};

/// Longer than the grace in which an editor may still have another version open.
const LATER_MS: u64 = 11 * 60_000;

/// Two devices that agree on a folder and are parted.
fn parted(folder: Tree) -> (World, SiteId, SiteId) {
    let (mut world, a, b) = World::pair(1, folder, Tree::default());
    world.unlink(a, b);
    world.settle();
    world.pass(1_000);
    (world, a, b)
}

/// Someone writes; the device takes note.
fn write(world: &mut World, site: SiteId, path: &str, text: &str) {
    world.pass(1_000);
    world[site].disk().write(path, text);
    world.rescan(site);
}

/// Someone deletes; the device takes note.
fn delete(world: &mut World, site: SiteId, path: &str) {
    world.pass(1_000);
    world[site].disk().remove(path);
    world.rescan(site);
}

#[test]
fn t02_a_concurrent_edit_outlives_a_deletion_on_either_side() {
    for founder_edits in [true, false] {
        let (mut world, a, b) = parted(tree([("a.md", "old")]));
        let (editor, deleter) = if founder_edits { (a, b) } else { (b, a) };
        write(&mut world, editor, "a.md", "new");
        delete(&mut world, deleter, "a.md");
        world.meet(a, b);
        world.assert_all(&tree([("a.md", "new")]));
    }
}

#[test]
fn t02_a_deletion_outlives_the_version_it_had_seen() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    delete(&mut world, b, "a.md");
    world.meet(a, b);
    world.assert_all(&Tree::default());
}

#[test]
fn t03_an_edited_conflict_copy_and_a_conflict_about_it_are_both_kept() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "left");
    write(&mut world, b, "a.md", "right");
    world.meet(a, b);
    let copy = copy_name("a.md", "left");
    world.assert_all(&tree([("a.md", "right"), (&copy, "left")]));

    world.pass(LATER_MS);
    write(&mut world, a, &copy, "left, by a");
    write(&mut world, b, &copy, "left, by b");
    world.meet(a, b);
    world.assert_all(&tree([
        ("a.md", "left, by b"),
        (&copy_name("a.md", "left, by a"), "left, by a"),
        (&copy_name("a.md", "right"), "right"),
    ]));
}

#[test]
fn t03_a_deleted_conflict_copy_is_withdrawn_everywhere() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "left");
    write(&mut world, b, "a.md", "right");
    world.meet(a, b);
    delete(&mut world, b, &copy_name("a.md", "left"));
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "right")]));
}

#[test]
fn t03_a_deleted_winner_leaves_the_name_to_the_other() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "left");
    write(&mut world, b, "a.md", "right");
    world.meet(a, b);
    delete(&mut world, a, "a.md");
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "left")]));
}

#[test]
fn t04_eleven_concurrent_versions_are_all_readable() {
    let (mut world, sites) = World::group(4, &vec![Tree::default(); 11]);
    for site in &sites[1..] {
        world.meet(sites[0], *site);
    }
    let texts: Vec<String> = (0..sites.len()).map(|number| format!("by device {number}")).collect();
    for (site, text) in sites.iter().zip(&texts) {
        write(&mut world, *site, "a.md", text);
    }
    for pair in sites.windows(2) {
        world.link(pair[0], pair[1]);
    }
    world.settle();
    let mut expected = tree([("a.md", texts[10].as_str())]);
    for text in &texts[..10] {
        expected = expected.with(&copy_name("a.md", text), text.as_str());
    }
    world.assert_all(&expected);
    assert_eq!(world[sites[3]].root().conflicts, 10);
}

#[test]
fn t05_equal_bytes_on_both_sides_are_one_file() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "same");
    write(&mut world, b, "a.md", "same");
    write(&mut world, a, "new.md", "same too");
    write(&mut world, b, "new.md", "same too");
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "same"), ("new.md", "same too")]));
}

#[test]
fn t05_equal_bytes_with_other_modes_and_times_are_one_file() {
    let (mut world, a, b) = parted(Tree::default());
    write(&mut world, a, "run.sh", "same");
    world[b].disk().write("run.sh", "same");
    world[b].disk().chmod("run.sh", 0o755);
    world.pass(5_000);
    world.rescan(b);
    world.meet(a, b);
    world.assert_equal();
    assert_eq!(world[a].tree().len(), 1, "{:?}", world[a].tree());
}

#[test]
fn t31_an_edit_of_the_plain_file_after_a_conflict_keeps_every_other_version() {
    for founder_last in [true, false] {
        let (mut world, a, b) = parted(tree([("a.md", "old")]));
        let (first, last) = if founder_last { (b, a) } else { (a, b) };
        write(&mut world, first, "a.md", "first");
        write(&mut world, last, "a.md", "last");
        world.meet(a, b);
        // An editor on the device whose version lost still shows that one and saves over the winner.
        write(&mut world, first, "a.md", "first, more");
        world.meet(a, b);
        world.assert_all(&tree([
            ("a.md", "first, more"),
            (&copy_name("a.md", "first"), "first"),
            (&copy_name("a.md", "last"), "last"),
        ]));
    }
}

#[test]
fn t31_an_edit_of_ones_own_winning_version_replaces_it_and_keeps_the_other() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "first");
    write(&mut world, b, "a.md", "last");
    world.meet(a, b);
    write(&mut world, b, "a.md", "last, more");
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "last, more"), (&copy_name("a.md", "first"), "first")]));
}

#[test]
fn t33_twins_deleted_on_one_side_are_gone_on_both() {
    let twins = tree([("a.md", "same"), ("d/b.md", "same")]);
    let (mut world, a, b) = World::pair(1, twins.clone(), twins);
    for (site, path) in [(a, "a.md"), (b, "d/b.md")] {
        world.pass(1_000);
        world[site].disk().remove(path);
        world.rescan(site);
    }
    world.assert_all(&tree([("d", syncline_sim::directory())]));
}

#[test]
fn t33_twins_made_apart_and_deleted_on_one_side_are_gone_on_both() {
    let (mut world, a, b) = parted(Tree::default());
    write(&mut world, a, "a.md", "same");
    write(&mut world, b, "a.md", "same");
    world.meet(a, b);
    delete(&mut world, a, "a.md");
    world.meet(a, b);
    world.assert_all(&Tree::default());
    world.restart(a);
    world.restart(b);
    world.meet(a, b);
    world.assert_all(&Tree::default());
}

#[test]
fn a_conflict_that_was_resolved_does_not_come_back() {
    let (mut world, a, b) = parted(tree([("a.md", "old")]));
    write(&mut world, a, "a.md", "left");
    write(&mut world, b, "a.md", "right");
    world.meet(a, b);
    world.pass(LATER_MS);
    write(&mut world, a, "a.md", "left and right");
    delete(&mut world, a, &copy_name("a.md", "left"));
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "left and right")]));
}

#[test]
fn a_conflict_copy_whose_bytes_arrive_elsewhere_at_the_same_time_comes_to_stand() {
    let (mut world, a, b) = parted(Tree::default());
    write(&mut world, a, "b", "text");
    world.pass(1_000);
    world[b].disk().write("b", "");
    write(&mut world, b, "a", "text");
    world.meet(a, b);
    // Without an extension the copy's name comes behind the plain one, also in the order in which claims are compared.
    let copy = copy_name("b.", "text");
    world.assert_all(&tree([("a", "text"), ("b", ""), (copy.trim_end_matches('.'), "text")]));
}

#[test]
fn an_edit_of_the_only_bytes_that_a_conflict_copy_needs_is_not_left_waiting() {
    let (mut world, a, b) = parted(tree([("f.md", "old")]));
    write(&mut world, b, "f.md", "right");
    write(&mut world, a, "f.md", "left, and later");
    // No watcher tells of this, and nobody asks for the bytes before the device itself wants them for a copy.
    world[b].disk().write("f.md", "edited right");
    world[b].hold(|work| matches!(work, Work::Read { .. }));
    world.link(a, b);
    world.settle();
    world[b].let_go();
    world.settle();
    world.assert_all(&tree([("f.md", "edited right"), (&copy_name("f.md", "left, and later"), "left, and later")]));
}

#[test]
fn a_file_and_its_copy_that_someone_exchanged_come_to_stand_alike() {
    for seed in 0..4 {
        let (mut world, a, b) = World::pair(seed, Tree::default(), Tree::default());
        world.unlink(a, b);
        world[a].disk().write("c", "one");
        world.rescan(a);
        world[b].disk().write("c", "two");
        world.rescan(b);
        world.link(a, b);
        world.pass(10_000);
        let copy = world[a].tree().copies().first().map(ToString::to_string).expect("a conflict copy");
        world[a].disk().rename(&copy, "aside");
        world[a].disk().rename("c", &copy);
        world[a].disk().rename("aside", "c");
        world.rescan(a);
        world.pass(60_000);
        world.assert_equal();
        let contents = world[a].tree().contents().len();
        assert_eq!(contents, 2, "{:?}", world[a].tree());
    }
}

#[test]
fn a_copy_replaced_by_a_directory_whose_text_was_put_in_the_plain_names_place_comes_to_stand() {
    // The copy's name comes before or behind the plain one, also in the order in which things are taken away.
    for name in ["c.md", "c"] {
        for of_copy in [Item::from("two"), symlink("two")] {
            let (mut world, a, b) = parted(Tree::default());
            write(&mut world, a, name, "one");
            world.pass(1_000);
            world[b].disk().put(&tree([(name, of_copy.clone())]));
            world.rescan(b);
            world.link(a, b);
            world.settle();
            world.pass(LATER_MS);
            let copy = world[a].tree().copies().first().map(ToString::to_string).expect("a conflict copy");
            let text = world[a].tree().at(&copy).cloned().expect("it stands");
            let exchanged =
                [(copy.as_str(), directory()), (&format!("{copy}/inner"), "inner".into()), (name, text.clone())];
            world[a].disk().remove(&copy);
            world[a].disk().remove(name);
            world[a].disk().put(&tree(exchanged));
            world.rescan(a);
            world.settle();
            let inner = format!("{name}/inner");
            world.assert_all(&tree([(name, directory()), (&inner, "inner".into()), (&copy, text)]));
        }
    }
}

#[test]
fn an_edit_of_a_copy_that_stood_in_two_places_for_a_moment_replaces_it() {
    let (mut world, a, b) = parted(tree([("d/x", "old")]));
    world[b].disk().remove("d/x");
    world[b].disk().put(&tree([("d/x", symlink("new"))]));
    world.rescan(b);
    world[a].disk().remove("d");
    write(&mut world, a, "d", "a file");
    // The file leaves its name to the directory. Both the copy and what steps aside are put on the disk, which fails to
    // say so.
    world[a].disk().fail_syncs(3);
    world.meet(a, b);
    world.pass(LATER_MS);
    let copy = world[a].tree().copies().first().map(ToString::to_string).expect("a conflict copy");
    write(&mut world, a, &copy, "edited");
    world.meet(a, b);
    world.assert_equal();
    assert_eq!(world[a].tree().contents(), [b"edited".as_slice()], "{:?}", world[a].tree());
}

#[test]
fn a_file_moved_to_where_its_copy_was_to_stand_lives_on_if_the_engine_ends_before_it_looked_twice() {
    // Up to the debounce after which the absence at the old name counts.
    for ended_after_ms in [0, 10, 100, 190] {
        let (mut world, a, b) = parted(Tree::default());
        write(&mut world, a, "c.md", "one");
        world.pass(1_000);
        write(&mut world, b, "c.md", "two");
        world[a].hold(|work| matches!(work, Work::Stage { .. }));
        world.link(a, b);
        world.settle();
        let copy = copy_name("c.md", "one");
        world[a].disk().rename("c.md", &copy);
        world.command(a, Command::Rescan { root: ROOT });
        while world.step() {}
        world.pass(ended_after_ms);
        world.crash(a);
        world[a].let_go();
        world.start(a);
        world.link(a, b);
        world.pass(100_000);
        world.assert_all(&tree([("c.md", "two"), (&copy, "one")]));
    }
}

#[test]
fn a_file_in_a_directorys_place_lives_on_whatever_cannot_be_put_on_disk_while_it_steps_aside() {
    for seed in 0..40 {
        for failing in 2..=4 {
            let (mut world, a, b) = parted(tree([("d/x", "x")]));
            write(&mut world, b, "d/x", "edited");
            world[a].disk().remove("d");
            write(&mut world, a, "d", "a file");
            world.pass(1_000);
            world[a].disk().fail_syncs(failing);
            let mut random = fastrand::Rng::with_seed(seed);
            world[a].delay(move |_| random.u64(..30));
            world.meet(a, b);
            world.pass(LATER_MS);
            world.meet(a, b);
            world.assert_equal();
            let folder = world[a].tree();
            assert_eq!(folder.at("d/x"), Some(&"edited".into()), "{seed} {failing}");
            assert_eq!(folder.contents(), [b"a file".as_slice(), b"edited"], "{seed} {failing}");
        }
    }
}

//! File trees through a message folder.

use super::*;

/// Two roots that are kept in sync through a message folder alone.
pub(super) fn via_folder(seed: u64, sealed: bool, trees: [Tree; 2]) -> (World, [SiteId; 2]) {
    let mut world = World::new(seed);
    let sites = [world.add_via_folder(sealed), world.add_via_folder(sealed)];
    for (site, tree) in sites.into_iter().zip(trees) {
        world[site].disk().put(&tree);
    }
    world.pass(5_000);
    for site in sites {
        world.start(site);
    }
    world.carry();
    (world, sites)
}

#[test]
fn a_tree_comes_through_a_folder_alone() {
    for sealed in [false, true] {
        let large: String = (0..200_000).map(|number| format!("{number} ")).collect();
        let files = [("a.md", "one"), ("d/b.md", "two"), ("empty", ""), ("large", large.as_str())];
        let (mut world, [a, b]) = via_folder(1, sealed, [tree(files), tree([("mine", "three")])]);
        world.carry();
        assert_eq!(world[b].tree().contents().len(), 5);
        world.assert_equal();

        world[a].disk().write("a.md", "changed");
        world[b].disk().write("d/new.md", "new");
        world[b].disk().remove("mine");
        for site in [a, b] {
            world.rescan(site);
        }
        world.pass(10_000);
        world.carry();
        world.assert_equal();
        assert_eq!(world[b].disk().read("a.md"), Some("changed".as_bytes()));
        assert!(world[a].disk().read("mine").is_none());
    }
}

#[test]
fn who_is_about_to_end_acknowledges_what_stands_on_its_disk_as_soon_as_it_does() {
    let ended = [false, true].map(|settles| {
        let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one")]), Tree::default()]);
        world.crash(b);
        world[a].disk().write("b.md", "two");
        world.rescan(a);
        world.pass(10_000);
        world.carry();
        let began = world.clock().elapsed_ms();
        world.start(b);
        if settles {
            world.command(b, Command::Settle);
        }
        assert!(world.pass_until(MINUTE_MS, |world| world[b].status().quiet));
        let took = world.clock().elapsed_ms() - began;
        assert_eq!(world[b].disk().read("b.md"), Some("two".as_bytes()));
        let said = world[b].counts().saves;
        world.carry();
        let (own, other) = (replica(&world, a), replica(&world, b));
        let members = world[a].status().members;
        let applied = |of| members.iter().find(|member| member.replica == of).unwrap();
        assert_eq!(applied(other).applied, applied(own).counter);
        (took, said)
    });
    assert!(ended[1].0 + 1_000 <= ended[0].0, "{ended:?}");
    assert!(ended[1].1 <= ended[0].1, "{ended:?}");
}

#[test]
fn what_changed_while_no_engine_ran_goes_through_the_folder_with_the_next_one() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one"), ("gone", "x")]), Tree::default()]);
    world.crash(b);
    world[b].disk().write("a.md", "two");
    world[b].disk().remove("gone");
    world.pass(5_000);
    world.start(b);
    world.carry();
    world.pass(5_000);
    world.carry();
    assert_eq!(world[a].disk().read("a.md"), Some("two".as_bytes()));
    assert!(world[a].disk().read("gone").is_none());
    world.assert_equal();
}

#[test]
fn a_message_stands_in_the_folder_only_behind_the_contents_that_it_names() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one")]), Tree::default()]);
    // The service brings the message and keeps the blobs back.
    world[a].disk().write("a.md", "two");
    world.rescan(a);
    world.carry_by(|site, path| (site == 1 && path.starts_with("blobs/")).then_some(Trouble::Late));
    world.settle();
    assert_eq!(world[b].disk().read("a.md"), Some("one".as_bytes()));
    assert_eq!(world[b].root().waiting, 1);
    world.carry();
    world.pass(10_000);
    assert_eq!(world[b].disk().read("a.md"), Some("two".as_bytes()));
}

#[test]
fn a_tree_survives_kills_evictions_and_torn_blobs_on_its_way_through_a_folder() {
    for seed in 0..30 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut world, sites) =
            via_folder(seed, seed % 2 == 0, [tree([("a", "one"), ("b", "two")]), tree([("c", "three")])]);
        for round in 0..6 {
            let site = sites[chance.usize(..2)];
            world[site].disk().write(&format!("file {}", chance.u8(..4)), format!("{round} of {seed}"));
            world.rescan(site);
            for _ in 0..chance.usize(..40) {
                world.step();
            }
            if chance.bool() {
                world.restart(sites[chance.usize(..2)]);
            }
            let troubles = [Trouble::Late, Trouble::Torn, Trouble::Empty, Trouble::Placeholder, Trouble::Doubled];
            world.carry_by(|_, _| chance.bool().then(|| troubles[chance.usize(..troubles.len())]));
            world.settle();
        }
        for _ in 0..3 {
            world.carry();
            world.pass(400_000);
        }
        world.assert_equal();
        assert_eq!(world[sites[0]].root().waiting, 0, "seed {seed}");
    }
}

#[test]
fn a_tree_comes_over_a_folder_and_a_link_at_once() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one")]), Tree::default()]);
    world.link(a, b);
    world.settle();
    world[a].disk().write("a.md", "two");
    world.rescan(a);
    assert_eq!(world[b].disk().read("a.md"), Some("two".as_bytes()));
    world.unlink(a, b);
    world[b].disk().write("a.md", "three");
    world.rescan(b);
    world.pass(5_000);
    world.carry();
    assert_eq!(world[a].disk().read("a.md"), Some("three".as_bytes()));
    world.assert_equal();
}

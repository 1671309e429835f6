//! Engines that end at any moment and start again.

use syncline_core::api::{CommitItem, Work};
use syncline_scenarios::model::copy_name;
use syncline_sim::{Crash, Disk, Faults, Order, SiteId, Traits, Tree, World, directory, symlink, tree};

#[test]
fn bits_that_a_crash_left_unset_are_nobodys_wish() {
    let folder = tree([("d/inner", "inside")]);
    let (mut world, a, b) = World::pair(1, folder, Tree::default());
    world.unlink(a, b);
    world.settle();
    world[a].disk().mkdir("open");
    world[a].disk().chmod("open", 0o775);
    world[a].disk().chmod("d", 0o770);
    world.rescan(a);
    let expected = world[a].tree();
    world[b].hold(|work| matches!(work, Work::Commit { .. }));
    world.link(a, b);
    world.pass(1_000);
    // The device ends between making a directory and setting its bits, and before those of another are set.
    world.crash(b);
    world[b].disk().mkdir("open");
    world[b].disk().chmod("open", 0o755);
    world[b].let_go();
    world.start(b);
    world.meet(a, b);
    world.assert_all(&expected);
}

/// Two devices with work on both sides: new files, an edit of a shared one, a deletion, a conflict.
fn busy(seed: u64, order: Order) -> (World, SiteId, SiteId, Tree) {
    busy_on(seed, order, Traits::default())
}

/// The same on such file systems.
fn busy_on(seed: u64, order: Order, traits: Traits) -> (World, SiteId, SiteId, Tree) {
    let big: Vec<u8> = (0..60_000u32).flat_map(|number| number.to_le_bytes()).collect();
    let shared = tree([("a.md", "old"), ("gone.md", "old"), ("both.md", "old")]);
    let (mut world, sites) = World::group(seed, &[Tree::default(), Tree::default()]);
    let (a, b) = (sites[0], sites[1]);
    world[a].disk().set_traits(traits);
    world[b].disk().set_traits(traits);
    world[a].disk().put(&shared);
    world.rescan(a);
    world.link(a, b);
    world.settle();
    world.set_order(order);
    world.unlink(a, b);
    world.settle();
    world.pass(1_000);
    // One message each, so that the version of `b` is the later one.
    world[a].disk().write("both.md", "of a");
    world.rescan(a);
    world.pass(1_000);
    world[b].disk().write("e/new.md", "of b");
    world.rescan(b);
    world[b].disk().write("both.md", "of b");
    world.rescan(b);
    world.pass(1_000);
    world[a].disk().write("a.md", "new");
    world[a].disk().remove("gone.md");
    world[a].disk().write("d/big", &big);
    world.rescan(a);
    let expected = tree([("a.md", "new"), ("both.md", "of b"), ("e/new.md", "of b")])
        .with(&copy_name("both.md", "of a"), "of a")
        .with("d/big", big);
    (world, a, b, expected)
}

/// Crashes one device after each piece of work that it completes, until a run ends by itself.
fn crash_everywhere(crash_founder: bool, order: Order, tell: bool) -> u64 {
    for moment in 0.. {
        let (mut world, a, b, expected) = busy(moment, order);
        let victim = if crash_founder { a } else { b };
        let end = world[victim].counts().performed + moment;
        world.link(a, b);
        if !world.run_until(|world| world[victim].counts().performed >= end) {
            world.assert_all(&expected);
            return moment;
        }
        if tell {
            world.step();
        }
        world.crash(victim);
        world.settle();
        world.start(victim);
        world.settle();
        world.meet(a, b);
        world.assert_all(&expected);
        for site in [a, b] {
            assert_eq!(world[site].disk().staged(), 0, "moment {moment}: something is left in staging");
        }
    }
    unreachable!("a run ends")
}

#[test]
fn t32_a_receiver_that_crashes_at_any_moment_ends_equal() {
    for order in [Order::Asked, Order::Drawn] {
        for tell in [false, true] {
            println!("{} moments", crash_everywhere(false, order, tell));
        }
    }
}

#[test]
fn t32_a_sender_that_crashes_at_any_moment_ends_equal() {
    for order in [Order::Asked, Order::Drawn] {
        for tell in [false, true] {
            println!("{} moments", crash_everywhere(true, order, tell));
        }
    }
}

#[test]
fn t32_a_crash_between_a_write_and_its_save_is_no_conflict_on_either_side() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "old"), ("b.md", "old")]), Tree::default());
    world.pass(1_000);
    let (commits, store) = (world[b].counts().commits, world[b].host().store.clone());
    world[a].disk().write("a.md", "new");
    world[a].disk().remove("b.md");
    world[a].disk().write("c.md", "new");
    world.rescan(a);
    assert!(world[b].counts().commits >= commits + 3);
    let _ = store;

    world[b].hold(|_| false);
    world[a].disk().write("a.md", "newer");
    world[a].disk().write("c.md", "newer");
    world.command(a, syncline_core::api::Command::Rescan { root: syncline_sim::ROOT });
    let commits = world[b].counts().commits;
    assert!(world.run_until(|world| world[b].counts().commits > commits), "nothing was written");
    world.crash(b);
    world.start(b);
    world.settle();
    world.meet(a, b);
    world.assert_all(&tree([("a.md", "newer"), ("c.md", "newer")]));
}

#[test]
fn both_devices_may_crash_again_and_again() {
    for seed in 0..30 {
        let (mut world, a, b, expected) = busy(seed, Order::Drawn);
        let mut chance = fastrand::Rng::with_seed(seed);
        for _ in 0..8 {
            if !world.is_linked(a, b) {
                world.link(a, b);
            }
            for _ in 0..chance.u32(..60) {
                world.step();
            }
            let victim = if chance.bool() { a } else { b };
            world.restart(victim);
            if chance.bool() {
                world.pass(500);
            }
        }
        world.settle();
        world.meet(a, b);
        world.assert_all(&expected);
    }
}

#[test]
fn a_joiner_that_crashes_at_any_moment_agrees_in_the_end() {
    let folder = tree([("a.md", "a"), ("d/b.md", "b"), ("d/e/c.md", "c")]);
    let other = tree([("a.md", "a"), ("f.md", "f")]);
    for moment in 0.. {
        let (mut world, sites) = World::group(moment, &[folder.clone(), other.clone()]);
        let (a, b) = (sites[0], sites[1]);
        world.link(a, b);
        let ended = !world.run_until(|world| world[b].counts().performed >= moment);
        if !ended {
            world.restart(b);
            world.link(a, b);
            world.settle();
        }
        world.assert_all(&folder.clone().with("f.md", "f"));
        if ended {
            return println!("{moment} moments");
        }
    }
}

#[test]
fn saves_may_wait_while_everything_else_goes_on() {
    let (mut world, a, b, expected) = busy(1, Order::Drawn);
    world[b].hold(|work| matches!(work, Work::Save { .. }));
    world.link(a, b);
    world.settle();
    world[b].let_go();
    world.settle();
    world.assert_all(&expected);
}

/// Every text that the busy history made, and that nobody had been shown the successor of.
fn assert_nothing_lost(world: &mut World, sites: [SiteId; 2], expected: &Tree, context: &str) {
    let kept = |disk: &Disk, wanted: &[u8]| {
        let history = disk.history().iter().any(|displaced| displaced.item.bytes() == Some(wanted));
        history || disk.tree().contents().contains(&wanted)
    };
    for wanted in expected.contents() {
        assert!(sites.iter().any(|site| kept(world[*site].disk(), wanted)), "{context}: some bytes are lost");
    }
}

/// Crashes one device after each piece of work that it completes, with all that is under way left half done, and again
/// while it recovers.
fn crash_in_the_middle(crash: Crash, crash_founder: bool, traits: Traits, seeds: std::ops::Range<u64>) -> Faults {
    let mut struck = Faults::default();
    for seed in seeds {
        let mut chance = fastrand::Rng::with_seed(seed);
        for moment in 0.. {
            let (mut world, a, b, expected) = busy_on(seed, Order::Drawn, traits);
            let victim = if crash_founder { a } else { b };
            world.pass(10_000);
            let end = world[victim].counts().performed + moment;
            world.link(a, b);
            if !world.run_until(|world| world[victim].counts().performed >= end) {
                world.assert_all(&expected);
                break;
            }
            for again in [false, true] {
                if again {
                    world.start(victim);
                    world.link(a, b);
                    for _ in 0..chance.u32(..120) {
                        world.step();
                    }
                }
                let torn = world.crash_by(victim, crash, &mut chance);
                assert!(torn.is_empty(), "seed {seed}, moment {moment}: nobody wrote anything just now, {torn:?}");
                world.settle();
            }
            world.start(victim);
            world.settle();
            world.meet(a, b);
            let context = format!("{crash:?}, seed {seed}, moment {moment}");
            assert_nothing_lost(&mut world, [a, b], &expected, &context);
            world.set_story(context.clone());
            assert_eq!(world[a].tree(), world[b].tree(), "{context}");
            assert_eq!(world[a].tree(), expected, "{context}");
            for site in [a, b] {
                assert_eq!(world[site].disk().staged(), 0, "{context}: something is left in staging");
                struck = struck.plus(world[site].faults());
            }
        }
    }
    struck
}

#[test]
fn t32_a_process_that_ends_in_the_middle_of_anything_ends_equal() {
    for founder in [false, true] {
        println!("{:?}", crash_in_the_middle(Crash::Process, founder, Traits::default(), 0..3));
    }
}

#[test]
fn t32_a_loss_of_power_in_the_middle_of_anything_ends_equal() {
    for founder in [false, true] {
        println!("{:?}", crash_in_the_middle(Crash::Power, founder, Traits::default(), 0..3));
    }
}

/// One commit with every kind of change waits when the crash comes.
fn crash_in_a_commit(crash: Crash, traits: Traits, seeds: std::ops::Range<u64>) -> Faults {
    let before = [("edited", "old".into()), ("gone", "old".into()), ("link", symlink("old")), ("d", directory())];
    let after = tree([
        ("edited", "new".into()),
        ("link", symlink("new")),
        ("d", "a file".into()),
        ("e/f", "new".into()),
        ("open", directory().mode(0o775)),
    ]);
    let mut struck = Faults::default();
    for seed in seeds {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut world, sites) = World::group(seed, &[Tree::default(), Tree::default()]);
        let (a, b) = (sites[0], sites[1]);
        world[b].disk().set_traits(traits);
        world[a].disk().put(&tree(before.clone()));
        world.rescan(a);
        world.meet(a, b);
        world.pass(10_000);
        for path in ["edited", "gone", "link", "d"] {
            world[a].disk().remove(path);
        }
        world[a].disk().put(&after);
        world.rescan(a);
        world[b].hold(|work| matches!(work, Work::Commit { .. }));
        world.link(a, b);
        world.pass(1_000);
        world.crash_by(b, crash, &mut chance);
        world[b].let_go();
        world.start(b);
        world.settle();
        world.meet(a, b);
        world.pass(120_000);
        for site in [a, b] {
            assert_eq!(world[site].tree(), after, "{crash:?} {traits:?}, seed {seed}, device {site:?}");
        }
        world.assert_all(&after);
        struck = struck.plus(world[b].faults());
    }
    struck
}

#[test]
fn t32_a_crash_in_the_middle_of_a_commit_is_nobodys_act() {
    for crash in [Crash::Process, Crash::Power] {
        let struck = crash_in_a_commit(crash, Traits::default(), 0..150);
        println!("{struck:?}");
        assert!(struck.items_in_part > 20, "{struck:?}");
    }
}

#[test]
fn t32_a_crash_between_two_renames_of_a_replacement_is_no_deletion() {
    let traits = Traits { swaps: false, ..Traits::default() };
    for crash in [Crash::Process, Crash::Power] {
        let struck = crash_in_a_commit(crash, traits, 0..150);
        println!("{struck:?}");
        assert!(struck.items_in_part > 20, "{struck:?}");
    }
}

#[test]
fn t32_an_edit_that_meets_a_swap_and_a_crash_is_kept() {
    let mut struck = Faults::default();
    for seed in 0..150 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut world, a, b) = World::pair(seed, tree([("a.md", "old"), ("gone.md", "old")]), Tree::default());
        world.pass(10_000);
        world[b].hold(|work| matches!(work, Work::Commit { .. }));
        world[a].disk().write("a.md", "of a");
        world[a].disk().remove("gone.md");
        world.rescan(a);
        world[b].disk().write("a.md", "of b");
        world[b].disk().append("gone.md", ", of b");
        world.crash_by(b, Crash::Process, &mut chance);
        world[b].let_go();
        world.start(b);
        world.settle();
        world.meet(a, b);
        world.pass(120_000);
        world.assert_equal();
        let expected = tree([("a.md", "of a"), ("b.md", "of b"), ("gone.md", "old, of b")]);
        assert_nothing_lost(&mut world, [a, b], &expected, &format!("seed {seed}"));
        struck = struck.plus(world[b].faults());
    }
    assert!(struck.items_raced > 20, "{struck:?}");
}

/// The engine of a device is about to put an edited conflict copy in its plain name's place when it ends. Someone moves files
/// there, and it starts again.
fn moved_where_a_change_was_under_way(moves: impl Fn(&mut Disk, &str, &str)) -> Tree {
    let (mut world, sites) = World::group(1, &[tree([("n.md", "of a")]), Tree::default()]);
    let (a, b) = (sites[0], sites[1]);
    world[b].disk().write("n.md", "of b");
    world.link(a, b);
    world.settle();
    world.unlink(a, b);
    world.pass(10_000);
    let copy = world[a].tree().copies().first().map(ToString::to_string).expect("two versions make a copy");
    world[a].hold(|work| {
        let is_plain = |item: &CommitItem| item.path == "n.md";
        matches!(work, Work::Commit { items, .. } if items.iter().any(is_plain))
    });
    world[a].disk().write(&copy, "edited");
    world.rescan(a);
    world.pass(10_000);
    assert_ne!(world[a].tree().at("n.md"), Some(&"edited".into()), "the change was made already");
    world.crash(a);
    world[a].let_go();
    moves(world[a].disk(), &copy, "n.md");
    world.start(a);
    world.settle();
    world.meet(a, b);
    world.pass(10_000);
    world.assert_equal();
    world[a].tree()
}

#[test]
fn what_someone_moves_to_where_a_change_was_to_bring_it_lives_on() {
    let exchanged = moved_where_a_change_was_under_way(|disk, copy, plain| {
        disk.rename(plain, "aside");
        disk.rename(copy, plain);
        disk.rename("aside", copy);
    });
    let moved = moved_where_a_change_was_under_way(|disk, copy, plain| disk.rename(copy, plain));
    for tree in [exchanged, moved] {
        let texts = tree.contents();
        assert!(texts.contains(&b"edited".as_slice()), "the edited text is gone: {tree:?}");
        assert_eq!(texts.len(), 2, "each text stands once: {tree:?}");
    }
}

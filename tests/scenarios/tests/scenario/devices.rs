//! Devices with bad disks, clocks and watchers, one trouble at a time.

use syncline_core::api::{Membership, NoticeCode, Work};
use syncline_sim::{Asleep, Item, Numbers, ROOT, Reading, SiteId, Traits, Tree, WatcherTraits, World, directory, tree};

#[test]
fn what_people_do_is_told_by_watchers_alone() {
    let (mut world, a, b) = World::pair(1, tree([("d/a", "a")]), Tree::default());
    for (seed, site) in [a, b].into_iter().enumerate() {
        let traits =
            WatcherTraits { doubled_one_in: 3, merged_one_in: 3, late_ms_max: 400, ..WatcherTraits::default() };
        world[site].watch(Some((traits, fastrand::Rng::with_seed(seed as u64))));
    }
    let before = world[a].counts().events;
    world.pass(10_000);
    assert_eq!(world[a].counts().events, before, "nothing happened, and something was told");
    world[a].disk().write("d/a", "edited");
    world[a].disk().write("e/f/new", "new");
    world[b].disk().write("top", "top");
    world.pass(10_000);
    let expected = tree([("d/a", "edited"), ("e/f/new", "new"), ("top", "top")]);
    world.assert_all(&expected);
    world[b].disk().rename("e/f", "g");
    world[b].disk().remove("top");
    world.pass(10_000);
    world.assert_all(&tree([("d/a", "edited"), ("g/new", "new")]).with("e", syncline_sim::directory()));
    let struck = world[a].faults().plus(world[b].faults());
    assert!(struck.hints_late > 0 && struck.hints_doubled + struck.hints_merged > 0, "{struck:?}");
}

#[test]
fn a_hint_that_never_came_is_made_good_by_a_rescan() {
    let (mut world, a, _) = World::pair(1, tree([("a", "a")]), Tree::default());
    let traits = WatcherTraits { lost_one_in: 1, ..WatcherTraits::default() };
    world[a].watch(Some((traits, fastrand::Rng::with_seed(1))));
    world[a].disk().write("b", "b");
    world.settle();
    assert_eq!(world[a].faults().hints_lost, 1);
    world.rescan(a);
    world.assert_all(&tree([("a", "a"), ("b", "b")]));
}

#[test]
fn late_work_that_changes_places_changes_nothing() {
    for seed in 0..10 {
        let (mut world, a, b) = World::pair(seed, tree([("a", "a"), ("b", "b")]), Tree::default());
        for (number, site) in [a, b].into_iter().enumerate() {
            let mut chance = fastrand::Rng::with_seed(seed * 2 + number as u64);
            world[site].delay(move |work| match work {
                Work::Save { .. } => chance.u64(..50),
                _ => chance.u64(..3) * chance.u64(..1_500),
            });
        }
        world[a].disk().write("a", "of a");
        world[b].disk().mkdir("d");
        world[b].disk().rename("b", "d/b");
        for site in [a, b] {
            world.command(site, syncline_core::api::Command::Rescan { root: ROOT });
        }
        world.pass(60_000);
        world.assert_all(&tree([("a", "of a"), ("d/b", "b")]));
        assert!(world[a].faults().delayed > 0 && world[b].faults().delayed > 0);
    }
}

#[test]
fn a_device_that_sleeps_hears_of_all_when_it_wakes_up() {
    for asleep in [Asleep::GoesOn, Asleep::Stops] {
        let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
        world[b].sleep(asleep);
        let before = world[b].counts();
        world[a].disk().write("a", "while it slept");
        world.rescan(a);
        world.pass(3_600_000);
        assert_eq!(world[b].counts(), before, "it did something in its sleep");
        world.wake(b);
        world.settle();
        world.meet(a, b);
        world.assert_all(&tree([("a", "while it slept")]));
    }
}

#[test]
fn clocks_that_go_wrong_jump_and_drift_lose_nothing() {
    let (mut world, a, b) = World::pair(1, tree([("a", "0")]), Tree::default());
    world[a].clock().set_drift(200);
    world[b].clock().set_drift(-300);
    for (round, jump) in [-3_600_000, 86_400_000, -90_000_000, 5, -5].into_iter().enumerate() {
        let site = if round % 2 == 0 { a } else { b };
        world[site].jump(jump);
        world[a].disk().write("a", format!("{round}"));
        world.rescan(a);
        world[b].disk().write("b", format!("{round}"));
        world.rescan(b);
        world.pass(100_000);
        world.assert_all(&tree([("a", &*format!("{round}")), ("b", &*format!("{round}"))]));
    }
}

fn on(traits: Traits) -> (World, SiteId, SiteId) {
    let (mut world, sites) = World::group(1, &[Tree::default(), Tree::default()]);
    let (a, b) = (sites[0], sites[1]);
    world[b].disk().set_traits(traits);
    world.link(a, b);
    world.settle();
    (world, a, b)
}

#[test]
fn file_systems_without_numbers_or_fine_times_or_swaps_agree_with_others() {
    let traits = Traits::default();
    for traits in [
        Traits { coarse: true, ..traits },
        Traits { numbers: Numbers::Hidden, ..traits },
        Traits { numbers: Numbers::Fresh, ..traits },
        Traits { swaps: false, ..traits },
        Traits { coarse: true, numbers: Numbers::Hidden, swaps: false, ..traits },
    ] {
        let (mut world, a, b) = on(traits);
        world[a].disk().put(&tree([("d/a", "of a"), ("both", "0")]));
        world.rescan(a);
        for round in 1..8 {
            // Within one step of a coarse clock, of the same size.
            world[b].disk().write("both", format!("{round}"));
            world[b].disk().write("d/b", format!("of b {round}"));
            world.rescan(b);
            world.pass(300);
            world.rescan(b);
            let both = format!("{round}");
            assert_eq!(world[a].disk().read("both"), Some(both.as_bytes()), "{traits:?}");
        }
        world[b].disk().rename("d", "e");
        world.rescan(b);
        world.pass(10_000);
        world.assert_all(&tree([("e/a", "of a"), ("e/b", "of b 7"), ("both", "7")]));
    }
}

#[test]
fn what_a_backup_puts_over_what_just_came_is_seen_though_times_are_coarse() {
    let (mut world, a, b) = on(Traits { coarse: true, ..Traits::default() });
    world.pass(10_000 - world.clock().elapsed_ms() % 2_000);
    world[a].disk().write("note", "one");
    world.rescan(a);
    world.pass(500);
    let older = world[a].disk().snapshot();
    world[a].disk().write("note", "two");
    world.rescan(a);
    world.pass(6_000);
    assert_eq!(world[b].disk().read("note"), Some(b"two".as_slice()));
    // Both are of the same size and, as this file system tells times, of the same age, and get the same number.
    let newer = world[b].disk().snapshot();
    assert!(world[a].disk().restore_at(&older, "note"));
    world.rescan(a);
    assert_eq!(world[b].disk().read("note"), Some(b"one".as_slice()));
    assert!(world[b].disk().restore_at(&newer, "note"));
    world.rescan(b);
    world.pass(10_000);
    world.assert_all(&tree([("note", "two")]));
}

/// Who is told "it rests, something waits" takes that for a failure.
#[test]
fn a_device_that_waits_for_its_file_systems_clock_to_move_does_not_rest() {
    for coarse in [false, true] {
        let (mut world, a, b) = on(Traits { coarse, ..Traits::default() });
        world[a].disk().put(&tree([("note", "old")]));
        world.rescan(a);
        world.unlink(a, b);
        world[a].disk().write("note", "of a");
        world[b].disk().write("note", "of b");
        world.rescan(a);
        world.rescan(b);
        world.link(a, b);
        world.run_until(|world| world.sites().all(|site| world[site].status().quiet));
        let waiting = |world: &World| world.sites().map(|site| world[site].status().roots[0].waiting).sum::<u64>();
        let standing = world[a].disk().tree();
        assert_eq!((standing.len(), waiting(&world)), (2, 0), "{standing:?}");
        world.assert_all(&standing);
    }
}

#[test]
fn a_bit_that_flips_on_the_way_is_met_and_asked_for_again() {
    for reading in [Reading::Range, Reading::Staged] {
        for seed in 0..10 {
            let (mut world, a, b) = World::pair(seed, tree([("a", "a")]), Tree::default());
            let mut chance = fastrand::Rng::with_seed(seed);
            for _ in 0..3 {
                world[a].disk().flip(reading, &mut chance);
                world[b].disk().flip(reading, &mut chance);
            }
            let expected = (0..8).fold(tree([("a", "a")]), |tree, number| {
                tree.with(&format!("file {number}"), format!("text {number}").as_str())
            });
            world[a].disk().put(&expected);
            world.rescan(a);
            world.pass(120_000);
            world.assert_all(&expected);
            let struck = world[a].faults().plus(world[b].faults());
            assert!(struck.flipped_ranges + struck.flipped_staged > 0, "{struck:?}");
        }
    }
}

#[test]
fn changes_that_were_made_and_not_put_on_disk_are_made_good() {
    let (mut world, a, b) = World::pair(1, tree([("a", "old"), ("gone", "gone")]), Tree::default());
    world[b].disk().fail_syncs(3);
    world[a].disk().write("a", "new");
    world[a].disk().remove("gone");
    world[a].disk().write("d/new", "new");
    world.rescan(a);
    world.pass(120_000);
    world.assert_all(&tree([("a", "new"), ("d/new", "new")]));
    assert!(world[b].faults().syncs_failed > 0);
}

#[test]
fn a_save_that_failed_once_is_no_loss_whether_it_was_written_or_not() {
    for late in [false, true] {
        let (mut world, a, b) = World::pair(1, tree([("a", "old")]), Tree::default());
        let store = &mut world[b].host().store;
        if late {
            store.fail_saves_late(1)
        } else {
            store.fail_saves(1)
        }
        world[b].disk().write("b", "of b");
        world.rescan(b);
        world[a].disk().write("a", "new");
        world.rescan(a);
        assert!(world[b].has_notice(NoticeCode::StoreFailed));
        world.restart(b);
        world.meet(a, b);
        world.assert_all(&tree([("a", "new"), ("b", "of b")]));
    }
}

#[test]
fn what_an_editor_writes_into_a_file_it_holds_open_is_kept() {
    let (mut world, a, b) = World::pair(1, tree([("a", "old")]), Tree::default());
    world.pass(1_000);
    let open = world[b].disk().open("a");
    world[a].disk().write("a", "new");
    world.rescan(a);
    world.assert_all(&tree([("a", "new")]));
    world[b].disk().write_open(&open, "of the editor");
    assert_eq!(world[b].disk().open_path(&open), None);
    assert_eq!(world[b].disk().history()[0].item, "of the editor".into());
    world[b].disk().close(open);
    world[b].disk().rename("a", "b");
    let open = world[b].disk().open("b");
    world[b].disk().rename("b", "c");
    world[b].disk().write_open(&open, "followed");
    world.rescan(b);
    world.assert_all(&tree([("c", "followed")]));
}

#[test]
fn a_backup_that_is_restored_is_an_act_of_today() {
    let (mut world, a, b) = World::pair(1, tree([("a", "first"), ("d/b", "first")]), Tree::default());
    world.pass(1_000);
    let backup = world[a].disk().snapshot();
    world.pass(86_400_000);
    world[b].disk().write("a", "second");
    world[b].disk().write("new", "second");
    world.rescan(b);
    world[a].disk().restore(&backup);
    world.rescan(a);
    world.pass(1_000);
    world.assert_all(&tree([("a", "first"), ("d/b", "first")]));
}

#[test]
fn a_device_without_permission_bits_has_nothing_to_say_of_them() {
    let (mut world, a, b) = on(Traits { modes: false, ..Traits::default() });
    let bits = |world: &World, path: &str| match world[a].tree().at(path) {
        Some(Item::File { mode, .. } | Item::Directory { mode }) => *mode,
        other => panic!("{other:?} at {path}"),
    };
    let bytes = |world: &mut World, path: &str| world[a].disk().read(path).map(<[u8]>::to_vec);
    world[a].disk().put(&tree([
        ("run.sh", Item::from("old").mode(0o755)),
        ("secret", Item::from("old").mode(0o600)),
        ("d", directory().mode(0o700)),
        ("d/gone", Item::from("old")),
    ]));
    world.rescan(a);
    world.pass(10_000);
    // Edited, replaced by another inode, and a directory that is looked at again.
    world[b].disk().write("run.sh", "new");
    world[b].disk().replace("secret", "new");
    world[b].disk().write("d/made", "new");
    world[b].disk().remove("d/gone");
    world[b].disk().mkdir("e");
    world.rescan(b);
    world.pass(10_000);
    world.restart(b);
    world.link(a, b);
    world.settle();
    assert_eq!(world[a].tree().contents().len(), 3);
    assert_eq!(bytes(&mut world, "run.sh"), Some(b"new".to_vec()));
    let found = ["run.sh", "secret", "d", "d/made", "e"].map(|path| bits(&world, path));
    assert_eq!(found.map(|bits| format!("{bits:o}")), ["755", "600", "700", "644", "755"]);
    // What is set elsewhere is known here, though nothing shows it, and outlives the next edit.
    world[a].disk().chmod("run.sh", 0o711);
    world.rescan(a);
    world[b].disk().write("run.sh", "newer");
    world.rescan(b);
    world.pass(10_000);
    assert_eq!((bytes(&mut world, "run.sh"), bits(&world, "run.sh")), (Some(b"newer".to_vec()), 0o711));
    assert_eq!(world[a].status().digest, world[b].status().digest);
}

#[test]
fn t29_a_copied_root_becomes_a_replica_of_its_own() {
    let (mut world, a, b) = World::pair(1, tree([("a.md", "a"), ("d/b", "b")]), Tree::default());
    world.pass(1_000);
    let c = world.add(Membership::Joiner);
    world.copy_root(a, c);
    world[a].disk().write("a.md", "edited after the copy");
    world.rescan(a);
    world.start(c);
    world[c].disk().write("c", "of the copy");
    world.meet(b, c);
    world.meet(a, b);
    world.assert_equal();
    let found = world[a].tree();
    for text in ["edited after the copy", "a", "b", "of the copy"] {
        assert!(found.contents().contains(&text.as_bytes()), "{text} is lost: {found:?}");
    }
    assert_eq!(found.copies().len(), 1, "{found:?}");
    assert_ne!(world[a].status().replica, world[c].status().replica);
}

#[test]
fn a_device_put_back_from_an_image_begins_anew_and_loses_nothing() {
    let (mut world, a, b) = World::pair(1, tree([("a", "0")]), Tree::default());
    world.pass(1_000);
    let image = world.image(b);
    world[b].disk().write("b", "after the image");
    world[b].disk().write("a", "1");
    world.rescan(b);
    world.pass(1_000);
    world.crash(b);
    world.restore_device(b, &image);
    world.start(b);
    world.meet(a, b);
    world.assert_all(&tree([("a", "1"), ("b", "after the image")]));
    assert!(world[b].has_notice(NoticeCode::NewIncarnation));
    world[b].disk().write("c", "of today");
    world.rescan(b);
    world.meet(a, b);
    world.assert_all(&tree([("a", "1"), ("b", "after the image"), ("c", "of today")]));
}

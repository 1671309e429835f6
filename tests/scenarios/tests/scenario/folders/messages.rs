//! Application messages: each once, in order, over crashes and backups, and then silence.

use super::*;

#[test]
fn what_one_posts_all_get_once_and_in_the_end_nobody_says_anything() {
    let (mut world, sites) = World::folder_group(1, 3);
    world.post(sites[0], "one");
    world.post(sites[1], "two");
    world.post(sites[0], "three");
    world.carry();
    for site in &sites {
        assert_eq!(sorted(&mut world, *site), ["one", "three", "two"]);
        assert!(world[*site].status().quiet);
    }
    let published = world[sites[0]].host().application.published().to_vec();
    let stored = world[sites[1]].host().application.stored().to_vec();
    let of_first = stored.iter().filter(|message| message.author == published[0].0);
    assert!(of_first.map(|message| (message.author, message.counter)).eq(published.iter().copied()));
    let digests: Vec<_> = sites.iter().map(|site| world[*site].status().digest).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    let saves: Vec<_> = sites.iter().map(|site| world[*site].counts().saves).collect();
    world.pass(10 * MINUTE_MS);
    world.carry();
    assert_eq!(saves, sites.iter().map(|site| world[*site].counts().saves).collect::<Vec<_>>());
}

#[test]
fn f08_one_file_goes_and_another_comes_and_it_is_found() {
    for indexing in [FolderIndexing::Listing, FolderIndexing::Probing] {
        let mut world = World::new(1);
        let sites = [world.add_to_folder(false, indexing), world.add_to_folder(false, indexing)];
        for site in sites {
            world.start(site);
        }
        world.settle();
        world.post(sites[0], "first");
        world.carry();
        let first = path_of(&mut world, sites[0], "first");
        let count = world[sites[1]].host().folder.files().count();
        // Nobody tells of it but the next look.
        world.post(sites[0], "second");
        let second = path_of(&mut world, sites[0], "second");
        let file = world[sites[0]].host().folder.at(&second).cloned().unwrap();
        world[sites[1]].host().folder.take(&first);
        world[sites[1]].host().folder.put(&second, file);
        assert_eq!(world[sites[1]].host().folder.files().count(), count);
        world.pass(2 * MINUTE_MS);
        assert_eq!(texts(&mut world, sites[1]), ["first", "second"], "{indexing:?}");
    }
}

#[test]
fn f09_messages_in_any_order_and_over_restarts_come_once() {
    let (mut world, sites) = World::folder_group(1, 1);
    let mut author = Author::new(77);
    let first = author.introduce();
    let second = author.write(2, "two");
    let third = author.write(3, "three");
    put(&mut world, sites[0], &third);
    assert!(texts(&mut world, sites[0]).is_empty());
    world.restart(sites[0]);
    world.settle();
    put(&mut world, sites[0], &first);
    assert_eq!(texts(&mut world, sites[0]), ["three"]);
    world.restart(sites[0]);
    world.settle();
    put(&mut world, sites[0], &second);
    world.restart(sites[0]);
    world.pass(2 * MINUTE_MS);
    assert_eq!(texts(&mut world, sites[0]), ["three", "two"]);
    let sequences: Vec<u64> =
        world[sites[0]].host().application.stored().iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, [1, 2]);
}

#[test]
fn what_was_found_counts_as_read_when_it_is_saved() {
    let mut world = World::new(1);
    let site = world.add_to_folder(false, FolderIndexing::Listing);
    world.judge().admit_outsiders();
    let mut author = Author::new(77);
    for sealed in [author.introduce(), author.write(2, "two"), author.write(3, "three")] {
        let path = message_path(sealed.message.author, sealed.message.counter);
        world[site].host().folder.put(&path, FolderFile::new(sealed.bytes));
    }
    world.start(site);
    let is_indexed = |world: &World| world[site].status().folders[0].indexed;
    assert!(world.run_until(is_indexed));
    for counter in 1..=3 {
        let key = message_key(author.replica, counter);
        assert!(world[site].host().store.value(&key).is_some(), "message {counter} is not saved yet");
    }
}

#[test]
fn an_application_that_fails_gets_the_same_again_and_nothing_twice() {
    let (mut world, sites) = World::folder_group(1, 2);
    world[sites[1]].host().application.fail_next(3);
    for text in ["one", "two"] {
        world.post(sites[0], text);
    }
    world.carry();
    world.pass(MINUTE_MS);
    assert_eq!(texts(&mut world, sites[1]), ["one", "two"]);
}

#[test]
fn f10_a_store_put_back_from_a_backup_goes_on_under_a_new_id() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.post(sites[0], "one");
    world.carry();
    let old = replica(&world, sites[0]);
    let store = world[sites[0]].host().store.clone();
    world.post(sites[0], "two");
    world.carry();
    world.crash(sites[0]);
    world[sites[0]].host().store = store;
    world.start(sites[0]);
    world.post(sites[0], "three");
    world.settle();
    world.carry();
    assert_ne!(replica(&world, sites[0]), old);
    assert!(world[sites[0]].has_notice(NoticeCode::NewIncarnation));
    assert_eq!(sorted(&mut world, sites[1]), ["one", "three", "two"]);
    assert_eq!(world[sites[0]].status().digest, world[sites[1]].status().digest);
}

#[test]
fn f10_an_own_directory_put_back_from_a_backup_is_written_again() {
    let (mut world, sites) = World::folder_group(1, 1);
    world.post(sites[0], "one");
    world.post(sites[0], "two");
    let path = path_of(&mut world, sites[0], "two");
    let own = replica(&world, sites[0]);
    let file = world[sites[0]].host().folder.take(&path).unwrap();
    world.restart(sites[0]);
    world.settle();
    assert_eq!(replica(&world, sites[0]), own);
    assert_eq!(world[sites[0]].host().folder.at(&path), Some(&file));
}

#[test]
fn f11_a_crash_at_any_moment_of_writing_leaves_a_hole_or_the_same_bytes() {
    for sealed in [false, true] {
        for steps in 0..60 {
            let mut world = World::new(steps);
            let site = world.add_to_folder(sealed, FolderIndexing::Listing);
            world.start(site);
            world.settle();
            world.post(site, "text");
            for _ in 0..steps {
                world.step();
            }
            let before: Vec<_> =
                world[site].host().folder.files().map(|(path, file)| (path.to_string(), file.clone())).collect();
            world.restart(site);
            world.settle();
            for (path, file) in before {
                assert_eq!(world[site].host().folder.at(&path), Some(&file), "{path} after {steps} steps");
            }
            assert_eq!(world[site].status().folders[0].unwritten, 0);
        }
    }
}

#[test]
fn f11_a_loss_of_power_while_lost_files_are_written_again_leaves_no_part_of_one() {
    for steps in 0..40 {
        for chance in 0..64 {
            let mut world = World::new(chance);
            let site = world.add_to_folder(false, FolderIndexing::Listing);
            world.start(site);
            world.settle();
            for text in ["one", "two", "three"] {
                world.post(site, text);
            }
            world.settle();
            let whole: Vec<_> =
                world[site].host().folder.files().map(|(path, file)| (path.to_string(), file.clone())).collect();
            for text in ["one", "two", "three"] {
                let path = path_of(&mut world, site, text);
                world[site].host().folder.take(&path);
            }
            world.tell(site, Event::FolderChanged { folder: FOLDER, paths: Vec::new() });
            world.set_order(Order::Drawn);
            for _ in 0..steps {
                world.step();
            }
            world.lose_power(site, &mut fastrand::Rng::with_seed(chance));
            world.start(site);
            world.settle();
            for (path, file) in &whole {
                assert_eq!(world[site].host().folder.at(path), Some(file), "{path} after {steps} steps");
            }
        }
    }
}

#[test]
fn f11_a_part_of_an_own_file_that_a_service_keeps_elsewhere_is_written_again() {
    let (mut world, sites) = World::folder_group(1, 1);
    world.post(sites[0], "one");
    let writes = |world: &World| world[sites[0]].pending().any(|(_, work)| matches!(work, Work::FolderCreate { .. }));
    assert!(world.run_until(writes));
    let store = world[sites[0]].host().store.clone();
    world.settle();
    let path = path_of(&mut world, sites[0], "one");
    let file = world[sites[0]].host().folder.take(&path).unwrap();
    world.crash(sites[0]);
    world[sites[0]].host().store = store;
    let part = FolderFile::new(&file.bytes[..20]);
    world[sites[0]].host().folder.put(&path, part);
    world[sites[0]].host().folder.evict(&path);
    world.start(sites[0]);
    world.settle();
    assert!(world[sites[0]].host().folder.bring().contains(&path));
    world.pass(MINUTE_MS);
    assert_eq!(world[sites[0]].host().folder.at(&path), Some(&file));
}

#[test]
fn f13_ten_new_messages_among_many_cost_ten_reads() {
    for indexing in [FolderIndexing::Listing, FolderIndexing::Probing] {
        let mut world = World::new(1);
        let site = world.add_to_folder(false, indexing);
        world.start(site);
        world.settle();
        world.judge().admit_outsiders();
        let mut author = Author::new(77);
        let mut all = vec![author.introduce()];
        all.extend((2..=2_010).map(|counter| author.write(counter, "text")));
        let put_all = |world: &mut World, messages: &[Sealed]| {
            for sealed in messages {
                let path = message_path(sealed.message.author, sealed.message.counter);
                world[site].host().folder.put(&path, FolderFile::new(sealed.bytes.clone()));
            }
        };
        put_all(&mut world, &all[..2_000]);
        world.pass(2 * MINUTE_MS);
        assert_eq!(texts(&mut world, site).len(), 1_999);
        let count = |world: &World, kind: &str| world[site].coverage().of(kind);
        let kinds = ["work FolderList", "work FolderRead", "work FolderProbe"];
        let before = kinds.map(|kind| count(&world, kind));
        put_all(&mut world, &all[2_000..]);
        world.pass(MINUTE_MS + 1_000);
        assert_eq!(texts(&mut world, site).len(), 2_009, "{indexing:?}");
        let cost = [0, 1, 2].map(|at| count(&world, kinds[at]) - before[at]);
        // The session's directory, and the pages of two feeds' directories only where they are listed.
        let lists = if indexing == FolderIndexing::Listing { 1..=60 } else { 1..=4 };
        assert!(lists.contains(&cost[0]) && cost[1] <= 8 && cost[2] <= 8, "{indexing:?}: {cost:?}");
    }
}

#[test]
fn many_messages_that_come_at_once_are_found_by_one_poll() {
    // Behind what is held, and in a gap below it.
    for first in [1..2, 999..1_000] {
        let mut world = World::new(1);
        let site = world.add_to_folder(false, FolderIndexing::Probing);
        world.start(site);
        world.judge().admit_outsiders();
        let mut author = Author::new(77);
        let mut all = vec![author.introduce()];
        all.extend((2..=1_000).map(|counter| author.write(counter, "text")));
        let put = |world: &mut World, sealed: &Sealed| {
            let path = message_path(sealed.message.author, sealed.message.counter);
            world[site].host().folder.put(&path, FolderFile::new(sealed.bytes.clone()));
        };
        put(&mut world, &all[0]);
        all[first].iter().for_each(|sealed| put(&mut world, sealed));
        world.pass(MINUTE_MS + 1_000);
        all.iter().for_each(|sealed| put(&mut world, sealed));
        world.pass(MINUTE_MS + 1_000);
        assert_eq!(texts(&mut world, site).len(), 999);
    }
}

#[test]
fn f16_ten_replicas_acknowledge_and_come_to_rest() {
    let (mut world, sites) = World::folder_group(1, 10);
    for site in &sites {
        world.post(*site, "text");
    }
    world.carry();
    let files = world[sites[0]].host().folder.files().count();
    world.pass(60 * MINUTE_MS);
    world.carry();
    assert_eq!(world[sites[0]].host().folder.files().count(), files);
    let stable = world[sites[0]].status().stable.unwrap();
    let last = world[sites[0]].host().application.stored().iter().map(|message| message.lamport).max().unwrap();
    assert!(stable.lamport > last);
}

#[test]
fn who_is_about_to_end_acknowledges_at_once_and_once() {
    let (mut world, sites) = World::folder_group(1, 2);
    let files = |world: &mut World| world[sites[1]].host().folder.files().count();
    let before = files(&mut world);
    for text in ["one", "two", "three"] {
        world.post(sites[0], text);
        world.pass(0);
    }
    while world.carry_by(|_, _| None) > 0 {
        world.pass(0);
    }
    assert_eq!(texts(&mut world, sites[1]), ["one", "two", "three"]);
    assert!(!world[sites[1]].status().quiet && files(&mut world) == before + 3);
    world.command(sites[1], Command::Settle);
    world.pass(0);
    assert!(world[sites[1]].status().quiet && files(&mut world) == before + 4);

    // That was for once: later ones wait again for others.
    world.settle();
    world.carry();
    world.post(sites[0], "four");
    world.pass(0);
    while world.carry_by(|_, _| None) > 0 {
        world.pass(0);
    }
    assert!(!world[sites[1]].status().quiet);
}

#[test]
fn in_total_order_all_members_get_the_same_in_the_same_order() {
    let (mut world, sites) = World::folder_group(1, 3);
    for site in &sites {
        world.crash(*site);
        world[*site].config().delivery = Some(DeliveryConfig { order: DeliveryOrder::Total, delivered: 0 });
        world.start(*site);
    }
    world.settle();
    for round in 0..5 {
        for (number, site) in sites.iter().enumerate() {
            world.post(*site, &format!("{round} of {number}"));
        }
        world.settle();
        world.carry_by(|site, path| (path.len() % 3 == site).then_some(Trouble::Late));
        world.settle();
        world.restart(sites[round % 3]);
        world.settle();
    }
    world.carry();
    let first = texts(&mut world, sites[0]);
    assert_eq!(first.len(), 15);
    for site in &sites {
        assert_eq!(texts(&mut world, *site), first);
        let places: Vec<_> =
            world[*site].host().application.stored().iter().map(|m| (m.lamport, m.unix_ms, m.author)).collect();
        assert!(places.is_sorted());
    }
}

#[test]
fn what_came_behind_stable_messages_under_another_order_of_delivery_comes_in_message_order_later() {
    let (mut world, sites) = World::folder_group(1, 1);
    let site = sites[0];
    let deliver = |world: &mut World, order| {
        world.crash(site);
        // Another application, which has nothing yet.
        world[site].host().application = Application::default();
        world[site].config().delivery = Some(DeliveryConfig { order, delivered: 0 });
        world.start(site);
        world.settle();
    };
    let (mut early, mut late) = (Author::new(77), Author::new(78));
    deliver(&mut world, DeliveryOrder::Total);
    put(&mut world, site, &early.introduce());
    early.lamport = 100;
    put(&mut world, site, &early.write(2, "early"));
    assert_eq!(texts(&mut world, site), ["early"]);

    deliver(&mut world, DeliveryOrder::Arrival);
    let introduction = late.introduce();
    let missing = late.write(2, "missing");
    let after = late.write(3, "late");
    for sealed in [introduction, after] {
        put(&mut world, site, &sealed);
    }
    assert_eq!(texts(&mut world, site), ["early", "late"]);

    // It waits for what is missing before it, also over another start.
    for _ in 0..2 {
        deliver(&mut world, DeliveryOrder::Total);
        assert_eq!(texts(&mut world, site), ["early"]);
    }
    put(&mut world, site, &missing);
    assert_eq!(texts(&mut world, site), ["early", "missing", "late"]);
}

#[test]
fn messages_come_once_over_a_folder_and_a_link_at_once() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.link(sites[0], sites[1]);
    world.settle();
    for text in ["one", "two"] {
        world.post(sites[0], text);
    }
    world.settle();
    assert_eq!(texts(&mut world, sites[1]), ["one", "two"]);
    world.carry();
    world.unlink(sites[0], sites[1]);
    world.post(sites[0], "three");
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["one", "two", "three"]);
}

//! What services, strangers and junk do to a message folder.

use super::*;

#[test]
fn f01_a_number_far_ahead_is_one_gap_and_others_are_unaffected() {
    let (mut world, sites) = World::folder_group(1, 2);
    let mut author = Author::new(77);
    let mut all = vec![author.introduce()];
    all.extend((2..=5).map(|counter| author.write(counter, &counter.to_string())));
    author.last = Some(Previous { counter: u64::MAX - 1, hash: all[4].hash });
    all.push(author.write(u64::MAX, "far"));
    for sealed in &all {
        put(&mut world, sites[0], sealed);
    }
    let gap = Gap { author: author.replica, from: 6, to: u64::MAX - 1 };
    assert_eq!(world[sites[0]].status().gaps, [gap]);
    assert_eq!(texts(&mut world, sites[0]), ["2", "3", "4", "5", "far"]);
    world.post(sites[1], "unaffected");
    world.carry();
    assert_eq!(texts(&mut world, sites[0]).last().unwrap(), "unaffected");
}

#[test]
fn f02_a_gap_that_never_fills_is_told_and_holds_nothing_up() {
    let (mut world, sites) = World::folder_group(1, 1);
    let mut author = Author::new(77);
    let first = author.introduce();
    let lost = author.write(2, "lost");
    let third = author.write(3, "third");
    put(&mut world, sites[0], &first);
    put(&mut world, sites[0], &third);
    world.pass(60 * MINUTE_MS);
    assert_eq!(world[sites[0]].status().gaps, [Gap { author: author.replica, from: 2, to: 2 }]);
    assert_eq!(texts(&mut world, sites[0]), ["third"]);
    put(&mut world, sites[0], &lost);
    assert_eq!(world[sites[0]].status().gaps, []);
    assert_eq!(texts(&mut world, sites[0]), ["third", "lost"]);
}

#[test]
fn f04_copies_that_a_service_made_of_a_conflict_are_no_messages() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.post(sites[0], "only once");
    let path = path_of(&mut world, sites[0], "only once");
    let file = world[sites[0]].host().folder.at(&path).cloned().unwrap();
    for copy in [" (1)", ".sync-conflict-20260101-000000-ABC", " (conflicted copy)", "~", " "] {
        world[sites[0]].host().folder.put(&format!("{path}{copy}"), file.clone());
    }
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["only once"]);
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 0);
}

#[test]
fn f05_the_bytes_of_a_placeholder_are_asked_for_and_nothing_is_skipped() {
    let (mut world, sites) = World::folder_group(1, 2);
    for text in ["one", "two", "three"] {
        world.post(sites[0], text);
    }
    let second = path_of(&mut world, sites[0], "two");
    world.carry_by(|site, path| (site == 1 && path == second).then_some(Trouble::Placeholder));
    world.settle();
    assert_eq!(texts(&mut world, sites[1]), ["one", "three"]);
    assert_eq!(world[sites[1]].status().folders[0].placeholders, 1);
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["one", "three", "two"]);
    assert_eq!(world[sites[1]].status().folders[0].placeholders, 0);
}

#[test]
fn f06_a_file_that_comes_empty_then_half_then_whole_is_delivered_once() {
    for is_hinted in [true, false] {
        let (mut world, sites) = World::folder_group(1, 2);
        world.post(sites[0], "whole");
        let path = path_of(&mut world, sites[0], "whole");
        for trouble in [Trouble::Empty, Trouble::Torn] {
            world.carry_by(|_, _| Some(trouble));
            world.settle();
            assert!(texts(&mut world, sites[1]).is_empty());
            assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
        }
        if is_hinted {
            world.carry();
        } else {
            let file = world[sites[0]].host().folder.at(&path).cloned().unwrap();
            world[sites[1]].host().folder.put(&path, file);
            world.pass(10 * MINUTE_MS);
        }
        assert_eq!(texts(&mut world, sites[1]), ["whole"]);
        assert_eq!(world[sites[1]].status().folders[0].unverifiable, 0);
    }
}

#[test]
fn f07_a_folder_that_turns_up_empty_or_as_another_sessions_is_left_alone() {
    for is_other in [false, true] {
        let (mut world, sites) = World::folder_group(1, 2);
        let files: Vec<(String, FolderFile)> =
            world[sites[0]].host().folder.files().map(|(path, file)| (path.into(), file.clone())).collect();
        for (path, _) in &files {
            world[sites[0]].host().folder.take(path);
        }
        if is_other {
            let info = Info::open("00000000-0000-4000-8000-000000000001".parse().unwrap());
            world[sites[0]].host().folder.put("info", FolderFile::new(info.to_json()));
        }
        world.restart(sites[0]);
        world.settle();
        world.post(sites[0], "kept for later");
        world.pass(10 * MINUTE_MS);
        assert_eq!(world[sites[0]].status().folders[0].state, FolderState::Halted);
        assert!(world[sites[0]].has_notice(NoticeCode::FolderMissing));
        assert_eq!(world[sites[0]].host().folder.files().count(), usize::from(is_other));

        world[sites[0]].host().folder.take("info");
        for (path, file) in files {
            world[sites[0]].host().folder.put(&path, file);
        }
        world.pass(10 * MINUTE_MS);
        world.carry();
        assert_eq!(texts(&mut world, sites[1]), ["kept for later"]);
    }
}

#[test]
fn f12_a_file_that_its_authors_key_did_not_sign_is_reported_and_not_followed() {
    let (mut world, sites) = World::folder_group(1, 2);
    let victim = replica(&world, sites[0]);
    let mut author = Author::new(77);
    author.introduce();
    author.replica = victim;
    let forged = author.write(50, "forged");
    put(&mut world, sites[1], &forged);
    world.pass(10 * MINUTE_MS);
    assert!(texts(&mut world, sites[1]).is_empty());
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
    assert!(world[sites[1]].has_notice(NoticeCode::MessageUnverifiable));
    // A true message in another's place is none either.
    let mut other = Author::new(78);
    let (first, second) = (other.introduce(), other.write(2, "elsewhere"));
    world[sites[1]].host().folder.put(&message_path(other.replica, 1), FolderFile::new(first.bytes));
    world[sites[1]].host().folder.put(&message_path(other.replica, 3), FolderFile::new(second.bytes));
    world.pass(2 * MINUTE_MS);
    assert!(texts(&mut world, sites[1]).is_empty());
}

#[test]
fn f14_what_is_no_message_is_ignored_or_refused_under_a_limit() {
    let (mut world, sites) = World::folder_group(1, 2);
    let author = replica(&world, sites[0]);
    let folder = &mut world[sites[0]].host().folder;
    let in_feed = |name: &str| format!("{author}/{name}");
    for name in [".DS_Store", "desktop.ini", "3/inner", "blobs.txt", "0"] {
        folder.put(&in_feed(name), FolderFile::new("junk"));
    }
    folder.put("junk.txt", FolderFile::new("junk"));
    folder.put("not-a-feed/1", FolderFile::new("junk"));
    folder.put(&in_feed("6"), FolderFile { is_link: true, ..FolderFile::new("elsewhere") });
    folder.put(&in_feed("7"), FolderFile::new(vec![0; 2 << 20]));
    world.post(sites[0], "text");
    world.carry();
    world.pass(10 * MINUTE_MS);
    assert_eq!(texts(&mut world, sites[1]), ["text"]);
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
    assert!(world[sites[0]].status().members.len() == 2);
}

#[test]
fn f15_a_folder_with_an_unreadable_or_newer_info_is_left_alone() {
    for info in ["junk".to_string(), Info::open(GROUP).to_json().replace("\"version\": 1", "\"version\": 2")] {
        let mut world = World::new(1);
        let site = world.add_to_folder(false, FolderIndexing::Listing);
        world[site].host().folder.put("info", FolderFile::new(info));
        world.start(site);
        world.pass(MINUTE_MS);
        assert!(world[site].has_notice(NoticeCode::FolderUnusable));
        assert_eq!(world[site].host().folder.files().count(), 1);
    }
}

#[test]
fn f15_a_smaller_session_that_another_device_made_at_once_ends_this_one() {
    let (mut world, sites) = World::folder_group(1, 1);
    let smaller = Info::open("00000000-0000-4000-8000-000000000001".parse().unwrap());
    world[sites[0]].host().folder.put("info (conflicted copy)", FolderFile::new(smaller.to_json()));
    let files = world[sites[0]].host().folder.files().count();
    world.post(sites[0], "kept");
    world.pass(0);
    world.tell(sites[0], Event::FolderChanged { folder: FOLDER, paths: vec!["info (conflicted copy)".into()] });
    world.pass(2 * MINUTE_MS);
    assert!(world[sites[0]].has_notice(NoticeCode::SessionSuperseded));
    assert!(world[sites[0]].host().folder.files().count() <= files + 1);
}

#[test]
fn a_store_that_lost_a_message_which_the_folder_lacks_ends_all_sending() {
    let (mut world, sites) = World::folder_group(1, 1);
    let site = sites[0];
    world.post(site, "one");
    let path = path_of(&mut world, site, "one");
    let (own, counter) = *world[site].host().application.published().last().unwrap();
    world[site].host().store.save(vec![Write { key: message_key(own, counter), value: None }]);
    world[site].host().folder.take(&path).unwrap();
    world.pass(120 * MINUTE_MS);
    assert!(world[site].has_notice(NoticeCode::StoreCorrupt));
    assert!(world[site].status().failed);
}

#[test]
fn a_message_that_is_saved_under_another_number_is_found_at_the_start() {
    let (mut world, sites) = World::folder_group(1, 1);
    let site = sites[0];
    world.post(site, "one");
    world.settle();
    let (own, counter) = *world[site].host().application.published().last().unwrap();
    let key = message_key(own, counter);
    world.crash(site);
    let value = world[site].host().store.value(&key).map(<[u8]>::to_vec);
    let elsewhere = message_key(own, counter + 7);
    world[site].host().store.save(vec![Write { key, value: None }, Write { key: elsewhere, value }]);
    world.start(site);
    world.pass(MINUTE_MS);
    assert!(world[site].has_notice(NoticeCode::StoreCorrupt));
    assert!(world[site].status().failed);
}

#[test]
fn f07_a_folder_that_goes_away_while_it_is_looked_at_is_missing_and_not_unusable() {
    for steps in 0..12 {
        let (mut world, sites) = World::folder_group(1, 1);
        let site = sites[0];
        world.tell(site, Event::FolderChanged { folder: FOLDER, paths: Vec::new() });
        for _ in 0..steps {
            world.step();
        }
        let names: Vec<String> = world[site].host().folder.files().map(|(path, _)| path.to_string()).collect();
        for name in names {
            world[site].host().folder.take(&name);
        }
        world.pass(2 * MINUTE_MS);
        assert!(world[site].has_notice(NoticeCode::FolderMissing), "after {steps} steps");
        assert!(!world[site].has_notice(NoticeCode::FolderUnusable), "after {steps} steps");
    }
}

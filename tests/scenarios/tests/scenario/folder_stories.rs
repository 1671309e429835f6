//! Message folders: what drawn stories found.

use syncline_core::api::{DeliveryConfig, DeliveryOrder, Event, FolderState, NoticeCode, Work};
use syncline_core::folder::Info;
use syncline_sim::folder::FolderFile;
use syncline_sim::{FOLDER, SiteId, World};

const MINUTE_MS: u64 = 60_000;

fn texts(world: &mut World, site: SiteId) -> Vec<String> {
    world[site].host().application.texts()
}

fn look(world: &mut World, site: SiteId) {
    world.tell(site, Event::FolderChanged { folder: FOLDER, paths: Vec::new() });
    world.settle();
}

#[test]
fn an_info_whose_bytes_are_elsewhere_is_asked_for() {
    let (mut world, sites) = World::folder_group(1, 2);
    world[sites[1]].host().folder.evict("info");
    world.restart(sites[1]);
    world.settle();
    assert_eq!(world[sites[1]].status().folders[0].state, FolderState::Halted);
    world.post(sites[0], "text");
    world.carry();
    world.pass(MINUTE_MS);
    world.carry();
    assert_eq!(world[sites[1]].status().folders[0].state, FolderState::Following);
    assert_eq!(texts(&mut world, sites[1]), ["text"]);
}

#[test]
fn a_folder_that_goes_while_a_write_waits_for_its_next_try_keeps_nobody_busy() {
    let (mut world, sites) = World::folder_group(1, 1);
    world[sites[0]].host().folder.is_there = false;
    world.post(sites[0], "text");
    world.pass(10 * MINUTE_MS);
    assert_eq!(world[sites[0]].status().folders[0].state, FolderState::Halted);
    world[sites[0]].host().folder.is_there = true;
    world.pass(MINUTE_MS);
    assert_eq!(world[sites[0]].status().folders[0].unwritten, 0);
}

#[test]
fn a_smaller_session_that_comes_after_the_folder_was_missing_is_told_all_the_same() {
    let (mut world, sites) = World::folder_group(1, 1);
    let own = world[sites[0]].host().folder.take("info").unwrap();
    let smaller = Info::open("00000000-0000-4000-8000-000000000001".parse().unwrap());
    world[sites[0]].host().folder.put("info", FolderFile::new(smaller.to_json()));
    look(&mut world, sites[0]);
    assert!(world[sites[0]].has_notice(NoticeCode::FolderMissing));
    assert!(!world[sites[0]].has_notice(NoticeCode::SessionSuperseded));
    world[sites[0]].host().folder.put("info (conflicted copy)", own);
    look(&mut world, sites[0]);
    assert!(world[sites[0]].has_notice(NoticeCode::SessionSuperseded));
}

#[test]
fn an_application_that_outlives_its_store_misses_nothing() {
    for order in [DeliveryOrder::Arrival, DeliveryOrder::Total] {
        let (mut world, sites) = World::folder_group(1, 2);
        for site in &sites {
            world.crash(*site);
            world[*site].config().delivery = Some(DeliveryConfig { order, delivered: 0 });
            world.start(*site);
        }
        world.settle();
        for text in ["one", "two", "three"] {
            world.post(sites[0], text);
        }
        world.carry();
        assert_eq!(texts(&mut world, sites[1]), ["one", "two", "three"]);
        world.crash(sites[1]);
        world.lose_store(sites[1]);
        world.start(sites[1]);
        world.settle();
        world.post(sites[0], "four");
        world.carry();
        world.pass(2 * MINUTE_MS);
        world.carry();
        let stored = world[sites[1]].host().application.stored().to_vec();
        assert!(texts(&mut world, sites[1]).contains(&"four".to_owned()), "{order:?}");
        let sequences: Vec<u64> = stored.iter().map(|message| message.sequence).collect();
        assert_eq!(sequences, (1..=stored.len() as u64).collect::<Vec<_>>());
    }
}

#[test]
fn an_acknowledgement_that_was_due_when_an_engine_ended_is_written_by_the_next_one() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.crash(sites[0]);
    world[sites[0]].config().delivery = Some(DeliveryConfig { order: DeliveryOrder::Total, delivered: 0 });
    world.start(sites[0]);
    world.settle();
    world.post(sites[0], "text");
    world.pass(0);
    while world.carry_by(|_, _| None) > 0 {
        world.pass(0);
    }
    // It is saved on the other device, which has not answered yet.
    assert_eq!(texts(&mut world, sites[1]), ["text"]);
    assert!(texts(&mut world, sites[0]).is_empty());
    world.restart(sites[1]);
    world.carry();
    assert_eq!(texts(&mut world, sites[0]), ["text"]);
}

#[test]
fn nothing_is_said_before_it_is_known_what_this_device_has_said() {
    let (mut world, sites) = World::folder_group(1, 2);
    let own = world[sites[0]].status().replica.unwrap();
    world.post(sites[1], "text");
    world.pass(0);
    while world.carry_by(|_, _| None) > 0 {
        world.pass(0);
    }
    // It is saved and not answered yet; the answer is what the store put back does not know of.
    let store = world[sites[0]].host().store.clone();
    world.carry();
    world.pass(5_000);
    world.crash(sites[0]);
    world[sites[0]].host().store = store;
    world[sites[0]].hold(|work| matches!(work, Work::FolderList { .. } | Work::FolderRead { .. }));
    world.start(sites[0]);
    world.pass(MINUTE_MS);
    world[sites[0]].let_go();
    world.settle();
    world.carry();
    assert_ne!(world[sites[0]].status().replica, Some(own));
    assert!(!world[sites[1]].has_notice(NoticeCode::Fork));
    assert_eq!(world[sites[0]].status().digest, world[sites[1]].status().digest);
}

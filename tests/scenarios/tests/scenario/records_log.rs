//! What becomes of the messages that carry records, as time goes by.

use syncline_core::{
    api::{FolderIndexing, RowName},
    log::Message,
};
use syncline_sim::{Database, SiteId, World, row, table};

/// Whether devices speak by links or through a message folder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Carrier {
    Links,
    Folder,
}

pub fn add(world: &mut World, carrier: Carrier) -> SiteId {
    let site = world.add_to_folder(false, FolderIndexing::Listing);
    if carrier == Carrier::Links {
        world[site].config().folders.clear();
    }
    world[site].config().delivery = None;
    world.keep_tables(site, vec![table("albums")]);
    world.start(site);
    world.settle();
    site
}

pub fn group(devices: usize, carrier: Carrier) -> (World, Vec<SiteId>) {
    let mut world = World::new(1);
    let sites: Vec<SiteId> = (0..devices).map(|_| add(&mut world, carrier)).collect();
    connect(&mut world, &sites, carrier);
    (world, sites)
}

/// All devices have what the others have.
pub fn connect(world: &mut World, sites: &[SiteId], carrier: Carrier) {
    for pair in sites.windows(2) {
        if carrier == Carrier::Links && !world.is_linked(pair[0], pair[1]) {
            world.link(pair[0], pair[1]);
        }
    }
    exchange(world, carrier);
}

pub fn exchange(world: &mut World, carrier: Carrier) {
    match carrier {
        Carrier::Links => world.settle(),
        Carrier::Folder => {
            for _ in 0..3 {
                world.carry();
                world.pass(120_000);
            }
        }
    }
}

pub fn database(world: &mut World, site: SiteId) -> &mut Database {
    &mut world[site].host().database
}

pub fn album(number: usize) -> RowName {
    row("albums", &number.to_string())
}

pub fn assert_equal(world: &mut World, sites: &[SiteId]) {
    let first = database(world, sites[0]).rows().clone();
    for site in sites {
        assert_eq!(*database(world, *site).rows(), first);
        assert!(world[*site].status().quiet);
        let status = world[*site].status().records.unwrap();
        assert_eq!((status.unmerged, status.held, status.unapplied), (0, 0, 0));
    }
}

/// What the messages in a device's store take.
fn bytes(world: &mut World, site: SiteId) -> usize {
    let pairs = world[site].host().store.pairs();
    pairs.filter(|(key, _)| key.first() == Some(&b'm')).map(|(_, value)| value.len()).sum()
}

/// The messages of operations that a device's store has.
pub fn messages(world: &mut World, site: SiteId) -> usize {
    let pairs = world[site].host().store.pairs();
    let messages =
        pairs.filter(|(key, _)| key.first() == Some(&b'm')).map(|(_, value)| Message::decode(value).unwrap());
    messages.filter(|(message, _)| message.operations().next().is_some()).count()
}

fn files(world: &mut World, site: SiteId) -> usize {
    world[site].host().folder.files().filter(|(path, _)| path.contains('/')).count()
}

#[test]
fn what_a_feed_holds_follows_the_rows_that_live() {
    let (mut world, sites) = group(2, Carrier::Links);
    for number in 0..2_000 {
        world.put_row(sites[0], album(number % 10), &[("name", &format!("name {number}"))]);
        world.settle();
    }
    assert_equal(&mut world, &sites);
    for site in &sites {
        let held = messages(&mut world, *site);
        assert!(held < 200, "{held} messages of 2,000");
    }
    // Who comes now gets what lives.
    let before = world[sites[1]].counts().sent_bytes;
    let third = add(&mut world, Carrier::Links);
    connect(&mut world, &[sites[1], third], Carrier::Links);
    let sent = world[sites[1]].counts().sent_bytes - before;
    assert_equal(&mut world, &[sites[0], sites[1], third]);
    assert!(sent < 60_000, "{sent} bytes");
    assert!(messages(&mut world, third) < 200);
    // A restart in the midst forgets nothing, and what the other one writes over counts, too.
    world.restart(sites[0]);
    world.settle();
    connect(&mut world, &sites, Carrier::Links);
    for number in 0..400 {
        world.put_row(sites[1], album(number % 10), &[("name", &format!("new {number}"))]);
        world.put_row(sites[0], album(20 + number % 3), &[("name", &format!("own {number}"))]);
        world.settle();
    }
    assert_equal(&mut world, &[sites[0], sites[1], third]);
    let held = messages(&mut world, third);
    assert!(held < 300, "{held} messages");
}

#[test]
fn of_a_message_of_which_little_is_left_that_is_written_again_as_it_was_stamped() {
    let (mut world, sites) = group(2, Carrier::Links);
    world[sites[0]].config().compaction.checkpoint_items_min = 2;
    world.crash(sites[0]);
    for number in 0..60 {
        let text = "first ".repeat(40);
        world.put_row(sites[0], album(number), &[("name", &text), ("year", "1999")]);
    }
    world.start(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    world.settle();
    connect(&mut world, &sites, Carrier::Links);
    let batches = world[sites[1]].host().database.batches();
    for round in 0..4 {
        for number in 0..55 {
            world.put_row(sites[0], album(number), &[("name", &format!("{round}")), ("year", &format!("{round}"))]);
            world.settle();
        }
    }
    assert_equal(&mut world, &sites);
    let came = world[sites[1]].host().database.batches() - batches;
    assert_eq!(came, 4 * 55, "what is written again changes nothing");
    let bytes = bytes(&mut world, sites[1]);
    assert!(bytes < 25_000, "{bytes} bytes, of which the first message had half");
    let held = messages(&mut world, sites[1]);
    assert!(held < 110, "{held} messages");
    let third = add(&mut world, Carrier::Links);
    connect(&mut world, &[sites[1], third], Carrier::Links);
    assert_equal(&mut world, &[sites[0], sites[1], third]);
    assert_eq!(database(&mut world, third).rows().len(), 60);
}

#[test]
fn many_small_messages_of_which_all_counts_become_a_few() {
    for carrier in [Carrier::Links, Carrier::Folder] {
        let (mut world, sites) = group(2, carrier);
        for number in 0..1_000 {
            world.put_row(sites[0], album(number), &[("name", &format!("name {number}"))]);
            world.settle();
        }
        exchange(&mut world, carrier);
        assert_equal(&mut world, &sites);
        let held = messages(&mut world, sites[1]);
        assert!(held < 250, "{held} messages of 1,000 by {carrier:?}");
        let third = add(&mut world, carrier);
        connect(&mut world, &[sites[1], third], carrier);
        exchange(&mut world, carrier);
        assert_equal(&mut world, &[sites[0], sites[1], third]);
        assert_eq!(database(&mut world, third).rows().len(), 1_000);
        // What was written again counts as what it was: a later deletion and change win, and nothing comes twice.
        world.delete_row(sites[1], album(7));
        world.put_row(sites[1], album(8), &[("name", "changed")]);
        world.settle();
        exchange(&mut world, carrier);
        exchange(&mut world, carrier);
        assert_equal(&mut world, &[sites[0], sites[1], third]);
        assert_eq!(database(&mut world, sites[0]).rows().len(), 999);
    }
}

#[test]
fn over_a_message_folder_the_files_go() {
    let (mut world, sites) = group(2, Carrier::Folder);
    for number in 0..400 {
        world.put_row(sites[0], album(number % 10), &[("name", &format!("name {number}"))]);
        world.settle();
    }
    exchange(&mut world, Carrier::Folder);
    assert_equal(&mut world, &sites);
    let left = files(&mut world, sites[0]);
    assert!((20..200).contains(&left), "{left} files");
    let third = add(&mut world, Carrier::Folder);
    exchange(&mut world, Carrier::Folder);
    assert_equal(&mut world, &[sites[0], sites[1], third]);
    assert_eq!(database(&mut world, third).rows().len(), 10);
}

/// R12: devices end after any step while messages become void and are written again.
#[test]
fn r12_compaction_interrupted_at_every_step_loses_nothing_and_repeats_nothing() {
    for stop in 0..120 {
        let (mut world, sites) = group(2, Carrier::Links);
        for site in &sites {
            world[*site].config().compaction.checkpoint_items_min = 2;
            world.restart(*site);
        }
        world.settle();
        connect(&mut world, &sites, Carrier::Links);
        world.crash(sites[0]);
        for number in 0..9 {
            world.put_row(sites[0], album(number), &[("name", "first")]);
        }
        world.start(sites[0]);
        world.settle();
        world.give_rows(sites[0]);
        for number in 0..8 {
            world.put_row(sites[0], album(number), &[("name", &format!("second {number}"))]);
        }
        world.settle();
        connect(&mut world, &sites, Carrier::Links);
        for number in 0..7 {
            world.put_row(sites[0], album(number), &[("name", &format!("third {number}"))]);
        }
        for _ in 0..stop {
            world.step();
        }
        let victims = if stop % 3 == 0 { &sites[..] } else { &sites[..1] };
        for site in victims {
            world.restart(*site);
        }
        world.settle();
        for site in &sites {
            world.give_rows(*site);
        }
        world.settle();
        connect(&mut world, &sites, Carrier::Links);
        let expected = |number: usize| match number {
            0..7 => format!("third {number}"),
            7 => "second 7".into(),
            _ => "first".into(),
        };
        for round in 0..6 {
            world.put_row(sites[0], album(99), &[("name", &format!("{round}"))]);
            world.settle();
        }
        // Who comes now has nothing but what is held still.
        let third = add(&mut world, Carrier::Links);
        connect(&mut world, &[sites[1], third], Carrier::Links);
        assert_equal(&mut world, &[sites[0], sites[1], third]);
        let rows = database(&mut world, third).rows().clone();
        assert_eq!(rows.len(), 10, "after {stop} steps");
        for number in 0..9 {
            assert_eq!(rows[&album(number)]["name"], expected(number).as_bytes(), "after {stop} steps");
        }
    }
}

//! Rows of applications' databases, on several devices.

use syncline_core::api::{
    Command, DeleteRule, FolderIndexing, MergeType, NoticeCode, RowName, RowQuery, TableConfig, TableKind, Work,
};
use syncline_sim::{Database, SiteId, World, row, table};

const YEAR_MS: i64 = 365 * 24 * 3_600_000;

/// So many devices with the tables of a little library, connected in a chain.
pub fn library(seed: u64, devices: usize) -> (World, Vec<SiteId>) {
    let mut world = World::new(seed);
    let sites: Vec<SiteId> = (0..devices).map(|_| add(&mut world)).collect();
    for site in &sites {
        world.start(*site);
    }
    world.settle();
    link(&mut world, &sites);
    (world, sites)
}

pub fn add(world: &mut World) -> SiteId {
    let site = world.add_to_folder(false, FolderIndexing::Listing);
    world[site].config().folders.clear();
    world[site].config().delivery = None;
    world.keep_tables(site, tables());
    site
}

pub fn tables() -> Vec<TableConfig> {
    let owned = TableConfig { kind: TableKind::Owned, ..table("file_paths") };
    let stays = TableConfig { delete: DeleteRule::DeletionWins, ..table("tags") };
    let set = TableConfig { merge: MergeType::GSet, ..table("genres") };
    vec![table("albums"), owned, stays, set]
}

pub fn link(world: &mut World, sites: &[SiteId]) {
    for pair in sites.windows(2) {
        world.link(pair[0], pair[1]);
    }
    world.settle();
}

pub fn unlink(world: &mut World, sites: &[SiteId]) {
    for pair in sites.windows(2) {
        world.unlink(pair[0], pair[1]);
    }
    world.settle();
}

pub fn database(world: &mut World, site: SiteId) -> &mut Database {
    &mut world[site].host().database
}

pub fn get(world: &mut World, site: SiteId, name: &RowName, property: &str) -> Option<String> {
    let value = database(world, site).rows().get(name)?.get(property)?.clone();
    String::from_utf8(value).ok()
}

pub fn assert_equal(world: &mut World, sites: &[SiteId]) {
    let first = database(world, sites[0]).rows().clone();
    for site in sites {
        assert_eq!(*database(world, *site).rows(), first);
        assert!(world[*site].status().quiet);
        let status = world[*site].status().records.unwrap();
        assert_eq!((status.unmerged, status.unapplied), (0, 0));
    }
}

#[test]
fn rows_written_on_every_device_come_to_every_other_property_by_property() {
    let (mut world, sites) = library(1, 3);
    let jeff = row("albums", "1");
    world.put_row(sites[0], jeff.clone(), &[("name", "jeff"), ("year", "1999")]);
    world.settle();
    unlink(&mut world, &sites);
    world.put_row(sites[0], jeff.clone(), &[("name", "geoff")]);
    world.put_row(sites[1], jeff.clone(), &[("year", "2001")]);
    world.put_row(sites[2], row("albums", "2"), &[("name", "new")]);
    world.settle();
    link(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[2], &jeff, "name").as_deref(), Some("geoff"));
    assert_eq!(get(&mut world, sites[2], &jeff, "year").as_deref(), Some("2001"));
    assert_eq!(database(&mut world, sites[0]).rows().len(), 2);
}

#[test]
fn of_two_writes_the_later_one_counts_and_who_has_seen_a_value_writes_over_it() {
    let (mut world, sites) = library(1, 2);
    let name = row("albums", "1");
    world.put_row(sites[0], name.clone(), &[("name", "first")]);
    world.settle();
    // The second device's clock is far behind: what it had seen it can write over all the same.
    world[sites[1]].jump(-3_600_000);
    world.put_row(sites[1], name.clone(), &[("name", "second")]);
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[0], &name, "name").as_deref(), Some("second"));
}

#[test]
fn a_deletion_and_a_concurrent_change_end_by_the_rule_of_their_table() {
    let (mut world, sites) = library(1, 2);
    let (album, tag) = (row("albums", "1"), row("tags", "1"));
    for name in [&album, &tag] {
        world.put_row(sites[0], name.clone(), &[("name", "x"), ("color", "red")]);
    }
    world.settle();
    unlink(&mut world, &sites);
    for name in [&album, &tag] {
        world.delete_row(sites[0], name.clone());
    }
    world.pass(5_000);
    for name in [&album, &tag] {
        world.put_row(sites[1], name.clone(), &[("name", "changed")]);
    }
    link(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[0], &album, "color").as_deref(), Some("red"), "it is back whole");
    assert!(!database(&mut world, sites[1]).rows().contains_key(&tag));
    // A row that was deleted and is made again by someone who knows is there again.
    world.delete_row(sites[0], album.clone());
    world.settle();
    world.put_row(sites[1], album.clone(), &[("name", "again")]);
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[0], &album, "name").as_deref(), Some("again"));
}

#[test]
fn r08_two_devices_create_the_same_default_rows_and_each_is_one_and_can_be_deleted() {
    let mut world = World::new(1);
    let sites = [add(&mut world), add(&mut world)];
    for site in sites {
        world.start(site);
        world.settle();
        world.put_row(site, row("albums", "default"), &[("name", "Favourites")]);
        world.settle();
    }
    link(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(database(&mut world, sites[0]).rows().len(), 1);
    world.delete_row(sites[1], row("albums", "default"));
    world.settle();
    assert_equal(&mut world, &sites);
    assert!(database(&mut world, sites[0]).rows().is_empty());
    // A third device that starts anew makes its default row, which everybody else had deleted.
    let third = add(&mut world);
    world.start(third);
    world.settle();
    world.put_row(third, row("albums", "default"), &[("name", "Favourites")]);
    world.settle();
    link(&mut world, &[sites[0], third]);
    assert!(database(&mut world, third).rows().is_empty());
    assert_equal(&mut world, &[sites[0], sites[1], third]);
}

#[test]
fn r01_an_operation_stamped_ten_years_ahead_is_held_and_everything_else_flows() {
    let (mut world, sites) = library(1, 2);
    world[sites[1]].jump(10 * YEAR_MS);
    world.put_row(sites[1], row("albums", "future"), &[("name", "too early")]);
    world.settle();
    assert!(database(&mut world, sites[0]).rows().is_empty());
    let status = world[sites[0]].status().records.unwrap();
    assert_eq!((status.held, status.unmerged), (1, 1));
    let notices = world[sites[0]].take_notices();
    let told = notices.iter().find(|notice| notice.code == NoticeCode::ClockSkew).unwrap();
    assert_eq!(told.replica, world[sites[1]].status().replica);
    // The own clock is unmoved: the other device takes what is written now, at once.
    world.put_row(sites[0], row("albums", "now"), &[("name", "on time")]);
    world.settle();
    assert!(database(&mut world, sites[1]).rows().contains_key(&row("albums", "now")));
    world.restart(sites[0]);
    world.settle();
    assert_eq!(world[sites[0]].status().records.unwrap().held, 1);
    assert!(world[sites[0]].status().quiet);
    // It counts when its time has come.
    world[sites[0]].jump(10 * YEAR_MS + 60_000);
    world.pass(120_000);
    assert_eq!(get(&mut world, sites[0], &row("albums", "future"), "name").as_deref(), Some("too early"));
    assert_eq!(world[sites[0]].status().records.unwrap().held, 0);
}

#[test]
fn r02_whoever_saw_a_value_stamped_just_inside_the_drift_writes_over_it() {
    let (mut world, sites) = library(1, 2);
    world[sites[1]].jump(90);
    let name = row("albums", "1");
    for round in 0..5 {
        world.put_row(sites[1], name.clone(), &[("name", "ahead")]);
        world.settle();
        let mine = format!("mine {round}");
        world.put_row(sites[0], name.clone(), &[("name", &mine)]);
        world.settle();
        assert_equal(&mut world, &sites);
        assert_eq!(get(&mut world, sites[1], &name, "name"), Some(mine));
    }
}

#[test]
fn r17_a_change_of_somebody_elses_owned_row_is_refused_and_put_right() {
    let (mut world, sites) = library(1, 2);
    let name = row("file_paths", "/music/a.flac");
    world.put_row(sites[0], name.clone(), &[("size", "100")]);
    world.settle();
    let theirs = database(&mut world, sites[1]).rows().keys().next().unwrap().clone();
    let members = world[sites[1]].status().members;
    assert_eq!(theirs.owner, members.iter().find(|member| member.name == "device 0").unwrap().public_key);
    world[sites[1]].take_notices();
    world.put_row(sites[1], theirs.clone(), &[("size", "7")]);
    world.settle();
    let notices = world[sites[1]].take_notices();
    let refused = notices.iter().find(|notice| notice.code == NoticeCode::RowRefused).unwrap();
    assert!(refused.message.contains("device 0"), "{}", refused.message);
    assert_eq!(get(&mut world, sites[1], &theirs, "size").as_deref(), Some("100"));
    // Its owner changes and deletes it.
    world.put_row(sites[0], name.clone(), &[("size", "101")]);
    world.settle();
    assert_eq!(get(&mut world, sites[1], &theirs, "size").as_deref(), Some("101"));
    world.delete_row(sites[0], name);
    world.settle();
    assert!(database(&mut world, sites[1]).rows().is_empty());
}

#[test]
fn rows_of_a_set_are_neither_changed_nor_deleted() {
    let (mut world, sites) = library(1, 2);
    let name = row("genres", "jazz");
    world.put_row(sites[0], name.clone(), &[("label", "Jazz")]);
    world.settle();
    world.put_row(sites[1], name.clone(), &[("label", "Rock")]);
    world.settle();
    world.delete_row(sites[1], name.clone());
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[1], &name, "label").as_deref(), Some("Jazz"));
}

#[test]
fn what_people_wrote_while_no_engine_ran_comes_once_and_a_table_that_becomes_known_later_too() {
    let (mut world, sites) = library(1, 2);
    world.crash(sites[0]);
    for number in 0..200 {
        world.put_row(sites[0], row("albums", &number.to_string()), &[("name", "offline")]);
    }
    world[sites[1]].config().records.as_mut().unwrap().tables.remove(0);
    world.restart(sites[1]);
    world.start(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    world.settle();
    link(&mut world, &sites);
    assert_eq!(world[sites[0]].status().records.unwrap().sent, 200);
    assert!(database(&mut world, sites[1]).rows().is_empty());
    // The second device's application learns of albums.
    world.keep_tables(sites[1], tables());
    world.restart(sites[1]);
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(database(&mut world, sites[1]).rows().len(), 200);
}

#[test]
fn a_database_that_fails_or_is_put_back_gets_what_it_lacks() {
    let (mut world, sites) = library(1, 2);
    database(&mut world, sites[1]).fail_next(3);
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    let old = database(&mut world, sites[1]).clone();
    world.pass(60_000);
    world.put_row(sites[0], row("albums", "2"), &[("name", "b")]);
    world.settle();
    assert_equal(&mut world, &sites);
    let batches = database(&mut world, sites[1]).batches();
    world.restart(sites[1]);
    world.settle();
    assert_eq!(database(&mut world, sites[1]).batches(), batches, "nothing comes twice");
    world.crash(sites[1]);
    *database(&mut world, sites[1]) = old;
    world.start(sites[1]);
    world.settle();
    link(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(database(&mut world, sites[1]).rows().len(), 2);
}

/// R10, R12: whatever is lost in the midst, each change counts once and both databases are equal in the end.
#[test]
fn r10_a_crash_after_any_step_repeats_nothing_and_skips_nothing() {
    for stop in 1..60 {
        let (mut world, sites) = library(1, 2);
        let name = row("albums", "1");
        world.put_row(sites[0], name.clone(), &[("name", "one"), ("year", "1")]);
        world.put_row(sites[1], row("albums", "2"), &[("name", "two")]);
        for _ in 0..stop {
            world.step();
        }
        for site in &sites {
            world.restart(*site);
        }
        world.settle();
        for site in &sites {
            world.give_rows(*site);
        }
        world.settle();
        link(&mut world, &sites);
        assert_equal(&mut world, &sites);
        assert_eq!(database(&mut world, sites[0]).rows().len(), 2, "after {stop} steps");
        assert_eq!(get(&mut world, sites[1], &name, "year").as_deref(), Some("1"));
    }
}

#[test]
fn r09_operations_of_a_member_that_is_not_known_yet_are_applied_in_the_end() {
    let mut world = World::new(1);
    let sites: Vec<SiteId> = (0..2)
        .map(|_| {
            let site = world.add_to_folder(false, FolderIndexing::Listing);
            world[site].config().delivery = None;
            world.keep_tables(site, tables());
            world.start(site);
            site
        })
        .collect();
    world.settle();
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    // The service brings the first message, which introduces the author, last.
    world.carry_by(|_, path| path.ends_with("/1").then_some(syncline_sim::folder::Trouble::Late));
    world.settle();
    assert!(database(&mut world, sites[1]).rows().is_empty());
    world.carry();
    world.pass(400_000);
    assert_eq!(get(&mut world, sites[1], &row("albums", "1"), "name").as_deref(), Some("a"));
}

#[test]
fn rows_are_read_from_the_engine_in_the_order_of_their_keys() {
    let (mut world, sites) = library(1, 2);
    for key in ["b", "a", "d", "c"] {
        world.put_row(sites[0], row("albums", key), &[("name", key)]);
    }
    world.settle();
    world.delete_row(sites[0], row("albums", "c"));
    world.settle();
    let query = RowQuery {
        table: "albums".into(),
        after: None,
        from: b"b".to_vec(),
        until: Some(b"z".to_vec()),
        deleted: false,
        limit: 1,
    };
    let mut read = Vec::new();
    let mut next = Some(query.clone());
    while let Some(query) = next.take() {
        world.command(sites[1], Command::ReadRows { request: 7, query: query.clone() });
        world.settle();
        let (rows, more) = database(&mut world, sites[1]).take_answer(7).unwrap();
        read.extend(rows.iter().map(|row| String::from_utf8(row.name.key.clone()).unwrap()));
        next = more.then(|| RowQuery { after: rows.last().map(|row| row.name.clone()), ..query });
    }
    assert_eq!(read, ["b", "d"]);
    world.command(sites[1], Command::ReadRows { request: 8, query: RowQuery { deleted: true, limit: 9, ..query } });
    world.settle();
    let (rows, more) = database(&mut world, sites[1]).take_answer(8).unwrap();
    assert_eq!((rows.len(), more), (3, false));
    assert!(!rows[1].exists);
}

#[test]
fn a_large_batch_is_given_page_by_page_and_goes_on_after_a_crash() {
    let (mut world, sites) = library(1, 2);
    world.crash(sites[0]);
    for number in 0..3_000 {
        world.put_row(sites[0], row("file_paths", &format!("/music/{number}")), &[("size", &number.to_string())]);
    }
    for _ in 0..5 {
        world.start(sites[0]);
        world.settle();
        world.give_rows(sites[0]);
        let saves = world[sites[0]].counts().saves + 2;
        world.run_until(|world| world[sites[0]].counts().saves >= saves);
        world.crash(sites[0]);
    }
    world.start(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    world.settle();
    link(&mut world, &sites);
    let theirs = database(&mut world, sites[1]).rows().clone();
    assert_eq!(theirs.len(), 3_000);
    // Each row was sent once.
    let messages = world[sites[0]].status().members.iter().map(|member| member.counter).max().unwrap();
    assert!(messages < 3_000 / 32, "{messages} messages");
    assert!(!matches!(world[sites[0]].pending().next(), Some((_, Work::ApplyRows { .. }))));
}

#[test]
fn what_was_changed_offline_counts_from_when_it_was_changed() {
    let (mut world, sites) = library(1, 2);
    let name = row("albums", "1");
    world.put_row(sites[0], name.clone(), &[("name", "first"), ("year", "1")]);
    world.settle();
    world.crash(sites[0]);
    world.put_row(sites[0], name.clone(), &[("name", "earlier")]);
    world.pass(60_000);
    world.put_row(sites[1], name.clone(), &[("name", "later")]);
    world.settle();
    // What is later is already on its way when the first device runs again.
    world.start(sites[0]);
    link(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[0], &name, "name").as_deref(), Some("later"));
}

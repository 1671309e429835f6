//! Rows of applications' databases: what drawn stories found.

use syncline_core::api::{Command, FolderIndexing, NoticeCode, RowName, RowQuery, RowState, Work};
use syncline_sim::folder::Trouble;
use syncline_sim::{SiteId, Values, World, row};

use crate::records::{assert_equal, database, get, library, link, tables, unlink};

/// What the engine of a device says of a row of a table: none if it is not there.
fn asked(world: &mut World, site: SiteId, table: &str) -> Vec<(RowName, Vec<(String, String)>)> {
    let query =
        RowQuery { table: table.into(), after: None, from: vec![], until: None, deleted: false, limit: u32::MAX };
    world.command(site, Command::ReadRows { request: 99, query });
    world.settle();
    let (rows, _) = database(world, site).take_answer(99).unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
    let values = |row: RowState| {
        let values = row.values.into_iter().map(|value| (value.property, text(value.value))).collect();
        (row.name, values)
    };
    rows.into_iter().map(values).collect()
}

/// The database of a device has what its engine has of a table.
fn assert_shown(world: &mut World, site: SiteId, table: &str) {
    let engine = asked(world, site, table);
    let text = |bytes: &Vec<u8>| String::from_utf8(bytes.clone()).unwrap();
    let rows = database(world, site).rows().iter().filter(|(name, _)| name.table == table);
    let values = |values: &Values| values.iter().map(|(name, value)| (name.clone(), text(value))).collect();
    let shown: Vec<(RowName, Vec<(String, String)>)> = rows.map(|(name, of)| (name.clone(), values(of))).collect();
    assert_eq!(shown, engine);
}

/// A row that a device owns.
fn own_row(world: &World, site: SiteId, number: usize, key: &str) -> RowName {
    let members = world[site].status().members;
    let owner = members.iter().find(|member| member.name == format!("device {number}")).unwrap().public_key.clone();
    RowName { owner, ..row("file_paths", key) }
}

#[test]
fn changes_count_as_taken_when_they_are_saved_and_not_before() {
    let (mut world, sites) = library(1, 2);
    unlink(&mut world, &sites);
    world[sites[0]].hold(|work| matches!(work, Work::Save { .. }));
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    assert_eq!(world[sites[0]].status().records.unwrap().taken, 0);
    world.give_rows(sites[0]);
    world[sites[0]].let_go();
    world.restart(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    world.settle();
    link(&mut world, &sites);
    assert_eq!(world[sites[0]].status().records.unwrap().taken, 1);
    assert_equal(&mut world, &sites);
    assert_eq!(database(&mut world, sites[1]).rows().len(), 1);
}

#[test]
fn a_table_that_becomes_known_is_given_once_and_not_with_every_start() {
    let (mut world, sites) = library(1, 2);
    world[sites[1]].config().records.as_mut().unwrap().tables.remove(3);
    world.restart(sites[1]);
    world.settle();
    link(&mut world, &sites);
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    let batches = database(&mut world, sites[1]).batches();
    world.keep_tables(sites[1], tables());
    for _ in 0..3 {
        world.restart(sites[1]);
        world.settle();
    }
    // All rows, and the number under which it is known that they came.
    assert_eq!(database(&mut world, sites[1]).batches(), batches + 2);
}

#[test]
fn a_row_that_others_own_is_undone_where_somebody_made_it_as_an_own_one() {
    let (mut world, sites) = library(1, 2);
    let (theirs, mine) = (own_row(&world, sites[0], 0, "/a"), own_row(&world, sites[0], 1, "/a"));
    world.put_row(sites[0], theirs, &[("size", "1")]);
    world.settle();
    world.put_row(sites[1], mine.clone(), &[("size", "2")]);
    world.settle();
    assert!(world[sites[1]].has_notice(NoticeCode::RowRefused));
    assert!(!database(&mut world, sites[1]).rows().contains_key(&mine));
    assert_shown(&mut world, sites[1], "file_paths");
}

#[test]
fn a_change_of_somebody_elses_row_that_is_deleted_meanwhile_shows_as_the_own_row_that_it_makes() {
    let (mut world, sites) = library(1, 2);
    let theirs = own_row(&world, sites[0], 0, "/a");
    world.put_row(sites[0], theirs.clone(), &[("size", "1")]);
    world.settle();
    world.crash(sites[1]);
    world.put_row(sites[1], theirs.clone(), &[("size", "2")]);
    world.delete_row(sites[0], theirs);
    world.settle();
    world.start(sites[1]);
    world.settle();
    link(&mut world, &sites);
    world.give_rows(sites[1]);
    world.settle();
    for site in &sites {
        assert_shown(&mut world, *site, "file_paths");
    }
    assert_equal(&mut world, &sites);
}

#[test]
fn what_somebody_wrote_while_older_rows_were_on_their_way_into_the_database_stays() {
    let (mut world, sites) = library(1, 2);
    world[sites[1]].hold(|work| matches!(work, Work::ApplyRows { .. }));
    world.put_row(sites[0], row("albums", "1"), &[("name", "old"), ("year", "1")]);
    world.settle();
    world.put_row(sites[1], row("albums", "1"), &[("name", "new")]);
    world.settle();
    world[sites[1]].let_go();
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(get(&mut world, sites[1], &row("albums", "1"), "name").as_deref(), Some("new"));
}

#[test]
fn a_refused_row_is_undone_where_all_rows_are_given_meanwhile() {
    let (mut world, sites) = library(1, 2);
    let (theirs, mine) = (own_row(&world, sites[0], 0, "/a"), own_row(&world, sites[0], 1, "/a"));
    world[sites[1]].config().records.as_mut().unwrap().tables.remove(3);
    world.restart(sites[1]);
    world.settle();
    link(&mut world, &sites);
    world.put_row(sites[0], theirs, &[("size", "1")]);
    world.settle();
    database(&mut world, sites[1]).fail_next(1);
    world.put_row(sites[1], mine.clone(), &[("size", "2")]);
    world.run_until(|world| world[sites[1]].has_notice(NoticeCode::Unwritable));
    // Its next version knows another table.
    world.keep_tables(sites[1], tables());
    world.restart(sites[1]);
    world.settle();
    assert!(!database(&mut world, sites[1]).rows().contains_key(&mine));
    assert_shown(&mut world, sites[1], "file_paths");
}

#[test]
fn a_refused_change_is_undone_though_the_engine_ended_before_it_could_say_that_it_had_taken_it() {
    let (mut world, sites) = library(1, 2);
    world.put_row(sites[0], row("genres", "jazz"), &[("label", "Jazz")]);
    world.settle();
    world[sites[1]].host().store.fail_saves_late(1);
    world.put_row(sites[1], row("genres", "jazz"), &[("label", "Rock")]);
    world.settle();
    world.restart(sites[1]);
    world.settle();
    assert_eq!(get(&mut world, sites[1], &row("genres", "jazz"), "label").as_deref(), Some("Jazz"));
}

#[test]
fn a_row_that_is_made_again_where_its_deletion_came_before_its_creation_is_there() {
    let (mut world, sites) = in_folder(2);
    world.put_row(sites[0], row("albums", "1"), &[("name", "a"), ("year", "1")]);
    world.settle();
    let creation = last_message(&world, sites[0], 0);
    world.delete_row(sites[0], row("albums", "1"));
    world.settle();
    let late = format!("/{creation:x}");
    world.carry_by(|_, path| path.ends_with(&late).then_some(Trouble::Late));
    world.settle();
    world.put_row(sites[1], row("albums", "1"), &[("name", "again")]);
    world.settle();
    world.carry();
    world.pass(400_000);
    world.carry();
    for site in &sites {
        assert_eq!(get(&mut world, *site, &row("albums", "1"), "name").as_deref(), Some("again"));
        assert_eq!(get(&mut world, *site, &row("albums", "1"), "year").as_deref(), Some("1"), "it is back whole");
    }
}

/// So many devices with rows that a message folder joins and nothing else.
fn in_folder(devices: usize) -> (World, Vec<SiteId>) {
    let mut world = World::new(1);
    let add = |_| {
        let site = world.add_to_folder(false, FolderIndexing::Listing);
        world[site].config().delivery = None;
        world.keep_tables(site, tables());
        world.start(site);
        site
    };
    let sites: Vec<SiteId> = (0..devices).map(add).collect();
    world.settle();
    world.carry();
    (world, sites)
}

/// The number of the last message of a device.
fn last_message(world: &World, site: SiteId, number: usize) -> u64 {
    let members = world[site].status().members;
    members.iter().find(|member| member.name == format!("device {number}")).unwrap().counter
}

#[test]
fn a_row_that_others_changed_before_this_device_heard_of_it_is_shown_whole_when_it_is_made_here() {
    let (mut world, sites) = in_folder(3);
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    let late = format!("/{:x}", last_message(&world, sites[0], 0));
    let author = world[sites[0]].status().replica.unwrap().to_string();
    let is_late = |device: usize, path: &str| device == 2 && path.starts_with(&author) && path.ends_with(&late);
    let trouble = |device: usize, path: &str| is_late(device, path).then_some(Trouble::Late);
    world.carry_by(trouble);
    world.settle();
    world.put_row(sites[1], row("albums", "1"), &[("year", "1")]);
    world.settle();
    world.carry_by(trouble);
    world.settle();
    assert!(database(&mut world, sites[2]).rows().is_empty());
    world.put_row(sites[2], row("albums", "1"), &[("name", "b")]);
    world.settle();
    assert_shown(&mut world, sites[2], "albums");
    assert_eq!(get(&mut world, sites[2], &row("albums", "1"), "year").as_deref(), Some("1"));
}

#[test]
fn a_database_that_is_put_back_to_before_a_table_became_known_gets_its_rows_again() {
    let (mut world, sites) = library(1, 2);
    world[sites[1]].config().records.as_mut().unwrap().tables.remove(0);
    world.restart(sites[1]);
    world.settle();
    link(&mut world, &sites);
    world.put_row(sites[0], row("albums", "1"), &[("name", "a")]);
    world.settle();
    let old = database(&mut world, sites[1]).clone();
    world.keep_tables(sites[1], tables());
    world.restart(sites[1]);
    world.settle();
    assert_eq!(database(&mut world, sites[1]).rows().len(), 1);
    world.crash(sites[1]);
    *database(&mut world, sites[1]) = old;
    world.start(sites[1]);
    world.settle();
    assert_eq!(database(&mut world, sites[1]).rows().len(), 1);
}

#[test]
fn a_refused_row_is_undone_again_in_a_database_that_is_put_back_to_before_it_was() {
    let (mut world, sites) = library(1, 2);
    let (theirs, mine) = (own_row(&world, sites[0], 0, "/a"), own_row(&world, sites[0], 1, "/a"));
    world.put_row(sites[0], theirs, &[("size", "1")]);
    world.settle();
    database(&mut world, sites[1]).fail_next(1);
    world.put_row(sites[1], mine.clone(), &[("size", "2")]);
    world.run_until(|world| world[sites[1]].has_notice(NoticeCode::Unwritable));
    // The engine has taken it, and the database does not know yet what came of it.
    let old = database(&mut world, sites[1]).clone();
    assert_eq!(old.pending().count(), 0);
    world.settle();
    world.pass(10_000);
    assert!(!database(&mut world, sites[1]).rows().contains_key(&mine));
    world.crash(sites[1]);
    *database(&mut world, sites[1]) = old;
    world.start(sites[1]);
    world.settle();
    assert!(!database(&mut world, sites[1]).rows().contains_key(&mine));
    assert_shown(&mut world, sites[1], "file_paths");
}

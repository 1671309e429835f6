//! Devices that are away for long, never come back, are copied, or lose all they had.

use syncline_core::api::{NoticeCode, Work};
use syncline_sim::{SiteId, World, row};

use super::records::{assert_equal, database, get, library, link, unlink};

const YEAR_MS: u64 = 365 * 24 * 3_600_000;

fn albums(world: &mut World, site: SiteId) -> usize {
    database(world, site).rows().keys().filter(|name| name.table == "albums").count()
}

/// What two devices send each other until they agree.
fn exchanged(world: &mut World, sites: &[SiteId]) -> u64 {
    let sent = |world: &World| sites.iter().map(|site| world[*site].counts().sent_bytes).sum::<u64>();
    let before = sent(world);
    link(world, sites);
    sent(world) - before
}

/// R06: nobody need be shut out, for no deletion is ever forgotten. What goes over the link follows what differs.
#[test]
fn r06_a_client_that_was_away_for_a_year_brings_nothing_back_and_keeps_its_own_new_rows() {
    let (mut world, sites) = library(1, 2);
    for number in 0..40 {
        world.put_row(
            sites[0],
            row("albums", &format!("{number}")),
            &[("name", "of old"), ("cover", &"x".repeat(500))],
        );
    }
    world.settle();
    unlink(&mut world, &sites);
    // The one that is away writes what nobody hears of, and changes what will be deleted.
    for number in 0..5 {
        world.put_row(sites[1], row("albums", &format!("own {number}")), &[("name", "written away")]);
    }
    world.put_row(sites[1], row("tags", "1"), &[("name", "written away")]);
    world.settle();
    world.crash(sites[1]);
    // The other one goes on for a year: all albums but ten are deleted, and one of those that stay changes each day.
    for day in 0..365 {
        world.pass(YEAR_MS / 365);
        if day < 30 {
            world.delete_row(sites[0], row("albums", &format!("{day}")));
        }
        world.put_row(sites[0], row("albums", "35"), &[("name", &format!("of day {day}"))]);
        world.settle();
    }
    world.start(sites[1]);
    world.settle();
    let returning = exchanged(&mut world, &sites);
    assert_equal(&mut world, &sites);
    assert_eq!(albums(&mut world, sites[0]), 10 + 5, "nothing is brought back, and the new rows are kept");
    assert_eq!(get(&mut world, sites[0], &row("tags", "1"), "name").as_deref(), Some("written away"));
    assert_eq!(get(&mut world, sites[1], &row("albums", "35"), "name").as_deref(), Some("of day 364"));
    assert!(returning < 60_000, "{returning} bytes for 30 deletions and 7 rows");
}

/// R07: what can be cleared is cleared, though a member is gone for ever.
#[test]
fn r07_a_member_that_never_comes_back_holds_no_clearing_back() {
    let (mut world, sites) = library(1, 3);
    world.put_row(sites[2], row("albums", "0"), &[("name", "of the one that goes")]);
    world.settle();
    world.unlink(sites[1], sites[2]);
    world.crash(sites[2]);
    for number in 0..1_000 {
        world.put_row(sites[0], row("albums", &format!("{}", number % 10)), &[("name", &format!("{number}"))]);
        world.settle();
    }
    assert_equal(&mut world, &sites[..2]);
    for site in &sites[..2] {
        let held = super::records_log::messages(&mut world, *site);
        assert!(held < 200, "{held} messages of 1,000");
    }
}

/// R11: a copy that is known as one goes on under an id of its own.
#[test]
fn r11_a_device_that_is_copied_goes_on_as_two_and_the_rows_of_both_are_kept() {
    let (mut world, sites) = library(1, 2);
    world.put_row(sites[0], row("albums", "1"), &[("name", "before")]);
    world.settle();
    let copy = super::records::add(&mut world);
    world.copy_database(sites[0], copy);
    unlink(&mut world, &sites);
    world.put_row(sites[0], row("albums", "2"), &[("name", "of the one")]);
    world.start(copy);
    world.put_row(copy, row("albums", "3"), &[("name", "of the other")]);
    world.put_row(copy, row("albums", "1"), &[("name", "changed")]);
    world.settle();
    let all = [sites[0], sites[1], copy];
    link(&mut world, &all);
    world.link(sites[0], copy);
    world.settle();
    assert_equal(&mut world, &all);
    assert_eq!(albums(&mut world, sites[1]), 3);
    assert_eq!(get(&mut world, sites[0], &row("albums", "1"), "name").as_deref(), Some("changed"));
    assert!(world[copy].has_notice(NoticeCode::NewIncarnation));
    assert!(all.iter().all(|site| !world[*site].has_notice(NoticeCode::Fork)));
}

/// What was changed since it was put back waits until it is known what the others have of this device.
#[test]
fn a_store_that_is_put_back_says_nothing_under_a_number_that_others_know() {
    let (mut world, sites) = library(1, 2);
    world.put_row(sites[0], row("albums", "1"), &[("name", "before")]);
    world.settle();
    let image = world.image(sites[0]);
    world.put_row(sites[0], row("albums", "2"), &[("name", "forgotten by the store")]);
    world.settle();
    world.crash(sites[0]);
    world.restore_device(sites[0], &image);
    world.put_row(sites[0], row("albums", "3"), &[("name", "written before it ran")]);
    world.unlink(sites[0], sites[1]);
    world.start(sites[0]);
    world.link(sites[0], sites[1]);
    world.settle();
    assert_equal(&mut world, &sites);
    assert_eq!(albums(&mut world, sites[1]), 3);
    assert!(world[sites[0]].has_notice(NoticeCode::NewIncarnation));
    assert!(sites.iter().all(|site| !world[*site].has_notice(NoticeCode::Fork)));
}

/// R13: a browser may throw away all that an application keeps.
#[test]
fn r13_a_device_that_loses_its_storage_is_a_new_replica_and_deletes_nothing() {
    for with_database in [true, false] {
        let (mut world, sites) = library(1, 2);
        for number in 0..20 {
            world.put_row(sites[1], row("albums", &format!("{number}")), &[("name", "kept")]);
            world.put_row(sites[1], row("tags", &format!("{number}")), &[("name", "kept")]);
        }
        world.settle();
        let before = world[sites[1]].status().replica;
        world.crash(sites[1]);
        world.lose_store(sites[1]);
        if with_database {
            world.lose_database(sites[1]);
        }
        world.start(sites[1]);
        world.settle();
        link(&mut world, &sites);
        assert_ne!(world[sites[1]].status().replica, before);
        assert_eq!(albums(&mut world, sites[0]), 20);
        assert_equal(&mut world, &sites);
        assert_eq!(database(&mut world, sites[1]).rows().len(), 40);
    }
}

/// R14: in messages of a limited size, each of which is sent again as it was first.
#[test]
fn r14_an_owned_batch_of_200_000_rows_is_streamed_in_pages_and_goes_on_in_the_middle() {
    const ROWS: usize = 200_000;
    let (mut world, sites) = library(1, 2);
    world.crash(sites[0]);
    for number in 0..ROWS {
        let name = row("file_paths", &format!("/music/{number:06}"));
        let at = world[sites[0]].clock().now().unix;
        let kind = syncline_core::api::TableKind::Owned;
        database(&mut world, sites[0]).put(kind, name, &[("size", &number.to_string())], at);
    }
    world.start(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    let saves = world[sites[0]].counts().saves;
    assert!(world.run_until(|world| world[sites[0]].counts().saves > saves));
    world.restart(sites[0]);
    world.settle();
    world.give_rows(sites[0]);
    world.link(sites[0], sites[1]);
    // The other one is interrupted while the rows come, too.
    let count = |world: &World| world[sites[1]].database().rows().len();
    for share in [ROWS / 4, ROWS / 2] {
        assert!(world.run_until(|world| count(world) > share));
        assert!(count(&world) < ROWS, "it is in the middle");
        world.restart(sites[1]);
        world.link(sites[0], sites[1]);
    }
    world.settle();
    assert_eq!(database(&mut world, sites[1]).rows().len(), ROWS);
    let messages = super::records_log::messages(&mut world, sites[1]);
    assert!(messages < 100, "{messages} messages");
    assert!(!world[sites[0]].pending().any(|(_, work)| matches!(work, Work::ApplyRows { .. })));
}

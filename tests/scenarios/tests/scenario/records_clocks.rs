//! Devices whose clocks are wrong for long, and are set right.

use syncline_core::api::{Command, NoticeCode, ReplicaId, RowName};
use syncline_sim::{SiteId, World, row};

use super::records_log::{Carrier, add, album, assert_equal, connect, database, exchange, group, messages};

pub const YEAR_MS: i64 = 365 * 24 * 3_600_000;
const HOUR_MS: i64 = 3_600_000;
const DAY_MS: i64 = 24 * HOUR_MS;

fn replica(world: &World, site: SiteId) -> ReplicaId {
    world[site].status().replica.unwrap()
}

pub fn name(world: &mut World, site: SiteId, row: &RowName) -> Option<String> {
    let value = database(world, site).rows().get(row)?.get("name")?.clone();
    String::from_utf8(value).ok()
}

/// Who a device was told to have a wrong clock since this was last asked.
fn told(world: &mut World, site: SiteId) -> Vec<ReplicaId> {
    let notices = world[site].take_notices().into_iter();
    notices.filter(|notice| notice.code == NoticeCode::ClockSkew).filter_map(|notice| notice.replica).collect()
}

fn held(world: &World, site: SiteId) -> u64 {
    world[site].status().records.unwrap().held
}

/// A device's clock is set.
pub fn set(world: &mut World, site: SiteId, milliseconds: i64) {
    world[site].jump(milliseconds);
    world.wake(site);
    world.settle();
}

#[test]
fn a_clock_ten_years_ahead_is_told_and_healed_when_it_is_set_right() {
    for carrier in [Carrier::Links, Carrier::Folder] {
        let (mut world, sites) = group(3, carrier);
        let [right, ahead, behind] = [sites[0], sites[1], sites[2]];
        let before = replica(&world, ahead);
        set(&mut world, ahead, 10 * YEAR_MS);
        set(&mut world, behind, -HOUR_MS);
        for round in 0..60 {
            for (number, site) in sites.iter().enumerate() {
                let own = row("albums", &format!("{number} {round}"));
                world.put_row(*site, own, &[("name", &format!("{round}"))]);
                world.put_row(
                    *site,
                    album(1),
                    &[("name", &format!("{number} {round}")), (&format!("of {number}"), "x")],
                );
                if round % 5 == 4 {
                    world.delete_row(*site, row("albums", &format!("{number} {}", round - 1)));
                }
            }
            exchange(&mut world, carrier);
            world.pass(12 * HOUR_MS as u64);
        }
        assert!(told(&mut world, right).contains(&before));
        assert!(told(&mut world, behind).contains(&before));
        assert!(held(&world, right) > 0);
        set(&mut world, ahead, -10 * YEAR_MS);
        set(&mut world, behind, HOUR_MS);
        exchange(&mut world, carrier);
        world.put_row(right, album(2), &[("name", "on time")]);
        exchange(&mut world, carrier);
        world.pass(200_000);
        exchange(&mut world, carrier);
        assert_eq!(told(&mut world, ahead), [before]);
        let after = replica(&world, ahead);
        assert_ne!(after, before);
        assert_equal(&mut world, &sites);
        let rows = database(&mut world, right).rows().clone();
        assert_eq!(rows.len(), 3 * (60 - 12) + 2);
        assert_eq!(rows[&album(1)].len(), 4);
        // What everybody writes now flows at once.
        for (number, site) in sites.iter().enumerate() {
            let text = format!("later {number}");
            world.put_row(*site, album(1), &[("name", &text)]);
            exchange(&mut world, carrier);
            world.pass(1_000);
            for site in &sites {
                assert_eq!(name(&mut world, *site, &album(1)), Some(text.clone()));
            }
        }
        assert_eq!(replica(&world, ahead), after);
        // Who comes now gets what lives.
        let fourth = add(&mut world, carrier);
        connect(&mut world, &[right, fourth], carrier);
        exchange(&mut world, carrier);
        assert_equal(&mut world, &[right, ahead, behind, fourth]);
    }
}

/// The healing ends at any step, on the device alone or on all.
#[test]
fn a_healing_that_is_interrupted_at_every_step_loses_nothing() {
    for stop in 0..150 {
        let (mut world, sites) = group(2, Carrier::Links);
        world.put_row(sites[0], album(0), &[("name", "covered"), ("year", "1")]);
        world.put_row(sites[1], album(50), &[("name", "right")]);
        world.settle();
        set(&mut world, sites[1], 10 * YEAR_MS);
        for number in 0..4 {
            world.put_row(sites[1], album(number), &[("name", &format!("ahead {number}"))]);
            world.settle();
        }
        world.delete_row(sites[1], album(3));
        world.settle();
        set(&mut world, sites[1], -10 * YEAR_MS);
        world.put_row(sites[0], album(60), &[("name", "evidence")]);
        for _ in 0..stop {
            world.step();
        }
        world.restart(sites[1]);
        if stop % 3 == 0 {
            world.restart(sites[0]);
        }
        world.settle();
        for site in &sites {
            world.give_rows(*site);
        }
        world.settle();
        connect(&mut world, &sites, Carrier::Links);
        world.put_row(sites[0], album(61), &[("name", "more")]);
        world.settle();
        world.pass(1_000);
        assert_equal(&mut world, &sites);
        let third = add(&mut world, Carrier::Links);
        connect(&mut world, &[sites[1], third], Carrier::Links);
        assert_equal(&mut world, &[sites[0], sites[1], third]);
        let rows = database(&mut world, third).rows().clone();
        assert_eq!(rows.len(), 6, "after {stop} steps: {rows:?}");
        assert_eq!((&rows[&album(0)]["name"][..], &rows[&album(0)]["year"][..]), (&b"ahead 0"[..], &b"1"[..]));
        assert_eq!(messages(&mut world, third), messages(&mut world, sites[0]), "after {stop} steps");
        world.put_row(sites[1], album(0), &[("name", "later")]);
        world.settle();
        world.pass(1_000);
        assert_eq!(name(&mut world, sites[0], &album(0)).as_deref(), Some("later"), "after {stop} steps");
    }
}

#[test]
fn a_clock_that_is_set_back_by_mistake_takes_nothing_back() {
    for back in [10 * 60_000, DAY_MS, 10 * YEAR_MS] {
        let (mut world, sites) = group(2, Carrier::Links);
        for site in &sites {
            world.put_row(*site, album(0), &[("name", "first")]);
            world.settle();
        }
        let before = replica(&world, sites[1]);
        set(&mut world, sites[1], -back);
        for round in 0..3 {
            world.put_row(sites[0], album(round), &[("name", "theirs")]);
            world.put_row(sites[1], album(10 + round), &[("name", "own")]);
            world.settle();
            world.pass(60_000);
        }
        world.restart(sites[1]);
        world.settle();
        connect(&mut world, &sites, Carrier::Links);
        world.put_row(sites[0], album(4), &[("name", "theirs")]);
        world.settle();
        assert_eq!(replica(&world, sites[1]), before);
        assert!(told(&mut world, sites[1]).iter().all(|replica| *replica != before));
        set(&mut world, sites[1], back);
        world.pass(120_000);
        assert_equal(&mut world, &sites);
        assert_eq!(database(&mut world, sites[0]).rows().len(), 7);
        assert_eq!(replica(&world, sites[1]), before);
    }
}

/// What one of them acknowledges lies far behind the time of the other, and says nothing of it.
#[test]
fn of_two_clocks_that_are_set_back_in_different_ways_neither_bears_witness_for_the_other() {
    let (mut world, sites) = group(3, Carrier::Folder);
    let [right, far, near] = [sites[0], sites[1], sites[2]];
    for (number, site) in sites.iter().enumerate() {
        world.put_row(*site, album(0), &[("name", &format!("{number}"))]);
        exchange(&mut world, Carrier::Folder);
    }
    let before = replica(&world, near);
    set(&mut world, far, -7 * YEAR_MS);
    // The far one acknowledges it before the near one hears of anybody again.
    world.put_row(right, album(1), &[("name", "on time")]);
    world.pass(100);
    world.carry_by(|_, _| None);
    world.pass(100);
    assert!(name(&mut world, near, &album(1)).is_some());
    world[near].jump(-2 * YEAR_MS);
    world.wake(near);
    world.pass(5_000);
    exchange(&mut world, Carrier::Folder);
    assert!(told(&mut world, near).iter().all(|replica| *replica != before));
    set(&mut world, far, 7 * YEAR_MS);
    set(&mut world, near, 2 * YEAR_MS);
    exchange(&mut world, Carrier::Folder);
    assert_eq!(replica(&world, near), before);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, right, &album(0)).as_deref(), Some("2"));
}

/// It was written before the clock was set, and comes after.
#[test]
fn what_was_written_before_a_clock_was_set_back_bears_no_witness_for_it() {
    let (mut world, sites) = group(2, Carrier::Folder);
    let [other, behind] = [sites[0], sites[1]];
    world.put_row(other, album(0), &[("name", "first")]);
    exchange(&mut world, Carrier::Folder);
    world.put_row(other, album(1), &[("name", "under way")]);
    world.pass(HOUR_MS as u64);
    world.put_row(behind, album(0), &[("name", "second")]);
    world.settle();
    let before = replica(&world, behind);
    set(&mut world, behind, -HOUR_MS / 2);
    exchange(&mut world, Carrier::Folder);
    assert!(told(&mut world, behind).iter().all(|replica| *replica != before));
    set(&mut world, behind, HOUR_MS / 2);
    exchange(&mut world, Carrier::Folder);
    assert_eq!(replica(&world, behind), before);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, other, &album(0)).as_deref(), Some("second"));
}

/// What others write is always behind what this device wrote last.
#[test]
fn a_device_that_goes_on_writing_is_healed_all_the_same() {
    let (mut world, sites) = group(2, Carrier::Folder);
    let [right, ahead] = [sites[0], sites[1]];
    let before = replica(&world, ahead);
    set(&mut world, ahead, YEAR_MS);
    world.put_row(ahead, album(0), &[("name", "ahead")]);
    exchange(&mut world, Carrier::Folder);
    set(&mut world, ahead, -YEAR_MS);
    for round in 0..20 {
        world.put_row(right, album(1), &[("name", &format!("{round}"))]);
        world.pass(20_000);
        world.put_row(ahead, album(2), &[("name", &format!("{round}"))]);
        world.pass(100);
        world.carry_by(|_, _| None);
        world.put_row(ahead, album(3), &[("name", &format!("{round}"))]);
        world.pass(20_000);
    }
    assert_ne!(replica(&world, ahead), before);
    exchange(&mut world, Carrier::Folder);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, right, &album(0)).as_deref(), Some("ahead"));
}

/// Two clocks were ahead, each of which applied what the other stamped.
#[test]
fn two_clocks_that_were_ahead_are_healed_one_after_the_other() {
    let (mut world, sites) = group(3, Carrier::Links);
    let [right, first, second] = [sites[0], sites[1], sites[2]];
    world.put_row(right, album(0), &[("name", "covered"), ("year", "1")]);
    world.settle();
    for site in [first, second] {
        set(&mut world, site, 10 * YEAR_MS);
    }
    for round in 0..5 {
        for (number, site) in [first, second].into_iter().enumerate() {
            world.put_row(site, album(0), &[("name", &format!("{number} {round}"))]);
            world.put_row(site, album(10 * (number + 1) + round), &[("name", "x")]);
            world.settle();
        }
    }
    let replicas = [replica(&world, first), replica(&world, second)];
    for site in [first, second] {
        set(&mut world, site, -10 * YEAR_MS);
        world.put_row(right, album(50), &[("name", "on time")]);
        world.settle();
        world.pass(1_000);
    }
    world.put_row(right, album(51), &[("name", "on time")]);
    world.settle();
    world.pass(1_000);
    assert_ne!([replica(&world, first), replica(&world, second)], replicas);
    assert_equal(&mut world, &sites);
    let rows = database(&mut world, right).rows().clone();
    assert_eq!(rows.len(), 13);
    assert_eq!(rows[&album(0)]["name"], b"1 4");
    assert_eq!(rows[&album(0)]["year"], b"1");
}

/// A clock that was ahead by seconds: when it is set right others may have applied what is taken back.
#[test]
fn what_is_taken_back_leaves_the_rows_of_those_who_had_applied_it() {
    let (mut world, sites) = group(3, Carrier::Links);
    let [away, ahead, right] = [sites[0], sites[1], sites[2]];
    world.put_row(right, album(0), &[("name", "covered"), ("year", "1")]);
    world.settle();
    set(&mut world, ahead, 5_000);
    world.put_row(ahead, album(0), &[("name", "ahead")]);
    world.put_row(ahead, album(1), &[("name", "new")]);
    world.settle();
    world.unlink(away, ahead);
    set(&mut world, ahead, -5_000);
    world.put_row(right, album(2), &[("name", "evidence")]);
    world.settle();
    assert_eq!(told(&mut world, ahead).len(), 1);
    world.put_row(ahead, album(0), &[("name", "later")]);
    world.settle();
    world.pass(10_000);
    assert_eq!(name(&mut world, away, &album(0)).as_deref(), Some("ahead"));
    connect(&mut world, &sites, Carrier::Links);
    world.pass(1_000);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, away, &album(0)).as_deref(), Some("later"));
    assert_eq!(database(&mut world, away).rows().len(), 3);
}

/// It counts where somebody said so; where nobody did it waits for its time, and so does what is said on top of it.
#[test]
fn r01_what_is_held_counts_at_once_where_it_is_released() {
    for carrier in [Carrier::Links, Carrier::Folder] {
        let (mut world, sites) = group(3, carrier);
        let [releases, ahead, waits] = sites[..] else { panic!("three devices") };
        set(&mut world, ahead, HOUR_MS);
        world.put_row(ahead, album(1), &[("name", "of the hour to come")]);
        exchange(&mut world, carrier);
        assert!(held(&world, releases) > 0 && held(&world, waits) > 0);
        let id = replica(&world, ahead);
        for _ in 0..2 {
            world.command(releases, Command::ReleaseHeld { replica: id });
            world.settle();
        }
        let nothing =
            world[releases].take_notices().into_iter().filter(|notice| notice.code == NoticeCode::NothingHeld);
        assert_eq!(nothing.count(), 1, "the second time nothing was held");
        assert_eq!(held(&world, releases), 0);
        assert_eq!(name(&mut world, releases, &album(1)).as_deref(), Some("of the hour to come"));
        // What is written over it is later, is no reason to heal, and counts here after a restart, too.
        let before = replica(&world, releases);
        world.put_row(releases, album(1), &[("name", "written over it")]);
        exchange(&mut world, carrier);
        world.restart(releases);
        connect(&mut world, &sites, carrier);
        world.put_row(waits, album(2), &[("name", "on time")]);
        exchange(&mut world, carrier);
        world.pass(200_000);
        exchange(&mut world, carrier);
        assert_eq!(replica(&world, releases), before);
        assert_eq!(name(&mut world, releases, &album(1)).as_deref(), Some("written over it"));
        assert_ne!(name(&mut world, waits, &album(1)).as_deref(), Some("written over it"));
        assert!(held(&world, waits) > 0);
        world.pass(2 * HOUR_MS as u64);
        exchange(&mut world, carrier);
        assert_equal(&mut world, &sites);
        assert_eq!(name(&mut world, waits, &album(1)).as_deref(), Some("written over it"));
        assert_eq!(held(&world, waits), 0);
    }
}

/// Who stamped it takes it back: then nothing of it counts, released or not.
#[test]
fn r01_what_was_released_and_is_taken_back_counts_no_more() {
    let (mut world, sites) = group(3, Carrier::Links);
    let [releases, ahead, third] = sites[..] else { panic!("three devices") };
    set(&mut world, ahead, HOUR_MS);
    world.put_row(ahead, album(1), &[("name", "of the hour to come")]);
    exchange(&mut world, Carrier::Links);
    let id = replica(&world, ahead);
    world.command(releases, Command::ReleaseHeld { replica: id });
    world.settle();
    set(&mut world, ahead, -HOUR_MS);
    world.put_row(third, album(2), &[("name", "on time")]);
    for _ in 0..3 {
        exchange(&mut world, Carrier::Links);
        world.pass(200_000);
    }
    assert_ne!(replica(&world, ahead), id, "it was healed");
    world.pass(2 * HOUR_MS as u64);
    exchange(&mut world, Carrier::Links);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, releases, &album(1)).as_deref(), Some("of the hour to come"));
}

//! Clocks that are compared over links.

use syncline_core::api::NoticeCode;
use syncline_core::engine::limits::HEARTBEAT_MS;
use syncline_sim::{Asleep, SiteId, World};

use super::records_clocks::set;
use super::records_log::{Carrier, group};

const HOUR_MS: i64 = 3_600_000;

/// What devices were told of their own clocks since this was last asked, and nothing else was told.
fn told(world: &mut World, site: SiteId) -> Vec<String> {
    let own = world[site].status().replica;
    let notices = world[site].take_notices().into_iter().filter(|notice| notice.code == NoticeCode::ClockSkew);
    notices.inspect(|notice| assert_eq!(notice.replica, own)).map(|notice| notice.message).collect()
}

/// All devices are linked to all others.
fn mesh(devices: usize) -> (World, Vec<SiteId>) {
    let (mut world, sites) = group(devices, Carrier::Links);
    for (number, one) in sites.iter().enumerate() {
        for other in sites.iter().skip(number + 1) {
            if !world.is_linked(*one, *other) {
                world.link(*one, *other);
            }
        }
    }
    world.settle();
    (world, sites)
}

fn compare(world: &mut World) {
    world.pass(4 * HEARTBEAT_MS);
}

#[test]
fn a_device_is_told_that_its_own_clock_is_wrong_and_the_others_are_not() {
    for (wrong_ms, said) in [(HOUR_MS, "ahead by about 3600"), (-HOUR_MS, "behind by about 3600"), (300, "ahead")] {
        let (mut world, sites) = mesh(3);
        compare(&mut world);
        set(&mut world, sites[1], wrong_ms);
        compare(&mut world);
        let messages = told(&mut world, sites[1]);
        assert!(messages.len() == 1 && messages[0].contains(said), "{messages:?}");
        // Once.
        compare(&mut world);
        assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
        // Set right it is told nothing, and wrong again it is.
        set(&mut world, sites[1], -wrong_ms);
        compare(&mut world);
        assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
        set(&mut world, sites[1], 2 * wrong_ms);
        compare(&mut world);
        assert_eq!(told(&mut world, sites[1]).len(), 1);
    }
}

#[test]
fn of_two_devices_nobody_tells_whose_clock_is_wrong() {
    let (mut world, sites) = mesh(2);
    set(&mut world, sites[0], HOUR_MS);
    compare(&mut world);
    assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
}

#[test]
fn two_that_do_not_agree_tell_nothing() {
    let (mut world, sites) = mesh(3);
    set(&mut world, sites[0], HOUR_MS);
    set(&mut world, sites[2], -HOUR_MS);
    compare(&mut world);
    assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
}

#[test]
fn what_a_slow_network_adds_is_no_skew() {
    let (mut world, sites) = mesh(4);
    world.set_latency(3_000);
    set(&mut world, sites[1], 1_000);
    for _ in 0..20 {
        compare(&mut world);
    }
    assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
    set(&mut world, sites[1], 60_000);
    compare(&mut world);
    assert_eq!(told(&mut world, sites[1]).len(), 1);
}

#[test]
fn a_device_that_slept_is_not_told_that_its_clock_jumped() {
    for asleep in [Asleep::GoesOn, Asleep::Stops] {
        let (mut world, sites) = mesh(3);
        compare(&mut world);
        world[sites[1]].sleep(asleep);
        world.pass(2 * HEARTBEAT_MS);
        world.wake(sites[1]);
        for _ in 0..5 {
            compare(&mut world);
            assert!(sites.iter().all(|site| told(&mut world, *site).is_empty()));
        }
    }
}

//! What may befall a device while its stamps are ahead, are taken back, and after.

use syncline_core::api::NoticeCode;

use super::records_clocks::{YEAR_MS, name, set};
use super::records_log::{Carrier, album, assert_equal, connect, database, group};

/// Others know what it took back, and under which numbers.
#[test]
fn a_store_that_is_put_back_to_before_it_was_healed_hears_of_that_and_uses_no_number_twice() {
    let (mut world, sites) = group(2, Carrier::Links);
    let [right, ahead] = [sites[0], sites[1]];
    world.put_row(right, album(9), &[("name", "right")]);
    world.settle();
    set(&mut world, ahead, 10 * YEAR_MS);
    world.put_row(ahead, album(0), &[("name", "ahead")]);
    world.settle();
    let image = world.image(ahead);
    set(&mut world, ahead, -10 * YEAR_MS);
    for number in 1..3 {
        world.put_row(right, album(number), &[("name", "evidence")]);
        world.settle();
        world.pass(5_000);
    }
    assert_equal(&mut world, &sites);
    world.crash(ahead);
    world.restore_device(ahead, &image);
    world.start(ahead);
    world.settle();
    connect(&mut world, &sites, Carrier::Links);
    world.put_row(right, album(3), &[("name", "more")]);
    world.settle();
    world.pass(5_000);
    let is_fork = |code: NoticeCode| code == NoticeCode::Fork;
    for site in &sites {
        assert!(!world[*site].take_notices().iter().any(|notice| is_fork(notice.code)));
    }
    assert_eq!(world[right].status().digest, world[ahead].status().digest);
    assert_eq!(name(&mut world, right, &album(0)).as_deref(), Some("ahead"));
}

/// One message holds what was stamped in time and what was stamped ahead.
#[test]
fn what_was_stamped_in_time_is_not_stamped_anew_with_what_is_taken_back() {
    let (mut world, sites) = group(2, Carrier::Links);
    let [right, ahead] = [sites[0], sites[1]];
    world.crash(ahead);
    world.put_row(ahead, album(0), &[("name", "in time")]);
    set(&mut world, ahead, 10 * YEAR_MS);
    world.put_row(ahead, album(1), &[("name", "ahead")]);
    world.start(ahead);
    world.settle();
    world.give_rows(ahead);
    world.settle();
    connect(&mut world, &sites, Carrier::Links);
    assert_eq!(name(&mut world, right, &album(0)).as_deref(), Some("in time"));
    world.pass(5_000);
    world.delete_row(right, album(0));
    world.settle();
    set(&mut world, ahead, -10 * YEAR_MS);
    world.put_row(right, album(2), &[("name", "evidence")]);
    world.settle();
    world.pass(5_000);
    assert_equal(&mut world, &sites);
    assert_eq!(name(&mut world, right, &album(1)).as_deref(), Some("ahead"));
    assert_eq!(name(&mut world, right, &album(0)), None, "what was deleted stays so");
}

#[test]
fn a_database_that_fails_while_a_device_is_healed_gets_its_rows_later() {
    let (mut world, sites) = group(2, Carrier::Links);
    let [right, ahead] = [sites[0], sites[1]];
    set(&mut world, ahead, 10 * YEAR_MS);
    for number in 0..3 {
        world.put_row(ahead, album(number), &[("name", "ahead")]);
        world.settle();
    }
    database(&mut world, ahead).fail_next(4);
    world.put_row(right, album(8), &[("name", "first")]);
    world.settle();
    world[ahead].delay(|_| 20_000);
    set(&mut world, ahead, -10 * YEAR_MS);
    world.put_row(right, album(9), &[("name", "evidence")]);
    world.pass(3_600_000);
    assert_equal(&mut world, &sites);
}

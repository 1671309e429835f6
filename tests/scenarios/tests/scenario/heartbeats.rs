//! Links at rest, links that broke without anyone being told, and what devices know of each other's presence.

use syncline_core::api::{MemberStatus, NoticeCode, ReplicaId, UnixMs, Work};
use syncline_core::engine::limits::{HEARD_STEP_MS, HEARTBEAT_MS, LINK_SILENT_MS};
use syncline_sim::{SiteId, Tree, World, tree};

use super::records_log::{Carrier, album, exchange, group};

const NEVER: UnixMs = UnixMs(0);

fn replica(world: &World, site: SiteId) -> ReplicaId {
    world[site].status().replica.unwrap()
}

/// What a device says of another one.
fn member(world: &World, site: SiteId, other: ReplicaId) -> MemberStatus {
    let mut members = world[site].status().members.into_iter();
    members.find(|member| member.replica == other).unwrap()
}

fn now(world: &World, site: SiteId) -> UnixMs {
    world[site].clock().now().unix
}

#[test]
fn a_link_at_rest_is_kept_by_heartbeats_and_both_ends_are_quiet() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world.settle();
    let before = [world[a].counts(), world[b].counts()];
    for _ in 0..100 {
        world.pass(HEARTBEAT_MS / 4);
        assert!(world[a].status().quiet && world[b].status().quiet);
    }
    assert!(world.is_linked(a, b));
    for (site, before) in [a, b].into_iter().zip(before) {
        let after = world[site].counts();
        assert!(after.heartbeats >= before.heartbeats + 20);
        assert!(after.heartbeats <= before.heartbeats + 26, "{} heartbeats", after.heartbeats - before.heartbeats);
        assert_eq!((after.saves, after.sends, after.performed), (before.saves, before.sends, before.performed));
    }
}

#[test]
fn a_link_that_speaks_needs_no_heartbeat() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world.settle();
    let before = world[a].counts().heartbeats + world[b].counts().heartbeats;
    for round in 0..20 {
        world[a].disk().write("a", format!("{round}"));
        world.rescan(a);
        world.pass(HEARTBEAT_MS / 2);
    }
    assert_eq!(world[a].counts().heartbeats + world[b].counts().heartbeats, before);
}

#[test]
fn a_link_on_which_nothing_comes_any_more_is_closed_and_told() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world.settle();
    world.stall(a, b, true);
    world.pass(LINK_SILENT_MS - HEARTBEAT_MS);
    assert!(world.is_linked(a, b));
    world.pass(HEARTBEAT_MS);
    assert!(!world.is_linked(a, b));
    assert!(world[b].has_notice(NoticeCode::PeerSilent) && !world[a].has_notice(NoticeCode::PeerSilent));
    assert!(world[a].status().quiet && world[b].status().quiet);
    // A new link is none the worse for it.
    world[b].disk().write("b", "b");
    world.link(a, b);
    world.rescan(b);
    world.pass(2 * LINK_SILENT_MS);
    assert!(world.is_linked(a, b));
    world.assert_all(&tree([("a", "a"), ("b", "b")]));
}

#[test]
fn what_waits_for_a_link_that_broke_is_asked_for_elsewhere() {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default(), Tree::default()]);
    let [a, b, c] = [sites[0], sites[1], sites[2]];
    for (one, other) in [(a, b), (b, c)] {
        world.link(one, other);
        world.settle();
    }
    world.link(a, c);
    world.settle();
    world.stall(a, c, true);
    world[a].disk().write("large", "much ".repeat(100_000));
    world[c].hold(|work| matches!(work, Work::Save { .. }));
    world.rescan(a);
    world[c].let_go();
    world.pass(2 * LINK_SILENT_MS);
    assert!(!world.is_linked(a, c));
    world.assert_all(&tree([("a", "a"), ("large", &"much ".repeat(100_000))]));
}

#[test]
fn who_never_says_hello_is_waited_for_longer_but_not_for_ever() {
    let (mut world, a, _) = World::pair(1, Tree::default(), Tree::default());
    let link = world.open(a);
    world.pass(2 * LINK_SILENT_MS);
    assert!(world.is_open(link));
    world.pass(600_000);
    assert!(!world.is_open(link));
}

#[test]
fn members_that_are_linked_are_seen_and_known_to_be_up_to_date() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world.settle();
    let other = replica(&world, b);
    world.pass(10 * HEARTBEAT_MS);
    let linked = member(&world, a, other);
    assert!(linked.last_seen.plus(HEARTBEAT_MS) >= now(&world, a) && linked.last_synchronized == linked.last_seen);
    // What the other has not saved it has not applied.
    world[b].hold(|work| matches!(work, Work::Save { .. }));
    world[a].disk().write("a", "other");
    world.rescan(a);
    world.pass(3 * HEARTBEAT_MS);
    let behind = member(&world, a, other);
    assert!(behind.last_seen.plus(HEARTBEAT_MS) >= now(&world, a));
    assert!(behind.last_synchronized.plus(3 * HEARTBEAT_MS) <= now(&world, a));
    world[b].let_go();
    world.settle();
    assert_eq!(member(&world, a, other).last_synchronized, now(&world, a));
    // Who is away is remembered, by the next engine too.
    world.unlink(a, b);
    let parted = now(&world, a);
    world.pass(3 * HEARD_STEP_MS);
    let away = member(&world, a, other);
    assert_eq!((away.last_seen, away.last_synchronized), (parted, parted));
    world.restart(a);
    world.settle();
    let remembered = member(&world, a, other);
    assert!(remembered.last_seen <= parted && remembered.last_seen.plus(HEARD_STEP_MS) >= parted);
    assert!(remembered.last_synchronized <= parted && remembered.last_synchronized.plus(HEARD_STEP_MS) >= parted);
}

#[test]
fn a_link_that_stays_open_costs_a_write_an_hour_at_most() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world.settle();
    let performed = |world: &World| world[a].counts().performed + world[b].counts().performed;
    let before = performed(&world);
    world.pass(24 * HEARD_STEP_MS);
    assert!(performed(&world) <= before + 2 * 25, "{} pieces of work", performed(&world) - before);
    world.restart(a);
    world.settle();
    let other = replica(&world, b);
    assert!(member(&world, a, other).last_seen.plus(2 * HEARD_STEP_MS) >= now(&world, a));
}

#[test]
fn members_that_only_share_a_folder_are_seen_and_known_to_be_up_to_date() {
    let (mut world, sites) = group(3, Carrier::Folder);
    let [a, b, c] = [sites[0], sites[1], sites[2]];
    let others = [replica(&world, b), replica(&world, c)];
    world.put_row(a, album(1), &[("name", "one")]);
    world.put_row(b, album(2), &[("name", "two")]);
    let written = now(&world, a);
    exchange(&mut world, Carrier::Folder);
    for other in others {
        assert!(member(&world, a, other).last_synchronized >= written);
        assert!(member(&world, a, other).last_seen >= written);
    }
    // Who is not there does not have what is written now.
    world.crash(c);
    let [before, _] = others.map(|other| member(&world, a, other).last_synchronized);
    let gone = member(&world, a, others[1]);
    world.put_row(a, album(1), &[("name", "three")]);
    exchange(&mut world, Carrier::Folder);
    assert!(member(&world, a, others[0]).last_synchronized > before);
    let still = member(&world, a, others[1]);
    assert_eq!((still.last_seen, still.last_synchronized), (gone.last_seen, gone.last_synchronized));
}

#[test]
fn who_was_never_heard_was_never_seen() {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default(), Tree::default()]);
    world.link(sites[0], sites[1]);
    world.link(sites[1], sites[2]);
    world.settle();
    let [first, last] = [sites[0], sites[2]];
    // A message that came on the way of another counts as a sign of life, and no more than that.
    let seen = member(&world, first, replica(&world, last));
    assert!(seen.last_seen > NEVER);
    assert_eq!(seen.last_synchronized, NEVER);
    let own = member(&world, first, replica(&world, first));
    assert_eq!((own.last_seen, own.last_synchronized), (now(&world, first), now(&world, first)));
}

//! Bytes that files have in common travel once.

use syncline_core::api::{NoticeCode, Work};
use syncline_sim::{SiteId, Tree, World, tree};

/// Bytes that are cut into several chunks.
fn large(seed: u64) -> Vec<u8> {
    (0..60_000u64).flat_map(|number| (number.wrapping_mul(seed | 1)).to_le_bytes()).collect()
}

#[test]
fn equal_files_of_many_chunks_are_fetched_once() {
    for seed in 0..20 {
        let bytes = large(0x9e37_79b9_7f4a_7c15);
        let mut folder = Tree::default();
        for number in 0..6 {
            folder = folder.with(&format!("{number}"), bytes.clone());
        }
        let (world, a, b) = World::pair(seed, folder.clone(), Tree::default());
        world.assert_all(&folder);
        assert!(!world[b].has_notice(NoticeCode::ChunkCorrupt), "a whole file was taken for a single chunk");
        let sent = world[a].counts().sent_bytes;
        assert!(sent < bytes.len() as u64 * 3 / 2, "{sent} bytes were sent for {} bytes of content", bytes.len());
    }
}

/// Three devices in a chain, all of which wait for a file that only a device had which is gone for good.
fn chain_that_waits(lost: Vec<u8>) -> (World, SiteId, SiteId, SiteId) {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default(), Tree::default(), Tree::default()]);
    let (a, b, c, gone) = (sites[0], sites[1], sites[2], sites[3]);
    for (left, right) in [(a, b), (b, c), (a, gone)] {
        world.link(left, right);
    }
    world.settle();
    world[gone].hold(|work| matches!(work, Work::Read { .. }));
    world[gone].disk().write("lost", lost);
    world.rescan(gone);
    world.unlink(a, gone);
    world.settle();
    for site in [a, b, c] {
        assert_eq!(world[site].root().waiting, 1, "the file is not waited for");
    }
    (world, a, b, c)
}

#[test]
fn a_device_between_two_others_passes_on_what_it_has_while_it_waits_for_something_else() {
    let large = large(0x9e37_79b9_7f4a_7c15);
    let (mut world, a, _, c) = chain_that_waits(b"lost".to_vec());
    let files = [("small", b"small".to_vec()), ("large", large)];
    for (name, bytes) in files {
        world[a].disk().write(name, bytes.clone());
        world.hint(a, "");
        let arrived = world.pass_until(5_000, |world| world[c].tree().at(name).is_some());
        assert!(arrived, "{name} did not come within five seconds");
        assert_eq!(world[c].tree().at(name), world[a].tree().at(name));
    }
}

#[test]
fn what_several_devices_wait_for_goes_through_the_chain_once_someone_has_it() {
    let (mut world, a, b, c) = chain_that_waits(b"lost".to_vec());
    world[a].disk().write("found", "lost");
    world.hint(a, "");
    let arrived = world.pass_until(5_000, |world| world[c].tree().at("lost").is_some());
    assert!(arrived, "what was lost is there again, and did not come within five seconds");
    world.settle();
    for site in [a, b, c] {
        assert_eq!(world[site].tree(), tree([("a", "a"), ("found", "lost"), ("lost", "lost")]));
    }
}

#[test]
fn a_large_file_that_nobody_has_does_not_keep_others_from_coming() {
    let lost: Vec<u8> = std::iter::repeat_with({
        let mut chance = fastrand::Rng::with_seed(1);
        move || chance.u8(..)
    })
    .take(40 << 20)
    .collect();
    let (mut world, a, b, c) = chain_that_waits(lost.clone());
    world[b].disk().write("b", "b");
    world[c].disk().write("c", "c");
    for site in [b, c] {
        world.hint(site, "");
    }
    for (site, name) in [(a, "b"), (a, "c"), (b, "c"), (c, "b")] {
        let arrived = world.pass_until(5_000, |world| world[site].tree().at(name).is_some());
        assert!(arrived, "{name} did not come within five seconds");
    }
    world[b].disk().write("found", lost.clone());
    world.hint(b, "");
    world.settle();
    for site in [a, b, c] {
        assert_eq!(world[site].tree().at("lost"), world[b].tree().at("found"));
    }
}

#[test]
fn more_files_than_are_fetched_at_once_that_nobody_has_do_not_keep_others_from_coming() {
    const LOST: usize = 5_000;
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default(), Tree::default()]);
    let (a, b, gone) = (sites[0], sites[1], sites[2]);
    for (left, right) in [(a, b), (a, gone)] {
        world.link(left, right);
    }
    world.settle();
    world[gone].hold(|work| matches!(work, Work::Read { .. }));
    for number in 0..LOST {
        world[gone].disk().write(&format!("{number}"), format!("lost {number}"));
    }
    world.rescan(gone);
    world.unlink(a, gone);
    world.settle();
    assert_eq!(world[b].root().waiting, LOST as u64);
    world[a].disk().write("z", "z");
    world.hint(a, "");
    assert!(world.pass_until(5_000, |world| world[b].tree().at("z").is_some()), "z did not come within five seconds");
}

#[test]
fn what_is_moved_while_a_peer_is_served_from_it_is_sent_from_its_new_place() {
    let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
    world.pass(1_000);
    world[a].hold(|work| matches!(work, Work::Read { .. }));
    world[a].disk().write("old.md", "text");
    world.rescan(a);
    assert!(world[a].pending().any(|(_, work)| matches!(work, Work::Read { .. })), "the peer asks for it");
    world[a].disk().rename("old.md", "new.md");
    world.rescan(a);
    world[a].let_go();
    // Sooner than a peer is asked again that did not have something.
    world.pass(5_000);
    assert_eq!(world[b].tree(), tree([("new.md", "text")]));
}

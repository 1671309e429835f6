//! A first meeting of two folders.

use syncline_core::{
    api::{ReplicaId, RootState},
    log::parse_message_key,
};
use syncline_scenarios::model::copy_name;
use syncline_sim::{SiteId, Tree, World, directory, symlink, tree};

fn library(files: usize) -> Tree {
    (0..files).fold(Tree::default(), |tree, number| {
        tree.with(&format!("d{}/file {number}", number % 20), format!("text {number}").as_str())
    })
}

/// Bytes of the messages of one author that a device holds.
fn message_bytes(world: &mut World, site: SiteId, author: ReplicaId) -> usize {
    let pairs = world[site].host().store.pairs();
    let own = pairs.filter(|(key, _)| parse_message_key(key).is_some_and(|(found, _)| found == author));
    own.map(|(_, value)| value.len()).sum()
}

#[test]
fn an_empty_folder_becomes_the_founders() {
    let folder = tree([("a.md", "a".into()), ("d/e/b", "b".into()), ("empty", directory()), ("l", symlink("d/e"))]);
    let (world, _, b) = World::pair(1, folder.clone(), Tree::default());
    world.assert_all(&folder);
    assert_eq!(world[b].root().files, 2);
    assert_eq!(world[b].root().symlinks, 1);
}

#[test]
fn two_filled_folders_become_their_union() {
    let left = tree([("a", "a"), ("same", "same"), ("differs.txt", "left")]);
    let right = tree([("b", "b"), ("same", "same"), ("differs.txt", "right")]);
    let (world, _, _) = World::pair(1, left, right);
    world.assert_all(&tree([
        ("a", "a"),
        ("b", "b"),
        ("same", "same"),
        ("differs.txt", "right"),
        (&copy_name("differs.txt", "left"), "left"),
    ]));
}

#[test]
fn a_joiner_waits_for_a_peer_before_it_looks_at_its_files() {
    let (mut world, sites) = World::group(1, &[Tree::default(), tree([("b", "b")])]);
    world.settle();
    assert_eq!(world[sites[1]].root().state, RootState::Joining);
    world.link(sites[0], sites[1]);
    world.settle();
    assert_eq!(world[sites[1]].root().state, RootState::Following);
    world.assert_all(&tree([("b", "b")]));
}

#[test]
fn two_equal_folders_agree_without_a_byte_moved() {
    const FILES: usize = 2_000;
    let (mut world, a, b) = World::pair(1, library(FILES), library(FILES));
    world.assert_all(&library(FILES));
    assert_eq!(world[a].counts().staged + world[b].counts().staged, 0, "chunks were staged");
    assert_eq!(world[a].counts().commits + world[b].counts().commits, 0, "the folders were touched");
    let joiner = world[b].status().replica.expect("the store was read");
    let bytes = message_bytes(&mut world, b, joiner);
    assert!(bytes < FILES, "the joiner wrote {bytes} bytes of messages for {FILES} files");
}

#[test]
fn agreement_is_quiet() {
    let (mut world, a, b) = World::pair(1, library(50), library(20));
    world.assert_all(&library(50));
    world.settle();
    assert!(world[a].status().quiet && world[b].status().quiet);
    // Times of files that were just written are trusted from the next look on.
    world.rescan(a);
    world.rescan(b);
    world.rescan(a);
    world.rescan(b);
    let before = [world[a].counts(), world[b].counts()];
    world.rescan(a);
    world.rescan(b);
    let after = [world[a].counts(), world[b].counts()];
    for (before, after) in before.iter().zip(after) {
        assert_eq!((before.saves, before.staged, before.commits), (after.saves, after.staged, after.commits));
    }
}

//! Blobs leave a folder when nothing needs them any more, and not before.

use std::collections::BTreeSet;

use syncline_core::api::{Command, Content, Hash, Key, LoadQuery, Work};
use syncline_core::content::{chunk_hash, hash};
use syncline_core::folder::blob_path;
use syncline_core::log::message_key;

use syncline_sim::ROOT;

use super::trees::via_folder;
use super::*;

const HOUR_MS: u64 = 60 * MINUTE_MS;
const DAY_MS: u64 = 24 * HOUR_MS;

/// Long enough for all that is dead to be collected, and for everyone to hear of it.
fn pass_hours(world: &mut World) {
    for _ in 0..3 {
        world.pass(HOUR_MS);
        world.carry();
    }
}

fn edit(world: &mut World, site: SiteId, path: &str, text: &str) {
    world[site].disk().write(path, text);
    announce(world, site);
}

fn remove(world: &mut World, site: SiteId, path: &str) {
    world[site].disk().remove(path);
    announce(world, site);
}

fn announce(world: &mut World, site: SiteId) {
    world.rescan(site);
    world.pass(5_000);
    world.carry();
}

fn content(text: &str) -> Hash {
    match hash(text.as_bytes()).unwrap().content {
        Content::File { hash, .. } => hash,
        other => panic!("{other:?}"),
    }
}

fn has_blob(world: &World, site: SiteId, text: &str) -> bool {
    world[site].own_blobs().contains(&content(text))
}

/// A device's blobs are those that it owes to others.
#[track_caller]
fn assert_exact(world: &World, site: SiteId) {
    assert_eq!(world[site].own_blobs(), world[site].owed_blobs());
}

/// Hundreds of kilobytes, of which only the beginning is another one for another `title`.
fn book(title: &str) -> String {
    let pages: String = (0..60_000).map(|number| format!("{number} ")).collect();
    format!("{title}{pages}")
}

/// A device that was not there before gets all that lives out of the folder.
#[track_caller]
fn assert_newcomer_gets_all(world: &mut World, sealed: bool) {
    let newcomer = world.add_via_folder(sealed);
    world.start(newcomer);
    world.carry();
    world.pass(10_000);
    world.carry();
    assert_eq!(world[newcomer].root().waiting, 0);
    world.assert_equal();
}

#[test]
fn what_is_replaced_or_removed_leaves_the_folder_and_what_lives_stays() {
    for sealed in [false, true] {
        let (old, new) = (book("old "), book("new title "));
        let files = [("a", "one"), ("b", "two"), ("kept", "three"), ("large", old.as_str())];
        let (mut world, [a, b]) = via_folder(1, sealed, [tree(files), Tree::default()]);
        edit(&mut world, a, "a", "four");
        remove(&mut world, b, "b");
        edit(&mut world, a, "large", &new);
        world.pass(30 * MINUTE_MS);
        world.carry();
        for text in ["one", "two", "three", "four", &old, &new] {
            assert!(has_blob(&world, a, text), "{text:.10} has gone too early");
        }
        pass_hours(&mut world);
        let stands = ["one", "two", "three", "four", &old, &new].map(|text| has_blob(&world, a, text));
        assert_eq!(stands, [false, false, true, true, false, true]);
        for site in [a, b] {
            assert_exact(&world, site);
        }
        // The service took them out of the other copy, too.
        let path = blob_path(replica(&world, a), &content("one"));
        assert!(world[b].host().folder.at(&path).is_none());
        assert_newcomer_gets_all(&mut world, sealed);
    }
}

#[test]
fn chunks_that_a_living_file_shares_with_a_dead_one_stay() {
    let (first, second) = (book("first "), book("second title "));
    let files = [("first", first.as_str()), ("second", second.as_str())];
    let (mut world, [a, _]) = via_folder(1, false, [tree(files), Tree::default()]);
    let before = world[a].own_blobs();
    remove(&mut world, a, "first");
    pass_hours(&mut world);
    let gone: BTreeSet<_> = before.difference(&world[a].own_blobs()).copied().collect();
    assert!(gone.contains(&content(&first)) && gone.len() < before.len() / 2, "{} of {}", gone.len(), before.len());
    assert_exact(&world, a);
    assert_newcomer_gets_all(&mut world, false);
}

#[test]
fn f17_a_blob_collected_by_one_replica_while_another_is_about_to_use_the_same_bytes_leaves_that_ones_own() {
    // Whenever the one device removes it, before or after the other has put its own there.
    for steps in 0..60 {
        let (mut world, [a, b]) = via_folder(1, false, [tree([("a", "same"), ("b", "other")]), Tree::default()]);
        edit(&mut world, a, "a", "replaced");
        world.pass(HOUR_MS);
        world[b].disk().write("again", "same");
        world.command(b, Command::Rescan { root: ROOT });
        for _ in 0..steps {
            world.step();
        }
        world.carry();
        pass_hours(&mut world);
        assert!(!has_blob(&world, a, "same") && has_blob(&world, b, "same"), "after {steps} steps");
        assert_newcomer_gets_all(&mut world, false);
        assert_eq!(world[a].disk().read("again"), Some("same".as_bytes()));
    }
}

#[test]
fn what_lives_again_while_its_blobs_are_removed_is_put_there_anew() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    edit(&mut world, a, "a", "two");
    world[a].hold(|work| matches!(work, Work::FolderRemove { .. }));
    pass_hours(&mut world);
    assert!(has_blob(&world, a, "one"));
    edit(&mut world, a, "again", "one");
    assert!(world[a].status().folders[0].unwritten > 0, "the message waits");
    world[a].let_go();
    world.carry();
    assert_eq!(world[a].status().folders[0].unwritten, 0);
    assert!(has_blob(&world, a, "one"));
    pass_hours(&mut world);
    assert_exact(&world, a);
    assert_newcomer_gets_all(&mut world, false);
}

#[test]
fn what_lives_again_before_its_blobs_are_removed_stays() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    edit(&mut world, a, "a", "two");
    // What lives was looked for, and what is dead is about to be.
    let is_dead = |keys: &[Key]| keys.is_empty();
    world[a].hold(move |work| matches!(work, Work::Load { query: LoadQuery::Keys { keys } } if is_dead(keys)));
    pass_hours(&mut world);
    assert!(world[a].pending().count() > 0);
    edit(&mut world, a, "again", "one");
    assert_eq!(world[a].status().folders[0].unwritten, 0);
    world[a].let_go();
    pass_hours(&mut world);
    assert!(has_blob(&world, a, "one"));
    assert_exact(&world, a);
}

#[test]
fn what_died_and_lives_again_and_dies_again_leaves_in_the_end() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    for text in ["two", "one", "two", "one", "three"] {
        edit(&mut world, a, "a", text);
        world.pass(40 * MINUTE_MS);
        world.carry();
    }
    pass_hours(&mut world);
    assert_eq!(world[a].own_blobs(), BTreeSet::from([content("three")]));
}

#[test]
fn a_message_that_names_what_was_collected_waits_for_the_newer_one_in_silence() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    let is_late = |site: usize, path: &str| site == 1 && path.starts_with("blobs/");
    edit_unheard(&mut world, a, "a", "two");
    world.carry_by(|site, path| is_late(site, path).then_some(Trouble::Late));
    world.settle();
    assert_eq!(world[b].root().waiting, 1);
    // The newer message does not come, and what it replaced goes.
    edit_unheard(&mut world, a, "a", "three");
    let before = world[b].folder_reads().values().sum::<u64>();
    for _ in 0..3 {
        world.pass(HOUR_MS);
        world.carry_by(|site, _| (site == 1).then_some(Trouble::Late));
    }
    assert!(!has_blob(&world, a, "two"));
    assert_eq!((world[b].root().waiting, world[b].disk().read("a")), (1, Some("one".as_bytes())));
    assert!(world[b].notices().is_empty(), "{:?}", world[b].notices());
    // It is asked for again with each look through the folder.
    let reads = world[b].folder_reads().values().sum::<u64>() - before;
    assert!(reads <= 3 * 60 * 4, "{reads} reads in three hours");
    world.carry();
    world.pass(MINUTE_MS);
    world.carry();
    assert_eq!((world[b].root().waiting, world[b].disk().read("a")), (0, Some("three".as_bytes())));
    world.assert_equal();
}

/// Changes a file and lets the device write that into its copy of the folder.
fn edit_unheard(world: &mut World, site: SiteId, path: &str, text: &str) {
    world[site].disk().write(path, text);
    world.rescan(site);
    world.pass(5_000);
}

#[test]
fn what_died_of_a_message_that_is_not_in_the_folder_stays() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    world.link(a, b);
    world.settle();
    // It comes over the link, and others who read the folder do not know of it.
    world[b].host().folder.is_there = false;
    edit_unheard(&mut world, b, "a", "two");
    assert_eq!(world[a].disk().read("a"), Some("two".as_bytes()));
    world.pass(5 * HOUR_MS);
    assert!(has_blob(&world, a, "one"));
    world[b].host().folder.is_there = true;
    world.pass(MINUTE_MS);
    world.carry();
    pass_hours(&mut world);
    assert!(!has_blob(&world, a, "one"));
    assert_newcomer_gets_all(&mut world, false);
}

#[test]
fn what_died_before_a_restart_is_collected_after_it() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    edit(&mut world, a, "a", "two");
    world.crash(a);
    world.pass(2 * HOUR_MS);
    world.start(a);
    world.carry();
    assert_eq!(world[a].own_blobs(), BTreeSet::from([content("two")]));
}

#[test]
fn a_crash_at_any_moment_leaves_blobs_too_many_and_they_go_later() {
    for steps in 0..80 {
        let old = book("old ");
        let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one"), ("b", &old)]), Tree::default()]);
        edit(&mut world, a, "a", "two");
        remove(&mut world, a, "b");
        world.pass(HOUR_MS - 2 * MINUTE_MS);
        world[a].hold(|work| matches!(work, Work::FolderProbe { .. }));
        world.pass(5 * MINUTE_MS);
        world[a].let_go();
        for _ in 0..steps {
            world.step();
        }
        world.crash(a);
        assert!(has_blob(&world, a, "two"));
        world.start(a);
        world.settle();
        world.carry();
        pass_hours(&mut world);
        assert_eq!(world[a].own_blobs(), BTreeSet::from([content("two")]), "after {steps} steps");
    }
}

#[test]
fn what_cannot_be_removed_is_removed_later() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    edit(&mut world, a, "a", "two");
    world[a].hold(|work| matches!(work, Work::FolderRemove { .. }));
    pass_hours(&mut world);
    world[a].host().folder.failing = 1;
    world[a].let_go();
    world.pass(1_000);
    assert!(has_blob(&world, a, "one"));
    pass_hours(&mut world);
    assert_exact(&world, a);
}

#[test]
fn what_no_message_of_this_device_named_is_left_alone() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    let (own, other) = (replica(&world, a), replica(&world, b));
    let strange = chunk_hash(b"a message that is still to come names it");
    let foreign = [
        blob_path(own, &strange),
        format!("blobs/{own}/ab/junk"),
        format!("{} (1)", blob_path(own, &content("one"))),
        blob_path(other, &content("one")),
    ];
    for path in &foreign {
        world[a].host().folder.put(path, FolderFile::new(*b"bytes"));
    }
    edit(&mut world, a, "a", "two");
    pass_hours(&mut world);
    assert!(!has_blob(&world, a, "one"));
    for path in &foreign {
        assert!(world[a].host().folder.at(path).is_some(), "{path}");
    }
}

#[test]
fn what_stands_under_an_earlier_id_stays_until_no_copy_of_the_store_can_go_on_under_it() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one"), ("b", "two")]), Tree::default()]);
    let (earlier, store) = (replica(&world, a), world[a].host().store.clone());
    edit(&mut world, a, "a", "three");
    world.crash(a);
    world[a].host().store = store;
    world.start(a);
    world.carry();
    let now = replica(&world, a);
    assert_ne!(now, earlier);
    assert!(world[a].store().value(&message_key(now, 1)).is_some());
    edit(&mut world, a, "b", "four");
    edit(&mut world, a, "c", "five");
    edit(&mut world, a, "c", "six");
    let stands =
        |world: &mut World, author, text| world[a].host().folder.at(&blob_path(author, &content(text))).is_some();
    pass_hours(&mut world);
    assert!(stands(&mut world, earlier, "two") && !stands(&mut world, now, "five"));
    world.jump_clock(a, 31 * DAY_MS as i64);
    pass_hours(&mut world);
    assert!(!stands(&mut world, earlier, "two") && stands(&mut world, earlier, "three"));
    assert_exact(&world, a);
    assert_newcomer_gets_all(&mut world, false);
}

#[test]
fn a_device_where_nothing_died_asks_for_nothing() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    edit(&mut world, a, "b", "two");
    let asked = |world: &World, site: SiteId| {
        ["work Load", "work FolderProbe", "work FolderRemove"].map(|kind| world[site].coverage().of(kind))
    };
    let before = [a, b].map(|site| asked(&world, site));
    pass_hours(&mut world);
    assert_eq!([a, b].map(|site| asked(&world, site)), before);
}

#[test]
fn a_content_whose_file_was_gone_when_it_was_to_be_put_there_is_put_there_when_it_comes_back() {
    let (mut world, [a, _]) = via_folder(1, false, [tree([("a", "one")]), Tree::default()]);
    world[a].hold(|work| matches!(work, Work::FolderProbe { .. }));
    edit_unheard(&mut world, a, "a", "two");
    world[a].disk().write("a", "three");
    world.rescan(a);
    world[a].let_go();
    world.settle();
    assert!(!has_blob(&world, a, "two"));
    edit(&mut world, a, "b", "two");
    assert!(has_blob(&world, a, "two"));
    assert_newcomer_gets_all(&mut world, false);
}

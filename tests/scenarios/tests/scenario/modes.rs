//! Which way data goes between a member and the others (§5.3, §5.8).

use syncline_core::api::{Command, MemberMode, NoticeCode, RootStatus};
use syncline_sim::{ROOT, SiteId, World, row};

use super::members::{assert_alike, file, group, said, say, shared, write_file};
use super::records::{database, link};

fn root(world: &World, site: SiteId) -> RootStatus {
    world[site].status().roots[0].clone()
}

fn told(world: &mut World, site: SiteId, code: NoticeCode) -> Vec<Option<String>> {
    let notices = world[site].take_notices().into_iter().filter(|notice| notice.code == code);
    notices.map(|notice| notice.path).collect()
}

/// The devices take part in both ways again, and end alike.
fn end_alike(world: &mut World, sites: &[SiteId], member: SiteId) {
    world.set_mode(sites[0], member, MemberMode::Full);
    world.settle();
    for _ in 0..3 {
        link(world, sites);
        world.pass(120_000);
        world.settle();
    }
    assert_alike(world, sites);
}

#[test]
fn t27_what_is_changed_on_a_device_that_only_receives_is_never_sent_and_comes_undone_on_request() {
    let (mut world, sites) = group(2);
    let [sender, receiver] = sites[..] else { panic!("two devices") };
    for path in ["changed.md", "deleted.md", "kept.md"] {
        write_file(&mut world, sender, path, "first");
    }
    world.set_mode(sender, receiver, MemberMode::ReceiveOnly);
    world.settle();
    let before = world[sender].disk().tree();
    let counter = world[sender].status().members.into_iter().find(|member| member.mode == MemberMode::ReceiveOnly);
    let counter = counter.expect("its mode is known").counter;

    world[receiver].disk().write("changed.md", b"changed here");
    world[receiver].disk().remove("deleted.md");
    world[receiver].disk().mkdir("new");
    world[receiver].disk().write("new/file.md", b"made here");
    world.rescan(receiver);
    world.settle();
    world.pass(60_000);
    let mut paths = told(&mut world, receiver, NoticeCode::NotSent);
    paths.sort();
    let expected = ["changed.md", "deleted.md", "new", "new/file.md"].map(|path| Some(path.to_string()));
    assert_eq!(paths, expected);
    assert_eq!(root(&world, receiver).unsent, 4);
    assert!(world[receiver].status().quiet);

    // What others do meanwhile comes, but over nothing of that; and a restart changes nothing.
    write_file(&mut world, sender, "kept.md", "second");
    write_file(&mut world, sender, "changed.md", "changed there");
    world.restart(receiver);
    link(&mut world, &sites);
    world.pass(60_000);
    assert_eq!(file(&mut world, receiver, "kept.md").as_deref(), Some("second"));
    assert_eq!(file(&mut world, receiver, "changed.md").as_deref(), Some("changed here"));
    assert_eq!(file(&mut world, receiver, "deleted.md"), None);
    assert_eq!(file(&mut world, receiver, "new/file.md").as_deref(), Some("made here"));
    assert_eq!(root(&world, receiver).unsent, 4);
    let tree = before.with("kept.md", "second").with("changed.md", "changed there");
    assert_eq!(world[sender].disk().tree(), tree, "nobody is told");
    let member = world[sender].status().members.into_iter().find(|member| member.mode == MemberMode::ReceiveOnly);
    assert_eq!(member.expect("its mode is known").counter, counter, "it writes nothing");

    world.command(receiver, Command::Revert { root: ROOT });
    world.settle();
    assert_eq!(world[receiver].disk().tree(), tree);
    assert_eq!(root(&world, receiver).unsent, 0);
    assert_alike(&mut world, &sites);
    world.restart(receiver);
    link(&mut world, &sites);
    assert_alike(&mut world, &sites);
}

#[test]
fn t27_what_was_changed_meanwhile_is_told_once_it_may_be() {
    let (mut world, sites) = group(2);
    let [sender, receiver] = sites[..] else { panic!("two devices") };
    for path in ["changed.md", "deleted.md"] {
        write_file(&mut world, sender, path, "first");
    }
    // What it wishes itself holds as well as what was decided.
    world.set_mode(receiver, receiver, MemberMode::ReceiveOnly);
    world.settle();
    write_file(&mut world, receiver, "changed.md", "changed here");
    write_file(&mut world, receiver, "new.md", "made here");
    world[receiver].disk().remove("deleted.md");
    world.rescan(receiver);
    world.settle();
    world.set_mode(sender, receiver, MemberMode::Full);
    world.settle();
    assert_eq!(file(&mut world, sender, "changed.md").as_deref(), Some("first"), "it is its own wish");
    world.set_mode(receiver, receiver, MemberMode::Full);
    world.settle();
    world.pass(60_000);
    assert_eq!(file(&mut world, sender, "changed.md").as_deref(), Some("changed here"));
    assert_eq!(file(&mut world, sender, "new.md").as_deref(), Some("made here"));
    assert_eq!(file(&mut world, sender, "deleted.md"), None);
    assert_alike(&mut world, &sites);
}

#[test]
fn t27_what_both_have_by_now_is_no_change_of_ones_own() {
    let (mut world, sites) = group(2);
    let [sender, receiver] = sites[..] else { panic!("two devices") };
    world.set_mode(sender, receiver, MemberMode::ReceiveOnly);
    world.settle();
    world[receiver].disk().mkdir("d");
    write_file(&mut world, receiver, "d/a.md", "the same");
    write_file(&mut world, receiver, "d/b.md", "of the one");
    assert_eq!(root(&world, receiver).unsent, 3);
    world[sender].disk().mkdir("d");
    write_file(&mut world, sender, "d/a.md", "the same");
    write_file(&mut world, sender, "d/b.md", "of the other");
    world.pass(60_000);
    assert_eq!(root(&world, receiver).unsent, 1);
    assert_eq!(file(&mut world, receiver, "d/b.md").as_deref(), Some("of the one"));
    world[receiver].disk().remove("d/b.md");
    world.rescan(receiver);
    world.settle();
    assert_eq!(root(&world, receiver).unsent, 0);
    assert_eq!(told(&mut world, receiver, NoticeCode::NotSent).len(), 3, "each of them once");
    world.pass(60_000);
    assert_eq!(file(&mut world, receiver, "d/b.md").as_deref(), Some("of the other"));
    assert_alike(&mut world, &sites);
}

#[test]
fn t27_a_device_that_only_sends_takes_nothing() {
    let (mut world, sites) = group(2);
    let [other, sender] = sites[..] else { panic!("two devices") };
    say(&mut world, other, "before");
    world.set_mode(other, sender, MemberMode::SendOnly);
    world.settle();
    say(&mut world, other, "there");
    let tree = world[sender].disk().tree();
    assert_eq!(said(&mut world, sender, "there"), [false; 3]);
    assert_eq!(shared(&mut world, sender), ["before", "before"].map(|text| Some(text.to_string())));
    assert!(world[sender].status().quiet);
    write_file(&mut world, sender, "here.md", "here");
    world.put_row(sender, row("albums", "here"), &[("name", "here")]);
    world.post(sender, "here");
    world.settle();
    assert_eq!(said(&mut world, other, "here"), [true; 3]);
    world.restart(sender);
    link(&mut world, &sites);
    world.pass(60_000);
    assert_eq!(world[sender].disk().tree(), tree.with("here.md", "here"));
    assert_eq!(said(&mut world, sender, "there"), [false; 3]);
    end_alike(&mut world, &sites, sender);
    assert_eq!(said(&mut world, sender, "there"), [true; 3]);
}

#[test]
fn rows_and_messages_of_a_device_that_only_receives_are_refused_and_undone() {
    let (mut world, sites) = group(2);
    let [other, receiver] = sites[..] else { panic!("two devices") };
    say(&mut world, other, "before");
    world.set_mode(other, receiver, MemberMode::ReceiveOnly);
    world.settle();
    world.put_row(receiver, row("albums", "before"), &[("name", "changed here")]);
    world.put_row(receiver, row("albums", "here"), &[("name", "made here")]);
    world.post(receiver, "here");
    world.settle();
    assert_eq!(told(&mut world, receiver, NoticeCode::NotPermitted).len(), 1);
    assert_eq!(said(&mut world, receiver, "before"), [true; 3]);
    assert!(!database(&mut world, receiver).rows().contains_key(&row("albums", "here")), "it is undone");
    assert_eq!(said(&mut world, other, "here"), [false; 3]);
    say(&mut world, other, "there");
    assert_eq!(said(&mut world, receiver, "there"), [true; 3]);
    assert_alike(&mut world, &sites);
}

#[test]
fn a_relay_passes_on_what_others_say_and_takes_and_says_nothing() {
    let (mut world, sites) = group(3);
    let [first, relay, last] = sites[..] else { panic!("three devices") };
    world.set_mode(first, relay, MemberMode::Relay);
    world.settle();
    for (number, site) in [first, last].into_iter().enumerate() {
        world.put_row(site, row("albums", &number.to_string()), &[("name", "1")]);
        world.post(site, &number.to_string());
    }
    write_file(&mut world, relay, "own.md", "own");
    world.settle();
    for site in [first, last] {
        let texts = &world[site].host().application.texts();
        assert_eq!(texts.len(), 2, "{texts:?}");
        assert_eq!(database(&mut world, site).rows().len(), 2);
        assert_eq!(file(&mut world, site, "own.md"), None);
    }
    assert!(world[relay].host().application.texts().is_empty() && database(&mut world, relay).rows().is_empty());
    assert_eq!(world[relay].status().digest, world[last].status().digest);
    assert!(world[relay].status().quiet);
}

/// It hears of it late: what it said meanwhile counts for nobody, and stays with it.
#[test]
fn what_a_device_says_that_does_not_know_yet_that_it_only_receives_counts_for_nobody() {
    for first_hears in [false, true] {
        let (mut world, sites) = group(3);
        let [founder, other, receiver] = sites[..] else { panic!("three devices") };
        say(&mut world, receiver, "before");
        world.unlink(founder, other);
        world.settle();
        world.set_mode(founder, receiver, MemberMode::ReceiveOnly);
        world.settle();
        if !first_hears {
            world.unlink(other, receiver);
            world.settle();
        }
        say(&mut world, receiver, "late");
        assert_eq!(said(&mut world, other, "late"), [first_hears; 3]);
        for _ in 0..3 {
            link(&mut world, &sites);
            world.pass(60_000);
        }
        for site in [founder, other] {
            let [file, row, _] = said(&mut world, site, "late");
            assert_eq!([file, row], [false; 2], "{first_hears}");
            assert_eq!(said(&mut world, site, "before"), [true; 3]);
            assert_eq!(shared(&mut world, site), ["before", "before"].map(|text| Some(text.to_string())));
        }
        assert!(!said(&mut world, founder, "late")[2]);
        let [late, album, _] = said(&mut world, receiver, "late");
        assert_eq!([late, album], [true, false], "its file stays, its row is undone");
        assert!(told(&mut world, receiver, NoticeCode::NotSent).contains(&Some("late.md".to_string())));
        assert_eq!(world[founder].status().digest, world[receiver].status().digest);
        assert!(world[receiver].status().quiet);
        world.command(receiver, Command::Revert { root: ROOT });
        world.settle();
        for _ in 0..3 {
            link(&mut world, &sites);
            world.pass(60_000);
        }
        assert_alike(&mut world, &sites);
    }
}

/// Nor is it said again once the device may send: small messages of rows that follow each other become one.
#[test]
fn what_counts_for_nobody_is_not_written_again_with_what_does() {
    let (mut world, sites) = group(3);
    let [founder, other, receiver] = sites[..] else { panic!("three devices") };
    let meet = |world: &mut World| {
        for _ in 0..3 {
            link(world, &sites);
            world.pass(60_000);
        }
    };
    let write = |world: &mut World, name: &str| {
        world.put_row(receiver, row("albums", name), &[("name", name)]);
        world.settle();
    };
    write(&mut world, "before");
    for site in [founder, other] {
        if world.is_linked(site, receiver) {
            world.unlink(site, receiver);
        }
    }
    world.settle();
    world.set_mode(founder, receiver, MemberMode::ReceiveOnly);
    world.settle();
    (0..5).for_each(|number| write(&mut world, &format!("late {number}")));
    meet(&mut world);
    world.set_mode(founder, receiver, MemberMode::Full);
    meet(&mut world);
    (0..5).for_each(|number| write(&mut world, &format!("after {number}")));
    world.crash(receiver);
    world[receiver].config().compaction.checkpoint_items_min = 2;
    world.start(receiver);
    meet(&mut world);
    (5..10).for_each(|number| write(&mut world, &format!("after {number}")));
    meet(&mut world);
    for site in &sites {
        let rows = database(&mut world, *site).rows();
        assert!(!rows.keys().any(|row| String::from_utf8_lossy(&row.key).starts_with("late")));
        assert_eq!(rows.len(), 11);
    }
    assert_alike(&mut world, &sites);
}

#[test]
fn who_may_not_set_a_mode_is_told_so() {
    let (mut world, sites) = group(2);
    world.set_mode(sites[1], sites[0], MemberMode::Relay);
    world.settle();
    assert_eq!(told(&mut world, sites[1], NoticeCode::NotPermitted).len(), 1);
    for site in &sites {
        assert!(world[*site].status().members.iter().all(|member| member.mode == MemberMode::Full));
    }
}

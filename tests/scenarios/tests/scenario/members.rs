//! Devices that are removed from the group, and who decides that.

use syncline_core::api::{Command, DeliveryConfig, DeliveryOrder, FolderIndexing, NoticeCode, RootConfig};
use syncline_core::folder::message_path;
use syncline_sim::{ROOT, SiteId, World, row};

use super::records::{database, get, library, link, unlink};

/// So many devices that keep a folder and the tables of a library and post messages, in a chain; the first is the founder.
pub fn group(devices: usize) -> (World, Vec<SiteId>) {
    let mut world = World::new(1);
    let sites: Vec<SiteId> = (0..devices).map(|_| super::records::add(&mut world)).collect();
    for (number, site) in sites.iter().enumerate() {
        let membership =
            if number == 0 { syncline_core::api::Membership::Founder } else { syncline_core::api::Membership::Joiner };
        let config = world[*site].config();
        config.roots = vec![RootConfig { id: ROOT, membership, allow_deletions: true }];
        config.delivery = Some(DeliveryConfig { order: DeliveryOrder::Arrival, delivered: 0 });
        world.start(*site);
    }
    world.settle();
    link(&mut world, &sites);
    (world, sites)
}

pub fn write_file(world: &mut World, site: SiteId, path: &str, bytes: &str) {
    world[site].disk().write(path, bytes.as_bytes());
    world.rescan(site);
    world.settle();
}

pub fn file(world: &mut World, site: SiteId, path: &str) -> Option<String> {
    world[site].disk().read(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned())
}

/// A device says something new in all three ways, and changes what another had said.
pub fn say(world: &mut World, site: SiteId, what: &str) {
    write_file(world, site, &format!("{what}.md"), what);
    write_file(world, site, "shared.md", what);
    world.put_row(site, row("albums", what), &[("name", what)]);
    world.put_row(site, row("albums", "shared"), &[("name", what)]);
    world.post(site, what);
    world.settle();
}

pub fn said(world: &mut World, site: SiteId, what: &str) -> [bool; 3] {
    let text = world[site].host().application.texts().iter().any(|text| text == what);
    let album = database(world, site).rows().contains_key(&row("albums", what));
    [file(world, site, &format!("{what}.md")).as_deref() == Some(what), album, text]
}

pub fn shared(world: &mut World, site: SiteId) -> [Option<String>; 2] {
    [file(world, site, "shared.md"), get(world, site, &row("albums", "shared"), "name")]
}

pub fn assert_alike(world: &mut World, sites: &[SiteId]) {
    let digest = world[sites[0]].status().digest;
    let rows = database(world, sites[0]).rows().clone();
    let tree = world[sites[0]].disk().tree();
    for site in sites {
        assert_eq!(world[*site].status().digest, digest);
        assert_eq!(*database(world, *site).rows(), rows);
        assert_eq!(world[*site].disk().tree(), tree);
        assert!(world[*site].status().quiet);
    }
}

#[test]
fn h10_what_a_removed_member_still_sends_is_ignored_and_it_hears_no_more() {
    let (mut world, sites) = group(3);
    say(&mut world, sites[2], "before");
    world.remove_member(sites[0], sites[2]);
    world.settle();
    assert_eq!(said(&mut world, sites[0], "before"), [true; 3], "what counted when it was removed stays");
    // It heard of it, keeps what it has, and does nothing more, also after a restart.
    for _ in 0..2 {
        assert!(world[sites[2]].take_notices().iter().any(|notice| notice.code == NoticeCode::Expelled));
        world.restart(sites[2]);
        world.settle();
    }
    say(&mut world, sites[2], "after");
    say(&mut world, sites[0], "secret");
    world.link(sites[1], sites[2]);
    world.settle();
    assert!(!world.is_linked(sites[1], sites[2]));
    assert_eq!(said(&mut world, sites[2], "before"), [true; 3]);
    assert_eq!(said(&mut world, sites[2], "secret"), [false; 3]);
    for site in &sites[..2] {
        assert_eq!(said(&mut world, *site, "after"), [false; 3]);
        assert_eq!(said(&mut world, *site, "secret"), [true; 3]);
        let status = world[*site].status();
        assert!(status.members.iter().any(|member| member.removed));
    }
    assert_alike(&mut world, &sites[..2]);
}

#[test]
fn h10_a_removed_member_that_did_not_hear_of_it_is_ignored_too() {
    let (mut world, sites) = group(2);
    say(&mut world, sites[1], "before");
    unlink(&mut world, &sites);
    world.remove_member(sites[0], sites[1]);
    say(&mut world, sites[1], "after");
    world.settle();
    link(&mut world, &sites);
    assert!(!world.is_linked(sites[0], sites[1]));
    assert_eq!(said(&mut world, sites[0], "after"), [false; 3]);
    assert!(world[sites[1]].take_notices().iter().any(|notice| notice.code == NoticeCode::Expelled));
}

/// Three others: the first removes the last while what it said last has come to the second only, or to the third only.
#[test]
fn h14_whatever_of_a_removed_member_came_first_all_end_alike() {
    for restarts in [false, true] {
        let (mut world, sites) = group(4);
        say(&mut world, sites[3], "before");
        let removed = sites[3];
        world.unlink(sites[0], sites[1]);
        world.settle();
        // The second and the third hear of it before they hear of the removal.
        say(&mut world, removed, "late");
        assert_eq!(said(&mut world, sites[1], "late"), [true; 3]);
        world.unlink(sites[2], removed);
        world.unlink(sites[1], sites[2]);
        world.settle();
        world.remove_member(sites[0], removed);
        world.settle();
        if restarts {
            world.restart(sites[1]);
        }
        // The second hears of the removal from the founder, the third from the second.
        world.link(sites[0], sites[1]);
        world.settle();
        world.link(sites[0], sites[1]);
        world.link(sites[1], sites[2]);
        world.settle();
        world.link(sites[0], sites[1]);
        world.link(sites[1], sites[2]);
        world.settle();
        assert_alike(&mut world, &sites[..3]);
        for site in &sites[..3] {
            assert_eq!(said(&mut world, *site, "before"), [true; 3]);
            let [file, row, _] = said(&mut world, *site, "late");
            assert_eq!([file, row], [false; 2], "what it said in the end is taken back");
            assert_eq!(shared(&mut world, *site), ["before", "before"].map(|text| Some(text.to_string())));
        }
        assert!(world[sites[1]].take_notices().iter().any(|notice| notice.code == NoticeCode::MemberRemoved));
        assert_eq!(said(&mut world, removed, "late"), [true; 3], "it keeps what it has");
    }
}

/// Nobody waits for what a removed member might still have written, neither to give messages in their order nor to clear them.
#[test]
fn h10_in_a_message_folder_a_removed_member_is_ignored_and_holds_nobody_back() {
    let mut world = World::new(1);
    let sites: Vec<SiteId> = (0..3).map(|_| world.add_to_folder(false, FolderIndexing::Listing)).collect();
    for site in &sites {
        let config = world[*site].config();
        config.delivery = Some(DeliveryConfig { order: DeliveryOrder::Total, delivered: 0 });
        (config.compaction.clear_applied, config.compaction.checkpoint_items_min) = (true, 2);
        world.start(*site);
    }
    world.settle();
    world.carry();
    let removed = sites[2];
    world.post(removed, "before");
    world.settle();
    world.carry();
    world[removed].host().folder.is_offline = true;
    world.remove_member(sites[0], removed);
    world.settle();
    let counter = |world: &World, site: SiteId| {
        let members = world[site].status().members.into_iter();
        members.filter(|member| member.removed).map(|member| member.counter).collect::<Vec<u64>>()
    };
    let counted = counter(&world, sites[0]);
    world.post(removed, "after");
    for number in 0..4 {
        for site in &sites[..2] {
            world.post(*site, &format!("{number}"));
            world.settle();
            world.carry();
        }
    }
    for site in &sites[..2] {
        let texts = world[*site].host().application.texts();
        assert!(texts.len() > 7, "given in order though the removed one says nothing: {texts:?}");
    }
    world[removed].host().folder.is_offline = false;
    for _ in 0..3 {
        world.carry();
        world.pass(120_000);
    }
    for site in &sites[..2] {
        let texts = world[*site].host().application.texts();
        assert!(texts.contains(&"before".to_string()) && !texts.contains(&"after".to_string()), "{texts:?}");
        assert_eq!(counter(&world, *site), counted, "nothing of it that is void is held");
        assert!(world[*site].status().quiet);
        let own = world.replica(*site);
        let held = (2..20).filter(|counter| world[*site].message_folder().at(&message_path(own, *counter)).is_some());
        assert!(held.count() < 8, "what both others have is cleared");
    }
    assert_eq!(world[sites[0]].status().digest, world[sites[1]].status().digest);
    assert!(world[removed].status().quiet, "it owes nobody an answer");
    assert!(world[removed].take_notices().iter().any(|notice| notice.code == NoticeCode::Expelled));
}

/// What another member made of what is void is its own, and stays.
#[test]
fn h14_what_others_made_of_void_files_and_directories_lives_on() {
    let (mut world, sites) = group(4);
    let [founder, second, third, removed] = sites[..] else { panic!("four devices") };
    world.unlink(founder, second);
    world.settle();
    world[removed].disk().mkdir("late");
    for path in ["late.md", "late/a.md", "late/b.md", "edited.md"] {
        write_file(&mut world, removed, path, "of the removed one");
    }
    write_file(&mut world, second, "edited.md", "and of the second");
    write_file(&mut world, third, "late/own.md", "of the third");
    for key in ["1", "2"] {
        world.put_row(removed, row("albums", key), &[("name", "of the removed one"), ("year", "1999")]);
    }
    world.settle();
    world.put_row(second, row("albums", "2"), &[("name", "and of the second")]);
    world.settle();
    assert_eq!(file(&mut world, second, "late/own.md").as_deref(), Some("of the third"));
    world.unlink(third, removed);
    world.remove_member(founder, removed);
    world.settle();
    for _ in 0..3 {
        link(&mut world, &sites[..3]);
    }
    assert_alike(&mut world, &sites[..3]);
    let tree = world[founder].disk().tree();
    let files: Vec<&str> = tree.items().map(|(path, _)| path).collect();
    assert_eq!(files, ["edited.md", "late", "late/own.md"]);
    assert_eq!(file(&mut world, founder, "edited.md").as_deref(), Some("and of the second"));
    let rows = database(&mut world, founder).rows();
    assert_eq!(rows.len(), 1);
    assert_eq!(rows[&row("albums", "2")], [("name".to_string(), b"and of the second".to_vec())].into());
}

/// Who sent it did not know better.
#[test]
fn h14_what_is_void_is_not_taken_though_it_was_on_its_way_already() {
    let (mut world, sites) = group(4);
    let [founder, second, third, removed] = sites[..] else { panic!("four devices") };
    say(&mut world, removed, "before");
    world.stall(second, third, true);
    world.stall(third, second, true);
    say(&mut world, removed, "after");
    assert_eq!(said(&mut world, third, "after")[1..], [true; 2], "only its file waits for who does not answer");
    world.remove_member(founder, removed);
    world.settle();
    world.stall(third, second, false);
    world.settle();
    assert_eq!(said(&mut world, third, "after")[1..], [true; 2], "it does not know it yet");
    assert_eq!(said(&mut world, second, "before"), [true; 3]);
    assert_eq!(said(&mut world, second, "after"), [false; 3]);
    assert_eq!(world[founder].status().digest, world[second].status().digest);
    world.stall(second, third, false);
    world.settle();
    for _ in 0..3 {
        link(&mut world, &sites[..3]);
    }
    for site in &sites[..3] {
        assert_eq!(said(&mut world, *site, "before"), [true; 3]);
        assert_eq!(
            said(&mut world, *site, "after")[..2],
            [false; 2],
            "of what an application has nothing is taken back"
        );
    }
    assert_alike(&mut world, &sites[..3]);
}

#[test]
fn of_two_who_decide_the_higher_rank_stands_whatever_was_heard_first() {
    let (mut world, sites) = group(4);
    let [founder, second, third, fourth] = sites[..] else { panic!("four devices") };
    world.appoint(founder, second);
    world.settle();
    world.appoint(founder, third);
    world.settle();
    unlink(&mut world, &sites);
    // The third removes the fourth, while the second removes the third.
    world.remove_member(second, third);
    world.settle();
    world.remove_member(third, fourth);
    world.settle();
    world.link(third, fourth);
    world.settle();
    assert!(world[fourth].take_notices().iter().any(|notice| notice.code == NoticeCode::Expelled));
    say(&mut world, founder, "hello");
    world.link(founder, second);
    world.settle();
    let removed = |world: &World, site: SiteId| {
        let members = world[site].status().members;
        members.iter().filter(|member| member.removed).map(|member| member.replica).collect::<Vec<_>>()
    };
    for site in [founder, second] {
        assert_eq!(removed(&world, site), [world.replica(third)]);
    }
}

#[test]
fn who_may_not_decide_is_told_so() {
    let (mut world, sites) = group(2);
    world.remove_member(sites[1], sites[0]);
    world.appoint(sites[1], sites[1]);
    world.command(sites[1], Command::Remove { member: vec![1; 5] });
    world.remove_member(sites[0], sites[0]);
    world.settle();
    for (site, count) in [(sites[0], 1), (sites[1], 3)] {
        let told = world[site].take_notices().into_iter().filter(|notice| notice.code == NoticeCode::NotPermitted);
        assert_eq!(told.count(), count);
        assert!(!world[site].status().members.iter().any(|member| member.removed));
    }
}

#[test]
fn r01_what_is_held_is_discarded_everywhere_by_who_decides() {
    let (mut world, sites) = library(1, 3);
    world[sites[1]].jump(3_600_000);
    world.put_row(sites[1], row("albums", "1"), &[("name", "of tomorrow")]);
    world.settle();
    let replica = world.replica(sites[1]);
    assert!(world[sites[0]].status().records.unwrap().held > 0);
    world.command(sites[0], Command::DiscardHeld { replica });
    world.settle();
    for site in &sites {
        assert_eq!(world[*site].status().records.unwrap().held, 0);
        assert!(!database(&mut world, *site).rows().contains_key(&row("albums", "1")));
    }
    // It goes on under a new id; once its clock is right all is as before.
    world[sites[1]].jump(-3_600_000);
    world.put_row(sites[0], row("albums", "3"), &[("name", "by one whose clock is right")]);
    world.settle();
    world.put_row(sites[1], row("albums", "2"), &[("name", "of today")]);
    world.settle();
    super::records::assert_equal(&mut world, &sites);
    assert!(database(&mut world, sites[2]).rows().contains_key(&row("albums", "2")));
}

/// So many devices in a chain, which void what they need no more as soon as it is two messages. The second wrote three rows.
fn written_by_the_second(devices: usize) -> (World, Vec<SiteId>) {
    let (mut world, sites) = library(1, devices);
    for site in &sites {
        world[*site].config().compaction.checkpoint_items_min = 2;
        world.restart(*site);
    }
    link(&mut world, &sites);
    for key in ["1", "2", "3"] {
        world.put_row(sites[1], row("albums", key), &[("name", "of the second")]);
        world.settle();
    }
    (world, sites)
}

/// Its author had seen the other value, and needed the message no more that says its own.
#[test]
fn h14_what_a_removed_member_had_written_over_stands_again_everywhere() {
    let (mut world, sites) = written_by_the_second(3);
    let [founder, second, removed] = sites[..] else { panic!("three devices") };
    world.unlink(founder, second);
    world.settle();
    for key in ["1", "2", "3"] {
        world.put_row(removed, row("albums", key), &[("name", "written over")]);
        world.settle();
    }
    for number in 0..20 {
        world.put_row(second, row("albums", "own"), &[("name", &number.to_string())]);
        world.settle();
    }
    assert_eq!(get(&mut world, second, &row("albums", "1"), "name").as_deref(), Some("written over"));
    world.unlink(second, removed);
    world.remove_member(founder, removed);
    world.settle();
    for _ in 0..3 {
        link(&mut world, &sites[..2]);
    }
    super::records::assert_equal(&mut world, &sites[..2]);
    for key in ["1", "2", "3"] {
        assert_eq!(get(&mut world, second, &row("albums", key), "name").as_deref(), Some("of the second"));
    }
}

/// The founder is put back to before it held what it then makes void. By then that cost another value its message, where
/// nobody knew better; so no device may keep that value either.
#[test]
fn h14_what_a_founder_that_was_put_back_makes_void_leaves_all_alike() {
    let (mut world, sites) = written_by_the_second(4);
    let [founder, second, removed, fourth] = sites[..] else { panic!("four devices") };
    let image = world.image(founder);
    world.unlink(removed, fourth);
    world.settle();
    for key in ["1", "2", "3"] {
        world.put_row(removed, row("albums", key), &[("name", "written over")]);
        world.settle();
    }
    world.unlink(second, removed);
    for number in 0..20 {
        world.put_row(second, row("albums", "own"), &[("name", &number.to_string())]);
        world.settle();
    }
    world.unlink(founder, second);
    world.settle();
    world.crash(founder);
    world.restore_device(founder, &image);
    world.start(founder);
    world.settle();
    world.remove_member(founder, removed);
    world.settle();
    // The fourth hears of the removal first, and then of what the second had made void before.
    world.link(founder, fourth);
    world.settle();
    world.unlink(founder, fourth);
    let members = [founder, second, fourth];
    for _ in 0..3 {
        world.link(second, fourth);
        world.link(founder, second);
        world.settle();
        world.pass(60_000);
    }
    super::records::assert_equal(&mut world, &members);
}

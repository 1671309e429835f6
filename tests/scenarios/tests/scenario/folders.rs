//! Message folders: what a service may do to them, and what comes through all the same.

use syncline_core::api::{
    DeliveryConfig, DeliveryOrder, Event, FolderIndexing, FolderState, Gap, GroupConfig, NoticeCode, ReplicaId, UnixMs,
};
use syncline_core::crypto::{Identity, Signature};
use syncline_core::folder::{Info, message_path};
use syncline_core::log::{Entry, Log, Message, Previous, Sealed};
use syncline_sim::folder::{FolderFile, Trouble};
use syncline_sim::{FOLDER, GROUP, SiteId, Tree, World, tree};

const MINUTE_MS: u64 = 60_000;

/// A member that is written by hand, with files that no engine would write.
struct Author {
    log: Log,
    identity: Identity,
    replica: ReplicaId,
    last: Option<Previous>,
    lamport: u64,
}

impl Author {
    fn new(number: u8) -> Author {
        let replica = ReplicaId::from_bytes([number; 16]);
        let identity = Identity::from_secret(&[number; 32]).unwrap();
        let mut log = Log::new(&group(), identity.clone()).unwrap();
        log.begin(replica);
        Author { log, identity, replica, last: None, lamport: 0 }
    }

    /// The first message, which introduces the author.
    fn introduce(&mut self) -> Sealed {
        let sealed = self.log.compose(UnixMs(5), vec![], "by hand").unwrap();
        self.keep(&sealed);
        sealed
    }

    /// A message of any number.
    fn write(&mut self, counter: u64, text: &str) -> Sealed {
        let message = Message {
            author: self.replica,
            counter,
            lamport: self.lamport + 1,
            unix_ms: UnixMs(5),
            previous: self.last,
            entries: vec![Entry::Application { payload: text.as_bytes().to_vec().into() }],
            signature: Signature::from_bytes([0; 64]),
        };
        let sealed = message.seal(GROUP, &self.identity).unwrap();
        self.keep(&sealed);
        sealed
    }

    fn keep(&mut self, sealed: &Sealed) {
        self.last = Some(Previous { counter: sealed.message.counter, hash: sealed.hash });
        self.lamport = sealed.message.lamport;
    }
}

fn group() -> GroupConfig {
    Info::open(GROUP).group(None).unwrap()
}

fn put(world: &mut World, site: SiteId, sealed: &Sealed) {
    world.judge().admit_outsiders();
    let path = message_path(sealed.message.author, sealed.message.counter);
    world[site].host().folder.put(&path, FolderFile::new(sealed.bytes.clone()));
    notice(world, site, path);
}

fn notice(world: &mut World, site: SiteId, path: String) {
    world.tell(site, Event::FolderChanged { folder: FOLDER, paths: vec![path] });
    world.settle();
}

fn texts(world: &mut World, site: SiteId) -> Vec<String> {
    world[site].host().application.texts()
}

/// What a device got, in any order.
fn sorted(world: &mut World, site: SiteId) -> Vec<String> {
    let mut texts = texts(world, site);
    texts.sort();
    texts
}

/// Where a text stands in the folder, as its author's own application knows.
fn path_of(world: &mut World, author: SiteId, text: &str) -> String {
    world.settle();
    let stored = world[author].host().application.stored().to_vec();
    let message = stored.iter().find(|message| message.payload == text.as_bytes()).unwrap();
    message_path(message.author, message.counter)
}

fn replica(world: &World, site: SiteId) -> ReplicaId {
    world[site].status().replica.unwrap()
}

#[test]
fn what_one_posts_all_get_once_and_in_the_end_nobody_says_anything() {
    let (mut world, sites) = World::folder_group(1, 3);
    world.post(sites[0], "one");
    world.post(sites[1], "two");
    world.post(sites[0], "three");
    world.carry();
    for site in &sites {
        assert_eq!(sorted(&mut world, *site), ["one", "three", "two"]);
        assert!(world[*site].status().quiet);
    }
    let published = world[sites[0]].host().application.published().to_vec();
    let stored = world[sites[1]].host().application.stored().to_vec();
    let of_first = stored.iter().filter(|message| message.author == published[0].0);
    assert!(of_first.map(|message| (message.author, message.counter)).eq(published.iter().copied()));
    let digests: Vec<_> = sites.iter().map(|site| world[*site].status().digest).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]));
    let saves: Vec<_> = sites.iter().map(|site| world[*site].counts().saves).collect();
    world.pass(10 * MINUTE_MS);
    world.carry();
    assert_eq!(saves, sites.iter().map(|site| world[*site].counts().saves).collect::<Vec<_>>());
}

#[test]
fn f01_a_number_far_ahead_is_one_gap_and_others_are_unaffected() {
    let (mut world, sites) = World::folder_group(1, 2);
    let mut author = Author::new(77);
    let mut all = vec![author.introduce()];
    all.extend((2..=5).map(|counter| author.write(counter, &counter.to_string())));
    author.last = Some(Previous { counter: u64::MAX - 1, hash: all[4].hash });
    all.push(author.write(u64::MAX, "far"));
    for sealed in &all {
        put(&mut world, sites[0], sealed);
    }
    let gap = Gap { author: author.replica, from: 6, to: u64::MAX - 1 };
    assert_eq!(world[sites[0]].status().gaps, [gap]);
    assert_eq!(texts(&mut world, sites[0]), ["2", "3", "4", "5", "far"]);
    world.post(sites[1], "unaffected");
    world.carry();
    assert_eq!(texts(&mut world, sites[0]).last().unwrap(), "unaffected");
}

#[test]
fn f02_a_gap_that_never_fills_is_told_and_holds_nothing_up() {
    let (mut world, sites) = World::folder_group(1, 1);
    let mut author = Author::new(77);
    let first = author.introduce();
    let lost = author.write(2, "lost");
    let third = author.write(3, "third");
    put(&mut world, sites[0], &first);
    put(&mut world, sites[0], &third);
    world.pass(60 * MINUTE_MS);
    assert_eq!(world[sites[0]].status().gaps, [Gap { author: author.replica, from: 2, to: 2 }]);
    assert_eq!(texts(&mut world, sites[0]), ["third"]);
    put(&mut world, sites[0], &lost);
    assert_eq!(world[sites[0]].status().gaps, []);
    assert_eq!(texts(&mut world, sites[0]), ["third", "lost"]);
}

#[test]
fn f04_copies_that_a_service_made_of_a_conflict_are_no_messages() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.post(sites[0], "only once");
    let path = path_of(&mut world, sites[0], "only once");
    let file = world[sites[0]].host().folder.at(&path).cloned().unwrap();
    for copy in [" (1)", ".sync-conflict-20260101-000000-ABC", " (conflicted copy)", "~", " "] {
        world[sites[0]].host().folder.put(&format!("{path}{copy}"), file.clone());
    }
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["only once"]);
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 0);
}

#[test]
fn f05_the_bytes_of_a_placeholder_are_asked_for_and_nothing_is_skipped() {
    let (mut world, sites) = World::folder_group(1, 2);
    for text in ["one", "two", "three"] {
        world.post(sites[0], text);
    }
    let second = path_of(&mut world, sites[0], "two");
    world.carry_by(|site, path| (site == 1 && path == second).then_some(Trouble::Placeholder));
    world.settle();
    assert_eq!(texts(&mut world, sites[1]), ["one", "three"]);
    assert_eq!(world[sites[1]].status().folders[0].placeholders, 1);
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["one", "three", "two"]);
    assert_eq!(world[sites[1]].status().folders[0].placeholders, 0);
}

#[test]
fn f06_a_file_that_comes_empty_then_half_then_whole_is_delivered_once() {
    for is_hinted in [true, false] {
        let (mut world, sites) = World::folder_group(1, 2);
        world.post(sites[0], "whole");
        let path = path_of(&mut world, sites[0], "whole");
        for trouble in [Trouble::Empty, Trouble::Torn] {
            world.carry_by(|_, _| Some(trouble));
            world.settle();
            assert!(texts(&mut world, sites[1]).is_empty());
            assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
        }
        if is_hinted {
            world.carry();
        } else {
            let file = world[sites[0]].host().folder.at(&path).cloned().unwrap();
            world[sites[1]].host().folder.put(&path, file);
            world.pass(10 * MINUTE_MS);
        }
        assert_eq!(texts(&mut world, sites[1]), ["whole"]);
        assert_eq!(world[sites[1]].status().folders[0].unverifiable, 0);
    }
}

#[test]
fn f07_a_folder_that_turns_up_empty_or_as_another_sessions_is_left_alone() {
    for is_other in [false, true] {
        let (mut world, sites) = World::folder_group(1, 2);
        let files: Vec<(String, FolderFile)> =
            world[sites[0]].host().folder.files().map(|(path, file)| (path.into(), file.clone())).collect();
        for (path, _) in &files {
            world[sites[0]].host().folder.take(path);
        }
        if is_other {
            let info = Info::open("00000000-0000-4000-8000-000000000001".parse().unwrap());
            world[sites[0]].host().folder.put("info", FolderFile::new(info.to_json()));
        }
        world.restart(sites[0]);
        world.settle();
        world.post(sites[0], "kept for later");
        world.pass(10 * MINUTE_MS);
        assert_eq!(world[sites[0]].status().folders[0].state, FolderState::Halted);
        assert!(world[sites[0]].has_notice(NoticeCode::FolderMissing));
        assert_eq!(world[sites[0]].host().folder.files().count(), usize::from(is_other));

        world[sites[0]].host().folder.take("info");
        for (path, file) in files {
            world[sites[0]].host().folder.put(&path, file);
        }
        world.pass(10 * MINUTE_MS);
        world.carry();
        assert_eq!(texts(&mut world, sites[1]), ["kept for later"]);
    }
}

#[test]
fn f08_one_file_goes_and_another_comes_and_it_is_found() {
    for indexing in [FolderIndexing::Listing, FolderIndexing::Probing] {
        let mut world = World::new(1);
        let sites = [world.add_to_folder(false, indexing), world.add_to_folder(false, indexing)];
        for site in sites {
            world.start(site);
        }
        world.settle();
        world.post(sites[0], "first");
        world.carry();
        let first = path_of(&mut world, sites[0], "first");
        let count = world[sites[1]].host().folder.files().count();
        // Nobody tells of it but the next look.
        world.post(sites[0], "second");
        let second = path_of(&mut world, sites[0], "second");
        let file = world[sites[0]].host().folder.at(&second).cloned().unwrap();
        world[sites[1]].host().folder.take(&first);
        world[sites[1]].host().folder.put(&second, file);
        assert_eq!(world[sites[1]].host().folder.files().count(), count);
        world.pass(2 * MINUTE_MS);
        assert_eq!(texts(&mut world, sites[1]), ["first", "second"], "{indexing:?}");
    }
}

#[test]
fn f09_messages_in_any_order_and_over_restarts_come_once() {
    let (mut world, sites) = World::folder_group(1, 1);
    let mut author = Author::new(77);
    let first = author.introduce();
    let second = author.write(2, "two");
    let third = author.write(3, "three");
    put(&mut world, sites[0], &third);
    assert!(texts(&mut world, sites[0]).is_empty());
    world.restart(sites[0]);
    world.settle();
    put(&mut world, sites[0], &first);
    assert_eq!(texts(&mut world, sites[0]), ["three"]);
    world.restart(sites[0]);
    world.settle();
    put(&mut world, sites[0], &second);
    world.restart(sites[0]);
    world.pass(2 * MINUTE_MS);
    assert_eq!(texts(&mut world, sites[0]), ["three", "two"]);
    let sequences: Vec<u64> =
        world[sites[0]].host().application.stored().iter().map(|message| message.sequence).collect();
    assert_eq!(sequences, [1, 2]);
}

#[test]
fn an_application_that_fails_gets_the_same_again_and_nothing_twice() {
    let (mut world, sites) = World::folder_group(1, 2);
    world[sites[1]].host().application.fail_next(3);
    for text in ["one", "two"] {
        world.post(sites[0], text);
    }
    world.carry();
    world.pass(MINUTE_MS);
    assert_eq!(texts(&mut world, sites[1]), ["one", "two"]);
}

#[test]
fn f10_a_store_put_back_from_a_backup_goes_on_under_a_new_id() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.post(sites[0], "one");
    world.carry();
    let old = replica(&world, sites[0]);
    let store = world[sites[0]].host().store.clone();
    world.post(sites[0], "two");
    world.carry();
    world.crash(sites[0]);
    world[sites[0]].host().store = store;
    world.start(sites[0]);
    world.post(sites[0], "three");
    world.settle();
    world.carry();
    assert_ne!(replica(&world, sites[0]), old);
    assert!(world[sites[0]].has_notice(NoticeCode::NewIncarnation));
    assert_eq!(sorted(&mut world, sites[1]), ["one", "three", "two"]);
    assert_eq!(world[sites[0]].status().digest, world[sites[1]].status().digest);
}

#[test]
fn f10_an_own_directory_put_back_from_a_backup_is_written_again() {
    let (mut world, sites) = World::folder_group(1, 1);
    world.post(sites[0], "one");
    world.post(sites[0], "two");
    let path = path_of(&mut world, sites[0], "two");
    let own = replica(&world, sites[0]);
    let file = world[sites[0]].host().folder.take(&path).unwrap();
    world.restart(sites[0]);
    world.settle();
    assert_eq!(replica(&world, sites[0]), own);
    assert_eq!(world[sites[0]].host().folder.at(&path), Some(&file));
}

#[test]
fn f11_a_crash_at_any_moment_of_writing_leaves_a_hole_or_the_same_bytes() {
    for sealed in [false, true] {
        for steps in 0..60 {
            let mut world = World::new(steps);
            let site = world.add_to_folder(sealed, FolderIndexing::Listing);
            world.start(site);
            world.settle();
            world.post(site, "text");
            for _ in 0..steps {
                world.step();
            }
            let before: Vec<_> =
                world[site].host().folder.files().map(|(path, file)| (path.to_string(), file.clone())).collect();
            world.restart(site);
            world.settle();
            for (path, file) in before {
                assert_eq!(world[site].host().folder.at(&path), Some(&file), "{path} after {steps} steps");
            }
            assert_eq!(world[site].status().folders[0].unwritten, 0);
        }
    }
}

#[test]
fn f12_a_file_that_its_authors_key_did_not_sign_is_reported_and_not_followed() {
    let (mut world, sites) = World::folder_group(1, 2);
    let victim = replica(&world, sites[0]);
    let mut author = Author::new(77);
    author.introduce();
    author.replica = victim;
    let forged = author.write(50, "forged");
    put(&mut world, sites[1], &forged);
    world.pass(10 * MINUTE_MS);
    assert!(texts(&mut world, sites[1]).is_empty());
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
    assert!(world[sites[1]].has_notice(NoticeCode::MessageUnverifiable));
    // A true message in another's place is none either.
    let mut other = Author::new(78);
    let (first, second) = (other.introduce(), other.write(2, "elsewhere"));
    world[sites[1]].host().folder.put(&message_path(other.replica, 1), FolderFile::new(first.bytes));
    world[sites[1]].host().folder.put(&message_path(other.replica, 3), FolderFile::new(second.bytes));
    world.pass(2 * MINUTE_MS);
    assert!(texts(&mut world, sites[1]).is_empty());
}

#[test]
fn f13_ten_new_messages_among_many_cost_ten_reads() {
    for indexing in [FolderIndexing::Listing, FolderIndexing::Probing] {
        let mut world = World::new(1);
        let site = world.add_to_folder(false, indexing);
        world.start(site);
        world.settle();
        world.judge().admit_outsiders();
        let mut author = Author::new(77);
        let mut all = vec![author.introduce()];
        all.extend((2..=2_010).map(|counter| author.write(counter, "text")));
        let put_all = |world: &mut World, messages: &[Sealed]| {
            for sealed in messages {
                let path = message_path(sealed.message.author, sealed.message.counter);
                world[site].host().folder.put(&path, FolderFile::new(sealed.bytes.clone()));
            }
        };
        put_all(&mut world, &all[..2_000]);
        world.pass(2 * MINUTE_MS);
        assert_eq!(texts(&mut world, site).len(), 1_999);
        let count = |world: &World, kind: &str| world[site].coverage().of(kind);
        let kinds = ["work FolderList", "work FolderRead", "work FolderProbe"];
        let before = kinds.map(|kind| count(&world, kind));
        put_all(&mut world, &all[2_000..]);
        world.pass(MINUTE_MS + 1_000);
        assert_eq!(texts(&mut world, site).len(), 2_009, "{indexing:?}");
        let cost = [0, 1, 2].map(|at| count(&world, kinds[at]) - before[at]);
        // The session's directory, and the pages of two feeds' directories only where they are listed.
        let lists = if indexing == FolderIndexing::Listing { 1..=60 } else { 1..=4 };
        assert!(lists.contains(&cost[0]) && cost[1] <= 8 && cost[2] <= 8, "{indexing:?}: {cost:?}");
    }
}

#[test]
fn f14_what_is_no_message_is_ignored_or_refused_under_a_limit() {
    let (mut world, sites) = World::folder_group(1, 2);
    let author = replica(&world, sites[0]);
    let folder = &mut world[sites[0]].host().folder;
    let in_feed = |name: &str| format!("{author}/{name}");
    for name in [".DS_Store", "desktop.ini", "3/inner", "blobs.txt", "0"] {
        folder.put(&in_feed(name), FolderFile::new("junk"));
    }
    folder.put("junk.txt", FolderFile::new("junk"));
    folder.put("not-a-feed/1", FolderFile::new("junk"));
    folder.put(&in_feed("6"), FolderFile { is_link: true, ..FolderFile::new("elsewhere") });
    folder.put(&in_feed("7"), FolderFile::new(vec![0; 2 << 20]));
    world.post(sites[0], "text");
    world.carry();
    world.pass(10 * MINUTE_MS);
    assert_eq!(texts(&mut world, sites[1]), ["text"]);
    assert_eq!(world[sites[1]].status().folders[0].unverifiable, 1);
    assert!(world[sites[0]].status().members.len() == 2);
}

#[test]
fn f15_a_folder_with_an_unreadable_or_newer_info_is_left_alone() {
    for info in ["junk".to_string(), Info::open(GROUP).to_json().replace("\"version\": 1", "\"version\": 2")] {
        let mut world = World::new(1);
        let site = world.add_to_folder(false, FolderIndexing::Listing);
        world[site].host().folder.put("info", FolderFile::new(info));
        world.start(site);
        world.pass(MINUTE_MS);
        assert!(world[site].has_notice(NoticeCode::FolderUnusable));
        assert_eq!(world[site].host().folder.files().count(), 1);
    }
}

#[test]
fn f15_a_smaller_session_that_another_device_made_at_once_ends_this_one() {
    let (mut world, sites) = World::folder_group(1, 1);
    let smaller = Info::open("00000000-0000-4000-8000-000000000001".parse().unwrap());
    world[sites[0]].host().folder.put("info (conflicted copy)", FolderFile::new(smaller.to_json()));
    let files = world[sites[0]].host().folder.files().count();
    world.post(sites[0], "kept");
    world.pass(0);
    world.tell(sites[0], Event::FolderChanged { folder: FOLDER, paths: vec!["info (conflicted copy)".into()] });
    world.pass(2 * MINUTE_MS);
    assert!(world[sites[0]].has_notice(NoticeCode::SessionSuperseded));
    assert!(world[sites[0]].host().folder.files().count() <= files + 1);
}

#[test]
fn f16_ten_replicas_acknowledge_and_come_to_rest() {
    let (mut world, sites) = World::folder_group(1, 10);
    for site in &sites {
        world.post(*site, "text");
    }
    world.carry();
    let files = world[sites[0]].host().folder.files().count();
    world.pass(60 * MINUTE_MS);
    world.carry();
    assert_eq!(world[sites[0]].host().folder.files().count(), files);
    let stable = world[sites[0]].status().stable.unwrap();
    let last = world[sites[0]].host().application.stored().iter().map(|message| message.lamport).max().unwrap();
    assert!(stable.lamport > last);
}

#[test]
fn in_total_order_all_members_get_the_same_in_the_same_order() {
    let (mut world, sites) = World::folder_group(1, 3);
    for site in &sites {
        world.crash(*site);
        world[*site].config().delivery = Some(DeliveryConfig { order: DeliveryOrder::Total, delivered: 0 });
        world.start(*site);
    }
    world.settle();
    for round in 0..5 {
        for (number, site) in sites.iter().enumerate() {
            world.post(*site, &format!("{round} of {number}"));
        }
        world.settle();
        world.carry_by(|site, path| (path.len() % 3 == site).then_some(Trouble::Late));
        world.settle();
        world.restart(sites[round % 3]);
        world.settle();
    }
    world.carry();
    let first = texts(&mut world, sites[0]);
    assert_eq!(first.len(), 15);
    for site in &sites {
        assert_eq!(texts(&mut world, *site), first);
        let places: Vec<_> =
            world[*site].host().application.stored().iter().map(|m| (m.lamport, m.unix_ms, m.author)).collect();
        assert!(places.is_sorted());
    }
}

#[test]
fn messages_come_once_over_a_folder_and_a_link_at_once() {
    let (mut world, sites) = World::folder_group(1, 2);
    world.link(sites[0], sites[1]);
    world.settle();
    for text in ["one", "two"] {
        world.post(sites[0], text);
    }
    world.settle();
    assert_eq!(texts(&mut world, sites[1]), ["one", "two"]);
    world.carry();
    world.unlink(sites[0], sites[1]);
    world.post(sites[0], "three");
    world.carry();
    assert_eq!(texts(&mut world, sites[1]), ["one", "two", "three"]);
}

/// Two roots that are kept in sync through a message folder alone.
fn via_folder(seed: u64, sealed: bool, trees: [Tree; 2]) -> (World, [SiteId; 2]) {
    let mut world = World::new(seed);
    let sites = [world.add_via_folder(sealed), world.add_via_folder(sealed)];
    for (site, tree) in sites.into_iter().zip(trees) {
        world[site].disk().put(&tree);
    }
    world.pass(5_000);
    for site in sites {
        world.start(site);
    }
    world.carry();
    (world, sites)
}

#[test]
fn a_tree_comes_through_a_folder_alone() {
    for sealed in [false, true] {
        let large: String = (0..200_000).map(|number| format!("{number} ")).collect();
        let files = [("a.md", "one"), ("d/b.md", "two"), ("empty", ""), ("large", large.as_str())];
        let (mut world, [a, b]) = via_folder(1, sealed, [tree(files), tree([("mine", "three")])]);
        world.carry();
        assert_eq!(world[b].tree().contents().len(), 5);
        world.assert_equal();

        world[a].disk().write("a.md", "changed");
        world[b].disk().write("d/new.md", "new");
        world[b].disk().remove("mine");
        for site in [a, b] {
            world.rescan(site);
        }
        world.pass(10_000);
        world.carry();
        world.assert_equal();
        assert_eq!(world[b].disk().read("a.md"), Some("changed".as_bytes()));
        assert!(world[a].disk().read("mine").is_none());
    }
}

#[test]
fn what_changed_while_no_engine_ran_goes_through_the_folder_with_the_next_one() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one"), ("gone", "x")]), Tree::default()]);
    world.crash(b);
    world[b].disk().write("a.md", "two");
    world[b].disk().remove("gone");
    world.pass(5_000);
    world.start(b);
    world.carry();
    world.pass(5_000);
    world.carry();
    assert_eq!(world[a].disk().read("a.md"), Some("two".as_bytes()));
    assert!(world[a].disk().read("gone").is_none());
    world.assert_equal();
}

#[test]
fn a_message_stands_in_the_folder_only_behind_the_contents_that_it_names() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one")]), Tree::default()]);
    // The service brings the message and keeps the blobs back.
    world[a].disk().write("a.md", "two");
    world.rescan(a);
    world.carry_by(|site, path| (site == 1 && path.starts_with("blobs/")).then_some(Trouble::Late));
    world.settle();
    assert_eq!(world[b].disk().read("a.md"), Some("one".as_bytes()));
    assert_eq!(world[b].root().waiting, 1);
    world.carry();
    world.pass(10_000);
    assert_eq!(world[b].disk().read("a.md"), Some("two".as_bytes()));
}

#[test]
fn a_tree_survives_kills_evictions_and_torn_blobs_on_its_way_through_a_folder() {
    for seed in 0..30 {
        let mut chance = fastrand::Rng::with_seed(seed);
        let (mut world, sites) =
            via_folder(seed, seed % 2 == 0, [tree([("a", "one"), ("b", "two")]), tree([("c", "three")])]);
        for round in 0..6 {
            let site = sites[chance.usize(..2)];
            world[site].disk().write(&format!("file {}", chance.u8(..4)), &format!("{round} of {seed}"));
            world.rescan(site);
            for _ in 0..chance.usize(..40) {
                world.step();
            }
            if chance.bool() {
                world.restart(sites[chance.usize(..2)]);
            }
            let troubles = [Trouble::Late, Trouble::Torn, Trouble::Empty, Trouble::Placeholder, Trouble::Doubled];
            world.carry_by(|_, _| chance.bool().then(|| troubles[chance.usize(..troubles.len())]));
            world.settle();
        }
        for _ in 0..3 {
            world.carry();
            world.pass(400_000);
        }
        world.assert_equal();
        assert_eq!(world[sites[0]].root().waiting, 0, "seed {seed}");
    }
}

#[test]
fn a_tree_comes_over_a_folder_and_a_link_at_once() {
    let (mut world, [a, b]) = via_folder(1, false, [tree([("a.md", "one")]), Tree::default()]);
    world.link(a, b);
    world.settle();
    world[a].disk().write("a.md", "two");
    world.rescan(a);
    assert_eq!(world[b].disk().read("a.md"), Some("two".as_bytes()));
    world.unlink(a, b);
    world[b].disk().write("a.md", "three");
    world.rescan(b);
    world.pass(5_000);
    world.carry();
    assert_eq!(world[a].disk().read("a.md"), Some("three".as_bytes()));
    world.assert_equal();
}

//! Messages that nobody needs any more become void and leave the folder, and nothing else does.

use super::*;

/// More than one checkpoint is worth.
const MANY: usize = 150;

fn clearing_group(seed: u64, count: usize) -> (World, Vec<SiteId>) {
    let mut world = World::new(seed);
    let sites: Vec<SiteId> = (0..count).map(|_| world.add_to_folder(false, FolderIndexing::Listing)).collect();
    for site in &sites {
        world[*site].config().compaction.clear_applied = true;
        world.start(*site);
    }
    world.settle();
    world.carry();
    (world, sites)
}

fn post_many(world: &mut World, site: SiteId, name: &str) -> Vec<String> {
    let texts: Vec<String> = (0..MANY).map(|number| format!("{name} {number:03}")).collect();
    for text in &texts {
        world.post(site, text);
    }
    world.carry();
    texts
}

/// How many files of messages a member has in its copy of the folder, of its own.
fn own_files(world: &mut World, site: SiteId) -> usize {
    let directory = format!("{}/", replica(world, site));
    world[site].host().folder.files().filter(|(path, _)| path.starts_with(&directory)).count()
}

/// Lets pass what a group needs to hear of everything and to clear it.
fn rest(world: &mut World) {
    for _ in 0..4 {
        world.pass(2 * MINUTE_MS);
        world.carry();
    }
}

fn assert_same(world: &World, sites: &[SiteId]) {
    let digests: Vec<_> = sites.iter().map(|site| world[*site].status().digest).collect();
    assert!(digests.windows(2).all(|pair| pair[0] == pair[1]), "{digests:?}");
}

/// An application that was put back to before messages that are cleared by now gets those that are left, each once.
#[test]
fn an_application_that_was_put_back_gets_what_is_left_once() {
    let (mut world, sites) = clearing_group(2, 2);
    post_many(&mut world, sites[0], "text");
    rest(&mut world);
    let before = world[sites[1]].host().application.stored().len() as u64;
    world.crash(sites[1]);
    world[sites[1]].host().application = Application::default();
    world.start(sites[1]);
    world.settle();
    let left = world[sites[1]].host().application.stored().len();
    assert!(left < MANY / 2, "{left} of {MANY} are not cleared");
    world.post(sites[0], "new");
    rest(&mut world);
    let stored = world[sites[1]].host().application.stored();
    assert_eq!(stored.len(), left + 1);
    assert_eq!(
        stored.last().map(|message| (message.payload.as_slice(), message.sequence)),
        Some((&b"new"[..], before + 1))
    );
    assert!(stored.windows(2).all(|pair| pair[0].sequence < pair[1].sequence));
    assert!(!world[sites[1]].status().failed && world[sites[1]].status().quiet);
}

#[test]
fn what_all_members_have_leaves_the_folder_and_the_stores() {
    let (mut world, sites) = clearing_group(1, 3);
    let texts = post_many(&mut world, sites[0], "text");
    rest(&mut world);
    for site in &sites {
        assert_eq!(sorted(&mut world, *site), texts);
        assert!(own_files(&mut world, *site) < 20, "{}", own_files(&mut world, *site));
        let messages = world[*site].host().store.pairs().filter(|(key, _)| parse_message_key(key).is_some()).count();
        assert!(messages < 60, "{messages} messages are stored");
    }
    assert_same(&world, &sites);
    // Another engine knows the same.
    for site in &sites {
        world.restart(*site);
    }
    rest(&mut world);
    assert_same(&world, &sites);
    let more = post_many(&mut world, sites[1], "more");
    rest(&mut world);
    for site in &sites {
        assert_eq!(sorted(&mut world, *site), [more.clone(), texts.clone()].concat());
        assert!(world[*site].status().gaps.is_empty() && world[*site].status().quiet);
    }
    assert_same(&world, &sites);
}

#[test]
fn a_message_is_cleared_only_when_every_member_has_it() {
    let (mut world, sites) = clearing_group(2, 3);
    world.crash(sites[2]);
    let texts = post_many(&mut world, sites[0], "text");
    rest(&mut world);
    assert!(own_files(&mut world, sites[0]) > MANY);
    world.start(sites[2]);
    rest(&mut world);
    assert_eq!(sorted(&mut world, sites[2]), texts);
    assert!(own_files(&mut world, sites[0]) < 20);
    assert!(!world[sites[2]].has_notice(NoticeCode::MessagesMissed));
}

#[test]
fn messages_stay_where_clearing_is_not_asked_for_and_superseded_acknowledgements_go() {
    let (mut world, sites) = World::folder_group(3, 2);
    let texts: Vec<String> = (0..MANY).map(|number| format!("text {number:03}")).collect();
    for text in &texts {
        world.post(sites[0], text);
        world.carry();
        // Each is acknowledged by itself.
        world.pass(MINUTE_MS);
        world.carry();
    }
    assert_eq!(sorted(&mut world, sites[1]), texts);
    assert!(own_files(&mut world, sites[0]) > MANY);
    assert!(own_files(&mut world, sites[1]) < 80, "{}", own_files(&mut world, sites[1]));
    assert_same(&world, &sites);
    let newcomer = world.add_to_folder(false, FolderIndexing::Listing);
    world.start(newcomer);
    rest(&mut world);
    assert_eq!(sorted(&mut world, newcomer), texts);
}

#[test]
fn who_is_away_for_long_holds_nobody_back_and_is_told_what_it_missed() {
    let (mut world, sites) = clearing_group(4, 3);
    world.crash(sites[2]);
    let texts = post_many(&mut world, sites[0], "text");
    rest(&mut world);
    let away = replica(&world, sites[1]);
    for _ in 0..32 {
        world.pass(24 * 60 * MINUTE_MS);
        // Who is there says something now and then.
        world.post(sites[1], "still here");
        world.carry();
    }
    rest(&mut world);
    assert!(own_files(&mut world, sites[0]) < 30, "{}", own_files(&mut world, sites[0]));
    let stale: Vec<ReplicaId> =
        world[sites[0]].status().members.iter().filter(|member| member.stale).map(|member| member.replica).collect();
    assert!(stale.len() == 1 && !stale.contains(&away), "{stale:?}");

    world.start(sites[2]);
    rest(&mut world);
    assert!(world[sites[2]].has_notice(NoticeCode::MessagesMissed));
    world.post(sites[2], "back again");
    rest(&mut world);
    for site in &sites {
        assert!(world[*site].status().members.iter().all(|member| !member.stale));
        assert!(sorted(&mut world, *site).contains(&"back again".to_string()));
    }
    assert_eq!(sorted(&mut world, sites[1]).iter().filter(|text| texts.contains(text)).count(), MANY);
    assert_same(&world, &sites);
}

#[test]
fn who_joins_later_gets_what_is_not_cleared() {
    let (mut world, sites) = clearing_group(5, 2);
    post_many(&mut world, sites[0], "text");
    rest(&mut world);
    let newcomer = world.add_to_folder(false, FolderIndexing::Probing);
    world[newcomer].config().compaction.clear_applied = true;
    // It speaks when it has seen what is there.
    world.carry();
    world.start(newcomer);
    rest(&mut world);
    world.post(sites[0], "for all");
    rest(&mut world);
    let got = sorted(&mut world, newcomer);
    assert!(got.len() < MANY && got.contains(&"for all".to_string()), "{got:?}");
    assert!(world[newcomer].status().gaps.is_empty());
    assert!(!world[newcomer].has_notice(NoticeCode::MessagesMissed));
    assert_same(&world, &[sites[0], sites[1], newcomer]);
}

#[test]
fn a_crash_at_any_moment_of_clearing_loses_nothing() {
    for steps in 0..120 {
        let (mut world, sites) = clearing_group(steps, 2);
        let texts = post_many(&mut world, sites[0], "text");
        world.pass(2_000);
        world.carry();
        for _ in 0..steps {
            world.step();
        }
        for site in &sites {
            world.restart(*site);
        }
        rest(&mut world);
        for site in &sites {
            assert_eq!(sorted(&mut world, *site), texts, "after {steps} steps");
        }
        assert!(own_files(&mut world, sites[0]) < 20, "after {steps} steps");
        assert_same(&world, &sites);
    }
}

#[test]
fn what_is_void_is_not_taken_when_it_comes_again() {
    let (mut world, sites) = clearing_group(6, 2);
    world.post(sites[0], "first");
    let path = path_of(&mut world, sites[0], "first");
    let file = world[sites[0]].host().folder.at(&path).cloned().unwrap();
    let texts = post_many(&mut world, sites[0], "text");
    rest(&mut world);
    assert_eq!(world[sites[0]].host().folder.at(&path), None);
    // A service brings it back, to its author and to others.
    for site in &sites {
        world[*site].host().folder.put(&path, file.clone());
        notice(&mut world, *site, path.clone());
    }
    rest(&mut world);
    for site in &sites {
        assert_eq!(sorted(&mut world, *site).len(), MANY + 1);
    }
    assert!(sorted(&mut world, sites[1]).ends_with(&texts));
    assert_eq!(world[sites[0]].host().folder.at(&path), None, "its author removes it again");
    assert_same(&world, &sites);
}

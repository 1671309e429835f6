//! The rules of the boundary (DESIGN §2). Some of them the world itself checks in every other test too: one save in
//! flight, task numbers never used twice, bounded answers, nothing sent after a failed save or of what is not saved.

use proptest::prelude::*;
use syncline_core::{
    Engine,
    api::{
        Action, Command, EntryKind, Event, Failure, Hash, Hint, LinkId, Membership, NoticeCode, Now, Outcome, Pair,
        Seed, Stat, TaskId, UnixMs, Work, listing,
    },
};
use syncline_sim::{Asleep, Clock, Disk, Host, Order, ROOT, Trace, Tree, World, tree};

#[test]
fn a_completion_that_nobody_waits_for_is_ignored_and_noticed() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    let before = (world[a].status(), world[a].counts().performed);
    for task in [0, 1, u64::MAX] {
        world[a].take_notices();
        world.complete(a, TaskId(task), Outcome::Saved);
        assert!(world[a].has_notice(NoticeCode::HostError), "task {task}");
    }
    world.settle();
    assert_eq!((world[a].status(), world[a].counts().performed), before);
    assert!(world[b].is_running());
}

#[test]
fn a_second_completion_is_ignored_and_noticed() {
    let (mut world, a, _) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].hold(|work| matches!(work, Work::List { .. }));
    world.rescan(a);
    let (task, _) = world[a].pending().next().expect("a listing waits");
    world[a].let_go();
    world.settle();
    let before = world[a].status();
    world[a].take_notices();
    world.complete(a, task, Outcome::Failed { failure: Failure::Missing });
    world.settle();
    assert!(world[a].has_notice(NoticeCode::HostError));
    assert_eq!(world[a].status(), before);
}

#[test]
fn a_completion_meant_for_an_earlier_engine_matches_nothing() {
    let (mut world, a, _) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].hold(|work| matches!(work, Work::List { .. }));
    world.rescan(a);
    let (task, _) = world[a].pending().next().expect("a listing waits");
    world[a].let_go();
    world.restart(a);
    world.settle();
    world[a].take_notices();
    world.complete(a, task, Outcome::Failed { failure: Failure::Missing });
    world.settle();
    assert!(world[a].has_notice(NoticeCode::HostError));
    assert_eq!(world[a].tree(), tree([("a", "a")]));
}

#[test]
fn an_outcome_of_another_kind_is_noticed_and_harms_nothing() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].hold(|work| matches!(work, Work::List { .. }));
    world.rescan(a);
    let (task, _) = world[a].pending().next().expect("a listing waits");
    world.complete(a, task, Outcome::Discarded);
    assert!(world[a].has_notice(NoticeCode::HostError));
    world[a].let_go();
    world.settle();
    world.rescan(a);
    world.assert_all(&tree([("a", "a")]));
    assert!(world[b].is_running());
}

#[test]
fn nothing_is_sent_before_it_is_saved() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    let digest = world[b].status().digest;
    world[a].hold(|work| matches!(work, Work::Save { .. }));
    world[a].disk().write("b", "b");
    world.rescan(a);
    assert!(world[a].pending().any(|(_, work)| matches!(work, Work::Save { .. })));
    assert_eq!(world[b].status().digest, digest);
    world[a].let_go();
    world.settle();
    assert_ne!(world[b].status().digest, digest);
    world.assert_all(&tree([("a", "a"), ("b", "b")]));
}

#[test]
fn nothing_is_acknowledged_before_it_is_saved() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    assert!(world[a].status().links[0].received && world[a].status().links[0].applied);
    world[b].hold(|work| matches!(work, Work::Save { .. }));
    world[a].disk().write("b", "b");
    world.rescan(a);
    assert!(!world[a].status().links[0].received);
    assert!(!world[a].status().links[0].applied);
    world[b].let_go();
    world.settle();
    assert!(world[a].status().links[0].received && world[a].status().links[0].applied);
}

#[test]
fn applied_is_acknowledged_only_when_it_stands_on_the_disk() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[b].hold(|work| matches!(work, Work::Commit { .. }));
    world[a].disk().write("b", "b");
    world.rescan(a);
    assert!(world[a].status().links[0].received);
    assert!(!world[a].status().links[0].applied);
    world[b].let_go();
    world.settle();
    assert!(world[a].status().links[0].applied);
}

#[test]
fn a_failed_save_ends_all_sending_until_a_new_start() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].host().store.fail(true);
    world[a].disk().write("b", "b");
    world.rescan(a);
    world[b].disk().write("c", "c");
    world.rescan(b);
    world.pass(120_000);
    assert!(world[a].has_notice(NoticeCode::StoreFailed));
    assert!(world[a].status().failed);
    assert_eq!(world[b].tree(), tree([("a", "a"), ("c", "c")]));

    world[a].host().store.fail(false);
    world.restart(a);
    world.link(a, b);
    world.settle();
    world.assert_all(&tree([("a", "a"), ("b", "b"), ("c", "c")]));
}

#[test]
fn the_first_change_goes_out_at_once() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].disk().write("b", "b");
    let before = world.clock().elapsed_ms();
    world.tell(a, Event::Changed { root: ROOT, hints: vec![] });
    assert!(world.run_until(|world| world[b].tree().at("b").is_some()));
    assert!(world.clock().elapsed_ms() < before + 100, "{} ms", world.clock().elapsed_ms() - before);
}

#[test]
fn a_hint_is_enough_to_see_a_change() {
    let (mut world, a, b) = World::pair(1, tree([("d/a", "a"), ("e/b", "b")]), Tree::default());
    world.pass(1_000);
    world[a].disk().write("d/a", "changed");
    world[a].disk().write("d/new", "new");
    world.hint(a, "d");
    world.assert_all(&tree([("d/a", "changed"), ("d/new", "new"), ("e/b", "b")]));
    world[a].disk().remove("e/b");
    world.hint(a, "e");
    assert_eq!(world[b].tree().at("e/b"), None);
    world.assert_equal();
}

#[test]
fn a_stopped_engine_says_so_and_a_new_one_goes_on() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].disk().write("b", "b");
    world.tell(a, Event::Changed { root: ROOT, hints: vec![] });
    world.tell(a, Event::Stop);
    world.settle();
    assert!(world[a].is_stopped());
    world.restart(a);
    world.link(a, b);
    world.settle();
    world.assert_all(&tree([("a", "a"), ("b", "b")]));
}

#[test]
fn clocks_that_jump_are_events_like_others() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    [a, b].into_iter().for_each(|site| world[site].sleep(Asleep::GoesOn));
    world.pass(400 * 24 * 3_600_000);
    [a, b].into_iter().for_each(|site| world.wake(site));
    world.settle();
    // Neither holds it against the other that it was not heard meanwhile.
    assert!(world.is_linked(a, b));
    world[a].disk().write("a", "a year later");
    world.rescan(a);
    world.assert_all(&tree([("a", "a year later")]));
    assert!(world[b].is_running());
}

/// A run with something of everything, and the actions of both devices.
fn traced_run(seed: u64, order: Order) -> (Hash, Hash) {
    let traces = (Trace::default(), Trace::default());
    let left = tree([("a", "a"), ("d/b", "b"), ("both", "left")]);
    let right = tree([("c", "c"), ("d/b", "b"), ("both", "right")]);
    let (mut world, sites) = World::group(seed, &[left, right]);
    let (a, b) = (sites[0], sites[1]);
    world.set_order(order);
    world[a].trace(Some(traces.0.clone()));
    world[b].trace(Some(traces.1.clone()));
    world.link(a, b);
    world.settle();
    world.pass(1_000);
    world[a].disk().write("a", "changed");
    world[b].disk().remove("d/b");
    world.rescan(a);
    world.rescan(b);
    world.restart(b);
    world.meet(a, b);
    world.assert_equal();
    assert_ne!(traces.0.hash(), Trace::default().hash());
    (traces.0.hash(), traces.1.hash())
}

#[test]
fn equal_seeds_events_and_times_give_equal_actions() {
    for order in [Order::Asked, Order::Drawn] {
        for seed in 0..10 {
            assert_eq!(traced_run(seed, order), traced_run(seed, order), "seed {seed}: the runs differ");
        }
    }
}

#[test]
fn the_order_in_which_work_completes_does_not_matter() {
    for seed in 0..50 {
        let left = tree([("a", "a"), ("d/b", "b"), ("d/e/f", "f"), ("both", "left")]);
        let right = tree([("c", "c"), ("d/b", "b"), ("g/h", "h"), ("both", "right")]);
        let (mut world, sites) = World::group(seed, &[left, right]);
        world.set_order(Order::Drawn);
        world.link(sites[0], sites[1]);
        world.settle();
        world.assert_equal();
        assert_eq!(world[sites[0]].tree().copies().len(), 1);
        assert_eq!(world[sites[0]].root().files, 7);
    }
}

#[test]
fn small_pipe_messages_are_enough() {
    let big: Vec<u8> = (0..50_000u32).flat_map(|number| number.to_le_bytes()).collect();
    let folder = tree([("a", "a"), ("d/b", "b")]).with("big", big);
    let (mut world, sites) = World::group(1, &[folder.clone(), Tree::default()]);
    world.set_message_bytes_max(1_200);
    world.link(sites[0], sites[1]);
    world.settle();
    world.assert_all(&folder);
}

/// A lazy host may list a directory of any size in one page; the world checks that each answer to it stays small.
#[test]
fn a_listing_of_a_hundred_thousand_entries_is_worked_off_in_bounded_turns() {
    let (mut world, a, _) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[a].hold(|work| !matches!(work, Work::Save { .. }));
    world.command(a, Command::Rescan { root: ROOT });
    while world.step() {}
    let (task, _) = world[a].pending().find(|(_, work)| matches!(work, Work::List { .. })).expect("a listing waits");
    let stat =
        Stat { kind: EntryKind::File, size: 1, mode: 0o644, modified_ns: 1, changed_ns: 1, file_id: 9, settled: true };
    let mut packed = Vec::new();
    for number in 0..100_000 {
        listing::push(&mut packed, &format!("{number:06}"), &stat);
    }
    world.complete(a, task, Outcome::Listed { listing: packed, more: false, marker: true });
    let outstanding = world[a].pending().count();
    assert!(outstanding < 1_000, "{outstanding} pieces of work are asked for at once");
    for _ in 0..1_000 {
        world.step();
    }
    let items: usize =
        world[a].pending().map(|(_, work)| if let Work::Hash { items, .. } = work { items.len() } else { 1 }).sum();
    assert!(items <= 20_000, "{items} items are asked for at once");
}

/// What a broken or hostile host or peer may do next.
#[derive(Debug, Clone)]
enum Deed {
    /// An event that has nothing to do with what the engine asked for.
    Event(Event),
    /// Answers the piece of work at this place with an outcome that may be of another kind.
    Answer(usize, Outcome),
    /// Answers it as an honest host does.
    Perform(usize),
    /// Lets time pass on the one clock, and go back on the other.
    Pass(u32),
    /// Starts anew.
    Restart,
}

fn any_failure() -> impl Strategy<Value = Failure> {
    prop_oneof![
        Just(Failure::Missing),
        Just(Failure::NotLocal),
        Just(Failure::Denied),
        Just(Failure::NoSpace),
        Just(Failure::Changed),
        Just(Failure::Corrupt),
        Just(Failure::NotEmpty),
        Just(Failure::Unrepresentable),
        Just(Failure::Other { message: "odd".into() }),
    ]
}

fn any_bytes() -> impl Strategy<Value = Vec<u8>> {
    proptest::collection::vec(any::<u8>(), 0..80)
}

fn any_stat() -> impl Strategy<Value = Stat> {
    let kind = prop_oneof![
        Just(EntryKind::File),
        Just(EntryKind::Directory),
        Just(EntryKind::Symlink),
        Just(EntryKind::Special),
        Just(EntryKind::Unnameable),
    ];
    let times = (any::<i64>(), any::<i64>());
    (kind, any::<u64>(), any::<u16>(), times, any::<u64>(), any::<bool>()).prop_map(
        |(kind, size, mode, (modified_ns, changed_ns), file_id, settled)| Stat {
            kind,
            size,
            mode,
            modified_ns,
            changed_ns,
            file_id,
            settled,
        },
    )
}

fn any_listing() -> impl Strategy<Value = Vec<u8>> {
    let name =
        prop_oneof!["[a-d]", "[a-d]/?\\.*", Just("..".to_string()), Just(String::new()), Just(".syncline".into())];
    let entries = proptest::collection::vec((name, any_stat()), 0..6).prop_map(|entries| {
        let mut packed = Vec::new();
        for (name, stat) in entries {
            listing::push(&mut packed, &name, &stat);
        }
        packed
    });
    prop_oneof![4 => entries, 1 => any_bytes()]
}

fn any_outcome() -> impl Strategy<Value = Outcome> {
    use syncline_core::api::{CommitResult, Content, Hash, HashResult, ProbeResult, ReadResult, StageResult};
    let pair = (any_bytes(), any_bytes()).prop_map(|(key, value)| Pair { key, value });
    let probe = prop_oneof![
        any_stat().prop_map(|stat| ProbeResult::Present { stat }),
        any_failure().prop_map(|failure| ProbeResult::Failed { failure }),
    ];
    let content = prop_oneof![
        (any::<[u8; 32]>(), any::<u64>()).prop_map(|(hash, size)| Content::File { hash: Hash::from_bytes(hash), size }),
        any_bytes().prop_map(|target| Content::Symlink { target }),
        Just(Content::Directory),
    ];
    let hashed = prop_oneof![
        (content, any_stat(), any_bytes()).prop_map(|(content, stat, manifest)| HashResult::Hashed {
            content,
            stat,
            manifest
        }),
        any_failure().prop_map(|failure| HashResult::Failed { failure }),
    ];
    let read = prop_oneof![
        any_bytes().prop_map(|bytes| ReadResult::Bytes { bytes }),
        any_failure().prop_map(|failure| ReadResult::Failed { failure }),
    ];
    let staged =
        prop_oneof![Just(StageResult::Staged), any_failure().prop_map(|failure| StageResult::Failed { failure })];
    let committed = prop_oneof![
        proptest::option::of(any_stat()).prop_map(|stat| CommitResult::Committed { stat }),
        any_failure().prop_map(|failure| CommitResult::Failed { failure }),
    ];
    let some = || 0..4usize;
    prop_oneof![
        (proptest::collection::vec(pair, some()), any::<bool>())
            .prop_map(|(pairs, more)| Outcome::Loaded { pairs, more }),
        Just(Outcome::Saved),
        (any_listing(), any::<bool>(), any::<bool>()).prop_map(|(listing, more, marker)| Outcome::Listed {
            listing,
            more,
            marker
        }),
        (proptest::collection::vec(probe, some()), any::<bool>())
            .prop_map(|(results, marker)| Outcome::Probed { results, marker }),
        proptest::collection::vec(hashed, some()).prop_map(|results| Outcome::Hashed { results }),
        proptest::collection::vec(read, some()).prop_map(|results| Outcome::Read { results }),
        proptest::collection::vec(staged, some()).prop_map(|results| Outcome::Staged { results }),
        proptest::collection::vec(committed, some()).prop_map(|results| Outcome::Committed { results }),
        Just(Outcome::Discarded),
        any_failure().prop_map(|failure| Outcome::Failed { failure }),
    ]
}

fn any_event() -> impl Strategy<Value = Event> {
    let link = || prop_oneof![4 => 1..4u64, 1 => any::<u64>()].prop_map(LinkId);
    let hint = ("[a-d./]{0,4}", any::<bool>()).prop_map(|(directory, recursive)| Hint { directory, recursive });
    prop_oneof![
        Just(Event::Start),
        Just(Event::Wake),
        Just(Event::Stop),
        Just(Event::Command { command: Command::Rescan { root: ROOT } }),
        Just(Event::Command { command: Command::AllowDeletions { root: ROOT } }),
        Just(Event::Command { command: Command::RestoreDeletions { root: ROOT } }),
        Just(Event::Command { command: Command::Retry { root: ROOT } }),
        (any::<u64>(), any_outcome()).prop_map(|(task, outcome)| Event::Completed { task: TaskId(task), outcome }),
        (link(), any::<u32>()).prop_map(|(link, message_bytes_max)| Event::LinkUp { link, message_bytes_max }),
        (link(), any_bytes()).prop_map(|(link, bytes)| Event::LinkData { link, bytes }),
        link().prop_map(|link| Event::LinkReady { link }),
        link().prop_map(|link| Event::LinkDown { link }),
        proptest::collection::vec(hint, 0..3).prop_map(|hints| Event::Changed { root: ROOT, hints }),
    ]
}

fn any_deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        4 => any_event().prop_map(Deed::Event),
        3 => (0..8usize, any_outcome()).prop_map(|(index, outcome)| Deed::Answer(index, outcome)),
        6 => (0..8usize).prop_map(Deed::Perform),
        1 => (0..100_000u32).prop_map(Deed::Pass),
        1 => Just(Deed::Restart),
    ]
}

/// An engine alone, whose host answers as it likes.
struct Alone {
    engine: Engine,
    host: Host,
    now: Now,
    pending: Vec<(TaskId, Work)>,
}

impl Alone {
    fn new() -> Alone {
        let clock = Clock::new();
        let mut disk = Disk::new(clock.clone());
        disk.put(&tree([("a", "a"), ("d/b", "b")]));
        let mut alone = Alone { engine: engine(), host: Host::new(ROOT, disk), now: clock.now(), pending: Vec::new() };
        alone.handle(Event::Start);
        alone
    }

    fn handle(&mut self, event: Event) {
        for action in self.engine.handle(self.now, event) {
            if let Action::Perform { task, work } = action {
                self.pending.push((task, work));
            }
        }
        let _ = (self.engine.deadline(), self.engine.status());
    }

    fn act(&mut self, deed: Deed) {
        match deed {
            Deed::Event(event) => self.handle(event),
            Deed::Answer(index, outcome) if index < self.pending.len() => {
                let (task, _) = self.pending.remove(index);
                self.handle(Event::Completed { task, outcome });
            }
            Deed::Perform(index) if index < self.pending.len() => {
                let (task, work) = self.pending.remove(index);
                // What the engine was told about staging may be a lie, so that it may commit what was never staged.
                let outcome = match work {
                    Work::Stage { .. } | Work::Commit { .. } => Outcome::Failed { failure: Failure::NoSpace },
                    work => self.host.perform(work),
                };
                self.handle(Event::Completed { task, outcome });
            }
            Deed::Pass(milliseconds) => {
                self.now.monotonic = self.now.monotonic.plus(u64::from(milliseconds));
                self.now.unix = UnixMs(self.now.unix.0.wrapping_sub(u64::from(milliseconds)));
                self.handle(Event::Wake);
            }
            Deed::Restart => {
                (self.engine, self.pending) = (engine(), Vec::new());
                self.handle(Event::Start);
            }
            Deed::Answer(..) | Deed::Perform(..) => {}
        }
    }
}

fn engine() -> Engine {
    let mut world = World::new(1);
    let site = world.add(Membership::Founder);
    Engine::new(world[site].config().clone(), Seed { bytes: vec![3; 32] }).expect("a sound configuration")
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1_000))]

    #[test]
    fn no_sequence_of_events_makes_an_engine_panic(deeds in proptest::collection::vec(any_deed(), 1..80)) {
        let mut alone = Alone::new();
        for deed in deeds {
            alone.act(deed);
        }
    }
}

//! Laws of the log as a whole: what is held hangs on the set of messages, and their order on what their authors had
//! seen.

use alloc::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::api::{GroupConfig, GroupId, ReplicaId, RootId, UnixMs};
use crate::crypto::{Identity, Signature};
use crate::tree::Change;

const AUTHORS: u8 = 3;

fn group() -> GroupConfig {
    GroupConfig { id: GroupId::from_bytes([9; 16]), key: vec![3; 32], founder: None }
}

fn replica(number: u8) -> ReplicaId {
    ReplicaId::from_bytes([number; 16])
}

fn identity(number: u8) -> Identity {
    Identity::from_secret(&[number; 32]).unwrap()
}

fn writer(number: u8) -> Log {
    let mut log = Log::new(&group(), identity(number)).unwrap();
    log.begin(replica(number));
    log
}

/// A log that writes nothing.
fn listener() -> Log {
    Log::new(&group(), identity(200)).unwrap()
}

/// What happens among the authors.
#[derive(Debug, Clone)]
enum Act {
    /// One writes, and numbers before it stay empty.
    Write { author: u8, skip: u64, unix_ms: u64 },
    /// One hears something that was written.
    Hear { author: u8, what: Index },
}

fn act() -> impl Strategy<Value = Act> {
    let skip = prop_oneof![3 => Just(0u64), 1 => 1..4u64];
    prop_oneof![
        2 => (0..AUTHORS, skip, 0..3u64).prop_map(|(author, skip, unix_ms)| Act::Write { author, skip, unix_ms }),
        3 => (0..AUTHORS, any::<Index>()).prop_map(|(author, what)| Act::Hear { author, what }),
    ]
}

/// Everything that the authors wrote, oldest first. Checks that each message comes behind all that its author held.
fn conversation(acts: &[Act]) -> Vec<Sealed> {
    let mut authors: Vec<Log> = (0..AUTHORS).map(|number| writer(number + 1)).collect();
    let mut held: Vec<Vec<Sealed>> = vec![Vec::new(); usize::from(AUTHORS)];
    let mut all: Vec<Sealed> = Vec::new();
    for act in acts {
        match act {
            Act::Write { author, skip, unix_ms } => {
                let at = usize::from(*author);
                let before = held[at].iter().rev().find(|sealed| sealed.message.author == replica(*author + 1));
                let sealed = write(&mut authors[at], before, *author + 1, *skip, UnixMs(*unix_ms));
                for earlier in &held[at] {
                    assert!(sealed.message.lamport > earlier.message.lamport);
                    assert!(sealed.message.order() > earlier.message.order());
                }
                held[at].push(sealed.clone());
                all.push(sealed);
            }
            Act::Hear { author, what } if !all.is_empty() => {
                let at = usize::from(*author);
                if let Receipt::Accepted { messages, .. } = authors[at].receive(&what.get(&all).bytes) {
                    held[at].extend(messages);
                }
            }
            Act::Hear { .. } => {}
        }
    }
    all
}

/// The author's next message behind `before`, its last one; one that leaves numbers out is what an honest author does whose
/// last ones were lost.
fn write(log: &mut Log, before: Option<&Sealed>, number: u8, skip: u64, now: UnixMs) -> Sealed {
    let counter = log.next_counter().unwrap();
    let node = Dot::new(replica(number), counter, 0);
    let entry = Entry::Tree { root: RootId::from_bytes([1; 16]), changes: vec![Change::Mode { node, mode: 0 }] };
    let Some(before) = before.filter(|_| skip > 0) else {
        return log.compose(now, vec![entry], "desk").unwrap();
    };
    let message = Message {
        author: replica(number),
        counter: counter + skip,
        lamport: log.next_lamport(),
        unix_ms: now,
        previous: Some(Previous { counter: before.message.counter, hash: before.hash }),
        entries: vec![entry],
        signature: Signature::from_bytes([0; Signature::BYTES]),
    };
    let sealed = message.seal(group().id, &identity(number)).unwrap();
    log.restore(&sealed.bytes).unwrap();
    sealed
}

/// What a log holds that heard these: all but those whose authors have not introduced themselves.
fn heads_of<'a>(heard: impl IntoIterator<Item = &'a Sealed> + Clone) -> Heads {
    let introduced: BTreeSet<ReplicaId> = heard
        .clone()
        .into_iter()
        .filter(|sealed| sealed.message.counter == 1)
        .map(|sealed| sealed.message.author)
        .collect();
    let mut heads = Heads::new();
    for Sealed { message, .. } in heard {
        if introduced.contains(&message.author) {
            let first = message.previous.map_or(1, |previous| previous.counter + 1);
            heads.insert_range(message.author, first, message.counter);
        }
    }
    heads
}

fn conversations() -> impl Strategy<Value = Vec<Sealed>> {
    prop::collection::vec(act(), 1..24).prop_map(|acts| conversation(&acts))
}

/// A conversation and an order in which its messages arrive, some of them twice.
fn arrivals() -> impl Strategy<Value = (Vec<Sealed>, Vec<usize>)> {
    conversations().prop_flat_map(|all| {
        let order = Just((0..all.len()).collect::<Vec<usize>>()).prop_shuffle();
        let again = prop::collection::vec((any::<Index>(), any::<Index>()), 0..6);
        (Just(all), order, again).prop_map(|(all, mut order, again)| {
            for (what, place) in again {
                if !all.is_empty() {
                    order.insert(place.index(order.len() + 1), what.index(all.len()));
                }
            }
            (all, order)
        })
    })
}

/// What was accepted, in message order.
fn in_order(mut messages: Vec<Sealed>) -> Vec<Sealed> {
    messages.sort_by_key(|sealed| sealed.message.order());
    messages
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases.div_ceil(4), ..ProptestConfig::default() })]

    #[test]
    fn messages_in_any_order_and_twice_are_accepted_once_and_give_one_log((all, order) in arrivals()) {
        let (mut straight, mut other) = (listener(), listener());
        for sealed in &all {
            straight.receive(&sealed.bytes);
        }
        let mut accepted = Vec::new();
        for at in order {
            match other.receive(&all[at].bytes) {
                Receipt::Accepted { messages, forks } => {
                    prop_assert!(forks.is_empty());
                    accepted.extend(messages);
                }
                Receipt::Known | Receipt::Waiting { .. } => {}
                receipt => prop_assert!(false, "{:?}", receipt),
            }
        }
        prop_assert_eq!(in_order(accepted), in_order(all));
        prop_assert_eq!((other.heads(), other.digest()), (straight.heads(), straight.digest()));
        prop_assert_eq!(other.next_lamport(), straight.next_lamport());
        prop_assert_eq!(other.members().collect::<Vec<_>>(), straight.members().collect::<Vec<_>>());
    }

    /// So what waits is taken as soon as what it waits for is there, and nothing before.
    #[test]
    fn at_each_moment_all_is_held_whose_author_is_introduced((all, order) in arrivals()) {
        let mut log = listener();
        let mut heard = BTreeSet::new();
        for at in order {
            let receipt = log.receive(&all[at].bytes);
            heard.insert(at);
            let expected = heads_of(heard.iter().map(|at| &all[*at]));
            prop_assert_eq!(log.heads(), &expected);
            let author = all[at].message.author;
            let waits = matches!(receipt, Receipt::Waiting { .. });
            prop_assert_eq!(waits, expected.highest(author) == 0);
            let lamports = heard.iter().map(|at| &all[*at].message).filter(|message| expected.contains(message.author, message.counter));
            prop_assert_eq!(log.next_lamport(), lamports.map(|message| message.lamport).max().unwrap_or(0) + 1);
        }
    }

    #[test]
    fn what_the_store_gives_back_in_any_order_is_the_log_that_was_saved((all, order) in arrivals()) {
        let (mut received, mut restored) = (listener(), listener());
        let mut store = BTreeMap::new();
        for at in &order {
            if let Receipt::Accepted { messages, .. } = received.receive(&all[*at].bytes) {
                for sealed in messages {
                    let key = message_key(sealed.message.author, sealed.message.counter);
                    prop_assert!(store.insert(key, sealed.bytes).is_none());
                }
            }
        }
        // Ascending keys bring messages before what they name as previous only within a feed; backwards is the worst.
        for (key, bytes) in store.iter().rev() {
            let message = restored.restore(bytes).unwrap();
            prop_assert_eq!(parse_message_key(key), Some((message.author, message.counter)));
        }
        prop_assert_eq!((restored.heads(), restored.digest()), (received.heads(), received.digest()));
        prop_assert_eq!(restored.next_lamport(), received.next_lamport());
    }

    #[test]
    fn digests_are_equal_exactly_where_equal_messages_are_held(
        (all, order) in arrivals(),
        left in prop::collection::vec(any::<bool>(), 24),
        right in prop::collection::vec(any::<bool>(), 24),
    ) {
        let hold = |chosen: &[bool], order: &[usize]| {
            let mut log = listener();
            for at in order.iter().filter(|at| chosen[**at % 24]) {
                log.restore(&all[*at].bytes).unwrap();
            }
            log
        };
        let straight: Vec<usize> = (0..all.len()).collect();
        let (one, two, same) = (hold(&left, &order), hold(&right, &straight), hold(&left, &straight));
        let differ = (0..all.len()).any(|at| left[at % 24] != right[at % 24]);
        prop_assert_eq!(one.digest() != two.digest(), differ);
        prop_assert_eq!(one.digest(), same.digest());
    }

    /// Two logs that tell each other what is missing are one.
    #[test]
    fn sending_what_is_missing_from_the_others_heads_makes_two_logs_one(
        (all, _) in arrivals(),
        left in prop::collection::vec(any::<bool>(), 24),
        right in prop::collection::vec(any::<bool>(), 24),
    ) {
        let mut logs = [listener(), listener()];
        for (log, chosen) in logs.iter_mut().zip([&left, &right]) {
            for sealed in all.iter().enumerate().filter(|(at, _)| chosen[at % 24]).map(|(_, sealed)| sealed) {
                log.restore(&sealed.bytes).unwrap();
            }
        }
        let [a, b] = &mut logs;
        let missing = |from: &Log, to: &Log| -> Vec<Vec<u8>> {
            let ranges: Vec<_> = from.heads().missing_from(to.heads()).collect();
            let within = |message: &Message| ranges.iter().any(|(author, first, last)| {
                message.author == *author && (*first..=*last).contains(&message.counter)
            });
            let own = all.iter().filter(|sealed| from.is_held(sealed.message.author, sealed.message.counter, &sealed.hash));
            own.filter(|sealed| within(&sealed.message)).map(|sealed| sealed.bytes.clone()).collect()
        };
        let (to_b, to_a) = (missing(a, b), missing(b, a));
        to_b.iter().for_each(|bytes| drop(b.restore(bytes).unwrap()));
        to_a.iter().for_each(|bytes| drop(a.restore(bytes).unwrap()));
        prop_assert_eq!((a.heads(), a.digest()), (b.heads(), b.digest()));
    }
}

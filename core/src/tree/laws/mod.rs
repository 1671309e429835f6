//! Laws of the tree, tried on histories that are small enough to collide: three authors, a handful of names and
//! contents, pasts and parents of any kind.

mod disk;
mod merged;
mod replica;
mod view;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use proptest::prelude::*;
use proptest::sample::Index;

use super::merged::{Merged, NodeId};
use super::view::{self as tree_view, Shown};
use super::{Body, Change, ChangeOrder, Name, conflict, path};
use crate::api::{Content, Hash, ReplicaId, UnixMs};
use crate::log::{Dot, DotSet};

/// One change with its place among all changes.
type Placed = (ChangeOrder, Change);

fn name(text: &str) -> Name {
    Name::new(text).unwrap()
}

fn replica_id(number: u8) -> ReplicaId {
    ReplicaId::from_bytes([number; 16])
}

fn file(byte: u8) -> Content {
    Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }
}

fn link(target: &str) -> Content {
    Content::Symlink { target: target.into() }
}

/// Contents, of which some are named alike: a file holds just what a link says, a file claims another's id with another
/// size.
fn contents() -> Vec<Content> {
    let text_of_link = Content::File { hash: blake3::hash(b"x").into(), size: 1 };
    let same_id = Content::File { hash: Hash::from_bytes([1; 32]), size: 2 };
    Vec::from([file(1), file(2), file(3), link("x"), link("y"), text_of_link, same_id])
}

/// Two plain names, and the names that copies of the first one are given.
fn names() -> Vec<Name> {
    let copies = conflict::DIGITS.map(|digits| conflict::copy_name(&name("a.md"), &file(1), digits).unwrap());
    let link = conflict::copy_name(&name("a.md"), &link("x"), 8).unwrap();
    [name("a.md"), name("b")].into_iter().chain(copies).chain([link]).collect()
}

/// What a change says, with places in a history for dots.
#[derive(Debug, Clone)]
enum Draft {
    Birth { parent: Option<Index>, name: Name, past: Vec<Index>, content: Content, mode: u16 },
    Version { node: Index, past: Vec<Index>, body: Body },
    Mode { node: Index, mode: u16 },
}

fn draft() -> impl Strategy<Value = Draft> {
    // Plain names come often, so that births meet.
    let name = prop_oneof![4 => Just(name("a.md")), 2 => Just(name("b")), 3 => prop::sample::select(names())];
    // Equal bytes come often, so that versions are twins.
    let content = prop_oneof![2 => Just(Content::Directory), 3 => Just(file(1)), 2 => Just(file(2)), 3 => prop::sample::select(contents())];
    let body = prop_oneof![3 => content.clone().prop_map(Body::Content), 2 => Just(Body::Deleted)];
    let past = || prop::collection::vec(any::<Index>(), 0..4);
    let mode = prop::sample::select(vec![0o644, 0o755, 0o400]);
    let parent = prop::option::weighted(0.4, any::<Index>());
    prop_oneof![
        5 => (parent, name, prop_oneof![3 => Just(vec![]), 1 => past()], content, mode.clone())
            .prop_map(|(parent, name, past, content, mode)| Draft::Birth { parent, name, past, content, mode }),
        4 => (any::<Index>(), past(), body).prop_map(|(node, past, body)| Draft::Version { node, past, body }),
        1 => (any::<Index>(), mode).prop_map(|(node, mode)| Draft::Mode { node, mode }),
    ]
}

/// Any set of changes that honest or other authors could sign, apart from directories that lie in each other: births
/// lie in what was named before them. Nodes and pasts may name anything, what is not there included.
fn history() -> impl Strategy<Value = Vec<Placed>> {
    let message = (1..4u8, 1..5u64, 0..2u64, prop::collection::vec(draft(), 1..3));
    prop::collection::vec(message, 1..10).prop_map(|messages| placed(messages, false))
}

/// Any set of changes, directories that lie in each other or in themselves included.
fn history_with_rings() -> impl Strategy<Value = Vec<Placed>> {
    let message = (1..4u8, 1..5u64, 0..2u64, prop::collection::vec(draft(), 1..3));
    prop::collection::vec(message, 1..10).prop_map(|messages| placed(messages, true))
}

fn placed(messages: Vec<(u8, u64, u64, Vec<Draft>)>, rings: bool) -> Vec<Placed> {
    let mut counters = BTreeMap::new();
    let mut drafts = Vec::new();
    for (author, lamport, unix, changes) in messages {
        let counter = counters.entry(author).and_modify(|counter| *counter += 1).or_insert(1);
        for (index, draft) in (0..).zip(changes) {
            let dot = Dot::new(replica_id(author), *counter, index);
            drafts.push((ChangeOrder::new(lamport, UnixMs(unix), dot), draft));
        }
    }
    let dots: Vec<Dot> = drafts.iter().map(|(order, _)| order.dot()).chain([Dot::new(replica_id(9), 1, 0)]).collect();
    let past = |picks: Vec<Index>| -> DotSet { picks.iter().map(|pick| *pick.get(&dots)).collect() };
    let change = |(at, (order, draft)): (usize, (ChangeOrder, Draft))| {
        let change = match draft {
            Draft::Birth { parent, name, past: picks, content, mode } => {
                let parents = if rings { &dots[..] } else { &dots[..at] };
                let parent = parent.filter(|_| !parents.is_empty()).map(|pick| *pick.get(parents));
                Change::Birth { parent, name, past: past(picks), content, mode, modified_ns: modified(order.dot()) }
            }
            Draft::Version { node, past: picks, body } => {
                Change::Version { node: *node.get(&dots), past: past(picks), body, modified_ns: modified(order.dot()) }
            }
            Draft::Mode { node, mode } => Change::Mode { node: *node.get(&dots), mode },
        };
        (order, change)
    };
    drafts.into_iter().enumerate().map(change).collect()
}

/// A time by which a version is known, in no order.
fn modified(dot: Dot) -> i64 {
    let author = i64::from(dot.author.as_bytes()[0]);
    let place = i64::try_from(dot.place.counter * 10 + u64::from(dot.place.index)).unwrap();
    if author == 2 { -place } else { author * 1_000 + place }
}

/// A history, and the same changes in another order, some of them twice.
fn rearranged() -> impl Strategy<Value = (Vec<Placed>, Vec<Placed>)> {
    history().prop_flat_map(arrivals)
}

fn arrivals(history: Vec<Placed>) -> impl Strategy<Value = (Vec<Placed>, Vec<Placed>)> {
    let length = history.len();
    let order = Just((0..length).collect::<Vec<usize>>()).prop_shuffle();
    let again = prop::collection::vec((0..length, any::<Index>()), 0..4);
    (Just(history), order, again).prop_map(|(history, mut order, again)| {
        for (what, place) in again {
            order.insert(place.index(order.len()), what);
        }
        let other = order.into_iter().map(|at| history[at].clone()).collect();
        (history, other)
    })
}

fn applied(changes: &[Placed]) -> Merged {
    let mut merged = Merged::default();
    for (order, change) in changes {
        merged.apply(*order, change);
    }
    merged
}

/// All that stands according to a view: by path, what it is and of which name it is a conflict copy.
type Flat = BTreeMap<String, (Option<Name>, Shown)>;

/// The whole view, from the root on. Panics where two entries of a directory have equal names.
fn flat_view(merged: &Merged) -> Flat {
    let mut flat = Flat::new();
    let mut queue = Vec::from([(String::new(), Vec::from([None]))]);
    while let Some((directory, parents)) = queue.pop() {
        for name in names_in(merged, &parents) {
            for entry in tree_view::entries(merged, &parents, &name) {
                let full = path::join(&directory, &entry.name);
                if entry.shown.content == Content::Directory {
                    queue.push((full.clone(), entry.shown.nodes.iter().copied().map(Some).collect()));
                }
                let twice = flat.insert(full.clone(), (entry.conflict_of, entry.shown));
                assert!(twice.is_none(), "two entries are called `{full}`");
            }
        }
    }
    flat
}

fn names_in(merged: &Merged, parents: &[Option<NodeId>]) -> BTreeSet<Name> {
    parents.iter().flat_map(|parent| merged.names(*parent)).cloned().collect()
}

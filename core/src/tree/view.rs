//! What should stand on a disk: a pure function of the merged tree.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::base::Standing;
use super::conflict::{self, DIGITS};
use super::merged::{Merged, NodeId, Version};
use super::{Body, ChangeOrder, Name};
use crate::api::Content;
use crate::log::Dot;
use crate::planted::{Planted, planted};

/// What a name shows: one content, and every version that holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown {
    /// The content.
    pub content: Content,
    /// Permission bits; 0 for links.
    pub mode: u16,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
    /// The nodes it stands for, the one that local changes go to first.
    pub nodes: Vec<NodeId>,
    /// The versions, sorted. A deleted directory that lives by its content has none.
    pub dots: Vec<Dot>,
}

/// One entry of a directory as it should stand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ViewEntry {
    /// Its name.
    pub name: Name,
    /// The plain name, for a conflict copy.
    pub conflict_of: Option<Name>,
    /// What stands there.
    pub shown: Shown,
}

/// The directory nodes that stand at a path of names; more than one where several were born alike. Empty if none.
pub fn directories_at(merged: &Merged, path: &str) -> Vec<Option<NodeId>> {
    let mut nodes: Vec<Option<NodeId>> = alloc::vec![None];
    for name in path.split('/').filter(|name| !name.is_empty()) {
        nodes = directories(merged, &nodes, name).into_iter().map(Some).collect();
        if planted(Planted::DirectoriesNotUnited) {
            nodes.truncate(1);
        }
    }
    nodes
}

/// Nothing but this stands at a name, for the same versions, and no copies beside it: what [`entries`] would show, without
/// making it. It may be false where that is so.
pub fn shows_only(merged: &Merged, parents: &[Option<NodeId>], name: &Name, standing: &Standing) -> bool {
    let mut claimants = living_claimants(merged, parents, name);
    let (Some(id), None) = (claimants.next(), claimants.next()) else { return false };
    alone(merged, id).is_some_and(|(content, mode, version)| {
        let looks_like = standing.content == *content && standing.mode == mode;
        looks_like && standing.nodes == [id] && standing.dots == [version.order.dot()]
    })
}

/// Something stands at a name: [`entries`] would show it.
pub fn shows_anything(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> bool {
    living_claimants(merged, parents, name).next().is_some()
}

/// Everything that a name claims in a directory made of `parents`: the entry with the plain name first, then conflict
/// copies in the order of their names.
pub fn entries(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> Vec<ViewEntry> {
    let claimants = claimants(merged, parents, name);
    if let Some(shown) = shown_alone(merged, &claimants) {
        return alloc::vec![ViewEntry { name: name.clone(), conflict_of: None, shown }];
    }
    let mut groups = groups(merged, &claimants);
    let Some(plain) = groups.pop() else { return Vec::new() };
    if planted(Planted::ConflictLoserDropped) {
        groups.clear();
    }
    let mut entries: Vec<ViewEntry> = copies(merged, parents, name, groups);
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries.insert(0, ViewEntry { name: name.clone(), conflict_of: None, shown: plain });
    entries
}

fn directories(merged: &Merged, parents: &[Option<NodeId>], name: &str) -> BTreeSet<NodeId> {
    parents.iter().flat_map(|parent| merged.claimants(*parent, name)).filter(|id| is_directory(merged, id)).collect()
}

fn is_directory(merged: &Merged, id: &NodeId) -> bool {
    merged.node(id).is_some_and(|node| node.is_directory())
}

/// The nodes that claim a name and show something there. A name that was often removed and made anew has many others.
fn living_claimants(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> impl Iterator<Item = NodeId> {
    let shows = |id: &NodeId| {
        merged.node(id).is_some_and(|node| {
            node.is_directory() || node.versions().iter().any(|version| version.body != Body::Deleted)
        })
    };
    parents.iter().flat_map(|parent| merged.claimants(*parent, name)).filter(shows)
}

/// The same, each once.
fn claimants(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> Vec<NodeId> {
    let mut claimants: Vec<NodeId> = living_claimants(merged, parents, name).collect();
    claimants.sort_unstable();
    claimants.dedup();
    claimants
}

/// What nearly every name shows: one node's only version, with nothing to weigh.
fn shown_alone(merged: &Merged, claimants: &[NodeId]) -> Option<Shown> {
    let [id] = claimants else { return None };
    let (content, mode, version) = alone(merged, *id)?;
    let modified_ns = if *content == Content::Directory { 0 } else { version.modified_ns };
    let dots = alloc::vec![version.order.dot()];
    Some(Shown { content: content.clone(), mode, modified_ns, nodes: alloc::vec![*id], dots })
}

/// The content and the permission bits that a node shows by its only version, and that version.
fn alone(merged: &Merged, id: NodeId) -> Option<(&Content, u16, &Version)> {
    let node = merged.node(&id)?;
    let [version] = node.versions() else { return None };
    let Body::Content(content) = &version.body else { return None };
    if node.is_directory() != (*content == Content::Directory) {
        return None;
    }
    let mode = if matches!(content, Content::Symlink { .. }) { 0 } else { latest_mode(merged, &[id]) };
    Some((content, mode, version))
}

/// One [`Shown`] for each different content, the one that has the name last: a directory before a link before a file,
/// then the latest in message order.
fn groups(merged: &Merged, claimants: &[NodeId]) -> Vec<Shown> {
    let mut files: BTreeMap<&Content, Vec<(ChangeOrder, NodeId, i64)>> = BTreeMap::new();
    for (id, node) in claimants.iter().filter_map(|id| Some((id, merged.node(id)?))) {
        let is_deleted = || node.versions().iter().any(|version| version.body == Body::Deleted);
        if planted(Planted::DeletionHidesEdit) && is_deleted() {
            continue;
        }
        for version in node.versions() {
            if let Body::Content(content @ (Content::File { .. } | Content::Symlink { .. })) = &version.body {
                files.entry(content).or_default().push((version.order, *id, version.modified_ns));
            }
        }
    }
    let mut ranked: Vec<((bool, ChangeOrder), Shown)> = files
        .into_iter()
        .filter_map(|(content, mut versions)| {
            versions.sort_unstable_by_key(|(order, ..)| core::cmp::Reverse(*order));
            let (order, _, modified_ns) = *versions.first()?;
            let is_link = matches!(content, Content::Symlink { .. });
            let nodes = distinct(versions.iter().map(|(_, node, _)| *node));
            let mut dots: Vec<Dot> = versions.iter().map(|(order, ..)| order.dot()).collect();
            dots.sort_unstable();
            let mode = if is_link { 0 } else { latest_mode(merged, &nodes) };
            Some(((is_link, order), Shown { content: content.clone(), mode, modified_ns, nodes, dots }))
        })
        .collect();
    ranked.sort_by_key(|(rank, _)| *rank);
    let directories: BTreeSet<NodeId> = claimants.iter().filter(|id| is_directory(merged, id)).copied().collect();
    let directory = directory(merged, &directories);
    ranked.into_iter().map(|(_, shown)| shown).chain(directory).collect()
}

/// All directories of a name are one.
fn directory(merged: &Merged, nodes: &BTreeSet<NodeId>) -> Option<Shown> {
    let nodes: Vec<NodeId> = nodes.iter().copied().collect();
    nodes.first()?;
    let mut dots: Vec<Dot> = nodes
        .iter()
        .filter_map(|id| merged.node(id))
        .flat_map(|node| node.versions())
        .filter(|version| version.body == Body::Content(Content::Directory))
        .map(|version| version.order.dot())
        .collect();
    dots.sort_unstable();
    let mode = latest_mode(merged, &nodes);
    Some(Shown { content: Content::Directory, mode, modified_ns: 0, nodes, dots })
}

fn latest_mode(merged: &Merged, nodes: &[NodeId]) -> u16 {
    let registers = nodes.iter().filter_map(|id| merged.node(id)?.mode());
    let taken = if planted(Planted::ModeUnchecked) { u16::MAX } else { 0o777 };
    registers.max_by_key(|register| register.order).map_or(0o644, |register| register.mode & taken)
}

fn distinct(nodes: impl Iterator<Item = NodeId>) -> Vec<NodeId> {
    let mut seen = BTreeSet::new();
    nodes.filter(|node| seen.insert(*node)).collect()
}

/// Gives every group its computed name. Real names win over computed ones, and among computed ones alike all get more
/// digits, so that no order of arrival shows.
fn copies(merged: &Merged, parents: &[Option<NodeId>], name: &Name, groups: Vec<Shown>) -> Vec<ViewEntry> {
    let mut entries = Vec::with_capacity(groups.len());
    let mut unnamed = groups;
    for digits in DIGITS {
        let wanted = |shown: &Shown| conflict::copy_name(name, &shown.content, digits);
        unnamed = name_copies(merged, parents, name, unnamed, wanted, &mut entries);
    }
    // A round fails only where a real name was born for just that round, so there are few.
    for round in 0..=u32::MAX {
        if unnamed.is_empty() {
            break;
        }
        let wanted = |shown: &Shown| conflict::last_copy_name(name, &shown.content, round);
        unnamed = name_copies(merged, parents, name, unnamed, wanted, &mut entries);
    }
    entries
}

/// Moves the groups whose wanted names are free and differ from each other's to `entries`; returns the others.
fn name_copies(
    merged: &Merged,
    parents: &[Option<NodeId>],
    plain: &Name,
    groups: Vec<Shown>,
    wanted: impl Fn(&Shown) -> Option<Name>,
    entries: &mut Vec<ViewEntry>,
) -> Vec<Shown> {
    let mut by_name: BTreeMap<Name, Vec<Shown>> = BTreeMap::new();
    for shown in groups {
        // There is always one: a mark makes a name of any text.
        if let Some(name) = wanted(&shown) {
            by_name.entry(name).or_default().push(shown);
        }
    }
    let mut unnamed = Vec::new();
    for (name, mut groups) in by_name {
        match (groups.pop(), groups.is_empty() && !shows_anything(merged, parents, &name)) {
            (Some(shown), true) => entries.push(ViewEntry { name, conflict_of: Some(plain.clone()), shown }),
            (last, _) => unnamed.extend(groups.into_iter().chain(last)),
        }
    }
    unnamed
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::api::{Hash, ReplicaId, UnixMs};
    use crate::log::DotSet;
    use crate::tree::Change;

    fn file(byte: u8) -> Content {
        Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }
    }

    fn link(target: &str) -> Content {
        Content::Symlink { target: target.into() }
    }

    /// Births at the root, the latest last.
    fn born(births: &[(&str, Content)]) -> Merged {
        let mut merged = Merged::default();
        for (lamport, (name, content)) in (1u64..).zip(births) {
            let dot = Dot::new(ReplicaId::from_bytes([1; 16]), lamport, 0);
            let (name, content) = (Name::new(*name).unwrap(), content.clone());
            let past = DotSet::default();
            let change = Change::Birth { parent: None, name, past, content, mode: 0o644, modified_ns: 0 };
            merged.apply(ChangeOrder::new(lamport, UnixMs(0), dot), &change);
        }
        merged
    }

    fn shown(merged: &Merged, name: &str) -> Vec<(String, Content)> {
        let entries = entries(merged, &[None], &Name::new(name).unwrap());
        entries.into_iter().map(|entry| (entry.name.into(), entry.shown.content)).collect()
    }

    fn copy(name: &str, content: &Content, digits: usize) -> String {
        conflict::copy_name(&Name::new(name).unwrap(), content, digits).unwrap().into()
    }

    #[test]
    fn the_latest_has_the_name_and_the_others_stand_beside_it() {
        let merged = born(&[("a", file(1)), ("a", file(2)), ("a", file(3))]);
        let expected = [("a".into(), file(3)), (copy("a", &file(1), 8), file(1)), (copy("a", &file(2), 8), file(2))];
        assert_eq!(shown(&merged, "a"), expected);
    }

    #[test]
    fn t10_a_directory_has_the_name_before_a_link_before_a_file() {
        let merged = born(&[("a", Content::Directory), ("a", link("x")), ("a", file(1))]);
        let names = shown(&merged, "a");
        assert_eq!(names[0], ("a".into(), Content::Directory));
        assert_eq!(names.len(), 3);
        assert_eq!(shown(&born(&[("a", link("x")), ("a", file(1))]), "a")[0], ("a".into(), link("x")));
    }

    #[test]
    fn t05_equal_bytes_are_one() {
        let merged = born(&[("a", file(1)), ("a", file(1))]);
        let entries = entries(&merged, &[None], &Name::new("a").unwrap());
        assert_eq!(entries.len(), 1);
        assert_eq!((entries[0].shown.dots.len(), entries[0].shown.nodes.len()), (2, 2));
    }

    #[test]
    fn real_names_win_over_computed_ones() {
        let taken = copy("a", &file(1), 8);
        let merged = born(&[("a", file(1)), ("a", file(2)), (&taken, file(9))]);
        assert_eq!(shown(&merged, "a")[1], (copy("a", &file(1), 16), file(1)));
        assert_eq!(shown(&merged, &taken), [(taken, file(9))]);
    }

    #[test]
    fn copies_with_equal_digits_or_all_names_taken_still_stand() {
        // A file that holds just what a link says, both beside a directory.
        let file_of_link = Content::File { hash: blake3::hash(b"x").into(), size: 1 };
        let merged = born(&[("a", file_of_link.clone()), ("a", link("x")), ("a", Content::Directory)]);
        let last = |content: &Content, round| -> String {
            conflict::last_copy_name(&Name::new("a").unwrap(), content, round).unwrap().into()
        };
        let (of_file, of_link) = (last(&file_of_link, 0), last(&link("x"), 0));
        let mut copies = [(of_file, file_of_link), (of_link, link("x"))];
        copies.sort();
        assert_eq!(shown(&merged, "a")[1..], copies);

        let taken = DIGITS.map(|digits| copy("a", &file(1), digits));
        let rounds = [last(&file(1), 0), last(&file(1), 1)];
        let real = taken.iter().chain(&rounds).map(|name| (name.as_str(), file(9)));
        let merged = born(&[("a", file(1)), ("a", file(2))].into_iter().chain(real).collect::<Vec<_>>());
        assert_eq!(shown(&merged, "a"), [("a".into(), file(2)), (last(&file(1), 2), file(1))]);
    }

    proptest! {
        /// The short way for names that one node alone claims gives what the general way gives.
        #[test]
        fn the_short_way_is_the_general_way(kind in 0..3, dead in any::<bool>()) {
            let content = [file(1), link("x"), Content::Directory][usize::try_from(kind).unwrap()].clone();
            let mut merged = born(&[("a", content)]);
            let id = Dot::new(ReplicaId::from_bytes([1; 16]), 1, 0);
            if dead {
                let order = ChangeOrder::new(2, UnixMs(0), Dot::new(ReplicaId::from_bytes([1; 16]), 2, 0));
                let body = Body::Deleted;
                merged.apply(order, &Change::Version { node: id, past: DotSet::from(id), body, modified_ns: 0 });
            }
            let general = groups(&merged, &[id]);
            prop_assert_eq!(shown_alone(&merged, &[id]).into_iter().collect::<Vec<_>>(), general.clone());
            for shown in general {
                let standing = Standing::of(&shown, DotSet::default());
                let others = [
                    Standing { content: file(2), ..standing.clone() },
                    Standing { mode: 0o600, ..standing.clone() },
                    Standing { nodes: Vec::new(), ..standing.clone() },
                    Standing { dots: Vec::new(), ..standing.clone() },
                ];
                let name = Name::new("a").unwrap();
                prop_assert!(shows_only(&merged, &[None], &name, &standing));
                prop_assert!(!others.iter().any(|other| shows_only(&merged, &[None], &name, other)));
            }
        }
    }
}

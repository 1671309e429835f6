//! What should stand on a disk: a pure function of the merged tree.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::conflict::{self, DIGITS};
use super::merged::{Merged, NodeId};
use super::{Body, ChangeOrder, Name};
use crate::api::Content;
use crate::log::Dot;

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
    }
    nodes
}

/// Everything that a name claims in a directory made of `parents`: the entry with the plain name first, then conflict
/// copies in the order of their names.
pub fn entries(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> Vec<ViewEntry> {
    let mut groups = groups(merged, parents, name);
    let Some(plain) = groups.pop() else { return Vec::new() };
    let mut entries: Vec<ViewEntry> = copies(merged, parents, name, groups);
    entries.sort_by(|one, other| one.name.cmp(&other.name));
    entries.insert(0, ViewEntry { name: name.clone(), conflict_of: None, shown: plain });
    entries
}

fn directories(merged: &Merged, parents: &[Option<NodeId>], name: &str) -> BTreeSet<NodeId> {
    parents
        .iter()
        .flat_map(|parent| merged.claimants(*parent, name))
        .filter(|id| merged.node(id).is_some_and(|node| node.is_directory()))
        .collect()
}

/// One [`Shown`] for each different content, the one that has the name last: a directory before a link before a file,
/// then the latest in message order.
fn groups(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> Vec<Shown> {
    let mut files: BTreeMap<&Content, Vec<(ChangeOrder, NodeId, i64)>> = BTreeMap::new();
    let claimants: BTreeSet<NodeId> = parents.iter().flat_map(|parent| merged.claimants(*parent, name)).collect();
    for (id, node) in claimants.iter().filter_map(|id| Some((id, merged.node(id)?))) {
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
    let directory = directory(merged, &directories(merged, parents, name));
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
    registers.max_by_key(|register| register.order).map_or(0o644, |register| register.mode & 0o777)
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
        let mut wanted: BTreeMap<Name, Vec<Shown>> = BTreeMap::new();
        for shown in core::mem::take(&mut unnamed) {
            match conflict::copy_name(name, &shown.content, digits) {
                Some(copy) => wanted.entry(copy).or_default().push(shown),
                None => unnamed.push(shown),
            }
        }
        for (copy, mut groups) in wanted {
            match (groups.pop(), groups.is_empty() && !is_real(merged, parents, &copy)) {
                (Some(shown), true) => {
                    entries.push(ViewEntry { name: copy, conflict_of: Some(name.clone()), shown });
                }
                (last, _) => unnamed.extend(groups.into_iter().chain(last)),
            }
        }
    }
    entries
}

fn is_real(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> bool {
    parents.iter().flat_map(|parent| merged.claimants(*parent, name)).any(|id| {
        merged.node(&id).is_some_and(|node| {
            node.is_directory() || node.versions().iter().any(|version| version.body != Body::Deleted)
        })
    })
}

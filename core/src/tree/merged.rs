//! What the group knows of one root: a pure function of the set of its changes.
//!
//! Invariant: the order in which changes arrive does not matter (`merged::tests::any_order_gives_the_same_state`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::{Body, Change, ChangeOrder, Name};
use crate::api::{Content, Hash, UnixMs};
use crate::log::{Dot, DotSet};
use crate::planted::{Planted, planted};

/// The name of a node: the dot of its birth.
pub type NodeId = Dot;

/// A version that nothing held has superseded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// Where it stands among all changes; its dot.
    pub order: ChangeOrder,
    /// What it replaces, everything that those replaced included.
    pub past: DotSet,
    /// What it holds.
    pub body: Body,
    /// Modification time, nanoseconds since 1970.
    pub modified_ns: i64,
}

impl Version {
    /// What dies with it, if that is the content of a file.
    fn file(&self) -> Option<DeadContent> {
        match self.body {
            Body::Content(Content::File { hash, size }) if size > 0 => {
                Some(DeadContent { version: self.order.dot(), hash, size })
            }
            _ => None,
        }
    }
}

/// The last writer's permission bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ModeRegister {
    /// Permission bits.
    pub mode: u16,
    /// Who wrote them.
    pub order: ChangeOrder,
}

/// One birth and all that became of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Node {
    placement: Option<Placement>,
    versions: Vec<Version>,
    mode: Option<ModeRegister>,
    living_children: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Placement {
    parent: Option<NodeId>,
    name: Name,
}

impl Node {
    /// Its versions that live, deletions included, oldest first.
    pub fn versions(&self) -> &[Version] {
        &self.versions
    }

    /// Its permission bits; none before its birth is held.
    pub fn mode(&self) -> Option<ModeRegister> {
        self.mode
    }

    /// A directory that lives, or a deleted one in which something lives.
    pub fn is_directory(&self) -> bool {
        self.living_children > 0 && !planted(Planted::DirectoryDies)
            || self.versions.iter().any(|version| version.body == Body::Content(Content::Directory))
    }

    fn is_alive(&self) -> bool {
        self.living_children > 0 || self.versions.iter().any(|version| version.body != Body::Deleted)
    }
}

/// A name in a directory node whose view may have changed.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Claim {
    /// The directory; none is the root.
    pub parent: Option<NodeId>,
    /// The name in it.
    pub name: Name,
}

/// What a change did to the tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Effects {
    /// The names whose view may have changed.
    pub claims: BTreeSet<Claim>,
    /// The contents of files that no longer live, or never did here: one for each version that died.
    pub dead: Vec<DeadContent>,
}

/// The content of a file whose version is dead. Other versions may have the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeadContent {
    /// The version.
    pub version: Dot,
    /// Its content.
    pub hash: Hash,
    /// The content's size in bytes, never 0: an empty file has no content that anyone keeps.
    pub size: u64,
}

/// The merged tree.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Merged {
    nodes: BTreeMap<NodeId, Node>,
    children: BTreeMap<Option<NodeId>, BTreeMap<Name, Vec<NodeId>>>,
    /// The union of the pasts of all versions held: a version is dead exactly if its dot is in here. A dot costs
    /// what its interval costs.
    superseded: DotSet,
    /// The node of each live version.
    living: BTreeMap<Dot, NodeId>,
}

impl Merged {
    /// Takes one change; tells what it touched and what died of it.
    pub fn apply(&mut self, order: ChangeOrder, change: &Change) -> Effects {
        let mut effects = Effects::default();
        match change {
            Change::Birth { parent, name, past, content, mode, modified_ns } => {
                let node = order.dot();
                self.place(node, *parent, name, &mut effects.claims);
                self.set_mode(node, ModeRegister { mode: *mode, order }, &mut effects.claims);
                let body = Body::Content(content.clone());
                let version = Version { order, past: past.clone(), body, modified_ns: *modified_ns };
                self.add_version(node, version, &mut effects);
            }
            Change::Version { node, past, body, modified_ns } => {
                let version = Version { order, past: past.clone(), body: body.clone(), modified_ns: *modified_ns };
                self.add_version(*node, version, &mut effects);
            }
            Change::Mode { node, mode } => {
                self.set_mode(*node, ModeRegister { mode: *mode, order }, &mut effects.claims);
            }
        }
        effects
    }

    /// A node, if anything of it or in it is held.
    pub fn node(&self, id: &NodeId) -> Option<&Node> {
        self.nodes.get(id)
    }

    /// Something is held of a node whose birth is not.
    pub fn has_unplaced(&self) -> bool {
        self.nodes.values().any(|node| node.placement.is_none())
    }

    /// A version that is held and that no held version replaces.
    pub fn is_live(&self, version: &Dot) -> bool {
        self.living.contains_key(version)
    }

    /// The directory and name where a node lies; none before its birth is held.
    pub fn placement(&self, id: &NodeId) -> Option<(Option<NodeId>, &Name)> {
        let placement = self.nodes.get(id)?.placement.as_ref()?;
        Some((placement.parent, &placement.name))
    }

    /// The nodes that claim `name` in the directory `parent`, dead ones included.
    pub fn claimants(&self, parent: Option<NodeId>, name: &str) -> impl Iterator<Item = NodeId> {
        self.children.get(&parent).and_then(|names| names.get(name)).into_iter().flatten().copied()
    }

    /// The names that something claims in the directory `parent`, dead ones included.
    pub fn names(&self, parent: Option<NodeId>) -> impl Iterator<Item = &Name> {
        self.children.get(&parent).into_iter().flat_map(BTreeMap::keys)
    }

    /// All live versions, in no particular order.
    pub fn living(&self) -> impl Iterator<Item = &Version> {
        self.nodes.values().flat_map(|node| &node.versions)
    }

    /// A live version.
    pub fn version(&self, dot: &Dot) -> Option<&Version> {
        let node = self.nodes.get(self.living.get(dot)?)?;
        node.versions.iter().find(|version| version.order.dot() == *dot)
    }

    /// These live versions and everything they replace: the past of a version that replaces them (§8.2).
    pub fn closure<'a>(&self, dots: impl IntoIterator<Item = &'a Dot>) -> DotSet {
        let mut closure = DotSet::default();
        for dot in dots {
            if planted(Planted::ClosureOfFirst) && !closure.is_empty() {
                break;
            }
            closure.insert(*dot);
            if let Some(version) = self.version(dot) {
                closure.extend(&version.past);
            }
        }
        closure
    }

    fn place(&mut self, id: NodeId, parent: Option<NodeId>, name: &Name, touched: &mut BTreeSet<Claim>) {
        let node = self.nodes.entry(id).or_default();
        if node.placement.is_some() {
            return;
        }
        node.placement = Some(Placement { parent, name: name.clone() });
        let alive = node.is_alive();
        if let Some(parent) = parent {
            // Held from the first that names it on, whether that is alive then or not: else the order would show.
            self.nodes.entry(parent).or_default();
        }
        let claimants = self.children.entry(parent).or_default().entry(name.clone()).or_default();
        if let Err(at) = claimants.binary_search(&id) {
            claimants.reserve_exact(1);
            claimants.insert(at, id);
        }
        if alive {
            // Versions or children came before the birth: only now is there a parent to tell.
            self.child_changed(parent, true, touched);
        }
    }

    fn set_mode(&mut self, id: NodeId, register: ModeRegister, touched: &mut BTreeSet<Claim>) {
        let node = self.nodes.entry(id).or_default();
        if node.mode.is_none_or(|held| held.order < register.order || planted(Planted::ModeByArrival)) {
            node.mode = Some(register);
            self.touch(id, touched);
        }
    }

    fn add_version(&mut self, id: NodeId, version: Version, effects: &mut Effects) {
        let Effects { claims: touched, dead: buried } = effects;
        let dot = version.order.dot();
        let version = match planted(Planted::TieByArrival) {
            true => Version { order: ChangeOrder::new(self.living.len() as u64, UnixMs::default(), dot), ..version },
            false => version,
        };
        let dead: Vec<(Dot, NodeId)> = self.living_in(&version.past);
        self.superseded.extend(&version.past);
        for (dead, node) in dead {
            self.change_node(node, touched, |node| {
                let died = |version: &mut Version| version.order.dot() == dead;
                buried.extend(node.versions.extract_if(.., died).filter_map(|version| version.file()));
            });
            self.living.remove(&dead);
        }
        let is_dead = self.superseded.contains(&dot) && !planted(Planted::SupersededForgotten);
        if is_dead || self.living.contains_key(&dot) {
            self.nodes.entry(id).or_default();
            self.touch(id, touched);
            buried.extend(version.file().filter(|_| is_dead));
            return;
        }
        self.living.insert(dot, id);
        self.change_node(id, touched, |node| {
            let place = node.versions.partition_point(|other| other.order < version.order);
            // Nearly every node has one version: room for four would be wasted a million times.
            node.versions.reserve_exact(1);
            node.versions.insert(place, version);
        });
    }

    /// The live versions in a set of dots; costs what lives, never what the set claims.
    fn living_in(&self, dots: &DotSet) -> Vec<(Dot, NodeId)> {
        let mut found = Vec::new();
        for (author, first, last) in dots.intervals() {
            let range = Dot { author, place: first }..=Dot { author, place: last };
            found.extend(self.living.range(range).map(|(dot, node)| (*dot, *node)));
        }
        found
    }

    fn change_node(&mut self, id: NodeId, touched: &mut BTreeSet<Claim>, change: impl FnOnce(&mut Node)) {
        let node = self.nodes.entry(id).or_default();
        let was_alive = node.is_alive();
        change(node);
        let is_alive = node.is_alive();
        let parent = node.placement.as_ref().map(|placement| placement.parent);
        self.touch(id, touched);
        if let Some(parent) = parent
            && was_alive != is_alive
        {
            self.child_changed(parent, is_alive, touched);
        }
    }

    /// Tells a directory that a child began or ceased to live, and its own directory if that changes its life. A ring
    /// of nodes that name each other as parents ends where a life does not change any more.
    fn child_changed(&mut self, parent: Option<NodeId>, alive: bool, touched: &mut BTreeSet<Claim>) {
        let mut next = parent;
        while let Some(id) = next {
            let node = self.nodes.entry(id).or_default();
            let was_alive = node.is_alive();
            node.living_children = match alive {
                true => node.living_children.saturating_add(1),
                false => node.living_children.saturating_sub(1),
            };
            let changed = was_alive != node.is_alive();
            next = node.placement.as_ref().and_then(|placement| placement.parent);
            self.touch(id, touched);
            if !changed {
                return;
            }
        }
    }

    fn touch(&self, id: NodeId, touched: &mut BTreeSet<Claim>) {
        if let Some((parent, name)) = self.placement(&id) {
            touched.insert(Claim { parent, name: name.clone() });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::ReplicaId;
    use crate::log::Place;

    fn dot(author: u8, counter: u64) -> Dot {
        Dot { author: ReplicaId::from_bytes([author; 16]), place: Place { counter, index: 0 } }
    }

    fn order(dot: Dot) -> ChangeOrder {
        ChangeOrder::new(dot.place.counter, UnixMs(0), dot)
    }

    fn past(dots: &[Dot]) -> DotSet {
        let mut past = DotSet::default();
        for dot in dots {
            past.insert(*dot);
        }
        past
    }

    fn birth(parent: Option<Dot>, name: &str, content: Content) -> Change {
        let name = Name::new(name).unwrap();
        Change::Birth { parent, name, past: DotSet::default(), content, mode: 0o644, modified_ns: 0 }
    }

    fn file(byte: u8) -> Content {
        Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }
    }

    fn version(node: Dot, dots: &[Dot], body: Body) -> Change {
        Change::Version { node, past: past(dots), body, modified_ns: 0 }
    }

    /// A directory with a file that is edited on both sides, a deleted directory that a new file keeps alive, a mode.
    fn history() -> Vec<(Dot, Change)> {
        alloc::vec![
            (dot(1, 1), birth(None, "notes", Content::Directory)),
            (dot(1, 2), birth(Some(dot(1, 1)), "a.md", file(1))),
            (dot(1, 3), version(dot(1, 2), &[dot(1, 2)], Body::Content(file(2)))),
            (dot(2, 3), version(dot(1, 2), &[dot(1, 2)], Body::Content(file(3)))),
            (dot(2, 4), version(dot(1, 1), &[dot(1, 1)], Body::Deleted)),
            (dot(2, 5), version(dot(1, 2), &[dot(1, 2), dot(2, 3)], Body::Deleted)),
            (dot(1, 6), Change::Mode { node: dot(1, 2), mode: 0o600 }),
            (dot(2, 6), Change::Mode { node: dot(1, 2), mode: 0o640 }),
        ]
    }

    fn applied(changes: &[(Dot, Change)]) -> Merged {
        let mut merged = Merged::default();
        changes.iter().for_each(|(dot, change)| drop(merged.apply(order(*dot), change)));
        merged
    }

    #[test]
    fn a_version_dies_only_by_a_held_past() {
        let merged = applied(&history());
        assert!(merged.version(&dot(1, 2)).is_none());
        assert!(merged.version(&dot(2, 3)).is_none());
        assert!(merged.version(&dot(1, 3)).is_some(), "nobody who replaced anything had seen it");
    }

    #[test]
    fn a_deleted_directory_with_living_content_lives() {
        let mut merged = applied(&history());
        assert!(merged.node(&dot(1, 1)).unwrap().is_directory());
        let claims = merged.apply(order(dot(1, 9)), &version(dot(1, 2), &[dot(1, 3)], Body::Deleted)).claims;
        assert!(!merged.node(&dot(1, 1)).unwrap().is_directory());
        assert!(claims.contains(&Claim { parent: None, name: Name::new("notes").unwrap() }));
    }

    #[test]
    fn the_directory_of_a_node_is_held_whether_the_node_was_ever_alive_or_not() {
        let child = (dot(1, 2), birth(Some(dot(1, 1)), "a", file(1)));
        let deletion = (dot(1, 3), version(dot(1, 2), &[dot(1, 2)], Body::Deleted));
        assert_eq!(applied(&[child.clone(), deletion.clone()]), applied(&[deletion, child]));
    }

    #[test]
    fn nodes_that_are_each_others_parents_end_no_call_late() {
        let mut merged = Merged::default();
        merged.apply(order(dot(1, 1)), &birth(Some(dot(1, 2)), "a", Content::Directory));
        merged.apply(order(dot(1, 2)), &birth(Some(dot(1, 1)), "b", Content::Directory));
        merged.apply(order(dot(1, 3)), &birth(Some(dot(1, 3)), "self", file(1)));
        assert_eq!(merged.names(None).count(), 0);
    }

    #[test]
    fn h02_a_past_that_claims_everything_costs_its_intervals() {
        let mut merged = applied(&history());
        let mut huge = DotSet::default();
        let author = ReplicaId::from_bytes([9; 16]);
        huge.insert_range(author, 7, 0, u32::MAX);
        let change = Change::Version { node: dot(1, 2), past: huge, body: Body::Deleted, modified_ns: 0 };
        merged.apply(order(dot(3, 1)), &change);
        assert!(merged.version(&dot(1, 3)).is_some());
    }

    proptest! {
        #[test]
        fn each_content_of_a_file_lives_or_was_told_dead_once(changes in Just(history()).prop_shuffle()) {
            let mut merged = Merged::default();
            let dead = changes.iter().flat_map(|(dot, change)| merged.apply(order(*dot), change).dead);
            let dead: Vec<Dot> = dead.map(|dead| dead.version).collect();
            let living = merged.living().filter_map(Version::file).map(|file| file.version);
            let mut all: Vec<Dot> = dead.into_iter().chain(living).collect();
            all.sort();
            prop_assert_eq!(all, [dot(1, 2), dot(1, 3), dot(2, 3)]);
        }

        #[test]
        fn any_order_gives_the_same_state(changes in Just(history()).prop_shuffle(), again in 0usize..8) {
            let mut repeated = changes.clone();
            repeated.push(changes[again].clone());
            prop_assert_eq!(applied(&repeated), applied(&history()));
        }
    }
}

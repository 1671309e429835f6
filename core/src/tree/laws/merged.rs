//! The merged tree against a plain model of §8.1 and §8.2: sets of dots, nothing incremental.

use super::*;
use crate::tree::merged::Claim;

/// What is held, as it was said.
#[derive(Default)]
struct Model {
    versions: BTreeMap<Dot, (ChangeOrder, NodeId, BTreeSet<Dot>, Body)>,
    births: BTreeMap<NodeId, (Option<NodeId>, Name)>,
    modes: BTreeMap<NodeId, (ChangeOrder, u16)>,
}

impl Model {
    fn of(changes: &[Placed]) -> Model {
        let mut model = Model::default();
        for (order, change) in changes {
            match change {
                Change::Birth { parent, name, past, content, mode, .. } => {
                    model.births.insert(order.dot(), (*parent, name.clone()));
                    model.add_mode(*order, order.dot(), *mode);
                    model.add_version(*order, order.dot(), past, Body::Content(content.clone()));
                }
                Change::Version { node, past, body, .. } => model.add_version(*order, *node, past, body.clone()),
                Change::Mode { node, mode } => model.add_mode(*order, *node, *mode),
            }
        }
        model
    }

    fn add_version(&mut self, order: ChangeOrder, node: NodeId, past: &DotSet, body: Body) {
        self.versions.insert(order.dot(), (order, node, dots(past), body));
    }

    fn add_mode(&mut self, order: ChangeOrder, node: NodeId, mode: u16) {
        let register = self.modes.entry(node).or_insert((order, mode));
        *register = (*register).max((order, mode));
    }

    fn is_live(&self, dot: &Dot) -> bool {
        self.versions.contains_key(dot) && self.versions.values().all(|(_, _, past, _)| !past.contains(dot))
    }

    /// The live versions of a node, oldest first.
    fn living(&self, id: &NodeId) -> Vec<(ChangeOrder, Body)> {
        let own = self.versions.iter().filter(|(dot, (_, node, ..))| node == id && self.is_live(dot));
        let mut living: Vec<_> = own.map(|(_, (order, _, _, body))| (*order, body.clone())).collect();
        living.sort_by_key(|(order, _)| *order);
        living
    }

    /// Something lives in it.
    fn holds_life(&self, id: &NodeId) -> bool {
        self.births.iter().any(|(child, (parent, _))| *parent == Some(*id) && self.is_alive(child))
    }

    fn is_alive(&self, id: &NodeId) -> bool {
        self.holds_life(id) || self.living(id).iter().any(|(_, body)| *body != Body::Deleted)
    }
}

fn dots(set: &DotSet) -> BTreeSet<Dot> {
    let of = |(author, first, last): (ReplicaId, crate::log::Place, crate::log::Place)| {
        (first.index..=last.index).map(move |index| Dot::new(author, first.counter, index))
    };
    set.intervals().flat_map(of).collect()
}

/// The names that a change can be seen at: those it touches, and a conflict copy where its name is touched.
fn is_told(touched: &BTreeSet<Claim>, claim: &Claim, copies: &BTreeSet<Name>) -> bool {
    touched.contains(claim) || touched.iter().any(|other| other.parent == claim.parent && copies.contains(&other.name))
}

proptest! {
    #[test]
    fn any_order_with_repetitions_gives_an_equal_state((history, other) in rearranged()) {
        prop_assert_eq!(applied(&history), applied(&other));
    }

    #[test]
    fn a_version_is_dead_exactly_if_a_held_past_names_it((_, changes) in rearranged()) {
        let (merged, model) = (applied(&changes), Model::of(&changes));
        for (dot, (order, node, past, body)) in &model.versions {
            prop_assert_eq!(merged.is_live(dot), model.is_live(dot), "{:?}", dot);
            let Some(version) = merged.version(dot) else { continue };
            prop_assert_eq!((version.order, dots(&version.past), &version.body), (*order, past.clone(), body));
            prop_assert!(merged.node(node).unwrap().versions().contains(version));
        }
    }

    #[test]
    fn a_node_has_its_live_versions_its_latest_mode_and_its_birthplace((_, changes) in rearranged()) {
        let (merged, model) = (applied(&changes), Model::of(&changes));
        let versions = model.versions.values().map(|(_, node, ..)| node);
        for id in versions.chain(model.births.keys()).chain(model.modes.keys()) {
            let node = merged.node(id).unwrap();
            let living: Vec<_> = node.versions().iter().map(|version| (version.order, version.body.clone())).collect();
            prop_assert_eq!(living, model.living(id));
            let mode = node.mode().map(|register| (register.order, register.mode));
            prop_assert_eq!(mode, model.modes.get(id).copied());
            let placement = merged.placement(id).map(|(parent, name)| (parent, name.clone()));
            prop_assert_eq!(placement, model.births.get(id).cloned());
        }
        for (id, (parent, name)) in &model.births {
            prop_assert!(merged.claimants(*parent, name).filter(|claimant| claimant == id).count() == 1);
        }
    }

    #[test]
    fn a_node_is_a_directory_while_it_says_so_or_something_lives_in_it((_, changes) in rearranged()) {
        let (merged, model) = (applied(&changes), Model::of(&changes));
        for id in model.births.keys() {
            let says_so = model.living(id).iter().any(|(_, body)| *body == Body::Content(Content::Directory));
            let expected = says_so || model.holds_life(id);
            prop_assert_eq!(merged.node(id).unwrap().is_directory(), expected, "{:?}", id);
        }
    }

    /// Only what is told is compared with the disk.
    #[test]
    fn every_claim_whose_view_changes_is_told_or_told_by_the_name_of_its_copy((history, other) in rearranged()) {
        let parents: BTreeSet<Option<NodeId>> = history.iter().map(|(order, _)| Some(order.dot())).chain([None]).collect();
        let end = applied(&history);
        let claims: Vec<Claim> = parents
            .iter()
            .flat_map(|parent| end.names(*parent).map(|name| Claim { parent: *parent, name: name.clone() }))
            .collect();
        let mut merged = Merged::default();
        let mut shown = vec![Vec::new(); claims.len()];
        for (order, change) in &other {
            let touched = merged.apply(*order, change).claims;
            for (claim, before) in claims.iter().zip(&mut shown) {
                let after = tree_view::entries(&merged, &[claim.parent], &claim.name);
                if *before != after {
                    let copies = before.iter().chain(&after).map(|entry| entry.name.clone()).collect();
                    prop_assert!(is_told(&touched, claim, &copies), "{:?} by {:?}", claim, change);
                    *before = after;
                }
            }
        }
    }

    #[test]
    fn the_closure_of_live_versions_is_they_and_their_pasts((_, changes) in rearranged()) {
        let (merged, model) = (applied(&changes), Model::of(&changes));
        let live: Vec<Dot> = model.versions.keys().filter(|dot| model.is_live(dot)).copied().collect();
        let expected: BTreeSet<Dot> =
            live.iter().flat_map(|dot| model.versions[dot].2.iter().copied().chain([*dot])).collect();
        prop_assert_eq!(dots(&merged.closure(&live)), expected);
    }
}

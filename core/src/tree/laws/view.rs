//! What a name shows (§8.3, `docs/protocol.md` §8), against the rules said plainly.

use super::*;
use crate::tree::view::ViewEntry;

/// All directories that can be seen at one place: each list of nodes is the parents of one path.
fn places(merged: &Merged) -> Vec<Vec<Option<NodeId>>> {
    let below = flat_view(merged)
        .into_values()
        .filter(|(_, shown)| shown.content == Content::Directory)
        .map(|(_, shown)| shown.nodes.into_iter().map(Some).collect());
    [Vec::from([None])].into_iter().chain(below).collect()
}

/// The live versions with bytes or a target of a name.
fn living(merged: &Merged, parents: &[Option<NodeId>], name: &Name) -> Vec<(Content, ChangeOrder, NodeId)> {
    let claimants: BTreeSet<NodeId> = parents.iter().flat_map(|parent| merged.claimants(*parent, name)).collect();
    let mut living = Vec::new();
    for id in claimants {
        for version in merged.node(&id).unwrap().versions() {
            if let Body::Content(content @ (Content::File { .. } | Content::Symlink { .. })) = &version.body {
                living.push((content.clone(), version.order, id));
            }
        }
    }
    living
}

fn claims(merged: &Merged) -> Vec<(Vec<Option<NodeId>>, Name, Vec<ViewEntry>)> {
    let mut claims = Vec::new();
    for parents in places(merged) {
        for name in names_in(merged, &parents) {
            let entries = tree_view::entries(merged, &parents, &name);
            claims.push((parents.clone(), name, entries));
        }
    }
    claims
}

proptest! {
    #[test]
    fn the_view_is_a_function_of_the_set((history, other) in rearranged()) {
        prop_assert_eq!(flat_view(&applied(&history)), flat_view(&applied(&other)));
    }

    /// What lies in a ring is reached from no root, so it cannot show whether it lives.
    #[test]
    fn directories_that_lie_in_each_other_leave_the_view_a_function_of_the_set(
        (history, other) in history_with_rings().prop_flat_map(arrivals),
    ) {
        prop_assert_eq!(flat_view(&applied(&history)), flat_view(&applied(&other)));
    }

    /// [`flat_view`] says so for whole directories.
    #[test]
    fn no_two_entries_of_a_directory_have_equal_names((_, changes) in rearranged()) {
        flat_view(&applied(&changes));
    }

    #[test]
    fn every_live_version_is_shown_once_and_equal_bytes_are_one((_, changes) in rearranged()) {
        let merged = applied(&changes);
        for (parents, name, entries) in claims(&merged) {
            let living = living(&merged, &parents, &name);
            let expected: BTreeSet<&Content> = living.iter().map(|(content, ..)| content).collect();
            let shown: Vec<&Content> =
                entries.iter().map(|entry| &entry.shown.content).filter(|content| **content != Content::Directory).collect();
            prop_assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>(), expected);
            prop_assert_eq!(shown.iter().copied().collect::<BTreeSet<_>>().len(), shown.len());
            for entry in entries.iter().filter(|entry| entry.shown.content != Content::Directory) {
                let own = living.iter().filter(|(content, ..)| *content == entry.shown.content);
                let dots: BTreeSet<Dot> = own.clone().map(|(_, order, _)| order.dot()).collect();
                let nodes: BTreeSet<NodeId> = own.map(|(.., node)| *node).collect();
                prop_assert!(entry.shown.dots.is_sorted());
                prop_assert_eq!(entry.shown.dots.iter().copied().collect::<BTreeSet<_>>(), dots);
                prop_assert_eq!(entry.shown.nodes.iter().copied().collect::<BTreeSet<_>>(), nodes);
                // Local changes go to the node of the latest version, and its time is shown.
                let own = living.iter().filter(|(content, ..)| *content == entry.shown.content);
                let (_, order, node) = own.max_by_key(|(_, order, _)| *order).unwrap();
                prop_assert_eq!((entry.shown.nodes[0], entry.shown.modified_ns), (*node, modified(order.dot())));
            }
        }
    }

    #[test]
    fn the_plain_name_goes_to_a_directory_then_a_link_then_the_latest((_, changes) in rearranged()) {
        let merged = applied(&changes);
        for (parents, name, entries) in claims(&merged) {
            let is_directory = |id: &NodeId| merged.node(id).unwrap().is_directory();
            let has_directory =
                parents.iter().flat_map(|parent| merged.claimants(*parent, &name)).any(|id| is_directory(&id));
            let Some(plain) = entries.first() else {
                prop_assert!(!has_directory);
                continue;
            };
            prop_assert_eq!((&plain.name, &plain.conflict_of), (&name, &None));
            prop_assert_eq!(plain.shown.content == Content::Directory, has_directory);
            if !has_directory {
                let living = living(&merged, &parents, &name);
                let rank = |(content, order, _): &(Content, ChangeOrder, NodeId)| {
                    (matches!(content, Content::Symlink { .. }), *order)
                };
                let first = living.iter().max_by_key(|version| rank(version)).unwrap();
                prop_assert_eq!(&plain.shown.content, &first.0);
            }
            for copy in &entries[1..] {
                prop_assert_eq!(copy.conflict_of.as_ref(), Some(&name));
                prop_assert!(copy.shown.content != Content::Directory);
            }
        }
    }

    #[test]
    fn real_names_win_and_a_copy_has_the_shortest_name_that_is_free((_, changes) in rearranged()) {
        let merged = applied(&changes);
        for (parents, name, entries) in claims(&merged) {
            let is_real = |name: &Name| !tree_view::entries(&merged, &parents, name).is_empty();
            let wanted = |shown: &Shown, digits| conflict::copy_name(&name, &shown.content, digits).unwrap();
            for copy in entries.iter().skip(1) {
                prop_assert!(!is_real(&copy.name), "`{}` is a real name", copy.name);
                prop_assert_eq!(conflict::plain_name(&copy.name), Some(name.clone()));
                let shared = |digits| {
                    let others = entries.iter().skip(1).filter(|other| other.name != copy.name);
                    others.filter(|other| wanted(&other.shown, digits) == wanted(&copy.shown, digits)).count() > 0
                };
                let free = conflict::DIGITS.into_iter().find(|digits| {
                    !is_real(&wanted(&copy.shown, *digits)) && !shared(*digits)
                });
                if let Some(digits) = free {
                    prop_assert_eq!(&copy.name, &wanted(&copy.shown, digits));
                }
            }
        }
    }

    /// Another name's changes move no copy, unless that name is the one a copy had or would have.
    #[test]
    fn names_of_copies_hang_on_nothing_but_content_and_name((history, _) in rearranged(), lamport in 1..9u64) {
        let mut merged = applied(&history);
        let before = claims(&merged);
        let dot = Dot::new(replica_id(7), 1, 0);
        let change = Change::Birth {
            parent: None,
            name: name("z"),
            past: DotSet::default(),
            content: file(1),
            mode: 0o644,
            modified_ns: 0,
        };
        merged.apply(ChangeOrder::new(lamport, UnixMs(0), dot), &change);
        for (parents, name, entries) in before {
            prop_assert_eq!(tree_view::entries(&merged, &parents, &name), entries);
        }
    }

    #[test]
    fn bits_are_the_latest_of_the_nodes_that_are_shown((_, changes) in rearranged()) {
        let merged = applied(&changes);
        for (_, _, entries) in claims(&merged) {
            for entry in entries {
                let registers = entry.shown.nodes.iter().filter_map(|id| merged.node(id)?.mode());
                let latest = registers.max_by_key(|register| register.order).map_or(0o644, |register| register.mode);
                let is_link = matches!(entry.shown.content, Content::Symlink { .. });
                prop_assert_eq!(entry.shown.mode, if is_link { 0 } else { latest });
            }
        }
    }
}

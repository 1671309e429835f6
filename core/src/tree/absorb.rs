//! From disk to versions: what a look at one path means, given what was last known to stand there (§8.2, §8.4, §8.5).
//!
//! Invariant: a version takes as past only what base shows and versions of equal bytes
//! (`absorb::tests::an_edit_replaces_only_what_base_shows`).

use alloc::vec::Vec;

use super::base::{BaseEntry, Standing};
use super::merged::{Merged, NodeId};
use super::view::{Shown, ViewEntry};
use crate::api::{Content, ReplicaId, UnixMs};
use crate::engine::limits::PAST_INTERVALS_MAX;
use crate::log::DotSet;
use crate::planted::{Planted, planted};

/// What a look found at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The content.
    pub content: Content,
    /// Permission bits; 0 for links.
    pub mode: u16,
}

/// What it means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// Nothing was and nothing is there, or what is gone was to be removed: nothing is known of the path any more.
    Forgotten,
    /// This stands there and is known already. With other permission bits they are a change of their own.
    Known(Standing),
    /// A file that nobody here had seen, but that the view assigns to the path, byte for byte.
    Adopted(Standing),
    /// A new node.
    Born,
    /// A new version of a node.
    Edited {
        /// The node.
        node: NodeId,
        /// What it replaces.
        past: DotSet,
    },
    /// A deletion.
    Deleted {
        /// The node.
        node: NodeId,
        /// What it deletes.
        past: DotSet,
    },
}

/// Decides what was found at a path means. `view` holds the entries of the path's claim; `is_own` tells the incarnations of
/// this device.
pub fn meaning(
    merged: &Merged,
    entry: Option<&BaseEntry>,
    view: &[ViewEntry],
    name: &str,
    found: Option<&Found>,
    is_own: impl Fn(ReplicaId) -> bool,
    now: UnixMs,
) -> Meaning {
    let standing = entry.and_then(|entry| entry.standing.as_ref());
    let intent = entry.and_then(|entry| entry.intent.as_ref());
    let replaced = |standing: &Standing| {
        let mut past = replaced(merged, standing, assigned(view, name), &is_own);
        // Nobody knows whether it stood there or what was intended: only what both show was surely seen.
        if let Some(intent) = intent {
            past.intersect(&intent.standing.as_ref().map(|intended| intended.shown.clone()).unwrap_or_default());
        }
        past
    };
    match (found, standing) {
        (Some(found), _) if intent.is_some_and(|intent| holds(intent.standing.as_ref(), found)) => {
            intent.and_then(|intent| intent.standing.clone()).map_or(Meaning::Born, Meaning::Known)
        }
        (Some(found), Some(standing)) if standing.content == found.content => Meaning::Known(standing.clone()),
        (None, _) if intent.is_some_and(|intent| intent.standing.is_none()) => Meaning::Forgotten,
        (None, None) => Meaning::Forgotten,
        (None, Some(standing)) => match standing.nodes.first() {
            Some(node) if planted(Planted::GraceForDeletion) && in_grace(entry, now) => {
                Meaning::Deleted { node: *node, past: DotSet::default() }
            }
            Some(node) => Meaning::Deleted { node: *node, past: replaced(standing) },
            None => Meaning::Forgotten,
        },
        (Some(_), Some(standing)) => {
            let past = if in_grace(entry, now) { DotSet::default() } else { replaced(standing) };
            standing.nodes.first().map_or(Meaning::Born, |node| Meaning::Edited { node: *node, past })
        }
        (Some(found), None) => {
            let is_equal = |shown: &&Shown| shown.content == found.content || planted(Planted::AdoptUnequal);
            match assigned(view, name).filter(is_equal) {
                Some(shown) => Meaning::Adopted(adopted(merged, shown, found)),
                None => Meaning::Born,
            }
        }
    }
}

/// An unrelated version took the path a short time ago: a write may still be one over the version before (§8.4).
fn in_grace(entry: Option<&BaseEntry>, now: UnixMs) -> bool {
    let until = entry.and_then(|entry| entry.grace_until);
    until.is_some_and(|until| now < until || planted(Planted::GraceEndless)) && !planted(Planted::GraceIgnored)
}

fn holds(standing: Option<&Standing>, found: &Found) -> bool {
    standing.is_some_and(|standing| standing.content == found.content)
}

/// What the view assigns to a name.
fn assigned<'a>(view: &'a [ViewEntry], name: &str) -> Option<&'a Shown> {
    view.iter().find(|entry| entry.name.as_str() == name).map(|entry| &entry.shown)
}

/// The disk's own bits are what stands; where they differ from the view's, the view is carried out later.
fn adopted(merged: &Merged, shown: &Shown, found: &Found) -> Standing {
    Standing { mode: found.mode, ..Standing::of(shown, merged.closure(&shown.dots)) }
}

/// What base shows is replaced, and so are its twins: versions that others made of the same bytes and that the view has
/// at this path. Those made here, also before this device was put back from a backup, are somebody's wish for another path,
/// or base would show them: of two equal files one was put in the other's place, and then this one was removed. So are those
/// that the view has at another name.
fn replaced(
    merged: &Merged,
    standing: &Standing,
    assigned: Option<&Shown>,
    is_own: impl Fn(ReplicaId) -> bool,
) -> DotSet {
    let mut past = standing.shown.clone();
    if past.intervals().count() > PAST_INTERVALS_MAX {
        // What those shown replaced is dead by their own pasts, which everyone holds who holds them.
        past = DotSet::default();
        for dot in &standing.dots {
            past.insert(*dot);
        }
    }
    let is_equal = |shown: &&Shown| shown.content == standing.content || planted(Planted::HeadsAsPast);
    let equal = assigned.filter(is_equal);
    let twins = equal.into_iter().flat_map(|shown| &shown.dots).filter(|dot| !is_own(dot.author));
    past.extend(&merged.closure(&twins.copied().collect::<Vec<_>>()));
    past
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;

    use super::*;
    use crate::api::Hash;
    use crate::log::{Dot, Place};
    use crate::tree::{Change, ChangeOrder, Name, base::Intent, view};

    const NOW: UnixMs = UnixMs(1_000_000);

    fn nobody(_: ReplicaId) -> bool {
        false
    }

    fn dot(author: u8, counter: u64) -> Dot {
        Dot { author: ReplicaId::from_bytes([author; 16]), place: Place { counter, index: 0 } }
    }

    fn file(byte: u8) -> Content {
        Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }
    }

    fn found(byte: u8) -> Found {
        Found { content: file(byte), mode: 0o644 }
    }

    /// `a` was born by each of these authors with this content.
    fn births(born: &[(u8, u8)]) -> (Merged, Vec<ViewEntry>) {
        let mut merged = Merged::default();
        let name = Name::new("a").unwrap();
        for (author, byte) in born {
            let change = Change::Birth {
                parent: None,
                name: name.clone(),
                past: DotSet::default(),
                content: file(*byte),
                mode: 0o644,
                modified_ns: 0,
            };
            merged.apply(ChangeOrder::new(u64::from(*author), UnixMs(0), dot(*author, 1)), &change);
        }
        let view = view::entries(&merged, &[None], &name);
        (merged, view)
    }

    fn based_on(author: u8, byte: u8) -> BaseEntry {
        let mut shown = DotSet::default();
        shown.insert(dot(author, 1));
        let dots = alloc::vec![dot(author, 1)];
        let nodes = dots.clone();
        BaseEntry {
            standing: Some(Standing { content: file(byte), mode: 0o644, nodes, dots, shown }),
            ..BaseEntry::default()
        }
    }

    #[test]
    fn an_edit_replaces_only_what_base_shows() {
        let (merged, view) = births(&[(1, 10), (2, 20)]);
        let base = based_on(1, 10);
        let Meaning::Edited { past, .. } = meaning(&merged, Some(&base), &view, "a", Some(&found(30)), nobody, NOW)
        else {
            panic!("an edit was expected");
        };
        assert!(past.contains(&dot(1, 1)) && !past.contains(&dot(2, 1)));
    }

    #[test]
    fn t33_a_deletion_takes_the_twin_along() {
        let (merged, view) = births(&[(1, 10), (2, 10)]);
        let base = based_on(1, 10);
        let Meaning::Deleted { past, .. } = meaning(&merged, Some(&base), &view, "a", None, nobody, NOW) else {
            panic!("a deletion was expected");
        };
        assert!(past.contains(&dot(1, 1)) && past.contains(&dot(2, 1)));
    }

    #[test]
    fn a_deletion_leaves_the_twin_that_an_incarnation_of_this_device_made() {
        let (merged, view) = births(&[(1, 10), (2, 10)]);
        let base = based_on(1, 10);
        let is_own = |author: ReplicaId| [2, 3].map(|own| ReplicaId::from_bytes([own; 16])).contains(&author);
        let Meaning::Deleted { past, .. } = meaning(&merged, Some(&base), &view, "a", None, is_own, NOW) else {
            panic!("a deletion was expected");
        };
        assert!(past.contains(&dot(1, 1)) && !past.contains(&dot(2, 1)));
    }

    #[test]
    fn t01_an_unknown_file_is_adopted_or_supersedes_nothing() {
        let (merged, view) = births(&[(1, 10)]);
        let look = |byte| meaning(&merged, None, &view, "a", Some(&found(byte)), nobody, NOW);
        assert!(matches!(look(10), Meaning::Adopted(standing) if standing.dots == [dot(1, 1)]));
        assert_eq!(look(11), Meaning::Born);
    }

    #[test]
    fn t32_a_change_that_was_under_way_is_no_edit() {
        let (merged, view) = births(&[(1, 10)]);
        let mut base = based_on(1, 10);
        let new = based_on(2, 20).standing;
        base.intent = Some(Box::new(Intent { standing: new.clone(), conflict_of: None, is_move: false }));
        let look =
            |base: &BaseEntry, found: Option<&Found>| meaning(&merged, Some(base), &view, "a", found, nobody, NOW);
        assert_eq!(look(&base, Some(&found(20))), Meaning::Known(new.unwrap()));
        assert_eq!(look(&base, Some(&found(10))), Meaning::Known(base.standing.clone().unwrap()));
        let Meaning::Edited { past, .. } = look(&base, Some(&found(30))) else { panic!("an edit was expected") };
        assert!(past.is_empty(), "what was written over is not known: {past:?}");
        base.intent = Some(Box::new(Intent { standing: None, conflict_of: None, is_move: false }));
        assert_eq!(look(&base, None), Meaning::Forgotten);
    }

    #[test]
    fn the_first_write_after_an_unrelated_version_supersedes_nothing() {
        let (merged, view) = births(&[(1, 10)]);
        let mut base = based_on(1, 10);
        base.grace_until = Some(NOW.plus(1));
        let past_at = |now| match meaning(&merged, Some(&base), &view, "a", Some(&found(30)), nobody, now) {
            Meaning::Edited { past, .. } => past,
            other => panic!("{other:?}"),
        };
        assert!(past_at(NOW).is_empty());
        assert!(!past_at(NOW.plus(1)).is_empty());
    }
}

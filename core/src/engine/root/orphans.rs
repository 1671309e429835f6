//! What stands here of nodes that have no place any more, since they were born, or a directory above them was, in a message
//! that became void (§5.3).
//!
//! What only void messages said is taken away, as anything that others deleted. What this device made of it is found anew, as
//! if it had just been made, and so comes to everybody again. What other members made of it stays until they have done so.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Root;
use crate::engine::shared::Shared;
use crate::log::{Dot, Log};
use crate::tree::base::{BaseEntry, Standing};
use crate::tree::merged::NodeId;
use crate::tree::path;

impl Root {
    /// Forgets what this device made where it has no place any more: the scan finds it as new.
    pub(super) fn forget_orphans(&mut self, shared: &mut Shared) {
        let log = &shared.log;
        let has_orphans = log.has_removed() && self.merged.has_unplaced();
        if !has_orphans && !log.has_uncounted() {
            return;
        }
        let is_own = |standing: &Standing| standing.dots.iter().any(|dot| log.is_by_this_device(dot.author));
        // What this device made when it did not know yet that it only receives.
        let is_silenced = |standing: &&Standing| {
            let mut own = standing.dots.iter().filter(|dot| log.is_by_this_device(dot.author));
            own.any(|dot| log.is_silenced(dot.author, dot.place.counter))
        };
        let silenced = |path: &String| self.standing_at(path).filter(is_silenced).is_some();
        let paths = self.base.below("");
        let orphans =
            paths.iter().filter(|path| has_orphans && self.orphan(path).is_some_and(is_own) || silenced(path));
        let mut forgotten: BTreeSet<String> = orphans.cloned().collect();
        for orphan in forgotten.clone() {
            let above = path::split(&orphan).map(|(directory, _)| directory.to_string());
            let mut above = above.unwrap_or_default();
            while !above.is_empty() && self.orphan(&above).is_some() && forgotten.insert(above.clone()) {
                above = path::split(&above).map(|(directory, _)| directory.to_string()).unwrap_or_default();
            }
        }
        for path in forgotten {
            let Some((directory, name)) = path::split(&path) else { continue };
            let Some(entry) = self.base.entry(directory, &name).cloned() else { continue };
            self.base.set(directory, &name, BaseEntry { standing: None, conflict_of: None, stat: None, ..entry });
            self.store_base(shared, directory, &name);
        }
    }

    /// What stands at a path, if that has no place in the tree.
    fn orphan(&self, path: &str) -> Option<&Standing> {
        self.standing_at(path).filter(|standing| !standing.nodes.iter().any(|node| self.has_place(node)))
    }

    fn standing_at(&self, path: &str) -> Option<&Standing> {
        let (directory, name) = path::split(path)?;
        self.base.standing(directory, &name)
    }

    /// It is no conflict copy, and its absence from the view means something: the log knows what stands there, or that it
    /// does not count, or it is to come undone.
    pub(super) fn is_removable(&self, log: &Log, entry: &BaseEntry) -> bool {
        let is_void = |standing: &Standing| {
            let is_uncounted = |dot: &Dot| log.is_uncounted(dot.author, dot.place.counter);
            standing.dots.is_empty() || log.has_uncounted() && standing.dots.iter().all(is_uncounted)
        };
        let known = |standing: &Standing| standing.nodes.iter().any(|node| self.has_place(node)) || is_void(standing);
        entry.conflict_of.is_none() && entry.standing.as_ref().is_some_and(known)
    }

    /// The births of a node and of all directories above it are held.
    fn has_place(&self, node: &NodeId) -> bool {
        let mut passed = Vec::new();
        let mut next = Some(*node);
        while let Some(node) = next {
            // A directory that claims to lie in itself has no place.
            if passed.contains(&node) {
                return false;
            }
            let Some((parent, _)) = self.merged.placement(&node) else { return false };
            passed.push(node);
            next = parent;
        }
        true
    }
}

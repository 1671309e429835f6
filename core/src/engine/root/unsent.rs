//! What people change here while this device does not send (§5.8): nobody is told of it, it stays, and nothing else is done at
//! its path until it is undone on request, or may be told.
//!
//! It is not saved: base stays as the group has it, so the first scan of the next engine finds it again.
//!
//! Invariant: what is changed while a device only receives is never sent and never overwritten
//! (`t27_what_is_changed_on_a_device_that_only_receives_is_never_sent_and_comes_undone_on_request`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::scan::is_proven_unchanged;
use super::{ListJob, Phase, Root};
use crate::api::{Content, NoticeCode, Stat};
use crate::engine::shared::Shared;
use crate::log::DotSet;
use crate::tree::absorb::{Found, Meaning};
use crate::tree::base::{BaseEntry, Standing};
use crate::tree::view::Shown;
use crate::tree::{Name, path};

/// What stands at paths that nobody is told of.
#[derive(Default)]
pub struct Unsent {
    by_path: BTreeMap<String, Change>,
    /// Those at which the view has something else than base.
    hiding: BTreeSet<String>,
}

/// What stands at a path.
struct Change {
    /// None if what stood there was removed.
    found: Option<Found>,
    stat: Option<Stat>,
}

impl Unsent {
    /// At how many paths.
    pub fn len(&self) -> usize {
        self.by_path.len()
    }

    /// The view has something at a path that cannot come there.
    pub fn hides_any(&self) -> bool {
        !self.hiding.is_empty()
    }

    fn remove(&mut self, path: &str) {
        self.by_path.remove(path);
        self.hiding.remove(path);
    }

    /// What lies in a directory, however deep.
    fn below(&self, directory: &str) -> impl Iterator<Item = (&String, &Change)> + use<'_> {
        let start = if directory.is_empty() { String::new() } else { alloc::format!("{directory}/") };
        let from = self.by_path.range(start.clone()..);
        from.take_while(move |(path, _)| path.starts_with(&start))
    }
}

impl Root {
    /// Something was found that this device would tell the others if it might: that is kept in mind instead. False if it
    /// is nothing of the kind.
    pub(super) fn keep_unsent(
        &mut self,
        shared: &mut Shared,
        (directory, name): (&str, &Name),
        meaning: &Meaning,
        (found, stat): (Option<&Found>, Option<Stat>),
    ) -> bool {
        let full = path::join(directory, name);
        let tells = match meaning {
            Meaning::Born | Meaning::Edited { .. } | Meaning::Deleted { .. } => true,
            Meaning::Known(standing) => {
                found.is_some_and(|found| !is_link(&found.content) && found.mode != standing.mode)
            }
            Meaning::Forgotten | Meaning::Adopted(_) => false,
        };
        if !tells || shared.mode.sends() {
            self.forget_unsent(&full, found.is_none());
            return false;
        }
        let change = Change { found: found.cloned(), stat };
        if self.unsent.by_path.insert(full.clone(), change).is_none() {
            let message = "it was changed here, and this device only receives: nobody is told of it until it is undone";
            shared.notify_about(NoticeCode::NotSent, message, Some(self.id), Some(&full));
        }
        self.base.set_intent(directory, name, None);
        self.projection.mark(directory, name);
        true
    }

    /// What lies in a directory that nobody is told of is not told either.
    pub(super) fn is_below_unsent(&self, shared: &Shared, directory: &str) -> bool {
        !shared.mode.sends() && (self.is_unsent(directory) || self.is_only_retained(directory))
    }

    fn is_only_retained(&self, directory: &str) -> bool {
        let split = path::split(directory);
        split.and_then(|(parent, name)| self.base.entry(parent, &name)).is_some_and(BaseEntry::is_only_retained)
    }

    /// What stands at a path is known to all, or nothing is there any more.
    fn forget_unsent(&mut self, path: &str, is_gone: bool) {
        self.unsent.remove(path);
        if is_gone && self.unsent.len() > 0 {
            let below: Vec<String> = self.unsent.below(path).map(|(other, _)| other.clone()).collect();
            below.iter().for_each(|other| self.unsent.remove(other));
        }
    }

    /// A change here of which nobody is told.
    pub(super) fn is_unsent(&self, path: &str) -> bool {
        self.unsent.by_path.contains_key(path)
    }

    /// Nothing was done at a path since it was found as it is not told.
    pub(super) fn is_unsent_as(&self, path: &str, stat: Stat) -> bool {
        self.unsent.by_path.get(path).is_some_and(|change| is_proven_unchanged(change.stat, stat))
    }

    /// It was removed here, of which nobody is told.
    pub(super) fn is_removed_unsent(&self, path: &str) -> bool {
        self.unsent.by_path.get(path).is_some_and(|change| change.found.is_none())
    }

    /// The names in a directory at which something stood that nobody is told of.
    pub(super) fn unsent_in(&self, directory: &str) -> Vec<Name> {
        let in_it = |path: &String| path::split(path).filter(|(parent, _)| *parent == directory).map(|(_, name)| name);
        let standing = self.unsent.below(directory).filter(|(_, change)| change.found.is_some());
        standing.filter_map(|(path, _)| in_it(path)).collect()
    }

    /// The view wants this at a path where something stands that nobody is told of; whether that is so. What both have
    /// becomes known.
    pub(super) fn hides_unsent(&mut self, full: &str, wish: Option<&Shown>, is_wanted: bool) -> bool {
        let Some(Change { found, .. }) = self.unsent.by_path.get(full) else { return false };
        let stands = path::split(full).is_some_and(|(parent, name)| self.base.standing(parent, &name).is_some());
        let is_as_wished = found.as_ref().zip(wish).is_some_and(|(found, wish)| {
            found.content == wish.content && (!stands || is_link(&found.content) || found.mode == wish.mode)
        });
        if is_as_wished {
            self.unsent.remove(full);
            self.look(full.to_string());
        } else if is_wanted {
            self.unsent.hiding.insert(full.to_string());
        } else {
            self.unsent.hiding.remove(full);
        }
        true
    }

    /// What was changed here comes back as the group has it.
    pub(super) fn revert(&mut self, shared: &mut Shared) {
        for (full, change) in core::mem::take(&mut self.unsent).by_path {
            let Some((directory, name)) = path::split(&full) else { continue };
            let old = self.base.entry(directory, &name).cloned().unwrap_or_default();
            // It stands for no version, so the view puts its own in its place, or nothing.
            let standing = change.found.map(|Found { content, mode }| Standing {
                content,
                mode,
                nodes: Vec::new(),
                dots: Vec::new(),
                shown: DotSet::default(),
            });
            let entry = BaseEntry { standing, stat: change.stat, grace_until: None, retained: false, ..old };
            self.base.set(directory, &name, entry);
            self.store_base(shared, directory, &name);
            self.projection.mark(directory, &name);
        }
        self.projection.sweep(String::new());
    }

    /// Which way data goes has changed.
    pub fn mode_changed(&mut self, shared: &mut Shared) {
        if !shared.mode.takes() {
            self.give_up_changes(shared);
        }
        if !matches!(self.phase, Phase::Scanning | Phase::Following) {
            return;
        }
        if shared.mode.sends() && core::mem::take(&mut self.unsent).len() > 0 {
            self.scan.add(ListJob::below(String::new()));
        }
        self.projection.sweep(String::new());
    }
}

fn is_link(content: &Content) -> bool {
    matches!(content, Content::Symlink { .. })
}

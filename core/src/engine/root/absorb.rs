//! From what was found at a path to changes of the log. A message and the base entries it came from are one save.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::Root;
use super::retry::Cause;
use crate::api::{Content, Stat};
use crate::engine::shared::Shared;
use crate::log::{Dot, DotSet};
use crate::planted::{Planted, planted};
use crate::tree::absorb::{Found, Meaning, meaning};
use crate::tree::base::{BaseEntry, Intent, Standing};
use crate::tree::merged::NodeId;
use crate::tree::view::{self, ViewEntry};
use crate::tree::{Body, Change, Name, conflict, path};

impl Root {
    /// Takes what stands, or no longer stands, at a path.
    pub(super) fn absorb(
        &mut self,
        shared: &mut Shared,
        directory: &str,
        name: &Name,
        found: Option<Found>,
        stat: Option<Stat>,
    ) {
        let full = path::join(directory, name);
        if found.as_ref().is_some_and(|found| found.content == Content::Directory)
            && self.stays_retained(directory, name)
        {
            self.resolve(shared, directory, name);
            let entry = self.base.entry(directory, name).cloned().unwrap_or_default();
            return self.base.set(directory, name, BaseEntry { stat, intent: None, ..entry });
        }
        if found.is_some() && self.is_below_unsent(shared, directory) {
            self.keep_unsent(shared, (directory, name), &Meaning::Born, (found.as_ref(), stat));
            return;
        }
        if !directory.is_empty() && found.is_some() && !self.make_known(shared, directory) {
            self.retry_later(shared.now.monotonic, &full, Cause::Surprise);
            return;
        }
        // Of a directory that is seen nothing is read yet: only its listing does that.
        let is_unlisted = found.as_ref().is_some_and(|found| found.content == Content::Directory);
        if !is_unlisted && (found.is_some() || self.base.standing(directory, name).is_some()) {
            self.was_read(&full);
        }
        if self.waits_for_another(shared, &full, found.as_ref()) {
            return;
        }
        self.resolve(shared, directory, name);
        let entry = self.base.entry(directory, name);
        let view = self.claim_view(directory, name);
        let is_own = |author| shared.log.is_by_this_device(author);
        let meaning = meaning(&self.merged, entry, &view, name, found.as_ref(), is_own, shared.now.unix);
        if self.keep_unsent(shared, (directory, name), &meaning, (found.as_ref(), stat)) {
            return;
        }
        let mut next = self.base.entry(directory, name).cloned().unwrap_or_default();
        let stood = next.standing.as_ref().map(|standing| standing.content == Content::Directory);
        let kept_grace =
            next.grace_until.filter(|_| planted(Planted::GraceKept) || matches!(meaning, Meaning::Known(_)));
        let was_changing = next.intent.as_ref().is_some_and(|intent| !intent.is_move);
        if let Some(intent) = next.intent.take()
            && intent.standing.is_some()
            && matches!(&meaning, Meaning::Known(standing) if Some(standing) == intent.standing.as_ref())
        {
            next.conflict_of = intent.conflict_of;
        }
        let is_adopted = matches!(meaning, Meaning::Adopted(_));
        let is_other = |known: &Standing| next.standing.as_ref().is_none_or(|old| old.content != known.content);
        let is_new_here = is_adopted || matches!(&meaning, Meaning::Known(known) if is_other(known) || was_changing);
        if is_adopted {
            next.conflict_of =
                view.iter().find(|entry| entry.name == *name).and_then(|entry| entry.conflict_of.clone());
        }
        next.standing = self.take(shared, directory, name, meaning, found.as_ref(), stat);
        if is_new_here && let Some(standing) = &next.standing {
            self.expect_gone_elsewhere(shared, &full, standing);
        }
        next.stat = stat;
        next.grace_until = kept_grace;
        next.retained = false;
        if self.base.entry(directory, name) != Some(&next) {
            self.base.set(directory, name, next);
            // What stands here now may be what another file was kept for.
            self.projection.reconsider_kept();
            if !planted(Planted::AbsorbedBaseNotSaved) {
                self.store_base(shared, directory, name);
            }
        }
        self.compare_absorbed(directory, name, stood);
    }

    /// Compares what was taken at a path with the view, and what depends on it; `stood` says whether something stood there
    /// before, and whether that was a directory.
    fn compare_absorbed(&mut self, directory: &str, name: &Name, stood: Option<bool>) {
        self.projection.mark(directory, name);
        let standing = self.base.standing(directory, name);
        if stood.is_some() && standing.is_none() {
            self.mark_parent(directory);
        } else if stood != Some(true) && is_directory(standing) {
            self.projection.sweep(path::join(directory, name));
        }
    }

    /// What base shows here was on its way to another path when an engine ended, or a host failed, or stood there when that
    /// path was to change: it may stand there, put there by the engine or by someone who moved it. That is looked at first.
    /// (Where a change is under way here, too, only what both of its sides show is replaced anyway, so that no two paths
    /// wait for each other.)
    fn waits_for_another(&mut self, shared: &Shared, path: &str, found: Option<&Found>) -> bool {
        let entry = path::split(path).and_then(|(directory, name)| self.base.entry(directory, &name));
        let Some(old) = entry.filter(|entry| entry.intent.is_none()).and_then(|entry| entry.standing.as_ref()) else {
            return false;
        };
        if found.is_some_and(|found| found.content == old.content) {
            return false;
        }
        let brings = |other: &&String| {
            let entry = path::split(other).and_then(|(directory, name)| self.base.entry(directory, &name));
            let intended = entry.and_then(|entry| entry.intent.as_ref()?.standing.as_ref());
            // What is fetched for a path may have no other bytes than those that were here.
            !self.fetches.is_fetching(other)
                && intended.is_some_and(|intended| intended.dots.iter().any(|dot| old.dots.contains(dot)))
        };
        let is_changing = |other: &&String| {
            let entry = path::split(other).and_then(|(directory, name)| self.base.entry(directory, &name));
            let is_in_doubt = |entry: &&BaseEntry| entry.intent.as_ref().is_some_and(|intent| !intent.is_move);
            let stood = entry.filter(is_in_doubt).and_then(|entry| entry.standing.as_ref());
            stood.is_some_and(|stood| stood.dots.iter().any(|dot| old.dots.contains(dot)))
        };
        let coming = self.base.intending(&old.content).filter(brings);
        let staying = self.base.showing(&old.content).filter(is_changing);
        let Some(other) = coming.chain(staying).next().cloned() else { return false };
        if !self.busy.contains(&other) && !self.is_blocked(&other) {
            self.look(other);
        }
        self.retry_later(shared.now.monotonic, path, Cause::Surprise);
        true
    }

    /// What another path shows was found here, where the view has it, or a change under way was to bring it, to put something
    /// else in its place or to take it away: someone may have moved it. That it is gone from there then is no deletion, and
    /// what stands in its place replaces nothing. That is saved with what was found here, for an engine that starts again
    /// finds the other path as this one leaves it; and it is looked at, for if it stands there still, it is no longer
    /// expected gone.
    fn expect_gone_elsewhere(&mut self, shared: &mut Shared, path: &str, standing: &Standing) {
        let others: Vec<String> =
            self.base.showing(&standing.content).filter(|other| *other != path).cloned().collect();
        for other in others {
            let Some((directory, name)) = path::split(&other) else { continue };
            let Some(entry) = self.base.entry(directory, &name) else { continue };
            let shows =
                entry.standing.as_ref().is_some_and(|old| old.dots.iter().any(|dot| standing.dots.contains(dot)));
            if shows && entry.intent.is_none() {
                self.intend(shared, directory, &name, Intent::moved_away());
                self.look(other);
            }
        }
    }

    /// A directory that was deleted elsewhere stands here for what it holds, and nobody wants it again.
    fn stays_retained(&self, directory: &str, name: &Name) -> bool {
        let is_wanted = |entry: ViewEntry| entry.name == *name && entry.shown.content == Content::Directory;
        self.base.entry(directory, name).is_some_and(BaseEntry::is_only_retained)
            && !self.claim_view(directory, name).into_iter().any(is_wanted)
    }

    /// A directory that stands on disk but not in base is absorbed before what lies in it: one that was retained comes
    /// to life again, any other is looked at first.
    fn make_known(&mut self, shared: &mut Shared, directory: &str) -> bool {
        let Some((parent, name)) = path::split(directory) else { return false };
        if is_directory(self.base.standing(parent, &name)) {
            return true;
        }
        match self.base.entry(parent, &name) {
            // It is being taken away, which fails or takes along what was found in it.
            Some(entry) if entry.retained && self.busy.contains(directory) => return false,
            Some(entry) if entry.retained => {
                let entry = BaseEntry { retained: false, ..entry.clone() };
                self.base.set(parent, &name, entry);
            }
            // What was just looked at in vain is looked at again in its time.
            _ if self.is_blocked(directory) => return false,
            _ => {
                self.look(directory.to_string());
                return false;
            }
        }
        let found = Found { content: Content::Directory, mode: 0o755 };
        self.absorb(shared, parent, &name, Some(found), None);
        is_directory(self.base.standing(parent, &name))
    }

    /// The entries of the claim that a path belongs to: of its plain name, if it is a conflict copy.
    fn claim_view(&self, directory: &str, name: &Name) -> Vec<ViewEntry> {
        let parents = view::directories_at(&self.merged, directory);
        let known = self.base.entry(directory, name).and_then(|entry| entry.conflict_of.clone());
        if let Some(plain) = known.or_else(|| conflict::plain_name(name)) {
            let copies = view::entries(&self.merged, &parents, &plain);
            if copies.iter().any(|entry| entry.name == *name)
                || self.base.entry(directory, name).is_some_and(|entry| entry.conflict_of.is_some())
            {
                return copies;
            }
        }
        view::entries(&self.merged, &parents, name)
    }

    /// Writes down what a meaning asks for; returns what stands at the path now.
    fn take(
        &mut self,
        shared: &mut Shared,
        directory: &str,
        name: &Name,
        meaning: Meaning,
        found: Option<&Found>,
        stat: Option<Stat>,
    ) -> Option<Standing> {
        let modified_ns = stat.map_or(0, |stat| stat.modified_ns);
        let old_mode = self.base.standing(directory, name).map(|standing| standing.mode);
        let was_under_way = self.base.entry(directory, name).is_some_and(|entry| entry.intent.is_some());
        match (meaning, found) {
            // Bits that a change under way had not set yet are nobody's wish: the view's are set again.
            (Meaning::Known(standing), Some(found)) if was_under_way => Some(Standing { mode: found.mode, ..standing }),
            (Meaning::Known(standing), Some(found)) => self.with_mode(shared, standing, found),
            (Meaning::Adopted(standing), _) => Some(standing),
            (Meaning::Born, Some(found)) => {
                let parent = self.parent_node(directory);
                let (content, mode) = (found.content.clone(), found.mode);
                let past = DotSet::default();
                let change = Change::Birth { parent, name: name.clone(), past, content, mode, modified_ns };
                let dot = self.publish(shared, &change)?;
                Some(standing(found, mode, dot, dot, DotSet::default()))
            }
            (Meaning::Edited { node, past }, Some(found)) => {
                let body = Body::Content(found.content.clone());
                let dot = self.publish(shared, &Change::Version { node, past: past.clone(), body, modified_ns })?;
                let mode = old_mode.unwrap_or(found.mode);
                self.with_mode(shared, standing(found, mode, node, dot, past), found)
            }
            (Meaning::Deleted { node, past }, _) => {
                self.publish(shared, &Change::Version { node, past, body: Body::Deleted, modified_ns });
                None
            }
            _ => None,
        }
    }

    /// Other permission bits than those that stood are a change of their own; the time alone is none.
    fn with_mode(&mut self, shared: &mut Shared, standing: Standing, found: &Found) -> Option<Standing> {
        let is_link = matches!(found.content, Content::Symlink { .. });
        if let (false, Some(node)) = (is_link || standing.mode == found.mode, standing.nodes.first()) {
            self.publish(shared, &Change::Mode { node: *node, mode: found.mode });
        }
        Some(Standing { mode: found.mode, ..standing })
    }

    /// Where a new node goes: into what base shows as its directory.
    fn parent_node(&self, directory: &str) -> Option<NodeId> {
        let (parent, name) = path::split(directory)?;
        self.base.standing(parent, &name)?.nodes.first().copied()
    }

    /// Writes a change into the log and applies it; none if the feed can take no more, and then nothing happened.
    fn publish(&mut self, shared: &mut Shared, change: &Change) -> Option<Dot> {
        let order = shared.record(self.id, change)?;
        self.apply(order, change);
        Some(order.dot())
    }

    /// A path is gone for good: nothing stands there any more.
    pub(super) fn absorb_deletion(&mut self, shared: &mut Shared, path: &str) {
        if let Some((directory, name)) = path::split(path) {
            let directory = directory.to_string();
            self.absorb(shared, &directory, &name, None, None);
        }
    }
}

fn standing(found: &Found, mode: u16, node: NodeId, dot: Dot, past: DotSet) -> Standing {
    let mut shown = past;
    shown.insert(dot);
    Standing { content: found.content.clone(), mode, nodes: alloc::vec![node], dots: alloc::vec![dot], shown }
}

fn is_directory(standing: Option<&Standing>) -> bool {
    standing.is_some_and(|standing| standing.content == Content::Directory)
}

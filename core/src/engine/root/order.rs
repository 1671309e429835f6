//! Which changes of the disk can be made now: no living version may be without its last file for a moment.

use alloc::string::ToString;
use alloc::vec::Vec;

use super::projection::ReadyChange;
use super::{Root, RootPurpose};
use crate::api::{Content, Put, Work};
use crate::engine::limits::COMMIT_ITEMS_MAX;
use crate::engine::shared::Shared;
use crate::tree::base::Standing;
use crate::tree::project::Step;
use crate::tree::view::Shown;
use crate::tree::{Name, conflict, path};

/// How many names are tried for what steps aside.
const ROUNDS_MAX: u32 = 8;

impl Root {
    /// The changes that can be made now, and the others. What the only copy of wanted bytes stands on is not replaced
    /// before they are staged, nor the last file of a version that lives before it stands elsewhere.
    pub(super) fn next_changes(&mut self) -> (Vec<ReadyChange>, Vec<ReadyChange>) {
        let mut next = core::mem::take(&mut self.projection.ready);
        let mut waiting = next.split_off(next.len().min(COMMIT_ITEMS_MAX));
        let (mut go, mut stay): (Vec<_>, Vec<_>) = next.into_iter().partition(|change| self.can_be_made(change));
        let nothing_else_goes = go.is_empty() && self.projection.commits == 0 && self.fetches_rest();
        let mut asides = stay.iter().enumerate().filter_map(|(at, change)| Some((at, self.name_aside(change)?)));
        if nothing_else_goes && let Some((at, name)) = asides.next() {
            let change = stay.swap_remove(at);
            go.push(self.aside(change, name));
        }
        waiting.append(&mut stay);
        (go, waiting)
    }

    /// Nothing is being fetched, or nothing of it can go on.
    pub(super) fn fetches_rest(&self) -> bool {
        self.fetches.is_idle() || self.fetches.only_wait()
    }

    fn can_be_made(&self, change: &ReadyChange) -> bool {
        let (directory, name) = (&change.directory, &change.name);
        let entry = self.base.entry(directory, name);
        let full = path::join(directory, name);
        let is_certain = entry.is_none_or(|entry| entry.intent.is_none());
        is_certain && !self.is_needed(directory, name) && !self.holds_the_last(&full, entry, change.wish.as_ref())
    }

    /// Where a change can step aside to. It brings a version that another change waits for, as where two files change
    /// places: each waits for the other.
    fn name_aside(&self, change: &ReadyChange) -> Option<Name> {
        let full = path::join(&change.directory, &change.name);
        let brings = |shown: &Shown| shown.dots.iter().any(|dot| !self.stands_elsewhere(&full, &shown.content, dot));
        let is_brought = matches!(change.put, Put::File { .. } | Put::Symlink { .. });
        let wish = change.wish.as_ref().filter(|wish| is_brought && !change.is_aside && brings(wish))?;
        let plain = change.conflict_of.as_ref().unwrap_or(&change.name);
        // What it brings waits beside its path already, maybe being looked at: once is enough.
        let has_stepped_aside = self.is_aside(&change.directory, plain, &wish.content);
        if has_stepped_aside { None } else { self.free_aside(&change.directory, plain, &wish.content) }
    }

    /// A content stands beside a path, or is about to.
    fn is_aside(&self, directory: &str, plain: &Name, content: &Content) -> bool {
        let is_there = |name: &Name| {
            let stands = self.base.standing(directory, name).is_some_and(|standing| standing.content == *content);
            stands || self.busy.contains(&path::join(directory, name))
        };
        names_aside(plain, content).any(|name| is_there(&name))
    }

    /// A name beside a path that nothing has and nothing is done about.
    fn free_aside(&self, directory: &str, plain: &Name, content: &Content) -> Option<Name> {
        let is_free = |name: &Name| {
            let full = path::join(directory, name);
            self.base.entry(directory, name).is_none() && !self.busy.contains(&full) && !self.is_blocked(&full)
        };
        names_aside(plain, content).find(is_free)
    }

    /// The last file of a version that lives stands where a directory is to be, and nothing else can go on. The place that
    /// the view has for it may be taken by a directory whose files wait for just this one, as where someone exchanged the
    /// two: it steps aside, and goes from here as soon as it stands there.
    pub(super) fn make_way(&mut self, shared: &mut Shared, directory: &str, name: &Name, conflict_of: Option<&Name>) {
        let plain = conflict_of.unwrap_or(name).clone();
        let Some(entry) = self.base.entry(directory, name) else { return };
        let Some(Standing { content, mode, nodes, dots, .. }) = entry.standing.clone() else { return };
        if self.is_aside(directory, &plain, &content) {
            return;
        }
        let Some(aside) = self.free_aside(directory, &plain, &content) else { return };
        let full = path::join(directory, name);
        self.projection.making_way.insert(full, path::join(directory, &aside));
        let modified_ns = entry.stat.map_or(0, |stat| stat.modified_ns);
        let shown = Shown { content, mode, modified_ns, nodes, dots };
        let Content::Symlink { target } = &shown.content else {
            return self.fetch(shared, directory, &aside, Some(plain), shown, true);
        };
        let change = ReadyChange {
            directory: directory.to_string(),
            name: aside,
            conflict_of: Some(plain),
            put: Put::Symlink { target: target.clone() },
            wish: Some(shown),
            manifest: Vec::new(),
            is_aside: true,
            also_busy: None,
        };
        self.begin_change(path::join(&change.directory, &change.name), change);
    }

    /// What stands at a path need not step aside, or has: what is still being brought beside it is given up. Until it goes,
    /// what stands beside it stays.
    pub(super) fn has_made_way(&mut self, shared: &mut Shared, path: &str, step: Step) {
        if let Some(aside) = self.projection.making_way.get(path).cloned() {
            self.cancel_fetch_aside(shared, &aside);
            if step != Step::Remove {
                self.projection.making_way.remove(path);
            }
        }
    }

    /// Puts what a change brings beside its path first, under a name of its own as a conflict copy has it: then what
    /// waits for it can go, its path becomes free, and the copy goes when it stands there.
    fn aside(&mut self, change: ReadyChange, name: Name) -> ReadyChange {
        let plain = change.conflict_of.clone().unwrap_or_else(|| change.name.clone());
        self.busy.insert(path::join(&change.directory, &name));
        let also_busy = Some(path::join(&change.directory, &change.name));
        ReadyChange { name, conflict_of: Some(plain), is_aside: true, also_busy, ..change }
    }

    /// A change that cannot be made yet. If its path was found in another state meanwhile, it is given up: the bytes that
    /// it waits for may be gone, and the look at them would wait for it.
    pub(super) fn leave_waiting(&mut self, shared: &mut Shared, change: ReadyChange) {
        let full = path::join(&change.directory, &change.name);
        match self.again.contains(&full) {
            true => self.give_up_change(shared, &change),
            false => self.projection.ready.push(change),
        }
    }

    fn give_up_change(&mut self, shared: &mut Shared, change: &ReadyChange) {
        if let Put::File { stage, content, .. } = &change.put {
            let discard = Work::Discard { root: self.id, stages: alloc::vec![*stage] };
            shared.perform_for(self.index, RootPurpose::Discard, discard);
            if let Content::File { hash, .. } = content {
                self.landed(hash);
            }
        }
        self.free(&path::join(&change.directory, &change.name));
    }

    /// Nothing is to be changed on disk any more: what is being brought together, or waits for its turn, is given up.
    pub(super) fn give_up_changes(&mut self, shared: &mut Shared) {
        self.give_up_fetches(shared);
        for change in core::mem::take(&mut self.projection.ready) {
            self.give_up_change(shared, &change);
        }
    }
}

/// The names beside a path at which something may wait for a moment.
fn names_aside(plain: &Name, content: &Content) -> impl Iterator<Item = Name> {
    (0..ROUNDS_MAX).filter_map(move |round| conflict::last_copy_name(plain, content, round))
}

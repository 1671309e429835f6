//! Changes of the disk: their intents are saved first, then they are made, then what stands is saved (§8.7).

use alloc::string::ToString;
use alloc::vec::Vec;

use super::project::gains_own;
use super::projection::ReadyChange;
use super::scan::save_manifest;
use super::{Cause, ListJob, Phase, Root, RootPurpose};
use crate::api::{CommitItem, CommitResult, Content, Failure, NoticeCode, Put, Stat, Work};
use crate::engine::keys;
use crate::engine::limits::{COMMITS_MAX, GRACE_MS};
use crate::engine::saver::After;
use crate::engine::shared::Shared;
use crate::planted::{Planted, planted};
use crate::tree::base::{BaseEntry, Intent, Standing};
use crate::tree::{Name, path};

/// Changes that are made together.
pub struct CommitBatch {
    changes: Vec<ReadyChange>,
}

impl Root {
    /// Puts the changes that are ready into the store's next batch, to be made once that is on disk.
    pub fn prepare_commit(&mut self, shared: &mut Shared) {
        if self.projection.ready.is_empty() || self.projection.commits >= COMMITS_MAX {
            return;
        }
        let mut changes = Vec::new();
        let (next, waiting) = self.next_changes();
        for change in waiting {
            self.leave_waiting(shared, change);
        }
        for change in next {
            let standing = change.wish.as_ref().map(|wish| {
                let mut standing = Standing::of(wish, self.merged.closure(&wish.dots));
                if let Put::Directory { mode } = change.put {
                    standing.mode = mode;
                }
                standing
            });
            let intent = Intent { standing, conflict_of: change.conflict_of.clone() };
            self.intend(shared, &change.directory, &change.name, intent);
            changes.push(change);
        }
        if changes.is_empty() {
            return;
        }
        self.projection.commits = self.projection.commits.saturating_add(1);
        let batch = CommitBatch { changes };
        if planted(Planted::CommitBeforeSaved) {
            return self.commit(shared, batch);
        }
        shared.saver.then(After::Commit { root: self.index, batch });
    }

    /// The intents are on disk: makes the changes.
    pub fn commit(&mut self, shared: &mut Shared, batch: CommitBatch) {
        if planted(Planted::IntentsRemovedEarly) {
            let paths = batch.changes.iter().map(|change| path::join(&change.directory, &change.name));
            paths.for_each(|path| shared.saver.remove(keys::intent(self.id, &path)));
        }
        let items = batch
            .changes
            .iter()
            .map(|change| {
                let entry = self.base.entry(&change.directory, &change.name);
                let goes = change.put == Put::Nothing;
                let stands = |entry: &&BaseEntry| entry.standing.is_some() || entry.is_only_retained() && goes;
                CommitItem {
                    path: path::join(&change.directory, &change.name),
                    expect: entry.filter(stands).and_then(|entry| entry.stat),
                    put: change.put.clone(),
                    conflict_of: change.conflict_of.as_ref().map(|plain| path::join(&change.directory, plain)),
                }
            })
            .collect();
        shared.perform_for(self.index, RootPurpose::Commit(batch), Work::Commit { root: self.id, items });
    }

    /// The engine stops before these changes were asked for: their intents tell the next start.
    pub fn leave_commit(&mut self, batch: CommitBatch) {
        drop(batch);
        self.projection.commits = self.projection.commits.saturating_sub(1);
    }

    /// Changes of the disk are under way.
    pub fn has_commits(&self) -> bool {
        self.projection.commits > 0
    }

    pub(super) fn committed(&mut self, shared: &mut Shared, batch: CommitBatch, results: Vec<CommitResult>) {
        self.projection.commits = self.projection.commits.saturating_sub(1);
        let mut results = results.into_iter();
        for change in batch.changes {
            self.resolve(shared, &change.directory, &change.name);
            let failure = Failure::Other { message: "the host gave no result".to_string() };
            match results.next().unwrap_or(CommitResult::Failed { failure }) {
                CommitResult::Committed { stat } => self.made(shared, &change, stat),
                CommitResult::Failed { failure: Failure::Changed } if planted(Planted::RefusedTakenForMade) => {
                    self.made(shared, &change, None);
                }
                CommitResult::Failed { failure } => self.not_made(shared, &change, &failure),
            }
            if let Put::File { content: Content::File { hash, .. }, .. } = &change.put {
                self.landed(hash);
            }
        }
    }

    /// Nobody knows what of a batch was made: each intent stays until its path was looked at.
    pub(super) fn commit_failed(&mut self, shared: &mut Shared, batch: CommitBatch, failure: &Failure) {
        self.projection.commits = self.projection.commits.saturating_sub(1);
        for change in batch.changes {
            let full = path::join(&change.directory, &change.name);
            self.discard_stage(shared, &change);
            self.failed_at(shared, &full, NoticeCode::Unwritable, failure);
            self.free_all(&full, &change);
            self.look(full);
            if let Put::File { content: Content::File { hash, .. }, .. } = &change.put {
                self.landed(hash);
            }
        }
    }

    /// Saves what may become of a path. Until that is known it stays, and nothing else is begun there.
    pub(super) fn intend(&mut self, shared: &mut Shared, directory: &str, name: &Name, intent: Intent) {
        match postcard::to_allocvec(&intent) {
            Ok(_) if planted(Planted::IntentsNotSaved) => {}
            Ok(value) => shared.saver.put(keys::intent(self.id, &path::join(directory, name)), value),
            Err(_) => shared.saver.fail(),
        }
        self.base.set_intent(directory, name, Some(intent));
    }

    /// It is known what became of a path.
    pub(super) fn resolve(&self, shared: &mut Shared, directory: &str, name: &Name) {
        if self.base.entry(directory, name).is_some_and(|entry| entry.intent.is_some()) {
            shared.saver.remove(keys::intent(self.id, &path::join(directory, name)));
        }
    }

    fn made(&mut self, shared: &mut Shared, change: &ReadyChange, stat: Option<Stat>) {
        let (directory, name) = (&change.directory, &change.name);
        let full = path::join(directory, name);
        let old = self.base.entry(directory, name).cloned().unwrap_or_default();
        let standing = old.intent.and_then(|intent| intent.standing);
        let is_unrelated = match (&old.standing, &standing) {
            (Some(_), Some(_)) if planted(Planted::GraceAlways) => true,
            (Some(old), Some(new)) => old.dots.iter().any(|dot| !new.shown.contains(dot)),
            _ => false,
        };
        let made_beside = match (&old.standing, &standing) {
            (Some(_), Some(new)) => is_unrelated && Self::was_made_beside(shared, new),
            _ => false,
        };
        let is_removed = standing.is_none();
        // With new bits a directory may have come to stand for more nodes, too.
        let grew = standing.as_ref().is_some_and(|standing| standing.content == Content::Directory);
        // Someone here gave a conflict copy the same bytes: what stands is no stranger to this disk any more.
        let made_here = match (&old.standing, &standing) {
            (Some(old), Some(new)) => old.content == new.content && gains_own(shared, old, &new.dots),
            _ => false,
        };
        let grace_until = match (made_beside || made_here, is_unrelated) {
            (true, _) => None,
            (false, true) => Some(shared.now.unix.plus(GRACE_MS)),
            (false, false) => old.grace_until,
        };
        if old.standing.is_none() {
            self.tell_conflict(shared, change);
        }
        let entry = BaseEntry {
            standing,
            stat,
            conflict_of: change.conflict_of.clone(),
            grace_until,
            retained: false,
            intent: None,
        };
        self.base.set(directory, name, entry);
        if !planted(Planted::MadeBaseNotSaved) {
            self.store_base(shared, directory, name);
        }
        if let Put::File { content: Content::File { hash, size }, .. } = &change.put {
            save_manifest(shared, hash, *size, &change.manifest);
        }
        self.succeeded(&full);
        self.free_all(&full, change);
        if grew {
            self.projection.sweep(full);
        }
        if is_removed {
            self.mark_parent(directory);
            let parent = path::split(directory).and_then(|(parent, name)| self.base.entry(parent, &name));
            if parent.is_some_and(|entry| entry.retained) {
                self.scan.add(ListJob { directory: directory.clone(), recursive: false, after: None });
            }
        }
    }

    /// A change ended, well or not: its path is free, and so is the one that it stepped aside from.
    fn free_all(&mut self, path: &str, change: &ReadyChange) {
        self.free(path);
        if let Some(other) = &change.also_busy {
            self.free(other);
        }
    }

    /// The new version was made here, beside the old one: it is no stranger to this disk, and a write over it may be over
    /// its only bytes, so that it must not stay without them.
    fn was_made_beside(shared: &Shared, new: &Standing) -> bool {
        new.dots.iter().all(|dot| shared.log.own() == Some(dot.author))
    }

    fn tell_conflict(&self, shared: &mut Shared, change: &ReadyChange) {
        if let Some(plain) = change.conflict_of.as_ref().filter(|_| !change.is_aside) {
            let full = path::join(&change.directory, &change.name);
            let message = alloc::format!("another version of `{plain}` stands beside it");
            shared.notify_about(NoticeCode::Conflict, message, Some(self.id), Some(&full));
        }
    }

    fn not_made(&mut self, shared: &mut Shared, change: &ReadyChange, failure: &Failure) {
        let (directory, name) = (&change.directory, &change.name);
        let full = path::join(directory, name);
        self.base.set_intent(directory, name, None);
        if let Put::File { stage, .. } = &change.put
            && !planted(Planted::StageLeaked)
        {
            let discard = Work::Discard { root: self.id, stages: alloc::vec![*stage] };
            shared.perform_for(self.index, RootPurpose::Discard, discard);
        }
        match failure {
            // Something else stands there, or nothing: a look tells, and the look's time comes later each time.
            Failure::Changed | Failure::Missing => {
                self.retry_later(shared.now.monotonic, &full, Cause::Surprise);
                self.free_all(&full, change);
                if !directory.is_empty() {
                    self.look(directory.clone());
                }
            }
            // What came into it meanwhile is known by now, and goes or stays by itself.
            Failure::NotEmpty if !self.base.is_empty(&full) => {
                self.free(&full);
                self.projection.sweep(full);
            }
            Failure::NotEmpty => self.retain(shared, change),
            failure => {
                self.failed_at(shared, &full, NoticeCode::Unwritable, failure);
                self.free_all(&full, change);
            }
        }
    }

    fn discard_stage(&mut self, shared: &mut Shared, change: &ReadyChange) {
        if let Put::File { stage, .. } = &change.put {
            let discard = Work::Discard { root: self.id, stages: alloc::vec![*stage] };
            shared.perform_for(self.index, RootPurpose::Discard, discard);
        }
    }

    /// A deleted directory holds entries that base does not know. It is listed: what can be kept brings it back to
    /// life, and otherwise it stays as it is.
    fn retain(&mut self, shared: &mut Shared, change: &ReadyChange) {
        let (directory, name) = (&change.directory, &change.name);
        let full = path::join(directory, name);
        let old = self.base.entry(directory, name).cloned().unwrap_or_default();
        if !old.retained {
            let message = "the directory was deleted elsewhere and stays here, for it holds entries that are not known yet or not kept";
            shared.notify_about(NoticeCode::DirectoryRetained, message, Some(self.id), Some(&full));
        }
        self.base.set(directory, name, BaseEntry { retained: true, ..BaseEntry::default() });
        self.store_base(shared, directory, name);
        self.free(&full);
        self.scan.add(ListJob::below(full));
    }

    /// Nothing is left in a directory that was only kept for what it held: it goes, too.
    pub(super) fn let_go(&mut self, directory: &str) {
        let Some((parent, name)) = path::split(directory) else { return };
        let entry = self.base.entry(parent, &name);
        let is_retained =
            entry.is_some_and(|entry| entry.is_only_retained() && entry.stat.is_some() && entry.intent.is_none());
        if is_retained && self.phase == Phase::Following && !self.busy.contains(directory) {
            let (directory, put) = (parent.to_string(), Put::Nothing);
            let change = ReadyChange {
                directory,
                name,
                conflict_of: None,
                wish: None,
                put,
                manifest: Vec::new(),
                is_aside: false,
                also_busy: None,
            };
            self.begin_change(path::join(&change.directory, &change.name), change);
        }
    }
}

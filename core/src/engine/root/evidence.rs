//! Making sure that what is missing was removed (§8.6): base says it was here, a probe says that it is missing twice, a
//! debounce apart, and the root's marker is there after. An error is not an absence. Many deletions at once wait for a
//! person (§8.8).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{PathQueue, Phase, Root, RootPurpose};
use crate::api::{Content, EntryKind, Failure, Monotonic, NoticeCode, ProbeResult, Stat, Work};
use crate::engine::limits::{
    DELETIONS_FREE, DELETIONS_PER_TURN, DELETIONS_SHARE, DELETIONS_WINDOW_MS, PROBE_ITEMS_MAX, PROBES_MAX,
};
use crate::engine::shared::Shared;
use crate::planted::{Planted, planted};
use crate::tree::path;

/// Paths whose presence is in question.
#[derive(Default)]
pub struct Evidence {
    /// To be looked at for the first time.
    looks: PathQueue,
    /// Missing once; to be looked at again when the debounce is over.
    missing: VecDeque<(Monotonic, Vec<String>)>,
    probing: usize,
    /// Missing twice.
    confirmed: BTreeSet<String>,
    /// Missing for good: being absorbed.
    deleting: BTreeSet<String>,
    /// Missing twice, and so many that a person must say so.
    held: BTreeSet<String>,
    /// Held ones that are looked at once more, for something may stand there again.
    held_looks: BTreeSet<String>,
    /// Paths at which something stands in the place of a directory that is not empty in base.
    supplanted: BTreeSet<String>,
    /// When how many files were deleted last.
    recent: VecDeque<(Monotonic, u64)>,
    /// A person said yes to what comes next.
    allowed: bool,
}

impl Evidence {
    /// No path is in question; held ones are not any more.
    pub fn is_idle(&self) -> bool {
        let undecided = !self.looks.is_empty() || !self.missing.is_empty() || self.probing > 0;
        !undecided && self.confirmed.is_empty() && self.deleting.is_empty()
    }

    /// There is more to absorb without any event from outside.
    pub fn wants_turn(&self) -> bool {
        !self.deleting.is_empty() || !self.looks.is_empty() && self.probing < PROBES_MAX
    }

    /// When the next debounce is over; none while no more can be looked at.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.missing.front().filter(|_| self.probing < PROBES_MAX).map(|(due, _)| *due)
    }

    /// Paths whose debounce is over.
    fn take_due(&mut self, now: Monotonic) -> Option<Vec<String>> {
        self.missing.front().filter(|(due, _)| *due <= now)?;
        self.missing.pop_front().map(|(_, paths)| paths)
    }

    /// How many deletions are held.
    pub fn held(&self) -> usize {
        self.held.len().saturating_add(self.held_looks.len())
    }
}

impl Root {
    /// Looks at one path, whatever stands there.
    pub(super) fn look(&mut self, path: String) {
        if self.evidence.held.remove(&path) {
            self.evidence.held_looks.insert(path.clone());
            self.evidence.looks.push(path);
        } else if self.busy.contains(&path) {
            self.fetches.contest(&path);
            self.again.insert(path);
        } else {
            self.busy.insert(path.clone());
            self.evidence.looks.push(path);
        }
    }

    /// A listing lacks what base has: it and all below it are in question.
    pub(super) fn vanished(&mut self, shared: &mut Shared, path: &str) {
        if planted(Planted::OfflineDeletionForgotten) && self.phase == Phase::Scanning {
            self.evidence.held.extend(self.base.below(path));
            self.evidence.held.insert(path.to_string());
            return self.restore_held(shared);
        }
        // What is held is known to be missing.
        for below in self.base.below(path).into_iter().chain([path.to_string()]) {
            if !self.is_held(&below) && !self.is_removed_unsent(&below) {
                self.look(below);
            }
        }
    }

    pub(super) fn evidence_turn(&mut self, shared: &mut Shared) {
        let (probes, items) =
            if planted(Planted::ProbeUnbounded) { (usize::MAX, 1) } else { (PROBES_MAX, PROBE_ITEMS_MAX) };
        while self.evidence.probing < probes && !self.evidence.looks.is_empty() {
            let mut paths = Vec::new();
            while paths.len() < items
                && let Some(path) = self.evidence.looks.pop()
            {
                paths.push(path);
            }
            self.probe(shared, RootPurpose::Look(paths.clone()), paths);
        }
        while self.evidence.probing < probes
            && let Some(mut paths) = self.evidence.take_due(shared.now.monotonic)
        {
            while self.evidence.missing.front().is_some_and(|(_, more)| paths.len().saturating_add(more.len()) <= items)
                && let Some(more) = self.evidence.take_due(shared.now.monotonic)
            {
                paths.extend(more);
            }
            self.probe(shared, RootPurpose::Confirm(paths.clone()), paths);
        }
        let questions =
            !self.evidence.looks.is_empty() || !self.evidence.missing.is_empty() || self.evidence.probing > 0;
        let undecided = questions || !self.scan.is_listed();
        if !self.evidence.confirmed.is_empty() && !undecided {
            self.decide_deletions(shared);
        }
        self.delete_some(shared);
    }

    fn probe(&mut self, shared: &mut Shared, purpose: RootPurpose, paths: Vec<String>) {
        self.evidence.probing = self.evidence.probing.saturating_add(1);
        shared.perform_for(self.index, purpose, Work::Probe { root: self.id, paths });
    }

    pub(super) fn looked(&mut self, shared: &mut Shared, paths: Vec<String>, results: Vec<ProbeResult>, marker: bool) {
        let missing = self.sort_out(shared, paths, results, marker);
        if planted(Planted::OneProbe) {
            return self.evidence.confirmed.extend(missing);
        }
        let debounce_ms = if planted(Planted::NoDebounce) { 0 } else { shared.debounce_ms };
        if !missing.is_empty() {
            self.evidence.missing.push_back((shared.now.monotonic.plus(debounce_ms), missing));
        }
    }

    pub(super) fn confirmed(
        &mut self,
        shared: &mut Shared,
        paths: Vec<String>,
        results: Vec<ProbeResult>,
        marker: bool,
    ) {
        let missing = self.sort_out(shared, paths, results, marker);
        self.evidence.confirmed.extend(missing);
    }

    /// Nobody looked: whatever the failure says, it says nothing of any path.
    pub(super) fn look_failed(&mut self, shared: &mut Shared, paths: Vec<String>, failure: &Failure) {
        self.evidence.probing = self.evidence.probing.saturating_sub(1);
        for path in paths {
            self.unreadable(shared, &path, failure);
            self.looked_in_vain(&path);
        }
    }

    /// A look showed nothing that stands: its path is free, or held as it was.
    fn looked_in_vain(&mut self, path: &str) {
        if !self.evidence.held_looks.remove(path) {
            return self.free(path);
        }
        self.evidence.held.insert(path.to_string());
        if self.again.remove(path) {
            self.look(path.to_string());
        }
    }

    /// Takes what stands; returns the paths that are missing and should not be.
    fn sort_out(
        &mut self,
        shared: &mut Shared,
        paths: Vec<String>,
        results: Vec<ProbeResult>,
        marker: bool,
    ) -> Vec<String> {
        self.evidence.probing = self.evidence.probing.saturating_sub(1);
        if !marker && !planted(Planted::MarkerIgnored) {
            self.halt(shared);
            return Vec::new();
        }
        let mut missing = Vec::new();
        let mut results = results.into_iter();
        for path in paths {
            let result = results.next();
            if matches!(result, Some(ProbeResult::Failed { failure: Failure::Missing })) {
                self.was_read(&path);
            }
            match result {
                Some(ProbeResult::Present { stat }) => self.present(shared, &path, stat),
                Some(ProbeResult::Failed { failure: Failure::Missing }) if self.evidence.held_looks.contains(&path) => {
                    self.looked_in_vain(&path);
                }
                Some(ProbeResult::Failed { failure: Failure::Missing }) if self.is_in_question(&path) => {
                    missing.push(path)
                }
                Some(ProbeResult::Failed { failure: Failure::Missing }) => {
                    self.absorb_deletion(shared, &path);
                    self.free(&path);
                }
                Some(ProbeResult::Failed { .. }) if planted(Planted::ErrorAsAbsence) && self.is_in_question(&path) => {
                    missing.push(path);
                }
                Some(ProbeResult::Failed { failure }) => {
                    self.unreadable(shared, &path, &failure);
                    self.looked_in_vain(&path);
                }
                None => self.looked_in_vain(&path),
            }
        }
        missing
    }

    fn present(&mut self, shared: &mut Shared, path: &str, stat: Stat) {
        // Only what was seen while it was looked at calls for another look, and that after this one's end: a look that
        // calls for itself never ends.
        let seen_again = self.again.remove(path);
        self.release(path);
        let Some((directory, name)) = path::split(path) else { return };
        match stat.kind {
            // It can only be in the way of something.
            EntryKind::Special | EntryKind::Unnameable => {
                self.was_read(path);
                self.failed_at(shared, path, NoticeCode::Unwritable, &Failure::Changed);
            }
            kind => {
                self.examine(shared, directory, &name, stat);
                if kind == EntryKind::Directory {
                    self.scan.add(super::ListJob::below(path.to_string()));
                }
            }
        }
        if seen_again {
            self.look(path.to_string());
        }
    }

    /// A file or link stands where base has a directory that is not empty. What lay in it is absorbed first, for until
    /// then the directory lives by it.
    pub(super) fn supplanted(&mut self, path: String) {
        // The directory, if it could not be listed, is no more.
        self.was_read(&path);
        for below in self.base.below(&path) {
            self.look(below);
        }
        self.evidence.supplanted.insert(path);
    }

    /// What lay in the directory that something supplants is absorbed first.
    pub(super) fn is_supplanted(&self, path: &str) -> bool {
        self.evidence.supplanted.contains(path)
    }

    /// Base says that something stands there, and no change under way was to remove it.
    fn is_in_question(&self, path: &str) -> bool {
        let entry = path::split(path).and_then(|(directory, name)| self.base.entry(directory, &name));
        entry.is_some_and(|entry| {
            let to_be_removed = entry.intent.as_ref().is_some_and(|intent| intent.standing.is_none());
            entry.standing.is_some() && !to_be_removed
        })
    }

    /// Deletes what is missing, unless it is so much that someone may have made a mistake.
    fn decide_deletions(&mut self, shared: &mut Shared) {
        let confirmed = core::mem::take(&mut self.evidence.confirmed);
        let files = confirmed.iter().filter(|path| self.is_file(path)).count() as u64;
        let now = shared.now.monotonic;
        self.evidence.recent.retain(|(at, _)| at.plus(DELETIONS_WINDOW_MS) > now);
        let recent: u64 = self.evidence.recent.iter().map(|(_, files)| *files).sum();
        let deleted = files.saturating_add(recent);
        let totals = self.base.totals();
        let before = totals.files.saturating_add(totals.symlinks).saturating_add(recent);
        let too_many = deleted > DELETIONS_FREE && deleted.saturating_mul(DELETIONS_SHARE) > before;
        let must_ask = too_many && shared.mode.sends() && !self.allow_deletions && !planted(Planted::DeletionsNotHeld);
        if must_ask && !core::mem::take(&mut self.evidence.allowed) {
            let message = alloc::format!(
                "{deleted} of {before} files are gone from this folder: their deletion waits until it is allowed or they are restored"
            );
            shared.notify_about(NoticeCode::DeletionsHeld, message, Some(self.id), None);
            self.evidence.held.extend(confirmed);
            return;
        }
        self.evidence.recent.push_back((now, files));
        self.evidence.deleting.extend(confirmed);
    }

    /// Absorbs a bounded number of deletions; what lies in a directory goes before the directory.
    fn delete_some(&mut self, shared: &mut Shared) {
        for _ in 0..DELETIONS_PER_TURN {
            let Some(path) = self.evidence.deleting.pop_last() else { return };
            self.absorb_deletion(shared, &path);
            self.free(&path);
            if let Some((directory, _)) = path::split(&path)
                && self.base.is_empty(directory)
                && self.evidence.supplanted.remove(directory)
            {
                self.look(directory.to_string());
            }
        }
    }

    fn is_file(&self, path: &str) -> bool {
        path::split(path)
            .and_then(|(directory, name)| self.base.standing(directory, &name))
            .is_some_and(|standing| standing.content != Content::Directory)
    }

    /// Its deletion waits for a person.
    pub(super) fn is_held(&self, path: &str) -> bool {
        self.evidence.held.contains(path) || self.evidence.held_looks.contains(path)
    }

    /// Something stands at a path whose deletion was held.
    pub(super) fn release(&mut self, path: &str) {
        self.evidence.held.remove(path);
        self.evidence.held_looks.remove(path);
        self.free(path);
    }

    /// Goes on with the deletions that were held: they are looked at once more, for time has passed.
    pub(super) fn allow_held(&mut self, shared: &mut Shared) {
        self.evidence.allowed = self.evidence.held() > 0;
        // Looks that are under way count for the decision, too.
        self.evidence.held_looks.clear();
        for path in core::mem::take(&mut self.evidence.held) {
            self.evidence.looks.push(path);
        }
        self.evidence_turn(shared);
    }

    /// Brings back what held deletions had removed: nothing stands there as far as base knows, so the view is carried
    /// out again.
    pub(super) fn restore_held(&mut self, shared: &mut Shared) {
        let held = core::mem::take(&mut self.evidence.held);
        let looks = core::mem::take(&mut self.evidence.held_looks);
        for (directory, name) in held.iter().chain(&looks).filter_map(|path| path::split(path)) {
            self.resolve(shared, directory, &name);
            self.base.set(directory, &name, crate::tree::base::BaseEntry::default());
            self.store_base(shared, directory, &name);
        }
        // A path that is being looked at is free after that.
        held.iter().for_each(|path| self.free(path));
        self.projection.sweep(String::new());
    }
}

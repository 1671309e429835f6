//! What must hold of every call and every piece of work of a device.

use std::collections::BTreeSet;

use syncline_core::{
    api::{Action, CommitResult, Outcome, Put, Work},
    engine::intended_path,
};

use super::Site;
use crate::{Invariant, digest};

/// The most actions that one call may return.
const ACTIONS_MAX: usize = 1_024;

/// The most bytes that the actions of one call may hold.
const ACTION_BYTES_MAX: usize = 32 << 20;

impl Site {
    /// The files that stand where work puts other things.
    pub(super) fn about_to_change(&mut self, work: &Work) -> Vec<Option<Vec<u8>>> {
        self.check_removal(work);
        let Work::Commit { items, .. } = work else { return Vec::new() };
        items.iter().map(|item| self.host.disk.read(&item.path).map(<[u8]>::to_vec)).collect()
    }

    /// Each path holds the old bytes or the new, whole.
    pub(super) fn check_committed(&self, work: &Work, outcome: &Outcome) {
        let (Work::Commit { items, .. }, Outcome::Committed { results }) = (work, outcome) else { return };
        for (item, result) in items.iter().zip(results) {
            let (Put::File { content, .. }, CommitResult::Committed { .. }) = (&item.put, result) else { continue };
            let bytes = self.host.disk.read(&item.path).unwrap_or_default();
            self.judge.must(Invariant::CrashSafety, digest::content(bytes).0 == *content, || {
                format!("device {} has other bytes at `{}` than its version says", self.number, item.path)
            });
        }
    }

    /// A change of the folder is asked for when its intent is on disk, and that stays there until the engine was told what
    /// became of the change: the next engine must know of it whatever happens.
    pub(super) fn check_intended(&self, work: &Work) {
        let number = self.number;
        match work {
            Work::Commit { items, .. } => {
                let intended: BTreeSet<String> =
                    self.host.store.pairs().filter_map(|(key, _)| intended_path(key)).collect();
                let unsaved = items.iter().find(|item| !intended.contains(&item.path));
                self.judge.must(Invariant::CrashSafety, unsaved.is_none(), || {
                    let path = unsaved.map_or("", |item| &item.path);
                    format!("device {number} asks to change `{path}`, and that it is going to is not saved")
                });
            }
            Work::Save { writes } => {
                let mut removed =
                    writes.iter().filter(|write| write.value.is_none()).filter_map(|write| intended_path(&write.key));
                let early = removed.find(|path| self.is_changing(path));
                self.judge.must(Invariant::CrashSafety, early.is_none(), || {
                    let path = early.unwrap_or_default();
                    format!(
                        "device {number} forgets that it is changing `{path}` before it is told what became of that"
                    )
                });
            }
            _ => {}
        }
    }

    /// A change of a path was asked for, and the engine was not told yet what became of it.
    fn is_changing(&self, path: &str) -> bool {
        let works = self.pending.iter().map(|pending| &pending.work).chain(self.done.iter().map(|done| &done.work));
        let mut items =
            works.flat_map(|work| if let Work::Commit { items, .. } = work { items.as_slice() } else { &[] });
        items.any(|item| item.path == path)
    }

    /// What is said to stand in the call in which it was saved must stand now: nothing of it can have stood before.
    pub(super) fn check_applied(&self) {
        let pending: u64 = self.status().roots.iter().map(|root| root.pending).sum();
        self.judge.must(Invariant::CrashSafety, pending == 0, || {
            format!("device {} says that all stands on its disk while {pending} paths wait", self.number)
        });
    }

    /// An engine does at once what it can do: one that says that nothing is due does nothing when it is woken.
    pub(super) fn check_undue(&self, actions: &[Action]) {
        self.judge.must(Invariant::Convergence, actions.is_empty(), || {
            format!("device {} could go on and waited for an event: {actions:?}", self.number)
        });
    }

    /// §2.5: however much there is to do, one call returns a bounded part of it.
    pub(super) fn check_bounds(&self, actions: &[Action]) {
        let number = self.number;
        self.judge.must(Invariant::Bounds, actions.len() <= ACTIONS_MAX, || {
            format!("one call on device {number} returned {} actions", actions.len())
        });
        let Some(trace) = &self.trace else { return };
        let bytes = trace.add(actions);
        self.judge.must(Invariant::Bounds, bytes <= ACTION_BYTES_MAX, || {
            format!("one call on device {number} returned {bytes} bytes of actions")
        });
    }
}

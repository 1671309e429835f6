//! How records stand: what is under way, what is still due, and what hosts are told of that.

use super::{Job, Records};
use crate::api::{Monotonic, RecordsStatus};
use crate::planted::{Planted, planted};

impl Records {
    /// Nothing is under way, and nothing could be.
    pub fn is_idle(&self) -> bool {
        let is_done = matches!(self.job, Job::Idle) && self.writes.is_empty() && self.reads.is_idle();
        let is_applied = self.apply.is_idle() || !self.apply.is_under_way() && !self.mode.takes();
        let is_idle = is_done && self.unmerged.is_empty() && !self.is_compacting() && !self.is_mending() && is_applied;
        self.config.is_none() || is_idle
    }

    /// All that is held here is with the application.
    pub fn is_done(&self) -> bool {
        self.config.is_none()
            || self.unmerged.is_empty()
                && self.held.is_empty()
                && !self.is_mending()
                && (self.apply.is_done() || !self.mode.takes())
    }

    /// When something is due without an event.
    pub fn deadline(&self) -> Option<Monotonic> {
        let gives = !self.is_writing() && !self.is_mending() && self.mode.takes();
        let again = self.apply.deadline().filter(|_| gives);
        self.look_again.into_iter().chain(again).min()
    }

    /// What the application wrote is being saved.
    pub(super) fn is_writing(&self) -> bool {
        matches!(&self.job, Job::Saving(done) if !done.taken.is_empty())
    }

    /// A snapshot.
    pub fn status(&self) -> Option<RecordsStatus> {
        self.config.as_ref()?;
        let count = |length: usize| u64::try_from(length).unwrap_or(u64::MAX);
        Some(RecordsStatus {
            taken: if planted(Planted::TakenBeforeSaved) { self.progress.taken } else { self.taken },
            unmerged: count(self.unmerged.len()).saturating_add(count(self.held.len())),
            held: count(self.held.len()),
            unapplied: self.apply.unapplied(),
            received: self.received,
            sent: self.sent,
        })
    }
}

//! How a root stands: whether something is still to be done, and what hosts are told of that.

use super::{Phase, Root};
use crate::api::{RootState, RootStatus};

impl Root {
    /// It compares or keeps up: what stood on disk at the start is in the log.
    pub fn is_indexed(&self) -> bool {
        self.phase == Phase::Following && self.evidence.is_idle()
    }

    /// It waits for a first peer.
    pub fn is_joining(&self) -> bool {
        matches!(self.phase, Phase::Joining { .. })
    }

    /// Everything in view stands on disk, but for what is held or failed.
    pub fn is_at_rest(&self) -> bool {
        self.phase == Phase::Halted
            || (self.is_indexed()
                && self.scan.is_idle()
                && self.projection.is_idle()
                && self.momentary() == 0
                && (self.fetches.is_idle() || self.fetches.only_wait())
                && self.busy.len() == self.evidence.held().saturating_add(self.fetches.waiting()))
    }

    /// Everything in view stands on disk.
    pub fn is_applied(&self) -> bool {
        let nothing_waits =
            self.waiting() == 0 && self.fetches.is_idle() && self.evidence.held() == 0 && !self.unsent.hides_any();
        self.phase == Phase::Following && self.is_at_rest() && nothing_waits
    }

    /// A snapshot.
    pub fn status(&self) -> RootStatus {
        let totals = self.base.totals();
        RootStatus {
            root: self.id,
            state: match self.phase {
                Phase::Loading => RootState::Loading,
                Phase::Joining { .. } => RootState::Joining,
                Phase::Assuming | Phase::Scanning => RootState::Scanning,
                Phase::Following => RootState::Following,
                Phase::Halted => RootState::Halted,
            },
            files: totals.files,
            directories: totals.directories,
            symlinks: totals.symlinks,
            bytes: totals.bytes,
            conflicts: totals.conflicts,
            pending: self.busy.len().saturating_sub(self.evidence.held()).saturating_add(self.momentary()) as u64,
            pending_bytes: self.fetches.pending_bytes(),
            waiting: self.waiting().saturating_add(self.fetches.waiting()) as u64,
            held: self.evidence.held() as u64,
            unsent: self.unsent.len() as u64,
            skipped: self.scan.skipped(),
            unreadable: self.scan.unreadable(),
        }
    }
}

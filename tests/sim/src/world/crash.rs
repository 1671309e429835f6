//! What is left of work that was under way when an engine ended.

use syncline_core::api::{CommitItem, Put, RootId, StageItem, Work};

use super::{Host, host::Undone};
use crate::disk::{Reach, Undo};

/// How an engine ends without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Its process ends: what it did stays, what it did last may be done in part.
    Process,
    /// The device goes off: what was not yet known to be on disk may be gone, too.
    Power,
}

/// Work that waited or was under way. Each piece by itself is not begun, done in part, or done whole.
impl Host {
    pub(crate) fn interrupt(&mut self, work: Work, crash: Crash, chance: &mut fastrand::Rng) {
        match (chance.u32(..3), work) {
            (0, _) | (_, Work::Load { .. } | Work::List { .. } | Work::Probe { .. }) => {}
            (_, Work::Hash { .. } | Work::Read { .. }) => {}
            (1, Work::Stage { root, items }) => self.stage_in_part(root, items, crash, chance),
            (1, Work::Commit { items, .. }) => self.commit_in_part(&items, crash, chance),
            (1, Work::Discard { root, stages }) if !stages.is_empty() => {
                let stages = stages.into_iter().filter(|_| chance.bool()).collect::<Vec<_>>();
                if !stages.is_empty() {
                    self.perform(Work::Discard { root, stages });
                }
                self.disk.strike(|faults| faults.work_in_part += 1);
            }
            // A save is whole or not at all.
            (_, work) => {
                self.perform(work);
                self.disk.strike(|faults| faults.work_begun += 1);
            }
        }
    }

    /// Work that was done, but that the engine never heard of: its host may have been about to put it on disk.
    pub(crate) fn take_back(&mut self, undone: Undone, chance: &mut fastrand::Rng) {
        match undone {
            Undone::Nothing => {}
            Undone::Save(before) => {
                if !before.is_empty() && chance.bool() {
                    self.store.take_back(before);
                    self.disk.strike(|faults| faults.saves_undone += 1);
                }
            }
            Undone::Commit(undos) => {
                let taken = |undo: &&Undo| chance.bool() && self.disk.take_back(undo);
                let count = undos.iter().rev().filter(taken).count() as u64;
                self.disk.strike(|faults| faults.items_undone += count);
            }
        }
    }

    /// Staged files that were not put on disk may be gone, short, or hold zeros.
    pub(crate) fn tear_staging(&mut self, chance: &mut fastrand::Rng) {
        for (stage, mut bytes) in std::mem::take(&mut self.disk.staging) {
            let whole = bytes.len();
            let fate = chance.u32(..4);
            match fate {
                0 => {}
                1 => continue,
                2 => bytes.truncate(chance.usize(..=whole)),
                _ => {
                    bytes.truncate(chance.usize(..=whole));
                    bytes.resize(whole, 0);
                }
            }
            self.disk.staging.insert(stage, bytes);
            self.disk.strike(|faults| faults.staged_torn += u64::from(fate != 0));
        }
    }

    /// The first chunks are there; where the power failed, the next one may be there in part.
    fn stage_in_part(&mut self, root: RootId, items: Vec<StageItem>, crash: Crash, chance: &mut fastrand::Rng) {
        let whole = chance.usize(..=items.len());
        let mut rest = items.into_iter();
        let first: Vec<_> = rest.by_ref().take(whole).collect();
        self.perform(Work::Stage { root, items: first });
        self.disk.strike(|faults| faults.work_in_part += 1);
        if crash == Crash::Process {
            return;
        }
        if let Some(item) = rest.next()
            && let Ok(mut bytes) = self.chunk(&item)
        {
            let (whole, zeros) = (bytes.len(), chance.bool());
            bytes.truncate(chance.usize(..=whole));
            if zeros {
                bytes.resize(whole, 0);
            }
            self.write_staged(&item, &bytes);
            self.disk.strike(|faults| faults.chunks_torn += 1);
        }
    }

    /// The first changes are there, or, where the power failed, any of them: renames reach the disk when they do.
    fn commit_in_part(&mut self, items: &[CommitItem], crash: Crash, chance: &mut fastrand::Rng) {
        let ended = chance.usize(..=items.len());
        for (index, item) in items.iter().enumerate() {
            let reach = match crash {
                Crash::Process if index > ended => Reach::Steps(0),
                Crash::Power if chance.bool() => Reach::Steps(0),
                Crash::Process if index < ended => Reach::Whole,
                _ => [Reach::Steps(1), Reach::Steps(2), Reach::Whole][chance.usize(..3)],
            };
            self.change_in_part(item, reach);
        }
        self.disk.strike(|faults| faults.work_in_part += 1);
    }

    fn change_in_part(&mut self, item: &CommitItem, reach: Reach) {
        if reach == Reach::Steps(0) || self.disk.check_fault(&item.path).is_err() {
            return;
        }
        let raced = !self.is_expected(item);
        if raced && !self.can_race(item) {
            return;
        }
        let ended = self.put(item, reach).is_ok();
        self.disk.strike(|faults| {
            faults.items_raced += u64::from(raced && ended);
            faults.items_in_part += u64::from(!ended);
        });
    }

    /// A file that was written to, as if right after the host's look at it: host and engine would have seen that in what
    /// came out, but the crash came before.
    fn can_race(&self, item: &CommitItem) -> bool {
        let Some(expect) = &item.expect else { return false };
        let found = self.disk.lookup(&item.path).map(|number| self.disk.stat(number));
        let written = found.is_ok_and(|found| found.kind == expect.kind && found.file_id == expect.file_id);
        written && !matches!(item.put, Put::Mode { .. })
    }
}

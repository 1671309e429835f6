//! Own messages that are void leave the folder (§5.5), once the checkpoint that says so stands there.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{Failure, FolderResult, FolderState, Outcome, ReplicaId, Work};
use crate::engine::limits::FOLDER_WRITE_ITEMS_MAX;
use crate::engine::shared::Shared;
use crate::folder::message_path;
use crate::log::Log;
use crate::planted::{Planted, planted};

impl Folder {
    /// Removes the next own files whose messages are void, when nothing is left to be written.
    pub(super) fn clear_turn(&mut self, shared: &mut Shared) {
        let is_ready = self.state == FolderState::Following && self.look.was_whole() && !self.own.is_busy();
        if !is_ready || self.own.waits() || shared.saver.has_failed() {
            return;
        }
        let Some((author, counters)) = self.next_cleared(&shared.log) else { return };
        self.own.begin();
        let paths = counters.iter().map(|counter| message_path(author, *counter)).collect();
        let work = Work::FolderRemove { folder: self.config.id, paths };
        self.perform(shared, FolderPurpose::Clear { author, counters }, work);
    }

    pub(super) fn cleared(&mut self, shared: &mut Shared, author: ReplicaId, counters: Vec<u64>, outcome: Outcome) {
        self.own.let_go();
        let mut results = match outcome {
            Outcome::FolderWritten { results } => VecDeque::from(results),
            _ => VecDeque::new(),
        };
        for counter in counters {
            match results.pop_front() {
                // A service may have taken it away before.
                Some(FolderResult::Done | FolderResult::Failed { failure: Failure::Missing }) => {
                    self.own.note_cleared(author, counter);
                }
                _ => {
                    self.own.retry_later(shared.now.monotonic);
                    break;
                }
            }
        }
        self.save_written(shared, author);
    }

    /// Own messages that are void and stand in the folder.
    fn next_cleared(&self, log: &Log) -> Option<(ReplicaId, Vec<u64>)> {
        self.own.authors().find_map(|author| {
            let (voided, checkpoint) = log.voided(author)?;
            let written = self.own.written(author)?;
            let is_said = written.contains(checkpoint) || planted(Planted::ClearedBeforeCheckpoint);
            let there = is_said.then(|| self.own.among(author, voided))?;
            let numbers = there.intervals().flat_map(|(first, last)| first..=last);
            let counters: Vec<u64> = numbers.take(FOLDER_WRITE_ITEMS_MAX).collect();
            (!counters.is_empty()).then_some((author, counters))
        })
    }
}

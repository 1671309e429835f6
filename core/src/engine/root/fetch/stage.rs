//! What became of chunks at the host, and of files that are whole, given up or put in their place.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Job, StagedChunk};
use crate::api::{Failure, Hash, NoticeCode, Put, StageId, StageResult, Work};
use crate::engine::root::projection::ReadyChange;
use crate::engine::root::{Root, RootPurpose};
use crate::engine::shared::Shared;
use crate::planted::{Planted, planted};
use crate::tree::path;
use crate::tree::view::Shown;

impl Root {
    pub(in crate::engine::root) fn staged(
        &mut self,
        shared: &mut Shared,
        chunks: Vec<StagedChunk>,
        results: Vec<StageResult>,
    ) {
        let mut results = results.into_iter();
        for chunk in chunks {
            let failure = Failure::Other { message: "the host gave no result".to_string() };
            let result = results.next().unwrap_or(StageResult::Failed { failure });
            self.staged_one(shared, chunk, result);
        }
    }

    pub(in crate::engine::root) fn stage_failed(
        &mut self,
        shared: &mut Shared,
        chunks: Vec<StagedChunk>,
        failure: &Failure,
    ) {
        for chunk in chunks {
            self.staged_one(shared, chunk, StageResult::Failed { failure: failure.clone() });
        }
    }

    fn staged_one(&mut self, shared: &mut Shared, chunk: StagedChunk, result: StageResult) {
        let StagedChunk { stage, index, from, copied_from } = chunk;
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return self.back_from_host(shared, stage) };
        job.at_host = job.at_host.saturating_sub(1);
        let length = job.chunks.get(index).map_or(0, |task| u64::from(task.chunk.length));
        match (result, copied_from) {
            (StageResult::Staged, _) => {
                job.staged = job.staged.saturating_add(1);
                job.in_flight_bytes = job.in_flight_bytes.saturating_sub(length);
                self.fetches.in_flight_bytes = self.fetches.in_flight_bytes.saturating_sub(length);
                if job.staged == job.chunks.len() {
                    self.fetched(stage);
                }
            }
            (StageResult::Failed { failure: Failure::NoSpace | Failure::Denied }, _) => {
                let (full, size) = (path::join(&job.directory, &job.name), job.size);
                self.tried_in_vain(stage);
                self.give_up_fetch(shared, stage, &Failure::NoSpace);
                self.found_no_room(&full, size);
            }
            // The file it was copied from is no longer what base says: another file or a peer has the chunk.
            (StageResult::Failed { .. }, Some(path)) => {
                self.look(path.clone());
                self.lose_source(stage, index, &path);
                self.schedule(stage, index);
            }
            (StageResult::Failed { failure: Failure::Corrupt }, None) => {
                let full = path::join(&job.directory, &job.name);
                let source = from.map_or_else(|| "a message folder".into(), |link| alloc::format!("link {}", link.0));
                let message = alloc::format!("a chunk from {source} does not match its hash and was thrown away");
                shared.notify_about(NoticeCode::ChunkCorrupt, message, Some(self.id), Some(&full));
                self.fetches.distrusted.extend(from.map(|link| (link, job.content)));
                self.schedule(stage, index);
            }
            (StageResult::Failed { failure }, None) => self.give_up_fetch(shared, stage, &failure),
        }
    }

    /// A file is whole: it only has to be put in its place.
    pub(super) fn fetched(&mut self, stage: StageId) {
        let Some(job) = self.fetches.forget(stage) else { return };
        self.ended_trying(stage);
        let landing = self.fetches.landing.entry(job.content).or_default();
        *landing = landing.saturating_add(1);
        let Shown { content, mode, modified_ns, .. } = &job.shown;
        let mode = if planted(Planted::FetchedModeDropped) { 0o644 } else { *mode };
        let put = Put::File { stage, content: content.clone(), mode, modified_ns: *modified_ns };
        let full = path::join(&job.directory, &job.name);
        let change = ReadyChange {
            directory: job.directory,
            name: job.name,
            conflict_of: job.conflict_of,
            wish: Some(job.shown),
            put,
            manifest: job.manifest,
            is_aside: job.is_aside,
            also_busy: None,
        };
        self.begin_change(full, change);
    }

    /// A staged file has its place, or did not get it: others with the same content go on.
    pub(in crate::engine::root) fn landed(&mut self, content: &Hash) {
        if let Some(landing) = self.fetches.landing.get_mut(content) {
            *landing = landing.saturating_sub(1);
            if *landing > 0 {
                return;
            }
        }
        self.fetches.landing.remove(content);
        self.release_waiting(content);
    }

    fn release_waiting(&mut self, content: &Hash) {
        for (directory, name) in self.fetches.waiting.remove(content).unwrap_or_default() {
            if !planted(Planted::WaiterForgotten) {
                self.projection.mark(&directory, &name);
            }
        }
    }

    /// The view wants something else at a path by now: what is being fetched for it is given up.
    pub(in crate::engine::root) fn cancel_fetch_of_other(
        &mut self,
        shared: &mut Shared,
        full: &str,
        wish: Option<&Shown>,
    ) {
        self.cancel_fetch_if(shared, full, |job| wish.is_none_or(|wish| wish.content != job.shown.content));
    }

    /// What is being fetched to stand aside at a path, whatever else the view has there, is given up.
    pub(in crate::engine::root) fn cancel_fetch_aside(&mut self, shared: &mut Shared, full: &str) {
        self.cancel_fetch_if(shared, full, |job| job.is_aside);
    }

    fn cancel_fetch_if(&mut self, shared: &mut Shared, full: &str, is_vain: impl FnOnce(&Job) -> bool) {
        let Some(stage) = self.fetches.by_path.get(full).copied() else { return };
        if self.fetches.jobs.get(&stage).is_some_and(is_vain) {
            self.cancel_fetch(shared, stage);
            if !planted(Planted::CancelledFetchStaysBusy) {
                self.busy.remove(full);
                self.projection.reconsider_kept();
            }
        }
    }

    /// A chunk cannot be copied from a file that had it.
    fn lose_source(&mut self, stage: StageId, index: usize, path: &str) {
        let task = self.fetches.jobs.get_mut(&stage).and_then(|job| job.chunks.get_mut(index));
        let Some(task) = task else { return };
        let is_other = |other: &String| other != path && !self.busy.contains(other);
        let has_another = |content: &Hash| !task.missed && self.base.holders(content).any(is_other);
        task.source = task.source.filter(|(content, _)| has_another(content));
        task.missed = true;
    }

    pub(super) fn give_up_fetch(&mut self, shared: &mut Shared, stage: StageId, failure: &Failure) {
        let Some(full) = self.cancel_fetch(shared, stage) else { return };
        self.failed_at(shared, &full, NoticeCode::Unwritable, failure);
        self.free(&full);
    }

    /// All files that are being brought together are given up.
    pub(in crate::engine::root) fn give_up_fetches(&mut self, shared: &mut Shared) {
        let stages: Vec<StageId> = self.fetches.jobs.keys().copied().collect();
        for stage in stages {
            if let Some(full) = self.cancel_fetch(shared, stage) {
                self.free(&full);
            }
        }
    }

    pub(super) fn cancel_fetch(&mut self, shared: &mut Shared, stage: StageId) -> Option<String> {
        let job = self.fetches.forget(stage)?;
        self.ended_trying(stage);
        let queued = self.fetches.to_stage.len();
        self.fetches.to_stage.retain(|(chunk, _)| chunk.stage != stage);
        let unsent = queued.saturating_sub(self.fetches.to_stage.len());
        self.release_waiting(&job.content);
        self.fetches.cancelled.insert(stage, job.at_host.saturating_sub(unsent).saturating_add(1));
        self.back_from_host(shared, stage);
        Some(path::join(&job.directory, &job.name))
    }

    /// A staged file is discarded once nothing is being written to it.
    fn back_from_host(&mut self, shared: &mut Shared, stage: StageId) {
        let Some(at_host) = self.fetches.cancelled.get_mut(&stage) else { return };
        *at_host = at_host.saturating_sub(1);
        if *at_host == 0 {
            self.fetches.cancelled.remove(&stage);
            let discard = Work::Discard { root: self.id, stages: alloc::vec![stage] };
            shared.perform_for(self.index, RootPurpose::Discard, discard);
        }
    }
}

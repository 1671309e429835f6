//! A disk without room: one file tries whether there is some again, and those as large or larger wait for it. Each of them
//! would otherwise ask peers for its bytes again and again, only to throw them away.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};

use crate::api::{Monotonic, NoticeCode, StageId};
use crate::engine::limits::{RETRY_MS, RETRY_MS_MAX};
use crate::engine::root::Root;
use crate::engine::root::retry::{Cause, Retry};
use crate::engine::shared::Shared;

/// What is known of the room for staged files.
#[derive(Default)]
pub struct Room {
    full: Option<Full>,
}

/// There was no room for a file.
struct Full {
    /// How large it was.
    size: u64,
    /// Until when no other one tries.
    until: Monotonic,
    /// The one that tries.
    trying: Option<StageId>,
    /// Paths of files that wait for it.
    waiting: BTreeSet<String>,
}

impl Root {
    /// A file may be begun: as far as is known there is room, or it is the one that tries. Otherwise it waits.
    pub(super) fn finds_room(&mut self, shared: &mut Shared, path: &str, size: u64, stage: StageId) -> bool {
        let now = shared.now.monotonic;
        let Some(full) = self.fetches.room.full.as_mut().filter(|_| size > 0) else { return true };
        if size < full.size || full.until <= now {
            (full.size, full.trying, full.until) = (size, Some(stage), now.plus(RETRY_MS_MAX));
            return true;
        }
        full.waiting.insert(path.to_string());
        let (until, delay_ms) = (full.until, self.retries.get(path).map_or(RETRY_MS, |retry| retry.delay_ms));
        if !self.retries.contains_key(path) {
            let message = "could not write it: no space left on the device; it is tried again";
            shared.notify_about(NoticeCode::NoSpace, message, Some(self.id), Some(path));
        }
        self.retries.insert(path.to_string(), Retry { cause: Cause::Writing, at: Some(until), delay_ms });
        false
    }

    /// The file that tries found none; nothing that waits for it goes on.
    pub(super) fn tried_in_vain(&mut self, stage: StageId) {
        if let Some(full) = self.fetches.room.full.as_mut().filter(|full| full.trying == Some(stage)) {
            full.trying = None;
        }
    }

    /// There was no room for a file, which is tried again at its time; a smaller one may try before.
    pub(super) fn found_no_room(&mut self, path: &str, size: u64) {
        let Some(until) = self.retries.get(path).and_then(|retry| retry.at) else { return };
        let waiting = self.fetches.room.full.take().map(|full| full.waiting).unwrap_or_default();
        self.fetches.room.full = Some(Full { size, until, trying: None, waiting });
    }

    /// The file that tried is whole or given up: those that wait for it go on.
    pub(super) fn ended_trying(&mut self, stage: StageId) {
        if self.fetches.room.full.as_ref().is_some_and(|full| full.trying == Some(stage)) {
            self.forget_no_room();
        }
    }

    /// There may be room again: everything that waits for some is tried.
    pub(in crate::engine::root) fn forget_no_room(&mut self) {
        for path in self.fetches.room.full.take().map(|full| full.waiting).unwrap_or_default() {
            if let Some(retry) = self.retries.get_mut(&path).filter(|retry| retry.at.is_some()) {
                retry.at = Some(Monotonic(0));
            }
        }
    }
}

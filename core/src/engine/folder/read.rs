//! Reading what was found: every file is a message of its place, or it is not followed.

use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{Action, Failure, FolderState, Notice, NoticeCode, Outcome, ReadResult, ReplicaId, Work};
use crate::engine::Engine;
use crate::engine::limits::{FOLDER_FILE_BYTES_MAX, FOLDER_READ_ITEMS_MAX, FOLDER_READS_MAX};
use crate::engine::receive::Taken;
use crate::engine::shared::Shared;
use crate::folder::{Trouble, message_path};
use crate::log::Message;
use crate::planted::{Planted, planted};

/// People are told of a file that did not verify so many times: before, it is probably still arriving.
const TRIES_UNTOLD: u32 = 3;

impl Folder {
    /// Reads what was found, a few files at a time.
    pub(super) fn read_turn(&mut self, shared: &mut Shared) {
        while self.state == FolderState::Following && self.reads < FOLDER_READS_MAX {
            let now = shared.now.monotonic;
            let mut places: Vec<(ReplicaId, u64)> = Vec::new();
            for (author, feed) in &mut self.feeds {
                let room = FOLDER_READ_ITEMS_MAX.saturating_sub(places.len());
                if room == 0 {
                    break;
                }
                let is_introduced = shared.log.public_key(*author).is_some();
                if feed.index.is_ready(is_introduced, now) {
                    places.extend(
                        feed.index.take(room, is_introduced, now).into_iter().map(|counter| (*author, counter)),
                    );
                }
                if feed.index.take_overflow() {
                    feed.listed = None;
                    self.due_feeds.insert(*author);
                }
            }
            if places.is_empty() {
                return;
            }
            self.reads = self.reads.saturating_add(1);
            let paths = places.iter().map(|(author, counter)| message_path(*author, *counter)).collect();
            let work = Work::FolderRead { folder: self.config.id, paths, bytes_max: FOLDER_FILE_BYTES_MAX };
            self.perform(shared, FolderPurpose::Read { places }, work);
        }
    }

    /// The message in a file; none if it is none of this place.
    pub(super) fn open(&self, (author, counter): (ReplicaId, u64), file: Vec<u8>) -> Option<Vec<u8>> {
        let message = match &self.key {
            Some(key) => key.open(author, counter, &file)?,
            None => file,
        };
        let is_of_place = Message::place_in(&message) == Some((author, counter));
        (is_of_place || planted(Planted::AnyPlaceRead)).then_some(message)
    }

    fn settle(&mut self, (author, counter): (ReplicaId, u64)) {
        if let Some(feed) = self.feeds.get_mut(&author) {
            feed.index.settle(counter);
        }
    }

    fn trouble(&mut self, shared: &mut Shared, (author, counter): (ReplicaId, u64), trouble: Trouble, why: &str) {
        let Some(feed) = self.feeds.get_mut(&author) else { return };
        let tries = feed.index.fail(counter, trouble, shared.now.monotonic);
        let path = message_path(author, counter);
        match trouble {
            Trouble::Placeholder => {
                let work = Work::FolderFetch { folder: self.config.id, paths: Vec::from([path]) };
                self.perform(shared, FolderPurpose::Fetch, work);
            }
            Trouble::Unverifiable if tries == TRIES_UNTOLD => {
                let message =
                    alloc::format!("the file `{path}` of the message folder is no message of its author: {why}");
                let code = NoticeCode::MessageUnverifiable;
                let notice = Notice { code, message, root: None, path: Some(path), replica: Some(author) };
                shared.actions.push(Action::Notify { notice });
            }
            Trouble::Unverifiable | Trouble::OtherSession => {}
        }
    }
}

impl Engine {
    pub(super) fn folder_read(&mut self, folder: usize, places: &[(ReplicaId, u64)], outcome: Outcome) {
        if let Some(folder) = self.folders.get_mut(folder) {
            folder.reads = folder.reads.saturating_sub(1);
        }
        let results = match outcome {
            Outcome::FolderRead { results } => results,
            _ => Vec::new(),
        };
        self.shared.close_draft();
        let mut results = results.into_iter();
        for place in places {
            let failure = Failure::Other { message: "the host gave no result".into() };
            let result = results.next().unwrap_or(ReadResult::Failed { failure });
            self.folder_file(folder, *place, result);
        }
    }

    fn folder_file(&mut self, folder: usize, place: (ReplicaId, u64), result: ReadResult) {
        let Some(own) = self.folders.get_mut(folder) else { return };
        let opened = match result {
            ReadResult::Bytes { bytes } => own.open(place, bytes).ok_or("it is incomplete, damaged or another's"),
            // It was evicted, or its carrier took it back: it may come again. Or it is no file.
            ReadResult::Failed { failure: Failure::Missing | Failure::Unrepresentable } => return own.settle(place),
            ReadResult::Failed { failure: Failure::NotLocal } => {
                return own.trouble(&mut self.shared, place, Trouble::Placeholder, "");
            }
            ReadResult::Failed { failure: Failure::TooLarge } => Err("it is too large"),
            ReadResult::Failed { .. } => Err("it cannot be read"),
        };
        let taken = match opened {
            Ok(message) => self.receive(&message),
            Err(why) => Taken::Refused { code: NoticeCode::MessageUnverifiable, message: why.into() },
        };
        let Some(own) = self.folders.get_mut(folder) else { return };
        match taken {
            Taken::Held { .. } | Taken::Known => own.settle(place),
            // What waits for its author's introduction or for its time is read again.
            Taken::Waits => own.trouble(&mut self.shared, place, Trouble::Unverifiable, "it waits for others"),
            Taken::Refused { message, .. } => {
                let is_stranger = self.shared.log.public_key(place.0).is_none();
                let is_other = is_stranger && own.has_other_sessions;
                let trouble = if is_other { Trouble::OtherSession } else { Trouble::Unverifiable };
                own.trouble(&mut self.shared, place, trouble, &message);
            }
        }
    }
}

//! Own messages go into the folder: each once, none over another, the same bytes however often a crash makes it necessary
//! (§6.1).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{
    Failure, FolderFile, FolderResult, FolderState, LoadQuery, Monotonic, NoticeCode, Outcome, Pair, ReadResult,
    ReplicaId, RootId, Work,
};
use crate::engine::Engine;
use crate::engine::keys;
use crate::engine::limits::{
    FOLDER_FILE_BYTES_MAX, FOLDER_WRITE_BYTES_MAX, FOLDER_WRITE_ITEMS_MAX, RETRY_MS, RETRY_MS_MAX,
};
use crate::engine::root::Root;
use crate::engine::shared::{Purpose, Shared};
use crate::folder::message_path;
use crate::log::{Dot, IntervalSet, Log, Message, message_keys, parse_message_key};
use crate::planted::{Planted, planted};

/// The feeds of this device, as far as they are in the folder.
#[derive(Default)]
pub struct OwnFeeds {
    /// Which messages this device has put there, as it is saved. A file that is there and not among them is compared
    /// before it counts: another copy of this device's store may have written it.
    written: BTreeMap<ReplicaId, IntervalSet<u64>>,
    /// Those of them that were put there since the listing that is under way began, and need not be in it.
    fresh: IntervalSet<u64>,
    /// Files under own numbers that were found there, whoever wrote what is in them: they go when their messages become void,
    /// also if they were not compared by then.
    found: BTreeMap<ReplicaId, IntervalSet<u64>>,
    /// Of what was saved so, something is gone. Until that is saved, too, nothing is written: a crash might leave a part of
    /// a file, which would count as written.
    has_lost: bool,
    /// Own files whose bytes a service keeps elsewhere, and of which it is not known who wrote what is in them. They are
    /// neither written nor counted as written before their bytes are here and were compared: a crash may have left parts.
    elsewhere: BTreeMap<ReplicaId, IntervalSet<u64>>,
    busy: bool,
    /// Messages that wait until the contents they name stand there.
    held: Option<Vec<(ReplicaId, u64, Vec<u8>)>>,
    again: Option<Monotonic>,
    tries: u32,
}

impl OwnFeeds {
    /// What an earlier engine had written.
    pub fn restore(&mut self, author: ReplicaId, written: IntervalSet<u64>) {
        self.written.insert(author, written);
    }

    /// A directory is about to be listed.
    pub fn begin_listing(&mut self) {
        self.fresh = IntervalSet::new();
    }

    /// A directory of this device was listed whole: what is not there any more is written again, and what is no placeholder
    /// any more is compared. Tells whether anything is gone.
    pub fn listed(&mut self, author: ReplicaId, counters: &IntervalSet<u64>, placeholders: &IntervalSet<u64>) -> bool {
        if let Some(elsewhere) = self.elsewhere.get_mut(&author) {
            let here = elsewhere.difference(placeholders);
            elsewhere.subtract(&here);
        }
        self.found.insert(author, counters.clone());
        let Some(written) = self.written.get_mut(&author) else { return false };
        let mut gone = written.difference(counters);
        gone.subtract(&self.fresh);
        written.subtract(&gone);
        self.has_lost |= !gone.is_empty();
        !gone.is_empty()
    }

    /// Something is done with the own files.
    pub fn begin(&mut self) {
        self.busy = true;
    }

    /// An own file is not there any more.
    pub fn note_cleared(&mut self, author: ReplicaId, counter: u64) {
        for there in [self.written.get_mut(&author), self.found.get_mut(&author)].into_iter().flatten() {
            there.remove(counter);
        }
    }

    /// Something is being done with the own files.
    pub fn is_busy(&self) -> bool {
        self.busy
    }

    /// Which messages of a feed are there.
    pub fn written(&self, author: ReplicaId) -> Option<&IntervalSet<u64>> {
        self.written.get(&author)
    }

    /// Which of these numbers of a feed have files there, written or found.
    pub fn among(&self, author: ReplicaId, numbers: &IntervalSet<u64>) -> IntervalSet<u64> {
        let mut missing = numbers.clone();
        let there = [self.written.get(&author), self.found.get(&author)];
        there.into_iter().flatten().for_each(|there| missing.subtract(there));
        numbers.difference(&missing)
    }

    /// Whose messages it has put there.
    pub fn authors(&self) -> impl Iterator<Item = ReplicaId> + '_ {
        self.written.keys().copied()
    }

    /// How many own messages are not in the folder.
    pub fn unwritten(&self, log: &Log) -> u64 {
        let own = log.heads().authors().filter(|(author, _)| log.is_by_this_device(*author));
        let missing = own.map(|(author, held)| log.numbers(author, &self.missing(author, held)).count() as u64);
        missing.fold(0, u64::saturating_add)
    }

    /// Which of these messages of a feed are not there.
    fn missing(&self, author: ReplicaId, held: &IntervalSet<u64>) -> IntervalSet<u64> {
        let mut missing = held.clone();
        let there = [self.written.get(&author), self.elsewhere.get(&author)];
        there.into_iter().flatten().for_each(|there| missing.subtract(there));
        missing
    }

    fn is_there(&self, author: ReplicaId, counter: u64) -> bool {
        let there = [self.written.get(&author), self.elsewhere.get(&author)];
        there.into_iter().flatten().any(|there| there.contains(counter))
    }

    /// Messages wait for the contents they name.
    pub fn is_held(&self) -> bool {
        self.held.is_some()
    }

    /// Those that wait are read again another time.
    pub fn let_go(&mut self) {
        self.held = None;
        self.busy = false;
    }

    /// What failed waits for its time.
    pub fn waits(&self) -> bool {
        self.again.is_some()
    }

    /// When what failed is tried again.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.again.filter(|_| !self.busy)
    }

    pub fn retry_later(&mut self, now: Monotonic) {
        self.tries = self.tries.saturating_add(1);
        let wait = RETRY_MS.saturating_mul(1u64.checked_shl(self.tries.saturating_sub(1)).unwrap_or(u64::MAX));
        self.again = Some(now.plus(wait.min(RETRY_MS_MAX)));
    }
}

impl Folder {
    /// Writes the next own messages that are saved and not in the folder. Before the folder was looked through whole it is
    /// not known what is there.
    pub(super) fn write_turn(&mut self, shared: &mut Shared) {
        let is_ready = self.state == FolderState::Following && self.look.was_whole() && !self.own.busy;
        if !is_ready || shared.saver.has_failed() || self.own.again.is_some_and(|again| shared.now.monotonic < again) {
            return;
        }
        self.own.again = None;
        if self.own.has_lost && !shared.saver.is_idle() {
            return;
        }
        self.own.has_lost = false;
        let saved = if planted(Planted::UnsavedWritten) { shared.log.heads() } else { shared.saver.saved_heads() };
        let own = saved.authors().filter(|(author, _)| shared.log.is_by_this_device(*author));
        let next = own.filter_map(|(author, held)| {
            let missing = self.own.missing(author, held);
            let messages = shared.log.numbers(author, &missing).take(FOLDER_WRITE_ITEMS_MAX).collect::<Vec<_>>();
            Some((author, *messages.first()?, *messages.last()?))
        });
        let Some((author, first, last)) = next.take(1).next() else { return };
        if planted(Planted::LastOwnUnwritten) && last == shared.log.heads().highest(author) {
            return;
        }
        self.own.busy = true;
        let (start, end) = message_keys(author, first, last);
        let query = LoadQuery::Range { start, end, bytes_max: FOLDER_WRITE_BYTES_MAX };
        self.perform(shared, FolderPurpose::Own { author, first }, Work::Load { query });
    }

    pub(super) fn own_loaded(
        &mut self,
        shared: &mut Shared,
        roots: &[Root],
        (author, first): (ReplicaId, u64),
        outcome: Outcome,
    ) {
        let is_void = shared.log.numbers(author, &IntervalSet::from_iter([first])).next().is_none();
        let pairs = match outcome {
            Outcome::Loaded { pairs, .. } if !pairs.is_empty() || is_void => pairs,
            // The store failed, or lost what it had saved.
            _ => {
                shared.saver.fail();
                let message = "messages that were saved could not be read; nothing is sent any more";
                return shared.notify(NoticeCode::StoreCorrupt, message);
            }
        };
        let (saved, unsaved) = (shared.saver.saved_heads(), planted(Planted::UnsavedWritten));
        let unwritten = pairs.into_iter().filter_map(|Pair { key, value }| {
            let (author, counter) = parse_message_key(&key)?;
            let is_due = !self.own.is_there(author, counter) && (unsaved || saved.contains(author, counter));
            is_due.then_some((author, counter, value))
        });
        // Where an earlier incarnation's messages come back, more of them may stand there by now than are known to be saved,
        // and more than are written at once.
        let messages: Vec<(ReplicaId, u64, Vec<u8>)> = unwritten.take(FOLDER_WRITE_ITEMS_MAX).collect();
        if messages.is_empty() || self.state != FolderState::Following {
            self.own.busy = false;
            return;
        }
        // Nobody asks for what is dead, if that is saved.
        let is_needed = |root: RootId, version: &Dot| {
            let root = roots.iter().find(|known| known.id() == root);
            root.is_none_or(|root| root.is_live(version)) || !shared.saver.is_idle()
        };
        let names_contents = self.uploads.begin(messages.iter().map(|(.., message)| message.as_slice()), is_needed);
        self.own.held = Some(messages);
        if !names_contents {
            self.create_held(shared);
        }
    }

    /// What the messages that wait name stands there: they follow.
    pub(super) fn create_held(&mut self, shared: &mut Shared) {
        let Some(messages) = self.own.held.take() else { return };
        let files = messages.iter().map(|(author, counter, message)| FolderFile {
            path: message_path(*author, *counter),
            bytes: self.file_of((*author, *counter), message),
        });
        let work = Work::FolderCreate { folder: self.config.id, files: files.collect() };
        self.perform(shared, FolderPurpose::Create { messages }, work);
    }

    pub(super) fn created(&mut self, shared: &mut Shared, messages: Vec<(ReplicaId, u64, Vec<u8>)>, outcome: Outcome) {
        self.own.busy = false;
        let results = match outcome {
            Outcome::FolderWritten { results } => results,
            _ => Vec::new(),
        };
        let mut results = results.into_iter();
        let mut first_failed = None;
        for (author, counter, message) in messages {
            let failure = Failure::Other { message: "the host gave no result".into() };
            match results.next().unwrap_or(FolderResult::Failed { failure }) {
                FolderResult::Done => self.note_written(shared, (author, counter)),
                FolderResult::Failed { failure: Failure::Changed } if planted(Planted::OwnFileNotCompared) => {
                    self.note_written(shared, (author, counter));
                }
                // What stands behind it does so all the same, and would be forgotten if it became void now.
                FolderResult::Failed { failure } => {
                    if failure == Failure::Changed {
                        self.own.found.entry(author).or_default().insert(counter);
                    }
                    first_failed.get_or_insert(((author, counter), message, failure));
                }
            }
        }
        match first_failed {
            Some((place, message, Failure::Changed)) => self.compare(shared, place, message),
            Some((.., failure)) => self.unwritable(shared, &failure),
            None => {}
        }
    }

    fn note_written(&mut self, shared: &mut Shared, (author, counter): (ReplicaId, u64)) {
        self.own.tries = 0;
        self.own.written.entry(author).or_default().insert(counter);
        self.own.fresh.insert(counter);
        self.save_written(shared, author);
    }

    pub(super) fn save_written(&mut self, shared: &mut Shared, author: ReplicaId) {
        let Some(written) = self.own.written.get(&author) else { return };
        match postcard::to_allocvec(written) {
            Ok(value) => shared.saver.put(keys::written(self.config.id, author), value),
            Err(_) => shared.saver.fail(),
        }
    }

    /// Something stands under the name of an own message: the same, as after a crash, or another one, as after a store was
    /// put back, or what is no message.
    fn compare(&mut self, shared: &mut Shared, place: (ReplicaId, u64), message: Vec<u8>) {
        self.own.busy = true;
        let paths = Vec::from([message_path(place.0, place.1)]);
        let work = Work::FolderRead { folder: self.config.id, paths, bytes_max: FOLDER_FILE_BYTES_MAX };
        self.perform(shared, FolderPurpose::Compare { place, message }, work);
    }

    pub(super) fn removed(&mut self, shared: &Shared, outcome: Outcome) {
        self.own.busy = false;
        let is_done =
            matches!(outcome, Outcome::FolderWritten { results } if results.first() == Some(&FolderResult::Done));
        if !is_done {
            self.own.retry_later(shared.now.monotonic);
        }
    }

    pub(super) fn unwritable(&mut self, shared: &mut Shared, failure: &Failure) {
        if self.own.tries == 0 {
            let (code, why) = match failure {
                Failure::NoSpace => (NoticeCode::NoSpace, "no space left on the device"),
                Failure::Denied => (NoticeCode::Unwritable, "the system forbids it"),
                Failure::Missing => (NoticeCode::FolderMissing, "it is not there"),
                Failure::Other { message } => (NoticeCode::Unwritable, message.as_str()),
                _ => (NoticeCode::Unwritable, "it did not take them"),
            };
            let message =
                alloc::format!("messages could not be written into the message folder: {why}; it is tried again");
            shared.notify(code, message);
        }
        self.own.retry_later(shared.now.monotonic);
        self.due = true;
    }

    fn file_of(&self, (author, counter): (ReplicaId, u64), message: &[u8]) -> Vec<u8> {
        match &self.key {
            Some(key) => key.seal(author, counter, message),
            None => message.to_vec(),
        }
    }
}

impl Engine {
    pub(super) fn folder_compared(
        &mut self,
        folder: usize,
        place: (ReplicaId, u64),
        message: Vec<u8>,
        outcome: Outcome,
    ) {
        let Some(own) = self.folders.get_mut(folder) else { return };
        own.own.busy = false;
        let result = match outcome {
            Outcome::FolderRead { results } => results.into_iter().next(),
            _ => None,
        };
        match result {
            Some(ReadResult::Bytes { bytes }) => match own.open(place, bytes) {
                Some(found) if found == message => own.note_written(&mut self.shared, place),
                Some(found) if self.shared.log.is_signed(&found) => self.own_number_taken(folder, place),
                _ => {
                    own.own.busy = true;
                    let paths = Vec::from([message_path(place.0, place.1)]);
                    let work = Work::FolderRemove { folder: own.config.id, paths };
                    own.perform(&mut self.shared, FolderPurpose::Remove, work);
                }
            },
            Some(ReadResult::Failed { failure: Failure::NotLocal }) => {
                own.own.elsewhere.entry(place.0).or_default().insert(place.1);
                let paths = Vec::from([message_path(place.0, place.1)]);
                let work = Work::FolderFetch { folder: own.config.id, paths };
                own.perform(&mut self.shared, FolderPurpose::Fetch, work);
            }
            _ => own.own.retry_later(self.shared.now.monotonic),
        }
    }

    /// Another message of this device has a number that it gave away here, too: its store is an old copy, or one copy of
    /// two. What was written here under these numbers goes on under a new id.
    fn own_number_taken(&mut self, folder: usize, (author, counter): (ReplicaId, u64)) {
        let message = alloc::format!(
            "message {counter} of this replica stands in the message folder with other words: its store is an old copy, so it goes on under a new id"
        );
        self.shared.notify(NoticeCode::NewIncarnation, message);
        if self.shared.log.own() == Some(author) {
            self.begin_incarnation();
            self.shared.introduce();
        }
        // The other branch stands there. What applications said on this one is said again.
        let highest = self.shared.log.heads().highest(author);
        if let Some(own) = self.folders.get_mut(folder) {
            own.own.written.entry(author).or_default().insert_range(counter, highest);
        }
        let (start, end) = message_keys(author, counter, highest);
        let query = LoadQuery::Range { start, end, bytes_max: u32::MAX };
        let purpose = FolderPurpose::Reissue;
        self.shared.perform(Purpose::Folder { folder, purpose }, Work::Load { query });
    }

    pub(super) fn reissue(&mut self, outcome: Outcome) {
        let Outcome::Loaded { pairs, .. } = outcome else { return };
        for Pair { value, .. } in pairs {
            if let Some(payload) =
                Message::decode(&value).ok().and_then(|(message, _)| message.payload().map(Vec::from))
            {
                self.publish(&payload);
            }
        }
    }
}

//! One message folder: it is looked through, what is new in it is read, and own messages are written into it.
//!
//! Invariant: a folder that is not this group's is never written to
//! (`f07_a_folder_that_turns_up_empty_or_as_another_sessions_is_left_alone`).

mod blobs;
mod clear;
mod collect;
mod look;
mod owed;
mod read;
mod upload;
mod write;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::String;
use alloc::vec::Vec;

use self::blobs::{BlobAsk, Blobs};
use self::collect::{CollectPurpose, Collection};
use self::look::Look;
use self::upload::Uploads;
use self::write::OwnFeeds;
use super::Engine;
use super::limits::FOLDER_FEEDS_MAX;
use super::shared::{Purpose, Shared};
use crate::api::{
    FolderConfig, FolderId, FolderState, FolderStatus, GroupId, Hash, Monotonic, NoticeCode, Outcome, ReplicaId,
    RootId, TaskId, Work,
};
use crate::content::Chunk;
use crate::crypto::FileKey;
use crate::folder::{FeedIndex, Trouble, parse_blob_path, parse_feed_directory, parse_message_path};
use crate::log::{IntervalSet, Log};

/// What a task was asked for.
pub enum FolderPurpose {
    /// A page of the session's directory.
    Session,
    /// The files that may be its `info`.
    Infos {
        /// Their names.
        paths: Vec<String>,
    },
    /// A page of a feed's directory.
    Feed {
        /// Whose.
        author: ReplicaId,
    },
    /// What stands under names that a feed may have next, or lacks.
    Probe {
        /// Whose.
        author: ReplicaId,
        /// Which.
        counters: Vec<u64>,
    },
    /// Files of messages.
    Read {
        /// Which.
        places: Vec<(ReplicaId, u64)>,
    },
    /// Own messages from the store, to be written.
    Own {
        /// Of which incarnation.
        author: ReplicaId,
        /// The first of them.
        first: u64,
    },
    /// Own messages, into the folder.
    Create {
        /// Which, and what they say.
        messages: Vec<(ReplicaId, u64, Vec<u8>)>,
    },
    /// An own file that is there already.
    Compare {
        /// Which.
        place: (ReplicaId, u64),
        /// What it should hold.
        message: Vec<u8>,
    },
    /// An own file that holds nothing, out of the way.
    Remove,
    /// Own files whose messages are void, out of the folder.
    Clear {
        /// Whose.
        author: ReplicaId,
        /// Which.
        counters: Vec<u64>,
    },
    /// Own messages whose numbers were taken, to be said again.
    Reissue,
    /// A chunk or a manifest that a root wants.
    Blob {
        /// Which.
        ask: BlobAsk,
    },
    /// How an own content is cut, which is to go into the folder.
    UploadManifest,
    /// Which of its chunks are there already.
    UploadProbe {
        /// Of these, each with its place in the file.
        chunks: Vec<(u64, Chunk)>,
    },
    /// The bytes of others.
    UploadRead {
        /// The root of the file they are read from.
        root: RootId,
        /// The file.
        path: String,
        /// Which.
        chunks: Vec<(u64, Chunk)>,
    },
    /// These, into the folder.
    UploadCreate,
    /// A step towards blobs that nothing needs any more.
    Collect {
        /// Which.
        purpose: CollectPurpose,
    },
    /// Bytes that are elsewhere.
    Fetch,
}

/// One message folder of the configuration.
pub struct Folder {
    index: usize,
    config: FolderConfig,
    session: GroupId,
    key: Option<FileKey>,
    state: FolderState,
    /// Other sessions were begun in it, too.
    has_other_sessions: bool,
    /// What people were told last when it could not be used.
    halted_for: Option<NoticeCode>,
    /// The directory of the session is due to be looked through, and these feeds'.
    due: bool,
    due_feeds: BTreeSet<ReplicaId>,
    /// When all of it is looked through again.
    next: Monotonic,
    look: Look,
    /// A look through all of it ended since that was last asked.
    has_looked: bool,
    feeds: BTreeMap<ReplicaId, Feed>,
    reads: usize,
    own: OwnFeeds,
    blobs: Blobs,
    uploads: Uploads,
    collection: Collection,
}

/// One author's directory.
#[derive(Default)]
struct Feed {
    index: FeedIndex,
    /// When it was last listed whole.
    listed: Option<Monotonic>,
    /// How many entries it had at the last probe.
    count: Option<u64>,
}

impl Folder {
    /// A folder of this group; nothing is done before the first [`turn`](Engine::folders_turn).
    pub fn new(index: usize, config: &FolderConfig, session: GroupId, key: &[u8]) -> Folder {
        Folder {
            index,
            config: config.clone(),
            session,
            key: config.sealed.then(|| FileKey::new(key)),
            state: FolderState::Starting,
            has_other_sessions: false,
            halted_for: None,
            due: true,
            due_feeds: BTreeSet::new(),
            next: Monotonic::default(),
            look: Look::default(),
            has_looked: false,
            feeds: BTreeMap::new(),
            reads: 0,
            own: OwnFeeds::default(),
            blobs: Blobs::default(),
            uploads: Uploads::default(),
            collection: Collection::default(),
        }
    }

    /// The host's name for it.
    pub fn id(&self) -> FolderId {
        self.config.id
    }

    /// What an earlier engine had written into it.
    pub fn restore(&mut self, author: ReplicaId, written: IntervalSet<u64>) {
        self.own.restore(author, written);
    }

    /// A content that an earlier engine was to put into it, behind the message that names it.
    pub fn restore_owed(&mut self, content: Hash, size: u64) {
        self.uploads.owed.restore(content, size);
    }

    /// It is known what stands in it, or that it cannot be known now: own messages may be written.
    pub fn is_known(&self, log: &Log) -> bool {
        self.state == FolderState::Halted || self.is_indexed(log)
    }

    /// It is looked through as soon as possible.
    pub fn poll(&mut self) {
        self.due = true;
    }

    /// A watcher saw something.
    pub fn changed(&mut self, log: &Log, paths: &[String], now: Monotonic) {
        if paths.is_empty() {
            self.due = true;
        }
        for path in paths {
            match (parse_message_path(path), parse_feed_directory(path)) {
                (Some((author, counter)), _) if self.feeds.contains_key(&author) => {
                    if !log.settled(author).contains(counter)
                        && let Some(feed) = self.feeds.get_mut(&author)
                    {
                        feed.index.hint(counter, now);
                    }
                }
                (None, Some(author)) if self.feeds.contains_key(&author) => drop(self.due_feeds.insert(author)),
                _ if parse_blob_path(path).is_some() => self.blobs.hint(),
                // Something in a directory that is none of a feed, or no message: the services' own.
                (None, None) if path.contains('/') => {}
                _ => self.due = true,
            }
        }
    }

    /// Whether it was looked through whole since this was last asked.
    pub fn takes_look(&mut self) -> bool {
        core::mem::take(&mut self.has_looked)
    }

    /// How it stands, and whether all messages are saved: who waits until it is indexed looks into the store then.
    pub fn status(&self, log: &Log, all_saved: bool) -> FolderStatus {
        let troubled = |trouble| self.feeds.values().map(|feed| feed.index.troubled(trouble)).sum();
        FolderStatus {
            folder: self.config.id,
            state: self.state,
            indexed: all_saved && self.is_indexed(log),
            unwritten: self.own.unwritten(log),
            placeholders: troubled(Trouble::Placeholder),
            unverifiable: troubled(Trouble::Unverifiable),
        }
    }

    /// Nothing is under way, nor could be without time passing.
    pub fn is_idle(&self, log: &Log) -> bool {
        let is_read = self.state == FolderState::Halted || self.is_indexed(log);
        let is_written = self.state == FolderState::Halted || self.own.unwritten(log) == 0 || self.own.waits();
        self.state != FolderState::Starting
            && self.look.is_idle()
            && !self.due
            && self.reads == 0
            && self.blobs.is_idle()
            && is_read
            && is_written
    }

    /// When something is due without an event.
    pub fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let look = if self.due { now } else { self.next };
        let retries = self.feeds.values().filter_map(|feed| feed.index.deadline());
        let retries = retries.filter(|_| self.state == FolderState::Following && self.reads == 0);
        let look = Some(look).filter(|_| self.look.is_idle());
        let writing = self.own.deadline().filter(|_| self.state == FolderState::Following && self.look.was_whole());
        let blobs =
            self.blobs.deadline().into_iter().chain(self.collection.deadline(now)).chain(self.uploads.deadline(now));
        retries.chain(writing).chain(blobs).chain(look).min()
    }

    fn is_indexed(&self, log: &Log) -> bool {
        let is_introduced = |author: &ReplicaId| log.public_key(*author).is_some();
        let is_read = |(author, feed): (&ReplicaId, &Feed)| feed.index.is_read(is_introduced(author));
        self.look.was_whole() && self.reads == 0 && self.feeds.iter().all(is_read)
    }

    /// The directory of a feed is there.
    fn meet(&mut self, author: ReplicaId) {
        if self.feeds.len() < FOLDER_FEEDS_MAX || self.feeds.contains_key(&author) {
            self.feeds.entry(author).or_default();
        }
    }

    fn perform(&self, shared: &mut Shared, purpose: FolderPurpose, work: Work) -> TaskId {
        shared.perform(Purpose::Folder { folder: self.index, purpose }, work)
    }

    /// Nothing is written any more until it is this group's folder again. People are told when that begins, and when it has
    /// another cause than before: some call for an act of theirs.
    fn halt(&mut self, shared: &mut Shared, code: NoticeCode, message: impl Into<String>) {
        self.state = FolderState::Halted;
        // When it is there again it may be another one than before.
        self.feeds.values_mut().for_each(|feed| feed.listed = None);
        if self.halted_for != Some(code) {
            self.halted_for = Some(code);
            shared.notify(code, message);
        }
    }
}

impl Engine {
    /// Lets every folder do what is due.
    pub(super) fn folders_turn(&mut self) {
        for folder in &mut self.folders {
            folder.look_turn(&mut self.shared);
            folder.read_turn(&mut self.shared);
            folder.write_turn(&mut self.shared);
            folder.clear_turn(&mut self.shared);
            if folder.takes_look() {
                self.compaction.look();
            }
        }
        for folder in 0..self.folders.len() {
            self.upload_turn(folder);
        }
        let now = self.shared.now.monotonic;
        let news: Vec<bool> = self.folders.iter_mut().map(|folder| folder.takes_news(now)).collect();
        if news.contains(&true) {
            self.unpark_all();
        }
    }

    /// Lets every folder read what the roots want from it.
    pub(super) fn blobs_turn(&mut self) {
        for folder in &mut self.folders {
            folder.blobs_turn(&mut self.shared);
        }
    }

    pub(super) fn folder_completed(&mut self, folder: usize, purpose: FolderPurpose, outcome: Outcome) {
        let index = folder;
        let Some(folder) = self.folders.get_mut(index) else { return };
        match purpose {
            FolderPurpose::Session => folder.session_listed(&mut self.shared, outcome),
            FolderPurpose::Infos { paths } => folder.infos_read(&mut self.shared, &paths, outcome),
            FolderPurpose::Feed { author } => folder.feed_listed(&mut self.shared, author, outcome),
            FolderPurpose::Probe { author, counters } => folder.probed(&mut self.shared, author, &counters, outcome),
            FolderPurpose::Own { author, first } => {
                folder.own_loaded(&mut self.shared, &self.roots, (author, first), outcome);
            }
            FolderPurpose::Create { messages } => folder.created(&mut self.shared, messages, outcome),
            FolderPurpose::Remove => folder.removed(&self.shared, outcome),
            FolderPurpose::Clear { author, counters } => folder.cleared(&mut self.shared, author, counters, outcome),
            FolderPurpose::UploadManifest => folder.upload_manifest_loaded(outcome),
            FolderPurpose::UploadProbe { chunks } => folder.uploads_probed(chunks, outcome),
            FolderPurpose::UploadCreate => folder.upload_created(&mut self.shared, outcome),
            FolderPurpose::UploadRead { root, path, chunks } => self.upload_read(index, (root, path), chunks, outcome),
            FolderPurpose::Blob { ask } => self.blob_read(index, ask, outcome),
            FolderPurpose::Reissue => self.reissue(outcome),
            FolderPurpose::Read { places } => self.folder_read(index, &places, outcome),
            FolderPurpose::Compare { place, message } => self.folder_compared(index, place, message, outcome),
            FolderPurpose::Collect { purpose } => self.collected(index, purpose, outcome),
            FolderPurpose::Fetch => {}
        }
    }
}

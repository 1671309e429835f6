//! Contents of own files go into a folder: their chunks stand there before the message that names them (§6.1).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::owed::Owed;
use super::{Folder, FolderPurpose};
use crate::api::{
    Content, Failure, FolderFile, FolderId, FolderProbeResult, FolderResult, FolderState, Hash, Key, LoadQuery,
    Monotonic, Outcome, Pair, ReadRange, ReadResult, RootId, Stat, Work,
};
use crate::content::{CHUNK_MIN, Chunk, Manifest};
use crate::engine::limits::{
    PROBE_ITEMS_MAX, READ_BYTES_MAX, READ_ITEMS_MAX, RETRY_MS_MIN, UPLOAD_TRIES_MAX, UPLOADS_KNOWN_MAX,
};
use crate::engine::root::Root;
use crate::engine::shared::{Purpose, Shared};
use crate::engine::{Engine, keys};
use crate::folder::blob_path;
use crate::log::{Dot, Message};
use crate::planted::{Planted, planted};
use crate::tree::{Body, Change};

/// Own messages that wait for the contents they name.
#[derive(Default)]
pub struct Uploads {
    /// The contents still to be seen to.
    queue: VecDeque<(Hash, u64)>,
    job: Option<Upload>,
    /// A step of it is at the host.
    in_flight: bool,
    /// Contents that stand in the folder.
    done: BTreeSet<Hash>,
    /// Contents whose messages went without them.
    pub(super) owed: Owed,
}

/// One content.
struct Upload {
    content: Hash,
    size: u64,
    /// What stands under the content's own name, if it has more than one chunk.
    manifest: Vec<u8>,
    /// Chunks of which it is not known whether they are there.
    unprobed: VecDeque<(u64, Chunk)>,
    /// Chunks that are not.
    missing: VecDeque<(u64, Chunk)>,
    /// No message waits for it.
    is_owed: bool,
    /// How often its bytes could not be read, from which file last, and when they are tried to be read again.
    misses: u32,
    missed: Option<(RootId, String)>,
    again: Option<Monotonic>,
}

impl Uploads {
    /// Contents that versions in these messages have are seen to first, if the versions are needed; false if there are none.
    pub fn begin<'a>(
        &mut self,
        messages: impl Iterator<Item = &'a [u8]>,
        is_needed: impl Fn(RootId, &Dot) -> bool,
    ) -> bool {
        if self.done.len() > UPLOADS_KNOWN_MAX {
            self.done.clear();
        }
        for message in messages.filter_map(|bytes| Message::decode(bytes).ok()) {
            let named = message.0.changes().filter_map(|(dot, root, change)| Some((dot, root, named(change)?)));
            for (_, _, (hash, size)) in named.filter(|(dot, root, _)| is_needed(*root, dot)) {
                if size > 0 && !self.done.contains(&hash) && !self.queue.iter().any(|(known, _)| *known == hash) {
                    self.queue.push_back((hash, size));
                }
            }
        }
        !self.queue.is_empty()
    }

    /// What stood in the folder may not stand there any more.
    pub fn forget_done(&mut self) {
        if !planted(Planted::UploadsStayDone) {
            self.done.clear();
        }
    }

    /// Nothing is being found out about what stands in the folder.
    pub fn is_idle(&self) -> bool {
        self.job.is_none() && !self.in_flight
    }

    /// When bytes that could not be read are tried to be read again. What is due already waits for something to happen.
    pub fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        let again = self.job.as_ref().and_then(|job| job.again);
        again.into_iter().chain(self.owed.deadline()).filter(|again| now < *again).min()
    }

    fn is_ready(&self, now: Monotonic) -> bool {
        !self.in_flight && self.job.as_ref().and_then(|job| job.again).is_none_or(|again| again <= now)
    }

    fn end_job(&mut self, shared: &mut Shared, folder: FolderId) {
        if let Some(job) = self.job.take() {
            self.done.insert(job.content);
            self.settle(shared, folder, &job.content);
        }
    }

    /// A content is owed no more, if it was.
    fn settle(&mut self, shared: &mut Shared, folder: FolderId, content: &Hash) {
        if self.owed.remove(content) {
            shared.saver.remove(keys::owed(folder, content));
        }
    }

    /// The messages that wait are taken up again later; what is done stays so.
    fn give_up_with(&mut self, own: &mut super::OwnFeeds) {
        self.queue.clear();
        self.job = None;
        own.let_go();
    }
}

impl Upload {
    /// A file that has it: another one than could not be read last, if there is.
    fn file(&self, roots: &[Root]) -> Option<(RootId, String, Stat)> {
        let all = roots.iter().flat_map(|root| root.holders(&self.content).map(|(path, stat)| (root.id(), path, stat)));
        let mut whole = all.filter(|(.., stat)| stat.size == self.size);
        let first = whole.next()?;
        let was_missed = self.missed.as_ref().is_some_and(|(root, path)| (*root, path) == (first.0, &first.1));
        let other = if was_missed { whole.next() } else { None };
        Some(other.unwrap_or(first))
    }
}

impl Engine {
    /// Goes on with the contents that a folder's own messages wait for, until the host has something to do.
    pub(super) fn upload_turn(&mut self, index: usize) {
        while self.upload_step(index) {}
    }

    /// False if nothing is left to do until something happens.
    fn upload_step(&mut self, index: usize) -> bool {
        let now = self.shared.now.monotonic;
        let Some(folder) = self.folders.get_mut(index) else { return false };
        if !folder.uploads.is_ready(now) || folder.collection.is_removing() {
            return false;
        }
        if folder.state != FolderState::Following {
            if folder.own.is_held() {
                folder.uploads.give_up_with(&mut folder.own);
            }
            return false;
        }
        let Some(job) = &mut folder.uploads.job else {
            return self.next_upload(index);
        };
        if !job.unprobed.is_empty() {
            folder.probe_uploads(&mut self.shared);
        } else if job.missing.is_empty() {
            folder.end_upload(&mut self.shared);
        } else {
            self.read_uploads(index);
        }
        true
    }

    /// Begins with the next content that a message waits for, or that is owed; false if there is none.
    fn next_upload(&mut self, index: usize) -> bool {
        let now = self.shared.now.monotonic;
        let Some(folder) = self.folders.get_mut(index) else { return false };
        if folder.own.is_held() {
            match folder.uploads.queue.pop_front() {
                Some((content, size)) => folder.begin_upload(&mut self.shared, (content, size), false),
                None => folder.create_held(&mut self.shared),
            }
            return true;
        }
        let Some((content, size)) = folder.uploads.owed.take(now) else { return false };
        let stands = self.roots.iter().any(|root| root.holder(&content).is_some());
        let (lives, is_dead) = (self.lives(&content), self.is_dead(&content));
        let Some(folder) = self.folders.get_mut(index) else { return false };
        if is_dead {
            folder.uploads.settle(&mut self.shared, folder.config.id, &content);
        } else if lives && stands {
            folder.begin_upload(&mut self.shared, (content, size), true);
        }
        true
    }

    /// A version of this device that lives has this content.
    fn lives(&self, content: &Hash) -> bool {
        let has = |body: &Body| matches!(body, Body::Content(Content::File { hash, .. }) if hash == content);
        let mut living = self.roots.iter().flat_map(Root::living).filter(|version| has(&version.body));
        living.any(|version| self.shared.log.is_by_this_device(version.order.dot().author))
    }

    /// None has, and that is saved.
    fn is_dead(&self, content: &Hash) -> bool {
        self.shared.draft.is_none() && self.shared.saver.is_idle() && !self.lives(content)
    }

    /// Reads the next chunks from a file that has them.
    fn read_uploads(&mut self, index: usize) {
        let Some(folder) = self.folders.get_mut(index) else { return };
        let Some(job) = &mut folder.uploads.job else { return };
        let Some((root, path, stat)) = job.file(&self.roots) else { return self.put_off_upload(index) };
        let mut chunks = Vec::new();
        let mut bytes = 0u64;
        while chunks.len() < READ_ITEMS_MAX
            && bytes < READ_BYTES_MAX
            && let Some((offset, chunk)) = job.missing.pop_front()
        {
            bytes = bytes.saturating_add(u64::from(chunk.length));
            chunks.push((offset, chunk));
        }
        let range = |(offset, chunk): &(u64, Chunk)| ReadRange {
            path: path.clone(),
            stat,
            offset: *offset,
            length: chunk.length,
        };
        let ranges = chunks.iter().map(range).collect();
        folder.uploads.in_flight = true;
        let purpose = FolderPurpose::UploadRead { root, path, chunks };
        self.shared.perform(Purpose::Folder { folder: index, purpose }, Work::Read { root, ranges });
    }

    pub(super) fn upload_read(
        &mut self,
        index: usize,
        (root, path): (RootId, String),
        chunks: Vec<(u64, Chunk)>,
        outcome: Outcome,
    ) {
        let results = match outcome {
            Outcome::Read { results } => results,
            _ => Vec::new(),
        };
        let Some(folder) = self.folders.get_mut(index) else { return };
        folder.uploads.in_flight = false;
        let Some(own) = self.shared.log.own() else { return };
        let mut files = Vec::new();
        let mut results = results.into_iter();
        let Some(job) = &mut folder.uploads.job else { return };
        let missed_before = job.missing.len();
        for (offset, chunk) in chunks {
            match results.next() {
                Some(ReadResult::Bytes { bytes }) if chunk.matches(&bytes) => {
                    files.push((chunk.hash, bytes));
                }
                _ => job.missing.push_back((offset, chunk)),
            }
        }
        if !files.is_empty() {
            let files = files
                .into_iter()
                .map(|(hash, bytes)| FolderFile { path: blob_path(own, &hash), bytes: folder.blob_of(&hash, bytes) });
            let work = Work::FolderCreate { folder: folder.config.id, files: files.collect() };
            folder.uploads.in_flight = true;
            folder.perform(&mut self.shared, FolderPurpose::UploadCreate, work);
        }
        if let Some(job) = &mut self.folders.get_mut(index).and_then(|folder| folder.uploads.job.as_mut())
            && job.missing.len() > missed_before
        {
            job.missed = Some((root, path.clone()));
            self.roots.iter_mut().filter(|known| known.id() == root).for_each(|root| root.suspect(path.clone()));
            self.put_off_upload(index);
        }
    }

    /// Its bytes cannot be read now. Where nobody needs them any more, the message need not wait; where they cannot be read
    /// for long, it goes without them, and they follow.
    fn put_off_upload(&mut self, index: usize) {
        let now = self.shared.now.monotonic;
        let job = self.folders.get(index).and_then(|folder| folder.uploads.job.as_ref());
        let Some(content) = job.map(|job| job.content) else { return };
        let is_needed = !self.is_dead(&content);
        let Some(folder) = self.folders.get_mut(index) else { return };
        let Some(job) = &mut folder.uploads.job else { return };
        job.misses = job.misses.saturating_add(1);
        if is_needed && !job.is_owed && job.misses < UPLOAD_TRIES_MAX {
            let wait = RETRY_MS_MIN.saturating_mul(1u64.checked_shl(job.misses).unwrap_or(u64::MAX));
            job.again = Some(now.plus(wait));
            return;
        }
        let (size, is_owed) = (job.size, job.is_owed);
        folder.uploads.job = None;
        if is_needed && !is_owed {
            folder.uploads.owed.insert(content, size, now);
            match postcard::to_allocvec(&size) {
                Ok(value) => self.shared.saver.put(keys::owed(folder.config.id, &content), value),
                Err(_) => self.shared.saver.fail(),
            }
        }
    }
}

impl Folder {
    fn begin_upload(&mut self, shared: &mut Shared, (content, size): (Hash, u64), is_owed: bool) {
        self.uploads.job = Some(Upload {
            content,
            size,
            manifest: Vec::new(),
            unprobed: VecDeque::new(),
            missing: VecDeque::new(),
            is_owed,
            misses: 0,
            missed: None,
            again: None,
        });
        if size <= u64::from(CHUNK_MIN) {
            return self.cut_upload(&[]);
        }
        if let Some(manifest) = shared.saver.manifest(&content).cloned() {
            return self.cut_upload(&manifest);
        }
        self.uploads.in_flight = true;
        let keys = Vec::from([Key { bytes: keys::manifest(&content) }]);
        self.perform(shared, FolderPurpose::UploadManifest, Work::Load { query: LoadQuery::Keys { keys } });
    }

    pub(super) fn upload_manifest_loaded(&mut self, outcome: Outcome) {
        self.uploads.in_flight = false;
        let pairs = match outcome {
            Outcome::Loaded { pairs, .. } => pairs,
            _ => Vec::new(),
        };
        // A content that stands here and has no manifest is a single chunk.
        let manifest = pairs.into_iter().next().map_or_else(Vec::new, |Pair { value, .. }| value);
        self.cut_upload(&manifest);
    }

    fn cut_upload(&mut self, manifest: &[u8]) {
        let Some(job) = &mut self.uploads.job else { return };
        match Manifest::decode(manifest, &job.content, job.size) {
            Ok(decoded) => {
                job.unprobed = decoded.with_offsets().collect();
                job.manifest = manifest.to_vec();
            }
            Err(_) => {
                let length = u32::try_from(job.size).unwrap_or(u32::MAX);
                job.unprobed = VecDeque::from([(0, Chunk { hash: job.content, length })]);
            }
        }
        let names = job.unprobed.iter().map(|(_, chunk)| chunk.hash);
        self.collection.keep(names.chain([job.content]));
    }

    /// Chunks that are there already, as those of an earlier version of a file are, are not read again.
    fn probe_uploads(&mut self, shared: &mut Shared) {
        let (Some(job), Some(own)) = (&mut self.uploads.job, shared.log.own()) else { return };
        let count = job.unprobed.len().min(PROBE_ITEMS_MAX);
        let chunks: Vec<(u64, Chunk)> = job.unprobed.drain(..count).collect();
        let paths = chunks.iter().map(|(_, chunk)| blob_path(own, &chunk.hash)).collect();
        self.uploads.in_flight = true;
        let work = Work::FolderProbe { folder: self.config.id, paths, count: None };
        self.perform(shared, FolderPurpose::UploadProbe { chunks }, work);
    }

    pub(super) fn uploads_probed(&mut self, chunks: Vec<(u64, Chunk)>, outcome: Outcome) {
        self.uploads.in_flight = false;
        let results = match outcome {
            Outcome::FolderProbed { results, .. } => results,
            _ => Vec::new(),
        };
        let Some(job) = &mut self.uploads.job else { return };
        let mut results = results.into_iter();
        for chunk in chunks {
            if !matches!(results.next(), Some(FolderProbeResult::Present { .. })) {
                job.missing.push_back(chunk);
            }
        }
    }

    /// All chunks are there: the manifest follows them.
    fn end_upload(&mut self, shared: &mut Shared) {
        let Some(job) = &mut self.uploads.job else { return };
        let (manifest, content) = (core::mem::take(&mut job.manifest), job.content);
        let Some(own) = shared.log.own().filter(|_| !manifest.is_empty()) else {
            return self.uploads.end_job(shared, self.config.id);
        };
        let file = FolderFile { path: blob_path(own, &content), bytes: self.blob_of(&content, manifest) };
        self.uploads.in_flight = true;
        let work = Work::FolderCreate { folder: self.config.id, files: Vec::from([file]) };
        self.perform(shared, FolderPurpose::UploadCreate, work);
    }

    pub(super) fn upload_created(&mut self, shared: &mut Shared, outcome: Outcome) {
        self.uploads.in_flight = false;
        let results = match outcome {
            Outcome::FolderWritten { results } => results,
            _ => {
                Vec::from([FolderResult::Failed { failure: Failure::Other { message: "it cannot be written".into() } }])
            }
        };
        // What has a blob's name has its bytes.
        let failed = results.into_iter().find_map(|result| match result {
            FolderResult::Failed { failure } if failure != Failure::Changed => Some(failure),
            _ => None,
        });
        let Some(failure) = failed else { return };
        if self.uploads.job.take_if(|job| job.is_owed).is_none() {
            self.uploads.give_up_with(&mut self.own);
            self.unwritable(shared, &failure);
        }
    }

    fn blob_of(&self, hash: &Hash, bytes: Vec<u8>) -> Vec<u8> {
        match &self.key {
            Some(key) => key.seal_blob(hash, &bytes),
            None => bytes,
        }
    }
}

/// The content that a change brings.
fn named(change: &Change) -> Option<(Hash, u64)> {
    match change {
        Change::Birth { content: Content::File { hash, size }, .. }
        | Change::Version { body: Body::Content(Content::File { hash, size }), .. } => Some((*hash, *size)),
        _ => None,
    }
}

//! Contents of own files go into a folder: their chunks stand there before the message that names them (§6.1).

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{
    Content, Failure, FolderFile, FolderProbeResult, FolderResult, FolderState, Hash, Key, LoadQuery, Outcome, Pair,
    ReadRange, ReadResult, RootId, Work,
};
use crate::content::{CHUNK_MIN, Chunk, Manifest};
use crate::engine::limits::{PROBE_ITEMS_MAX, READ_BYTES_MAX, READ_ITEMS_MAX, UPLOADS_KNOWN_MAX};
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
    /// How often its bytes could not be read.
    misses: u32,
}

/// A content whose file changes each time it is read is left: a later version takes its place.
const MISSES_MAX: u32 = 3;

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

    /// Begins anew another time; what is done stays so.
    pub fn give_up(&mut self) {
        self.queue.clear();
        self.job = None;
        self.in_flight = false;
    }

    /// What stood in the folder may not stand there any more.
    pub fn forget_done(&mut self) {
        if !planted(Planted::UploadsStayDone) {
            self.done.clear();
        }
    }

    fn end_job(&mut self) {
        if let Some(job) = self.job.take() {
            self.done.insert(job.content);
        }
    }

    /// A content cannot be put there now; where a later message names it, it may be.
    fn leave_job(&mut self) {
        self.job = None;
    }
}

impl Engine {
    /// Goes on with the contents that a folder's own messages wait for, until the host has something to do.
    pub(super) fn upload_turn(&mut self, index: usize) {
        let goes_on =
            |folder: &Folder| !folder.uploads.in_flight && folder.own.is_held() && !folder.collection.is_removing();
        while self.folders.get(index).is_some_and(goes_on) {
            self.upload_step(index);
        }
    }

    fn upload_step(&mut self, index: usize) {
        let Some(folder) = self.folders.get_mut(index) else { return };
        if folder.state != FolderState::Following {
            return folder.uploads.give_up_with(&mut folder.own);
        }
        let Some(job) = &mut folder.uploads.job else {
            match folder.uploads.queue.pop_front() {
                Some((content, size)) => folder.begin_upload(&mut self.shared, content, size),
                None => folder.create_held(&mut self.shared),
            }
            return;
        };
        if !job.unprobed.is_empty() {
            folder.probe_uploads(&mut self.shared);
        } else if job.missing.is_empty() {
            folder.end_upload(&mut self.shared);
        } else {
            self.read_uploads(index);
        }
    }

    /// Reads the next chunks from a file that has them.
    fn read_uploads(&mut self, index: usize) {
        let Some(folder) = self.folders.get_mut(index) else { return };
        let Some(job) = &mut folder.uploads.job else { return };
        let holder = self.roots.iter().find_map(|root| Some((root.id(), root.holder(&job.content)?)));
        let Some((root, (path, stat))) = holder.filter(|(_, (_, stat))| stat.size == job.size) else {
            // Nothing here has it any more: a later version takes its place.
            return folder.uploads.leave_job();
        };
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
        let purpose = FolderPurpose::UploadRead { path, chunks };
        self.shared.perform(Purpose::Folder { folder: index, purpose }, Work::Read { root, ranges });
    }

    pub(super) fn upload_read(
        &mut self,
        index: usize,
        path: alloc::string::String,
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
        if job.missing.len() > missed_before {
            job.misses = job.misses.saturating_add(1);
            if job.misses > MISSES_MAX {
                folder.uploads.leave_job();
            }
            self.roots.iter_mut().for_each(|root| root.suspect(path.clone()));
        }
        if let Some(folder) = self.folders.get_mut(index)
            && !files.is_empty()
        {
            let files = files
                .into_iter()
                .map(|(hash, bytes)| FolderFile { path: blob_path(own, &hash), bytes: folder.blob_of(&hash, bytes) });
            let work = Work::FolderCreate { folder: folder.config.id, files: files.collect() };
            folder.uploads.in_flight = true;
            folder.perform(&mut self.shared, FolderPurpose::UploadCreate, work);
        }
    }
}

impl Folder {
    fn begin_upload(&mut self, shared: &mut Shared, content: Hash, size: u64) {
        let (manifest, unprobed) = (Vec::new(), VecDeque::new());
        self.uploads.job = Some(Upload { content, size, manifest, unprobed, missing: VecDeque::new(), misses: 0 });
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
        let Some(own) = shared.log.own().filter(|_| !manifest.is_empty()) else { return self.uploads.end_job() };
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
        if let Some(failure) = failed {
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

impl Uploads {
    /// The messages that wait are taken up again later.
    fn give_up_with(&mut self, own: &mut super::OwnFeeds) {
        self.give_up();
        own.let_go();
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

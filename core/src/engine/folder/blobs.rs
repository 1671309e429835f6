//! Contents of files out of a folder: whoever wrote a message that names one has put its chunks there before.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{Failure, FolderState, Hash, Monotonic, Outcome, ReadResult, ReplicaId, Work};
use crate::content::chunk_hash;
use crate::engine::Engine;
use crate::engine::limits::{
    CHUNK_BYTES_MAX, FOLDER_AUTHORS_ASKED_MAX, FOLDER_READS_MAX, MANIFEST_BYTES_MAX, RETRY_MS, SEALING_BYTES,
};
use crate::engine::root::{Arrival, ChunkWant, ManifestWant};
use crate::engine::shared::Shared;
use crate::folder::blob_path;

/// What is asked of a folder.
pub enum BlobWant {
    /// How a content is cut.
    Manifest(ManifestWant),
    /// One of its chunks.
    Chunk(ChunkWant),
}

/// A want on its way through the authors' directories.
pub struct BlobAsk {
    root: usize,
    want: BlobWant,
    /// How many authors were asked before those that are being asked.
    tried: usize,
    asking: usize,
}

/// What is asked of a folder and did not come yet.
#[derive(Default)]
pub struct Blobs {
    asks: VecDeque<BlobAsk>,
    reading: usize,
    /// Contents that it did not have when it was last asked.
    lacks: BTreeSet<Hash>,
    /// Something came since: those are asked for again, at this time at the earliest.
    has_news: bool,
    again: Monotonic,
}

impl BlobWant {
    fn content(&self) -> Hash {
        match self {
            BlobWant::Manifest(want) => want.content,
            BlobWant::Chunk(want) => want.content,
        }
    }

    /// The blob's name.
    fn hash(&self) -> Hash {
        match self {
            BlobWant::Manifest(want) => want.content,
            BlobWant::Chunk(want) => want.hash,
        }
    }

    fn bytes_max(&self) -> usize {
        match self {
            BlobWant::Manifest(_) => MANIFEST_BYTES_MAX.max(CHUNK_BYTES_MAX),
            BlobWant::Chunk(want) => want.length as usize,
        }
    }
}

impl Blobs {
    /// Blobs came, or may have.
    pub fn hint(&mut self) {
        self.has_news |= !self.lacks.is_empty();
    }

    /// Nothing is asked for.
    pub fn is_idle(&self) -> bool {
        self.asks.is_empty() && self.reading == 0
    }

    /// When what was lacking is asked for again.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.has_news.then_some(self.again)
    }
}

impl Folder {
    /// A content may lie in the folder.
    pub fn may_have(&self, content: &Hash) -> bool {
        self.state == FolderState::Following && !self.feeds.is_empty() && !self.blobs.lacks.contains(content)
    }

    /// Asks for a manifest.
    pub fn ask_manifest(&mut self, root: usize, want: ManifestWant) {
        self.blobs.asks.push_back(BlobAsk { root, want: BlobWant::Manifest(want), tried: 0, asking: 0 });
    }

    /// Asks for a chunk.
    pub fn ask_chunk(&mut self, root: usize, want: ChunkWant) {
        self.blobs.asks.push_back(BlobAsk { root, want: BlobWant::Chunk(want), tried: 0, asking: 0 });
    }

    /// Something may have come that was lacking: it may be asked for again.
    pub(super) fn takes_news(&mut self, now: Monotonic) -> bool {
        let is_due = self.blobs.has_news && self.blobs.again <= now;
        if is_due {
            self.blobs.has_news = false;
            self.blobs.again = now.plus(RETRY_MS);
            self.blobs.lacks.clear();
        }
        is_due
    }

    /// Reads what is asked for, from a few authors' directories at a time.
    pub(super) fn blobs_turn(&mut self, shared: &mut Shared) {
        while self.blobs.reading < FOLDER_READS_MAX
            && let Some(mut ask) = self.blobs.asks.pop_front()
        {
            let authors: Vec<ReplicaId> =
                self.feeds.keys().copied().skip(ask.tried).take(FOLDER_AUTHORS_ASKED_MAX).collect();
            ask.asking = authors.len();
            let hash = ask.want.hash();
            let paths = authors.iter().map(|author| blob_path(*author, &hash)).collect();
            let bytes_max = u32::try_from(ask.want.bytes_max().saturating_add(SEALING_BYTES)).unwrap_or(u32::MAX);
            self.blobs.reading = self.blobs.reading.saturating_add(1);
            let work = Work::FolderRead { folder: self.config.id, paths, bytes_max };
            self.perform(shared, FolderPurpose::Blob { ask }, work);
        }
    }

    fn open_blob(&self, hash: &Hash, file: Vec<u8>) -> Option<Vec<u8>> {
        match &self.key {
            Some(key) => key.open_blob(hash, &file),
            None => Some(file),
        }
    }
}

impl Engine {
    pub(super) fn blob_read(&mut self, index: usize, mut ask: BlobAsk, outcome: Outcome) {
        let Some(folder) = self.folders.get_mut(index) else { return };
        folder.blobs.reading = folder.blobs.reading.saturating_sub(1);
        let results = match outcome {
            Outcome::FolderRead { results } => results,
            _ => Vec::new(),
        };
        let mut elsewhere = Vec::new();
        let authors: Vec<ReplicaId> = folder.feeds.keys().copied().skip(ask.tried).take(ask.asking).collect();
        for (author, result) in authors.into_iter().zip(results) {
            let Some(folder) = self.folders.get(index) else { return };
            let hash = ask.want.hash();
            match result {
                ReadResult::Bytes { bytes } => {
                    let arrival = folder.open_blob(&hash, bytes).and_then(|bytes| arrival(&ask.want, bytes));
                    let stage = match &ask.want {
                        BlobWant::Manifest(want) => want.stage,
                        BlobWant::Chunk(want) => want.stage,
                    };
                    if arrival.is_some_and(|arrival| self.deliver(ask.root, stage, None, arrival)) {
                        return;
                    }
                }
                ReadResult::Failed { failure: Failure::NotLocal } => elsewhere.push(blob_path(author, &hash)),
                ReadResult::Failed { .. } => {}
            }
        }
        let Some(folder) = self.folders.get_mut(index) else { return };
        if !elsewhere.is_empty() {
            let work = Work::FolderFetch { folder: folder.config.id, paths: elsewhere };
            folder.perform(&mut self.shared, FolderPurpose::Fetch, work);
        }
        ask.tried = ask.tried.saturating_add(ask.asking.max(1));
        if ask.tried < folder.feeds.len() {
            folder.blobs.asks.push_front(ask);
            return;
        }
        folder.blobs.lacks.insert(ask.want.content());
        match ask.want {
            BlobWant::Manifest(want) => self.want_manifest_again(ask.root, want),
            BlobWant::Chunk(want) => self.want_chunk_again(ask.root, want),
        }
    }
}

/// What a blob's bytes are for who wants them; none if they are not what its name says. (A manifest is checked by who takes
/// it.) A content of one chunk has no manifest, but its chunk under the same name.
fn arrival(want: &BlobWant, bytes: Vec<u8>) -> Option<Arrival> {
    match want {
        BlobWant::Manifest(want) if chunk_hash(&bytes) == want.content => Some(Arrival::Manifest(Vec::new())),
        BlobWant::Manifest(_) if bytes.is_empty() => None,
        BlobWant::Manifest(_) => Some(Arrival::Manifest(bytes)),
        BlobWant::Chunk(want) => (chunk_hash(&bytes) == want.hash).then_some(Arrival::Chunk(want.index, bytes)),
    }
}

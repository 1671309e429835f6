//! Bringing the content of one file together in the staging area: the chunks that own files have are copied, the others
//! are asked of peers.

mod ask;
mod room;
mod stage;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use self::ask::Parked;
use self::room::Room;
use super::{Root, RootPurpose};
use crate::api::{
    Content, Failure, Hash, Key, LinkId, LoadQuery, NoticeCode, Pair, StageId, StageItem, StageSource, Work,
};
use crate::content::{CHUNK_MAX, CHUNK_MIN, Chunk, Manifest};
use crate::engine::keys;
use crate::engine::limits::{CHUNK_LOOKUPS_MAX, FETCH_BYTES_MAX, FETCHES_MAX, STAGE_BYTES_MAX, STAGE_ITEMS_MAX};
use crate::engine::shared::Shared;
use crate::tree::view::Shown;
use crate::tree::{Name, path};

/// The files that are being brought together.
#[derive(Default)]
pub struct Fetches {
    next_stage: u64,
    jobs: BTreeMap<StageId, Job>,
    by_path: BTreeMap<String, StageId>,
    /// Contents of jobs: a second file with the same waits for the first and is copied from it.
    by_content: BTreeMap<Hash, StageId>,
    waiting: BTreeMap<Hash, Vec<(String, Name)>>,
    /// Contents that are staged and not yet on their place.
    landing: BTreeMap<Hash, usize>,
    /// Jobs with chunks that nothing was done about yet.
    unscheduled: VecDeque<StageId>,
    /// Chunks that are to be asked for, were asked for or handed to the host.
    in_flight_bytes: u64,
    /// Chunks for the next batches.
    to_stage: VecDeque<(StagedChunk, StageItem)>,
    /// To be asked of peers.
    manifest_wants: VecDeque<ManifestWant>,
    chunk_wants: VecDeque<ChunkWant>,
    /// Contents that no peer may have now, and what to ask first when one may: the other chunks of such a file wait
    /// with it, and none of them takes room from other files.
    parked: BTreeMap<Hash, Parked>,
    /// How many are asked of peers.
    asked: usize,
    /// Peers that sent a chunk of a content which did not match its hash.
    distrusted: Vec<(LinkId, Hash)>,
    /// Given up with chunks still at the host: discarded when those are back.
    cancelled: BTreeMap<StageId, usize>,
    /// Paths at which something else was seen than what a file is being brought together for.
    contested: Vec<String>,
    room: Room,
}

struct Job {
    directory: String,
    name: Name,
    conflict_of: Option<Name>,
    shown: Shown,
    content: Hash,
    size: u64,
    chunks: Vec<ChunkTask>,
    next: usize,
    /// Chunks before that one which no peer had: they are scheduled first.
    again: VecDeque<usize>,
    staged: usize,
    /// Chunks at the host.
    at_host: usize,
    in_flight_bytes: u64,
    manifest: Vec<u8>,
    /// It is only brought beside the place where it is to stand in the end.
    is_aside: bool,
}

struct ChunkTask {
    offset: u64,
    chunk: Chunk,
    /// A content that files here have, and where in it the chunk is.
    source: Option<(Hash, u64)>,
    /// One of these files did not have it: if another one does not either, a peer is asked.
    missed: bool,
}

/// A chunk at the host.
pub struct StagedChunk {
    stage: StageId,
    index: usize,
    from: Option<LinkId>,
    copied_from: Option<String>,
}

/// A manifest to ask a peer for.
pub struct ManifestWant {
    /// The file it is for.
    pub stage: StageId,
    /// Its content.
    pub content: Hash,
}

/// A chunk to ask a peer for.
pub struct ChunkWant {
    /// The file it is for.
    pub stage: StageId,
    /// Which of its chunks.
    pub index: usize,
    /// The file's content.
    pub content: Hash,
    /// The file's size.
    pub size: u64,
    /// Where the chunk begins.
    pub offset: u64,
    /// How long it is.
    pub length: u32,
    /// Its hash.
    pub hash: Hash,
}

/// What came of asking a peer.
pub enum Arrival {
    /// A manifest's bytes; empty for a content of one chunk.
    Manifest(Vec<u8>),
    /// A chunk's bytes.
    Chunk(usize, Vec<u8>),
}

impl Fetches {
    /// No file is being brought together.
    pub fn is_idle(&self) -> bool {
        self.jobs.is_empty() && self.cancelled.is_empty()
    }

    /// What is left can only go on when a peer comes that has it.
    pub fn only_wait(&self) -> bool {
        let scheduled = self.unscheduled.is_empty() || self.in_flight_bytes >= FETCH_BYTES_MAX;
        self.asked == 0
            && self.has_wants()
            && scheduled
            && self.to_stage.is_empty()
            && self.cancelled.is_empty()
            && self.jobs.values().all(|job| job.at_host == 0)
    }

    /// Something is wanted that no peer is asked for.
    pub fn has_wants(&self) -> bool {
        !self.manifest_wants.is_empty() || !self.chunk_wants.is_empty() || !self.parked.is_empty()
    }

    /// More chunks may be handed out.
    pub fn wants_turn(&self) -> bool {
        !self.contested.is_empty() || !self.unscheduled.is_empty() && self.in_flight_bytes < FETCH_BYTES_MAX
    }

    /// How many files wait for a peer.
    pub fn waiting(&self) -> usize {
        if self.only_wait() { self.jobs.len() } else { 0 }
    }

    /// Something else was seen at a path, or may stand there: a file that is being brought together for it is given up,
    /// for it could not be put in place, and nothing is found out about what stands there before.
    pub fn contest(&mut self, path: &str) {
        if self.by_path.contains_key(path) {
            self.contested.push(path.to_string());
        }
    }

    /// A file is being brought together for this path, and not as a conflict copy: that is for the plain name's claim
    /// to decide about.
    pub fn is_fetching_plain(&self, path: &str) -> bool {
        let job = self.by_path.get(path).and_then(|stage| self.jobs.get(stage));
        job.is_some_and(|job| job.conflict_of.is_none())
    }

    /// A file is being fetched for a path.
    pub fn is_fetching(&self, path: &str) -> bool {
        self.by_path.contains_key(path)
    }

    /// No more files may be begun now.
    pub fn is_full(&self) -> bool {
        self.jobs.len().saturating_sub(self.parked.len()) >= FETCHES_MAX
    }

    /// A file with this content is not staged yet.
    pub fn wants(&self, content: &Hash) -> bool {
        self.by_content.contains_key(content)
    }

    /// Bytes of the files that are being brought together.
    pub fn pending_bytes(&self) -> u64 {
        self.jobs.values().map(|job| job.size).sum()
    }

    fn new_stage(&mut self) -> StageId {
        let stage = StageId(self.next_stage);
        self.next_stage = self.next_stage.wrapping_add(1);
        stage
    }

    fn forget(&mut self, stage: StageId) -> Option<Job> {
        let job = self.jobs.remove(&stage)?;
        self.by_path.remove(&path::join(&job.directory, &job.name));
        self.by_content.remove(&job.content);
        self.parked.remove(&job.content);
        self.in_flight_bytes = self.in_flight_bytes.saturating_sub(job.in_flight_bytes);
        self.manifest_wants.retain(|want| want.stage != stage);
        self.chunk_wants.retain(|want| want.stage != stage);
        Some(job)
    }
}

impl Root {
    /// Begins to bring a file together, maybe only beside the place where it is to stand in the end.
    pub(in crate::engine::root) fn fetch(
        &mut self,
        shared: &mut Shared,
        directory: &str,
        name: &Name,
        conflict_of: Option<Name>,
        shown: Shown,
        is_aside: bool,
    ) {
        let Content::File { hash: content, size } = shown.content else { return };
        let full = path::join(directory, name);
        if self.fetches.by_content.contains_key(&content) || self.fetches.landing.contains_key(&content) {
            self.fetches.waiting.entry(content).or_default().push((directory.to_string(), name.clone()));
            return;
        }
        if size > crate::content::FILE_MAX || (size == 0 && content != crate::content::chunk_hash(&[])) {
            return self.failed_at(shared, &full, NoticeCode::ContentUnavailable, &Failure::Corrupt);
        }
        let stage = self.fetches.new_stage();
        if !self.finds_room(shared, &full, size, stage) {
            return;
        }
        self.busy.insert(full.clone());
        let (directory, name) = (directory.to_string(), name.clone());
        let job = Job {
            directory,
            name,
            conflict_of,
            shown,
            content,
            size,
            chunks: Vec::new(),
            next: 0,
            again: VecDeque::new(),
            staged: 0,
            at_host: 0,
            in_flight_bytes: 0,
            manifest: Vec::new(),
            is_aside,
        };
        self.fetches.by_path.insert(full, stage);
        self.fetches.by_content.insert(content, stage);
        self.fetches.jobs.insert(stage, job);
        if size == 0 || shared.dry_run {
            return self.fetched(stage);
        }
        if size <= u64::from(CHUNK_MIN) {
            return self.cut(shared, stage, None);
        }
        if let Some(value) = shared.saver.manifest(&content) {
            let pair = Pair { key: Vec::new(), value: value.clone() };
            return self.manifest_loaded(shared, stage, alloc::vec![pair]);
        }
        let keys = alloc::vec![Key { bytes: keys::manifest(&content) }];
        shared.perform_for(self.index, RootPurpose::Manifest(stage), Work::Load { query: LoadQuery::Keys { keys } });
    }

    pub(in crate::engine::root) fn manifest_loaded(&mut self, shared: &mut Shared, stage: StageId, pairs: Vec<Pair>) {
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return };
        if let Some(pair) = pairs.into_iter().next()
            && let Ok(manifest) = Manifest::decode(&pair.value, &job.content, job.size)
        {
            job.manifest = pair.value;
            return self.cut(shared, stage, Some(manifest));
        }
        // A file that stands here and has no manifest is a single chunk.
        let content = job.content;
        let stands_here = self.base.holders(&content).next().is_some();
        if stands_here {
            self.cut(shared, stage, None);
        } else {
            self.fetches.manifest_wants.push_back(ManifestWant { stage, content });
        }
    }

    /// Knows the chunks of a file: one, or those of the manifest.
    fn cut(&mut self, shared: &mut Shared, stage: StageId, manifest: Option<Manifest>) {
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return };
        let holder = self.base.holders(&job.content).next().is_some();
        let source = |offset| holder.then_some((job.content, offset));
        job.chunks = match &manifest {
            Some(manifest) => manifest
                .with_offsets()
                .map(|(offset, chunk)| ChunkTask { offset, chunk, source: source(offset), missed: false })
                .collect(),
            None => {
                let length = u32::try_from(job.size).unwrap_or(u32::MAX);
                let chunk = Chunk { hash: job.content, length };
                alloc::vec![ChunkTask { offset: 0, chunk, source: source(0), missed: false }]
            }
        };
        if holder || manifest.is_none() {
            self.fetches.unscheduled.push_back(stage);
        } else {
            self.look_up_chunks(shared, stage, 0);
        }
    }

    /// Asks the store where chunks occur in files that are here: own files first.
    fn look_up_chunks(&mut self, shared: &mut Shared, stage: StageId, first: usize) {
        let Some(job) = self.fetches.jobs.get(&stage) else { return };
        let chunks = job.chunks.iter().skip(first).take(CHUNK_LOOKUPS_MAX);
        let keys: Vec<Key> = chunks.map(|task| Key { bytes: keys::chunk(&task.chunk.hash) }).collect();
        if keys.is_empty() {
            self.fetches.unscheduled.push_back(stage);
            return;
        }
        let purpose = RootPurpose::Chunks(stage, first);
        shared.perform_for(self.index, purpose, Work::Load { query: LoadQuery::Keys { keys } });
    }

    pub(in crate::engine::root) fn chunks_loaded(
        &mut self,
        shared: &mut Shared,
        stage: StageId,
        first: usize,
        pairs: Vec<Pair>,
    ) {
        let found: BTreeMap<Vec<u8>, (Hash, u64)> =
            pairs.into_iter().filter_map(|pair| Some((pair.key, postcard::from_bytes(&pair.value).ok()?))).collect();
        if let Some(job) = self.fetches.jobs.get_mut(&stage) {
            for task in job.chunks.iter_mut().skip(first).take(CHUNK_LOOKUPS_MAX) {
                task.source = found
                    .get(&keys::chunk(&task.chunk.hash))
                    .filter(|(content, _)| self.base.holders(content).next().is_some())
                    .copied();
            }
        }
        self.look_up_chunks(shared, stage, first.saturating_add(CHUNK_LOOKUPS_MAX));
    }

    pub(in crate::engine::root) fn lookup_failed(&mut self, shared: &mut Shared, stage: StageId) {
        let failure = Failure::Other { message: "the store could not be read".to_string() };
        self.give_up_fetch(shared, stage, &failure);
    }

    /// Hands out chunks, as many as may be in flight, and batches that came together.
    pub(in crate::engine::root) fn fetch_turn(&mut self, shared: &mut Shared) {
        for path in core::mem::take(&mut self.fetches.contested) {
            if let Some(stage) = self.fetches.by_path.get(&path).copied() {
                self.cancel_fetch(shared, stage);
                self.free(&path);
            }
        }
        while self.fetches.in_flight_bytes < FETCH_BYTES_MAX
            && let Some(stage) = self.fetches.unscheduled.front().copied()
        {
            if !self.schedule_next(stage) {
                self.fetches.unscheduled.pop_front();
            }
        }
        while !self.fetches.to_stage.is_empty() {
            self.stage_batch(shared);
        }
    }

    /// Schedules the next chunk of a file; false if it has no more.
    fn schedule_next(&mut self, stage: StageId) -> bool {
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return false };
        if self.fetches.parked.contains_key(&job.content) {
            return false;
        }
        let index = job.again.pop_front().unwrap_or(job.next);
        let Some(task) = job.chunks.get(index) else { return false };
        job.next = job.next.max(index.saturating_add(1));
        let length = u64::from(task.chunk.length);
        job.in_flight_bytes = job.in_flight_bytes.saturating_add(length);
        self.fetches.in_flight_bytes = self.fetches.in_flight_bytes.saturating_add(length);
        self.schedule(stage, index);
        true
    }

    fn schedule(&mut self, stage: StageId, index: usize) {
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return };
        let Some(task) = job.chunks.get(index) else { return };
        let holder = task.source.and_then(|(content, offset)| {
            let mut holders = self.base.holders(&content);
            let free = holders.find(|path| !self.busy.contains(*path));
            Some((free.or_else(|| self.base.holders(&content).next())?.clone(), offset))
        });
        let (offset, length) = (task.offset, task.chunk.length);
        let Some((path, from)) = holder else {
            let hash = task.chunk.hash;
            let want = ChunkWant { stage, index, content: job.content, size: job.size, offset, length, hash };
            self.fetches.chunk_wants.push_back(want);
            return;
        };
        let chunk = StagedChunk { stage, index, from: None, copied_from: Some(path.clone()) };
        let source = StageSource::Copy { path, offset: from };
        let item = StageItem { stage, offset, length, hash: task.chunk.hash, source };
        job.at_host = job.at_host.saturating_add(1);
        self.fetches.to_stage.push_back((chunk, item));
    }

    fn stage_batch(&mut self, shared: &mut Shared) {
        let mut chunks = Vec::new();
        let mut items = Vec::new();
        let mut bytes = 0u64;
        while items.len() < STAGE_ITEMS_MAX
            && bytes < STAGE_BYTES_MAX
            && let Some((chunk, item)) = self.fetches.to_stage.pop_front()
        {
            bytes = bytes.saturating_add(u64::from(item.length));
            chunks.push(chunk);
            items.push(item);
        }
        shared.perform_for(self.index, RootPurpose::Stage(chunks), Work::Stage { root: self.id, items });
    }

    /// A peer answered, or a message folder, which is no link. False if what it sent cannot be what was asked for: that is still to be asked of another.
    pub fn arrived(&mut self, shared: &mut Shared, stage: StageId, from: Option<LinkId>, arrival: Arrival) -> bool {
        let is_sound = self.take_arrival(shared, stage, from, arrival);
        if is_sound {
            self.fetches.asked = self.fetches.asked.saturating_sub(1);
        }
        is_sound
    }

    fn take_arrival(&mut self, shared: &mut Shared, stage: StageId, from: Option<LinkId>, arrival: Arrival) -> bool {
        let Some(job) = self.fetches.jobs.get_mut(&stage) else { return true };
        match arrival {
            Arrival::Manifest(bytes) if bytes.is_empty() => {
                let is_single = job.size <= u64::from(CHUNK_MAX);
                if is_single {
                    self.cut(shared, stage, None);
                }
                is_single
            }
            Arrival::Manifest(bytes) => match Manifest::decode(&bytes, &job.content, job.size) {
                Ok(manifest) => {
                    job.manifest = bytes;
                    self.cut(shared, stage, Some(manifest));
                    true
                }
                Err(_) => false,
            },
            Arrival::Chunk(index, bytes) => {
                let Some(task) = job.chunks.get(index) else { return false };
                if bytes.len() as u64 != u64::from(task.chunk.length) {
                    return false;
                }
                let item = StageItem {
                    stage,
                    offset: task.offset,
                    length: task.chunk.length,
                    hash: task.chunk.hash,
                    source: StageSource::Bytes { bytes },
                };
                job.at_host = job.at_host.saturating_add(1);
                self.fetches.to_stage.push_back((StagedChunk { stage, index, from, copied_from: None }, item));
                true
            }
        }
    }
}

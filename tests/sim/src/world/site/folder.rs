//! What must hold of a device's work on its message folder.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{
        Event, Failure, FolderEntryKind, FolderProbeResult, FolderResult, GroupId, Hash, Outcome, ReadResult,
        ReplicaId, Work, Write, listing,
    },
    content::Manifest,
    folder::{Info, blob_path, is_info, message_path, parse_blob_path, parse_message_path},
    log::{IntervalSet, Message, parse_message_key},
};

use super::{Host, Site};
use crate::{Invariant, folder::FolderCopy};

/// The limits of the engine's work on a message folder, as `core/src/engine/limits.rs` has them.
const READ_ITEMS_MAX: usize = 64;
const CREATE_ITEMS_MAX: usize = 64;
const CREATE_BYTES_MAX: usize = (2 << 20) + (1 << 20) + 64 * 40;
/// Contents of files, of which one more than the bytes may go at once.
const BLOB_ITEMS_MAX: usize = 128;
const BLOB_BYTES_MAX: usize = (4 << 20) + (4 << 20) + 128 * 40;
const REMOVE_ITEMS_MAX: usize = 256 + 16;
const PROBE_ITEMS_MAX: usize = 1_024;
const READS_MAX: usize = 2;
const DELIVER_ITEMS_MAX: usize = 256;
const DELIVER_BYTES_MAX: usize = 2 << 20;

/// What the keys begin with under which a store holds how contents are cut.
const MANIFEST_KEY: u8 = b'x';

/// What an engine was told of its message folder and of what it saved for it.
#[derive(Default)]
pub(super) struct FolderWatch {
    /// The ids that engines of this device wrote under.
    own: BTreeSet<ReplicaId>,
    /// The messages that the engine knows to be saved.
    saved: BTreeSet<(ReplicaId, u64)>,
    /// What checkpoints void that the device saved.
    checkpoints: BTreeMap<(ReplicaId, u64), IntervalSet<u64>>,
    /// The files that the engine was told of.
    named: BTreeSet<String>,
    /// The messages that the engine read under their own names.
    read: BTreeSet<(ReplicaId, u64)>,
    /// How often each file was read.
    reads: BTreeMap<String, u64>,
    /// Others speak with this device directly, too.
    is_linked: bool,
    /// The look at the folder that was made last found this session's `info`.
    found_own: bool,
    /// The engine was told that the folder is not its session's.
    knows_foreign: bool,
}

impl FolderWatch {
    /// A new engine starts, which knows what the store holds.
    pub fn start(&mut self, host: &Host) {
        self.saved = host.store.pairs().filter_map(|(key, _)| parse_message_key(key)).collect();
        self.named.clear();
        self.read.clear();
        (self.found_own, self.knows_foreign) = (true, false);
    }

    /// The engine hears of something.
    pub fn hear(&mut self, event: &Event) {
        match event {
            Event::FolderChanged { paths, .. } => self.named.extend(paths.iter().cloned()),
            Event::LinkUp { .. } => self.is_linked = true,
            _ => {}
        }
    }

    /// The engine is told how a piece of work ended.
    pub fn told(&mut self, work: &Work, outcome: &Outcome) {
        match (work, outcome) {
            (Work::Save { writes }, Outcome::Saved) => {
                self.saved.extend(writes.iter().filter_map(|write| parse_message_key(&write.key)));
            }
            (Work::FolderList { directory, .. }, Outcome::FolderListed { names, .. }) => {
                let names: Vec<_> = listing::names(names).map_while(Result::ok).collect();
                if directory.is_empty() {
                    self.knows_foreign |= !names.iter().any(|(_, name)| is_info(name));
                }
                let is_file = |kind| matches!(kind, FolderEntryKind::File | FolderEntryKind::Placeholder);
                let files = names.iter().filter(|(kind, _)| is_file(*kind));
                self.named.extend(files.map(|(_, name)| format!("{directory}/{name}")));
            }
            (Work::FolderList { directory, .. }, Outcome::Failed { failure: Failure::Missing })
                if directory.is_empty() =>
            {
                self.knows_foreign = true;
            }
            (Work::FolderProbe { paths, .. }, Outcome::FolderProbed { results, .. }) => {
                let is_there = |result: &FolderProbeResult| matches!(result, FolderProbeResult::Present { .. });
                let there = paths.iter().zip(results).filter(|(_, result)| is_there(result));
                self.named.extend(there.map(|(path, _)| path.clone()));
            }
            (Work::FolderCreate { files, .. }, Outcome::FolderWritten { results }) => {
                let taken = FolderResult::Failed { failure: Failure::Changed };
                let taken = files.iter().zip(results).filter(|(_, result)| **result == taken);
                self.named.extend(taken.map(|(file, _)| file.path.clone()));
            }
            (Work::FolderRead { paths, .. }, Outcome::FolderRead { results }) => {
                if paths.iter().any(|path| is_info(path)) {
                    self.knows_foreign = !self.found_own;
                }
                let is_whole = |result: &ReadResult| matches!(result, ReadResult::Bytes { .. });
                let whole = paths.iter().zip(results).filter(|(_, result)| is_whole(result));
                self.read.extend(whole.filter_map(|(path, _)| parse_message_path(path)));
            }
            _ => {}
        }
    }
}

impl Site {
    /// How often each file of the message folder was read.
    pub fn folder_reads(&self) -> &BTreeMap<String, u64> {
        &self.folder.reads
    }

    /// The ids that engines of this device wrote under.
    pub fn incarnations(&self) -> &BTreeSet<ReplicaId> {
        &self.folder.own
    }

    /// An engine asks for work on the message folder, for the application or for the store.
    pub(super) fn check_folder_work(&mut self, work: &Work) {
        if self.config.folders.is_empty() {
            return;
        }
        self.folder.own.extend(self.engine.as_ref().and_then(syncline_core::Engine::replica));
        match work {
            Work::Save { writes } => {
                for message in writes.iter().filter_map(saved_message) {
                    if let Some((voided, _)) = message.checkpoint() {
                        self.folder.checkpoints.insert((message.author, message.counter), voided.clone());
                    }
                }
                let written = writes.iter().filter(|write| write.value.is_some());
                let brought = written.filter_map(|write| parse_message_key(&write.key));
                let unread = brought.filter(|place| !self.folder.is_linked && !self.folder.read.contains(place));
                let unread = unread.filter(|(author, _)| !self.folder.own.contains(author)).collect::<Vec<_>>();
                self.must(Invariant::Authority, unread.is_empty(), || format!("saves {unread:?}, which it never read"));
            }
            Work::FolderCreate { files, .. } => {
                let bytes: usize = files.iter().map(|file| file.bytes.len()).sum();
                let are_blobs = files.iter().all(|file| parse_blob_path(&file.path).is_some());
                let (items_max, bytes_max) = match are_blobs {
                    true => (BLOB_ITEMS_MAX, BLOB_BYTES_MAX),
                    false => (CREATE_ITEMS_MAX, CREATE_BYTES_MAX),
                };
                let is_small = files.len() <= items_max && bytes <= bytes_max;
                self.must(Invariant::Bounds, is_small, || format!("creates {} files of {bytes} bytes", files.len()));
                self.must(Invariant::Containment, !self.folder.knows_foreign, || {
                    "writes into a folder of which it knows that it is not its session's".into()
                });
                for file in files {
                    self.check_created(&file.path);
                }
            }
            Work::FolderRemove { paths, .. } => {
                let is_own_message = |path: &str| parse_message_path(path).is_some_and(|place| self.is_own(place.0));
                let is_own = |path: &String| is_own_message(path) || self.is_own_blob(path);
                let (many, is_small) = (paths.len(), paths.len() <= REMOVE_ITEMS_MAX);
                self.must(Invariant::Bounds, is_small, || format!("removes {many} files at once"));
                self.must(Invariant::Containment, paths.iter().all(is_own), || format!("removes {paths:?}"));
            }
            Work::FolderRead { paths, .. } => {
                let under_way = self.pending.iter().map(|pending| &pending.work);
                let reads = under_way.filter(|work| matches!(work, Work::FolderRead { .. })).count();
                // One more compares an own file, and one reads the `info`s.
                // As many again read contents of files.
                let is_bounded = paths.len() <= READ_ITEMS_MAX && reads < 2 * READS_MAX + 2;
                self.must(Invariant::Bounds, is_bounded, || format!("reads {} files, {reads} times", paths.len()));
                let is_blob = |path: &str| parse_blob_path(path).is_some();
                let is_told = |path: &&String| is_info(path) || is_blob(path) || self.folder.named.contains(*path);
                let untold = paths.iter().find(|path| !is_told(path));
                self.must(Invariant::Containment, untold.is_none(), || format!("reads {untold:?}, which nobody named"));
                for path in paths {
                    *self.folder.reads.entry(path.clone()).or_default() += 1;
                }
            }
            Work::FolderProbe { paths, .. } => {
                let many = paths.len();
                self.must(Invariant::Bounds, many <= PROBE_ITEMS_MAX, || format!("probes {many} names at once"));
            }
            Work::Deliver { messages } => {
                let bytes: usize = messages.iter().map(|message| message.payload.len()).sum();
                let is_small = bytes <= DELIVER_BYTES_MAX || messages.len() == 1;
                let (many, under_way) = (messages.len(), self.pending.iter().map(|pending| &pending.work));
                let alone = !under_way.chain(self.done.iter().map(|done| &done.work)).any(is_delivery);
                self.must(Invariant::Bounds, is_small && many <= DELIVER_ITEMS_MAX && many > 0 && alone, || {
                    format!("delivers {many} messages of {bytes} bytes at once, alone: {alone}")
                });
            }
            _ => {}
        }
    }

    /// The device is about to remove files of the message folder: none is a message that was written there, but for those
    /// that a checkpoint of it voids which was written there, too, or a blob that one needs.
    pub(super) fn check_removal(&mut self, work: &Work) {
        match work {
            Work::FolderRemove { paths, .. } => {
                let has_blobs = paths.iter().any(|path| parse_blob_path(path).is_some());
                let owed = if has_blobs { self.owed_blobs() } else { BTreeSet::new() };
                for path in paths.iter().filter(|path| self.host.folder.at(path).is_some()) {
                    if let Some(hash) = parse_blob_path(path) {
                        self.must(Invariant::NoLoss, !owed.contains(&hash), || {
                            format!("removes `{path}`, which a living version needs")
                        });
                        self.coverage.count("blob collected");
                        continue;
                    }
                    let bytes = self.host.folder.at(path).map(|file| file.bytes.as_slice());
                    let is_whole = bytes.is_some_and(|bytes| self.judge.was_created(path, bytes));
                    let is_whole = is_whole && !self.is_void(path);
                    self.must(Invariant::NoLoss, !is_whole, || format!("removes `{path}`, which is a whole message"));
                }
            }
            Work::FolderList { directory, .. } if directory.is_empty() => {}
            Work::FolderRead { paths, .. } if paths.iter().any(|path| is_info(path)) => {
                self.folder.found_own = is_of(&self.host.folder, paths, self.config.group.id);
            }
            _ => {}
        }
    }

    /// The message of this file is void by a checkpoint that the device saved and wrote into the folder, whatever became of
    /// that, or that stands there since the folder was put back.
    fn is_void(&self, path: &str) -> bool {
        let Some((author, counter)) = parse_message_path(path) else { return false };
        let stood = |path: &str| self.judge.has_created(path) || self.host.folder.at_all(path).is_some();
        let mut checkpoints = self.folder.checkpoints.range((author, 0)..=(author, u64::MAX));
        checkpoints.any(|((_, at), voided)| voided.contains(counter) && stood(&message_path(author, *at)))
    }

    fn check_created(&self, path: &str) {
        if parse_blob_path(path).is_some() {
            let is_own = self.is_own_blob(path);
            return self.must(Invariant::Containment, is_own, || format!("creates the blob `{path}` of another"));
        }
        let place = parse_message_path(path).filter(|(author, counter)| message_path(*author, *counter) == path);
        let is_own = place.is_some_and(|(author, _)| self.is_own(author));
        self.must(Invariant::Containment, is_own, || format!("creates `{path}`, which is not in its own directory"));
        let is_saved = place.is_some_and(|place| self.folder.saved.contains(&place));
        self.must(Invariant::CrashSafety, is_saved, || format!("creates `{path}`, which it does not know to be saved"));
    }

    /// The names of all blobs that who reads the folder may ask this device for.
    pub fn owed_blobs(&self) -> BTreeSet<Hash> {
        let mut names = BTreeSet::new();
        for (content, size) in self.judge.owed(&self.folder.own) {
            names.insert(content);
            let manifest = self.host.store.value(&[&[MANIFEST_KEY], content.as_bytes().as_slice()].concat());
            let manifest = manifest.and_then(|manifest| Manifest::decode(manifest, &content, size).ok());
            names.extend(manifest.iter().flat_map(Manifest::chunks).map(|chunk| chunk.hash));
        }
        names
    }

    /// The blobs in the message folder that this device put there.
    pub fn own_blobs(&self) -> BTreeSet<Hash> {
        let own = self.host.folder.files().filter(|(path, _)| self.is_own_blob(path));
        own.filter_map(|(path, _)| parse_blob_path(path)).collect()
    }

    fn is_own_blob(&self, path: &str) -> bool {
        let hash = parse_blob_path(path);
        hash.is_some_and(|hash| self.folder.own.iter().any(|own| blob_path(*own, &hash) == path))
    }

    /// An incarnation of this device, also one that another engine of it learned of from its folder.
    fn is_own(&self, author: ReplicaId) -> bool {
        self.folder.own.contains(&author)
    }

    fn must(&self, invariant: Invariant, holds: bool, what: impl FnOnce() -> String) {
        self.judge.must(invariant, holds, || format!("device {} {}", self.number, what()));
    }
}

fn is_delivery(work: &Work) -> bool {
    matches!(work, Work::Deliver { .. })
}

/// The folder is there and holds this session, as far as can be seen in these of its files.
fn is_of(folder: &FolderCopy, paths: &[String], session: GroupId) -> bool {
    let infos = paths.iter().filter_map(|path| folder.at(path)).filter(|file| file.is_local && !file.is_link);
    let chosen = Info::choose(infos.map(|file| Info::parse(&file.bytes)));
    folder.is_there && chosen.is_ok_and(|info| info.session == session)
}

/// What a message of the store says; none for anything else.
pub(crate) fn payload(message: &[u8]) -> Option<Vec<u8>> {
    let (message, _) = Message::decode(message).ok()?;
    message.payload().map(Vec::from)
}

/// The message that a write saves, if it saves one.
fn saved_message(write: &Write) -> Option<Message> {
    parse_message_key(&write.key)?;
    Message::decode(write.value.as_ref()?).ok().map(|(message, _)| message)
}

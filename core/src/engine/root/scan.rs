//! What stands on disk: directories are listed, what differs from base is read.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Root, RootPurpose};
use crate::api::listing::{self, Entry};
use crate::api::{Content, EntryKind, Failure, Hash, HashItem, HashResult, NoticeCode, Stat, Work};
use crate::content::Manifest;
use crate::engine::keys;
use crate::engine::limits::{
    DEPTH_MAX, HASH_BATCH_BYTES_MAX, HASH_BYTES_MAX, HASH_ITEMS_MAX, HASH_TASKS_MAX, LISTS_MAX, PATH_BYTES_MAX,
    SYMLINK_TARGET_BYTES_MAX,
};
use crate::engine::shared::Shared;
use crate::planted::{Planted, planted};
use crate::tree::absorb::Found;
use crate::tree::base::{BaseEntry, Standing};
use crate::tree::{Name, path};

/// A directory to list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListJob {
    /// Its path.
    pub directory: String,
    /// Also the directories below it.
    pub recursive: bool,
    /// Go on behind this name.
    pub after: Option<String>,
}

impl ListJob {
    /// A directory and everything below it.
    pub fn below(directory: String) -> Self {
        Self { directory, recursive: true, after: None }
    }
}

/// What is being listed and read.
#[derive(Default)]
pub struct Scan {
    queue: VecDeque<ListJob>,
    listing: usize,
    /// Files and links to read, and their sizes.
    to_hash: VecDeque<(String, u64)>,
    hashing: usize,
    hashing_bytes: u64,
    /// Entries that are left alone, by directory.
    oddities: BTreeMap<String, Oddities>,
}

#[derive(Default)]
struct Oddities {
    skipped: BTreeSet<String>,
    unreadable: BTreeSet<String>,
}

impl Scan {
    /// Lists a directory, unless it is about to be.
    pub fn add(&mut self, job: ListJob) {
        if !self.queue.contains(&job) {
            self.queue.push_back(job);
        }
    }

    /// More can be listed or read without any event from outside.
    pub fn wants_turn(&self) -> bool {
        !self.queue.is_empty() && self.listing < LISTS_MAX || !self.to_hash.is_empty() && self.can_hash()
    }

    fn can_hash(&self) -> bool {
        let has_task = self.hashing < HASH_TASKS_MAX || planted(Planted::HashUnbounded);
        has_task && (self.hashing == 0 || self.hashing_bytes < HASH_BYTES_MAX)
    }

    /// Nothing is being listed or read.
    pub fn is_idle(&self) -> bool {
        self.is_listed() && self.to_hash.is_empty() && self.hashing == 0
    }

    /// Nothing is being listed.
    pub fn is_listed(&self) -> bool {
        self.queue.is_empty() && self.listing == 0
    }

    /// How many entries are of kinds that are not kept.
    pub fn skipped(&self) -> u64 {
        self.oddities.values().map(|oddities| oddities.skipped.len() as u64).sum()
    }

    /// How many entries could not be read or named.
    pub fn unreadable(&self) -> u64 {
        self.oddities.values().map(|oddities| oddities.unreadable.len() as u64).sum()
    }

    fn note_unreadable(&mut self, directory: &str, name: &str) -> bool {
        self.oddities.entry(directory.to_string()).or_default().unreadable.insert(name.to_string())
    }

    /// A path could be read, or nothing is there any more.
    pub fn forget_unreadable(&mut self, path: &str) {
        // Asked for every entry of every listing, and nearly always there is nothing.
        if !self.oddities.is_empty()
            && let Some((directory, name)) = path::split(path)
            && let Some(oddities) = self.oddities.get_mut(directory)
        {
            oddities.unreadable.remove(name.as_str());
        }
    }
}

impl Root {
    /// Asks for the next listings and readings.
    pub(super) fn scan_turn(&mut self, shared: &mut Shared) {
        while self.scan.listing < LISTS_MAX
            && let Some(job) = self.scan.queue.pop_front()
        {
            self.scan.listing = self.scan.listing.saturating_add(1);
            let work = Work::List { root: self.id, directory: job.directory.clone(), after: job.after.clone() };
            shared.perform_for(self.index, RootPurpose::List(job), work);
        }
        while !self.scan.to_hash.is_empty() && self.scan.can_hash() {
            let items = self.next_hash_batch();
            let paths = items.iter().map(|item| item.path.clone()).collect();
            shared.perform_for(self.index, RootPurpose::Hash(paths), Work::Hash { root: self.id, items });
        }
    }

    fn next_hash_batch(&mut self) -> Vec<HashItem> {
        let mut items = Vec::new();
        let mut bytes = 0u64;
        while items.len() < if planted(Planted::HashUnbounded) { 1 } else { HASH_ITEMS_MAX }
            && bytes < HASH_BATCH_BYTES_MAX
            && let Some((path, size)) = self.scan.to_hash.pop_front()
        {
            bytes = bytes.saturating_add(size);
            items.push(HashItem { path, size });
        }
        self.scan.hashing = self.scan.hashing.saturating_add(1);
        self.scan.hashing_bytes = self.scan.hashing_bytes.saturating_add(bytes);
        items
    }

    pub(super) fn listed(&mut self, shared: &mut Shared, job: ListJob, listing: &[u8], more: bool, marker: bool) {
        self.scan.listing = self.scan.listing.saturating_sub(1);
        if !marker && !planted(Planted::MarkerIgnored) {
            return self.halt(shared);
        }
        let Ok(entries) = listing::entries(listing) else {
            shared.notify(NoticeCode::HostError, "a directory listing is malformed");
            let failure = Failure::Other { message: "the host's listing is malformed".to_string() };
            self.scan.listing = self.scan.listing.saturating_add(1);
            return self.list_failed(shared, job, failure);
        };
        self.was_read(&job.directory);
        let known = if job.after.is_none() {
            self.scan.oddities.remove(&job.directory).unwrap_or_default()
        } else {
            Oddities::default()
        };
        if entries.is_empty() && job.after.is_none() {
            self.let_go(&job.directory);
        }
        let last = if more || planted(Planted::ListingTailUnseen) {
            entries.last().map(|entry| entry.name.clone())
        } else {
            None
        };
        let mut missing: BTreeSet<Name> =
            self.base.children_between(&job.directory, job.after.as_deref(), last.as_deref()).into_iter().collect();
        let ends_before = |name: &Name| last.as_deref().is_none_or(|last| name.as_str() <= last);
        let begins_behind = |name: &Name| job.after.as_deref().is_none_or(|after| name.as_str() > after);
        let unsent = self.unsent_in(&job.directory).into_iter();
        missing.extend(unsent.filter(|name| begins_behind(name) && ends_before(name)));
        for entry in entries {
            missing.remove(entry.name.as_str());
            self.seen(shared, &job, entry, &known);
        }
        for name in missing {
            self.vanished(shared, &path::join(&job.directory, &name));
        }
        if more && last.is_some() {
            self.scan.queue.push_front(ListJob { after: last, ..job });
        }
    }

    pub(super) fn list_failed(&mut self, shared: &mut Shared, job: ListJob, failure: Failure) {
        self.scan.listing = self.scan.listing.saturating_sub(1);
        if planted(Planted::ErrorAsAbsence) {
            self.base.below(&job.directory).into_iter().for_each(|path| self.look(path));
        }
        match (failure, path::split(&job.directory)) {
            // It was there when its own directory was listed: whether it is gone is decided like for any path.
            (Failure::Missing | Failure::Changed, Some(_)) => self.look(job.directory),
            (failure, parent) => {
                let (directory, name) = parent.map_or(("", ""), |(directory, _)| {
                    (directory, job.directory.rsplit('/').next().unwrap_or_default())
                });
                self.scan.note_unreadable(directory, name);
                self.failed_at(shared, &job.directory, NoticeCode::Unreadable, &failure);
            }
        }
    }

    /// Takes one entry of a directory.
    fn seen(&mut self, shared: &mut Shared, job: &ListJob, entry: Entry, known: &Oddities) {
        let Entry { name, stat } = entry;
        let directory = &job.directory;
        let path = path::join(directory, &name);
        let Ok(valid) = Name::new(name.as_str()) else {
            return self.odd(shared, directory, name, NoticeCode::Unrepresentable, known);
        };
        if is_reserved(&path) {
            return;
        }
        let too_deep = path::depth(&path) > DEPTH_MAX || path.len() > PATH_BYTES_MAX;
        match stat.kind {
            EntryKind::Special => self.odd(shared, directory, name, NoticeCode::Skipped, known),
            EntryKind::Unnameable => self.odd(shared, directory, name, NoticeCode::Unrepresentable, known),
            _ if too_deep => self.odd(shared, directory, name, NoticeCode::Unrepresentable, known),
            EntryKind::Directory => {
                self.examine(shared, directory, &valid, stat);
                if job.recursive {
                    self.scan.add_below(path);
                } else if self.is_unread(&path) {
                    self.scan.note_unreadable(directory, &name);
                }
            }
            EntryKind::File | EntryKind::Symlink => self.examine(shared, directory, &valid, stat),
        }
    }

    /// Something stands at a path: finds out whether it is what base says.
    pub(super) fn examine(&mut self, shared: &mut Shared, directory: &str, name: &Name, stat: Stat) {
        let path = path::join(directory, name);
        if self.is_held(&path) {
            self.release(&path);
        }
        if self.busy.contains(&path) {
            if !self.is_known(directory, name, &stat) {
                self.fetches.contest(&path);
            }
            if !planted(Planted::AgainDropped) {
                self.again.insert(path);
            }
            return;
        }
        if stat.kind == EntryKind::Directory {
            let mode = self.bits(directory, name, &Content::Directory, stat.mode);
            let found = Found { content: Content::Directory, mode };
            self.absorb(shared, directory, name, Some(found), Some(stat));
            return;
        }
        if !self.base.is_empty(&path) && !planted(Planted::SupplantedIgnored) {
            return self.supplanted(path);
        }
        let entry = self.base.entry(directory, name);
        let unchanged = entry.is_some_and(|entry| {
            entry.intent.is_none() && entry.standing.is_some() && is_proven_unchanged(entry.stat, stat)
        });
        let is_unsent = self.is_unsent(&path);
        if unchanged && !is_unsent || self.is_unsent_as(&path, stat) {
            self.was_read(&path);
            return;
        }
        self.busy.insert(path.clone());
        self.scan.to_hash.push_back((path, stat.size));
    }

    /// The bits of what was found. A host that tells none has nothing to say of them: what stood there keeps its own, and
    /// what is new gets the usual ones.
    fn bits(&self, directory: &str, name: &Name, found: &Content, mode: u16) -> u16 {
        let is_directory = *found == Content::Directory;
        match found {
            Content::Symlink { .. } => 0,
            _ if mode != 0 => mode,
            _ => {
                let entry = self.base.entry(directory, name);
                let intended = entry.and_then(|entry| entry.intent.as_ref()?.standing.as_ref());
                let stood = entry.and_then(|entry| entry.standing.as_ref());
                let is_alike = |known: &&Standing| match known.content {
                    Content::Symlink { .. } => false,
                    ref content => (*content == Content::Directory) == is_directory,
                };
                let is_found = |known: &&Standing| known.content == *found;
                let known = intended.filter(is_found).or(stood.filter(is_alike));
                known.map_or(if is_directory { 0o755 } else { 0o644 }, |known| known.mode)
            }
        }
    }

    /// Nothing shows that another thing stands at a path than base says; of a directory the kind is enough.
    fn is_known(&self, directory: &str, name: &Name, stat: &Stat) -> bool {
        let Some(BaseEntry { standing: Some(standing), stat: known, .. }) = self.base.entry(directory, name) else {
            return false;
        };
        let is_directory = stat.kind == EntryKind::Directory;
        let is_same = known.is_some_and(|known| Stat { settled: stat.settled, ..known } == *stat);
        is_directory == (standing.content == Content::Directory) && (is_directory || is_same)
    }

    pub(super) fn hashed(&mut self, shared: &mut Shared, paths: Vec<String>, results: Vec<HashResult>) {
        self.scan.hashing = self.scan.hashing.saturating_sub(1);
        if self.scan.hashing == 0 {
            self.scan.hashing_bytes = 0;
        }
        let mut results = results.into_iter();
        for path in paths {
            let failure = Failure::Other { message: "the host gave no result".to_string() };
            let result = results.next().unwrap_or(HashResult::Failed { failure });
            self.hashed_one(shared, &path, result);
        }
    }

    pub(super) fn hash_failed(&mut self, shared: &mut Shared, paths: Vec<String>, failure: &Failure) {
        let results = paths.iter().map(|_| HashResult::Failed { failure: failure.clone() }).collect();
        self.hashed(shared, paths, results);
    }

    fn hashed_one(&mut self, shared: &mut Shared, path: &str, result: HashResult) {
        self.busy.remove(path);
        let Some((directory, name)) = path::split(path) else { return };
        match result {
            HashResult::Hashed { content, stat, manifest } if is_sound(&content) => {
                if let Content::File { hash, size } = &content {
                    self.scan.hashing_bytes = self.scan.hashing_bytes.saturating_sub(*size);
                    save_manifest(shared, hash, *size, &manifest);
                }
                self.scan.forget_unreadable(path);
                let mode = self.bits(directory, &name, &content, stat.mode);
                self.absorb(shared, directory, &name, Some(Found { content, mode }), Some(stat));
            }
            HashResult::Hashed { .. } => self.unreadable(shared, path, &Failure::Unrepresentable),
            // It is looked at as soon as it is free: a look that began before would not keep it busy.
            HashResult::Failed { failure: Failure::Missing } => drop(self.again.insert(path.to_string())),
            HashResult::Failed { failure } => self.unreadable(shared, path, &failure),
        }
        self.free(path);
    }

    /// A path could not be read: it is tried again; nothing is concluded from it.
    pub(super) fn unreadable(&mut self, shared: &mut Shared, path: &str, failure: &Failure) {
        if let Some((directory, name)) = path::split(path)
            && *failure != Failure::Changed
        {
            self.scan.note_unreadable(directory, &name);
        }
        if !planted(Planted::UnreadableForgotten) {
            self.failed_at(shared, path, NoticeCode::Unreadable, failure);
        }
    }

    fn odd(&mut self, shared: &mut Shared, directory: &str, name: String, code: NoticeCode, known: &Oddities) {
        let oddities = self.scan.oddities.entry(directory.to_string()).or_default();
        let (set, old, message) = match code {
            NoticeCode::Skipped => (&mut oddities.skipped, &known.skipped, "a socket, device or pipe is left alone"),
            _ => (
                &mut oddities.unreadable,
                &known.unreadable,
                "a name that is no UTF-8, too long or too deep is left alone",
            ),
        };
        if !old.contains(&name) {
            shared.notify_about(code, message, Some(self.id), Some(&path::join(directory, &name)));
        }
        set.insert(name);
    }
}

/// Only metadata read long enough after the last write proves that nothing was written since.
pub(super) fn is_proven_unchanged(known: Option<Stat>, stat: Stat) -> bool {
    if planted(Planted::UnsettledStatTrusted) {
        return known.is_some_and(|known| Stat { settled: stat.settled, ..known } == stat);
    }
    stat.settled && known == Some(stat)
}

impl Scan {
    /// Deep first, so that the queue stays short.
    fn add_below(&mut self, directory: String) {
        self.queue.push_front(ListJob::below(directory));
    }
}

/// Syncline's own folder in the root: no work and no change names it.
pub fn is_reserved(path: &str) -> bool {
    let is_own = |first: &str| first.eq_ignore_ascii_case(".syncline");
    path.split('/')
        .next()
        .is_some_and(|first| is_own(first) && !(planted(Planted::ReservedNameInCapitals) && first != ".syncline"))
}

fn is_sound(content: &Content) -> bool {
    match content {
        Content::Symlink { target } => {
            !target.is_empty() && target.len() <= SYMLINK_TARGET_BYTES_MAX && !target.contains(&0)
        }
        _ => true,
    }
}

/// Keeps the manifest of a content that stands here, and where its chunks are.
pub fn save_manifest(shared: &mut Shared, content: &Hash, size: u64, bytes: &[u8]) {
    if bytes.is_empty() {
        return;
    }
    let Ok(manifest) = Manifest::decode(bytes, content, size) else {
        shared.notify(NoticeCode::HostError, "a file's manifest does not match its content id");
        return;
    };
    for (offset, chunk) in manifest.with_offsets() {
        if let Ok(value) = postcard::to_allocvec(&(*content, offset)) {
            shared.saver.put(keys::chunk(&chunk.hash), value);
        }
    }
    shared.saver.put_manifest(content, bytes.to_vec());
}

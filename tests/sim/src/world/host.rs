//! What a host does with the engine's work, as the boundary documents it.

use syncline_core::api::{
    CommitItem, CommitResult, Content, Failure, FolderResult, HashItem, HashResult, Outcome, ProbeResult, Put,
    ReadRange, ReadResult, RootId, StageItem, StageResult, StageSource, Stat, Work, Write, listing,
};

use super::{Store, crash::Raced, store::Before};
use crate::{
    Database, Disk, Faults, Reading, digest,
    disk::{Body, Reach, Undo, parent},
    folder::{Application, FolderCopy},
};

/// How many entries a page of a listing holds.
const PAGE_ENTRIES: usize = 1_000;

/// How work is undone by a loss of power before the engine knows that it was done.
pub(crate) enum Undone {
    /// It changed nothing.
    Nothing,
    /// A batch of the store.
    Save(Before),
    /// Changes of the tree.
    Commit(Vec<Undo>),
    /// Files that were created in the message folder.
    Created(Vec<String>),
}

/// One device: a folder and a store.
pub struct Host {
    /// The folder.
    pub disk: Disk,
    /// The store.
    pub store: Store,
    /// What the last crash left in the history though people had just written to it.
    pub(crate) raced: Vec<Raced>,
    root: RootId,
    /// This device's copy of a message folder.
    pub folder: FolderCopy,
    /// Who application messages are for.
    pub application: Application,
    /// Whose rows are kept in agreement.
    pub database: Database,
    /// What the running engine was given of what people changed in it.
    pub(crate) given: u64,
    /// It was given what was changed before it ran.
    pub(crate) has_given: bool,
}

impl Host {
    /// A device with an empty folder and an empty store.
    pub fn new(root: RootId, disk: Disk) -> Host {
        Host {
            disk,
            store: Store::default(),
            raced: Vec::new(),
            root,
            folder: FolderCopy::default(),
            application: Application::default(),
            database: Database::default(),
            given: 0,
            has_given: false,
        }
    }

    /// Does the work and tells how it ended.
    pub fn perform(&mut self, work: Work) -> Outcome {
        self.carry_out(&work).0
    }

    /// How often each kind of fault struck so far.
    pub fn faults(&self) -> Faults {
        self.disk.faults()
    }

    /// Does the work, and tells how it ended and how a loss of power undoes it while the engine does not know of it.
    pub(crate) fn carry_out(&mut self, work: &Work) -> (Outcome, Undone) {
        let outcome = match work {
            Work::Load { query } => self.store.load(query),
            Work::Save { writes } => return self.save(writes.clone()),
            Work::List { root, directory, after } => self.list(*root, directory, after.as_deref()),
            Work::Probe { root, paths } => self.probe(*root, paths),
            Work::Hash { root, items } => self.hash(*root, items),
            Work::Read { root, ranges } => self.read(*root, ranges),
            Work::Stage { root, items } => self.stage(*root, items),
            Work::Commit { root, items } => return self.commit(*root, items),
            Work::Discard { root, stages } => {
                self.check_root(*root);
                self.disk.staging.retain(|stage, _| !stages.is_empty() && !stages.iter().any(|id| id.0 == *stage));
                Outcome::Discarded
            }
            Work::Deliver { messages } => self.application.deliver(messages),
            Work::ApplyRows { sequence, rows } => self.database.apply(*sequence, rows),
            work => self.folder.perform(work).expect("all other work is a folder's"),
        };
        let undone = match (work, &outcome) {
            (Work::FolderCreate { files, .. }, Outcome::FolderWritten { results }) => {
                let done = files.iter().zip(results).filter(|(_, result)| **result == FolderResult::Done);
                Undone::Created(done.map(|(file, _)| file.path.clone()).collect())
            }
            _ => Undone::Nothing,
        };
        (outcome, undone)
    }

    fn save(&mut self, writes: Vec<Write>) -> (Outcome, Undone) {
        let (outcome, before) = self.store.write(writes);
        if matches!(outcome, Outcome::Failed { .. }) {
            let written = !before.is_empty();
            self.disk.strike(|faults| if written { faults.saves_failed_late += 1 } else { faults.saves_failed += 1 });
        }
        (outcome, Undone::Save(before))
    }

    fn list(&self, root: RootId, directory: &str, after: Option<&str>) -> Outcome {
        self.check_root(root);
        let page = self
            .disk
            .lookup(directory)
            .and_then(|number| self.disk.list(number, after, PAGE_ENTRIES).ok_or(Failure::Changed));
        match page {
            Ok((entries, more)) => {
                let mut packed = Vec::new();
                for entry in entries {
                    listing::push(&mut packed, &entry.name, &entry.stat);
                }
                Outcome::Listed { listing: packed, more, marker: self.disk.marker }
            }
            Err(failure) => Outcome::Failed { failure },
        }
    }

    fn probe(&self, root: RootId, paths: &[String]) -> Outcome {
        self.check_root(root);
        let probe = |path: &String| match self.disk.lookup(path) {
            Ok(number) => ProbeResult::Present { stat: self.disk.stat(number) },
            Err(failure) => ProbeResult::Failed { failure },
        };
        Outcome::Probed { results: paths.iter().map(probe).collect(), marker: self.disk.marker }
    }

    fn hash(&mut self, root: RootId, items: &[HashItem]) -> Outcome {
        self.check_root(root);
        let mut hash = |item: &HashItem| {
            let number = self.disk.lookup(&item.path)?;
            let flipped = self.disk.flipped(Reading::Hashed, number);
            let (content, manifest) = match self.disk.body_of(number) {
                Body::File(bytes) => digest::content(flipped.as_deref().unwrap_or(bytes)),
                Body::Symlink(target) => (Content::Symlink { target: target.clone() }, Vec::new()),
                Body::Directory(_) | Body::Special => return Err(Failure::Changed),
            };
            Ok(HashResult::Hashed { content, stat: self.disk.stat(number), manifest })
        };
        let hash = |item| hash(item).unwrap_or_else(|failure| HashResult::Failed { failure });
        Outcome::Hashed { results: items.iter().map(hash).collect() }
    }

    fn read(&mut self, root: RootId, ranges: &[ReadRange]) -> Outcome {
        self.check_root(root);
        let mut read = |range: &ReadRange| {
            let number = self.disk.lookup(&range.path)?;
            let (Body::File(bytes), true) = (self.disk.body_of(number), same(&self.disk.stat(number), &range.stat))
            else {
                return Err(Failure::Changed);
            };
            let mut bytes = slice(bytes, range.offset, range.length).ok_or(Failure::Changed)?.to_vec();
            self.disk.maybe_flip(Reading::Range, &mut bytes);
            Ok(ReadResult::Bytes { bytes })
        };
        let read = |range| read(range).unwrap_or_else(|failure| ReadResult::Failed { failure });
        Outcome::Read { results: ranges.iter().map(read).collect() }
    }

    fn stage(&mut self, root: RootId, items: &[StageItem]) -> Outcome {
        self.check_root(root);
        let stage = |item| match self.stage_one(item) {
            Ok(()) => StageResult::Staged,
            Err(failure) => StageResult::Failed { failure },
        };
        Outcome::Staged { results: items.iter().map(stage).collect() }
    }

    fn stage_one(&mut self, item: &StageItem) -> Result<(), Failure> {
        let mut bytes = self.chunk(item)?;
        if bytes.len() != item.length as usize || digest::chunk(&bytes) != item.hash {
            return Err(Failure::Corrupt);
        }
        self.disk.take_space(bytes.len())?;
        let flipped = self.disk.maybe_flip(Reading::Staged, &mut bytes);
        match self.disk.staging.get(&item.stage.0) {
            None if item.offset == 0 => drop(self.disk.staging.insert(item.stage.0, bytes)),
            _ => self.write_staged(item, &bytes),
        }
        if flipped { Err(Failure::Corrupt) } else { Ok(()) }
    }

    /// The bytes that a staged file shall get.
    pub(crate) fn chunk(&self, item: &StageItem) -> Result<Vec<u8>, Failure> {
        match &item.source {
            StageSource::Bytes { bytes } => Ok(bytes.clone()),
            StageSource::Copy { path, offset } => {
                let number = self.disk.lookup(path)?;
                let Body::File(bytes) = self.disk.body_of(number) else { return Err(Failure::Changed) };
                Ok(slice(bytes, *offset, item.length).ok_or(Failure::Changed)?.to_vec())
            }
        }
    }

    pub(crate) fn write_staged(&mut self, item: &StageItem, bytes: &[u8]) {
        let file = self.disk.staging.entry(item.stage.0).or_default();
        let (start, end) = (item.offset as usize, item.offset as usize + bytes.len());
        file.resize(file.len().max(end), 0);
        file[start..end].copy_from_slice(bytes);
    }

    fn commit(&mut self, root: RootId, items: &[CommitItem]) -> (Outcome, Undone) {
        self.check_root(root);
        self.disk.set_acting_host(true);
        let mut undos = Vec::with_capacity(items.len());
        let commit = |item| match self.commit_one(item) {
            Ok((stat, undo)) => {
                undos.push(undo);
                CommitResult::Committed { stat }
            }
            Err(failure) => CommitResult::Failed { failure },
        };
        let results = items.iter().map(commit).collect();
        self.disk.set_acting_host(false);
        if self.disk.failing_syncs > 0 {
            self.disk.failing_syncs -= 1;
            self.disk.strike(|faults| faults.syncs_failed += 1);
            let message = "cannot put the changed directories on disk: input/output error".into();
            return (Outcome::Failed { failure: Failure::Other { message } }, Undone::Commit(undos));
        }
        (Outcome::Committed { results }, Undone::Commit(undos))
    }

    fn commit_one(&mut self, item: &CommitItem) -> Result<(Option<Stat>, Undo), Failure> {
        if self.disk.failing_commits > 0 {
            self.disk.failing_commits -= 1;
            self.disk.strike(|faults| faults.commits_failed += 1);
            return Err(Failure::Other { message: "the disk fails".into() });
        }
        self.disk.check_fault(&item.path)?;
        if !self.is_expected(item) {
            return Err(Failure::Changed);
        }
        let undo = self.put(item, Reach::Whole)?;
        Ok((undo.now, undo))
    }

    /// What stands at the path is what the change expects.
    pub(crate) fn is_expected(&self, item: &CommitItem) -> bool {
        let found = self.disk.find(&item.path).map(|number| self.disk.stat(number));
        let expected = match (&found, &item.expect) {
            (None, None) => !matches!(item.put, Put::Mode { .. }),
            (Some(found), Some(expect)) => same(found, expect),
            _ => false,
        };
        expected && self.disk.is_mounted() && self.disk.is_directory(parent(&item.path))
    }

    pub(crate) fn put(&mut self, item: &CommitItem, reach: Reach) -> Result<Undo, Failure> {
        self.disk.make_change(item, reach)
    }

    fn check_root(&self, root: RootId) {
        assert_eq!(root, self.root, "work for a root that is not here");
    }
}

/// Two stats of the same thing, untouched: for a directory its identity is enough, for its times follow its entries.
fn same(found: &Stat, expect: &Stat) -> bool {
    let identity = found.kind == expect.kind && found.file_id == expect.file_id;
    let times = (found.modified_ns, found.changed_ns) == (expect.modified_ns, expect.changed_ns);
    identity && (times && found.size == expect.size || found.kind == syncline_core::api::EntryKind::Directory)
}

fn slice(bytes: &[u8], offset: u64, length: u32) -> Option<&[u8]> {
    bytes.get(offset as usize..)?.get(..length as usize)
}

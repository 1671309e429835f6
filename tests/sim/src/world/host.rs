//! What a host does with the engine's work, as the boundary documents it.

use syncline_core::api::{
    CommitItem, CommitResult, Content, Failure, HashItem, HashResult, Outcome, ProbeResult, Put, ReadRange, ReadResult,
    RootId, StageItem, StageResult, StageSource, Stat, Work, listing,
};

use super::Store;
use crate::{
    Disk, digest,
    disk::{Body, parent},
};

/// How many entries a page of a listing holds.
const PAGE_ENTRIES: usize = 1_000;

/// One device: a folder and a store.
pub struct Host {
    /// The folder.
    pub disk: Disk,
    /// The store.
    pub store: Store,
    root: RootId,
}

impl Host {
    /// A device with an empty folder and an empty store.
    pub fn new(root: RootId, disk: Disk) -> Host {
        Host { disk, store: Store::default(), root }
    }

    /// Does the work and tells how it ended.
    pub fn perform(&mut self, work: Work) -> Outcome {
        match work {
            Work::Load { query } => self.store.load(&query),
            Work::Save { writes } => self.store.save(writes),
            Work::List { root, directory, after } => self.list(root, &directory, after.as_deref()),
            Work::Probe { root, paths } => self.probe(root, &paths),
            Work::Hash { root, items } => self.hash(root, &items),
            Work::Read { root, ranges } => self.read(root, &ranges),
            Work::Stage { root, items } => self.stage(root, items),
            Work::Commit { root, items } => self.commit(root, &items),
            Work::Discard { root, stages } => {
                self.check_root(root);
                self.disk.staging.retain(|stage, _| !stages.is_empty() && !stages.iter().any(|id| id.0 == *stage));
                Outcome::Discarded
            }
        }
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

    fn hash(&self, root: RootId, items: &[HashItem]) -> Outcome {
        self.check_root(root);
        let hash = |item: &HashItem| {
            let number = self.disk.lookup(&item.path)?;
            let (content, manifest) = match self.disk.body_of(number) {
                Body::File(bytes) => digest::content(bytes),
                Body::Symlink(target) => (Content::Symlink { target: target.clone() }, Vec::new()),
                Body::Directory(_) | Body::Special => return Err(Failure::Changed),
            };
            Ok(HashResult::Hashed { content, stat: self.disk.stat(number), manifest })
        };
        let hash = |item| hash(item).unwrap_or_else(|failure| HashResult::Failed { failure });
        Outcome::Hashed { results: items.iter().map(hash).collect() }
    }

    fn read(&self, root: RootId, ranges: &[ReadRange]) -> Outcome {
        self.check_root(root);
        let read = |range: &ReadRange| {
            let number = self.disk.lookup(&range.path)?;
            let (Body::File(bytes), true) = (self.disk.body_of(number), same(&self.disk.stat(number), &range.stat))
            else {
                return Err(Failure::Changed);
            };
            let bytes = slice(bytes, range.offset, range.length).ok_or(Failure::Changed)?;
            Ok(ReadResult::Bytes { bytes: bytes.to_vec() })
        };
        let read = |range| read(range).unwrap_or_else(|failure| ReadResult::Failed { failure });
        Outcome::Read { results: ranges.iter().map(read).collect() }
    }

    fn stage(&mut self, root: RootId, items: Vec<StageItem>) -> Outcome {
        self.check_root(root);
        let stage = |item| match self.stage_one(item) {
            Ok(()) => StageResult::Staged,
            Err(failure) => StageResult::Failed { failure },
        };
        Outcome::Staged { results: items.into_iter().map(stage).collect() }
    }

    fn stage_one(&mut self, item: StageItem) -> Result<(), Failure> {
        let bytes = match item.source {
            StageSource::Bytes { bytes } => bytes,
            StageSource::Copy { path, offset } => {
                let number = self.disk.lookup(&path)?;
                let Body::File(bytes) = self.disk.body_of(number) else { return Err(Failure::Changed) };
                slice(bytes, offset, item.length).ok_or(Failure::Changed)?.to_vec()
            }
        };
        if bytes.len() != item.length as usize || digest::chunk(&bytes) != item.hash {
            return Err(Failure::Corrupt);
        }
        self.disk.take_space(bytes.len())?;
        let file = self.disk.staging.entry(item.stage.0).or_default();
        let (start, end) = (item.offset as usize, item.offset as usize + bytes.len());
        file.resize(file.len().max(end), 0);
        file[start..end].copy_from_slice(&bytes);
        Ok(())
    }

    fn commit(&mut self, root: RootId, items: &[CommitItem]) -> Outcome {
        self.check_root(root);
        let commit = |item| match self.commit_one(item) {
            Ok(stat) => CommitResult::Committed { stat },
            Err(failure) => CommitResult::Failed { failure },
        };
        Outcome::Committed { results: items.iter().map(commit).collect() }
    }

    fn commit_one(&mut self, item: &CommitItem) -> Result<Option<Stat>, Failure> {
        if self.disk.failing_commits > 0 {
            self.disk.failing_commits -= 1;
            return Err(Failure::Other { message: "the disk fails".into() });
        }
        self.disk.check_fault(&item.path)?;
        if !self.disk.is_mounted() || !self.disk.is_directory(parent(&item.path)) {
            return Err(Failure::Changed);
        }
        let found = self.disk.find(&item.path).map(|number| self.disk.stat(number));
        let expected = match (&found, &item.expect) {
            (None, None) => true,
            (Some(found), Some(expect)) => same(found, expect),
            _ => false,
        };
        if !expected {
            return Err(Failure::Changed);
        }
        self.put(item)?;
        Ok(self.disk.find(&item.path).map(|number| self.disk.stat(number)))
    }

    fn put(&mut self, item: &CommitItem) -> Result<(), Failure> {
        let disk = &mut self.disk;
        let path = item.path.as_str();
        match &item.put {
            Put::File { stage, mode, modified_ns, .. } => {
                let bytes = disk.staging.get(&stage.0).cloned().unwrap_or_default();
                disk.displace(path)?;
                disk.staging.remove(&stage.0);
                let number = disk.create(path, Body::File(bytes), *mode);
                disk.set_times(number, *modified_ns);
            }
            Put::Symlink { target } => {
                disk.displace(path)?;
                disk.create(path, Body::Symlink(target.clone()), 0o777);
            }
            Put::Directory { mode } => {
                disk.displace(path)?;
                disk.create(path, Body::Directory(Default::default()), mode | 0o700);
            }
            Put::Mode { mode } => {
                disk.chmod(path, *mode);
            }
            Put::Nothing => disk.displace(path)?,
        }
        Ok(())
    }

    fn check_root(&self, root: RootId) {
        assert_eq!(root, self.root, "work for a root that is not here");
    }
}

/// Two stats of the same thing, untouched: for a directory its identity is enough, for its times follow its entries.
fn same(found: &Stat, expect: &Stat) -> bool {
    let identity = found.kind == expect.kind && found.file_id == expect.file_id;
    let times = found.modified_ns == expect.modified_ns && found.size == expect.size;
    identity && (times || found.kind == syncline_core::api::EntryKind::Directory)
}

fn slice(bytes: &[u8], offset: u64, length: u32) -> Option<&[u8]> {
    bytes.get(offset as usize..)?.get(..length as usize)
}

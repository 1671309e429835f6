//! One device's copy of a message folder, and what its host does there.

use std::collections::BTreeMap;

use syncline_core::api::{
    Failure, FolderEntryKind, FolderFile as NewFile, FolderProbeResult, FolderResult, Outcome, ReadResult, Work,
    listing,
};

/// How many entries a page of a listing holds.
const PAGE_ENTRIES: usize = 100;

/// One file of a copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FolderFile {
    /// What it holds.
    pub bytes: Vec<u8>,
    /// Its bytes are here; else it is a placeholder.
    pub is_local: bool,
    /// A link, which is none of a message.
    pub is_link: bool,
}

impl FolderFile {
    /// A file that is here.
    pub fn new(bytes: impl Into<Vec<u8>>) -> FolderFile {
        FolderFile { bytes: bytes.into(), is_local: true, is_link: false }
    }
}

/// A device's copy of a message folder: files by their paths below the session's directory.
#[derive(Debug, Clone, Default)]
pub struct FolderCopy {
    files: BTreeMap<String, FolderFile>,
    /// The session's directory is there.
    pub is_there: bool,
    /// So many of the next files are not created, for the disk is full.
    pub full: u32,
    /// So many of the next pieces of work fail as a whole.
    pub failing: u32,
    /// The service does not reach it.
    pub is_offline: bool,
    /// What stood there before it turned up empty or as another session's.
    shelf: Option<Shelf>,
    fetched: Vec<String>,
    /// Files that the host created since the service last looked.
    created: Vec<String>,
    removed: Vec<String>,
}

/// A folder in whose place another one stands, and what its service did not see yet.
#[derive(Debug, Clone)]
struct Shelf {
    files: BTreeMap<String, FolderFile>,
    created: Vec<String>,
    removed: Vec<String>,
}

impl FolderCopy {
    /// What stands at a path.
    pub fn at(&self, path: &str) -> Option<&FolderFile> {
        self.files.get(path)
    }

    /// What stands at a path, or will when the folder is itself again.
    pub fn at_all(&self, path: &str) -> Option<&FolderFile> {
        self.shelf.as_ref().map_or(&self.files, |shelf| &shelf.files).get(path)
    }

    /// All files.
    pub fn files(&self) -> impl Iterator<Item = (&str, &FolderFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// Puts a file there, as a service or a person does.
    pub fn put(&mut self, path: &str, file: FolderFile) {
        self.is_there = true;
        self.files.insert(path.into(), file);
    }

    /// Takes a file away, as a service or a person does.
    pub fn take(&mut self, path: &str) -> Option<FolderFile> {
        self.files.remove(path)
    }

    /// The bytes of a file are kept elsewhere only.
    pub fn evict(&mut self, path: &str) {
        if let Some(file) = self.files.get_mut(path) {
            file.is_local = false;
        }
    }

    /// The bytes of a file are here again.
    pub fn bring_back(&mut self, path: &str) {
        if let Some(file) = self.files.get_mut(path) {
            file.is_local = true;
        }
    }

    /// The placeholders whose bytes were asked for, which are here now.
    pub fn bring(&mut self) -> Vec<String> {
        let wanted = std::mem::take(&mut self.fetched);
        wanted.iter().for_each(|path| self.bring_back(path));
        wanted
    }

    /// What the host created and removed since this was last asked.
    pub fn take_changes(&mut self) -> (Vec<String>, Vec<String>) {
        (std::mem::take(&mut self.created), std::mem::take(&mut self.removed))
    }

    /// It turns up empty; what stood there is not gone.
    pub fn shelve(&mut self) {
        if self.shelf.is_none() {
            let (created, removed) = self.take_changes();
            self.shelf = Some(Shelf { files: std::mem::take(&mut self.files), created, removed });
        }
    }

    /// What was put away stands there again, and nothing else.
    pub fn unshelve(&mut self) {
        if let Some(Shelf { files, created, removed }) = self.shelf.take() {
            self.restore(files);
            (self.created, self.removed) = (created, removed);
        }
    }

    /// It turned up as another one.
    pub fn is_shelved(&self) -> bool {
        self.shelf.is_some()
    }

    /// It holds what it held before, as from a backup. What the host did since and the service did not see is forgotten.
    pub fn restore(&mut self, files: BTreeMap<String, FolderFile>) {
        self.files = files;
        self.created.clear();
        self.removed.clear();
        self.fetched.clear();
    }

    /// The service sees a file that it does not have as one that the host created.
    pub(crate) fn note_created(&mut self, path: &str) {
        self.created.push(path.into());
    }

    /// A loss of power took a file away that had just been created, or a part of it.
    pub(crate) fn lose(&mut self, path: &str, length: Option<usize>) {
        match (self.files.get_mut(path), length) {
            (Some(file), Some(length)) => file.bytes.truncate(length),
            _ => drop(self.files.remove(path)),
        }
    }

    /// Does a host's work; none for work of another kind.
    pub fn perform(&mut self, work: &Work) -> Option<Outcome> {
        let is_for_folders = matches!(
            work,
            Work::FolderList { .. }
                | Work::FolderProbe { .. }
                | Work::FolderRead { .. }
                | Work::FolderCreate { .. }
                | Work::FolderRemove { .. }
                | Work::FolderFetch { .. }
        );
        if is_for_folders && self.failing > 0 {
            self.failing -= 1;
            return Some(Outcome::Failed { failure: Failure::Other { message: "input/output error".into() } });
        }
        Some(match work {
            Work::FolderList { directory, page, .. } => self.list(directory, *page),
            Work::FolderProbe { paths, count, .. } => {
                let results = paths.iter().map(|path| self.probe(path)).collect();
                Outcome::FolderProbed { results, count: count.as_deref().map(|directory| self.count(directory)) }
            }
            Work::FolderRead { paths, bytes_max, .. } => {
                Outcome::FolderRead { results: paths.iter().map(|path| self.read(path, *bytes_max)).collect() }
            }
            Work::FolderCreate { files, .. } => {
                Outcome::FolderWritten { results: files.iter().map(|file| self.create(file)).collect() }
            }
            Work::FolderRemove { paths, .. } => {
                let results = paths.iter().map(|path| self.remove(path));
                Outcome::FolderWritten { results: results.collect() }
            }
            Work::FolderFetch { paths, .. } => {
                self.fetched.extend(paths.iter().cloned());
                Outcome::FolderWritten { results: vec![FolderResult::Done; paths.len()] }
            }
            _ => return None,
        })
    }

    fn list(&self, directory: &str, page: Option<u64>) -> Outcome {
        if !self.is_there || !directory.is_empty() && self.entries(directory).next().is_none() {
            return Outcome::Failed { failure: Failure::Missing };
        }
        let first = page.unwrap_or(0) as usize;
        let mut entries = self.entries(directory).skip(first);
        let mut names = Vec::new();
        for (name, kind) in entries.by_ref().take(PAGE_ENTRIES) {
            listing::push_name(&mut names, kind, name);
        }
        let next = entries.next().map(|_| (first + PAGE_ENTRIES) as u64);
        Outcome::FolderListed { names, next }
    }

    /// The names in a directory, in order.
    fn entries<'a>(&'a self, directory: &str) -> impl Iterator<Item = (&'a str, FolderEntryKind)> {
        let prefix = if directory.is_empty() { String::new() } else { format!("{directory}/") };
        let mut below = self.files.range(prefix.clone()..);
        std::iter::from_fn(move || {
            let (path, file) = below.next()?;
            let name = path.strip_prefix(&prefix)?;
            let Some((name, _)) = name.split_once('/') else { return Some((name, kind(file))) };
            // On with what stands behind all that begins with its name and a slash.
            below = self.files.range(format!("{prefix}{name}0")..);
            Some((name, FolderEntryKind::Directory))
        })
    }

    fn count(&self, directory: &str) -> u64 {
        self.entries(directory).count() as u64
    }

    fn probe(&self, path: &str) -> FolderProbeResult {
        match self.files.get(path).filter(|_| self.is_there) {
            Some(file) => FolderProbeResult::Present { kind: kind(file) },
            None => FolderProbeResult::Failed { failure: Failure::Missing },
        }
    }

    fn read(&self, path: &str, bytes_max: u32) -> ReadResult {
        let failed = |failure| ReadResult::Failed { failure };
        match self.files.get(path).filter(|_| self.is_there) {
            None => failed(Failure::Missing),
            Some(file) if file.is_link => failed(Failure::Unrepresentable),
            Some(file) if !file.is_local => failed(Failure::NotLocal),
            Some(file) if file.bytes.len() > bytes_max as usize => failed(Failure::TooLarge),
            Some(file) => ReadResult::Bytes { bytes: file.bytes.clone() },
        }
    }

    fn remove(&mut self, path: &str) -> FolderResult {
        if !self.is_there {
            return FolderResult::Failed { failure: Failure::Missing };
        }
        if self.files.remove(path).is_some() {
            self.removed.push(path.into());
        }
        FolderResult::Done
    }

    fn create(&mut self, file: &NewFile) -> FolderResult {
        let failed = |failure| FolderResult::Failed { failure };
        if !self.is_there {
            return failed(Failure::Missing);
        }
        if self.files.contains_key(&file.path) {
            return failed(Failure::Changed);
        }
        if self.full > 0 {
            self.full -= 1;
            return failed(Failure::NoSpace);
        }
        self.files.insert(file.path.clone(), FolderFile::new(file.bytes.clone()));
        self.created.push(file.path.clone());
        FolderResult::Done
    }
}

fn kind(file: &FolderFile) -> FolderEntryKind {
    match file {
        FolderFile { is_link: true, .. } => FolderEntryKind::Other,
        FolderFile { is_local: false, .. } => FolderEntryKind::Placeholder,
        FolderFile { .. } => FolderEntryKind::File,
    }
}

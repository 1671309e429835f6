//! A device's folder in memory, as a file system keeps it: inodes with times, reused numbers, errors on demand.

mod copy;
mod fault;
mod host;
mod people;
mod power;
mod touch;
mod traits;
mod undo;

use std::{
    cell::Cell,
    collections::{BTreeMap, VecDeque},
};

pub use self::{
    copy::Snapshot,
    fault::{Fault, Faults, Reading},
    people::Open,
    power::Torn,
    traits::{Numbers, Traits},
};
use self::{fault::Flip, power::Recent};
pub(crate) use self::{host::Reach, undo::Undo};
use crate::{Clock, Item};

/// The number of the folder itself.
const ROOT: u64 = 2;

/// What something was replaced by or removed for: the local history of the root.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Displaced {
    /// Where it stood.
    pub path: String,
    /// What it was.
    pub item: Item,
}

/// One folder.
pub struct Disk {
    pub(crate) clock: Clock,
    traits: Traits,
    /// How often metadata changed.
    changes: i64,
    inodes: BTreeMap<u64, Inode>,
    free: Vec<u64>,
    /// The highest number ever given.
    highest: u64,
    faults: BTreeMap<String, Fault>,
    struck: Cell<Faults>,
    flips: VecDeque<Flip>,
    space: Option<u64>,
    pub(crate) failing_commits: u32,
    pub(crate) failing_syncs: u32,
    pub(crate) marker: bool,
    mounted: bool,
    pub(crate) staging: BTreeMap<u64, Vec<u8>>,
    history: Vec<Displaced>,
    /// The inodes of the history, one for each entry: what is displaced lives on.
    kept: Vec<u64>,
    /// Inodes that programs hold open, and how many of them do.
    opened: BTreeMap<u64, u32>,
    /// What people wrote a short time ago, oldest first.
    recent: VecDeque<Recent>,
    touched: Option<Vec<String>>,
    acting_host: bool,
    echo: bool,
}

#[derive(Clone)]
pub(crate) struct Inode {
    body: Body,
    mode: u16,
    modified_ns: i64,
    changed_ns: i64,
}

#[derive(Clone)]
pub(crate) enum Body {
    File(Vec<u8>),
    Symlink(Vec<u8>),
    Directory(BTreeMap<EntryName, u64>),
    Special,
}

/// A name as it is shown; for a name that is no UTF-8 that differs from its bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct EntryName {
    shown: String,
    raw: Option<Vec<u8>>,
}

impl EntryName {
    fn plain(name: &str) -> EntryName {
        EntryName { shown: name.into(), raw: None }
    }
}

impl Disk {
    /// An empty folder with its marker, on a file system as Linux has them.
    pub fn new(clock: Clock) -> Disk {
        Disk::with_traits(clock, Traits::default())
    }

    /// An empty folder with its marker, on such a file system.
    pub fn with_traits(clock: Clock, traits: Traits) -> Disk {
        let mut disk = Disk {
            clock,
            traits,
            changes: 0,
            inodes: BTreeMap::new(),
            free: Vec::new(),
            highest: ROOT,
            faults: BTreeMap::new(),
            struck: Cell::default(),
            flips: VecDeque::new(),
            space: None,
            failing_commits: 0,
            failing_syncs: 0,
            marker: true,
            mounted: true,
            staging: BTreeMap::new(),
            history: Vec::new(),
            kept: Vec::new(),
            opened: BTreeMap::new(),
            recent: VecDeque::new(),
            touched: None,
            acting_host: false,
            echo: false,
        };
        let root = disk.inode(Body::Directory(BTreeMap::new()), 0o755);
        disk.inodes.insert(ROOT, root);
        disk
    }

    pub(crate) fn body_of(&self, number: u64) -> &Body {
        &self.inodes[&number].body
    }

    pub(crate) fn find(&self, path: &str) -> Option<u64> {
        let mut number = ROOT;
        for name in path.split('/').filter(|_| !path.is_empty()) {
            let Body::Directory(entries) = &self.inodes[&number].body else { return None };
            number = *entries.get(&EntryName::plain(name))?;
        }
        Some(number)
    }

    fn body(&self, path: &str) -> Option<&Body> {
        self.find(path).map(|number| self.body_of(number))
    }

    pub(crate) fn item(&self, number: u64) -> Item {
        let inode = &self.inodes[&number];
        let mode = |without| if self.traits.modes { inode.mode } else { without };
        match &inode.body {
            Body::File(bytes) => Item::File { bytes: bytes.clone(), mode: mode(0o644) },
            Body::Symlink(target) => Item::Symlink { target: target.clone() },
            Body::Directory(_) => Item::Directory { mode: mode(0o755) },
            Body::Special => Item::Special,
        }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        match self.body(directory) {
            Some(Body::Directory(entries)) => entries.keys().map(|name| name.shown.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn inode(&mut self, body: Body, mode: u16) -> Inode {
        Inode { body, mode, modified_ns: self.now_ns(), changed_ns: self.change_ns() }
    }

    fn inode_mut(&mut self, number: u64) -> &mut Inode {
        self.inodes.get_mut(&number).expect("an entry has its inode")
    }

    /// The number of a new inode: the last one freed, as many file systems do, or one that never was.
    fn number(&mut self) -> u64 {
        if let (Numbers::Reused, Some(number)) = (self.traits.numbers, self.free.pop()) {
            return number;
        }
        self.highest += 1;
        self.highest
    }

    pub(crate) fn create(&mut self, path: &str, body: Body, mode: u16) -> u64 {
        let inode = self.inode(body, mode);
        let number = self.number();
        self.inodes.insert(number, inode);
        self.link(path, number);
        number
    }

    fn link(&mut self, path: &str, number: u64) {
        let name = EntryName::plain(path.rsplit('/').next().unwrap_or_default());
        self.directory_mut(parent(path)).insert(name, number);
    }

    fn unlink(&mut self, path: &str) {
        let name = path.rsplit('/').next().unwrap_or_default();
        let entries = self.directory_mut(parent(path));
        if entries.remove(&EntryName::plain(name)).is_none() {
            entries.retain(|entry, _| entry.shown != name);
        }
    }

    fn detach(&mut self, path: &str) -> bool {
        let Some(number) = self.find(path) else { return false };
        self.unlink(path);
        self.free_all(number);
        true
    }

    /// Gives up an inode and all below it; one that a program holds open lives on without a name.
    fn free_all(&mut self, number: u64) {
        if let Some(Inode { body: Body::Directory(entries), .. }) = self.inodes.get(&number) {
            for number in entries.values().copied().collect::<Vec<_>>() {
                self.free_all(number);
            }
        }
        if !self.opened.contains_key(&number) {
            self.inodes.remove(&number);
            self.forget_writes(number);
            self.free.push(number);
        }
    }

    /// The entries of a directory that is about to change.
    fn directory_mut(&mut self, path: &str) -> &mut BTreeMap<EntryName, u64> {
        self.touch(path);
        let times = (self.now_ns(), self.change_ns());
        let number = self.find(path).unwrap_or_else(|| panic!("no directory `{path}`"));
        let inode = self.inode_mut(number);
        (inode.modified_ns, inode.changed_ns) = times;
        match &mut inode.body {
            Body::Directory(entries) => entries,
            _ => panic!("`{path}` is no directory"),
        }
    }
}

/// The path of the directory that an entry lies in.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

/// The path of an entry of a directory.
pub(crate) fn join(directory: &str, name: &str) -> String {
    if directory.is_empty() { name.into() } else { format!("{directory}/{name}") }
}

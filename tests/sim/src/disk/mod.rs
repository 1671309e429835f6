//! A device's folder in memory, as a file system keeps it: inodes with times, reused numbers, errors on demand.

use std::collections::BTreeMap;

use syncline_core::api::{EntryKind, Failure, Stat};

use crate::{Clock, Item, Tree};

/// How long ago a write must lie for its modification time to tell it from the next one.
const SETTLED_NS: i64 = 20_000_000;

/// The number of the folder itself.
const ROOT: u64 = 2;

/// What goes wrong at a path, and at everything below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// An error of the device (EIO).
    Device,
    /// The operating system forbids it (EACCES).
    Denied,
}

impl Fault {
    fn failure(self) -> Failure {
        match self {
            Fault::Device => Failure::Other { message: "input/output error".into() },
            Fault::Denied => Failure::Denied,
        }
    }
}

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
    inodes: BTreeMap<u64, Inode>,
    free: Vec<u64>,
    faults: BTreeMap<String, Fault>,
    space: Option<u64>,
    pub(crate) failing_commits: u32,
    pub(crate) marker: bool,
    mounted: bool,
    pub(crate) staging: BTreeMap<u64, Vec<u8>>,
    pub(crate) history: Vec<Displaced>,
}

struct Inode {
    body: Body,
    mode: u16,
    modified_ns: i64,
    changed_ns: i64,
}

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

/// One entry of a directory, as listed.
pub(crate) struct Listed {
    pub name: String,
    pub stat: Stat,
}

/// What people and other programs do to the folder. A misuse is a mistake in a test and panics.
impl Disk {
    /// An empty folder with its marker.
    pub fn new(clock: Clock) -> Disk {
        let mut disk = Disk {
            clock,
            inodes: BTreeMap::new(),
            free: Vec::new(),
            faults: BTreeMap::new(),
            space: None,
            failing_commits: 0,
            marker: true,
            mounted: true,
            staging: BTreeMap::new(),
            history: Vec::new(),
        };
        let root = disk.inode(Body::Directory(BTreeMap::new()), 0o755);
        disk.inodes.insert(ROOT, root);
        disk
    }

    /// Writes a file from its start; makes it, and the directories above it, where they are not there.
    pub fn write(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.change_file(path, |file| *file = bytes.as_ref().to_vec());
    }

    /// Adds bytes at a file's end.
    pub fn append(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        self.change_file(path, |file| file.extend_from_slice(bytes.as_ref()));
    }

    /// Saves as most editors do: writes another file and renames it over this one.
    pub fn replace(&mut self, path: &str, bytes: impl AsRef<[u8]>) {
        let aside = format!("{path}.part");
        self.write(&aside, bytes);
        self.rename(&aside, path);
    }

    /// Removes whatever stands there, with everything in it.
    pub fn remove(&mut self, path: &str) {
        assert!(self.detach(path), "nothing to remove at `{path}`");
    }

    /// Removes everything in the folder.
    pub fn clear(&mut self) {
        for name in self.names("") {
            self.detach(&name);
        }
    }

    /// Renames, over a file or link that may stand there.
    pub fn rename(&mut self, from: &str, to: &str) {
        let number = self.find(from).unwrap_or_else(|| panic!("nothing to rename at `{from}`"));
        self.unlink(from);
        self.detach(to);
        self.link(to, number);
        let now = self.clock.now_ns();
        self.inodes.get_mut(&number).unwrap().changed_ns = now;
    }

    /// Makes a directory, and those above it.
    pub fn mkdir(&mut self, path: &str) {
        if path.is_empty() || matches!(self.body(path), Some(Body::Directory(_))) {
            return;
        }
        assert!(self.find(path).is_none(), "`{path}` is no directory");
        self.mkdir(parent(path));
        self.create(path, Body::Directory(BTreeMap::new()), 0o755);
    }

    /// Sets permission bits.
    pub fn chmod(&mut self, path: &str, mode: u16) {
        let now = self.clock.now_ns();
        let number = self.find(path).unwrap_or_else(|| panic!("nothing at `{path}`"));
        let inode = self.inodes.get_mut(&number).unwrap();
        (inode.mode, inode.changed_ns) = (mode, now);
    }

    /// Makes a symbolic link.
    pub fn symlink(&mut self, path: &str, target: impl AsRef<[u8]>) {
        self.mkdir(parent(path));
        self.create(path, Body::Symlink(target.as_ref().to_vec()), 0o777);
    }

    /// Makes a socket, or something else that is not kept.
    pub fn special(&mut self, path: &str) {
        self.mkdir(parent(path));
        self.create(path, Body::Special, 0o644);
    }

    /// Makes a file whose name is no UTF-8.
    pub fn write_unnameable(&mut self, directory: &str, name: &[u8], bytes: impl AsRef<[u8]>) {
        let shown = String::from_utf8_lossy(name).into_owned();
        assert_ne!(shown.as_bytes(), name, "the name is UTF-8");
        let inode = self.inode(Body::File(bytes.as_ref().to_vec()), 0o644);
        let number = self.number();
        self.inodes.insert(number, inode);
        self.directory_mut(directory).insert(EntryName { shown, raw: Some(name.to_vec()) }, number);
    }

    /// Puts a whole tree there.
    pub fn put(&mut self, tree: &Tree) {
        for (path, item) in tree.items() {
            match item {
                Item::Directory { .. } => self.mkdir(path),
                Item::File { bytes, .. } => self.write(path, bytes),
                Item::Symlink { target } => self.symlink(path, target),
                Item::Special => self.special(path),
            }
            if let Item::Directory { mode } | Item::File { mode, .. } = item {
                self.chmod(path, *mode);
            }
        }
    }

    /// Errors at a path and below it from now on, or no more.
    pub fn fault(&mut self, path: &str, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.faults.insert(path.into(), fault),
            None => self.faults.remove(path),
        };
    }

    /// So many bytes can still be written; none lifts the limit.
    pub fn space(&mut self, bytes: Option<u64>) {
        self.space = bytes;
    }

    /// The next so many changes of the tree fail, each without any effect.
    pub fn fail_commits(&mut self, count: u32) {
        self.failing_commits = count;
    }

    /// The folder is unmounted, or comes back.
    pub fn set_marker(&mut self, there: bool) {
        self.marker = there;
    }

    /// The folder's file system is not there: nothing can be found in it, nor its marker.
    pub fn set_mounted(&mut self, mounted: bool) {
        (self.mounted, self.marker) = (mounted, mounted);
    }

    /// The folder is there.
    pub fn is_mounted(&self) -> bool {
        self.mounted
    }

    /// No fault is left.
    pub fn mend(&mut self) {
        self.faults.clear();
        (self.space, self.failing_commits) = (None, 0);
        self.set_mounted(true);
    }

    /// Everything that stands there.
    pub fn tree(&self) -> Tree {
        let mut tree = Tree::default();
        self.collect("", ROOT, &mut tree);
        tree
    }

    /// A file's bytes.
    pub fn read(&self, path: &str) -> Option<&[u8]> {
        match self.body(path)? {
            Body::File(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// What was displaced, oldest first.
    pub fn history(&self) -> &[Displaced] {
        &self.history
    }

    /// How many staged files lie beside the tree.
    pub fn staged(&self) -> usize {
        self.staging.len()
    }

    fn change_file(&mut self, path: &str, change: impl FnOnce(&mut Vec<u8>)) {
        self.mkdir(parent(path));
        if self.find(path).is_none() {
            self.create(path, Body::File(Vec::new()), 0o644);
        }
        let now = self.clock.now_ns();
        let number = self.find(path).unwrap();
        let inode = self.inodes.get_mut(&number).unwrap();
        match &mut inode.body {
            Body::File(bytes) => change(bytes),
            _ => panic!("`{path}` is no file"),
        }
        (inode.modified_ns, inode.changed_ns) = (now, now);
    }

    fn collect(&self, path: &str, number: u64, tree: &mut Tree) {
        let Body::Directory(entries) = &self.inodes[&number].body else { return };
        for (name, number) in entries {
            let path = join(path, &name.shown);
            tree.insert(&path, self.item(*number));
            self.collect(&path, *number, tree);
        }
    }
}

/// What the host does.
impl Disk {
    /// Looks a path up without following links; faults on the way are errors.
    pub(crate) fn lookup(&self, path: &str) -> Result<u64, Failure> {
        self.check_fault(path)?;
        self.find(path).filter(|_| self.mounted || path.is_empty()).ok_or(Failure::Missing)
    }

    pub(crate) fn check_fault(&self, path: &str) -> Result<(), Failure> {
        if self.faults.is_empty() {
            return Ok(());
        }
        let mut prefix = path;
        loop {
            if let Some(fault) = self.faults.get(prefix) {
                return Err(fault.failure());
            }
            if prefix.is_empty() {
                return Ok(());
            }
            prefix = parent(prefix);
        }
    }

    pub(crate) fn stat(&self, number: u64) -> Stat {
        let inode = &self.inodes[&number];
        let (kind, size) = match &inode.body {
            Body::File(bytes) => (EntryKind::File, bytes.len() as u64),
            Body::Symlink(_) => (EntryKind::Symlink, 0),
            Body::Directory(_) => (EntryKind::Directory, 0),
            Body::Special => (EntryKind::Special, 0),
        };
        Stat {
            kind,
            size,
            mode: inode.mode,
            modified_ns: inode.modified_ns,
            changed_ns: inode.changed_ns,
            file_id: number,
            settled: self.clock.now_ns() - inode.modified_ns >= SETTLED_NS,
        }
    }

    pub(crate) fn body_of(&self, number: u64) -> &Body {
        &self.inodes[&number].body
    }

    pub(crate) fn list(&self, number: u64, after: Option<&str>, limit: usize) -> Option<(Vec<Listed>, bool)> {
        let Body::Directory(entries) = self.body_of(number) else { return None };
        if !self.mounted {
            return Some((Vec::new(), false));
        }
        let behind = |name: &EntryName| after.is_none_or(|after| name.shown.as_str() > after);
        let start = EntryName::plain(after.unwrap_or_default());
        let mut rest = entries.range(start..).filter(|(name, _)| behind(name));
        let page = rest
            .by_ref()
            .take(limit)
            .map(|(name, number)| {
                let mut stat = self.stat(*number);
                if name.raw.is_some() {
                    stat.kind = EntryKind::Unnameable;
                }
                Listed { name: name.shown.clone(), stat }
            })
            .collect();
        Some((page, rest.next().is_some()))
    }

    /// Takes bytes of the space that is left.
    pub(crate) fn take_space(&mut self, bytes: usize) -> Result<(), Failure> {
        match &mut self.space {
            Some(left) if *left < bytes as u64 => Err(Failure::NoSpace),
            Some(left) => {
                *left -= bytes as u64;
                Ok(())
            }
            None => Ok(()),
        }
    }

    /// Moves what stands at a path to the history; a directory must be empty and just goes.
    pub(crate) fn displace(&mut self, path: &str) -> Result<(), Failure> {
        let Some(number) = self.find(path) else { return Ok(()) };
        match self.body_of(number) {
            Body::Directory(entries) if !entries.is_empty() => return Err(Failure::NotEmpty),
            Body::Directory(_) => {}
            _ => self.history.push(Displaced { path: path.into(), item: self.item(number) }),
        }
        self.detach(path);
        Ok(())
    }

    pub(crate) fn create(&mut self, path: &str, body: Body, mode: u16) -> u64 {
        let inode = self.inode(body, mode);
        let number = self.number();
        self.inodes.insert(number, inode);
        self.link(path, number);
        number
    }

    pub(crate) fn set_times(&mut self, number: u64, modified_ns: i64) {
        let now = self.clock.now_ns();
        let inode = self.inodes.get_mut(&number).unwrap();
        (inode.modified_ns, inode.changed_ns) = (modified_ns, now);
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.body(path), Some(Body::Directory(_)))
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

    fn item(&self, number: u64) -> Item {
        let inode = &self.inodes[&number];
        match &inode.body {
            Body::File(bytes) => Item::File { bytes: bytes.clone(), mode: inode.mode },
            Body::Symlink(target) => Item::Symlink { target: target.clone() },
            Body::Directory(_) => Item::Directory { mode: inode.mode },
            Body::Special => Item::Special,
        }
    }

    fn names(&self, directory: &str) -> Vec<String> {
        match self.body(directory) {
            Some(Body::Directory(entries)) => entries.keys().map(|name| name.shown.clone()).collect(),
            _ => Vec::new(),
        }
    }

    fn inode(&self, body: Body, mode: u16) -> Inode {
        let now = self.clock.now_ns();
        Inode { body, mode, modified_ns: now, changed_ns: now }
    }

    /// The number of a new inode: the last one freed, as many file systems do.
    fn number(&mut self) -> u64 {
        self.free.pop().unwrap_or_else(|| self.inodes.keys().next_back().unwrap_or(&ROOT) + 1)
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

    fn free_all(&mut self, number: u64) {
        if let Some(Inode { body: Body::Directory(entries), .. }) = self.inodes.remove(&number) {
            for number in entries.into_values() {
                self.free_all(number);
            }
        }
        self.free.push(number);
    }

    /// The entries of a directory that is about to change.
    fn directory_mut(&mut self, path: &str) -> &mut BTreeMap<EntryName, u64> {
        let now = self.clock.now_ns();
        let number = self.find(path).unwrap_or_else(|| panic!("no directory `{path}`"));
        let inode = self.inodes.get_mut(&number).unwrap();
        (inode.modified_ns, inode.changed_ns) = (now, now);
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

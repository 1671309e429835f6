//! What people and other programs do to the folder. A misuse is a mistake in a test and panics.

use std::collections::BTreeMap;

use super::{Body, Disk, Displaced, EntryName, Fault, Numbers, ROOT, join, parent};
use crate::{Item, Tree};

/// A file that a program holds open: it means the same bytes wherever they are moved.
#[derive(Debug, PartialEq, Eq)]
pub struct Open {
    pub(crate) number: u64,
}

impl Disk {
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
        let mut now = self.change_ns();
        if self.traits.numbers == Numbers::Hidden && self.traits.coarse {
            // Without numbers, only change times tell a file from another one of its size and age that is put in its
            // place; where they do not either, nothing does.
            now += self.changes;
        }
        self.inode_mut(number).changed_ns = now;
        self.note_renamed(number);
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
        self.touch(parent(path));
        let now = self.change_ns();
        let number = self.find(path).unwrap_or_else(|| panic!("nothing at `{path}`"));
        let inode = self.inode_mut(number);
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

    /// Opens a file, as an editor does that keeps it open: what is written through it reaches the same bytes though
    /// they are renamed, replaced (then they lie in the history) or removed (then nobody sees them) meanwhile.
    pub fn open(&mut self, path: &str) -> Open {
        let number = self.find(path).unwrap_or_else(|| panic!("nothing to open at `{path}`"));
        assert!(matches!(self.body_of(number), Body::File(_)), "`{path}` is no file");
        *self.opened.entry(number).or_default() += 1;
        Open { number }
    }

    /// Writes an open file anew.
    pub fn write_open(&mut self, open: &Open, bytes: impl AsRef<[u8]>) {
        assert!(self.opened.contains_key(&open.number), "the file is not open any more");
        self.touch_number(open.number);
        self.change_inode(open.number, |file| *file = bytes.as_ref().to_vec());
        self.show_kept(open.number);
    }

    /// Closes an open file; one that has no name left goes.
    pub fn close(&mut self, open: Open) {
        let Some(count) = self.opened.get_mut(&open.number) else { return };
        *count -= 1;
        if *count == 0 {
            self.opened.remove(&open.number);
            self.free_if_nameless(open.number);
        }
    }

    /// Where an open file stands now; none if it is in the history or gone.
    pub fn open_path(&self, open: &Open) -> Option<String> {
        self.path_of(open.number)
    }

    /// What an open file holds.
    pub fn read_open(&self, open: &Open) -> &[u8] {
        match self.body_of(open.number) {
            Body::File(bytes) => bytes,
            _ => &[],
        }
    }

    /// An open file lies in the history: the engine replaced or removed it.
    pub fn is_displaced(&self, open: &Open) -> bool {
        self.is_kept(open.number)
    }

    /// The history keeps an inode.
    pub(crate) fn is_kept(&self, number: u64) -> bool {
        self.kept.contains(&number)
    }

    /// The programs that held files open end.
    pub(super) fn close_all(&mut self) {
        for number in std::mem::take(&mut self.opened).into_keys() {
            self.free_if_nameless(number);
        }
    }

    fn free_if_nameless(&mut self, number: u64) {
        if !self.kept.contains(&number) && self.path_of(number).is_none() {
            self.free_all(number);
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

    /// The next so many batches of changes are made, and then cannot be put on disk: they fail as a whole.
    pub fn fail_syncs(&mut self, count: u32) {
        self.failing_syncs = count;
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
        self.let_bits_be();
        (self.space, self.failing_commits, self.failing_syncs) = (None, 0, 0);
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
        let number = match self.find(path) {
            Some(number) => number,
            None => {
                let number = self.create(path, Body::File(Vec::new()), 0o644);
                self.note_created(number);
                number
            }
        };
        self.touch(parent(path));
        assert!(matches!(self.body_of(number), Body::File(_)), "`{path}` is no file");
        self.change_inode(number, change);
    }

    fn change_inode(&mut self, number: u64, change: impl FnOnce(&mut Vec<u8>)) {
        self.note_written(number);
        let times = (self.now_ns(), self.change_ns());
        let inode = self.inode_mut(number);
        if let Body::File(bytes) = &mut inode.body {
            change(bytes);
        }
        (inode.modified_ns, inode.changed_ns) = times;
    }

    /// The history's copy of an inode shows what the inode holds.
    pub(super) fn show_kept(&mut self, number: u64) {
        if let Some(index) = self.kept.iter().rposition(|kept| *kept == number) {
            self.history[index].item = self.item(number);
        }
    }

    fn collect(&self, path: &str, number: u64, tree: &mut Tree) {
        let Body::Directory(entries) = &self.inodes[&number].body else { return };
        for (name, number) in entries {
            let path = join(path, &name.shown);
            self.collect(&path, *number, tree);
            tree.insert_below(path, self.item(*number));
        }
    }
}

//! Backups of a folder, and copies of it on another device.

use std::collections::BTreeMap;

use super::{Body, Disk, EntryName, Inode, ROOT};

/// All that stood in a folder, with its times.
#[derive(Clone)]
pub struct Snapshot {
    entries: Vec<(EntryName, Saved)>,
}

#[derive(Clone)]
struct Saved {
    inode: Inode,
    entries: Vec<(EntryName, Saved)>,
}

impl Disk {
    /// A backup of the folder.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { entries: self.saved_entries(ROOT) }
    }

    /// Replaces all that stands in the folder with a backup of it or of another one: old modification times, inodes of
    /// its own. Syncline's own files are not in it.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.clear();
        self.touch("");
        let entries = self.bring_back(&snapshot.entries);
        *self.directory_mut("") = entries;
    }

    fn saved_entries(&self, number: u64) -> Vec<(EntryName, Saved)> {
        let Body::Directory(entries) = self.body_of(number) else { return Vec::new() };
        let saved = |number: u64| {
            let inode = &self.inodes[&number];
            let body = match &inode.body {
                Body::Directory(_) => Body::Directory(BTreeMap::new()),
                body => body.clone(),
            };
            Saved { inode: Inode { body, ..*inode }, entries: self.saved_entries(number) }
        };
        entries.iter().map(|(name, number)| (name.clone(), saved(*number))).collect()
    }

    fn bring_back(&mut self, saved: &[(EntryName, Saved)]) -> BTreeMap<EntryName, u64> {
        let mut entries = BTreeMap::new();
        for (name, saved) in saved {
            let below = self.bring_back(&saved.entries);
            let mut inode = saved.inode.clone();
            inode.changed_ns = self.now_ns();
            inode.modified_ns = self.stamp(inode.modified_ns);
            if let Body::Directory(entries) = &mut inode.body {
                *entries = below;
            }
            let number = self.number();
            self.inodes.insert(number, inode);
            entries.insert(name.clone(), number);
        }
        entries
    }
}

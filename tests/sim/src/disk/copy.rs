//! Backups of a folder, and copies of it on another device.

use std::collections::BTreeMap;

use super::{Body, Disk, EntryName, Inode, ROOT, join, parent};

/// All that stood in a folder, with its times.
#[derive(Clone)]
pub struct Snapshot {
    entries: Vec<(EntryName, Saved)>,
    /// When it was taken, by the disk's clock.
    taken_ns: i64,
}

#[derive(Clone)]
struct Saved {
    inode: Inode,
    entries: Vec<(EntryName, Saved)>,
}

impl Disk {
    /// A backup of the folder.
    pub fn snapshot(&self) -> Snapshot {
        Snapshot { entries: self.saved_entries(ROOT), taken_ns: self.now_ns() }
    }

    /// Replaces all that stands in the folder with a backup of it or of another one: old modification times, inodes of
    /// its own. Syncline's own files are not in it.
    pub fn restore(&mut self, snapshot: &Snapshot) {
        self.clear();
        self.touch("");
        let entries = self.bring_back(&snapshot.entries, snapshot.taken_ns);
        *self.directory_mut("") = entries;
    }

    /// Replaces what stands at one path by what a backup has there, in the same way; false if it has nothing.
    pub fn restore_at(&mut self, snapshot: &Snapshot, path: &str) -> bool {
        let Some((name, saved)) = snapshot.find(path) else { return false };
        if self.find(path).is_some() {
            self.remove(path);
        }
        self.mkdir(parent(path));
        let entry = (name.clone(), saved.clone());
        let arrived = self.bring_back(&[entry], snapshot.taken_ns);
        self.directory_mut(parent(path)).extend(arrived);
        true
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

    fn bring_back(&mut self, saved: &[(EntryName, Saved)], taken_ns: i64) -> BTreeMap<EntryName, u64> {
        let mut entries = BTreeMap::new();
        for (name, saved) in saved {
            let below = self.bring_back(&saved.entries, taken_ns);
            let mut inode = saved.inode.clone();
            inode.changed_ns = self.change_ns();
            // What was written in the same tick of the clock, after it was copied, would else have the same time as the
            // copy, which nobody could tell from it then.
            let is_settled = inode.modified_ns.abs_diff(taken_ns) >= self.step_ns().unsigned_abs();
            inode.modified_ns = if is_settled { self.stamp(inode.modified_ns) } else { self.now_ns() };
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

impl Snapshot {
    /// The paths of the directories in it, or of the files and links.
    pub fn paths(&self, directories: bool) -> Vec<String> {
        let mut paths = Vec::new();
        let mut rest: Vec<(String, &Saved)> =
            self.entries.iter().map(|(name, saved)| (name.shown.clone(), saved)).collect();
        while let Some((path, saved)) = rest.pop() {
            rest.extend(saved.entries.iter().map(|(name, saved)| (join(&path, &name.shown), saved)));
            let is_wanted = match saved.inode.body {
                Body::Directory(_) => directories,
                Body::File(_) | Body::Symlink(_) => !directories,
                Body::Special => false,
            };
            if is_wanted {
                paths.push(path);
            }
        }
        paths.sort();
        paths
    }

    fn find(&self, path: &str) -> Option<&(EntryName, Saved)> {
        let mut entries = &self.entries;
        let mut found = None;
        for part in path.split('/') {
            let entry = entries.iter().find(|(name, _)| *name == EntryName::plain(part))?;
            entries = &entry.1.entries;
            found = Some(entry);
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, symlink, tree};

    fn disk() -> (Clock, Disk) {
        let clock = Clock::new();
        let mut disk = Disk::new(clock.clone());
        disk.put(&tree([("a", "first".into()), ("d/b", "first".into()), ("d/e/link", symlink("x"))]));
        (clock, disk)
    }

    #[test]
    fn parts_of_a_backup_replace_what_stands_in_their_place() {
        let (clock, mut disk) = disk();
        clock.advance(1_000);
        let backup = disk.snapshot();
        assert_eq!((backup.paths(true), backup.paths(false)), (paths(&["d", "d/e"]), paths(&["a", "d/b", "d/e/link"])));
        clock.advance(1_000);
        disk.write("a", "second");
        disk.remove("d");
        disk.write("d/new", "second");
        assert!(disk.restore_at(&backup, "d/b"));
        assert_eq!(disk.tree(), tree([("a", "second"), ("d/b", "first"), ("d/new", "second")]));
        assert!(disk.restore_at(&backup, "d"));
        assert_eq!(disk.tree(), tree([("a", "second".into()), ("d/b", "first".into()), ("d/e/link", symlink("x"))]));
        assert!(!disk.restore_at(&backup, "d/new"));
    }

    #[test]
    fn a_file_comes_back_with_its_time_unless_another_could_have_the_same() {
        for (settled, is_old) in [(1, true), (0, false)] {
            let (clock, mut disk) = disk();
            let old = disk.stat(disk.find("a").unwrap()).modified_ns;
            clock.advance(settled);
            let backup = disk.snapshot();
            clock.advance(1_000);
            disk.restore(&backup);
            let found = disk.stat(disk.find("a").unwrap()).modified_ns;
            assert_eq!(found == old, is_old, "{found} after {old}");
        }
    }

    fn paths(paths: &[&str]) -> Vec<String> {
        paths.iter().map(ToString::to_string).collect()
    }
}

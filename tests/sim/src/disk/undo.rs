//! Changes of the tree that a loss of power takes back: they were made, but were not on disk.

use syncline_core::api::Stat;

use super::{Body, Disk, Inode, parent};

/// How one change is taken back.
pub(crate) struct Undo {
    pub path: String,
    /// What the change left there.
    pub now: Option<Stat>,
    /// The staged file that it took.
    pub stage: Option<u64>,
    pub was: Was,
}

/// What stood there before.
pub(crate) enum Was {
    Nothing,
    Bits { mode: u16, changed_ns: i64 },
    Directory { number: u64, inode: Inode },
    Displaced { number: u64 },
}

impl Disk {
    /// Takes a change back, if nothing came after it; what people built upon it holds it.
    pub(crate) fn take_back(&mut self, undo: &Undo) -> bool {
        let found = self.find(&undo.path);
        let stat = found.map(|number| self.stat(number));
        let untouched = match (&stat, &undo.now) {
            (None, None) => true,
            (Some(found), Some(left)) => Stat { settled: left.settled, ..*found } == *left,
            _ => false,
        };
        if !untouched || !self.is_directory(parent(&undo.path)) || !self.can_come_back(undo) {
            return false;
        }
        if let (Was::Bits { mode, changed_ns }, Some(number)) = (&undo.was, found) {
            let inode = self.inode_mut(number);
            (inode.mode, inode.changed_ns) = (*mode, *changed_ns);
            return true;
        }
        if let Some(number) = found
            && !self.unmake(&undo.path, number, undo.stage)
        {
            return false;
        }
        match &undo.was {
            Was::Nothing | Was::Bits { .. } => {}
            Was::Directory { number, inode } => {
                self.free.retain(|free| free != number);
                self.inodes.insert(*number, inode.clone());
                self.link(&undo.path, *number);
            }
            Was::Displaced { number } => {
                if let Some(index) = self.kept.iter().rposition(|kept| kept == number) {
                    self.kept.remove(index);
                    self.history.remove(index);
                    self.link(&undo.path, *number);
                }
            }
        }
        true
    }

    fn can_come_back(&self, undo: &Undo) -> bool {
        match &undo.was {
            Was::Directory { number, .. } => !self.inodes.contains_key(number),
            Was::Displaced { number } => self.kept.contains(number),
            Was::Nothing | Was::Bits { .. } => true,
        }
    }

    /// Takes away what a change made; a file goes back to staging.
    fn unmake(&mut self, path: &str, number: u64, stage: Option<u64>) -> bool {
        match self.body_of(number) {
            Body::Directory(entries) if !entries.is_empty() => return false,
            Body::File(bytes) => {
                let bytes = bytes.clone();
                self.staging.extend(stage.map(|stage| (stage, bytes)));
            }
            _ => {}
        }
        self.detach(path);
        true
    }
}

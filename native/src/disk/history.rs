//! The local history: where what is replaced or deleted goes.
//!
//! Each commit that displaces something gets a folder named after its time
//! (`history/20261121T135951.123456789Z/…`), in which displaced entries keep their paths below the root. So a path's
//! versions are found by looking for it in each of these folders, and every name that fits the tree fits here.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use rustix::fd::OwnedFd;
use rustix::fs::{Mode, fsync};
use rustix::io::Errno;

use super::tree::{open_directory, reopen};

/// How often a folder's name may be taken: its clock has nanoseconds.
const TAKEN_MAX: u32 = 1000;

/// How many folders stay open.
const OPEN_MAX: usize = 64;

/// The history's folder for one commit.
pub(crate) struct Displaced<'h> {
    history: &'h OwnedFd,
    folder: Option<Arc<OwnedFd>>,
    directories: HashMap<String, Arc<OwnedFd>>,
    /// More folders were made than are open.
    forgotten: bool,
}

/// A free name in the history.
pub(crate) struct Slot {
    /// Its directory.
    pub(crate) directory: Arc<OwnedFd>,
    /// Its name there.
    pub(crate) name: String,
}

impl<'h> Displaced<'h> {
    /// A commit's part of the history; nothing is made before something is displaced.
    pub(crate) fn new(history: &'h OwnedFd) -> Self {
        Self { history, folder: None, directories: HashMap::new(), forgotten: false }
    }

    /// A free place for what stands at this path.
    pub(crate) fn slot(&mut self, path: &str) -> Result<Slot, Errno> {
        match self.try_slot(path) {
            // The path, or one of its parents, is taken in this folder: begin a new one.
            Err(Errno::EXIST | Errno::NOTDIR | Errno::LOOP) => {
                self.folder = None;
                self.directories.clear();
                self.forgotten = true;
                self.try_slot(path)
            }
            result => result,
        }
    }

    /// Puts the folders made here on disk.
    pub(crate) fn sync(&self) -> Result<(), Errno> {
        let Some(folder) = &self.folder else { return Ok(()) };
        for directory in self.directories.values() {
            fsync(reopen(directory)?)?;
        }
        fsync(reopen(folder)?)?;
        fsync(reopen(self.history)?)
    }

    /// How many folders were made, if [`sync`](Self::sync) can put all of them on disk.
    pub(crate) fn folders(&self) -> Option<usize> {
        (!self.forgotten).then_some(self.directories.len())
    }

    fn try_slot(&mut self, path: &str) -> Result<Slot, Errno> {
        let (parent, name) = path.rsplit_once('/').unwrap_or(("", path));
        let directory = self.directory(parent)?;
        match rustix::fs::statat(&directory, name, rustix::fs::AtFlags::SYMLINK_NOFOLLOW) {
            Err(Errno::NOENT) => Ok(Slot { directory, name: name.to_string() }),
            Err(errno) => Err(errno),
            Ok(_) => Err(Errno::EXIST),
        }
    }

    fn directory(&mut self, path: &str) -> Result<Arc<OwnedFd>, Errno> {
        let mut directory = match &self.folder {
            Some(folder) => Arc::clone(folder),
            None => {
                let folder = Arc::new(self.make_folder()?);
                self.folder = Some(Arc::clone(&folder));
                folder
            }
        };
        if path.is_empty() {
            return Ok(directory);
        }
        if let Some(known) = self.directories.get(path) {
            return Ok(Arc::clone(known));
        }
        let mut end = 0;
        for name in path.split('/') {
            end += name.len() + usize::from(end > 0);
            let prefix = path.get(..end).unwrap_or(path);
            if let Some(known) = self.directories.get(prefix) {
                directory = Arc::clone(known);
                continue;
            }
            match rustix::fs::mkdirat(&directory, name, Mode::RWXU) {
                Ok(()) | Err(Errno::EXIST) => {}
                Err(errno) => return Err(errno),
            }
            directory = Arc::new(open_directory(&directory, name)?);
            if self.directories.len() >= OPEN_MAX {
                self.directories.clear();
                self.forgotten = true;
            }
            self.directories.insert(prefix.to_string(), Arc::clone(&directory));
        }
        Ok(directory)
    }

    fn make_folder(&self) -> Result<OwnedFd, Errno> {
        let mut taken = 0;
        loop {
            let name = Timestamp::now().strftime("%Y%m%dT%H%M%S.%9fZ").to_string();
            match rustix::fs::mkdirat(self.history, name.as_str(), Mode::RWXU) {
                Ok(()) => return open_directory(self.history, name.as_str()),
                Err(Errno::EXIST) if taken < TAKEN_MAX => taken += 1,
                Err(errno) => return Err(errno),
            }
        }
    }
}

//! Removing files.

use std::collections::BTreeMap;

use rustix::fs::AtFlags;
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind};

use super::SharedFolder;
use super::create::sync_directory;
use super::look::kind_at;
use crate::disk::{Directories, Place, failure, place};

impl SharedFolder {
    /// Removes files. One whose bytes are elsewhere stays: to remove what stands for it removes it everywhere.
    pub(super) fn remove(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        let session = match self.session() {
            Ok(session) => session,
            Err(failure) => return paths.iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut directories = Directories::new(&session);
        let mut changed = BTreeMap::new();
        let mut results: Vec<_> = paths.iter().map(|path| remove_one(&mut directories, &mut changed, path)).collect();
        if let Err(errno) = changed.values().try_for_each(sync_directory) {
            results.iter_mut().filter(|result| result.is_ok()).for_each(|result| *result = Err(failure(errno)));
        }
        results
    }

    /// Removes files of this device, and the directories that are empty then. Those that are not there count as removed.
    ///
    /// # Errors
    /// The first file that cannot be removed; the others are all the same.
    pub(crate) fn remove_own(&self, paths: &[String]) -> Result<(), Failure> {
        self.remove(paths).into_iter().collect::<Result<(), _>>()?;
        let session = self.session()?;
        let mut directories = Directories::new(&session);
        for path in paths {
            let Place { parent, .. } = place(path)?;
            let Place { parent: around, name } = place(parent)?;
            let around = directories.directory(around, failure)?;
            // It is gone already, or others have put something into it.
            let _ = rustix::fs::unlinkat(&around, name, AtFlags::REMOVEDIR);
        }
        Ok(())
    }
}

type Changed = BTreeMap<String, std::sync::Arc<rustix::fd::OwnedFd>>;

fn remove_one(directories: &mut Directories<'_>, changed: &mut Changed, path: &str) -> Result<(), Failure> {
    let Place { parent, name } = place(path)?;
    let removed = directories.directory(parent, failure).and_then(|directory| {
        match kind_at(&directory, name)? {
            FolderEntryKind::File => {}
            FolderEntryKind::Placeholder => return Err(Failure::NotLocal),
            FolderEntryKind::Directory | FolderEntryKind::Other => return Err(Failure::Unrepresentable),
        }
        match rustix::fs::unlinkat(&directory, name, AtFlags::empty()) {
            Ok(()) => drop(changed.insert(parent.to_string(), directory)),
            Err(Errno::NOENT) => {}
            Err(errno) => return Err(failure(errno)),
        }
        Ok(())
    });
    match removed {
        Err(Failure::Missing) => Ok(()),
        removed => removed,
    }
}

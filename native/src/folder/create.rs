//! Creating files: each whole or not at all, none over another.
//!
//! A file is put together under a name that nobody reads, is put on disk, and then takes its own name if that is free. All
//! bytes of a batch are on disk before its first name is, the directories before it completes.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Dir, FileType, Mode, OFlags, fsync};
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderFile};
use uuid::Uuid;

use super::SharedFolder;
use super::look::kind_at;
use crate::disk::{Directories, Place, failure, other_failure, place, rename_new, reopen, write_full};

/// What names of files begin with that are being put together: no counter, feed or `info` is called so. Nor may a service
/// carry such a file, which is gone before others can get it: Syncthing holds back for minutes what it did not get.
/// Syncthing takes all names that begin so for its own unfinished files, on every system.
pub(super) const STAGED_PREFIX: &str = "~syncthing~syncline-";
/// Dropbox leaves out names that begin with `~` and end so, iCloud Drive, OneDrive and Google Drive all that end so.
const STAGED_SUFFIX: &str = ".tmp";
/// A staged file this old is left from a crash.
const STALE_SECONDS: u64 = 3600;
/// Who may do what with a new file or directory is what its folder's users have set up.
const FILE_MODE: Mode = Mode::from_bits_retain(0o666);
const DIRECTORY_MODE: Mode = Mode::from_bits_retain(0o777);

/// The directories in which what crashes left was looked for.
#[derive(Default)]
pub(super) struct Swept(Mutex<HashSet<String>>);

impl SharedFolder {
    /// Creates files in this order. The first that fails ends it: those behind it fail too, so that no message stands
    /// before an earlier one of its author.
    pub(super) fn create(&self, files: &[FolderFile]) -> Vec<Result<(), Failure>> {
        let session = match self.session() {
            Ok(session) => session,
            Err(failure) => return files.iter().map(|_| Err(failure.clone())).collect(),
        };
        let mut batch = Batch::new(Directories::new(&session), &self.swept);
        let mut ended = batch.stage_all(files).err();
        let (count, failed) = batch.publish_all();
        ended = failed.or(ended);
        let created = match batch.sync() {
            Ok(()) => Ok(()),
            Err(errno) => Err(failure(errno)),
        };
        let behind = || Err(other_failure("a file before it could not be created"));
        (0..files.len())
            .map(|number| match number {
                number if number < count => created.clone(),
                number if number == count => ended.take().map_or_else(behind, Err),
                _ => behind(),
            })
            .collect()
    }
}

/// Files that are being created.
pub(super) struct Batch<'s> {
    directories: Directories<'s>,
    swept: &'s Swept,
    staged: Vec<Staged>,
    /// Directories whose entries changed.
    changed: BTreeMap<String, Arc<OwnedFd>>,
}

/// A file under a name that nobody reads; it is removed if it gets no other.
struct Staged {
    parent: String,
    directory: Arc<OwnedFd>,
    file: OwnedFd,
    staged_name: String,
    name: String,
    published: bool,
}

impl<'s> Batch<'s> {
    /// Nothing is staged yet.
    pub(super) fn new(directories: Directories<'s>, swept: &'s Swept) -> Self {
        Self { directories, swept, staged: Vec::new(), changed: BTreeMap::new() }
    }

    /// Stages files up to the first that fails.
    pub(super) fn stage_all(&mut self, files: &[FolderFile]) -> Result<(), Failure> {
        files.iter().try_for_each(|file| self.stage(&file.path, &file.bytes))
    }

    /// Puts the staged files on disk and then under their names, up to the first that fails; tells how many, and why no
    /// more.
    pub(super) fn publish_all(&mut self) -> (usize, Option<Failure>) {
        let mut staged = std::mem::take(&mut self.staged);
        let mut failed = None;
        let on_disk = staged.iter().position(|staged| match fsync(&staged.file) {
            Ok(()) => false,
            Err(errno) => {
                failed = Some(failure(errno));
                true
            }
        });
        staged.truncate(on_disk.unwrap_or(staged.len()));
        for (number, staged) in staged.iter_mut().enumerate() {
            if let Err(failure) = staged.publish() {
                return (number, Some(failure));
            }
            self.changed.insert(staged.parent.clone(), Arc::clone(&staged.directory));
        }
        (staged.len(), failed)
    }

    /// Puts the changed directories on disk.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        self.changed.values().try_for_each(sync_directory)
    }

    fn stage(&mut self, path: &str, bytes: &[u8]) -> Result<(), Failure> {
        let Place { parent, name } = place(path)?;
        let directory = self.directory(parent)?;
        free(&directory, name)?;
        self.staged.push(Staged::new(parent, directory, name, bytes)?);
        Ok(())
    }

    /// The directory at this path below the session's, made if it is missing.
    fn directory(&mut self, path: &str) -> Result<Arc<OwnedFd>, Failure> {
        match self.directories.directory(path, explain) {
            Err(Failure::Missing) if !path.is_empty() => {}
            Ok(directory) => {
                self.swept.once(path, &directory);
                return Ok(directory);
            }
            result => return result,
        }
        let Place { parent, name } = place(path)?;
        let around = self.directory(parent)?;
        match rustix::fs::mkdirat(&around, name, DIRECTORY_MODE) {
            Ok(()) => {
                self.changed.insert(parent.to_string(), around);
                self.swept.note(path);
            }
            // Another process was faster.
            Err(Errno::EXIST) => {}
            Err(errno) => return Err(failure(errno)),
        }
        self.directories.directory(path, explain)
    }
}

impl Staged {
    fn new(parent: &str, directory: Arc<OwnedFd>, name: &str, bytes: &[u8]) -> Result<Staged, Failure> {
        let staged_name = format!("{STAGED_PREFIX}{}{STAGED_SUFFIX}", Uuid::new_v4().simple());
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let file = rustix::fs::openat(&directory, &staged_name, flags, FILE_MODE).map_err(failure)?;
        let parent = parent.to_string();
        let staged = Staged { parent, directory, file, staged_name, name: name.to_string(), published: false };
        write_full(&staged.file, bytes, 0).map_err(failure)?;
        Ok(staged)
    }

    fn publish(&mut self) -> Result<(), Failure> {
        // A placeholder may have come meanwhile, which no rename minds.
        free(&self.directory, &self.name)?;
        self.take_name()
    }

    /// Takes the name, if nothing stands there at this very moment.
    fn take_name(&mut self) -> Result<(), Failure> {
        match rename_new(&self.directory, &self.staged_name, &self.directory, &self.name) {
            Ok(()) => self.published = true,
            Err(Errno::EXIST) => return Err(Failure::Changed),
            Err(errno) => return Err(failure(errno)),
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if !self.published {
            // What stays is looked for later.
            let _ = rustix::fs::unlinkat(&self.directory, &self.staged_name, AtFlags::empty());
        }
    }
}

impl Swept {
    /// Removes what crashes left in a directory, once in the life of a host: to look for it reads all of the directory.
    fn once(&self, path: &str, directory: &OwnedFd) {
        if self.note(path)
            && let Err(errno) = sweep(directory)
        {
            tracing::debug!("cannot look for what crashes left in {path:?}: {errno}");
        }
    }

    /// Whether it was not noted before.
    fn note(&self, path: &str) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_string())
    }
}

/// Puts a directory on disk, where its file system has something to do for that.
pub(super) fn sync_directory(directory: impl AsFd) -> Result<(), Errno> {
    match fsync(reopen(directory)?) {
        Err(Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP) => Ok(()),
        result => result,
    }
}

/// Whether nothing stands under a name.
fn free(directory: impl AsFd, name: &str) -> Result<(), Failure> {
    match kind_at(directory, name) {
        Ok(_) => Err(Failure::Changed),
        Err(Failure::Missing) => Ok(()),
        Err(failure) => Err(failure),
    }
}

fn sweep(directory: &OwnedFd) -> Result<(), Errno> {
    for entry in Dir::new(reopen(directory)?)? {
        let entry = entry?;
        let name = entry.file_name();
        if name.to_bytes().starts_with(STAGED_PREFIX.as_bytes()) && is_stale(directory, name)? {
            rustix::fs::unlinkat(directory, name, AtFlags::empty())?;
        }
    }
    Ok(())
}

fn is_stale(directory: &OwnedFd, name: &std::ffi::CStr) -> Result<bool, Errno> {
    let stat = match rustix::fs::statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => stat,
        Err(Errno::NOENT) => return Ok(false),
        Err(errno) => return Err(errno),
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_secs());
    // The field's type differs between platforms.
    #[allow(clippy::useless_conversion, reason = "the field's type differs between platforms")]
    let modified = u64::try_from(i64::from(stat.st_mtime)).unwrap_or(0);
    let is_old = modified.saturating_add(STALE_SECONDS) < now;
    Ok(is_old && FileType::from_raw_mode(stat.st_mode).is_file())
}

/// What stands in a directory's place is neither an absence nor a file that was created before.
fn explain(errno: Errno) -> Failure {
    match errno {
        Errno::NOTDIR | Errno::LOOP => other_failure("expected a directory to create files in, found something else"),
        errno => failure(errno),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::open_directory;
    use rustix::fs::CWD;

    #[test]
    fn a_name_that_is_taken_at_the_last_moment_stays_whose_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let directory = Arc::new(open_directory(CWD, folder.path()).unwrap());
        let [mut one, mut two] =
            [b"one", b"two"].map(|text| Staged::new("", Arc::clone(&directory), "1", text).unwrap());
        assert_eq!(one.take_name(), Ok(()));
        assert_eq!(two.take_name(), Err(Failure::Changed));
        drop((one, two));
        assert_eq!(std::fs::read(folder.path().join("1")).unwrap(), b"one");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}

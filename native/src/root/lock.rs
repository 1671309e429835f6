//! One process per root.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Seek, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use crate::Error;

/// An advisory lock on a root. The system frees it when the process ends, however it ends.
pub(crate) struct Lock {
    _file: File,
}

impl Lock {
    /// Takes the lock, making its file if needed, and notes this process in it.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub(crate) fn take(root: &Path, file: &Path) -> Result<Lock, Error> {
        let opened = OpenOptions::new().read(true).write(true).create(true).truncate(false).mode(0o600).open(file);
        let mut opened = lock(root, file, opened)?;
        let noted =
            opened.set_len(0).and_then(|()| opened.rewind()).and_then(|()| writeln!(opened, "{}", std::process::id()));
        noted.map_err(|e| Error::io("write to the lock", file, e))?;
        Ok(Lock { _file: opened })
    }

    /// Takes the lock without writing anything.
    ///
    /// # Errors
    /// [`Error::Locked`] if another process has it.
    pub(crate) fn take_unnoted(root: &Path, file: &Path) -> Result<Option<Lock>, Error> {
        match File::open(file) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            opened => Ok(Some(Lock { _file: lock(root, file, opened)? })),
        }
    }
}

fn lock(root: &Path, file: &Path, opened: std::io::Result<File>) -> Result<File, Error> {
    let mut opened = opened.map_err(|e| Error::io("open the lock", file, e))?;
    match opened.try_lock() {
        Ok(()) => Ok(opened),
        Err(TryLockError::WouldBlock) => {
            let mut holder = String::new();
            // Who has it is only for people; a lock that cannot be read is still a lock.
            let _ = opened.read_to_string(&mut holder);
            Err(Error::Locked { path: root.to_path_buf(), holder: holder.trim().parse().ok() })
        }
        Err(TryLockError::Error(e)) => Err(Error::io("lock", file, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn t30_a_second_holder_is_refused_and_told_who_has_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("lock");
        assert!(Lock::take_unnoted(folder.path(), &file).unwrap().is_none());
        let held = Lock::take(folder.path(), &file).unwrap();
        for refused in [Lock::take(folder.path(), &file).err(), Lock::take_unnoted(folder.path(), &file).err()] {
            let Some(Error::Locked { holder, .. }) = refused else { panic!("the lock was taken twice") };
            assert_eq!(holder, Some(std::process::id()));
        }
        drop(held);
        assert!(Lock::take_unnoted(folder.path(), &file).unwrap().is_some());
    }
}

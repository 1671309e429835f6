//! Renames that never overwrite, and swaps, with what replaces them where the file system has none.

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, RenameFlags};
use rustix::io::Errno;

/// Moves an entry to a name where nothing stands.
///
/// # Errors
/// `EXIST` if something stands there.
pub(crate) fn rename_new(from: impl AsFd, name: &str, to: impl AsFd, new_name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(&from, name, &to, new_name, RenameFlags::NOREPLACE) {
        Err(errno) if unsupported(errno) => rename_new_by_link(from, name, to, new_name),
        result => result,
    }
}

/// Swaps two entries.
///
/// # Errors
/// `NOSYS` where the file system cannot.
pub(crate) fn exchange(one: impl AsFd, name: &str, other: impl AsFd, other_name: &str) -> Result<(), Errno> {
    match rustix::fs::renameat_with(one, name, other, other_name, RenameFlags::EXCHANGE) {
        Err(errno) if unsupported(errno) => Err(Errno::NOSYS),
        result => result,
    }
}

/// A hard link is made only where nothing stands. Directories, and file systems without hard links, are looked at
/// first instead.
pub(crate) fn rename_new_by_link(from: impl AsFd, name: &str, to: impl AsFd, new_name: &str) -> Result<(), Errno> {
    match rustix::fs::linkat(&from, name, &to, new_name, AtFlags::empty()) {
        Ok(()) => rustix::fs::unlinkat(from, name, AtFlags::empty()),
        Err(Errno::PERM | Errno::OPNOTSUPP | Errno::NOSYS | Errno::MLINK) => {
            match rustix::fs::statat(&to, new_name, AtFlags::SYMLINK_NOFOLLOW) {
                Ok(_) => Err(Errno::EXIST),
                Err(Errno::NOENT) => rustix::fs::renameat(from, name, to, new_name),
                Err(errno) => Err(errno),
            }
        }
        Err(errno) => Err(errno),
    }
}

fn unsupported(errno: Errno) -> bool {
    matches!(errno, Errno::INVAL | Errno::NOSYS | Errno::OPNOTSUPP)
}

//! What stands under a name.

use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind};

use crate::disk::{Directories, failure};

/// What iCloud Drive puts in a file's place while its bytes are elsewhere: `.name.icloud`.
const PLACEHOLDER_PREFIX: &str = ".";
const PLACEHOLDER_SUFFIX: &str = ".icloud";

/// Of so many names that are missing one is asked for a placeholder, as long as none was seen.
const ASKED_OF: u8 = 16;

/// How much is known of placeholders in a folder. To ask for one beside each name that is missing more than doubles the cost
/// of a poll, most of whose names are. iCloud Drive makes them on Apple's systems; elsewhere a folder has some only if it
/// comes from there, on a stick or from another computer. A listing shows those that were there at the start. For the first
/// one that comes later a poll asks beside some names, not always the same ones, so that some tens of polls find it.
pub(super) struct Placeholders {
    expected: AtomicBool,
}

impl Default for Placeholders {
    fn default() -> Self {
        Self { expected: AtomicBool::new(cfg!(target_vendor = "apple")) }
    }
}

impl Placeholders {
    /// One was seen.
    pub(super) fn note(&self) {
        self.expected.store(true, Ordering::Relaxed);
    }

    /// Tells what stands at a path that is asked for again and again. What is said to be missing may have a placeholder, as
    /// long as none was seen.
    pub(super) fn poll(&self, directories: &mut Directories<'_>, path: &str) -> Result<FolderEntryKind, Failure> {
        let (directory, name) = directories.parent(path, failure)?;
        match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(kind_in(&stat)),
            Err(Errno::NOENT) if !self.is_next_asked() => Err(Failure::Missing),
            Err(Errno::NOENT) => {
                let kind = placeholder_at(directory, name)?;
                self.note();
                Ok(kind)
            }
            Err(errno) => Err(failure(errno)),
        }
    }

    /// Whether to look for a placeholder of the next name that is missing.
    fn is_next_asked(&self) -> bool {
        if self.expected.load(Ordering::Relaxed) {
            return true;
        }
        // Polls repeat themselves: what is asked for must follow no rhythm of theirs.
        fastrand::u8(..ASKED_OF) == 0
    }
}

/// Tells what stands at a path.
pub(super) fn kind_of(directories: &mut Directories<'_>, path: &str) -> Result<FolderEntryKind, Failure> {
    let (directory, name) = directories.parent(path, failure)?;
    kind_at(&directory, name)
}

/// Tells what stands under a name. What is there itself counts more than a placeholder beside it.
pub(super) fn kind_at(directory: impl AsFd, name: &str) -> Result<FolderEntryKind, Failure> {
    match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(kind_in(&stat)),
        Err(Errno::NOENT) => placeholder_at(directory, name),
        Err(errno) => Err(failure(errno)),
    }
}

/// Tells whether a placeholder stands for a name that is missing.
fn placeholder_at(directory: impl AsFd, name: &str) -> Result<FolderEntryKind, Failure> {
    match rustix::fs::statat(directory, placeholder(name), AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) if is_file(&stat) => Ok(FolderEntryKind::Placeholder),
        Ok(_) | Err(Errno::NOENT | Errno::NAMETOOLONG) => Err(Failure::Missing),
        Err(errno) => Err(failure(errno)),
    }
}

/// The kind in an entry's metadata.
pub(super) fn kind_in(stat: &Stat) -> FolderEntryKind {
    if is_file(stat) && is_dataless(stat) {
        return FolderEntryKind::Placeholder;
    }
    kind_from(FileType::from_raw_mode(stat.st_mode))
}

/// The kind of a file type.
pub(super) fn kind_from(file_type: FileType) -> FolderEntryKind {
    match file_type {
        FileType::RegularFile => FolderEntryKind::File,
        FileType::Directory => FolderEntryKind::Directory,
        _ => FolderEntryKind::Other,
    }
}

/// The name of what stands for a file whose bytes are elsewhere.
pub(super) fn placeholder(name: &str) -> String {
    format!("{PLACEHOLDER_PREFIX}{name}{PLACEHOLDER_SUFFIX}")
}

/// Which file a name stands for.
pub(super) fn placeholder_of(name: &str) -> Option<&str> {
    let file = name.strip_prefix(PLACEHOLDER_PREFIX)?.strip_suffix(PLACEHOLDER_SUFFIX)?;
    (!matches!(file, "" | "." | "..")).then_some(file)
}

fn is_file(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode).is_file()
}

/// Whether reading the file would have to fetch its bytes first.
#[cfg(target_vendor = "apple")]
fn is_dataless(stat: &Stat) -> bool {
    const SF_DATALESS: u32 = 0x4000_0000;
    stat.st_flags & SF_DATALESS != 0
}

#[cfg(not(target_vendor = "apple"))]
fn is_dataless(_: &Stat) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn f05_a_placeholder_stands_for_its_file() {
        assert_eq!(placeholder("5"), ".5.icloud");
        assert_eq!(placeholder_of(".5.icloud"), Some("5"));
        for name in ["5", "5.icloud", ".5", ".icloud", "..icloud", "...icloud", "....icloud", ".5.icloud.1"] {
            assert_eq!(placeholder_of(name), None, "{name}");
        }
    }
}

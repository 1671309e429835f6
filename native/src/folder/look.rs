//! What stands under a name.

use rustix::fd::AsFd;
use rustix::fs::{AtFlags, FileType, Stat};
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind};

use crate::disk::{Directories, failure};

/// What iCloud Drive puts in a file's place while its bytes are elsewhere: `.name.icloud`.
const PLACEHOLDER_PREFIX: &str = ".";
const PLACEHOLDER_SUFFIX: &str = ".icloud";

/// Tells what stands at a path.
pub(super) fn kind_of(directories: &mut Directories<'_>, path: &str) -> Result<FolderEntryKind, Failure> {
    let (directory, name) = directories.parent(path, failure)?;
    kind_at(&directory, name)
}

/// Tells what stands under a name. What is there itself counts more than a placeholder beside it.
pub(super) fn kind_at(directory: impl AsFd, name: &str) -> Result<FolderEntryKind, Failure> {
    match rustix::fs::statat(&directory, name, AtFlags::SYMLINK_NOFOLLOW) {
        Ok(stat) => Ok(kind_in(&stat)),
        Err(Errno::NOENT) => match rustix::fs::statat(directory, placeholder(name), AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) if is_file(&stat) => Ok(FolderEntryKind::Placeholder),
            Ok(_) | Err(Errno::NOENT | Errno::NAMETOOLONG) => Err(Failure::Missing),
            Err(errno) => Err(failure(errno)),
        },
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

//! Reading files whole.

use rustix::fd::AsFd;
use rustix::fs::FileType;
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind};

use super::look::kind_at;
use crate::disk::{Directories, failure, open_file, read_full};

/// Reads a file of at most `bytes_max` bytes.
pub(super) fn whole(directories: &mut Directories<'_>, path: &str, bytes_max: u32) -> Result<Vec<u8>, Failure> {
    let (directory, name) = directories.parent(path, failure)?;
    whole_at(&directory, name, bytes_max)
}

/// Reads a file in a directory, of at most `bytes_max` bytes.
pub(super) fn whole_at(directory: impl AsFd, name: &str, bytes_max: u32) -> Result<Vec<u8>, Failure> {
    // Looked at first: opening a device can do something, and opening a placeholder may wait for a network.
    match kind_at(&directory, name)? {
        FolderEntryKind::File => {}
        FolderEntryKind::Placeholder => return Err(Failure::NotLocal),
        FolderEntryKind::Directory | FolderEntryKind::Other => return Err(Failure::Unrepresentable),
    }
    let file = match open_file(directory, name) {
        Ok(file) => file,
        // It became a link or a socket meanwhile.
        Err(Errno::LOOP | Errno::NXIO) => return Err(Failure::Unrepresentable),
        Err(errno) => return Err(failure(errno)),
    };
    let stat = rustix::fs::fstat(&file).map_err(failure)?;
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return Err(Failure::Unrepresentable);
    }
    let size = u64::try_from(stat.st_size).unwrap_or(0);
    if size > u64::from(bytes_max) {
        return Err(Failure::TooLarge);
    }
    read_to_end(&file, size as usize, bytes_max as usize)
}

/// Reads all of a file that may still be growing.
fn read_to_end(file: impl AsFd, expected: usize, bytes_max: usize) -> Result<Vec<u8>, Failure> {
    let limit = bytes_max.saturating_add(1);
    // One byte more than is expected shows the end.
    let mut bytes = vec![0; expected.saturating_add(1).min(limit)];
    let mut filled = 0;
    loop {
        let rest = bytes.get_mut(filled..).unwrap_or_default();
        filled += read_full(&file, rest, filled as u64).map_err(failure)?;
        if filled < bytes.len() {
            bytes.truncate(filled);
            return Ok(bytes);
        }
        if filled > bytes_max {
            return Err(Failure::TooLarge);
        }
        bytes.resize(filled.saturating_mul(2).min(limit), 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_grew_since_it_was_looked_at_is_read_to_its_end_or_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("f");
        std::fs::write(&path, [7; 100]).unwrap();
        let file = std::fs::File::open(&path).unwrap();
        assert_eq!(read_to_end(&file, 3, 100), Ok(vec![7; 100]));
        assert_eq!(read_to_end(&file, 100, 100), Ok(vec![7; 100]));
        assert_eq!(read_to_end(&file, 3, 99), Err(Failure::TooLarge));
        assert_eq!(read_to_end(&file, 200, 300), Ok(vec![7; 100]));
    }
}

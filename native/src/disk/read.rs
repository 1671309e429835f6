//! Reading parts of files.

use rustix::fd::OwnedFd;
use rustix::io::Errno;
use syncline_core::api::{Failure, Outcome, ReadRange, ReadResult};

use super::Disk;
use super::failure::failure;
use super::open::{open_file, read_full};
use super::stat::{same, stat_of};
use super::tree::Directories;

/// The longest part that is read at once, in bytes.
const LENGTH_MAX: u32 = 4 * 1024 * 1024;

impl Disk {
    /// Reads each part; neighbours are often parts of one file, which stays open between them.
    pub(crate) fn read(&self, ranges: &[ReadRange]) -> Outcome {
        let mut directories = Directories::new(&self.tree);
        let mut open: Option<(&str, OwnedFd)> = None;
        let mut results = Vec::with_capacity(ranges.len());
        for range in ranges {
            let result = match open.take() {
                Some((path, file)) if path == range.path => read_part(&file, range).map(|bytes| (bytes, file)),
                _ => self.read_first(&mut directories, range),
            };
            results.push(match result {
                Ok((bytes, file)) => {
                    open = Some((&range.path, file));
                    ReadResult::Bytes { bytes }
                }
                Err(failure) => ReadResult::Failed { failure },
            });
        }
        Outcome::Read { results }
    }

    fn read_first(&self, directories: &mut Directories<'_>, range: &ReadRange) -> Result<(Vec<u8>, OwnedFd), Failure> {
        let (directory, name) = directories.parent(&range.path, failure)?;
        let file = match open_file(&directory, name) {
            Ok(file) => file,
            // A link or a socket stands there now.
            Err(Errno::LOOP | Errno::NXIO) => return Err(Failure::Changed),
            Err(errno) => return Err(failure(errno)),
        };
        read_part(&file, range).map(|bytes| (bytes, file))
    }
}

fn read_part(file: &OwnedFd, range: &ReadRange) -> Result<Vec<u8>, Failure> {
    if range.length > LENGTH_MAX {
        return Err(super::failure::other_failure("the part to read is longer than 4 MiB"));
    }
    let mut bytes = vec![0; range.length as usize];
    let count = read_full(file, &mut bytes, range.offset).map_err(failure)?;
    // A file that is the expected one after the reading was so before it: times never go back by themselves.
    check(file, range)?;
    if count == bytes.len() { Ok(bytes) } else { Err(Failure::Changed) }
}

fn check(file: &OwnedFd, range: &ReadRange) -> Result<(), Failure> {
    let stat = stat_of(file).map_err(failure)?;
    if same(&range.stat, &stat) { Ok(()) } else { Err(Failure::Changed) }
}

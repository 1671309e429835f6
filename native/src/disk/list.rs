//! Listing directories.

use std::ffi::CString;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::io::Errno;
use syncline_core::api::{EntryKind, Failure, Outcome, listing};

use super::Disk;
use super::failure::failure;
use super::path::OWN;
use super::stat::stat_at;
use super::tree::{Directories, reopen};

/// How many entries one page holds.
const PAGE_ENTRIES: usize = 4096;

/// The names of the directory that was listed last and did not fit in one page, so that each further page does not read
/// and sort all of it again.
#[derive(Default)]
pub(crate) struct Names {
    last: Mutex<Option<(String, Arc<Vec<Name>>)>>,
}

/// A name as text, by which listings are ordered, and as bytes where that differs.
struct Name {
    text: String,
    raw: Option<CString>,
}

impl Disk {
    /// Lists one page of a directory.
    pub(crate) fn list(&self, directory: &str, after: Option<&str>) -> Outcome {
        match self.page(directory, after) {
            Ok((listing, more)) => Outcome::Listed { listing, more, marker: self.marker() },
            Err(failure) => Outcome::Failed { failure },
        }
    }

    fn page(&self, directory: &str, after: Option<&str>) -> Result<(Vec<u8>, bool), Failure> {
        if directory.is_empty() && self.tree.root().is_err() {
            return Ok((Vec::new(), false));
        }
        let opened = Directories::new(&self.tree).directory(directory, failure)?;
        let names = self.names(directory, after, &opened)?;
        let start = after.map_or(0, |after| names.partition_point(|name| name.text.as_str() <= after));
        let mut packed = Vec::new();
        let mut end = start;
        for name in names.iter().skip(start) {
            let last = end.checked_sub(1).and_then(|last| names.get(last));
            // Names that are no UTF-8 can look alike; a page never ends between such.
            if end - start >= PAGE_ENTRIES && last.is_none_or(|last| last.text != name.text) {
                break;
            }
            end += 1;
            let stat = match &name.raw {
                None => stat_at(&opened, name.text.as_str()),
                Some(raw) => stat_at(&opened, raw.as_c_str()),
            };
            match stat {
                Ok(mut stat) => {
                    if name.raw.is_some() {
                        stat.kind = EntryKind::Unnameable;
                    }
                    listing::push(&mut packed, &name.text, &stat);
                }
                // It went away since the directory was read.
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(failure(errno)),
            }
        }
        let more = end < names.len();
        let mut last = self.names.last.lock().unwrap_or_else(PoisonError::into_inner);
        *last = more.then(|| (directory.to_string(), names));
        Ok((packed, more))
    }

    fn names(
        &self,
        directory: &str,
        after: Option<&str>,
        opened: &rustix::fd::OwnedFd,
    ) -> Result<Arc<Vec<Name>>, Failure> {
        if after.is_some() {
            let last = self.names.last.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((path, names)) = last.as_ref()
                && path == directory
            {
                return Ok(Arc::clone(names));
            }
        }
        let mut names = Vec::new();
        let readable = reopen(opened).map_err(failure)?;
        for entry in rustix::fs::Dir::new(readable).map_err(failure)? {
            let entry = entry.map_err(failure)?;
            match entry.file_name().to_bytes() {
                b"." | b".." => {}
                bytes => names.push(match std::str::from_utf8(bytes) {
                    Ok(text) => Name { text: text.to_string(), raw: None },
                    Err(_) => Name {
                        text: String::from_utf8_lossy(bytes).into_owned(),
                        raw: Some(entry.file_name().to_owned()),
                    },
                }),
            }
        }
        if directory.is_empty() {
            let mut failed = None;
            names.retain(|name| match self.hidden(&name.text) {
                Ok(hidden) => !hidden,
                Err(errno) => {
                    failed = Some(errno);
                    true
                }
            });
            if let Some(errno) = failed {
                return Err(failure(errno));
            }
        }
        names.sort_unstable_by(|a, b| a.text.cmp(&b.text).then_with(|| a.raw.cmp(&b.raw)));
        Ok(Arc::new(names))
    }

    /// Syncline's own folder is no part of the tree, however the file system lets its name be spelled.
    fn hidden(&self, name: &str) -> Result<bool, Errno> {
        match super::path::doubtful_first(name) {
            Some(_) => self.tree.is_own(name),
            None => Ok(name == OWN),
        }
    }
}

//! Listing directories a page at a time.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, Dir, DirEntry, FileType};
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind, listing};

use super::SharedFolder;
use super::look::{Placeholders, kind_from, kind_in, placeholder_of};
use crate::disk::{Directories, failure, other_failure, reopen};

/// How many bytes of packed names one page holds.
const PAGE_BYTES: usize = 256 * 1024;
/// What a packed name has beside the name: its kind, and its length of at most 255.
const NAME_OVERHEAD: usize = 1 + 2;
/// How many directories stay open between their pages.
const OPEN_MAX: usize = 4;

/// The directories that are being listed.
pub(super) struct Streams {
    page_bytes: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    /// How many pages were promised so far, which names the next one.
    promised: u64,
    /// By the page that comes next, the oldest first.
    open: VecDeque<(u64, Stream)>,
}

/// A directory that is being listed.
struct Stream {
    path: String,
    directory: Arc<OwnedFd>,
    entries: Dir,
    /// The one that did not fit into the page before.
    pending: Option<(FolderEntryKind, String)>,
}

impl Default for Streams {
    fn default() -> Self {
        Self { page_bytes: PAGE_BYTES, state: Mutex::default() }
    }
}

impl SharedFolder {
    /// A page of a directory, and the name of the one behind it.
    pub(super) fn list(&self, directory: &str, page: Option<u64>) -> Result<(Vec<u8>, Option<u64>), Failure> {
        let mut stream = match page {
            None => {
                let session = self.session()?;
                Stream::open(directory, Directories::new(&session).directory(directory, failure)?)?
            }
            Some(page) => self
                .streams
                .take(page, directory)
                .ok_or_else(|| other_failure("this page is not open any more; list the directory again"))?,
        };
        let (names, more) = stream.page(self.streams.page_bytes, &self.placeholders)?;
        Ok((names, more.then(|| self.streams.keep(stream))))
    }
}

impl Streams {
    /// Pages of other sizes.
    #[cfg(test)]
    pub(super) fn with_pages_of(page_bytes: usize) -> Self {
        Self { page_bytes, ..Self::default() }
    }

    /// How many directories are open.
    #[cfg(all(test, not(target_os = "linux")))]
    pub(super) fn count(&self) -> usize {
        self.lock().open.len()
    }

    fn take(&self, page: u64, directory: &str) -> Option<Stream> {
        let mut state = self.lock();
        let place = state.open.iter().position(|(next, stream)| *next == page && stream.path == directory)?;
        state.open.remove(place).map(|(_, stream)| stream)
    }

    fn keep(&self, stream: Stream) -> u64 {
        let mut state = self.lock();
        state.promised = state.promised.wrapping_add(1);
        let page = state.promised;
        state.open.push_back((page, stream));
        if state.open.len() > OPEN_MAX {
            state.open.pop_front();
        }
        page
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Stream {
    fn open(path: &str, directory: Arc<OwnedFd>) -> Result<Stream, Failure> {
        let entries = reopen(&directory).and_then(Dir::new).map_err(failure)?;
        Ok(Stream { path: path.to_string(), directory, entries, pending: None })
    }

    /// As many entries as fit, and whether there are more.
    fn page(&mut self, page_bytes: usize, placeholders: &Placeholders) -> Result<(Vec<u8>, bool), Failure> {
        let mut names = Vec::new();
        if let Some((kind, name)) = self.pending.take() {
            listing::push_name(&mut names, kind, &name);
        }
        while let Some(entry) = self.entries.read().transpose().map_err(failure)? {
            let Some((kind, name)) = self.meaning(&entry, placeholders).map_err(failure)? else { continue };
            if !names.is_empty() && names.len() + name.len() + NAME_OVERHEAD > page_bytes {
                self.pending = Some((kind, name.to_string()));
                return Ok((names, true));
            }
            listing::push_name(&mut names, kind, name);
        }
        Ok((names, false))
    }

    /// What an entry says; none if its name is not UTF-8, and so no message's, or says nothing.
    fn meaning<'e>(
        &self,
        entry: &'e DirEntry,
        placeholders: &Placeholders,
    ) -> Result<Option<(FolderEntryKind, &'e str)>, Errno> {
        let Ok(name) = entry.file_name().to_str() else { return Ok(None) };
        if matches!(name, "." | "..") {
            return Ok(None);
        }
        let kind = match entry.file_type() {
            // Some file systems tell no types in a listing.
            FileType::Unknown => match self.stat(name)? {
                Some(kind) => kind,
                None => return Ok(None),
            },
            file_type => kind_from(file_type),
        };
        let Some(file) = placeholder_of(name).filter(|_| kind == FolderEntryKind::File) else {
            return Ok(Some((kind, name)));
        };
        placeholders.note();
        // Of a file that is here itself, a placeholder tells nothing.
        let is_here = self.stat(file)?.is_some();
        Ok((!is_here).then_some((FolderEntryKind::Placeholder, file)))
    }

    fn stat(&self, name: &str) -> Result<Option<FolderEntryKind>, Errno> {
        match rustix::fs::statat(&self.directory, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => Ok(Some(kind_in(&stat))),
            Err(Errno::NOENT) => Ok(None),
            Err(errno) => Err(errno),
        }
    }
}

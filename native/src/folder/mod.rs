//! A message folder: a directory that something else carries between devices (a cloud service, a stick), and in it the
//! directory of a session (`docs/protocol.md`, section 10).
//!
//! Every path is resolved name by name below the session's directory, and nothing is read or written through a link, so
//! no work reaches a file outside it. The directory is found anew for each piece of work: the folder may be unmounted,
//! emptied or replaced at any time.

mod create;
mod fetch;
mod list;
mod look;
mod read;
mod remove;
mod session;
#[cfg(test)]
mod tests;
mod watch;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use rustix::fs::CWD;
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderProbeResult, FolderResult, Outcome, ReadResult, Work};
use syncline_core::folder::SESSION_DIRECTORY;

use crate::Error;
use crate::disk::{Directories, Tree, failure, open_directory};
use create::Swept;
use fetch::Fetcher;
use list::Streams;
use look::Placeholders;
pub use watch::FolderWatch;

/// A folder that something else carries. All of it may be used by several threads at once.
pub struct SharedFolder {
    path: PathBuf,
    streams: Streams,
    swept: Swept,
    fetcher: Fetcher,
    placeholders: Placeholders,
}

impl SharedFolder {
    /// Takes a folder that exists. The session's directory in it may be missing.
    ///
    /// # Errors
    /// It is not there, or it is no folder.
    pub fn open(folder: &Path) -> Result<SharedFolder, Error> {
        let path = match fs::canonicalize(folder) {
            Ok(path) if path.is_dir() => path,
            Ok(_) => return Err(Error::NotAFolder { path: folder.to_path_buf() }),
            Err(e) if e.kind() == ErrorKind::NotADirectory => {
                return Err(Error::NotAFolder { path: folder.to_path_buf() });
            }
            Err(e) if e.kind() == ErrorKind::NotFound => {
                let reason = "make it, or mount what holds it, where the service that carries it keeps it".into();
                return Err(Error::MissingFolder { path: folder.to_path_buf(), reason });
            }
            Err(e) => return Err(Error::io("find", folder, e)),
        };
        Ok(SharedFolder {
            path,
            streams: Streams::default(),
            swept: Swept::default(),
            fetcher: Fetcher::default(),
            placeholders: Placeholders::default(),
        })
    }

    /// The folder's canonical path.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Carries out one piece of work on the folder, whatever id the work gives it; none for work that is no folder's.
    ///
    /// Where the session's directory is missing, that is the failure of a listing, and of each item of other work.
    pub fn perform(&self, work: &Work) -> Option<Outcome> {
        Some(match work {
            Work::FolderList { directory, page, .. } => match self.list(directory, *page) {
                Ok((names, next)) => Outcome::FolderListed { names, next },
                Err(failure) => Outcome::Failed { failure },
            },
            Work::FolderProbe { paths, count, .. } => {
                let results = match count {
                    Some(_) => self.each(paths, |directories, path| self.placeholders.poll(directories, path)),
                    None => self.each(paths, look::kind_of),
                };
                let results = results.into_iter().map(|result| match result {
                    Ok(kind) => FolderProbeResult::Present { kind },
                    Err(failure) => FolderProbeResult::Failed { failure },
                });
                // Never a count: on ordinary file systems that takes reading all of a directory. ZFS shows the number of
                // entries as a directory's size, and btrfs twice the length of all names, but neither promises it, and an
                // overlay or a share in between may show something else. A count that stayed while files come would be
                // believed; without one the hourly listing finds what probes and watchers missed.
                Outcome::FolderProbed { results: results.collect(), count: None }
            }
            Work::FolderRead { paths, bytes_max, .. } => {
                let results = self.each(paths, |directories, path| read::whole(directories, path, *bytes_max));
                let results = results.into_iter().map(|result| match result {
                    Ok(bytes) => ReadResult::Bytes { bytes },
                    Err(failure) => ReadResult::Failed { failure },
                });
                Outcome::FolderRead { results: results.collect() }
            }
            Work::FolderCreate { files, .. } => written(self.create(files)),
            Work::FolderRemove { paths, .. } => written(self.remove(paths)),
            Work::FolderFetch { paths, .. } => written(self.fetch(paths)),
            Work::Load { .. }
            | Work::Save { .. }
            | Work::List { .. }
            | Work::Probe { .. }
            | Work::Hash { .. }
            | Work::Read { .. }
            | Work::Stage { .. }
            | Work::Commit { .. }
            | Work::Discard { .. }
            | Work::Deliver { .. }
            | Work::ApplyRows { .. } => return None,
        })
    }

    /// Does something at each path.
    fn each<T>(
        &self,
        paths: &[String],
        mut act: impl FnMut(&mut Directories<'_>, &str) -> Result<T, Failure>,
    ) -> Vec<Result<T, Failure>> {
        match self.session() {
            Ok(session) => {
                let mut directories = Directories::new(&session);
                paths.iter().map(|path| act(&mut directories, path)).collect()
            }
            Err(failure) => paths.iter().map(|_| Err(failure.clone())).collect(),
        }
    }

    /// The session's directory as it is now.
    fn session(&self) -> Result<Tree, Failure> {
        open_session(&self.path).map_err(failure)
    }
}

fn written(results: Vec<Result<(), Failure>>) -> Outcome {
    let results = results.into_iter().map(|result| match result {
        Ok(()) => FolderResult::Done,
        Err(failure) => FolderResult::Failed { failure },
    });
    Outcome::FolderWritten { results: results.collect() }
}

fn open_session(folder: &Path) -> Result<Tree, Errno> {
    let folder = open_directory(CWD, folder)?;
    Ok(Tree::new(open_directory(folder, SESSION_DIRECTORY)?, None))
}

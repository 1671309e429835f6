//! Asking for the bytes of placeholders: opening one is what tells a service that it is wanted.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::thread;

use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use syncline_core::api::{Failure, FolderEntryKind};

use super::look::{kind_of, placeholder};
use super::{SharedFolder, open_session};
use crate::disk::{Directories, failure, open_file, other_failure, read_full};

/// How many files may wait for being asked for; of more the engine asks again.
const WAITING_MAX: usize = 1024;

/// The thread that asks, from the first question on. It is one of its own, since reading what is not there can take as
/// long as a network does.
#[derive(Default)]
pub(super) struct Fetcher(Mutex<Option<Sender<String>>>);

impl SharedFolder {
    /// Asks for files' bytes; of those that are here there is nothing to ask.
    pub(super) fn fetch(&self, paths: &[String]) -> Vec<Result<(), Failure>> {
        self.each(paths, |directories, path| match kind_of(directories, path)? {
            FolderEntryKind::File => Ok(()),
            FolderEntryKind::Placeholder => self.fetcher.ask(&self.path, path),
            FolderEntryKind::Directory | FolderEntryKind::Other => Err(Failure::Unrepresentable),
        })
    }
}

impl Fetcher {
    fn ask(&self, folder: &Path, path: &str) -> Result<(), Failure> {
        let mut asking = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let to = match &*asking {
            Some(to) => to,
            None => asking.insert(start(folder.to_path_buf())?),
        };
        match to.try_send(path.to_string()) {
            Ok(()) => Ok(()),
            Err(TrySendError::Full(_)) => Err(other_failure("too many files are waited for already")),
            Err(TrySendError::Disconnected(_)) => {
                *asking = None;
                Err(other_failure("what asks for files' bytes ended by itself"))
            }
        }
    }
}

/// It ends when nobody can ask any more; nobody waits for that.
fn start(folder: PathBuf) -> Result<Sender<String>, Failure> {
    let (to, asked): (_, Receiver<String>) = bounded(WAITING_MAX);
    let ask = move || {
        for path in asked {
            if let Err(failure) = touch(&folder, &path) {
                tracing::debug!("cannot ask for the bytes of {path:?}: {failure:?}");
            }
        }
    };
    match thread::Builder::new().name("fetch".into()).spawn(ask) {
        Ok(_) => Ok(to),
        Err(e) => Err(other_failure(&format!("cannot start a thread: {e}"))),
    }
}

/// Reads the first byte of a file, or of what stands for it.
fn touch(folder: &Path, path: &str) -> Result<(), Failure> {
    let session = open_session(folder).map_err(failure)?;
    let mut directories = Directories::new(&session);
    let (directory, name) = directories.parent(path, failure)?;
    let file = open_file(&directory, name).or_else(|_| open_file(&directory, &placeholder(name))).map_err(failure)?;
    read_full(file, &mut [0], 0).map_err(failure)?;
    Ok(())
}

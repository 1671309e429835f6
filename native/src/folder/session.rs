//! Whose session the folder holds, before any engine knows it.

use rustix::fs::{CWD, Mode};
use rustix::io::Errno;
use syncline_core::api::{Failure, FolderEntryKind, FolderFile, listing};
use syncline_core::folder::{Info, InfoError, SESSION_DIRECTORY, is_info, parse_feed_directory};

use super::SharedFolder;
use super::create::{Batch, sync_directory};
use super::read::whole;
use crate::Error;
use crate::disk::{Directories, Tree, open_directory};

/// The largest `info`.
const INFO_BYTES_MAX: u32 = 64 * 1024;
/// How many files are read as `info`: as many as conflicted copies can reasonably be.
const INFOS_MAX: usize = 64;
/// The file that says whose session it is.
const INFO: &str = "info";

impl SharedFolder {
    /// What each file says that may be the session's `info`, in no order ([`Info::choose`]); of one that cannot be read
    /// now, or whose bytes are elsewhere, an error. Empty if there is no such file, or no session's directory.
    ///
    /// # Errors
    /// The session's directory is there but cannot be listed, or more files than can be conflicted copies may be its
    /// `info`.
    pub fn infos(&self) -> Result<Vec<Result<Info, InfoError>>, Error> {
        let paths = match self.info_paths() {
            Ok(paths) => paths,
            Err(Failure::Missing) => return Ok(Vec::new()),
            Err(failure) => return Err(self.unusable("list", &failure)),
        };
        if paths.len() > INFOS_MAX {
            let session = self.path().join(SESSION_DIRECTORY);
            let what = format!(
                "expected at most {INFOS_MAX} files beginning with `{INFO}` in `{}`, found {}: remove those that are none",
                session.display(),
                paths.len()
            );
            return Err(Error::Failed { what });
        }
        let contents = self.each(&paths, |directories, path| whole(directories, path, INFO_BYTES_MAX));
        let infos = contents.into_iter().filter_map(|bytes| match bytes {
            Ok(bytes) => Some(Info::parse(&bytes)),
            // It was there a moment ago: a service is about to put another one in its place.
            Err(Failure::Missing) => None,
            Err(_) => Some(Err(InfoError::Malformed)),
        });
        Ok(infos.collect())
    }

    /// Makes the session's directory and its `info`. If there is an `info` already, that one stays, and it is no error.
    ///
    /// # Errors
    /// The system refuses, something else than a directory stands in the session's place, or feeds are there without an
    /// `info`: the folder is still arriving.
    pub fn create_session(&self, info: &Info) -> Result<(), Error> {
        if self.infos()?.is_empty() && self.has_feeds().is_ok_and(|has_feeds| has_feeds) {
            return Err(Error::IncompleteSession { path: self.path().to_path_buf() });
        }
        let session = self
            .make_session()
            .map_err(|errno| Error::io("make the session's directory in", self.path(), std::io::Error::from(errno)))?;
        let mut batch = Batch::new(Directories::new(&session), &self.swept);
        let file = FolderFile { path: INFO.into(), bytes: info.to_json().into_bytes() };
        let failed = batch.stage_all(&[file]).err().or_else(|| batch.publish_all().1);
        match failed {
            None | Some(Failure::Changed) => {}
            Some(failure) => return Err(self.unusable("begin a session in", &failure)),
        }
        batch.sync().map_err(|errno| Error::io("put on disk", self.path().join(SESSION_DIRECTORY), errno))
    }

    fn make_session(&self) -> Result<Tree, Errno> {
        let folder = open_directory(CWD, self.path())?;
        match rustix::fs::mkdirat(&folder, SESSION_DIRECTORY, Mode::from_bits_retain(0o777)) {
            Ok(()) | Err(Errno::EXIST) => {}
            Err(errno) => return Err(errno),
        }
        let session = open_directory(&folder, SESSION_DIRECTORY)?;
        sync_directory(folder)?;
        Ok(Tree::new(session, None))
    }

    fn has_feeds(&self) -> Result<bool, Failure> {
        let mut page = None;
        loop {
            let (names, next) = self.list("", page)?;
            let mut entries = listing::names(&names).filter_map(Result::ok);
            if entries.any(|(kind, name)| kind == FolderEntryKind::Directory && parse_feed_directory(name).is_some()) {
                return Ok(true);
            }
            match next {
                Some(_) => page = next,
                None => return Ok(false),
            }
        }
    }

    /// One more than are read, if there are so many.
    fn info_paths(&self) -> Result<Vec<String>, Failure> {
        let mut paths = Vec::new();
        let mut page = None;
        loop {
            let (names, next) = self.list("", page)?;
            for (kind, name) in listing::names(&names).map_while(Result::ok) {
                let is_file = matches!(kind, FolderEntryKind::File | FolderEntryKind::Placeholder);
                if is_file && is_info(name) && paths.len() <= INFOS_MAX {
                    paths.push(name.to_string());
                }
            }
            page = next;
            if page.is_none() {
                return Ok(paths);
            }
        }
    }

    fn unusable(&self, action: &'static str, failure: &Failure) -> Error {
        let why = match failure {
            Failure::Missing => "it is not there".into(),
            Failure::Denied => "the system forbids it".into(),
            Failure::NoSpace => "no space left on the device".into(),
            Failure::Other { message } => message.clone(),
            failure => format!("{failure:?}"),
        };
        Error::Failed { what: format!("cannot {action} the message folder `{}`: {why}", self.path().display()) }
    }
}

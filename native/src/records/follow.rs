//! Keeping an application's database in agreement while it is in use.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread::{self, JoinHandle};

use syncline_core::api::{Notice, RowState};

use super::run::{Observer, Report};
use super::typed::Records;
use super::watch::Watchers;
use super::{Databases, Options, Summary};
use crate::Error;
use crate::sqlite::{Applied, RowNotice};
use crate::sync::Stopper;

/// Whom a database is brought together with.
#[derive(Clone, Copy)]
pub enum Partner<'a> {
    /// Another database of this process. It need not be of the same group yet, but not of another one either.
    Database(&'a Records),
    /// All who use a message folder. One without a session gets one.
    Folder {
        /// Where it lies.
        path: &'a Path,
        /// The session's key, if it is sealed and this database has no part in it yet.
        key: Option<[u8; 32]>,
    },
}

impl Records {
    /// Brings this database together with a partner, and returns when they agree: when both databases hold the same, or when
    /// all that lies in the folder is here and all that is new stands in it. The observer hears what people should know,
    /// `Arc::new(())` nothing.
    ///
    /// # Errors
    /// One of them cannot be used, they are of two groups, or one is in use already, here or in another process
    /// ([`Error::Locked`]): one engine at a time speaks for a database.
    pub fn sync(&self, partner: Partner<'_>, observer: Arc<dyn Observer>) -> Result<Report, Error> {
        let options = Options { once: true };
        self.databases(partner)?.run(options, &Stopper::default(), self.teller(partner, observer))
    }

    /// The same in the background, from now on until the result is dropped or [stopped](Following::stop). It goes on if this
    /// value is dropped before.
    ///
    /// # Errors
    /// As of [`sync`](Records::sync), or the system gives no thread.
    pub fn follow(&self, partner: Partner<'_>, observer: Arc<dyn Observer>) -> Result<Following, Error> {
        let (databases, teller) = (self.databases(partner)?, self.teller(partner, observer));
        let stopper = Stopper::default();
        let asked = stopper.clone();
        let run = move || databases.run(Options::default(), &asked, teller);
        let thread = thread::Builder::new().name("records".into()).spawn(run);
        let thread = thread.map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?;
        Ok(Following { stopper, thread: Some(thread) })
    }

    fn databases(&self, partner: Partner<'_>) -> Result<Databases, Error> {
        match partner {
            Partner::Database(other) => Databases::pair(self.path(), other.path()),
            Partner::Folder { path, key } => Databases::via(self.path(), path, key),
        }
    }

    fn teller(&self, partner: Partner<'_>, observer: Arc<dyn Observer>) -> Arc<dyn Observer> {
        let mut watchers = vec![(self.path().to_path_buf(), Arc::clone(&self.open.watchers))];
        if let Partner::Database(other) = partner {
            watchers.push((other.path().to_path_buf(), Arc::clone(&other.open.watchers)));
        }
        Arc::new(Teller { observer, watchers })
    }
}

/// A database that is kept in agreement in the background, until this is dropped.
#[must_use = "it ends when it is dropped"]
pub struct Following {
    stopper: Stopper,
    thread: Option<JoinHandle<Result<Report, Error>>>,
}

impl Following {
    /// Whether it ended by itself, which is an error that [`wait`](Following::wait) tells.
    pub fn has_ended(&self) -> bool {
        self.thread.as_ref().is_none_or(JoinHandle::is_finished)
    }

    /// Ends it once what is under way is saved, and tells what it came to.
    ///
    /// # Errors
    /// A database or an engine failed meanwhile.
    pub fn stop(mut self) -> Result<Report, Error> {
        self.end().unwrap_or_else(|| Err(lost()))
    }

    /// Waits until it ends by itself, and tells why.
    ///
    /// # Errors
    /// As of [`stop`](Following::stop).
    pub fn wait(mut self) -> Result<Report, Error> {
        self.join().unwrap_or_else(|| Err(lost()))
    }

    fn join(&mut self) -> Option<Result<Report, Error>> {
        self.thread.take()?.join().ok()
    }

    fn end(&mut self) -> Option<Result<Report, Error>> {
        self.stopper.stop();
        self.join()
    }
}

impl Drop for Following {
    fn drop(&mut self) {
        // Whoever wants to know how it ended stops it.
        let _ = self.end();
    }
}

/// The thread panicked.
fn lost() -> Error {
    Error::Failed { what: "the thread of the records ended unexpectedly; this is a defect, please report it".into() }
}

/// Tells watchers what is applied, and the application's observer everything.
struct Teller {
    observer: Arc<dyn Observer>,
    watchers: Vec<(PathBuf, Arc<Watchers>)>,
}

impl Observer for Teller {
    fn notice(&self, database: &Path, notice: &Notice) {
        self.observer.notice(database, notice);
    }

    fn row(&self, database: &Path, notice: &RowNotice) {
        self.observer.row(database, notice);
    }

    fn applied(&self, database: &Path, rows: &[RowState], applied: &Applied) {
        for (_, watchers) in self.watchers.iter().filter(|(path, _)| path == database) {
            for (table, key) in &applied.changed {
                watchers.tell(table, key);
            }
        }
        self.observer.applied(database, rows, applied);
    }

    fn failed(&self, database: &Path, error: &Error) {
        self.observer.failed(database, error);
    }

    fn progress(&self, summary: &Summary) {
        self.observer.progress(summary);
    }

    fn settled(&self, summary: &Summary) {
        self.observer.settled(summary);
    }
}

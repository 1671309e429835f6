//! The thread that reads and writes a replica's store, so that waiting for the disk holds up neither the engine nor the
//! work on files.

use std::path::{Path, PathBuf};
use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};
use syncline_core::api::{Failure, LoadQuery, Outcome, Pair, TaskId, Work, Write};

use super::pool::Reply;
use super::runner::Input;
use crate::store::{Partner, Store};
use crate::{Error, escape};

/// What keeps a replica's pairs. All calls come from the vault's thread.
pub(crate) trait Keeper: Send + 'static {
    /// Where it lies.
    fn path(&self) -> &Path;

    /// Does work of the kinds that it is there for.
    ///
    /// # Errors
    /// It refused, or it is damaged.
    fn perform(&mut self, work: &Work) -> Result<Outcome, Error>;

    /// Notes a folder that the replica is kept in sync with.
    ///
    /// # Errors
    /// It cannot be written.
    fn remember(&mut self, partner: &Partner) -> Result<(), Error> {
        let _ = partner;
        Ok(())
    }

    /// Hears how the engine stands to the application's changes of rows.
    fn hear(&mut self, news: RowsNews) {
        let _ = news;
    }
}

/// How the engine stands to the application's changes of rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RowsNews {
    /// It runs, and has saved what it was given up to here.
    Started { taken: u64 },
    /// It has saved what it was given up to here.
    Written { taken: u64 },
    /// The application may have changed something.
    Look,
}

enum Job {
    Work(Work, Reply),
    Remember(Partner),
    News(RowsNews),
    End,
}

/// A store with its own thread.
pub(crate) struct Vault {
    jobs: Sender<Job>,
    path: PathBuf,
    thread: Option<JoinHandle<()>>,
}

/// Notes a folder that a store's replica is kept in sync with.
#[derive(Clone)]
pub(crate) struct Memory {
    jobs: Sender<Job>,
}

impl Memory {
    /// Notes a folder, after what was asked of the store before. What is not noted is told in the log: it makes only
    /// the loss of that folder go unnoticed.
    pub(crate) fn remember(&self, partner: Partner) {
        // A store that is closed has ended its run.
        let _ = self.jobs.send(Job::Remember(partner));
    }
}

/// Reads and writes a store that is in use, beside its engine and after what was asked for before.
#[derive(Clone)]
pub(crate) struct Access {
    jobs: Sender<Job>,
    path: PathBuf,
}

impl Access {
    /// Reads pairs, and whether the range has more behind them.
    ///
    /// # Errors
    /// The disk refused, the store is damaged, or it was closed.
    pub(crate) fn load(&self, query: LoadQuery) -> Result<(Vec<Pair>, bool), Error> {
        match self.perform(Work::Load { query })? {
            Outcome::Loaded { pairs, more } => Ok((pairs, more)),
            outcome => Err(self.refused("read from", &outcome)),
        }
    }

    /// Writes a batch; it is on disk when this returns.
    ///
    /// # Errors
    /// The disk refused, or the store was closed.
    pub(crate) fn save(&self, writes: Vec<Write>) -> Result<(), Error> {
        match self.perform(Work::Save { writes })? {
            Outcome::Saved => Ok(()),
            outcome => Err(self.refused("write to", &outcome)),
        }
    }

    /// What the store holds makes no sense.
    pub(crate) fn damaged(&self, detail: &str) -> Error {
        Error::Damaged { path: self.path.clone(), detail: detail.to_string() }
    }

    fn perform(&self, work: Work) -> Result<Outcome, Error> {
        let (to, from) = unbounded();
        let _ = self.jobs.send(Job::Work(work, Reply::new(TaskId(0), to)));
        match from.recv() {
            Ok(Input::Completed { outcome, .. }) => Ok(outcome),
            _ => Err(Error::Failed { what: "the store is closed".into() }),
        }
    }

    fn refused(&self, action: &'static str, outcome: &Outcome) -> Error {
        let detail = match outcome {
            Outcome::Failed { failure: Failure::Corrupt } => return self.damaged("it cannot be read"),
            Outcome::Failed { failure: Failure::Other { message } } => message.clone(),
            other => format!("{other:?}"),
        };
        Error::Store { action, path: self.path.clone(), detail }
    }
}

impl Vault {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn new(mut store: impl Keeper) -> Result<Vault, Error> {
        let (jobs, queue) = unbounded::<Job>();
        let path = store.path().to_path_buf();
        let work_off = move || {
            for job in queue {
                match job {
                    Job::Work(work, reply) => reply.send(perform(&mut store, &work)),
                    Job::News(news) => store.hear(news),
                    Job::Remember(partner) => {
                        if let Err(error) = store.remember(&partner) {
                            tracing::error!("{}", escape(&error.to_string()));
                        }
                    }
                    Job::End => break,
                }
            }
        };
        let thread = thread::Builder::new().name("store".into()).spawn(work_off);
        let thread = thread.map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?;
        Ok(Vault { jobs, path, thread: Some(thread) })
    }

    /// Reads or writes, after what was asked for before.
    pub(crate) fn perform(&self, work: Work, reply: Reply) {
        // If the thread is gone, the unsent reply says so.
        let _ = self.jobs.send(Job::Work(work, reply));
    }

    /// Tells it how the engine stands to the application's changes of rows, after what was asked for before.
    pub(crate) fn tell(&self, news: RowsNews) {
        let _ = self.jobs.send(Job::News(news));
    }

    /// A way to read and write the store beside the engine.
    pub(crate) fn access(&self) -> Access {
        Access { jobs: self.jobs.clone(), path: self.path.clone() }
    }

    /// A way to tell it that the application may have changed rows.
    pub(crate) fn looker(&self) -> impl Fn() + Send + use<> {
        let jobs = self.jobs.clone();
        move || drop(jobs.send(Job::News(RowsNews::Look)))
    }

    /// A way to note partners while the store is in use.
    pub(crate) fn memory(&self) -> Memory {
        Memory { jobs: self.jobs.clone() }
    }
}

impl Drop for Vault {
    /// Ends the thread after all that was asked for, and closes the store.
    fn drop(&mut self) {
        let _ = self.jobs.send(Job::End);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

impl Keeper for Store {
    fn path(&self) -> &Path {
        Store::path(self)
    }

    fn perform(&mut self, work: &Work) -> Result<Outcome, Error> {
        match work {
            Work::Save { writes } => self.save(writes).map(|()| Outcome::Saved),
            Work::Load { query } => self.load(query).map(|(pairs, more)| Outcome::Loaded { pairs, more }),
            _ => Err(Error::Failed { what: "a store of pairs cannot do this".into() }),
        }
    }

    fn remember(&mut self, partner: &Partner) -> Result<(), Error> {
        Store::remember(self, partner)
    }
}

fn perform(keeper: &mut impl Keeper, work: &Work) -> Outcome {
    keeper.perform(work).unwrap_or_else(|error| {
        tracing::error!("{}", escape(&error.to_string()));
        Outcome::Failed { failure: failure(&error) }
    })
}

fn failure(error: &Error) -> Failure {
    match error {
        Error::Damaged { .. } => Failure::Corrupt,
        error => Failure::Other { message: error.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Facts;
    use syncline_core::api::{GroupId, Key, Membership, RootId};

    #[test]
    fn saves_are_seen_by_later_loads() {
        let facts = Facts {
            group: GroupId::from_bytes([1; 16]),
            group_key: [2; 32],
            identity: [3; 32],
            root: RootId::from_bytes([4; 16]),
            membership: Membership::Joiner,
            name: String::new(),
            place: 0,
            path: "/x".into(),
        };
        let vault = Vault::new(Store::in_memory(&facts).unwrap()).unwrap();
        let (to, from) = unbounded();
        let writes = vec![Write { key: "k".into(), value: Some("v".into()) }];
        vault.perform(Work::Save { writes }, Reply::new(TaskId(1), to.clone()));
        let query = LoadQuery::Keys { keys: vec![Key { bytes: "k".into() }] };
        vault.perform(Work::Load { query }, Reply::new(TaskId(2), to));
        assert!(matches!(from.recv(), Ok(Input::Completed { task: TaskId(1), outcome: Outcome::Saved })));
        let Ok(Input::Completed { outcome: Outcome::Loaded { pairs, more: false }, .. }) = from.recv() else {
            panic!("not loaded")
        };
        assert_eq!(pairs, [Pair { key: "k".into(), value: "v".into() }]);
    }
}

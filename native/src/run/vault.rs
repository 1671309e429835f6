//! The thread that reads and writes a replica's store, so that waiting for the disk holds up neither the engine nor the
//! work on files.

use std::thread::{self, JoinHandle};

use crossbeam_channel::{Sender, unbounded};
use syncline_core::api::{Failure, Outcome, Work};

use super::pool::Reply;
use crate::store::{Partner, Store};
use crate::{Error, escape};

enum Job {
    Work(Work, Reply),
    Remember(Partner),
    End,
}

/// A store with its own thread.
pub(crate) struct Vault {
    jobs: Sender<Job>,
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

impl Vault {
    /// Starts the thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn new(store: Store) -> Result<Vault, Error> {
        let (jobs, queue) = unbounded::<Job>();
        let work_off = move || {
            for job in queue {
                match job {
                    Job::Work(work, reply) => reply.send(perform(&store, &work)),
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
        Ok(Vault { jobs, thread: Some(thread) })
    }

    /// Reads or writes, after what was asked for before.
    pub(crate) fn perform(&self, work: Work, reply: Reply) {
        // If the thread is gone, the unsent reply says so.
        let _ = self.jobs.send(Job::Work(work, reply));
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

fn perform(store: &Store, work: &Work) -> Outcome {
    let done = match work {
        Work::Save { writes } => store.save(writes).map(|()| Outcome::Saved),
        Work::Load { query } => store.load(query).map(|(pairs, more)| Outcome::Loaded { pairs, more }),
        other => Err(Error::Failed { what: format!("a store cannot do {other:?}") }),
    };
    done.unwrap_or_else(|error| {
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
    use super::super::runner::Input;
    use super::*;
    use crate::store::Facts;
    use syncline_core::api::{GroupId, Key, LoadQuery, Membership, Pair, RootId, TaskId, Write};

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

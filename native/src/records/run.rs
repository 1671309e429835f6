//! Running engines on databases until they agree, or until stopped.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncline_core::api::{Command, Event, FolderState, Notice, RecordsStatus, RowState};

use super::keeper::{Counts, Desk};
use super::open::{FOLDER, Scratch};
use super::{Databases, Options, Side, Summary};
use crate::Error;
use crate::folder::FolderWatch;
use crate::root::Lock;
use crate::run::{self, Board, Input, Pool, Runner, Setup, Vault, agreed, at_rest};
use crate::sqlite::{Applied, RowNotice};
use crate::sync::{Ending, Stopper};

/// How often it is looked how far a run is.
const TURN: Duration = Duration::from_millis(50);
/// How often it is looked whether applications changed anything.
const LOOK_EVERY: Duration = Duration::from_millis(200);
/// How long engines may rest without agreeing before that counts as a failure.
const DISAGREEING_MAX: Duration = Duration::from_secs(30);

/// Hears what happens. Calls come from several threads.
pub trait Observer: Send + Sync {
    /// An engine has something to tell about a database.
    fn notice(&self, database: &Path, notice: &Notice) {
        let _ = (database, notice);
    }

    /// Something keeps a row from standing as it should.
    fn row(&self, database: &Path, notice: &RowNotice) {
        let _ = (database, notice);
    }

    /// Rows of others were applied.
    fn applied(&self, database: &Path, rows: &[RowState], applied: &Applied) {
        let _ = (database, rows, applied);
    }

    /// The application's changes could not be read for a moment.
    fn failed(&self, database: &Path, error: &Error) {
        let _ = (database, error);
    }

    /// How far the run is; called a few times a second.
    fn progress(&self, summary: &Summary) {
        let _ = summary;
    }

    /// All agree; called while following, at each agreement.
    fn settled(&self, summary: &Summary) {
        let _ = summary;
    }
}

/// Nobody hears.
impl Observer for () {}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The counts.
    pub summary: Summary,
    /// How it ended.
    pub ending: Ending,
}

impl Databases {
    /// Runs the engines until the databases agree, or until stopped.
    ///
    /// # Errors
    /// A database or an engine failed, or engines came to rest without agreeing.
    pub fn run(self, options: Options, stopper: &Stopper, observer: Arc<dyn Observer>) -> Result<Report, Error> {
        let running = Running::start(self, options, observer)?;
        let outcome = running.follow(stopper);
        running.end(outcome)
    }
}

struct Running {
    options: Options,
    observer: Arc<dyn Observer>,
    began: Instant,
    board: Arc<Board>,
    has_folder: bool,
    inboxes: Vec<Sender<Input>>,
    runners: Vec<Runner>,
    lookers: Vec<Box<dyn Fn() + Send>>,
    counts: Vec<Arc<Mutex<Counts>>>,
    given: Vec<PathBuf>,
    _watch: Option<FolderWatch>,
    _locks: Vec<Option<Lock>>,
    _scratch: Option<Scratch>,
}

impl Running {
    fn start(databases: Databases, options: Options, observer: Arc<dyn Observer>) -> Result<Running, Error> {
        let Databases { sides, folder, _scratch } = databases;
        let boxes: Vec<(Sender<Input>, Receiver<Input>)> = sides.iter().map(|_| unbounded()).collect();
        let mut running = Running {
            options,
            observer,
            began: Instant::now(),
            board: Arc::new(Board::default()),
            has_folder: folder.is_some(),
            inboxes: boxes.iter().map(|inbox| inbox.0.clone()).collect(),
            runners: Vec::new(),
            lookers: Vec::new(),
            counts: Vec::new(),
            given: Vec::new(),
            _watch: None,
            _locks: Vec::new(),
            _scratch,
        };
        let pool = Arc::new(Pool::new()?);
        let mut setups = Vec::new();
        for (number, (side, inbox)) in sides.into_iter().zip(boxes.iter().cloned()).enumerate() {
            let peer = boxes.get(1 - number.min(1)).filter(|_| boxes.len() > 1).map(|inbox| inbox.0.clone());
            let sealed = folder.as_ref().map(|(_, sealed)| *sealed);
            let shared = folder.as_ref().map(|(shared, _)| (FOLDER, Arc::clone(shared)));
            setups.push(running.setup(number, side, inbox, peer, sealed, shared, &pool)?);
        }
        if let Some((shared, _)) = folder.filter(|_| !options.once)
            && let Some(to) = running.inboxes.first().cloned()
        {
            // Without a watcher the folder is looked through from time to time.
            running._watch = shared.watch(FOLDER, move |event| to.send(Input::Event(event)).is_ok()).ok();
        }
        for setup in setups {
            running.runners.push(Runner::start(setup)?);
        }
        if options.once {
            running.command(Command::Settle);
        }
        Ok(running)
    }

    #[expect(clippy::too_many_arguments, reason = "all of it is of one side")]
    fn setup(
        &mut self,
        number: usize,
        side: Side,
        inbox: (Sender<Input>, Receiver<Input>),
        peer: Option<Sender<Input>>,
        sealed: Option<bool>,
        folder: Option<(syncline_core::api::FolderId, Arc<crate::folder::SharedFolder>)>,
        pool: &Arc<Pool>,
    ) -> Result<Setup, Error> {
        let engine = side.engine(sealed)?;
        let public_key = side.public_key()?;
        let counts = Arc::new(Mutex::new(Counts::default()));
        let (observer, given) = (Arc::clone(&self.observer), side.given.clone());
        let desk = Desk::new(
            (side.database, side.is_copy),
            given.clone(),
            public_key,
            inbox.0.clone(),
            Arc::clone(&observer),
            Arc::clone(&counts),
        );
        let vault = Vault::new(desk)?;
        self.lookers.push(Box::new(vault.looker()));
        self.counts.push(counts);
        self.given.push(given.clone());
        self._locks.push(side._lock);
        Ok(Setup {
            side: number,
            engine,
            disk: None,
            folder,
            deliver: None,
            published: None,
            keeps_records: true,
            vault,
            pool: Arc::clone(pool),
            board: Arc::clone(&self.board),
            inbox,
            peer,
            witness: Arc::new(|_, _| {}),
            notified: Box::new(move |notice| observer.notice(&given, &notice)),
        })
    }

    fn follow(&self, stopper: &Stopper) -> Result<Ending, Error> {
        let (mut seen, mut looked, mut settled) = (0, Instant::now(), None::<Summary>);
        let mut resting_since: Option<Instant> = None;
        loop {
            let sides = self.board.wait(&mut seen, TURN);
            self.check(&sides)?;
            let summary = self.summary(&sides);
            self.observer.progress(&summary);
            let is_done = self.is_done(&sides);
            if stopper.is_asked() {
                return Ok(if is_done { self.ending(&sides) } else { Ending::Interrupted });
            }
            if is_done {
                resting_since = None;
                if self.options.once {
                    return Ok(self.ending(&sides));
                }
                if settled.is_none_or(|before| !same_counts(&before, &summary)) {
                    self.observer.settled(&summary);
                    settled = Some(summary);
                }
            } else if !self.has_folder && at_rest(&sides) && self.is_given() {
                if resting_since.get_or_insert_with(Instant::now).elapsed() >= DISAGREEING_MAX {
                    let what = "the engines came to rest without agreeing; this is a defect, please report it".into();
                    return Err(Error::Failed { what });
                }
            } else {
                resting_since = None;
            }
            if looked.elapsed() >= LOOK_EVERY {
                self.lookers.iter().for_each(|look| look());
                looked = Instant::now();
            }
        }
    }

    /// Everyone has what the others have, in the databases, too.
    fn is_done(&self, sides: &[run::Side; 2]) -> bool {
        let is_applied = |side: &run::Side| {
            let records = side.status.as_ref().and_then(|status| status.records.as_ref());
            records.is_some_and(|records| records.unapplied == 0 && records.unmerged == records.held)
        };
        let used = sides.iter().take(self.counts.len());
        let rests = if self.has_folder {
            sides.first().is_some_and(|side| side.quiet && is_carried(side))
        } else {
            agreed(sides)
        };
        rests && self.is_given() && used.clone().all(is_applied)
    }

    /// The engines have what the applications changed.
    fn is_given(&self) -> bool {
        self.counts().all(|counts| counts.is_given)
    }

    fn counts(&self) -> impl Iterator<Item = Counts> + '_ {
        self.counts.iter().map(|counts| *counts.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn command(&self, command: Command) {
        for (side, inbox) in self.inboxes.iter().enumerate() {
            self.board.post(side, |side| side.quiet = false);
            let _ = inbox.send(Input::Event(Event::Command { command: command.clone() }));
        }
    }

    fn check(&self, sides: &[run::Side; 2]) -> Result<(), Error> {
        for (side, given) in sides.iter().zip(&self.given) {
            let given = given.display();
            let what = if side.status.as_ref().is_some_and(|status| status.failed) {
                format!("the state in `{given}` could not be read or written; see the errors above")
            } else if let Some(reason) = &side.closed {
                format!("the engine of `{given}` broke off: {reason}")
            } else if side.stopped {
                format!("the engine of `{given}` ended by itself; this is a defect, please report it")
            } else {
                continue;
            };
            return Err(Error::Failed { what });
        }
        Ok(())
    }

    fn end(self, outcome: Result<Ending, Error>) -> Result<Report, Error> {
        for inbox in &self.inboxes {
            // An engine that has ended needs no telling.
            let _ = inbox.send(Input::Event(Event::Stop));
        }
        let sides = self.board.read();
        let mut summary = self.summary(&sides);
        for runner in self.runners {
            runner.join();
        }
        let ending = outcome?;
        // What was applied while stopping counts, too.
        let counts: Vec<Counts> =
            self.counts.iter().map(|counts| *counts.lock().unwrap_or_else(PoisonError::into_inner)).collect();
        summary.rows_created = counts.iter().map(|counts| counts.created).sum();
        summary.rows_updated = counts.iter().map(|counts| counts.updated).sum();
        summary.rows_deleted = counts.iter().map(|counts| counts.deleted).sum();
        summary.in_sync = ending == Ending::Agreed;
        Ok(Report { summary, ending })
    }

    fn ending(&self, sides: &[run::Side; 2]) -> Ending {
        let folders = sides.iter().flat_map(|side| &side.status).flat_map(|status| &status.folders);
        let is_unwell =
            folders.into_iter().any(|folder| folder.state == FolderState::Halted || folder.unverifiable > 0);
        let waits = records(sides).any(|records| records.held > 0)
            || self.counts().any(|counts| counts.has_aside || counts.kept_back > 0);
        if is_unwell || waits { Ending::Waiting } else { Ending::Agreed }
    }

    fn summary(&self, sides: &[run::Side; 2]) -> Summary {
        let counts = || self.counts();
        Summary {
            rows_created: counts().map(|counts| counts.created).sum(),
            rows_updated: counts().map(|counts| counts.updated).sum(),
            rows_deleted: counts().map(|counts| counts.deleted).sum(),
            operations_sent: records(sides).map(|records| records.sent).sum(),
            operations_received: records(sides).map(|records| records.received).sum(),
            held: records(sides).map(|records| records.held).sum::<u64>()
                + counts().map(|counts| u64::from(counts.has_aside) + counts.kept_back).sum::<u64>(),
            bytes_moved: sides.iter().map(|side| side.sent_bytes).sum(),
            elapsed_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            in_sync: self.is_done(sides) && self.ending(sides) == Ending::Agreed,
        }
    }
}

fn records(sides: &[run::Side; 2]) -> impl Iterator<Item = &RecordsStatus> {
    sides.iter().filter_map(|side| side.status.as_ref()?.records.as_ref())
}

/// All that is in the message folder was read, and all that is new stands in it.
fn is_carried(side: &run::Side) -> bool {
    let folders = || side.status.iter().flat_map(|status| &status.folders);
    folders().count() > 0
        && folders().all(|folder| {
            folder.state == FolderState::Halted
                || folder.state == FolderState::Following && folder.indexed && folder.unwritten == 0
        })
}

fn same_counts(a: &Summary, b: &Summary) -> bool {
    let counts = |summary: &Summary| Summary { elapsed_ms: 0, bytes_moved: 0, ..*summary };
    counts(a) == counts(b)
}

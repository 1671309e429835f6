//! Bringing two folders on one machine into agreement: two engines of one group, and a pipe between them. Or one folder
//! and whoever else uses a message folder ([`Via`]).

mod observer;
mod open;
mod tally;
mod via;

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use crossbeam_channel::{Sender, unbounded};
use syncline_core::Engine;
use syncline_core::api::{
    Command, CommitResult, CompactionConfig, Config, Event, FolderConfig, GroupConfig, Notice, NoticeCode, Outcome,
    RootConfig, RootState, RootStatus, Seed, Work,
};

pub use observer::{Observer, Progress};
pub use open::Pair;
pub use tally::Summary;
pub use via::Via;

use crate::Error;
use crate::root::{Lock, Root, random};
use crate::run::{Board, Input, Memory, Pool, Runner, Setup, Side, Vault, Watch, agreed, at_rest};
use crate::store::Partner;
use tally::Tally;

/// How long a vanished path must stay away before it counts as deleted, in milliseconds.
const DEBOUNCE_WATCHING_MS: u32 = 500;
const DEBOUNCE_ONCE_MS: u32 = 20;
/// How often a watched root is compared as a whole: watchers miss things.
const RESCAN_EVERY: Duration = Duration::from_secs(600);
/// How often progress is told.
const PROGRESS_EVERY: Duration = Duration::from_millis(100);
/// How long two engines may rest without agreeing before that counts as a failure.
const DISAGREEING_MAX: Duration = Duration::from_secs(30);

/// How two folders are to be brought together.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Options {
    /// End at the first agreement instead of watching.
    pub once: bool,
    /// Only find out what would be done. Nothing is written.
    pub dry_run: bool,
    /// Apply deletions of any number, also those of a folder that was emptied.
    pub allow_deletions: bool,
    /// Bring back into an emptied folder what the other side has, and what held deletions had removed.
    pub refill: bool,
}

/// Ends a run from outside, after the commit under way.
#[derive(Clone, Default)]
pub struct Stopper {
    asked: Arc<AtomicBool>,
}

impl Stopper {
    /// Asks the run to end.
    pub fn stop(&self) {
        self.asked.store(true, Ordering::Relaxed);
    }

    pub(crate) fn is_asked(&self) -> bool {
        self.asked.load(Ordering::Relaxed)
    }
}

/// How a run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ending {
    /// Both folders agree.
    Agreed,
    /// All was done that could be, but something waits for a person: held deletions, or entries that cannot be read,
    /// written or named.
    Waiting,
    /// It was stopped before the folders agreed.
    Interrupted,
}

/// What a run came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Report {
    /// The counts.
    pub summary: Summary,
    /// How it ended.
    pub ending: Ending,
}

impl Pair {
    /// Runs both engines until the folders agree, or until stopped.
    ///
    /// # Errors
    /// A store or an engine failed, or the engines came to rest without agreeing.
    pub fn run(self, options: Options, stopper: &Stopper, observer: Arc<dyn Observer>) -> Result<Report, Error> {
        for (side, notice) in &self.notices {
            if let Some(root) = self.roots.get(*side) {
                observer.notice(&root.given, notice);
            }
        }
        let session = Session::start(self, options, observer)?;
        let outcome = session.follow(stopper);
        session.end(outcome)
    }
}

/// Two running engines.
struct Session {
    options: Options,
    observer: Arc<dyn Observer>,
    began: Instant,
    tally: Arc<Tally>,
    board: Arc<Board>,
    inboxes: [Sender<Input>; 2],
    runners: [Runner; 2],
    memories: [Memory; 2],
    roots: [Place; 2],
    _watches: Vec<Watch>,
    _locks: [Option<Lock>; 2],
}

/// What is needed of a root once its parts are with the runner.
struct Place {
    given: PathBuf,
    canonical: PathBuf,
    id: syncline_core::api::RootId,
}

impl Session {
    fn start(pair: Pair, options: Options, observer: Arc<dyn Observer>) -> Result<Session, Error> {
        let began = Instant::now();
        let board = Arc::new(Board::default());
        let tally = Arc::new(Tally::default());
        let pool = Arc::new(Pool::new()?);
        let [mut a, mut b] = pair.roots;
        let locks = [a.lock.take(), b.lock.take()];
        let places = [Place::of(&a), Place::of(&b)];
        let (a_box, b_box) = (unbounded(), unbounded());
        let inboxes = [a_box.0.clone(), b_box.0.clone()];
        let starting = Starting { options, observer: &observer, tally: &tally, board: &board, pool: &pool };
        let (peer_of_a, peer_of_b) = (b_box.0.clone(), a_box.0.clone());
        let setups = [starting.setup(0, a, a_box, peer_of_a)?, starting.setup(1, b, b_box, peer_of_b)?];
        let mut watches = Vec::new();
        if !options.once && !options.dry_run {
            for (place, inbox) in places.iter().zip(&inboxes) {
                match Watch::start(&place.canonical, place.id, inbox.clone()) {
                    Ok(watch) => watches.push(watch),
                    Err(error) => observer.notice(&place.given, &host_notice(error.to_string())),
                }
            }
        }
        let [a, b] = setups;
        let memories = [a.vault.memory(), b.vault.memory()];
        let runners = [Runner::start(a)?, Runner::start(b)?];
        Ok(Session {
            options,
            observer,
            began,
            tally,
            board,
            inboxes,
            runners,
            memories,
            roots: places,
            _watches: watches,
            _locks: locks,
        })
    }

    /// Follows the engines until there is a reason to end.
    fn follow(&self, stopper: &Stopper) -> Result<Ending, Error> {
        let mut told = Instant::now();
        let mut rescanned = Instant::now();
        let mut resting_since: Option<Instant> = None;
        let mut settled: Option<Summary> = None;
        let mut tries = Tries::default();
        let mut seen = 0;
        let mut remembered = self.options.dry_run;
        loop {
            let sides = self.board.wait(&mut seen, PROGRESS_EVERY);
            self.check(&sides)?;
            remembered = remembered || self.remember(&sides);
            if told.elapsed() >= PROGRESS_EVERY {
                self.observer.progress(&self.progress(&sides));
                told = Instant::now();
            }
            if stopper.is_asked() {
                return Ok(if agreed(&sides) { self.ending(&sides) } else { Ending::Interrupted });
            }
            if agreed(&sides) {
                resting_since = None;
                if self.try_again(&sides, &mut tries) {
                    continue;
                }
                if self.options.once || self.options.dry_run || halted(&sides) {
                    return Ok(self.ending(&sides));
                }
                let summary = self.summary(&sides);
                if settled.is_none_or(|before| !same_counts(&before, &summary)) {
                    self.observer.settled(&summary);
                    settled = Some(summary);
                }
            } else if at_rest(&sides) {
                if resting_since.get_or_insert_with(Instant::now).elapsed() >= DISAGREEING_MAX {
                    return Err(self.disagreement(&sides));
                }
            } else {
                resting_since = None;
            }
            if !self.options.once && rescanned.elapsed() >= RESCAN_EVERY {
                self.command(|root| Command::Rescan { root });
                rescanned = Instant::now();
            }
        }
    }

    /// What failed once may have been a moment's trouble; and held deletions are undone if that was asked for.
    fn try_again(&self, sides: &[Side; 2], tries: &mut Tries) -> bool {
        if self.options.dry_run {
            return false;
        }
        let roots = || sides.iter().flat_map(root_statuses);
        if self.options.refill && !tries.restored && roots().any(|root| root.held > 0) {
            tries.restored = true;
            self.command(|root| Command::RestoreDeletions { root });
            return true;
        }
        if self.options.once && !tries.retried && roots().any(|root| root.waiting > 0) {
            tries.retried = true;
            self.command(|root| Command::Retry { root });
            return true;
        }
        false
    }

    /// Sends a command to both engines. Until they have seen it, their posts are no longer of a quiet moment.
    fn command(&self, command: impl Fn(syncline_core::api::RootId) -> Command) {
        for (side, (place, inbox)) in self.roots.iter().zip(&self.inboxes).enumerate() {
            self.board.post(side, |side| side.quiet = false);
            let _ = inbox.send(Input::Event(Event::Command { command: command(place.id) }));
        }
    }

    /// Notes on both sides that they are kept in sync, so that one that vanishes is missed. Both have their markers by
    /// now.
    fn remember(&self, sides: &[Side; 2]) -> bool {
        let [a, b] = sides.each_ref().map(|side| side.status.as_ref().and_then(|status| status.replica));
        let (Some(a), Some(b)) = (a, b) else { return false };
        let [place_a, place_b] = &self.roots;
        let [memory_a, memory_b] = &self.memories;
        memory_a.remember(Partner { path: place_b.canonical.clone(), replica: b });
        memory_b.remember(Partner { path: place_a.canonical.clone(), replica: a });
        true
    }

    fn check(&self, sides: &[Side; 2]) -> Result<(), Error> {
        for (side, place) in sides.iter().zip(&self.roots) {
            let failed = |what: String| Err(Error::Failed { what });
            let given = place.given.display();
            if side.status.as_ref().is_some_and(|status| status.failed) {
                return failed(format!("the state of `{given}` could not be read or written; see the errors above"));
            }
            if let Some(reason) = &side.closed {
                return failed(format!("the engine of `{given}` broke off: {reason}"));
            }
            if side.stopped {
                return failed(format!("the engine of `{given}` ended by itself; this is a defect, please report it"));
            }
        }
        Ok(())
    }

    fn disagreement(&self, sides: &[Side; 2]) -> Error {
        let mut what = String::from("the engines came to rest without agreeing; this is a defect, please report it");
        for (side, place) in sides.iter().zip(&self.roots) {
            for root in root_statuses(side) {
                what.push_str(&format!(
                    "; `{}` is {:?} with {} pending",
                    place.given.display(),
                    root.state,
                    root.pending
                ));
            }
        }
        Error::Failed { what }
    }

    /// Stops both engines and tells what became of the run.
    fn end(self, outcome: Result<Ending, Error>) -> Result<Report, Error> {
        let summary = self.summary(&self.board.read());
        for inbox in &self.inboxes {
            // An engine that has ended needs no telling.
            let _ = inbox.send(Input::Event(Event::Stop));
        }
        for runner in self.runners {
            runner.join();
        }
        let ending = outcome?;
        // Changes that were made while stopping count too.
        let changed = self.tally.summary();
        let summary = Summary {
            created: changed.created,
            updated: changed.updated,
            removed: changed.removed,
            bytes_moved: changed.bytes_moved,
            in_sync: ending == Ending::Agreed && (!self.options.dry_run || same_counts(&changed, &Summary::default())),
            ..summary
        };
        Ok(Report { summary, ending })
    }

    fn ending(&self, sides: &[Side; 2]) -> Ending {
        if sides.iter().flat_map(root_statuses).any(is_waiting) { Ending::Waiting } else { Ending::Agreed }
    }

    fn summary(&self, sides: &[Side; 2]) -> Summary {
        let roots = || sides.iter().flat_map(root_statuses);
        Summary {
            // The same copies stand on both sides.
            conflicts: roots().map(|root| root.conflicts).max().unwrap_or(0),
            skipped: roots().map(|root| root.skipped).sum(),
            held: roots().map(|root| root.held).sum(),
            elapsed_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            in_sync: agreed(sides) && self.ending(sides) == Ending::Agreed,
            ..self.tally.summary()
        }
    }

    fn progress(&self, sides: &[Side; 2]) -> Progress {
        Progress::of(sides.iter().flat_map(root_statuses), &self.tally.summary())
    }
}

impl Progress {
    /// What the roots and the counts so far come to.
    fn of<'a>(roots: impl IntoIterator<Item = &'a RootStatus>, done: &Summary) -> Progress {
        let mut progress = Progress {
            changed: done.created + done.updated + done.removed,
            bytes_moved: done.bytes_moved,
            ..Progress::default()
        };
        for root in roots {
            progress.entries += root.files + root.directories + root.symlinks;
            progress.pending += root.pending;
            progress.bytes_pending += root.pending_bytes;
            progress.scanning |= root.state != RootState::Following;
        }
        progress
    }
}

impl Place {
    fn of(root: &Root) -> Self {
        Self { given: root.given.clone(), canonical: root.canonical.clone(), id: root.facts.root }
    }
}

/// What both runners share at their start.
struct Starting<'s> {
    options: Options,
    observer: &'s Arc<dyn Observer>,
    tally: &'s Arc<Tally>,
    board: &'s Arc<Board>,
    pool: &'s Arc<Pool>,
}

impl Starting<'_> {
    fn setup(
        &self,
        side: usize,
        root: Root,
        inbox: (Sender<Input>, crossbeam_channel::Receiver<Input>),
        peer: Sender<Input>,
    ) -> Result<Setup, Error> {
        let engine = engine(&root, self.options)?;
        let given: Arc<std::path::Path> = Arc::from(root.given.as_path());
        let witness = witness(self.observer, self.tally, &root.given);
        let observer = Arc::clone(self.observer);
        Ok(Setup {
            side,
            engine,
            disk: Some(Arc::clone(&root.disk)),
            folder: None,
            deliver: None,
            published: None,
            keeps_records: false,
            vault: Vault::new(root.store)?,
            pool: Arc::clone(self.pool),
            board: Arc::clone(self.board),
            inbox,
            peer: Some(peer),
            witness,
            notified: Box::new(move |notice| observer.notice(&given, &notice)),
        })
    }
}

/// Counts and tells the changes of a root.
fn witness(observer: &Arc<dyn Observer>, tally: &Arc<Tally>, given: &std::path::Path) -> crate::run::Witness {
    let (observer, tally, changed) = (Arc::clone(observer), Arc::clone(tally), given.to_path_buf());
    Arc::new(move |work: &Work, outcome: &Outcome| {
        let (Work::Commit { items, .. }, Outcome::Committed { results }) = (work, outcome) else { return };
        for (item, result) in items.iter().zip(results) {
            if matches!(result, CommitResult::Committed { .. }) {
                tally.count(item);
                observer.changed(&changed, item);
            }
        }
    })
}

/// What was tried a second time.
#[derive(Default)]
struct Tries {
    restored: bool,
    retried: bool,
}

/// Makes a root's engine.
///
/// # Errors
/// The system gives no random bytes, or what the store says of the replica is no configuration.
pub(crate) fn engine(root: &Root, options: Options) -> Result<Engine, Error> {
    configured(root, options, Vec::new())
}

/// The same, with message folders.
///
/// # Errors
/// As for [`engine`].
fn configured(root: &Root, options: Options, folders: Vec<FolderConfig>) -> Result<Engine, Error> {
    let facts = &root.facts;
    let config = Config {
        group: GroupConfig { id: facts.group, key: facts.group_key.to_vec(), founder: None },
        identity: facts.identity.to_vec(),
        name: facts.name.clone(),
        roots: vec![RootConfig {
            id: facts.root,
            membership: facts.membership,
            allow_deletions: options.allow_deletions,
        }],
        debounce_ms: if options.once { DEBOUNCE_ONCE_MS } else { DEBOUNCE_WATCHING_MS },
        folders,
        delivery: None,
        records: None,
        compaction: CompactionConfig::default(),
        dry_run: options.dry_run,
    };
    Engine::new(config, Seed { bytes: random()?.to_vec() })
        .map_err(|e| Error::Damaged { path: root.store.path().to_path_buf(), detail: e.to_string() })
}

fn root_statuses(side: &Side) -> &[RootStatus] {
    side.status.as_ref().map_or(&[], |status| &status.roots)
}

/// Something about a root waits for a person, or for others.
fn is_waiting(root: &RootStatus) -> bool {
    root.waiting > 0 || root.held > 0 || root.unreadable > 0 || root.pending > 0 || root.state == RootState::Halted
}

fn halted(sides: &[Side; 2]) -> bool {
    sides.iter().flat_map(root_statuses).any(|root| root.state == RootState::Halted)
}

/// Whether nothing but time has passed between two summaries.
fn same_counts(one: &Summary, other: &Summary) -> bool {
    let timeless = |summary: &Summary| Summary { elapsed_ms: 0, in_sync: false, ..*summary };
    timeless(one) == timeless(other)
}

fn host_notice(message: String) -> Notice {
    Notice { code: NoticeCode::HostError, message, root: None, path: None, replica: None }
}

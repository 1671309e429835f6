//! Keeping a folder in sync through a message folder that something else carries: one engine, whose partners are whoever
//! else uses that folder.

use std::path::Path;
use std::sync::Arc;
use std::time::Instant;

use crossbeam_channel::{Sender, unbounded};
use syncline_core::api::{
    Command, FolderConfig, FolderId, FolderIndexing, FolderState, GroupConfig, GroupId, Membership, RootId,
};
use syncline_core::folder::Info;
use uuid::Uuid;

use super::{
    Ending, Observer, Options, PROGRESS_EVERY, Place, Progress, RESCAN_EVERY, Report, Stopper, Summary, Tally,
    configured, host_notice, is_waiting, root_statuses, same_counts, witness,
};
use crate::Error;
use crate::folder::{FolderWatch, SharedFolder};
use crate::root::{Allegiance, Found, Location, Lock, Root};
use crate::run::{Board, Input, Pool, Runner, Setup, Side, Vault, Watch};

const FOLDER: FolderId = FolderId(1);
/// How often the folder is looked through where no watcher says anything.
const POLL_MS: u32 = 5_000;

/// A folder and the message folder that it is kept in sync through, ready to run.
pub struct Via {
    root: Root,
    shared: Arc<SharedFolder>,
    is_sealed: bool,
}

impl Via {
    /// Looks at both folders and opens them. A message folder without a session gets one; a folder that is no root yet
    /// becomes one of the session.
    ///
    /// # Errors
    /// Folders that cannot be used so ([`ErrorClass::Usage`](crate::ErrorClass::Usage)), or a failure.
    pub fn open(root: &Path, folder: &Path, key: Option<[u8; 32]>) -> Result<Via, Error> {
        let location = Location::of(root)?;
        let carrier = Location::of(folder)?;
        if !carrier.exists() {
            let reason = "a message folder must be there, where something carries it".to_string();
            return Err(Error::MissingFolder { path: folder.to_path_buf(), reason });
        }
        location.check_apart(&carrier)?;
        let shared = Arc::new(SharedFolder::open(folder)?);
        let (info, known) = session(&shared, folder, key)?;
        let unusable = |error| Error::UnusableSession { path: folder.to_path_buf(), error };
        let group = info.group(key.as_ref().map(|key| key.as_slice())).map_err(unusable)?;
        let root = root_of(&location, folder, &group, &known)?;
        Ok(Via { root, shared, is_sealed: info.key_check.is_some() })
    }

    /// Runs the engine until the folder has what the message folder has and the other way round, or until stopped.
    ///
    /// # Errors
    /// The store or the engine failed.
    pub fn run(self, options: Options, stopper: &Stopper, observer: Arc<dyn Observer>) -> Result<Report, Error> {
        let running = Running::start(self, options, observer)?;
        let outcome = running.follow(stopper);
        running.end(outcome)
    }
}

/// The session that a folder holds, or a new one; and all that were begun there.
fn session(shared: &SharedFolder, folder: &Path, key: Option<[u8; 32]>) -> Result<(Info, Vec<GroupId>), Error> {
    let mut infos = shared.infos()?;
    if infos.is_empty() {
        let session = GroupId::from_bytes(*Uuid::new_v4().as_bytes());
        shared.create_session(&key.map_or_else(|| Info::open(session), |key| Info::sealed(session, &key)))?;
        infos = shared.infos()?;
    }
    let known = infos.iter().flatten().map(|info| info.session).collect();
    let chosen = Info::choose(infos).map_err(|error| Error::UnusableSession { path: folder.to_path_buf(), error })?;
    Ok((chosen, known))
}

/// The root that a session's folder carries is named like the session. One of a session that was begun at the same time and
/// did not prevail joins anew: files of both are united.
fn root_of(location: &Location, folder: &Path, group: &GroupConfig, known: &[GroupId]) -> Result<Root, Error> {
    if let Found::Replica { marker } = &location.found
        && (marker.group == group.id || !known.contains(&marker.group))
    {
        if marker.group != group.id {
            return Err(Error::OtherGroup {
                first: location.given.clone(),
                first_group: marker.group,
                second: folder.to_path_buf(),
                second_group: group.id,
            });
        }
        let opened = Root::open(location, false)?;
        if !opened.copied {
            return Ok(opened.root);
        }
    }
    let group_key = group.key.as_slice().try_into().unwrap_or_default();
    let root = RootId::from_bytes(*group.id.as_bytes());
    Root::create(location, Allegiance { group: group.id, group_key, root }, Membership::Joiner)
}

struct Running {
    options: Options,
    observer: Arc<dyn Observer>,
    began: Instant,
    tally: Arc<Tally>,
    board: Arc<Board>,
    inbox: Sender<Input>,
    runner: Runner,
    place: Place,
    _watch: (Option<Watch>, Option<FolderWatch>),
    _lock: Option<Lock>,
}

impl Running {
    fn start(via: Via, options: Options, observer: Arc<dyn Observer>) -> Result<Running, Error> {
        let Via { mut root, shared, is_sealed } = via;
        let (began, board, tally) = (Instant::now(), Arc::new(Board::default()), Arc::new(Tally::default()));
        let folder =
            FolderConfig { id: FOLDER, sealed: is_sealed, indexing: FolderIndexing::Listing, poll_ms: POLL_MS };
        let engine = configured(&root, options, vec![folder])?;
        let (place, lock, inbox) = (Place::of(&root), root.lock.take(), unbounded());
        let mut watch = (None, None);
        if !options.once {
            let watched = Watch::start(&place.canonical, place.id, inbox.0.clone());
            watch.0 = watched.map_err(|error| observer.notice(&place.given, &host_notice(error.to_string()))).ok();
            let to = inbox.0.clone();
            let watched = shared.watch(FOLDER, move |event| to.send(Input::Event(event)).is_ok());
            watch.1 = watched.map_err(|error| observer.notice(shared.path(), &host_notice(error.to_string()))).ok();
        }
        let told = Arc::clone(&observer);
        let given = place.given.clone();
        let sender = inbox.0.clone();
        let runner = Runner::start(Setup {
            side: 0,
            engine,
            disk: Some(Arc::clone(&root.disk)),
            folder: Some((FOLDER, shared)),
            deliver: None,
            published: None,
            keeps_records: false,
            vault: Vault::new(root.store)?,
            pool: Arc::new(Pool::new()?),
            board: Arc::clone(&board),
            inbox,
            peer: None,
            witness: witness(&observer, &tally, &place.given),
            notified: Box::new(move |notice| told.notice(&given, &notice)),
        })?;
        let inbox = sender;
        Ok(Running { options, observer, began, tally, board, inbox, runner, place, _watch: watch, _lock: lock })
    }

    fn follow(&self, stopper: &Stopper) -> Result<Ending, Error> {
        let (mut told, mut rescanned, mut seen) = (Instant::now(), Instant::now(), 0);
        let mut settled: Option<Summary> = None;
        let mut retried = false;
        if self.options.once {
            self.command(Command::Settle);
        }
        loop {
            let [side, _] = self.board.wait(&mut seen, PROGRESS_EVERY);
            self.check(&side)?;
            if told.elapsed() >= PROGRESS_EVERY {
                self.observer.progress(&self.progress(&side));
                told = Instant::now();
            }
            let is_done = side.quiet && is_carried(&side);
            if stopper.is_asked() {
                return Ok(if is_done { ending(&side) } else { Ending::Interrupted });
            }
            if is_done {
                if self.options.once && !retried && root_statuses(&side).iter().any(|root| root.waiting > 0) {
                    retried = true;
                    self.command(Command::Retry { root: self.place.id });
                    self.command(Command::Settle);
                    continue;
                }
                if self.options.once {
                    return Ok(ending(&side));
                }
                let summary = self.summary(&side);
                if settled.is_none_or(|before| !same_counts(&before, &summary)) {
                    self.observer.settled(&summary);
                    settled = Some(summary);
                }
            }
            if !self.options.once && rescanned.elapsed() >= RESCAN_EVERY {
                self.command(Command::Rescan { root: self.place.id });
                rescanned = Instant::now();
            }
        }
    }

    fn command(&self, command: Command) {
        self.board.post(0, |side| side.quiet = false);
        let _ = self.inbox.send(Input::Event(syncline_core::api::Event::Command { command }));
    }

    fn check(&self, side: &Side) -> Result<(), Error> {
        let given = self.place.given.display();
        let what = if side.status.as_ref().is_some_and(|status| status.failed) {
            format!("the state of `{given}` could not be read or written; see the errors above")
        } else if side.stopped {
            format!("the engine of `{given}` ended by itself; this is a defect, please report it")
        } else {
            return Ok(());
        };
        Err(Error::Failed { what })
    }

    fn end(self, outcome: Result<Ending, Error>) -> Result<Report, Error> {
        let summary = self.summary(&self.board.read()[0]);
        let _ = self.inbox.send(Input::Event(syncline_core::api::Event::Stop));
        self.runner.join();
        let ending = outcome?;
        let changed = self.tally.summary();
        let summary = Summary {
            created: changed.created,
            updated: changed.updated,
            removed: changed.removed,
            bytes_moved: changed.bytes_moved,
            in_sync: ending == Ending::Agreed,
            ..summary
        };
        Ok(Report { summary, ending })
    }

    fn summary(&self, side: &Side) -> Summary {
        let roots = root_statuses(side);
        Summary {
            conflicts: roots.iter().map(|root| root.conflicts).sum(),
            skipped: roots.iter().map(|root| root.skipped).sum(),
            held: roots.iter().map(|root| root.held).sum(),
            elapsed_ms: u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
            in_sync: side.quiet && ending(side) == Ending::Agreed,
            ..self.tally.summary()
        }
    }

    fn progress(&self, side: &Side) -> Progress {
        Progress::of(root_statuses(side), &self.tally.summary())
    }
}

/// All that is in the message folder was read, and all that is new stands in it.
fn is_carried(side: &Side) -> bool {
    let folders = side.status.iter().flat_map(|status| &status.folders);
    folders.clone().count() > 0
        && folders.clone().all(|folder| {
            folder.state == FolderState::Halted
                || folder.state == FolderState::Following && folder.indexed && folder.unwritten == 0
        })
}

fn ending(side: &Side) -> Ending {
    let folders = side.status.iter().flat_map(|status| &status.folders);
    let is_unwell = folders.clone().any(|folder| folder.state == FolderState::Halted || folder.unverifiable > 0);
    if is_unwell || root_statuses(side).iter().any(is_waiting) { Ending::Waiting } else { Ending::Agreed }
}

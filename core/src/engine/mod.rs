//! The state machine itself: takes events, hands them to the part they concern, lets every part do a bounded share of
//! what is due, and returns what the host is to do.

mod draft;
mod keys;
pub mod limits;
mod peers;
mod random;
mod root;
mod saver;
mod shared;
mod startup;
mod tasks;

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

#[doc(hidden)]
pub use self::keys::intended_path;
use self::limits::DEVICE_NAME_BYTES_MAX;
use self::peers::{EarlyLink, Peer};
use self::random::Random;
use self::root::{Root, RootPurpose};
use self::saver::{After, SavedLog, Saver};
use self::shared::{Purpose, Shared};
use self::tasks::Tasks;
use crate::api::{
    Action, Command, Config, ConfigError, Event, Failure, GroupId, LinkId, LinkStatus, Monotonic, NoticeCode, Now,
    Outcome, ReplicaId, RootId, Seed, Status, TaskId,
};
use crate::crypto::Identity;
use crate::log::{Heads, Log};
use crate::planted::{Planted, planted};

/// One replica of one group.
///
/// The host sends [`Event::Start`] first, carries out every [`Action`], reports each piece of work exactly once, and
/// sends [`Event::Wake`] when [`deadline`](Engine::deadline) has come.
///
/// Invariant: same seed, events and times give the same actions (`equal_seeds_events_and_times_give_equal_actions`).
pub struct Engine {
    shared: Shared,
    group: GroupId,
    roots: Vec<Root>,
    peers: BTreeMap<LinkId, Peer>,
    /// Links that came up before this replica knew its own id.
    early_links: BTreeMap<LinkId, EarlyLink>,
    phase: Phase,
    /// The messages of which everything stands on this disk.
    applied: Heads,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    New,
    Loading,
    Running,
    /// Waits for the changes of the disk that are under way and for the store.
    Stopping,
    Stopped,
}

impl Engine {
    /// Makes an engine; it does nothing before [`Event::Start`].
    ///
    /// # Errors
    /// A configuration that no engine can work with.
    pub fn new(config: Config, seed: Seed) -> Result<Engine, ConfigError> {
        let length = |bytes: &[u8]| u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        let seed_bytes: [u8; 32] =
            seed.bytes.as_slice().try_into().map_err(|_| ConfigError::SeedLength { found: length(&seed.bytes) })?;
        if config.name.len() > DEVICE_NAME_BYTES_MAX {
            let limit = u32::try_from(DEVICE_NAME_BYTES_MAX).unwrap_or(u32::MAX);
            return Err(ConfigError::NameLength { found: length(config.name.as_bytes()), limit });
        }
        let identity = Identity::from_secret(&config.identity)?;
        let mut roots: Vec<Root> = Vec::new();
        for root in &config.roots {
            if roots.iter().any(|known| known.id() == root.id) {
                return Err(ConfigError::DuplicateRoot { root: root.id });
            }
            roots.push(Root::new(roots.len(), root));
        }
        let mut random = Random::new(&seed_bytes);
        let shared = Shared {
            now: Now::default(),
            tasks: Tasks::new(random.number()),
            random,
            log: Log::new(&config.group, identity)?,
            saver: Saver::default(),
            draft: None,
            actions: Vec::new(),
            landed: Vec::new(),
            name: config.name,
            debounce_ms: u64::from(config.debounce_ms),
            dry_run: config.dry_run,
        };
        let group = config.group.id;
        Ok(Engine {
            shared,
            group,
            roots,
            peers: BTreeMap::new(),
            early_links: BTreeMap::new(),
            phase: Phase::New,
            applied: Heads::default(),
        })
    }

    /// Takes one event and returns what is to be done about it, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let monotonic = self.shared.now.monotonic.max(now.monotonic);
        self.shared.now = Now { monotonic, unix: now.unix };
        self.dispatch(event);
        if self.is_working() {
            self.turn();
        }
        core::mem::take(&mut self.shared.actions)
    }

    fn dispatch(&mut self, event: Event) {
        match (self.phase, event) {
            (Phase::New, Event::Start) => {
                self.phase = Phase::Loading;
                self.load(keys::START.to_vec());
            }
            (_, Event::Start) => self.shared.notify(NoticeCode::HostError, "an engine starts only once"),
            (_, Event::Completed { task, outcome }) => self.completed(task, outcome),
            (Phase::New | Phase::Stopped, _) | (_, Event::Wake) => {}
            (_, Event::Stop) => self.stop(),
            (_, Event::LinkUp { link, message_bytes_max }) => self.link_up(link, message_bytes_max),
            (_, Event::LinkData { link, bytes }) => self.link_data(link, &bytes),
            (_, Event::LinkReady { link }) => self.link_ready(link),
            (_, Event::LinkDown { link }) => self.link_down(link),
            (_, Event::Changed { root, hints }) => {
                if let Some(root) = self.root_of(root) {
                    root.changed(hints);
                }
            }
            (_, Event::Command { command }) => self.command(&command),
        }
    }

    /// Lets every part do a bounded share of what is due, then sends the next batch to the store.
    fn turn(&mut self) {
        let indexed_before = self.is_indexed();
        for root in &mut self.roots {
            root.turn(&mut self.shared);
        }
        if self.is_indexed() && !indexed_before {
            self.shared.close_draft();
        }
        if !self.shared.saver.is_busy() {
            for root in &mut self.roots {
                root.prepare_commit(&mut self.shared);
            }
        }
        self.shared.flush();
        self.note_applied();
        self.peers_turn();
    }

    /// When the host must send [`Event::Wake`]; a time that has passed means at once.
    pub fn deadline(&self) -> Option<Monotonic> {
        if !self.is_working() {
            return None;
        }
        if self.wants_turn() {
            return Some(self.shared.now.monotonic);
        }
        let now = self.shared.now.monotonic;
        let wanted = self.roots.iter().any(Root::has_wants);
        let asks = self.peers.values().filter(|_| wanted).filter_map(|peer| peer.asks_again(now));
        self.roots.iter().filter_map(Root::deadline).chain(asks).min()
    }

    /// Under which id this replica writes, as in its [`status`](Engine::status).
    pub fn replica(&self) -> Option<ReplicaId> {
        self.shared.log.own()
    }

    /// A snapshot.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let saved = shared.saver.saved_heads();
        let links = self.peers.iter().map(|(link, peer)| LinkStatus {
            link: *link,
            replica: peer.replica(),
            received: peer.has_received(saved),
            applied: peer.has_applied(saved),
        });
        Status {
            replica: shared.log.own(),
            digest: shared.digest(),
            quiet: self.is_quiet(),
            failed: shared.saver.has_failed(),
            members: shared.log.members().collect(),
            links: links.collect(),
            roots: self.roots.iter().map(Root::status).collect(),
        }
    }

    fn is_quiet(&self) -> bool {
        let shared = &self.shared;
        let is_waiting = |root: &Root| root.is_at_rest() || root.is_joining();
        matches!(self.phase, Phase::Running | Phase::Stopped)
            && shared.tasks.is_empty()
            && shared.draft.is_none()
            && (shared.saver.is_idle() || shared.saver.has_failed())
            && !self.wants_turn()
            && self.roots.iter().all(is_waiting)
            && self.peers.values().all(Peer::is_idle)
    }

    /// It runs, and what happens can be saved.
    fn is_working(&self) -> bool {
        self.phase == Phase::Running && !self.shared.saver.has_failed()
    }

    fn wants_turn(&self) -> bool {
        self.is_working() && self.roots.iter().any(Root::wants_turn)
    }

    fn is_indexed(&self) -> bool {
        self.roots.iter().all(Root::is_indexed)
    }

    fn completed(&mut self, task: TaskId, outcome: Outcome) {
        let Some(purpose) = self.shared.tasks.complete(task) else {
            let message = "a completion names no work in flight; it is ignored";
            return self.shared.notify(NoticeCode::HostError, message);
        };
        match purpose {
            Purpose::Start => self.loaded(outcome),
            Purpose::Save { then, log } => self.saved(then, log, outcome),
            Purpose::Root { root, purpose } => {
                let still_counts = self.phase == Phase::Running || matches!(purpose, RootPurpose::Commit(_));
                if let (Some(root), true) = (self.roots.get_mut(root), still_counts) {
                    root.completed(&mut self.shared, purpose, outcome);
                }
                self.finish_stopping();
            }
            Purpose::Feed { link, author, first, last } => self.feed_loaded(link, (author, first, last), outcome),
            Purpose::Serve { link, purpose } => self.served(link, purpose, outcome),
        }
    }

    fn saved(&mut self, then: Vec<After>, log: SavedLog, outcome: Outcome) {
        if outcome != Outcome::Saved && !planted(Planted::SaveFailureIgnored) {
            self.shared.saver.fail();
            let why = match outcome {
                Outcome::Failed { failure: Failure::NoSpace } => "no space left on the device".to_string(),
                Outcome::Failed { failure: Failure::Other { message } } => message,
                _ => "the store did not take them".to_string(),
            };
            let message = alloc::format!("could not save changes: {why}; nothing is sent or changed any more");
            self.shared.notify(NoticeCode::StoreFailed, message);
            for After::Commit { root, batch } in then {
                if let Some(root) = self.roots.get_mut(root) {
                    root.leave_commit(batch);
                }
            }
        } else {
            self.shared.saver.saved(if planted(Planted::SavedMeansAll) { self.shared.log_now() } else { log });
            for After::Commit { root, batch } in then {
                match (self.roots.get_mut(root), self.phase) {
                    (Some(root), Phase::Running) => root.commit(&mut self.shared, batch),
                    (Some(root), _) => root.leave_commit(batch),
                    (None, _) => {}
                }
            }
        }
        self.finish_stopping();
    }

    fn command(&mut self, command: &Command) {
        let (Command::Rescan { root }
        | Command::AllowDeletions { root }
        | Command::RestoreDeletions { root }
        | Command::Retry { root }) = command;
        if let Some(index) = self.roots.iter().position(|known| known.id() == *root)
            && let Some(root) = self.roots.get_mut(index)
        {
            root.command(&mut self.shared, command);
        }
    }

    /// Starts nothing new; what happened so far is saved, and what is under way is left to the next start.
    fn stop(&mut self) {
        if self.phase == Phase::Loading || self.phase == Phase::Running {
            self.phase = Phase::Stopping;
            self.shared.flush();
        }
        self.finish_stopping();
    }

    fn finish_stopping(&mut self) {
        if self.phase == Phase::Stopping {
            self.shared.flush();
            let commits = self.roots.iter().any(Root::has_commits);
            if !commits && (self.shared.saver.is_idle() || self.shared.saver.has_failed()) {
                self.phase = Phase::Stopped;
                self.shared.actions.push(Action::Stopped);
            }
        }
    }

    fn root_of(&mut self, id: RootId) -> Option<&mut Root> {
        self.roots.iter_mut().find(|root| root.id() == id)
    }
}

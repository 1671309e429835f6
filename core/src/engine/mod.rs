//! The state machine itself: takes events, hands them to the part they concern, lets every part do a bounded share of
//! what is due, and returns what the host is to do.

mod compaction;
mod deliveries;
mod draft;
mod folder;
mod keys;
pub mod limits;
mod peers;
mod presence;
mod random;
mod receive;
mod records;
mod regroup;
mod root;
mod saver;
mod shared;
mod startup;
mod status;
mod tasks;

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use self::compaction::Compaction;
use self::deliveries::{DeliverPurpose, Deliveries};
use self::folder::Folder;
#[doc(hidden)]
pub use self::keys::{intended_path, is_presence};
use self::limits::DEVICE_NAME_BYTES_MAX;
use self::peers::{EarlyLink, Peer};
use self::random::Random;
use self::records::{Records, RecordsPurpose};
use self::root::{Root, RootPurpose};
use self::saver::{After, SavedLog, Saver};
use self::shared::{Purpose, Shared};
use self::tasks::Tasks;
use crate::api::{
    Action, Command, Config, ConfigError, Event, Failure, GroupId, LinkId, MemberMode, Monotonic, NoticeCode, Now,
    Outcome, ReplicaId, RootId, Seed, TaskId,
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
    config: Config,
    shared: Shared,
    group: GroupId,
    roots: Vec<Root>,
    folders: Vec<Folder>,
    deliveries: Deliveries,
    compaction: Compaction,
    records: Records,
    /// This device wrote of roots that it does not keep now: what lives in them is not known here.
    has_other_roots: bool,
    /// Commands that came before this device speaks, or while what rests on messages was being made anew.
    postponed: Vec<Command>,
    /// What applications said before it was known what this device has said before.
    unpublished: Vec<Vec<u8>>,
    has_begun: bool,
    /// What another member may want to hear of is held and does not stand on this disk or with the application yet.
    holds_unapplied: bool,
    /// Of each author the highest lamport in the store, of all messages and of those that call for an acknowledgement.
    restored: BTreeMap<ReplicaId, (u64, u64)>,
    /// The last acknowledgement was written before it did.
    says_less_than_applied: bool,
    /// Nothing is put off once all else is done.
    settles: bool,
    peers: BTreeMap<LinkId, Peer>,
    /// A link was closed since the last turn began: what waited for its peer may go on.
    has_closed: bool,
    /// By how much people were told that this device's clock is ahead; 0 where it is right.
    clock_told_ms: i64,
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
    /// Waits for all that is under way, then loads again: other messages count than before.
    Renewing,
    /// This device is no member any more.
    Expelled,
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
        let kept = config.clone();
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
            numbers: 0,
            mode: MemberMode::Full,
            acknowledge: None,
        };
        let group = config.group.id;
        let mut folders: Vec<Folder> = Vec::new();
        for folder in &config.folders {
            if folders.iter().any(|known| known.id() == folder.id) {
                return Err(ConfigError::DuplicateFolder { folder: folder.id });
            }
            folders.push(Folder::new(folders.len(), folder, group, &config.group.key));
        }
        Ok(Engine {
            config: kept,
            shared,
            group,
            roots,
            folders,
            has_other_roots: false,
            deliveries: Deliveries::new(config.delivery),
            records: Records::new(config.records, &config.compaction)?,
            compaction: Compaction::new(config.compaction),
            postponed: Vec::new(),
            unpublished: Vec::new(),
            has_begun: false,
            holds_unapplied: false,
            restored: BTreeMap::new(),
            says_less_than_applied: false,
            settles: false,
            peers: BTreeMap::new(),
            has_closed: false,
            clock_told_ms: 0,
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
            // What would come of a message, such as a decision about members, is not carried out any more.
            (Phase::Stopping, Event::LinkData { .. }) => {}
            (_, Event::LinkData { link, bytes }) => self.link_data(link, &bytes),
            (_, Event::LinkReady { link }) => self.link_ready(link),
            (_, Event::LinkDown { link }) => self.link_down(link),
            (_, Event::Changed { root, hints }) => {
                if let Some(root) = self.root_of(root) {
                    root.changed(hints);
                }
            }
            (_, Event::FolderChanged { folder, paths }) => {
                let (log, now) = (&self.shared.log, self.shared.now.monotonic);
                if let Some(folder) = self.folders.iter_mut().find(|known| known.id() == folder) {
                    folder.changed(log, &paths, now);
                }
            }
            (Phase::Renewing, Event::Command { command }) => self.postponed.push(command),
            (Phase::Expelled, Event::Command { .. }) => {
                let message = "this device is no member of the group any more: nothing is done";
                self.shared.notify(NoticeCode::Expelled, message);
            }
            (_, Event::Command { command }) => self.command(command),
        }
    }

    /// Lets every part do a bounded share of what is due, then sends the next batch to the store.
    fn turn(&mut self) {
        self.close_silent();
        self.regroup();
        if !self.is_working() {
            return;
        }
        self.has_closed = false;
        self.folders_turn();
        if !self.has_begun && self.folders.iter().all(|folder| folder.is_known(&self.shared.log)) {
            self.begin();
        }
        self.acknowledge_if_due();
        self.compaction_turn();
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
        self.note_dead();
        self.collect_turn();
        self.records_turn();
        self.shared.flush();
        self.deliveries.turn(&mut self.shared);
        self.note_applied();
        self.peers_turn();
        self.blobs_turn();
        self.come_to_rest();
    }

    /// Where the host waits for it, says what else would wait for its time.
    fn come_to_rest(&mut self) {
        if self.settles && self.is_quiet_but_for_acknowledging() {
            self.settles = self.shared.acknowledge.is_some();
            if self.settles {
                self.acknowledge_in_folders();
                self.shared.flush();
            }
        }
    }

    /// When the host must send [`Event::Wake`]; a time that has passed means at once.
    pub fn deadline(&self) -> Option<Monotonic> {
        let pulses = self.peers.values().filter(|_| self.is_working()).map(Peer::pulse_deadline);
        self.deadline_at_rest().into_iter().chain(pulses).min()
    }

    /// The same but for heartbeats, which have no end: for those who wait for a world of engines to come to rest.
    #[doc(hidden)]
    pub fn deadline_at_rest(&self) -> Option<Monotonic> {
        if !self.is_working() {
            return None;
        }
        if self.wants_turn() {
            return Some(self.shared.now.monotonic);
        }
        let now = self.shared.now.monotonic;
        let wanted = self.roots.iter().any(Root::has_wants);
        let asks = self.peers.values().filter(|_| wanted).filter_map(|peer| peer.asks_again(now));
        let folders = self.folders.iter().filter_map(|folder| folder.deadline(now));
        let rest = folders
            .chain(self.deliveries.deadline())
            .chain(self.records.deadline())
            .chain(self.peers.values().filter_map(Peer::leaves_at))
            .chain(self.shared.acknowledge.filter(|_| self.has_begun));
        self.roots.iter().filter_map(Root::deadline).chain(asks).chain(rest).min()
    }

    /// Under which id this replica writes, as in its [`status`](Engine::status).
    pub fn replica(&self) -> Option<ReplicaId> {
        self.shared.log.own()
    }

    fn is_quiet(&self) -> bool {
        self.shared.acknowledge.is_none() && self.is_quiet_but_for_acknowledging()
    }

    fn is_quiet_but_for_acknowledging(&self) -> bool {
        let shared = &self.shared;
        let is_waiting = |root: &Root| root.is_at_rest() || root.is_joining();
        let is_saved = shared.saver.is_idle() || shared.saver.has_failed();
        if self.phase == Phase::Expelled {
            return shared.tasks.is_empty() && is_saved;
        }
        let is_up = self.phase == Phase::Stopped || self.phase == Phase::Running && self.has_begun;
        is_up
            && shared.tasks.is_empty()
            && shared.draft.is_none()
            && is_saved
            && !self.wants_turn()
            && self.roots.iter().all(is_waiting)
            && self.peers.values().all(Peer::is_idle)
            && self.folders.iter().all(|folder| folder.is_idle(&shared.log))
            && self.deliveries.is_idle()
            && self.records.is_idle()
    }

    /// It runs, and what happens can be saved.
    fn is_working(&self) -> bool {
        self.phase == Phase::Running && !self.shared.saver.has_failed()
    }

    fn wants_turn(&self) -> bool {
        let has_heard = || self.has_begun && self.peers.values().all(Peer::is_heard);
        self.is_working()
            && (self.has_closed
                || self.roots.iter().any(Root::wants_turn)
                || self.records.waits_to_hear(&self.shared) && has_heard()
                || self.is_checkpoint_due())
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
            Purpose::Folder { folder, purpose } => {
                if self.phase == Phase::Running {
                    self.folder_completed(folder, purpose, outcome);
                }
            }
            Purpose::Deliver { purpose } => {
                let is_given = self.phase == Phase::Renewing && matches!(purpose, DeliverPurpose::Deliver { .. });
                if self.phase == Phase::Running || is_given {
                    self.deliveries.completed(&mut self.shared, &purpose, outcome);
                }
            }
            Purpose::Records { purpose } => {
                let is_given = self.phase == Phase::Renewing && matches!(purpose, RecordsPurpose::Apply);
                if self.phase == Phase::Running || is_given {
                    self.records_completed(purpose, outcome);
                }
            }
            Purpose::Feed { link, author, first, last } => self.feed_loaded(link, (author, first, last), outcome),
            Purpose::Serve { link, purpose } => self.served(link, purpose, outcome),
        }
        self.finish_renewing();
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
            for after in then {
                self.leave(after);
            }
        } else {
            self.deliveries.saved(log.numbers);
            self.shared.saver.saved(if planted(Planted::SavedMeansAll) { self.shared.log_now() } else { log });
            for after in then {
                match after {
                    After::Commit { root, batch } if self.phase == Phase::Running => {
                        if let Some(root) = self.roots.get_mut(root) {
                            root.commit(&mut self.shared, batch);
                        }
                    }
                    After::Publish { author, counter } => {
                        self.shared.actions.push(Action::Published { author, counter });
                    }
                    After::Records => self.records_saved(),
                    after @ After::Commit { .. } => self.leave(after),
                }
            }
        }
        self.finish_stopping();
    }

    fn command(&mut self, command: Command) {
        match command {
            Command::Publish { payload } if self.has_begun => self.publish(&payload),
            Command::Publish { payload } => self.unpublished.push(payload),
            Command::WriteRows { .. } | Command::ReadRows { .. } | Command::ReleaseHeld { .. } => {
                self.records_command(command);
            }
            Command::Appoint { .. }
            | Command::Remove { .. }
            | Command::SetMode { .. }
            | Command::DiscardHeld { .. } => self.decide(command),
            Command::Settle => self.settles = true,
            Command::Poll { folder } => {
                self.folders.iter_mut().filter(|known| known.id() == folder).for_each(Folder::poll);
            }
            Command::Rescan { root }
            | Command::AllowDeletions { root }
            | Command::RestoreDeletions { root }
            | Command::Revert { root }
            | Command::Retry { root } => {
                let shared = &mut self.shared;
                let known = self.roots.iter_mut().find(|known| known.id() == root);
                known.into_iter().for_each(|root| root.command(shared, &command));
            }
        }
    }

    /// What was to happen after a save does not.
    fn leave(&mut self, after: After) {
        if let After::Commit { root, batch } = after
            && let Some(root) = self.roots.get_mut(root)
        {
            root.leave_commit(batch);
        }
    }

    /// Starts nothing new; what happened so far is saved, and what is under way is left to the next start.
    fn stop(&mut self) {
        if matches!(self.phase, Phase::Loading | Phase::Running | Phase::Renewing | Phase::Expelled) {
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

//! One device with one engine on it.

use std::collections::{BTreeSet, VecDeque};

use syncline_core::{
    Engine,
    api::{
        Action, CommitResult, Config, Event, Failure, HashResult, LinkId, Notice, NoticeCode, Now, Outcome,
        ProbeResult, Put, ReadResult, RootStatus, Seed, StageResult, Status, TaskId, Work,
    },
};

use super::{Clock, Host, Narrative, tap::Tap};
use crate::{Disk, Invariant, Item, Judge, Tree, digest, story::Coverage};

/// The most actions that one call may return.
const ACTIONS_MAX: usize = 1_024;

/// The most bytes that the actions of one call may hold.
const ACTION_BYTES_MAX: usize = 32 << 20;

/// What a device has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events its engines took.
    pub events: u64,
    /// Pieces of work carried out.
    pub performed: u64,
    /// Batches saved.
    pub saves: u64,
    /// Messages given to pipes.
    pub sends: u64,
    /// Bytes given to pipes.
    pub sent_bytes: u64,
    /// Chunks staged.
    pub staged: u64,
    /// Changes of the tree.
    pub commits: u64,
}

/// Tells the work that is not to be carried out yet.
type Hold = Box<dyn Fn(&Work) -> bool>;

/// A device: its folder and store, its engine, and the work that is under way.
pub struct Site {
    number: usize,
    judge: Judge,
    narrative: Narrative,
    host: Host,
    config: Config,
    clock: Clock,
    chance: fastrand::Rng,
    engine: Option<Engine>,
    pending: VecDeque<(TaskId, Work)>,
    done: VecDeque<(TaskId, Outcome)>,
    given: BTreeSet<TaskId>,
    save: Option<TaskId>,
    hold: Option<Hold>,
    notices: Vec<Notice>,
    counts: Counts,
    log: Option<Vec<u8>>,
    tap: Tap,
    coverage: Coverage,
    silenced: bool,
    stopped: bool,
}

/// What an engine asks of the world around its device.
pub(crate) enum Outside {
    Send { link: LinkId, bytes: Vec<u8> },
    Close { link: LinkId },
}

impl Site {
    pub(crate) fn new(
        number: usize,
        judge: Judge,
        narrative: Narrative,
        host: Host,
        config: Config,
        clock: Clock,
        chance: fastrand::Rng,
    ) -> Site {
        Site {
            number,
            judge,
            narrative,
            host,
            config,
            clock,
            chance,
            engine: None,
            pending: VecDeque::new(),
            done: VecDeque::new(),
            given: BTreeSet::new(),
            save: None,
            hold: None,
            notices: Vec::new(),
            counts: Counts::default(),
            log: None,
            tap: Tap::default(),
            coverage: Coverage::default(),
            silenced: false,
            stopped: false,
        }
    }

    /// The folder, for what people and other programs do to it.
    pub fn disk(&mut self) -> &mut Disk {
        &mut self.host.disk
    }

    /// The device itself.
    pub fn host(&mut self) -> &mut Host {
        &mut self.host
    }

    /// The configuration that the next start uses.
    pub fn config(&mut self) -> &mut Config {
        &mut self.config
    }

    /// Work of this kind is not carried out until it is let go.
    pub fn hold(&mut self, what: impl Fn(&Work) -> bool + 'static) {
        self.hold = Some(Box::new(what));
    }

    /// All work is carried out again.
    pub fn let_go(&mut self) {
        self.hold = None;
    }

    /// Writes down every action from now on.
    pub fn record(&mut self) {
        self.log = Some(Vec::new());
    }

    /// The notices so far, which are forgotten here.
    pub fn take_notices(&mut self) -> Vec<Notice> {
        std::mem::take(&mut self.notices)
    }

    /// A new engine over the same folder and store, which takes its first event.
    pub(crate) fn start(&mut self) -> Vec<Outside> {
        self.clock.boot();
        self.host.disk.clock = self.clock.clone();
        if self.host.store.pairs().next().is_none() {
            self.judge.forgot(self.number, &self.host.disk.tree());
        }
        self.judge.started(self.number);
        let bytes = std::iter::repeat_with(|| self.chance.u8(..)).take(32).collect();
        let engine = Engine::new(self.config.clone(), Seed { bytes }).expect("the configuration is sound");
        self.engine = Some(engine);
        (self.silenced, self.stopped) = (false, false);
        self.handle(Event::Start)
    }

    /// The engine ends at once: what it asked for and was not done stays undone, what was done it never hears of.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        self.pending.clear();
        self.done.clear();
        self.given.clear();
        self.tap.clear();
        self.save = None;
    }

    /// Gives an event to the engine; nothing happens where none runs.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Outside> {
        let Some(engine) = &mut self.engine else { return Vec::new() };
        self.counts.events += 1;
        let actions = engine.handle(self.clock.now(), event);
        self.check_bounds(&actions);
        let mut outside = Vec::new();
        for action in actions {
            match action {
                Action::Perform { task, work } => self.take_work(task, work),
                Action::Cancel { task } => self.cancel(task),
                Action::Send { link, bytes } => {
                    let number = self.number;
                    self.judge.must(Invariant::CrashSafety, !self.silenced, || {
                        format!("device {number} sends something though a save failed")
                    });
                    self.tap.hear(&self.judge, number, link, &bytes, &self.host.store);
                    self.counts.sends += 1;
                    self.counts.sent_bytes += bytes.len() as u64;
                    outside.push(Outside::Send { link, bytes });
                }
                Action::Close { link, .. } => outside.push(Outside::Close { link }),
                Action::Notify { notice } => {
                    self.coverage.count(format!("notice {:?}", notice.code));
                    self.notices.push(notice);
                }
                Action::Stopped => self.stopped = true,
            }
        }
        outside
    }

    /// Carries out one piece of the work that waits; its outcome then waits to be told.
    pub(crate) fn perform(&mut self, index: usize) {
        let Some((task, work)) = self.pending.remove(index) else { return };
        self.counts.performed += 1;
        match &work {
            Work::Save { .. } => self.counts.saves += 1,
            Work::Stage { items, .. } => self.counts.staged += items.len() as u64,
            Work::Commit { items, .. } => self.counts.commits += items.len() as u64,
            _ => {}
        }
        let outcome = self.host.perform(work.clone());
        self.check_committed(&work, &outcome);
        let own = matches!(work, Work::Save { .. }).then(|| self.engine.as_ref()?.status().replica).flatten();
        self.judge.performed(self.number, own, self.clock.now(), &work, &outcome);
        self.narrative.tell_work(self.number, &work, &outcome);
        count(&mut self.coverage, &work, &outcome);
        self.done.push_back((task, outcome));
    }

    /// Tells the engine how one piece of work ended.
    pub(crate) fn answer(&mut self, index: usize) -> Vec<Outside> {
        let Some((task, outcome)) = self.done.remove(index) else { return Vec::new() };
        if self.save == Some(task) {
            self.save = None;
            self.silenced |= matches!(outcome, Outcome::Failed { .. });
        }
        self.handle(Event::Completed { task, outcome })
    }

    /// The indices of the work that can be carried out now.
    pub(crate) fn performable(&self) -> impl Iterator<Item = usize> {
        let held = |work| self.hold.as_ref().is_some_and(|hold| hold(work));
        self.pending.iter().enumerate().filter(move |(_, (_, work))| !held(work)).map(|(index, _)| index)
    }

    pub(crate) fn answerable(&self) -> usize {
        self.done.len()
    }

    /// When the engine wants its next turn, in the world's milliseconds.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        let deadline = self.engine.as_ref()?.deadline()?;
        Some(self.clock.in_world(deadline))
    }

    /// The device's clocks.
    pub fn now(&self) -> Now {
        self.clock.now()
    }

    /// The device's wall clock is moved, for its engine and its files.
    pub(crate) fn jump_clock(&mut self, milliseconds: i64) {
        self.clock.jump(milliseconds);
        self.host.disk.clock.jump(milliseconds);
    }

    /// What was done here, by kinds.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// The bytes that the local history keeps.
    pub fn displaced(&self) -> impl Iterator<Item = &[u8]> {
        self.host.disk.history().iter().filter_map(|displaced| match &displaced.item {
            Item::File { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// Everything that stands in the folder.
    pub fn tree(&self) -> Tree {
        self.host.disk.tree()
    }

    /// What the engine says of itself.
    pub fn status(&self) -> Status {
        self.engine.as_ref().expect("an engine runs here").status()
    }

    /// What the engine says of its only root.
    pub fn root(&self) -> RootStatus {
        self.status().roots.remove(0)
    }

    /// An engine runs.
    pub fn is_running(&self) -> bool {
        self.engine.is_some()
    }

    /// The engine said that it stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The notices so far.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// A notice of this kind was given.
    pub fn has_notice(&self, code: NoticeCode) -> bool {
        self.notices.iter().any(|notice| notice.code == code)
    }

    /// The work that waits to be carried out.
    pub fn pending(&self) -> impl Iterator<Item = (TaskId, &Work)> {
        self.pending.iter().map(|(task, work)| (*task, work))
    }

    /// The actions written down since [`record`](Site::record), one behind the other, as postcard.
    pub fn recorded(&self) -> &[u8] {
        self.log.as_deref().unwrap_or_default()
    }

    fn take_work(&mut self, task: TaskId, work: Work) {
        let (number, is_new, is_save) = (self.number, self.given.insert(task), matches!(work, Work::Save { .. }));
        self.judge.must(Invariant::Bounds, is_new, || format!("device {number} got task {} twice", task.0));
        self.judge.must(Invariant::Bounds, !self.stopped, || format!("device {number} got work after it stopped"));
        self.judge.must(Invariant::CrashSafety, !is_save || self.save.is_none(), || {
            format!("device {number} has two saves in flight")
        });
        self.judge.asked(number, &work);
        if is_save {
            self.save = Some(task);
        }
        self.pending.push_back((task, work));
    }

    /// Each path holds the old bytes or the new, whole.
    fn check_committed(&self, work: &Work, outcome: &Outcome) {
        let (Work::Commit { items, .. }, Outcome::Committed { results }) = (work, outcome) else { return };
        for (item, result) in items.iter().zip(results) {
            let (Put::File { content, .. }, CommitResult::Committed { .. }) = (&item.put, result) else { continue };
            let bytes = self.host.disk.read(&item.path).unwrap_or_default();
            self.judge.must(Invariant::CrashSafety, digest::content(bytes).0 == *content, || {
                format!("device {} has other bytes at `{}` than its version says", self.number, item.path)
            });
        }
    }

    /// A host that finds it easy does not do cancelled work, and still answers.
    fn cancel(&mut self, task: TaskId) {
        if let Some(index) = self.pending.iter().position(|(pending, _)| *pending == task) {
            self.pending.remove(index);
            let failure = Failure::Other { message: "cancelled".into() };
            self.done.push_back((task, Outcome::Failed { failure }));
        }
    }

    /// §2.5: however much there is to do, one call returns a bounded part of it.
    fn check_bounds(&mut self, actions: &[Action]) {
        let number = self.number;
        self.judge.must(Invariant::Bounds, actions.len() <= ACTIONS_MAX, || {
            format!("one call on device {number} returned {} actions", actions.len())
        });
        let Some(log) = &mut self.log else { return };
        let bytes = postcard::to_stdvec(actions).expect("actions are plain data");
        self.judge.must(Invariant::Bounds, bytes.len() <= ACTION_BYTES_MAX, || {
            format!("one call on device {number} returned {} bytes of actions", bytes.len())
        });
        log.extend_from_slice(&bytes);
    }
}

/// Counts a piece of work and how it and its items ended.
fn count(coverage: &mut Coverage, work: &Work, outcome: &Outcome) {
    let kind = work_kind(work);
    let mut failed = |failure: &Failure| coverage.count(format!("{kind} failed {}", failure_kind(failure)));
    match outcome {
        Outcome::Failed { failure } => failed(failure),
        Outcome::Probed { results, .. } => results.iter().for_each(|result| match result {
            ProbeResult::Failed { failure } => failed(failure),
            ProbeResult::Present { .. } => {}
        }),
        Outcome::Hashed { results } => results.iter().for_each(|result| match result {
            HashResult::Failed { failure } => failed(failure),
            HashResult::Hashed { .. } => {}
        }),
        Outcome::Read { results } => results.iter().for_each(|result| match result {
            ReadResult::Failed { failure } => failed(failure),
            ReadResult::Bytes { .. } => {}
        }),
        Outcome::Staged { results } => results.iter().for_each(|result| match result {
            StageResult::Failed { failure } => failed(failure),
            StageResult::Staged => {}
        }),
        Outcome::Committed { results } => results.iter().for_each(|result| match result {
            CommitResult::Failed { failure } => failed(failure),
            CommitResult::Committed { .. } => {}
        }),
        Outcome::Loaded { .. } | Outcome::Saved | Outcome::Listed { .. } | Outcome::Discarded => {}
    }
    coverage.count(format!("work {kind}"));
}

fn work_kind(work: &Work) -> &'static str {
    match work {
        Work::Load { .. } => "Load",
        Work::Save { .. } => "Save",
        Work::List { .. } => "List",
        Work::Probe { .. } => "Probe",
        Work::Hash { .. } => "Hash",
        Work::Read { .. } => "Read",
        Work::Stage { .. } => "Stage",
        Work::Commit { .. } => "Commit",
        Work::Discard { .. } => "Discard",
    }
}

fn failure_kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Missing => "Missing",
        Failure::NotLocal => "NotLocal",
        Failure::Denied => "Denied",
        Failure::NoSpace => "NoSpace",
        Failure::Changed => "Changed",
        Failure::Corrupt => "Corrupt",
        Failure::NotEmpty => "NotEmpty",
        Failure::Unrepresentable => "Unrepresentable",
        Failure::Other { .. } => "Other",
    }
}

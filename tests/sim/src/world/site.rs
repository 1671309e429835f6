//! One device with one engine on it.

mod check;
mod counts;
mod end;
mod folder;
mod records;
mod shown;

use std::collections::{BTreeSet, VecDeque};

use syncline_core::{
    Engine,
    api::{
        Action, Config, Event, Failure, LinkId, Membership, Monotonic, Notice, Outcome, RootConfig, Seed, TaskId, Work,
    },
};

pub use self::counts::Counts;
pub(crate) use self::folder::payload;
use self::{end::End, folder::FolderWatch};
use super::{
    Asleep, Clock, Crash, Host, Narrative, WatcherTraits,
    belongings::Belongings,
    host::Undone,
    tap::{Said, Tap},
    watcher::Watcher,
};
use crate::{
    Disk, Faults, Invariant, Judge, Torn, Trace,
    chance::Pick,
    story::{Coverage, work_kind},
};

/// After each so many events, an engine that says that nothing is due is woken all the same.
const UNDUE_EVERY: u64 = 32;

/// Tells the work that is not to be carried out yet.
type Hold = Box<dyn Fn(&Work) -> bool>;

/// Tells by how many milliseconds a piece of work comes late.
type Delay = Box<dyn FnMut(&Work) -> u64>;

/// Work that was asked for.
struct Pending {
    task: TaskId,
    work: Work,
    /// When it can be carried out, in the world's milliseconds.
    due_ms: u64,
}

/// Work that was carried out, and not yet told.
struct Done {
    task: TaskId,
    work: Work,
    outcome: Outcome,
    undone: Undone,
}

/// A device: its folder and store, its engine, and the work that is under way.
pub struct Site {
    number: usize,
    judge: Judge,
    narrative: Narrative,
    host: Host,
    /// What people have beside the folder.
    pub(crate) belongings: Belongings,
    config: Config,
    clock: Clock,
    chance: fastrand::Rng,
    engine: Option<Engine>,
    /// When the engine wants its next turn: it says the same until its next event.
    deadline: Option<Monotonic>,
    /// The same, were it not for its links' heartbeats.
    deadline_at_rest: Option<Monotonic>,
    pending: VecDeque<Pending>,
    done: VecDeque<Done>,
    given: BTreeSet<TaskId>,
    save: Option<TaskId>,
    hold: Option<Hold>,
    delay: Option<Delay>,
    watcher: Option<Watcher>,
    /// What happened to the device while it slept.
    missed: VecDeque<Event>,
    notices: Vec<Notice>,
    counts: Counts,
    trace: Option<Trace>,
    last_work: Option<&'static str>,
    tap: Tap,
    coverage: Coverage,
    folder: FolderWatch,
    end: End,
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
            belongings: Belongings::default(),
            config,
            clock,
            chance,
            engine: None,
            deadline: None,
            deadline_at_rest: None,
            pending: VecDeque::new(),
            done: VecDeque::new(),
            given: BTreeSet::new(),
            save: None,
            hold: None,
            delay: None,
            watcher: None,
            missed: VecDeque::new(),
            notices: Vec::new(),
            counts: Counts::default(),
            trace: None,
            last_work: None,
            tap: Tap::default(),
            coverage: Coverage::default(),
            folder: FolderWatch::default(),
            end: End::default(),
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

    /// Work asked for from now on is carried out so many milliseconds later than it could be; what draws them is given
    /// its chance by the caller.
    pub fn delay(&mut self, by_ms: impl FnMut(&Work) -> u64 + 'static) {
        self.delay = Some(Box::new(by_ms));
    }

    /// Work asked for from now on is carried out when it can be.
    pub fn hurry(&mut self) {
        self.delay = None;
    }

    /// The engine is told of what people do to the folder from now on, as such a watcher does it, or no more.
    pub fn watch(&mut self, watcher: Option<(WatcherTraits, fastrand::Rng)>) {
        self.host.disk.watch(watcher.is_some());
        self.host.disk.set_echo(watcher.as_ref().is_some_and(|(traits, _)| traits.echo));
        self.watcher = watcher.map(|(traits, chance)| Watcher::new(traits, chance));
    }

    /// The device's clocks.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The wall clock is set to another time, so many milliseconds from what it shows.
    pub fn jump(&mut self, milliseconds: i64) {
        self.clock.jump(milliseconds);
        self.host.disk.strike(|faults| match milliseconds {
            0 => {}
            1.. => faults.jumps_forwards += 1,
            _ => faults.jumps_backwards += 1,
        });
    }

    /// The device falls asleep: it carries out nothing, and what happens to it waits until it wakes up.
    pub fn sleep(&mut self, monotonic: Asleep) {
        self.clock.sleep(monotonic);
        self.host.disk.strike(|faults| faults.sleeps += 1);
    }

    /// The device wakes up, and its engine hears of what happened meanwhile.
    pub(crate) fn wake(&mut self) -> Vec<Outside> {
        self.clock.wake();
        let missed = std::mem::take(&mut self.missed);
        missed.into_iter().flat_map(|event| self.handle(event)).collect()
    }

    /// The device sleeps.
    pub fn is_asleep(&self) -> bool {
        self.clock.is_asleep()
    }

    /// How often each kind of fault struck this device so far.
    pub fn faults(&self) -> Faults {
        self.host.faults()
    }

    /// Adds every action to a trace from now on, or no more.
    pub fn trace(&mut self, trace: Option<Trace>) {
        self.trace = trace;
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
        let allows = |root: &RootConfig| root.allow_deletions || root.membership == Membership::Emptied;
        self.judge.started(self.number, self.config.roots.iter().any(allows));
        self.open_applications();
        let bytes = std::iter::repeat_with(|| self.chance.u8(..)).take(32).collect();
        let engine = Engine::new(self.config.clone(), Seed { bytes }).expect("the configuration is sound");
        self.engine = Some(engine);
        (self.deadline, self.deadline_at_rest) = (None, None);
        self.end = End::default();
        self.folder.start(&self.host);
        // Nobody watched while no engine ran.
        self.host.disk.take_touched();
        self.handle(Event::Start)
    }

    /// The engine ends at once: what it asked for and was not done stays undone, what was done it never hears of.
    pub(crate) fn crash(&mut self) {
        self.engine = None;
        (self.deadline, self.deadline_at_rest) = (None, None);
        self.pending.clear();
        self.done.clear();
        self.given.clear();
        self.tap.clear();
        self.missed.clear();
        if let Some(watcher) = &mut self.watcher {
            watcher.forget();
        }
        self.save = None;
    }

    /// The engine ends at once, and what was under way is left as it happens to be: not begun, in part, or whole. Tells
    /// what the hardware did to people's files.
    pub(crate) fn crash_by(&mut self, crash: Crash, chance: &mut fastrand::Rng) -> Vec<Torn> {
        let (mut pending, done) = (Vec::from(std::mem::take(&mut self.pending)), std::mem::take(&mut self.done));
        self.crash();
        chance.mix(&mut pending);
        for pending in pending {
            if let Some((work, outcome)) = self.host.interrupt(pending.work, crash, chance) {
                self.judge.performed(self.number, self.clock.now(), &work, &outcome, &[]);
                self.narrative.tell_work(self.number, &work, &outcome);
            }
        }
        for raced in std::mem::take(&mut self.host.raced) {
            self.judge.raced(self.number, &raced.path, raced.number, &raced.item);
        }
        let untold = done.iter().filter(|done| !matches!(done.undone, Undone::Nothing)).count() as u64;
        self.host.disk.strike(|faults| faults.work_untold += untold);
        if crash == Crash::Process {
            self.host.disk.strike(|faults| faults.process_crashes += 1);
            return Vec::new();
        }
        self.host.disk.strike(|faults| faults.power_crashes += 1);
        self.host.tear_staging(chance);
        for done in done.into_iter().rev() {
            self.host.take_back(done.undone, chance);
        }
        // The programs that held files open end, too, and editors with what they had loaded.
        self.belongings.open.clear();
        self.belongings.loaded.clear();
        self.host.disk.lose_power(chance)
    }

    /// The watcher looks at what people did.
    pub(crate) fn look(&mut self) {
        if let (Some(watcher), true) = (&mut self.watcher, self.engine.is_some()) {
            watcher.look(&mut self.host.disk, self.clock.elapsed_ms());
        }
    }

    /// The engine hears of what the watcher saw.
    pub(crate) fn hint(&mut self, index: usize) -> Vec<Outside> {
        let root = self.config.roots.first().map(|root| root.id);
        match (&mut self.watcher, root) {
            (Some(watcher), Some(root)) => {
                let event = watcher.take(index, root);
                self.handle(event)
            }
            _ => Vec::new(),
        }
    }

    /// The indices of the hints that are due.
    pub(crate) fn hints(&self) -> impl Iterator<Item = usize> {
        let awake = self.watcher.iter().filter(|_| !self.is_asleep());
        awake.flat_map(|watcher| watcher.due(self.clock.elapsed_ms()))
    }

    /// Gives an event to the engine; nothing happens where none runs, and later where the device sleeps.
    pub(crate) fn handle(&mut self, event: Event) -> Vec<Outside> {
        if self.engine.is_some() && self.is_asleep() {
            self.missed.push_back(event);
            return Vec::new();
        }
        let Some(engine) = &mut self.engine else { return Vec::new() };
        self.folder.hear(&event);
        self.counts.events += 1;
        self.end.is_asked |= matches!(event, Event::Stop);
        let is_saved = matches!(event, Event::Completed { outcome: Outcome::Saved, .. });
        let actions = engine.handle(self.clock.now(), event);
        (self.deadline, self.deadline_at_rest) = (engine.deadline(), engine.deadline_at_rest());
        let is_due = self.deadline.is_some_and(|deadline| deadline <= self.clock.now().monotonic);
        if !is_due && self.counts.events.is_multiple_of(UNDUE_EVERY) {
            let actions = engine.handle(self.clock.now(), Event::Wake);
            self.check_undue(&actions);
        }
        self.check_bounds(&actions);
        let (mut outside, mut says_applied) = (Vec::new(), false);
        for action in actions {
            match action {
                Action::Perform { task, work } => self.take_work(task, work),
                Action::Cancel { task } => self.cancel(task),
                Action::Send { link, bytes } => {
                    let number = self.number;
                    self.judge.must(Invariant::CrashSafety, !self.end.is_silenced, || {
                        format!("device {number} sends something though a save failed")
                    });
                    let said = self.tap.hear(&self.judge, number, link, &bytes, &self.host.store);
                    says_applied |= said == Said::Applied;
                    self.counts.count_sent(said, &bytes);
                    outside.push(Outside::Send { link, bytes });
                }
                Action::Close { link, .. } => outside.push(Outside::Close { link }),
                Action::Notify { notice } => {
                    self.coverage.count(format!("notice {:?}", notice.code));
                    self.notices.push(notice);
                }
                Action::Published { author, counter } => self.host.application.note_published(author, counter),
                Action::RowsWritten { taken } => self.host.database.forget(taken),
                Action::RowsRead { request, rows, more } => self.host.database.answer(request, rows, more),
                Action::RowsChanged { .. } => {}
                Action::Stopped => self.end.is_reached = true,
            }
        }
        if says_applied && is_saved {
            self.check_applied();
        }
        outside.extend(self.give_first_rows());
        outside
    }

    /// Carries out one piece of the work that waits; its outcome then waits to be told.
    pub(crate) fn perform(&mut self, index: usize) {
        if let Some(pending) = self.pending.remove(index) {
            self.perform_by(pending, Host::carry_out);
        }
    }

    /// Work that waits is carried out by a host of one's own, on the device's disk and store; its outcome then waits to be
    /// told. False if no such work waits.
    pub fn carry_out(&mut self, task: TaskId, by: impl FnOnce(&mut Host, &Work) -> Outcome) -> bool {
        let position = self.pending.iter().position(|pending| pending.task == task);
        let Some(pending) = position.and_then(|index| self.pending.remove(index)) else { return false };
        self.perform_by(pending, |host, work| (by(host, work), Undone::Nothing));
        true
    }

    fn perform_by(&mut self, pending: Pending, by: impl FnOnce(&mut Host, &Work) -> (Outcome, Undone)) {
        let Pending { task, work, .. } = pending;
        self.counts.count_work(&work);
        self.last_work = Some(work_kind(&work));
        let stood = self.about_to_change(&work);
        let (outcome, undone) = by(&mut self.host, &work);
        self.check_committed(&work, &outcome);
        self.judge.performed(self.number, self.clock.now(), &work, &outcome, &stood);
        self.narrative.tell_work(self.number, &work, &outcome);
        self.coverage.count_work(&work, &outcome);
        self.done.push_back(Done { task, work, outcome, undone });
    }

    /// Tells the engine how one piece of work ended.
    pub(crate) fn answer(&mut self, index: usize) -> Vec<Outside> {
        let Some(Done { task, work, outcome, .. }) = self.done.remove(index) else { return Vec::new() };
        self.judge.told(self.number, self.end.is_asked, &work, &outcome);
        self.folder.told(&work, &outcome);
        if self.save == Some(task) {
            self.save = None;
            self.end.is_silenced |= matches!(outcome, Outcome::Failed { .. });
        }
        self.handle(Event::Completed { task, outcome })
    }

    /// The indices of the work that can be carried out now.
    pub(crate) fn performable(&self) -> impl Iterator<Item = usize> {
        let now = self.clock.elapsed_ms();
        let awake = !self.is_asleep();
        let ready = move |pending: &Pending| awake && pending.due_ms <= now && !self.is_held(pending);
        self.pending.iter().enumerate().filter(move |(_, pending)| ready(pending)).map(|(index, _)| index)
    }

    /// When the next late work can be carried out or the next late hint comes, in the world's milliseconds.
    pub(crate) fn due_ms(&self) -> Option<u64> {
        if self.is_asleep() {
            return None;
        }
        let now = self.clock.elapsed_ms();
        let late = self.pending.iter().filter(|pending| pending.due_ms > now && !self.is_held(pending));
        let hint = self.watcher.as_ref().and_then(Watcher::next_ms);
        late.map(|pending| pending.due_ms).chain(hint).min()
    }

    fn is_held(&self, pending: &Pending) -> bool {
        self.hold.as_ref().is_some_and(|hold| hold(&pending.work))
    }

    pub(crate) fn answerable(&self) -> usize {
        if self.is_asleep() { 0 } else { self.done.len() }
    }

    /// When the engine wants its next turn, in the world's milliseconds.
    pub(crate) fn deadline_ms(&self) -> Option<u64> {
        self.in_world(self.deadline)
    }

    /// The same, were it not for its links' heartbeats.
    pub(crate) fn deadline_at_rest_ms(&self) -> Option<u64> {
        self.in_world(self.deadline_at_rest)
    }

    fn in_world(&self, deadline: Option<Monotonic>) -> Option<u64> {
        Some(self.clock.in_world(deadline.filter(|_| !self.is_asleep())?))
    }

    fn take_work(&mut self, task: TaskId, work: Work) {
        let (number, is_new, is_save) = (self.number, self.given.insert(task), matches!(work, Work::Save { .. }));
        self.judge.must(Invariant::Bounds, is_new, || format!("device {number} got task {} twice", task.0));
        self.judge
            .must(Invariant::Bounds, !self.end.is_reached, || format!("device {number} got work after it stopped"));
        self.judge.must(Invariant::CrashSafety, !is_save || self.save.is_none(), || {
            format!("device {number} has two saves in flight")
        });
        self.check_intended(&work);
        self.check_folder_work(&work);
        let own = is_save.then(|| self.engine.as_ref()?.replica()).flatten();
        self.judge.asked(number, self.clock.now(), own, &work);
        if is_save {
            self.save = Some(task);
        }
        let late_ms = self.delay.as_mut().map_or(0, |delay| delay(&work));
        if late_ms > 0 {
            self.host.disk.strike(|faults| faults.delayed += 1);
        }
        self.pending.push_back(Pending { task, work, due_ms: self.clock.elapsed_ms() + late_ms });
        self.judge.burdened(number, self.pending.iter().map(|pending| &pending.work));
    }

    /// A host that finds it easy does not do cancelled work, and still answers.
    fn cancel(&mut self, task: TaskId) {
        let position = self.pending.iter().position(|pending| pending.task == task);
        if let Some(Pending { work, .. }) = position.and_then(|index| self.pending.remove(index)) {
            let outcome = Outcome::Failed { failure: Failure::Other { message: "cancelled".into() } };
            self.done.push_back(Done { task, work, outcome, undone: Undone::Nothing });
        }
    }
}

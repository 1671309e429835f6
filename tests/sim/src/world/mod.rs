//! Devices, pipes and time together.

mod assert;
mod befall;
mod belongings;
mod clock;
mod copy;
mod crash;
mod folder;
mod host;
mod members;
mod narrative;
mod network;
mod people;
mod pipe;
mod records;
mod site;
mod store;
mod stranger;
mod tap;
mod voided;
mod watcher;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Index, IndexMut},
};

use syncline_core::api::{
    Command, CompactionConfig, Config, Event, GroupConfig, GroupId, Hint, LinkId, Membership, RootConfig, RootId,
    TaskId,
};

use self::pipe::Pipe;
pub use self::records::{row, table};
pub(crate) use self::{belongings::Loaded, folder::info, site::payload, voided::is_void};
pub use self::{
    clock::{Asleep, Clock},
    copy::Image,
    crash::Crash,
    folder::FOLDER,
    host::Host,
    narrative::Narrative,
    people::Written,
    site::{Counts, Site},
    store::Store,
    watcher::WatcherTraits,
};
use crate::{Disk, Invariant, Judge, Torn, Tree, chance::Pick};

/// The group's only folder.
pub const ROOT: RootId = RootId::from_bytes([7; 16]);

/// The group.
/// The group of every world's devices.
pub const GROUP: GroupId = GroupId::from_bytes([9; 16]);

/// How long a vanished path must stay away.
const DEBOUNCE_MS: u32 = 200;

/// Deadlines this near are waited for before the world counts as at rest; back-offs lie further away. Heartbeats are not
/// waited for: there is always another one.
const PATIENCE_MS: u64 = 2_500;

/// The longest that a world may take to come to rest, in its own time.
const REST_MS_MAX: u64 = 600_000;

/// One device of a world.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct SiteId(usize);

/// What happens first where several things can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Work in the order in which it was asked for, then what is under way in pipes.
    Asked,
    /// Any of them, drawn from the world's seed.
    Drawn,
}

/// Devices, pipes and time.
pub struct World {
    judge: Judge,
    narrative: Narrative,
    clock: Clock,
    sites: Vec<Site>,
    pipes: Vec<Pipe>,
    outside: BTreeMap<LinkId, VecDeque<Vec<u8>>>,
    chance: fastrand::Rng,
    order: Order,
    links: u64,
    steps: u64,
    steps_max: u64,
    message_bytes_max: u32,
    corrupting: u64,
    latency_ms: u64,
    choices: Vec<Step>,
    story: String,
    carrier: crate::folder::Carrier,
}

/// One thing that can happen next.
#[derive(Debug, Clone, Copy)]
enum Step {
    Answer { site: usize, index: usize },
    Perform { site: usize, index: usize },
    Deliver { pipe: usize, from: usize },
    Drained { pipe: usize, from: usize },
    Wake { site: usize },
    Hint { site: usize, index: usize },
}

impl World {
    /// A world without devices; the seed decides everything that chance decides.
    pub fn new(seed: u64) -> World {
        World::judged(seed, Judge::new(None))
    }

    /// The same with a judge of one's own.
    pub fn judged(seed: u64, judge: Judge) -> World {
        World::narrated(seed, judge, false)
    }

    /// The same, and every piece of work is told in its [`narrative`](World::narrative) if asked for.
    pub fn narrated(seed: u64, judge: Judge, with_work: bool) -> World {
        let clock = Clock::new();
        judge.set_debounce(u64::from(DEBOUNCE_MS));
        World {
            judge,
            narrative: Narrative::new(clock.clone(), with_work),
            clock,
            sites: Vec::new(),
            pipes: Vec::new(),
            outside: BTreeMap::new(),
            chance: fastrand::Rng::with_seed(seed),
            order: Order::Asked,
            links: 0,
            steps: 0,
            steps_max: 1_000_000,
            message_bytes_max: 64 << 10,
            corrupting: 0,
            latency_ms: 0,
            choices: Vec::new(),
            story: String::new(),
            carrier: crate::folder::Carrier::default(),
        }
    }

    /// One device for each folder, the first of them the group's founder; all start, none is connected.
    pub fn group(seed: u64, trees: &[Tree]) -> (World, Vec<SiteId>) {
        let mut world = World::new(seed);
        for tree in trees {
            let site = world.add(if world.sites.is_empty() { Membership::Founder } else { Membership::Joiner });
            world[site].disk().put(tree);
        }
        world.pass(1_000);
        let sites: Vec<_> = world.sites().collect();
        for site in &sites {
            world.start(*site);
        }
        (world, sites)
    }

    /// Two devices that were connected until they agreed, and still are.
    pub fn pair(seed: u64, left: Tree, right: Tree) -> (World, SiteId, SiteId) {
        let (mut world, sites) = World::group(seed, &[left, right]);
        let (a, b) = (sites[0], sites[1]);
        world.link(a, b);
        world.settle();
        (world, a, b)
    }

    /// Adds a device with an empty folder; its engine is not started.
    pub fn add(&mut self, membership: Membership) -> SiteId {
        let number = self.sites.len();
        let clock = self.clock.shared(0);
        let mut chance = self.chance.fork();
        let identity = std::iter::repeat_with(|| chance.u8(..)).take(32).collect();
        let mut config = Config {
            group: GroupConfig { id: GROUP, key: vec![5; 32], founder: None },
            identity,
            name: format!("device {number}"),
            roots: vec![RootConfig { id: ROOT, membership, allow_deletions: false }],
            debounce_ms: DEBOUNCE_MS,
            folders: Vec::new(),
            delivery: None,
            records: None,
            compaction: CompactionConfig::default(),
            dry_run: false,
        };
        let first = self.sites.first().map_or(&config, Site::shown_config);
        config.group.founder = Some(members::public_key(first));
        let host = Host::new(ROOT, Disk::new(clock.clone()));
        self.sites.push(Site::new(number, self.judge.clone(), self.narrative.clone(), host, config, clock, chance));
        SiteId(number)
    }

    /// What this world is about, for when it does not come to rest.
    pub fn set_story(&mut self, story: String) {
        self.story = story;
    }

    /// Decides what happens first from now on.
    pub fn set_order(&mut self, order: Order) {
        self.order = order;
    }

    /// The most steps of one [`settle`](World::settle).
    pub fn set_steps_max(&mut self, steps: u64) {
        self.steps_max = steps;
    }

    /// Starts a new engine on a device.
    pub fn start(&mut self, site: SiteId) {
        let outside = self[site].start();
        self.route(site, outside);
    }

    /// The engine of a device ends at once, and its pipes with it; of the work that was under way nothing is done.
    pub fn crash(&mut self, site: SiteId) {
        self[site].crash();
        self.end_links_of(site);
    }

    /// The engine of a device ends at once, and its pipes with it; what was under way is left as chance has it. Tells
    /// what the hardware did to people's files.
    pub fn crash_by(&mut self, site: SiteId, crash: Crash, chance: &mut fastrand::Rng) -> Vec<Torn> {
        let torn = self[site].crash_by(crash, chance);
        self.end_links_of(site);
        torn
    }

    /// Crashes a device and starts it anew.
    pub fn restart(&mut self, site: SiteId) {
        self.crash(site);
        self.start(site);
    }

    /// Wakes a device up.
    pub fn wake(&mut self, site: SiteId) {
        let outside = self[site].wake();
        self.route(site, outside);
    }

    /// Connects two devices until they rest, and parts them again.
    pub fn meet(&mut self, a: SiteId, b: SiteId) {
        self.link(a, b);
        self.settle();
        self.unlink(a, b);
        self.settle();
    }

    /// Gives an engine an event of the test's own.
    pub fn tell(&mut self, site: SiteId, event: Event) {
        if matches!(event, Event::Command { command: Command::AllowDeletions { .. } }) {
            self.judge.allowed_deletions(site.0);
        }
        let outside = self[site].handle(event);
        self.route(site, outside);
    }

    /// Asks an engine for something.
    pub fn command(&mut self, site: SiteId, command: Command) {
        self.tell(site, Event::Command { command });
    }

    /// Compares the whole folder, until the world rests.
    pub fn rescan(&mut self, site: SiteId) {
        self.command(site, Command::Rescan { root: ROOT });
        self.settle();
    }

    /// A watcher saw something in a directory; runs until the world rests.
    pub fn hint(&mut self, site: SiteId, directory: &str) {
        let hints = vec![Hint { directory: directory.into(), recursive: false }];
        self.tell(site, Event::Changed { root: ROOT, hints });
        self.settle();
    }

    /// Takes the outcome of a piece of work from the test instead of the device.
    pub fn complete(&mut self, site: SiteId, task: TaskId, outcome: syncline_core::api::Outcome) {
        self.tell(site, Event::Completed { task, outcome });
    }

    /// Runs until no engine has anything to do and deadlines lie only in the future.
    ///
    /// # Panics
    /// If the world does not come to rest.
    pub fn settle(&mut self) {
        let steps = self.steps + self.steps_max;
        let latest = self.clock.elapsed_ms() + REST_MS_MAX;
        loop {
            while self.step() {
                self.check_rest(self.steps < steps, || format!("{} steps", self.steps_max));
            }
            match self.next_deadline_at_rest() {
                Some(deadline) if deadline <= self.clock.elapsed_ms() + PATIENCE_MS => self.move_to(deadline),
                _ => return,
            }
            self.check_rest(self.clock.elapsed_ms() < latest, || format!("{REST_MS_MAX} ms"));
        }
    }

    /// Runs for so many milliseconds.
    pub fn pass(&mut self, milliseconds: u64) {
        self.pass_until(milliseconds, |_| false);
    }

    /// The same until the condition holds; false if the time is over before.
    pub fn pass_until(&mut self, milliseconds: u64, condition: impl Fn(&World) -> bool) -> bool {
        let end = self.clock.elapsed_ms() + milliseconds;
        let steps = self.steps + self.steps_max;
        loop {
            if condition(self) {
                return true;
            }
            if self.step() {
                self.check_rest(self.steps < steps, || format!("{} steps", self.steps_max));
                continue;
            }
            match self.next_deadline() {
                Some(deadline) if deadline <= end => self.move_to(deadline),
                _ => {
                    self.move_to(end);
                    return false;
                }
            }
        }
    }

    /// Runs step by step, as [`settle`](World::settle) does, until the condition holds; false if the world rests before.
    pub fn run_until(&mut self, condition: impl Fn(&World) -> bool) -> bool {
        let steps = self.steps + self.steps_max;
        loop {
            if condition(self) {
                return true;
            }
            if !self.step() {
                match self.next_deadline_at_rest() {
                    Some(deadline) if deadline <= self.clock.elapsed_ms() + PATIENCE_MS => self.move_to(deadline),
                    _ => return false,
                }
            }
            self.check_rest(self.steps < steps, || format!("{} steps", self.steps_max));
        }
    }

    /// Lets one thing happen; false if nothing can before time moves on.
    pub fn step(&mut self) -> bool {
        self.collect_choices();
        if self.choices.is_empty() {
            return false;
        }
        let index = match self.order {
            Order::Asked => 0,
            Order::Drawn => self.chance.pick(self.choices.len()),
        };
        self.steps += 1;
        match self.choices[index] {
            Step::Answer { site, index } => {
                let outside = self.sites[site].answer(index);
                self.route(SiteId(site), outside);
            }
            Step::Perform { site, index } => self.sites[site].perform(index),
            Step::Deliver { pipe, from } => self.deliver(pipe, from),
            Step::Drained { pipe, from } => {
                self.pipes[pipe].tell_drained(from);
                let (site, link) = (self.pipes[pipe].sites[from], self.pipes[pipe].link);
                self.tell(site, Event::LinkReady { link });
            }
            Step::Wake { site } => self.tell(SiteId(site), Event::Wake),
            Step::Hint { site, index } => {
                let outside = self.sites[site].hint(index);
                self.route(SiteId(site), outside);
            }
        }
        true
    }

    /// Who watches this world.
    pub fn judge(&self) -> &Judge {
        &self.judge
    }

    /// What happened so far.
    pub fn narrative(&self) -> &Narrative {
        &self.narrative
    }

    /// The world's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The devices.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> + use<> {
        (0..self.sites.len()).map(SiteId)
    }

    fn collect_choices(&mut self) {
        self.choices.clear();
        for (site, state) in self.sites.iter_mut().enumerate() {
            state.look();
            self.choices.extend((0..state.answerable()).map(|index| Step::Answer { site, index }));
            self.choices.extend(state.performable().map(|index| Step::Perform { site, index }));
            if self.order == Order::Asked && !self.choices.is_empty() {
                return;
            }
        }
        let now = self.clock.elapsed_ms();
        for (pipe, state) in self.pipes.iter().enumerate() {
            for from in 0..2 {
                if state.has_message(from, now) {
                    self.choices.push(Step::Deliver { pipe, from });
                } else if state.is_drained(from) {
                    self.choices.push(Step::Drained { pipe, from });
                }
            }
        }
        for (site, state) in self.sites.iter().enumerate() {
            if state.deadline_ms().is_some_and(|deadline| deadline <= now) {
                self.choices.push(Step::Wake { site });
            }
            self.choices.extend(state.hints().map(|index| Step::Hint { site, index }));
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        self.next_due(Site::deadline_ms)
    }

    fn next_deadline_at_rest(&self) -> Option<u64> {
        self.next_due(Site::deadline_at_rest_ms)
    }

    fn next_due(&self, deadline_ms: impl Fn(&Site) -> Option<u64>) -> Option<u64> {
        let arrivals = self.pipes.iter().filter_map(Pipe::next_arrival);
        let sites = self.sites.iter().flat_map(|site| [deadline_ms(site), site.due_ms()]).flatten();
        sites.chain(arrivals).min()
    }

    fn move_to(&mut self, elapsed_ms: u64) {
        self.clock.advance(elapsed_ms.saturating_sub(self.clock.elapsed_ms()));
    }

    fn check_rest(&self, in_time: bool, limit: impl Fn() -> String) {
        self.judge.must(Invariant::Quiescence, in_time, || format!("no rest within {}: {}", limit(), self.describe()));
        if !in_time {
            self.judge.give_up();
        }
    }

    fn describe(&self) -> String {
        let mut text = self.story.clone();
        for (number, site) in self.sites.iter().enumerate() {
            let pending: Vec<_> = site.pending().map(|(_, work)| format!("{work:.80?}")).collect();
            let notices: Vec<_> = site.notices().iter().rev().take(5).map(|notice| &notice.message).collect();
            text +=
                &format!("\ndevice {number}: {:?}\n  pending {pending:?}\n  last notices {notices:?}", site.counts());
        }
        text
    }
}

impl Index<SiteId> for World {
    type Output = Site;

    fn index(&self, site: SiteId) -> &Site {
        &self.sites[site.0]
    }
}

impl IndexMut<SiteId> for World {
    fn index_mut(&mut self, site: SiteId) -> &mut Site {
        &mut self.sites[site.0]
    }
}

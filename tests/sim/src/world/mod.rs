//! Devices, pipes and time together.

mod clock;
mod copy;
mod crash;
mod host;
mod pipe;
mod site;
mod store;
mod tap;
mod watcher;

use std::{
    collections::{BTreeMap, VecDeque},
    ops::{Index, IndexMut},
};

use syncline_core::api::{
    Command, Config, Event, GroupConfig, GroupId, Hint, LinkId, Membership, RootConfig, RootId, TaskId,
};

pub use self::{
    clock::{Asleep, Clock},
    copy::Image,
    crash::Crash,
    host::Host,
    site::{Counts, Site},
    store::Store,
    watcher::WatcherTraits,
};
use self::{pipe::Pipe, site::Outside};
use crate::{Disk, Torn, Tree};

/// The group's only folder.
pub const ROOT: RootId = RootId::from_bytes([7; 16]);

/// The group.
const GROUP: GroupId = GroupId::from_bytes([9; 16]);

/// How long a vanished path must stay away.
const DEBOUNCE_MS: u32 = 200;

/// Deadlines this near are waited for before the world counts as at rest; back-offs and heartbeats lie further away.
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
    choices: Vec<Step>,
    story: String,
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
        World {
            clock: Clock::new(),
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
            choices: Vec::new(),
            story: String::new(),
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
        let config = Config {
            group: GroupConfig { id: GROUP, key: vec![5; 32] },
            identity,
            name: format!("device {number}"),
            roots: vec![RootConfig { id: ROOT, membership, allow_deletions: false }],
            debounce_ms: DEBOUNCE_MS,
            dry_run: false,
        };
        let host = Host::new(ROOT, Disk::new(clock.clone()));
        self.sites.push(Site::new(host, config, clock, chance));
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

    /// The largest message of pipes made from now on.
    pub fn set_message_bytes_max(&mut self, bytes: u32) {
        self.message_bytes_max = bytes;
    }

    /// From now on one of so many messages arrives with a bit flipped, drawn from the seed; none with 0.
    pub fn corrupt_one_in(&mut self, messages: u64) {
        self.corrupting = messages;
    }

    /// Starts a new engine on a device.
    pub fn start(&mut self, site: SiteId) {
        let outside = self[site].start();
        self.route(site, outside);
    }

    /// The engine of a device ends at once, and its pipes with it; of the work that was under way nothing is done.
    pub fn crash(&mut self, site: SiteId) {
        self[site].crash();
        self.cut_all(site);
    }

    /// The engine of a device ends at once, and its pipes with it; what was under way is left as chance has it. Tells
    /// what the hardware did to people's files.
    pub fn crash_by(&mut self, site: SiteId, crash: Crash, chance: &mut fastrand::Rng) -> Vec<Torn> {
        let torn = self[site].crash_by(crash, chance);
        self.cut_all(site);
        torn
    }

    fn cut_all(&mut self, site: SiteId) {
        while let Some(pipe) = self.pipes.iter().position(|pipe| pipe.end_of(site).is_some()) {
            self.cut(pipe, Some(site));
        }
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

    /// Opens a pipe between two devices.
    pub fn link(&mut self, a: SiteId, b: SiteId) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.pipes.push(Pipe::new(link, [a, b]));
        for site in [a, b] {
            self.tell(site, Event::LinkUp { link, message_bytes_max: self.message_bytes_max });
        }
        link
    }

    /// Opens a pipe whose other end the test holds: it gives messages with [`tell`](World::tell) and takes them with
    /// [`take_sent`](World::take_sent).
    pub fn open(&mut self, site: SiteId) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.outside.insert(link, VecDeque::new());
        self.tell(site, Event::LinkUp { link, message_bytes_max: self.message_bytes_max });
        link
    }

    /// The next message that an engine sent to a pipe of the test.
    pub fn take_sent(&mut self, link: LinkId) -> Option<Vec<u8>> {
        self.outside.get_mut(&link)?.pop_front()
    }

    /// The engine has not closed this pipe of the test.
    pub fn is_open(&self, link: LinkId) -> bool {
        self.outside.contains_key(&link)
    }

    /// Closes the pipes between two devices; what was under way is lost.
    pub fn unlink(&mut self, a: SiteId, b: SiteId) {
        let joins = |pipe: &Pipe| pipe.end_of(a).is_some() && pipe.end_of(b).is_some();
        while let Some(pipe) = self.pipes.iter().position(joins) {
            self.cut(pipe, None);
        }
    }

    /// Two devices are connected.
    pub fn is_linked(&self, a: SiteId, b: SiteId) -> bool {
        self.pipes.iter().any(|pipe| pipe.end_of(a).is_some() && pipe.end_of(b).is_some())
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
                assert!(self.steps < steps, "no rest after {} steps: {}", self.steps_max, self.describe());
            }
            match self.next_deadline() {
                Some(deadline) if deadline <= self.clock.elapsed_ms() + PATIENCE_MS => self.move_to(deadline),
                _ => return,
            }
            assert!(self.clock.elapsed_ms() < latest, "no rest within {REST_MS_MAX} ms: {}", self.describe());
        }
    }

    /// Runs for so many milliseconds.
    pub fn pass(&mut self, milliseconds: u64) {
        let end = self.clock.elapsed_ms() + milliseconds;
        let steps = self.steps + self.steps_max;
        loop {
            while self.step() {
                assert!(self.steps < steps, "no rest after {} steps: {}", self.steps_max, self.describe());
            }
            match self.next_deadline() {
                Some(deadline) if deadline <= end => self.move_to(deadline),
                _ => return self.move_to(end),
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
                match self.next_deadline() {
                    Some(deadline) if deadline <= self.clock.elapsed_ms() + PATIENCE_MS => self.move_to(deadline),
                    _ => return false,
                }
            }
            assert!(self.steps < steps, "no rest after {} steps: {}", self.steps_max, self.describe());
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
            Order::Drawn => self.chance.usize(..self.choices.len()),
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

    /// The world's clock.
    pub fn clock(&self) -> &Clock {
        &self.clock
    }

    /// The devices.
    pub fn sites(&self) -> impl Iterator<Item = SiteId> + use<> {
        (0..self.sites.len()).map(SiteId)
    }

    /// All folders are equal, and the engines agree that they are.
    ///
    /// # Panics
    /// If they are not.
    #[track_caller]
    pub fn assert_equal(&self) {
        assert!(self.sites.iter().all(|site| site.status().replica.is_some()), "an engine has not begun");
        for pair in self.sites.windows(2) {
            let [left, right] = pair else { continue };
            assert_eq!(left.tree(), right.tree(), "the folders differ");
            assert_eq!(left.status().digest, right.status().digest, "the logs differ");
        }
    }

    /// All folders hold exactly this.
    ///
    /// # Panics
    /// If one does not.
    #[track_caller]
    pub fn assert_all(&self, expected: &Tree) {
        for (number, site) in self.sites.iter().enumerate() {
            assert_eq!(&site.tree(), expected, "left: device {number}, right: expected");
        }
        self.assert_equal();
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
        for (pipe, state) in self.pipes.iter().enumerate() {
            for from in 0..2 {
                if state.has_message(from) {
                    self.choices.push(Step::Deliver { pipe, from });
                } else if state.is_drained(from) {
                    self.choices.push(Step::Drained { pipe, from });
                }
            }
        }
        let now = self.clock.elapsed_ms();
        for (site, state) in self.sites.iter().enumerate() {
            if state.deadline_ms().is_some_and(|deadline| deadline <= now) {
                self.choices.push(Step::Wake { site });
            }
            self.choices.extend(state.hints().map(|index| Step::Hint { site, index }));
        }
    }

    fn deliver(&mut self, pipe: usize, from: usize) {
        let state = &mut self.pipes[pipe];
        let (site, link) = (state.sites[1 - from], state.link);
        if let Some(mut bytes) = state.take(from) {
            if self.corrupting > 0 && self.chance.u64(..self.corrupting) == 0 && !bytes.is_empty() {
                let index = self.chance.usize(..bytes.len());
                bytes[index] ^= 1 << self.chance.u8(..8);
            }
            self.tell(site, Event::LinkData { link, bytes });
        }
    }

    fn route(&mut self, site: SiteId, outside: Vec<Outside>) {
        for outside in outside {
            let (Outside::Send { link, .. } | Outside::Close { link }) = outside;
            let Some(pipe) = self.pipes.iter().position(|pipe| pipe.link == link) else {
                self.route_outside(outside);
                continue;
            };
            match outside {
                Outside::Send { bytes, .. } => {
                    assert!(bytes.len() <= self.message_bytes_max as usize, "a message of {} bytes", bytes.len());
                    let end = self.pipes[pipe].end_of(site).expect("an engine sends to a link it has");
                    self.pipes[pipe].send(end, bytes);
                }
                Outside::Close { .. } => self.cut(pipe, Some(site)),
            }
        }
    }

    fn route_outside(&mut self, outside: Outside) {
        match outside {
            Outside::Send { link, bytes } => {
                if let Some(sent) = self.outside.get_mut(&link) {
                    sent.push_back(bytes);
                }
            }
            Outside::Close { link } => drop(self.outside.remove(&link)),
        }
    }

    /// Takes a pipe away; the end that closed it itself is not told.
    fn cut(&mut self, pipe: usize, by: Option<SiteId>) {
        let pipe = self.pipes.remove(pipe);
        for site in pipe.sites.into_iter().filter(|site| Some(*site) != by) {
            self.tell(site, Event::LinkDown { link: pipe.link });
        }
    }

    fn next_deadline(&self) -> Option<u64> {
        self.sites.iter().flat_map(|site| [site.deadline_ms(), site.due_ms()]).flatten().min()
    }

    fn move_to(&mut self, elapsed_ms: u64) {
        self.clock.advance(elapsed_ms.saturating_sub(self.clock.elapsed_ms()));
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

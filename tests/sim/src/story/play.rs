//! Playing a story in a world.

use std::panic::{AssertUnwindSafe, catch_unwind};

use syncline_core::api::{Command, Membership, RootState};

use super::{Coverage, Story, Turn};
use crate::{Invariant, Item, Judge, Order, ROOT, SiteId, Tree, Violation, World, tree};

/// The most steps between two turns: far more than any honest work takes.
const STEPS_MAX: u64 = 300_000;

/// How often a world is looked after before it must be at rest.
const ROUNDS_MAX: u32 = 12;

/// Longer than any wait for another try.
const ROUND_MS: u64 = 70_000;

/// So long a world that is at rest must stay so.
const SILENCE_MS: u64 = 600_000;

/// What came of a story.
pub struct Played {
    /// The promise that was broken, if one was.
    pub violation: Option<Violation>,
    /// What happened, in sentences.
    pub told: Vec<String>,
    /// What kinds of things happened, and how often.
    pub coverage: Coverage,
    /// How many events engines took.
    pub events: u64,
}

/// How to play a story.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// An invariant that is not checked.
    pub ignored: Option<Invariant>,
    /// Every piece of work that devices do is told.
    pub with_work: bool,
    /// The judge is told of a file that nobody wrote: a check of the checks, for every story must then fail.
    pub with_canary: bool,
}

/// Plays a story to its end.
pub fn play(story: &Story, options: Options) -> Played {
    let ignored = options.ignored;
    let judge = Judge::new(ignored);
    let mut played = Played { violation: None, told: Vec::new(), coverage: Coverage::default(), events: 0 };
    let ended = catch_unwind(AssertUnwindSafe(|| {
        let mut stage = Stage::new(story, judge.clone(), options.with_work);
        if options.with_canary {
            stage.put_canary();
        }
        let ended = catch_unwind(AssertUnwindSafe(|| stage.play(story)));
        stage.sum_up(&mut played);
        ended
    }));
    if let Err(panic) | Ok(Err(panic)) = ended {
        let message = panic.downcast_ref::<String>().cloned();
        let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
        let message = message.unwrap_or_else(|| "something panicked".into());
        let violation = judge.found().unwrap_or(Violation { invariant: Invariant::NoPanic, message });
        if ignored != Some(violation.invariant) && !judge.has_given_up() {
            played.violation = Some(violation);
        }
    }
    played
}

struct Stage {
    world: World,
    sites: Vec<SiteId>,
    edges: Vec<(SiteId, SiteId)>,
    coverage: Coverage,
}

impl Stage {
    fn new(story: &Story, judge: Judge, with_work: bool) -> Stage {
        let mut world = World::narrated(story.seed, judge, with_work);
        world.set_steps_max(STEPS_MAX);
        for number in 0..story.devices {
            let site = world.add(if number == 0 { Membership::Founder } else { Membership::Joiner });
            world[site].disk().put(&first_folder(story.seed, number));
            let chance = fastrand::Rng::with_seed(story.seed ^ u64::from(number) << 32);
            world[site].watch(Some((story.watchers, chance)));
        }
        world.pass(1_000);
        let sites: Vec<SiteId> = world.sites().collect();
        for site in &sites {
            world.start(*site);
        }
        let edges = story.shape.edges(story.devices);
        let edges: Vec<_> = edges.into_iter().map(|(a, b)| (sites[usize::from(a)], sites[usize::from(b)])).collect();
        for (a, b) in &edges {
            world.link(*a, *b);
        }
        Stage { world, sites, edges, coverage: Coverage::default() }
    }

    fn put_canary(&self) {
        let now = self.world[self.sites[0]].clock().now();
        let canary = tree([("canary", "a text that nobody wrote")]);
        self.world.judge().people_changed(0, now, &Tree::default(), &canary);
    }

    fn play(&mut self, story: &Story) {
        for turn in &story.turns {
            self.turn(turn);
        }
        self.tell("the troubles end");
        self.wind_down();
        self.check_silence();
        self.check_staging();
        self.check_rest();
    }

    fn turn(&mut self, turn: &Turn) {
        let is_patient = turn.trouble.is_some_and(|trouble| trouble.is_patient());
        if !is_patient {
            self.strike(turn);
        }
        if let Some(act) = turn.act {
            // A device that was taken away leaves its acts to the others.
            let device = usize::from(act.device) % self.sites.len();
            let site = self.sites[device];
            if let Some(told) = act.perform(&mut self.world, site) {
                self.coverage.count(format!("act {:?}", act.kind));
                self.tell(&format!("on device {device}, someone {told}"));
            }
        }
        self.world.set_order(if turn.run.is_drawn { Order::Drawn } else { Order::Asked });
        if is_patient {
            self.strike(turn);
        }
        for _ in 0..turn.run.steps {
            if !self.world.step() {
                break;
            }
        }
        self.world.pass(u64::from(turn.run.milliseconds));
    }

    fn strike(&mut self, turn: &Turn) {
        if let Some(trouble) = turn.trouble
            && let Some(told) = trouble.strike(&mut self.world)
        {
            self.coverage.count(format!("trouble {:?}", trouble.kind));
            self.tell(&told);
        }
    }

    /// Everything is mended, everyone is joined, and everyone looks, until all are equal.
    fn wind_down(&mut self) {
        self.world.set_order(Order::Asked);
        self.world.mend_network();
        for site in self.sites.clone() {
            self.world.mend_disk(site);
            self.world.wake(site);
            self.remove_sockets(site);
        }
        for round in 0..ROUNDS_MAX {
            self.look_after();
            self.world.settle();
            // What waits for bytes may get them from a neighbour who waits for them, too.
            let waits = self.sites.iter().any(|site| self.world[*site].root().waiting > 0);
            if round > 0 && self.is_at_rest() && (!waits || round + 1 == ROUNDS_MAX) {
                return;
            }
            self.world.pass(ROUND_MS);
        }
        let unrest = self.unrest().unwrap_or_default();
        self.world.judge().must(Invariant::Convergence, false, || unrest);
    }

    fn look_after(&mut self) {
        for site in self.sites.clone() {
            let state = &self.world[site];
            let must_start = !state.is_running()
                || state.is_stopped()
                || state.status().failed
                || state.root().state == RootState::Halted;
            if must_start {
                self.world.restart(site);
            }
        }
        for (a, b) in self.edges.clone() {
            if !self.world.is_linked(a, b) {
                self.world.link(a, b);
            }
        }
        for site in self.sites.clone() {
            self.world.command(site, Command::Retry { root: ROOT });
            self.world.command(site, Command::Rescan { root: ROOT });
            if self.world[site].root().held > 0 {
                self.world.command(site, Command::AllowDeletions { root: ROOT });
            }
        }
    }

    fn remove_sockets(&mut self, site: SiteId) {
        let before = self.world[site].tree();
        let sockets = before.items().filter(|(_, item)| **item == Item::Special).map(|(path, _)| path);
        for path in sockets {
            self.world[site].disk().remove(path);
        }
    }

    fn is_at_rest(&self) -> bool {
        self.unrest().is_none()
    }

    /// What is not as it should be at rest.
    fn unrest(&self) -> Option<String> {
        let first = &self.world[self.sites[0]];
        let (tree, digest, waiting) = (first.tree(), first.status().digest, first.root().waiting);
        self.sites.iter().enumerate().find_map(|(number, site)| {
            let site = &self.world[*site];
            let (status, root, own) = (site.status(), site.root(), site.tree());
            // Where bytes are wanted that nobody has any more, each device keeps what stands there.
            let mut differing = tree.differences(&own).into_iter();
            if let Some(path) = differing.nth((waiting + root.waiting) as usize) {
                return Some(format!("`{path}` is not on device {number} as on device 0"));
            }
            let what = [
                (status.digest != digest, "has other messages than device 0"),
                (!status.quiet, "is not quiet"),
                (root.held > 0, "holds deletions back"),
                (root.pending != root.waiting, "has something to do and does not do it"),
            ];
            what.into_iter().find(|(is, _)| *is).map(|(_, what)| format!("device {number} {what}: {root:?}"))
        })
    }

    /// A world at rest stays so, and says nothing.
    fn check_silence(&mut self) {
        let counts = |stage: &Stage| -> Vec<_> {
            // Content that nobody has any more is asked for again and again.
            let waits = stage.sites.iter().any(|site| stage.world[*site].root().waiting > 0);
            let counts = stage.sites.iter().map(|site| stage.world[*site].counts());
            counts.map(|counts| (counts.saves, if waits { 0 } else { counts.sends }, counts.commits)).collect()
        };
        let before = counts(self);
        self.world.pass(SILENCE_MS);
        let after = counts(self);
        self.world.judge().must(Invariant::Quiescence, before == after, || {
            format!("at rest devices go on saving, sending or writing: {before:?} became {after:?}")
        });
    }

    /// Nothing is left beside the folders that no one waits for.
    fn check_staging(&mut self) {
        for (number, site) in self.sites.clone().into_iter().enumerate() {
            let (waits, staged) = (self.world[site].root().waiting > 0, self.world[site].disk().staged());
            self.world.judge().must(Invariant::Bounds, waits || staged == 0, || {
                format!("device {number} keeps {staged} staged files that nothing needs")
            });
        }
    }

    fn check_rest(&self) {
        let histories: Vec<&[u8]> = self.sites.iter().flat_map(|site| self.world[*site].displaced()).collect();
        self.world.judge().check_rest(&self.world[self.sites[0]].tree(), &histories);
    }

    fn tell(&self, told: &str) {
        self.world.narrative().tell(told);
    }

    fn sum_up(&mut self, played: &mut Played) {
        played.told = self.world.narrative().lines();
        played.coverage = std::mem::take(&mut self.coverage);
        for site in &self.sites {
            played.coverage.add(self.world[*site].coverage());
            for (kind, count) in self.world[*site].faults().kinds().filter(|(_, count)| *count > 0) {
                played.coverage.count_many(format!("fault {kind}"), count);
            }
            played.events += self.world[*site].counts().events;
        }
    }
}

/// Some begin with a folder that others have, too, some with one of their own, some with none.
fn first_folder(seed: u64, number: u8) -> Tree {
    let mut chance = fastrand::Rng::with_seed(seed ^ u64::from(number));
    let mut tree = Tree::default();
    if chance.bool() {
        for path in ["a.md", "d/a.md", "g/b"] {
            tree.insert(path, Item::from(format!("first text of {path}").into_bytes()));
        }
    }
    if chance.u8(..4) == 0 {
        tree.insert("b.md", Item::from(format!("first text of device {number}").into_bytes()));
    }
    tree
}

//! Playing a story in a world.

use std::collections::BTreeSet;

use syncline_core::api::Membership;

use super::{
    Coverage, Story, Trouble, TroubleKind, Turn,
    carried::Courier,
    group::{Group, judged},
};
use crate::{Invariant, Item, Judge, Order, SiteId, Trace, Tree, Violation, World, tree};

/// The most steps between two turns: far more than any honest work takes.
const STEPS_MAX: u64 = 300_000;

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
    play_traced(story, options, None)
}

/// The same; engines add what they return to a trace, and the folders come behind it.
pub(crate) fn play_traced(story: &Story, options: Options, trace: Option<&Trace>) -> Played {
    let judge = Judge::new(options.ignored);
    let mut played = Played { violation: None, told: Vec::new(), coverage: Coverage::default(), events: 0 };
    let ended = judged(&judge, || {
        let mut stage = Stage::new(story, judge.clone(), options.with_work, trace);
        if options.with_canary {
            stage.put_canary();
        }
        let ended = judged(&judge, || stage.play(story, trace));
        if ended.is_err() && options.with_work {
            stage.tell_end();
        }
        stage.sum_up(&mut played, trace);
        ended
    });
    let violation = ended.and_then(|ended| ended).err();
    let is_checked = |violation: &Violation| options.ignored != Some(violation.invariant) && !judge.has_given_up();
    played.violation = violation.filter(is_checked);
    played
}

struct Stage {
    group: Group,
    /// Who lost each other and did not find each other again.
    parted: BTreeSet<(SiteId, SiteId)>,
    /// What waits for its moment.
    awaited: Option<Trouble>,
    coverage: Coverage,
}

impl Stage {
    fn new(story: &Story, judge: Judge, with_work: bool, trace: Option<&Trace>) -> Stage {
        let mut world = World::narrated(story.seed, judge, with_work);
        world.set_steps_max(STEPS_MAX);
        for number in 0..story.devices {
            let site = match story.carried {
                Some(carried) => world.add_via_folder(carried.sealed),
                None => world.add(if number == 0 { Membership::Founder } else { Membership::Joiner }),
            };
            if let Some(traits) = story.platforms.get(usize::from(number)) {
                world[site].disk().set_traits(*traits);
            }
            world[site].disk().put(&first_folder(story.seed, number));
            observe(&mut world, site, number, story, trace);
        }
        world.pass(1_000);
        let is_linked = story.carried.is_none_or(|carried| carried.linked);
        let edges = story.shape.edges(story.devices).into_iter().filter(|_| is_linked);
        let mut group = Group::new(world, edges);
        group.courier = story.carried.map(|carried| Courier::new(carried, story.seed));
        group.with_courier(Courier::meet);
        for site in group.sites.clone() {
            group.world.start(site);
        }
        group.join();
        Stage { group, parted: BTreeSet::new(), awaited: None, coverage: Coverage::default() }
    }

    /// A device came to the group with a copy of another one's folder: it is joined to that one, and starts.
    fn welcome(&mut self, from: SiteId, story: &Story, trace: Option<&Trace>) {
        let all: Vec<SiteId> = self.group.world.sites().collect();
        for (number, site) in (0..).zip(all).skip(self.group.sites.len()) {
            observe(&mut self.group.world, site, number, story, trace);
            self.group.sites.push(site);
            self.group.edges.push((from, site));
            self.group.world.start(site);
        }
    }

    fn put_canary(&self) {
        let now = self.group.world[self.group.sites[0]].clock().now();
        let canary = tree([("canary", "a text that nobody wrote")]);
        self.group.world.judge().people_changed(0, now, &Tree::default(), &canary);
    }

    fn play(&mut self, story: &Story, trace: Option<&Trace>) {
        for turn in &story.turns {
            self.turn(turn, story, trace);
        }
        self.group.end();
    }

    fn turn(&mut self, turn: &Turn, story: &Story, trace: Option<&Trace>) {
        match turn.trouble {
            Some(trouble) if trouble.is_patient() => self.awaited = Some(trouble),
            Some(trouble) => {
                let told = trouble.strike(&mut self.group.world);
                self.struck(trouble, told);
            }
            None => {}
        }
        if let Some(act) = turn.act {
            // A device that was taken away leaves its acts to the others.
            let device = usize::from(act.device) % self.group.sites.len();
            let site = self.group.sites[device];
            if let Some(told) = act.perform(&mut self.group.world, site) {
                self.coverage.count(format!("act {:?}", act.kind));
                self.tell(&format!("on device {device}, someone {told}"));
                self.welcome(site, story, trace);
            }
        }
        self.reconnect();
        self.group.world.set_order(if turn.run.is_drawn { Order::Drawn } else { Order::Asked });
        if let Some(trouble) = self.awaited
            && let Some(told) = trouble.strike_in_time(&mut self.group.world)
        {
            self.awaited = None;
            self.struck(trouble, Some(told));
        }
        for _ in 0..turn.run.steps {
            if !self.group.world.step() {
                break;
            }
        }
        self.group.world.pass(u64::from(turn.run.milliseconds));
        let coverage = &mut self.coverage;
        self.group.with_courier(|courier, group| courier.turn(group, coverage));
    }

    fn struck(&mut self, trouble: Trouble, told: Option<String>) {
        if let Some(told) = told {
            self.coverage.count(format!("trouble {:?}", trouble.kind));
            self.tell(&told);
            match trouble.kind {
                TroubleKind::Part => drop(self.parted.insert(trouble.pair(&self.group.sites))),
                TroubleKind::Join => drop(self.parted.remove(&trouble.pair(&self.group.sites))),
                TroubleKind::MendNetwork => self.parted.clear(),
                _ => {}
            }
        }
    }

    /// Devices that run find each other again, as hosts let them, unless they were parted.
    fn reconnect(&mut self) {
        let world = &self.group.world;
        let is_off = |site: &SiteId| !world[*site].is_running() || world[*site].is_stopped();
        let off: BTreeSet<SiteId> = self.group.sites.iter().copied().filter(is_off).collect();
        let is_apart = |edge: &&(SiteId, SiteId)| off.contains(&edge.0) || off.contains(&edge.1);
        let mut parted: BTreeSet<_> = self.group.edges.iter().filter(is_apart).copied().collect();
        parted.extend(&self.parted);
        self.group.join_but(&parted);
    }

    fn tell(&self, told: &str) {
        self.group.world.narrative().tell(told);
    }

    /// What stands in every folder in the end.
    fn tell_end(&self) {
        for (number, site) in self.group.sites.iter().enumerate() {
            let site = &self.group.world[*site];
            let state = match site.is_running() {
                true => format!("digest {:.8} and {:?}", site.status().digest.to_hex(), site.root()),
                false => "no engine runs".into(),
            };
            self.tell(&format!("device {number} ends with {state}:"));
            for line in format!("{:?}", site.tree()).lines() {
                self.tell(&format!("  {line}"));
            }
        }
    }

    fn sum_up(&mut self, played: &mut Played, trace: Option<&Trace>) {
        played.told = self.group.world.narrative().lines();
        played.coverage = std::mem::take(&mut self.coverage);
        for site in &self.group.sites {
            if let Some(trace) = trace {
                trace.add(self.group.world[*site].tree().items().collect::<Vec<_>>());
            }
            played.coverage.add(self.group.world[*site].coverage());
            for kind in self.group.world[*site].folder().traits().oddities() {
                played.coverage.count(format!("platform {kind}"));
            }
            for (kind, count) in self.group.world[*site].faults().kinds().filter(|(_, count)| *count > 0) {
                played.coverage.count_many(format!("fault {kind}"), count);
            }
            played.events += self.group.world[*site].counts().events;
        }
    }
}

/// A device's engine is told of what people do, and all that it does is traced if asked for.
fn observe(world: &mut World, site: SiteId, number: u8, story: &Story, trace: Option<&Trace>) {
    let chance = fastrand::Rng::with_seed(story.seed ^ u64::from(number) << 32);
    world[site].watch(Some((story.watchers, chance)));
    world[site].trace(trace.cloned());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        Traits, WatcherTraits,
        story::{Act, ActKind, Run, Shape},
    };

    fn turn(device: u8, kind: ActKind, at: u8, to: u8) -> Turn {
        let act = Act { kind, device, at, to, number: u16::from(at) << 8 | u16::from(to) };
        Turn { trouble: None, act: Some(act), run: Run { is_drawn: false, steps: 0, milliseconds: 3_000 } }
    }

    fn strike(kind: TroubleKind, device: u8) -> Turn {
        let trouble = Trouble { kind, device, other: 0, amount: 0 };
        Turn { trouble: Some(trouble), act: None, run: Run { is_drawn: false, steps: 0, milliseconds: 3_000 } }
    }

    fn played(turns: Vec<Turn>, platforms: Vec<Traits>) -> Played {
        let (shape, watchers) = (Shape::Mesh, WatcherTraits::default());
        let played =
            play(&Story { seed: 2, devices: 2, shape, watchers, platforms, carried: None, turns }, Options::default());
        assert_eq!(played.violation, None, "{:#?}", played.told);
        played
    }

    #[test]
    fn an_editor_saves_over_what_came_after_it_loaded() {
        use ActKind::{Edit, Load, SaveLoaded, Write};
        // Device 1 loads the plain file beside a conflict copy; device 0 replaces it before the editor saves.
        let turns = vec![turn(0, Write, 0, 0), turn(1, Load, 1, 0), turn(0, Edit, 1, 1), turn(1, SaveLoaded, 0, 1)];
        let told = played(turns, Vec::new()).told;
        let saves = told.iter().filter(|line| line.contains("from an editor, over another text than it had loaded"));
        assert_eq!(saves.count(), 1, "{told:#?}");
    }

    #[test]
    fn an_open_file_a_backup_and_a_copied_root_are_told_and_judged() {
        use ActKind::{
            BackUp, CopyRoot, Edit, OpenFile, RestoreBackup, RestoreDirectory, RestoreFile, Write, WriteOpen,
        };
        let turns = [
            turn(0, Write, 0, 0),
            turn(0, Write, 3, 0),
            turn(1, OpenFile, 0, 0),
            turn(1, BackUp, 0, 0),
            turn(0, Edit, 0, 1),
            turn(1, WriteOpen, 0, 1),
            turn(1, RestoreFile, 0, 0),
            turn(0, CopyRoot, 0, 0),
            turn(2, Edit, 0, 2),
            turn(1, RestoreDirectory, 0, 0),
            turn(1, RestoreBackup, 0, 0),
            turn(1, RestoreBackup, 1, 0),
        ];
        let platforms = vec![Traits { modes: false, swaps: false, coarse: true, ..Traits::default() }];
        let played = played(turns.to_vec(), platforms);
        for kind in [OpenFile, WriteOpen, BackUp, RestoreFile, RestoreDirectory, RestoreBackup, CopyRoot] {
            assert!(played.coverage.of(&format!("act {kind:?}")) > 0, "{kind:?}: {:#?}", played.told);
        }
        assert!(played.told.iter().any(|line| line.contains("lies in the history")), "{:#?}", played.told);
        assert!(played.told.iter().any(|line| line.contains("on device 2")), "{:#?}", played.told);
        assert!(played.coverage.of("platform no_modes") == 2, "the copy lies on a disk of the same kind");
    }

    #[test]
    fn a_device_that_is_put_back_hears_of_itself_or_begins_anew() {
        let story = |parts: bool| {
            let mut turns = vec![turn(1, ActKind::Write, 0, 0), strike(TroubleKind::TakeImage, 1)];
            turns.extend(parts.then(|| strike(TroubleKind::Part, 1)));
            turns.extend([
                turn(1, ActKind::Edit, 0, 1),
                strike(TroubleKind::RollBack, 1),
                turn(1, ActKind::Edit, 0, 2),
            ]);
            turns
        };
        let heard = played(story(false), Vec::new());
        assert!(heard.coverage.of("trouble RollBack") == 1 && heard.coverage.of("notice NewIncarnation") == 1);
        let unheard = played(story(true), Vec::new());
        assert_eq!(unheard.coverage.of("notice NewIncarnation"), 0);
        assert!(unheard.told.iter().any(|line| line.contains("begins anew")), "{:#?}", unheard.told);
    }
}

//! Two engines, and a pipe that does anything to what is in it.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use syncline_core::api::{Command, Event, Failure, LinkId, Membership, Outcome, RootState};
use syncline_sim::{Clock, ROOT};

use super::device::{Device, Edit, config};
use crate::script;

/// Rounds in which two honest devices must come to rest, or to wait for a time.
const ROUNDS_MAX: usize = 20_000;

/// Deadlines that are waited for before two devices count as at rest.
const WAITS_MAX: usize = 40;

/// Times that the two meet when the faults are over, before their folders must be equal.
const MEETINGS: usize = 4;

/// One thing that happens. `to` is the device that hears, `site` the one it happens to; even is the first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum PairStep {
    /// So many messages arrive as they were sent.
    Deliver { to: u8, count: u8 },
    /// A byte of the next message changes.
    Flip { to: u8, at: u16, bits: u8 },
    /// The next message is cut.
    Truncate { to: u8, length: u16 },
    /// Bytes are put in front of the next message.
    Insert { to: u8, bytes: Vec<u8> },
    /// The next message is lost.
    Drop { to: u8 },
    /// The next message comes twice.
    Duplicate { to: u8 },
    /// The next message comes behind the one after it.
    Swap { to: u8 },
    /// So many pieces of work are done.
    Work { site: u8, count: u8 },
    /// A piece of work fails.
    Fail { site: u8, task: u8, failure: Failure },
    /// People change the folder.
    Change { site: u8, edit: Edit },
    /// The whole folder is compared.
    Rescan { site: u8 },
    /// Time passes.
    Pass { milliseconds: u16 },
    /// The pipe breaks, and there is a new one.
    Relink,
    /// The engine ends at once, and another starts.
    Restart { site: u8 },
    /// Nothing goes wrong until both rest.
    Settle,
}

/// Whatever a pipe does to messages, no engine breaks a rule; once it carries them again, both folders and logs become
/// equal.
pub fn engine_pair(bytes: &[u8]) {
    let mut pair = Pair::new();
    for step in script::read::<PairStep>(bytes) {
        pair.step(step);
    }
    pair.recover();
    for _ in 0..MEETINGS {
        pair.relink();
        pair.settle();
        (0..2).for_each(|site| pair.rescan(site));
        pair.settle();
    }
    pair.assert_equal();
}

struct Pair {
    clock: Clock,
    devices: [Device; 2],
    starts: u8,
    link: LinkId,
    /// What is on its way to each device.
    pipe: [VecDeque<Vec<u8>>; 2],
}

fn device(site: usize, clock: &Clock) -> Device {
    let membership = if site == 0 { Membership::Founder } else { Membership::Joiner };
    Device::empty(config(1 + site as u8, membership), 1 + site as u8, clock)
}

impl Pair {
    fn new() -> Pair {
        let clock = Clock::new();
        let devices = [0, 1].map(|site| device(site, &clock).unmeasured());
        let mut pair = Pair { clock, devices, starts: 2, link: LinkId(0), pipe: Default::default() };
        for site in 0..2 {
            pair.tell(site, Event::Start);
        }
        pair.relink();
        pair
    }

    fn step(&mut self, step: PairStep) {
        let side = |number: u8| usize::from(number % 2);
        match step {
            PairStep::Deliver { to, count } => (0..count).for_each(|_| self.deliver(side(to))),
            PairStep::Flip { to, at, bits } => {
                if let Some(next) = self.pipe[side(to)].front_mut() {
                    let at = usize::from(at) % next.len().max(1);
                    next.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
                }
            }
            PairStep::Truncate { to, length } => {
                if let Some(next) = self.pipe[side(to)].front_mut() {
                    next.truncate(length.into());
                }
            }
            PairStep::Insert { to, bytes } => {
                if let Some(next) = self.pipe[side(to)].front_mut() {
                    next.splice(0..0, bytes);
                }
            }
            PairStep::Drop { to } => drop(self.pipe[side(to)].pop_front()),
            PairStep::Duplicate { to } => {
                if let Some(next) = self.pipe[side(to)].front().cloned() {
                    self.pipe[side(to)].push_front(next);
                }
            }
            PairStep::Swap { to } => {
                if self.pipe[side(to)].len() > 1 {
                    self.pipe[side(to)].swap(0, 1);
                }
            }
            PairStep::Work { site, count } => _ = (0..count).all(|_| self.work(side(site))),
            PairStep::Fail { site, task, failure } => {
                if let Some((task, _)) = self.devices[side(site)].take(task.into()) {
                    self.tell(side(site), Event::Completed { task, outcome: Outcome::Failed { failure } });
                }
            }
            PairStep::Change { site, edit } => self.devices[side(site)].edit(&edit),
            PairStep::Rescan { site } => self.rescan(side(site)),
            PairStep::Pass { milliseconds } => self.pass(milliseconds.into()),
            PairStep::Relink => self.relink(),
            PairStep::Restart { site } => self.restart(side(site)),
            PairStep::Settle => self.settle(),
        }
    }

    fn tell(&mut self, site: usize, event: Event) {
        let now = self.clock.now();
        self.devices[site].tell(now, event);
        let link = self.link;
        let sent = std::mem::take(&mut self.devices[site].sent);
        self.pipe[1 - site].extend(sent.into_iter().filter(|(on, _)| *on == link).map(|(_, bytes)| bytes));
        let closed = std::mem::take(&mut self.devices[site].closed);
        if closed.contains(&link) {
            self.pipe = Default::default();
            self.tell(1 - site, Event::LinkDown { link });
        }
    }

    fn deliver(&mut self, to: usize) {
        let Some(bytes) = self.pipe[to].pop_front() else { return };
        let link = self.link;
        self.tell(to, Event::LinkData { link, bytes });
        if self.pipe[to].is_empty() {
            self.tell(1 - to, Event::LinkReady { link });
        }
    }

    /// Does one piece of work; whether there was one.
    fn work(&mut self, site: usize) -> bool {
        let Some((task, work)) = self.devices[site].take(0) else { return false };
        let outcome = self.devices[site].perform(work);
        self.tell(site, Event::Completed { task, outcome });
        true
    }

    fn rescan(&mut self, site: usize) {
        self.tell(site, Event::Command { command: Command::Rescan { root: ROOT } });
    }

    fn relink(&mut self) {
        let link = self.link;
        (0..2).for_each(|site| self.tell(site, Event::LinkDown { link }));
        self.pipe = Default::default();
        self.link = LinkId(link.0 + 1);
        for site in 0..2 {
            self.tell(site, Event::LinkUp { link: LinkId(link.0 + 1), message_bytes_max: 1_000 });
        }
    }

    fn restart(&mut self, site: usize) {
        self.starts = self.starts.wrapping_add(1);
        let new = device(site, &self.clock).unmeasured();
        let old = std::mem::replace(&mut self.devices[site], new);
        let membership = if site == 0 { Membership::Founder } else { Membership::Joiner };
        let config = config(1 + site as u8, membership);
        self.devices[site] = Device::new(config, self.starts, old.host).unmeasured();
        self.tell(site, Event::Start);
        self.relink();
    }

    /// The faults are over; whoever could not go on starts anew.
    fn recover(&mut self) {
        for site in 0..2 {
            self.devices[site].edit(&Edit::Marker(true));
            self.devices[site].edit(&Edit::Full(false));
            let status = self.devices[site].engine.status();
            let halted = status.roots.iter().any(|root| root.state == RootState::Halted);
            // What failed at its first read of the store stopped.
            if status.failed || halted || self.devices[site].rules.is_stopped() {
                self.restart(site);
            }
        }
    }

    /// Nothing goes wrong until both rest, or wait for the same thing again and again: a full disk, say.
    fn settle(&mut self) {
        let (mut waits, mut rounds) = (0, 0);
        while rounds < ROUNDS_MAX {
            rounds += 1;
            if (0..2).any(|site| self.work(site)) {
                continue;
            }
            if let Some(to) = (0..2).find(|to| !self.pipe[*to].is_empty()) {
                self.deliver(to);
                continue;
            }
            let now = self.clock.now().monotonic;
            let deadlines = self.devices.iter().filter_map(|device| device.engine.deadline_at_rest());
            match deadlines.min() {
                Some(deadline) if waits < WAITS_MAX => self.pass(deadline.0.saturating_sub(now.0)),
                _ => return,
            }
            (waits, rounds) = (waits + 1, 0);
        }
        let pending: Vec<_> = self.devices.iter().map(|device| device.pending.first()).collect();
        panic!("no rest after {ROUNDS_MAX} rounds: {pending:?}");
    }

    fn pass(&mut self, milliseconds: u64) {
        self.clock.advance(milliseconds);
        let now = self.clock.now().monotonic;
        for site in 0..2 {
            if self.devices[site].engine.deadline().is_some_and(|deadline| deadline <= now) {
                self.tell(site, Event::Wake);
            }
        }
    }

    fn assert_equal(&mut self) {
        let status = [0, 1].map(|site: usize| self.devices[site].engine.status());
        // What waits for a person's word, or for a name that no tree can hold, may differ.
        if status.iter().flat_map(|status| &status.roots).any(|root| root.held > 0) {
            return;
        }
        let trees = [0, 1].map(|site: usize| self.devices[site].host.disk.tree());
        assert_eq!(status[0].digest, status[1].digest, "the logs differ: {status:?}");
        assert_eq!(trees[0], trees[1], "the folders differ: {status:?}");
    }
}

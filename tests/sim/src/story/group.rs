//! Devices that belong together, and how their world comes to its end.

use std::{
    any::Any,
    collections::BTreeSet,
    panic::{AssertUnwindSafe, catch_unwind},
};

use syncline_core::api::{Command, RootState, RootStatus};

use super::carried::Courier;
use crate::{Invariant, Item, Judge, Order, ROOT, Site, SiteId, Tree, Violation, World};

/// How often a world is looked after before it must be at rest.
const ROUNDS_MAX: u32 = 12;

/// Longer than any wait for another try.
const ROUND_MS: u64 = 70_000;

/// So long a world that is at rest must stay so.
const SILENCE_MS: u64 = 600_000;

/// The devices of one world, and who is joined to whom when all is well.
pub(crate) struct Group {
    pub world: World,
    pub sites: Vec<SiteId>,
    pub edges: Vec<(SiteId, SiteId)>,
    /// Who carries the group's message folder, if it has one.
    pub courier: Option<Courier>,
}

impl Group {
    /// The group of all devices of a world, of which these pairs are joined, by their numbers.
    pub fn new(world: World, edges: impl IntoIterator<Item = (u8, u8)>) -> Group {
        let sites: Vec<SiteId> = world.sites().collect();
        let edges = edges.into_iter().map(|(a, b)| (sites[usize::from(a)], sites[usize::from(b)])).collect();
        Group { world, sites, edges, courier: None }
    }

    /// Every pair is joined that is not.
    pub fn join(&mut self) {
        self.join_but(&BTreeSet::new());
    }

    /// The same, but for some pairs, lower numbers first.
    pub fn join_but(&mut self, parted: &BTreeSet<(SiteId, SiteId)>) {
        for (a, b) in self.edges.clone() {
            if !self.world.is_linked(a, b) && !parted.contains(&(a, b)) {
                self.world.link(a, b);
            }
        }
    }

    /// The troubles end, and the world comes to rest.
    ///
    /// # Panics
    /// If it does not, or not as people left it, or does not stay so.
    pub fn end(&mut self) {
        self.world.narrative().tell("the troubles end");
        self.wind_down();
        self.with_courier(Courier::pass_hours);
        self.check_silence();
        self.with_courier(|courier, group| courier.check(group));
        self.check_staging();
        self.check_rest();
    }

    /// Lets the service do something, if there is one.
    pub fn with_courier(&mut self, act: impl FnOnce(&mut Courier, &mut Group)) {
        if let Some(mut courier) = self.courier.take() {
            act(&mut courier, self);
            self.courier = Some(courier);
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
        self.check_read_again();
        for round in 0..ROUNDS_MAX {
            self.look_after();
            self.world.settle();
            self.with_courier(Courier::carry_all);
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

    /// What could not be read for a while is read again without anyone asking for it.
    fn check_read_again(&mut self) {
        self.world.settle();
        self.world.pass(ROUND_MS);
        for (number, site) in self.sites.iter().enumerate() {
            let state = &self.world[*site];
            let follows = |root: &RootStatus| root.state == RootState::Following;
            let root = state.is_running().then(|| state.root()).filter(follows);
            let Some(root) = root.filter(|_| !state.is_stopped() && !state.status().failed) else { continue };
            self.world.judge().must(Invariant::Convergence, root.unreadable == 0, || {
                format!("device {number} did not read again what it could not read for a while: {root:?}")
            });
        }
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
        self.join();
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
        let (digest, waiting) = (first.status().digest, first.root().waiting);
        self.sites.iter().enumerate().find_map(|(number, site)| {
            let site = &self.world[*site];
            let (status, root) = (site.status(), site.root());
            let (tree, own) = comparable(first, site);
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
        let counts = |group: &Group| -> Vec<_> {
            // Content that nobody has any more is asked for again and again.
            let waits = group.sites.iter().any(|site| group.world[*site].root().waiting > 0);
            let counts = group.sites.iter().map(|site| group.world[*site].counts());
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
        for (number, site) in self.sites.iter().enumerate() {
            let history: Vec<&[u8]> = self.world[*site].displaced().collect();
            self.world.judge().check_displaced(number, &history);
        }
        let histories: Vec<&[u8]> = self.sites.iter().flat_map(|site| self.world[*site].displaced()).collect();
        self.world.judge().check_rest(&self.world[self.sites[0]].tree(), &histories);
    }
}

/// The folders of two devices, without permission bits if one of them has none.
fn comparable(one: &Site, other: &Site) -> (Tree, Tree) {
    let (left, right) = (one.tree(), other.tree());
    match one.folder().traits().modes && other.folder().traits().modes {
        true => (left, right),
        false => (left.without_modes(), right.without_modes()),
    }
}

/// Lives through something that a judge watches; an error tells which promise was broken.
pub(crate) fn judged<T>(judge: &Judge, live: impl FnOnce() -> T) -> Result<T, Violation> {
    catch_unwind(AssertUnwindSafe(live)).map_err(|panic| violation(judge, &*panic))
}

/// The promise that a panic tells of: the one that the judge found broken, else that there is none.
fn violation(judge: &Judge, panic: &(dyn Any + Send)) -> Violation {
    let message = panic.downcast_ref::<String>().cloned();
    let message = message.or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    let message = message.unwrap_or_else(|| "something panicked".into());
    judge.found().unwrap_or(Violation { invariant: Invariant::NoPanic, message })
}

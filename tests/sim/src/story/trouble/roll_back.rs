//! Devices that are put back from images of their disks.
//!
//! An engine that finds itself in the past cannot tell so from its own store. What it writes before it hears of its later
//! messages has their numbers: a fork, which the engine does not resolve yet. So a story lets it hear first, and where
//! there is nobody to hear from its owner lets it begin anew; [`TroubleKind::RollBackUnheard`] does neither.

use syncline_core::api::{ReplicaId, Work};

use super::{Trouble, TroubleKind};
use crate::{Invariant, SiteId, World};

/// How long a device that was put back waits to hear of itself.
const HEARING_MS: u64 = 60_000;

/// How long an engine takes to read its store at most.
const LOADING_MS: u64 = 10_000;

impl Trouble {
    pub(super) fn take_image(&self, world: &mut World, site: SiteId) -> Option<String> {
        let state = &world[site];
        if !state.is_running() || state.status().replica.is_none() || !state.folder().is_mounted() {
            return None;
        }
        let image = world.image(site);
        world[site].belongings.keep_image(image);
        Some("is taken".into())
    }

    pub(super) fn roll_back(&self, world: &mut World, site: SiteId) -> Option<String> {
        let image = world[site].belongings.image(usize::from(self.amount))?.clone();
        if world[site].is_asleep() || !world[site].folder().is_mounted() {
            return None;
        }
        let linked: Vec<SiteId> = world.sites().filter(|other| world.is_linked(site, *other)).collect();
        world.crash(site);
        world.roll_back(site, &image);
        if self.kind == TroubleKind::RollBackUnheard {
            world.start(site);
            return Some(String::new());
        }
        world[site].hold(|work| !matches!(work, Work::Load { .. } | Work::Save { .. }));
        world.start(site);
        world.pass_until(LOADING_MS, |world| replica(world, site).is_some());
        let own = replica(world, site);
        let is_heard = own.is_some_and(|own| hears(world, site, own, &linked));
        world[site].let_go();
        if is_heard {
            return Some(String::new());
        }
        world.crash(site);
        world.lose_store(site);
        world.start(site);
        Some(", and begins anew".into())
    }
}

/// A device hears that it had written more than it knows, or had not. Who surely was told must heed it.
fn hears(world: &mut World, site: SiteId, own: ReplicaId, linked: &[SiteId]) -> bool {
    let known = counter_of(world, site, own);
    if world.judge().highest_written(own) <= known {
        return true;
    }
    for other in linked {
        world.link(site, *other);
    }
    // A new id that is not saved would be forgotten once more.
    let is_new = |world: &World| replica(world, site).is_some_and(|now| now != own) && world[site].has_saved_all();
    if world.pass_until(HEARING_MS, is_new) {
        return true;
    }
    let is_sound = |device: SiteId| {
        let state = &world[device];
        let works = state.is_running() && !state.is_asleep() && !state.is_stopped();
        works && state.status().replica.is_some() && !state.status().failed
    };
    let tells =
        |other: &SiteId| world.is_linked(site, *other) && is_sound(*other) && counter_of(world, *other, own) > known;
    let is_told = world.is_network_well() && is_sound(site) && linked.iter().any(tells);
    world.judge().must(Invariant::Idempotency, !is_told || replica(world, site) != Some(own), || {
        format!("{own} heard of messages that it wrote and does not know, and goes on under its id")
    });
    false
}

/// The highest number of an author's messages that a device holds.
fn counter_of(world: &World, site: SiteId, author: ReplicaId) -> u64 {
    world[site].status().members.iter().find(|member| member.replica == author).map_or(0, |member| member.counter)
}

fn replica(world: &World, site: SiteId) -> Option<ReplicaId> {
    world[site].is_running().then(|| world[site].status().replica).flatten()
}

//! Devices that are put back from images of their disks.
//!
//! An engine that finds itself in the past cannot tell so from its own store. What it writes before it hears of its later
//! messages has their numbers: a fork, which the engine does not resolve yet. So a story lets it hear first, and where
//! there is nobody to hear from its owner lets it begin anew; [`TroubleKind::RollBackUnheard`] does neither.

use syncline_core::api::{ReplicaId, Work};

use super::{Trouble, TroubleKind};
use crate::{SiteId, World};

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

/// A device hears that it had written more than it knows, or had not.
fn hears(world: &mut World, site: SiteId, own: ReplicaId, linked: &[SiteId]) -> bool {
    let known = world[site].status().members.iter().find(|member| member.replica == own).map_or(0, |own| own.counter);
    if world.judge().highest_written(own) <= known {
        return true;
    }
    for other in linked {
        world.link(site, *other);
    }
    // A new id that is not saved would be forgotten once more.
    let is_new = |world: &World| replica(world, site).is_some_and(|now| now != own) && world[site].has_saved_all();
    world.pass_until(HEARING_MS, is_new)
}

fn replica(world: &World, site: SiteId) -> Option<ReplicaId> {
    world[site].is_running().then(|| world[site].status().replica).flatten()
}

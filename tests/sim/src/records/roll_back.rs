//! Devices that lose what they knew, and what is lost with that.
//!
//! A device whose store is put back cannot tell so from the store alone: what others have of it tells it. So in a story it
//! is with all others until it knows all that they know, before anyone writes on it again.

use std::collections::BTreeSet;

use super::{end::ROUNDS_MAX, play::Scene};
use crate::{Database, Invariant, Order, SiteId, messages::Carriage};

/// What an image of a device holds.
#[derive(Clone)]
pub(super) struct Image {
    disk: crate::Image,
    database: Database,
    /// What the engine had taken by then.
    taken: u64,
}

/// What is put back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum What {
    Both,
    Store,
    Database,
}

impl Scene {
    pub(super) fn take_image(&mut self, device: usize) -> Option<String> {
        let site = self.sites[device];
        let status = self.runs(site).then(|| self.world[site].status()).filter(|status| status.replica.is_some())?;
        // A device that finds files changed where it is put back says so before it hears of anyone.
        if self.has_files && (status.failed || !status.quiet) {
            return None;
        }
        let taken = status.records.map_or(0, |records| records.taken);
        let disk = self.world.image(site);
        let image = Image { disk, database: self.world[site].host().database.clone(), taken };
        self.images[device].push(image);
        Some("someone takes an image".into())
    }

    /// A device's store or database is put back, or both.
    pub(super) fn roll_back(&mut self, device: usize, amount: u16, what: What) -> Option<String> {
        let images = &self.images[device];
        let image = images.get(usize::from(amount) % images.len().max(1))?.clone();
        if what == What::Database && !self.has_database(device) {
            return None;
        }
        self.bring_all();
        let site = self.sites[device];
        self.world.crash(site);
        let host = self.world[site].host();
        if what != What::Store {
            host.database.put_back(&image.database);
        }
        let pending: BTreeSet<u64> = host.database.pending().collect();
        if what == What::Database {
            self.model.database_put_back(device, image.database.changes(), &pending);
            self.start(site);
            return Some("the database is put back".into());
        }
        // The store lies with the files.
        self.files.doubt(device);
        self.world.roll_back(site, &image.disk);
        self.forget_store(device, image.taken, &pending);
        Some(if what == What::Both { "store and database are put back" } else { "the store is put back" }.into())
    }

    /// The store is lost, and with it the database, if chance wants it.
    pub(super) fn forget(&mut self, device: usize, amount: u16) -> Option<String> {
        self.bring_all();
        let site = self.sites[device];
        self.world.crash(site);
        self.world.lose_store(site);
        let host = self.world[site].host();
        let with_database = amount.is_multiple_of(2);
        if with_database {
            host.database.lose();
        }
        let pending: BTreeSet<u64> = host.database.pending().collect();
        self.forget_store(device, 0, &pending);
        Some(if with_database { "all is forgotten" } else { "all but the database is forgotten" }.into())
    }

    fn forget_store(&mut self, device: usize, taken: u64, pending: &BTreeSet<u64>) {
        let site = self.sites[device];
        self.judge.forgot_others(device);
        self.model.store_put_back(device, taken, pending);
        self.taken[device] = 0;
        // Of messages that nobody has any more no image shall tell.
        self.images.iter_mut().for_each(Vec::clear);
        self.start(site);
        self.hear();
    }

    /// All that anyone has comes to everyone, before something is lost.
    fn bring_all(&mut self) {
        self.collect();
        self.world.set_order(Order::Asked);
        self.world.mend_network();
        self.parted.clear();
        for site in self.sites.clone() {
            self.world[site].host().folder.is_offline = false;
            self.mend(site);
            self.world.wake(site);
            if self.must_start(site) {
                self.start(site);
            }
        }
        self.hear();
        self.collect();
    }

    /// Everyone hears what the others know.
    fn hear(&mut self) {
        self.reconnect();
        self.carry(Carriage::calm());
        for round in 0..ROUNDS_MAX {
            for site in self.sites.clone() {
                if self.must_start(site) {
                    self.start(site);
                }
            }
            // Who hears of a removal closes its links.
            self.reconnect();
            self.world.settle();
            self.carry_all();
            let digest = self.world[self.sites[0]].status().digest;
            let is_there = |site: &SiteId| {
                let status = self.world[*site].status();
                self.runs(*site) && status.digest == digest && status.quiet
            };
            if self.members().iter().all(|(_, site)| is_there(site)) {
                return;
            }
            let wait_ms = self.wait_ms(round);
            self.world.pass(wait_ms);
        }
        self.judge
            .must(Invariant::Convergence, false, || "devices that are put together do not hear each other".into());
    }
}

//! Messages with operations come to engines.

use syncline_core::api::{Event, FolderIndexing, Hash, RecordsConfig, RowState};

use super::{OperationSet, write::File, write::feeds};
use crate::{FOLDER, Order, SiteId, World, folder::FolderFile};

/// Devices that the operations come to.
const DEVICES: usize = 2;

/// Messages that come at once, at most.
const BATCH_MAX: usize = 6;

/// Things that happen before the next ones come, at most.
const STEPS_MAX: u32 = 60;

/// Longer than until any stamp's time has come, and until an engine looks for that again.
const LATE_MS: u64 = 200_000;

/// The digests of the rows that each of several devices comes to, when the operations come in the batches and the order that
/// this seed draws: through message folders and a link, some on two ways, some before the time of their stamps, while devices
/// start anew.
///
/// # Panics
/// If an engine breaks a promise or does not answer.
pub fn digests(set: &OperationSet, seed: u64) -> Vec<Hash> {
    let mut chance = fastrand::Rng::with_seed(seed);
    let mut delivery = Delivery::new(set, seed, &mut chance);
    delivery.run(set, &mut chance);
    delivery.sites.clone().into_iter().map(|site| delivery.digest(set, site)).collect()
}

struct Delivery {
    world: World,
    sites: Vec<SiteId>,
    /// Those with a message folder.
    members: Vec<SiteId>,
}

impl Delivery {
    fn new(set: &OperationSet, seed: u64, chance: &mut fastrand::Rng) -> Delivery {
        let mut world = World::new(seed);
        world.set_order(Order::Drawn);
        world.judge().admit_outsiders();
        if chance.bool() {
            world.clock().advance(LATE_MS);
        }
        let sites: Vec<SiteId> = (0..DEVICES).map(|_| world.add_to_folder(false, FolderIndexing::Listing)).collect();
        let alone = chance.usize(..=DEVICES);
        let mut members = Vec::new();
        for (number, site) in sites.iter().enumerate() {
            let has_database = chance.bool();
            let config = world[*site].config();
            config.delivery = None;
            config.records = Some(RecordsConfig {
                tables: set.tables.clone(),
                max_drift_ms: 100,
                has_changes: has_database,
                is_copy: false,
                applied: has_database.then_some(0),
                taken: 0,
            });
            if number == alone {
                config.folders.clear();
            } else {
                members.push(*site);
            }
        }
        for site in &sites {
            world.start(*site);
        }
        Delivery { world, sites, members }
    }

    fn run(&mut self, set: &OperationSet, chance: &mut fastrand::Rng) {
        let group = self.world[self.sites[0]].config().group.clone();
        let files = feeds(set, &group, chance);
        let mut parcels: Vec<(SiteId, &File)> =
            self.members.iter().flat_map(|site| files.iter().map(|file| (*site, file))).collect();
        chance.shuffle(&mut parcels);
        while !parcels.is_empty() {
            let rest = parcels.len() - chance.usize(1..=BATCH_MAX.min(parcels.len()));
            for (site, (path, bytes)) in parcels.drain(rest..) {
                self.world[site].host().folder.put(path, FolderFile::new(bytes.clone()));
                self.world.tell(site, Event::FolderChanged { folder: FOLDER, paths: vec![path.clone()] });
            }
            self.join();
            (0..chance.u32(..STEPS_MAX)).all(|_| self.world.step());
            if chance.u8(..4) == 0 {
                self.world.restart(self.sites[chance.usize(..DEVICES)]);
            }
        }
        self.join();
        self.world.settle();
        self.world.pass(LATE_MS);
        self.join();
        self.world.settle();
    }

    /// Devices that started anew are linked again.
    fn join(&mut self) {
        for pair in self.sites.windows(2) {
            if !self.world.is_linked(pair[0], pair[1]) {
                self.world.link(pair[0], pair[1]);
            }
        }
    }

    fn digest(&mut self, set: &OperationSet, site: SiteId) -> Hash {
        let mut rows: Vec<RowState> = Vec::new();
        for table in &set.tables {
            rows.extend(self.world.read_rows(site, &table.name, true).expect("an engine at rest answers"));
        }
        blake3::hash(&postcard::to_stdvec(&rows).expect("plain data")).into()
    }
}

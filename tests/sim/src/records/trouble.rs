//! What befalls devices, their stores, databases and clocks, and what lies between them.

use serde::{Deserialize, Serialize};
use syncline_core::api::{Event, Work};

use super::{play::Scene, roll_back::What};
use crate::{Asleep, Crash, SiteId};

/// Something that goes wrong, or is mended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// What.
    pub kind: TroubleKind,
    /// On which device.
    pub device: u8,
    /// Towards which other one.
    pub other: u8,
    /// How much, or where.
    pub amount: u16,
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident,)*) => {
        /// Kinds of troubles.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
        pub enum TroubleKind {
            $($(#[$doc])* $kind,)*
        }

        impl TroubleKind {
            /// All of them.
            pub const ALL: &'static [TroubleKind] = &[$(TroubleKind::$kind,)*];
        }
    };
}

kinds! {
    /// An engine's process ends at once.
    Crash,
    /// A device goes off, with what was not on its disk yet.
    PowerLoss,
    /// It starts again.
    Start,
    /// An engine is asked to stop.
    Stop,
    /// Two devices lose each other.
    Part,
    /// They find each other.
    Join,
    /// What devices say to each other takes its time.
    Latency,
    /// The store cannot be written.
    StoreErrors,
    /// What was written to the store is said not to be.
    LateStoreErrors,
    /// The store's disk is full, or soon will be.
    StoreFull,
    /// A device takes its time for everything.
    SlowDisk,
    /// The database does not take what it is given.
    DatabaseErrors,
    /// Disk, store, folder and database are well again.
    MendDisk,
    /// A device's wall clock jumps by less than a second, or by minutes.
    ClockJump,
    /// It jumps by years.
    ClockYears,
    /// A device's clocks go too fast or too slow.
    ClockDrift,
    /// They are set right.
    ClockRight,
    /// A device falls asleep.
    Sleep,
    /// It wakes up.
    Wake,
    /// Everything goes on for hours.
    Hours,
    /// The service does not reach a device.
    Offline,
    /// It does again.
    Online,
    /// Someone takes an image of a device.
    TakeImage,
    /// A device's store is put back to what it was.
    RollBackStore,
    /// Its database is.
    RollBackDatabase,
    /// Both are.
    RollBackBoth,
    /// A device forgets all that it knew.
    Forget,
    /// The founder removes a device from the group.
    Remove,
}

impl TroubleKind {
    /// It makes no difference where this one never happens.
    pub(super) fn needs(self) -> Option<TroubleKind> {
        use TroubleKind::{RollBackBoth, RollBackDatabase, RollBackStore, TakeImage};
        matches!(self, RollBackBoth | RollBackDatabase | RollBackStore).then_some(TakeImage)
    }

    /// It ends a trouble: it can be drawn whenever any trouble can.
    pub(super) fn is_cure(self) -> bool {
        use TroubleKind::{ClockRight, Join, MendDisk, Online, Start, Wake};
        matches!(self, Start | Join | MendDisk | Wake | Online | ClockRight)
    }
}

/// So long a crash waits for its moment.
const PATIENCE_MS: u64 = 10_000;
/// One of so many crashes waits for rows to be given to the database, another one for something to be saved.
const PATIENT_ONE_IN: u16 = 3;

const HOUR_MS: u64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * 3_600_000;

impl Trouble {
    /// It waits for the moment at which it does most harm, over some turns if need be.
    pub(super) fn is_patient(&self) -> bool {
        matches!(self.kind, TroubleKind::Crash | TroubleKind::PowerLoss) && self.amount % PATIENT_ONE_IN < 2
    }

    /// Lets it happen when rows are about to be given or something is about to be saved, or right after; nothing if that
    /// moment does not come soon.
    pub(super) fn strike_in_time(&self, scene: &mut Scene) -> Option<String> {
        let wants_rows = self.amount.is_multiple_of(PATIENT_ONE_IN);
        let site = scene.sites[self.struck(scene)];
        let comes = |world: &crate::World| {
            world[site].pending().any(|(_, work)| match work {
                Work::ApplyRows { .. } => wants_rows,
                Work::Save { .. } => !wants_rows,
                _ => false,
            })
        };
        if !scene.world.pass_until(PATIENCE_MS, comes) {
            return None;
        }
        for _ in 0..fastrand::Rng::with_seed(u64::from(self.amount)).u8(..3) {
            scene.world.step();
        }
        let told = self.strike(scene)?;
        Some(format!("{told} while {}", if wants_rows { "rows are given" } else { "something is saved" }))
    }

    /// Lets it happen; returns it in a sentence, or none if it makes no difference now.
    pub(super) fn strike(&self, scene: &mut Scene) -> Option<String> {
        use TroubleKind::{
            Crash, Forget, Hours, Join, Latency, Offline, Online, Part, PowerLoss, Remove, RollBackBoth,
            RollBackDatabase, RollBackStore, Sleep, Start, Stop, TakeImage, Wake,
        };
        let device = self.struck(scene);
        let site = scene.sites[device];
        let told = match self.kind {
            Crash | PowerLoss | Start | Stop | Sleep | Wake => self.strike_engine(scene, site),
            Part | Join | Latency => return self.strike_network(scene),
            Hours => {
                let hours = u64::from(self.amount % 12) + 1;
                scene.world.pass(hours * HOUR_MS / 4);
                return Some(format!("{} minutes pass", hours * 15));
            }
            TakeImage => scene.take_image(device),
            RollBackBoth => scene.roll_back(device, self.amount, What::Both),
            RollBackDatabase => scene.roll_back(device, self.amount, What::Database),
            RollBackStore => scene.roll_back(device, self.amount, What::Store),
            Forget => scene.forget(device, self.amount),
            Remove => scene.remove(device),
            Offline | Online => self.strike_service(scene, site),
            _ => self.strike_device(scene, site),
        };
        told.map(|told| format!("on device {device} {told}"))
    }

    /// The device that it strikes: the first from its own on to which it makes a difference.
    fn struck(&self, scene: &Scene) -> usize {
        let count = scene.sites.len();
        let first = usize::from(self.device) % count;
        let differs = |number: usize| {
            let site = scene.sites[number];
            match self.kind {
                TroubleKind::Start => scene.must_start(site),
                TroubleKind::Wake => scene.world[site].is_asleep(),
                TroubleKind::Crash | TroubleKind::PowerLoss | TroubleKind::Stop => scene.world[site].is_running(),
                TroubleKind::Remove => number > 0 && !scene.removed.contains(&number),
                TroubleKind::Online => scene.world[site].message_folder().is_offline,
                TroubleKind::RollBackBoth | TroubleKind::RollBackDatabase | TroubleKind::RollBackStore => {
                    !scene.images[number].is_empty()
                }
                _ => true,
            }
        };
        (first..count).chain(0..first).find(|number| differs(*number)).unwrap_or(first)
    }

    fn chance(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(u64::from(self.amount))
    }

    fn strike_engine(&self, scene: &mut Scene, site: SiteId) -> Option<String> {
        let (runs, must_start) = (scene.world[site].is_running(), scene.must_start(site));
        let world = &mut scene.world;
        match self.kind {
            TroubleKind::Crash if runs => {
                world.crash_by(site, Crash::Process, &mut self.chance());
                Some("the engine ends at once".into())
            }
            TroubleKind::PowerLoss => {
                world.lose_power(site, &mut self.chance());
                let device = scene.sites.iter().position(|known| *known == site).unwrap_or_default();
                scene.files.tear(device);
                Some("the engine ends, for the device goes off".into())
            }
            TroubleKind::Start if must_start => {
                scene.start(site);
                Some("the engine starts".into())
            }
            TroubleKind::Stop if runs => {
                world.tell(site, Event::Stop);
                Some("the engine is asked to stop".into())
            }
            TroubleKind::Sleep if !world[site].is_asleep() => {
                let monotonic = if self.amount.is_multiple_of(2) { Asleep::GoesOn } else { Asleep::Stops };
                world[site].sleep(monotonic);
                Some("everything sleeps".into())
            }
            TroubleKind::Wake if world[site].is_asleep() => {
                world.wake(site);
                Some("everything wakes up".into())
            }
            _ => None,
        }
    }

    fn strike_network(&self, scene: &mut Scene) -> Option<String> {
        let pair = scene.links.get(usize::from(self.other) % scene.links.len().max(1)).copied()?;
        match self.kind {
            TroubleKind::Latency => {
                scene.world.set_latency(u64::from(self.amount % 400));
                Some(format!("messages of links take {} ms", self.amount % 400))
            }
            TroubleKind::Part if scene.parted.insert(pair) => {
                scene.world.unlink(scene.sites[usize::from(pair.0)], scene.sites[usize::from(pair.1)]);
                Some(format!("devices {} and {} lose each other", pair.0, pair.1))
            }
            TroubleKind::Join if scene.parted.remove(&pair) => {
                Some(format!("devices {} and {} find each other", pair.0, pair.1))
            }
            _ => None,
        }
    }

    fn strike_service(&self, scene: &mut Scene, site: SiteId) -> Option<String> {
        let copy = &mut scene.world[site].host().folder;
        if !copy.is_there {
            return None;
        }
        let goes_off = self.kind == TroubleKind::Offline;
        let was_off = std::mem::replace(&mut copy.is_offline, goes_off);
        (was_off != goes_off).then(|| if goes_off { "the service is gone" } else { "the service is back" }.into())
    }

    fn strike_device(&self, scene: &mut Scene, site: SiteId) -> Option<String> {
        if matches!(self.kind, TroubleKind::ClockJump | TroubleKind::ClockYears | TroubleKind::ClockDrift) {
            let device = scene.sites.iter().position(|known| *known == site).unwrap_or_default();
            scene.model.clock_errs(device);
            return Some(self.strike_clock(scene, site));
        }
        let host = scene.world[site].host();
        Some(match self.kind {
            TroubleKind::ClockRight => return scene.set_right(site).then(|| "the clocks are set right".into()),
            TroubleKind::StoreErrors => {
                host.store.fail(true);
                "the store cannot be written".into()
            }
            TroubleKind::LateStoreErrors => {
                host.store.fail_saves_late(1);
                "what is written to the store is said not to be".into()
            }
            TroubleKind::StoreFull => {
                host.store.space(Some(u64::from(self.amount % 2_000)));
                "the store is nearly full".into()
            }
            TroubleKind::DatabaseErrors => {
                let many = u32::from(self.amount % 5) + 1;
                host.database.fail_next(many);
                format!("the database does not take the next {many} batches")
            }
            TroubleKind::SlowDisk => {
                let mut chance = self.chance();
                scene.world[site].delay(move |_| chance.u64(..300));
                "everything takes its time".into()
            }
            _ => {
                scene.mend(site);
                "the disk is well again".into()
            }
        })
    }

    fn strike_clock(&self, scene: &mut Scene, site: SiteId) -> String {
        scene.set_right(site);
        let told = match self.kind {
            TroubleKind::ClockDrift => {
                let drift = i32::from(self.amount % 2_001) - 1_000;
                scene.world.drift_clock(site, drift);
                format!("the clocks go {drift} ppm too fast")
            }
            TroubleKind::ClockYears => {
                let years = i64::from(self.amount % 19) - 9;
                scene.world.jump_clock(site, years * YEAR_MS);
                format!("the clock jumps by {years} years")
            }
            _ => {
                // Odd amounts stay below what a device takes back when its clock is right again.
                let reach_ms = if self.amount % 2 == 1 { 900 } else { 300_000 };
                let jump_ms = i64::from(self.amount) * 7_919 % (2 * reach_ms) - reach_ms;
                scene.world.jump_clock(site, jump_ms);
                format!("the clock jumps by {jump_ms} ms")
            }
        };
        scene.latest_ms = scene.latest_ms.max(scene.world[site].clock().now().unix.0);
        told
    }
}

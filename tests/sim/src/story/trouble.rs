//! What befalls devices and what lies between them.

mod roll_back;

use serde::{Deserialize, Serialize};
use syncline_core::api::{Command, Event, Work};

use crate::{Asleep, Crash, Fault, ROOT, Reading, SiteId, World};

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

/// Kinds of troubles.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum TroubleKind {
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
    /// They are joined a second time.
    JoinTwice,
    /// What goes one way stalls.
    Stall,
    /// It goes on.
    Flow,
    /// Messages take their time.
    Latency,
    /// Messages come with bits flipped.
    Flip,
    /// Everything between devices is well again.
    MendNetwork,
    /// A path cannot be read.
    ReadError,
    /// A path is forbidden.
    Denial,
    /// The disk is full.
    Full,
    /// Changes of the folder fail.
    CommitErrors,
    /// What a change of the folder did is not known to be on disk.
    SyncErrors,
    /// The store cannot be written.
    StoreErrors,
    /// What was written to the store is said not to be.
    LateStoreErrors,
    /// A bit flips in what is read for others.
    FlipRead,
    /// A bit flips in what is staged.
    FlipStaged,
    /// A device takes its time for everything.
    SlowDisk,
    /// The disk is well again.
    MendDisk,
    /// A device forgets all that it knew.
    Forget,
    /// A device's folder is not there.
    Unmount,
    /// A device's wall clock jumps.
    ClockJump,
    /// A device's clocks go too fast or too slow.
    ClockDrift,
    /// A device falls asleep.
    Sleep,
    /// It wakes up.
    Wake,
    /// Someone connects to a device and sends what no honest member sends.
    Stranger,
    /// Someone takes an image of a device's whole disk.
    TakeImage,
    /// A device's whole disk is put back from an image, and the device hears of what it wrote since before it looks at
    /// its folder.
    RollBack,
    /// The same, and it goes on at once.
    RollBackUnheard,
}

impl TroubleKind {
    /// All of them.
    pub const ALL: [TroubleKind; 33] = [
        TroubleKind::Crash,
        TroubleKind::PowerLoss,
        TroubleKind::Start,
        TroubleKind::Stop,
        TroubleKind::Part,
        TroubleKind::Join,
        TroubleKind::JoinTwice,
        TroubleKind::Stall,
        TroubleKind::Flow,
        TroubleKind::Latency,
        TroubleKind::Flip,
        TroubleKind::MendNetwork,
        TroubleKind::ReadError,
        TroubleKind::Denial,
        TroubleKind::Full,
        TroubleKind::CommitErrors,
        TroubleKind::SyncErrors,
        TroubleKind::StoreErrors,
        TroubleKind::LateStoreErrors,
        TroubleKind::FlipRead,
        TroubleKind::FlipStaged,
        TroubleKind::SlowDisk,
        TroubleKind::MendDisk,
        TroubleKind::Forget,
        TroubleKind::Unmount,
        TroubleKind::ClockJump,
        TroubleKind::ClockDrift,
        TroubleKind::Sleep,
        TroubleKind::Wake,
        TroubleKind::Stranger,
        TroubleKind::TakeImage,
        TroubleKind::RollBack,
        TroubleKind::RollBackUnheard,
    ];

    /// It makes no difference where this one never happens.
    pub(super) fn needs(self) -> Option<TroubleKind> {
        match self {
            TroubleKind::RollBack | TroubleKind::RollBackUnheard => Some(TroubleKind::TakeImage),
            TroubleKind::TakeImage => Some(TroubleKind::RollBack),
            _ => None,
        }
    }

    /// It ends a trouble: it can be drawn whenever any trouble can.
    pub(super) fn is_cure(self) -> bool {
        use TroubleKind::{Flow, Join, MendDisk, MendNetwork, Start, Wake};
        matches!(self, Start | Join | Flow | MendNetwork | MendDisk | Wake)
    }
}

/// One of so many crashes waits for a change of the folder, another one for something to be saved.
const PATIENT_ONE_IN: u16 = 4;

impl Trouble {
    /// It waits for the moment at which it does most harm, over some turns if need be.
    pub(super) fn is_patient(&self) -> bool {
        matches!(self.kind, TroubleKind::Crash | TroubleKind::PowerLoss) && self.amount % PATIENT_ONE_IN < 2
    }

    /// Lets it happen when the folder is about to be changed or something is about to be saved, or right after; nothing
    /// if that moment does not come while the world goes on by itself.
    pub(super) fn strike_in_time(&self, world: &mut World) -> Option<String> {
        let wants_commit = self.amount.is_multiple_of(PATIENT_ONE_IN);
        let sites: Vec<SiteId> = world.sites().collect();
        let site = sites[self.struck(world, &sites)];
        let comes = |world: &World| {
            world[site].pending().any(|(_, work)| match work {
                Work::Commit { .. } => wants_commit,
                Work::Save { .. } => !wants_commit,
                _ => false,
            })
        };
        if !world.run_until(comes) {
            return None;
        }
        for _ in 0..self.chance().u8(..3) {
            world.step();
        }
        let told = self.strike(world)?;
        Some(format!("{told} while {}", if wants_commit { "its folder is changed" } else { "something is saved" }))
    }

    /// Lets it happen; returns it in a sentence, or none if it makes no difference now.
    pub(super) fn strike(&self, world: &mut World) -> Option<String> {
        let sites: Vec<SiteId> = world.sites().collect();
        let device = self.struck(world, &sites);
        let site = sites[device];
        let other = sites[usize::from(self.other) % sites.len()];
        match self.kind {
            TroubleKind::Crash
            | TroubleKind::PowerLoss
            | TroubleKind::Start
            | TroubleKind::Stop
            | TroubleKind::Forget => {
                self.strike_engine(world, site).map(|told| format!("the engine of device {device} {told}"))
            }
            TroubleKind::Part
            | TroubleKind::Join
            | TroubleKind::JoinTwice
            | TroubleKind::Stall
            | TroubleKind::Flow
            | TroubleKind::Latency
            | TroubleKind::Flip
            | TroubleKind::MendNetwork => self.strike_network(world, site, other),
            // Two writes that lie far apart can then be stamped alike, which nobody can tell.
            TroubleKind::ClockJump if world[site].folder().traits().coarse => None,
            TroubleKind::ClockJump => {
                let seconds = i64::from(self.amount) * 7 % 7_200 - 3_600;
                world.jump_clock(site, seconds * 1_000);
                Some(format!("the clock of device {device} jumps by {seconds} s"))
            }
            TroubleKind::ClockDrift => {
                let drift = i32::from(self.amount % 2_001) - 1_000;
                world.drift_clock(site, drift);
                Some(format!("the clocks of device {device} go {drift} ppm too fast"))
            }
            TroubleKind::Sleep if !world[site].is_asleep() => {
                let monotonic = if self.amount.is_multiple_of(2) { Asleep::GoesOn } else { Asleep::Stops };
                world[site].sleep(monotonic);
                Some(format!("device {device} falls asleep"))
            }
            TroubleKind::Wake if world[site].is_asleep() => {
                world.wake(site);
                Some(format!("device {device} wakes up"))
            }
            TroubleKind::Sleep | TroubleKind::Wake => None,
            TroubleKind::TakeImage => {
                self.take_image(world, site).map(|told| format!("an image of device {device} {told}"))
            }
            TroubleKind::RollBack | TroubleKind::RollBackUnheard => {
                self.roll_back(world, site).map(|told| format!("device {device} is put back from an image{told}"))
            }
            TroubleKind::Stranger => {
                let told = world.visit(site, &mut self.chance())?;
                Some(format!("a stranger connects to device {device} and sends {told}"))
            }
            _ => self.strike_disk(world, site).map(|told| format!("on device {device} {told}")),
        }
    }

    /// The device that it strikes: the first from its own on to which it makes a difference, so that devices that are
    /// off do not stay so for most of a story.
    fn struck(&self, world: &World, sites: &[SiteId]) -> usize {
        let first = usize::from(self.device) % sites.len();
        let differs = |site: SiteId| match self.kind {
            TroubleKind::Start => must_start(world, site),
            TroubleKind::Wake => world[site].is_asleep(),
            TroubleKind::Crash | TroubleKind::PowerLoss | TroubleKind::Stop => world[site].is_running(),
            _ => true,
        };
        let mut numbers = (first..sites.len()).chain(0..first);
        numbers.find(|number| differs(sites[*number])).unwrap_or(first)
    }

    /// The two devices that it is between, the lower number first.
    pub(super) fn pair(&self, sites: &[SiteId]) -> (SiteId, SiteId) {
        let [a, b] = [self.device, self.other].map(|number| sites[usize::from(number) % sites.len()]);
        (a.min(b), a.max(b))
    }

    fn chance(&self) -> fastrand::Rng {
        fastrand::Rng::with_seed(u64::from(self.amount))
    }

    fn strike_engine(&self, world: &mut World, site: SiteId) -> Option<String> {
        let runs = world[site].is_running();
        match self.kind {
            TroubleKind::Crash if runs => {
                world.crash_by(site, Crash::Process, &mut self.chance());
                Some("ends at once".into())
            }
            TroubleKind::PowerLoss => {
                world.lose_power(site, &mut self.chance());
                Some("ends, for the device goes off".into())
            }
            TroubleKind::Start if must_start(world, site) => {
                world.restart(site);
                Some("starts".into())
            }
            TroubleKind::Stop if runs => {
                world.tell(site, Event::Stop);
                Some("is asked to stop".into())
            }
            TroubleKind::Forget => {
                world.crash(site);
                world.lose_store(site);
                world.start(site);
                Some("forgets all that it knew, and starts".into())
            }
            _ => None,
        }
    }

    fn strike_network(&self, world: &mut World, site: SiteId, other: SiteId) -> Option<String> {
        let count = world.sites().count();
        let (a, b) = (usize::from(self.device) % count, usize::from(self.other) % count);
        let is_linked = world.is_linked(site, other);
        match self.kind {
            TroubleKind::Latency => {
                world.set_latency(u64::from(self.amount % 400));
                return Some(format!("messages take {} ms", self.amount % 400));
            }
            TroubleKind::Flip => {
                world.corrupt_one_in(u64::from(self.amount % 60) + 3);
                return Some(format!("one of {} messages comes with a bit flipped", self.amount % 60 + 3));
            }
            TroubleKind::MendNetwork => {
                world.mend_network();
                return Some("the network is well again".into());
            }
            _ if site == other => return None,
            TroubleKind::Part if is_linked => {
                world.unlink(site, other);
                return Some(format!("devices {a} and {b} lose each other"));
            }
            TroubleKind::Join if !is_linked => {
                world.link(site, other);
                return Some(format!("devices {a} and {b} find each other"));
            }
            TroubleKind::JoinTwice if is_linked => {
                world.link(site, other);
                return Some(format!("devices {a} and {b} are joined a second time"));
            }
            TroubleKind::Stall | TroubleKind::Flow if is_linked => {
                let stalls = self.kind == TroubleKind::Stall;
                world.stall(site, other, stalls);
                let what = if stalls { "stalls" } else { "goes on" };
                return Some(format!("what device {a} sends to {b} {what}"));
            }
            _ => {}
        }
        None
    }

    fn strike_disk(&self, world: &mut World, site: SiteId) -> Option<String> {
        match self.kind {
            TroubleKind::ReadError | TroubleKind::Denial => {
                let tree = world[site].tree();
                let paths: Vec<&str> = std::iter::once("").chain(tree.items().map(|(path, _)| path)).collect();
                let path = paths[usize::from(self.amount) % paths.len()];
                let (fault, told) = match self.kind {
                    TroubleKind::ReadError => (Fault::Device, "cannot be read"),
                    _ => (Fault::Denied, "is forbidden"),
                };
                world[site].disk().fault(path, Some(fault));
                Some(format!("`{path}` {told}"))
            }
            TroubleKind::Full => {
                world[site].disk().space(Some(u64::from(self.amount % 64)));
                Some("the disk is full".into())
            }
            TroubleKind::CommitErrors => {
                world[site].disk().fail_commits(u32::from(self.amount % 5) + 1);
                Some(format!("the next {} changes of the folder fail", self.amount % 5 + 1))
            }
            TroubleKind::SyncErrors => {
                world[site].disk().fail_syncs(u32::from(self.amount % 3) + 1);
                Some("nobody knows whether changes of the folder are on disk".into())
            }
            TroubleKind::StoreErrors => {
                world[site].host().store.fail(true);
                Some("the store cannot be written".into())
            }
            TroubleKind::LateStoreErrors => {
                world[site].host().store.fail_saves_late(1);
                Some("what is written to the store is said not to be".into())
            }
            TroubleKind::FlipRead => {
                world[site].disk().flip(Reading::Range, &mut self.chance());
                Some("a bit flips in what is read for others".into())
            }
            TroubleKind::FlipStaged => {
                world[site].disk().flip(Reading::Staged, &mut self.chance());
                Some("a bit flips in what is staged".into())
            }
            TroubleKind::SlowDisk => {
                let mut chance = self.chance();
                world[site].delay(move |_| chance.u64(..300));
                Some("everything takes its time".into())
            }
            TroubleKind::MendDisk => {
                world.mend_disk(site);
                Some("the disk is well again".into())
            }
            TroubleKind::Unmount => {
                world[site].disk().set_mounted(false);
                world.command(site, Command::Rescan { root: ROOT });
                Some("the folder is unmounted".into())
            }
            _ => None,
        }
    }
}

fn must_start(world: &World, site: SiteId) -> bool {
    !world[site].is_running() || world[site].is_stopped() || world[site].status().failed
}

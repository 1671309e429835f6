//! What befalls devices, their copies of the folder and what lies between them.

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{Event, GroupId, ReplicaId, Work},
    folder::{message_path, parse_message_path},
};

use super::play::Scene;
use crate::{Asleep, Crash, GROUP, SiteId, chance::Pick, folder::FolderFile, world::info};

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
    /// A device takes its time for everything.
    SlowDisk,
    /// Work on the folder fails as a whole.
    FolderErrors,
    /// The folder's disk is full.
    FolderFull,
    /// The application fails to take what it is given.
    DeliveryErrors,
    /// Disk, store, folder and application are well again.
    MendDisk,
    /// A device's wall clock jumps.
    ClockJump,
    /// A device's clocks go too fast or too slow.
    ClockDrift,
    /// A device falls asleep.
    Sleep,
    /// It wakes up.
    Wake,
    /// The service does not reach a device.
    Offline,
    /// It does again.
    Online,
    /// A device's copy of the folder is not there.
    Unmount,
    /// It turns up empty.
    Emptied,
    /// It turns up as another session's.
    OtherSession,
    /// It is there again as it was.
    Remount,
    /// The bytes of some files are kept elsewhere only.
    Evict,
    /// Those of `info`.
    EvictInfo,
    /// The service takes files away from one copy, which come again.
    TakeBack,
    /// It takes `info` away.
    TakeInfo,
    /// Files are torn in one copy, but for those that the device wrote itself.
    Tear,
    /// `info` is torn.
    TearInfo,
    /// A second `info` comes beside the first one, of a session that does not count.
    TwoInfos,
    /// An `info` of a newer version comes beside the first one.
    NewerInfo,
    /// Copies of files come under the names that services give to conflicts.
    Conflict,
    /// Files come that are none of ours.
    Junk,
    /// A message comes under the name of another one.
    Forge,
    /// Something that is no message stands where a device will write its next one.
    Occupy,
    /// Someone takes an image of a device.
    TakeImage,
    /// A device's copy of the folder is put back to what it was.
    RollBackFolder,
    /// Its store is.
    RollBackStore,
    /// Both are.
    RollBackBoth,
    /// A device forgets all that it knew.
    Forget,
}

impl TroubleKind {
    /// It makes no difference where this one never happens.
    pub(super) fn needs(self) -> Option<TroubleKind> {
        use TroubleKind::{RollBackBoth, RollBackFolder, RollBackStore, TakeImage};
        match self {
            RollBackFolder | RollBackStore | RollBackBoth => Some(TakeImage),
            TakeImage => Some(RollBackStore),
            _ => None,
        }
    }

    /// It ends a trouble: it can be drawn whenever any trouble can.
    pub(super) fn is_cure(self) -> bool {
        use TroubleKind::{Join, MendDisk, Online, Remount, Start, Wake};
        matches!(self, Start | Join | MendDisk | Wake | Online | Remount)
    }

    /// A device loses what it knew, or begins to be another one: who was known before is not all.
    pub(super) fn makes_members(self) -> bool {
        use TroubleKind::{Forget, RollBackBoth, RollBackStore};
        matches!(self, Forget | RollBackBoth | RollBackStore)
    }
}

/// So long a crash waits for its moment.
const PATIENCE_MS: u64 = 10_000;
/// One of so many crashes waits for a file to be created, another one for something to be saved.
const PATIENT_ONE_IN: u16 = 3;

/// The sessions of strangers: one that is smaller than any group's, one that is larger.
pub(super) const STRANGERS: [GroupId; 2] = [GroupId::from_bytes([1; 16]), GroupId::from_bytes([0xfe; 16])];

impl Trouble {
    /// It waits for the moment at which it does most harm, over some turns if need be.
    pub(super) fn is_patient(&self) -> bool {
        matches!(self.kind, TroubleKind::Crash | TroubleKind::PowerLoss) && self.amount % PATIENT_ONE_IN < 2
    }

    /// Lets it happen when a file is about to be created or something is about to be saved, or right after; nothing if
    /// that moment does not come soon. (A folder that is not there is looked for without end.)
    pub(super) fn strike_in_time(&self, scene: &mut Scene) -> Option<String> {
        let wants_create = self.amount.is_multiple_of(PATIENT_ONE_IN);
        let site = scene.sites[self.struck(scene)];
        let comes = |world: &crate::World| {
            world[site].pending().any(|(_, work)| match work {
                Work::FolderCreate { .. } => wants_create,
                Work::Save { .. } => !wants_create,
                _ => false,
            })
        };
        if !scene.world.pass_until(PATIENCE_MS, comes) {
            return None;
        }
        for _ in 0..self.chance().u8(..3) {
            scene.world.step();
        }
        let told = self.strike(scene)?;
        Some(format!("{told} while {}", if wants_create { "it writes into the folder" } else { "something is saved" }))
    }

    /// Lets it happen; returns it in a sentence, or none if it makes no difference now.
    pub(super) fn strike(&self, scene: &mut Scene) -> Option<String> {
        use TroubleKind::{
            ClockDrift, ClockJump, Crash, DeliveryErrors, Emptied, FolderErrors, FolderFull, Forget, Join,
            LateStoreErrors, Latency, MendDisk, Offline, Online, OtherSession, Part, PowerLoss, Remount, RollBackBoth,
            RollBackFolder, RollBackStore, Sleep, SlowDisk, Start, Stop, StoreErrors, TakeImage, Unmount, Wake,
        };
        let device = self.struck(scene);
        let site = scene.sites[device];
        let told = match self.kind {
            Crash | PowerLoss | Start | Stop | Sleep | Wake | ClockJump | ClockDrift => self.strike_engine(scene, site),
            Part | Join | Latency => return self.strike_network(scene),
            StoreErrors | LateStoreErrors | SlowDisk | FolderErrors | FolderFull | DeliveryErrors | MendDisk => {
                self.strike_disk(scene, site)
            }
            Offline | Online | Unmount | Emptied | OtherSession | Remount => self.strike_copy(scene, device),
            TakeImage => scene.take_image(device),
            RollBackFolder => scene.roll_back_folder(device, self.amount),
            RollBackStore => scene.roll_back(device, self.amount, false),
            RollBackBoth => scene.roll_back(device, self.amount, true),
            Forget => scene.forget(device, self.amount),
            // What a service does to files it does not do where it does not reach.
            _ if scene.is_apart(device) => None,
            _ => self.strike_files(scene, site),
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
                TroubleKind::Online => scene.world[site].message_folder().is_offline,
                TroubleKind::Remount => {
                    let copy = scene.world[site].message_folder();
                    copy.is_shelved() || !copy.is_there
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
            TroubleKind::ClockJump => {
                let seconds = i64::from(self.amount) * 7 % 7_200 - 3_600;
                world.jump_clock(site, seconds * 1_000);
                Some(format!("the clock jumps by {seconds} s"))
            }
            TroubleKind::ClockDrift => {
                let drift = i32::from(self.amount % 2_001) - 1_000;
                world.drift_clock(site, drift);
                Some(format!("the clocks go {drift} ppm too fast"))
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

    fn strike_disk(&self, scene: &mut Scene, site: SiteId) -> Option<String> {
        let many = u32::from(self.amount % 5) + 1;
        let host = scene.world[site].host();
        Some(match self.kind {
            TroubleKind::StoreErrors => {
                host.store.fail(true);
                "the store cannot be written".into()
            }
            TroubleKind::LateStoreErrors => {
                host.store.fail_saves_late(1);
                "what is written to the store is said not to be".into()
            }
            TroubleKind::FolderErrors => {
                host.folder.failing += many;
                format!("the next {many} pieces of work on the folder fail")
            }
            TroubleKind::FolderFull => {
                host.folder.full += many;
                format!("the next {many} files find no space")
            }
            TroubleKind::DeliveryErrors => {
                host.application.fail_next(many);
                format!("the application does not take the next {many} deliveries")
            }
            TroubleKind::SlowDisk => {
                let mut chance = self.chance();
                scene.world[site].delay(move |_| chance.u64(..300));
                "everything takes its time".into()
            }
            _ => {
                scene.mend_disk(site);
                "the disk is well again".into()
            }
        })
    }

    fn strike_copy(&self, scene: &mut Scene, device: usize) -> Option<String> {
        let (site, is_apart) = (scene.sites[device], scene.is_apart(device));
        if matches!(self.kind, TroubleKind::Emptied | TroubleKind::OtherSession) {
            scene.free_names(site);
        }
        let copy = &mut scene.world[site].host().folder;
        let is_itself = copy.is_there && !copy.is_shelved();
        match self.kind {
            TroubleKind::Offline if !copy.is_offline => {
                copy.is_offline = true;
                Some("the service does not reach the folder".into())
            }
            TroubleKind::Online if copy.is_offline && !is_apart => {
                copy.is_offline = false;
                Some("the service reaches the folder".into())
            }
            TroubleKind::Unmount if is_itself => {
                copy.is_there = false;
                Some("the folder is not there".into())
            }
            TroubleKind::Emptied if is_itself => {
                copy.shelve();
                Some("the folder turns up empty".into())
            }
            TroubleKind::OtherSession if is_itself => {
                copy.shelve();
                let stranger = STRANGERS[usize::from(self.amount) % STRANGERS.len()];
                copy.put("info", FolderFile::new(info(stranger, scene.sealed).to_json()));
                Some("the folder turns up as another session's".into())
            }
            TroubleKind::Remount if !is_itself => {
                copy.unshelve();
                copy.is_there = true;
                Some("the folder is as it was".into())
            }
            _ => None,
        }
    }

    /// What a service does to the files of one copy.
    fn strike_files(&self, scene: &mut Scene, site: SiteId) -> Option<String> {
        if !scene.world[site].message_folder().is_there || scene.world[site].message_folder().is_shelved() {
            return None;
        }
        let mut chance = self.chance();
        let own = scene.world[site].incarnations().clone();
        let copy = scene.world[site].message_folder();
        let is_own = |path: &str| parse_message_path(path).is_some_and(|(author, _)| own.contains(&author));
        let all: Vec<String> = copy.files().map(|(path, _)| path.to_owned()).collect();
        let is_info = |path: &String| path == "info";
        let some = |chance: &mut fastrand::Rng, fits: &dyn Fn(&str) -> bool| -> Vec<String> {
            let fits = |path: &&String| !is_info(path) && fits(path);
            let share = [2, 4, 20][chance.pick(3)];
            all.iter().filter(fits).filter(|_| chance.u8(..share) == 0).cloned().collect()
        };
        let (host, cloud) = (scene.world[site].host(), scene.service.cloud());
        match self.kind {
            TroubleKind::EvictInfo if !cloud.contains_key("info") => None,
            TroubleKind::Evict | TroubleKind::TakeBack | TroubleKind::Tear => {
                let evicts = self.kind == TroubleKind::Evict;
                let takes = self.kind == TroubleKind::TakeBack;
                // A service keeps elsewhere only what it has.
                let is_kept = |path: &str| cloud.contains_key(path);
                // A checkpoint that nobody else heard of is not taken away: what it cleared would be asked for without end.
                let takes_all = takes && !scene.clears;
                let is_chosen = |path: &str| match () {
                    () if takes_all => true,
                    () if takes || evicts => is_kept(path),
                    () => !is_own(path),
                };
                let chosen = some(&mut chance, &is_chosen);
                for path in &chosen {
                    let length = host.folder.at(path).map_or(0, |file| file.bytes.len());
                    match () {
                        () if evicts => host.folder.evict(path),
                        () if takes => drop(host.folder.take(path)),
                        () => host.folder.lose(path, Some(chance.pick(length + 1))),
                    }
                }
                // Of a device that forgot what it had said, nobody else may have had it.
                let mut places = chosen.iter().filter_map(|path| parse_message_path(path));
                if takes && places.any(|place| !scene.is_known(place)) {
                    scene.reckon();
                }
                let told = if evicts {
                    "are kept elsewhere"
                } else if takes {
                    "are taken away"
                } else {
                    "are torn"
                };
                (!chosen.is_empty()).then(|| format!("{} files of the folder {told}", chosen.len()))
            }
            TroubleKind::EvictInfo => {
                host.folder.evict("info");
                Some("`info` is kept elsewhere".into())
            }
            TroubleKind::TakeInfo => host.folder.take("info").map(|_| "`info` is taken away".into()),
            TroubleKind::TearInfo => {
                host.folder.lose("info", Some(chance.pick(40)));
                Some("`info` is torn".into())
            }
            TroubleKind::TwoInfos => {
                let other = info(STRANGERS[1], scene.sealed).to_json();
                host.folder.put("info (conflicted copy)", FolderFile::new(other));
                Some("another session's `info` comes, which does not count".into())
            }
            TroubleKind::NewerInfo => {
                let newer = info(GROUP, false).to_json().replace("\"version\": 1", "\"version\": 2");
                host.folder.put("info 2", FolderFile::new(newer));
                Some("the `info` of a newer version comes".into())
            }
            _ => self.litter(scene, site, &mut chance),
        }
    }

    /// What is none of ours comes into the folder.
    fn litter(&self, scene: &mut Scene, site: SiteId, chance: &mut fastrand::Rng) -> Option<String> {
        let paths: Vec<String> = scene.service.cloud().keys().cloned().collect();
        let messages: Vec<(ReplicaId, u64)> = paths.iter().filter_map(|path| parse_message_path(path)).collect();
        if messages.is_empty() {
            return None;
        }
        let (author, counter) = messages[chance.pick(messages.len())];
        let other = messages[chance.pick(messages.len())];
        let bytes = scene.service.cloud().get(&message_path(author, counter))?.clone();
        let is_everywhere = chance.bool();
        let path = match self.kind {
            TroubleKind::Conflict => {
                let names = [" (1)", ".sync-conflict-1", " (conflicted copy)", ".tmp"];
                format!("{author}/{counter:x}{}", names[chance.pick(names.len())])
            }
            TroubleKind::Junk => {
                let names = [".DS_Store", "desktop.ini", "0", "00", "fffffffffffffffff", "x/1"];
                let padded = format!("0{:x}", counter + chance.u64(..3));
                let name = if chance.bool() { padded.as_str() } else { names[chance.pick(names.len())] };
                [format!("{author}/{name}"), format!("junk/{name}")][chance.pick(2)].clone()
            }
            // Far behind what anyone writes here, so that it never is in the way.
            TroubleKind::Forge => message_path(other.0, 0x10_0000 + chance.u64(..4)),
            _ => {
                let own = scene.world[site].is_running().then(|| scene.world[site].status().replica).flatten()?;
                let held = scene.world[site].status().members.iter().find(|member| member.replica == own)?.counter;
                let path = message_path(own, held + 1 + chance.u64(..2));
                let copy = &mut scene.world[site].host().folder;
                if copy.at(&path).is_some() {
                    return None;
                }
                copy.put(&path, FolderFile::new(&bytes[..chance.pick(bytes.len())]));
                return Some(format!("something stands at `{path}`"));
            }
        };
        if is_everywhere {
            scene.service.put(path.clone(), bytes);
        } else {
            scene.world[site].host().folder.put(&path, FolderFile::new(bytes));
        }
        Some(format!("`{path}` comes"))
    }
}

//! Playing a story of a message folder in a world.

use std::collections::BTreeSet;

use syncline_core::{
    api::{CompactionConfig, DeliveryConfig, DeliveryOrder, FolderIndexing, GroupId, NoticeCode},
    log::message_key,
};

use super::{Carriage, Story, Trouble, TroubleKind, Turn, model::Model, roll_back::Image, service::Service};
use crate::{
    GROUP, Invariant, Judge, Order, SiteId, Trace, World,
    folder::{Application, FolderFile},
    story::{Coverage, Options, Played, group::judged},
    world::{info, payload},
};

/// The most steps between two turns: far more than any honest work takes.
const STEPS_MAX: u64 = 300_000;

/// Few enough that stories, which are short, see many checkpoints.
const CHECKPOINT_ITEMS_MIN: u32 = 4;

/// How often members look into their folders unasked: often in one of four stories, for that is what takes the most steps.
const POLLS_MS: [u32; 4] = [60_000, 600_000, 600_000, 600_000];

/// The sessions that rivals begin: one that is smaller than the group's, one that is larger.
const RIVALS: [GroupId; 2] = [GroupId::from_bytes([3; 16]), GroupId::from_bytes([0xc0; 16])];

/// Plays a story to its end.
pub fn play(story: &Story, options: Options) -> Played {
    play_traced(story, options, None)
}

/// The same; engines add what they return to a trace.
pub(crate) fn play_traced(story: &Story, options: Options, trace: Option<&Trace>) -> Played {
    let judge = Judge::new(options.ignored);
    let mut played = Played { violation: None, told: Vec::new(), coverage: Coverage::default(), events: 0 };
    let ended = judged(&judge, || {
        let mut scene = Scene::new(story, judge.clone(), options, trace);
        let ended = judged(&judge, || scene.play(story));
        if ended.is_err() && options.with_work {
            scene.tell_end();
        }
        scene.sum_up(&mut played);
        ended
    });
    let violation = ended.and_then(|ended| ended).err();
    let is_checked =
        |violation: &crate::Violation| options.ignored != Some(violation.invariant) && !judge.has_given_up();
    played.violation = violation.filter(is_checked);
    played
}

/// A world while a story is played in it.
pub(super) struct Scene {
    pub world: World,
    pub judge: Judge,
    pub sites: Vec<SiteId>,
    pub seed: u64,
    pub sealed: bool,
    pub links: Vec<(u8, u8)>,
    /// Who lost each other and did not find each other again.
    pub parted: BTreeSet<(u8, u8)>,
    pub service: Service,
    pub model: Model,
    /// What people keep of each device.
    pub images: Vec<Vec<Image>>,
    pub coverage: Coverage,
    /// Which session each device takes part in.
    pub sessions: Vec<GroupId>,
    /// Devices that the service has not met yet.
    apart: BTreeSet<usize>,
    /// No device was ever new to the others since they all knew each other.
    pub all_known: bool,
    /// Devices that were told that they missed something.
    pub missed: BTreeSet<usize>,
    /// Members clear what all have.
    pub clears: bool,
    /// How often members look into the folder unasked.
    pub poll_ms: u32,
    /// What waits for its moment.
    awaited: Option<Trouble>,
}

impl Scene {
    fn new(story: &Story, judge: Judge, options: Options, trace: Option<&Trace>) -> Scene {
        let mut world = World::narrated(story.seed, judge.clone(), options.with_work);
        world.set_steps_max(STEPS_MAX);
        let mut scene = Scene {
            world,
            judge,
            sites: Vec::new(),
            seed: story.seed,
            sealed: story.sealed,
            links: Vec::new(),
            parted: BTreeSet::new(),
            service: Service::default(),
            model: Model::default(),
            images: vec![Vec::new(); story.members.len()],
            coverage: Coverage::default(),
            sessions: Vec::new(),
            apart: BTreeSet::new(),
            all_known: story.introduced,
            missed: BTreeSet::new(),
            clears: story.clears,
            poll_ms: POLLS_MS[(story.seed >> 8) as usize % POLLS_MS.len()],
            awaited: None,
        };
        for (number, member) in story.members.iter().enumerate() {
            let indexing = if member.probes { FolderIndexing::Probing } else { FolderIndexing::Listing };
            let site = scene.world.add_to_folder(story.sealed, indexing);
            scene.world[site].trace(trace.cloned());
            let order = if member.total { DeliveryOrder::Total } else { DeliveryOrder::Arrival };
            scene.world[site].config().folders[0].poll_ms = scene.poll_ms;
            if story.clears {
                scene.world[site].config().compaction = CompactionConfig {
                    clear_applied: true,
                    // A clock may jump by years.
                    stale_after_ms: u64::MAX,
                    checkpoint_items_min: CHECKPOINT_ITEMS_MIN,
                };
            }
            scene.world[site].config().delivery = Some(DeliveryConfig { order, delivered: 0 });
            let rival = member.rival.filter(|_| number > 0 && story.links.is_empty());
            let session = rival.map_or(GROUP, |is_larger| RIVALS[usize::from(is_larger)]);
            scene.world.open_folder(site, session, story.sealed);
            let copy = &mut scene.world[site].host().folder;
            copy.put("info", FolderFile::new(info(session, story.sealed).to_json()));
            copy.is_offline = rival.is_some();
            if rival.is_some() {
                scene.apart.insert(number);
                scene.all_known = false;
            } else {
                scene.service.meet(number, copy);
            }
            scene.coverage.count(format!("member {indexing:?}"));
            scene.coverage.count(format!("member {order:?}"));
            scene.sessions.push(session);
            scene.sites.push(site);
        }
        let count = story.members.len();
        let exists = |link: &&(u8, u8)| usize::from(link.0) < usize::from(link.1) && usize::from(link.1) < count;
        scene.links = story.links.iter().filter(exists).copied().collect();
        scene.coverage.count(if story.clears { "session cleared" } else { "session kept" });
        scene.coverage.count(if story.sealed { "session sealed" } else { "session open" });
        scene.coverage.count_many("member linked", scene.links.len() as u64 * 2);
        scene.begin(story, options);
        scene
    }

    fn begin(&mut self, story: &Story, options: Options) {
        for site in self.sites.clone() {
            self.world.start(site);
        }
        if options.with_canary {
            self.model.published(0, (syncline_core::api::ReplicaId::from_bytes([0; 16]), 1), b"nobody posted this");
        }
        if story.introduced {
            self.world.settle();
            self.carry_all();
        }
        self.reconnect();
    }

    fn play(&mut self, story: &Story) {
        for (number, turn) in story.turns.iter().enumerate() {
            if number == story.turns.len() / 4 {
                self.meet();
            }
            self.turn(turn);
        }
        self.end();
    }

    fn turn(&mut self, turn: &Turn) {
        match turn.trouble {
            Some(trouble) if trouble.is_patient() => self.awaited = Some(trouble),
            Some(trouble) => {
                let told = trouble.strike(self);
                self.struck(trouble, told);
            }
            None => {}
        }
        if let Some(act) = turn.act {
            // A device that was taken away leaves its acts to the others.
            let device = usize::from(act.device) % self.sites.len();
            if let Some((told, payloads)) = act.perform(&mut self.world, self.sites[device]) {
                self.coverage.count(format!("act {:?}", act.kind));
                self.tell(&format!("on device {device}, someone {told}"));
                payloads.iter().for_each(|payload| self.model.posted(payload));
            }
        }
        self.reconnect();
        self.world.set_order(if turn.run.is_drawn { Order::Drawn } else { Order::Asked });
        if let Some(trouble) = self.awaited
            && let Some(told) = trouble.strike_in_time(self)
        {
            self.awaited = None;
            self.struck(trouble, Some(told));
        }
        for _ in 0..turn.run.steps {
            if !self.world.step() {
                break;
            }
        }
        if let Some(carriage) = turn.carriage {
            self.carry(carriage);
        }
        self.world.pass(u64::from(turn.run.milliseconds));
        self.collect();
    }

    fn struck(&mut self, trouble: Trouble, told: Option<String>) {
        if let Some(told) = told {
            self.coverage.count(format!("trouble {:?}", trouble.kind));
            self.all_known &= !trouble.kind.makes_members();
            self.tell(&told);
        }
    }

    pub(super) fn carry(&mut self, carriage: Carriage) -> usize {
        let changes = self.service.carry(&mut self.world, carriage, &mut self.coverage);
        if changes > 0 {
            self.tell(&format!("the service moves {changes} files"));
        }
        changes
    }

    /// Everything comes everywhere that is reached, as it is, until nothing more comes.
    pub(super) fn carry_all(&mut self) {
        while self.carry(Carriage::calm()) > 0 {
            self.world.settle();
        }
    }

    /// The service meets the devices that it has not met yet.
    pub(super) fn meet(&mut self) {
        for device in std::mem::take(&mut self.apart) {
            self.tell(&format!("the service meets device {device}"));
            let copy = &mut self.world[self.sites[device]].host().folder;
            copy.unshelve();
            (copy.is_there, copy.is_offline) = (true, false);
            self.service.meet(device, copy);
        }
    }

    /// The service has not met this device yet.
    pub fn is_apart(&self, device: usize) -> bool {
        self.apart.contains(&device)
    }

    /// What applications were told, and sessions that were given up.
    pub fn collect(&mut self) {
        for device in 0..self.sites.len() {
            let site = self.sites[device];
            for place in self.world[site].host().application.take_published() {
                let message = self.world[site].store().value(&message_key(place.0, place.1));
                let saved = message.and_then(payload);
                let stored = self.world[site].host().application.stored();
                let given = stored.iter().find(|message| (message.author, message.counter) == place);
                // What all had by then is cleared already.
                let payload = saved.or_else(|| given.map(|message| message.payload.clone()));
                self.judge.must(Invariant::CrashSafety, payload.is_some(), || {
                    format!("device {device} says that message {} is published, which is not saved", place.1)
                });
                self.coverage.count("published");
                self.model.published(device, place, &payload.unwrap_or_default());
            }
            let is_superseded = |notice: &syncline_core::api::Notice| notice.code == NoticeCode::SessionSuperseded;
            let notices = self.world[site].take_notices();
            if notices.iter().any(|notice| notice.code == NoticeCode::MessagesMissed) {
                self.missed.insert(device);
            }
            if notices.iter().any(is_superseded) {
                self.go_over(device);
            }
        }
    }

    /// Another session counts: the device goes on in that one, with a store of its own.
    fn go_over(&mut self, device: usize) {
        let site = self.sites[device];
        let smallest = self.sessions.iter().min().copied().unwrap_or(GROUP);
        let number = self.sessions[device];
        self.judge.must(Invariant::Convergence, number != smallest, || {
            format!("device {device} gave up the session that counts")
        });
        self.world.crash(site);
        self.world.lose_store(site);
        self.world[site].host().application = Application::default();
        self.world.open_folder(site, smallest, self.sealed);
        self.sessions[device] = smallest;
        self.images[device].clear();
        self.model.left_session(device);
        self.coverage.count("went over to another session");
        self.tell(&format!("device {device} goes over to the session that counts"));
        self.start(site);
    }

    /// No engine runs on a device, or one that does nothing any more.
    pub fn must_start(&self, site: SiteId) -> bool {
        !self.world[site].is_running() || self.world[site].is_stopped() || self.world[site].status().failed
    }

    /// A new engine starts on a device.
    pub fn start(&mut self, site: SiteId) {
        self.collect_of_crash();
        self.world.restart(site);
        self.reconnect();
    }

    fn collect_of_crash(&mut self) {
        // What an engine said before it ended counts, whoever started the next one.
        let published = self.sites.iter().any(|site| !self.world[*site].published().is_empty());
        if published {
            self.collect();
        }
    }

    /// A device's disk, store and application work again.
    pub fn mend_disk(&mut self, site: SiteId) {
        self.world.mend_disk(site);
        let host = self.world[site].host();
        host.application.mend();
        (host.folder.failing, host.folder.full) = (0, 0);
        host.folder.take("info 2");
    }

    /// A device's copy of the folder is there, with an `info` that can be read.
    pub fn mend_copy(&mut self, site: SiteId) {
        let device = self.sites.iter().position(|known| *known == site).unwrap_or_default();
        let own = info(self.sessions[device], self.sealed).to_json().into_bytes();
        let copy = &mut self.world[site].host().folder;
        copy.unshelve();
        copy.is_there = true;
        copy.take("info 2");
        let info = self.service.cloud().get("info").cloned().filter(|_| !self.apart.contains(&device));
        copy.put("info", FolderFile::new(info.unwrap_or_else(|| own.clone())));
        copy.put(&format!("info (conflicted copy of device {device})"), FolderFile::new(own));
    }

    /// Devices that run find each other again, as hosts let them, unless they were parted.
    pub fn reconnect(&mut self) {
        for link in self.links.clone() {
            let (a, b) = (self.sites[usize::from(link.0)], self.sites[usize::from(link.1)]);
            let runs = |site: SiteId| self.world[site].is_running() && !self.world[site].is_stopped();
            if !self.parted.contains(&link) && !self.world.is_linked(a, b) && runs(a) && runs(b) {
                self.world.link(a, b);
            }
        }
    }

    pub fn tell(&self, told: &str) {
        self.world.narrative().tell(told);
    }

    /// What every device has in the end.
    fn tell_end(&self) {
        for (number, site) in self.sites.iter().enumerate() {
            let site = &self.world[*site];
            let state = match site.is_running() {
                true => format!("{:?}", site.status()),
                false => "no engine".into(),
            };
            self.tell(&format!("device {number} ends with {state}"));
            let files: Vec<String> =
                site.message_folder().files().map(|(path, file)| format!("{path} ({})", file.bytes.len())).collect();
            self.tell(&format!("  and in the folder: {}", files.join(", ")));
        }
    }

    fn sum_up(&mut self, played: &mut Played) {
        played.told = self.world.narrative().lines();
        played.coverage = std::mem::take(&mut self.coverage);
        for site in &self.sites {
            played.coverage.add(self.world[*site].coverage());
            for (kind, count) in self.world[*site].faults().kinds().filter(|(_, count)| *count > 0) {
                played.coverage.count_many(format!("fault {kind}"), count);
            }
            played.events += self.world[*site].counts().events;
        }
    }
}

impl TroubleKind {
    /// Its name, as in the table of what happened.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

//! Playing a story of rows in a world.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{CompactionConfig, FolderIndexing, Membership, NoticeCode, RecordsConfig, RootConfig, RowName},
    crypto::Identity,
};

use super::{
    Keeper, Story, Trouble, Turn,
    files::Files,
    model::{Doing, Model},
    reading::Asked,
    roll_back::Image,
    tables::Table,
};
use crate::{
    Invariant, Judge, Order, ROOT, SiteId, Trace, Violation, World,
    messages::{Carriage, Service},
    story::{Coverage, Options, Played, group::judged},
};

/// The most steps between two turns: far more than any honest work takes.
const STEPS_MAX: u64 = 300_000;

/// How often members look into their folders unasked.
pub(super) const POLL_MS: u32 = 600_000;

/// How many own messages are worth a checkpoint, device by device: few enough that stories, which are short, see some.
const CHECKPOINT_ITEMS_MIN: [u32; 3] = [2, 64, 5];

/// How far ahead stamps may lie.
const MAX_DRIFT_MS: u32 = 100;

/// Plays a story to its end.
pub fn play(story: &Story, options: Options) -> Played {
    play_traced(story, options, None)
}

/// The same; engines add what they return to a trace, and the databases come behind it.
pub(crate) fn play_traced(story: &Story, options: Options, trace: Option<&Trace>) -> Played {
    let judge = Judge::new(options.ignored);
    let mut played = Played { violation: None, told: Vec::new(), coverage: Coverage::default(), events: 0 };
    let ended = judged(&judge, || {
        let mut scene = Scene::new(story, judge.clone(), options, trace);
        let ended = judged(&judge, || scene.play(story));
        if ended.is_err() && options.with_work {
            scene.tell_end();
        }
        scene.sum_up(&mut played, trace);
        ended
    });
    let violation = ended.and_then(|ended| ended).err();
    let is_checked = |violation: &Violation| options.ignored != Some(violation.invariant) && !judge.has_given_up();
    played.violation = violation.filter(is_checked);
    played
}

/// A world while a story is played in it.
pub(super) struct Scene {
    pub world: World,
    pub judge: Judge,
    pub sites: Vec<SiteId>,
    pub links: Vec<(u8, u8)>,
    /// Who lost each other and did not find each other again.
    pub parted: BTreeSet<(u8, u8)>,
    /// Whom the founder removed.
    pub removed: BTreeSet<usize>,
    pub service: Service,
    pub has_folder: bool,
    /// Devices keep files, too.
    pub has_files: bool,
    pub model: Model,
    /// What people did to files.
    pub files: Files,
    /// Each device's public key.
    pub keys: Vec<Vec<u8>>,
    /// What people keep of each device.
    pub images: Vec<Vec<Image>>,
    pub coverage: Coverage,
    /// The latest time that any clock showed.
    pub latest_ms: u64,
    /// What each engine was last known to have taken.
    pub taken: Vec<u64>,
    /// What applications asked their engines for.
    pub asked: BTreeMap<u64, Asked>,
    pub requests: u64,
    /// Tables that become known at the next start.
    late: Vec<Option<Table>>,
    /// What waits for its moment.
    awaited: Option<Trouble>,
}

impl Scene {
    fn new(story: &Story, judge: Judge, options: Options, trace: Option<&Trace>) -> Scene {
        let mut world = World::narrated(story.seed, judge.clone(), options.with_work);
        world.set_steps_max(STEPS_MAX);
        let count = story.keepers.len();
        let mut scene = Scene {
            world,
            judge,
            sites: Vec::new(),
            links: links(story),
            parted: BTreeSet::new(),
            removed: BTreeSet::new(),
            service: Service::default(),
            has_folder: story.keepers.iter().any(|keeper| keeper.in_folder),
            has_files: story.keepers.iter().any(|keeper| keeper.has_files),
            model: Model::default(),
            files: Files::default(),
            keys: Vec::new(),
            images: vec![Vec::new(); count],
            coverage: Coverage::default(),
            latest_ms: 0,
            taken: vec![0; count],
            asked: BTreeMap::new(),
            requests: 0,
            late: story.keepers.iter().map(|keeper| keeper.late.map(Table::of)).collect(),
            awaited: None,
        };
        for (number, keeper) in story.keepers.iter().enumerate() {
            scene.add(number, *keeper, story.sealed);
            scene.world[scene.sites[number]].trace(trace.cloned());
        }
        scene.coverage.count_many("member linked", scene.links.len() as u64 * 2);
        for site in scene.sites.clone() {
            scene.world.start(site);
        }
        scene.world.settle();
        if options.with_canary {
            scene.judge.must(Invariant::NoLoss, false, || "nobody wrote a row that is not there".into());
        }
        scene.reconnect();
        scene
    }

    fn add(&mut self, number: usize, keeper: Keeper, sealed: bool) {
        let Keeper { has_database, in_folder, has_files, .. } = keeper;
        let site = self.world.add_to_folder(sealed, FolderIndexing::Listing);
        let tables = Table::ALL.into_iter().filter(|table| self.late[number] != Some(*table));
        let tables = tables.map(Table::config).collect();
        let applied = has_database.then_some(0);
        let config = self.world[site].config();
        config.delivery = None;
        if has_files {
            config.roots = vec![RootConfig { id: ROOT, membership: Membership::Founder, allow_deletions: true }];
            self.coverage.count("member with files");
        }
        // A device that was put back and writes before it hears of anyone would use a number twice: what was changed is
        // given a little later.
        config.records = Some(RecordsConfig {
            tables,
            max_drift_ms: MAX_DRIFT_MS,
            has_changes: false,
            is_copy: false,
            applied,
            taken: 0,
        });
        // A clock may jump by years.
        let stale_after_ms = u64::MAX;
        let checkpoint_items_min = CHECKPOINT_ITEMS_MIN[number % CHECKPOINT_ITEMS_MIN.len()];
        config.compaction = CompactionConfig { stale_after_ms, checkpoint_items_min, ..CompactionConfig::default() };
        let identity = Identity::from_secret(&config.identity).expect("it is a secret");
        self.keys.push(identity.public_key().as_bytes().to_vec());
        if in_folder {
            config.folders[0].poll_ms = POLL_MS;
            self.service.meet(number, &self.world[site].host().folder);
            self.coverage.count("member in folder");
        } else {
            config.folders.clear();
            self.world[site].host().folder.is_there = false;
        }
        let kind = if has_database { "member with a database" } else { "member without a database" };
        self.coverage.count(kind);
        self.sites.push(site);
    }

    fn play(&mut self, story: &Story) {
        story.turns.iter().for_each(|turn| self.turn(turn));
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
            if let Some(told) = act.perform(self, device) {
                self.coverage.count(format!("act {:?}", act.kind));
                self.tell(&format!("on device {device}, someone {told}"));
            }
            if !self.has_database(device) {
                self.ask(device, Table::of(act.table));
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
        self.collect();
        self.world.pass(u64::from(turn.run.milliseconds));
        self.collect();
    }

    fn struck(&mut self, trouble: Trouble, told: Option<String>) {
        if let Some(told) = told {
            self.coverage.count(format!("trouble {:?}", trouble.kind));
            self.tell(&told);
        }
    }

    /// The device's application will know a table from its next start on that it does not know yet.
    pub fn is_late(&self, device: usize) -> bool {
        self.late[device].is_some()
    }

    /// The device's application knows the table.
    pub fn knows(&mut self, device: usize, table: Table) -> bool {
        let records = &self.world[self.sites[device]].config().records;
        records.as_ref().is_some_and(|records| records.tables.iter().any(|known| known.name == table.name()))
    }

    /// The device's application has a database of its own.
    pub fn has_database(&mut self, device: usize) -> bool {
        let records = &self.world[self.sites[device]].config().records;
        records.as_ref().is_some_and(|records| records.applied.is_some())
    }

    /// The rows of a table that the device shows.
    pub fn shown_rows(&self, device: usize, table: Table) -> Vec<RowName> {
        let rows = self.world[self.sites[device]].database().rows();
        rows.keys().filter(|name| name.table == table.name()).cloned().collect()
    }

    /// The device shows this row.
    pub fn shows(&self, device: usize, name: &RowName) -> bool {
        self.world[self.sites[device]].database().rows().contains_key(name)
    }

    /// Somebody writes a row.
    pub fn put(&mut self, device: usize, name: RowName, values: &[(&'static str, String)], is_default: bool) {
        self.note(device, &name, Some(values), is_default);
        let values: Vec<(&str, &str)> = values.iter().map(|(property, value)| (*property, value.as_str())).collect();
        self.world.put_row(self.sites[device], name, &values);
    }

    /// Somebody deletes a row.
    pub fn delete(&mut self, device: usize, name: RowName) {
        self.note(device, &name, None, false);
        self.world.delete_row(self.sites[device], name);
    }

    fn note(&mut self, device: usize, name: &RowName, values: Option<&[(&'static str, String)]>, is_default: bool) {
        let site = &self.world[self.sites[device]];
        // What is tried on a row of another device is said of an own one.
        let is_owned = !name.owner.is_empty();
        let owner = if is_owned { self.keys[device].clone() } else { Vec::new() };
        let row = RowName { owner, ..name.clone() };
        let shown = site.database().rows().get(&row);
        let (number, at_ms) = (site.database().changes() + 1, site.clock().now().unix.0);
        self.latest_ms = self.latest_ms.max(at_ms);
        let is_foreign = row != *name;
        self.model.did(Doing { device, row, values, is_default, is_foreign, number, shown, at_ms });
    }

    /// What engines have taken, and what people see.
    pub fn collect(&mut self) {
        let now_ms = self.world.clock().now().unix.0;
        for device in 0..self.sites.len() {
            let site = self.sites[device];
            self.latest_ms = self.latest_ms.max(self.world[site].clock().now().unix.0);
            self.check_clocks(device);
            if !self.runs(site) {
                continue;
            }
            if let Some(records) = self.world[site].status().records
                && self.world[site].status().replica.is_some()
            {
                let before = std::mem::replace(&mut self.taken[device], records.taken);
                self.judge.must(Invariant::Idempotency, records.taken >= before, || {
                    format!("device {device} had taken changes up to {before}, and now up to {}", records.taken)
                });
                self.model.taken(device, records.taken, now_ms);
                self.note_shown(device, records.unapplied);
            }
            if !self.world[site].is_asleep() {
                self.world.give_rows(site);
            }
        }
        self.show_answers();
    }

    /// A database has what its engine has, once that rests.
    fn note_shown(&mut self, device: usize, unapplied: u64) {
        if self.has_database(device) && unapplied == 0 && self.world[self.sites[device]].status().quiet {
            Table::ALL.into_iter().for_each(|table| self.model.shows(device, table));
        }
    }

    fn note_healing(&mut self, device: usize) {
        let right_ms = self.world.clock().now().unix.0;
        let shown_ms = self.world[self.sites[device]].clock().now().unix.0;
        let is_muddled = self.model.heals(device, shown_ms.abs_diff(right_ms) <= u64::from(MAX_DRIFT_MS));
        self.coverage.count(if is_muddled { "clock healed among wrong ones" } else { "clock healed" });
    }

    /// A device whose clock was always right shows nothing before its time, and takes no right clock for a wrong one.
    fn check_clocks(&mut self, device: usize) {
        let site = self.sites[device];
        let notices = self.world[site].take_notices();
        if notices.iter().any(|notice| notice.message.starts_with("this device's clock was")) {
            self.note_healing(device);
        }
        if self.model.has_erred(device) || self.removed.contains(&device) || !self.world[site].is_running() {
            return;
        }
        for notice in notices.iter().filter(|notice| notice.code == NoticeCode::ClockSkew) {
            let members = self.world[site].status().members;
            let author = members.iter().find(|member| Some(member.replica) == notice.replica);
            let author = author.and_then(|member| member.name.strip_prefix("device ")?.parse::<usize>().ok());
            // What was applied just inside the drift may be written over just outside it.
            let is_clear = !notice.message.contains("stamped 0 s");
            // Of its own clock a device believes most of the others: it is misled only where more than one of them erred.
            let is_misled = || (0..self.sites.len()).filter(|device| self.model.has_erred(*device)).count() > 1;
            let is_wrong = author.is_none_or(|author| self.model.has_erred(author) || author == device && is_misled());
            self.judge.must(Invariant::Convergence, is_wrong || !is_clear, || {
                format!("device {device} takes a clock for wrong that was always right: {}", notice.message)
            });
        }
        let limit_ms = self.world[site].clock().now().unix.0 + u64::from(MAX_DRIFT_MS);
        // Whose clock was set right goes on under a new id, and what it had stamped is stamped anew.
        let members = self.world[site].status().members;
        let is_healed = |author: usize| {
            let name = format!("device {author}");
            members.iter().filter(|member| member.name == name).count() > 1
        };
        for (name, values) in self.world[site].database().rows() {
            for (property, value) in values {
                let author = self.model.is_ahead(device, name, property, value, limit_ms);
                let is_ahead = author.is_some_and(|author| !is_healed(author));
                self.judge.must(Invariant::Convergence, !is_ahead, || {
                    format!("device {device} shows {} as it is written before its time", super::act::show(name))
                });
            }
        }
    }

    pub(super) fn carry(&mut self, carriage: Carriage) -> usize {
        if !self.has_folder {
            return 0;
        }
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

    /// An engine runs on a device, and was not asked to stop.
    pub fn runs(&self, site: SiteId) -> bool {
        self.world[site].is_running() && !self.world[site].is_stopped()
    }

    /// No engine runs on a device, or one that does nothing any more.
    pub fn must_start(&self, site: SiteId) -> bool {
        !self.runs(site) || self.world[site].status().failed
    }

    /// A new engine starts on a device. From the second start on it knows all tables.
    pub fn start(&mut self, site: SiteId) {
        let device = self.sites.iter().position(|known| *known == site).unwrap_or_default();
        if let (Some(table), Some(records)) = (self.late[device].take(), &mut self.world[site].config().records) {
            records.tables.push(table.config());
            self.coverage.count("table becomes known");
        }
        self.asked.retain(|_, asked| asked.device != device);
        self.world.restart(site);
        self.reconnect();
    }

    /// A device's disk, store, folder and database work again.
    pub fn mend(&mut self, site: SiteId) {
        self.world.mend_disk(site);
        let host = self.world[site].host();
        host.database.mend();
        (host.folder.failing, host.folder.full) = (0, 0);
    }

    /// A device's clocks show and go as they should.
    pub fn set_right(&mut self, site: SiteId) -> bool {
        let (right, shown) = (self.world.clock().now().unix.0, self.world[site].clock().now().unix.0);
        self.latest_ms = self.latest_ms.max(shown);
        let device = self.sites.iter().position(|known| *known == site).unwrap_or_default();
        self.model.clock_moves(device);
        self.world.drift_clock(site, 0);
        let wrong = i64::try_from(i128::from(right) - i128::from(shown)).unwrap_or_default();
        if wrong != 0 {
            self.world.jump_clock(site, wrong);
        }
        wrong != 0
    }

    /// Devices that run find each other again, as hosts let them, unless they were parted.
    pub fn reconnect(&mut self) {
        for link in self.links.clone() {
            let (a, b) = (self.sites[usize::from(link.0)], self.sites[usize::from(link.1)]);
            if !self.parted.contains(&link) && !self.world.is_linked(a, b) && self.runs(a) && self.runs(b) {
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
            let state = if site.is_running() { format!("{:?}", site.status()) } else { "no engine".into() };
            self.tell(&format!("device {number} ends with {state}"));
            for (name, values) in site.database().rows() {
                let values: Vec<String> = values
                    .iter()
                    .map(|(property, value)| format!("{property}={}", String::from_utf8_lossy(value)))
                    .collect();
                self.tell(&format!("  {}: {}", super::act::show(name), values.join(" ")));
            }
        }
    }

    fn sum_up(&mut self, played: &mut Played, trace: Option<&Trace>) {
        played.told = self.world.narrative().lines();
        played.coverage = std::mem::take(&mut self.coverage);
        for site in &self.sites {
            if let Some(trace) = trace {
                trace.add(self.world[*site].database().rows());
            }
            played.coverage.add(self.world[*site].coverage());
            for (kind, count) in self.world[*site].faults().kinds().filter(|(_, count)| *count > 0) {
                played.coverage.count_many(format!("fault {kind}"), count);
            }
            played.events += self.world[*site].counts().events;
        }
    }
}

/// The pairs that are linked: those of the story, and unless the folder joins all, the first device with each that is not
/// joined to it. (Who takes part in a folder writes only its own messages there, and none of others.)
fn links(story: &Story) -> Vec<(u8, u8)> {
    let count = u8::try_from(story.keepers.len()).unwrap_or(u8::MAX);
    let mut links: Vec<(u8, u8)> = story.links.iter().copied().filter(|(a, b)| a < b && *b < count).collect();
    if story.keepers.iter().all(|keeper| keeper.in_folder) {
        return links;
    }
    let mut joined: BTreeSet<u8> = [0].into();
    for number in 1..count {
        while let Some((a, b)) = links.iter().find(|(a, b)| joined.contains(a) != joined.contains(b)) {
            joined.extend([*a, *b]);
        }
        if joined.insert(number) {
            links.push((0, number));
        }
    }
    links
}

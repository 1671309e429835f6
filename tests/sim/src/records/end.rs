//! How a world with rows comes to its end, and what must hold then.

use syncline_core::api::{RowName, RowState};

use super::{
    act::show,
    play::{POLL_MS, Scene},
    tables::Table,
    verdict::{Rows, Verdict},
};
use crate::{Invariant, Order, Values, messages::Carriage};

/// How often a world is looked after before it must be at rest.
pub(super) const ROUNDS_MAX: u32 = 12;

/// So much longer than a wait for another look is a round.
const ROUND_MORE_MS: u64 = 10_000;

/// Longer than any wait of devices that are linked.
const RETRIES_MS: u64 = 70_000;

/// Longer than until a directory that is probed is listed all the same.
const RELIST_MS: u64 = 4_300_000;

/// So long a world that is at rest must stay so.
const SILENCE_MS: u64 = 600_000;

impl Scene {
    /// The troubles end, and the world comes to rest.
    ///
    /// # Panics
    /// If it does not, or not as people left it, or does not stay so.
    pub(super) fn end(&mut self) {
        self.tell("the troubles end");
        self.mend_all();
        self.wind_down();
        self.let_time_come();
        self.check_silence();
        self.check_restart();
        self.check_rows();
        self.check_files();
        self.check_sent();
    }

    /// Everything is mended, and everyone has what people did.
    fn mend_all(&mut self) {
        self.world.set_order(Order::Asked);
        self.world.mend_network();
        self.parted.clear();
        for site in self.sites.clone() {
            self.world[site].host().folder.is_offline = false;
            self.mend(site);
            self.world.wake(site);
            self.set_right(site);
            let device = self.sites.iter().position(|known| *known == site).unwrap_or_default();
            if self.is_late(device) {
                self.start(site);
            }
        }
    }

    /// Until all know the same.
    fn wind_down(&mut self) {
        self.carry(Carriage::calm());
        for round in 0..ROUNDS_MAX {
            for site in self.sites.clone() {
                if self.must_start(site) {
                    self.start(site);
                }
            }
            self.reconnect();
            self.world.settle();
            self.carry_all();
            self.collect();
            self.world.settle();
            self.carry_all();
            if self.unrest().is_none() {
                return;
            }
            let wait_ms = self.wait_ms(round);
            self.world.pass(wait_ms);
        }
        let unrest = self.unrest().unwrap_or_default();
        self.judge.must(Invariant::Convergence, false, || unrest);
    }

    /// How long to wait until devices look again for what they lack.
    pub(super) fn wait_ms(&self, round: u32) -> u64 {
        match self.has_folder {
            false => RETRIES_MS,
            true if round % 4 == 3 => RELIST_MS,
            true => u64::from(POLL_MS) + ROUND_MORE_MS,
        }
    }

    /// What was stamped ahead of its time is held until then. All devices are off meanwhile.
    fn let_time_come(&mut self) {
        let now_ms = self.world.clock().now().unix.0;
        if self.latest_ms > now_ms {
            for site in self.sites.clone() {
                self.world.crash(site);
            }
            self.world.clock().advance(self.latest_ms - now_ms + 60_000);
            self.tell("the time comes that some clock showed");
            self.wind_down();
        }
        // Held operations are looked at again from time to time.
        self.world.pass(RETRIES_MS);
        self.collect();
        for (number, site) in self.members() {
            let records = self.world[site].status().records;
            let is_all = records
                .as_ref()
                .is_some_and(|records| (records.held, records.unmerged, records.unapplied) == (0, 0, 0));
            self.judge.must(Invariant::NoLoss, is_all, || {
                format!("device {number} does not get to the end of its operations: {records:?}")
            });
        }
        self.check_taken();
    }

    /// Every change was taken.
    fn check_taken(&self) {
        for deed in self.model.deeds().iter().filter(|deed| !deed.is_doubtful) {
            self.judge.must(Invariant::NoLoss, deed.taken_ms.is_some(), || {
                format!("change {} of device {} was never taken", deed.number, deed.device)
            });
        }
    }

    /// What is not as it should be at rest, held operations aside.
    fn unrest(&self) -> Option<String> {
        let digest = self.world[self.sites[0]].status().digest;
        self.members().into_iter().find_map(|(number, site)| {
            let status = self.world[site].status();
            let records = status.records.as_ref()?;
            let is_written = status.folders.iter().all(|folder| folder.unwritten == 0 && folder.placeholders == 0);
            let what = [
                // One that was asked to stop while it slept stops when it wakes up.
                (!self.runs(site), "does not run"),
                (status.digest != digest, "has other messages than device 0"),
                (!status.quiet, "is not quiet"),
                (records.unapplied > 0, "has not given its database all"),
                (records.unmerged > records.held, "has not merged all"),
                (!is_written, "has not written all"),
                // What a removed device had may be nowhere else.
                (
                    self.removed.is_empty() && status.roots.iter().any(|root| root.pending + root.waiting > 0),
                    "lacks files",
                ),
                (self.world[site].database().pending().next().is_some(), "has not taken all"),
            ];
            let what = what.into_iter().find(|(is, _)| *is).map(|(_, what)| what);
            what.map(|what| format!("device {number} {what}: {records:?}, gaps {:?}", status.gaps))
        })
    }

    /// A world at rest stays so, and says nothing.
    fn check_silence(&mut self) {
        // Who lacks a file goes on asking for it.
        let members = self.members();
        let asks = members.iter().any(|(_, site)| self.world[*site].status().roots.iter().any(|root| root.waiting > 0));
        let counts = |scene: &Scene| -> Vec<_> {
            let counts = scene.members().into_iter().map(|(_, site)| {
                let created = scene.world[site].coverage().of("work FolderCreate");
                let counts = scene.world[site].counts();
                let sends = if asks { 0 } else { counts.sends };
                (counts.saves, sends, created, scene.world[site].database().batches())
            });
            counts.collect()
        };
        // Heartbeats and last words of links.
        self.world.pass(RETRIES_MS);
        self.carry_all();
        // What a message folder holds of files goes a while after they do.
        for _ in 0..if self.has_folder && self.has_files { 3 } else { 0 } {
            self.world.pass(RELIST_MS);
            self.carry_all();
        }
        let before = counts(self);
        for _ in 0..4 {
            self.world.pass(SILENCE_MS / 4);
            self.carry_all();
        }
        let after = counts(self);
        self.judge.must(Invariant::Quiescence, before == after, || {
            format!("at rest devices go on saving, sending or giving rows: {before:?} became {after:?}")
        });
        for (number, site) in self.members() {
            let status = self.world[site].status();
            self.judge.must(Invariant::Quiescence, status.quiet, || format!("device {number} does not stay quiet"));
        }
    }

    /// No database has anything again after a clean restart.
    fn check_restart(&mut self) {
        let batches = |scene: &Scene| -> Vec<u64> {
            scene.members().into_iter().map(|(_, site)| scene.world[site].database().batches()).collect()
        };
        let before = batches(self);
        for site in self.sites.clone() {
            self.start(site);
        }
        self.wind_down();
        let after = batches(self);
        self.judge.must(Invariant::Idempotency, before == after, || {
            format!("databases were given rows again after a clean restart: {before:?} became {after:?}")
        });
    }

    /// Every device has the same rows, its database those of its engine, and they are what must come of what people did.
    fn check_rows(&mut self) {
        let mut first: Option<Vec<(Table, Vec<RowState>)>> = None;
        for (device, _) in self.members() {
            let mut all = Vec::new();
            for table in Table::ALL {
                if self.knows(device, table) {
                    let rows = self.read(device, table);
                    all.push((table, rows));
                }
            }
            self.check_database(device, &all);
            if let Some(first) = &first {
                for (table, rows) in &all {
                    let Some((_, others)) = first.iter().find(|(known, _)| known == table) else { continue };
                    let differing = rows
                        .iter()
                        .find(|row| !others.contains(row))
                        .or_else(|| others.iter().find(|row| !rows.contains(row)));
                    self.judge.must(Invariant::Convergence, rows == others, || {
                        let name = differing.map(|row| show(&row.name)).unwrap_or_default();
                        format!("device {device} has other rows than another one: {name}, {differing:?}")
                    });
                }
            }
            if first.as_ref().is_none_or(|first| first.len() < all.len()) {
                first = Some(all);
            }
        }
        let states = first.into_iter().flatten().flat_map(|(_, rows)| rows);
        let rows: Rows = states
            .map(|row| (row.name, row.values.into_iter().map(|value| (value.property, value.value)).collect()))
            .collect();
        let mut verdict = Verdict { judge: &self.judge, model: &self.model, rows: &rows, decided: 0 };
        verdict.check();
        let decided = verdict.decided;
        self.coverage.count_many("rows judged", decided);
        self.coverage.count_many("rows in the end", rows.len() as u64);
    }

    /// The database has what the engine has.
    fn check_database(&mut self, device: usize, engine: &[(Table, Vec<RowState>)]) {
        if !self.has_database(device) {
            return;
        }
        let database = self.world[self.sites[device]].database().rows();
        let known = |name: &RowName| engine.iter().any(|(table, _)| table.name() == name.table);
        let mut theirs: Rows = database
            .iter()
            .filter(|(name, _)| known(name))
            .map(|(name, values)| (name.clone(), values.clone()))
            .collect();
        let is_excused = |name: &RowName| self.model.is_unshown(device, name) || self.model.is_confused(device, name);
        for row in engine.iter().flat_map(|(_, rows)| rows) {
            let values: Values = row.values.iter().map(|value| (value.property.clone(), value.value.clone())).collect();
            let shown = theirs.remove(&row.name);
            if is_excused(&row.name) {
                continue;
            }
            let shown = shown.map(|shown| self.without_lost(device, &row.name, shown, &values));
            self.judge.must(Invariant::Convergence, shown.as_ref() == Some(&values), || {
                format!(
                    "the database of device {device} shows {} as {shown:?}, its engine has {values:?}",
                    show(&row.name)
                )
            });
        }
        for (name, shown) in theirs.into_iter().filter(|(name, _)| !is_excused(name)) {
            let left = self.without_lost(device, &name, shown, &Values::new());
            self.judge.must(Invariant::Convergence, left.is_empty(), || {
                format!(
                    "the database of device {device} shows {} as {left:?}, which its engine does not have",
                    show(&name)
                )
            });
        }
    }

    /// What a device wrote that its store lost with all else is in its database alone: nobody else can know of it.
    fn without_lost(&self, device: usize, name: &RowName, mut shown: Values, has: &Values) -> Values {
        let deeds = self.model.deeds();
        shown.retain(|property, value| {
            let mut writers = self.model.writers(name, property, value).iter();
            has.contains_key(property) || !writers.any(|deed| deeds[*deed].device == device && deeds[*deed].is_doubtful)
        });
        shown
    }
}

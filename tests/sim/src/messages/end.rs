//! How a world with a message folder comes to its end, and what must hold then.

use syncline_core::{
    api::{Delivery, DeliveryOrder},
    log::parse_message_key,
};

use super::{Carriage, play::Scene};
use crate::{Invariant, Order, SiteId};

/// How often a world is looked after before it must be at rest.
const ROUNDS_MAX: u32 = 12;

/// So much longer than a wait for another look is a round.
const ROUND_MORE_MS: u64 = 10_000;

/// Longer than until a directory that is probed is listed all the same.
const RELIST_MS: u64 = 4_300_000;

/// So long a world that is at rest must stay so: an hour in one of four stories, for that is what costs most.
const SILENCE_MS: [u64; 4] = [3_600_000, 600_000, 600_000, 600_000];

/// The most often that a file is read in that time which is no message.
const READS_MAX: u64 = 24;

impl Scene {
    /// The troubles end, and the world comes to rest.
    ///
    /// # Panics
    /// If it does not, or not as was posted, or does not stay so.
    pub(super) fn end(&mut self) {
        self.tell("the troubles end");
        self.wind_down();
        self.check_silence();
        self.check_rest();
    }

    /// Everything is mended and everything comes, until all know the same.
    fn wind_down(&mut self) {
        self.world.set_order(Order::Asked);
        self.world.mend_network();
        self.parted.clear();
        self.meet();
        for site in self.sites.clone() {
            let copy = &mut self.world[site].host().folder;
            copy.unshelve();
            (copy.is_there, copy.is_offline) = (true, false);
            // Devices that cannot read `info` look for it again and again, each at its own times: that is no rest.
            copy.bring_back("info");
            self.mend_disk(site);
            self.world.wake(site);
        }
        self.carry(Carriage::calm());
        let mut lists = 0;
        for round in 0..ROUNDS_MAX {
            self.look_after();
            self.world.settle();
            self.carry_all();
            self.collect();
            // What was taken away or came again unheard is found when its directory is listed.
            if round > 0 && lists > 0 && self.unrest().is_none() {
                return;
            }
            let lists_now = round + 2 == ROUNDS_MAX || self.unrest().is_none();
            lists += u32::from(lists_now);
            self.world.pass(if lists_now { RELIST_MS } else { u64::from(self.poll_ms) + ROUND_MORE_MS });
        }
        let unrest = self.unrest().unwrap_or_default();
        self.judge.must(Invariant::Convergence, false, || unrest);
    }

    fn look_after(&mut self) {
        for site in self.sites.clone() {
            if self.must_start(site) {
                self.start(site);
            }
        }
        self.reconnect();
    }

    /// What is not as it should be at rest.
    fn unrest(&self) -> Option<String> {
        let digest = self.world[self.sites[0]].status().digest;
        let smallest = self.sessions.iter().min();
        self.sites.iter().enumerate().find_map(|(number, site)| {
            let status = self.world[*site].status();
            let folder = &status.folders[0];
            let what = [
                (Some(&self.sessions[number]) != smallest, "is in a session that does not count"),
                (status.digest != digest, "has other messages than device 0"),
                (!status.quiet, "is not quiet"),
                (status.undelivered > 0, "has not given its application all"),
                (folder.unwritten > 0, "has not written all"),
                (folder.placeholders > 0, "has not had all brought"),
                (self.has_gaps(*site), "lacks messages that others have"),
            ];
            let what = what.into_iter().find(|(is, _)| *is).map(|(_, what)| what);
            what.map(|what| format!("device {number} {what}: {folder:?}, gaps {:?}", status.gaps))
        })
    }

    /// A message is missing below others, and someone has it. (Where a device forgot what it had not written into the
    /// folder yet, nobody has.)
    fn has_gaps(&self, site: SiteId) -> bool {
        let mut missing = self.world[site].status().gaps.into_iter();
        missing.any(|gap| (gap.from..=gap.to).any(|counter| self.is_known((gap.author, counter))))
    }

    /// A world at rest stays so, and says nothing.
    fn check_silence(&mut self) {
        let counts = |scene: &Scene| -> Vec<_> {
            let counts = scene.sites.iter().map(|site| {
                let created = scene.world[*site].coverage().of("work FolderCreate");
                (scene.world[*site].counts().saves, scene.world[*site].counts().sends, created)
            });
            counts.collect()
        };
        let (before, cloud) = (counts(self), self.service.cloud().len());
        let reads: Vec<_> = self.sites.iter().map(|site| self.world[*site].folder_reads().clone()).collect();
        let silence_ms = SILENCE_MS[(self.seed % 4) as usize];
        for _ in 0..4 {
            self.world.pass(silence_ms / 4);
            self.carry_all();
        }
        let after = counts(self);
        self.judge.must(Invariant::Quiescence, before == after && cloud == self.service.cloud().len(), || {
            format!("at rest devices go on saving, sending or writing: {before:?} became {after:?}")
        });
        for (number, site) in self.sites.iter().enumerate() {
            let again = self.world[*site].folder_reads().iter().filter(|(path, _)| path.contains('/'));
            let worst =
                again.map(|(path, count)| (count - reads[number].get(path).copied().unwrap_or_default(), path)).max();
            self.judge.must(Invariant::Bounds, worst.is_none_or(|(count, _)| count <= READS_MAX), || {
                format!("device {number} read a file that does not change again and again: {worst:?}")
            });
        }
    }

    fn check_rest(&mut self) {
        let mut streams: Vec<(usize, Vec<Delivery>)> = Vec::new();
        for (device, site) in self.sites.clone().into_iter().enumerate() {
            let stored = self.world[site].host().application.stored().to_vec();
            let missed = self.missed.contains(&device);
            self.model.check(&self.judge, device, &stored, missed || self.clears && !self.all_known);
            // Who never forgot anything was there whenever all had something.
            let is_sure = self.all_known && self.model.nobody_forgot();
            self.judge.must(Invariant::NoLoss, !(missed && is_sure), || {
                format!("device {device} never got what was cleared because everyone had it")
            });
            self.check_store(device);
            let order = self.world[site].config().delivery.as_ref().map(|delivery| delivery.order);
            if order == Some(DeliveryOrder::Total) {
                streams.push((device, stored));
            }
        }
        self.coverage.count_many("published and alive", self.model.count() as u64);
        self.check_total(&streams);
    }

    /// All that were given messages in message order were given the same, if no member was ever new.
    fn check_total(&mut self, streams: &[(usize, Vec<Delivery>)]) {
        let order = |message: &Delivery| (message.lamport, message.unix_ms, message.author, message.counter);
        let of = |stream: &[Delivery]| stream.iter().map(order).collect::<Vec<_>>();
        if !self.all_known {
            return;
        }
        for (device, stream) in streams {
            let is_sorted = of(stream).is_sorted_by(|one, next| one < next);
            self.judge.must(Invariant::Convergence, is_sorted, || {
                format!("device {device} was not given its messages in message order: {:?}", of(stream))
            });
        }
        for pair in streams.windows(2) {
            let [(one, left), (other, right)] = pair else { continue };
            self.judge.must(Invariant::Convergence, of(left) == of(right), || {
                format!("devices {one} and {other} were not given the same in the same order")
            });
            self.coverage.count("streams compared");
        }
    }

    /// What a device keeps grows with the messages alone.
    fn check_store(&self, device: usize) {
        let site = &self.world[self.sites[device]];
        let is_message = |pair: &(&[u8], &[u8])| parse_message_key(pair.0).is_some();
        let messages = site.store().pairs().filter(is_message).count() as u64;
        let others = site.store().pairs().count() as u64 - messages;
        let authors = site.status().members.len() as u64;
        // What was delivered has its numbers still when it is cleared, and of each author it is known when it was heard.
        let messages = messages + if self.clears { 2 * self.model.posted_count() } else { 0 };
        self.judge.must(Invariant::Bounds, others <= 2 * messages + 3 * authors + 4, || {
            format!("device {device} keeps {others} pairs beside {messages} messages of {authors} authors")
        });
    }
}

//! Devices that lose what they knew, and what is lost with that.
//!
//! A device whose store is put back cannot tell so from the store alone. Its own directory tells it, if all that it ever
//! wrote and others may have stands there: so a story sees to that, and where something is known that does not, its owner
//! lets the device begin anew. What gave a number twice before it could know is a fork, which nobody can resolve.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{DeliveryOrder, ReplicaId},
    folder::{message_path, parse_message_path},
    log::{message_key, parse_message_key},
    messages::{delivery_keys, parse_delivery},
};

use super::{model::Place, play::Scene};
use crate::{
    Invariant, SiteId, Store,
    folder::{Application, FolderFile},
    world::is_void,
};

/// What an image of a device holds.
#[derive(Clone)]
pub(super) struct Image {
    store: Store,
    application: Application,
    files: BTreeMap<String, FolderFile>,
}

impl Image {
    /// The messages that it holds, as files or in the store.
    fn places(&self) -> impl Iterator<Item = Place> {
        let saved = self.store.pairs().filter_map(|(key, _)| parse_message_key(key));
        self.files.keys().filter_map(|path| parse_message_path(path)).chain(saved)
    }
}

/// What a store says of the numbers that it gave, in either order.
fn numbered(store: &Store) -> impl Iterator<Item = (u64, Place)> {
    [DeliveryOrder::Arrival, DeliveryOrder::Total].into_iter().flat_map(|order| {
        let (start, end) = delivery_keys(order, 0);
        let numbers = store.range(start, end).filter_map(|(key, value)| parse_delivery(key, value));
        numbers.map(|(sequence, author, counter)| (sequence, (author, counter)))
    })
}

/// How long a device that was put back may take to look through its folder.
const HEARING_MS: u64 = 120_000;

/// Where a store holds under which id its device writes.
const INCARNATION_KEY: &[u8] = b"i";

impl Scene {
    pub(super) fn take_image(&mut self, device: usize) -> Option<String> {
        let site = self.sites[device];
        let host = self.world[site].host();
        if !host.folder.is_there || host.folder.is_shelved() || host.store.value(INCARNATION_KEY).is_none() {
            return None;
        }
        let files = host.folder.files().map(|(path, file)| (path.to_owned(), file.clone())).collect();
        let image = Image { store: host.store.clone(), application: host.application.clone(), files };
        self.images[device].push(image);
        Some("someone takes an image".into())
    }

    /// The copy of the folder is put back, and the device knows nothing of it.
    pub(super) fn roll_back_folder(&mut self, device: usize, amount: u16) -> Option<String> {
        let image = self.image(device, amount)?;
        let copy = &mut self.world[self.sites[device]].host().folder;
        if !copy.is_there || copy.is_shelved() {
            return None;
        }
        copy.restore(image.files);
        self.note_restored(self.sites[device]);
        self.reckon();
        Some("the folder is put back to what it was".into())
    }

    /// The store is put back, and with it the folder, if asked for; the application sometimes.
    pub(super) fn roll_back(&mut self, device: usize, amount: u16, with_folder: bool) -> Option<String> {
        let image = self.image(device, amount)?;
        let site = self.sites[device];
        if self.world[site].is_asleep() || Some(&self.sessions[device]) != self.sessions.iter().min() {
            return None;
        }
        self.collect();
        self.world.crash(site);
        self.mend_disk(site);
        self.mend_copy(site);
        self.judge.forgot_others(site_number(&self.sites, site));
        let host = self.world[site].host();
        host.store.put_back(&image.store);
        if with_folder {
            host.folder.restore(image.files);
        }
        let with_application = amount.is_multiple_of(2);
        if with_application {
            host.application = image.application;
        } else {
            let stored = host.application.stored().to_vec();
            self.model.numbered_otherwise(device, &stored, numbered(&image.store));
            self.model.forgot(device, &stored);
        }
        self.mend_copy(site);
        self.clear_own_files(site);
        self.note_restored(site);
        self.reckon();
        let what = if with_folder { "store and folder are" } else { "the store is" };
        let and = if with_application { " with the application" } else { "" };
        if !self.shows_all(site) {
            self.world.lose_store(site);
            let stored = self.world[site].host().application.stored().to_vec();
            self.model.forgot(device, &stored);
            self.reckon();
            self.start(site);
            return Some(format!("{what} put back{and}, and it begins anew"));
        }
        self.start_and_hear(device);
        Some(format!("{what} put back{and}"))
    }

    /// The store is lost, and with it the application, if chance wants it.
    pub(super) fn forget(&mut self, device: usize, amount: u16) -> Option<String> {
        let site = self.sites[device];
        if self.world[site].is_asleep() {
            return None;
        }
        self.collect();
        self.world.crash(site);
        self.world.lose_store(site);
        let with_application = amount.is_multiple_of(2);
        let host = self.world[site].host();
        if with_application {
            host.application = Application::default();
        } else {
            let stored = host.application.stored().to_vec();
            self.model.forgot(device, &stored);
        }
        self.reckon();
        self.start(site);
        Some(if with_application { "all is forgotten" } else { "all but what the application has is forgotten" }.into())
    }

    /// What the service does not have of a folder that was put back is new to it.
    fn note_restored(&mut self, site: SiteId) {
        let is_whole = |(path, file): &(&str, &FolderFile)| self.judge.was_created(path, &file.bytes);
        let whole = self.world[site].message_folder().files().filter(is_whole);
        let whole: Vec<String> = whole.map(|(path, _)| path.to_owned()).collect();
        whole.iter().for_each(|path| self.world[site].host().folder.note_created(path));
    }

    fn image(&self, device: usize, amount: u16) -> Option<Image> {
        let images = &self.images[device];
        images.get(usize::from(amount / 2) % images.len().max(1)).cloned()
    }

    /// Own files that are no messages are taken away, and those whose bytes are elsewhere are brought.
    fn clear_own_files(&mut self, site: SiteId) {
        let own = self.world[site].incarnations().clone();
        let paths: Vec<String> = self.world[site].message_folder().files().map(|(path, _)| path.to_owned()).collect();
        for path in paths {
            if parse_message_path(&path).is_none_or(|(author, _)| !own.contains(&author)) {
                continue;
            }
            let copy = &mut self.world[site].host().folder;
            let Some(mut file) = copy.take(&path) else { continue };
            file.is_local = true;
            if let Some(bytes) = self.service.cloud().get(&path) {
                file.bytes.clone_from(bytes);
            }
            if self.judge.was_created(&path, &file.bytes) {
                copy.put(&path, file);
            } else {
                self.service.take_away(&path);
            }
        }
    }

    /// What was put under names of messages that a device will write is taken away: an engine that writes its messages into
    /// another folder, which took this one's place a moment ago, would take them for written here.
    pub(super) fn free_names(&mut self, site: SiteId) {
        let own = self.world[site].incarnations();
        let is_own = |path: &str| parse_message_path(path).is_some_and(|(author, _)| own.contains(&author));
        let is_junk = |(path, file): &(&str, &FolderFile)| is_own(path) && !self.judge.was_created(path, &file.bytes);
        let junk = self.world[site].message_folder().files().filter(is_junk);
        let junk: Vec<String> = junk.map(|(path, _)| path.to_owned()).collect();
        for path in junk.iter().filter(|path| !self.service.cloud().contains_key(*path)) {
            self.world[site].host().folder.take(path);
        }
    }

    /// All that others may have of what the device wrote under its id stands in its own directory or in its store.
    fn shows_all(&self, site: SiteId) -> bool {
        let Some(own) = self.stored_id(site) else { return true };
        let others = self.sites.iter().filter(|other| **other != site && self.world[**other].is_running());
        let held = others.flat_map(|other| self.world[*other].status().members);
        let held = held.filter(|member| member.replica == own).map(|member| member.counter).max();
        let known = self.highest(own, |place| self.is_known(place)).max(held.unwrap_or_default());
        known <= self.highest(own, |place| self.stands_on(site, place) || self.is_saved_on(site, place))
    }

    /// Which of an author's messages is the last one of which this holds.
    fn highest(&self, author: ReplicaId, holds: impl Fn(Place) -> bool) -> u64 {
        let most = self.judge.highest_written(author);
        (1..=most).rev().find(|counter| holds((author, *counter))).unwrap_or_default()
    }

    fn stored_id(&self, site: SiteId) -> Option<ReplicaId> {
        let id = self.world[site].store().value(INCARNATION_KEY)?;
        Some(ReplicaId::from_bytes(id.try_into().ok()?))
    }

    fn stands_on(&self, site: SiteId, (author, counter): Place) -> bool {
        let path = message_path(author, counter);
        let file = self.world[site].message_folder().at_all(&path);
        file.is_some_and(|file| self.judge.was_created(&path, &file.bytes))
    }

    fn is_saved_on(&self, site: SiteId, (author, counter): Place) -> bool {
        self.world[site].store().value(&message_key(author, counter)).is_some()
    }

    /// Someone has it: the cloud, a copy of the folder, a store.
    pub(super) fn is_known(&self, place: Place) -> bool {
        let path = message_path(place.0, place.1);
        let has = |site: &SiteId| self.stands_on(*site, place) || self.is_saved_on(*site, place);
        let is_in_cloud = || {
            let bytes = self.service.cloud().get(&path);
            bytes.is_some_and(|bytes| self.judge.was_created(&path, bytes))
        };
        is_in_cloud() || self.sites.iter().any(has)
    }

    /// Something was lost: what nobody has any more need not come to anyone.
    pub(super) fn reckon(&mut self) {
        let mut model = std::mem::take(&mut self.model);
        // Nobody can read a feed whose first message is lost.
        model.lost(|place| self.is_known(place) && self.is_known((place.0, 1)));
        self.model = model;
        let is_left = |path: &str| parse_message_path(path).is_some_and(|place| self.is_known(place));
        self.judge.forget_created(is_left);
        // Nor does an image bring it again: its number may be given anew.
        let mut lost: BTreeSet<Place> = self.images.iter().flatten().flat_map(Image::places).collect();
        lost.retain(|place| !self.is_known(*place) && !self.is_void(*place));
        self.images
            .iter_mut()
            .for_each(|images| images.retain(|image| image.places().all(|place| !lost.contains(&place))));
    }

    /// Nobody needs it any more, as someone knows.
    fn is_void(&self, (author, counter): Place) -> bool {
        self.sites.iter().any(|site| is_void(self.world[*site].store(), author, counter))
    }

    /// A device that was put back starts, and goes on under a new id if its own directory holds more than its store.
    fn start_and_hear(&mut self, device: usize) {
        let site = self.sites[device];
        let (own, saved) = (self.stored_id(site), self.world[site].store().clone());
        self.start(site);
        let is_over = |world: &crate::World| {
            world[site].is_running() && world[site].status().folders.iter().all(|folder| folder.indexed)
        };
        self.world.pass_until(HEARING_MS, is_over);
        let Some(own) = own else { return };
        let shown = self.highest(own, |place| self.stands_on(site, place));
        let knew = self.highest(own, |place| saved.value(&message_key(place.0, place.1)).is_some());
        let goes_on = self.world[site].status().replica == Some(own);
        self.judge.must(Invariant::Idempotency, shown <= knew || !goes_on, || {
            format!("device {device} has its own messages up to {shown} before it, knew {knew}, and keeps its id")
        });
    }
}

fn site_number(sites: &[SiteId], site: SiteId) -> usize {
    sites.iter().position(|known| *known == site).unwrap_or_default()
}

//! The service that carries the folder: it keeps one state of it in its cloud, takes from every copy what its host created
//! and removed, and brings it to the others: in any order, late, torn, as placeholders, beside copies of other names.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use syncline_core::api::Event;

use crate::{
    FOLDER, SiteId, World,
    chance::Pick,
    folder::{FolderCopy, FolderFile},
    story::Coverage,
};

/// One move of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carriage {
    /// What chance decides in it.
    pub chance: u16,
    /// What it does wrong.
    pub weather: Weather,
}

impl Carriage {
    /// Everything is brought, and rightly.
    pub fn calm() -> Carriage {
        Carriage { chance: 0, weather: Weather::default() }
    }
}

/// What a service does wrong. Each number says that one of so many files meets it; none with 0.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Weather {
    /// A file does not come this time.
    pub late: u8,
    /// It comes as a part of itself, or empty.
    pub torn: u8,
    /// It comes as a placeholder.
    pub placeholder: u8,
    /// It comes beside copies of other names.
    pub doubled: u8,
    /// A device is not told of what came.
    pub unheard: u8,
}

/// What services call copies of a file.
const COPIES: [&str; 6] = [" (1)", ".sync-conflict-20260101-000000-ABC", " (conflicted copy)", "~", " ", ".tmp"];

/// The service.
#[derive(Default)]
pub(crate) struct Service {
    cloud: BTreeMap<String, Vec<u8>>,
    /// What was removed and may stand in copies still.
    removed: Vec<String>,
}

impl Service {
    /// What the service keeps.
    pub fn cloud(&self) -> &BTreeMap<String, Vec<u8>> {
        &self.cloud
    }

    /// A file comes to be in the cloud that no device created.
    pub fn put(&mut self, path: String, bytes: Vec<u8>) {
        self.cloud.entry(path).or_insert(bytes);
    }

    /// A file is taken away that its owner finds to be none.
    pub fn take_away(&mut self, path: &str) {
        if self.cloud.remove(path).is_some() {
            self.removed.push(path.to_owned());
        }
    }

    /// Reaches a device's copy for the first time: what stands there under a name that is taken is taken for a conflict.
    pub fn meet(&mut self, device: usize, copy: &FolderCopy) {
        for (path, file) in copy.files().filter(|(path, _)| path.contains('/') || *path == "info") {
            match self.cloud.get(path) {
                Some(known) if *known != file.bytes => {
                    self.put(format!("{path} (conflicted copy of device {device})"), file.bytes.clone());
                }
                _ => self.put(path.to_owned(), file.bytes.clone()),
            }
        }
    }

    /// Moves once, and tells each engine what changed in its copy; returns how much did.
    pub fn carry(&mut self, world: &mut World, carriage: Carriage, coverage: &mut Coverage) -> usize {
        let mut chance = fastrand::Rng::with_seed(u64::from(carriage.chance));
        let mut sites: Vec<SiteId> = world.sites().collect();
        chance.mix(&mut sites);
        for site in &sites {
            self.take(&mut world[*site].host().folder);
        }
        let removed = std::mem::take(&mut self.removed);
        let mut changes = 0;
        for site in sites {
            let copy = &mut world[site].host().folder;
            if !reaches(copy) {
                // It hears of what was removed when it is reached again.
                self.removed.extend(removed.iter().filter(|path| copy.at(path).is_some()).cloned());
                continue;
            }
            let mut changed = copy.bring();
            for path in &removed {
                if !self.cloud.contains_key(path) && copy.take(path).is_some() {
                    changed.push(path.clone());
                }
            }
            let mut lacking = self.lacking(copy);
            chance.mix(&mut lacking);
            for (path, bytes) in lacking {
                arrive(copy, path, bytes, carriage.weather, &mut chance, &mut changed, coverage);
            }
            changes += changed.len();
            tell(world, site, changed, carriage.weather, &mut chance, coverage);
        }
        self.removed.sort();
        self.removed.dedup();
        changes
    }

    /// Takes what the host of a copy created and removed.
    fn take(&mut self, copy: &mut FolderCopy) {
        if !reaches(copy) {
            return;
        }
        let (created, removed) = copy.take_changes();
        for path in &removed {
            if copy.at(path).is_none() && self.cloud.remove(path).is_some() {
                self.removed.push(path.clone());
            }
        }
        for path in created {
            let Some(file) = copy.at(&path).filter(|file| file.is_local) else { continue };
            let is_replaced = removed.contains(&path);
            match self.cloud.get(&path) {
                Some(known) if *known != file.bytes && !is_replaced => {
                    self.cloud.insert(format!("{path} (conflicted copy)"), file.bytes.clone());
                }
                _ => drop(self.cloud.insert(path, file.bytes.clone())),
            }
        }
    }

    /// What the cloud has that does not stand in a copy.
    fn lacking(&self, copy: &FolderCopy) -> Vec<(&str, &[u8])> {
        let mut files = copy.files().peekable();
        let mut stands = |path: &str, bytes: &[u8]| {
            while files.next_if(|(before, _)| *before < path).is_some() {}
            files.peek().is_some_and(|(there, file)| *there == path && is_same(&file.bytes, bytes))
        };
        let kept = self.cloud.iter().map(|(path, bytes)| (path.as_str(), bytes.as_slice()));
        kept.filter(|(path, bytes)| !stands(path, bytes)).collect()
    }
}

/// A file comes to a copy.
fn arrive(
    copy: &mut FolderCopy,
    path: &str,
    bytes: &[u8],
    weather: Weather,
    chance: &mut fastrand::Rng,
    changed: &mut Vec<String>,
    coverage: &mut Coverage,
) {
    let is_new = copy.at(path).is_none();
    let mut meets = |one_in: u8, kind: &str| {
        let meets = one_in > 0 && chance.u8(..one_in) == 0;
        if meets {
            coverage.count(format!("carriage {kind}"));
        }
        meets
    };
    if meets(weather.late, "late") {
        return;
    }
    if is_new && meets(weather.torn, "torn") {
        let length = chance.pick(bytes.len() + 1);
        copy.put(path, FolderFile::new(&bytes[..length]));
    } else if is_new && meets(weather.placeholder, "placeholder") {
        copy.put(path, FolderFile { is_local: false, ..FolderFile::new(bytes) });
    } else {
        if meets(weather.doubled, "doubled") {
            let name = format!("{path}{}", COPIES[chance.pick(COPIES.len())]);
            copy.put(&name, FolderFile::new(bytes));
            changed.push(name);
        }
        copy.put(path, FolderFile::new(bytes));
        coverage.count("carriage brought");
    }
    changed.push(path.to_owned());
}

/// Long files differ in their length or in what they end with, which no two messages share.
fn is_same(one: &[u8], other: &[u8]) -> bool {
    let end = one.len().saturating_sub(1_000);
    one.len() == other.len() && one[end..] == other[end..]
}

/// The service works on a copy that is there and is this folder's.
fn reaches(copy: &FolderCopy) -> bool {
    copy.is_there && !copy.is_offline && !copy.is_shelved()
}

fn tell(
    world: &mut World,
    site: SiteId,
    mut paths: Vec<String>,
    weather: Weather,
    chance: &mut fastrand::Rng,
    coverage: &mut Coverage,
) {
    if paths.is_empty() || !world[site].is_running() {
        return;
    }
    if weather.unheard > 0 && chance.u8(..weather.unheard) == 0 {
        coverage.count("carriage unheard");
        return;
    }
    // A watcher that saw too much says only that something changed.
    if weather.unheard > 0 && chance.u8(..3) == 0 {
        paths.clear();
    }
    world.tell(site, Event::FolderChanged { folder: FOLDER, paths });
}

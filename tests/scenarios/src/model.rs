//! The tree's rules for files in one directory, as few lines as they take (DESIGN §8.1–8.7), for comparison with the
//! engine. Nothing here is shared with it.
//!
//! Sets are written out, every question is answered from scratch, and there is no work in flight: absorbing, meeting
//! and projecting are single steps.

use std::collections::{BTreeMap, BTreeSet};

/// How long the first write at a path supersedes nothing after an unrelated version took it (§8.4).
const GRACE_MS: u64 = 600_000;

/// A folder: the text of each file.
pub type Folder = BTreeMap<String, &'static str>;

/// A version's name: its author and a number.
type Dot = (usize, u64);
type Dots = BTreeSet<Dot>;

/// One version of what a name holds; a deletion has no text.
#[derive(Clone)]
struct Version {
    name: String,
    text: Option<&'static str>,
    past: Dots,
    order: Order,
}

/// Message order: lamport, time, author; then the place in the message.
type Order = (u64, u64, [u8; 16], usize);

/// A file as it was last known to stand on a disk, or as it should: the versions it shows and their pasts.
#[derive(Clone)]
struct Shown {
    name: String,
    text: &'static str,
    dots: Dots,
    past: Dots,
    taken_ms: Option<u64>,
}

/// One replica.
struct Replica {
    id: [u8; 16],
    held: BTreeMap<Dot, Version>,
    base: BTreeMap<String, Shown>,
    disk: Folder,
    lamport: u64,
}

/// Replicas and their common time.
pub struct Model {
    replicas: Vec<Replica>,
    now_ms: u64,
}

impl Model {
    /// Empty replicas with these ids.
    pub fn new(ids: &[[u8; 16]]) -> Model {
        let replica = |id: &[u8; 16]| Replica {
            id: *id,
            held: BTreeMap::new(),
            base: BTreeMap::new(),
            disk: Folder::new(),
            lamport: 0,
        };
        Model { replicas: ids.iter().map(replica).collect(), now_ms: 0 }
    }

    /// Time passes.
    pub fn pass(&mut self, milliseconds: u64) {
        self.now_ms += milliseconds;
    }

    /// Someone writes a file.
    pub fn write(&mut self, replica: usize, path: &str, text: &'static str) {
        self.replicas[replica].disk.insert(path.into(), text);
    }

    /// Someone deletes a file, if it is there.
    pub fn delete(&mut self, replica: usize, path: &str) {
        self.replicas[replica].disk.remove(path);
    }

    /// The folder of a replica.
    pub fn folder(&self, replica: usize) -> &Folder {
        &self.replicas[replica].disk
    }

    /// Two replicas look at their folders, exchange all they hold, and bring their folders up to it.
    pub fn meet(&mut self, a: usize, b: usize) {
        self.look(a);
        self.look(b);
        let (lamport, mut held) = (self.replicas[a].lamport, self.replicas[a].held.clone());
        held.extend(self.replicas[b].held.clone());
        let lamport = lamport.max(self.replicas[b].lamport);
        for number in [a, b] {
            let replica = &mut self.replicas[number];
            (replica.held, replica.lamport) = (held.clone(), lamport);
            replica.project(number, self.now_ms);
        }
    }

    /// A replica looks at its folder: what differs from base becomes versions, in one message.
    pub fn look(&mut self, number: usize) {
        let now_ms = self.now_ms;
        let replica = &mut self.replicas[number];
        let paths: BTreeSet<String> = replica.base.keys().chain(replica.disk.keys()).cloned().collect();
        let view = replica.view();
        let mut versions = Vec::new();
        for path in paths {
            let (base, text) = (replica.base.get(&path), replica.disk.get(&path).copied());
            if base.map(|base| base.text) == text {
                continue;
            }
            let twin = view.get(&path).filter(|shown| Some(shown.text) == text);
            if let (None, Some(twin)) = (base, twin) {
                replica.base.insert(path, twin.clone());
                continue;
            }
            let past = base.map_or_else(Dots::new, |base| replica.past(&path, base, text.is_some(), now_ms));
            let name = base.map_or(path.clone(), |base| base.name.clone());
            versions.push((path, Version { name, text, past, order: Default::default() }));
        }
        if !versions.is_empty() {
            replica.lamport += 1;
        }
        for (index, (path, mut version)) in versions.into_iter().enumerate() {
            let dot = (number, replica.held.len() as u64);
            version.order = (replica.lamport, now_ms, replica.id, index);
            match version.text {
                Some(text) => {
                    let (name, past) = (version.name.clone(), version.past.clone());
                    let shown = Shown { name, text, dots: Dots::from([dot]), past, taken_ms: None };
                    replica.base.insert(path, shown);
                }
                None => drop(replica.base.remove(&path)),
            }
            replica.held.insert(dot, version);
        }
        replica.project(number, now_ms);
    }
}

impl Replica {
    /// What a change of a shown file replaces: what is shown and its past, and other versions with the same bytes,
    /// unless by now they belong to another path.
    fn past(&self, path: &str, base: &Shown, is_write: bool, now_ms: u64) -> Dots {
        if is_write && base.taken_ms.is_some_and(|taken| now_ms < taken + GRACE_MS) {
            return Dots::new();
        }
        let mut past: Dots = base.dots.union(&base.past).copied().collect();
        let stays = self.view().get(path).is_some_and(|shown| shown.text == base.text);
        for (dot, version) in self.live().filter(|_| stays) {
            if version.name == base.name && version.text == Some(base.text) {
                past.insert(*dot);
                past.extend(&version.past);
            }
        }
        past
    }

    /// Versions that no held version has in its past.
    fn live(&self) -> impl Iterator<Item = (&Dot, &Version)> {
        let replaced: Dots = self.held.values().flat_map(|version| version.past.iter().copied()).collect();
        self.held.iter().filter(move |(dot, _)| !replaced.contains(dot))
    }

    /// What should stand on the disk: equal texts are one file, the latest has the name, the others stand beside it.
    fn view(&self) -> BTreeMap<String, Shown> {
        let mut files: BTreeMap<(&str, &'static str), (Order, Shown)> = BTreeMap::new();
        for (dot, version) in self.live() {
            let Some(text) = version.text else { continue };
            let name = version.name.clone();
            let empty = Shown { name, text, dots: Dots::new(), past: Dots::new(), taken_ms: None };
            let (order, shown) = files.entry((&version.name, text)).or_insert((version.order, empty));
            *order = version.order.max(*order);
            shown.dots.insert(*dot);
            shown.past.extend(&version.past);
        }
        let mut latest: BTreeMap<&str, Order> = BTreeMap::new();
        for ((name, _), (order, _)) in &files {
            let entry = latest.entry(name).or_insert(*order);
            *entry = (*entry).max(*order);
        }
        let path = |shown: &Shown, order: &Order| match latest[shown.name.as_str()] == *order {
            true => shown.name.clone(),
            false => copy_name(&shown.name, shown.text),
        };
        files.values().map(|(order, shown)| (path(shown, order), shown.clone())).collect()
    }

    /// Brings the disk, which is as base says, to the view.
    fn project(&mut self, number: usize, now_ms: u64) {
        let mut view = self.view();
        for (path, shown) in &mut view {
            let Some(base) = self.base.get(path) else { continue };
            let derived = base.dots.iter().all(|dot| shown.dots.contains(dot) || shown.past.contains(dot));
            // Someone here made it beside the other one, and so knows both.
            let made_beside = shown.dots.iter().all(|dot| dot.0 == number);
            let made_here = shown.dots.iter().any(|dot| dot.0 == number && !base.dots.contains(dot));
            shown.taken_ms = match base.text == shown.text || derived {
                true if base.text == shown.text && made_here => None,
                true => base.taken_ms,
                false if made_beside => None,
                false => Some(now_ms),
            };
        }
        self.disk = view.iter().map(|(path, shown)| (path.clone(), shown.text)).collect();
        self.base = view;
    }
}

/// The name of the file beside `name` that holds another text.
pub fn copy_name(name: &str, text: &str) -> String {
    let hash = blake3::hash(text.as_bytes()).to_hex();
    let (stem, extension) = name.rsplit_once('.').expect("names in the model have an extension");
    format!("{stem} (conflict {}).{extension}", &hash[..8])
}

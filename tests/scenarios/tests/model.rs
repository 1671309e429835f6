//! All short histories of one file on two and three devices: the model and the engine end with the same folders, and
//! both keep the rules that hold always (DESIGN §10).

use std::{collections::BTreeSet, fmt};

use syncline_scenarios::model::{Folder, Model};
use syncline_sim::{Item, SiteId, Tree, World};

/// The only file.
const PATH: &str = "a.md";

/// What is written to it.
const TEXTS: [&str; 4] = ["one", "two", "three", "four"];

/// One act of a history.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Act {
    /// Someone writes the file, or its first conflict copy if there is one.
    Write { site: usize, at: At, text: usize },
    /// Someone deletes it.
    Delete { site: usize, at: At },
    /// Two devices look, exchange what they know, and do what follows from it.
    Meet { a: usize, b: usize },
}

/// Which file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum At {
    Plain,
    Copy,
}

impl At {
    /// The path in a folder; none if there is no copy.
    fn path(self, folder: &Folder) -> Option<String> {
        match self {
            At::Plain => Some(PATH.into()),
            At::Copy => folder.keys().find(|path| *path != PATH).cloned(),
        }
    }
}

impl fmt::Debug for Act {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let file = |at: &At| if *at == At::Plain { "" } else { "copy" };
        match self {
            Act::Write { site, at, text } => write!(f, "{site}:{}={}", file(at), TEXTS[*text]),
            Act::Delete { site, at } => write!(f, "{site}:{}delete", file(at)),
            Act::Meet { a, b } => write!(f, "{a}-{b}"),
        }
    }
}

/// The histories of one small world.
struct Histories {
    sites: usize,
    texts: usize,
    length: usize,
    /// How long after each other the acts come.
    pause_ms: u64,
    /// What happens first in each of them.
    opening: Vec<Act>,
    /// Conflict copies are written and deleted too.
    copies: bool,
}

/// Longer than the grace of an unrelated version, so that every write replaces what it stands on.
const LONG_MS: u64 = 11 * 60_000;

const SHORT_MS: u64 = 1_000;

impl Histories {
    fn new(sites: usize, length: usize, pause_ms: u64) -> Histories {
        Histories { sites, texts: 3, length, pause_ms, opening: Vec::new(), copies: false }
    }

    /// Histories that begin with a conflict on two devices.
    fn of_a_conflict(length: usize, pause_ms: u64) -> Histories {
        let write = |site| Act::Write { site, at: At::Plain, text: site };
        let opening = vec![write(0), write(1), Act::Meet { a: 0, b: 1 }];
        Histories { texts: 4, opening, copies: true, ..Histories::new(2, length, pause_ms) }
    }

    fn acts(&self) -> Vec<Act> {
        let mut acts = Vec::new();
        let files: &[At] = if self.copies { &[At::Plain, At::Copy] } else { &[At::Plain] };
        for site in 0..self.sites {
            for at in files.iter().copied() {
                acts.extend((0..self.texts).map(|text| Act::Write { site, at, text }));
                acts.push(Act::Delete { site, at });
            }
            acts.extend((site + 1..self.sites).map(|b| Act::Meet { a: site, b }));
        }
        acts
    }

    /// Calls `check` with the opening and every sequence of `length` acts behind it, and tells how many there were.
    ///
    /// Texts stand for themselves only by being different, so the first to appear is always the first, and so on.
    fn each(&self, mut check: impl FnMut(&[Act])) -> u64 {
        let (acts, mut count) = (self.acts(), 0);
        let total = (acts.len() as u64).pow(self.length as u32);
        for mut number in 0..total {
            let mut history = self.opening.clone();
            for _ in 0..self.length {
                history.push(acts[(number % acts.len() as u64) as usize]);
                number /= acts.len() as u64;
            }
            if in_order(&history) {
                count += 1;
                check(&history);
            }
        }
        count
    }

    /// Meetings after which everyone has heard of everything.
    fn rest(&self) -> Vec<Act> {
        let round = || (0..self.sites).flat_map(|a| (a + 1..self.sites).map(move |b| Act::Meet { a, b }));
        round().chain(round()).collect()
    }
}

fn in_order(history: &[Act]) -> bool {
    let mut next = 0;
    history.iter().all(|act| match act {
        Act::Write { text, .. } if *text > next => false,
        Act::Write { text, .. } => {
            next = next.max(text + 1);
            true
        }
        _ => true,
    })
}

/// What must have happened to the texts, told from the acts alone: who had heard of which write, and saw what.
struct Witness {
    heard: Vec<BTreeSet<usize>>,
    writes: Vec<&'static str>,
    /// Writes that someone replaced or deleted who had heard of them and had their text on the disk.
    replaced: BTreeSet<usize>,
}

impl Witness {
    fn new(sites: usize) -> Witness {
        Witness { heard: vec![BTreeSet::new(); sites], writes: Vec::new(), replaced: BTreeSet::new() }
    }

    /// Takes note of an act; `before` is the text that stood where it was done.
    fn see(&mut self, act: Act, before: Option<&str>) {
        match act {
            Act::Meet { a, b } => {
                let both = &self.heard[a] | &self.heard[b];
                (self.heard[a], self.heard[b]) = (both.clone(), both);
            }
            Act::Write { text, .. } if before == Some(TEXTS[text]) => {}
            Act::Write { site, text, .. } => {
                self.replace(site, before);
                self.heard[site].insert(self.writes.len());
                self.writes.push(TEXTS[text]);
            }
            Act::Delete { site, .. } => self.replace(site, before),
        }
    }

    fn replace(&mut self, site: usize, before: Option<&str>) {
        let seen = self.heard[site].iter().filter(|write| Some(self.writes[**write]) == before);
        self.replaced.extend(seen.copied().collect::<Vec<_>>());
    }

    /// Checks a folder at the end. With `exact`, nothing else may stand there: no false conflict, no resurrection.
    fn check(&self, history: &[Act], found: &BTreeSet<&str>, exact: bool) {
        let unreplaced = |write: &usize| !self.replaced.contains(write);
        let live: BTreeSet<&str> = (0..self.writes.len()).filter(unreplaced).map(|write| self.writes[write]).collect();
        assert!(live.is_subset(found), "{history:?}: lost: {:?}", &live - found);
        assert!(!exact || found.is_subset(&live), "{history:?}: false conflict or resurrection: {:?}", found - &live);
    }
}

fn play_model(histories: &Histories, ids: &[[u8; 16]], history: &[Act]) -> Vec<Vec<Folder>> {
    let mut model = Model::new(ids);
    let mut witness = Witness::new(histories.sites);
    let mut folders = Vec::new();
    for act in history.iter().copied().chain(histories.rest()) {
        model.pass(histories.pause_ms);
        match act {
            Act::Write { site, at, .. } | Act::Delete { site, at } => {
                if let Some(path) = at.path(model.folder(site)) {
                    witness.see(act, model.folder(site).get(&path).copied());
                    match act {
                        Act::Write { text, .. } => model.write(site, &path, TEXTS[text]),
                        _ => model.delete(site, &path),
                    }
                    model.look(site);
                }
            }
            Act::Meet { a, b } => {
                witness.see(act, None);
                model.meet(a, b);
            }
        }
        folders.push((0..histories.sites).map(|site| model.folder(site).clone()).collect::<Vec<_>>());
    }
    let last = folders.last().expect("there is a meeting");
    assert!(last.windows(2).all(|pair| pair[0] == pair[1]), "{history:?}: the folders differ: {last:?}");
    witness.check(history, &last[0].values().copied().collect(), histories.pause_ms == LONG_MS);
    folders
}

/// Plays a history with engines; after every act their folders must be those of the model, and at the end they must
/// keep the rules. False if the folders went their own way, for want of bytes.
fn play_engine(histories: &Histories, history: &[Act]) -> bool {
    let (mut world, sites) = World::group(1, &vec![Tree::default(); histories.sites]);
    world.set_story(format!("{history:?}"));
    world.set_steps_max(10_000);
    for act in histories.rest() {
        let Act::Meet { a, b } = act else { continue };
        world.meet(sites[a], sites[b]);
    }
    let ids: Vec<[u8; 16]> = sites.iter().map(|site| replica(&world, *site)).collect();
    let expected = play_model(histories, &ids, history);
    let mut witness = Witness::new(histories.sites);
    let mut as_model = true;
    for (act, folders) in history.iter().copied().chain(histories.rest()).zip(expected) {
        world.pass(histories.pause_ms);
        match act {
            Act::Write { site, at, .. } | Act::Delete { site, at } => {
                let site = sites[site];
                let folder = folder_of(&world, site);
                if let Some(path) = at.path(&folder) {
                    witness.see(act, folder.get(&path).copied());
                    match act {
                        Act::Write { text, .. } => world[site].disk().write(&path, TEXTS[text]),
                        _ if folder.contains_key(&path) => world[site].disk().remove(&path),
                        _ => {}
                    }
                    world.rescan(site);
                }
            }
            Act::Meet { a, b } => {
                witness.see(act, None);
                world.meet(sites[a], sites[b]);
            }
        }
        for (site, folder) in sites.iter().zip(folders) {
            let found = folder_of(&world, *site);
            // In the model bytes are everywhere; here those that only an absent device has cannot stand yet, and what
            // people do meanwhile is another history.
            as_model &= found == folder || world[*site].root().waiting == 0;
            assert!(!as_model || found == folder, "{history:?}: after {act:?} found {found:?}, expected {folder:?}");
        }
    }
    world.assert_equal();
    assert!(sites.iter().all(|site| world[*site].status().quiet), "{history:?}: not quiet");
    assert!(sites.iter().all(|site| world[*site].root().waiting == 0), "{history:?}: something waits");
    let found = folder_of(&world, sites[0]).into_values().collect();
    witness.check(history, &found, as_model && histories.pause_ms == LONG_MS);
    as_model
}

fn replica(world: &World, site: SiteId) -> [u8; 16] {
    *world[site].status().replica.expect("the store was read").as_bytes()
}

fn folder_of(world: &World, site: SiteId) -> Folder {
    let tree = world[site].tree();
    let text = |item: &Item| match item {
        Item::File { bytes, .. } => {
            TEXTS.into_iter().find(|text| text.as_bytes() == bytes).expect("a text of the test")
        }
        other => panic!("only files were made, not {other:?}"),
    };
    tree.items().map(|(path, item)| (path.to_string(), text(item))).collect()
}

fn compare(histories: &Histories) {
    let (mut played, mut apart) = (0, 0);
    for length in 1..=histories.length {
        let histories = Histories { length, opening: histories.opening.clone(), ..*histories };
        histories.each(|history| {
            if !is_idle(&histories, history) {
                played += 1;
                apart += u64::from(!play_engine(&histories, history));
            }
        });
    }
    println!("{played} histories, {apart} of them not comparable for want of bytes");
    assert!(apart * 2 < played, "too little is compared");
}

/// An act changes nothing, so that the history is a shorter one: a text written over itself, a deletion of nothing, a
/// meeting right after the same one, or at the very end, where all meet anyway.
fn is_idle(histories: &Histories, history: &[Act]) -> bool {
    let mut model = Model::new(&vec![[0; 16]; histories.sites]);
    let meets = |act: &Act| matches!(act, Act::Meet { .. });
    let repeats = history.windows(2).any(|pair| meets(&pair[0]) && pair[0] == pair[1]);
    if repeats || history.first().is_some_and(meets) || (histories.sites == 2 && history.last().is_some_and(meets)) {
        return true;
    }
    history.iter().any(|act| {
        model.pass(histories.pause_ms);
        match *act {
            Act::Write { site, at, .. } | Act::Delete { site, at } => {
                let Some(path) = at.path(model.folder(site)) else { return true };
                let before = model.folder(site).get(&path).copied();
                let after = if let Act::Write { text, .. } = *act { Some(TEXTS[text]) } else { None };
                match after {
                    Some(text) => model.write(site, &path, text),
                    None => model.delete(site, &path),
                }
                model.look(site);
                before == after
            }
            Act::Meet { a, b } => {
                model.meet(a, b);
                false
            }
        }
    })
}

fn check_model(histories: &Histories) {
    let ids: Vec<[u8; 16]> = (1..=histories.sites as u8).map(|number| [number; 16]).collect();
    let count = histories.each(|history| drop(play_model(histories, &ids, history)));
    println!("{count} histories");
}

#[test]
fn engine_and_model_agree_on_two_replicas_in_quick_histories_of_six_acts() {
    compare(&Histories::new(2, 6, SHORT_MS));
}

#[test]
fn engine_and_model_agree_on_two_replicas_in_slow_histories_of_six_acts() {
    compare(&Histories::new(2, 6, LONG_MS));
}

#[test]
fn engine_and_model_agree_on_three_replicas_in_quick_histories_of_four_acts() {
    compare(&Histories::new(3, 4, SHORT_MS));
}

#[test]
fn engine_and_model_agree_on_three_replicas_in_slow_histories_of_four_acts() {
    compare(&Histories::new(3, 4, LONG_MS));
}

#[test]
fn engine_and_model_agree_on_a_conflict_in_quick_histories_of_three_acts() {
    compare(&Histories::of_a_conflict(3, SHORT_MS));
}

#[test]
fn engine_and_model_agree_on_a_conflict_in_slow_histories_of_three_acts() {
    compare(&Histories::of_a_conflict(3, LONG_MS));
}

#[test]
fn model_keeps_the_rules_on_two_replicas_in_all_histories_of_six_acts() {
    check_model(&Histories::new(2, 6, SHORT_MS));
    check_model(&Histories::new(2, 6, LONG_MS));
}

#[test]
fn model_keeps_the_rules_on_three_replicas_in_all_histories_of_four_acts() {
    check_model(&Histories::new(3, 4, SHORT_MS));
    check_model(&Histories::new(3, 4, LONG_MS));
}

#[test]
fn model_keeps_the_rules_in_all_histories_of_a_conflict() {
    check_model(&Histories::of_a_conflict(4, SHORT_MS));
    check_model(&Histories::of_a_conflict(4, LONG_MS));
}

//! What must always hold (DESIGN §10), checked while a world runs and when it has come to rest.
//!
//! The judge knows nothing of the engine's inside. It hears what people do, what hosts are asked for and answer, and
//! what goes over the wire, and draws its own conclusions.

mod blobs;
mod deletions;
mod displaced;
mod doubts;
mod grace;
mod ledger;
mod loads;
mod posts;
mod promise;
mod text;
mod versions;
mod work;

use std::{
    cell::RefCell,
    collections::{BTreeMap, BTreeSet},
    fmt,
    rc::Rc,
};

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{CommitItem, CommitResult, Failure, Hash, HashResult, LinkId, Now, Outcome, Put, ReplicaId, Work},
    engine::intended_path,
    log::Heads,
};

pub(crate) use self::text::family;
use self::{deletions::Deletions, displaced::Displaced, ledger::Ledger, posts::Posts, versions::Versions};
use crate::{Item, Torn, Tree};

/// The promises of DESIGN §10, by their numbers there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Invariant {
    /// 1. Every byte-version that a user made is live, or was replaced by someone to whose disk it had been shown.
    NoLoss,
    /// 2. Equal messages give equal folders.
    Convergence,
    /// 3. When faults stop, the group comes to rest, and then sends nothing.
    Quiescence,
    /// 4. What was deleted lives again only by an act of a user.
    NoResurrection,
    /// 5. Every deletion sent rests on two looks, a debounce apart, with the marker there; many at once wait for a person.
    Evidence,
    /// 6. A conflict copy stands only where neither version derives from the other.
    NoFalseConflict,
    /// 7. No number is used twice, and what a replica says that it holds it never takes back.
    Idempotency,
    /// 8. Whatever a crash leaves, each path holds old bytes or new ones, and nothing is told that was not saved.
    CrashSafety,
    /// 9. Work, memory and time follow limits and real data.
    Bounds,
    /// 10. No work names a path outside the root, or Syncline's own.
    Containment,
    /// 11. State comes only from messages that their authors wrote.
    Authority,
    /// §2.4: the engine never panics.
    NoPanic,
}

impl Invariant {
    /// All of them.
    pub const ALL: [Invariant; 12] = [
        Invariant::NoLoss,
        Invariant::Convergence,
        Invariant::Quiescence,
        Invariant::NoResurrection,
        Invariant::Evidence,
        Invariant::NoFalseConflict,
        Invariant::Idempotency,
        Invariant::CrashSafety,
        Invariant::Bounds,
        Invariant::Containment,
        Invariant::Authority,
        Invariant::NoPanic,
    ];

    /// A stable name for programs and people.
    pub fn name(self) -> &'static str {
        match self {
            Invariant::NoLoss => "no-loss",
            Invariant::Convergence => "convergence",
            Invariant::Quiescence => "quiescence",
            Invariant::NoResurrection => "no-resurrection",
            Invariant::Evidence => "evidence",
            Invariant::NoFalseConflict => "no-false-conflict",
            Invariant::Idempotency => "idempotency",
            Invariant::CrashSafety => "crash-safety",
            Invariant::Bounds => "bounds",
            Invariant::Containment => "containment",
            Invariant::Authority => "authority",
            Invariant::NoPanic => "no-panic",
        }
    }

    /// The invariant of a [`name`](Invariant::name).
    pub fn from_name(name: &str) -> Option<Invariant> {
        Invariant::ALL.into_iter().find(|invariant| invariant.name() == name)
    }
}

/// A promise that was broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// Which promise.
    pub invariant: Invariant,
    /// How, in a sentence.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.invariant.name(), self.message)
    }
}

/// Watches one world; clones are the same judge.
#[derive(Clone)]
pub struct Judge {
    state: Rc<RefCell<State>>,
}

struct State {
    /// An invariant that is not checked, to see whether another check finds what it finds.
    ignored: Option<Invariant>,
    found: Option<Violation>,
    /// The world does not come to an end, and whoever asked does not care.
    gave_up: bool,
    ledger: Ledger,
    deletions: Deletions,
    displaced: Displaced,
    versions: Versions,
    posts: Posts,
}

impl Judge {
    /// A judge of a new world, who looks away from one invariant if told so.
    pub fn new(ignored: Option<Invariant>) -> Judge {
        let state = State {
            ignored,
            found: None,
            gave_up: false,
            ledger: Ledger::default(),
            deletions: Deletions::default(),
            posts: Posts::default(),
            displaced: Displaced::default(),
            versions: Versions::default(),
        };
        Judge { state: Rc::new(RefCell::new(state)) }
    }

    /// Checks a promise.
    ///
    /// # Panics
    /// If it is broken; [`found`](Judge::found) then tells which it was.
    pub fn must(&self, invariant: Invariant, holds: bool, message: impl FnOnce() -> String) {
        if holds || self.state.borrow().ignored == Some(invariant) {
            return;
        }
        let violation = Violation { invariant, message: message() };
        let text = violation.to_string();
        self.state.borrow_mut().found.get_or_insert(violation);
        panic!("{text}");
    }

    /// Ends a world that would go on for ever, where the promise that it rests is not checked.
    ///
    /// # Panics
    /// Always: that is how a world ends before its time. [`has_given_up`](Judge::has_given_up) then tells why.
    pub(crate) fn give_up(&self) -> ! {
        self.state.borrow_mut().gave_up = true;
        panic!("the world does not come to rest");
    }

    /// The world was ended because it would go on for ever.
    pub(crate) fn has_given_up(&self) -> bool {
        self.state.borrow().gave_up
    }

    /// The promise that was broken.
    pub fn found(&self) -> Option<Violation> {
        self.state.borrow().found.clone()
    }

    /// An engine asks for a piece of work.
    pub(crate) fn asked(&self, site: usize, now: Now, own: Option<ReplicaId>, work: &Work) {
        let broken = work::check(site, work).and_then(|()| {
            let state = &mut *self.state.borrow_mut();
            if let Work::Commit { items, .. } = work {
                items.iter().for_each(|item| state.versions.asked(site, &item.path));
            }
            let Work::Save { writes } = work else { return Ok(()) };
            state.versions.doubts.saving(site);
            let saved = writes.iter().filter(|write| write.value.is_some());
            let intended = saved.filter_map(|write| intended_path(&write.key));
            intended.for_each(|path| state.versions.asked(site, &path));
            let messages = state.ledger.writes(site, own, writes)?;
            for (path, content) in messages.iter().flat_map(|message| state.ledger.versions_of(message)) {
                state.versions.loads.telling(site, now, &path, &content);
            }
            for message in &messages {
                let contents = state.ledger.contents_of(message);
                state.versions.telling(site, (message.author, message.counter), contents);
            }
            let deletions: Vec<_> = messages.iter().flat_map(|message| state.ledger.deletions_of(message)).collect();
            deletions.iter().try_for_each(|deletion| state.deletions.check(site, &deletion.path))?;
            let files = deletions.into_iter().filter(|deletion| deletion.is_file);
            state.deletions.check_many(site, &files.map(|deletion| deletion.path).collect())
        });
        self.report(broken);
    }

    /// All that an engine asked for and that is not done yet.
    pub(crate) fn burdened<'a>(&self, site: usize, under_way: impl Iterator<Item = &'a Work>) {
        self.report(work::check_burden(site, under_way));
    }

    /// A device carried out a piece of work.
    pub(crate) fn performed(&self, site: usize, now: Now, work: &Work, outcome: &Outcome, stood: &[Option<Vec<u8>>]) {
        if let (Work::FolderCreate { files, .. }, Outcome::FolderWritten { results }) = (work, outcome) {
            let broken = self.state.borrow_mut().posts.created(site, files, results);
            return self.report(broken);
        }
        let state = &mut *self.state.borrow_mut();
        match (work, outcome) {
            (Work::Probe { paths, .. }, Outcome::Probed { results, marker }) => {
                state.deletions.probed(site, now, paths, results, *marker);
            }
            (Work::Commit { items, .. }, Outcome::Committed { results }) => {
                for (index, item) in committed(items, results) {
                    let put = if let Put::File { content, .. } = &item.put { Some(content) } else { None };
                    let stood = stood.get(index).and_then(Option::as_ref);
                    state.versions.synced(site, &item.path, now, stood, put);
                    state.deletions.put(site, &item.path);
                }
            }
            (Work::Commit { items, .. }, Outcome::Failed { .. }) => {
                for item in items {
                    state.versions.unknown(site, &item.path);
                    state.deletions.put(site, &item.path);
                }
            }
            (Work::Save { .. }, Outcome::Saved) => {
                state.versions.doubts.saved(site);
                state.versions.loads.saved(site);
            }
            (Work::Hash { items, .. }, Outcome::Hashed { results }) => {
                for (item, result) in items.iter().zip(results) {
                    match result {
                        HashResult::Hashed { content, .. } => state.versions.looked(site, &item.path, Some(content)),
                        HashResult::Failed { failure: Failure::Missing } => {
                            state.versions.looked(site, &item.path, None)
                        }
                        // Nobody was shown what stands there.
                        HashResult::Failed { .. } => {}
                    }
                }
            }
            _ => {}
        }
    }

    /// An engine is told of what its device carried out. One that stops leaves it to the next start to look anywhere.
    pub(crate) fn told(&self, site: usize, is_stopping: bool, work: &Work, outcome: &Outcome) {
        let versions = &mut self.state.borrow_mut().versions;
        match (work, outcome) {
            (Work::Commit { items, .. }, Outcome::Committed { results }) => {
                for (item, result) in items.iter().zip(results) {
                    match result {
                        CommitResult::Committed { .. } => versions.doubts.told(site, &item.path),
                        CommitResult::Failed { .. } => versions.doubts.refused(site, &item.path),
                    }
                }
            }
            (Work::Hash { .. }, _) if is_stopping => {}
            (Work::Hash { items, .. }, _) => items.iter().for_each(|item| versions.doubts.told(site, &item.path)),
            (Work::Save { .. }, _) => versions.told_saved(site),
            _ => {}
        }
    }

    /// A device once created a file of this name in the message folder.
    pub(crate) fn has_created(&self, path: &str) -> bool {
        self.state.borrow().posts.has_created(path)
    }

    /// A device once created a file with these bytes in the message folder.
    pub(crate) fn was_created(&self, path: &str, bytes: &[u8]) -> bool {
        self.state.borrow().posts.was_created(path, bytes)
    }

    /// The contents that this device owes to who reads the message folder: those of versions that it wrote under these ids,
    /// in messages that ever stood there, and that no message replaces which did. With their sizes.
    pub(crate) fn owed(&self, own: &BTreeSet<ReplicaId>) -> BTreeMap<Hash, u64> {
        let state = self.state.borrow();
        blobs::owed(&state.ledger, &state.posts, own)
    }

    /// Files of the message folder that nobody has any more, nor will again, never were.
    pub(crate) fn forget_created(&self, is_left: impl Fn(&str) -> bool) {
        let paths: Vec<String> = self.state.borrow().posts.paths().map(String::from).collect();
        let gone: Vec<String> = paths.into_iter().filter(|path| !is_left(path)).collect();
        gone.iter().for_each(|path| self.state.borrow_mut().posts.forget(path));
    }

    /// A device lost what it knew of others and what it had told them.
    pub(crate) fn forgot_others(&self, site: usize) {
        self.state.borrow_mut().ledger.forgot(site);
    }

    /// Members that are no device of the world will be heard.
    pub fn admit_outsiders(&self) {
        self.state.borrow_mut().ledger.admit_outsiders();
    }

    /// This author is no device of the world, and will be heard.
    pub(crate) fn admit(&self, author: ReplicaId) {
        self.state.borrow_mut().ledger.admit(author);
    }

    /// How long a path must have been missing before its deletion is sent, in milliseconds.
    pub(crate) fn set_debounce(&self, milliseconds: u64) {
        self.state.borrow_mut().deletions.debounce_ms = milliseconds;
    }

    /// Someone, or a dying disk, turned what stood in a folder into something else.
    pub fn people_changed(&self, site: usize, now: Now, before: &Tree, after: &Tree) {
        let state = &mut *self.state.borrow_mut();
        state.deletions.stands(site, before);
        state.deletions.stands(site, after);
        state.versions.changed(site, now, before, after);
    }

    /// Someone loaded a file into an editor, or saved it from there: the editor has this text.
    pub(crate) fn loaded(&self, site: usize, path: &str, item: &Item) {
        self.state.borrow_mut().versions.loaded(site, path, item);
    }

    /// Someone saved a text from an editor at the path that it had loaded another one from.
    pub(crate) fn saved_loaded(&self, site: usize, now: Now, path: &str, before: &Tree, after: &Tree) {
        let state = &mut *self.state.borrow_mut();
        state.deletions.stands(site, after);
        state.versions.saved_loaded(site, now, path, before, after);
    }

    /// Someone said yes to many deletions of a device.
    pub(crate) fn allowed_deletions(&self, site: usize) {
        self.state.borrow_mut().deletions.allowed(site);
    }

    /// A device forgot everything: to it, what stands in its folder is new, and what was done there before is unknown.
    pub(crate) fn forgot(&self, site: usize, folder: &Tree) {
        let state = &mut *self.state.borrow_mut();
        state.deletions.stands(site, folder);
        state.versions.forgot(site, folder);
        state.ledger.forgot(site);
    }

    /// How much people have done so far: a time at which a device can be put back to.
    pub(crate) fn acts(&self) -> u64 {
        self.state.borrow().versions.acts()
    }

    /// A device was put back to what it was after so many `acts`, folder and memory: what was done there since, and not
    /// told, is forgotten. What stands on other devices now, `others`, the group knows of.
    pub(crate) fn rolled_back(&self, site: usize, acts: u64, before: &Tree, folder: &Tree, others: &[Tree]) {
        let state = &mut *self.state.borrow_mut();
        state.deletions.stands(site, folder);
        state.versions.rolled_back(site, acts, before, folder, others, |message| state.ledger.is_public(message));
        state.ledger.forgot(site);
    }

    /// A device is removed from the group: what it wrote may be void from now on.
    pub fn removed(&self, site: usize) {
        self.state.borrow_mut().ledger.removed(site);
    }

    /// The highest number that an author ever gave a message.
    pub(crate) fn highest_written(&self, author: ReplicaId) -> u64 {
        self.state.borrow().ledger.highest_written(author)
    }

    /// A program wrote to a file that it held open, and that lies in the history.
    pub(crate) fn wrote_displaced(&self, site: usize, number: u64, was: Vec<u8>, now: Vec<u8>) {
        self.state.borrow_mut().displaced.wrote(site, number, was, now);
    }

    /// Someone wrote to a file when its path was about to change hands, and a crash came before host or engine could see
    /// that: it lies in the history.
    pub(crate) fn raced(&self, site: usize, path: &str, number: u64, item: &Item) {
        let state = &mut *self.state.borrow_mut();
        state.versions.raced(site, path, item);
        if let Some(bytes) = item.bytes() {
            state.displaced.wrote(site, number, bytes.to_vec(), bytes.to_vec());
        }
    }

    /// A loss of power tore a file that lies in the history.
    pub(crate) fn displaced_torn(&self, site: usize, torn: &Torn) {
        self.state.borrow_mut().displaced.torn(site, torn);
    }

    /// Of the files that programs wrote to while they lay in the history, those that a loss of power put back: where they
    /// stand, what they held, and what they hold.
    pub(crate) fn came_back(
        &self,
        site: usize,
        path: impl Fn(u64) -> Option<String>,
    ) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        self.state.borrow_mut().displaced.came_back(site, path)
    }

    /// The world is at rest: what programs wrote to displaced files must lie in their device's history.
    pub(crate) fn check_displaced(&self, site: usize, history: &[&[u8]]) {
        let broken = self.state.borrow().displaced.check(site, history);
        self.report(broken);
    }

    /// A new engine starts on a device, whose configuration may allow any number of deletions.
    pub(crate) fn started(&self, site: usize, allows_deletions: bool) {
        let state = &mut *self.state.borrow_mut();
        state.ledger.started(site);
        state.deletions.started(site, allows_deletions);
        state.versions.started(site);
    }

    /// Someone asked a device to bring back what many deletions had removed.
    pub(crate) fn restored(&self, site: usize) {
        self.state.borrow_mut().versions.restored(site);
    }

    /// The wall clock of a device was moved: how long ago something was is no longer certain there.
    pub(crate) fn clock_moved(&self, site: usize) {
        self.state.borrow_mut().versions.clock_moved(site);
    }

    /// A device tells another what it holds.
    pub(crate) fn check_heads(&self, site: usize, link: LinkId, told: &Heads) {
        let broken = self.state.borrow_mut().ledger.told(site, link, told);
        self.report(broken);
    }

    /// The world is at rest: what stands everywhere must follow from what people did. `histories` are the bytes that
    /// devices keep of what was replaced.
    pub fn check_rest(&self, folder: &Tree, histories: &[&[u8]]) {
        let broken = self.state.borrow().versions.check(folder, histories, self.state.borrow().ignored);
        self.report(broken);
    }

    fn report(&self, result: Result<(), Violation>) {
        if let Err(Violation { invariant, message }) = result {
            self.must(invariant, false, || message);
        }
    }
}

fn committed<'a>(
    items: &'a [CommitItem],
    results: &'a [CommitResult],
) -> impl Iterator<Item = (usize, &'a CommitItem)> {
    let done = |result: &CommitResult| matches!(result, CommitResult::Committed { .. });
    items
        .iter()
        .zip(results)
        .enumerate()
        .filter(move |(_, (_, result))| done(result))
        .map(|(index, (item, _))| (index, item))
}

fn broken<T>(invariant: Invariant, message: String) -> Result<T, Violation> {
    Err(Violation { invariant, message })
}

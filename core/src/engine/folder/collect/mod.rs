//! Blobs that nothing needs any more are taken out of a folder by whoever put them there (§6.1).
//!
//! What dies is written down as it dies ([`note_dead`](Engine::note_dead)), in one save with the message that it dies of. So
//! the cost follows what died, and a blob that this store knows nothing of is never touched: it may belong to a message that
//! is still to come back to a device whose store was put back. Some time later a *pass* looks whether the message that a
//! content died of stands in the folder, where all who read it can learn of the death, and removes its blobs, but for those
//! that contents of living versions of this device have, too. Versions of others rely on their authors' blobs alone.
//!
//! Invariant: what lives is never collected
//! (`what_is_replaced_or_removed_leaves_the_folder_and_what_lives_stays`).

mod pass;

use alloc::vec::Vec;

use self::pass::{Dead, Pass, Record, Spared, Step, deaths};
use super::{Folder, FolderPurpose};
use crate::api::{Content, FolderId, FolderState, Hash, Key, LoadQuery, Monotonic, Outcome, ReplicaId, Work};
use crate::content::CHUNK_MIN;
use crate::engine::limits::{COLLECT_AGE_MS, EARLIER_SILENT_MS, LOAD_BYTES_MAX, MOMENT_MS};
use crate::engine::shared::Shared;
use crate::engine::{Engine, keys};
use crate::folder::{blob_path, message_path};
use crate::log::Dot;
use crate::planted::{Planted, planted};
use crate::tree::Body;
use crate::tree::merged::DeadContent;

/// A step of a pass that is at the host.
pub enum CollectPurpose {
    /// A page of what died.
    Dead,
    /// Whether the messages that contents died of stand in the folder.
    Prove {
        /// These contents.
        dead: Vec<Dead>,
    },
    /// How contents are cut that stay.
    CutSpared {
        /// Which.
        contents: Vec<Spared>,
    },
    /// How contents are cut that may go.
    CutDead {
        /// Which.
        dead: Vec<Dead>,
    },
    /// Blobs, out of the folder.
    Remove,
}

/// When what died is collected, and what is being collected.
pub struct Collection {
    next: Option<Monotonic>,
    pass: Option<Pass>,
    /// A step of it is at the host.
    in_flight: bool,
    is_removing: bool,
}

impl Default for Collection {
    /// What an earlier engine left is looked for first.
    fn default() -> Self {
        Self { next: Some(Monotonic::default()), pass: None, in_flight: false, is_removing: false }
    }
}

impl Collection {
    /// Blobs are being removed: whether one of them is there cannot be told.
    pub fn is_removing(&self) -> bool {
        self.is_removing
    }

    /// When the next pass may begin. One that is due already waits for something to happen.
    pub fn deadline(&self, now: Monotonic) -> Option<Monotonic> {
        self.next.filter(|next| now < *next)
    }

    /// A message that is about to be written needs these blobs.
    pub fn keep(&mut self, hashes: impl Iterator<Item = Hash>) {
        if let Some(pass) = &mut self.pass {
            pass.keep(hashes);
        }
    }

    fn plan(&mut self, now: Monotonic) {
        self.next.get_or_insert(now.plus(COLLECT_AGE_MS).plus(MOMENT_MS));
    }

    fn end(&mut self, now: Monotonic) {
        if self.pass.take().is_some_and(|pass| pass.is_again()) {
            self.plan(now);
        }
    }

    /// What cannot go on now is left for another pass.
    fn give_up(&mut self, now: Monotonic) {
        self.pass = None;
        self.plan(now);
    }
}

impl Engine {
    /// Writes down which contents of this device died, so that it is saved with what they died of.
    pub(in crate::engine) fn note_dead(&mut self) {
        for root in &mut self.roots {
            for (dead, of) in root.take_dead() {
                if self.shared.log.is_by_this_device(dead.version.author) && !planted(Planted::DeathNotNoted) {
                    self.folders.iter_mut().for_each(|folder| folder.note_dead(&mut self.shared, &dead, of));
                }
            }
        }
    }

    /// Goes on with what can be collected from each folder, until the host has something to do.
    pub(in crate::engine) fn collect_turn(&mut self) {
        for index in 0..self.folders.len() {
            self.begin_pass(index);
            while self.goes_on_collecting(index) {}
        }
    }

    /// Takes the next step of a pass; false if it is to go on later, or over.
    fn goes_on_collecting(&mut self, index: usize) -> bool {
        let now = self.shared.now.monotonic;
        let Some(folder) = self.folders.get_mut(index).filter(|folder| !folder.collection.in_flight) else {
            return false;
        };
        let Some(pass) = &mut folder.collection.pass else { return false };
        // Under an id that was given up another copy of this device's store may go on.
        if folder.state != FolderState::Following || pass.authors().first() != self.shared.log.own().as_ref() {
            folder.collection.give_up(now);
            return false;
        }
        let is_free = !folder.own.is_held() && folder.uploads.is_idle();
        let Some(step) = pass.next(is_free) else { return false };
        match step {
            Step::End => folder.collection.end(now),
            Step::Gather => self.spare_what_lives(index),
            Step::Forget(records) => {
                for (author, hash) in records {
                    self.shared.saver.remove(keys::dead(folder.config.id, author, &hash));
                }
            }
            step => folder.take_step(&mut self.shared, step),
        }
        true
    }

    /// Begins a pass if it is time, all that was written down is saved, and no message waits for blobs.
    fn begin_pass(&mut self, index: usize) {
        let is_whole = self.has_begun && !self.roots.is_empty() && !self.has_other_roots && !self.shared.dry_run;
        let is_saved = self.shared.draft.is_none() && self.shared.saver.is_idle();
        let Some(folder) = self.folders.get_mut(index).filter(|_| is_whole && is_saved) else { return };
        let is_due = folder.collection.next.is_some_and(|next| next <= self.shared.now.monotonic);
        let is_free = folder.collection.pass.is_none() && !folder.collection.in_flight;
        let is_free = is_free && !folder.own.is_held() && folder.uploads.is_idle();
        let Some(own) = self.shared.log.own().filter(|_| is_due && is_free) else { return };
        // An own message that is there and not held comes back to a store that was put back, and may need anything.
        let is_read = folder.feeds.get(&own).is_some_and(|feed| feed.index.is_clear());
        if folder.state != FolderState::Following || !is_read {
            return;
        }
        let (log, now) = (&self.shared.log, self.shared.now.unix);
        let earlier = log.members().filter(|member| member.replica != own && log.is_by_this_device(member.replica));
        let silent = earlier.filter(|member| member.last_written.plus(EARLIER_SILENT_MS) <= now);
        let mut authors: Vec<ReplicaId> = core::iter::once(own).chain(silent.map(|member| member.replica)).collect();
        if planted(Planted::OthersCollected) {
            authors.extend(folder.feeds.keys().filter(|author| **author != own));
        }
        folder.collection.next = None;
        folder.collection.pass = Some(Pass::new(keys::dead_of(folder.config.id), authors));
        folder.uploads.forget_done();
    }

    /// What lives stays.
    fn spare_what_lives(&mut self, index: usize) {
        let log = &self.shared.log;
        let Some(pass) = self.folders.get_mut(index).and_then(|folder| folder.collection.pass.as_mut()) else { return };
        for root in &self.roots {
            for version in root.living() {
                let author = version.order.dot().author;
                if let Body::Content(Content::File { hash, size }) = version.body
                    && log.is_by_this_device(author)
                {
                    let was_cut = log.own() == Some(author) || root.holder(&hash).is_some();
                    pass.spare(Spared { hash, size, was_cut });
                }
            }
        }
        pass.gathered();
    }

    pub(super) fn collected(&mut self, index: usize, purpose: CollectPurpose, outcome: Outcome) {
        let now = self.shared.now;
        let Some(folder) = self.folders.get_mut(index) else { return };
        (folder.collection.in_flight, folder.collection.is_removing) = (false, false);
        let Some(pass) = &mut folder.collection.pass else { return };
        let is_sound = match (purpose, outcome) {
            (CollectPurpose::Dead, Outcome::Loaded { pairs, more }) => pass.dead_read(pairs, more, now.unix),
            (CollectPurpose::Prove { dead }, Outcome::FolderProbed { results, .. }) => {
                pass.proven(dead, &results);
                true
            }
            (CollectPurpose::CutSpared { contents }, Outcome::Loaded { pairs, .. }) => {
                pass.spared_cut(&contents, &pairs);
                true
            }
            (CollectPurpose::CutDead { dead }, Outcome::Loaded { pairs, .. }) => {
                pass.dead_cut(&dead, &pairs);
                true
            }
            (CollectPurpose::Remove, Outcome::FolderWritten { results }) => {
                pass.removed(&results);
                true
            }
            _ => false,
        };
        if !is_sound {
            folder.collection.give_up(now.monotonic);
        }
    }
}

impl Folder {
    fn note_dead(&mut self, shared: &mut Shared, dead: &DeadContent, of: Dot) {
        let DeadContent { version, hash, size } = *dead;
        let of = (of != version).then_some((of.author, of.place.counter));
        let record = Record { size, died: shared.now.unix, of };
        match postcard::to_allocvec(&record) {
            Ok(value) => shared.saver.put(keys::dead(self.config.id, version.author, &hash), value),
            Err(_) => return shared.saver.fail(),
        }
        self.collection.plan(shared.now.monotonic);
        if let Some(pass) = &mut self.collection.pass {
            pass.died(hash, size);
        }
    }

    /// Has the host do what is next.
    fn take_step(&mut self, shared: &mut Shared, step: Step) {
        let folder: FolderId = self.config.id;
        let (purpose, work) = match step {
            Step::ReadDead(start) => {
                let query = LoadQuery::Range { start, end: keys::dead_end(folder), bytes_max: LOAD_BYTES_MAX };
                (CollectPurpose::Dead, Work::Load { query })
            }
            Step::Prove(dead) => {
                let paths = deaths(&dead).into_iter().map(|(author, counter)| message_path(author, counter));
                let work = Work::FolderProbe { folder, paths: paths.collect(), count: None };
                (CollectPurpose::Prove { dead }, work)
            }
            Step::CutSpared(contents) => {
                let work = load_manifests(contents.iter().map(|content| (&content.hash, content.size)));
                (CollectPurpose::CutSpared { contents }, work)
            }
            Step::CutDead(dead) => {
                let work = load_manifests(dead.iter().map(|dead| (&dead.hash, dead.record.size)));
                (CollectPurpose::CutDead { dead }, work)
            }
            Step::Remove(hashes) => {
                let authors = self.collection.pass.as_ref().map_or(&[][..], Pass::authors);
                let of_all = |hash| authors.iter().map(move |author| blob_path(*author, hash));
                let work = Work::FolderRemove { folder, paths: hashes.iter().flat_map(of_all).collect() };
                self.collection.is_removing = true;
                (CollectPurpose::Remove, work)
            }
            Step::Gather | Step::Forget(_) | Step::End => return,
        };
        self.collection.in_flight = true;
        self.perform(shared, FolderPurpose::Collect { purpose }, work);
    }
}

fn load_manifests<'a>(contents: impl Iterator<Item = (&'a Hash, u64)>) -> Work {
    let cut = contents.filter(|(_, size)| *size > u64::from(CHUNK_MIN));
    let keys = cut.map(|(hash, _)| Key { bytes: keys::manifest(hash) }).collect();
    Work::Load { query: LoadQuery::Keys { keys } }
}

//! One root on this device: its three trees, and what is being done about their differences.
//!
//! Data goes one way. *scan* finds what stands on disk, *evidence* makes sure of what does not, *absorb* turns both
//! into changes of the log; *project* finds what the view wants, *fetch* brings the content together, *commit* changes
//! the disk.

mod absorb;
mod awaited;
mod commit;
mod contents;
mod evidence;
mod fetch;
mod order;
mod orphans;
mod path_queue;
mod project;
mod projection;
mod retry;
mod scan;
mod standing;
mod unsent;

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

pub use commit::CommitBatch;
pub use fetch::{Arrival, ChunkWant, ManifestWant, StagedChunk};

use self::evidence::Evidence;
use self::fetch::Fetches;
use self::path_queue::PathQueue;
use self::projection::Projection;
use self::retry::{Cause, Retry};
use self::scan::{ListJob, Scan};
use self::unsent::Unsent;
use super::keys;
use super::limits::{DEPTH_MAX, PATH_BYTES_MAX};
use super::shared::Shared;
use crate::api::{
    Command, Content, Failure, Hint, Membership, Monotonic, NoticeCode, Outcome, RootConfig, RootId, StageId, Work,
};
use crate::log::Dot;
use crate::planted::{Planted, planted};
use crate::tree::base::{Base, BaseEntry, Intent, Standing};
use crate::tree::merged::{Claim, DeadContent, Merged};
use crate::tree::{Change, ChangeOrder, Name, path};

/// What a root asked for.
pub enum RootPurpose {
    /// A page of a directory.
    List(ListJob),
    /// Contents of these paths.
    Hash(Vec<String>),
    /// What stands at these paths, for the first time.
    Look(Vec<String>),
    /// Whether these paths are still missing.
    Confirm(Vec<String>),
    /// Chunks into staged files.
    Stage(Vec<StagedChunk>),
    /// Changes of the tree.
    Commit(CommitBatch),
    /// A manifest, for a file that is fetched.
    Manifest(StageId),
    /// Where chunks of a file that is fetched occur here, from this one on.
    Chunks(StageId, usize),
    /// Staged files of an earlier engine.
    Clean,
    /// Staged files that nobody needs.
    Discard,
}

/// How far a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    Loading,
    /// Waits for a first peer; then takes what it heard for what stood here if the folder was emptied on purpose.
    Joining {
        emptied: bool,
    },
    /// Takes everything in view for what stood here.
    Assuming,
    /// Compares the whole folder for the first time; nothing is changed on disk before that is done.
    Scanning,
    Following,
    Halted,
}

/// What the store knows of a root itself.
#[derive(Serialize, Deserialize)]
struct RootRecord {
    /// Its first scan is done: from now on what is missing was removed.
    scanned: bool,
}

/// One root.
pub struct Root {
    index: usize,
    id: RootId,
    membership: Membership,
    allow_deletions: bool,
    phase: Phase,
    /// The staging area is free of what an earlier engine left; nothing is staged before.
    is_clean: bool,
    merged: Merged,
    base: Base,
    scan: Scan,
    evidence: Evidence,
    projection: Projection,
    fetches: Fetches,
    /// Paths that something is being done about; nothing else is begun there.
    busy: BTreeSet<String>,
    /// Busy paths at which something else was seen meanwhile: they are looked at once they are free.
    again: BTreeSet<String>,
    retries: BTreeMap<String, Retry>,
    /// What was changed here and is not told.
    unsent: Unsent,
    /// Contents of versions that died, each with the version that it died of.
    dead: Vec<(DeadContent, Dot)>,
}

impl Root {
    /// A root of which nothing is known yet.
    pub fn new(index: usize, config: &RootConfig) -> Self {
        Self {
            index,
            id: config.id,
            membership: config.membership,
            allow_deletions: config.allow_deletions,
            phase: Phase::Loading,
            is_clean: false,
            merged: Merged::default(),
            base: Base::default(),
            scan: Scan::default(),
            evidence: Evidence::default(),
            projection: Projection::default(),
            fetches: Fetches::default(),
            busy: BTreeSet::new(),
            again: BTreeSet::new(),
            retries: BTreeMap::new(),
            unsent: Unsent::default(),
            dead: Vec::new(),
        }
    }

    /// Takes a base entry, or the root's own record, from the store; none if it makes no sense.
    pub fn restore_base(&mut self, path: &str, value: &[u8]) -> Option<()> {
        if path.is_empty() {
            let record: RootRecord = postcard::from_bytes(value).ok()?;
            // It is a member by now, whatever the configuration says it began as.
            if record.scanned {
                self.membership = Membership::Founder;
            }
            return Some(());
        }
        let mut entry: BaseEntry = postcard::from_bytes(value).ok()?;
        let (directory, name) = path::split(path).filter(|_| is_workable(path))?;
        entry.intent = self.base.entry(directory, &name).and_then(|entry| entry.intent.clone());
        self.base.set(directory, &name, entry);
        Some(())
    }

    /// Takes a path's intent from the store, a change that may or may not have been made; none if it makes no sense.
    pub fn restore_intent(&mut self, path: &str, value: &[u8]) -> Option<()> {
        let intent: Intent = postcard::from_bytes(value).ok()?;
        let (directory, name) = path::split(path).filter(|_| is_workable(path))?;
        if !planted(Planted::IntentsIgnored) {
            self.base.set_intent(directory, &name, Some(intent));
        }
        Some(())
    }

    /// Everything is read from the store.
    pub fn start(&mut self, shared: &mut Shared) {
        self.phase = match self.membership {
            Membership::Founder => Phase::Scanning,
            Membership::Joiner => Phase::Joining { emptied: false },
            Membership::Emptied => Phase::Joining { emptied: true },
        };
        self.forget_orphans(shared);
        let clean = Work::Discard { root: self.id, stages: Vec::new() };
        shared.perform_for(self.index, RootPurpose::Clean, clean);
        // Every claim is compared once: what the messages of the store had marked is among them.
        self.projection = Projection::default();
        self.projection.sweep(String::new());
        if self.phase == Phase::Scanning {
            self.base.intended_anew().into_iter().for_each(|path| self.look(path));
            self.scan.add(ListJob::below(String::new()));
        }
    }

    /// A peer was heard: what it has is held here.
    pub fn heard(&mut self) {
        if let Phase::Joining { emptied } = self.phase {
            self.phase = if emptied { Phase::Assuming } else { Phase::Scanning };
            if !emptied {
                self.scan.add(ListJob::below(String::new()));
            }
        }
    }

    /// Takes a change of the log.
    pub fn apply(&mut self, order: ChangeOrder, change: &Change) {
        let effects = self.merged.apply(order, change);
        for claim in effects.claims {
            self.mark_claim(&claim);
        }
        self.dead.extend(effects.dead.into_iter().map(|dead| (dead, order.dot())));
    }

    /// A watcher saw something.
    pub fn changed(&mut self, hints: Vec<Hint>) {
        if !matches!(self.phase, Phase::Scanning | Phase::Following) {
            return;
        }
        if hints.is_empty() {
            self.scan.add(ListJob::below(String::new()));
        }
        for hint in hints.into_iter().filter(|hint| is_workable(&hint.directory)) {
            self.scan.add(ListJob { directory: hint.directory, recursive: hint.recursive, after: None });
        }
    }

    /// A person or the application asks for something.
    pub fn command(&mut self, shared: &mut Shared, command: &Command) {
        match command {
            Command::Rescan { .. } => self.changed(Vec::new()),
            Command::AllowDeletions { .. } => self.allow_held(shared),
            Command::RestoreDeletions { .. } | Command::Revert { .. } if !shared.mode.takes() => {
                shared.notify(NoticeCode::NotPermitted, "this device takes nothing from the group: nothing comes back");
            }
            Command::RestoreDeletions { .. } => self.restore_held(shared),
            Command::Revert { .. } => self.revert(shared),
            Command::Retry { .. } => self.retry_all(),
            Command::Publish { .. }
            | Command::Appoint { .. }
            | Command::Remove { .. }
            | Command::SetMode { .. }
            | Command::DiscardHeld { .. }
            | Command::ReleaseHeld { .. }
            | Command::WriteRows { .. }
            | Command::ReadRows { .. }
            | Command::Poll { .. }
            | Command::Settle => {}
        }
    }

    /// Takes the outcome of work that it asked for.
    pub fn completed(&mut self, shared: &mut Shared, purpose: RootPurpose, outcome: Outcome) {
        match (purpose, outcome) {
            (RootPurpose::List(job), Outcome::Listed { listing, more, marker }) => {
                self.listed(shared, job, &listing, more, marker);
            }
            (RootPurpose::List(job), Outcome::Failed { failure }) => self.list_failed(shared, job, failure),
            (RootPurpose::Hash(paths), Outcome::Hashed { results }) => self.hashed(shared, paths, results),
            (RootPurpose::Hash(paths), Outcome::Failed { failure }) => self.hash_failed(shared, paths, &failure),
            (RootPurpose::Look(paths), Outcome::Probed { results, marker }) => {
                self.looked(shared, paths, results, marker);
            }
            (RootPurpose::Confirm(paths), Outcome::Probed { results, marker }) => {
                self.confirmed(shared, paths, results, marker);
            }
            (RootPurpose::Look(paths) | RootPurpose::Confirm(paths), Outcome::Failed { failure }) => {
                self.look_failed(shared, paths, &failure);
            }
            (RootPurpose::Stage(chunks), Outcome::Staged { results }) => self.staged(shared, chunks, results),
            (RootPurpose::Stage(chunks), Outcome::Failed { failure }) => self.stage_failed(shared, chunks, &failure),
            (RootPurpose::Commit(batch), Outcome::Committed { results }) => self.committed(shared, batch, results),
            (RootPurpose::Commit(batch), Outcome::Failed { failure }) => self.commit_failed(shared, batch, &failure),
            (RootPurpose::Manifest(stage), Outcome::Loaded { pairs, .. }) => {
                self.manifest_loaded(shared, stage, pairs);
            }
            (RootPurpose::Chunks(stage, first), Outcome::Loaded { pairs, .. }) => {
                self.chunks_loaded(shared, stage, first, pairs);
            }
            (RootPurpose::Manifest(stage) | RootPurpose::Chunks(stage, _), Outcome::Failed { .. }) => {
                self.lookup_failed(shared, stage);
            }
            (RootPurpose::Clean, Outcome::Discarded | Outcome::Failed { .. }) => self.is_clean = true,
            (RootPurpose::Discard, Outcome::Discarded | Outcome::Failed { .. }) => {}
            (purpose, _) => {
                shared.notify(NoticeCode::HostError, "a completion has an outcome of another kind than its work");
                self.give_up(shared, purpose);
            }
        }
    }

    /// Does a bounded share of what is due.
    pub fn turn(&mut self, shared: &mut Shared) {
        self.wake_retries(shared.now.monotonic);
        match self.phase {
            Phase::Loading | Phase::Joining { .. } | Phase::Halted => {}
            Phase::Assuming => self.assume(shared),
            Phase::Scanning => {
                self.scan_turn(shared);
                self.evidence_turn(shared);
                if self.scan.is_idle() {
                    self.first_scan_done(shared);
                }
            }
            Phase::Following => {
                self.scan_turn(shared);
                self.evidence_turn(shared);
                if self.is_clean {
                    self.project_turn(shared);
                    self.fetch_turn(shared);
                }
            }
        }
    }

    /// More is due at once, without any event from outside.
    pub fn wants_turn(&self) -> bool {
        match self.phase {
            Phase::Scanning => self.evidence.wants_turn() || self.scan.wants_turn(),
            Phase::Following => {
                let projects = self.wants_projection() || self.late_is_due() || self.fetches.wants_turn();
                self.evidence.wants_turn() || self.scan.wants_turn() || self.is_clean && projects
            }
            Phase::Assuming => true,
            _ => false,
        }
    }

    /// When time alone makes something due.
    pub fn deadline(&self) -> Option<Monotonic> {
        let retries =
            self.retries.values().filter_map(|retry| retry.at.filter(|_| !planted(Planted::RetryWithoutDeadline)));
        match self.phase {
            Phase::Scanning | Phase::Following => retries.chain(self.evidence.deadline()).min(),
            _ => None,
        }
    }

    /// Its id.
    pub fn id(&self) -> RootId {
        self.id
    }

    fn first_scan_done(&mut self, shared: &mut Shared) {
        self.phase = Phase::Following;
        self.membership = Membership::Founder;
        if let Ok(record) = postcard::to_allocvec(&RootRecord { scanned: true }) {
            shared.saver.put(keys::base(self.id, ""), record);
        }
    }

    /// The marker is gone: what is missing was not removed by anyone (§8.6).
    fn halt(&mut self, shared: &mut Shared) {
        if self.phase != Phase::Halted {
            self.phase = Phase::Halted;
            let message =
                "the folder's marker is missing: it was unmounted, emptied or replaced, so nothing is changed";
            shared.notify_about(NoticeCode::RootMissing, message, Some(self.id), None);
        }
    }

    fn mark_claim(&mut self, claim: &Claim) {
        if let Some(directory) = self.directory_of(claim) {
            self.projection.mark(&directory, &claim.name);
            if let Some(plain) = crate::tree::conflict::plain_name(&claim.name) {
                self.projection.mark(&directory, &plain);
            }
        }
    }

    /// Something in a directory is gone: what stands at its path may wait for that, to be taken away. That need not be a
    /// directory any more.
    fn mark_parent(&mut self, directory: &str) {
        if let Some((parent, name)) = path::split(directory) {
            self.projection.mark(parent, &name);
        }
    }

    /// The path of the directory in which a claim is shown; none while a directory on the way is not held, or where
    /// the path would pass the limits.
    fn directory_of(&self, claim: &Claim) -> Option<String> {
        let mut names: Vec<&Name> = Vec::new();
        let mut next = claim.parent;
        let mut bytes = 0usize;
        while let Some(id) = next {
            let (parent, name) = self.merged.placement(&id)?;
            names.push(name);
            bytes = bytes.saturating_add(name.len()).saturating_add(1);
            if names.len() >= DEPTH_MAX || bytes > PATH_BYTES_MAX {
                return None;
            }
            next = parent;
        }
        Some(names.iter().rev().fold(String::with_capacity(bytes), |path, name| path::join(&path, name)))
    }

    fn store_base(&self, shared: &mut Shared, directory: &str, name: &str) {
        let key = keys::base(self.id, &path::join(directory, name));
        match self.base.entry(directory, name).filter(|entry| entry.standing.is_some() || entry.retained) {
            Some(entry) => {
                if let Some(Standing { content: Content::File { hash, .. }, .. }) = &entry.standing {
                    shared.landed.push(*hash);
                }
                match postcard::to_allocvec(entry) {
                    Ok(value) => shared.saver.put(key, value),
                    Err(_) => shared.saver.fail(),
                }
            }
            None => shared.saver.remove(key),
        }
    }

    /// Ends what was done about a path: it is compared with the view again, and looked at if something was seen there.
    fn free(&mut self, path: &str) {
        self.busy.remove(path);
        self.projection.reconsider_kept();
        if let Some((directory, name)) = path::split(path)
            && !planted(Planted::BusyPathForgotten)
        {
            self.projection.mark(directory, &name);
        }
        if self.again.remove(path) {
            self.look(path.to_string());
        }
    }

    fn give_up(&mut self, shared: &mut Shared, purpose: RootPurpose) {
        let failure = Failure::Other { message: "the host answered with an outcome of another kind".to_string() };
        self.completed(shared, purpose, Outcome::Failed { failure });
    }
}

/// A path that work may name: the root itself, or made of names, within the limits, and not in Syncline's own folder.
fn is_workable(path: &str) -> bool {
    let is_path = path.is_empty() || path.split('/').all(|name| Name::new(name).is_ok());
    is_path && path::depth(path) <= DEPTH_MAX && path.len() <= PATH_BYTES_MAX && !scan::is_reserved(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn root() -> Root {
        let id = RootId::from_bytes([7; 16]);
        Root::new(0, &RootConfig { id, membership: Membership::Founder, allow_deletions: false })
    }

    #[test]
    fn a_store_that_names_places_outside_the_root_is_refused() {
        let entry = postcard::to_allocvec(&BaseEntry { retained: true, ..BaseEntry::default() }).unwrap();
        let intent = postcard::to_allocvec(&Intent::moved_away()).unwrap();
        let long = "x/".repeat(DEPTH_MAX) + "x";
        for path in ["..", "../x", "/etc", "a//b", "a/../b", ".syncline", ".SYNCLINE/store", "a\0b", "a/", &long] {
            assert_eq!(root().restore_base(path, &entry), None, "{path:?}");
            assert_eq!(root().restore_intent(path, &intent), None, "{path:?}");
        }
        for path in ["a", "a/b", "a/.syncline", "..."] {
            assert_eq!(root().restore_base(path, &entry), Some(()), "{path:?}");
            assert_eq!(root().restore_intent(path, &intent), Some(()), "{path:?}");
        }
    }
}

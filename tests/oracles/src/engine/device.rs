//! One engine, the device under it, and the work that waits.

use serde::{Deserialize, Serialize};
use syncline_core::{
    Engine,
    api::{
        Action, CommitResult, CompactionConfig, Config, Content, EntryKind, Event, Failure, HashResult, LinkId,
        Membership, Now, Outcome, ProbeResult, Put, ReadResult, RootConfig, Seed, StageResult, Stat, TaskId, Work,
    },
};
use syncline_sim::{Clock, Disk, Host, Item, ROOT};

use super::{folder_rules::FolderRules, rows::RowRules, rules::Rules};
use crate::{
    member::{Member, group},
    memory,
};

/// What an engine may hold beyond what it was told, and take for one call.
const ENGINE_BYTES: u64 = 1 << 20;

/// What it may hold for each byte that it was told: what is known of a path stands in a few sorted maps.
const HELD_BYTES_EACH: u64 = 256;

/// Places in a staged file that a host with little memory still takes.
const STAGED_BYTES_MAX: u64 = 16 << 20;

/// The other member of the group.
pub(crate) const OTHER: u8 = 0xee;

/// The places that people use.
const PATHS: [&str; 12] =
    ["a", "b", "d", "d/a", "d/b", "d/e", "d/e/f", "A", "e\u{301}", "\u{e9}", "a (conflict 00000000)", "x.tar.gz"];

/// What people do to a folder. What makes no sense there is not done.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Edit {
    /// A file is written anew.
    Write { path: u8, bytes: Vec<u8> },
    /// A file of this many bytes, all different, so that it has several chunks.
    Large { path: u8, seed: u8, kib: u16 },
    /// Whatever stands there goes.
    Remove { path: u8 },
    /// Something is renamed.
    Rename { from: u8, to: u8 },
    /// A directory.
    Directory { path: u8 },
    /// A link.
    Symlink { path: u8, target: Vec<u8> },
    /// Other permission bits.
    Mode { path: u8, mode: u16 },
    /// The folder is unmounted or comes back.
    Marker(bool),
    /// The disk is full from now on, or is not.
    Full(bool),
}

/// An engine and what is under it.
pub(crate) struct Device {
    pub engine: Engine,
    pub host: Host,
    pub rules: Rules,
    /// Work that waits, in the order in which it was asked for.
    pub pending: Vec<(TaskId, Work)>,
    /// What links were given.
    pub sent: Vec<(LinkId, Vec<u8>)>,
    /// Links that the engine closed.
    pub closed: Vec<LinkId>,
    /// Of all that the engine answered.
    digest: blake3::Hasher,
    told_bytes: u64,
    held_bytes: i64,
    /// What rows may take besides.
    rows_bytes: u64,
    measured: bool,
}

/// The configuration of a device.
pub(crate) fn config(number: u8, membership: Membership) -> Config {
    Config {
        group: group(),
        identity: vec![number; 32],
        name: format!("device {number}"),
        roots: vec![RootConfig { id: ROOT, membership, allow_deletions: false }],
        debounce_ms: 200,
        folders: Vec::new(),
        delivery: None,
        records: None,
        compaction: CompactionConfig::default(),
        dry_run: false,
    }
}

impl Device {
    /// An engine that was not started, on a device with this folder and store.
    pub fn new(config: Config, seed: u8, host: Host) -> Device {
        let folder = config.folders.first().map(|folder| {
            let delivered = config.delivery.as_ref().map_or(0, |delivery| delivery.delivered);
            FolderRules::new(folder.id, Member::new(OTHER).author(), delivered)
        });
        let rows = config.records.as_ref().map(RowRules::new);
        // Rows of keys that are written out, once in a message and once for each row.
        let rows_bytes = if rows.is_some() { 2 * memory::KEYS_BYTES } else { 0 };
        let rules = Rules::new(config.roots.first().map(|root| root.id), folder, rows);
        let engine = Engine::new(config, Seed { bytes: vec![seed; 32] }).expect("a sound configuration");
        Device {
            engine,
            host,
            rules,
            pending: Vec::new(),
            sent: Vec::new(),
            closed: Vec::new(),
            digest: blake3::Hasher::new(),
            told_bytes: 0,
            held_bytes: 0,
            rows_bytes,
            measured: true,
        }
    }

    /// A device with an empty folder.
    pub fn empty(config: Config, seed: u8, clock: &Clock) -> Device {
        Device::new(config, seed, Host::new(ROOT, Disk::new(clock.clone())))
    }

    /// Memory is no longer counted.
    pub fn unmeasured(mut self) -> Device {
        self.measured = false;
        self
    }

    /// Memory is counted.
    pub fn is_measured(&self) -> bool {
        self.measured
    }

    /// Tells the engine something and holds its answer against the rules.
    pub fn tell(&mut self, now: Now, event: Event) {
        self.rules.told(&event);
        let actions = if self.measured { self.measure(now, event) } else { self.engine.handle(now, event) };
        self.digest.update(&self.rules.check(&actions));
        for action in actions {
            match action {
                Action::Perform { task, work } => self.pending.push((task, work)),
                Action::Send { link, bytes } => self.sent.push((link, bytes)),
                Action::Close { link, .. } => self.closed.push(link),
                Action::Cancel { .. }
                | Action::Notify { .. }
                | Action::Published { .. }
                | Action::RowsWritten { .. }
                | Action::RowsRead { .. }
                | Action::RowsChanged { .. }
                | Action::Stopped => {}
            }
        }
        let _ = self.engine.deadline();
    }

    fn measure(&mut self, now: Now, event: Event) -> Vec<Action> {
        let length = postcard::to_stdvec(&event).expect("events are plain data").len();
        self.told_bytes += length as u64;
        let held = HELD_BYTES_EACH * self.told_bytes;
        let limit = ENGINE_BYTES + self.rows_bytes + memory::of_reading(length) + held;
        let (actions, kept) = memory::kept_within(limit, || self.engine.handle(now, event));
        self.held_bytes += kept;
        assert!(
            self.held_bytes <= (ENGINE_BYTES + self.rows_bytes + held) as i64,
            "{} bytes are held after {} were told",
            self.held_bytes,
            self.told_bytes
        );
        actions
    }

    /// Takes work away, to be answered in whatever way.
    pub fn take(&mut self, index: usize) -> Option<(TaskId, Work)> {
        if self.pending.is_empty() {
            return None;
        }
        Some(self.pending.remove(index % self.pending.len()))
    }

    /// Does work as an honest device does.
    pub fn perform(&mut self, work: Work) -> Outcome {
        match &work {
            Work::Stage { items, .. } if items.iter().any(|item| item.offset > STAGED_BYTES_MAX) => {
                Outcome::Failed { failure: Failure::NoSpace }
            }
            _ => self.host.perform(work),
        }
    }

    /// Does work as a device does whose disk and store are not what the engine was told.
    pub fn pretend(&mut self, work: Work) -> Outcome {
        match &work {
            Work::FolderList { .. }
            | Work::FolderProbe { .. }
            | Work::FolderRead { .. }
            | Work::FolderCreate { .. }
            | Work::FolderRemove { .. }
            | Work::FolderFetch { .. }
            | Work::Deliver { .. }
            | Work::ApplyRows { .. } => self.perform(work),
            _ => plausible(&work),
        }
    }

    /// A hash of all that the engine answered.
    pub fn digest(&self) -> blake3::Hash {
        self.digest.finalize()
    }

    /// What people do.
    pub fn edit(&mut self, edit: &Edit) {
        let disk = &mut self.host.disk;
        let tree = disk.tree();
        let name = |index: u8| PATHS[usize::from(index) % PATHS.len()];
        let is_directory = |path: &str| matches!(tree.at(path), Some(Item::Directory { .. }));
        let above = |path: &str| path.rsplit_once('/').map_or("", |(above, _)| above).to_owned();
        let has_place = |path: &str| {
            let above = above(path);
            std::iter::successors(Some(above.as_str()), |path| path.rsplit_once('/').map(|(above, _)| above))
                .all(|path| path.is_empty() || tree.at(path).is_none() || is_directory(path))
        };
        let is_free = |path: &str| tree.at(path).is_none() && has_place(path);
        match edit {
            Edit::Write { path, bytes } if !is_directory(name(*path)) && has_place(name(*path)) => {
                if !matches!(tree.at(name(*path)), None | Some(Item::File { .. })) {
                    disk.remove(name(*path));
                }
                disk.write(name(*path), bytes);
            }
            Edit::Large { path, seed, kib } if is_free(name(*path)) => {
                let mut bytes = vec![0; usize::from(*kib % 512) << 10];
                fastrand::Rng::with_seed(u64::from(*seed)).fill(&mut bytes);
                disk.write(name(*path), bytes);
            }
            Edit::Remove { path } if tree.at(name(*path)).is_some() => disk.remove(name(*path)),
            Edit::Rename { from, to } if tree.at(name(*from)).is_some() && is_free(name(*to)) => {
                let (from, to) = (name(*from), name(*to));
                if !to.starts_with(&format!("{from}/")) && (above(to).is_empty() || is_directory(&above(to))) {
                    disk.rename(from, to);
                }
            }
            Edit::Directory { path } if is_free(name(*path)) => disk.mkdir(name(*path)),
            Edit::Symlink { path, target } if is_free(name(*path)) => {
                let target: Vec<u8> = target.iter().map(|byte| *byte.max(&1)).take(100).collect();
                disk.symlink(name(*path), if target.is_empty() { b"t".to_vec() } else { target });
            }
            // Of no bits at all an engine learns nothing: that is how a platform without them looks.
            Edit::Mode { path, mode } if tree.at(name(*path)).is_some() && mode & 0o777 != 0 => {
                disk.chmod(name(*path), mode & 0o777);
            }
            Edit::Marker(there) => disk.set_marker(*there),
            Edit::Full(full) => disk.space(full.then_some(0)),
            _ => {}
        }
    }
}

/// An outcome that fits work on a disk or store and comes from no device.
fn plausible(work: &Work) -> Outcome {
    let stat =
        Stat { kind: EntryKind::File, size: 3, mode: 0o644, modified_ns: 5, changed_ns: 5, file_id: 9, settled: true };
    let content = Content::File { hash: syncline_core::content::chunk_hash(b"abc"), size: 3 };
    let read = |length: u32| vec![7; length.min(64 << 10) as usize];
    match work {
        Work::Load { .. } => Outcome::Loaded { pairs: Vec::new(), more: false },
        Work::Save { .. } => Outcome::Saved,
        Work::List { .. } => Outcome::Listed { listing: Vec::new(), more: false, marker: true },
        Work::Probe { paths, .. } => {
            let results = paths.iter().map(|_| ProbeResult::Failed { failure: Failure::Missing }).collect();
            Outcome::Probed { results, marker: true }
        }
        Work::Hash { items, .. } => {
            let hashed = HashResult::Hashed { content, stat, manifest: Vec::new() };
            Outcome::Hashed { results: vec![hashed; items.len()] }
        }
        Work::Read { ranges, .. } => {
            let results = ranges.iter().map(|range| ReadResult::Bytes { bytes: read(range.length) }).collect();
            Outcome::Read { results }
        }
        Work::Stage { items, .. } => Outcome::Staged { results: vec![StageResult::Staged; items.len()] },
        Work::Commit { items, .. } => {
            let results =
                items.iter().map(|item| CommitResult::Committed { stat: put_stat(&item.put, stat) }).collect();
            Outcome::Committed { results }
        }
        Work::Discard { .. } => Outcome::Discarded,
        other => panic!("expected work on a disk or store, found {other:?}"),
    }
}

fn put_stat(put: &Put, stat: Stat) -> Option<Stat> {
    let kind = match put {
        Put::File { .. } | Put::Mode { .. } => EntryKind::File,
        Put::Symlink { .. } => EntryKind::Symlink,
        Put::Directory { .. } => EntryKind::Directory,
        Put::Nothing => return None,
    };
    Some(Stat { kind, ..stat })
}

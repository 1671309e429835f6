//! Changing the tree: compare, then write, and never lose what stood there.
//!
//! Order on disk: staged bytes first (one `fsync` each, or one `syncfs` for many), then the renames, then the
//! directories that changed. The store commits after that, when the engine hears of the completion.

use std::collections::HashMap;
use std::sync::Arc;

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Timespec, Timestamps, UTIME_OMIT, fsync};
use rustix::io::Errno;
use syncline_core::api::{CommitItem, CommitResult, Content, EntryKind, Failure, Outcome, Put, StageId, Stat};

use super::failure::{change_failure, failure, other_failure};
use super::history::{Displaced, Slot};
use super::mode::{change_mode, set_directory_mode};
use super::rename::{exchange, rename_new};
use super::stage::stage_name;
use super::stat::{permissions, same, same_change, stat_at, stat_of};
use super::tree::{Directories, reopen};
use super::{Disk, Own};

/// More files or directories than this are put on disk by one `syncfs` instead of one `fsync` each.
const FSYNC_EACH_MAX: usize = 16;
const SECOND_NS: i64 = 1_000_000_000;

impl Disk {
    /// Makes the changes, in order.
    pub(crate) fn commit(&self, items: &[CommitItem]) -> Outcome {
        let Some(own) = &self.own else { return self.pretend(items) };
        let prepared = match prepare(own, items) {
            Ok(prepared) => prepared,
            Err(errno) => return Outcome::Failed { failure: sync_failure("the staged files", errno) },
        };
        let mut commit = Commit::new(self, own);
        let results = items
            .iter()
            .zip(prepared)
            .map(|(item, prepared)| match prepared.and_then(|()| commit.apply(item)) {
                Ok(stat) => CommitResult::Committed { stat },
                Err(failure) => CommitResult::Failed { failure },
            })
            .collect();
        match commit.sync() {
            Ok(()) => Outcome::Committed { results },
            Err(errno) => Outcome::Failed { failure: sync_failure("the changed directories", errno) },
        }
    }
}

fn sync_failure(what: &str, errno: Errno) -> Failure {
    match failure(errno) {
        Failure::Other { message } => other_failure(&format!("cannot put {what} on disk: {message}")),
        failure => failure,
    }
}

/// Gives staged files their mode and time and puts them on disk.
fn prepare(own: &Own, items: &[CommitItem]) -> Result<Vec<Result<(), Failure>>, Errno> {
    let files = items.iter().filter(|item| matches!(item.put, Put::File { .. })).count();
    let each = files <= FSYNC_EACH_MAX;
    let mut prepared = Vec::with_capacity(items.len());
    for item in items {
        prepared.push(match &item.put {
            Put::File { stage, content, mode, modified_ns } => {
                match finish_staged(own, *stage, content, *mode, *modified_ns) {
                    Ok(file) if each => {
                        fsync(&file)?;
                        Ok(())
                    }
                    result => result.map(|_| ()),
                }
            }
            _ => Ok(()),
        });
    }
    if !each {
        sync_all(own)?;
    }
    Ok(prepared)
}

fn finish_staged(
    own: &Own,
    stage: StageId,
    content: &Content,
    mode: u16,
    modified_ns: i64,
) -> Result<Arc<OwnedFd>, Failure> {
    let file = own.staging.file(stage).map_err(failure)?;
    let stat = stat_of(&file).map_err(failure)?;
    match content {
        Content::File { size, .. } if *size == stat.size => {}
        _ => return Err(Failure::Corrupt),
    }
    rustix::fs::fchmod(&file, permissions(mode)).map_err(failure)?;
    let times = Timestamps {
        last_access: Timespec { tv_sec: 0, tv_nsec: UTIME_OMIT },
        last_modification: Timespec {
            tv_sec: modified_ns.div_euclid(SECOND_NS),
            tv_nsec: modified_ns.rem_euclid(SECOND_NS),
        },
    };
    rustix::fs::futimens(&file, &times).map_err(failure)?;
    Ok(file)
}

fn sync_all(own: &Own) -> Result<(), Errno> {
    #[cfg(any(target_os = "linux", target_os = "android"))]
    return rustix::fs::syncfs(reopen(own.staging.directory())?);
    #[cfg(not(any(target_os = "linux", target_os = "android")))]
    {
        let _ = own;
        rustix::fs::sync();
        Ok(())
    }
}

/// One batch being made.
struct Commit<'d> {
    own: &'d Own,
    directories: Directories<'d>,
    displaced: Displaced<'d>,
    /// Directories whose entries changed, by path.
    changed: HashMap<String, Arc<OwnedFd>>,
    many_changed: bool,
    swaps: bool,
}

/// Where an item stands.
struct Target<'p> {
    path: &'p str,
    directory: Arc<OwnedFd>,
    name: &'p str,
}

impl<'d> Commit<'d> {
    fn new(disk: &'d Disk, own: &'d Own) -> Self {
        Commit {
            own,
            directories: Directories::new(&disk.tree),
            displaced: Displaced::new(&own.history),
            changed: HashMap::new(),
            many_changed: false,
            swaps: disk.swaps,
        }
    }

    fn apply(&mut self, item: &CommitItem) -> Result<Option<Stat>, Failure> {
        let (directory, name) = self.directories.parent(&item.path, change_failure)?;
        let target = Target { path: &item.path, directory, name };
        match &item.expect {
            None => self.apply_to_nothing(&target, &item.put)?,
            Some(expected) => {
                let found = stat_at(&target.directory, name).map_err(change_failure)?;
                if !same(expected, &found) || !same_change(expected, &found) {
                    return Err(Failure::Changed);
                }
                self.apply_to(&target, expected, &item.put)?;
            }
        }
        self.note_changed(&target);
        match item.put {
            Put::Nothing => Ok(None),
            _ => stat_at(&target.directory, name).map(Some).map_err(change_failure),
        }
    }

    fn apply_to_nothing(&mut self, target: &Target<'_>, put: &Put) -> Result<(), Failure> {
        match put {
            Put::File { stage, .. } => {
                let name = stage_name(*stage);
                rename_new(self.own.staging.directory(), &name, &target.directory, target.name).map_err(taken)?;
                self.own.staging.close(*stage);
                Ok(())
            }
            Put::Symlink { target: link } => make_link(&target.directory, target.name, link),
            Put::Directory { mode } => make_directory(&target.directory, target.name, *mode),
            Put::Mode { .. } => Err(Failure::Changed),
            Put::Nothing => match stat_at(&target.directory, target.name) {
                Err(Errno::NOENT) => Ok(()),
                Err(errno) => Err(change_failure(errno)),
                Ok(_) => Err(Failure::Changed),
            },
        }
    }

    fn apply_to(&mut self, target: &Target<'_>, expected: &Stat, put: &Put) -> Result<(), Failure> {
        match put {
            Put::Mode { mode } => change_mode(&target.directory, target.name, expected, *mode),
            _ if expected.kind == EntryKind::Directory => self.replace_directory(target, expected, put),
            Put::Nothing => self.remove(target, expected),
            _ => self.replace(target, expected, put),
        }
    }

    /// A directory goes only when it is empty, and comes back if its successor cannot take its place.
    fn replace_directory(&mut self, target: &Target<'_>, expected: &Stat, put: &Put) -> Result<(), Failure> {
        rustix::fs::unlinkat(&target.directory, target.name, AtFlags::REMOVEDIR).map_err(|errno| match errno {
            Errno::NOTEMPTY | Errno::EXIST => Failure::NotEmpty,
            errno => change_failure(errno),
        })?;
        self.directories.forget(target.path);
        self.changed.remove(target.path);
        if matches!(put, Put::Nothing) {
            return Ok(());
        }
        self.apply_to_nothing(target, put).inspect_err(|_| {
            // If this fails too, the path shows nothing; the engine looks again either way.
            let _ = make_directory(&target.directory, target.name, expected.mode);
        })
    }

    /// Moves what stands there to the history, and back if it is not what was expected.
    fn remove(&mut self, target: &Target<'_>, expected: &Stat) -> Result<(), Failure> {
        let slot = self.displaced.slot(target.path).map_err(failure)?;
        rename_new(&target.directory, target.name, &slot.directory, &slot.name).map_err(change_failure)?;
        if self.is_expected(&slot, expected)? {
            return Ok(());
        }
        // Where something new took the name meanwhile, the history keeps what came out.
        let _ = rename_new(&slot.directory, &slot.name, &target.directory, target.name);
        Err(Failure::Changed)
    }

    /// Makes the successor under its history name, swaps the two, and looks at what came out.
    fn replace(&mut self, target: &Target<'_>, expected: &Stat, put: &Put) -> Result<(), Failure> {
        let slot = self.displaced.slot(target.path).map_err(failure)?;
        self.arrive(&slot, put)?;
        let arrived = stat_at(&slot.directory, &slot.name).map_err(failure)?;
        let swapped = if self.swaps {
            exchange(&slot.directory, &slot.name, &target.directory, target.name)
        } else {
            Err(Errno::NOSYS)
        };
        match swapped {
            Ok(()) => {}
            Err(Errno::NOSYS) => {
                let placed = self.replace_in_steps(target, expected, &slot);
                return placed.inspect_err(|_| self.depart(&slot, put, &arrived));
            }
            Err(errno) => {
                self.depart(&slot, put, &arrived);
                return Err(change_failure(errno));
            }
        }
        if self.is_expected(&slot, expected)? {
            return Ok(());
        }
        let _ = exchange(&slot.directory, &slot.name, &target.directory, target.name);
        self.depart(&slot, put, &arrived);
        Err(Failure::Changed)
    }

    /// Without swaps: the old entry goes to a second place in the history, then the new one takes its name. A crash in
    /// between leaves the old one in the history and nothing under the name.
    fn replace_in_steps(&mut self, target: &Target<'_>, expected: &Stat, arrived: &Slot) -> Result<(), Failure> {
        let old = self.displaced.slot(target.path).map_err(failure)?;
        rename_new(&target.directory, target.name, &old.directory, &old.name).map_err(change_failure)?;
        let placed = match self.is_expected(&old, expected) {
            Ok(true) => rename_new(&arrived.directory, &arrived.name, &target.directory, target.name).map_err(taken),
            Ok(false) => Err(Failure::Changed),
            Err(failure) => Err(failure),
        };
        placed.inspect_err(|_| {
            let _ = rename_new(&old.directory, &old.name, &target.directory, target.name);
        })
    }

    /// Puts the successor into its place in the history.
    fn arrive(&self, slot: &Slot, put: &Put) -> Result<(), Failure> {
        match put {
            Put::File { stage, .. } => {
                let name = stage_name(*stage);
                rename_new(self.own.staging.directory(), &name, &slot.directory, &slot.name).map_err(failure)?;
                self.own.staging.close(*stage);
                Ok(())
            }
            Put::Symlink { target } => make_link(&slot.directory, &slot.name, target),
            Put::Directory { mode } => make_directory(&slot.directory, &slot.name, *mode),
            Put::Mode { .. } | Put::Nothing => Err(Failure::Changed),
        }
    }

    /// Takes the successor back out of the history, if it is what lies there; anything else stays, for it is a user's.
    fn depart(&self, slot: &Slot, put: &Put, arrived: &Stat) {
        if !stat_at(&slot.directory, &slot.name).is_ok_and(|found| same(arrived, &found)) {
            return;
        }
        let _ = match put {
            Put::File { stage, .. } => {
                rename_new(&slot.directory, &slot.name, self.own.staging.directory(), &stage_name(*stage))
            }
            Put::Directory { .. } => rustix::fs::unlinkat(&slot.directory, &slot.name, AtFlags::REMOVEDIR),
            _ => rustix::fs::unlinkat(&slot.directory, &slot.name, AtFlags::empty()),
        };
    }

    fn is_expected(&self, slot: &Slot, expected: &Stat) -> Result<bool, Failure> {
        stat_at(&slot.directory, &slot.name).map(|found| same(expected, &found)).map_err(failure)
    }

    fn note_changed(&mut self, target: &Target<'_>) {
        let parent = target.path.rsplit_once('/').map_or("", |(parent, _)| parent);
        if self.many_changed || self.changed.contains_key(parent) {
            return;
        }
        if self.changed.len() >= FSYNC_EACH_MAX {
            self.many_changed = true;
            self.changed.clear();
            return;
        }
        self.changed.insert(parent.to_string(), Arc::clone(&target.directory));
    }

    fn sync(&self) -> Result<(), Errno> {
        if self.many_changed || self.displaced.folders().is_none_or(|folders| folders > FSYNC_EACH_MAX) {
            return sync_all(self.own);
        }
        // First where the displaced went, then where they are gone from: where directories reach the disk one by one, a
        // crash in between leaves two names, not none.
        self.displaced.sync()?;
        for directory in self.changed.values() {
            match reopen(directory.as_fd()) {
                Ok(directory) => fsync(directory)?,
                // A directory that may be searched and written but not read, or that went away.
                Err(Errno::ACCESS) => return sync_all(self.own),
                Err(Errno::NOENT) => {}
                Err(errno) => return Err(errno),
            }
        }
        Ok(())
    }
}

fn make_link(directory: &OwnedFd, name: &str, target: &[u8]) -> Result<(), Failure> {
    if target.is_empty() || target.contains(&0) {
        return Err(Failure::Unrepresentable);
    }
    rustix::fs::symlinkat(target, directory, name).map_err(taken)
}

fn make_directory(directory: &OwnedFd, name: &str, mode: u16) -> Result<(), Failure> {
    let mode = mode | 0o700;
    rustix::fs::mkdirat(directory, name, permissions(mode)).map_err(taken)?;
    set_directory_mode(directory, name, mode)
}

/// The failure of putting something where nothing was expected.
fn taken(errno: Errno) -> Failure {
    match errno {
        Errno::EXIST => Failure::Changed,
        errno => change_failure(errno),
    }
}

/// Changes a path without the look before, as if the change that it would have seen came right after it.
#[cfg(test)]
pub(super) fn replace_unseen(own: &Own, disk: &Disk, path: &str, expected: &Stat, put: &Put) -> Result<(), Failure> {
    let mut commit = Commit::new(disk, own);
    let (directory, name) = commit.directories.parent(path, change_failure)?;
    commit.apply_to(&Target { path, directory, name }, expected, put)
}

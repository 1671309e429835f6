//! What the host does to the folder, step by step as a real one: a crash can come between any two steps.

use std::collections::BTreeMap;

use syncline_core::api::{CommitItem, EntryKind, Failure, Put, Stat};

use super::{Body, Disk, Displaced, EntryName, Undo, undo::Was};

/// One entry of a directory, as listed.
pub(crate) struct Listed {
    pub name: String,
    pub stat: Stat,
}

/// How far a change of the tree gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reach {
    /// To its end.
    Whole,
    /// To this many of its steps; a change that has no more is made whole.
    Steps(u32),
}

impl Reach {
    /// Nothing after this many steps is done.
    fn ends_at(self, steps: u32) -> bool {
        matches!(self, Reach::Steps(reached) if reached <= steps)
    }
}

/// The error of a change that a crash ended: nobody hears of it.
fn interrupted() -> Failure {
    Failure::Other { message: "the device went off".into() }
}

impl Disk {
    /// Looks a path up without following links; faults on the way are errors.
    pub(crate) fn lookup(&self, path: &str) -> Result<u64, Failure> {
        self.check_fault(path)?;
        self.find(path).filter(|_| self.mounted || path.is_empty()).ok_or(Failure::Missing)
    }

    pub(crate) fn stat(&self, number: u64) -> Stat {
        let inode = &self.inodes[&number];
        let (kind, size) = match &inode.body {
            Body::File(bytes) => (EntryKind::File, bytes.len() as u64),
            Body::Symlink(_) => (EntryKind::Symlink, 0),
            Body::Directory(_) => (EntryKind::Directory, 0),
            Body::Special => (EntryKind::Special, 0),
        };
        self.shown(Stat {
            kind,
            size,
            mode: inode.mode,
            modified_ns: inode.modified_ns,
            changed_ns: inode.changed_ns,
            file_id: number,
            settled: false,
        })
    }

    pub(crate) fn list(&self, number: u64, after: Option<&str>, limit: usize) -> Option<(Vec<Listed>, bool)> {
        let Body::Directory(entries) = self.body_of(number) else { return None };
        if !self.mounted {
            return Some((Vec::new(), false));
        }
        let behind = |name: &EntryName| after.is_none_or(|after| name.shown.as_str() > after);
        let start = EntryName::plain(after.unwrap_or_default());
        let mut rest = entries.range(start..).filter(|(name, _)| behind(name));
        let page = rest
            .by_ref()
            .take(limit)
            .map(|(name, number)| {
                let mut stat = self.stat(*number);
                if name.raw.is_some() {
                    stat.kind = EntryKind::Unnameable;
                }
                Listed { name: name.shown.clone(), stat }
            })
            .collect();
        Some((page, rest.next().is_some()))
    }

    pub(crate) fn is_directory(&self, path: &str) -> bool {
        matches!(self.body(path), Some(Body::Directory(_)))
    }

    /// Puts something at a path, as far as the change reaches, and tells how to undo it.
    ///
    /// # Errors
    /// The directory is not empty, or the change did not reach its end.
    pub(crate) fn make_change(&mut self, item: &CommitItem, reach: Reach) -> Result<Undo, Failure> {
        if reach.ends_at(0) {
            return Err(interrupted());
        }
        let path = item.path.as_str();
        let was = match (self.find(path), &item.put) {
            (Some(number), Put::Mode { mode }) => {
                let inode = &self.inodes[&number];
                let was = Was::Bits { mode: inode.mode, changed_ns: inode.changed_ns };
                self.chmod(path, *mode);
                was
            }
            (None, _) => self.put_to_nothing(path, &item.put, reach).map(|()| Was::Nothing)?,
            (Some(number), put) => match self.body_of(number) {
                Body::Directory(entries) if !entries.is_empty() => return Err(Failure::NotEmpty),
                Body::Directory(_) => self.replace_directory(path, number, put, reach)?,
                _ => self.replace_entry(path, number, put, reach)?,
            },
        };
        let now = self.find(path).map(|number| self.stat(number));
        Ok(Undo { path: path.into(), now, stage: stage_of(&item.put), was })
    }

    fn put_to_nothing(&mut self, path: &str, put: &Put, reach: Reach) -> Result<(), Failure> {
        match put {
            // Without renames that never overwrite, a second name comes first and the staged one goes after it.
            Put::File { stage, .. } if reach.ends_at(1) && !self.traits.swaps => {
                let bytes = self.staging.get(&stage.0).cloned();
                self.arrive(path, put);
                self.staging.extend(bytes.map(|bytes| (stage.0, bytes)));
                Err(interrupted())
            }
            // A new directory has the bits that the process's mask leaves until it gets its own.
            Put::Directory { mode } if reach.ends_at(1) => {
                self.create(path, Body::Directory(BTreeMap::new()), (mode | 0o700) & 0o755);
                Err(interrupted())
            }
            _ => {
                self.arrive(path, put);
                Ok(())
            }
        }
    }

    fn replace_directory(&mut self, path: &str, number: u64, put: &Put, reach: Reach) -> Result<Was, Failure> {
        let inode = self.inodes[&number].clone();
        self.detach(path);
        if matches!(put, Put::Nothing) {
            return Ok(Was::Directory { number, inode });
        }
        if reach.ends_at(1) {
            return Err(interrupted());
        }
        self.arrive(path, put);
        Ok(Was::Directory { number, inode })
    }

    fn replace_entry(&mut self, path: &str, number: u64, put: &Put, reach: Reach) -> Result<Was, Failure> {
        if matches!(put, Put::Nothing) {
            self.unlink(path);
            self.keep(path, number);
            return Ok(Was::Displaced { number });
        }
        if reach.ends_at(1) || (reach.ends_at(2) && !self.traits.swaps) {
            // The new entry lies in the history already, to be swapped with the old one or moved to its name.
            let arrived = self.make_inode(put);
            self.keep(path, arrived);
            if !reach.ends_at(1) {
                self.unlink(path);
                self.keep(path, number);
            }
            return Err(interrupted());
        }
        self.unlink(path);
        self.keep(path, number);
        self.arrive(path, put);
        Ok(Was::Displaced { number })
    }

    /// Moves what has no name any more to the history.
    fn keep(&mut self, path: &str, number: u64) {
        self.history.push(Displaced { path: path.into(), item: self.item(number) });
        self.kept.push(number);
    }

    fn arrive(&mut self, path: &str, put: &Put) {
        if !matches!(put, Put::Nothing) {
            let number = self.make_inode(put);
            self.link(path, number);
        }
    }

    fn make_inode(&mut self, put: &Put) -> u64 {
        let mut inode = match put {
            Put::File { stage, mode, .. } => {
                let bytes = self.staging.remove(&stage.0).unwrap_or_default();
                self.inode(Body::File(bytes), *mode)
            }
            Put::Symlink { target } => self.inode(Body::Symlink(target.clone()), 0o777),
            Put::Directory { mode } => self.inode(Body::Directory(BTreeMap::new()), mode | 0o700),
            Put::Mode { .. } | Put::Nothing => unreachable!("nothing is made for this"),
        };
        if let Put::File { modified_ns, .. } = put {
            inode.modified_ns = self.stamp(*modified_ns);
        }
        let number = self.number();
        self.inodes.insert(number, inode);
        number
    }
}

fn stage_of(put: &Put) -> Option<u64> {
    match put {
        Put::File { stage, .. } => Some(stage.0),
        _ => None,
    }
}

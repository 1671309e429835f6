//! Files being put together in the staging area.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use syncline_core::api::{Failure, Outcome, StageId, StageItem, StageResult, StageSource};
use syncline_core::content::chunk_hash;

use super::Disk;
use super::failure::{failure, other_failure};
use super::hash::Buffer;
use super::open::{open_file, read_full, write_full};
use super::tree::{Directories, reopen};

/// The longest chunk, in bytes.
const LENGTH_MAX: u32 = 4 * 1024 * 1024;
/// How many staged files stay open.
const OPEN_MAX: usize = 128;

/// The staging area of a root.
pub(crate) struct Staging {
    directory: OwnedFd,
    open: Mutex<HashMap<StageId, Arc<OwnedFd>>>,
}

/// The name of a staged file.
pub(crate) fn stage_name(stage: StageId) -> String {
    format!("{:016x}", stage.0)
}

impl Staging {
    /// The area in this directory.
    pub(crate) fn new(directory: OwnedFd) -> Self {
        Self { directory, open: Mutex::default() }
    }

    /// The area's directory.
    pub(crate) fn directory(&self) -> &OwnedFd {
        &self.directory
    }

    /// The staged file, made if it is not there.
    pub(crate) fn file(&self, stage: StageId) -> Result<Arc<OwnedFd>, Errno> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = open.get(&stage) {
            return Ok(Arc::clone(file));
        }
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mode = Mode::RUSR | Mode::WUSR;
        let file = Arc::new(rustix::fs::openat(&self.directory, stage_name(stage), flags, mode)?);
        if open.len() >= OPEN_MAX {
            open.clear();
        }
        open.insert(stage, Arc::clone(&file));
        Ok(file)
    }

    /// Closes a staged file that was moved into the tree.
    pub(crate) fn close(&self, stage: StageId) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).remove(&stage);
    }

    fn close_all(&self) {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).clear();
    }
}

impl Disk {
    /// Writes chunks and reads them back.
    pub(crate) fn stage(&self, items: &[StageItem], buffer: &mut Buffer) -> Outcome {
        let Some(own) = &self.own else { return dry() };
        let mut directories = Directories::new(&self.tree);
        let mut source: Option<(&str, OwnedFd)> = None;
        let mut results = Vec::with_capacity(items.len());
        for item in items {
            results.push(match stage_one(&own.staging, &mut directories, &mut source, item, buffer) {
                Ok(()) => StageResult::Staged,
                Err(failure) => StageResult::Failed { failure },
            });
        }
        Outcome::Staged { results }
    }

    /// Forgets staged files, or all of them.
    pub(crate) fn discard(&self, stages: &[StageId]) -> Outcome {
        let Some(own) = &self.own else { return Outcome::Discarded };
        let discarded = if stages.is_empty() { discard_all(&own.staging) } else { discard_some(&own.staging, stages) };
        match discarded {
            Ok(()) => Outcome::Discarded,
            Err(errno) => Outcome::Failed { failure: failure(errno) },
        }
    }
}

fn stage_one<'i>(
    staging: &Staging,
    directories: &mut Directories<'_>,
    source: &mut Option<(&'i str, OwnedFd)>,
    item: &'i StageItem,
    buffer: &mut Buffer,
) -> Result<(), Failure> {
    if item.length > LENGTH_MAX {
        return Err(other_failure("the chunk is longer than 4 MiB"));
    }
    let length = item.length as usize;
    let file = staging.file(item.stage).map_err(failure)?;
    match &item.source {
        StageSource::Bytes { bytes } if bytes.len() == length => {
            write_full(&file, bytes, item.offset).map_err(failure)?;
        }
        StageSource::Bytes { .. } => return Err(Failure::Corrupt),
        StageSource::Copy { path, offset } => {
            let from = match source.take() {
                Some((open, from)) if open == path => from,
                _ => {
                    let (directory, name) = directories.parent(path, failure)?;
                    open_file(&directory, name).map_err(|errno| match errno {
                        Errno::LOOP | Errno::NXIO => Failure::Changed,
                        errno => failure(errno),
                    })?
                }
            };
            let bytes = buffer.of(length);
            if read_full(&from, bytes, *offset).map_err(failure)? != length {
                return Err(Failure::Changed);
            }
            write_full(&file, bytes, item.offset).map_err(failure)?;
            *source = Some((path, from));
        }
    }
    // What counts is what stands in the file, not what was sent to it.
    let bytes = buffer.of(length);
    if read_full(&file, bytes, item.offset).map_err(failure)? != length || chunk_hash(bytes) != item.hash {
        return Err(Failure::Corrupt);
    }
    Ok(())
}

fn discard_some(staging: &Staging, stages: &[StageId]) -> Result<(), Errno> {
    for stage in stages {
        staging.close(*stage);
        match rustix::fs::unlinkat(&staging.directory, stage_name(*stage), AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

fn discard_all(staging: &Staging) -> Result<(), Errno> {
    staging.close_all();
    for entry in rustix::fs::Dir::new(reopen(staging.directory.as_fd())?)? {
        let entry = entry?;
        let name = entry.file_name();
        if matches!(name.to_bytes(), b"." | b"..") {
            continue;
        }
        match rustix::fs::unlinkat(&staging.directory, name, AtFlags::empty()) {
            Ok(()) | Err(Errno::NOENT) => {}
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}

/// A dry run has nothing to write to, and the engine asks for no such thing in one.
pub(crate) fn dry() -> Outcome {
    Outcome::Failed { failure: other_failure("a dry run writes nothing") }
}

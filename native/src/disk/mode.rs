//! Permission bits.

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{Mode, OFlags, RawMode};
use rustix::io::Errno;
use syncline_core::api::{EntryKind, Failure, Stat};

use super::failure::change_failure;
use super::stat::{same, stat_at, stat_of};

/// What a directory keeps when its bits change: set-gid and sticky are its owner's, never a peer's.
const KEPT: RawMode = 0o7000;

/// Changes the bits of what is expected there; never of a link's target.
pub(crate) fn change_mode(directory: &OwnedFd, name: &str, expected: &Stat, mode: u16) -> Result<(), Failure> {
    if expected.kind == EntryKind::Symlink {
        return Err(Failure::Unrepresentable);
    }
    let entry = open_entry(directory, name).map_err(change_failure)?;
    if !same(expected, &stat_of(&entry).map_err(change_failure)?) {
        return Err(Failure::Changed);
    }
    set(&entry, mode).map_err(change_failure)
}

/// Gives a new directory bits that the process's mask may have taken away.
pub(crate) fn set_directory_mode(directory: &OwnedFd, name: &str, mode: u16) -> Result<(), Failure> {
    if stat_at(directory, name).map_err(change_failure)?.mode == mode & 0o777 {
        return Ok(());
    }
    let entry = open_entry(directory, name).map_err(change_failure)?;
    set(&entry, mode).map_err(change_failure)
}

fn set(entry: &OwnedFd, mode: u16) -> Result<(), Errno> {
    let stat = rustix::fs::fstat(entry)?;
    let is_directory = rustix::fs::FileType::from_raw_mode(stat.st_mode).is_dir();
    let kept = if is_directory { stat.st_mode & KEPT } else { 0 };
    set_exactly(entry, Mode::from_raw_mode(RawMode::from(mode & 0o777) | kept))
}

/// An entry that need not be readable is opened by path only; its bits are then set through `/proc`.
#[cfg(any(target_os = "linux", target_os = "android"))]
fn open_entry(directory: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    rustix::fs::openat(directory, name, OFlags::PATH | OFlags::NOFOLLOW | OFlags::CLOEXEC, Mode::empty())
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn set_exactly(entry: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    use std::os::fd::AsRawFd;
    let path = format!("/proc/self/fd/{}", entry.as_raw_fd());
    rustix::fs::chmodat(rustix::fs::CWD, path, mode, rustix::fs::AtFlags::empty())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn open_entry(directory: impl AsFd, name: &str) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
    rustix::fs::openat(directory, name, flags, Mode::empty())
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn set_exactly(entry: &OwnedFd, mode: Mode) -> Result<(), Errno> {
    rustix::fs::fchmod(entry, mode)
}

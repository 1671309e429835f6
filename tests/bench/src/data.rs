//! Data that both sides get, the same in every run.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use nix::sys::statfs;
use tempfile::TempDir;

/// Bytes that look random, the same for the same name everywhere.
pub fn noise(name: &str, length: usize) -> Vec<u8> {
    let mut bytes = vec![0; length];
    blake3::Hasher::new().update(name.as_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

/// A place for files, and what kind of file system it is on.
pub struct Place {
    /// Holds the files; gone with this value.
    directory: TempDir,
    /// For people: `tmpfs`, `ext4`, …
    pub kind: &'static str,
}

impl Place {
    /// A directory in memory, where the system has one, and one on the disk below the temporary directory, if it is on
    /// another file system.
    pub fn all() -> Result<Vec<Place>> {
        let mut places = Vec::new();
        let shared = Path::new("/dev/shm");
        if shared.is_dir() {
            places.push(Place::below(shared)?);
        }
        let other = Place::below(&std::env::temp_dir())?;
        if places.iter().all(|place| place.kind != other.kind) {
            places.push(other);
        }
        Ok(places)
    }

    fn below(parent: &Path) -> Result<Place> {
        let directory = tempfile::Builder::new().prefix("syncline-bench-").tempdir_in(parent);
        let directory = directory.with_context(|| format!("no directory can be made in {}", parent.display()))?;
        let kind = match statfs::statfs(directory.path()).context("the file system has no name")?.filesystem_type() {
            statfs::TMPFS_MAGIC => "tmpfs",
            statfs::EXT4_SUPER_MAGIC => "ext4",
            statfs::XFS_SUPER_MAGIC => "xfs",
            statfs::BTRFS_SUPER_MAGIC => "btrfs",
            statfs::OVERLAYFS_SUPER_MAGIC => "overlayfs",
            _ => "other",
        };
        Ok(Place { directory, kind })
    }

    /// A path in the place.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

/// Writes 10,000 files of 4 KiB into 100 directories of a new directory.
pub fn write_small(root: &Path) -> Result<()> {
    for directory in 0..100 {
        let path = root.join(format!("directory {directory:02}"));
        fs::create_dir_all(&path)?;
        for file in 0..100 {
            fs::write(path.join(format!("file {file:02}")), noise(&format!("{directory}/{file}"), 4096))?;
        }
    }
    Ok(())
}

/// Writes one file of 1 GiB into a new directory.
pub fn write_big(root: &Path) -> Result<()> {
    fs::create_dir_all(root)?;
    fs::write(root.join("big"), noise("big", 1 << 30))?;
    Ok(())
}

/// Whether two trees of directories and files have the same names and bytes, syncline's own folder left out.
pub fn equal(left: &Path, right: &Path) -> Result<bool> {
    let (names, others) = (names(left)?, names(right)?);
    if names != others {
        return Ok(false);
    }
    for name in names {
        let (left, right) = (left.join(&name), right.join(&name));
        let same =
            if left.is_dir() { right.is_dir() && equal(&left, &right)? } else { fs::read(left)? == fs::read(right)? };
        if !same {
            return Ok(false);
        }
    }
    Ok(true)
}

fn names(directory: &Path) -> Result<Vec<std::ffi::OsString>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(directory)? {
        let name = entry?.file_name();
        if name != ".syncline" {
            names.push(name);
        }
    }
    names.sort();
    Ok(names)
}

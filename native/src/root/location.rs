//! Where a folder is, before anything of it is touched.

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use super::marker::Marker;
use crate::Error;
use crate::disk::{MARKER, OWN};

/// A folder as it was given, and as the system knows it.
#[derive(Debug, Clone)]
pub(crate) struct Location {
    /// As it was given.
    pub(crate) given: PathBuf,
    /// Its canonical path; for one that is not there, where it would be.
    pub(crate) canonical: PathBuf,
    /// What stands there.
    pub(crate) found: Found,
}

/// What stands at a location.
#[derive(Debug, Clone)]
pub(crate) enum Found {
    /// Nothing; its parent is there.
    Nothing,
    /// A folder without a marker.
    Folder {
        /// Nothing is in it but Syncline's own files.
        empty: bool,
    },
    /// A replica.
    Replica {
        /// Its marker.
        marker: Marker,
    },
}

impl Location {
    /// Looks at a folder.
    ///
    /// # Errors
    /// It is no folder, it is `/`, it cannot be read, or neither it nor its parent is there.
    pub(crate) fn of(given: &Path) -> Result<Location, Error> {
        let canonical = match fs::canonicalize(given) {
            Ok(canonical) => canonical,
            Err(e) if e.kind() == ErrorKind::NotFound => return Self::nothing(given),
            Err(e) if e.kind() == ErrorKind::NotADirectory => {
                return Err(Error::NotAFolder { path: given.to_path_buf() });
            }
            Err(e) => return Err(Error::io("find", given, e)),
        };
        if canonical.parent().is_none() {
            return Err(Error::FileSystemRoot { path: given.to_path_buf() });
        }
        if !canonical.is_dir() {
            return Err(Error::NotAFolder { path: given.to_path_buf() });
        }
        let own = canonical.join(OWN);
        let found = match fs::symlink_metadata(&own) {
            Ok(metadata) if !metadata.is_dir() => return Err(Error::NotAFolder { path: own }),
            Ok(_) => Marker::read(&own.join(MARKER))?.map(|marker| Found::Replica { marker }),
            Err(e) if e.kind() == ErrorKind::NotFound => None,
            Err(e) => return Err(Error::io("look at", own, e)),
        };
        let found = match found {
            Some(found) => found,
            None => Found::Folder { empty: is_empty(&canonical)? },
        };
        Ok(Location { given: given.to_path_buf(), canonical, found })
    }

    /// Checks that two folders are different and lie apart.
    ///
    /// # Errors
    /// They are the same folder, or one lies in the other.
    pub(crate) fn check_apart(&self, other: &Location) -> Result<(), Error> {
        let nested = |inner: &Location, outer: &Location| Error::Nested {
            inner: inner.given.clone(),
            outer: outer.given.clone(),
        };
        if self.canonical == other.canonical || same_inode(&self.canonical, &other.canonical) {
            return Err(Error::SameFolder { first: self.given.clone(), second: other.given.clone() });
        }
        if self.canonical.starts_with(&other.canonical) {
            return Err(nested(self, other));
        }
        if other.canonical.starts_with(&self.canonical) {
            return Err(nested(other, self));
        }
        Ok(())
    }

    /// Whether there is a folder.
    pub(crate) fn exists(&self) -> bool {
        !matches!(self.found, Found::Nothing)
    }

    /// The folder of Syncline's own files.
    pub(crate) fn own(&self) -> PathBuf {
        self.canonical.join(OWN)
    }

    fn nothing(given: &Path) -> Result<Location, Error> {
        let missing = |reason: String| Error::MissingFolder { path: given.to_path_buf(), reason };
        if fs::symlink_metadata(given).is_ok() {
            return Err(missing("it is a link to something that is not there; repair or remove the link".into()));
        }
        let Some(name) = given.file_name() else {
            return Err(missing("it cannot be named; give the folder's own path".into()));
        };
        let parent = match given.parent() {
            Some(parent) if !parent.as_os_str().is_empty() => parent,
            _ => Path::new("."),
        };
        let canonical_parent = fs::canonicalize(parent)
            .ok()
            .filter(|parent| parent.is_dir())
            .ok_or_else(|| missing(format!("its parent `{}` is no folder; make that first", parent.display())))?;
        let canonical = canonical_parent.join(name);
        Ok(Location { given: given.to_path_buf(), canonical, found: Found::Nothing })
    }
}

fn is_empty(folder: &Path) -> Result<bool, Error> {
    for entry in fs::read_dir(folder).map_err(|e| Error::io("list", folder, e))? {
        let entry = entry.map_err(|e| Error::io("list", folder, e))?;
        if entry.file_name() != OWN {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_inode(one: &Path, other: &Path) -> bool {
    match (fs::metadata(one), fs::metadata(other)) {
        (Ok(one), Ok(other)) => one.dev() == other.dev() && one.ino() == other.ino(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folders_are_found_or_told_missing() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::create_dir(path("full")).unwrap();
        fs::write(path("full/x"), "x").unwrap();
        fs::create_dir_all(path("empty/.syncline")).unwrap();
        std::os::unix::fs::symlink("gone", path("dangling")).unwrap();
        let found = |name: &str| Location::of(&path(name)).map(|location| location.found);
        assert!(matches!(found("full"), Ok(Found::Folder { empty: false })));
        assert!(matches!(found("empty"), Ok(Found::Folder { empty: true })));
        assert!(matches!(found("none"), Ok(Found::Nothing)));
        assert!(matches!(found("none/below"), Err(Error::MissingFolder { .. })));
        assert!(matches!(found("dangling"), Err(Error::MissingFolder { .. })));
        assert!(matches!(found("full/x"), Err(Error::NotAFolder { .. })));
        assert!(matches!(found("full/x/y"), Err(Error::NotAFolder { .. })));
        assert!(matches!(Location::of(Path::new("/")), Err(Error::FileSystemRoot { .. })));
        fs::write(path("full/.syncline"), "a file").unwrap();
        assert!(matches!(found("full"), Err(Error::NotAFolder { .. })));
    }

    #[test]
    fn folders_must_lie_apart() {
        let base = tempfile::tempdir().unwrap();
        let path = |name: &str| base.path().join(name);
        fs::create_dir_all(path("a/b")).unwrap();
        fs::create_dir(path("ab")).unwrap();
        std::os::unix::fs::symlink("a", path("link")).unwrap();
        let check = |one: &str, other: &str| {
            Location::of(&path(one)).unwrap().check_apart(&Location::of(&path(other)).unwrap())
        };
        assert!(matches!(check("a", "link"), Err(Error::SameFolder { .. })));
        assert!(matches!(check("a/new", "a/new"), Err(Error::SameFolder { .. })));
        assert!(matches!(check("a", "link/b"), Err(Error::Nested { .. })));
        assert!(matches!(check("a/b", "a"), Err(Error::Nested { .. })));
        assert!(matches!(check("a", "a/new"), Err(Error::Nested { .. })));
        assert!(check("a", "ab").is_ok());
    }
}

//! The directories of a root, reached name by name and never through a link.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::fd::{AsFd, OwnedFd};
use rustix::fs::{AtFlags, Mode, OFlags};
use rustix::io::Errno;
use syncline_core::api::Failure;

use super::path::{self, OWN, Place};

/// How many directories one piece of work keeps open.
const OPEN_MAX: usize = 128;
/// How often a look-up that ran into somebody's rename is tried again.
const RACES_MAX: u32 = 16;

#[cfg(any(target_os = "linux", target_os = "android"))]
const SEARCH: OFlags = OFlags::PATH;
#[cfg(not(any(target_os = "linux", target_os = "android")))]
const SEARCH: OFlags = OFlags::RDONLY;

/// A root's directory, and Syncline's own in it.
pub(crate) struct Tree {
    /// None where a dry run imagines a folder that is not there.
    root: Option<Arc<OwnedFd>>,
    own: Option<OwnedFd>,
    stepwise: AtomicBool,
}

impl Tree {
    /// Takes the root's directory and, where there is one (a dry run may have none), Syncline's own.
    pub(crate) fn new(root: OwnedFd, own: Option<OwnedFd>) -> Tree {
        Tree { root: Some(Arc::new(root)), own, stepwise: AtomicBool::new(false) }
    }

    /// A root that is not there.
    pub(crate) fn absent() -> Tree {
        Tree { root: None, own: None, stepwise: AtomicBool::new(false) }
    }

    /// The root's directory.
    pub(crate) fn root(&self) -> Result<&Arc<OwnedFd>, Errno> {
        self.root.as_ref().ok_or(Errno::NOENT)
    }

    /// Whether this name in the root is Syncline's own folder, under whatever spelling the file system allows.
    pub(crate) fn is_own(&self, name: &str) -> Result<bool, Errno> {
        if name == OWN {
            return Ok(true);
        }
        let Some(own) = &self.own else { return Ok(false) };
        let found = match rustix::fs::statat(self.root()?, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(found) => found,
            Err(Errno::NOENT) => return Ok(false),
            Err(errno) => return Err(errno),
        };
        let own = rustix::fs::fstat(own)?;
        Ok(found.st_ino == own.st_ino && found.st_dev == own.st_dev)
    }

    fn open(&self, path: &str) -> Result<OwnedFd, Errno> {
        #[cfg(any(target_os = "linux", target_os = "android"))]
        if !self.stepwise.load(Ordering::Relaxed) {
            match self.open_at_once(path) {
                Err(Errno::NOSYS | Errno::PERM | Errno::INVAL) => self.stepwise.store(true, Ordering::Relaxed),
                // Somebody renames directories all the time; step by step does not mind.
                Err(Errno::AGAIN) => {}
                result => return result,
            }
        }
        self.open_stepwise(path)
    }

    #[cfg(any(target_os = "linux", target_os = "android"))]
    fn open_at_once(&self, path: &str) -> Result<OwnedFd, Errno> {
        use rustix::fs::ResolveFlags;
        let flags = SEARCH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
        let root = self.root()?;
        let mut races = 0;
        loop {
            match rustix::fs::openat2(root, path, flags, Mode::empty(), resolve) {
                Err(Errno::AGAIN) if races < RACES_MAX => races += 1,
                result => return result,
            }
        }
    }

    fn open_stepwise(&self, path: &str) -> Result<OwnedFd, Errno> {
        let flags = SEARCH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let root = self.root()?;
        let mut directory: Option<OwnedFd> = None;
        for name in path.split('/') {
            let from = directory.as_ref().map_or(root.as_fd(), |directory| directory.as_fd());
            directory = Some(rustix::fs::openat(from, name, flags, Mode::empty())?);
        }
        directory.ok_or(Errno::NOENT)
    }
}

/// The directories that one piece of work has open, by path. It lives as long as the work: a directory that is moved
/// away meanwhile is found under its old path no longer than that.
pub(crate) struct Directories<'t> {
    tree: &'t Tree,
    open: HashMap<String, Arc<OwnedFd>>,
    /// The last one that an entry was asked for in, which the next entry mostly is in too; never the root.
    last: Option<(String, Arc<OwnedFd>)>,
}

impl<'t> Directories<'t> {
    /// None are open yet.
    pub(crate) fn new(tree: &'t Tree) -> Self {
        Self { tree, open: HashMap::new(), last: None }
    }

    /// The directory at this path.
    ///
    /// # Errors
    /// [`Failure::Unrepresentable`] for a path that is not below the root or is Syncline's own; else what `explain`
    /// makes of the system's error (`NOENT`, `NOTDIR`, `LOOP` where a name on the way is no directory).
    pub(crate) fn directory(&mut self, path: &str, explain: fn(Errno) -> Failure) -> Result<Arc<OwnedFd>, Failure> {
        if path.is_empty() {
            return self.tree.root().map(Arc::clone).map_err(explain);
        }
        if let Some(directory) = self.open.get(path) {
            return Ok(Arc::clone(directory));
        }
        path::check(path)?;
        self.refuse_own(path, explain)?;
        let directory = Arc::new(self.tree.open(path).map_err(explain)?);
        if self.open.len() >= OPEN_MAX {
            self.open.clear();
        }
        self.open.insert(path.to_string(), Arc::clone(&directory));
        Ok(directory)
    }

    /// The directory that a path lies in, and the name in it.
    ///
    /// # Errors
    /// As [`directory`](Self::directory).
    pub(crate) fn parent<'p>(
        &mut self,
        path: &'p str,
        explain: fn(Errno) -> Failure,
    ) -> Result<(Arc<OwnedFd>, &'p str), Failure> {
        if let Some((parent, directory)) = &self.last
            && let Some(name) = path.strip_prefix(parent.as_str()).and_then(|rest| rest.strip_prefix('/'))
            && path::is_name(name)
        {
            return Ok((Arc::clone(directory), name));
        }
        let Place { parent, name } = path::place(path)?;
        if parent.is_empty() {
            self.refuse_own(name, explain)?;
        }
        let directory = self.directory(parent, explain)?;
        if !parent.is_empty() {
            self.last = Some((parent.to_string(), Arc::clone(&directory)));
        }
        Ok((directory, name))
    }

    /// Closes a directory that is no longer at this path, and what was below it.
    pub(crate) fn forget(&mut self, path: &str) {
        self.last = None;
        self.open.retain(|open, _| match open.strip_prefix(path) {
            Some(rest) => !rest.is_empty() && !rest.starts_with('/'),
            None => true,
        });
    }

    fn refuse_own(&self, path: &str, explain: fn(Errno) -> Failure) -> Result<(), Failure> {
        match path::doubtful_first(path) {
            Some(first) if self.tree.is_own(first).map_err(explain)? => Err(Failure::Unrepresentable),
            _ => Ok(()),
        }
    }
}

/// Opens a directory for searching below it; never a link to one.
pub(crate) fn open_directory(at: impl AsFd, path: impl rustix::path::Arg) -> Result<OwnedFd, Errno> {
    let flags = SEARCH | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(at, path, flags, Mode::empty())
}

/// Opens a directory for reading or syncing it.
pub(crate) fn reopen(directory: impl AsFd) -> Result<OwnedFd, Errno> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NOFOLLOW | OFlags::CLOEXEC;
    rustix::fs::openat(directory, ".", flags, Mode::empty())
}

#[cfg(test)]
mod tests {
    use super::super::failure::failure;
    use super::*;

    fn tree(path: &std::path::Path) -> Tree {
        let root = open_directory(rustix::fs::CWD, path.to_str().unwrap()).unwrap();
        let own = open_directory(&root, OWN).ok();
        Tree::new(root, own)
    }

    fn both_ways(path: &std::path::Path, directory: &str) -> [Result<(), Failure>; 2] {
        [false, true].map(|stepwise| {
            let tree = tree(path);
            tree.stepwise.store(stepwise, Ordering::Relaxed);
            Directories::new(&tree).directory(directory, failure).map(|_| ())
        })
    }

    #[test]
    fn directories_are_reached_but_never_through_links() {
        let folder = tempfile::tempdir().unwrap();
        let outside = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(outside.path().join("d")).unwrap();
        std::fs::create_dir_all(folder.path().join("a/b/c")).unwrap();
        std::fs::write(folder.path().join("a/file"), "x").unwrap();
        std::os::unix::fs::symlink(outside.path(), folder.path().join("a/out")).unwrap();
        std::os::unix::fs::symlink("b", folder.path().join("a/in")).unwrap();
        assert_eq!(both_ways(folder.path(), "a/b/c"), [Ok(()), Ok(())]);
        for path in ["a/out", "a/out/d", "a/in", "a/in/c", "a/file", "a/file/x", "a/none"] {
            assert_eq!(both_ways(folder.path(), path), [Err(Failure::Missing), Err(Failure::Missing)], "{path}");
        }
        for path in ["..", "a/../a", "/tmp", ".syncline", ".syncline/history"] {
            let refused = Err(Failure::Unrepresentable);
            assert_eq!(both_ways(folder.path(), path), [refused.clone(), refused], "{path}");
        }
    }

    #[test]
    fn own_files_are_refused_under_another_spelling() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir(folder.path().join(OWN)).unwrap();
        // A hard link to a directory cannot be made here; an equal inode is what a case-folding file system shows.
        let tree = tree(folder.path());
        assert_eq!(tree.is_own(".SYNCLINE"), Ok(false));
        std::fs::rename(folder.path().join(OWN), folder.path().join(".SyncLine")).unwrap();
        let mut directories = Directories::new(&tree);
        assert_eq!(directories.directory(".SyncLine", failure).map(|_| ()), Err(Failure::Unrepresentable));
        assert_eq!(directories.parent(".SyncLine/store", failure).map(|_| ()), Err(Failure::Unrepresentable));
    }
}

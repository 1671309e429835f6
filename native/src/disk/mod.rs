//! A root's disk: the engine's work on the tree, carried out.
//!
//! Every path is resolved name by name below the root's directory, and nothing is read or written through a link, so no
//! work reaches a file outside the root or one of Syncline's own.

mod commit;
mod failure;
mod hash;
mod history;
mod list;
mod mode;
mod open;
mod path;
mod plan;
mod probe;
mod read;
mod rename;
mod stage;
mod stat;
#[cfg(test)]
mod tests;
mod tree;

use std::sync::atomic::AtomicU64;

use rustix::fd::OwnedFd;
use rustix::fs::{AtFlags, FileType};
use syncline_core::api::{Outcome, Work};

pub(crate) use failure::{failure, other_failure};
pub(crate) use hash::{Buffer, Part, shares};
pub(crate) use open::{open_file, read_full, write_full};
pub use path::OWN;
pub(crate) use path::{Place, place};
pub(crate) use rename::rename_new;
pub(crate) use tree::{Directories, Tree, open_directory, reopen};

use stage::Staging;

/// The marker's name in [`OWN`]: while it is there, the root is the folder that was kept in sync.
pub const MARKER: &str = "marker";

/// One root's disk. All of it may be used by several threads at once.
pub struct Disk {
    tree: Tree,
    own: Option<Own>,
    names: list::Names,
    /// The file system can swap two entries.
    swaps: bool,
    /// The last identity given to an entry that a dry run pretended to make.
    pretended_id: AtomicU64,
}

/// Syncline's own folders of a root.
pub(crate) struct Own {
    staging: Staging,
    history: OwnedFd,
}

impl Disk {
    /// A disk that is really changed, from the directories of the root, its `.syncline`, and `staging` and `history`
    /// in that.
    pub fn new(root: OwnedFd, own: OwnedFd, staging: OwnedFd, history: OwnedFd) -> Disk {
        let own_folders = Own { staging: Staging::new(staging), history };
        Self::with(Tree::new(root, Some(own)), Some(own_folders))
    }

    /// A disk that is only read: commits succeed in appearance.
    pub fn dry(root: OwnedFd, own: Option<OwnedFd>) -> Disk {
        Self::with(Tree::new(root, own), None)
    }

    /// The disk of a dry run for a folder that is not there: empty.
    pub fn absent() -> Disk {
        Self::with(Tree::absent(), None)
    }

    fn with(tree: Tree, own: Option<Own>) -> Disk {
        Disk { tree, own, names: list::Names::default(), swaps: true, pretended_id: AtomicU64::new(u64::MAX) }
    }

    /// Carries out one piece of work; none for work that is not the disk's.
    pub(crate) fn perform(&self, work: &Work, buffer: &mut Buffer) -> Option<Outcome> {
        Some(match work {
            Work::List { directory, after, .. } => self.list(directory, after.as_deref()),
            Work::Probe { paths, .. } => self.probe(paths),
            Work::Hash { items, .. } => Outcome::Hashed { results: self.hash(items, buffer) },
            Work::Read { ranges, .. } => self.read(ranges),
            Work::Stage { items, .. } => self.stage(items, buffer),
            Work::Commit { items, .. } => self.commit(items),
            Work::Discard { stages, .. } => self.discard(stages),
            Work::Load { .. }
            | Work::Save { .. }
            | Work::FolderList { .. }
            | Work::FolderProbe { .. }
            | Work::FolderRead { .. }
            | Work::FolderCreate { .. }
            | Work::FolderRemove { .. }
            | Work::FolderFetch { .. }
            | Work::Deliver { .. }
            | Work::ApplyRows { .. } => return None,
        })
    }

    /// Whether the root's marker is there. A dry run needs none.
    fn marker(&self) -> bool {
        let marker = format!("{OWN}/{MARKER}");
        self.own.is_none()
            || self
                .tree
                .root()
                .and_then(|root| rustix::fs::statat(root, marker, AtFlags::SYMLINK_NOFOLLOW))
                .is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file())
    }
}

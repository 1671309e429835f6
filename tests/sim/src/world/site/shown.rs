//! What a device shows of itself.

use syncline_core::api::{Config, Notice, NoticeCode, ReplicaId, RootStatus, Status, TaskId, Work};

use super::Site;
use crate::{Counts, Disk, Item, Store, Tree, folder::FolderCopy, story::Coverage};

impl Site {
    /// The configuration that the next start uses, to look at.
    pub(in crate::world) fn shown_config(&self) -> &Config {
        &self.config
    }

    /// What was done here, by kinds.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// The bytes that the local history keeps.
    pub fn displaced(&self) -> impl Iterator<Item = &[u8]> {
        self.host.disk.history().iter().filter_map(|displaced| match &displaced.item {
            Item::File { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        })
    }

    /// The copy of the message folder, to look at.
    pub fn message_folder(&self) -> &FolderCopy {
        &self.host.folder
    }

    /// The application's database, to look at.
    pub fn database(&self) -> &crate::Database {
        &self.host.database
    }

    /// The store, to look at.
    pub fn store(&self) -> &Store {
        &self.host.store
    }

    /// The names of what was published and is saved, in order.
    pub fn published(&self) -> &[(ReplicaId, u64)] {
        self.host.application.published()
    }

    /// The folder, to look at.
    pub fn folder(&self) -> &Disk {
        &self.host.disk
    }

    /// Everything that stands in the folder.
    pub fn tree(&self) -> Tree {
        self.host.disk.tree()
    }

    /// What the engine says of itself.
    pub fn status(&self) -> Status {
        self.engine.as_ref().expect("an engine runs here").status()
    }

    /// What the engine says of its only root.
    pub fn root(&self) -> RootStatus {
        self.status().roots.remove(0)
    }

    /// An engine runs.
    pub fn is_running(&self) -> bool {
        self.engine.is_some()
    }

    /// The engine has saved all that it wanted to save.
    pub(crate) fn has_saved_all(&self) -> bool {
        self.save.is_none() && !self.status().failed
    }

    /// The engine said that it stopped.
    pub fn is_stopped(&self) -> bool {
        self.end.is_reached
    }

    /// What was done so far.
    pub fn counts(&self) -> Counts {
        self.counts
    }

    /// The notices so far.
    pub fn notices(&self) -> &[Notice] {
        &self.notices
    }

    /// A notice of this kind was given.
    pub fn has_notice(&self, code: NoticeCode) -> bool {
        self.notices.iter().any(|notice| notice.code == code)
    }

    /// What kind of work was carried out last.
    pub fn last_work(&self) -> Option<&'static str> {
        self.last_work
    }

    /// The work that waits to be carried out.
    pub fn pending(&self) -> impl Iterator<Item = (TaskId, &Work)> {
        self.pending.iter().map(|pending| (pending.task, &pending.work))
    }
}

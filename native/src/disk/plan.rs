//! Commits of a dry run: everything is looked at, nothing is changed.

use std::sync::atomic::Ordering;

use syncline_core::api::{CommitItem, CommitResult, Content, EntryKind, Failure, Outcome, Put, Stat};

use super::Disk;
use super::failure::change_failure;
use super::stat::{same, stat_at};
use super::tree::Directories;

impl Disk {
    /// Answers as if the changes had been made.
    pub(crate) fn pretend(&self, items: &[CommitItem]) -> Outcome {
        let mut directories = Directories::new(&self.tree);
        let results = items
            .iter()
            .map(|item| match self.pretend_one(&mut directories, item) {
                Ok(stat) => CommitResult::Committed { stat },
                Err(failure) => CommitResult::Failed { failure },
            })
            .collect();
        Outcome::Committed { results }
    }

    fn pretend_one(&self, directories: &mut Directories<'_>, item: &CommitItem) -> Result<Option<Stat>, Failure> {
        if let Some(expected) = &item.expect
            // What was only pretended to be made cannot be looked at.
            && !self.pretended(expected)
        {
            let (directory, name) = directories.parent(&item.path, change_failure)?;
            if !same(expected, &stat_at(&directory, name).map_err(change_failure)?) {
                return Err(Failure::Changed);
            }
        }
        let (kind, size, mode, modified_ns) = match &item.put {
            Put::Nothing => return Ok(None),
            Put::File { content, mode, modified_ns, .. } => {
                let size = if let Content::File { size, .. } = content { *size } else { 0 };
                (EntryKind::File, size, *mode, *modified_ns)
            }
            Put::Symlink { .. } => (EntryKind::Symlink, 0, 0, 0),
            Put::Directory { mode } => (EntryKind::Directory, 0, *mode | 0o700, 0),
            Put::Mode { mode } => match &item.expect {
                Some(expected) => return Ok(Some(Stat { mode: *mode, ..*expected })),
                None => return Err(Failure::Changed),
            },
        };
        let file_id = self.pretended_id.fetch_sub(1, Ordering::Relaxed);
        Ok(Some(Stat { kind, size, mode, modified_ns, changed_ns: 0, file_id, settled: true }))
    }

    fn pretended(&self, stat: &Stat) -> bool {
        stat.file_id > self.pretended_id.load(Ordering::Relaxed)
    }
}

//! Counting what a run changed.

use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use syncline_core::api::{CommitItem, Content, Put};

/// What a run did. Entries are files, directories and links; numbers are summed over both roots.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Summary {
    /// Entries made.
    pub created: u64,
    /// Entries replaced or given other permission bits.
    pub updated: u64,
    /// Entries renamed.
    pub renamed: u64,
    /// Entries removed.
    pub removed: u64,
    /// Conflict copies that stand at the end, each counted once.
    pub conflicts: u64,
    /// Special files left alone.
    pub skipped: u64,
    /// Deletions that wait for a person.
    pub held: u64,
    /// Bytes of files written.
    pub bytes_moved: u64,
    /// How long the run took, in milliseconds.
    pub elapsed_ms: u64,
    /// Both roots hold the same, and nothing waits.
    pub in_sync: bool,
}

/// The counts that grow while a run goes on.
#[derive(Default)]
pub(crate) struct Tally {
    created: AtomicU64,
    updated: AtomicU64,
    removed: AtomicU64,
    bytes_moved: AtomicU64,
}

impl Tally {
    /// Counts one change that was made.
    pub(crate) fn count(&self, change: &CommitItem) {
        let counter = match (&change.put, &change.expect) {
            (Put::Nothing, None) => return,
            (Put::Nothing, Some(_)) => &self.removed,
            (_, None) => &self.created,
            (_, Some(_)) => &self.updated,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        if let Put::File { content: Content::File { size, .. }, .. } = &change.put {
            self.bytes_moved.fetch_add(*size, Ordering::Relaxed);
        }
    }

    /// The counts so far, in an otherwise empty summary.
    pub(crate) fn summary(&self) -> Summary {
        Summary {
            created: self.created.load(Ordering::Relaxed),
            updated: self.updated.load(Ordering::Relaxed),
            removed: self.removed.load(Ordering::Relaxed),
            bytes_moved: self.bytes_moved.load(Ordering::Relaxed),
            ..Summary::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use syncline_core::api::{EntryKind, Hash, StageId, Stat};

    #[test]
    fn changes_are_counted_by_what_they_do() {
        let stat = Stat {
            kind: EntryKind::File,
            size: 1,
            mode: 0o644,
            modified_ns: 0,
            changed_ns: 0,
            file_id: 1,
            settled: true,
        };
        let content = Content::File { hash: Hash::from_bytes([0; 32]), size: 100 };
        let file = Put::File { stage: StageId(1), content, mode: 0o644, modified_ns: 0 };
        let tally = Tally::default();
        for (expect, put) in [
            (None, file.clone()),
            (Some(stat), file),
            (None, Put::Directory { mode: 0o755 }),
            (Some(stat), Put::Mode { mode: 0o600 }),
            (Some(stat), Put::Nothing),
            (None, Put::Nothing),
        ] {
            tally.count(&CommitItem { path: "a".into(), expect, put, conflict_of: None });
        }
        let expected = Summary { created: 2, updated: 2, removed: 1, bytes_moved: 200, ..Summary::default() };
        assert_eq!(tally.summary(), expected);
    }
}

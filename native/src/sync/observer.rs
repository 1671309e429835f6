//! What a run tells while it runs.

use std::path::Path;

use syncline_core::api::{CommitItem, Notice};

use super::Summary;

/// Hears what happens. Calls come from several threads.
pub trait Observer: Send + Sync {
    /// An engine, or the host, has something to tell about a root.
    fn notice(&self, root: &Path, notice: &Notice) {
        let _ = (root, notice);
    }

    /// A root was changed; in a dry run: would be changed.
    fn changed(&self, root: &Path, change: &CommitItem) {
        let _ = (root, change);
    }

    /// How far the run is; called a few times a second.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }

    /// Both roots agree; called while watching, at each agreement.
    fn settled(&self, summary: &Summary) {
        let _ = summary;
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// Entries known on both roots together.
    pub entries: u64,
    /// Entries changed so far.
    pub changed: u64,
    /// Paths that are being changed or wait for content.
    pub pending: u64,
    /// Bytes of files written so far.
    pub bytes_moved: u64,
    /// Bytes still to be fetched.
    pub bytes_pending: u64,
    /// A root is still being compared with what is known of it.
    pub scanning: bool,
}

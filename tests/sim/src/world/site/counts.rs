//! What a device has done.

use syncline_core::{api::Work, engine::is_presence};

use super::Said;

/// What a device has done so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Events its engines took.
    pub events: u64,
    /// Pieces of work carried out.
    pub performed: u64,
    /// Batches saved, but for those that only say when members were heard.
    pub saves: u64,
    /// Messages given to pipes, but for heartbeats.
    pub sends: u64,
    /// Heartbeats given to pipes.
    pub heartbeats: u64,
    /// Bytes given to pipes.
    pub sent_bytes: u64,
    /// Chunks staged.
    pub staged: u64,
    /// Changes of the tree.
    pub commits: u64,
}

impl Counts {
    pub(super) fn count_sent(&mut self, said: Said, bytes: &[u8]) {
        match said {
            Said::Heartbeat => self.heartbeats += 1,
            Said::Applied | Said::Other => self.sends += 1,
        }
        self.sent_bytes += bytes.len() as u64;
    }

    pub(super) fn count_work(&mut self, work: &Work) {
        self.performed += 1;
        match work {
            Work::Save { writes } if !writes.iter().all(|write| is_presence(&write.key)) => self.saves += 1,
            Work::Stage { items, .. } => self.staged += items.len() as u64,
            Work::Commit { items, .. } => self.commits += items.len() as u64,
            _ => {}
        }
    }
}

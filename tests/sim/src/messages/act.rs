//! What applications and their people do.

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{Command, Event},
    engine::limits::PAYLOAD_BYTES_MAX,
};

use crate::{FOLDER, SiteId, World};

/// Something that someone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// On which device.
    pub device: u8,
    /// How much.
    pub amount: u8,
    /// Makes its texts differ from all others.
    pub number: u16,
}

/// Kinds of acts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum ActKind {
    /// Posts a short text.
    Post,
    /// Posts nothing at all.
    PostEmpty,
    /// Posts some kilobytes.
    PostLong,
    /// Posts as much as a message holds, or nearly.
    PostLongest,
    /// Posts more than a message holds.
    PostTooLong,
    /// Posts many texts at once.
    PostBurst,
    /// Has the folder looked through now.
    Poll,
    /// A watcher says that something changed, and not what.
    Hint,
}

impl ActKind {
    /// All of them.
    pub const ALL: [ActKind; 8] = [
        ActKind::Post,
        ActKind::PostEmpty,
        ActKind::PostLong,
        ActKind::PostLongest,
        ActKind::PostTooLong,
        ActKind::PostBurst,
        ActKind::Poll,
        ActKind::Hint,
    ];

    /// It costs as much as hundreds of others.
    pub(super) fn is_costly(self) -> bool {
        matches!(self, ActKind::PostLongest | ActKind::PostTooLong)
    }
}

/// The most texts of a burst: more than one write into the folder holds.
const BURST_MAX: u8 = 80;

impl Act {
    /// Does it; returns it in a sentence, and what was posted. None if there is nothing that it could be done to.
    pub(super) fn perform(&self, world: &mut World, site: SiteId) -> Option<(String, Vec<Vec<u8>>)> {
        if !world[site].is_running() || world[site].is_stopped() {
            return None;
        }
        let text = |part: u8| format!("text {}.{part} of device {}", self.number, self.device).into_bytes();
        let long = |length: usize| {
            let mut payload = text(0);
            payload.resize(length.max(payload.len()), b'.');
            payload
        };
        let (told, payloads) = match self.kind {
            ActKind::Post => ("posts a text".to_owned(), vec![text(0)]),
            ActKind::PostEmpty => ("posts nothing".to_owned(), vec![Vec::new()]),
            ActKind::PostLong => {
                let length = usize::from(self.amount) * 300 + 200;
                (format!("posts {length} bytes"), vec![long(length)])
            }
            ActKind::PostLongest => {
                let length = PAYLOAD_BYTES_MAX - usize::from(self.amount % 3);
                (format!("posts {length} bytes"), vec![long(length)])
            }
            ActKind::PostTooLong => ("posts more than a message holds".to_owned(), vec![long(PAYLOAD_BYTES_MAX + 1)]),
            ActKind::PostBurst => {
                let many = self.amount % BURST_MAX + 2;
                (format!("posts {many} texts at once"), (0..many).map(text).collect())
            }
            ActKind::Poll => {
                world.command(site, Command::Poll { folder: FOLDER });
                return Some(("has the folder looked through".to_owned(), Vec::new()));
            }
            ActKind::Hint => {
                world.tell(site, Event::FolderChanged { folder: FOLDER, paths: Vec::new() });
                return Some(("hears that something changed in the folder".to_owned(), Vec::new()));
            }
        };
        for payload in payloads.clone() {
            world.command(site, Command::Publish { payload });
        }
        let payloads = if self.kind == ActKind::PostTooLong { Vec::new() } else { payloads };
        Some((told, payloads))
    }
}

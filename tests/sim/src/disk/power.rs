//! What a loss of power does to what people's programs wrote: most of them never ask for it to be on disk.

use std::collections::BTreeMap;

use super::{Body, Disk};
use crate::Item;

/// How long a write may wait in memory, in the world's milliseconds.
const UNSYNCED_MS: u64 = 5_000;

/// A write that may not be on disk yet.
pub(super) struct Recent {
    number: u64,
    at_ms: u64,
    before: Before,
}

enum Before {
    /// The file was made: it held nothing.
    Created,
    /// It held this.
    Held { bytes: Vec<u8>, modified_ns: i64 },
    /// It got another name, which lasts; so the file does.
    Renamed,
}

/// What the hardware did to a file of people's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Torn {
    /// Where the file stands, or stood when it was displaced.
    pub path: String,
    /// It lies in the history.
    pub displaced: bool,
    /// What it held.
    pub before: Item,
    /// What it holds now; none if it is gone.
    pub after: Option<Item>,
}

/// What becomes of one file.
enum Fate {
    Kept,
    /// As it was before the last so many writes.
    Undone(usize),
    /// The last write is there in part.
    Torn,
    Vanished,
}

impl Disk {
    /// The power fails: what people wrote in the last five seconds may be undone, torn or gone, each file by itself;
    /// what they renamed and removed stays so, and what the host put on disk is not touched. Programs that held files
    /// open end.
    ///
    /// A torn file never keeps the time of its whole version: one that did could be told from it only by reading it.
    pub fn lose_power(&mut self, chance: &mut fastrand::Rng) -> Vec<Torn> {
        self.forget_settled();
        let mut writes: BTreeMap<u64, Vec<Before>> = BTreeMap::new();
        for recent in std::mem::take(&mut self.recent) {
            if self.inodes.contains_key(&recent.number) {
                writes.entry(recent.number).or_default().push(recent.before);
            }
        }
        let torn =
            writes.into_iter().filter_map(|(number, writes)| self.strike_file(number, &writes, chance)).collect();
        self.close_all();
        torn
    }

    pub(super) fn note_created(&mut self, number: u64) {
        self.note(number, Before::Created);
    }

    pub(super) fn note_renamed(&mut self, number: u64) {
        if self.recent.iter().any(|recent| recent.number == number) {
            self.note(number, Before::Renamed);
        }
    }

    pub(super) fn note_written(&mut self, number: u64) {
        let inode = &self.inodes[&number];
        if let Body::File(bytes) = &inode.body {
            self.note(number, Before::Held { bytes: bytes.clone(), modified_ns: inode.modified_ns });
        }
    }

    fn note(&mut self, number: u64, before: Before) {
        self.forget_settled();
        self.recent.push_back(Recent { number, at_ms: self.clock.elapsed_ms(), before });
    }

    fn forget_settled(&mut self) {
        let now = self.clock.elapsed_ms();
        while self.recent.front().is_some_and(|recent| recent.at_ms + UNSYNCED_MS < now) {
            self.recent.pop_front();
        }
    }

    fn strike_file(&mut self, number: u64, writes: &[Before], chance: &mut fastrand::Rng) -> Option<Torn> {
        let held: Vec<_> = writes
            .iter()
            .filter_map(|before| match before {
                Before::Held { bytes, modified_ns } => Some((bytes, *modified_ns)),
                Before::Created | Before::Renamed => None,
            })
            .collect();
        let (last, last_ns) = held.last().copied()?;
        let is_new = writes.iter().any(|before| matches!(before, Before::Created));
        let is_renamed = writes.iter().any(|before| matches!(before, Before::Renamed));
        let index = self.kept.iter().rposition(|kept| *kept == number);
        let path = match index {
            Some(index) => self.history[index].path.clone(),
            None => self.path_of(number)?,
        };
        let fate = match chance.u32(..6) {
            0..3 => Fate::Kept,
            3 => Fate::Undone(1 + chance.usize(..held.len())),
            4 if is_new && !is_renamed && index.is_none() => Fate::Vanished,
            _ => Fate::Torn,
        };
        let before = self.item(number);
        match fate {
            Fate::Kept => return None,
            Fate::Vanished => {
                self.detach(&path);
                self.strike(|faults| faults.files_vanished += 1);
                return Some(Torn { path, displaced: false, before, after: None });
            }
            Fate::Undone(count) => {
                let (bytes, modified_ns) = held[held.len() - count];
                self.overwrite(number, bytes.clone(), modified_ns);
            }
            Fate::Torn => self.tear(number, last, last_ns, chance),
        }
        self.show_kept(number);
        let after = self.item(number);
        if after == before {
            return None;
        }
        self.strike(|faults| match fate {
            Fate::Torn => faults.writes_torn += 1,
            _ => faults.writes_undone += 1,
        });
        Some(Torn { path, displaced: index.is_some(), before, after: Some(after) })
    }

    /// The first part of the last write is there; behind it lie zeros, what was there before, or nothing.
    fn tear(&mut self, number: u64, old: &[u8], old_ns: i64, chance: &mut fastrand::Rng) {
        let inode = &self.inodes[&number];
        let Body::File(new) = &inode.body else { return };
        let (mut bytes, new_ns) = (new.clone(), inode.modified_ns);
        let whole = bytes.len();
        bytes.truncate(chance.usize(..=whole));
        match chance.u32(..3) {
            0 => bytes.resize(whole, 0),
            1 => bytes.extend_from_slice(old.get(bytes.len()..).unwrap_or_default()),
            _ => {}
        }
        let between = if new_ns.abs_diff(old_ns) > 1 { old_ns.midpoint(new_ns) } else { new_ns + 1 };
        let time = if bytes == *new { new_ns } else { self.stamp(between) };
        self.overwrite(number, bytes, time);
    }

    fn overwrite(&mut self, number: u64, bytes: Vec<u8>, modified_ns: i64) {
        let inode = self.inode_mut(number);
        (inode.body, inode.modified_ns) = (Body::File(bytes), modified_ns);
    }
}

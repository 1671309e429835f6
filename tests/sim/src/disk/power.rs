//! What a loss of power does to what people's programs wrote: most of them never ask for it to be on disk.

use std::collections::BTreeMap;

use super::{Body, Disk};
use crate::{Item, chance::Pick};

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

    /// The number of a file that is gone, which the next one may get.
    pub(super) fn forget_writes(&mut self, number: u64) {
        self.recent.retain(|recent| recent.number != number);
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
            3 => Fate::Undone(1 + chance.pick(held.len())),
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
        bytes.truncate(chance.pick(whole + 1));
        match chance.u32(..3) {
            0 => bytes.resize(whole, 0),
            1 => bytes.extend_from_slice(old.get(bytes.len()..).unwrap_or_default()),
            _ => {}
        }
        let between = self.stamp(old_ns.midpoint(new_ns));
        self.overwrite(number, bytes, if between == old_ns { new_ns } else { between });
    }

    /// Other bytes never carry the time of those that they stand for now.
    fn overwrite(&mut self, number: u64, bytes: Vec<u8>, modified_ns: i64) {
        let step = self.step_ns();
        let inode = self.inode_mut(number);
        match &inode.body {
            Body::File(shown) if *shown == bytes => return,
            _ if modified_ns == inode.modified_ns => inode.modified_ns += step,
            _ => inode.modified_ns = modified_ns,
        }
        inode.body = Body::File(bytes);
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{Clock, tree};

    #[test]
    fn old_writes_last_and_young_ones_may_be_undone_torn_or_gone() {
        let clock = Clock::new();
        let mut found = BTreeSet::new();
        for seed in 0..300 {
            let mut disk = Disk::new(clock.clone());
            disk.put(&tree([("settled", "old"), ("edited", "old")]));
            clock.advance(UNSYNCED_MS + 1);
            disk.write("edited", "new text");
            disk.write("made", "made");
            disk.replace("settled", "saved");
            let torn = disk.lose_power(&mut fastrand::Rng::with_seed(seed));
            for torn in &torn {
                assert_eq!(disk.tree().at(&torn.path), torn.after.as_ref());
                assert_ne!(Some(&torn.before), torn.after.as_ref());
            }
            assert!(disk.read("settled").is_some(), "a rename lasts");
            for path in ["settled", "edited", "made"] {
                let bytes = disk.read(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
                let is_whole = !torn.iter().any(|torn| torn.path == path);
                assert!(!is_whole || bytes.is_some_and(|bytes| ["saved", "new text", "made"].contains(&&*bytes)));
                found.insert((path, disk.read(path).map(<[u8]>::to_vec)));
            }
            assert!(disk.lose_power(&mut fastrand::Rng::with_seed(seed)).is_empty(), "it is on disk now");
        }
        let holds = |path, bytes: Option<&[u8]>| found.contains(&(path, bytes.map(<[u8]>::to_vec)));
        assert!(holds("edited", Some(b"old")) && holds("edited", Some(b"new text")) && holds("edited", Some(b"new")));
        assert!(holds("made", None) && holds("made", Some(b"")) && holds("made", Some(b"ma\0\0")));
        assert!(holds("settled", Some(b"")) && !holds("settled", Some(b"old")));
        let mut disk = Disk::new(clock.clone());
        disk.write("a", "a");
        clock.advance(UNSYNCED_MS + 1);
        assert!((0..50).all(|seed| disk.lose_power(&mut fastrand::Rng::with_seed(seed)).is_empty()));
    }

    #[test]
    fn the_same_chance_tears_alike() {
        let torn = |seed| {
            let mut disk = Disk::new(Clock::new());
            (0..20).for_each(|number| disk.write(&format!("file {number}"), "some text"));
            disk.lose_power(&mut fastrand::Rng::with_seed(seed))
        };
        assert_eq!(torn(1), torn(1));
        assert_ne!(torn(1), torn(2));
    }

    #[test]
    fn other_bytes_never_carry_the_time_of_those_they_stand_for() {
        for coarse in [false, true] {
            let mut differ = 0;
            for seed in 0..300 {
                let traits = crate::Traits { coarse, ..crate::Traits::default() };
                let mut disk = Disk::with_traits(Clock::new(), traits);
                disk.write("a", "0000");
                disk.write("a", "1111");
                let before = disk.stat(disk.find("a").unwrap()).modified_ns;
                disk.lose_power(&mut fastrand::Rng::with_seed(seed));
                let Some(number) = disk.find("a") else { continue };
                let is_whole = disk.read("a") == Some(b"1111");
                assert_eq!(disk.stat(number).modified_ns == before, is_whole, "{coarse}, seed {seed}");
                differ += u32::from(!is_whole);
            }
            assert!(differ > 50, "{differ}");
        }
    }
}

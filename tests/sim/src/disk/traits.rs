//! What file systems differ in.

use serde::{Deserialize, Serialize};
use syncline_core::api::Stat;

use super::Disk;

/// How long ago a write must lie for its modification time to tell it from the next one.
const SETTLED_NS: u64 = 20_000_000;

/// The same where stamps are coarse; also how coarse they are.
const COARSE_NS: i64 = 2_000_000_000;

/// What a file system does with the numbers of its inodes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub enum Numbers {
    /// The number that was freed last is given to the next inode, as ext4 does.
    #[default]
    Reused,
    /// Each number is given once.
    Fresh,
    /// There are none to be seen: the host tells 0. Change times then tell what was renamed.
    Hidden,
}

/// One kind of file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Traits {
    /// The numbers of inodes.
    pub numbers: Numbers,
    /// Times are kept in steps of two seconds, as FAT does. A wall clock that jumps back can then stamp two writes
    /// alike that lie far apart, which nobody can tell; do not put both into one world.
    pub coarse: bool,
    /// There are permission bits; without them the host tells 0, and setting them does nothing.
    pub modes: bool,
    /// Two entries can be swapped in one step; without that a replacement takes two, between which a crash can come.
    pub swaps: bool,
}

impl Default for Traits {
    fn default() -> Traits {
        Traits { numbers: Numbers::Reused, coarse: false, modes: true, swaps: true }
    }
}

impl Traits {
    /// The names of what is unusual.
    pub fn oddities(self) -> impl Iterator<Item = &'static str> {
        let all = [
            (self.numbers == Numbers::Fresh, "fresh_numbers"),
            (self.numbers == Numbers::Hidden, "no_numbers"),
            (self.coarse, "coarse_times"),
            (!self.modes, "no_modes"),
            (!self.swaps, "no_swaps"),
        ];
        all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name)
    }
}

impl Disk {
    /// Makes this another kind of file system.
    ///
    /// # Panics
    /// If something stands in the folder already.
    pub fn set_traits(&mut self, traits: Traits) {
        assert!(self.names("").is_empty(), "the folder is not empty");
        self.traits = traits;
    }

    /// What kind of file system this is.
    pub fn traits(&self) -> Traits {
        self.traits
    }

    /// The time as this file system stamps it.
    pub(super) fn now_ns(&self) -> i64 {
        self.stamp(self.clock.now_ns())
    }

    /// A time as this file system keeps it.
    pub(super) fn stamp(&self, time_ns: i64) -> i64 {
        if self.traits.coarse { time_ns - time_ns.rem_euclid(COARSE_NS) } else { time_ns }
    }

    /// The time at which metadata change now. No two are alike where they are fine, for that alone tells what takes the
    /// place of a file of its size and age.
    pub(super) fn change_ns(&mut self) -> i64 {
        self.changes += 1;
        self.now_ns() + if self.traits.coarse { 0 } else { self.changes }
    }

    /// How far two stamps lie apart at least.
    pub(super) fn step_ns(&self) -> i64 {
        if self.traits.coarse { COARSE_NS } else { 1 }
    }

    /// What a host tells of an inode.
    pub(super) fn shown(&self, stat: Stat) -> Stat {
        let (coarse, age_ns) = (self.traits.coarse, |time_ns| self.clock.now_ns().abs_diff(time_ns));
        let needed = if coarse { COARSE_NS.unsigned_abs() } else { SETTLED_NS };
        // What comes with an old modification time tells itself by its change time, if that is fine enough.
        let is_change_told = !coarse || age_ns(stat.changed_ns) >= needed;
        Stat {
            mode: if self.traits.modes { stat.mode } else { 0 },
            file_id: if self.traits.numbers == Numbers::Hidden { 0 } else { stat.file_id },
            settled: age_ns(stat.modified_ns) >= needed && is_change_told,
            ..stat
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Clock;

    fn stat(disk: &Disk, path: &str) -> Stat {
        disk.stat(disk.find(path).unwrap())
    }

    #[test]
    fn coarse_stamps_settle_late() {
        let clock = Clock::new();
        let mut disk = Disk::with_traits(clock.clone(), Traits { coarse: true, ..Traits::default() });
        clock.advance(1_999);
        disk.write("a", "1");
        assert_eq!(stat(&disk, "a").modified_ns % COARSE_NS, 0);
        assert!(!stat(&disk, "a").settled);
        clock.advance(1);
        assert!(stat(&disk, "a").settled, "the next write carries another stamp");
        let before = stat(&disk, "a").modified_ns;
        disk.write("a", "2");
        assert_ne!(stat(&disk, "a").modified_ns, before);
    }

    #[test]
    fn a_coarse_change_time_settles_late_whatever_the_modification_time_is() {
        for coarse in [true, false] {
            let clock = Clock::new();
            let mut disk = Disk::with_traits(clock.clone(), Traits { coarse, ..Traits::default() });
            disk.write("a", "1");
            let backup = disk.snapshot();
            clock.advance(10_001);
            assert!(disk.restore_at(&backup, "a"));
            assert!(!stat(&disk, "a").settled, "it could not be told from what came in the same tick");
            clock.advance(10_001);
            let backup = disk.snapshot();
            assert!(disk.restore_at(&backup, "a"));
            assert_eq!(stat(&disk, "a").settled, !coarse);
            clock.advance(2_000);
            assert!(stat(&disk, "a").settled);
        }
    }

    #[test]
    fn numbers_are_reused_or_fresh_or_hidden() {
        for (numbers, equal) in [(Numbers::Reused, true), (Numbers::Fresh, false), (Numbers::Hidden, true)] {
            let mut disk = Disk::with_traits(Clock::new(), Traits { numbers, ..Traits::default() });
            disk.write("a", "1");
            let first = stat(&disk, "a").file_id;
            disk.remove("a");
            disk.write("b", "2");
            assert_eq!(stat(&disk, "b").file_id == first, equal, "{numbers:?}");
            assert_eq!(first == 0, numbers == Numbers::Hidden);
        }
    }

    #[test]
    fn a_file_system_without_bits_shows_none() {
        let mut disk = Disk::with_traits(Clock::new(), Traits { modes: false, ..Traits::default() });
        disk.write("a", "1");
        assert_eq!(stat(&disk, "a").mode, 0);
    }
}

//! What a device tells its engine of changes in its folder, and what it fails to tell.

use serde::{Deserialize, Serialize};
use syncline_core::api::{Event, Hint, RootId};

use crate::disk::{Disk, parent};

/// How a watcher errs. Each rate is "one in so many", and none with 0.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct WatcherTraits {
    /// Hints that never come.
    pub lost_one_in: u32,
    /// Hints that come twice.
    pub doubled_one_in: u32,
    /// Hints that are told of the directory above, with all below it.
    pub merged_one_in: u32,
    /// Times that the watcher lost count of what it saw, and tells of the root with all below it.
    pub overflowed_one_in: u32,
    /// How late a hint comes at most, in milliseconds; each by itself, so that they change places.
    pub late_ms_max: u64,
    /// What the engine's own host does is seen, too.
    pub echo: bool,
}

/// A watcher of one folder.
pub(crate) struct Watcher {
    traits: WatcherTraits,
    chance: fastrand::Rng,
    hints: Vec<Waiting>,
}

/// A hint that is on its way.
struct Waiting {
    due_ms: u64,
    hint: Hint,
}

impl Watcher {
    pub fn new(traits: WatcherTraits, chance: fastrand::Rng) -> Watcher {
        Watcher { traits, chance, hints: Vec::new() }
    }

    /// Nothing is on its way any more: the engine that it was for has ended.
    pub fn forget(&mut self) {
        self.hints.clear();
    }

    /// Sees what was touched since it last looked.
    pub fn look(&mut self, disk: &mut Disk, now_ms: u64) {
        if !disk.is_touched() {
            return;
        }
        let touched = disk.take_touched();
        if self.strikes(self.traits.overflowed_one_in) {
            disk.strike(|faults| faults.hints_overflowed += 1);
            self.wait(Hint { directory: String::new(), recursive: true }, disk, now_ms);
            return;
        }
        for directory in touched {
            if self.strikes(self.traits.lost_one_in) {
                disk.strike(|faults| faults.hints_lost += 1);
                continue;
            }
            let merged = self.strikes(self.traits.merged_one_in);
            let hint = match merged {
                true => Hint { directory: parent(&directory).into(), recursive: true },
                false => Hint { directory, recursive: false },
            };
            disk.strike(|faults| faults.hints_merged += u64::from(merged));
            if self.strikes(self.traits.doubled_one_in) {
                disk.strike(|faults| faults.hints_doubled += 1);
                self.wait(hint.clone(), disk, now_ms);
            }
            self.wait(hint, disk, now_ms);
        }
    }

    /// The indices of the hints that are due.
    pub fn due(&self, now_ms: u64) -> impl Iterator<Item = usize> {
        self.hints.iter().enumerate().filter(move |(_, waiting)| waiting.due_ms <= now_ms).map(|(index, _)| index)
    }

    /// When the next hint comes.
    pub fn next_ms(&self) -> Option<u64> {
        self.hints.iter().map(|waiting| waiting.due_ms).min()
    }

    pub fn take(&mut self, index: usize, root: RootId) -> Event {
        let Waiting { hint, .. } = self.hints.remove(index);
        Event::Changed { root, hints: vec![hint] }
    }

    fn wait(&mut self, hint: Hint, disk: &Disk, now_ms: u64) {
        let late_ms = if self.traits.late_ms_max == 0 { 0 } else { self.chance.u64(..=self.traits.late_ms_max) };
        disk.strike(|faults| faults.hints_late += u64::from(late_ms > 0));
        self.hints.push(Waiting { due_ms: now_ms + late_ms, hint });
    }

    fn strikes(&mut self, one_in: u32) -> bool {
        one_in > 0 && self.chance.u32(..one_in) == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Clock, ROOT};

    fn told(traits: WatcherTraits, act: impl Fn(&mut Disk)) -> Vec<Hint> {
        let mut disk = Disk::new(Clock::new());
        disk.mkdir("d/e");
        disk.watch(true);
        act(&mut disk);
        let mut watcher = Watcher::new(traits, fastrand::Rng::with_seed(1));
        watcher.look(&mut disk, 0);
        std::iter::from_fn(|| (!watcher.hints.is_empty()).then(|| watcher.take(0, ROOT)))
            .flat_map(|event| match event {
                Event::Changed { hints, .. } => hints,
                _ => unreachable!("a watcher tells of changes"),
            })
            .collect()
    }

    fn hint(directory: &str, recursive: bool) -> Hint {
        Hint { directory: directory.into(), recursive }
    }

    #[test]
    fn each_act_is_told_where_it_happened() {
        let act = |disk: &mut Disk| {
            disk.write("d/a", "a");
            disk.rename("d/a", "d/e/b");
            disk.chmod("d/e/b", 0o600);
            disk.remove("d/e");
            disk.write("top", "a");
        };
        let expected = ["d", "d/e", "d", ""].map(|directory| hint(directory, false));
        assert_eq!(told(WatcherTraits::default(), act), expected);
    }

    #[test]
    fn an_open_file_is_seen_where_it_stands() {
        let act = |disk: &mut Disk| {
            disk.write("a", "a");
            let open = disk.open("a");
            disk.rename("a", "d/e/a");
            disk.write_open(&open, "b");
            disk.remove("d/e/a");
            disk.write_open(&open, "c");
        };
        let expected = ["", "d/e"].map(|directory| hint(directory, false));
        assert_eq!(told(WatcherTraits::default(), act), expected);
    }

    #[test]
    fn watchers_lose_double_merge_and_overflow() {
        let act = |disk: &mut Disk| disk.write("d/e/a", "a");
        let traits = WatcherTraits::default();
        assert_eq!(told(WatcherTraits { lost_one_in: 1, ..traits }, act), []);
        assert_eq!(told(WatcherTraits { doubled_one_in: 1, ..traits }, act), [hint("d/e", false), hint("d/e", false)]);
        assert_eq!(told(WatcherTraits { merged_one_in: 1, ..traits }, act), [hint("d", true)]);
        assert_eq!(told(WatcherTraits { overflowed_one_in: 1, ..traits }, act), [hint("", true)]);
    }
}

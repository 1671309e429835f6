//! Paths of which an engine cannot know whether its last change of them was made.
//!
//! A change is certain when the engine was told of it and then saved. If it ends before, its next start finds what it
//! intended and what stood there before; where something else stands by then, a person was shown one of the two. So it
//! is where a host fails with a whole batch of changes.

use std::collections::{BTreeMap, BTreeSet};

/// What is in doubt on every device.
#[derive(Default)]
pub(super) struct Doubts {
    /// Changes that were asked for or made and are not saved yet, and the number of people's acts before each.
    made: BTreeMap<(usize, String), Made>,
    /// Paths that an engine left behind so when it ended, or that a host left so, until they are looked at.
    left: BTreeSet<(usize, String)>,
}

struct Made {
    at: u64,
    stage: Stage,
}

#[derive(PartialEq, Eq)]
enum Stage {
    /// The engine was not told yet what became of it.
    Untold,
    /// It was told.
    Told,
    /// It asked for it to be saved.
    Saving,
}

impl Doubts {
    /// An engine asks for a path to be changed, after so many acts of people.
    pub(super) fn asked(&mut self, site: usize, path: &str, at: u64) {
        self.made.insert((site, path.to_string()), Made { at, stage: Stage::Untold });
    }

    /// An engine was told that a path was not changed.
    pub(super) fn refused(&mut self, site: usize, path: &str) {
        self.made.remove(&(site, path.to_string()));
    }

    /// A path was changed, after so many acts of people.
    pub(super) fn made(&mut self, site: usize, path: &str, at: u64) {
        self.left.remove(&(site, path.to_string()));
        self.made.insert((site, path.to_string()), Made { at, stage: Stage::Untold });
    }

    /// How much people had done when a change was asked for or made that is not saved yet.
    pub(super) fn since(&self, site: usize, path: &str) -> u64 {
        self.made.get(&(site, path.to_string())).map_or(u64::MAX, |made| made.at)
    }

    /// A path was to be changed, and the host cannot say whether it was.
    pub(super) fn unknown(&mut self, site: usize, path: &str) {
        self.left.insert((site, path.to_string()));
    }

    /// The engine was told of it.
    pub(super) fn told(&mut self, site: usize, path: &str) {
        if let Some(made) = self.made.get_mut(&(site, path.to_string())) {
            made.stage = Stage::Told;
        }
    }

    /// The engine asked for something to be saved.
    pub(super) fn saving(&mut self, site: usize) {
        for made in self.made.iter_mut().filter(|((other, _), _)| *other == site).map(|(_, made)| made) {
            if made.stage == Stage::Told {
                made.stage = Stage::Saving;
            }
        }
    }

    /// It was saved.
    pub(super) fn saved(&mut self, site: usize) {
        self.made.retain(|(other, _), made| *other != site || made.stage != Stage::Saving);
    }

    /// A path was looked at, after so many acts of people; true if it was left in doubt. What was seen there counts once it
    /// is saved, as a change does.
    pub(super) fn looked(&mut self, site: usize, path: &str, at: u64) -> bool {
        let key = (site, path.to_string());
        let was_left = self.left.remove(&key);
        if was_left {
            self.made.insert(key, Made { at, stage: Stage::Untold });
        }
        was_left
    }

    /// An engine ended, or another takes its place: what it left in doubt, and since when.
    pub(super) fn ended(&mut self, site: usize) -> Vec<(String, u64)> {
        let (left, made) = std::mem::take(&mut self.made).into_iter().partition(|((other, _), _)| *other == site);
        self.made = made;
        let left: BTreeMap<(usize, String), Made> = left;
        self.left.extend(left.keys().cloned());
        left.into_iter().map(|((_, path), made)| (path, made.at)).collect()
    }

    /// Nobody knows what a person who changes the path now was shown there.
    pub(super) fn holds(&self, site: usize, path: &str) -> bool {
        self.left.contains(&(site, path.to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_in_doubt_from_its_making_until_it_is_saved() {
        for saved in [false, true] {
            let mut doubts = Doubts::default();
            doubts.made(0, "a", 7);
            doubts.told(0, "a");
            doubts.saving(0);
            if saved {
                doubts.saved(0);
            }
            assert_eq!(doubts.ended(0), if saved { vec![] } else { vec![("a".to_string(), 7)] });
            assert_eq!(doubts.holds(0, "a"), !saved);
            doubts.looked(0, "a", 8);
            assert!(!doubts.holds(0, "a"));
        }
    }

    #[test]
    fn what_was_looked_at_and_not_saved_is_in_doubt_again() {
        for saved in [false, true] {
            let mut doubts = Doubts::default();
            doubts.unknown(0, "a");
            doubts.looked(0, "a", 3);
            doubts.told(0, "a");
            doubts.saving(0);
            if saved {
                doubts.saved(0);
            }
            assert_eq!(doubts.ended(0), if saved { vec![] } else { vec![("a".to_string(), 3)] });
        }
    }

    #[test]
    fn what_was_told_after_a_save_was_asked_for_is_not_in_it() {
        let mut doubts = Doubts::default();
        doubts.made(0, "a", 1);
        doubts.saving(0);
        doubts.told(0, "a");
        doubts.saved(0);
        assert_eq!(doubts.ended(1), []);
        assert_eq!(doubts.ended(0), [("a".to_string(), 1)]);
    }
}

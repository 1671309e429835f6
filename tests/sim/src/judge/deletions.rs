//! What devices had seen before they said that something is deleted (§8.6), and how much at once they said so (§8.8).
//!
//! How many files an engine knows cannot be told from outside, but they all stood in its folder at some time. Two decisions
//! can come into one save, each of a quarter or of ten files. More than twice that is too much whatever the engine knew.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::api::{Failure, Now, ProbeResult};

use super::{Invariant, Violation, broken, text::family};
use crate::{Item, Tree};

/// So many files may go in one save, however few there are: ten in each of two decisions.
const FREE_FILES: usize = 20;

/// More of them may go in one save up to one part in so many of all: a quarter in each of two decisions.
const SHARE: usize = 2;

/// What probes found at the paths of every device.
#[derive(Default)]
pub(super) struct Deletions {
    /// How long a path must have been missing, in milliseconds.
    pub debounce_ms: u64,
    paths: BTreeMap<(usize, String), Looks>,
    /// What ever stood in the folders of devices and was no directory.
    stood: BTreeMap<usize, BTreeSet<String>>,
    /// Devices on which someone said yes to the next many deletions.
    allowed: BTreeSet<usize>,
    /// Devices whose configuration says yes to all.
    unlimited: BTreeSet<usize>,
}

#[derive(Default)]
struct Looks {
    /// When it was found missing first, by the device's monotonic clock.
    missing_since: Option<u64>,
    /// It was missing twice, a debounce apart, and no deletion rests on that yet.
    confirmed: bool,
}

impl Deletions {
    /// A device looked at paths.
    pub fn probed(&mut self, site: usize, now: Now, paths: &[String], results: &[ProbeResult], marker: bool) {
        for (path, result) in paths.iter().zip(results) {
            let looks = self.paths.entry((site, path.clone())).or_default();
            let missing = marker && matches!(result, ProbeResult::Failed { failure: Failure::Missing });
            let now = now.monotonic.0;
            looks.missing_since = match looks.missing_since.filter(|since| missing && *since <= now) {
                Some(since) => {
                    looks.confirmed |= now - since >= self.debounce_ms;
                    Some(since)
                }
                None => missing.then_some(now),
            };
        }
    }

    /// This stands in a device's folder.
    pub fn stands(&mut self, site: usize, folder: &Tree) {
        for (path, _) in folder.items().filter(|(_, item)| !matches!(item, Item::Directory { .. })) {
            self.put(site, path);
        }
    }

    /// A device's engine put something there.
    pub fn put(&mut self, site: usize, path: &str) {
        let stood = self.stood.entry(site).or_default();
        if !stood.contains(path) {
            stood.insert(path.to_string());
        }
    }

    /// Someone said yes to the next many deletions of a device.
    pub fn allowed(&mut self, site: usize) {
        self.allowed.insert(site);
    }

    /// A new engine starts on a device, whose configuration may say yes to all: what was said to the last one does not
    /// hold any more.
    pub fn started(&mut self, site: usize, unlimited: bool) {
        self.allowed.remove(&site);
        self.unlimited.remove(&site);
        self.unlimited.extend(unlimited.then_some(site));
    }

    /// A device wrote in one save that the files with these plain paths are deleted.
    pub fn check_many(&mut self, site: usize, files: &BTreeSet<String>) -> Result<(), Violation> {
        let (count, stood) = (files.len(), self.stood.get(&site).map_or(0, BTreeSet::len));
        let is_surely_much = count > FREE_FILES && count * SHARE > stood;
        if !is_surely_much || self.unlimited.contains(&site) || self.allowed.remove(&site) {
            return Ok(());
        }
        let how = format!("{count} files at once, where {stood} ever stood, and nobody allowed it");
        broken(Invariant::Evidence, format!("device {site} deleted {how}"))
    }

    /// A device wrote that something with this plain path is deleted.
    pub fn check(&mut self, site: usize, plain: &str) -> Result<(), Violation> {
        let paths = self.paths.range_mut((site, String::new())..).take_while(|((of, _), _)| *of == site);
        let mut evidence = paths.filter(|((_, path), looks)| looks.confirmed && family(path) == family(plain));
        match evidence.next() {
            Some((_, looks)) => {
                looks.confirmed = false;
                Ok(())
            }
            None => broken(
                Invariant::Evidence,
                format!("device {site} deleted `{plain}` for all and had not found it missing twice"),
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(count: usize) -> Vec<String> {
        (0..count).map(|number| format!("d/{number}")).collect()
    }

    /// The verdict on so many deletions in one save where so many files stood.
    fn verdict(deletions: &mut Deletions, stood: usize, deleted: usize) -> Option<Invariant> {
        let mut folder = Tree::default();
        files(stood).iter().for_each(|path| folder.insert(path, "text".into()));
        deletions.stands(0, &folder);
        let deleted = files(deleted).into_iter().collect();
        deletions.check_many(0, &deleted).err().map(|violation| violation.invariant)
    }

    #[test]
    fn few_deletions_need_nobody() {
        assert_eq!(verdict(&mut Deletions::default(), 20, 20), None);
        assert_eq!(verdict(&mut Deletions::default(), 100, 50), None);
    }

    #[test]
    fn many_deletions_at_once_must_have_been_allowed() {
        assert_eq!(verdict(&mut Deletions::default(), 21, 21), Some(Invariant::Evidence));
        assert_eq!(verdict(&mut Deletions::default(), 100, 51), Some(Invariant::Evidence));
        let mut deletions = Deletions::default();
        deletions.allowed(1);
        assert_eq!(verdict(&mut deletions, 100, 51), Some(Invariant::Evidence));
    }

    #[test]
    fn who_says_yes_says_it_once_and_to_the_engine_that_runs() {
        let mut deletions = Deletions::default();
        deletions.allowed(0);
        assert_eq!(verdict(&mut deletions, 100, 90), None);
        assert_eq!(verdict(&mut deletions, 100, 90), Some(Invariant::Evidence));
        deletions.allowed(0);
        deletions.started(0, false);
        assert_eq!(verdict(&mut deletions, 100, 90), Some(Invariant::Evidence));
        deletions.started(0, true);
        assert_eq!(verdict(&mut deletions, 100, 90), None);
        assert_eq!(verdict(&mut deletions, 100, 90), None);
    }

    #[test]
    fn what_stood_anywhere_counts() {
        let mut deletions = Deletions::default();
        (0..90).for_each(|number| deletions.put(0, &format!("g/{number}")));
        assert_eq!(verdict(&mut deletions, 70, 70), None);
    }
}

//! What programs wrote to files that they held open, and that the engine had replaced or removed meanwhile.
//!
//! The engine cannot know of it, for no path shows it. The design keeps it where the file went: in the local history
//! (§10.1), as long as that keeps anything. There it must lie at rest, whatever happened in between.

use std::collections::BTreeMap;

use super::{Invariant, Violation, broken};
use crate::{Item, Torn};

/// By device and by the number of the file's inode, which is not given again while the history keeps it.
#[derive(Default)]
pub(super) struct Displaced {
    files: BTreeMap<(usize, u64), File>,
}

struct File {
    /// What it held when it was displaced.
    was: Vec<u8>,
    /// What was written to it last.
    now: Vec<u8>,
}

impl Displaced {
    /// A displaced file, which held something, was written anew.
    pub fn wrote(&mut self, site: usize, number: u64, was: Vec<u8>, now: Vec<u8>) {
        self.files.entry((site, number)).or_insert(File { was, now: Vec::new() }).now = now;
    }

    /// The power failed, and the hardware did this to a displaced file.
    pub fn torn(&mut self, site: usize, torn: &Torn) {
        let bytes = |item: &Item| item.bytes().map(<[u8]>::to_vec);
        let (before, after) = (bytes(&torn.before), torn.after.as_ref().and_then(bytes));
        let of_site = self.files.range_mut((site, 0)..=(site, u64::MAX)).map(|(_, file)| file);
        for file in of_site.filter(|file| Some(&file.now) == before.as_ref()) {
            file.now = after.clone().unwrap_or_default();
        }
    }

    /// The files that are displaced no more: where they stand, what they held, and what they hold.
    pub fn came_back(&mut self, site: usize, path: impl Fn(u64) -> Option<String>) -> Vec<(String, Vec<u8>, Vec<u8>)> {
        let of_site = self.files.range((site, 0)..=(site, u64::MAX));
        let came: Vec<_> = of_site.filter_map(|(key, _)| Some((*key, path(key.1)?))).collect();
        let taken = came.into_iter().filter_map(|(key, path)| self.files.remove(&key).map(|file| (path, file)));
        taken.map(|(path, file)| (path, file.was, file.now)).collect()
    }

    /// The history of a device must hold all of it.
    pub fn check(&self, site: usize, history: &[&[u8]]) -> Result<(), Violation> {
        let of_site = self.files.range((site, 0)..=(site, u64::MAX)).map(|(_, file)| file);
        match of_site.map(|file| file.now.as_slice()).find(|bytes| !history.contains(bytes)) {
            None => Ok(()),
            Some(bytes) => {
                let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
                let text = format!("{text:?}, written on device {site} to an open file, is not in its history");
                broken(Invariant::NoLoss, text)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written() -> Displaced {
        let mut displaced = Displaced::default();
        displaced.wrote(0, 5, b"was".to_vec(), b"one".to_vec());
        displaced.wrote(0, 5, b"one".to_vec(), b"two".to_vec());
        displaced
    }

    #[test]
    fn the_last_write_must_lie_in_the_history_of_its_device() {
        assert!(written().check(0, &[b"two", b"other"]).is_ok());
        assert!(written().check(0, &[b"was", b"one"]).is_err());
        assert!(written().check(1, &[]).is_ok());
    }

    #[test]
    fn a_torn_write_is_what_the_hardware_made_of_it() {
        let (before, after) = ("two".into(), Some("t".into()));
        let mut displaced = written();
        displaced.torn(0, &Torn { path: "a".into(), displaced: true, before, after });
        assert!(displaced.check(0, &[b"t"]).is_ok());
        assert!(displaced.check(0, &[b"two"]).is_err());
    }

    #[test]
    fn what_came_back_is_an_edit_of_what_it_was_and_no_longer_asked_of_the_history() {
        let mut displaced = written();
        let came = displaced.came_back(0, |number| (number == 5).then(|| "a".into()));
        assert_eq!(came, [("a".to_string(), b"was".to_vec(), b"two".to_vec())]);
        assert!(displaced.check(0, &[]).is_ok());
    }
}

//! What people do to a device's folder, told to the judge.

use super::{SiteId, World, belongings::Loaded};
use crate::{Item, Tree};

/// Where the bytes are that a program wrote to a file that it held open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Written {
    /// At this path.
    At(String),
    /// In the local history: the engine replaced or removed the file meanwhile.
    Displaced,
    /// Nowhere: people themselves removed the file.
    Nowhere,
}

impl World {
    /// People changed a device's folder, which was like this before.
    pub fn people_changed(&mut self, site: SiteId, before: &Tree) {
        let (now, after) = (self[site].clock().now(), self[site].tree());
        self.judge.people_changed(site.0, now, before, &after);
        // Who changes a file by other means loads it anew: an editor lags behind what comes from elsewhere only.
        for loaded in std::mem::take(&mut self[site].belongings.loaded) {
            match after.at(&loaded.path) {
                item if item == before.at(&loaded.path) => self[site].belongings.loaded.push(loaded),
                Some(Item::File { bytes, .. }) => self.keep_loaded(site, &loaded.path, bytes.clone()),
                _ => {}
            }
        }
    }

    /// A program on a device opens a file and keeps it open, until the power fails.
    pub fn open_file(&mut self, site: SiteId, path: &str) {
        let open = self[site].disk().open(path);
        self[site].belongings.open.push(open);
    }

    /// Someone on a device loads a file into an editor, which keeps its text until the power fails.
    ///
    /// # Panics
    /// If no file stands there.
    pub fn load_file(&mut self, site: SiteId, path: &str) {
        let bytes = self[site].disk().read(path).expect("a file to load").to_vec();
        self.keep_loaded(site, path, bytes);
    }

    /// An editor saves a text at the path that it had loaded the last one from, whatever stands there now: in place, or by
    /// a new file that is renamed over the old one. It keeps the text.
    ///
    /// # Panics
    /// If no file can stand there.
    pub fn save_loaded(&mut self, site: SiteId, path: &str, bytes: &[u8], renames: bool) {
        let before = self[site].tree();
        match renames {
            true => self[site].disk().replace(path, bytes),
            false => self[site].disk().write(path, bytes),
        }
        let state = &self[site];
        self.judge.saved_loaded(site.0, state.clock().now(), path, &before, &state.tree());
        self.keep_loaded(site, path, bytes.to_vec());
    }

    fn keep_loaded(&mut self, site: SiteId, path: &str, bytes: Vec<u8>) {
        self.judge.loaded(site.0, path, &Item::from(bytes.clone()));
        let loaded = &mut self[site].belongings.loaded;
        loaded.retain(|loaded| loaded.path != path);
        loaded.push(Loaded { path: path.into(), bytes });
    }

    /// One of the files that programs on a device hold open is written anew, and closed if asked for; none if there is no
    /// such file.
    pub fn write_open_file(&mut self, site: SiteId, index: usize, bytes: &[u8], close: bool) -> Option<Written> {
        let before = self[site].tree();
        let state = &mut self[site];
        if index >= state.belongings.open.len() {
            return None;
        }
        let open = state.belongings.open.remove(index);
        let disk = state.disk();
        let (was, number) = (disk.read_open(&open).to_vec(), open.number);
        disk.write_open(&open, bytes);
        let written = match disk.open_path(&open) {
            Some(path) => Written::At(path),
            None if disk.is_displaced(&open) => Written::Displaced,
            None => Written::Nowhere,
        };
        if close {
            disk.close(open);
        } else {
            state.belongings.open.insert(index, open);
        }
        match written {
            Written::At(_) => self.people_changed(site, &before),
            Written::Displaced => self.judge.wrote_displaced(site.0, number, was, bytes.to_vec()),
            Written::Nowhere => {}
        }
        Some(written)
    }
}

//! What people do to a device's folder, told to the judge.

use super::{SiteId, World};
use crate::Tree;

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
    pub fn people_changed(&self, site: SiteId, before: &Tree) {
        let state = &self[site];
        self.judge.people_changed(site.0, state.clock().now(), before, &state.tree());
    }

    /// A program on a device opens a file and keeps it open, until the power fails.
    pub fn open_file(&mut self, site: SiteId, path: &str) {
        let open = self[site].disk().open(path);
        self[site].belongings.open.push(open);
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

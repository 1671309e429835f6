//! Folders that are copied whole, with Syncline's own files in them.

use super::{SiteId, World};

impl World {
    /// A device's folder is copied to another device, which has an empty one. The copy lies at another place, so the
    /// host takes what is in it for another replica's: the store is begun anew, the files stay with their times.
    ///
    /// # Panics
    /// If an engine runs on the other device, or something stands in its folder.
    pub fn copy_root(&mut self, from: SiteId, to: SiteId) {
        assert!(!self[to].is_running(), "an engine runs where the folder is copied to");
        assert!(self[to].tree().is_empty(), "the folder is not empty");
        let folder = self[from].host().disk.snapshot();
        self[to].host().disk.restore(&folder);
        self[to].host().store.lose();
    }

    /// A device's folder and store are put back, as from an image of its whole disk: its engine finds itself in the
    /// past, and can tell only from what others hold.
    ///
    /// # Panics
    /// If an engine runs on it.
    pub fn restore_device(&mut self, site: SiteId, image: &Image) {
        assert!(!self[site].is_running(), "an engine runs on a device that is put back");
        let host = self[site].host();
        host.disk.restore(&image.folder);
        host.store.put_back(&image.store);
    }

    /// An image of a device's whole disk, as it is at this moment.
    pub fn image(&mut self, site: SiteId) -> Image {
        let host = self[site].host();
        Image { folder: host.disk.snapshot(), store: host.store.clone() }
    }
}

/// An image of a device's folder and store.
#[derive(Clone)]
pub struct Image {
    folder: crate::Snapshot,
    store: super::Store,
}

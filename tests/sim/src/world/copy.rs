//! Folders and stores that are lost, copied whole or put back.

use syncline_core::api::Membership;

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
        self.lose_store(to);
    }

    /// A device's store is gone. Its host begins a new one, as a member that joins: whatever it was before, it cannot
    /// know what it has published.
    ///
    /// # Panics
    /// If an engine runs on it.
    pub fn lose_store(&mut self, site: SiteId) {
        assert!(!self[site].is_running(), "an engine runs on the device whose store is lost");
        self[site].host().store.lose();
        for root in &mut self[site].config().roots {
            root.membership = Membership::Joiner;
        }
    }

    /// A device's store, its key and its application's database are copied to another device. Its host knows that it is a
    /// copy.
    ///
    /// # Panics
    /// If an engine runs on the other device.
    pub fn copy_database(&mut self, from: SiteId, to: SiteId) {
        assert!(!self[to].is_running(), "an engine runs where the database is copied to");
        let identity = self[from].config().identity.clone();
        let host = self[from].host();
        let (store, database) = (host.store.clone(), host.database.clone());
        self[to].host().store.put_back(&store);
        self[to].host().database = database;
        let config = self[to].config();
        config.identity = identity;
        config.records.iter_mut().for_each(|records| records.is_copy = true);
    }

    /// All that a device's application had in its database is gone.
    pub fn lose_database(&mut self, site: SiteId) {
        self[site].host().database.lose();
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
        let acts = self.judge.acts();
        let host = self[site].host();
        Image { folder: host.disk.snapshot(), store: host.store.clone(), acts }
    }
}

/// An image of a device's folder and store.
#[derive(Clone)]
pub struct Image {
    folder: crate::Snapshot,
    store: super::Store,
    /// How much people had done when it was taken, as the judge counts.
    pub(super) acts: u64,
}

//! What people have beside a device's folder.

use std::collections::VecDeque;

use super::Image;
use crate::{Open, Snapshot};

/// So many backups of a folder are kept, and so many images of a device.
const KEPT_MAX: usize = 3;

/// A text that an editor loaded from a path, or saved there; it does not hold the file open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Loaded {
    pub path: String,
    pub bytes: Vec<u8>,
}

/// What belongs to the people of one device.
#[derive(Default)]
pub(crate) struct Belongings {
    /// Files that programs hold open, in the order in which they were opened.
    pub open: Vec<Open>,
    /// What editors have in memory.
    pub loaded: Vec<Loaded>,
    backups: VecDeque<Snapshot>,
    images: VecDeque<Image>,
}

impl Belongings {
    /// Keeps a backup of the folder; the oldest goes when there are too many.
    pub fn back_up(&mut self, folder: Snapshot) {
        self.backups.push_back(folder);
        self.backups.drain(..self.backups.len().saturating_sub(KEPT_MAX));
    }

    /// Keeps an image of the whole device, likewise.
    pub fn keep_image(&mut self, image: Image) {
        self.images.push_back(image);
        self.images.drain(..self.images.len().saturating_sub(KEPT_MAX));
    }

    /// One of the backups.
    pub fn backup(&self, number: usize) -> Option<&Snapshot> {
        self.backups.get(number.checked_rem(self.backups.len())?)
    }

    /// One of the images.
    pub fn image(&self, number: usize) -> Option<&Image> {
        self.images.get(number.checked_rem(self.images.len())?)
    }
}

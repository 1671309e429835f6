//! A pipe between two engines: ordered, with message boundaries.

use std::collections::VecDeque;

use syncline_core::api::LinkId;

use super::SiteId;

/// Both ends of a pipe and what is under way in it.
pub(crate) struct Pipe {
    pub link: LinkId,
    pub sites: [SiteId; 2],
    under_way: [VecDeque<Vec<u8>>; 2],
    drained: [bool; 2],
}

impl Pipe {
    pub fn new(link: LinkId, sites: [SiteId; 2]) -> Pipe {
        Pipe { link, sites, under_way: Default::default(), drained: [false; 2] }
    }

    pub fn send(&mut self, from: usize, bytes: Vec<u8>) {
        self.under_way[from].push_back(bytes);
        self.drained[from] = false;
    }

    /// The next message that this end sent.
    pub fn take(&mut self, from: usize) -> Option<Vec<u8>> {
        let bytes = self.under_way[from].pop_front();
        self.drained[from] = bytes.is_some() && self.under_way[from].is_empty();
        bytes
    }

    pub fn has_message(&self, from: usize) -> bool {
        !self.under_way[from].is_empty()
    }

    /// All that this end sent has left, and it was not told so yet.
    pub fn is_drained(&self, from: usize) -> bool {
        self.drained[from]
    }

    pub fn tell_drained(&mut self, from: usize) {
        self.drained[from] = false;
    }

    pub fn end_of(&self, site: SiteId) -> Option<usize> {
        self.sites.iter().position(|end| *end == site)
    }
}

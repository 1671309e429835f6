//! A pipe between two engines: ordered, with message boundaries.

use std::collections::VecDeque;

use syncline_core::api::LinkId;

use super::SiteId;

/// Both ends of a pipe and what is under way in it.
pub(super) struct Pipe {
    pub link: LinkId,
    pub sites: [SiteId; 2],
    /// A bit was flipped on the way. (What is encrypted would have ended at once.)
    pub is_spoilt: bool,
    ways: [Way; 2],
}

/// One direction.
#[derive(Default)]
struct Way {
    /// Messages and when they arrive, in the world's milliseconds, later ones never before earlier ones.
    under_way: VecDeque<(u64, Vec<u8>)>,
    stalled: bool,
    drained: bool,
}

impl Pipe {
    pub fn new(link: LinkId, sites: [SiteId; 2]) -> Pipe {
        Pipe { link, sites, is_spoilt: false, ways: Default::default() }
    }

    pub fn send(&mut self, from: usize, arrival: u64, bytes: Vec<u8>) {
        let way = &mut self.ways[from];
        let arrival = way.under_way.back().map_or(arrival, |(last, _)| arrival.max(*last));
        way.under_way.push_back((arrival, bytes));
        way.drained = false;
    }

    /// The next message that this end sent.
    pub fn take(&mut self, from: usize) -> Option<Vec<u8>> {
        let way = &mut self.ways[from];
        let (_, bytes) = way.under_way.pop_front()?;
        way.drained = way.under_way.is_empty();
        Some(bytes)
    }

    pub fn is_stalled(&self) -> bool {
        self.ways.iter().any(|way| way.stalled)
    }

    pub fn stall(&mut self, from: usize, stalled: bool) {
        self.ways[from].stalled = stalled;
    }

    pub fn has_message(&self, from: usize, now: u64) -> bool {
        let way = &self.ways[from];
        !way.stalled && way.under_way.front().is_some_and(|(arrival, _)| *arrival <= now)
    }

    /// When the next message arrives at either end.
    pub fn next_arrival(&self) -> Option<u64> {
        let moving = self.ways.iter().filter(|way| !way.stalled);
        moving.filter_map(|way| way.under_way.front().map(|(arrival, _)| *arrival)).min()
    }

    /// All that this end sent has left, and it was not told so yet.
    pub fn is_drained(&self, from: usize) -> bool {
        self.ways[from].drained
    }

    pub fn tell_drained(&mut self, from: usize) {
        self.ways[from].drained = false;
    }

    pub fn end_of(&self, site: SiteId) -> Option<usize> {
        self.sites.iter().position(|end| *end == site)
    }
}

//! The network of a world: which devices are joined by pipes, and what befalls what goes through them.

use std::collections::VecDeque;

use syncline_core::api::{Event, LinkId};

use super::{SiteId, World, pipe::Pipe, site::Outside};
use crate::chance::Pick;

impl World {
    /// The largest message of pipes made from now on.
    pub fn set_message_bytes_max(&mut self, bytes: u32) {
        self.message_bytes_max = bytes;
    }

    /// From now on one of so many messages arrives with a bit flipped, drawn from the seed; none with 0.
    pub fn corrupt_one_in(&mut self, messages: u64) {
        self.corrupting = messages;
    }

    /// From now on every message takes so long, in milliseconds, and chance up to as much again.
    pub fn set_latency(&mut self, milliseconds: u64) {
        self.latency_ms = milliseconds;
    }

    /// What `from` sends to `to` stalls on the way, or goes on; the other direction does not notice.
    pub fn stall(&mut self, from: SiteId, to: SiteId, stalled: bool) {
        for pipe in &mut self.pipes {
            if let (Some(end), Some(_)) = (pipe.end_of(from), pipe.end_of(to)) {
                pipe.stall(end, stalled);
            }
        }
    }

    /// Nothing stalls, tarries or changes on the way any more. Pipes in which something changed are closed.
    pub fn mend_network(&mut self) {
        (self.latency_ms, self.corrupting) = (0, 0);
        for pipe in &mut self.pipes {
            pipe.stall(0, false);
            pipe.stall(1, false);
        }
        while let Some(pipe) = self.pipes.iter().position(|pipe| pipe.is_spoilt) {
            self.cut(pipe, None);
        }
    }

    /// Nothing stalls, tarries or changes on the way.
    pub fn is_network_well(&self) -> bool {
        let is_well = |pipe: &Pipe| !pipe.is_spoilt && !pipe.is_stalled();
        self.latency_ms == 0 && self.corrupting == 0 && self.pipes.iter().all(is_well)
    }

    /// Opens a pipe between two devices.
    pub fn link(&mut self, a: SiteId, b: SiteId) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.pipes.push(Pipe::new(link, [a, b]));
        for site in [a, b] {
            // The first end may have closed it at once.
            if !self.pipes.iter().any(|pipe| pipe.link == link) {
                break;
            }
            self.tell(site, Event::LinkUp { link, message_bytes_max: self.message_bytes_max });
        }
        link
    }

    /// Opens a pipe whose other end the test holds: it gives messages with [`tell`](World::tell) and takes them with
    /// [`take_sent`](World::take_sent).
    pub fn open(&mut self, site: SiteId) -> LinkId {
        self.judge.admit_outsiders();
        self.open_pipe(site)
    }

    /// The same, and nobody is admitted for it.
    pub(super) fn open_pipe(&mut self, site: SiteId) -> LinkId {
        self.links += 1;
        let link = LinkId(self.links);
        self.outside.insert(link, VecDeque::new());
        self.tell(site, Event::LinkUp { link, message_bytes_max: self.message_bytes_max });
        link
    }

    /// The next message that an engine sent to a pipe of the test.
    pub fn take_sent(&mut self, link: LinkId) -> Option<Vec<u8>> {
        self.outside.get_mut(&link)?.pop_front()
    }

    /// The engine has not closed this pipe of the test.
    pub fn is_open(&self, link: LinkId) -> bool {
        self.outside.contains_key(&link)
    }

    /// Closes the pipes between two devices; what was under way is lost.
    pub fn unlink(&mut self, a: SiteId, b: SiteId) {
        let joins = |pipe: &Pipe| pipe.end_of(a).is_some() && pipe.end_of(b).is_some();
        while let Some(pipe) = self.pipes.iter().position(joins) {
            self.cut(pipe, None);
        }
    }

    /// Two devices are connected.
    pub fn is_linked(&self, a: SiteId, b: SiteId) -> bool {
        self.pipes.iter().any(|pipe| pipe.end_of(a).is_some() && pipe.end_of(b).is_some())
    }
}

/// What happens in pipes.
impl World {
    pub(super) fn end_links_of(&mut self, site: SiteId) {
        while let Some(pipe) = self.pipes.iter().position(|pipe| pipe.end_of(site).is_some()) {
            self.cut(pipe, Some(site));
        }
    }

    pub(super) fn deliver(&mut self, pipe: usize, from: usize) {
        let state = &mut self.pipes[pipe];
        let (site, link) = (state.sites[1 - from], state.link);
        if let Some(mut bytes) = state.take(from) {
            if self.corrupting > 0 && self.chance.u64(..self.corrupting) == 0 && !bytes.is_empty() {
                let index = self.chance.pick(bytes.len());
                bytes[index] ^= 1 << self.chance.u8(..8);
                self.pipes[pipe].is_spoilt = true;
            }
            self.tell(site, Event::LinkData { link, bytes });
        }
    }

    pub(super) fn route(&mut self, site: SiteId, outside: Vec<Outside>) {
        for outside in outside {
            let (Outside::Send { link, .. } | Outside::Close { link }) = outside;
            let Some(pipe) = self.pipes.iter().position(|pipe| pipe.link == link) else {
                self.route_outside(outside);
                continue;
            };
            match outside {
                Outside::Send { bytes, .. } => {
                    assert!(bytes.len() <= self.message_bytes_max as usize, "a message of {} bytes", bytes.len());
                    let end = self.pipes[pipe].end_of(site).expect("an engine sends to a link it has");
                    let due = self.arrival();
                    self.pipes[pipe].send(end, due, bytes);
                }
                Outside::Close { .. } => self.cut(pipe, Some(site)),
            }
        }
    }

    fn arrival(&mut self) -> u64 {
        let delay = if self.latency_ms > 0 { self.latency_ms + self.chance.u64(..self.latency_ms) } else { 0 };
        self.clock.elapsed_ms() + delay
    }

    fn route_outside(&mut self, outside: Outside) {
        match outside {
            Outside::Send { link, bytes } => {
                if let Some(sent) = self.outside.get_mut(&link) {
                    sent.push_back(bytes);
                }
            }
            Outside::Close { link } => drop(self.outside.remove(&link)),
        }
    }

    /// Takes a pipe away; the end that closed it itself is not told.
    fn cut(&mut self, pipe: usize, by: Option<SiteId>) {
        let pipe = self.pipes.remove(pipe);
        for site in pipe.sites.into_iter().filter(|site| Some(*site) != by) {
            self.tell(site, Event::LinkDown { link: pipe.link });
        }
    }
}

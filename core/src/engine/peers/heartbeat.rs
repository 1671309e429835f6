//! The life of links (§6.7): a side that has nothing to say shows now and then that it lives, and a link on which nothing
//! comes any more is closed, so that its host can open another one.
//!
//! A heartbeat comes from rest and leads to rest: it keeps no engine from being quiet, and calls for no answer.

use alloc::vec::Vec;

use super::Peer;
use crate::api::{LinkId, Monotonic, Notice, NoticeCode};
use crate::engine::Engine;
use crate::engine::limits::{HEARTBEAT_MS, HELLO_SILENT_MS, LINK_SILENT_MS};
use crate::link::{Frame, State};

/// When one link was spoken on last, and for how long nothing came.
#[derive(Debug, Clone, Copy)]
pub struct Pulse {
    said: Monotonic,
    looked: Monotonic,
    silent_ms: u64,
}

impl Pulse {
    /// A link that came up.
    pub fn new(now: Monotonic) -> Pulse {
        Pulse { said: now, looked: now, silent_ms: 0 }
    }

    /// Something was given to the pipe.
    pub fn say(&mut self, now: Monotonic) {
        self.said = now;
    }

    /// Something came.
    pub fn hear(&mut self, now: Monotonic) {
        (self.looked, self.silent_ms) = (now, 0);
    }

    /// Time passed. Where nobody looked for longer than was asked for, this device slept or was busy and could not have
    /// heard anything: no more of that counts than it asked for.
    fn look(&mut self, now: Monotonic) {
        let passed_ms = now.0.saturating_sub(self.looked.0).min(HEARTBEAT_MS);
        (self.looked, self.silent_ms) = (now, self.silent_ms.saturating_add(passed_ms));
    }

    fn is_due(&self, now: Monotonic) -> bool {
        now >= self.said.plus(HEARTBEAT_MS)
    }

    /// When to look next: for a heartbeat, where one can be sent, and whether the link has been silent for so long.
    fn deadline(&self, can_say: bool, silent_ms_max: u64) -> Monotonic {
        let left_ms = silent_ms_max.saturating_sub(self.silent_ms);
        let look = self.looked.plus(left_ms.min(HEARTBEAT_MS));
        if can_say { look.min(self.said.plus(HEARTBEAT_MS)) } else { look }
    }
}

impl Peer {
    /// Its link takes a heartbeat. While anything waits or is on its way the peer will hear that.
    fn can_beat(&self) -> bool {
        self.session.state() == State::Open && self.session.is_drained()
    }

    fn silent_ms_max(&self) -> u64 {
        if self.session.state() == State::Open { LINK_SILENT_MS } else { HELLO_SILENT_MS }
    }

    /// When its link is to be looked after.
    pub fn pulse_deadline(&self) -> Monotonic {
        self.pulse.deadline(self.can_beat(), self.silent_ms_max())
    }
}

impl Engine {
    /// Closes links on which nothing comes any more. It begins a turn: whatever waited for such a peer need not any more.
    pub(in crate::engine) fn close_silent(&mut self) {
        let now = self.shared.now.monotonic;
        let mut silent: Vec<LinkId> = Vec::new();
        for (link, peer) in &mut self.peers {
            peer.pulse.look(now);
            if peer.pulse.silent_ms >= peer.silent_ms_max() {
                silent.push(*link);
            }
        }
        for link in silent {
            self.drop_silent(link);
        }
    }

    /// Says on links that nothing was said on that this side lives.
    pub(super) fn beat(&mut self) {
        let now = self.shared.now;
        let Some(digest) = self.shared.saver.saved_digest() else { return };
        for peer in self.peers.values_mut().filter(|peer| peer.can_beat() && peer.pulse.is_due(now.monotonic)) {
            let echo = peer.echo(now);
            peer.push(Frame::Heartbeat { digest, unix_ms: now.unix, echo });
        }
    }

    fn drop_silent(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get(&link) else { return };
        let message = alloc::format!("nothing came on a link for {} s; it is closed", peer.silent_ms_max() / 1_000);
        let notice = Notice {
            code: NoticeCode::PeerSilent,
            message: message.clone(),
            root: None,
            path: None,
            replica: peer.replica(),
        };
        self.shared.actions.push(crate::api::Action::Notify { notice });
        self.close(link, message);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Monotonic = Monotonic(1_000);

    fn at(passed_ms: u64) -> Monotonic {
        START.plus(passed_ms)
    }

    /// Looks whenever that is due until this time; whether the link counts as silent then, and how often it was said that
    /// this side lives.
    fn wait(pulse: &mut Pulse, until: Monotonic, can_say: bool) -> (bool, u32) {
        let mut said = 0;
        loop {
            let now = pulse.deadline(can_say, LINK_SILENT_MS).min(until);
            pulse.look(now);
            if can_say && pulse.is_due(now) {
                pulse.say(now);
                said += 1;
            }
            if now == until || pulse.silent_ms >= LINK_SILENT_MS {
                return (pulse.silent_ms >= LINK_SILENT_MS, said);
            }
        }
    }

    #[test]
    fn who_says_nothing_else_says_that_it_lives_and_who_hears_nothing_gives_up() {
        let mut pulse = Pulse::new(START);
        assert_eq!(wait(&mut pulse, at(HEARTBEAT_MS - 1), true), (false, 0));
        assert_eq!(wait(&mut pulse, at(HEARTBEAT_MS), true), (false, 1));
        assert_eq!(wait(&mut pulse, at(LINK_SILENT_MS - 1), true), (false, 2));
        assert_eq!(wait(&mut pulse, at(LINK_SILENT_MS), true), (true, 0));
    }

    #[test]
    fn what_is_said_or_heard_begins_the_wait_anew() {
        let mut pulse = Pulse::new(START);
        assert_eq!(wait(&mut pulse, at(HEARTBEAT_MS - 1), true), (false, 0));
        pulse.say(at(HEARTBEAT_MS - 1));
        assert_eq!(wait(&mut pulse, at(2 * HEARTBEAT_MS - 2), true), (false, 0));
        pulse.hear(at(2 * HEARTBEAT_MS - 2));
        assert!(!wait(&mut pulse, at(2 * HEARTBEAT_MS - 3 + LINK_SILENT_MS), true).0);
        assert!(wait(&mut pulse, at(2 * HEARTBEAT_MS - 2 + LINK_SILENT_MS), true).0);
    }

    #[test]
    fn a_device_that_slept_gives_its_peers_time_to_be_heard() {
        let mut pulse = Pulse::new(START);
        pulse.look(at(10 * LINK_SILENT_MS));
        assert_eq!(pulse.silent_ms, HEARTBEAT_MS);
        let (silent, said) = wait(&mut pulse, at(11 * LINK_SILENT_MS), true);
        assert!(silent && said > 0);
    }

    #[test]
    fn a_clogged_link_is_looked_at_until_it_counts_as_silent() {
        let mut pulse = Pulse::new(START);
        assert_eq!(wait(&mut pulse, at(LINK_SILENT_MS), false), (true, 0));
    }

    #[test]
    fn the_end_of_time_is_no_error() {
        let mut pulse = Pulse::new(Monotonic(u64::MAX - 5));
        pulse.look(Monotonic(u64::MAX));
        assert_eq!(pulse.deadline(true, LINK_SILENT_MS), Monotonic(u64::MAX));
    }
}

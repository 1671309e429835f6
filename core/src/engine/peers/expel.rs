//! A peer whose device is no member any more hears of that, and of nothing else. It closes the link when it has heard; where it
//! does not, this side does.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::Peer;
use crate::api::{LinkId, LoadQuery, Monotonic, ReplicaId, Work};
use crate::engine::Engine;
use crate::engine::limits::{FAREWELL_MS, FEED_BYTES_MAX};
use crate::engine::shared::Purpose;
use crate::link::State;
use crate::log::message_keys;

/// What is still said to a peer that is removed.
pub struct Farewell {
    /// The messages by which it learns that, as far as it is to be sent them still.
    left: VecDeque<(ReplicaId, u64)>,
    /// When the link is closed at the latest.
    until: Monotonic,
}

impl Peer {
    /// When its link is closed because its device is no member any more.
    pub fn leaves_at(&self) -> Option<Monotonic> {
        self.farewell.as_ref().map(|farewell| farewell.until)
    }
}

impl Engine {
    /// Sends removed peers what they are to hear, and closes their links behind it.
    pub(super) fn expel(&mut self) {
        let log = &self.shared.log;
        let is_removed =
            |peer: &Peer| peer.farewell.is_some() || peer.replica().is_some_and(|replica| log.is_removed(replica));
        let removed = self.peers.iter().filter(|(_, peer)| peer.session.state() == State::Open && is_removed(peer));
        for link in removed.map(|(link, _)| *link).collect::<Vec<LinkId>>() {
            self.take_leave(link);
        }
    }

    fn take_leave(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let (now, log) = (self.shared.now.monotonic, &self.shared.log);
        let acts = peer.replica().map(|replica| log.acts_against(replica)).unwrap_or_default();
        let farewell =
            peer.farewell.get_or_insert_with(|| Farewell { left: acts.into(), until: now.plus(FAREWELL_MS) });
        if farewell.until <= now {
            return self.close(link, "its device is no member of the group any more".into());
        }
        let saved = self.shared.saver.saved_heads();
        let next = farewell.left.front().copied().filter(|(author, counter)| saved.contains(*author, *counter));
        let Some((author, counter)) = next.filter(|_| !peer.feeding) else { return };
        farewell.left.pop_front();
        peer.feeding = true;
        let (start, end) = message_keys(author, counter, counter);
        let query = LoadQuery::Range { start, end, bytes_max: FEED_BYTES_MAX };
        self.shared.perform(Purpose::Feed { link, author, first: counter, last: counter }, Work::Load { query });
    }
}

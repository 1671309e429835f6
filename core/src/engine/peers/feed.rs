//! The log between replicas: what a peer holds, what it lacks, what it is told of what became of messages here.

use alloc::vec::Vec;

use serde_bytes::ByteBuf;

use super::Peer;
use crate::api::{Action, LinkId, LoadQuery, Notice, NoticeCode, Outcome, Pair, ReplicaId, Work};
use crate::engine::Engine;
use crate::engine::limits::{FEED_BYTES_MAX, MESSAGE_BYTES_MAX};
use crate::engine::receive::Taken;
use crate::engine::root::Root;
use crate::engine::shared::{Purpose, Shared};
use crate::link::{Acknowledgement, Frame, Indexing, Lane, State, message_credit, messages_credit};
use crate::log::{Heads, message_keys, parse_message_key};
use crate::planted::{Planted, planted};

impl Engine {
    pub(super) fn heads(&mut self, link: LinkId, heads: Heads, indexing: Indexing) {
        let held = self.shared.log.own().map_or(0, |own| self.shared.log.heads().highest(own));
        let claimed = self.shared.log.own().map_or(0, |own| heads.highest(own));
        // Rows that were changed offline are written before what others have has come.
        if self.records.has_said_nothing() && claimed > held && !planted(Planted::OwnFeedAheadIgnored) {
            self.leave_old_id(claimed);
        }
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.received.union(&heads);
        peer.sent.union(&heads);
        let is_new = !core::mem::replace(&mut peer.is_known, true);
        peer.to_hear = Some(heads);
        peer.indexing = indexing;
        if planted(Planted::HeadsEchoed) {
            let indexing = peer.said_indexing;
            say_heads(peer, &self.shared, indexing);
        }
        if is_new {
            self.unpark_all();
        }
    }

    pub(super) fn messages(&mut self, link: LinkId, messages: Vec<ByteBuf>) {
        if !planted(Planted::DraftLeftOpen) {
            self.shared.close_draft();
        }
        let cost = messages_credit(&messages);
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.credit_due = peer.credit_due.saturating_add(cost);
        }
        for bytes in messages {
            self.message(link, &bytes);
        }
    }

    fn message(&mut self, link: LinkId, bytes: &[u8]) {
        let replica = self.peers.get(&link).and_then(Peer::replica);
        match self.receive(bytes) {
            // Those that had waited for it were brought by others: this peer may lack them.
            Taken::Held { author, counter } => {
                if let Some(peer) = self.peers.get_mut(&link) {
                    peer.received.insert(author, counter);
                    peer.sent.insert(author, counter);
                }
            }
            Taken::Known | Taken::Waits => {}
            Taken::Refused { code, message } => {
                let notice = Notice { code, message, root: None, path: None, replica };
                self.shared.actions.push(Action::Notify { notice });
            }
        }
    }

    /// Tells every peer what is saved and what stands on disk, where it does not know; returns those to
    /// [feed](Engine::feed).
    pub(super) fn acknowledge(&mut self, indexing: Indexing) -> Vec<LinkId> {
        let held_early = planted(Planted::AcknowledgeEarly);
        let saved = if held_early { self.shared.log.heads() } else { self.shared.saver.saved_heads() };
        let all_saved = saved == self.shared.log.heads();
        let mut lacking = Vec::new();
        for (link, peer) in &mut self.peers {
            if peer.session.state() != State::Open || peer.farewell.is_some() {
                continue;
            }
            if peer.credit_due > 0 && all_saved {
                let credit = core::mem::take(&mut peer.credit_due);
                peer.session.saved(credit);
                if peer.acknowledged != *saved {
                    peer.acknowledged = saved.clone();
                    peer.push(Frame::Acknowledge { kind: Acknowledgement::Received, heads: saved.clone() });
                }
            }
            if indexing == Indexing::Done && peer.said_indexing != Indexing::Done {
                say_heads(peer, &self.shared, indexing);
            }
            if peer.said_applied != self.applied {
                peer.said_applied = self.applied.clone();
                peer.push(Frame::Acknowledge { kind: Acknowledgement::Applied, heads: self.applied.clone() });
            }
            if peer.can_be_fed(&self.shared) {
                lacking.push(*link);
            }
        }
        lacking
    }

    /// Notes who was heard out, so that a root that joins looks at its own files. Where all wait for each other, the device
    /// with the smallest key goes first: a group must not wait for itself. (By ids both might wait, for one that goes on
    /// under a new id is known by the old one on links that were there before.)
    pub(super) fn hear(&mut self) {
        let (saved, log) = (self.shared.saver.saved_heads(), &self.shared.log);
        let all_saved = saved == log.heads();
        let mut heard = false;
        for peer in self.peers.values_mut() {
            if peer
                .to_hear
                .as_ref()
                .is_some_and(|heads| saved.contains_all(heads) || all_saved && log.has_settled(heads))
            {
                peer.to_hear = None;
                heard |= peer.indexing == Indexing::Done;
            }
        }
        let rank = |replica: Option<ReplicaId>| {
            let key = log.public_key(replica?)?;
            Some((*key.as_bytes(), replica))
        };
        let own = rank(log.own());
        let waits_behind = |peer: &Peer| peer.is_known && peer.to_hear.is_none() && peer.indexing == Indexing::Waiting;
        let goes_first =
            || self.peers.values().all(|peer| waits_behind(peer) && own.is_some() && own < rank(peer.replica()));
        if heard || !self.peers.is_empty() && self.roots.iter().any(Root::is_joining) && goes_first() {
            self.roots.iter_mut().for_each(Root::heard);
        }
    }

    /// Everything that is held also stands on disk.
    pub(in crate::engine) fn note_applied(&mut self) {
        let saved = self.shared.saver.saved_heads();
        let settled = self.shared.saver.is_idle() && saved == self.shared.log.heads() && self.shared.draft.is_none();
        let stands = || {
            planted(Planted::AppliedEarly)
                || self.roots.iter().all(Root::is_applied) && self.deliveries.is_done() && self.records.is_done()
        };
        if settled && self.applied != *saved && stands() {
            self.applied = saved.clone();
            self.holds_unapplied = false;
            if self.says_less_than_applied {
                self.says_less_than_applied = false;
                self.acknowledge_soon();
            }
        }
    }

    /// Reads messages that a peer lacks and can be sent, a page at a time.
    pub(super) fn feed(&mut self, link: LinkId) {
        let saved = sendable(&self.shared);
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let own = self.shared.log.own();
        let is_sent_on = |author| !planted(Planted::ForeignMessagesKept) || own == Some(author);
        let missing = saved.missing_from(&peer.sent).find(|(author, ..)| is_sent_on(*author));
        let Some((author, first, last)) = missing else {
            peer.fed = saved.clone();
            return;
        };
        peer.feeding = true;
        let is_short = planted(Planted::LastOfRunUnsent) && first < last;
        let (start, end) = message_keys(author, first, if is_short { last.saturating_sub(1) } else { last });
        let query = LoadQuery::Range { start, end, bytes_max: FEED_BYTES_MAX };
        self.shared.perform(Purpose::Feed { link, author, first, last }, Work::Load { query });
    }

    pub(in crate::engine) fn feed_loaded(&mut self, link: LinkId, range: (ReplicaId, u64, u64), outcome: Outcome) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.feeding = false;
        let Outcome::Loaded { pairs, more } = outcome else {
            self.shared.saver.fail();
            let message = "messages that were saved could not be read; nothing is sent any more";
            return self.shared.notify(NoticeCode::StoreCorrupt, message);
        };
        if !more || pairs.is_empty() {
            // Numbers without a message are proven empty by the message behind them.
            let (author, first, last) = range;
            peer.sent.insert_range(author, first, last);
        }
        let mut messages = Vec::with_capacity(pairs.len());
        for Pair { key, value } in pairs {
            if let Some((author, counter)) = parse_message_key(&key) {
                peer.sent.insert(author, counter);
                messages.push(ByteBuf::from(value));
            }
        }
        if !messages.is_empty() {
            peer.push(Frame::Messages { messages });
        }
        self.send(link);
    }
}

impl Peer {
    /// It may lack messages, and its link takes more.
    fn can_be_fed(&self, shared: &Shared) -> bool {
        let has_room =
            || self.session.has_room(Lane::Small) && self.session.message_credit() >= message_credit(MESSAGE_BYTES_MAX);
        let is_ready = self.is_known && !self.feeding && !shared.saver.has_failed();
        is_ready && !self.fed.is_clone_of(sendable(shared)) && has_room()
    }
}

/// What may be sent.
fn sendable(shared: &Shared) -> &Heads {
    let too_soon = planted(Planted::UnsavedTakenForSent);
    if too_soon { shared.log.heads() } else { shared.saver.saved_heads() }
}

/// Says what is held, and whether it is complete.
pub(super) fn say_heads(peer: &mut Peer, shared: &Shared, indexing: Indexing) {
    let heads = match indexing {
        _ if planted(Planted::HeadsBeforeSaved) => shared.log.heads().clone(),
        Indexing::Underway | Indexing::Waiting if planted(Planted::HeadsForgotten) => Heads::default(),
        _ => shared.saver.saved_heads().clone(),
    };
    peer.said_indexing = indexing;
    if let Some(digest) = shared.saver.saved_digest() {
        peer.push(Frame::Heads { heads, digest, indexing });
    }
}

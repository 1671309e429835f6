//! When other members were heard of, and when they were last known to be where this device is (§5.8).
//!
//! Both are for people and for telling who is stale; nothing else rests on them. What the store remembers may lag behind by
//! [`HEARD_STEP_MS`], so that a link that stays open costs no write for each heartbeat.

use alloc::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::limits::HEARD_STEP_MS;
use super::shared::Shared;
use super::{Engine, keys};
use crate::api::{MemberStatus, ReplicaId, UnixMs};
use crate::log::{Entry, Heads, Log, Message};

/// When something was last known of a member, by this device's clock; 0 never. Neither goes back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Seen {
    /// It was heard, on a link or by a new message.
    pub heard: UnixMs,
    /// It had applied all that was held here, and all that it said to hold was held here.
    pub synchronized: UnixMs,
}

/// What is known of the presence of members.
#[derive(Default)]
pub struct Presence {
    seen: BTreeMap<ReplicaId, Seen>,
    /// The same as it is in the store, or on its way there.
    saved: BTreeMap<ReplicaId, Seen>,
    /// Of each author the highest message that calls for an acknowledgement: on others nobody waits.
    wanting: BTreeMap<ReplicaId, u64>,
    /// What members last said in messages to have saved, where they were not synchronized then and nothing newer came.
    said: BTreeMap<ReplicaId, Heads>,
}

impl Presence {
    /// What an earlier engine saved.
    pub fn restore(&mut self, replica: ReplicaId, seen: Seen) {
        self.seen.insert(replica, seen);
        self.saved.insert(replica, seen);
    }

    /// What is known of a member.
    pub fn of(&self, replica: ReplicaId) -> Option<Seen> {
        self.seen.get(&replica).copied()
    }

    /// A message is held.
    pub fn note(&mut self, message: &Message) {
        if message.wants_acknowledgement() {
            let wanting = self.wanting.entry(message.author).or_default();
            *wanting = (*wanting).max(message.counter);
        }
    }

    /// A member is there.
    pub fn hear(&mut self, shared: &mut Shared, replica: ReplicaId) {
        let seen = self.seen.entry(replica).or_default();
        seen.heard = seen.heard.max(shared.now.unix);
        self.save(shared, replica);
    }

    /// A member and this device are where the other is.
    pub fn synchronize(&mut self, shared: &mut Shared, replica: ReplicaId) {
        let seen = self.seen.entry(replica).or_default();
        seen.synchronized = seen.synchronized.max(shared.now.unix);
        if seen.heard == UnixMs::default() {
            seen.heard = shared.now.unix;
        }
        self.save(shared, replica);
    }

    /// A new message of a member came, and is held: what it says of messages may be all that is held here.
    pub fn hear_message(&mut self, shared: &mut Shared, message: &Message) {
        self.note(message);
        self.hear(shared, message.author);
        let received = message.entries.iter().find_map(|entry| match entry {
            Entry::Acknowledgement { received, .. } => Some(received),
            _ => None,
        });
        if let Some(received) = received {
            self.said.insert(message.author, received.clone());
            self.compare(shared, message.author);
        }
    }

    /// Nothing that carriers held is still to come: whoever said last to be where this device is now, is.
    pub fn compare_all(&mut self, shared: &mut Shared) {
        for replica in self.said.keys().copied().collect::<alloc::vec::Vec<_>>() {
            self.compare(shared, replica);
        }
    }

    fn compare(&mut self, shared: &mut Shared, replica: ReplicaId) {
        let Some(received) = self.said.get(&replica) else { return };
        let holds_all = shared.log.heads().contains_all(received);
        if holds_all
            && shared.log.acknowledged(replica).is_some_and(|applied| self.is_all(&shared.log, replica, applied))
        {
            self.said.remove(&replica);
            self.synchronize(shared, replica);
        }
    }

    /// Whether these are all messages held that anyone waits for, but for those of whoever names them: it has its own.
    fn is_all(&self, log: &Log, by: ReplicaId, applied: &Heads) -> bool {
        let is_wanting = |author| self.wanting.get(&author).copied().unwrap_or_default();
        log.heads().missing_from(applied).all(|(author, first, _)| author == by || first > is_wanting(author))
    }

    /// Saves what is known of a member, if it is much newer than what is saved, or something is saved anyway.
    fn save(&mut self, shared: &mut Shared, replica: ReplicaId) {
        let (seen, saved) = (self.of(replica).unwrap_or_default(), self.saved.entry(replica).or_default());
        let is_newer = |seen: UnixMs, saved: UnixMs| seen >= saved.plus(HEARD_STEP_MS);
        let is_due = is_newer(seen.heard, saved.heard) || is_newer(seen.synchronized, saved.synchronized);
        if seen == *saved || !is_due && !shared.saver.has_pending() {
            return;
        }
        *saved = seen;
        match postcard::to_allocvec(&seen) {
            Ok(value) => shared.saver.put(keys::heard(replica), value),
            Err(_) => shared.saver.fail(),
        }
    }
}

impl Engine {
    /// Notes who spoke on links, and who is known to be where this device is.
    pub(super) fn note_presence(&mut self) {
        let saved = self.shared.saver.saved_heads().clone();
        for peer in self.peers.values_mut() {
            let (is_news, is_synchronized) = peer.agreement(&saved);
            // Who is no member may claim any id.
            let Some(replica) = peer.replica().filter(|replica| self.shared.log.public_key(*replica).is_some()) else {
                continue;
            };
            if is_news {
                self.compaction.presence.hear(&mut self.shared, replica);
            }
            if is_synchronized {
                self.compaction.presence.synchronize(&mut self.shared, replica);
            }
        }
    }

    /// The members that are known. This replica itself is always there.
    pub(super) fn members(&self) -> impl Iterator<Item = MemberStatus> + '_ {
        let (own, now) = (self.shared.log.own(), self.shared.now.unix);
        self.shared.log.members().map(move |member| {
            let seen = match Some(member.replica) == own {
                true => Seen { heard: now, synchronized: now },
                false => self.compaction.presence.of(member.replica).unwrap_or_default(),
            };
            MemberStatus { last_seen: seen.heard, last_synchronized: seen.synchronized, ..member }
        })
    }
}

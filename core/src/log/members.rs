//! Whose feeds are held: which devices are members, who of them is stale or removed, and what was decided about them.

use alloc::borrow::Cow;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::feed::Introduced;
use super::{Heads, IntervalSet, Log, MemberKey, Message, MessageError};
use crate::api::{MemberMode, MemberStatus, ReplicaId, UnixMs};
use crate::crypto::PublicKey;
use crate::engine::limits::REMOVED_NOTED_MAX;

/// What has changed about which messages count.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Regrouping {
    /// This device is no member any more.
    pub is_expelled: bool,
    /// Messages that were held and do not count now.
    pub voided: Vec<(ReplicaId, u64)>,
    /// Incarnations of which messages count that were void.
    pub revived: Vec<ReplicaId>,
    /// Incarnations of which other stamps count than before.
    pub restamped: Vec<ReplicaId>,
    /// Incarnations of which messages are held that were written in a mode that does not send, and were not before, or the
    /// other way round.
    pub silenced: Vec<ReplicaId>,
}

/// Acts as they are saved, beside their message: what is decided is known at a start before any other message.
#[derive(Serialize, Deserialize)]
struct SavedActs {
    by: MemberKey,
    message: ByteBuf,
}

impl Log {
    /// The incarnations whose introductions are held, ascending.
    pub fn members(&self) -> impl Iterator<Item = MemberStatus> + '_ {
        self.feeds.iter().filter_map(|(replica, feed)| {
            let Introduced { public_key, name, .. } = feed.introduced.as_ref()?;
            Some(MemberStatus {
                replica: *replica,
                name: name.clone(),
                public_key: public_key.as_bytes().to_vec(),
                counter: self.heads.highest(*replica),
                last_written: feed.last_written,
                last_seen: UnixMs::default(),
                last_synchronized: UnixMs::default(),
                applied: feed.acknowledged.as_ref().zip(self.own).map_or(0, |(heads, own)| heads.complete_until(own)),
                stale: self.is_stale(*replica),
                removed: self.is_removed(*replica),
                decides: self.group.decided().decides(public_key.as_bytes()),
                mode: self.group.decided().mode(public_key.as_bytes(), *replica, u64::MAX),
            })
        })
    }

    /// The incarnations whose introductions are held, each with its device's key.
    pub fn incarnations(&self) -> impl Iterator<Item = (ReplicaId, PublicKey)> + '_ {
        self.feeds.iter().filter_map(|(replica, feed)| Some((*replica, feed.introduced.as_ref()?.public_key)))
    }

    /// An incarnation of this device: its own feed, or one that it wrote before.
    pub fn is_by_this_device(&self, replica: ReplicaId) -> bool {
        self.public_key(replica) == Some(self.identity.public_key())
    }

    /// The key of an incarnation whose introduction is held.
    pub fn public_key(&self, replica: ReplicaId) -> Option<PublicKey> {
        Some(self.feeds.get(&replica)?.introduced.as_ref()?.public_key)
    }

    /// The latest incarnation of every other device that is a member.
    pub fn others(&self) -> Vec<ReplicaId> {
        let mut latest: BTreeMap<PublicKey, (u64, ReplicaId)> = BTreeMap::new();
        for (replica, feed) in &self.feeds {
            let Some(introduced) = &feed.introduced else { continue };
            if self.is_removed(*replica) {
                continue;
            }
            let this = (introduced.lamport, *replica);
            let known = latest.entry(introduced.public_key).or_insert(this);
            *known = (*known).max(this);
        }
        latest.remove(&self.identity.public_key());
        latest.into_values().map(|(_, replica)| replica).collect()
    }

    /// A member was declared stale, and has not written since (§5.6).
    pub fn is_stale(&self, replica: ReplicaId) -> bool {
        let highest = self.heads.highest(replica);
        self.feeds.values().any(|feed| feed.stale.get(&replica).is_some_and(|known| *known >= highest))
    }

    /// Notes what a message that is held decides.
    pub(super) fn note_acts(&mut self, message: &Message) {
        let acts: Vec<_> = message.acts().cloned().collect();
        if let (Some(by), false) = (self.public_key(message.author), acts.is_empty()) {
            self.group.note(message.order(), *by.as_bytes(), acts);
        }
    }

    /// How the acts of a message that is held are to be saved; none if it has none.
    pub fn acts_to_save(&self, message: &Message, bytes: &[u8]) -> Option<Vec<u8>> {
        let by = *self.public_key(message.author).filter(|_| message.acts().next().is_some())?.as_bytes();
        postcard::to_allocvec(&SavedActs { by, message: ByteBuf::from(bytes) }).ok()
    }

    /// Takes acts from the store: before any other message, and as carried out.
    ///
    /// # Errors
    /// A store that does not hold what was saved.
    pub fn restore_acts(&mut self, saved: &[u8]) -> Result<(), MessageError> {
        let SavedActs { by, message } = postcard::from_bytes(saved).map_err(|_| MessageError::Malformed)?;
        let (message, _) = Message::decode(&message)?;
        self.group.note(message.order(), by, message.acts().cloned().collect());
        self.carried_out = self.group.decided().clone();
        Ok(())
    }

    /// What has changed about which messages count since this was last asked.
    pub fn take_regrouping(&mut self) -> Option<Regrouping> {
        let (before, now) = (&self.carried_out, self.group.decided());
        if before == now {
            return None;
        }
        let mut regrouping = Regrouping { is_expelled: self.is_expelled(), ..Regrouping::default() };
        for (replica, feed) in &self.feeds {
            let Some(key) = feed.introduced.as_ref().map(|introduced| *introduced.public_key.as_bytes()) else {
                continue;
            };
            let [before_last, last] = [before, now].map(|decided| decided.last(&key, *replica).unwrap_or(u64::MAX));
            if let Some(first) = last.checked_add(1).filter(|_| last < before_last) {
                regrouping.voided.extend(feed.all_from(first).map(|counter| (*replica, counter)));
            }
            if last > before_last {
                regrouping.revived.push(*replica);
            }
            let [before_silenced, silenced] = [before, now].map(|decided| decided.silenced(&key, *replica));
            let mut changed = silenced.difference(&before_silenced);
            changed.union(&before_silenced.difference(&silenced));
            if changed.first().is_some_and(|first| feed.all_from(first).any(|counter| changed.contains(counter))) {
                regrouping.silenced.push(*replica);
            }
            if before.discarded(&key, *replica) != now.discarded(&key, *replica) {
                regrouping.restamped.push(*replica);
            }
        }
        self.carried_out = now.clone();
        Some(regrouping)
    }

    /// This device is no member any more.
    pub fn is_expelled(&self) -> bool {
        self.group.decided().is_removed(self.identity.public_key().as_bytes())
    }

    /// An incarnation is one of a device that is no member any more.
    pub fn is_removed(&self, replica: ReplicaId) -> bool {
        self.device_of(replica).is_some_and(|key| self.group.decided().is_removed(key.as_bytes()))
    }

    /// A message of a removed device came, which is void.
    pub(super) fn note_removed(&mut self, replica: ReplicaId, key: PublicKey) {
        if self.removed.len() < REMOVED_NOTED_MAX {
            self.removed.insert(replica, key);
        }
    }

    /// The key of an incarnation, also of one of a removed device of which nothing is held.
    fn device_of(&self, replica: ReplicaId) -> Option<PublicKey> {
        self.public_key(replica).or_else(|| self.removed.get(&replica).copied())
    }

    /// Some member was removed.
    pub fn has_removed(&self) -> bool {
        self.group.decided().has_removed()
    }

    /// A message that was held once is void because its author is no member any more: of one whose introduction is not held
    /// all are.
    pub fn is_void(&self, author: ReplicaId, counter: u64) -> bool {
        let counts = |key: PublicKey| self.group.decided().counts(key.as_bytes(), author, counter);
        self.has_removed() && !self.public_key(author).is_some_and(counts)
    }

    /// A message was written in a mode that does not send: what it says of folders, rows or to applications counts for
    /// nobody.
    pub fn is_silenced(&self, author: ReplicaId, counter: u64) -> bool {
        let decided = self.group.decided();
        let does_not_send = |key: PublicKey| !decided.mode(key.as_bytes(), author, counter).sends();
        decided.has_modes() && self.public_key(author).is_some_and(does_not_send)
    }

    /// Which way data goes between this device and the others.
    pub fn own_mode(&self) -> MemberMode {
        let key = self.identity.public_key();
        self.own.map_or(MemberMode::Full, |own| self.group.decided().mode(key.as_bytes(), own, u64::MAX))
    }

    /// Tells what is decided about which messages count from anything else that may be; 0 while that is nothing.
    pub fn decided_mark(&self) -> u64 {
        self.group.decided().mark()
    }

    /// Something of what is held does not count: its author was removed before, or wrote it in a mode that does not send.
    pub fn has_uncounted(&self) -> bool {
        self.has_removed() || self.group.decided().has_modes()
    }

    /// What a message says of folders, rows or to applications counts for nobody.
    pub fn is_uncounted(&self, author: ReplicaId, counter: u64) -> bool {
        self.is_void(author, counter) || self.is_silenced(author, counter)
    }

    /// The keys of the other members who may decide about the author of a feed.
    pub fn deciders_about(&self, author: ReplicaId) -> Vec<MemberKey> {
        let Some(member) = self.device_of(author) else { return Vec::new() };
        let mut deciders = self.group.decided().who_may(member.as_bytes());
        deciders.retain(|decider| decider != self.identity.public_key().as_bytes());
        deciders
    }

    /// This device may decide about a member.
    pub fn may_decide(&self, member: &MemberKey) -> bool {
        self.group.decided().may(self.identity.public_key().as_bytes(), member)
    }

    /// It is this device's key.
    pub fn is_this_device(&self, member: &MemberKey) -> bool {
        self.identity.public_key().as_bytes() == member
    }

    /// This device decides for the group.
    pub fn decides(&self) -> bool {
        self.group.decided().decides(self.identity.public_key().as_bytes())
    }

    /// The messages by which a removed member learns that it is removed, whatever it has of the group's others.
    pub fn acts_against(&self, replica: ReplicaId) -> Vec<(ReplicaId, u64)> {
        let Some(member) = self.device_of(replica) else { return Vec::new() };
        let acts: Vec<_> = self.group.against(member.as_bytes()).collect();
        let authors: BTreeSet<ReplicaId> = acts.iter().map(|(author, _)| *author).collect();
        authors.into_iter().map(|author| (author, 1)).chain(acts).collect()
    }

    /// The last message that is held of each incarnation of a member.
    pub fn last_of(&self, member: &MemberKey) -> BTreeMap<ReplicaId, u64> {
        let of = self.incarnations().filter(|(_, key)| key.as_bytes() == member);
        of.map(|(replica, _)| (replica, self.heads.highest(replica))).collect()
    }

    /// Which of an author's messages nobody needs to bring: those that are held, and those that are void.
    pub fn settled(&self, author: ReplicaId) -> Cow<'_, IntervalSet<u64>> {
        let held = self.heads.of(author);
        let last = self.device_of(author).and_then(|key| self.group.decided().last(key.as_bytes(), author));
        match (last.and_then(|last| last.checked_add(1)), held) {
            (Some(first), held) => {
                let mut settled = held.cloned().unwrap_or_default();
                settled.insert_range(first, u64::MAX);
                Cow::Owned(settled)
            }
            (None, Some(held)) => Cow::Borrowed(held),
            (None, None) => Cow::Owned(IntervalSet::new()),
        }
    }

    /// Nobody needs to bring any of these messages.
    pub fn has_settled(&self, heads: &Heads) -> bool {
        heads.authors().all(|(author, counters)| self.settled(author).contains_all(counters))
    }
}

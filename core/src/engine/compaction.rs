//! Own messages that nobody needs any more become void, by a checkpoint (§5.5), and members that nobody hears of hold
//! nobody back (§5.6).
//!
//! Invariant: an application message is cleared only when every member that is not stale has said that it has it
//! (`a_message_is_cleared_only_when_every_member_has_it`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use super::Engine;
use super::limits::{CHECKPOINT_PIECES_PER_ITEM, LISTEN_MS, PAYLOAD_BYTES_MAX};
use super::presence::{Presence, Seen};
use super::shared::Shared;
use crate::api::{CompactionConfig, Monotonic, NoticeCode, ReplicaId};
use crate::log::{Entry, IntervalSet, Log, Message, encoded_size, message_key};
use crate::planted::{Planted, planted};

/// What is known of own messages and of when others were heard.
pub struct Compaction {
    config: CompactionConfig,
    /// Own messages that say how this replica stands, and no more: of acknowledgements and of declarations only the last
    /// one counts.
    passing: IntervalSet<u64>,
    acknowledgement: u64,
    declaration: u64,
    /// Own application messages.
    payloads: IntervalSet<u64>,
    pub(super) presence: Presence,
    /// When this engine began to listen.
    began: Option<Monotonic>,
    /// Something was said that may make an own message void.
    is_due: bool,
    /// Something was written or came since the start.
    is_stirred: bool,
    /// A folder was looked through: whoever wrote anything was heard.
    looked: bool,
}

impl Compaction {
    /// Nothing is known yet.
    pub fn new(config: CompactionConfig) -> Compaction {
        Compaction {
            config,
            passing: IntervalSet::new(),
            acknowledgement: 0,
            declaration: 0,
            payloads: IntervalSet::new(),
            presence: Presence::default(),
            began: None,
            is_due: false,
            is_stirred: false,
            looked: false,
        }
    }

    /// Own messages are those of a new incarnation from now on.
    pub fn begin(&mut self) {
        let (began, is_stirred) = (self.began, self.is_stirred);
        let presence = core::mem::take(&mut self.presence);
        *self = Compaction { presence, began, is_stirred, ..Compaction::new(self.config.clone()) };
    }

    /// When a member was heard last, as an earlier engine saved it.
    pub fn restore_heard(&mut self, replica: ReplicaId, seen: Seen) {
        self.presence.restore(replica, seen);
    }

    /// An own message, or another's that says what its author has applied.
    pub fn note(&mut self, message: &Message, own: Option<ReplicaId>) {
        self.is_stirred = true;
        self.restore(message, own);
    }

    /// The same from the store.
    pub fn restore(&mut self, message: &Message, own: Option<ReplicaId>) {
        self.presence.note(message);
        self.is_due |= message.acknowledged().is_some() || message.stale().is_some();
        if own != Some(message.author) {
            return;
        }
        let counter = message.counter;
        match message.entries.as_slice() {
            [entry] if entry.is_passing() => drop(self.passing.insert(counter)),
            [Entry::Application { .. }] => drop(self.payloads.insert(counter)),
            _ => {}
        }
        if message.acknowledged().is_some() {
            self.acknowledgement = counter;
        }
        if message.stale().is_some() {
            self.declaration = counter;
        }
    }

    /// A message came: its author is heard.
    pub fn hear(&mut self, shared: &mut Shared, message: &Message) {
        self.note(message, shared.log.own());
        self.presence.hear_message(shared, message);
    }

    /// Whoever held something back may not do so any more.
    pub fn look_again(&mut self) {
        self.is_due = true;
    }

    /// A folder was looked through whole.
    pub fn look(&mut self) {
        self.looked = true;
    }

    /// Members that are to be declared stale, if there are any that are not yet. A member whose time was never noted is
    /// counted from now on.
    fn silent(&mut self, shared: &mut Shared, linked: &BTreeSet<ReplicaId>) -> Option<BTreeMap<ReplicaId, u64>> {
        let began = *self.began.get_or_insert(shared.now.monotonic);
        let (now, others) = (shared.now.unix, shared.log.others());
        for replica in &others {
            if self.presence.of(*replica).is_none() {
                self.presence.hear(shared, *replica);
            }
        }
        if shared.now.monotonic < began.plus(LISTEN_MS) {
            return None;
        }
        let is_silent = |replica: &ReplicaId| {
            !linked.contains(replica)
                && self.presence.of(*replica).is_some_and(|seen| seen.heard.plus(self.config.stale_after_ms) < now)
        };
        let silent = others.into_iter().filter(|replica| is_silent(replica) || shared.log.is_stale(*replica));
        let silent: BTreeMap<ReplicaId, u64> =
            silent.map(|replica| (replica, shared.log.heads().highest(replica))).collect();
        silent.keys().any(|replica| !shared.log.is_stale(*replica)).then_some(silent)
    }

    /// So many own messages of operations are known that nobody needs any more.
    pub fn note_dead(&mut self, count: u64) {
        self.is_due |= count >= self.config.checkpoint_items_min.max(2).into();
    }

    /// What a checkpoint of own messages would name, those of operations that are `dead` among them, and the application
    /// messages of that; none where it is not worth one.
    fn checkpoint(&self, log: &Log, dead: &IntervalSet<u64>) -> Option<(IntervalSet<u64>, IntervalSet<u64>)> {
        let own = log.own()?;
        let already = log.voided(own).map(|(voided, _)| voided.clone()).unwrap_or_default();
        let mut voided = self.passing.clone();
        voided.remove(self.acknowledgement);
        voided.remove(self.declaration);
        let mut cleared = log.cleared(own).cloned().unwrap_or_default();
        if self.config.clear_applied {
            cleared.union(&self.applied_by_all(log, own));
        }
        voided.union(&cleared);
        voided.union(dead);
        voided.union(&already);
        let gained = voided.difference(&already);
        let count = gained.intervals().map(|(first, last)| last.saturating_sub(first).saturating_add(1));
        let count = count.fold(0, u64::saturating_add);
        // Each checkpoint names all: what that takes shall not outgrow what it gains.
        let pieces = u64::try_from(voided.intervals().len()).unwrap_or(u64::MAX) / CHECKPOINT_PIECES_PER_ITEM;
        let is_worth_it = count >= pieces.max(self.config.checkpoint_items_min.max(2).into());
        let fits = || encoded_size(&voided).saturating_add(encoded_size(&cleared)) <= PAYLOAD_BYTES_MAX;
        (is_worth_it && fits()).then_some((voided, cleared))
    }

    /// The own application messages that every member which is not stale has said to have. Alone nobody clears anything:
    /// others are still to come.
    fn applied_by_all(&self, log: &Log, own: ReplicaId) -> IntervalSet<u64> {
        let mut others = log.others();
        others.retain(|other| !log.is_stale(*other));
        if others.is_empty() {
            return IntervalSet::new();
        }
        let mut applied = self.payloads.clone();
        for other in others.into_iter().filter(|_| !planted(Planted::ClearedUnapplied)) {
            let theirs = log.acknowledged(other).and_then(|heads| heads.of(own));
            let lacking = theirs.map_or_else(|| applied.clone(), |theirs| applied.difference(theirs));
            applied.subtract(&lacking);
        }
        applied
    }
}

impl Engine {
    /// Writes a checkpoint where one is due, declares who is stale, and removes what is void from the store.
    pub(super) fn compaction_turn(&mut self) {
        self.forget_voided();
        self.note_presence();
        if !self.has_begun {
            return;
        }
        if core::mem::take(&mut self.compaction.looked) {
            self.compaction.presence.compare_all(&mut self.shared);
            self.declare_stale();
        }
        if self.is_checkpoint_due()
            && core::mem::take(&mut self.compaction.is_due)
            && let Some((voided, cleared)) = self.compaction.checkpoint(&self.shared.log, self.records.dead())
        {
            self.records.forget_dead();
            self.write(Entry::Checkpoint { voided, cleared, decided: self.shared.log.decided_mark() });
            self.forget_voided();
        }
    }

    /// A checkpoint may be due, and everything that linked members had is here. What an earlier engine left of that waits until
    /// somebody is linked, or something is written or comes: of a store that was put back the others know more, and what it wrote
    /// by itself would have a number that is taken. (What lies in a folder was looked through before.)
    pub(super) fn is_checkpoint_due(&self) -> bool {
        let is_somebody_there = !self.peers.is_empty() || !self.folders.is_empty();
        self.compaction.is_due
            && self.has_begun
            && (is_somebody_there || self.compaction.is_stirred)
            && self.peers.values().all(super::Peer::is_heard)
    }

    fn declare_stale(&mut self) {
        if !self.compaction.config.clear_applied {
            return;
        }
        let linked = self.peers.values().filter_map(super::Peer::replica).collect();
        if let Some(members) = self.compaction.silent(&mut self.shared, &linked) {
            self.write(Entry::Stale { members });
        }
    }

    /// What is void leaves the store, once the application has all that it is to be given.
    fn forget_voided(&mut self) {
        for (author, count) in self.shared.log.take_missed() {
            let message = alloc::format!(
                "{count} messages of replica {author} were cleared before they came to this device: every member that was heard of had them"
            );
            self.shared.notify(NoticeCode::MessagesMissed, message);
        }
        let voided = self.shared.log.take_voided();
        if voided.is_empty() {
            return;
        }
        if !self.deliveries.has_all() && !planted(Planted::VoidedUndelivered) {
            return self.shared.log.put_back_voided(voided);
        }
        let (needed, voided): (Vec<_>, Vec<_>) =
            voided.into_iter().partition(|(author, counter)| self.records.needs(*author, *counter));
        self.shared.log.put_back_voided(needed);
        for (author, counter) in voided {
            self.records.forget(&mut self.shared, author, counter);
            self.shared.saver.remove(message_key(author, counter));
        }
    }
}

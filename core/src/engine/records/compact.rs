//! Own messages of operations that nobody needs any more are found, and become void by the next checkpoint (§5.5): so what a
//! feed holds follows the rows that live, not their history.
//!
//! A message is looked at when little is left of it. Where that is not known (`live.rs`), each message of operations that is
//! written, or merged, lets some be looked at, one behind the other and round again. A message of whose operations nothing
//! counts any more is *dead*. Of one of which little is left that is written again, with the stamps that it has, and then it is
//! dead, too. Many small ones become one in the same way: alone each has a signature and names of its own, which are most of
//! its bytes.
//!
//! Invariant: what stands in a row stands in some message that is not void
//! (`r12_compaction_interrupted_at_every_step_loses_nothing_and_repeats_nothing`).

use alloc::collections::btree_map::Entry as Slot;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::live::RESTATED_SHARE;
use super::{Job, Records, RecordsPurpose, now_ns, row_of};
use crate::api::{Key, LoadQuery, Pair, ReplicaId, RowStamp, Work};
use crate::engine::limits::{CHUNK_LOOKUPS_MAX, HEAL_AHEAD_MS};
use crate::engine::shared::{Purpose, Shared};
use crate::engine::{Engine, keys};
use crate::log::{Entry, IntervalSet, Message, message_key};
use crate::records::{Counts, Opened, OperationRef, OperationsBuilder, Row, RowId, SAID_BYTES, VALUE_BYTES};

/// How many own messages of which nothing is known are looked at for each one that is written.
const LOOKS_PER_OWN: u64 = 2;
/// And for each one of others that is merged, which supersedes own operations as well.
const LOOKS_PER_OTHER: u64 = 1;

/// How far own messages are looked at, as it is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compacting {
    /// Those that nobody needs any more and that no checkpoint voids yet.
    dead: IntervalSet<u64>,
    /// The last one that was looked at.
    cursor: u64,
    /// How many are to be looked at.
    looks: u64,
}

/// Own messages that are looked at.
pub struct Compact {
    /// Empty until they were read.
    messages: Vec<Message>,
    /// How much of the first was known to be left.
    known: Option<usize>,
    /// Their rows, without values.
    pub(super) stored: BTreeMap<RowId, Row>,
    pub(super) loads: usize,
}

/// What still counts of an operation.
struct Left<'a> {
    operation: OperationRef<'a>,
    counts: Counts,
}

impl Records {
    /// An own message, of which everything counts if it is new: one of operations alone may become void.
    pub fn note_own(&mut self, message: &Message, is_new: bool) {
        self.live.insert(message, is_new);
        let slack_ms = self.max_drift_ms().unwrap_or(0).saturating_add(HEAL_AHEAD_MS);
        self.evidence.note_own(message, slack_ms);
    }

    /// All own messages are noted.
    pub(super) fn start_compacting(&mut self, shared: &Shared) {
        let voided = shared.log.own().and_then(|own| shared.log.voided(own)).map(|(voided, _)| voided);
        if let Some(voided) = voided {
            self.live.subtract(voided);
            self.progress.compacting.dead.subtract(voided);
        }
        self.live.subtract(&self.progress.compacting.dead);
        if let Some(own) = shared.log.own() {
            self.live.keep_all(|counter| shared.log.is_silenced(own, counter));
        }
    }

    /// Own messages are those of another incarnation from now on.
    pub fn begin_incarnation(&mut self, shared: &mut Shared) {
        self.live.clear();
        if core::mem::take(&mut self.progress.compacting) != Compacting::default() {
            self.put_progress(shared);
        }
        self.begin(shared);
    }

    /// Own messages that are to become void with the next checkpoint.
    pub fn dead(&self) -> &IntervalSet<u64> {
        &self.progress.compacting.dead
    }

    /// They are void by now, or what covers them may not count any more.
    pub fn forget_dead(&mut self) {
        self.progress.compacting.dead = IntervalSet::new();
    }

    pub(super) fn look_for_own(&mut self) {
        self.look_at_more(LOOKS_PER_OWN);
    }

    pub(super) fn look_for_other(&mut self) {
        self.look_at_more(LOOKS_PER_OTHER);
    }

    /// No more than once round those of which nothing is known.
    fn look_at_more(&mut self, looks: u64) {
        self.is_stirred = true;
        let compacting = &mut self.progress.compacting;
        compacting.looks = compacting.looks.saturating_add(looks).min(self.live.unknown_count());
    }

    /// A message is void: what is held of it never counts.
    pub fn forget(&mut self, shared: &mut Shared, author: ReplicaId, counter: u64) {
        self.progress.released.remove(&(author, counter));
        if self.held.remove(&(author, counter)).is_some() {
            shared.saver.remove(keys::unmerged(author, counter));
        }
    }

    /// Own messages are to be looked at. What is left of that from an earlier run waits until something is written or comes:
    /// of a store that was put back the others know more, and what it wrote by itself would have a number that is taken.
    pub(super) fn is_compacting(&self) -> bool {
        self.has_heard && self.wants_to_compact()
    }

    /// Something is to be written as soon as everything that linked members had is here.
    pub fn waits_to_hear(&self, shared: &Shared) -> bool {
        let is_free = self.config.is_some() && matches!(self.job, Job::Idle);
        let wants = || !self.is_mending() && (self.wants_to_compact() || self.wants_to_heal(shared));
        is_free && !self.has_heard && (self.waits_to_reissue() || wants())
    }

    fn wants_to_compact(&self) -> bool {
        self.mode.sends() && self.is_stirred && self.next_to_look_at().is_some()
    }

    fn next_to_look_at(&self) -> Option<u64> {
        let Compacting { cursor, looks, .. } = &self.progress.compacting;
        self.live.next(*cursor, *looks > 0)
    }

    /// Reads the next own message that is to be looked at, once it is saved.
    pub(super) fn begin_compact(&mut self, shared: &mut Shared) {
        if !self.is_compacting() {
            return;
        }
        let (Some(own), Some(counter)) = (shared.log.own(), self.next_to_look_at()) else { return };
        let saved = shared.saver.saved_heads().of(own);
        let Some(counters) = saved.and_then(|saved| self.live.together(counter, saved)) else { return };
        if !self.live.has_due() {
            let compacting = &mut self.progress.compacting;
            compacting.cursor = counter;
            compacting.looks = compacting.looks.saturating_sub(1);
        }
        let known = self.live.left(counter);
        // Before its rows are seen nothing is known; and what is not there any more is not looked for at once again.
        counters.iter().for_each(|counter| self.live.doubt(*counter));
        self.job = Job::Compact(Compact { messages: Vec::new(), known, stored: BTreeMap::new(), loads: 1 });
        let keys = counters.into_iter().map(|counter| Key { bytes: message_key(own, counter) }).collect();
        let purpose = Purpose::Records { purpose: RecordsPurpose::Own };
        shared.perform(purpose, Work::Load { query: LoadQuery::Keys { keys } });
    }

    /// Those messages are here: their rows are read.
    pub(super) fn own_loaded(&mut self, shared: &mut Shared, pairs: &[Pair]) {
        let Job::Compact(compact) = &mut self.job else { return };
        compact.loads = 0;
        let messages = pairs.iter().filter_map(|pair| Message::decode(&pair.value).ok());
        compact.messages = messages.map(|(message, _)| message).collect();
        let mut ids = BTreeSet::new();
        for message in &compact.messages {
            let owner = shared.log.public_key(message.author).map(|key| *key.as_bytes());
            for opened in message.operations().filter_map(|operations| operations.open().ok()) {
                opened.walk(message.author, |operation| ids.extend(row_of(&operation, owner.as_ref())));
            }
        }
        if compact.messages.is_empty() {
            self.job = Job::Idle;
            return;
        }
        let ids: Vec<RowId> = ids.into_iter().collect();
        for ids in ids.chunks(CHUNK_LOOKUPS_MAX) {
            compact.loads = compact.loads.saturating_add(1);
            Self::load_rows(shared, ids);
        }
    }
}

impl Engine {
    /// Decides what becomes of the own messages that are looked at, if their rows are here; whether they were.
    pub(super) fn compact_if_loaded(&mut self) -> bool {
        match &self.records.job {
            Job::Compact(compact) if compact.loads == 0 && !compact.messages.is_empty() => {}
            _ => return false,
        }
        let Job::Compact(compact) = core::mem::replace(&mut self.records.job, Job::Idle) else { return false };
        let Compact { messages, known, stored, .. } = compact;
        // What was read does not hold any more; these are looked at again, or are not this incarnation's any more.
        let own = self.shared.log.own();
        if self.records.is_mending() || messages.iter().any(|message| own != Some(message.author)) {
            return true;
        }
        let opened = messages.iter().flat_map(|message| {
            message.operations().filter_map(|operations| Some((message.author, operations.open().ok()?)))
        });
        let opened: Vec<(ReplicaId, Opened<'_>)> = opened.collect();
        let rest = self.rest_of(&opened, &stored);
        let (weight, may_return) = (rest.weight(), rest.may_return);
        debug_assert!(
            known.is_none_or(|known| known == weight) || may_return || messages.len() > 1,
            "{known:?} bytes were known to be left of {weight}"
        );
        if let [message] = messages.as_slice()
            && rest.left_bytes().saturating_mul(RESTATED_SHARE) >= rest.all_bytes
        {
            if !may_return {
                self.records.live.know(message.counter, weight, weight / 2);
            }
            return true;
        }
        let is_unmerged = |message: &Message| self.records.is_unmerged((message.author, message.counter));
        let (builder, is_unmerged) = (rest.restated(), messages.iter().any(is_unmerged));
        messages.iter().for_each(|message| self.records.live.remove(message.counter));
        if is_unmerged {
            self.write_unasked(builder);
        } else if !builder.is_empty()
            && let Some((_, counter)) = self.write(Entry::Records(builder.finish()))
        {
            if may_return {
                self.records.live.doubt(counter);
            } else {
                self.records.live.know(counter, weight, weight / RESTATED_SHARE);
            }
        }
        for message in &messages {
            self.records.progress.compacting.dead.insert(message.counter);
        }
        self.records.put_progress(&mut self.shared);
        self.compaction.note_dead(count(self.records.dead()));
        true
    }

    /// What is left of messages in the rows that they are on.
    fn rest_of<'a>(&self, opened: &'a [(ReplicaId, Opened<'a>)], stored: &BTreeMap<RowId, Row>) -> Rest<'a> {
        // What a stamp covers that this device's clock has not reached comes back if that stamp is taken back (§4.4).
        let now = now_ns(self.shared.now);
        let mut lasting = BTreeMap::<ReplicaId, bool>::new();
        let mut rest = Rest { left: BTreeMap::new(), all_bytes: 0, may_return: false };
        for (author, opened) in opened {
            let owner = self.shared.log.public_key(*author).map(|key| *key.as_bytes());
            opened.walk(*author, |operation| {
                let row = row_of(&operation, owner.as_ref()).and_then(|id| stored.get(&id));
                let covers = |at: RowStamp| {
                    let mut lasts = || *lasting.entry(at.replica).or_insert_with(|| self.lasts(at.replica));
                    let covers = at.unix_ns <= now && lasts();
                    rest.may_return |= !covers;
                    covers
                };
                let counts = row.unwrap_or(&Row::default()).left_of(&operation, covers);
                rest.add(operation, counts);
            });
        }
        rest
    }
}

/// What is left of messages.
struct Rest<'a> {
    /// Operations by their stamps: one that stands in several messages is one.
    left: BTreeMap<u64, Left<'a>>,
    /// About what the messages take.
    all_bytes: usize,
    /// Some of what is left was replaced by stamps that may still be taken back.
    may_return: bool,
}

impl<'a> Rest<'a> {
    fn add(&mut self, operation: OperationRef<'a>, counts: Option<Counts>) {
        let said = SAID_BYTES.saturating_add(operation.key.len());
        let bytes = weight(operation.values().map(|(_, value)| value)).saturating_add(said);
        self.all_bytes = self.all_bytes.saturating_add(bytes);
        let Some(counts) = counts else { return };
        match self.left.entry(operation.at.unix_ns) {
            Slot::Vacant(slot) => drop(slot.insert(Left { operation, counts })),
            Slot::Occupied(mut slot) => slot.get_mut().counts.join(counts),
        }
    }

    /// About what is left takes, keys and names left out: what `live` counts.
    fn weight(&self) -> usize {
        let weight = |left: &Left<'_>| {
            let said = if left.counts.stands { SAID_BYTES } else { 0 };
            weight(left.counts.values.iter().map(|value| value.value.as_slice())).saturating_add(said)
        };
        self.left.values().map(weight).fold(0, usize::saturating_add)
    }

    /// About what is left takes if it is written again.
    fn left_bytes(&self) -> usize {
        let bytes = |left: &Left<'_>| {
            let values = weight(left.counts.values.iter().map(|value| value.value.as_slice()));
            values.saturating_add(SAID_BYTES).saturating_add(left.operation.key.len())
        };
        self.left.values().map(bytes).fold(0, usize::saturating_add)
    }

    /// Operations with the stamps that they have, in the order of these.
    fn restated(self) -> OperationsBuilder {
        let mut builder = OperationsBuilder::new();
        for Left { operation, counts } in self.left.into_values() {
            builder.push(operation.table, operation.key, operation.method, &counts.values, operation.at.unix_ns);
        }
        builder
    }
}

/// About what values take in a message.
fn weight<'a>(values: impl Iterator<Item = &'a [u8]>) -> usize {
    values.fold(0, |all, value| all.saturating_add(value.len()).saturating_add(VALUE_BYTES))
}

/// How many numbers are in a set.
fn count(set: &IntervalSet<u64>) -> u64 {
    let counts = set.intervals().map(|(first, last)| last.saturating_sub(first).saturating_add(1));
    counts.fold(0, u64::saturating_add)
}

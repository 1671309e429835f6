//! Own messages of operations that nobody needs any more are found, and become void by the next checkpoint (§5.5): so what a
//! feed holds follows the rows that live, not their history.
//!
//! Each message of operations that is written, or merged, lets some of the own ones be looked at, one behind the other and
//! round again. A message of whose operations nothing counts any more is *dead*. Of one of which little is left that is
//! written again, with the stamps that it has, and then it is dead, too.
//!
//! Invariant: what stands in a row stands in some message that is not void
//! (`r12_compaction_interrupted_at_every_step_loses_nothing_and_repeats_nothing`).

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Job, Records, RecordsPurpose, now_ns, row_of};
use crate::api::{Key, LoadQuery, Pair, ReplicaId, Work};
use crate::engine::limits::CHUNK_LOOKUPS_MAX;
use crate::engine::shared::{Purpose, Shared};
use crate::engine::{Engine, keys};
use crate::log::{Entry, IntervalSet, Message, message_key};
use crate::records::{OperationsBuilder, Row, RowId};

/// How many own messages are looked at for each one that is written.
const LOOKS_PER_OWN: u64 = 2;
/// And for each one of others that is merged, which supersedes own operations as well.
const LOOKS_PER_OTHER: u64 = 1;
/// What is left of a message is written again if it is less than one in so many of its bytes.
const RESTATED_SHARE: usize = 4;
/// About what an operation takes in a message beside its key and values, and a value beside its bytes.
const OPERATION_BYTES: usize = 4;
const VALUE_BYTES: usize = 2;

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

/// Own messages of operations that are neither void nor to become so.
#[derive(Default)]
pub struct Live {
    counters: IntervalSet<u64>,
    count: u64,
}

impl Live {
    /// Whether a message is one of them.
    pub fn contains(&self, counter: u64) -> bool {
        self.counters.contains(counter)
    }

    fn insert(&mut self, counter: u64) {
        self.count = self.count.saturating_add(u64::from(self.counters.insert(counter)));
    }

    fn remove(&mut self, counter: u64) {
        self.count = self.count.saturating_sub(u64::from(self.counters.remove(counter)));
    }

    fn subtract(&mut self, other: &IntervalSet<u64>) {
        self.counters.subtract(other);
        self.count = count(&self.counters);
    }
}

/// An own message that is looked at.
pub struct Compact {
    counter: u64,
    message: Option<Message>,
    /// Its rows, without values.
    pub(super) stored: BTreeMap<RowId, Row>,
    pub(super) loads: usize,
}

impl Records {
    /// An own message: one of operations alone may become void.
    pub fn note_own(&mut self, message: &Message) {
        let is_of_operations = |entry: &Entry| matches!(entry, Entry::Records(_));
        if message.counter > 1 && !message.entries.is_empty() && message.entries.iter().all(is_of_operations) {
            self.live.insert(message.counter);
        }
    }

    /// All own messages are noted.
    pub(super) fn start_compacting(&mut self, shared: &Shared) {
        let voided = shared.log.own().and_then(|own| shared.log.voided(own)).map(|(voided, _)| voided);
        if let Some(voided) = voided {
            self.live.subtract(voided);
            self.progress.compacting.dead.subtract(voided);
        }
        self.live.subtract(&self.progress.compacting.dead);
    }

    /// Own messages are those of another incarnation from now on.
    pub fn begin_incarnation(&mut self, shared: &mut Shared) {
        self.live = Live::default();
        if core::mem::take(&mut self.progress.compacting) != Compacting::default() {
            self.put_progress(shared);
        }
        self.begin(shared);
    }

    /// Own messages that are to become void with the next checkpoint.
    pub fn dead(&self) -> &IntervalSet<u64> {
        &self.progress.compacting.dead
    }

    /// They are.
    pub fn dead_are_void(&mut self) {
        self.progress.compacting.dead = IntervalSet::new();
    }

    pub(super) fn look_for_own(&mut self) {
        self.look_at_more(LOOKS_PER_OWN);
    }

    pub(super) fn look_for_other(&mut self) {
        self.look_at_more(LOOKS_PER_OTHER);
    }

    /// No more than once round.
    fn look_at_more(&mut self, looks: u64) {
        self.is_stirred = true;
        let compacting = &mut self.progress.compacting;
        compacting.looks = compacting.looks.saturating_add(looks).min(self.live.count);
    }

    /// A message is void: what is held of it never counts.
    pub fn forget(&mut self, shared: &mut Shared, author: ReplicaId, counter: u64) {
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
        self.is_stirred && self.progress.compacting.looks > 0 && self.live.count > 0
    }

    /// Reads the next own message that is to be looked at, once it is saved.
    pub(super) fn begin_compact(&mut self, shared: &mut Shared) {
        if !self.is_compacting() {
            return;
        }
        let (live, compacting) = (&self.live.counters, &mut self.progress.compacting);
        let next = live.after(compacting.cursor).or_else(|| live.first());
        let (Some(own), Some(counter)) = (shared.log.own(), next) else { return };
        if !shared.saver.saved_heads().of(own).is_some_and(|held| held.contains(counter)) {
            return;
        }
        compacting.cursor = counter;
        compacting.looks = compacting.looks.saturating_sub(1);
        self.job = Job::Compact(Compact { counter, message: None, stored: BTreeMap::new(), loads: 1 });
        let keys = Vec::from([Key { bytes: message_key(own, counter) }]);
        let purpose = Purpose::Records { purpose: RecordsPurpose::Own };
        shared.perform(purpose, Work::Load { query: LoadQuery::Keys { keys } });
    }

    /// That message is here: its rows are read.
    pub(super) fn own_loaded(&mut self, shared: &mut Shared, pairs: &[Pair]) {
        let Job::Compact(compact) = &mut self.job else { return };
        compact.loads = 0;
        let message = pairs.first().and_then(|pair| Message::decode(&pair.value).ok());
        let Some((message, _)) = message else {
            self.job = Job::Idle;
            return;
        };
        let owner = shared.log.public_key(message.author).map(|key| *key.as_bytes());
        let mut ids = BTreeSet::new();
        for opened in message.operations().filter_map(|operations| operations.open().ok()) {
            opened.walk(message.author, |operation| ids.extend(row_of(&operation, owner.as_ref())));
        }
        compact.message = Some(message);
        let ids: Vec<RowId> = ids.into_iter().collect();
        for ids in ids.chunks(CHUNK_LOOKUPS_MAX) {
            compact.loads = compact.loads.saturating_add(1);
            Self::load_rows(shared, ids);
        }
    }
}

impl Engine {
    /// Decides what becomes of the own message that is looked at, if its rows are here; whether they were.
    pub(super) fn compact_if_loaded(&mut self) -> bool {
        match &self.records.job {
            Job::Compact(Compact { loads: 0, message: Some(_), .. }) => {}
            _ => return false,
        }
        let Job::Compact(compact) = core::mem::replace(&mut self.records.job, Job::Idle) else { return false };
        let Compact { counter, message: Some(message), stored, .. } = compact else { return false };
        let owner = self.shared.log.public_key(message.author).map(|key| *key.as_bytes());
        // What a stamp covers that this device's clock has not reached comes back if that stamp is taken back (§4.4).
        let now = now_ns(self.shared.now);
        let (mut builder, mut all, mut left) = (OperationsBuilder::new(), 0usize, 0usize);
        for opened in message.operations().filter_map(|operations| operations.open().ok()) {
            opened.walk(message.author, |operation| {
                let stamp = OPERATION_BYTES.saturating_add(operation.key.len());
                all = all.saturating_add(stamp).saturating_add(weight(operation.values().map(|(_, value)| value)));
                let row = row_of(&operation, owner.as_ref()).and_then(|id| stored.get(&id));
                let unknown = Row::default();
                let Some(values) = row.unwrap_or(&unknown).left_of(&operation, now) else { return };
                let kept = weight(values.iter().map(|value| value.value.as_slice()));
                left = left.saturating_add(stamp).saturating_add(kept);
                builder.push(operation.table, operation.key, operation.method, &values, operation.at.unix_ns);
            });
        }
        if left.saturating_mul(RESTATED_SHARE) >= all {
            return true;
        }
        if !builder.is_empty() {
            self.write(Entry::Records(builder.finish()));
        }
        self.records.live.remove(counter);
        self.records.progress.compacting.dead.insert(counter);
        self.records.put_progress(&mut self.shared);
        self.compaction.note_dead(count(self.records.dead()));
        true
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

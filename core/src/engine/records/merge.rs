//! Operations of messages are merged into rows, some thousand rows at a time.

use alloc::collections::BTreeMap;
use alloc::collections::btree_map::Entry as Slot;
use alloc::vec::Vec;

use super::{Done, Job, Records, RecordsPurpose, is_of_owned, look_at, now_ns, row_of};
use crate::api::{Action, Key, LoadQuery, Notice, NoticeCode, Now, Pair, ReplicaId, RowStamp, Work};
use crate::engine::keys;
use crate::engine::limits::{CHUNK_LOOKUPS_MAX, ROWS_APPLIED_MAX, ROWS_AT_ONCE_MAX};
use crate::engine::saver::After;
use crate::engine::shared::{Purpose, Shared};
use crate::log::{Message, message_key};
use crate::planted::{Planted, planted};
use crate::records::{OperationRef, Row, RowId};

/// Messages that are read at once.
const MESSAGES_AT_ONCE: usize = 8;

/// What messages said of rows, on its way into them.
#[derive(Default)]
pub struct Merge {
    /// What is said of each row that is still to be merged.
    said: BTreeMap<RowId, Row>,
    /// The part of it that is being merged, and what the store has of those rows.
    part: BTreeMap<RowId, Row>,
    stored: BTreeMap<RowId, Row>,
    /// Reads that are still under way.
    loads: usize,
    /// The messages, each with the time from which its first held operation counts.
    messages: Vec<((ReplicaId, u64), Option<u64>)>,
    /// They were merged before.
    pub(super) is_repeated: bool,
    /// All messages are gone through, and this is where that goes on; none at its end.
    pub(super) walked: Option<Option<Vec<u8>>>,
}

impl Records {
    /// Held messages whose time has come are merged again.
    pub(super) fn release(&mut self, now: Now) {
        self.forget_released(now);
        if self.held.is_empty() {
            // The last one may have become void before its time came.
            self.look_again = None;
            return;
        }
        if self.look_again.is_some_and(|at| now.monotonic < at) {
            return;
        }
        let limit = self.limit_ns(now);
        let limit = if planted(Planted::HeldForGood) { 0 } else { limit };
        let due: Vec<_> = self.held.iter().filter(|(_, due)| **due <= limit).map(|(place, _)| *place).collect();
        for place in due {
            self.held.remove(&place);
            self.unmerged.push_back(place);
        }
        let drift = limit.saturating_sub(now_ns(now));
        self.look_again = self.held.values().min().map(|due| look_at(now, due.saturating_sub(drift)));
    }

    /// What a message says is not in the rows, or not all of it.
    pub(super) fn is_unmerged(&self, place: (ReplicaId, u64)) -> bool {
        self.held.contains_key(&place) || self.unmerged.contains(&place)
    }

    /// The latest stamp that counts now.
    pub fn limit_ns(&self, now: Now) -> u64 {
        now_ns(now).saturating_add(self.max_drift_ms().unwrap_or_default().saturating_mul(1_000_000))
    }

    /// How far ahead of this device's time a stamp counts, in milliseconds; none where there are no records.
    pub fn max_drift_ms(&self) -> Option<u64> {
        self.config.as_ref().map(|config| u64::from(config.max_drift_ms))
    }

    /// Reads the next messages whose operations are to be merged, as far as they are saved.
    pub(super) fn load_messages(&mut self, shared: &mut Shared) {
        let saved = shared.saver.saved_heads();
        let is_saved =
            |(author, counter): &(ReplicaId, u64)| saved.of(*author).is_some_and(|held| held.contains(*counter));
        let places: Vec<_> = self.unmerged.iter().copied().take_while(is_saved).take(MESSAGES_AT_ONCE).collect();
        if places.is_empty() {
            return;
        }
        self.job = Job::Loading;
        let keys = places.iter().map(|(author, counter)| Key { bytes: message_key(*author, *counter) }).collect();
        let purpose = Purpose::Records { purpose: RecordsPurpose::Messages(places) };
        shared.perform(purpose, Work::Load { query: LoadQuery::Keys { keys } });
    }

    /// Gathers what these messages say of each row. One that is void by now is not there, and says nothing.
    pub(super) fn messages_loaded(&mut self, shared: &mut Shared, places: &[(ReplicaId, u64)], pairs: &[Pair]) {
        let merge = self.gathered(shared, places, pairs);
        self.unmerged.drain(..places.len().min(self.unmerged.len()));
        self.merge_next(shared, merge);
    }

    /// What these messages say of each row.
    pub(super) fn gathered(&mut self, shared: &mut Shared, places: &[(ReplicaId, u64)], pairs: &[Pair]) -> Merge {
        let mut merge = Merge::default();
        let limit = self.limit_ns(shared.now);
        let mut pairs = pairs.iter().peekable();
        for place in places {
            let key = message_key(place.0, place.1);
            let pair = pairs.next_if(|pair| pair.key == key);
            let message = pair.and_then(|pair| Message::decode(&pair.value).ok());
            let limit = self.limit_of(shared, *place, limit);
            let held = message.and_then(|(message, _)| self.gather(shared, &message, limit, &mut merge.said));
            if planted(Planted::UnmarkedBeforeMerged) && held.is_none() {
                shared.saver.remove(keys::unmerged(place.0, place.1));
                shared.flush();
            }
            merge.messages.push((*place, held));
        }
        merge
    }

    /// Adds what a message says up to this time; the time of the first operation beyond it, if there is one.
    fn gather(
        &mut self,
        shared: &mut Shared,
        message: &Message,
        limit: u64,
        said: &mut BTreeMap<RowId, Row>,
    ) -> Option<u64> {
        let owner = shared.log.public_key(message.author).map(|key| *key.as_bytes());
        let is_others = !shared.log.is_by_this_device(message.author);
        let (mut held, mut latest, mut count) = (None::<u64>, 0, 0u64);
        let last = message.operations().map(|operations| operations.latest_ns()).max();
        self.note_released((message.author, message.counter), last.unwrap_or(0));
        if shared.log.is_silenced(message.author, message.counter) {
            return None;
        }
        let retracted = shared.log.retracted(message.author);
        for operations in message.operations() {
            // What does not fit together was refused with its message.
            let Ok(opened) = operations.open() else { continue };
            opened.walk_rows(message.author, |operations| {
                let counts = |at: u64| retracted.is_none_or(|after| at <= after);
                let is_held = |at: u64| at > limit && !planted(Planted::HeldAppliedAtOnce);
                let ahead =
                    operations.iter().map(|operation| operation.at.unix_ns).filter(|at| is_held(*at) && counts(*at));
                held = held.into_iter().chain(ahead).min();
                if planted(Planted::HeldMovesClock) {
                    latest = operations.iter().map(|operation| operation.at.unix_ns).fold(latest, u64::max);
                }
                // A shared row and an owned one of the same key are two.
                for is_owned in [false, true] {
                    let counts = |operation: &&OperationRef<'_>| {
                        let at = operation.at.unix_ns;
                        is_of_owned(operation.method) == is_owned && !is_held(at) && counts(at)
                    };
                    let mut operations = operations.iter().filter(counts).peekable();
                    let Some(id) = operations.peek().and_then(|first| row_of(first, owner.as_ref())) else { continue };
                    let row = said.entry(id).or_default();
                    for operation in operations {
                        latest = latest.max(operation.at.unix_ns);
                        count = count.saturating_add(u64::from(is_others));
                        row.apply(operation);
                    }
                }
            });
        }
        if let Some(clock) = &mut self.clock
            && !planted(Planted::AppliedNotObserved)
        {
            clock.observe_ns(latest);
        }
        self.received = self.received.saturating_add(count);
        if let Some(at) = held {
            self.tell_skew(shared, message.author, at);
        }
        held
    }

    fn tell_skew(&mut self, shared: &mut Shared, replica: ReplicaId, at_ns: u64) {
        if self.skewed.contains(&replica) {
            return;
        }
        self.skewed.push(replica);
        let ahead_s = at_ns.saturating_sub(now_ns(shared.now)) / 1_000_000_000;
        let name = shared.log.members().find(|member| member.replica == replica).map(|member| member.name);
        let message = alloc::format!(
            "changes of `{}` are stamped {ahead_s} s ahead of this device's clock and wait until then: one of the two clocks is wrong",
            name.unwrap_or_default()
        );
        let notice = Notice { code: NoticeCode::ClockSkew, message, root: None, path: None, replica: Some(replica) };
        shared.actions.push(Action::Notify { notice });
    }

    /// Reads the next rows that are to be merged, or ends the job.
    pub(super) fn merge_next(&mut self, shared: &mut Shared, mut merge: Merge) {
        while merge.part.len() < ROWS_AT_ONCE_MAX
            && let Some((id, row)) = merge.said.pop_first()
        {
            merge.part.insert(id, row);
        }
        if merge.part.is_empty() {
            return self.merged(shared, merge);
        }
        let ids: Vec<RowId> = merge.part.keys().cloned().collect();
        for ids in ids.chunks(CHUNK_LOOKUPS_MAX) {
            merge.loads = merge.loads.saturating_add(1);
            Self::load_rows(shared, ids);
        }
        self.job = Job::Merge(merge);
    }

    /// Some rows of the job are here.
    pub(super) fn rows_loaded(&mut self, shared: &mut Shared, pairs: Vec<Pair>) {
        let stamps_do = matches!(self.job, Job::Compact(_));
        let (stored, loads) = match &mut self.job {
            Job::Merge(merge) => (&mut merge.stored, &mut merge.loads),
            Job::Write(write) => (&mut write.stored, &mut write.loads),
            Job::Compact(compact) => (&mut compact.stored, &mut compact.loads),
            _ => return,
        };
        *loads = loads.saturating_sub(1);
        for pair in pairs {
            let (id, row) = (RowId::from_key(&pair.key), Row::from_stored(&pair.value));
            let (Some(id), Some(mut row)) = (id, row) else { return Self::lost(shared) };
            if stamps_do {
                row.drop_values();
            }
            stored.insert(id, row);
        }
        if let Job::Merge(merge) = &mut self.job
            && merge.loads == 0
        {
            let merge = core::mem::take(merge);
            self.merged(shared, merge);
        }
    }

    /// Merges the rows that are here, and saves them. With the last ones the messages count as merged.
    fn merged(&mut self, shared: &mut Shared, mut merge: Merge) {
        let mut changed = Vec::new();
        let (own, live) = (shared.log.own(), &mut self.live);
        let mut over = |at: RowStamp, bytes: usize| {
            if own == Some(at.replica) {
                live.replaced(at.unix_ns, bytes);
            }
        };
        for (id, said) in core::mem::take(&mut merge.part) {
            let row = match merge.stored.entry(id.clone()) {
                Slot::Vacant(slot) => slot.insert(said),
                Slot::Occupied(mut slot) if planted(Planted::RowOverwritten) => {
                    *slot.get_mut() = said;
                    slot.into_mut()
                }
                Slot::Occupied(mut slot) => {
                    if !slot.get_mut().merge_over(&said, &mut over) {
                        continue;
                    }
                    slot.into_mut()
                }
            };
            Self::put_row(shared, &id, row);
            changed.push(id);
        }
        self.live.settle();
        merge.stored.clear();
        let is_last = merge.said.is_empty();
        if is_last {
            self.remerged(&mut merge);
            for ((author, counter), held) in core::mem::take(&mut merge.messages) {
                if shared.log.own() != Some(author) && !merge.is_repeated {
                    self.look_for_other();
                }
                match held {
                    Some(due) => {
                        self.held.insert((author, counter), due);
                        shared.saver.put(keys::unmerged(author, counter), Vec::new());
                    }
                    None => shared.saver.remove(keys::unmerged(author, counter)),
                }
            }
            self.look_again = None;
        }
        let changed =
            if merge.is_repeated && self.progress.remembers { Vec::new() } else { self.remember(shared, changed) };
        self.put_progress(shared);
        shared.saver.then(After::Records);
        self.job = Job::Saving(Done { taken: Vec::new(), changed, rest: (!is_last).then_some(merge) });
    }

    /// Remembers changed rows for the application's database; where there is none, gives them back.
    pub(super) fn remember(&mut self, shared: &mut Shared, changed: Vec<RowId>) -> Vec<RowId> {
        if !self.progress.remembers {
            return changed;
        }
        for batch in changed.chunks(ROWS_APPLIED_MAX) {
            self.progress.sequence = self.progress.sequence.saturating_add(1);
            let ids: Vec<&serde_bytes::Bytes> = batch.iter().map(|id| serde_bytes::Bytes::new(id.key())).collect();
            match postcard::to_allocvec(&ids) {
                Ok(_) if planted(Planted::ChangedForgotten) => {}
                Ok(value) => shared.saver.put(keys::changed(self.progress.sequence), value),
                Err(_) => shared.saver.fail(),
            }
        }
        Vec::new()
    }
}

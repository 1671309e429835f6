//! Stamps that do not count any more leave the rows, and what they had covered comes back (§4.4): all rows are gone
//! through, then all messages are merged again, then what this device had stamped in vain is issued anew.
//!
//! How far that is, is saved with what is done. Meanwhile nothing else is done to rows, and the application's database is told of
//! nothing: it gets all rows afterwards.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;

use super::merge::Merge;
use super::{Done, Job, Records, RecordsPurpose, now_ns};
use crate::api::{Key, LoadQuery, Method, Pair, PropertyValue, ReplicaId, Work};
use crate::engine::limits::{LOAD_BYTES_MAX, ROWS_APPLIED_BYTES_MAX};
use crate::engine::saver::After;
use crate::engine::shared::{Purpose, Shared};
use crate::engine::{Engine, keys};
use crate::log::{Entry, IntervalSet, Message, all_message_keys, message_key, parse_message_key};
use crate::records::{OperationsBuilder, Row, RowId, all_rows};

/// What is to be done, and how far it is, as it is saved.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Mend {
    reason: Reason,
    /// Own messages, under earlier ids, whose operations are to be issued anew.
    vain: Vain,
    step: Step,
    /// Some row held such a stamp.
    has_stripped: bool,
    /// It was begun by this engine, and not found in its store.
    #[serde(skip)]
    is_new: bool,
}

/// Which stamps leave the rows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Reason {
    /// This device's clock was ahead: everybody's beyond this time.
    OwnClock { after_ns: u64 },
    /// An author took back what it stamped beyond this time. It makes anew itself what it had made.
    Retraction { author: ReplicaId, after_ns: u64 },
    /// Other messages count than before: all is merged again. What was covered by what does not count now may be gone
    /// where it was covered, for its author had voided it, and stand where that had not come: so all forget what no
    /// message says that counts.
    Regrouping,
}

impl Reason {
    /// The latest time that still counts, in nanoseconds since 1970.
    fn after_ns(&self) -> u64 {
        match self {
            Reason::OwnClock { after_ns } | Reason::Retraction { after_ns, .. } => *after_ns,
            Reason::Regrouping => 0,
        }
    }

    /// Whose stamps; everybody's without one.
    fn author(&self) -> Option<ReplicaId> {
        match self {
            Reason::OwnClock { .. } | Reason::Regrouping => None,
            Reason::Retraction { author, .. } => Some(*author),
        }
    }
}

/// Own messages whose operations were taken back and still count, in the order of their stamps.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Vain {
    counters: BTreeMap<ReplicaId, IntervalSet<u64>>,
    /// Each with its earliest stamp.
    by_stamp: BTreeSet<(u64, ReplicaId, u64)>,
    /// What is stamped later under an id was taken back, and issued anew, before.
    until_ns: BTreeMap<ReplicaId, u64>,
}

impl Vain {
    pub(super) fn insert(&mut self, own: ReplicaId, counter: u64, (earliest_ns, until_ns): (u64, u64)) {
        self.until_ns.insert(own, until_ns);
        self.counters.entry(own).or_default().insert(counter);
        self.by_stamp.insert((earliest_ns, own, counter));
    }

    fn contains(&self, author: ReplicaId, counter: u64) -> bool {
        self.counters.get(&author).is_some_and(|counters| counters.contains(counter))
    }

    fn is_empty(&self) -> bool {
        self.by_stamp.is_empty()
    }

    fn first(&self) -> Option<(ReplicaId, u64)> {
        self.by_stamp.first().map(|(_, own, counter)| (*own, *counter))
    }

    /// The last stamp that is to be issued anew of the first message, which is no longer one of them.
    fn take_first(&mut self) -> Option<u64> {
        let (_, own, counter) = self.by_stamp.pop_first()?;
        self.counters.get_mut(&own)?.remove(counter);
        self.until_ns.get(&own).copied()
    }
}

/// What is done next.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) enum Step {
    /// Rows lose these stamps, from this key on.
    Strip(ByteBuf),
    /// Messages are merged again, from this key on.
    Merge(ByteBuf),
    /// Operations are issued anew, and merged.
    Reissue,
    /// Rows whose creation is void are made anew, from this key on.
    Recreate(ByteBuf),
}

impl Mend {
    /// All is still to be done.
    pub fn new(reason: Reason, vain: Vain) -> Mend {
        let step = Step::Strip(ByteBuf::from(all_rows().0));
        Mend { reason, vain, step, has_stripped: false, is_new: true }
    }

    /// What comes once all messages are merged again.
    fn after_merge(&self) -> Step {
        match self.reason {
            Reason::Regrouping => Step::Recreate(ByteBuf::from(all_rows().0)),
            Reason::OwnClock { .. } | Reason::Retraction { .. } => Step::Reissue,
        }
    }

    /// The next step writes messages, and others may know of some that this store forgot.
    fn is_to_hear(&self) -> bool {
        let writes =
            matches!(self.step, Step::Reissue) && !self.vain.is_empty() || matches!(self.step, Step::Recreate(_));
        writes && !self.is_new
    }

    /// The message is void and yet needed.
    fn needs(&self, author: ReplicaId, counter: u64) -> bool {
        self.vain.contains(author, counter)
    }
}

impl Records {
    /// A void message is still to be read.
    pub fn needs(&self, author: ReplicaId, counter: u64) -> bool {
        self.progress.mend.as_ref().is_some_and(|mend| mend.needs(author, counter))
    }

    /// Rows are being put right.
    pub(super) fn is_mending(&self) -> bool {
        self.progress.mend.is_some() || !self.progress.to_mend.is_empty()
    }

    /// What is to be issued anew waits until everything that linked members had is here.
    pub(super) fn waits_to_reissue(&self) -> bool {
        !self.has_heard && self.progress.mend.as_ref().is_some_and(Mend::is_to_hear)
    }

    /// An author takes stamps back: none of them counts any more, whether it was merged or not.
    pub(super) fn retract(&mut self, shared: &mut Shared, author: ReplicaId, after_ns: u64) {
        self.look_at_held_again(Some(author));
        // Of others' feeds it may take back nothing.
        if shared.log.retracted(author).is_none() {
            return;
        }
        // Nothing that was merged is later than the clock.
        let last = self.clock.as_ref().map_or(self.progress.clock_ns, |clock| clock.last_ns());
        if last > after_ns {
            self.forget_dead();
            self.progress.to_mend.push(Reason::Retraction { author, after_ns });
            self.put_progress(shared);
        }
    }

    fn look_at_held_again(&mut self, author: Option<ReplicaId>) {
        let held: Vec<_> =
            self.held.keys().filter(|(of, _)| author.is_none_or(|author| *of == author)).copied().collect();
        for place in held {
            self.held.remove(&place);
            self.unmerged.push_back(place);
        }
    }

    /// Messages do not count any more, or count again: all is merged again, own messages too that nobody needed.
    pub fn merge_again(&mut self, shared: &mut Shared) {
        if self.config.is_none() {
            return;
        }
        self.look_at_held_again(None);
        self.forget_dead();
        if !self.progress.to_mend.contains(&Reason::Regrouping) {
            self.progress.to_mend.push(Reason::Regrouping);
        }
        self.put_progress(shared);
    }

    /// Takes the next step.
    pub(super) fn mend_next(&mut self, shared: &mut Shared) {
        if self.progress.mend.is_none()
            && let Some(reason) = self.progress.to_mend.pop()
        {
            self.progress.mend = Some(Mend::new(reason, Vain::default()));
        }
        let Some(mend) = self.progress.mend.as_ref().filter(|_| !self.waits_to_reissue()) else { return };
        let (purpose, query) = match &mend.step {
            Step::Strip(from) => {
                let (start, end) = (from.to_vec(), all_rows().1);
                (RecordsPurpose::Strip, LoadQuery::Range { start, end, bytes_max: ROWS_APPLIED_BYTES_MAX })
            }
            Step::Merge(from) => {
                let (start, end) = (from.to_vec(), all_message_keys().1);
                (RecordsPurpose::Remerge, LoadQuery::Range { start, end, bytes_max: LOAD_BYTES_MAX })
            }
            Step::Recreate(from) => {
                let (start, end) = (from.to_vec(), all_rows().1);
                // What is made anew of a page is one message.
                let bytes_max = ROWS_APPLIED_BYTES_MAX / 2;
                (RecordsPurpose::Recreate, LoadQuery::Range { start, end, bytes_max })
            }
            Step::Reissue => match mend.vain.first() {
                Some((own, counter)) => {
                    let keys = Vec::from([Key { bytes: message_key(own, counter) }]);
                    (RecordsPurpose::Vain, LoadQuery::Keys { keys })
                }
                None if self.unmerged.is_empty() => return self.mended(shared),
                None => return self.load_messages(shared),
            },
        };
        self.job = Job::Loading;
        shared.perform(Purpose::Records { purpose }, Work::Load { query });
    }

    /// A page of rows: each loses what does not count.
    pub(super) fn strip(&mut self, shared: &mut Shared, pairs: &[Pair], more: bool) {
        let Some(mut mend) = self.progress.mend.take() else { return };
        let mut changed = Vec::new();
        for pair in pairs {
            let (id, row) = (RowId::from_key(&pair.key), Row::from_stored(&pair.value));
            let (Some(id), Some(mut row)) = (id, row) else { return Self::lost(shared) };
            if row.strip(mend.reason.after_ns(), mend.reason.author()) {
                Self::put_row(shared, &id, &row);
                changed.push(id);
            }
            if let (Some(clock), Some(latest)) = (&mut self.clock, row.latest()) {
                clock.observe_ns(latest.unix_ns);
            }
        }
        mend.has_stripped |= !changed.is_empty();
        mend.step = match pairs.last() {
            Some(last) if more => Step::Strip(ByteBuf::from([last.key.as_slice(), &[0]].concat())),
            _ if mend.has_stripped || mend.reason.author().is_none() => {
                Step::Merge(ByteBuf::from(all_message_keys().0))
            }
            _ => Step::Reissue,
        };
        self.progress.mend = Some(mend);
        self.save_step(shared, changed);
    }

    /// A page of messages: those of operations are merged again.
    pub(super) fn remerge(&mut self, shared: &mut Shared, mut pairs: Vec<Pair>, more: bool) {
        let next = pairs.last().filter(|_| more).map(|last| [last.key.as_slice(), &[0]].concat());
        let is_void = |author, counter| shared.log.voided(author).is_some_and(|(voided, _)| voided.contains(counter));
        let place = |pair: &Pair| parse_message_key(&pair.key).filter(|(author, counter)| !is_void(*author, *counter));
        pairs.retain(|pair| place(pair).is_some());
        let places: Vec<_> = pairs.iter().filter_map(place).collect();
        // Own ones that nobody needed may be needed again.
        let own = pairs.iter().zip(&places).filter(|(_, (author, _))| shared.log.own() == Some(*author));
        let messages: Vec<_> = own.filter_map(|(pair, _)| Message::decode(&pair.value).ok()).collect();
        for (message, _) in &messages {
            self.note_own(message, false);
            if shared.log.is_silenced(message.author, message.counter) {
                self.live.keep(message.counter);
            }
        }
        let mut merge = self.gathered(shared, &places, &pairs);
        merge.is_repeated = true;
        merge.walked = Some(next);
        self.merge_next(shared, merge);
    }

    /// A page is merged.
    pub(super) fn remerged(&mut self, merge: &mut Merge) {
        let (Some(next), Some(mend)) = (merge.walked.take(), &mut self.progress.mend) else { return };
        mend.step = next.map_or_else(|| mend.after_merge(), |next| Step::Merge(ByteBuf::from(next)));
    }

    /// All is done: the application's database gets all rows.
    fn mended(&mut self, shared: &mut Shared) {
        let mend = self.progress.mend.take();
        if mend.is_none_or(|mend| mend.has_stripped || mend.reason.author().is_none()) {
            self.live.doubt_all();
        }
        if self.progress.remembers {
            // An engine that ends before they are there gives them again.
            self.progress.tables.clear();
            self.apply.walk_all();
        }
        self.save_step(shared, Vec::new());
    }

    /// What was asked for a step is here.
    pub(super) fn begin_step(&mut self) {
        self.job = Job::Idle;
    }

    /// A step is done, and this one is next.
    pub(super) fn end_step(&mut self, shared: &mut Shared, next: Step) {
        if let Some(mend) = &mut self.progress.mend {
            mend.step = next;
        }
        self.save_step(shared, Vec::new());
    }

    fn save_step(&mut self, shared: &mut Shared, mut changed: Vec<RowId>) {
        if self.progress.remembers {
            changed.clear();
        }
        self.put_progress(shared);
        shared.saver.then(After::Records);
        self.job = Job::Saving(Done { taken: Vec::new(), changed, rest: None });
    }
}

/// An operation that is to be issued anew.
struct Reissued {
    table: alloc::string::String,
    key: Vec<u8>,
    method: Method,
    values: Vec<PropertyValue>,
}

impl Engine {
    /// Issues the operations of a message anew that are stamped ahead, in the order in which they were.
    pub(super) fn reissue_vain(&mut self, pairs: &[Pair]) {
        self.records.job = Job::Idle;
        let Some(mut mend) = self.records.progress.mend.take() else { return };
        let Some(until_ns) = mend.vain.take_first() else { return };
        let after_ns = mend.reason.after_ns();
        let message = pairs.first().and_then(|pair| Message::decode(&pair.value).ok());
        self.records.progress.mend = Some(mend);
        let vain = message.map(|(message, _)| in_order(&message, after_ns, until_ns)).unwrap_or_default();
        let (mut builder, now) = (OperationsBuilder::new(), now_ns(self.shared.now));
        for Reissued { table, key, method, values } in vain.into_values().flatten() {
            let Some(Ok(at)) = self.records.clock.as_mut().map(|clock| clock.next_ns(now)) else { continue };
            builder.push(&table, &key, method, &values, at);
        }
        self.write_unasked(builder);
        self.records.save_step(&mut self.shared, Vec::new());
    }

    /// Says operations that rest on nothing that the application gave, to be merged as everybody's are.
    pub(super) fn write_unasked(&mut self, builder: OperationsBuilder) {
        if !builder.is_empty()
            && let Some((author, counter)) = self.write(Entry::Records(builder.finish()))
        {
            // What is there already may be later.
            self.records.live.doubt(counter);
            self.records.look_for_own();
            self.records.unmerged.push_back((author, counter));
            self.shared.saver.put(keys::unmerged(author, counter), Vec::new());
        }
    }
}

/// A message's operations that are stamped after a time and until another, by their stamps.
fn in_order(message: &Message, after_ns: u64, until_ns: u64) -> BTreeMap<u64, VecDeque<Reissued>> {
    let mut all = BTreeMap::<u64, VecDeque<Reissued>>::new();
    for opened in message.operations().filter_map(|operations| operations.open().ok()) {
        opened.walk(message.author, |operation| {
            if operation.at.unix_ns <= after_ns || operation.at.unix_ns > until_ns {
                return;
            }
            let value =
                |(property, value): (&str, &[u8])| PropertyValue { property: property.into(), value: value.into() };
            all.entry(operation.at.unix_ns).or_default().push_back(Reissued {
                table: operation.table.into(),
                key: operation.key.into(),
                method: operation.method,
                values: operation.values().map(value).collect(),
            });
        });
    }
    all
}

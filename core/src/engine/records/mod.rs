//! Records (§7): what the application writes becomes messages (`write`), what messages say is merged into rows (`merge`), rows
//! that changed come to the application's database (`apply`), whoever asks reads them (`read`), and own messages that nobody
//! needs any more become void (`compact`). Stamps of a clock that was ahead are taken back (`heal`, `mend`).
//!
//! Rows stand in the store, never in memory as a whole. One job at a time reads the rows that it concerns, changes them and
//! saves them together with the mark of how far it came; so an operation is merged once it is saved that it is to be merged,
//! and repeating one changes nothing.

mod apply;
mod compact;
mod heal;
mod lasting;
mod live;
mod mend;
mod merge;
mod read;
mod recreate;
mod released;
mod renew;
mod standing;
mod write;

use alloc::collections::{BTreeMap, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use self::apply::Apply;
use self::compact::{Compact, Compacting};
use self::heal::{Evidence, Search};
use self::live::Live;
use self::mend::{Mend, Reason};
use self::merge::Merge;
use self::read::Reads;
use self::released::Released;
use self::write::{Write, WriteCommand};
use super::limits::{GATHERED_MAX, HELD_LOOK_MS, TABLE_NAME_BYTES_MAX};
use super::shared::Shared;
use super::{Engine, keys};
use crate::api::{
    Action, Command, CompactionConfig, ConfigError, Key, LoadQuery, MemberMode, Method, Monotonic, NoticeCode, Now,
    Outcome, RecordsConfig, ReplicaId, Work,
};
use crate::clock::{Clock, LAST_NS, stamp_id};
use crate::log::Message;
use crate::planted::{Planted, planted};
use crate::records::{OperationRef, Row, RowId, Rule};

/// What a task was asked for.
pub enum RecordsPurpose {
    /// Messages whose operations are to be merged.
    Messages(Vec<(ReplicaId, u64)>),
    /// An own message, to see whether anybody needs it.
    Own,
    /// A page of own messages, to find stamps that are ahead.
    Search,
    /// A page of all rows, to take stamps from them.
    Strip,
    /// A page of all messages, to merge them again.
    Remerge,
    /// An own message whose operations are issued anew.
    Vain,
    /// A page of all rows, to make anew what is to be.
    Recreate,
    /// Some of the rows that the job concerns.
    Rows,
    /// A page of rows for who asked.
    Read,
    /// A page of all rows, for the application's database.
    Walk,
    /// Which rows changed, for the application's database.
    Changed {
        /// The last batch that was saved when they were asked for.
        until: u64,
    },
    /// Those rows themselves.
    ChangedRows {
        /// The number of the last batch that they are of.
        sequence: u64,
        /// Which rows they are.
        rows: Vec<RowId>,
    },
    /// To make the application's database so.
    Apply,
}

/// How far records are, as it is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Progress {
    /// The latest stamp issued or applied, in nanoseconds since 1970.
    clock_ns: u64,
    /// What the application gave is saved up to here.
    taken: u64,
    /// How many batches of changed rows there were.
    sequence: u64,
    /// Of those so many are not remembered any more: the application's database has them.
    forgotten: u64,
    /// Changed rows are remembered for an application's database.
    remembers: bool,
    /// The tables whose rows all came to it, or are remembered.
    tables: Vec<String>,
    /// How far own messages are looked at.
    compacting: Compacting,
    /// What counts before its time.
    released: Released,
    /// Ids that this device has left because its clock was ahead.
    left: Vec<ReplicaId>,
    /// Rows are being put right.
    mend: Option<Mend>,
    /// For what they are still to be put right then.
    to_mend: Vec<Reason>,
}

/// The rows of a group on this device.
pub struct Records {
    config: Option<RecordsConfig>,
    rules: BTreeMap<String, Rule>,
    progress: Progress,
    /// None before the device knows its own id.
    clock: Option<Clock>,
    /// Messages whose operations are to be merged, in the order in which they came.
    unmerged: VecDeque<(ReplicaId, u64)>,
    /// Messages with operations that are stamped too far ahead, each with the time from which the first of them counts.
    held: BTreeMap<(ReplicaId, u64), u64>,
    /// Held messages are looked at again.
    look_again: Option<Monotonic>,
    /// Who was told to have a wrong clock.
    skewed: Vec<ReplicaId>,
    /// Which way data goes between this device and the others.
    mode: MemberMode,
    /// What the application gave is known to be saved up to here.
    taken: u64,
    writes: VecDeque<WriteCommand>,
    /// The application has changes to give that were made before anything is merged from now on.
    awaits_changes: bool,
    /// Own messages that somebody may need.
    live: Live,
    /// Something was written or merged since the start.
    is_stirred: bool,
    /// Everything that linked members had when they were linked is here.
    has_heard: bool,
    evidence: Evidence,
    job: Job,
    reads: Reads,
    apply: Apply,
    received: u64,
    sent: u64,
}

/// The one thing that is done to rows at a time.
enum Job {
    Idle,
    /// Messages are being read.
    Loading,
    Merge(Merge),
    Write(Write),
    Compact(Compact),
    Search(Search),
    /// What was done is being saved.
    Saving(Done),
}

/// What a job came to, told once it is saved.
#[derive(Default)]
struct Done {
    /// Commands of the application that are taken.
    taken: Vec<u64>,
    /// Rows that changed, where no database is told.
    changed: Vec<RowId>,
    /// The rest of the merge.
    rest: Option<Merge>,
}

impl Records {
    /// Nothing is known yet.
    ///
    /// # Errors
    /// A table that is configured twice.
    pub fn new(config: Option<RecordsConfig>, compaction: &CompactionConfig) -> Result<Records, ConfigError> {
        let mut rules = BTreeMap::new();
        for table in config.iter().flat_map(|config| &config.tables) {
            if table.name.len() > TABLE_NAME_BYTES_MAX {
                return Err(ConfigError::TableName { name: table.name.clone() });
            }
            if rules.insert(table.name.clone(), Rule::of(table)).is_some() {
                return Err(ConfigError::DuplicateTable { name: table.name.clone() });
            }
        }
        let awaits_changes = config.as_ref().is_some_and(|config| config.has_changes);
        let apply = Apply::new(config.as_ref().and_then(|config| config.applied));
        Ok(Records {
            config,
            rules,
            progress: Progress::default(),
            clock: None,
            unmerged: VecDeque::new(),
            held: BTreeMap::new(),
            look_again: None,
            skewed: Vec::new(),
            taken: 0,
            writes: VecDeque::new(),
            awaits_changes,
            live: Live::new(compaction.checkpoint_items_min.clamp(2, GATHERED_MAX) as usize),
            is_stirred: false,
            has_heard: false,
            evidence: Evidence::default(),
            job: Job::Idle,
            reads: Reads::default(),
            apply,
            received: 0,
            sent: 0,
            mode: MemberMode::Full,
        })
    }

    /// Takes what was saved of how far records are; none if it makes no sense.
    pub fn restore(&mut self, value: &[u8]) -> Option<()> {
        self.progress = postcard::from_bytes(value).ok()?;
        Some(())
    }

    /// Takes from the store that a message's operations are not merged.
    pub fn restore_unmerged(&mut self, author: ReplicaId, counter: u64) {
        self.unmerged.push_back((author, counter));
    }

    /// A message came: its operations, if it has any, are merged once it is saved.
    pub fn accept(&mut self, shared: &mut Shared, message: &Message) {
        self.weigh(shared, message);
        if let Some((after_ns, left)) = message.retraction() {
            for author in left.iter().chain([&message.author]) {
                self.retract(shared, *author, after_ns);
            }
        }
        // What covered the messages that it voids may count for nobody.
        if message.voids_by().is_some_and(|decided| decided != shared.log.decided_mark())
            && shared.log.has_uncounted()
            && !planted(Planted::VoidedByUnawareKept)
        {
            self.merge_again(shared);
        }
        if message.operations().next().is_some() {
            self.unmerged.push_back((message.author, message.counter));
            if !planted(Planted::UnmergedNotMarked) {
                shared.saver.put(keys::unmerged(message.author, message.counter), Vec::new());
            }
        }
    }

    /// The store may be a copy of one that still speaks for this device.
    pub fn is_copy(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.is_copy)
    }

    /// Rows are kept, and nothing was written of them since the start.
    pub fn has_said_nothing(&self) -> bool {
        self.config.is_some() && self.sent == 0
    }

    /// All that was saved is restored.
    pub fn start(&mut self, shared: &mut Shared) {
        let Some(config) = &self.config else { return };
        let is_new = self.progress.clock_ns == 0 && self.progress.sequence == 0;
        let tables: Vec<String> = config.tables.iter().map(|table| table.name.clone()).collect();
        if let Some(applied) = config.applied {
            let knows = |table: &String| self.progress.tables.contains(table);
            let lacks = applied < self.progress.forgotten
                || applied > self.progress.sequence
                || config.taken > self.progress.taken;
            if !is_new
                && (lacks
                    || !self.progress.remembers
                    || !tables.iter().all(knows) && !planted(Planted::KnownTableNotWalked))
            {
                self.apply.walk_all();
            }
            if !planted(Planted::BatchNumberedAgain) {
                self.progress.sequence = self.progress.sequence.max(applied);
            }
        }
        // What a store that was put back to before that had taken is not given to it again.
        self.progress.taken = self.progress.taken.max(config.taken);
        let told = core::mem::replace(&mut self.taken, self.progress.taken);
        if self.taken > told {
            // Before any row is given to a database that still has these changes to give, and would keep them.
            shared.actions.push(Action::RowsWritten { taken: self.taken });
        }
        self.progress.remembers = config.applied.is_some();
        if is_new || config.applied.is_none() {
            self.progress.tables = tables;
        }
        self.apply.saved(self.progress.sequence);
        self.forget_unheld(shared);
        self.start_compacting(shared);
        self.begin(shared);
    }

    /// A message that its author had voided before it was merged was there to be merged all the same, as one that says nothing.
    /// Where what voided it counts no more nothing is held of it: it waits for nobody, and may come again.
    fn forget_unheld(&mut self, shared: &mut Shared) {
        let (heads, saver) = (shared.log.heads(), &mut shared.saver);
        self.unmerged.retain(|(author, counter)| {
            let is_held = heads.contains(*author, *counter);
            if !is_held {
                saver.remove(keys::unmerged(*author, *counter));
            }
            is_held
        });
    }

    /// Which way data goes has changed, maybe.
    pub fn follow_mode(&mut self, mode: MemberMode) {
        self.mode = mode;
    }

    /// Stamps carry the device's id from now on.
    pub fn begin(&mut self, shared: &Shared) {
        let last = self.clock.as_ref().map_or(self.progress.clock_ns, Clock::last_ns);
        self.clock = shared.log.own().and_then(stamp_id).map(|id| {
            let mut clock = Clock::new(id);
            clock.observe_ns(last);
            clock
        });
    }

    /// The clock is set, and may go back.
    fn set_clock(&mut self, shared: &Shared, last_ns: u64) {
        (self.clock, self.progress.clock_ns, self.evidence) = (None, last_ns, Evidence::default());
        self.begin(shared);
    }

    /// Lets each part do a share of what is due.
    fn begin_next(&mut self, shared: &mut Shared, may_write: bool, has_heard: bool) {
        if self.config.is_none() {
            return;
        }
        self.has_heard = has_heard;
        self.release(shared.now);
        let heals = may_write && matches!(self.job, Job::Idle) && !self.is_mending() && self.is_to_heal(shared);
        if matches!(self.job, Job::Idle) && self.is_mending() {
            if may_write {
                self.mend_next(shared);
            }
        } else if matches!(self.job, Job::Idle) {
            if heals {
                self.begin_search(shared);
            } else if self.note_walked(shared) {
                self.job = Job::Saving(Done::default());
            } else if may_write && !self.writes.is_empty() {
                self.begin_write(shared);
            } else if !self.awaits_changes {
                self.load_messages(shared);
            }
        }
        if matches!(self.job, Job::Idle) && may_write && !heals && !self.is_mending() {
            self.begin_compact(shared);
        }
        self.read_next(shared);
        if !self.is_mending() && self.mode.takes() {
            self.apply_next(shared);
        }
    }

    /// Reads these rows for the job.
    fn load_rows(shared: &mut Shared, rows: &[RowId]) {
        let keys = rows.iter().map(|row| Key { bytes: row.key().to_vec() }).collect();
        let query = LoadQuery::Keys { keys };
        shared.perform(super::Purpose::Records { purpose: RecordsPurpose::Rows }, Work::Load { query });
    }

    /// Saves a row with the next batch.
    fn put_row(shared: &mut Shared, id: &RowId, row: &Row) {
        match postcard::to_allocvec(row) {
            Ok(value) => shared.saver.put(id.key().to_vec(), value),
            Err(_) => shared.saver.fail(),
        }
    }

    /// Saves how far records are with the next batch.
    fn put_progress(&mut self, shared: &mut Shared) {
        if let Some(clock) = &self.clock
            && !planted(Planted::RowClockNotSaved)
        {
            self.progress.clock_ns = self.progress.clock_ns.max(clock.last_ns());
        }
        match postcard::to_allocvec(&self.progress) {
            Ok(value) => shared.saver.put(keys::records(), value),
            Err(_) => shared.saver.fail(),
        }
    }

    /// The store does not give back what was saved.
    fn lost(shared: &mut Shared) {
        shared.saver.fail();
        let message = "records that were saved could not be read; nothing is sent any more";
        shared.notify(NoticeCode::StoreCorrupt, message);
    }
}

impl Engine {
    /// Lets records do a share of what is due.
    pub(super) fn records_turn(&mut self) {
        loop {
            let has_heard = self.peers.values().all(super::Peer::is_heard);
            // Those who know more of this device than it does have told that by then.
            let may_write = !self.records.has_said_nothing() || self.peers.values().all(super::Peer::is_known);
            self.records.begin_next(&mut self.shared, self.has_begun && may_write, has_heard);
            self.write_if_loaded();
            // What was looked at makes room for the next job, which has something to wait for.
            if !self.compact_if_loaded() {
                return;
            }
        }
    }

    pub(super) fn records_command(&mut self, command: Command) {
        match command {
            Command::WriteRows { taken, changes, more } => self.records.take(&mut self.shared, taken, changes, more),
            Command::ReleaseHeld { replica } => self.records.release_held(&mut self.shared, replica),
            Command::ReadRows { request, query } => self.records.ask(&mut self.shared, request, query),
            _ => {}
        }
    }

    pub(super) fn records_completed(&mut self, purpose: RecordsPurpose, outcome: Outcome) {
        let (purpose, outcome) = match (purpose, outcome) {
            (RecordsPurpose::Search, Outcome::Loaded { pairs, more }) => return self.searched(&pairs, more),
            (RecordsPurpose::Vain, Outcome::Loaded { pairs, .. }) => return self.reissue_vain(&pairs),
            (RecordsPurpose::Recreate, Outcome::Loaded { pairs, more }) => return self.recreate(&pairs, more),
            other => other,
        };
        let (records, shared) = (&mut self.records, &mut self.shared);
        match (purpose, outcome) {
            (RecordsPurpose::Strip, Outcome::Loaded { pairs, more }) => records.strip(shared, &pairs, more),
            (RecordsPurpose::Remerge, Outcome::Loaded { pairs, more }) => records.remerge(shared, pairs, more),
            (RecordsPurpose::Messages(places), Outcome::Loaded { pairs, .. }) => {
                records.messages_loaded(shared, &places, &pairs);
            }
            (RecordsPurpose::Own, Outcome::Loaded { pairs, .. }) => records.own_loaded(shared, &pairs),
            (RecordsPurpose::Rows, Outcome::Loaded { pairs, .. }) => records.rows_loaded(shared, pairs),
            (RecordsPurpose::Read, Outcome::Loaded { pairs, more }) => records.page_read(shared, pairs, more),
            (RecordsPurpose::Walk, Outcome::Loaded { pairs, more }) => records.walked(shared, pairs, more),
            (RecordsPurpose::Changed { until }, Outcome::Loaded { pairs, .. }) => {
                records.changes_loaded(shared, until, &pairs);
            }
            (RecordsPurpose::ChangedRows { sequence, rows }, Outcome::Loaded { pairs, .. }) => {
                records.changed_rows_loaded(shared, sequence, &rows, pairs);
            }
            (RecordsPurpose::Apply, Outcome::RowsApplied) => records.applied(shared),
            (RecordsPurpose::Apply, _) if planted(Planted::FailedBatchCounts) => records.applied(shared),
            (RecordsPurpose::Apply, outcome) => records.not_applied(shared, &outcome),
            _ => Records::lost(shared),
        }
    }

    /// A job of records is saved.
    pub(super) fn records_saved(&mut self) {
        let (records, shared) = (&mut self.records, &mut self.shared);
        let Job::Saving(done) = core::mem::replace(&mut records.job, Job::Idle) else { return };
        records.taken = done.taken.last().copied().unwrap_or(records.taken);
        shared.actions.extend(done.taken.into_iter().map(|taken| Action::RowsWritten { taken }));
        records.apply.saved(records.progress.sequence);
        let rows: Vec<_> = done.changed.iter().filter_map(|id| RowId::parse(id.key())).collect();
        if !rows.is_empty() {
            shared.actions.push(Action::RowsChanged { rows });
        }
        if let Some(rest) = done.rest {
            records.merge_next(shared, rest);
        }
    }
}

/// The row that an operation is on, of an author with this key; none if it would own the row and its key is not known.
fn row_of(operation: &OperationRef<'_>, owner: Option<&[u8; 32]>) -> Option<RowId> {
    match (owner, is_of_owned(operation.method)) {
        (Some(owner), true) => Some(RowId::new(operation.table, Some(owner), operation.key)),
        (None, true) => None,
        (_, false) => Some(RowId::new(operation.table, None, operation.key)),
    }
}

/// It is of a row that its author owns.
fn is_of_owned(method: Method) -> bool {
    matches!(method, Method::OwnedBatchCreate | Method::OwnedDelete)
}

/// The end of this millisecond, in nanoseconds since 1970.
fn now_ns(now: Now) -> u64 {
    now.unix.0.saturating_mul(1_000_000).saturating_add(999_999).min(LAST_NS)
}

/// When held messages are looked at again whose first operation counts from this time on, in nanoseconds since 1970.
fn look_at(now: Now, due_ns: u64) -> Monotonic {
    let wait_ms = (due_ns / 1_000_000).saturating_sub(now.unix.0).saturating_add(1);
    now.monotonic.plus(wait_ms.min(HELD_LOOK_MS))
}

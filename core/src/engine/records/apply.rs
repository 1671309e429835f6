//! Rows that changed come to the application's database, a batch at a time, each batch once (§2.8).
//!
//! Which rows changed is saved with them, under the batch's number, until the database has them; what they are is read when
//! they are given. So a row that changes twice meanwhile is given as it is, and a crash gives a batch again.

use alloc::collections::BTreeSet;
use alloc::vec::Vec;

use serde_bytes::ByteBuf;

use super::{Records, RecordsPurpose};
use crate::api::{Action, Failure, Key, LoadQuery, Monotonic, NoticeCode, Outcome, Pair, RowName, RowState, Work};
use crate::engine::keys;
use crate::engine::limits::{RETRY_MS, RETRY_MS_MAX, ROWS_APPLIED_BYTES_MAX, ROWS_APPLIED_MAX};
use crate::engine::saver::After;
use crate::engine::shared::{Purpose, Shared};
use crate::planted::{Planted, planted};
use crate::records::{Row, RowId, all_rows};

/// How far the application's database is.
pub struct Apply {
    /// The last batch that it has; none where there is no such database.
    applied: Option<u64>,
    /// The last batch that is saved.
    saved: u64,
    /// All rows are given once: how far that is.
    walk: Option<Walk>,
    /// All rows were given, which is not noted yet.
    has_walked: bool,
    busy: bool,
    again: Option<Monotonic>,
    wait_ms: u64,
    /// What is being given: the number that it leads to, and the rows.
    giving: Option<(u64, Vec<RowName>)>,
}

struct Walk {
    /// Where to go on.
    from: Vec<u8>,
    is_last: bool,
}

impl Apply {
    /// The last batch that it has; none where there is no such database.
    pub fn applied_until(&self) -> Option<u64> {
        self.applied
    }

    /// A database that has the batches up to this one.
    pub fn new(applied: Option<u64>) -> Apply {
        Apply {
            applied,
            saved: 0,
            walk: None,
            has_walked: false,
            busy: false,
            again: None,
            wait_ms: RETRY_MS,
            giving: None,
        }
    }

    /// The database lacks rows that no batch brings: it gets all.
    pub fn walk_all(&mut self) {
        self.walk = Some(Walk { from: all_rows().0, is_last: false });
    }

    /// Batches up to this one are saved.
    pub fn saved(&mut self, sequence: u64) {
        self.saved = sequence;
    }

    /// Nothing is under way, and nothing could be.
    pub fn is_idle(&self) -> bool {
        !self.busy && (self.is_done() || self.again.is_some())
    }

    /// The database has all that is saved.
    pub fn is_done(&self) -> bool {
        !self.has_walked && !self.has_more()
    }

    /// There is something to give to the database.
    fn has_more(&self) -> bool {
        self.walk.is_some() || self.applied.is_some_and(|applied| applied < self.saved)
    }

    /// Rows are on their way into the database as they stood before.
    pub fn is_under_way(&self) -> bool {
        self.busy
    }

    /// When a batch that failed is given again.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.again.filter(|_| !self.busy)
    }

    /// How many batches the database lacks.
    pub fn unapplied(&self) -> u64 {
        let walks = u64::from(self.walk.is_some());
        self.applied.map_or(0, |applied| self.saved.saturating_sub(applied)).max(walks)
    }
}

impl Records {
    /// Notes under a number of its own that all rows were given: so a database that is put back to before that lacks a number.
    /// False if there is nothing to note.
    pub(super) fn note_walked(&mut self, shared: &mut Shared) -> bool {
        if !core::mem::take(&mut self.apply.has_walked) {
            return false;
        }
        self.progress.tables = self.rules.keys().cloned().collect();
        self.progress.sequence = self.progress.sequence.saturating_add(1);
        match postcard::to_allocvec(&Vec::<ByteBuf>::new()) {
            Ok(value) => shared.saver.put(keys::changed(self.progress.sequence), value),
            Err(_) => shared.saver.fail(),
        }
        self.put_progress(shared);
        shared.saver.then(After::Records);
        true
    }

    /// Asks for what the database is to be given next.
    pub(super) fn apply_next(&mut self, shared: &mut Shared) {
        // While the application's own changes are being saved, what is read may be older, and given after they are taken.
        let is_writing = self.is_writing();
        let apply = &mut self.apply;
        let Some(applied) = apply.applied else { return };
        if is_writing
            || apply.busy
            || !apply.has_more()
            || apply.again.is_some_and(|again| shared.now.monotonic < again)
        {
            return;
        }
        apply.busy = true;
        apply.again = None;
        let (purpose, query) = match &mut apply.walk {
            Some(walk) => {
                let (start, end) = (walk.from.clone(), all_rows().1);
                (RecordsPurpose::Walk, LoadQuery::Range { start, end, bytes_max: ROWS_APPLIED_BYTES_MAX })
            }
            None => {
                let start = keys::changed(applied.saturating_add(1));
                let end = keys::changed(apply.saved.saturating_add(1));
                (
                    RecordsPurpose::Changed { until: apply.saved },
                    LoadQuery::Range { start, end, bytes_max: ROWS_APPLIED_BYTES_MAX },
                )
            }
        };
        shared.perform(Purpose::Records { purpose }, Work::Load { query });
    }

    /// A page of all rows.
    pub(super) fn walked(&mut self, shared: &mut Shared, pairs: Vec<Pair>, more: bool) {
        let mut rows = self.states(&pairs);
        if planted(Planted::WalkLeavesOut) {
            rows.pop();
        }
        let Some(walk) = &mut self.apply.walk else { return };
        if let Some(last) = pairs.last() {
            walk.from = [last.key.as_slice(), &[0]].concat();
        }
        walk.is_last = !more;
        // The batches that are remembered come behind it: they may say of rows that they are not there.
        let applied = self.apply.applied.unwrap_or(0);
        let sequence = if more { applied } else { applied.max(self.progress.forgotten) };
        self.give(shared, sequence, rows);
    }

    /// Which rows are in the next batches.
    pub(super) fn changes_loaded(&mut self, shared: &mut Shared, until: u64, pairs: &[Pair]) {
        let (mut ids, mut sequence) = (BTreeSet::<ByteBuf>::new(), until);
        for pair in pairs {
            let Ok(batch) = postcard::from_bytes::<Vec<ByteBuf>>(&pair.value) else { return Self::lost(shared) };
            if !ids.is_empty() && ids.len().saturating_add(batch.len()) > ROWS_APPLIED_MAX {
                break;
            }
            let Some(number) = keys::parse_changed(&pair.key) else { return Self::lost(shared) };
            sequence = number;
            ids.extend(batch);
        }
        let rows: Vec<RowId> = ids.iter().filter_map(|id| RowId::from_key(id)).collect();
        let keys = rows.iter().map(|id| Key { bytes: id.key().to_vec() }).collect();
        let purpose = Purpose::Records { purpose: RecordsPurpose::ChangedRows { sequence, rows } };
        shared.perform(purpose, Work::Load { query: LoadQuery::Keys { keys } });
    }

    /// Those rows. One that the store does not have is one that the application made and that was refused: it is not there.
    pub(super) fn changed_rows_loaded(&mut self, shared: &mut Shared, sequence: u64, ids: &[RowId], pairs: Vec<Pair>) {
        let mut rows = self.states(&pairs);
        let mut pairs = pairs.iter().peekable();
        for id in ids {
            if pairs.next_if(|pair| pair.key == id.key()).is_none() {
                rows.extend(self.absent(id));
            }
        }
        self.give(shared, sequence, rows);
    }

    fn absent(&self, id: &RowId) -> Option<RowState> {
        let name = RowId::parse(id.key())?;
        let rule = *self.rules.get(&name.table)?;
        Some(Row::default().state(name, rule))
    }

    /// Rows as the application sees them: those of the tables that it knows.
    pub(super) fn states(&self, pairs: &[Pair]) -> Vec<RowState> {
        let state = |pair: &Pair| {
            let name = RowId::parse(&pair.key)?;
            let rule = *self.rules.get(&name.table)?;
            Some(Row::from_stored(&pair.value)?.state(name, rule))
        };
        pairs.iter().filter_map(state).collect()
    }

    fn give(&mut self, shared: &mut Shared, sequence: u64, rows: Vec<RowState>) {
        self.apply.giving = Some((sequence, rows.iter().map(|row| row.name.clone()).collect()));
        let purpose = Purpose::Records { purpose: RecordsPurpose::Apply };
        shared.perform(purpose, Work::ApplyRows { sequence, rows });
    }

    /// The database has what it was given.
    pub(super) fn applied(&mut self, shared: &mut Shared) {
        let apply = &mut self.apply;
        apply.busy = false;
        apply.wait_ms = RETRY_MS;
        let Some((sequence, rows)) = apply.giving.take() else { return };
        let before = apply.applied.replace(sequence).unwrap_or(0);
        if apply.walk.take_if(|walk| walk.is_last).is_some() {
            apply.has_walked = true;
        }
        if !rows.is_empty() {
            shared.actions.push(Action::RowsChanged { rows });
        }
        if sequence > self.progress.forgotten {
            for number in before.max(self.progress.forgotten).saturating_add(1)..=sequence {
                shared.saver.remove(keys::changed(number));
            }
            self.progress.forgotten = sequence;
            self.put_progress(shared);
        }
    }

    /// The database did not take them: they are given again later.
    pub(super) fn not_applied(&mut self, shared: &mut Shared, outcome: &Outcome) {
        let apply = &mut self.apply;
        apply.busy = false;
        apply.giving = None;
        apply.again = Some(shared.now.monotonic.plus(apply.wait_ms));
        apply.wait_ms = apply.wait_ms.saturating_mul(2).min(RETRY_MS_MAX);
        if let Some(walk) = &mut apply.walk {
            *walk = Walk { from: all_rows().0, is_last: false };
        }
        let why = match outcome {
            Outcome::Failed { failure: Failure::Other { message } } => message.as_str(),
            Outcome::Failed { failure: Failure::NoSpace } => "no space left on the device",
            _ => "it did not say why",
        };
        let message = alloc::format!("the application's database did not take rows, which is tried again: {why}");
        shared.notify(NoticeCode::Unwritable, message);
    }
}

//! Rows are read for who asks, a page at a time, as they are saved.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::{Records, RecordsPurpose};
use crate::api::{Action, LoadQuery, NoticeCode, Pair, RowQuery, RowState, Work};
use crate::engine::limits::ROWS_APPLIED_BYTES_MAX;
use crate::engine::shared::{Purpose, Shared};
use crate::records::{RowId, table_end};

/// What was asked, in the order of the commands.
#[derive(Default)]
pub struct Reads {
    asked: VecDeque<(u64, RowQuery)>,
    /// Where the first one goes on.
    from: Option<Vec<u8>>,
    busy: bool,
}

impl Reads {
    /// Answers what another was asked, from the start.
    pub fn inherit(&mut self, old: &mut Reads) {
        self.asked = core::mem::take(&mut old.asked);
    }

    /// Nobody waits for an answer.
    pub fn is_idle(&self) -> bool {
        self.asked.is_empty()
    }
}

impl Records {
    pub(super) fn ask(&mut self, shared: &mut Shared, request: u64, query: RowQuery) {
        if self.config.is_none() {
            return shared.notify(NoticeCode::HostError, "rows were asked for from an engine that keeps no records");
        }
        self.reads.asked.push_back((request, query));
    }

    pub(super) fn read_next(&mut self, shared: &mut Shared) {
        let Some((_, query)) = self.reads.asked.front() else { return };
        if core::mem::replace(&mut self.reads.busy, true) {
            return;
        }
        let first = || match query.after.as_ref().and_then(RowId::of) {
            Some(after) => [after.key(), &[0]].concat(),
            None => RowId::new(&query.table, None, &query.from).into_key(),
        };
        let start = self.reads.from.take().unwrap_or_else(first);
        let end = match &query.until {
            Some(until) => RowId::new(&query.table, None, until).into_key(),
            None => table_end(&query.table),
        };
        let end = end.max(start.clone());
        let purpose = Purpose::Records { purpose: RecordsPurpose::Read };
        let query = LoadQuery::Range { start, end, bytes_max: ROWS_APPLIED_BYTES_MAX };
        shared.perform(purpose, Work::Load { query });
    }

    /// A page of rows is here. One without any that were asked for is followed by the next.
    pub(super) fn page_read(&mut self, shared: &mut Shared, pairs: Vec<Pair>, more: bool) {
        self.reads.busy = false;
        let mut rows = self.states(&pairs);
        let Some((request, query)) = self.reads.asked.front() else { return };
        // Where all that was said of a row was taken back, nothing is left to tell.
        let is_told = |row: &RowState| row.at.is_some() || !row.values.is_empty();
        rows.retain(|row| row.exists || query.deleted && is_told(row));
        let limit = query.limit.max(1) as usize;
        match pairs.last() {
            Some(last) if rows.is_empty() && more => self.reads.from = Some([last.key.as_slice(), &[0]].concat()),
            _ => {
                let more = more || rows.len() > limit;
                rows.truncate(limit);
                shared.actions.push(Action::RowsRead { request: *request, rows, more });
                self.reads.asked.pop_front();
            }
        }
    }
}

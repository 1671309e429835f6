//! What must stand in rows in the end, by what people did and had seen.

use std::collections::BTreeMap;

use syncline_core::api::RowName;

use super::{act::show, model::Model, tables::Table};
use crate::{Invariant, Judge, Values};

/// All rows that are there.
pub(super) type Rows = BTreeMap<RowName, Values>;

/// Judges what stands in the end.
pub(super) struct Verdict<'a> {
    pub judge: &'a Judge,
    pub model: &'a Model,
    pub rows: &'a Rows,
    /// How many rows and values could be judged.
    pub decided: u64,
}

impl Verdict<'_> {
    /// Judges every row.
    ///
    /// # Panics
    /// If one is not as it must be.
    pub fn check(&mut self) {
        for row in self.rows.keys() {
            self.judge.must(Invariant::Authority, !self.model.of_row(row).is_empty(), || {
                format!("{} is there, which nobody made", show(row))
            });
        }
        for row in self.model.rows() {
            let stands = self.rows.get(row);
            for (property, value) in stands.into_iter().flatten() {
                let is_written = !self.model.writers(row, property, value).is_empty();
                self.judge.must(Invariant::Authority, is_written, || {
                    format!("{} has a value that nobody wrote: {property}={}", show(row), text(value))
                });
            }
            match Table::named(&row.table) {
                Some(Table::Lists | Table::Notes) => self.check_revived(row, stands),
                Some(Table::Tags) => self.check_final(row, stands),
                Some(Table::Genres) => self.check_set(row, stands),
                _ => self.check_owned(row, stands),
            }
        }
    }

    fn check_revived(&mut self, row: &RowName, stands: Option<&Values>) {
        let all = self.model.of_row(row);
        let deed = |index: usize| &self.model.deeds()[index];
        let is_before = |one: &usize, other: usize| self.model.is_before(*one, other);
        let (deletions, puts): (Vec<usize>, Vec<usize>) = all.iter().partition(|index| deed(**index).is_deletion());
        let decides = |index: &&usize| deed(**index).is_sure() && deed(**index).showed;
        // Whoever deletes what others deleted already does nothing: of several deletions only those count for later that are known
        // to be.
        let is_ended =
            |put: &usize, end: usize| is_before(put, end) && (deletions.len() == 1 || deed(end).past.contains(put));
        let has_seen = |end: &&usize| !deed(**end).past.is_empty();
        let mut ends = deletions.iter().filter(decides).filter(has_seen);
        let ends = ends.find(|end| puts.iter().all(|put| is_ended(put, **end)));
        let is_kept = |put: &&usize| !deed(**put).is_default && deletions.iter().all(|end| is_before(end, **put));
        let is_touched = |put: &&usize| deletions.is_empty() || deed(**put).showed && !deed(**put).past.is_empty();
        let sure = puts.iter().filter(|put| deed(**put).is_sure());
        let keeps = sure.clone().filter(is_touched).find(is_kept);
        self.must_be_gone(row, stands, ends.copied());
        self.must_be_there(row, stands, keeps.copied());
        let Some(stands) = stands else { return };
        for put in sure.filter(|put| self.model.deeds()[**put].values.is_some()) {
            for property in self.model.deeds()[*put].values.iter().flatten().map(|(property, _)| property) {
                self.judge.must(Invariant::NoLoss, stands.contains_key(property), || {
                    format!("{} lacks property `{property}`, which {} wrote", show(row), self.tell(*put))
                });
            }
        }
        self.check_values(row, stands);
    }

    fn check_final(&mut self, row: &RowName, stands: Option<&Values>) {
        let all = self.model.of_row(row);
        let deeds = self.model.deeds();
        let is_end = |index: &&usize| deeds[**index].is_deletion();
        let ends = all.iter().filter(is_end).find(|end| {
            let end = &deeds[**end];
            end.is_sure() && end.showed && !end.past.is_empty()
        });
        self.must_be_gone(row, stands, ends.copied());
        if !all.iter().any(|index| deeds[*index].is_deletion()) {
            self.must_be_there(row, stands, all.iter().find(|put| deeds[**put].is_sure()).copied());
        }
        if let Some(stands) = stands {
            self.check_values(row, stands);
        }
    }

    fn check_set(&mut self, row: &RowName, stands: Option<&Values>) {
        let deeds = self.model.deeds();
        let put = self.model.of_row(row).iter().find(|index| deeds[**index].is_sure() && !deeds[**index].is_deletion());
        self.must_be_there(row, stands, put.copied());
    }

    /// The last word of its owner counts. Where another device tried the same key, a word may have been refused.
    fn check_owned(&mut self, row: &RowName, stands: Option<&Values>) {
        let deeds = self.model.deeds();
        let is_shared = self.model.rows().any(|other| other != row && other.table == row.table && other.key == row.key);
        let own = self.model.of_row(row);
        let is_unsure = |index: &usize| {
            let deed = &deeds[*index];
            !deed.is_sure() || deed.is_muddled || self.model.is_forgetful(deed.device)
        };
        if is_shared || own.iter().any(is_unsure) {
            return;
        }
        let Some(last) = own.last() else { return };
        if deeds[*last].is_deletion() {
            return self.must_be_gone(row, stands, Some(*last));
        }
        self.must_be_there(row, stands, Some(*last));
        for (property, value) in stands.into_iter().flatten() {
            let mut writers = own.iter().rev().filter_map(|index| deeds[*index].values.as_ref()?.get(property));
            let latest = writers.next();
            self.judge.must(Invariant::NoLoss, latest.is_some_and(|latest| latest.as_bytes() == value), || {
                format!("{} has {property}={}, and its owner wrote {latest:?} last", show(row), text(value))
            });
            self.decided += 1;
        }
    }

    /// No value stands that somebody wrote over who had seen it, or who did so later.
    fn check_values(&mut self, row: &RowName, stands: &Values) {
        let deeds = self.model.deeds();
        for (property, value) in stands {
            let writes =
                |index: &&usize| deeds[**index].values.as_ref().is_some_and(|values| values.contains_key(property));
            let is_over = |index: &&usize| deeds[**index].is_sure() && !deeds[**index].is_default;
            let over: Vec<usize> = self.model.of_row(row).iter().filter(writes).filter(is_over).copied().collect();
            let writers = self.model.writers(row, property, value);
            let replaced = |writer: &usize| over.iter().find(|later| self.model.is_before(*writer, **later));
            let stays = writers.iter().any(|writer| replaced(writer).is_none());
            self.judge.must(Invariant::NoLoss, stays, || {
                let (writer, later) = (writers[0], replaced(&writers[0]).copied().unwrap_or_default());
                format!(
                    "{} has {property}={}, which {} wrote, though {} wrote over it",
                    show(row),
                    text(value),
                    self.tell(writer),
                    self.tell(later)
                )
            });
            self.decided += u64::from(over.len() > 1);
        }
    }

    fn must_be_gone(&mut self, row: &RowName, stands: Option<&Values>, by: Option<usize>) {
        let Some(by) = by else { return };
        self.decided += 1;
        self.judge.must(Invariant::NoResurrection, stands.is_none(), || {
            format!("{} is there, though {} deleted it last", show(row), self.tell(by))
        });
    }

    fn must_be_there(&mut self, row: &RowName, stands: Option<&Values>, by: Option<usize>) {
        let Some(by) = by else { return };
        self.decided += 1;
        self.judge.must(Invariant::NoLoss, stands.is_some(), || {
            format!("{} is gone, though {} wrote it last", show(row), self.tell(by))
        });
    }

    fn tell(&self, index: usize) -> String {
        let deed = &self.model.deeds()[index];
        format!("device {} with its change {} at {} ms", deed.device, deed.number, deed.at_ms)
    }
}

fn text(value: &[u8]) -> String {
    String::from_utf8_lossy(value).into_owned()
}

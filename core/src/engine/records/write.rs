//! What the application writes becomes operations: stamped, merged into their rows, and saved with the message that tells
//! others.

use alloc::collections::{BTreeMap, BTreeSet, VecDeque};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{Done, Job, Records, now_ns};
use crate::api::{
    DeleteRule, MergeType, Method, NoticeCode, PropertyValue, ReplicaId, RowChange, RowChangeKind, RowStamp, TableKind,
};
use crate::engine::Engine;
use crate::engine::limits::{CHUNK_LOOKUPS_MAX, OPERATIONS_BYTES_MAX, WRITE_ROWS_BYTES_MAX};
use crate::engine::saver::After;
use crate::engine::shared::Shared;
use crate::log::Entry;
use crate::planted::{Planted, planted};
use crate::records::{OperationsBuilder, Row, RowId, Rule, change_size, check_size};

/// Of how many devices it is looked up whether they own a row of the same key.
const OWNERS_MAX: usize = 64;

/// A command of the application.
pub struct WriteCommand {
    taken: u64,
    changes: Vec<RowChange>,
    bytes: usize,
}

/// Commands that are being carried out.
pub struct Write {
    commands: Vec<WriteCommand>,
    pub(super) stored: BTreeMap<RowId, Row>,
    pub(super) loads: usize,
}

impl Write {
    /// Nothing of them was carried out: they come first again.
    pub fn give_back(self, writes: &mut VecDeque<WriteCommand>) {
        for command in self.commands.into_iter().rev() {
            writes.push_front(command);
        }
    }
}

/// What comes of a change.
enum Meaning {
    Operation(Method, Vec<PropertyValue>),
    /// It is so already.
    Nothing,
    Refused(String),
}

impl Records {
    /// Takes what the application wrote, to be saved as soon as that can be.
    pub(super) fn take(&mut self, shared: &mut Shared, taken: u64, mut changes: Vec<RowChange>, more: bool) {
        changes.iter_mut().for_each(name_once);
        // What can never be sent must not keep back what can.
        changes.retain(|change| {
            let why = self.refusal(change).filter(|_| self.config.is_some());
            why.iter().for_each(|why| refuse(shared, change, why));
            why.is_none()
        });
        let bytes = changes.iter().map(change_size).fold(0, usize::saturating_add);
        if self.config.is_none() || bytes > WRITE_ROWS_BYTES_MAX {
            let message = match self.config {
                None => String::from("changes of rows were given to an engine that keeps no records"),
                Some(_) => {
                    alloc::format!("expected changes of at most {WRITE_ROWS_BYTES_MAX} bytes at once, found {bytes}")
                }
            };
            return shared.notify(NoticeCode::HostError, message);
        }
        self.awaits_changes = more;
        self.writes.push_back(WriteCommand { taken, changes, bytes });
    }

    /// Reads the rows that the next commands concern: as many of them as may be saved at once.
    pub(super) fn begin_write(&mut self, shared: &mut Shared) {
        let (mut commands, mut bytes) = (Vec::new(), 0usize);
        while let Some(command) = self.writes.front() {
            bytes = bytes.saturating_add(command.bytes);
            if bytes > WRITE_ROWS_BYTES_MAX && !commands.is_empty() {
                break;
            }
            commands.extend(self.writes.pop_front());
        }
        let mut ids = BTreeSet::new();
        let owners = owners(shared);
        for change in commands.iter().flat_map(|command| &command.changes) {
            match self.rules.get(&change.table).map(|rule| rule.kind) {
                Some(TableKind::Shared) => drop(ids.insert(RowId::new(&change.table, None, &change.key))),
                Some(TableKind::Owned) => {
                    ids.extend(owners.iter().map(|owner| RowId::new(&change.table, Some(owner), &change.key)));
                }
                None => {}
            }
        }
        let mut write = Write { commands, stored: BTreeMap::new(), loads: 0 };
        let ids: Vec<RowId> = ids.into_iter().collect();
        for ids in ids.chunks(CHUNK_LOOKUPS_MAX) {
            write.loads = write.loads.saturating_add(1);
            Self::load_rows(shared, ids);
        }
        self.job = Job::Write(write);
    }

    /// What a change means to a row, which may come again without anyone's wish.
    fn meaning(rule: Rule, row: &Row, change: &RowChangeKind, may_return: bool) -> Meaning {
        let exists = row.exists(rule);
        let may_return = may_return && rule.kind == TableKind::Shared && rule.merge != MergeType::GSet;
        let values = match change {
            RowChangeKind::Delete if !exists && !may_return => return Meaning::Nothing,
            RowChangeKind::Delete if rule.merge == MergeType::GSet => {
                return Meaning::Refused("rows of this table are never deleted".into());
            }
            RowChangeKind::Delete => {
                let is_owned = rule.kind == TableKind::Owned;
                let method = if is_owned { Method::OwnedDelete } else { Method::SharedDelete };
                return Meaning::Operation(method, Vec::new());
            }
            RowChangeKind::Insert { values } | RowChangeKind::Update { values } => values,
        };
        let differs = |value: &&PropertyValue| row.get(&value.property) != Some(value.value.as_slice());
        if exists {
            let values: Vec<PropertyValue> = values.iter().filter(differs).cloned().collect();
            return match (rule.kind, rule.merge) {
                _ if values.is_empty() => Meaning::Nothing,
                (_, MergeType::GSet) => Meaning::Refused("rows of this table are never changed".into()),
                (TableKind::Owned, _) => Meaning::Operation(Method::OwnedBatchCreate, values),
                (TableKind::Shared, _) => Meaning::Operation(Method::SharedUpdate, values),
            };
        }
        let values = values.clone();
        match (rule.kind, rule.delete) {
            (TableKind::Owned, _) => Meaning::Operation(Method::OwnedBatchCreate, values),
            (_, DeleteRule::DeletionWins) if row.was_deleted() => {
                Meaning::Refused("a row of this table that was deleted never comes back".into())
            }
            // A creation would not bring back what was deleted.
            _ if row.is_created() || row.was_deleted() => Meaning::Operation(Method::SharedUpdate, values),
            _ => Meaning::Operation(Method::SharedCreate, values),
        }
    }

    /// Why a change cannot be one whatever its row is.
    fn refusal(&self, change: &RowChange) -> Option<String> {
        if !self.rules.contains_key(&change.table) {
            return Some("its table is not one of the configuration".into());
        }
        check_size(change).err().map(|why| why.to_string())
    }
}

/// Of a property that a change names twice the last value counts.
fn name_once(change: &mut RowChange) {
    if let RowChangeKind::Insert { values } | RowChangeKind::Update { values } = &mut change.change {
        values.sort_by(|a, b| a.property.cmp(&b.property));
        values.dedup_by(|later, kept| {
            let is_same = later.property == kept.property;
            if is_same {
                core::mem::swap(later, kept);
            }
            is_same
        });
    }
}

impl Engine {
    /// Carries out what the application wrote, if the rows that it concerns are here.
    pub(super) fn write_if_loaded(&mut self) {
        match &self.records.job {
            Job::Write(write) if write.loads == 0 => {}
            _ => return,
        }
        let Job::Write(write) = core::mem::replace(&mut self.records.job, Job::Idle) else { return };
        let mut stored = write.stored;
        let (mut builder, mut changed, mut given_back) = (OperationsBuilder::new(), BTreeSet::new(), Vec::new());
        let mut taken = Vec::new();
        for command in write.commands {
            for change in &command.changes {
                if builder.bytes().saturating_add(change_size(change)) > OPERATIONS_BYTES_MAX.max(change_size(change))
                    && !builder.is_empty()
                {
                    self.write_operations(&mut builder);
                }
                self.write_change(change, &mut stored, &mut builder, &mut changed, &mut given_back);
            }
            taken.push(command.taken);
            self.records.progress.taken = command.taken;
        }
        self.write_operations(&mut builder);
        self.records.live.settle();
        for id in &changed {
            if let Some(row) = stored.get(id) {
                Records::put_row(&mut self.shared, id, row);
            }
        }
        // The application's database has what it wrote, but for what was refused or came back with more; and for what rows
        // that are on their way to it would write over.
        let given_back = if self.records.progress.remembers { given_back } else { Vec::new() };
        let is_shown =
            self.records.progress.remembers && (!self.records.apply.is_under_way() || planted(Planted::StaleRowsStay));
        let changed = given_back.into_iter().chain(changed.into_iter().filter(|_| !is_shown)).collect();
        let changed = self.records.remember(&mut self.shared, changed);
        self.records.put_progress(&mut self.shared);
        self.shared.saver.then(After::Records);
        self.records.job = Job::Saving(Done { taken, changed, rest: None });
    }

    fn write_change(
        &mut self,
        change: &RowChange,
        stored: &mut BTreeMap<RowId, Row>,
        builder: &mut OperationsBuilder,
        changed: &mut BTreeSet<RowId>,
        given_back: &mut Vec<RowId>,
    ) {
        let own = self.shared.log.own();
        let owner = own.and_then(|own| self.shared.log.public_key(own)).map(|key| *key.as_bytes());
        let rule = self.records.rules.get(&change.table).copied();
        let Some(rule) = rule else { return };
        let id = match (rule.kind, &owner) {
            (TableKind::Owned, Some(owner)) => RowId::new(&change.table, Some(owner), &change.key),
            (TableKind::Owned, None) => return self.refuse(change, "this device has no key yet"),
            (TableKind::Shared, _) => RowId::new(&change.table, None, &change.key),
        };
        let row = stored.get(&id).cloned().unwrap_or_default();
        if !self.records.mode.sends() {
            self.keep_for_undoing(&id, &row, stored);
            given_back.push(id);
            return self.refuse(change, "this device only receives");
        }
        if rule.kind == TableKind::Owned {
            let others = self.rows_of_others(change, stored, owner.as_ref());
            if !others.is_empty() {
                // Which device's row the application changed it cannot tell: it is shown how each of them stands.
                given_back.push(id.clone());
            }
            let mut theirs = others.iter().filter(|(_, id)| stored.get(id).is_some_and(|row| row.exists(rule)));
            let refused = theirs.next().filter(|_| !row.exists(rule)).map(|(other, _)| *other);
            given_back.extend(others.into_iter().map(|(_, id)| id));
            if let Some(other) = refused {
                self.keep_for_undoing(&id, &row, stored);
                let member = self.shared.log.members().find(|member| member.public_key == other);
                let name = member.map(|member| member.name).unwrap_or_default();
                return self.refuse(change, &alloc::format!("the row is `{name}`'s, and only its owner changes it"));
            }
        }
        // What was taken back, or said by who is no member any more, may be said again later.
        let is_deletion = matches!(change.change, RowChangeKind::Delete);
        let may_return = is_deletion && (self.shared.log.has_retracted() || self.shared.log.has_uncounted());
        match Records::meaning(rule, &row, &change.change, may_return) {
            Meaning::Nothing => {}
            Meaning::Refused(why) => {
                self.refuse(change, &why);
                if !planted(Planted::RefusedNotUndone) {
                    given_back.push(id);
                }
            }
            Meaning::Operation(method, values) => {
                let is_update = matches!(change.change, RowChangeKind::Update { .. });
                if (is_update || row != Row::default()) && !row.exists(rule) {
                    // It is there whole, with values that the application has not given; or without some that the application
                    // has of a row that does not count any more.
                    given_back.push(id.clone());
                }
                let row = stored.entry(id.clone()).or_default();
                changed.insert(id);
                if method == Method::SharedUpdate && !row.is_created() {
                    // Nobody who counts may ever have said that it was made.
                    self.say(change, (Method::SharedCreate, &[]), row, builder);
                }
                self.say(change, (method, &values), row, builder);
            }
        }
    }

    /// Stamps an operation, which is told and done.
    fn say(
        &mut self,
        change: &RowChange,
        (method, values): (Method, &[PropertyValue]),
        row: &mut Row,
        builder: &mut OperationsBuilder,
    ) {
        let now = now_ns(self.shared.now);
        let at = change.at.map_or(now, |at| at.0.saturating_mul(1_000_000).min(now));
        let Some(Ok(at)) = self.records.clock.as_mut().map(|clock| clock.next_ns(at)) else {
            return self.refuse(change, "no later stamp can be named: the clock stood at the end of time");
        };
        builder.push(&change.table, &change.key, method, values, at);
        let replica = self.shared.log.own().unwrap_or(ReplicaId::from_bytes([0; 16]));
        row.write_over(method, values, RowStamp { unix_ns: at, replica }, &mut |at, bytes| {
            if at.replica == replica {
                self.records.live.replaced(at.unix_ns, bytes);
            }
        });
        self.records.sent = self.records.sent.saturating_add(1);
    }

    /// A database that is put back to before a change was undone gets all rows: this one as one that is not there.
    fn keep_for_undoing(&mut self, id: &RowId, row: &Row, stored: &BTreeMap<RowId, Row>) {
        if self.records.progress.remembers && !stored.contains_key(id) {
            Records::put_row(&mut self.shared, id, row);
        }
    }

    /// Rows of other devices that have the key of this change, whether they are there or were deleted.
    fn rows_of_others(
        &self,
        change: &RowChange,
        stored: &BTreeMap<RowId, Row>,
        own: Option<&[u8; 32]>,
    ) -> Vec<([u8; 32], RowId)> {
        let others = owners(&self.shared).into_iter().filter(|other| Some(other) != own);
        let rows = others.map(|other| (other, RowId::new(&change.table, Some(&other), &change.key)));
        rows.filter(|(_, id)| stored.contains_key(id) && !planted(Planted::ForeignRowAccepted)).collect()
    }

    fn write_operations(&mut self, builder: &mut OperationsBuilder) {
        if !builder.is_empty() {
            let operations = core::mem::take(builder).finish();
            self.write(Entry::Records(operations));
            self.records.look_for_own();
        }
    }

    fn refuse(&mut self, change: &RowChange, why: &str) {
        refuse(&mut self.shared, change, why);
    }
}

fn refuse(shared: &mut Shared, change: &RowChange, why: &str) {
    let message = alloc::format!("a change of a row of table `{}` was refused: {why}", change.table);
    shared.notify(NoticeCode::RowRefused, message);
}

/// The keys of the devices that are known, of no more than [`OWNERS_MAX`].
fn owners(shared: &Shared) -> BTreeSet<[u8; 32]> {
    let own = shared.log.own().and_then(|own| shared.log.public_key(own)).map(|key| *key.as_bytes());
    let others = shared.log.incarnations().map(|(_, key)| *key.as_bytes());
    own.into_iter().chain(others.take(OWNERS_MAX)).collect()
}

#[cfg(test)]
mod tests {
    use std::vec;

    use super::*;
    use crate::api::UnixMs;

    #[test]
    fn of_a_property_that_a_change_names_twice_the_last_value_counts() {
        let value = |(property, value): (&str, u8)| PropertyValue { property: property.into(), value: vec![value] };
        let values = [("b", 5), ("a", 2), ("b", 4), ("a", 1), ("a", 3)].map(value).to_vec();
        let change = RowChangeKind::Update { values };
        let mut change = RowChange { table: "t".into(), key: vec![1], change, at: Some(UnixMs(1)) };
        name_once(&mut change);
        let values = [("a", 3), ("b", 4)].map(value).to_vec();
        assert_eq!(change.change, RowChangeKind::Update { values });
    }
}

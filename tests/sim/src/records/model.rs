//! What people did to rows, and what each of them had been shown before: all that the verdict rests on, and nothing that an
//! engine says of the order of things.
//!
//! Of a value it is known who wrote it, for no two are alike but those of default rows. So whoever writes over a value has
//! seen its writer's deed, and all that the writer had seen: a deed's *past*.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::api::RowName;

use super::tables::Table;
use crate::Values;

/// Something that someone did to a row.
pub(super) struct Deed {
    pub device: usize,
    pub row: RowName,
    /// What was written; none if the row was deleted.
    pub values: Option<BTreeMap<String, String>>,
    /// A default row, whose values others write, too.
    pub is_default: bool,
    /// It was tried on a row that another device owns.
    pub is_foreign: bool,
    /// The number that the device's database gave it.
    pub number: u64,
    /// The row was there for who did it.
    pub showed: bool,
    /// Deeds on the row that it surely follows.
    pub past: BTreeSet<usize>,
    /// By the device's clock.
    pub at_ms: u64,
    /// When it was known to be taken, by the world's clock.
    pub taken_ms: Option<u64>,
    /// No clock had been wrong by then.
    pub is_timely: bool,
    /// The device's store or database was put back since: it may be lost.
    pub is_doubtful: bool,
    /// The device's database forgot it, and its engine did not.
    pub is_unshown: bool,
    /// It may be stamped earlier than it was done, for the device's clock was set to another time since.
    pub is_recast: bool,
    /// Its device stamped it anew while others' clocks were wrong, too, or its own still was: what they stamped ahead, and what
    /// it had surely followed, may count for later now.
    pub is_muddled: bool,
    /// The store that had taken it was put back, and it may be taken again, under a later stamp.
    pub is_reborn: bool,
    /// It may be void, for somebody wrote over it, or beside it and later, whose deed went back in time since
    /// ([`Model::heals`]).
    pub is_lapsed: bool,
}

/// What needs to be said once only: who says it again says nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Word {
    /// A default row is there.
    Default,
    /// A row of a set is there.
    Added,
    /// A row is gone.
    Deleted,
}

impl Word {
    fn of(row: &RowName, is_default: bool, is_deletion: bool) -> Option<Word> {
        match (is_deletion, is_default) {
            (true, _) => Some(Word::Deleted),
            (_, true) => Some(Word::Default),
            _ => (row.table == Table::Genres.name()).then_some(Word::Added),
        }
    }
}

impl Deed {
    /// An engine took it, and nothing can have undone that.
    pub fn is_sure(&self) -> bool {
        self.taken_ms.is_some() && !self.is_doubtful && !self.is_lapsed
    }

    /// It deletes the row.
    pub fn is_deletion(&self) -> bool {
        self.values.is_none()
    }
}

/// What is to be written down of a deed.
pub(super) struct Doing<'a> {
    pub device: usize,
    pub row: RowName,
    pub values: Option<&'a [(&'static str, String)]>,
    pub is_default: bool,
    pub is_foreign: bool,
    pub number: u64,
    /// The row as the device shows it.
    pub shown: Option<&'a Values>,
    pub at_ms: u64,
}

#[derive(Default)]
pub(super) struct Model {
    deeds: Vec<Deed>,
    by_row: BTreeMap<RowName, Vec<usize>>,
    by_value: BTreeMap<(RowName, String, Vec<u8>), Vec<usize>>,
    /// What was done last on a device to a row.
    last: BTreeMap<(usize, RowName), usize>,
    /// What a device knew before this deed it may have forgotten.
    sure_from: BTreeMap<usize, usize>,
    /// Devices whose store was put back once.
    forgetful: BTreeSet<usize>,
    /// Devices whose clocks were wrong once.
    erred: BTreeSet<usize>,
    /// Devices that were removed, and on which rows they said what others may not have said again.
    removed: BTreeSet<usize>,
    said_before: BTreeSet<(RowName, Word)>,
    /// Tables of which devices that took stamps back among wrong clocks still show what they showed before.
    stale: BTreeSet<(usize, Table)>,
}

impl Model {
    /// Somebody does something. What a device does that was removed does not count.
    pub fn did(&mut self, doing: Doing<'_>) {
        let Doing { device, row, values, is_default, is_foreign, number, shown, at_ms } = doing;
        let mut seen: BTreeSet<usize> = self.last.get(&(device, row.clone())).copied().into_iter().collect();
        for (property, value) in shown.into_iter().flatten() {
            let writers = self.by_value.get(&(row.clone(), property.clone(), value.clone()));
            if let Some([writer]) = writers.map(Vec::as_slice) {
                seen.insert(*writer);
            }
        }
        let sure_from = self.sure_from.get(&device).copied().unwrap_or_default();
        let is_stale = Table::named(&row.table).is_some_and(|table| self.stale.contains(&(device, table)));
        seen.retain(|deed| *deed >= sure_from && !is_stale);
        let past = seen.iter().flat_map(|deed| self.deeds[*deed].past.iter().copied().chain([*deed])).collect();
        let index = self.deeds.len();
        for (property, value) in values.into_iter().flatten() {
            let place = (row.clone(), (*property).to_owned(), value.clone().into_bytes());
            self.by_value.entry(place).or_default().push(index);
        }
        self.by_row.entry(row.clone()).or_default().push(index);
        self.last.insert((device, row.clone()), index);
        let values = values.map(|values| {
            values.iter().map(|(property, value)| ((*property).to_owned(), value.clone())).collect::<BTreeMap<_, _>>()
        });
        let word = Word::of(&row, is_default, values.is_none());
        if self.removed.contains(&device) {
            self.said_before.extend(word.map(|word| (row.clone(), word)));
            self.doubt_said_again();
        }
        let is_moot = is_moot(&self.said_before, &row, word);
        let is_doubtful = self.removed.contains(&device) || is_moot;
        self.deeds.push(Deed {
            device,
            row,
            values,
            is_default,
            is_foreign,
            number,
            showed: shown.is_some(),
            past,
            at_ms,
            taken_ms: None,
            is_timely: false,
            is_doubtful,
            is_unshown: false,
            is_recast: false,
            is_muddled: false,
            is_reborn: false,
            is_lapsed: false,
        });
    }

    /// A device's engine has taken what lies up to this number.
    pub fn taken(&mut self, device: usize, number: u64, now_ms: u64) {
        let is_timely = self.erred.is_empty();
        let own = self.deeds.iter_mut().filter(|deed| deed.device == device);
        for deed in own.filter(|deed| deed.number <= number && deed.taken_ms.is_none()) {
            (deed.taken_ms, deed.is_timely) = (Some(now_ms), is_timely);
        }
    }

    /// A device's clock is wrong from now on.
    pub fn clock_errs(&mut self, device: usize) {
        self.erred.insert(device);
    }

    /// A device's clock is set to another time: what it has still to give may be stamped earlier than it was done.
    pub fn clock_moves(&mut self, device: usize) {
        let own = self.deeds.iter_mut().filter(|deed| deed.device == device && deed.taken_ms.is_none());
        own.for_each(|deed| deed.is_recast = true);
    }

    /// A device's clock was wrong once.
    pub fn has_erred(&self, device: usize) -> bool {
        self.erred.contains(&device)
    }

    /// Nobody else ever did anything to the row of this deed.
    pub fn is_alone(&self, deed: usize) -> bool {
        self.deeds.get(deed).and_then(|deed| self.by_row.get(&deed.row)).is_some_and(|deeds| deeds.len() == 1)
    }

    /// A device said that its clock was wrong, and stamps anew what it had stamped. If its clock is right now and no other one
    /// ever was wrong, everything keeps its order. Else its deeds may go back to before what they were written over, which may
    /// be void by now; and what others stamped ahead of its time it does not have any more, though it is still shown. If its own
    /// clock is the wrong one, what others had taken for earlier than its deeds, though they had not seen each other, may be
    /// void, too.
    pub fn heals(&mut self, device: usize, is_right: bool) -> bool {
        let is_muddled = !is_right || self.erred.iter().any(|other| *other != device);
        let mut lapsed = BTreeSet::new();
        for deed in self.deeds.iter_mut().filter(|deed| deed.device == device) {
            deed.is_recast = true;
            if is_muddled {
                (deed.is_muddled, deed.is_timely) = (true, false);
                lapsed.append(&mut deed.past);
            }
        }
        lapsed.into_iter().for_each(|deed| self.deeds[deed].is_lapsed = true);
        if !is_right {
            let rows: BTreeSet<RowName> = self.rows_of(device).cloned().collect();
            let beside = |deed: &&mut Deed| deed.device != device && rows.contains(&deed.row);
            self.deeds.iter_mut().filter(beside).for_each(|deed| deed.is_lapsed = true);
        }
        if is_muddled {
            self.stale.extend(Table::ALL.map(|table| (device, table)));
        }
        is_muddled
    }

    /// A device shows of a table what its engine has.
    pub fn shows(&mut self, device: usize, table: Table) {
        self.stale.remove(&(device, table));
    }

    /// The other device that wrote this value, if it stamped it surely later than this time.
    pub fn is_ahead(&self, device: usize, row: &RowName, property: &str, value: &[u8], time_ms: u64) -> Option<usize> {
        let is_ahead = |deed: &Deed| deed.device != device && !deed.is_recast && deed.at_ms > time_ms;
        let [writer] = self.writers(row, property, value) else { return None };
        let deed = self.deeds.get(*writer).filter(|deed| is_ahead(deed))?;
        Some(deed.device)
    }

    /// A device's store was put back to one that had taken what lies up to this number; what its database has still to give
    /// may be taken for the second time.
    pub fn store_put_back(&mut self, device: usize, taken: u64, pending: &BTreeSet<u64>) {
        self.doubt_removed();
        self.sure_from.insert(device, self.deeds.len());
        self.forgetful.insert(device);
        self.last.retain(|(of, _), _| *of != device);
        for deed in self.deeds.iter_mut().filter(|deed| deed.device == device && deed.number > taken) {
            deed.is_doubtful = true;
            if pending.contains(&deed.number) {
                // Its second stamp need not follow what was forgotten with the first one.
                deed.is_reborn = true;
                deed.past.clear();
            }
        }
    }

    /// A device's database was put back to one that had counted changes up to this number; of what it had still to give it
    /// has this left.
    pub fn database_put_back(&mut self, device: usize, counted: u64, pending: &BTreeSet<u64>) {
        let is_unheard = |deed: &&mut Deed| deed.number > counted || pending.contains(&deed.number);
        let own = self.deeds.iter_mut().filter(|deed| deed.device == device).filter(is_unheard);
        // What came of changes that it has still to give it may have been told before: that they were refused.
        own.for_each(|deed| deed.is_unshown = true);
        self.last.retain(|(of, _), _| *of != device);
        let own = self.deeds.iter_mut().filter(|deed| deed.device == device);
        for deed in own.filter(|deed| deed.taken_ms.is_none() && !pending.contains(&deed.number)) {
            deed.is_doubtful = true;
        }
    }

    /// A device was removed: of what it did only what is shown to who removed it surely counts. What needs to be said once
    /// only others did not say again whose engines had it from that device.
    pub fn removed(&mut self, device: usize, shown: &BTreeMap<RowName, Values>) {
        self.removed.insert(device);
        for deed in self.deeds.iter_mut().filter(|deed| deed.device == device) {
            let values = shown.get(&deed.row);
            let is_shown = deed.values.iter().flatten().any(|(property, value)| {
                values.and_then(|values| values.get(property)).is_some_and(|shown| *shown == value.as_bytes())
            });
            deed.is_doubtful |= !is_shown;
            let word = Word::of(&deed.row, deed.is_default, deed.is_deletion());
            self.said_before.extend(word.map(|word| (deed.row.clone(), word)));
        }
        self.doubt_said_again();
    }

    /// What a removed device said others may not have said again, though they meant to; what it deleted for good they may have
    /// found gone.
    fn doubt_said_again(&mut self) {
        for deed in &mut self.deeds {
            let word = Word::of(&deed.row, deed.is_default, deed.is_deletion());
            deed.is_doubtful |= is_moot(&self.said_before, &deed.row, word);
        }
    }

    /// A store was put back: what it had of removed devices may be nowhere else.
    fn doubt_removed(&mut self) {
        let removed = &self.removed;
        let of_removed = self.deeds.iter_mut().filter(|deed| removed.contains(&deed.device));
        of_removed.for_each(|deed| deed.is_doubtful = true);
    }

    /// A device's store was put back once.
    pub fn is_forgetful(&self, device: usize) -> bool {
        self.forgetful.contains(&device)
    }

    /// The device's database forgot something that it did to this row, which nobody brings it again: only what came from the
    /// engine has numbers by which it can be told what the database lacks.
    pub fn is_unshown(&self, device: usize, row: &RowName) -> bool {
        self.of_row(row).iter().map(|index| &self.deeds[*index]).any(|deed| deed.device == device && deed.is_unshown)
    }

    /// An engine that forgot whose row it is took a change of it for one of an own row of the same key. Changes do not name
    /// owners.
    pub fn is_confused(&self, device: usize, row: &RowName) -> bool {
        let is_same = |deed: &&Deed| deed.row.table == row.table && deed.row.key == row.key;
        let mut deeds = self.deeds.iter().filter(is_same);
        !row.owner.is_empty() && self.is_forgetful(device) && deeds.any(|deed| deed.is_foreign)
    }

    /// All that was done.
    pub fn deeds(&self) -> &[Deed] {
        &self.deeds
    }

    /// The rows to which anything was done.
    pub fn rows(&self) -> impl Iterator<Item = &RowName> {
        self.by_row.keys()
    }

    /// The rows to which a device did anything.
    fn rows_of(&self, device: usize) -> impl Iterator<Item = &RowName> {
        self.deeds.iter().filter(move |deed| deed.device == device).map(|deed| &deed.row)
    }

    /// What was done to a row, in order.
    pub fn of_row(&self, row: &RowName) -> &[usize] {
        self.by_row.get(row).map_or(&[], Vec::as_slice)
    }

    /// Who wrote this value there.
    pub fn writers(&self, row: &RowName, property: &str, value: &[u8]) -> &[usize] {
        let place = (row.clone(), property.to_owned(), value.to_vec());
        self.by_value.get(&place).map_or(&[], Vec::as_slice)
    }

    /// One deed surely counts for earlier than another one.
    pub fn is_before(&self, one: usize, other: usize) -> bool {
        let (earlier, later) = (&self.deeds[one], &self.deeds[other]);
        if earlier.is_reborn || one == other {
            return false;
        }
        let are_timely = earlier.is_timely && later.is_timely;
        let is_earlier = earlier.taken_ms.is_some_and(|taken| later.at_ms > taken + 1);
        later.past.contains(&one) || are_timely && is_earlier
    }
}

/// Nothing may have come of it where this was said before.
fn is_moot(said: &BTreeSet<(RowName, Word)>, row: &RowName, word: Option<Word>) -> bool {
    let is_said = |word: Word| said.contains(&(row.clone(), word));
    let may_be_refused = row.table == Table::Tags.name() && is_said(Word::Deleted);
    may_be_refused || word.is_some_and(is_said)
}

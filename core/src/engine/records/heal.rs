//! An own clock that was ahead and was set right is healed (§4.4).
//!
//! What this device stamped while its clock was ahead is held by everybody else until that time comes, and so is all that it
//! writes later, for a clock never goes back. So the device takes those stamps back: it says in its feed that none of them
//! counts, voids the messages that hold them, goes on under a new id with a clock at the right time, and issues what it had
//! stamped in vain anew (`mend`).
//!
//! A clock that is set *back* by mistake looks the same at first. The other members tell: what they write then comes from
//! ahead of this device's time. Only what was written within a day before that time, behind what this device stamped last,
//! bears witness for its clock: anything else was written before whatever happened to the clock, or by one that is wrong in
//! another way.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::mend::{Mend, Reason, Vain};
use super::{Done, Job, Records, RecordsPurpose, now_ns};
use crate::api::{LoadQuery, Notice, NoticeCode, Now, Pair, ReplicaId, Work};
use crate::engine::Engine;
use crate::engine::limits::{FEED_BYTES_MAX, HEAL_AHEAD_MS, LEFT_FEEDS_MAX, PAYLOAD_BYTES_MAX, WITNESS_AGE_MS};
use crate::engine::saver::After;
use crate::engine::shared::{Purpose, Shared};
use crate::log::{Entry, IntervalSet, Message, encoded_size, message_keys};
use crate::records::Operations;

/// What others' messages say of this device's clock, since it is behind its own stamps.
#[derive(Default)]
pub struct Evidence {
    /// Whether the last message of each that tells was written at a time that has passed here.
    of: BTreeMap<ReplicaId, bool>,
    /// The latest stamp of an own message that this device's clock had come to when it was written, and its lamport.
    last: (u64, u64),
}

impl Evidence {
    /// An own message: what is written after the clock was set back is stamped by what was stamped before, and says nothing.
    pub(super) fn note_own(&mut self, message: &Message, slack_ms: u64) {
        let latest_ns = message.operations().map(Operations::latest_ns).max().unwrap_or(0);
        let is_by_clock = latest_ns / 1_000_000 <= message.unix_ms.0.saturating_add(slack_ms);
        if latest_ns > self.last.0 && is_by_clock {
            self.last = (latest_ns, message.lamport);
        }
    }

    /// Takes what a message of somebody else says, which was written so long before this device's time; none if it was after that.
    fn weigh(&mut self, message: &Message, age_ms: Option<u64>) {
        match age_ms {
            None => drop(self.of.insert(message.author, false)),
            Some(age_ms) if age_ms <= WITNESS_AGE_MS && message.lamport > self.last.1 => {
                self.of.insert(message.author, true);
            }
            Some(_) => {}
        }
    }
}

/// Own messages are searched for stamps that are ahead.
pub struct Search {
    /// Of this id, which is the present one.
    own: ReplicaId,
    /// Beyond this time.
    limit_ns: u64,
    /// Under which ids this device wrote that are still to be searched, the last one first.
    to_search: Vec<ReplicaId>,
    /// Messages under the present id that say nothing else than what is stamped ahead: they become void.
    ahead: IntervalSet<u64>,
    /// Messages with operations that are stamped ahead and still count.
    vain: Vain,
    /// The latest stamp of all of them.
    latest_ns: u64,
}

impl Records {
    /// The latest stamp is so far ahead of this device's time that its clock was ahead, or is behind now.
    fn is_ahead(&self, now: Now) -> bool {
        let counts_until = self.limit_ns(now).max(self.released_ns());
        let tolerated = counts_until.saturating_add(HEAL_AHEAD_MS.saturating_mul(1_000_000));
        self.clock.as_ref().is_some_and(|clock| clock.last_ns() > tolerated)
    }

    /// A message of another member came.
    pub(super) fn weigh(&mut self, shared: &Shared, message: &Message) {
        if shared.log.is_by_this_device(message.author) || !self.is_ahead(shared.now) {
            return;
        }
        let limit_ms = self.limit_ns(shared.now) / 1_000_000;
        self.evidence.weigh(message, limit_ms.checked_sub(message.unix_ms.0));
    }

    /// This device's clock was ahead, and is right now. Everything that linked members had is here: of a store that was put
    /// back they may know that it was healed before, and what it took back now would have a number that is taken.
    pub(super) fn is_to_heal(&mut self, shared: &Shared) -> bool {
        if !self.is_ahead(shared.now) {
            self.evidence.of.clear();
            return false;
        }
        self.has_heard && self.wants_to_heal(shared)
    }

    /// It heals as soon as everything that linked members had is here. Where no other member is known nobody tells whose
    /// clock is right; an engine that starts there waits until something is written or comes, as others may know of this
    /// device though it knows of none.
    pub(super) fn wants_to_heal(&self, shared: &Shared) -> bool {
        let is_others = |(author, _): &(ReplicaId, u64)| !shared.log.is_by_this_device(*author);
        // What is issued anew would not count.
        if !self.mode.sends()
            || !self.is_ahead(shared.now)
            || !self.unmerged.is_empty()
            || self.held.keys().any(is_others)
        {
            return false;
        }
        let (right, wrong): (Vec<bool>, Vec<bool>) = self.evidence.of.values().partition(|is_right| **is_right);
        right.len() > wrong.len() || shared.log.others().is_empty() && self.is_stirred
    }

    /// Searches own messages for stamps that are ahead of this device's time, once all of them are saved: the store is
    /// searched.
    pub(super) fn begin_search(&mut self, shared: &mut Shared) {
        let Some(own) = shared.log.own() else { return };
        let (saved, held) = (shared.saver.saved_heads(), shared.log.heads());
        if saved.highest(own) < held.highest(own) {
            return;
        }
        // Nothing that is stamped later than what is stamped anew may stand: others may hold what is covered here by then.
        let limit_ns = now_ns(shared.now);
        let to_search = Vec::from_iter([own].into_iter().chain(self.progress.left.iter().copied()));
        let first = to_search.last().copied().unwrap_or(own);
        let (ahead, vain) = (IntervalSet::new(), Vain::default());
        let search = Search { own, limit_ns, to_search, ahead, vain, latest_ns: 0 };
        self.job = Job::Search(search);
        Self::search_next(shared, first);
    }

    /// An id is left. Of very many the oldest are forgotten: nobody sets a clock right in so many steps.
    fn leave(&mut self, own: ReplicaId) {
        self.progress.left.push(own);
        let surplus = self.progress.left.len().saturating_sub(LEFT_FEEDS_MAX);
        self.progress.left.drain(..surplus);
    }

    /// Searches what this device wrote under an id. The first message is never void.
    fn search_next(shared: &mut Shared, own: ReplicaId) {
        let (start, end) = message_keys(own, 2, u64::MAX);
        Self::search_from(shared, start, end);
    }

    fn search_from(shared: &mut Shared, start: Vec<u8>, end: Vec<u8>) {
        let purpose = Purpose::Records { purpose: RecordsPurpose::Search };
        shared.perform(purpose, Work::Load { query: LoadQuery::Range { start, end, bytes_max: FEED_BYTES_MAX } });
    }

    fn tell_ahead(&self, shared: &mut Shared, own: ReplicaId) {
        let last = self.clock.as_ref().map_or(0, |clock| clock.last_ns());
        let ahead_s = last.saturating_sub(now_ns(shared.now)) / 1_000_000_000;
        let message = alloc::format!(
            "this device's clock was {ahead_s} s ahead: what was stamped then counts for nobody, and is stamped again with the time of now"
        );
        let notice = Notice { code: NoticeCode::ClockSkew, message, root: None, path: None, replica: Some(own) };
        shared.actions.push(crate::api::Action::Notify { notice });
    }
}

impl Engine {
    /// A page of own messages is searched.
    pub(super) fn searched(&mut self, pairs: &[Pair], more: bool) {
        let Job::Search(search) = &mut self.records.job else { return };
        let (Some(id), present) = (search.to_search.last().copied(), self.shared.log.own()) else { return };
        if present != Some(search.own) {
            // That id was left meanwhile.
            self.records.job = Job::Idle;
            return;
        }
        let voided = self.shared.log.voided(id).map(|(voided, _)| voided.clone()).unwrap_or_default();
        let until_ns = self.shared.log.retracted(id).unwrap_or(u64::MAX);
        for pair in pairs {
            let Ok((message, _)) = Message::decode(&pair.value) else { continue };
            if voided.contains(message.counter) || self.shared.log.is_silenced(id, message.counter) {
                continue;
            }
            // What was stamped later was taken back before.
            let earliest = message.operations().map(|operations| operations.earliest_ns()).min();
            let Some(earliest) = earliest.filter(|earliest| *earliest <= until_ns) else { continue };
            let latest = message.operations().map(Operations::latest_ns).max().unwrap_or(0).min(until_ns);
            search.latest_ns = search.latest_ns.max(latest);
            if latest <= search.limit_ns {
                continue;
            }
            let is_pure = message.entries.iter().all(|entry| matches!(entry, Entry::Records(_)));
            // What else a message says stays, and what it stamped in time keeps its stamp: anew it would count for later than
            // what others have done since.
            let is_present = present == Some(id);
            if is_present && is_pure && earliest > search.limit_ns {
                search.ahead.insert(message.counter);
            }
            if !is_present || !is_pure || self.records.live.contains(message.counter) {
                search.vain.insert(id, message.counter, (earliest, until_ns));
            }
        }
        if let (Some(last), true) = (pairs.last(), more) {
            let end = message_keys(id, 2, u64::MAX).1;
            return Records::search_from(&mut self.shared, [last.key.as_slice(), &[0]].concat(), end);
        }
        search.to_search.pop();
        if let Some(next) = search.to_search.last() {
            return Records::search_next(&mut self.shared, *next);
        }
        let Job::Search(search) = core::mem::replace(&mut self.records.job, Job::Idle) else { return };
        self.heal(search);
    }

    /// All of it is saved at once: what is taken back and void, the new id, and that the rows are to be put right.
    fn heal(&mut self, search: Search) {
        let Search { limit_ns, ahead, vain, latest_ns, .. } = search;
        let Some(own) = self.shared.log.own() else { return };
        self.records.tell_ahead(&mut self.shared, own);
        let mut floor = now_ns(self.shared.now);
        let mut reissued = Vain::default();
        if latest_ns > limit_ns {
            // What is void of those may stand in rows elsewhere.
            let left = self.records.progress.left.clone();
            self.write(Entry::Retraction { after_ns: limit_ns, left });
            let mut voided = self.shared.log.voided(own).map(|(voided, _)| voided.clone()).unwrap_or_default();
            voided.union(&ahead);
            voided.union(self.records.dead());
            let cleared = self.shared.log.cleared(own).cloned().unwrap_or_default();
            let size = encoded_size(&voided).saturating_add(encoded_size(&cleared));
            // Where they cannot be named they stay: their stamps do not count all the same.
            if !voided.is_empty() && size <= PAYLOAD_BYTES_MAX {
                self.write(Entry::Checkpoint { voided, cleared, decided: self.shared.log.decided_mark() });
            }
            self.records.leave(own);
            self.begin_incarnation();
            self.shared.introduce();
            reissued = vain;
        } else {
            // No stamp of this id is issued twice.
            floor = floor.max(latest_ns);
        }
        self.records.set_clock(&self.shared, floor);
        self.records.progress.mend = Some(Mend::new(Reason::OwnClock { after_ns: limit_ns }, reissued));
        self.records.put_progress(&mut self.shared);
        self.shared.saver.then(After::Records);
        self.records.job = Job::Saving(Done::default());
    }
}

//! What is held of others counts before its time (§4.4) where somebody says that it is right.
//!
//! It counts here like any other operation. So what this device stamps from then on is later still, and other members hold
//! that until its time comes, or release it, too. That the clock stands ahead by this is no sign that it was ever wrong.

use alloc::collections::BTreeMap;

use super::Records;
use crate::api::{NoticeCode, Now, ReplicaId};
use crate::engine::shared::Shared;

/// Messages that count whatever they are stamped, each with its latest stamp. Until that was seen it is the latest there can be.
pub type Released = BTreeMap<(ReplicaId, u64), u64>;

impl Records {
    /// What is held of an incarnation counts from now on.
    pub fn release_held(&mut self, shared: &mut Shared, replica: ReplicaId) {
        let held: alloc::vec::Vec<_> = self.held.keys().filter(|(author, _)| *author == replica).copied().collect();
        if held.is_empty() {
            let message = alloc::format!("nothing is held of replica {replica}: there is nothing to release");
            return shared.notify(NoticeCode::NothingHeld, message);
        }
        for place in held {
            self.held.remove(&place);
            self.unmerged.push_back(place);
            self.progress.released.insert(place, u64::MAX);
        }
        self.put_progress(shared);
    }

    /// The latest stamp of a message that counts now. What this device stamped itself counts for it whatever it had applied.
    pub(super) fn limit_of(&self, shared: &Shared, place: (ReplicaId, u64), limit: u64) -> u64 {
        let own = self.clock.as_ref().filter(|_| shared.log.own() == Some(place.0)).map(|clock| clock.last_ns());
        match self.progress.released.contains_key(&place) {
            true => u64::MAX,
            false => limit.max(own.unwrap_or(0)),
        }
    }

    /// What a released message stamped last is known.
    pub(super) fn note_released(&mut self, place: (ReplicaId, u64), latest_ns: u64) {
        if let Some(latest) = self.progress.released.get_mut(&place) {
            *latest = latest_ns;
        }
    }

    /// The time of some came: they count as all others do.
    pub(super) fn forget_released(&mut self, now: Now) {
        let limit = self.limit_ns(now);
        self.progress.released.retain(|_, latest| *latest > limit);
    }

    /// The latest stamp that was released and is ahead of this device's time, in nanoseconds since 1970; 0 if none is.
    pub(super) fn released_ns(&self) -> u64 {
        let known = self.progress.released.values().filter(|latest| **latest < u64::MAX);
        known.copied().max().unwrap_or(0)
    }
}

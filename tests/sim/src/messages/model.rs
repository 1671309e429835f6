//! What must come of what was posted.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::api::{Delivery, Hash, ReplicaId};

use crate::{Invariant, Judge, digest};

/// A message's author and number.
pub(super) type Place = (ReplicaId, u64);

/// What applications posted and what they were promised.
#[derive(Default)]
pub(super) struct Model {
    posted: BTreeSet<Hash>,
    published: BTreeMap<Place, Published>,
    /// How much more often than once a device's application may get a message, for the device forgot that it had.
    again: BTreeMap<(usize, Place), usize>,
    /// What a device's application may never get, for its store gave it a number that the application knows for another.
    passed_over: BTreeSet<(usize, Place)>,
    /// Some device's store or folder was put back.
    has_lost: bool,
}

/// A message of which an application was told that it is published.
struct Published {
    device: usize,
    payload: Hash,
    /// It must come to all.
    lives: bool,
}

impl Model {
    /// Someone posted something.
    pub fn posted(&mut self, payload: &[u8]) {
        self.posted.insert(digest::chunk(payload));
    }

    /// An application was told that a message is published, which says this.
    pub fn published(&mut self, device: usize, place: Place, payload: &[u8]) {
        let payload = digest::chunk(payload);
        self.published.insert(place, Published { device, payload, lives: true });
    }

    /// A device began a session anew: what was said in the one before is of no concern any more.
    pub fn left_session(&mut self, device: usize) {
        self.published.retain(|_, published| published.device != device);
    }

    /// Nobody has what these messages of a device say, or nobody will ever see it.
    pub fn lost(&mut self, is_left: impl Fn(Place) -> bool) {
        self.has_lost = true;
        self.published.iter_mut().for_each(|(place, published)| published.lives &= is_left(*place));
    }

    /// A device forgot that its application has these messages.
    pub fn forgot(&mut self, device: usize, stored: &[Delivery]) {
        for message in stored {
            *self.again.entry((device, (message.author, message.counter))).or_default() += 1;
        }
    }

    /// A device's store was put back to one that gave these numbers, and its application was not, which has these messages.
    /// Where it had begun anew since, or was put back on another day, a number it knows may be another message's.
    pub fn numbered_otherwise(
        &mut self,
        device: usize,
        stored: &[Delivery],
        numbered: impl Iterator<Item = (u64, Place)>,
    ) {
        let last = stored.last().map_or(0, |message| message.sequence);
        let has: BTreeSet<Place> = stored.iter().map(|message| (message.author, message.counter)).collect();
        let passed_over = numbered.filter(|(sequence, place)| *sequence <= last && !has.contains(place));
        self.passed_over.extend(passed_over.map(|(_, place)| (device, place)));
    }

    /// No device ever forgot anything.
    pub fn nobody_forgot(&self) -> bool {
        self.again.is_empty() && !self.has_lost
    }

    /// How many texts were posted, whatever became of them.
    pub fn posted_count(&self) -> u64 {
        self.posted.len() as u64
    }

    /// The world is at rest: what a device's application was given, in order; where it may miss some, those that were
    /// cleared are not asked for.
    pub fn check(&self, judge: &Judge, device: usize, stored: &[Delivery], misses: bool) {
        let mut counts: BTreeMap<Place, usize> = BTreeMap::new();
        let mut texts: BTreeSet<(Place, Hash)> = BTreeSet::new();
        for (index, message) in stored.iter().enumerate() {
            let place = (message.author, message.counter);
            let before = index.checked_sub(1).and_then(|index| stored.get(index)).map_or(0, |before| before.sequence);
            // Numbers are left out where a device forgot something.
            let follows = message.sequence == before + 1 || !self.nobody_forgot() && message.sequence > before;
            judge.must(Invariant::Idempotency, follows, || {
                format!("device {device} was given number {} behind {before}", message.sequence)
            });
            let payload = digest::chunk(&message.payload);
            judge.must(Invariant::Authority, self.posted.contains(&payload), || {
                format!("device {device} was given {}, which nobody posted", show(place))
            });
            // A number that nobody else saw was given again by a device that forgot it, whose application did not; or by one
            // that ended before its application was told.
            let is_past = self.again.contains_key(&(device, place));
            let published = self.published.get(&place).filter(|published| published.lives && !is_past);
            let differs = published.is_some_and(|published| published.payload != payload);
            judge.must(Invariant::Authority, !differs, || {
                format!("device {device} was given another text than {} has", show(place))
            });
            *counts.entry(place).or_default() += 1;
            texts.insert((place, payload));
        }
        for (place, count) in &counts {
            let most = 1 + self.again.get(&(device, *place)).copied().unwrap_or_default();
            judge.must(Invariant::Idempotency, *count <= most, || {
                format!("device {device} was given {} {count} times", show(*place))
            });
        }
        for (place, published) in self.published.iter().filter(|(_, published)| published.lives && !misses) {
            let is_given = texts.contains(&(*place, published.payload)) || self.passed_over.contains(&(device, *place));
            judge.must(Invariant::NoLoss, is_given, || {
                format!(
                    "{}, which was published on device {}, was never given to the application of device {device}",
                    show(*place),
                    published.device
                )
            });
        }
    }

    /// How many messages were published and live.
    pub fn count(&self) -> usize {
        self.published.values().filter(|published| published.lives).count()
    }
}

fn show((author, counter): Place) -> String {
    format!("message {counter:x} of {author}")
}

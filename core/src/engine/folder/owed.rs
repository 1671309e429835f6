//! Contents whose bytes could not be read when a message had to go that names them: they follow it.

use alloc::collections::{BTreeMap, VecDeque};

use crate::api::{Hash, Monotonic};
use crate::engine::limits::OWED_AGAIN_MS;

/// What is still to be put into a folder, as it is saved.
#[derive(Default)]
pub struct Owed {
    contents: BTreeMap<Hash, u64>,
    /// Those that are being tried.
    queue: VecDeque<(Hash, u64)>,
    /// When all are tried again.
    next: Monotonic,
}

impl Owed {
    /// An earlier engine could not read it.
    pub fn restore(&mut self, content: Hash, size: u64) {
        self.contents.insert(content, size);
    }

    /// A content could not be read now.
    pub fn insert(&mut self, content: Hash, size: u64, now: Monotonic) {
        self.contents.insert(content, size);
        self.next = self.next.max(now.plus(OWED_AGAIN_MS));
    }

    /// It stands in the folder, or nobody needs it any more; false if it was not owed.
    pub fn remove(&mut self, content: &Hash) -> bool {
        self.contents.remove(content).is_some()
    }

    /// The next one to be tried, if it is time.
    pub fn take(&mut self, now: Monotonic) -> Option<(Hash, u64)> {
        if self.queue.is_empty() && self.next <= now && !self.contents.is_empty() {
            self.next = now.plus(OWED_AGAIN_MS);
            self.queue = self.contents.iter().map(|(content, size)| (*content, *size)).collect();
        }
        self.queue.pop_front()
    }

    /// When some are tried again.
    pub fn deadline(&self) -> Option<Monotonic> {
        (!self.contents.is_empty()).then_some(self.next)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_is_tried_again_after_a_while_until_it_is_removed() {
        let name = |number: u8| Hash::from_bytes([number; 32]);
        let mut owed = Owed::default();
        assert_eq!((owed.take(Monotonic(5)), owed.deadline()), (None, None));
        owed.restore(name(1), 10);
        owed.restore(name(2), 20);
        let take =
            |owed: &mut Owed, now: u64| (0..3).map(|_| owed.take(Monotonic(now))).collect::<alloc::vec::Vec<_>>();
        assert_eq!(take(&mut owed, 5), [Some((name(1), 10)), Some((name(2), 20)), None]);
        assert_eq!(owed.deadline(), Some(Monotonic(5 + OWED_AGAIN_MS)));
        assert!(owed.remove(&name(1)) && !owed.remove(&name(1)));
        owed.insert(name(3), 30, Monotonic(6));
        assert_eq!(take(&mut owed, 5 + OWED_AGAIN_MS), [None; 3]);
        assert_eq!(take(&mut owed, 6 + OWED_AGAIN_MS), [Some((name(2), 20)), Some((name(3), 30)), None]);
    }
}

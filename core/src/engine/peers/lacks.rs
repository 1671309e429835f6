//! What a peer does not have, as far as is known, and until when it is not asked for it again.

use alloc::collections::{BTreeMap, BTreeSet};

use crate::api::{Hash, Monotonic};

/// Contents that a peer did not have, or did not send as they are.
#[derive(Default)]
pub struct Lacks {
    until: BTreeMap<Hash, Monotonic>,
    by_time: BTreeSet<(Monotonic, Hash)>,
}

impl Lacks {
    /// It is not asked for this before that time.
    pub fn insert(&mut self, content: Hash, until: Monotonic) {
        self.remove(&content);
        self.until.insert(content, until);
        self.by_time.insert((until, content));
    }

    /// It may have this by now.
    pub fn remove(&mut self, content: &Hash) {
        if let Some(until) = self.until.remove(content) {
            self.by_time.remove(&(until, *content));
        }
    }

    /// Takes a content for which it may be asked again, for the time has come.
    pub fn take_due(&mut self, now: Monotonic) -> Option<Hash> {
        let (until, content) = *self.by_time.first()?;
        if until > now {
            return None;
        }
        self.remove(&content);
        Some(content)
    }

    /// It is not asked for this.
    pub fn contains(&self, content: &Hash) -> bool {
        self.until.contains_key(content)
    }

    /// When it may next be asked again for something, after now.
    pub fn next(&self, now: Monotonic) -> Option<Monotonic> {
        let from = (now.plus(1), Hash::from_bytes([0; 32]));
        self.by_time.range(from..).next().map(|(until, _)| *until)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> Hash {
        Hash::from_bytes([number; 32])
    }

    #[test]
    fn each_content_comes_due_once_in_the_order_of_time() {
        let mut lacks = Lacks::default();
        lacks.insert(hash(9), Monotonic(10));
        lacks.insert(hash(1), Monotonic(20));
        lacks.insert(hash(5), Monotonic(5));
        lacks.insert(hash(5), Monotonic(15));
        lacks.insert(hash(7), Monotonic(12));
        lacks.remove(&hash(7));
        assert_eq!(lacks.next(Monotonic(0)), Some(Monotonic(10)));
        assert_eq!(lacks.take_due(Monotonic(9)), None);
        assert_eq!(lacks.take_due(Monotonic(19)), Some(hash(9)));
        assert_eq!(lacks.take_due(Monotonic(19)), Some(hash(5)));
        assert_eq!(lacks.take_due(Monotonic(19)), None);
        assert!(lacks.contains(&hash(1)) && !lacks.contains(&hash(5)) && !lacks.contains(&hash(7)));
        assert_eq!(lacks.next(Monotonic(19)), Some(Monotonic(20)));
        assert_eq!(lacks.next(Monotonic(20)), None);
        assert_eq!(lacks.take_due(Monotonic(99)), Some(hash(1)));
        assert_eq!(lacks.take_due(Monotonic(99)), None);
    }
}

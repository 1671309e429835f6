//! Lamport time: a message's number exceeds all that its author had seen.

use crate::engine::limits::LAMPORT_AHEAD_MAX;

/// The highest lamport seen.
///
/// It never goes back. At the end of the range it stays there: messages are then ordered by time and author alone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Lamport {
    seen: u64,
}

impl Lamport {
    /// Takes note of a message's lamport.
    pub fn observe(&mut self, lamport: u64) {
        self.seen = self.seen.max(lamport);
    }

    /// The highest one seen; 0 before the first message.
    pub fn seen(&self) -> u64 {
        self.seen
    }

    /// The next own message's.
    pub fn next(&self) -> u64 {
        self.seen.saturating_add(1)
    }

    /// The highest one that may be [observed](Lamport::observe) now. Beyond it a message is held, so that one wrong or
    /// hostile number does not use up the range for everyone (§4.2).
    pub fn limit(&self) -> u64 {
        self.seen.saturating_add(LAMPORT_AHEAD_MAX)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_next_exceeds_all_observed_in_whatever_order(
            mut seen in prop::collection::vec(prop_oneof![0..9u64, (u64::MAX - 3)..=u64::MAX, any::<u64>()], 0..9),
        ) {
            let observed = |seen: &[u64]| {
                let mut lamport = Lamport::default();
                seen.iter().for_each(|one| lamport.observe(*one));
                lamport
            };
            let straight = observed(&seen);
            let highest = seen.iter().copied().max().unwrap_or(0);
            prop_assert_eq!((straight.seen(), straight.next()), (highest, highest.saturating_add(1)));
            // What may be observed leaves room: the limit is beyond the next, up to the end of the range.
            prop_assert!(straight.limit() >= straight.next());
            prop_assert_eq!(straight.limit(), highest.saturating_add(LAMPORT_AHEAD_MAX));
            seen.reverse();
            seen.extend(seen.clone());
            prop_assert_eq!(observed(&seen), straight);
        }
    }

    #[test]
    fn the_next_exceeds_all_seen() {
        let mut lamport = Lamport::default();
        assert_eq!(lamport.next(), 1);
        lamport.observe(7);
        lamport.observe(3);
        assert_eq!((lamport.seen(), lamport.next()), (7, 8));
    }

    #[test]
    fn h13_the_end_of_the_range_is_no_overflow() {
        let mut lamport = Lamport::default();
        assert_eq!(lamport.limit(), LAMPORT_AHEAD_MAX);
        lamport.observe(u64::MAX);
        assert_eq!((lamport.next(), lamport.limit()), (u64::MAX, u64::MAX));
    }
}

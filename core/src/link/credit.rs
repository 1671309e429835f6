//! Credit: how much of messages may be on its way to a peer that has not saved them yet (`docs/protocol.md` §7.5).
//!
//! For one direction of a link, at every moment: what the sender may still spend, what is on its way, what the receiver
//! holds unsaved, what it saved and has not given back, and the grants on their way back add up to what its hello
//! offered.

use serde_bytes::ByteBuf;

use super::LinkError;
use crate::engine::limits::{CREDIT_BYTES_MIN, MESSAGE_OVERHEAD_BYTES};
use crate::planted::{Planted, planted};

/// What these messages cost in credit: their bytes, and something for each, so that tiny ones are not free.
pub fn messages_credit(messages: &[ByteBuf]) -> u64 {
    messages.iter().fold(0, |sum, message| sum.saturating_add(message_credit(message.len())))
}

/// What one message of this length costs in credit.
pub fn message_credit(length: usize) -> u64 {
    u64::try_from(length.saturating_add(MESSAGE_OVERHEAD_BYTES)).unwrap_or(u64::MAX)
}

/// The sender's side: what the peer granted.
#[derive(Debug, Default)]
pub(super) struct Spending {
    available: u64,
    spent: u64,
}

impl Spending {
    /// Takes the offer in the peer's hello.
    pub fn offered(&mut self, bytes: u32) -> Result<(), LinkError> {
        if bytes < CREDIT_BYTES_MIN {
            // Accepted, it might be too little for the largest message, and the link would stall without a word.
            return Err(LinkError::OutOfRange {
                what: "the bytes of credit a hello offers",
                min: CREDIT_BYTES_MIN.into(),
                max: u32::MAX.into(),
                found: bytes.into(),
            });
        }
        self.available = bytes.into();
        Ok(())
    }

    /// Spends, if there is enough.
    pub fn spend(&mut self, bytes: u64) -> bool {
        let Some(left) = self.available.checked_sub(bytes) else {
            return false;
        };
        self.available = if planted(Planted::CreditLeaks) { left.saturating_sub(1 << 20) } else { left };
        self.spent = self.spent.saturating_add(bytes);
        true
    }

    /// Takes a grant back in. Only what was spent can come back, so that the offer stays the bound.
    pub fn granted(&mut self, bytes: u32) -> Result<(), LinkError> {
        let found = u64::from(bytes);
        let spent = self.spent.checked_sub(found).ok_or(LinkError::CreditInvented { spent: self.spent, found })?;
        self.spent = spent;
        self.available = self.available.saturating_add(found);
        Ok(())
    }

    /// What may be spent now.
    pub fn available(&self) -> u64 {
        self.available
    }
}

/// The receiver's side: what this replica granted.
#[derive(Debug)]
pub(super) struct Granting {
    offer: u32,
    remaining: u64,
    unsaved: u64,
    saved: u64,
}

impl Granting {
    /// Offers this much in the hello.
    pub fn new(offer: u32) -> Granting {
        let offer = offer.max(CREDIT_BYTES_MIN);
        Granting { offer, remaining: offer.into(), unsaved: 0, saved: 0 }
    }

    /// Takes messages in.
    pub fn received(&mut self, bytes: u64) -> Result<(), LinkError> {
        let granted = self.remaining;
        self.remaining = granted.checked_sub(bytes).ok_or(LinkError::CreditExceeded { granted, found: bytes })?;
        self.unsaved = self.unsaved.saturating_add(bytes);
        Ok(())
    }

    /// Messages were saved, or found not worth it. Returns a grant when enough came together: half of the offer, so that
    /// a large transfer costs few grants and a small one none. Saving more than was received counts as what was.
    pub fn saved(&mut self, bytes: u64) -> Option<u32> {
        let bytes = bytes.min(self.unsaved);
        self.unsaved = self.unsaved.saturating_sub(bytes);
        self.saved = self.saved.saturating_add(bytes);
        if self.saved < u64::from(self.offer / 2) {
            return None;
        }
        // All four sums stay within the offer, a u32.
        let grant = u32::try_from(self.saved).unwrap_or(u32::MAX);
        self.saved = self.saved.saturating_sub(grant.into());
        self.remaining = self.remaining.saturating_add(grant.into());
        Some(grant)
    }

    /// What the hello offers.
    pub fn offer(&self) -> u32 {
        self.offer
    }

    /// Received and not saved yet.
    pub fn unsaved(&self) -> u64 {
        self.unsaved
    }
}

#[cfg(test)]
mod tests {
    use std::collections::VecDeque;

    use proptest::prelude::*;

    use super::*;
    use crate::engine::limits::MESSAGES_CREDIT_MAX;

    #[test]
    fn h06_an_offer_too_small_for_the_largest_frames_is_refused() {
        for offer in [0, 1, CREDIT_BYTES_MIN - 1] {
            assert!(matches!(Spending::default().offered(offer), Err(LinkError::OutOfRange { .. })));
        }
        for offer in [CREDIT_BYTES_MIN, u32::MAX] {
            let mut spending = Spending::default();
            spending.offered(offer).unwrap();
            assert_eq!(spending.available(), u64::from(offer));
        }
    }

    #[test]
    fn credit_that_was_never_spent_cannot_come_back() {
        let mut spending = Spending::default();
        spending.offered(CREDIT_BYTES_MIN).unwrap();
        assert!(spending.spend(100));
        assert_eq!(spending.granted(101), Err(LinkError::CreditInvented { spent: 100, found: 101 }));
        spending.granted(100).unwrap();
        assert_eq!(spending.available(), u64::from(CREDIT_BYTES_MIN));
    }

    #[test]
    fn messages_beyond_the_grant_are_refused() {
        let mut granting = Granting::new(CREDIT_BYTES_MIN);
        let granted = u64::from(CREDIT_BYTES_MIN);
        granting.received(granted - 1).unwrap();
        assert_eq!(granting.received(2), Err(LinkError::CreditExceeded { granted: 1, found: 2 }));
    }

    proptest! {
        #[test]
        fn credit_is_never_exceeded_never_lost_and_never_stalls(
            offer in CREDIT_BYTES_MIN..4 * CREDIT_BYTES_MIN,
            steps in prop::collection::vec((0..4u8, 1..=MESSAGES_CREDIT_MAX as u64), 1..200),
        ) {
            let mut spending = Spending::default();
            let mut granting = Granting::new(offer);
            spending.offered(granting.offer()).unwrap();
            let mut on_the_way = VecDeque::new();
            let mut held = VecDeque::new();
            let mut grants = VecDeque::new();
            for (step, bytes) in steps {
                match step {
                    0 => if spending.spend(bytes) { on_the_way.push_back(bytes) },
                    1 => if let Some(bytes) = on_the_way.pop_front() {
                        granting.received(bytes).unwrap();
                        held.push_back(bytes);
                    },
                    2 => if let Some(bytes) = held.pop_front() { grants.extend(granting.saved(bytes)) },
                    _ => if let Some(grant) = grants.pop_front() { spending.granted(grant).unwrap() },
                }
                let sum = spending.available() + on_the_way.iter().sum::<u64>() + granting.unsaved() + granting.saved
                    + grants.iter().map(|&grant| u64::from(grant)).sum::<u64>();
                prop_assert_eq!(sum, u64::from(offer));
                prop_assert_eq!(granting.unsaved(), held.iter().sum::<u64>());
            }
            // At rest the largest frame can go.
            for bytes in on_the_way {
                granting.received(bytes).unwrap();
                held.push_back(bytes);
            }
            for bytes in held {
                grants.extend(granting.saved(bytes));
            }
            for grant in grants {
                spending.granted(grant).unwrap();
            }
            prop_assert!(spending.spend(MESSAGES_CREDIT_MAX as u64));
        }
    }
}

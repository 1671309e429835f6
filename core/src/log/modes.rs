//! Under which mode a member wrote which of its messages (§5.3, §5.8): a pure function of the acts that are held.
//!
//! An act sets a mode for what a member writes behind the messages that it names, until another act names later ones. So
//! what counts once is not taken back by who learns of it later, and it makes no difference which act comes first.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::Serialize;

use super::IntervalSet;
use crate::api::{MemberMode, ReplicaId};
use crate::clock::MessageOrder;

/// The modes that one side set for one member.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub(super) struct Modes {
    set: Vec<Set>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
struct Set {
    order: MessageOrder,
    mode: MemberMode,
    /// The last message of each incarnation that was written before. Of one that is not named none was.
    last: BTreeMap<ReplicaId, u64>,
}

impl Set {
    fn last(&self, replica: ReplicaId) -> u64 {
        self.last.get(&replica).copied().unwrap_or(0)
    }
}

impl Modes {
    /// A message sets a mode.
    pub fn take(&mut self, order: MessageOrder, mode: MemberMode, last: &BTreeMap<ReplicaId, u64>) {
        self.set.push(Set { order, mode, last: last.clone() });
    }

    /// The mode of a message.
    pub fn at(&self, replica: ReplicaId, counter: u64) -> MemberMode {
        let before = self.set.iter().filter(|set| set.last(replica) < counter);
        before.max_by_key(|set| (set.last(replica), set.order)).map_or(MemberMode::Full, |set| set.mode)
    }

    /// The messages of an incarnation that were written in a mode that does not send.
    pub fn silenced(&self, replica: ReplicaId) -> IntervalSet<u64> {
        let mut lasts: Vec<u64> = self.set.iter().map(|set| set.last(replica)).collect();
        lasts.sort_unstable();
        lasts.dedup();
        let ends = lasts.iter().skip(1).copied().chain([u64::MAX]);
        let mut silenced = IntervalSet::new();
        for (last, end) in lasts.iter().zip(ends) {
            let Some(first) = last.checked_add(1) else { continue };
            if !self.at(replica, first).sends() {
                silenced.insert_range(first, end);
            }
        }
        silenced
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::UnixMs;

    fn replica() -> ReplicaId {
        ReplicaId::from_bytes([1; 16])
    }

    fn modes(set: &[(u64, MemberMode, u64)]) -> Modes {
        let mut modes = Modes::default();
        for (lamport, mode, last) in set {
            let order = MessageOrder { lamport: *lamport, unix_ms: UnixMs(0), author: replica(), counter: *lamport };
            modes.take(order, *mode, &BTreeMap::from([(replica(), *last)]));
        }
        modes
    }

    #[test]
    fn what_was_written_before_counts_and_so_does_what_comes_after_the_mode_is_over() {
        let modes = modes(&[(1, MemberMode::ReceiveOnly, 5), (2, MemberMode::Full, 8)]);
        let silenced: Vec<_> = modes.silenced(replica()).intervals().collect();
        assert_eq!(silenced, [(6, 8)]);
        let other = ReplicaId::from_bytes([2; 16]);
        assert_eq!(modes.at(other, 1), MemberMode::Full, "of an incarnation that no act names the later act decides");
    }

    proptest! {
        #[test]
        fn whatever_act_comes_first_a_message_is_silenced_as_its_mode_says(
            set in prop::collection::vec((0u64..4, 0u64..6), 0..6),
            rotated in 0usize..6,
        ) {
            let all = [MemberMode::Full, MemberMode::SendOnly, MemberMode::ReceiveOnly, MemberMode::Relay];
            let mut numbered: Vec<_> = (0u64..).zip(&set).map(|(at, (mode, last))| (at, all[*mode as usize], *last)).collect();
            let one = modes(&numbered);
            let by = rotated.min(numbered.len());
            numbered.rotate_left(by);
            let other = modes(&numbered);
            for counter in 1..8 {
                prop_assert_eq!(one.at(replica(), counter), other.at(replica(), counter));
                prop_assert_eq!(one.silenced(replica()).contains(counter), !one.at(replica(), counter).sends());
            }
        }
    }
}

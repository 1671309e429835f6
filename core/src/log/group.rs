//! Who decides for the group, and what is decided: a pure function of the acts that are held (§5.3, §5.10).
//!
//! The founder ranks first, behind it who was appointed, in the order of appointment: first those whom the founder appointed,
//! then those whom the next one did. Acts are judged in that order, and an act never counts against anyone who ranks as high
//! as its author or higher. So what somebody's acts can do to another's is settled before that other's are looked at, and it
//! does not matter which were heard of first.
//!
//! Invariant: the order in which acts come does not matter
//! (`group::tests::any_order_of_acts_decides_the_same`).

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::IntervalSet;
use super::modes::Modes;
use crate::api::{MemberMode, ReplicaId};
use crate::clock::MessageOrder;

/// Of the messages in which a member sets its own mode so many count, the last ones: who is honest knows its own mode, and
/// wrote nothing against an earlier one.
const OWN_MODES_MAX: usize = 16;

/// The public key of a device, which is a member.
pub type MemberKey = [u8; 32];

/// What the founder, or somebody who was appointed, decides for the group.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Act {
    /// The member decides for the group, too, ranked behind all who do so far.
    Appoint {
        /// Its key.
        member: MemberKey,
    },
    /// The device is no member any more, for good: what it wrote beyond these messages is void, whenever it arrives.
    Remove {
        /// Its key.
        member: MemberKey,
        /// The last message of each of its incarnations that counts. Of an incarnation that is not named none does.
        last: BTreeMap<ReplicaId, u64>,
    },
    /// None of a member's operations counts that is stamped later than this.
    Discard {
        /// Its key.
        member: MemberKey,
        /// Its incarnation.
        replica: ReplicaId,
        /// In nanoseconds since 1970.
        after_ns: u64,
    },
    /// What a member writes beyond these messages it writes in this mode. Of itself every member may say that: then both it
    /// and what was decided hold.
    Mode {
        /// Its key.
        member: MemberKey,
        /// The mode.
        mode: MemberMode,
        /// The last message of each of its incarnations that it wrote before.
        last: BTreeMap<ReplicaId, u64>,
    },
}

impl Act {
    /// A member says it of itself, whether it decides for the group or not.
    fn is_own(&self, by: &MemberKey) -> bool {
        matches!(self, Act::Mode { member, .. } if member == by)
    }
}

/// All acts that are held, and what follows from them.
#[derive(Debug, Clone, Default)]
pub(super) struct Group {
    founder: Option<MemberKey>,
    /// By their authors' keys, in message order. Those of who is not ranked are kept, for it may have been appointed, and
    /// cost nothing else.
    acts: BTreeMap<MemberKey, BTreeMap<MessageOrder, Vec<Act>>>,
    decided: Decided,
}

/// What is decided.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Decided {
    /// Who decides, the highest rank first.
    ranked: Vec<MemberKey>,
    /// Who is no member any more, each with the last messages of it that count.
    removed: BTreeMap<MemberKey, BTreeMap<ReplicaId, u64>>,
    /// Beyond which time stamps do not count.
    discarded: BTreeMap<(MemberKey, ReplicaId), u64>,
    /// In which modes members are, by what was decided and by what they said themselves.
    modes: BTreeMap<MemberKey, [Modes; 2]>,
}

impl Group {
    /// A group in which nothing is decided yet. Without a founder nothing ever is.
    pub fn new(founder: Option<MemberKey>) -> Group {
        let mut group = Group { founder, ..Group::default() };
        group.decide();
        group
    }

    /// Takes the acts of a message by a member with this key.
    pub fn note(&mut self, order: MessageOrder, by: MemberKey, acts: Vec<Act>) {
        let is_own = acts.iter().any(|act| act.is_own(&by));
        let is_new = self.acts.entry(by).or_default().insert(order, acts).is_none();
        if is_new && (is_own || self.decided.rank(&by).is_some()) {
            self.decide();
        }
    }

    /// What follows from all acts that are held.
    pub fn decided(&self) -> &Decided {
        &self.decided
    }

    /// The messages whose acts a removed member must hear of to know that it is removed: those that remove it, and those that
    /// say who may.
    pub fn against(&self, member: &MemberKey) -> impl Iterator<Item = (ReplicaId, u64)> + '_ {
        let member = *member;
        let is_of = move |act: &Act| match act {
            Act::Appoint { .. } => true,
            Act::Remove { member: removed, .. } => *removed == member,
            Act::Discard { .. } | Act::Mode { .. } => false,
        };
        let of = move |(order, acts): (&MessageOrder, &Vec<Act>)| {
            acts.iter().any(is_of).then_some((order.author, order.counter))
        };
        self.decided.ranked.iter().filter_map(|by| self.acts.get(by)).flatten().filter_map(of)
    }

    fn decide(&mut self) {
        let mut decided = Decided { ranked: Vec::from_iter(self.founder), ..Decided::default() };
        let mut rank = 0;
        while let Some(by) = decided.ranked.get(rank).copied() {
            for (order, acts) in self.acts.get(&by).into_iter().flatten() {
                if decided.counts(&by, order.author, order.counter) {
                    acts.iter().for_each(|act| decided.take(rank, order, act));
                }
            }
            rank = rank.saturating_add(1);
        }
        for (by, acts) in &self.acts {
            let counts = |order: &MessageOrder| decided.counts(by, order.author, order.counter);
            let own = acts.iter().rev().filter(|(_, acts)| acts.iter().any(|act| act.is_own(by)));
            let own: Vec<_> = own.filter(|(order, _)| counts(order)).take(OWN_MODES_MAX).collect();
            for (order, acts) in own.into_iter().rev() {
                acts.iter().for_each(|act| decided.take_own(by, order, act));
            }
        }
        self.decided = decided;
    }
}

impl Decided {
    /// Somebody of this rank decides it.
    fn take(&mut self, rank: usize, order: &MessageOrder, act: &Act) {
        match act {
            Act::Mode { member, mode, last }
                if self.ranked.get(rank) != Some(member) && self.is_below(rank, member) =>
            {
                let [decided, _] = self.modes.entry(*member).or_default();
                decided.take(*order, *mode, last);
            }
            Act::Appoint { member } if !self.ranked.contains(member) => self.ranked.push(*member),
            Act::Remove { member, last } if self.is_below(rank, member) => match self.removed.get_mut(member) {
                Some(known) => {
                    known.retain(|replica, _| last.contains_key(replica));
                    for (replica, counter) in known {
                        *counter = last.get(replica).copied().unwrap_or(0).min(*counter);
                    }
                }
                None => drop(self.removed.insert(*member, last.clone())),
            },
            Act::Discard { member, replica, after_ns } if self.is_below(rank, member) => {
                let known = self.discarded.entry((*member, *replica)).or_insert(*after_ns);
                *known = (*known).min(*after_ns);
            }
            _ => {}
        }
    }

    /// A member says it of itself.
    fn take_own(&mut self, by: &MemberKey, order: &MessageOrder, act: &Act) {
        if let Act::Mode { mode, last, .. } = act
            && act.is_own(by)
        {
            let [_, own] = self.modes.entry(*by).or_default();
            own.take(*order, *mode, last);
        }
    }

    /// Whether acts of this rank count against a member.
    fn is_below(&self, rank: usize, member: &MemberKey) -> bool {
        self.rank(member).is_none_or(|theirs| theirs > rank)
    }

    fn rank(&self, member: &MemberKey) -> Option<usize> {
        self.ranked.iter().position(|ranked| ranked == member)
    }

    /// It decides for the group.
    pub fn decides(&self, member: &MemberKey) -> bool {
        self.rank(member).is_some() && !self.is_removed(member)
    }

    /// One member may decide about another.
    pub fn may(&self, by: &MemberKey, member: &MemberKey) -> bool {
        self.decides(by) && self.rank(by).is_some_and(|rank| self.is_below(rank, member))
    }

    /// All who may decide about a member.
    pub fn who_may(&self, member: &MemberKey) -> Vec<MemberKey> {
        self.ranked.iter().filter(|by| self.may(by, member)).copied().collect()
    }

    /// Tells what is decided about which messages count from anything else that may be; 0 while that is nothing.
    pub fn mark(&self) -> u64 {
        if self.removed.is_empty() && self.modes.is_empty() && self.discarded.is_empty() {
            return 0;
        }
        let said = postcard::to_allocvec(&(&self.removed, &self.modes, &self.discarded)).unwrap_or_default();
        let [a, b, c, d, e, f, g, h, ..] = *blake3::hash(&said).as_bytes();
        u64::from_le_bytes([a, b, c, d, e, f, g, h]).max(1)
    }

    /// Some member was removed.
    pub fn has_removed(&self) -> bool {
        !self.removed.is_empty()
    }

    /// It is no member any more.
    pub fn is_removed(&self, member: &MemberKey) -> bool {
        self.removed.contains_key(member)
    }

    /// The last message that counts of an incarnation of a member; none while it is one.
    pub fn last(&self, member: &MemberKey, replica: ReplicaId) -> Option<u64> {
        self.removed.get(member).map(|last| last.get(&replica).copied().unwrap_or(0))
    }

    /// A message of a member counts.
    pub fn counts(&self, member: &MemberKey, replica: ReplicaId, counter: u64) -> bool {
        self.last(member, replica).is_none_or(|last| counter <= last)
    }

    /// The mode in which a member writes a message.
    pub fn mode(&self, member: &MemberKey, replica: ReplicaId, counter: u64) -> MemberMode {
        let modes = self.modes.get(member).into_iter().flatten();
        modes.fold(MemberMode::Full, |mode, modes| mode.and(modes.at(replica, counter)))
    }

    /// The messages of an incarnation of a member that it wrote in a mode that does not send: what they say of folders,
    /// rows or to applications counts for nobody.
    pub fn silenced(&self, member: &MemberKey, replica: ReplicaId) -> IntervalSet<u64> {
        let mut silenced = IntervalSet::new();
        for modes in self.modes.get(member).into_iter().flatten() {
            silenced.union(&modes.silenced(replica));
        }
        silenced
    }

    /// Some member was ever in another mode than [`MemberMode::Full`].
    pub fn has_modes(&self) -> bool {
        !self.modes.is_empty()
    }

    /// Beyond which time stamps of an incarnation of a member do not count, in nanoseconds since 1970.
    pub fn discarded(&self, member: &MemberKey, replica: ReplicaId) -> Option<u64> {
        self.discarded.get(&(*member, replica)).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::UnixMs;

    const FOUNDER: MemberKey = [1; 32];

    fn key(number: u8) -> MemberKey {
        [number; 32]
    }

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    fn order(by: u8, counter: u64) -> MessageOrder {
        MessageOrder { lamport: counter, unix_ms: UnixMs(0), author: replica(by), counter }
    }

    fn remove(member: u8, last: u64) -> Act {
        Act::Remove { member: key(member), last: BTreeMap::from([(replica(member), last)]) }
    }

    fn appoint(member: u8) -> Act {
        Act::Appoint { member: key(member) }
    }

    fn group(acts: &[(u8, u64, Act)]) -> Group {
        let mut group = Group::new(Some(FOUNDER));
        for (by, counter, act) in acts {
            group.note(order(*by, *counter), key(*by), Vec::from([act.clone()]));
        }
        group
    }

    #[test]
    fn a_removed_member_counts_up_to_the_named_message() {
        let group = group(&[(1, 5, remove(2, 7))]);
        let decided = group.decided();
        assert!(decided.counts(&key(2), replica(2), 7) && !decided.counts(&key(2), replica(2), 8));
        assert!(!decided.counts(&key(2), replica(9), 1), "an incarnation that is not named");
        assert!(decided.counts(&key(3), replica(3), 99));
        assert!(decided.is_removed(&key(2)) && !decided.is_removed(&key(3)));
    }

    #[test]
    fn only_the_founder_and_who_was_appointed_decide() {
        assert!(!group(&[(2, 5, remove(3, 1))]).decided().is_removed(&key(3)));
        assert!(group(&[(1, 5, appoint(2)), (2, 6, remove(3, 1))]).decided().is_removed(&key(3)));
        let mut without = Group::new(None);
        without.note(order(1, 5), FOUNDER, Vec::from([remove(2, 7)]));
        assert!(!without.decided().is_removed(&key(2)));
    }

    #[test]
    fn nobody_decides_about_a_higher_rank_or_itself() {
        let acts =
            [(1, 1, appoint(2)), (1, 2, appoint(3)), (3, 3, remove(2, 0)), (2, 4, remove(1, 0)), (3, 5, remove(3, 0))];
        let group = group(&acts);
        assert_eq!([1, 2, 3].map(|member| group.decided().is_removed(&key(member))), [false; 3]);
        assert!(group.decided().may(&key(2), &key(3)) && !group.decided().may(&key(3), &key(2)));
    }

    #[test]
    fn of_admins_against_each_other_the_higher_rank_stands() {
        // The second removes the third, which had removed a fourth before and removes a fifth behind it.
        let acts =
            [(1, 1, appoint(2)), (1, 2, appoint(3)), (3, 3, remove(4, 9)), (3, 4, remove(5, 9)), (2, 5, remove(3, 3))];
        let group = group(&acts);
        assert_eq!([3, 4, 5].map(|member| group.decided().is_removed(&key(member))), [true, true, false]);
    }

    #[test]
    fn two_removals_of_one_member_leave_what_both_leave() {
        let both = group(&[(1, 1, appoint(2)), (1, 5, remove(3, 7)), (2, 5, remove(3, 4))]);
        assert_eq!(both.decided().last(&key(3), replica(3)), Some(4));
    }

    #[test]
    fn a_discard_takes_the_earliest_time() {
        let discard = |after_ns| Act::Discard { member: key(2), replica: replica(2), after_ns };
        let group = group(&[(1, 1, discard(70)), (1, 2, discard(50)), (1, 3, discard(60)), (2, 4, discard(1))]);
        assert_eq!(group.decided().discarded(&key(2), replica(2)), Some(50));
        assert_eq!(group.decided().discarded(&key(3), replica(2)), None, "another's incarnation");
    }

    fn act() -> impl Strategy<Value = (u8, Act)> {
        let member = || 1..6u8;
        let act = prop_oneof![
            member().prop_map(appoint),
            (member(), 0..12u64).prop_map(|(member, last)| remove(member, last)),
            (member(), 0..4u64).prop_map(|(member, after_ns)| {
                Act::Discard { member: key(member), replica: replica(member), after_ns }
            }),
            (member(), 0..12u64, 0..4usize).prop_map(|(member, last, mode)| {
                let all = [MemberMode::Full, MemberMode::SendOnly, MemberMode::ReceiveOnly, MemberMode::Relay];
                Act::Mode { member: key(member), mode: all[mode], last: BTreeMap::from([(replica(member), last)]) }
            }),
        ];
        (1..5u8, act)
    }

    proptest! {
        #[test]
        fn any_order_of_acts_decides_the_same(
            (acts, shuffled) in prop::collection::vec(act(), 0..12).prop_flat_map(|acts| {
                let numbered: Vec<(u8, u64, Act)> =
                    acts.into_iter().zip(1..).map(|((by, act), counter)| (by, counter, act)).collect();
                (Just(numbered.clone()), Just(numbered).prop_shuffle())
            }),
        ) {
            let straight = group(&acts);
            let other = group(&shuffled);
            prop_assert_eq!(straight.decided(), other.decided());
            // Void acts may be missing: nothing follows from them.
            let valid: Vec<_> = shuffled
                .into_iter()
                .filter(|(by, counter, _)| straight.decided().counts(&key(*by), replica(*by), *counter))
                .collect();
            let other = group(&valid);
            prop_assert_eq!(straight.decided(), other.decided());
            prop_assert!(!straight.decided().is_removed(&FOUNDER));
        }
    }
}

//! The order of messages.

use serde::{Deserialize, Serialize};

use crate::api::{ReplicaId, UnixMs};

/// Where a message stands among all messages (§4.2): by lamport, then time, then author.
///
/// The order is total: two messages with equal orders are one. The counter decides only where an author has reached
/// the end of the lamports' range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct MessageOrder {
    /// Exceeds all that the author had seen.
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// Who wrote it.
    pub author: ReplicaId,
    /// Which of the author's messages it is.
    pub counter: u64,
}

impl MessageOrder {
    /// Behind all messages there can be.
    pub const LAST: MessageOrder = MessageOrder {
        lamport: u64::MAX,
        unix_ms: UnixMs(u64::MAX),
        author: ReplicaId::from_bytes([0xff; 16]),
        counter: u64::MAX,
    };
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::log::Dot;
    use crate::tree::ChangeOrder;

    /// Numbers that are often equal, and the ends of the range.
    fn small() -> impl Strategy<Value = u64> {
        prop_oneof![0..3u64, Just(u64::MAX)]
    }

    fn order() -> impl Strategy<Value = MessageOrder> {
        (small(), small(), 0..3u8, small()).prop_map(|(lamport, unix, author, counter)| MessageOrder {
            lamport,
            unix_ms: UnixMs(unix),
            author: ReplicaId::from_bytes([author; 16]),
            counter,
        })
    }

    proptest! {
        #[test]
        fn the_order_is_total_and_only_one_message_has_each_place(a in order(), b in order(), c in order()) {
            let said = |order: &MessageOrder| (order.lamport, order.unix_ms.0, *order.author.as_bytes(), order.counter);
            prop_assert_eq!(a.cmp(&b), said(&a).cmp(&said(&b)));
            prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
            prop_assert_eq!(a == b, a.cmp(&b).is_eq());
            prop_assert!(!(a <= b && b <= c) || a <= c);
        }

        #[test]
        fn changes_stand_as_their_messages_do_and_then_as_in_them(a in order(), b in order(), i in 0..3u32, j in 0..3u32) {
            let change = |order: &MessageOrder, index| {
                ChangeOrder::new(order.lamport, order.unix_ms, Dot::new(order.author, order.counter, index))
            };
            prop_assert_eq!(change(&a, i).cmp(&change(&b, j)), (a, i).cmp(&(b, j)));
        }
    }

    #[test]
    fn lamport_comes_before_time_before_author_before_counter() {
        let order = |lamport, unix, author, counter| MessageOrder {
            lamport,
            unix_ms: UnixMs(unix),
            author: ReplicaId::from_bytes([author; 16]),
            counter,
        };
        let ascending = [order(1, 9, 9, 9), order(2, 1, 9, 9), order(2, 2, 1, 9), order(2, 2, 2, 1), order(2, 2, 2, 2)];
        assert!(ascending.is_sorted_by(|a, b| a < b));
    }
}

//! Where messages stand in the store: `m`, the author's 16 bytes, the counter's 8 bytes, most significant first. So a
//! feed's messages lie together, in order.

use alloc::vec::Vec;

use crate::api::ReplicaId;

const MESSAGES: u8 = b'm';

/// The key of one message.
pub fn message_key(author: ReplicaId, counter: u64) -> Vec<u8> {
    let mut key = Vec::with_capacity(25);
    key.push(MESSAGES);
    key.extend_from_slice(author.as_bytes());
    key.extend_from_slice(&counter.to_be_bytes());
    key
}

/// The keys of an author's messages `first..=last`: the first key, and one behind the last.
pub fn message_keys(author: ReplicaId, first: u64, last: u64) -> (Vec<u8>, Vec<u8>) {
    let mut end = message_key(author, last);
    end.push(0);
    (message_key(author, first), end)
}

/// The keys of all messages: one before the first, and one behind the last.
pub fn all_message_keys() -> (Vec<u8>, Vec<u8>) {
    (Vec::from([MESSAGES]), Vec::from([MESSAGES.saturating_add(1)]))
}

/// Which message stands under a key; none if it is not the key of one.
pub fn parse_message_key(key: &[u8]) -> Option<(ReplicaId, u64)> {
    let (prefix, rest) = key.split_first()?;
    let (author, counter) = rest.split_first_chunk::<16>()?;
    let counter = <[u8; 8]>::try_from(counter).ok()?;
    (*prefix == MESSAGES).then(|| (ReplicaId::from_bytes(*author), u64::from_be_bytes(counter)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_round_trip_and_sort_as_messages_do(a in any::<([u8; 16], u64)>(), b in any::<([u8; 16], u64)>()) {
            let of = |(author, counter): ([u8; 16], u64)| (ReplicaId::from_bytes(author), counter);
            let (a, b) = (of(a), of(b));
            prop_assert_eq!(parse_message_key(&message_key(a.0, a.1)), Some(a));
            prop_assert_eq!(message_key(a.0, a.1).cmp(&message_key(b.0, b.1)), a.cmp(&b));
        }

        #[test]
        fn ranges_hold_what_they_name(counter in any::<u64>(), first in any::<u64>(), last in any::<u64>()) {
            let author = ReplicaId::from_bytes([7; 16]);
            let (start, end) = message_keys(author, first, last);
            let key = message_key(author, counter);
            prop_assert_eq!((start..end).contains(&key), (first..=last).contains(&counter));
            let (start, end) = all_message_keys();
            prop_assert!((start..end).contains(&key));
        }
    }

    #[test]
    fn the_ends_of_the_range_have_keys_and_other_keys_are_none() {
        let author = ReplicaId::from_bytes([0xff; 16]);
        let (start, end) = message_keys(author, 0, u64::MAX);
        assert!((start.clone()..end.clone()).contains(&message_key(author, u64::MAX)));
        assert!(end < all_message_keys().1);
        for key in [&b""[..], b"m", &start[..24], &[&start[..], &[0]].concat(), &[b"n", &start[1..]].concat()] {
            assert_eq!(parse_message_key(key), None);
        }
    }
}

//! Where the order of delivery stands in the store: `u` (arrival) or `v` (message order), then the sequence number's 8
//! bytes, most significant first. The value is the author's 16 bytes and the counter, as postcard has them.

use alloc::vec::Vec;

use crate::api::{DeliveryOrder, ReplicaId};

const ARRIVAL: u8 = b'u';
const TOTAL: u8 = b'v';

/// The key that says which message has a number in an order of delivery.
pub fn delivery_key(order: DeliveryOrder, sequence: u64) -> Vec<u8> {
    let first = match order {
        DeliveryOrder::Arrival => ARRIVAL,
        DeliveryOrder::Total => TOTAL,
    };
    [&[first], sequence.to_be_bytes().as_slice()].concat()
}

/// The keys of the messages numbered `first` and higher: the first key, and one behind the last there can be.
pub fn delivery_keys(order: DeliveryOrder, first: u64) -> (Vec<u8>, Vec<u8>) {
    let mut end = delivery_key(order, u64::MAX);
    end.push(0);
    (delivery_key(order, first), end)
}

/// What a pair of the store says of an order of delivery: the number, the author and its counter. None if it is no such
/// pair.
pub fn parse_delivery(key: &[u8], value: &[u8]) -> Option<(u64, ReplicaId, u64)> {
    let (first, sequence) = key.split_first()?;
    let sequence = u64::from_be_bytes(sequence.try_into().ok()?);
    let (author, counter) = postcard::from_bytes(value).ok()?;
    [ARRIVAL, TOTAL].contains(first).then_some((sequence, author, counter))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_as_they_are_written_and_sort_as_numbers_do() {
        let author = ReplicaId::from_bytes([7; 16]);
        let value = postcard::to_allocvec(&(author, 300u64)).unwrap();
        for order in [DeliveryOrder::Arrival, DeliveryOrder::Total] {
            let key = delivery_key(order, 5);
            assert_eq!(parse_delivery(&key, &value), Some((5, author, 300)));
            assert!(key < delivery_key(order, 256));
            let (start, end) = delivery_keys(order, 5);
            assert!(start == key && delivery_key(order, u64::MAX) < end);
        }
        assert_eq!(parse_delivery(b"m12345678", &value), None);
        assert_eq!(parse_delivery(b"u1234567", &value), None);
    }
}

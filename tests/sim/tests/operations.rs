//! One set of operations is one state, whatever way it comes.

use syncline_sim::operations::{OperationSet, digests};

/// How many orders are tried.
const ORDERS: u64 = 100;

#[test]
fn one_set_of_operations_in_any_order_batches_and_repetition_has_the_digest_written_down() {
    let set: OperationSet = serde_json::from_str(include_str!("../../vectors/records.json")).expect("a vector");
    for seed in 0..ORDERS {
        for digest in digests(&set, seed) {
            assert_eq!(digest.to_string(), set.digest, "order {seed}");
        }
    }
}

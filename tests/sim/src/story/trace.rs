//! The same story gives the same trace, on every machine.

use syncline_core::api::Hash;

use super::{Options, draw, play::play_traced};
use crate::{Trace, Violation};

/// Plays a drawn story and returns the [`Trace`] of every action that any engine returned, in order, and of the folders at
/// the end.
///
/// # Errors
/// The story breaks a promise. (In WebAssembly, where a panic ends everything, it does not return then.)
pub fn trace(workload: u64, schedule: u64, acts: u16) -> Result<Hash, Violation> {
    let trace = Trace::default();
    let played = play_traced(&draw(workload, schedule, acts), Options::default(), Some(&trace));
    played.violation.map_or_else(|| Ok(trace.hash()), Err)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_story_has_one_trace_and_another_has_another() {
        let hash = |workload, schedule| trace(workload, schedule, 12).expect("nothing is broken");
        let mut all = BTreeSet::new();
        for seed in 0..6 {
            assert_eq!(hash(seed, seed), hash(seed, seed), "seed {seed}");
            all.insert(hash(seed, seed));
        }
        assert_eq!(all.len(), 6);
    }
}

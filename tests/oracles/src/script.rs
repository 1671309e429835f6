//! Inputs as sequences of steps: postcard, one step behind the other, read with patience. So a step can be taken from a
//! real run and written into a corpus, and a fuzzer that breaks one step leaves the others.

use serde::{Serialize, de::DeserializeOwned};

/// Steps of one input at most.
const STEPS_MAX: usize = 512;

/// Places at which no step begins before the rest is left alone.
const MISSES_MAX: usize = 256;

/// Reads the steps; where none begins, a byte is passed over.
pub(crate) fn read<T: DeserializeOwned>(mut bytes: &[u8]) -> Vec<T> {
    let mut steps = Vec::new();
    let mut misses = 0;
    while !bytes.is_empty() && steps.len() < STEPS_MAX && misses < MISSES_MAX {
        match postcard::take_from_bytes(bytes) {
            Ok((step, rest)) => {
                steps.push(step);
                bytes = rest;
            }
            Err(_) => {
                misses += 1;
                bytes = &bytes[1..];
            }
        }
    }
    steps
}

/// Writes steps.
pub(crate) fn write<T: Serialize>(steps: &[T]) -> Vec<u8> {
    steps.iter().flat_map(|step| postcard::to_stdvec(step).expect("plain data")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_broken_step_leaves_the_others() {
        let steps = vec![(1u8, vec![1u8, 2]), (2, vec![3]), (3, vec![])];
        let mut bytes = write(&steps);
        assert_eq!(read::<(u8, Vec<u8>)>(&bytes), steps);
        bytes.splice(0..0, [9, 0xff, 0xff, 0xff, 0xff, 0x7f]);
        assert_eq!(read::<(u8, Vec<u8>)>(&bytes).last(), steps.last());
    }
}

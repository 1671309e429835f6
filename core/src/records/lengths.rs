//! How long the values of a message are: many of one length behind each other, as numbers often are, take two numbers.

use alloc::borrow::Cow;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::builder::count;

/// The lengths of values, in their order.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Lengths {
    /// One by one.
    Each(Vec<u32>),
    /// So many of one length behind each other.
    Runs(Vec<Run>),
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Run {
    pub(super) bytes: u32,
    pub(super) count: u32,
}

impl Default for Lengths {
    fn default() -> Lengths {
        Lengths::Each(Vec::new())
    }
}

impl Lengths {
    /// In the way that takes less.
    pub fn of(each: Vec<u32>) -> Lengths {
        let runs = || each.chunk_by(|a, b| a == b);
        if runs().count().saturating_mul(2) >= each.len() {
            return Lengths::Each(each);
        }
        let run = |run: &[u32]| Some(Run { bytes: *run.first()?, count: count(run.len()) });
        Lengths::Runs(runs().filter_map(run).collect())
    }

    /// How many there are, and how many bytes they come to.
    pub fn totals(&self) -> (usize, usize) {
        let add = |(values, bytes): (usize, usize), run: (u32, u32)| {
            let way = (run.0 as usize).saturating_mul(run.1 as usize);
            (values.saturating_add(run.1 as usize), bytes.saturating_add(way))
        };
        match self {
            Lengths::Each(each) => each.iter().map(|bytes| (*bytes, 1)).fold((0, 0), add),
            Lengths::Runs(runs) => runs.iter().map(|run| (run.bytes, run.count)).fold((0, 0), add),
        }
    }

    /// One by one. Whoever asks has seen that there are not too many.
    pub fn each(&self) -> Cow<'_, [u32]> {
        match self {
            Lengths::Each(each) => Cow::Borrowed(each),
            Lengths::Runs(runs) => {
                runs.iter().flat_map(|run| core::iter::repeat_n(run.bytes, run.count as usize)).collect()
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn lengths_come_back_as_they_were(each in prop::collection::vec(0..4u32, 0..200)) {
            let lengths = Lengths::of(each.clone());
            prop_assert_eq!(lengths.totals(), (each.len(), each.iter().map(|bytes| *bytes as usize).sum()));
            prop_assert_eq!(lengths.each().into_owned(), each);
        }
    }

    #[test]
    fn lengths_stand_in_the_way_that_takes_less() {
        assert_eq!(Lengths::of(vec![6; 5]), Lengths::Runs(vec![Run { bytes: 6, count: 5 }]));
        assert_eq!(Lengths::of(vec![6, 6, 5, 5]), Lengths::Each(vec![6, 6, 5, 5]));
        assert_eq!(Lengths::of(Vec::new()), Lengths::default());
    }

    #[test]
    fn as_many_as_can_be_said_are_counted_without_being_written_out() {
        let many = Run { bytes: u32::MAX, count: u32::MAX };
        let (values, bytes) = Lengths::Runs(vec![many.clone(), many]).totals();
        assert!(values >= u32::MAX as usize && bytes == usize::MAX);
    }
}

//! How far apart the wall clocks of linked devices are, as heartbeats tell (§4.4).
//!
//! Each heartbeat says what its sender's clock shows, and repeats the last one that the sender heard and how long ago that
//! was. Whoever hears its own time repeated knows how long both ways took, and so, to half of that, what the other clock
//! shows now. What passed here meanwhile is taken from the monotonic clock, so that a wall clock that is set in between
//! tells nothing wrong.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use crate::api::{Now, UnixMs};
use crate::engine::limits::{OFFSET_AGE_MS, OFFSET_SAMPLES_MAX, OFFSET_STEP_MS};

/// By how much another clock is ahead of the own one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Offset {
    /// In milliseconds; below 0 if it is behind.
    pub ahead_ms: i64,
    /// How wrong that may be either way, in milliseconds.
    pub error_ms: u64,
}

/// One comparison of two clocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Sample {
    at: Now,
    offset: Offset,
}

impl Sample {
    /// `said` is when this device said what was repeated, `now` when it heard that repeated; the other clock showed
    /// `theirs` when it repeated it, `held_ms` after it had heard it. None where it claims to have held it for longer than
    /// it can have had it, and where this device's clocks did not pass alike meanwhile: it slept, and what it hears now may
    /// be old.
    fn new(said: Now, now: Now, theirs: UnixMs, held_ms: u64) -> Option<Sample> {
        let passed_ms = now.monotonic.0.checked_sub(said.monotonic.0)?;
        let underway_ms = passed_ms.checked_sub(held_ms)?;
        let stepped_ms = stepped_ms(said, now).unsigned_abs();
        if stepped_ms > OFFSET_STEP_MS {
            return None;
        }
        let half_ms = underway_ms / 2;
        let ahead_ms = difference(theirs.plus(half_ms), now.unix);
        // A reading is a whole millisecond, at either end. Where the clocks did not pass alike for a moment the device may have
        // slept, and what it hears may be older by so much.
        Some(Sample {
            at: now,
            offset: Offset {
                ahead_ms,
                error_ms: underway_ms.saturating_sub(half_ms).saturating_add(stepped_ms).saturating_add(1),
            },
        })
    }

    /// What it says now; none if that is too long ago, the own clock was set since, or the device slept.
    fn at(&self, now: Now) -> Option<Offset> {
        let passed_ms = now.monotonic.0.saturating_sub(self.at.monotonic.0);
        let stepped_ms = stepped_ms(self.at, now);
        let counts = passed_ms <= OFFSET_AGE_MS && stepped_ms.unsigned_abs() <= OFFSET_STEP_MS;
        // The own clock was set, or the device slept for a moment and the other clock went on alike.
        let error_ms = self.offset.error_ms.saturating_add(stepped_ms.unsigned_abs());
        counts.then(|| Offset { ahead_ms: self.offset.ahead_ms.saturating_sub(stepped_ms), error_ms })
    }
}

/// The last comparisons with one clock.
#[derive(Debug, Clone, Default)]
pub struct Samples {
    last: VecDeque<Sample>,
}

impl Samples {
    /// Adds a comparison; see the module. False if it makes no sense.
    pub fn add(&mut self, said: Now, now: Now, theirs: UnixMs, held_ms: u64) -> bool {
        let sample = Sample::new(said, now, theirs, held_ms);
        if sample.is_some() && self.last.len() >= OFFSET_SAMPLES_MAX {
            self.last.pop_front();
        }
        self.last.extend(sample);
        sample.is_some()
    }

    /// By how much that clock is ahead, of the comparisons that still count the one that is the least wrong.
    pub fn offset(&self, now: Now) -> Option<Offset> {
        self.last.iter().filter_map(|sample| sample.at(now)).min_by_key(|offset| offset.error_ms)
    }
}

/// By how much the own clock is ahead, by those of others, in milliseconds; below 0 if it is behind, 0 where nobody can tell.
///
/// Two clocks differ that are apart by more than `tolerance_ms` and the error; more agree where they can all show the same
/// time, give or take half of that each. The own clock is wrong where more than half of all clocks, the own one counted,
/// differ from it and agree with each other. So one other clock tells nothing, for either may be wrong; of two both must say
/// the same; and no minority tells anything, whatever others there are that are wrong in other ways.
pub fn own_ahead_ms(others: impl IntoIterator<Item = Offset>, tolerance_ms: u64) -> i64 {
    let others: Vec<Offset> = others.into_iter().collect();
    let differs = |offset: &&Offset| offset.ahead_ms.unsigned_abs() > offset.error_ms.saturating_add(tolerance_ms);
    let reach = |offset: &Offset| {
        let reach_ms = offset.error_ms.saturating_add(tolerance_ms / 2);
        (offset.ahead_ms.saturating_sub_unsigned(reach_ms), offset.ahead_ms.saturating_add_unsigned(reach_ms))
    };
    let differing: Vec<(i64, i64)> = others.iter().filter(differs).map(reach).collect();
    // What the most of them agree on begins where the reach of one of them begins.
    let agreed = differing.iter().map(|(first, _)| {
        let agreeing = differing.iter().filter(|(low, high)| low <= first && first <= high);
        let ends =
            agreeing.fold((0usize, i64::MAX), |(count, last), (_, high)| (count.saturating_add(1), last.min(*high)));
        (ends.0, *first, ends.1)
    });
    match agreed.max_by_key(|(count, ..)| *count) {
        Some((count, first, last)) if count.saturating_mul(2) > others.len().saturating_add(1) => {
            first.midpoint(last).saturating_neg()
        }
        _ => 0,
    }
}

/// By how much the wall clock went on more than the monotonic one.
fn stepped_ms(from: Now, to: Now) -> i64 {
    difference(to.unix, from.unix).saturating_sub_unsigned(to.monotonic.0.saturating_sub(from.monotonic.0))
}

fn difference(one: UnixMs, other: UnixMs) -> i64 {
    let difference = i128::from(one.0).saturating_sub(i128::from(other.0));
    i64::try_from(difference).unwrap_or(if difference < 0 { i64::MIN } else { i64::MAX })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::Monotonic;

    const EPOCH_MS: u64 = 1_767_225_600_000;

    fn at(monotonic_ms: u64) -> Now {
        Now { monotonic: Monotonic(monotonic_ms), unix: UnixMs(EPOCH_MS + monotonic_ms) }
    }

    fn certain(ahead_ms: i64) -> Offset {
        Offset { ahead_ms, error_ms: 0 }
    }

    proptest! {
        #[test]
        fn the_other_clock_is_within_the_error_of_what_is_said(
            there_ms in 0..2_000u64, held_ms in 0..30_000u64, back_ms in 0..2_000u64, ahead_ms in -EPOCH_I64..EPOCH_I64,
        ) {
            let now = at(there_ms + held_ms + back_ms);
            let theirs = UnixMs((EPOCH_MS + there_ms + held_ms).saturating_add_signed(ahead_ms));
            let mut samples = Samples::default();
            prop_assert!(samples.add(at(0), now, theirs, held_ms));
            let offset = samples.offset(now).unwrap();
            prop_assert!(offset.ahead_ms.abs_diff(ahead_ms) <= offset.error_ms, "{offset:?}");
            prop_assert!(offset.error_ms <= (there_ms + back_ms) / 2 + 2);
        }

        #[test]
        fn any_numbers_are_taken(numbers in any::<[u64; 8]>()) {
            let now = |at: usize| Now { monotonic: Monotonic(numbers[at]), unix: UnixMs(numbers[at + 1]) };
            let mut samples = Samples::default();
            samples.add(now(0), now(2), UnixMs(numbers[4]), numbers[5]);
            let offset = samples.offset(now(6));
            let _ = own_ahead_ms(offset.into_iter().chain(offset), numbers[7]);
        }

        #[test]
        fn clocks_of_which_no_more_than_half_are_wrong_never_call_a_right_one_wrong(
            right in prop::collection::vec(-50..50i64, 0..6), wrong in prop::collection::vec(any::<i64>(), 0..6),
        ) {
            let wrong = wrong.into_iter().take(right.len() + 1);
            let others: Vec<_> = right.iter().copied().chain(wrong).map(certain).collect();
            prop_assert_eq!(own_ahead_ms(others, 100), 0);
        }

        #[test]
        fn most_clocks_tell_how_wrong_the_own_one_is(
            right in prop::collection::vec((-20..20i64, 0..30u64), 2..6), ahead_ms in 201..EPOCH_I64,
            is_ahead in any::<bool>(), wrong in any::<i64>(),
        ) {
            let ahead_ms = if is_ahead { ahead_ms } else { -ahead_ms };
            let offset = |(off_ms, error_ms): &(i64, u64)| {
                Offset { ahead_ms: off_ms - ahead_ms, error_ms: off_ms.unsigned_abs() + error_ms }
            };
            let wrong = (right.len() > 2).then_some(certain(wrong));
            let told = own_ahead_ms(right.iter().map(offset).chain(wrong), 100);
            prop_assert_eq!(told.signum(), ahead_ms.signum());
            prop_assert!(told.abs_diff(ahead_ms) <= 150, "{} for {}", told, ahead_ms);
        }
    }

    const EPOCH_I64: i64 = 1_767_225_600_000;

    #[test]
    fn the_quickest_of_the_last_comparisons_counts() {
        let mut samples = Samples::default();
        for (said, underway) in [(0, 400), (1_000, 20), (2_000, 900)] {
            samples.add(at(said), at(said + underway), at(said + underway / 2).unix, 0);
        }
        assert_eq!(samples.offset(at(3_000)), Some(Offset { ahead_ms: 0, error_ms: 11 }));
        for said in 0..OFFSET_SAMPLES_MAX as u64 {
            samples.add(at(5_000 + said), at(5_100 + said), at(5_050 + said).unix, 0);
        }
        assert_eq!(samples.offset(at(6_000)).map(|offset| offset.error_ms), Some(51));
    }

    #[test]
    fn what_is_old_or_from_before_a_jump_or_a_sleep_does_not_count() {
        let mut samples = Samples::default();
        samples.add(at(0), at(10), UnixMs(EPOCH_MS + 5 + 700), 0);
        assert_eq!(samples.offset(at(20)).map(|offset| offset.ahead_ms), Some(700));
        assert_eq!(samples.offset(at(11 + OFFSET_AGE_MS)), None);
        let moved = |ahead_ms: i64| Now { unix: UnixMs((EPOCH_MS + 20).saturating_add_signed(ahead_ms)), ..at(20) };
        // A clock that is slewed is one that was compared all the same.
        assert_eq!(samples.offset(moved(200)).map(|offset| offset.ahead_ms), Some(500));
        assert_eq!(samples.offset(moved(3_600_000)), None);
        assert_eq!(samples.offset(moved(-3_600_000)), None);
    }

    #[test]
    fn what_was_said_before_a_sleep_tells_nothing_after_it() {
        let woken = Now { unix: UnixMs(EPOCH_MS + 400_000), ..at(1_000) };
        let mut samples = Samples::default();
        assert!(!samples.add(at(0), woken, at(20_000).unix, 0));
        assert_eq!(samples.offset(woken), None);
    }

    #[test]
    fn a_claim_of_having_held_it_before_it_was_said_is_refused() {
        let mut samples = Samples::default();
        assert!(!samples.add(at(100), at(200), at(150).unix, 101));
        assert!(!samples.add(at(200), at(100), at(150).unix, 0));
        assert_eq!(samples.offset(at(200)), None);
    }

    #[test]
    fn one_other_clock_tells_nothing_and_two_tell_what_both_say() {
        let told = |others: &[i64]| own_ahead_ms(others.iter().copied().map(certain), 100);
        assert_eq!(told(&[]), 0);
        assert_eq!(told(&[-5_000]), 0);
        assert_eq!(told(&[-5_000, -5_000]), 5_000);
        assert_eq!(told(&[-5_000, -5_080]), 5_040);
        assert_eq!(told(&[5_000, 5_080]), -5_040);
        assert_eq!(told(&[-5_000, -5_101]), 0);
        assert_eq!(told(&[-5_000, 7_000]), 0);
        assert_eq!(told(&[-100, -100]), 0);
        assert_eq!(told(&[-101, -101]), 101);
        // Two and two.
        assert_eq!(told(&[-5_000, -5_000, 0]), 0);
        assert_eq!(told(&[-5_000, -5_000, -5_000]), 5_000);
        assert_eq!(told(&[-5_000, -5_000, -5_000, i64::MIN]), 5_000);
        assert_eq!(own_ahead_ms([Offset { ahead_ms: -190, error_ms: 90 }; 2], 100), 0);
        // One that agrees with the own clock does not help another one against it.
        let slow = Offset { ahead_ms: 0, error_ms: 400 };
        assert_eq!(own_ahead_ms([slow, Offset { ahead_ms: -600, error_ms: 400 }], 100), 0);
    }
}

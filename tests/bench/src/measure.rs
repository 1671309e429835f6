//! Runs in turn, medians, targets.

use std::convert::Infallible;
use std::time::{Duration, Instant};

use serde::Serialize;

/// How often each side runs.
#[derive(Clone, Copy)]
pub struct Runs(pub u32);

/// What a ratio of ours to the peer's must be.
#[derive(Clone, Copy)]
pub enum Target {
    /// Speeds: this many times the peer's or more.
    AtLeast(f64),
    /// Costs: this many times the peer's or less.
    AtMost(f64),
    /// Told beside the others for what it explains.
    None,
}

impl Target {
    /// Whether a ratio reaches it.
    pub fn verdict(self, ratio: f64) -> Verdict {
        match self {
            Target::AtLeast(least) if ratio >= least => Verdict::Pass,
            Target::AtMost(most) if ratio <= most => Verdict::Pass,
            Target::None => Verdict::Told,
            _ => Verdict::Short,
        }
    }
}

/// How a measurement came out.
#[derive(Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// The target is reached.
    Pass,
    /// It is not.
    Short,
    /// There is none.
    Told,
}

/// One quantity of both sides over all runs.
pub struct Comparison {
    /// What was done.
    pub what: String,
    /// The peer and how it was set up.
    pub peer: String,
    /// What the values are in.
    pub unit: &'static str,
    /// Our values, in the runs' order.
    pub ours: Vec<f64>,
    /// The peer's values, in the runs' order.
    pub theirs: Vec<f64>,
    /// What the ratio of the medians must be.
    pub target: Target,
}

impl Comparison {
    /// Ours to the peer's, median to median.
    pub fn ratio(&self) -> f64 {
        median(&self.ours) / median(&self.theirs)
    }
}

/// The middle value; of an even number the mean of the two.
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

/// Runs two sides in turn, after one run of each that does not count, and gives each one's seconds.
///
/// Who goes first changes from run to run, so that neither always finds what the other left behind.
pub fn in_turn(runs: Runs, mut ours: impl FnMut(), mut theirs: impl FnMut()) -> (Vec<f64>, Vec<f64>) {
    let timed = in_turn_by(runs, || Ok::<_, Infallible>(seconds(&mut ours)), || Ok(seconds(&mut theirs)));
    match timed {
        Ok(times) => times,
        Err(never) => match never {},
    }
}

/// The same for sides that measure by themselves, because not all they do counts.
///
/// # Errors
/// The first of a side's.
pub fn in_turn_by<E>(
    runs: Runs,
    mut ours: impl FnMut() -> Result<f64, E>,
    mut theirs: impl FnMut() -> Result<f64, E>,
) -> Result<(Vec<f64>, Vec<f64>), E> {
    let (mut our_values, mut their_values) = (Vec::new(), Vec::new());
    ours()?;
    theirs()?;
    for run in 0..runs.0 {
        if run % 2 == 0 {
            our_values.push(ours()?);
            their_values.push(theirs()?);
        } else {
            their_values.push(theirs()?);
            our_values.push(ours()?);
        }
    }
    Ok((our_values, their_values))
}

fn seconds(work: &mut impl FnMut()) -> f64 {
    let start = Instant::now();
    work();
    let taken: Duration = start.elapsed();
    taken.as_secs_f64()
}

/// Speeds in GB/s of work on `bytes` bytes that took these seconds.
pub fn gigabytes_per_second(bytes: usize, seconds: &[f64]) -> Vec<f64> {
    seconds.iter().map(|seconds| bytes as f64 / seconds / 1e9).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_is_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn targets_hold_at_their_border() {
        assert!(Target::AtLeast(1.5).verdict(1.5) == Verdict::Pass);
        assert!(Target::AtLeast(1.5).verdict(1.49) == Verdict::Short);
        assert!(Target::AtMost(0.8).verdict(0.8) == Verdict::Pass);
        assert!(Target::AtMost(0.8).verdict(0.81) == Verdict::Short);
        assert!(Target::None.verdict(9.0) == Verdict::Told);
    }

    #[test]
    fn sides_run_in_turn_and_change_who_is_first() {
        let order = std::cell::RefCell::new(String::new());
        let (ours, theirs) = in_turn(Runs(5), || order.borrow_mut().push('o'), || order.borrow_mut().push('p'));
        assert_eq!(*order.borrow(), "opoppooppoop");
        assert_eq!((ours.len(), theirs.len()), (5, 5));
    }
}

//! From which seeds a run is drawn.

use std::fmt;

use syncline_sim::story::Swarm;
use syncline_sim::{Genre, Tale};

/// The two seeds of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Pair {
    /// What people do.
    pub workload: u64,
    /// What befalls them.
    pub schedule: u64,
}

impl Pair {
    /// The seeds of one of the runs that begin with a base.
    pub fn of_run(base: u64, run: u64) -> Pair {
        let workload = base.wrapping_add(run);
        Pair { workload, schedule: fastrand::Rng::with_seed(workload).u64(..) }
    }

    /// Its story, of these kinds of things.
    pub fn draw(self, genre: Genre, swarm: Swarm, acts: u16) -> Tale {
        Tale::draw(genre, swarm, self.workload, self.schedule, acts)
    }
}

impl fmt::Display for Pair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "workload {} schedule {}", self.workload, self.schedule)
    }
}

/// A base that no one has used yet, short enough to be said aloud.
pub fn fresh_base() -> u64 {
    fastrand::Rng::new().u64(..1_000_000_000_000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_run_has_the_same_seeds_whatever_the_base() {
        assert_eq!(Pair::of_run(10, 5), Pair::of_run(12, 3));
        assert_ne!(Pair::of_run(10, 5).schedule, Pair::of_run(10, 6).schedule);
    }

    #[test]
    fn runs_go_on_behind_the_last_seed() {
        assert_eq!(Pair::of_run(u64::MAX, 1).workload, 0);
    }
}

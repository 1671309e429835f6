//! A broken promise, told so that one can work on it.

use std::time::{Duration, Instant};

use anyhow::Result;
use syncline_core::planted::Planted;
use syncline_sim::story::{Options, Record};
use syncline_sim::{Tale, Violation};

use super::crew::{Broken, is_interrupted};
use super::{place, quiet};

/// How many smaller stories are tried.
const TRIES_MAX: u32 = 4_000;

/// How long that may take.
const TIME_MAX: Duration = Duration::from_secs(60);

/// A failing story, made as small as could be.
pub struct Failure {
    /// What happens.
    pub story: Tale,
    /// Which promise breaks, and how.
    pub violation: Violation,
    /// What happens, in sentences.
    pub told: Vec<String>,
    /// How many turns it had before.
    pub turns_before: usize,
}

impl Failure {
    /// Makes a story small that breaks this promise when it is played with these options.
    pub fn shrunk(story: &Tale, violation: &Violation, options: Options, with_work: bool) -> Failure {
        let (start, mut tries) = (Instant::now(), 0);
        let goes_on = || {
            tries += 1;
            tries <= TRIES_MAX && start.elapsed() < TIME_MAX && !is_interrupted()
        };
        let small = quiet::quietly(|| story.shrink_while(options, violation.invariant, goes_on));
        Failure::whole(&small, violation, options, with_work, story.turns())
    }

    /// A story as it is.
    pub fn whole(story: &Tale, violation: &Violation, options: Options, with_work: bool, turns: usize) -> Failure {
        let played = quiet::play(story, Options { with_work, ..options });
        let violation = played.violation.unwrap_or_else(|| violation.clone());
        Failure { story: story.clone(), violation, told: played.told, turns_before: turns }
    }

    /// Writes it down among those that failed lately and tells all about it.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn report(&self, name: &str, flags: &str, planted: Option<Planted>) -> Result<String> {
        let Violation { invariant, message } = &self.violation;
        let record = Record {
            about: message.lines().next().unwrap_or_default().to_owned(),
            invariant: Some(*invariant),
            planted: planted.map(|fault| fault.name().to_owned()),
            story: self.story.clone(),
        };
        let file = place::show(&place::write(&place::failed(), name, &record)?);
        let (cast, turns) = (self.story.cast(), self.story.turns());
        let mut text = format!("{}: {}\n{message}\n\n", invariant.name(), invariant.promise());
        text += &format!("{cast}, {turns} of {} turns left:\n", self.turns_before);
        for line in &self.told {
            text += &format!("{line}\n");
        }
        text += &format!("\nagain: cargo xtask sim --replay {file}{flags}\n");
        Ok(text)
    }
}

/// Fewer than all: of each broken promise in turn the first, until there are so many.
pub fn choose(broken: &[Broken], many: usize) -> Vec<Broken> {
    let mut order: Vec<(usize, &Broken)> = Vec::new();
    for one in broken {
        let before = order.iter().filter(|(_, other)| other.violation.invariant == one.violation.invariant).count();
        order.push((before, one));
    }
    order.sort_by_key(|(before, one)| (*before, one.run));
    order.truncate(many);
    order.into_iter().map(|(_, one)| one.clone()).collect()
}

#[cfg(test)]
mod tests {
    use syncline_sim::{Genre, Invariant, story::Swarm};

    use super::super::seeds::Pair;
    use super::*;

    fn broken(run: u64, invariant: Invariant) -> Broken {
        Broken { run, pair: Pair::of_run(0, run), violation: Violation { invariant, message: String::new() } }
    }

    #[test]
    fn every_promise_is_chosen_before_one_is_chosen_twice() {
        let all = [
            broken(0, Invariant::NoLoss),
            broken(1, Invariant::NoLoss),
            broken(2, Invariant::NoLoss),
            broken(3, Invariant::Bounds),
        ];
        let runs: Vec<u64> = choose(&all, 3).iter().map(|broken| broken.run).collect();
        assert_eq!(runs, [0, 3, 1]);
    }

    #[test]
    fn a_canary_fails_and_shrinks_to_nothing() {
        let options = Options { with_canary: true, ..Options::default() };
        for genre in [Genre::Trees, Genre::Carried, Genre::Folders, Genre::Records] {
            let story = Pair::of_run(1, 0).draw(genre, Swarm::default(), 3);
            let violation = quiet::play(&story, options).violation.expect("it always fails");
            let failure = Failure::shrunk(&story, &violation, options, false);
            assert_eq!((failure.violation.invariant, failure.story.turns()), (Invariant::NoLoss, 0));
        }
    }
}

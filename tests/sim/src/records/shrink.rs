//! Making a failing story of rows smaller.

use super::{Keeper, Story, Turn, play};
use crate::{Invariant, messages::Weather, story::Options};

/// The smallest story found that still breaks the same promise when it is played with these options; before each try,
/// `goes_on` is asked whether there shall be another one.
pub fn shrink_while(story: &Story, options: Options, invariant: Invariant, goes_on: impl FnMut() -> bool) -> Story {
    let mut shrinker = Shrinker { best: story.clone(), options, invariant, goes_on, is_over: false };
    loop {
        let before = shrinker.best.clone();
        shrinker.take_turns_away();
        shrinker.simplify_group();
        shrinker.simplify_turns();
        if shrinker.best == before || shrinker.is_over {
            return shrinker.best;
        }
    }
}

struct Shrinker<F> {
    best: Story,
    options: Options,
    invariant: Invariant,
    goes_on: F,
    is_over: bool,
}

impl<F: FnMut() -> bool> Shrinker<F> {
    fn take_turns_away(&mut self) {
        let mut length = self.best.turns.len().div_ceil(2);
        while length > 0 {
            let mut start = 0;
            while start < self.best.turns.len() {
                let mut smaller = self.best.clone();
                let end = (start + length).min(smaller.turns.len());
                smaller.turns.drain(start..end);
                if !self.attempt(smaller) {
                    start += length;
                }
            }
            length /= 2;
        }
    }

    fn simplify_group(&mut self) {
        while self.best.keepers.len() > 2 {
            let mut smaller = self.best.clone();
            smaller.keepers.pop();
            if !self.attempt(smaller) {
                break;
            }
        }
        self.attempt(Story { links: Vec::new(), ..self.best.clone() });
        self.attempt(Story { sealed: false, ..self.best.clone() });
        let mut without_files = self.best.clone();
        without_files.keepers.iter_mut().for_each(|keeper| keeper.has_files = false);
        self.attempt(without_files);
        for index in 0..self.best.keepers.len() {
            let simpler: [fn(&mut Keeper); 3] =
                [|keeper| keeper.late = None, |keeper| keeper.in_folder = false, |keeper| keeper.has_database = true];
            for simpler in simpler {
                let mut smaller = self.best.clone();
                simpler(&mut smaller.keepers[index]);
                self.attempt(smaller);
            }
        }
    }

    fn simplify_turns(&mut self) {
        let simpler: [fn(&mut Turn); 8] = [
            |turn| turn.trouble = None,
            |turn| turn.act = None,
            |turn| turn.carriage = None,
            |turn| turn.carriage.iter_mut().for_each(|carriage| carriage.weather = Weather::default()),
            |turn| turn.run.is_drawn = false,
            |turn| turn.run.steps = 0,
            |turn| turn.run.milliseconds = 0,
            |turn| turn.run.milliseconds = turn.run.milliseconds.min(1_000),
        ];
        for index in 0..self.best.turns.len() {
            for simpler in simpler {
                let mut smaller = self.best.clone();
                simpler(&mut smaller.turns[index]);
                self.attempt(smaller);
            }
        }
    }

    /// Keeps a story if it is another one and still fails.
    fn attempt(&mut self, smaller: Story) -> bool {
        if smaller == self.best || self.is_over {
            return false;
        }
        self.is_over = !(self.goes_on)();
        if self.is_over {
            return false;
        }
        let fails = play(&smaller, self.options).violation.is_some_and(|found| found.invariant == self.invariant);
        if fails {
            self.best = smaller;
        }
        fails
    }
}

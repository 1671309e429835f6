//! Making a failing story smaller.

use super::{Carried, Options, Run, Story, Turn, play};
use crate::{Invariant, Traits, Violation, WatcherTraits, messages::Weather};

/// The smallest story found that still breaks the same promise, and how it does; `tries` bounds how many are played.
///
/// Turns are taken away, then troubles, acts and time are made simpler, again and again until nothing helps.
pub fn shrink(story: &Story, invariant: Invariant, tries: u32) -> Story {
    let mut left = tries;
    shrink_while(story, Options::default(), invariant, || {
        let goes_on = left > 0;
        left = left.saturating_sub(1);
        goes_on
    })
}

/// The same for a story that fails when it is played with these options; before each try, `goes_on` is asked whether
/// there shall be another one.
pub fn shrink_while(story: &Story, options: Options, invariant: Invariant, goes_on: impl FnMut() -> bool) -> Story {
    let mut shrinker = Shrinker { best: story.clone(), options, invariant, goes_on, is_over: false };
    loop {
        let before = shrinker.best.clone();
        shrinker.take_turns_away();
        shrinker.take_devices_away();
        shrinker.mend_watchers();
        shrinker.make_platforms_alike();
        shrinker.simplify_carriage();
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

    fn take_devices_away(&mut self) {
        while self.best.devices > 2 {
            let mut smaller = self.best.clone();
            smaller.devices -= 1;
            if !self.attempt(smaller) {
                return;
            }
        }
    }

    fn mend_watchers(&mut self) {
        let smaller = Story { watchers: WatcherTraits::default(), ..self.best.clone() };
        self.attempt(smaller);
    }

    fn make_platforms_alike(&mut self) {
        let smaller = Story { platforms: Vec::new(), ..self.best.clone() };
        if self.attempt(smaller) {
            return;
        }
        let usual = Traits::default();
        for index in 0..self.best.platforms.len() {
            let simpler: [fn(Traits, Traits) -> Traits; 4] = [
                |traits, usual| Traits { numbers: usual.numbers, ..traits },
                |traits, usual| Traits { coarse: usual.coarse, ..traits },
                |traits, usual| Traits { modes: usual.modes, ..traits },
                |traits, usual| Traits { swaps: usual.swaps, ..traits },
            ];
            for simpler in simpler {
                let mut smaller = self.best.clone();
                smaller.platforms[index] = simpler(smaller.platforms[index], usual);
                self.attempt(smaller);
            }
        }
    }

    fn simplify_carriage(&mut self) {
        let simpler: [fn(&mut Carried); 5] = [
            |carried| carried.linked = false,
            |carried| carried.sealed = false,
            |carried| carried.one_in = 1,
            |carried| carried.idle_one_in = 1,
            |carried| carried.weather = Weather::default(),
        ];
        for simpler in simpler {
            let mut smaller = self.best.clone();
            smaller.carried.iter_mut().for_each(simpler);
            self.attempt(smaller);
        }
    }

    fn simplify_turns(&mut self) {
        let simpler: [fn(&Turn) -> Turn; 7] = [
            |turn| Turn { trouble: None, ..*turn },
            |turn| Turn { act: None, ..*turn },
            |turn| Turn { run: Run { is_drawn: false, ..turn.run }, ..*turn },
            |turn| Turn { run: Run { steps: 0, ..turn.run }, ..*turn },
            |turn| Turn { run: Run { steps: turn.run.steps / 2, ..turn.run }, ..*turn },
            |turn| Turn { run: Run { milliseconds: 0, ..turn.run }, ..*turn },
            |turn| Turn { run: Run { milliseconds: turn.run.milliseconds.min(1_000), ..turn.run }, ..*turn },
        ];
        for index in 0..self.best.turns.len() {
            for simpler in simpler {
                let mut smaller = self.best.clone();
                smaller.turns[index] = simpler(&smaller.turns[index]);
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
        let violation = play(&smaller, self.options).violation;
        let fails = matches!(violation, Some(Violation { invariant, .. }) if invariant == self.invariant);
        if fails {
            self.best = smaller;
        }
        fails
    }
}

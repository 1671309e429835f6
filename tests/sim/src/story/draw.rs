//! Drawing a story from two seeds.

use super::{Act, ActKind, Run, Shape, Story, Swarm, Trouble, TroubleKind, Turn};
use crate::{Numbers, Traits, WatcherTraits, chance::Pick};

/// How many devices a story has, each number so many times in 40: most of what can go wrong needs no more than three, and
/// a group costs by the square of its size.
const DEVICES: [(u8, usize); 7] = [(2, 16), (3, 12), (4, 6), (5, 3), (6, 1), (7, 1), (8, 1)];

/// A story of so many acts: what people do comes from `workload`, everything else from `schedule`.
///
/// Which kinds of acts and troubles occur, how often, and how much time passes, is drawn for each story anew: some have
/// no trouble at all, some one kind only, some all.
pub fn draw(workload: u64, schedule: u64, acts: u16) -> Story {
    draw_from(Swarm::default(), workload, schedule, acts)
}

/// The same of these kinds only.
pub fn draw_from(swarm: Swarm, workload: u64, schedule: u64, acts: u16) -> Story {
    let mut people = fastrand::Rng::with_seed(workload);
    let mut fate = fastrand::Rng::with_seed(schedule ^ 0x5eed_5eed_5eed_5eed);
    let sizes: Vec<u8> = DEVICES.iter().flat_map(|(devices, weight)| std::iter::repeat_n(*devices, *weight)).collect();
    let devices = sizes[people.pick(sizes.len())];
    let shape = [Shape::Mesh, Shape::Mesh, Shape::Chain, Shape::Star][fate.pick(4)];
    let habits = Habits::draw(&mut people);
    let weather = Weather::draw(&mut fate);
    let seed = fate.u64(..);
    let turns = (0..acts).map(|number| Turn {
        trouble: weather.trouble(&mut fate, devices),
        act: Some(habits.act(&mut people, devices, number)),
        run: weather.run(&mut fate),
    });
    let turns = turns.collect();
    let platforms = platforms(&mut fate, devices);
    swarm.of(Story { seed, devices, shape, watchers: weather.watchers, platforms, carried: None, turns })
}

/// Who works with an editor that keeps texts saves so many times more often than anything else is done: only the first
/// save after a conflict shows what it was about.
const EDITOR_WEIGHT: usize = 3;

/// What people of one story tend to do.
struct Habits {
    kinds: Vec<ActKind>,
    /// Names and things are taken from the first so many only, so that people meet.
    places: u8,
}

impl Habits {
    fn draw(chance: &mut fastrand::Rng) -> Habits {
        let share = [0.2, 0.5, 1.0][chance.pick(3)];
        let mut kinds: Vec<ActKind> = ActKind::ALL.into_iter().filter(|_| chance.f32() < share).collect();
        kinds.extend([ActKind::Write, ActKind::Edit, ActKind::Delete]);
        let needed: Vec<ActKind> = kinds.iter().filter_map(|kind| kind.needs()).collect();
        kinds.extend(needed);
        if kinds.contains(&ActKind::SaveLoaded) {
            kinds.extend([ActKind::SaveLoaded; EDITOR_WEIGHT]);
        }
        Habits { kinds, places: [2, 4, 12][chance.pick(3)] }
    }

    fn act(&self, chance: &mut fastrand::Rng, devices: u8, number: u16) -> Act {
        let mut kind = self.kinds[chance.pick(self.kinds.len())];
        // Rare, for each costs as much as a hundred others.
        if kind.is_costly() && chance.u8(..8) > 0 {
            kind = ActKind::Write;
        }
        Act { kind, device: chance.u8(..devices), at: chance.u8(..self.places), to: chance.u8(..self.places), number }
    }
}

/// What befalls the group of one story.
struct Weather {
    kinds: Vec<TroubleKind>,
    /// A trouble before one of so many acts; a cure likewise.
    one_in: u8,
    watchers: WatcherTraits,
    is_drawn: bool,
    pace: Pace,
}

/// How much time passes between acts.
#[derive(Clone, Copy)]
enum Pace {
    /// Often none.
    Hurried,
    /// Seconds.
    Steady,
    /// Longer than anyone keeps an old version open in an editor.
    Slow,
}

impl Weather {
    fn draw(chance: &mut fastrand::Rng) -> Weather {
        let share = [0.0, 0.1, 0.3, 0.6, 1.0][chance.pick(5)];
        let troubles = TroubleKind::ALL.into_iter().filter(|kind| !kind.is_cure());
        let mut kinds: Vec<TroubleKind> = troubles.filter(|_| chance.f32() < share).collect();
        let needed: Vec<TroubleKind> = kinds.iter().filter_map(|kind| kind.needs()).collect();
        kinds.extend(needed);
        Weather {
            kinds,
            one_in: [3, 10, 30][chance.pick(3)],
            watchers: watchers(chance),
            is_drawn: chance.u8(..4) > 0,
            pace: [Pace::Hurried, Pace::Steady, Pace::Slow][chance.pick(3)],
        }
    }

    fn trouble(&self, chance: &mut fastrand::Rng, devices: u8) -> Option<Trouble> {
        let cures = TroubleKind::ALL.into_iter().filter(|kind| kind.is_cure());
        let kind = match chance.u8(..self.one_in) {
            0 if !self.kinds.is_empty() => self.kinds[chance.pick(self.kinds.len())],
            1 if !self.kinds.is_empty() => cures.clone().nth(chance.pick(cures.count()))?,
            _ => return None,
        };
        Some(Trouble { kind, device: chance.u8(..devices), other: chance.u8(..devices), amount: chance.u16(..) })
    }

    fn run(&self, chance: &mut fastrand::Rng) -> Run {
        let (steps, milliseconds) = match self.pace {
            Pace::Hurried => (chance.u16(..40), [0, 0, 30, 300][chance.pick(4)]),
            Pace::Steady => (chance.u16(..10), [100, 1_000, 10_000][chance.pick(3)]),
            Pace::Slow => (0, [10_000, 30_000, 60_000, 700_000][chance.pick(4)]),
        };
        Run { is_drawn: self.is_drawn, steps, milliseconds }
    }
}

/// In half of the stories all file systems are alike, in the others each may be of another kind.
fn platforms(chance: &mut fastrand::Rng, devices: u8) -> Vec<Traits> {
    if chance.bool() {
        return Vec::new();
    }
    let platform = |_| Traits {
        numbers: [Numbers::Reused, Numbers::Reused, Numbers::Fresh, Numbers::Hidden][chance.pick(4)],
        coarse: chance.u8(..4) == 0,
        modes: chance.u8(..4) > 0,
        swaps: chance.u8(..4) > 0,
    };
    (0..devices).map(platform).collect()
}

fn watchers(chance: &mut fastrand::Rng) -> WatcherTraits {
    if chance.bool() {
        return WatcherTraits::default();
    }
    let mut one_in = || [0, 2, 5, 30][chance.pick(4)];
    let (lost_one_in, doubled_one_in, merged_one_in, overflowed_one_in) = (one_in(), one_in(), one_in(), one_in());
    let late_ms_max = [0, 50, 2_000][chance.pick(3)];
    WatcherTraits { lost_one_in, doubled_one_in, merged_one_in, overflowed_one_in, late_ms_max, echo: chance.bool() }
}

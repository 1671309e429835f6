//! Drawing a story of rows from two seeds.

use super::{Act, ActKind, Keeper, Story, Trouble, TroubleKind, Turn};
use crate::{
    chance::Pick,
    messages::{Carriage, Weather},
    story::{Run, Shape, Swarm},
};

/// How many devices a story has, each number so many times in 20.
const DEVICES: [(u8, usize); 3] = [(2, 9), (3, 7), (4, 4)];

/// A story of so many acts: what people do comes from `workload`, everything else from `schedule`.
pub fn draw_from(swarm: Swarm, workload: u64, schedule: u64, acts: u16) -> Story {
    let mut people = fastrand::Rng::with_seed(workload);
    let mut fate = fastrand::Rng::with_seed(schedule ^ 0x7ab1_e57a_b1e5);
    let sizes: Vec<u8> = DEVICES.iter().flat_map(|(devices, weight)| std::iter::repeat_n(*devices, *weight)).collect();
    let devices = sizes[people.pick(sizes.len())];
    let habits = Habits::draw(&mut people);
    let climate = Climate::draw(&mut fate);
    let (databases, folders) = ([0.5, 0.8, 1.0][fate.pick(3)], [0.0, 0.0, 0.5, 1.0][fate.pick(4)]);
    let has_files = fate.u8(..4) == 0;
    let keepers = (0..devices).map(|_| Keeper {
        has_database: fate.f32() < databases,
        in_folder: fate.f32() < folders,
        late: (fate.u8(..5) == 0).then(|| fate.u8(..5)),
        has_files,
    });
    let keepers: Vec<Keeper> = keepers.collect();
    let shape = [Shape::Chain, Shape::Star, Shape::Mesh][fate.pick(3)];
    let linked = if folders == 0.0 { 1.0 } else { [0.0, 0.5, 1.0][fate.pick(3)] };
    let links = shape.edges(devices).into_iter().filter(|_| fate.f32() < linked).collect();
    let (seed, sealed) = (fate.u64(..), fate.bool());
    let has_folder = keepers.iter().any(|keeper| keeper.in_folder);
    let turns = (0..acts).map(|number| Turn {
        trouble: climate.trouble(&mut fate, devices),
        act: Some(habits.act(&mut people, devices, number)),
        carriage: climate.carriage(&mut fate).filter(|_| has_folder),
        run: climate.run(&mut fate),
    });
    let turns = turns.collect();
    swarm.of_records(Story { seed, sealed, keepers, links, turns })
}

/// What people of one story tend to do.
struct Habits {
    kinds: Vec<ActKind>,
    /// The tables that they use.
    tables: Vec<u8>,
}

impl Habits {
    fn draw(chance: &mut fastrand::Rng) -> Habits {
        let share = [0.2, 0.5, 1.0][chance.pick(3)];
        let mut kinds: Vec<ActKind> = ActKind::ALL.into_iter().filter(|_| chance.f32() < share).collect();
        kinds.extend([ActKind::Put, ActKind::PutSeveral, ActKind::Change]);
        let mut tables: Vec<u8> = (0..5).filter(|_| chance.f32() < share).collect();
        tables.push(chance.u8(..5));
        Habits { kinds, tables }
    }

    fn act(&self, chance: &mut fastrand::Rng, devices: u8, number: u16) -> Act {
        let mut kind = self.kinds[chance.pick(self.kinds.len())];
        if kind == ActKind::Burst && chance.u8(..4) > 0 {
            kind = ActKind::Put;
        }
        let table = self.tables[chance.pick(self.tables.len())];
        Act { kind, device: chance.u8(..devices), table, amount: chance.u8(..), number }
    }
}

/// What befalls the group of one story.
struct Climate {
    kinds: Vec<TroubleKind>,
    /// A trouble before one of so many acts; a cure likewise.
    one_in: u8,
    /// The service moves in one of so many turns.
    carried_one_in: u8,
    weather: Weather,
    is_drawn: bool,
    pace: usize,
}

/// How much time passes between acts, hurriedly, steadily, slowly.
const PACES: [[u32; 4]; 3] = [[0, 0, 30, 300], [100, 1_000, 3_000, 10_000], [10_000, 60_000, 120_000, 400_000]];

impl Climate {
    fn draw(chance: &mut fastrand::Rng) -> Climate {
        let share = [0.0, 0.1, 0.3, 0.6, 1.0][chance.pick(5)];
        let troubles = TroubleKind::ALL.iter().copied().filter(|kind| !kind.is_cure());
        let mut kinds: Vec<TroubleKind> = troubles.filter(|_| chance.f32() < share).collect();
        let needed: Vec<TroubleKind> = kinds.iter().filter_map(|kind| kind.needs()).collect();
        kinds.extend(needed);
        let mut one_in = || [0, 0, 2, 4, 20][chance.pick(5)];
        let weather = Weather {
            late: one_in(),
            torn: one_in(),
            placeholder: one_in(),
            doubled: one_in(),
            unheard: one_in().min(4),
        };
        Climate {
            kinds,
            one_in: [3, 10, 30][chance.pick(3)],
            carried_one_in: [1, 2, 6][chance.pick(3)],
            weather,
            is_drawn: chance.u8(..4) > 0,
            pace: chance.pick(PACES.len()),
        }
    }

    fn trouble(&self, chance: &mut fastrand::Rng, devices: u8) -> Option<Trouble> {
        let cures: Vec<TroubleKind> = TroubleKind::ALL.iter().copied().filter(|kind| kind.is_cure()).collect();
        let kind = match chance.u8(..self.one_in) {
            0 if !self.kinds.is_empty() => self.kinds[chance.pick(self.kinds.len())],
            1 if !self.kinds.is_empty() => cures[chance.pick(cures.len())],
            _ => return None,
        };
        Some(Trouble { kind, device: chance.u8(..devices), other: chance.u8(..), amount: chance.u16(..) })
    }

    fn carriage(&self, chance: &mut fastrand::Rng) -> Option<Carriage> {
        let moves = chance.u8(..self.carried_one_in) == 0;
        moves.then(|| Carriage { chance: chance.u16(..), weather: self.weather })
    }

    fn run(&self, chance: &mut fastrand::Rng) -> Run {
        let steps = if self.pace == 0 { chance.u16(..40) } else { chance.u16(..10) };
        Run { is_drawn: self.is_drawn, steps, milliseconds: PACES[self.pace][chance.pick(4)] }
    }
}

//! Stories in which a service carries the group's tree in a message folder, beside links or in place of them.

use serde::{Deserialize, Serialize};

use super::{ActKind, Coverage, Run, Story, Swarm, TroubleKind, Turn, draw_from, group::Group};
use crate::{
    Invariant,
    chance::Pick,
    messages::{Carriage, Service, Weather},
};

/// How a service carries the tree.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Carried {
    /// What it carries is sealed.
    pub sealed: bool,
    /// What it does wrong.
    pub weather: Weather,
    /// It moves in one of so many turns.
    pub one_in: u8,
    /// After one of so many turns nobody does anything for some hours.
    pub idle_one_in: u8,
    /// The devices are linked, too.
    pub linked: bool,
}

/// Longer than a content must be dead before its blobs go.
const HOUR_MS: u64 = 3_700_000;

/// Within so many hours all that is dead by then is gone, wherever clocks were moved to.
const HOURS_MAX: u64 = 6;

/// A story of so many acts, drawn as one whose devices are linked is, and then carried.
pub fn draw_carried(swarm: Swarm, workload: u64, schedule: u64, acts: u16) -> Story {
    let story = draw_from(swarm, workload, schedule, acts);
    let mut chance = fastrand::Rng::with_seed(schedule ^ 0xca44_ca44_ca44_ca44);
    let is_calm = chance.u8(..3) == 0;
    let mut one_in = || if is_calm { 0 } else { [0, 0, 2, 4, 20][chance.pick(5)] };
    let weather =
        Weather { late: one_in(), torn: one_in(), placeholder: one_in(), doubled: one_in(), unheard: one_in().min(4) };
    let carried = Carried {
        sealed: chance.bool(),
        weather,
        one_in: [1, 2, 6][chance.pick(3)],
        idle_one_in: [4, 12, 30][chance.pick(3)],
        linked: chance.u8(..4) == 0,
    };
    let turns = story.turns.into_iter().map(|turn| Turn {
        trouble: turn.trouble.filter(|trouble| befalls(trouble.kind)),
        act: turn.act.filter(|act| act.kind != ActKind::CopyRoot),
        run: Run { ..turn.run },
    });
    Story { turns: turns.collect(), carried: Some(carried), ..story }
}

/// Devices that lose what they knew, and what is lost with that, are told of in the stories of message folders.
fn befalls(kind: TroubleKind) -> bool {
    use TroubleKind::{Forget, RollBack, RollBackUnheard, Stranger, TakeImage};
    !matches!(kind, Forget | TakeImage | RollBack | RollBackUnheard | Stranger)
}

/// The service of one story.
pub(crate) struct Courier {
    service: Service,
    carried: Carried,
    chance: fastrand::Rng,
}

impl Courier {
    /// A service that has not met any device.
    pub fn new(carried: Carried, seed: u64) -> Courier {
        Courier { service: Service::default(), carried, chance: fastrand::Rng::with_seed(seed) }
    }

    /// It gets to know all devices' copies of the folder.
    pub fn meet(&mut self, group: &mut Group) {
        for (number, site) in group.sites.iter().enumerate() {
            self.service.meet(number, group.world[*site].message_folder());
        }
    }

    /// A turn is over: it moves, or does not, and some hours pass, or do not.
    pub fn turn(&mut self, group: &mut Group, coverage: &mut Coverage) {
        if self.chance.u8(..self.carried.one_in) == 0 {
            let carriage = Carriage { chance: self.chance.u16(..), weather: self.carried.weather };
            self.carry(group, carriage, coverage);
        }
        if self.chance.u8(..self.carried.idle_one_in) == 0 {
            group.world.narrative().tell("hours pass");
            group.world.pass(HOUR_MS * self.chance.u64(1..3));
        }
    }

    /// Everything comes everywhere as it is, until nothing more comes.
    pub fn carry_all(&mut self, group: &mut Group) {
        let mut coverage = Coverage::default();
        while self.carry(group, Carriage { chance: 0, weather: Weather::default() }, &mut coverage) > 0 {
            group.world.settle();
        }
    }

    fn carry(&mut self, group: &mut Group, carriage: Carriage, coverage: &mut Coverage) -> usize {
        let changes = self.service.carry(&mut group.world, carriage, coverage);
        if changes > 0 {
            group.world.narrative().tell(&format!("the service moves {changes} files"));
        }
        changes
    }

    /// So long after all came to rest that nothing dead is left.
    pub fn pass_hours(&mut self, group: &mut Group) {
        for _ in 0..HOURS_MAX {
            group.world.pass(HOUR_MS);
            self.carry_all(group);
        }
    }

    /// What each device has in the folder for others is what they can ask it for.
    ///
    /// # Panics
    /// If it is not.
    pub fn check(&self, group: &Group) {
        for (number, site) in group.sites.iter().enumerate() {
            let (has, owes) = (group.world[*site].own_blobs(), group.world[*site].owed_blobs());
            let missing: Vec<_> = owes.difference(&has).map(|hash| hash.to_hex()).collect();
            group.world.judge().must(Invariant::NoLoss, missing.is_empty(), || {
                format!(
                    "device {number} told others of contents and has none of these blobs in the folder: {missing:?}"
                )
            });
            let dead: Vec<_> = has.difference(&owes).map(|hash| hash.to_hex()).collect();
            group.world.judge().must(Invariant::Bounds, dead.is_empty(), || {
                format!("device {number} leaves blobs in the folder that nothing needs: {dead:?}")
            });
        }
    }
}

//! Stories: what people do on a group of devices, and what befalls these meanwhile.
//!
//! A story is drawn from two seeds, one for what people do (the workload) and one for what happens around it (the
//! schedule), so that a failure can be made smaller on both sides. Each of its turns is a handful of numbers whose
//! meaning is looked up when it is played: a story from which anything was taken away is still a story.

mod act;
mod carried;
mod coverage;
mod draw;
pub(crate) mod group;
mod play;
mod record;
mod shrink;
mod swarm;
mod trouble;

pub use self::{
    act::{Act, ActKind},
    carried::{Carried, draw_carried},
    coverage::Coverage,
    draw::{draw, draw_from},
    play::{Options, Played, play},
    record::Record,
    shrink::{shrink, shrink_while},
    swarm::{Kind, Swarm},
    trouble::{Trouble, TroubleKind},
};

use serde::{Deserialize, Serialize};

pub(crate) use self::{coverage::work_kind, play::play_traced};
use crate::{Traits, WatcherTraits};

/// A group of devices and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The seed of what chance decides in it, below the level of turns.
    pub seed: u64,
    /// How many devices there are, 2 to 8.
    pub devices: u8,
    /// Who is joined to whom.
    pub shape: Shape,
    /// How its watchers err.
    pub watchers: WatcherTraits,
    /// The file systems of its devices, in order; those of the others are as Linux has them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub platforms: Vec<Traits>,
    /// A message folder carries the tree; else links alone do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub carried: Option<Carried>,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// Which devices are joined.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Shape {
    /// Each to every other.
    Mesh,
    /// Each to the next.
    Chain,
    /// Each to the first.
    Star,
}

impl Shape {
    /// The pairs that are joined among so many devices.
    pub fn edges(self, devices: u8) -> Vec<(u8, u8)> {
        let all = (0..devices).flat_map(|a| (a + 1..devices).map(move |b| (a, b)));
        all.filter(|(a, b)| match self {
            Shape::Mesh => true,
            Shape::Chain => a + 1 == *b,
            Shape::Star => *a == 0,
        })
        .collect()
    }
}

/// One turn: a trouble, then something that someone does, then some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// What befalls the group before.
    pub trouble: Option<Trouble>,
    /// What someone does.
    pub act: Option<Act>,
    /// How the world goes on after it.
    pub run: Run,
}

/// How a world goes on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What happens next is drawn, instead of what was asked for first.
    pub is_drawn: bool,
    /// So many things happen without time moving on.
    pub steps: u16,
    /// Then so much time passes.
    pub milliseconds: u32,
}

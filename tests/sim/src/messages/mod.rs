//! Stories of groups that speak through a message folder: what applications post on a group of devices, what the service
//! that carries the folder makes of it, and what befalls the devices meanwhile.
//!
//! A story is drawn from two seeds as one of file trees is ([`crate::story`]), and each of its turns is a handful of
//! numbers whose meaning is looked up when it is played: a story from which anything was taken away is still a story.

mod act;
mod draw;
mod end;
mod model;
mod play;
mod roll_back;
mod service;
mod shrink;
mod trouble;

use serde::{Deserialize, Serialize};

pub use self::{
    act::{Act, ActKind},
    draw::draw_from,
    play::play,
    service::{Carriage, Weather},
    shrink::shrink_while,
    trouble::{Trouble, TroubleKind},
};
pub(crate) use self::{play::play_traced, service::Service};
use crate::story::Run;

/// A group of devices with a message folder, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The seed of what chance decides in it, below the level of turns.
    pub seed: u64,
    /// The session's messages are sealed.
    pub sealed: bool,
    /// All devices know each other before anything happens.
    pub introduced: bool,
    /// Messages are cleared once all members have them, and before that whatever is superseded.
    #[serde(default)]
    pub clears: bool,
    /// The devices, in order; there are always two at least.
    pub members: Vec<Member>,
    /// The pairs that are linked beside the folder, by their numbers.
    pub links: Vec<(u8, u8)>,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// One device of a story.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Member {
    /// It finds files by probing names instead of listing directories.
    pub probes: bool,
    /// Its application wants message order instead of the order of arrival.
    pub total: bool,
    /// It begins a session of its own, while its service does not reach the others; a smaller one than theirs, or a
    /// larger one.
    pub rival: Option<bool>,
}

/// One turn: a trouble, then something that someone does, then the service moves, then some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// What befalls the group before.
    pub trouble: Option<Trouble>,
    /// What someone does.
    pub act: Option<Act>,
    /// What the service does.
    pub carriage: Option<Carriage>,
    /// How the world goes on after it.
    pub run: Run,
}

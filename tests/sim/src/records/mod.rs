//! Stories of groups whose applications keep rows: what people write, delete and make again on a group of devices, some
//! linked, some with a message folder, some with files beside, and what befalls stores, databases, clocks and links
//! meanwhile.
//!
//! A story is drawn from two seeds as one of file trees is ([`crate::story`]), and each of its turns is a handful of
//! numbers whose meaning is looked up when it is played: a story from which anything was taken away is still a story.

mod act;
mod draw;
mod end;
mod files;
mod model;
mod play;
mod reading;
mod removal;
mod roll_back;
mod sent;
mod shrink;
mod tables;
mod trouble;
mod verdict;

pub(crate) use self::play::play_traced;
use serde::{Deserialize, Serialize};

pub use self::{
    act::{Act, ActKind},
    draw::draw_from,
    play::play,
    shrink::shrink_while,
    trouble::{Trouble, TroubleKind},
};
use crate::{messages::Carriage, story::Run};

/// A group of devices with rows, and what happens to it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Story {
    /// The seed of what chance decides in it, below the level of turns.
    pub seed: u64,
    /// The session's messages are sealed.
    pub sealed: bool,
    /// The devices, in order; there are always two at least.
    pub keepers: Vec<Keeper>,
    /// The pairs that are linked, by their numbers. Where the folder does not join all, who is joined to the first device in
    /// no way is linked to it, too.
    pub links: Vec<(u8, u8)>,
    /// What happens, in order.
    pub turns: Vec<Turn>,
}

/// One device of a story.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keeper {
    /// Its application has a database of its own; else the engine's rows are all there is.
    pub has_database: bool,
    /// It takes part in the message folder.
    pub in_folder: bool,
    /// It knows the table of this number only from its second start on.
    pub late: Option<u8>,
    /// It keeps a folder of files in agreement, too, as all of its group do or none.
    #[serde(default)]
    pub has_files: bool,
}

/// One turn: a trouble, then something that someone does, then the service moves, then some time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Turn {
    /// What befalls the group before.
    pub trouble: Option<Trouble>,
    /// What someone does.
    pub act: Option<Act>,
    /// What the service does that carries the folder.
    pub carriage: Option<Carriage>,
    /// How the world goes on after it.
    pub run: Run,
}

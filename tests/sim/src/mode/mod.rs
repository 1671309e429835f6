//! Ways to play that leave nothing to chance: every crash of a scripted day, and every history of a small world.

pub mod crashes;
pub mod exhaustive;

//! File trees: what the group knows of a root, what should stand on this disk, what was last known to stand there.

mod change;
mod name;

pub use change::{Body, Change};
pub use name::{InvalidName, Name};

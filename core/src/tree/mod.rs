//! File trees: what the group knows of a root (`merged`), what should stand on this disk (`view`), what was last
//! known to stand there (`base`). Two steps, forever: *absorb* turns what differs between disk and base into
//! versions, *project* turns what differs between view and base into disk work.

pub(crate) mod absorb;
pub(crate) mod base;
mod change;
pub(crate) mod conflict;
#[cfg(test)]
mod laws;
pub(crate) mod merged;
mod name;
mod order;
pub(crate) mod path;
pub(crate) mod project;
pub(crate) mod view;

pub use change::{Body, Change};
pub use name::{InvalidName, NAME_BYTES_MAX, Name};
pub use order::ChangeOrder;

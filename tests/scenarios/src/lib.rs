//! A world in memory: devices with folders and stores, engines on them, pipes between them, and time that only the
//! world moves. The same seed gives the same run, whatever the machine does.
//!
//! Beside it stands a small executable [`model`] of the tree's rules, with which the engine is compared.

mod clock;
pub mod digest;
mod disk;
mod host;
pub mod model;
mod pipe;
mod site;
mod store;
mod tap;
mod tree;
mod world;

pub use clock::Clock;
pub use disk::{Disk, Displaced, Fault};
pub use host::Host;
pub use site::{Counts, Site};
pub use store::Store;
pub use tree::{Item, Tree, directory, symlink, tree};
pub use world::{Order, ROOT, SiteId, World};

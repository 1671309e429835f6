//! A world in memory: devices with folders and stores, engines on them, pipes between them, and time that only the
//! world moves. The same seed gives the same run, whatever the machine does.

mod chance;
pub mod digest;
mod disk;
mod judge;
pub mod mode;
pub mod story;
mod trace;
mod tree;
mod world;

pub use disk::{Disk, Displaced, Fault, Faults, Numbers, Open, Reading, Snapshot, Torn, Traits};
pub use judge::{Invariant, Judge, Violation};
pub use trace::Trace;
pub use tree::{Item, Tree, directory, symlink, tree};
pub use world::{
    Asleep, Clock, Counts, Crash, Host, Image, Narrative, Order, ROOT, Site, SiteId, Store, WatcherTraits, World,
};

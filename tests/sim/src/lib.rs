//! A world in memory: devices with folders and stores, engines on them, pipes between them, and time that only the
//! world moves. The same seed gives the same run, whatever the machine does.
//!
//! Every engine in it is the real one. What is simulated is all that it depends on, with all that can go wrong: disks that
//! are full, fail, flip bits and forget what was not yet on them ([`Disk`], [`Store`], [`Crash`]); watchers that lose and
//! merge what they saw ([`WatcherTraits`]); pipes that stall, tarry, flip bits and break ([`World`]); clocks that jump,
//! drift and sleep ([`Clock`]). A [`Judge`] hears what people do and what hosts are asked for and answer, knows nothing of
//! the engine's inside, and stops the world where a promise is broken.
//!
//! # Two devices
//!
//! ```
//! use syncline_sim::{Crash, Tree, World, tree};
//!
//! // Two devices that agree, and still are joined.
//! let (mut world, a, b) = World::pair(1, tree([("notes.md", "first")]), Tree::default());
//! world.unlink(a, b);
//! world.pass(700_000);
//!
//! // People write on both sides; the judge is told what was there before.
//! for (site, text) in [(a, "of one"), (b, "of the other")] {
//!     let before = world[site].tree();
//!     world[site].disk().write("notes.md", text);
//!     world.people_changed(site, &before);
//!     world.rescan(site);
//! }
//!
//! // The second device crashes while they tell each other, after the third piece of work that it does.
//! let works = world[b].counts().performed + 3;
//! world.link(a, b);
//! assert!(world.run_until(|world| world[b].counts().performed >= works));
//! world.crash_by(b, Crash::Process, &mut fastrand::Rng::with_seed(7));
//! world.start(b);
//! world.meet(a, b);
//!
//! // Both folders are equal, nothing is lost, and nothing stands there that nobody wrote.
//! world.assert_equal();
//! assert_eq!(world[a].tree().contents().len(), 2);
//! let histories: Vec<&[u8]> = [a, b].into_iter().flat_map(|site| world[site].displaced()).collect();
//! world.judge().check_rest(&world[a].tree(), &histories);
//! ```
//!
//! # Your own host
//!
//! The engine does no I/O, so an application's own share is its host: what it does with work, when, and in which order.
//! To see that the two agree, let yours do the work of one device of a world:
//!
//! 1. [`Site::hold`] with `|_| true` takes the work of a device from the simulated host: all of it stays in
//!    [`Site::pending`]. (A narrower one leaves it the rest.)
//! 2. [`Site::carry_out`] lets your code do a piece of it on the device's disk and store, at any time and in any order.
//!
//! ```
//! use syncline_sim::{Tree, World, tree};
//!
//! let (mut world, a, b) = World::pair(1, Tree::default(), Tree::default());
//! world[b].hold(|_| true);
//! world[a].disk().write("notes.md", "text");
//! world.rescan(a);
//! while let Some(task) = world[b].pending().last().map(|(task, _)| task) {
//!     // Here the last that was asked for is done first; your own code would stand in place of the simulated host's.
//!     world[b].carry_out(task, |host, work| host.perform(work.clone()));
//!     world.settle();
//! }
//! world.assert_all(&tree([("notes.md", "text")]));
//! ```
//!
//! 3. Let time pass with [`World::pass`], let the devices crash with [`World::crash_by`] and [`World::lose_power`], and let
//!    their disks fail: [`Disk::fault`], [`Disk::space`], [`Disk::fail_commits`], [`Disk::flip`], [`Store::fail`].
//! 4. Tell the judge what people do with [`World::people_changed`], and ask it with [`Judge::check_rest`] when the world is
//!    at rest. A broken promise is a panic that says which; [`Judge::found`] tells it to programs.
//!
//! What your users do is a list of acts: see [`story`] for stories that are drawn from two seeds, told in sentences and made
//! smaller when they fail, and [`mode`] for those that leave nothing to chance.

mod chance;
mod database;
pub mod digest;
mod disk;
pub mod folder;
mod judge;
pub mod messages;
pub mod mode;
pub mod operations;
pub mod records;
pub mod story;
mod tale;
mod trace;
mod tree;
mod world;

pub use database::{Database, Values};
pub use disk::{Disk, Displaced, Fault, Faults, Numbers, Open, Reading, Snapshot, Torn, Traits};
pub use judge::{Invariant, Judge, Violation};
pub use tale::{Genre, Tale};
pub use trace::Trace;
pub use tree::{Item, Tree, directory, symlink, tree};
pub use world::{
    Asleep, Clock, Counts, Crash, FOLDER, GROUP, Host, Image, Narrative, Order, ROOT, Site, SiteId, Store,
    WatcherTraits, World, Written, row, table,
};

//! The Syncline host for desktops and servers.
//!
//! It gives the engine ([`syncline_core`]) what that does not have: a store on disk, the folders themselves, threads and
//! clocks. [`sync`] brings two folders on one machine into agreement, each with an engine of its own. [`folder`] is a folder
//! that something else carries, through which devices give each other messages.

mod disk;
mod error;
mod escape;
pub mod folder;
pub mod messages;
mod root;
mod run;
mod status;
mod store;
pub mod sync;

pub use error::{Error, ErrorClass};
pub use escape::escape;
pub use status::{PartnerReport, RootReport, status};

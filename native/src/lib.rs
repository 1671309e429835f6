//! The Syncline host for desktops and servers.
//!
//! It gives the engine ([`syncline_core`]) what that does not have: a store on disk, the folders themselves, threads and
//! clocks. [`sync`] brings two folders on one machine into agreement, each with an engine of its own. [`folder`] is a folder
//! that something else carries, through which devices give each other messages. [`sqlite`] is an application's own database whose tables are kept in
//! agreement.

mod disk;
mod error;
mod escape;
pub mod folder;
pub mod messages;
pub mod records;
mod root;
mod run;
pub mod sqlite;
mod status;
mod store;
pub mod sync;

pub use error::{Error, ErrorClass};
pub use escape::escape;
pub use status::{PartnerReport, RootReport, status};

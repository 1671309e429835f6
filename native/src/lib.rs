//! The Syncline host for desktops and servers.
//!
//! It gives the engine ([`syncline_core`]) what that does not have: a store on disk, the folders themselves, threads and
//! clocks. [`sync`] brings two folders on one machine into agreement, each with an engine of its own.

pub mod disk;
mod error;
mod escape;
pub mod store;

pub use error::{Error, ErrorClass};
pub use escape::escape;

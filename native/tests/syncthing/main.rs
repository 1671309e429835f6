//! Message folders through real Syncthing: three instances on this machine share a folder, three members exchange messages
//! through it, and nothing goes well for long.
//!
//! `cargo xtask syncthing` runs it, and installs Syncthing where it is missing.

mod carrier;
mod exchange;
mod judge;
mod member;
mod process;
mod troubles;

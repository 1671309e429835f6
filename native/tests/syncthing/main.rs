//! Message folders through real Syncthing: three instances on this machine share a folder, three members exchange messages
//! through it, and nothing goes well for long.
//!
//! `cargo xtask syncthing` runs it; it needs Debian's package `syncthing`, or any other 1.x on the path.

mod carrier;
mod exchange;
mod judge;
mod member;
mod process;
mod troubles;

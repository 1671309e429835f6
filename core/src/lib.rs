//! The Syncline engine.
//!
//! One I/O-free state machine keeps file trees (and later messages and records) in agreement between devices. The host
//! gives [`Engine::handle`] events and carries out the actions that come back; the engine never opens a file, a socket
//! or a clock. The boundary's types are in [`api`].
#![cfg_attr(not(any(feature = "uniffi", feature = "wasm", feature = "simulation", test)), no_std)]
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::arithmetic_side_effects
    )
)]

extern crate alloc;

#[cfg(feature = "uniffi")]
uniffi::setup_scaffolding!();

pub mod api;
pub mod clock;
pub mod content;
pub mod crypto;
pub mod engine;
pub mod folder;
pub mod link;
pub mod log;
pub mod messages;
#[cfg(feature = "planted")]
pub mod planted;
#[cfg(not(feature = "planted"))]
mod planted;
pub mod records;
pub mod tree;

pub use engine::Engine;

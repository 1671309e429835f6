//! `cargo xtask sim`: plays stories, tells which promises break, and whether planted faults are found.

mod command;

use std::process::ExitCode;

/// A story allocates and frees a great deal, in small pieces.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::run()
}

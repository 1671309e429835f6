//! The `syncline` command.

mod command;

use std::process::ExitCode;

/// The engine makes and drops many small values on several threads, which the system's allocator is slow at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    command::main()
}

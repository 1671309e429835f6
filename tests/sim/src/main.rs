//! `cargo xtask sim`: plays stories, tells which promises break, and whether planted faults are found.

mod command;

use std::process::ExitCode;

fn main() -> ExitCode {
    command::run()
}

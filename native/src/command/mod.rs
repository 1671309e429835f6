//! The command line: what can be asked for, and how it ends.

mod args;
mod logs;
mod messages;
mod output;
mod plan;
mod progress;
mod records;
mod status;
mod sync;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use syncline::{Error, ErrorClass};

use args::{Args, Subcommand};
use output::Output;

/// Both folders agree, or what was asked for is done.
const DONE: u8 = 0;
/// It failed.
const FAILED: u8 = 1;
/// What was asked for makes no sense.
const USAGE: u8 = 2;
/// It finished, but something waits for a person.
const WAITING: u8 = 3;
/// It was interrupted at once.
const INTERRUPTED: i32 = 130;

/// Runs the command and tells how it ended.
pub(crate) fn main() -> ExitCode {
    let args = Args::parse();
    ExitCode::from(match args.subcommand {
        Subcommand::Sync(args) => sync::run(&args),
        Subcommand::Status(args) => status::run(&args),
        Subcommand::Messages(command) => messages::run(&command),
        Subcommand::Records(command) => records::run(&command),
        Subcommand::Completions { shell } => {
            let mut text = Vec::new();
            clap_complete::generate(shell, &mut Args::command(), "syncline", &mut text);
            Output::new(false, false).raw(&text);
            DONE
        }
    })
}

/// How a command that failed with this error ends.
fn exit_code(error: &Error) -> u8 {
    match error.class() {
        ErrorClass::Failure => FAILED,
        ErrorClass::Usage => USAGE,
        ErrorClass::Decision => WAITING,
    }
}

//! The workspace's own commands: `cargo xtask test`, `sim`, `fuzz`, `tidy`, `wasm`, `js`, `swift`, `kotlin`, `interop`,
//! `syncthing`, `bench`.
//!
//! Each toolchain is taken in the ordinary way first and by a fallback second; one that cannot be had is a failure.

mod bench;
mod count;
mod fuzz;
mod interop;
mod js;
mod kotlin;
mod report;
mod rust;
mod shell;
mod sim;
mod swift;
mod syncthing;
mod test;
mod tidy;
mod toolchain;
mod traces;
mod uniffi;
mod wasm;
mod workspace;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// The workspace's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Checks and tests everything, or the languages named; prints tests per language and time per phase.
    Test {
        /// Which languages; all if none is named.
        languages: Vec<test::Language>,
    },
    /// Plays stories of people and troubles on groups of devices; `cargo xtask sim --help` tells more.
    #[command(disable_help_flag = true)]
    Sim {
        /// What the simulator is asked.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        flags: Vec<OsString>,
    },
    /// Checks what compilers and linters don't: file lengths, the boundary, bare builds, machine paths, invariants.
    Tidy,
    /// Builds the WebAssembly module and its JavaScript package into js/dist.
    Wasm {
        /// Take Debian's compiler even where rustup has the target.
        #[arg(long)]
        debian: bool,
    },
    /// Builds the WebAssembly package and runs the JavaScript tests.
    Js,
    /// Generates the Swift bindings and runs the Swift tests.
    Swift {
        /// Take the Debian root even where a Swift toolchain is installed.
        #[arg(long)]
        debian: bool,
    },
    /// Generates the Kotlin bindings and runs the Kotlin tests.
    Kotlin,
    /// Exchanges messages between the command and an independent program in Python.
    Interop,
    /// Lets three members exchange messages through real Syncthing while everything is stopped, killed and started again.
    Syncthing,
    /// Measures speed against peers.
    Bench {
        /// Which rows; all if none is named.
        rows: Vec<String>,
        /// Print JSON.
        #[arg(long)]
        json: bool,
    },
    /// Tries inputs on every decoder and on the engine, until one breaks a promise or the time is over.
    Fuzz(fuzz::Options),
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Test { languages } => test::test(&languages)?,
        Command::Sim { flags } => return sim::sim(&flags),
        Command::Tidy => tidy::tidy()?,
        Command::Wasm { debian } => wasm::build(debian)?,
        Command::Js => test::test(&[test::Language::Js])?,
        Command::Swift { debian } => test::swift(debian)?,
        Command::Kotlin => test::test(&[test::Language::Kotlin])?,
        Command::Interop => test::interop()?,
        Command::Syncthing => test::syncthing()?,
        Command::Bench { rows, json } => bench::bench(&rows, json)?,
        Command::Fuzz(options) => fuzz::fuzz(&options)?,
    }
    Ok(ExitCode::SUCCESS)
}

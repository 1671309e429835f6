//! `cargo xtask sim`: builds the simulator for speed and passes on what it is asked.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::shell::{capture, command, run};
use crate::{traces, workspace};

/// How many drawn stories of file trees a test run plays.
const TREE_STORIES: &str = "20000";
/// And of message folders.
const FOLDER_STORIES: &str = "1000";
/// And of rows.
const RECORD_STORIES: &str = "1000";
/// How many acts each of them has.
const ACTS: &str = "60";

/// Runs the simulator in the caller's folder, with its own output and exit status.
///
/// # Errors
/// It does not build, or cannot be started.
pub fn sim(flags: &[OsString]) -> Result<ExitCode> {
    let (wasm, flags): (Vec<_>, Vec<_>) = flags.iter().cloned().partition(|flag| flag == "--wasm");
    if !wasm.is_empty() {
        return traces::compare(&flags).map(|()| ExitCode::SUCCESS);
    }
    let mut simulator = Command::new(build()?);
    simulator.args(flags);
    replace(simulator)
}

/// Plays the kept stories and drawn ones, others for each commit.
///
/// # Errors
/// It does not build, or a promise is broken, or a kind of thing never happened.
pub fn test() -> Result<()> {
    let (simulator, seed) = (build()?, seed());
    let drawn = ["--seed", &seed, "--acts", ACTS];
    run(command(&simulator, drawn.into_iter().chain(["--runs", TREE_STORIES])))?;
    run(command(&simulator, drawn.into_iter().chain(["--runs", FOLDER_STORIES, "--folders", "--fresh"])))?;
    run(command(&simulator, drawn.into_iter().chain(["--runs", RECORD_STORIES, "--records", "--fresh"])))
}

/// The seed of a test run's stories: fresh with each commit, and the same whenever that commit is tested, so that what
/// failed fails again. Where there is no history it is 0.
fn seed() -> String {
    let commit = capture(command("git", ["rev-parse", "HEAD"])).unwrap_or_default();
    let number = commit.get(..8).and_then(|digits| u64::from_str_radix(digits, 16).ok());
    number.unwrap_or(0).to_string()
}

/// The simulator, built for speed.
///
/// # Errors
/// It does not build.
pub fn build() -> Result<PathBuf> {
    let package = ["build", "--quiet", "--release", "--package", "syncline-sim", "--bin", "syncline-sim"];
    let mut cargo = Command::new("cargo");
    cargo.args(package).args(["--features", "command,planted"]).current_dir(workspace::root());
    let status = cargo.status().context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "the simulator does not build: {status}");
    Ok(workspace::target().join("release").join(format!("syncline-sim{}", std::env::consts::EXE_SUFFIX)))
}

/// Becomes the simulator, so that Ctrl-C reaches it alone.
#[cfg(unix)]
fn replace(mut simulator: Command) -> Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = simulator.exec();
    Err(error).context("cannot start the simulator")
}

/// Runs the simulator and ends as it did.
#[cfg(not(unix))]
fn replace(mut simulator: Command) -> Result<ExitCode> {
    let status = simulator.status().context("cannot start the simulator")?;
    let code = status.code().and_then(|code| u8::try_from(code).ok());
    Ok(code.map_or(ExitCode::FAILURE, ExitCode::from))
}

//! `cargo xtask sim`: builds the simulator for speed and passes on what it is asked.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::{Command, ExitCode};

use anyhow::{Context, Result};

use crate::shell::{command, run};
use crate::{traces, workspace};

/// The drawn stories that a test run plays: always the same ones, until 20,000 fresh ones pass.
const STORIES: [&str; 6] = ["--seed", "0", "--runs", "500", "--acts", "60"];

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

/// Plays the kept stories and the first drawn ones.
///
/// # Errors
/// It does not build, or a promise is broken, or a kind of thing never happened.
pub fn test() -> Result<()> {
    let simulator = build()?;
    run(command(&simulator, STORIES))?;
    run(command(&simulator, STORIES.into_iter().chain(["--folders", "--fresh"])))
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

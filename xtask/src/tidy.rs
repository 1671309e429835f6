//! `cargo xtask tidy`: what compilers and linters don't check.

mod boundary;
mod invariants;
mod length;
mod places;

use std::path::PathBuf;

use anyhow::{Context, Result, bail};

use crate::shell::{command, run};
use crate::{toolchain, workspace};

/// Targets without an operating system: a browser's, and one where `std` does not exist.
const BARE_TARGETS: [&str; 2] = ["wasm32-unknown-unknown", "thumbv7em-none-eabi"];

/// One thing that is not as it should be.
#[derive(Debug, PartialEq, Eq)]
pub struct Finding {
    /// Where: a path, with a line where one can be named.
    pub place: String,
    /// What was expected, what was found, what to do.
    pub message: String,
}

/// A text file of the workspace.
pub struct Source {
    /// Its path below the root, with `/` between names.
    pub path: String,
    /// What it holds.
    pub text: String,
}

/// Checks the workspace.
///
/// # Errors
/// Something is untidy, `core` does not build for a bare target, or such a target cannot be had.
pub fn tidy() -> Result<()> {
    let sources = read(workspace::files()?)?;
    let mut findings = Vec::new();
    findings.extend(length::check(&sources));
    findings.extend(boundary::check(&sources)?);
    findings.extend(places::check(&sources, workspace::root())?);
    findings.extend(invariants::check(&sources)?);
    for finding in &findings {
        println!("{}: {}", finding.place, finding.message);
    }
    if !findings.is_empty() {
        bail!("{} places are untidy: {}", findings.len(), findings[0].place);
    }
    println!("{} files are tidy", sources.len());

    for target in BARE_TARGETS {
        toolchain::add_target(target)?;
        run(command("cargo", ["check", "--package", "syncline-core", "--target", target]))
            .with_context(|| format!("syncline-core does not build for {target}: it must do without std"))?;
    }
    Ok(())
}

/// The files that are text; others are no concern of these checks.
fn read(paths: Vec<PathBuf>) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in paths {
        let bytes = std::fs::read(workspace::root().join(&path))?;
        if let Ok(text) = String::from_utf8(bytes) {
            sources.push(Source { path: path.to_string_lossy().replace('\\', "/"), text });
        }
    }
    Ok(sources)
}

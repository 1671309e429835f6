//! The library for Swift and Kotlin, and their generated code.

use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::shell::{command, run};
use crate::{toolchain, workspace};

/// Builds the library, shared and static, and returns the folder it lies in.
///
/// # Errors
/// It does not build.
pub fn build() -> Result<PathBuf> {
    run(command("cargo", ["build", "--package", "syncline-uniffi"]))?;
    Ok(workspace::target().join("debug"))
}

/// Writes a language's code for the library in `libraries` to `folder`.
///
/// # Errors
/// The generator does not build, or fails.
pub fn generate(libraries: &Path, language: &str, folder: &Path) -> Result<()> {
    let library = format!("{}syncline_uniffi{}", std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let mut generate = command(toolchain::generator("generate-uniffi")?, ["generate", "--library"]);
    generate.arg(libraries.join(library)).args(["--language", language, "--no-format", "--out-dir"]).arg(folder);
    run(generate)
}

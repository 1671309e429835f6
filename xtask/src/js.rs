//! `cargo xtask js`: the npm package's tests, under Node's own runner.

use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::count::{self, Count};
use crate::shell::{answers, command, run};
use crate::workspace;

/// The npm package.
pub fn folder() -> PathBuf {
    workspace::root().join("js")
}

/// A program of the package's development dependencies.
pub fn tool(name: &str) -> PathBuf {
    folder().join("node_modules/.bin").join(name)
}

/// Installs the development dependencies, exactly as locked.
///
/// # Errors
/// There is no npm, or it fails.
pub fn install() -> Result<()> {
    let lock = folder().join("package-lock.json");
    // npm writes this file when it is done.
    let installed = folder().join("node_modules/.package-lock.json");
    let modified = |path| std::fs::metadata(path).and_then(|metadata| metadata.modified());
    if modified(&installed).is_ok_and(|installed| modified(&lock).is_ok_and(|lock| lock <= installed)) {
        return Ok(());
    }
    let mut npm = command("npm", ["ci", "--no-audit", "--no-fund"]);
    npm.current_dir(folder());
    run(npm).context("expected npm's packages: install Node 20 or newer with npm")
}

/// Compiles the tests against the built package's declarations and runs them.
///
/// # Errors
/// There is no Node, or the tests do not compile.
pub fn test() -> Result<Count> {
    anyhow::ensure!(answers("node", &["--version"]), "expected Node 20 or newer, found none: install it");
    workspace::clear(&folder().join("build"))?;
    let mut compiler = command(tool("tsc"), ["--project", "test"]);
    compiler.current_dir(folder());
    run(compiler)?;
    let mut node = command("node", ["--test", "--test-reporter=spec", "build/"]);
    node.current_dir(folder());
    count::tests(node, count::node)
}

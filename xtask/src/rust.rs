//! The Rust part of `cargo xtask test`.

use anyhow::{Context, Result};
use regex::Regex;

use crate::count::{self, Count};
use crate::shell::{command, run};
use crate::{toolchain, workspace};

/// A check and its name.
type Check = (&'static str, fn() -> Result<()>);

/// What must hold before the tests are worth running.
pub const CHECKS: &[Check] = &[
    ("rust: format", format),
    ("rust: lint", lint),
    ("rust: documentation", documentation),
    ("rust: dependencies", dependencies),
    ("rust: oldest compiler", oldest_compiler),
];

/// Runs the workspace's tests.
///
/// # Errors
/// They do not build.
pub fn test() -> Result<Count> {
    count::tests(command("cargo", ["test", "--workspace", "--no-fail-fast"]), count::cargo)
}

fn format() -> Result<()> {
    run(command("cargo", ["fmt", "--all", "--check"]))
}

/// With and without features, for code that one of them hides. xtask only without: its feature compiles for minutes and
/// hides two files of twenty lines, which the other languages' commands build.
fn lint() -> Result<()> {
    let everything = ["clippy", "--workspace", "--all-targets", "--keep-going", "--", "-D", "warnings"];
    run(command("cargo", everything))?;
    let features = ["clippy", "--workspace", "--exclude", "xtask", "--all-targets", "--all-features", "--keep-going"];
    run(command("cargo", features.into_iter().chain(["--", "-D", "warnings"])))
}

/// With private items: the code map in the modules' own documentation is for those who work on them.
fn documentation() -> Result<()> {
    let mut cargo = command("cargo", ["doc", "--workspace", "--exclude", "xtask", "--no-deps", "--all-features"]);
    cargo.args(["--document-private-items", "--keep-going"]);
    cargo.env("RUSTDOCFLAGS", "-D warnings");
    run(cargo)
}

/// Advisories need a database from the network and run separately: `cargo deny check advisories`.
fn dependencies() -> Result<()> {
    let program = toolchain::cargo_deny()?;
    let deny = command(program, ["--all-features", "check", "bans", "licenses", "sources"]);
    run(deny)
}

/// The workspace compiles with the oldest compiler that its packages claim to work with.
fn oldest_compiler() -> Result<()> {
    let manifest = std::fs::read_to_string(workspace::root().join("Cargo.toml"))?;
    let version = Regex::new(r#"(?m)^rust-version = "([^"]+)""#)?
        .captures(&manifest)
        .map(|found| found[1].to_owned())
        .context("expected a rust-version in Cargo.toml, found none")?;
    toolchain::add_compiler(&version)?;
    let mut cargo = command("rustup", ["run", &version, "cargo", "check", "--workspace", "--exclude", "xtask"]);
    // In a folder of its own, so that documentation and tests, built by the newer one, stay as they are.
    cargo.arg("--target-dir").arg(workspace::target().join("oldest"));
    run(cargo)
}

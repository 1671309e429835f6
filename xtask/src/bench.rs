//! `cargo xtask bench`: measures speed against peers, in a workspace of its own so that peers burden no other build.

use anyhow::Result;

use crate::shell::{command, run};

/// Measures these rows; all if none is named.
///
/// # Errors
/// The benchmarks do not build, or a row fails.
pub fn bench(rows: &[String], json: bool) -> Result<()> {
    let mut cargo =
        command("cargo", ["run", "--quiet", "--release", "--manifest-path", "tests/bench/Cargo.toml", "--"]);
    cargo.args(rows);
    if json {
        cargo.arg("--json");
    }
    run(cargo)
}

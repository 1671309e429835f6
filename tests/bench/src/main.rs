//! Measures Syncline against its peers: `cargo xtask bench [row…] [--json]`.
//!
//! Every target is a ratio to a peer that is run in turn with ours, on the same data, in the same minute: machines are
//! shared and drift, ratios much less so. `docs/benchmarks.md` keeps the last figures.

mod data;
mod measure;
mod process;
mod report;
mod rows;

use std::process::ExitCode;

use anyhow::{Result, bail};
use clap::Parser;

use crate::measure::Runs;
use crate::report::Reporter;
use crate::rows::ROWS;

/// Measures Syncline against its peers on the same data in the same minute.
#[derive(Parser)]
struct Arguments {
    /// Rows to measure; all if none is named.
    rows: Vec<String>,
    /// One line of JSON a measurement instead of a table.
    #[arg(long)]
    json: bool,
    /// Runs of each side.
    #[arg(long, default_value_t = 7, value_parser = clap::value_parser!(u32).range(5..=101))]
    runs: u32,
    /// Names the rows and ends.
    #[arg(long)]
    list: bool,
}

fn main() -> Result<ExitCode> {
    let arguments = Arguments::parse();
    if arguments.list {
        for row in ROWS {
            println!("{:<12} {}", row.name, row.what);
        }
        return Ok(ExitCode::SUCCESS);
    }
    for name in &arguments.rows {
        if !ROWS.iter().any(|row| row.name == name) {
            let known: Vec<&str> = ROWS.iter().map(|row| row.name).collect();
            bail!("expected one of the rows {}, found `{name}`", known.join(", "));
        }
    }
    let mut reporter = Reporter::new(arguments.json);
    for row in ROWS {
        if arguments.rows.is_empty() || arguments.rows.iter().any(|name| name == row.name) {
            (row.run)(Runs(arguments.runs), &mut reporter.row(row.name))?;
        }
    }
    // A missed target is a finding, not a failure of the measurement.
    Ok(ExitCode::SUCCESS)
}

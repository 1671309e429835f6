//! Row `hash-small`: 10,000 files of 4 KiB in memory.

use std::hint::black_box;

use anyhow::Result;
use syncline_core::content;

use crate::data::noise;
use crate::measure::{Comparison, Runs, Target, gigabytes_per_second, in_turn};
use crate::report::RowReporter;

const FILES: usize = 10_000;
const FILE: usize = 4096;
/// One pass takes some 20 ms, in which a single interruption is a tenth.
const PASSES: usize = 10;

/// Measures the row.
pub fn run(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    let bytes = noise("hash-small", FILES * FILE);
    let files: Vec<&[u8]> = bytes.chunks(FILE).collect();
    let ours = || {
        for file in files.iter().cycle().take(PASSES * FILES) {
            black_box(content::hash(file).expect("the file is small enough"));
        }
    };
    let theirs = || {
        for file in files.iter().cycle().take(PASSES * FILES) {
            black_box(blake3::hash(file));
        }
    };
    let (ours, theirs) = in_turn(Runs(runs.0 * 2 + 1), ours, theirs);
    report.tell(&Comparison {
        what: "content ids, 1 thread".to_owned(),
        peer: "one blake3 call a file".to_owned(),
        unit: "GB/s",
        ours: gigabytes_per_second(PASSES * FILES * FILE, &ours),
        theirs: gigabytes_per_second(PASSES * FILES * FILE, &theirs),
        target: Target::AtLeast(1.0),
    });
    Ok(())
}

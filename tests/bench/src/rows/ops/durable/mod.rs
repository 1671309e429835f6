//! Row `ops-durable`: updates that are on disk before they are acknowledged, a batch after the other.

mod databases;
mod replica;

use std::collections::HashSet;
use std::fs;
use std::path::Path;
use std::time::Instant;

use anyhow::{Result, ensure};

use self::databases::{Redb, Sqlite};
use self::replica::Replica;
use super::data::{Update, updates};
use crate::data::Place;
use crate::measure::{Comparison, Runs, Target, in_turn_by};
use crate::report::RowReporter;

/// Something that keeps updates.
trait Keeper: Sized {
    /// A new one in an empty directory.
    fn create(directory: &Path) -> Result<Self>;
    /// Takes a batch; it is on disk when this returns.
    fn take(&mut self, batch: &[Update]) -> Result<()>;
    /// How many rows are kept.
    fn rows(&self) -> Result<usize>;
}

/// Saves them.
pub fn durable(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    report.note(
        "ours: the whole engine over redb as the host has it: rows read, operations signed, message and rows saved",
    );
    report.note(
        "peers: the values alone, one transaction a batch; redb as it is by default, SQLite WAL, synchronous=FULL",
    );
    let updates = updates();
    for place in Place::all()? {
        for batch in [1_000, 10] {
            // Small batches on a disk wait for it each time.
            let count = match (place.kind, batch) {
                (_, 1_000) => updates.len(),
                ("tmpfs", _) => 20_000,
                _ => 3_000,
            };
            let updates = &updates[..count];
            let mut told = |peer: &str, theirs: &mut dyn FnMut() -> Result<f64>| -> Result<()> {
                let (ours, theirs) = in_turn_by(runs, || speed::<Replica>(&place, updates, batch), theirs)?;
                report.tell(&Comparison {
                    what: format!("batches of {batch}, {}", place.kind),
                    peer: peer.to_owned(),
                    unit: "k/s",
                    ours,
                    theirs,
                    target: Target::AtLeast(1.0),
                });
                Ok(())
            };
            told("redb", &mut || speed::<Redb>(&place, updates, batch))?;
            told("SQLite FULL", &mut || speed::<Sqlite>(&place, updates, batch))?;
        }
    }
    Ok(())
}

/// Thousands of updates a second, each batch acknowledged before the next is given.
fn speed<K: Keeper>(place: &Place, updates: &[Update], batch: usize) -> Result<f64> {
    let directory = place.path("keeper");
    fs::create_dir(&directory)?;
    let mut keeper = K::create(&directory)?;
    let start = Instant::now();
    for batch in updates.chunks(batch) {
        keeper.take(batch)?;
    }
    let seconds = start.elapsed().as_secs_f64();
    let expected = updates.iter().map(|update| &update.key).collect::<HashSet<_>>().len();
    let rows = keeper.rows()?;
    ensure!(rows == expected, "expected {expected} rows, found {rows}");
    drop(keeper);
    fs::remove_dir_all(&directory)?;
    Ok(updates.len() as f64 / seconds / 1e3)
}

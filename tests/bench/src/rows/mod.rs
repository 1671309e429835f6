//! The rows: what is measured against whom, and what must come out.

mod catch_up;
mod folder;
mod hash;
mod hash_small;
mod local;
mod ops;
mod stamp;

use anyhow::Result;

use crate::measure::Runs;
use crate::report::RowReporter;

/// A row of the table.
pub struct Row {
    /// Its name on the command line.
    pub name: &'static str,
    /// What it measures.
    pub what: &'static str,
    /// Measures it.
    pub run: fn(Runs, &mut RowReporter<'_>) -> Result<()>,
}

/// All rows, in the order they are run.
pub const ROWS: &[Row] = &[
    Row { name: "hash", what: "chunk list and content id of 1 GiB, against fastcdc and blake3", run: hash::run },
    Row { name: "hash-small", what: "content ids of 10,000 files of 4 KiB, against blake3", run: hash_small::run },
    Row { name: "stamp", what: "stamps issued and observed, against uhlc", run: stamp::run },
    Row { name: "folder-list", what: "10 new of 1,000,000 messages by listing, against getdents64", run: folder::list },
    Row { name: "folder-probe", what: "10 new of 1,000,000 messages by probing, against access()", run: folder::probe },
    Row { name: "local-small", what: "`sync --once` of 10,000 files of 4 KiB, against rsync", run: local::small },
    Row { name: "local-big", what: "`sync --once` of one file of 1 GiB, against rsync", run: local::big },
    Row { name: "ops-generate", what: "100,000 updates of rows, against yrs and loro", run: ops::generate },
    Row { name: "ops-merge", what: "the same merged into a fresh replica, against yrs and loro", run: ops::merge },
    Row { name: "ops-size", what: "bytes of the same, against automerge", run: ops::size },
    Row { name: "ops-durable", what: "the same saved batch by batch, against redb and SQLite", run: ops::durable },
    Row { name: "catch-up", what: "what is missing of 1,000,000 entries, against negentropy", run: catch_up::run },
];

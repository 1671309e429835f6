//! One set of operations on rows, written down (`tests/vectors/records.json`), and what engines make of it: the same rows,
//! in whatever order, batches and repetition it comes.

mod deliver;
mod write;

use std::collections::BTreeMap;

use serde::Deserialize;
use syncline_core::api::{Method, TableConfig};

pub use self::deliver::digests;

/// Operations of several authors, and the digest of the rows that they come to.
#[derive(Debug, Clone, Deserialize)]
pub struct OperationSet {
    /// The tables.
    pub tables: Vec<TableConfig>,
    /// What all times count from, in nanoseconds since 1970.
    pub since_ns: u64,
    /// The operations, in no order that matters.
    pub operations: Vec<Operation>,
    /// What authors whose clocks were ahead take back.
    pub retractions: Vec<Retraction>,
    /// The BLAKE3 hash of all rows, deleted ones included, table by table and in the order of their keys, as postcard: a list of
    /// `RowState`.
    pub digest: String,
}

/// An operation, by an author whose id and secret key are its number repeated.
#[derive(Debug, Clone, Deserialize)]
pub struct Operation {
    /// Who issued it.
    pub author: u8,
    /// Its stamp.
    pub at_ns: u64,
    /// What it says.
    pub method: Method,
    /// The row's table.
    pub table: String,
    /// The row's key.
    pub key: String,
    /// The values that it writes.
    #[serde(default)]
    pub values: BTreeMap<String, String>,
}

/// No operation of this author counts that is stamped later.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Retraction {
    /// Whose clock was ahead.
    pub author: u8,
    /// From when on.
    pub after_ns: u64,
}

//! The simulator in WebAssembly: the same seeds must give the same traces as natively, and the same operations the same rows.

use syncline_sim::{
    Genre, Tale,
    operations::{self, OperationSet},
    story::Swarm,
};
use wasm_bindgen::prelude::wasm_bindgen;

/// The trace of a drawn story of a kind as 64 hexadecimal digits; see `syncline_sim::Tale::trace`. A story that breaks a
/// promise ends the module.
///
/// # Errors
/// There is no such kind.
#[wasm_bindgen]
pub fn trace(genre: &str, workload: u64, schedule: u64, acts: u16) -> Result<String, String> {
    let genre = Genre::from_name(genre).ok_or_else(|| format!("expected a kind of stories, found `{genre}`"))?;
    let tale = Tale::draw(genre, Swarm::default(), workload, schedule, acts);
    tale.trace().map(|trace| trace.to_string()).map_err(|violation| violation.to_string())
}

/// The digests of the rows that the operations of a vector come to on several devices, in the order that a seed draws; see
/// `syncline_sim::operations::digests`.
///
/// # Errors
/// The text is no vector.
#[wasm_bindgen]
pub fn digests(vector: &str, seed: u64) -> Result<Vec<String>, String> {
    let set: OperationSet = serde_json::from_str(vector).map_err(|error| error.to_string())?;
    Ok(operations::digests(&set, seed).iter().map(ToString::to_string).collect())
}

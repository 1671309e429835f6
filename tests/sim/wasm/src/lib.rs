//! The simulator in WebAssembly: the same seeds must give the same traces as natively.

use wasm_bindgen::prelude::wasm_bindgen;

/// The trace of a story as 64 hexadecimal digits; see `syncline_sim::story::trace`. A story that breaks a promise ends the
/// module.
///
/// # Errors
/// None that is returned: a panic ends the module before.
#[wasm_bindgen]
pub fn trace(workload: u64, schedule: u64, acts: u16) -> Result<String, String> {
    let trace = syncline_sim::story::trace(workload, schedule, acts).map_err(|violation| violation.to_string())?;
    Ok(trace.to_string())
}

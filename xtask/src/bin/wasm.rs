//! Makes the JavaScript glue and TypeScript declarations of a compiled WebAssembly module.
//!
//! `generate-wasm <module.wasm> <output folder> <name>`; `cargo xtask wasm` runs it.

use std::path::PathBuf;

use anyhow::Context;
use wasm_bindgen_cli_support::Bindgen;

fn main() -> anyhow::Result<()> {
    let mut arguments = std::env::args_os().skip(1);
    let mut next = |what: &str| arguments.next().with_context(|| format!("expected {what}, found no more arguments"));
    let module = PathBuf::from(next("the compiled module's path")?);
    let folder = PathBuf::from(next("the output folder")?);
    let name = next("the package's name")?;
    // One module for every platform: the entries for Node and bundlers differ only in how they load it.
    Bindgen::new().input_path(module).bundler(true)?.typescript(true).out_name(&name.to_string_lossy()).generate(folder)
}

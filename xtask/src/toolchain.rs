//! Compilers and cargo tools that are fetched when missing.

use std::ffi::OsString;
use std::path::PathBuf;

use anyhow::{Context, Result};

use crate::shell::{answers, capture, command, run};
use crate::workspace;

/// Whether the compiler in use can build for this target: its standard library lies in the compiler's own folder.
///
/// # Errors
/// There is no compiler.
pub fn has_target(target: &str) -> Result<bool> {
    let sysroot = PathBuf::from(capture(command("rustc", ["--print", "sysroot"]))?);
    Ok(sysroot.join("lib/rustlib").join(target).join("lib").is_dir())
}

/// Makes a target available with rustup, if it is not.
///
/// # Errors
/// There is no rustup, or it does not get the target.
pub fn add_target(target: &str) -> Result<()> {
    if has_target(target)? {
        return Ok(());
    }
    println!("the target {target} is missing: rustup shall get it");
    run(command("rustup", ["target", "add", target]))
        .with_context(|| format!("expected the target {target}, rustup did not get it"))
}

/// Makes a compiler of this version available with rustup, if it is not.
///
/// # Errors
/// There is no rustup, or it does not get the compiler.
pub fn add_compiler(version: &str) -> Result<()> {
    if answers("rustup", &["run", version, "rustc", "--version"]) {
        return Ok(());
    }
    println!("Rust {version} is missing: rustup shall get it");
    run(command("rustup", ["toolchain", "install", version, "--profile", "minimal"]))
        .with_context(|| format!("expected Rust {version}, rustup did not get it"))
}

/// The `cargo-deny` to run: the one on the path, else one built into the cache.
///
/// # Errors
/// It does not build.
pub fn cargo_deny() -> Result<OsString> {
    cargo_tool("cargo-deny")
}

/// The `cargo-fuzz` to run, likewise.
///
/// # Errors
/// It does not build.
pub fn cargo_fuzz() -> Result<OsString> {
    cargo_tool("cargo-fuzz")
}

fn cargo_tool(name: &str) -> Result<OsString> {
    if answers(name, &["--version"]) {
        return Ok(name.into());
    }
    let folder = workspace::cache()?.join(name);
    let program = folder.join("bin").join(name);
    if !program.is_file() {
        println!("{name} is missing: it is built into the cache, which takes minutes");
        let mut install = command("cargo", ["install", name, "--locked", "--root"]);
        install.arg(&folder);
        run(install).with_context(|| format!("expected {name}, it could not be installed"))?;
    }
    Ok(program.into())
}

/// A generator of bindings to run, one of xtask's own programs: built in the cache, so that a new clone does not build it
/// again.
///
/// # Errors
/// It does not build.
pub fn generator(name: &str) -> Result<PathBuf> {
    let folder = workspace::cache()?.join("generators");
    let mut build = command("cargo", ["build", "--package", "xtask", "--features", "generators", "--bin", name]);
    build.arg("--target-dir").arg(&folder);
    run(build).with_context(|| format!("expected the generator {name}, it does not build"))?;
    Ok(folder.join("debug").join(name))
}

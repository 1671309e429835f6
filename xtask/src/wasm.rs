//! `cargo xtask wasm`: the WebAssembly module and its glue, in js/dist.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::shell::{capture, command, run};
use crate::{js, toolchain, workspace};

const TARGET: &str = "wasm32-unknown-unknown";
const BUILD: [&str; 6] = ["build", "--target", TARGET, "--profile", "wasm", "--package"];

/// Builds js/dist: one module, small, with the glue and the declarations for every platform.
///
/// # Errors
/// No compiler for WebAssembly can be had, or a step fails.
pub fn build(debian: bool) -> Result<()> {
    let module = compile("syncline-wasm", debian)?;
    let folder = js::folder().join("dist");
    workspace::clear(&folder)?;
    generate(&module, &folder, "syncline")?;
    js::install()?;
    optimize(&folder.join("syncline_bg.wasm"))?;
    for licence in ["LICENSE-MIT", "LICENSE-APACHE"] {
        std::fs::copy(workspace::root().join(licence), folder.join(licence))?;
    }
    Ok(())
}

/// The compiled module of a package.
///
/// # Errors
/// No compiler for WebAssembly can be had, or it fails.
pub fn compile(package: &str, debian: bool) -> Result<PathBuf> {
    if debian {
        return compile_with_debian(package);
    }
    if let Err(error) = toolchain::add_target(TARGET) {
        println!("{error:#}\nDebian's compiler is taken instead");
        return compile_with_debian(package);
    }
    run(command("cargo", BUILD.into_iter().chain([package])))?;
    Ok(module(&workspace::target(), package))
}

/// Debian's security archive has one matching set of compiler, cargo and the standard library's source, which is
/// compiled along. It brings no linker for WebAssembly: rustup's toolchains do.
fn compile_with_debian(package: &str) -> Result<PathBuf> {
    let (rustc, cargo) = (Path::new("/usr/bin/rustc"), Path::new("/usr/bin/cargo"));
    if !rustc.exists() || !cargo.exists() {
        let packages = ["install", "-y", "--no-install-recommends", "rustc-web", "cargo-web", "rust-web-src"];
        run(command("apt-get", packages))
            .context("expected Debian's packages rustc-web, cargo-web and rust-web-src")?;
    }
    let host = capture(command("rustc", ["--print", "host-tuple"]))?;
    let sysroot = PathBuf::from(capture(command("rustc", ["--print", "sysroot"]))?);
    let linkers = sysroot.join("lib/rustlib").join(host).join("bin");
    ensure!(linkers.join("rust-lld").exists(), "expected rust-lld in {}, found none", linkers.display());
    let path = std::env::var_os("PATH").unwrap_or_default();
    let path = std::env::join_paths(std::iter::once(linkers).chain(std::env::split_paths(&path)))?;

    let folder = workspace::target().join("wasm-debian");
    let mut build = command(cargo, BUILD.into_iter().chain([package]));
    build.args(["-Z", "build-std=std,panic_abort", "--target-dir"]).arg(&folder);
    // Building the standard library is an unstable option, which a stable compiler takes with this variable.
    build.env("RUSTC", rustc).env("RUSTC_BOOTSTRAP", "1").env("PATH", path).env_remove("RUSTUP_TOOLCHAIN");
    run(build)?;
    Ok(module(&folder, package))
}

fn module(target: &Path, package: &str) -> PathBuf {
    target.join(TARGET).join("wasm").join(format!("{}.wasm", package.replace('-', "_")))
}

/// The glue of a module, and the module as the glue wants it, under this name in a folder.
///
/// # Errors
/// The generator does not build, or fails.
pub fn generate(module: &Path, folder: &Path, name: &str) -> Result<()> {
    let generator = toolchain::generator("generate-wasm")?;
    run(command(generator, [module, folder, Path::new(name)]))
}

fn optimize(module: &Path) -> Result<()> {
    let size = |path: &Path| std::fs::metadata(path).map(|metadata| metadata.len());
    let before = size(module)?;
    // The module names the features it was built with, and no more may be used: Node 20 must load the result.
    let mut optimizer = command(js::tool("wasm-opt"), ["-Oz", "-o"]);
    optimizer.arg(module).arg(module);
    run(optimizer)?;
    println!("{}: {before} bytes, optimized {}", module.display(), size(module)?);
    Ok(())
}

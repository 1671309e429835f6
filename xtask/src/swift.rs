//! `cargo xtask swift`: the Swift package's tests.
//!
//! A Swift toolchain on the path is taken as it is. Without one, on Linux, Debian's own packages are unpacked into a root
//! in the cache, and Swift runs there, seeing of the host only the package's folder.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};

use crate::count::{self, Count};
use crate::shell::{answers, capture, command, run};
use crate::{uniffi, workspace};

/// The release of Debian that has Swift 6.
const RELEASE: &str = "trixie";
const PACKAGES: &str = "swiftlang,libc6-dev,base-files,bash,dash,coreutils,libc-bin";
/// What compiling and testing do without: more than half of the packages' size.
const LEFT_OUT: [&str; 9] = [
    "/usr/share/doc/*",
    "/usr/share/man/*",
    "/usr/share/locale/*",
    "/usr/libexec/swift/lib/swift/embedded/*",
    "/usr/libexec/swift/lib/swift_static/*",
    "/usr/libexec/swift/lib/liblldb*",
    "/usr/libexec/swift/bin/lldb*",
    "/usr/libexec/swift/bin/clangd",
    "/usr/libexec/swift/lib/libLTO*",
];
/// Where the package's folder stands inside the root.
const INSIDE: &str = "/syncline";
const LIBRARY: &str = "libsyncline_uniffi.a";

/// Generates the bindings, compiles the package and runs its tests.
///
/// # Errors
/// No Swift toolchain can be had, or something does not compile.
pub fn test(debian: bool) -> Result<Count> {
    let package = workspace::root().join("swift");
    generate(&package.join("generated"))?;
    let mut swift = if !debian && answers("swift", &["--version"]) {
        with_toolchain(&package)
    } else {
        println!("Swift is taken from Debian's packages, in a root of its own");
        with_debian(&package)?
    };
    // The package's tests use Swift Testing; XCTest would tell that it found none.
    swift.args(["--disable-xctest"]);
    count::tests(swift, count::swift)
}

/// Lays the generated code out as the package wants it: one folder for the Swift code, one for each C module, one that
/// holds only the static library, so that nothing else can be linked.
fn generate(folder: &Path) -> Result<()> {
    let libraries = uniffi::build()?;
    workspace::clear(folder)?;
    let code = folder.join("SynclineGenerated");
    uniffi::generate(&libraries, "swift", &code)?;
    for (crate_name, target) in [("syncline_core", "SynclineCoreFFI"), ("syncline_uniffi", "SynclineUniffiFFI")] {
        let module = folder.join(target);
        workspace::clear(&module)?;
        let header = format!("{crate_name}FFI.h");
        std::fs::rename(code.join(&header), module.join(&header))?;
        std::fs::rename(code.join(format!("{crate_name}FFI.modulemap")), module.join("module.modulemap"))?;
    }
    let library = folder.join("library");
    workspace::clear(&library)?;
    std::fs::copy(libraries.join(LIBRARY), library.join(LIBRARY))?;
    Ok(())
}

fn with_toolchain(package: &Path) -> Command {
    let mut swift = command("swift", ["test", "-Xlinker"]);
    swift.arg(format!("-L{}", package.join("generated/library").display())).current_dir(package);
    swift
}

fn with_debian(package: &Path) -> Result<Command> {
    let root = debian_root()?;
    let mut swift = command("bwrap", ["--ro-bind"]);
    swift.arg(root).args(["/", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--bind"]);
    swift.arg(package).args([INSIDE, "--chdir", INSIDE]);
    swift.args(["--unshare-pid", "--unshare-net", "--die-with-parent", "--clearenv"]);
    swift.args(["--setenv", "HOME", "/tmp", "--setenv", "LANG", "C.UTF-8"]);
    swift.args(["--setenv", "PATH", "/usr/libexec/swift/bin:/usr/bin", "--", "swift", "test", "-Xlinker"]);
    swift.arg(format!("-L{INSIDE}/generated/library"));
    Ok(swift)
}

/// The root with Swift in it, made if it is not there.
fn debian_root() -> Result<PathBuf> {
    let root = workspace::cache()?.join(format!("swift-{RELEASE}"));
    for program in ["bwrap", "mmdebstrap"] {
        let packages = "mmdebstrap and bubblewrap";
        ensure!(answers(program, &["--version"]), "expected Swift, or {packages} to get it; found no {program}");
    }
    if root.exists() {
        return Ok(root);
    }
    // Made beside its place and moved there when whole, so that an interrupted run leaves nothing that looks whole.
    let partial = root.with_extension("partial");
    if partial.exists() {
        std::fs::remove_dir_all(&partial)?;
    }
    let mode = if capture(command("id", ["-u"]))? == "0" { "root" } else { "unshare" };
    let mut bootstrap = command("mmdebstrap", ["--quiet", "--variant=extract"]);
    bootstrap.arg(format!("--mode={mode}")).arg(format!("--include={PACKAGES}"));
    bootstrap.args(LEFT_OUT.map(|path| format!("--dpkgopt=path-exclude={path}")));
    bootstrap.arg(RELEASE).arg(&partial).args(mirror()?);
    run(bootstrap).context("expected Debian's packages of Swift, they could not be had")?;
    std::fs::create_dir(partial.join(INSIDE.trim_start_matches('/')))?;
    std::fs::rename(&partial, &root)?;
    Ok(root)
}

/// The mirror that this machine's apt is set up with; none on other distributions, where mmdebstrap knows one.
fn mirror() -> Result<Option<String>> {
    let sources = Path::new("/etc/apt/sources.list.d/debian.sources");
    if !sources.exists() {
        return Ok(None);
    }
    let sources = std::fs::read_to_string(sources)?;
    Ok(first_mirror(&sources))
}

fn first_mirror(sources: &str) -> Option<String> {
    let addresses = sources.lines().find_map(|line| line.strip_prefix("URIs:"))?;
    addresses.split_whitespace().next().map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn first_address_of_the_first_source_is_the_mirror() {
        let sources = "Types: deb\n# a comment\nURIs: http://one.example/debian http://two.example\nSuites: stable\n\n\
                       Types: deb\nURIs: http://three.example\n";
        assert_eq!(first_mirror(sources).as_deref(), Some("http://one.example/debian"));
        assert_eq!(first_mirror("Types: deb\n"), None);
    }
}

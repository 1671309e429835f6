//! `cargo xtask test`: everything that must hold, in every language.

use std::fmt;

use anyhow::Result;
use clap::ValueEnum;

use crate::report::Report;
use crate::{interop, js, kotlin, rust, sim, swift, syncthing, tidy, traces, wasm};

/// A language that has tests of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    /// Formatting, lints, documentation, licences, the oldest compiler, tests and tidiness.
    Rust,
    /// The npm package on the WebAssembly module.
    Js,
    /// The Swift package.
    Swift,
    /// The Kotlin package.
    Kotlin,
}

impl fmt::Display for Language {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Language::Rust => "rust",
            Language::Js => "js",
            Language::Swift => "swift",
            Language::Kotlin => "kotlin",
        })
    }
}

/// Tests these languages; all if none is named.
///
/// # Errors
/// Something does not hold, or a language's toolchain cannot be had, or a language ran no test.
pub fn test(languages: &[Language]) -> Result<()> {
    let languages = if languages.is_empty() { Language::value_variants() } else { languages };
    let mut report = Report::default();
    for language in languages {
        match language {
            Language::Rust => test_rust(&mut report),
            Language::Js => test_js(&mut report),
            Language::Swift => test_swift(&mut report, false),
            Language::Kotlin => test_kotlin(&mut report),
        }
    }
    report.finish()
}

/// Tests Swift, with Debian's packages even where a toolchain is installed if `debian` says so.
///
/// # Errors
/// As [`test()`].
pub fn swift(debian: bool) -> Result<()> {
    let mut report = Report::default();
    test_swift(&mut report, debian);
    report.finish()
}

/// Tests the command against the independent program in Python.
///
/// # Errors
/// As [`test`].
pub fn interop() -> Result<()> {
    let mut report = Report::default();
    test_interop(&mut report);
    report.finish()
}

/// Tests message folders through real Syncthing.
///
/// # Errors
/// As [`test`].
pub fn syncthing() -> Result<()> {
    let mut report = Report::default();
    test_syncthing(&mut report);
    report.finish()
}

fn test_rust(report: &mut Report) {
    for (name, check) in rust::CHECKS {
        report.phase(name, check);
    }
    let count = report.phase("rust: test", rust::test);
    report.count(Language::Rust, count);
    test_interop(report);
    test_syncthing(report);
    report.phase("rust: simulator", sim::test);
    report.phase("rust: tidy", tidy::tidy);
}

fn test_interop(report: &mut Report) {
    let count = report.phase("rust: an independent program", interop::test);
    report.count("python", count);
}

fn test_syncthing(report: &mut Report) {
    let count = report.phase("rust: through Syncthing", syncthing::test);
    report.count("syncthing", count);
}

fn test_js(report: &mut Report) {
    let built = report.phase("js: build", || wasm::build(false));
    let count = built.and_then(|()| report.phase("js: test", js::test));
    report.count(Language::Js, count);
    report.phase("js: the simulator in WebAssembly", traces::test);
}

fn test_swift(report: &mut Report, debian: bool) {
    let count = report.phase("swift: build and test", || swift::test(debian));
    report.count(Language::Swift, count);
}

fn test_kotlin(report: &mut Report) {
    let count = report.phase("kotlin: build and test", kotlin::test);
    report.count(Language::Kotlin, count);
}

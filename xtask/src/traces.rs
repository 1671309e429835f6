//! The same seeds give the same traces natively and in WebAssembly.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell::{answers, capture, command};
use crate::{sim, wasm, workspace};

/// How many stories are compared if nobody says otherwise.
const RUNS: &str = "200";

/// How many a test run compares, and how many acts each has.
const TEST: [&str; 4] = ["--runs", "50", "--acts", "60"];

/// Plays stories in both and compares; stories that break a promise natively are left out.
///
/// # Errors
/// The two differ, or one cannot be built or run.
pub fn compare(flags: &[OsString]) -> Result<()> {
    ensure!(answers("node", &["--version"]), "expected Node 20 or newer, found none: install it");
    let folder = workspace::target().join("sim-wasm");
    let module = wasm::compile("syncline-sim-wasm", false)?;
    workspace::clear(&folder)?;
    wasm::generate(&module, &folder, "syncline_sim")?;
    let mut simulator = Command::new(sim::build()?);
    simulator.arg("--traces").args(flags);
    if !flags.iter().any(|flag| flag.to_string_lossy().starts_with("--runs")) {
        simulator.args(["--runs", RUNS]);
    }
    let native = capture(simulator)?;
    let stories: Vec<&str> = native.lines().collect();
    ensure!(!stories.is_empty(), "expected stories that break nothing, found none");
    let asked: Vec<&str> = stories.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    let answered = ask_node(&folder, &asked)?;
    let answers: Vec<&str> = answered.lines().collect();
    ensure!(answers.len() == stories.len(), "expected {} traces, found {}", stories.len(), answers.len());
    for (native, wasm) in stories.iter().zip(&answers) {
        ensure!(native == wasm, "expected the native trace, found another one:\n{native}\n{wasm}");
    }
    println!("{} stories have the same trace natively and in WebAssembly", stories.len());
    Ok(())
}

/// A few, for tests.
///
/// # Errors
/// As [`compare`].
pub fn test() -> Result<()> {
    compare(&TEST.map(OsString::from))
}

fn ask_node(folder: &std::path::Path, stories: &[&str]) -> Result<String> {
    let script = workspace::root().join("tests/sim/wasm/trace.mjs");
    let mut node = command("node", [script.as_os_str(), OsStr::new(folder)]);
    node.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = node.spawn().context("cannot start node")?;
    let mut input = child.stdin.take().context("node has no standard input")?;
    let text = stories.join("\n") + "\n";
    // Node may answer before it has read all: someone must listen meanwhile.
    let writer = std::thread::spawn(move || input.write_all(text.as_bytes()));
    let output = child.wait_with_output().context("node did not end")?;
    let written = writer.join();
    ensure!(output.status.success(), "node failed: {}", output.status);
    ensure!(matches!(written, Ok(Ok(()))), "node did not read every story");
    String::from_utf8(output.stdout).context("node answered with other than text")
}

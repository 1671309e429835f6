//! The same seeds give the same traces natively and in WebAssembly, and the same operations the same rows.

use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};

use crate::shell::{answers, capture, command, run};
use crate::{sim, wasm, workspace};

/// How many stories are compared if nobody says otherwise.
const RUNS: &str = "200";

/// How many of each kind a test run compares, and how many acts each has.
const TEST: [&str; 4] = ["--runs", "50", "--acts", "60"];

/// The kinds of stories, as flags.
const GENRES: [&[&str]; 4] = [&[], &["--carried"], &["--folders"], &["--records"]];

/// In how many orders WebAssembly delivers one set of operations.
const ORDERS: &str = "50";

/// Plays stories in both and compares; stories that break a promise natively are left out.
///
/// # Errors
/// The two differ, or one cannot be built or run.
pub fn compare(flags: &[OsString]) -> Result<()> {
    Simulators::build()?.compare(flags)
}

/// A few of each kind, for tests, and one set of operations in many orders.
///
/// # Errors
/// As [`compare`], or the operations come to other rows than those written down.
pub fn test() -> Result<()> {
    let simulators = Simulators::build()?;
    for genre in GENRES {
        let flags: Vec<OsString> = TEST.iter().chain(genre).map(OsString::from).collect();
        simulators.compare(&flags)?;
    }
    simulators.deliver()
}

/// The simulator, natively and in WebAssembly.
struct Simulators {
    program: PathBuf,
    /// Where the module lies.
    folder: PathBuf,
}

impl Simulators {
    fn build() -> Result<Simulators> {
        ensure!(answers("node", &["--version"]), "expected Node 20 or newer, found none: install it");
        let folder = workspace::target().join("sim-wasm");
        let module = wasm::compile("syncline-sim-wasm", false)?;
        workspace::clear(&folder)?;
        wasm::generate(&module, &folder, "syncline_sim")?;
        Ok(Simulators { program: sim::build()?, folder })
    }

    fn compare(&self, flags: &[OsString]) -> Result<()> {
        let mut simulator = Command::new(&self.program);
        simulator.arg("--traces").args(flags);
        if !flags.iter().any(|flag| flag.to_string_lossy().starts_with("--runs")) {
            simulator.args(["--runs", RUNS]);
        }
        let native = capture(simulator)?;
        let stories: Vec<&str> = native.lines().collect();
        ensure!(!stories.is_empty(), "expected stories that break nothing, found none");
        let asked: Vec<&str> = stories.iter().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
        let answered = self.ask_node(&asked)?;
        let answers: Vec<&str> = answered.lines().collect();
        ensure!(answers.len() == stories.len(), "expected {} traces, found {}", stories.len(), answers.len());
        for (native, wasm) in stories.iter().zip(&answers) {
            ensure!(native == wasm, "expected the native trace, found another one:\n{native}\n{wasm}");
        }
        let genre = stories[0].split(' ').next().unwrap_or_default();
        println!("{} stories ({genre}) have the same trace natively and in WebAssembly", stories.len());
        Ok(())
    }

    /// What the native engine makes of the same operations is tested with `syncline-sim`.
    fn deliver(&self) -> Result<()> {
        let (script, vector) = (script("digest.mjs"), workspace::root().join("tests/vectors/records.json"));
        run(command("node", [script.as_os_str(), self.folder.as_os_str(), vector.as_os_str(), OsStr::new(ORDERS)]))?;
        println!("one set of operations is one state in WebAssembly, in {ORDERS} orders");
        Ok(())
    }

    fn ask_node(&self, stories: &[&str]) -> Result<String> {
        let mut node = command("node", [script("trace.mjs").as_os_str(), self.folder.as_os_str()]);
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
}

fn script(name: &str) -> PathBuf {
    workspace::root().join("tests/sim/wasm").join(name)
}

//! The independent program in Python that reads and writes message folders: its own tests, and an exchange of messages
//! and rows between it and the command.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

use crate::count::{self, Count};
use crate::shell::{answers, capture, command, run};
use crate::workspace;

/// Messages each way, in turns: enough for every kind of text and dozens of turns, and half a minute.
const EXCHANGED: &str = "60";

/// Runs the program's tests, then the exchanges with the command as it was built for the other tests.
///
/// # Errors
/// There is no Python with virtual environments, its packages cannot be had, or what either program says differs.
pub fn test() -> Result<Count> {
    let python = python()?;
    let mut tests = command(&python, ["-B", "-m", "unittest"]);
    tests.current_dir(folder());
    let count = count::tests(tests, count::unittest)?;
    // As the other tests build it, so that it is not compiled once more with other features.
    run(command("cargo", ["test", "--workspace", "--test", "e2e", "--no-run"]))?;
    for exchange in [["exchange.py", "--count", EXCHANGED].as_slice(), &["exchange_rows.py"]] {
        let mut program = command(&python, ["-B"].iter().chain(exchange));
        program.arg(workspace::target().join("debug/syncline")).current_dir(folder());
        run(program).context("the independent program and the command do not agree")?;
    }
    Ok(count)
}

fn folder() -> PathBuf {
    workspace::root().join("tests/interop")
}

/// A Python that has the program's packages: a virtual environment in the cache, made anew when what it is made from
/// changes.
fn python() -> Result<PathBuf> {
    let advice = "install Python 3.10 or newer with virtual environments (Debian: python3 python3-venv)";
    ensure!(answers("python3", &["-c", "import ensurepip, venv"]), "expected python3 with venv, found none: {advice}");
    let version = capture(command("python3", ["-VV"]))?;
    let requirements = folder().join("requirements.txt");
    let wanted = format!("{version}\n{}", std::fs::read_to_string(&requirements)?);
    let environment = workspace::cache()?.join("interop-python");
    let (python, made) = (environment.join("bin/python"), environment.join("made-from"));
    if std::fs::read_to_string(&made).is_ok_and(|found| found == wanted) && works(&python) {
        return Ok(python);
    }
    workspace::clear(&environment)?;
    let mut venv = command("python3", ["-m", "venv"]);
    venv.arg(&environment);
    run(venv).with_context(|| format!("cannot make a virtual environment: {advice}"))?;
    let mut pip = command(&python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "-r"]);
    pip.arg(&requirements);
    run(pip).context("expected the packages that tests/interop/requirements.txt names, pip did not get them")?;
    // Written last: an environment that was left half made is made again.
    std::fs::write(made, wanted)?;
    Ok(python)
}

fn works(python: &Path) -> bool {
    command(python, ["-c", "import blake3, cryptography"]).output().is_ok_and(|output| output.status.success())
}

//! Running programs: each is printed before it runs, and one that fails is an error that names it.

use std::ffi::OsStr;
use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::process::{Command, ExitStatus};

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// A program to run at the workspace's root.
pub fn command<S: AsRef<OsStr>>(program: impl AsRef<OsStr>, arguments: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(program);
    command.args(arguments).current_dir(workspace::root());
    command
}

/// Runs a program; its output goes where ours goes.
///
/// # Errors
/// It cannot be started, or fails.
pub fn run(mut command: Command) -> Result<()> {
    announce(&command);
    let status = command.status().with_context(|| format!("cannot start {}", program(&command)))?;
    ensure!(status.success(), "{} failed: {status}", program(&command));
    Ok(())
}

/// Runs a program, showing its output line by line, and returns all of it and how the program ended.
///
/// # Errors
/// It cannot be started.
pub fn show(mut command: Command) -> Result<(String, ExitStatus)> {
    announce(&command);
    let (reader, writer) = std::io::pipe()?;
    command.stdout(writer.try_clone()?).stderr(writer);
    let mut child = command.spawn().with_context(|| format!("cannot start {}", program(&command)))?;
    // The command holds the pipe's other end: with it gone, reading ends when the program does.
    drop(command);
    let mut output = String::new();
    let mut line = Vec::new();
    let mut reader = BufReader::new(reader);
    while reader.read_until(b'\n', &mut line)? > 0 {
        let text = String::from_utf8_lossy(&line);
        print!("{text}");
        output.push_str(&text);
        line.clear();
    }
    Ok((output, child.wait()?))
}

/// Runs a program and returns its standard output, trimmed.
///
/// # Errors
/// It cannot be started, or fails; the message holds its standard error.
pub fn capture(mut command: Command) -> Result<String> {
    let output = command.output().with_context(|| format!("cannot start {}", program(&command)))?;
    let errors = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{} failed: {}\n{}", program(&command), output.status, errors.trim());
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// Whether a program is there and answers these arguments with success.
pub fn answers(program: &str, arguments: &[&str]) -> bool {
    command(program, arguments).output().is_ok_and(|output| output.status.success())
}

fn announce(command: &Command) {
    let mut line = format!("+ {}", program(command));
    for argument in command.get_args() {
        let _ = write!(line, " {}", argument.to_string_lossy());
    }
    // Standard output carries the program's own.
    eprintln!("{line}");
}

fn program(command: &Command) -> String {
    command.get_program().to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn show_returns_both_streams() {
        let (output, _) = show(command("sh", ["-c", "echo out; echo err >&2"])).expect("sh runs");
        assert!(output.contains("out\n") && output.contains("err\n"), "{output}");
    }

    #[test]
    fn failing_program_is_an_error_that_names_it() {
        let error = run(command("false", [""; 0])).expect_err("false fails");
        assert!(error.to_string().starts_with("false failed"), "{error}");
    }

    #[test]
    fn absent_program_does_not_answer() {
        assert!(!answers("a-program-that-is-not-there", &[]));
    }
}

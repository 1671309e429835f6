//! Running the command on a pair of folders.

use std::fs;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::{PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;
use tempfile::TempDir;

use super::tree::Tree;

/// A command that takes longer than this hangs.
const HANGS: Duration = Duration::from_secs(240);
/// The user that root becomes where a test needs one whom permissions bind.
const NOBODY: u32 = 65_534;

/// Two folders `a` and `b` in a folder of their own. `a` exists.
pub struct Pair {
    base: TempDir,
    binary: PathBuf,
    ordinary: bool,
}

/// What a command printed and how it ended.
#[derive(Debug)]
pub struct Run {
    pub code: Option<i32>,
    pub stdout: String,
    pub stderr: String,
}

impl Pair {
    pub fn new() -> Pair {
        let base = tempfile::tempdir().unwrap();
        fs::create_dir(base.path().join("a")).unwrap();
        Pair { base, binary: env!("CARGO_BIN_EXE_syncline").into(), ordinary: false }
    }

    /// The same as an ordinary user: root would read and write whatever the permissions say.
    pub fn ordinary() -> Pair {
        let mut pair = Self::new();
        let binary = pair.base.path().join("syncline");
        fs::copy(&pair.binary, &binary).unwrap();
        fs::set_permissions(&binary, fs::Permissions::from_mode(0o755)).unwrap();
        fs::set_permissions(pair.base.path(), fs::Permissions::from_mode(0o755)).unwrap();
        pair.binary = binary;
        pair.ordinary = true;
        pair
    }

    pub fn base(&self) -> &Path {
        self.base.path()
    }

    pub fn a(&self, path: &str) -> PathBuf {
        join(self.base.path().join("a"), path)
    }

    pub fn b(&self, path: &str) -> PathBuf {
        join(self.base.path().join("b"), path)
    }

    /// Runs `syncline` with these arguments in the folder of both.
    pub fn run(&self, args: &[&str]) -> Run {
        finish(self.command(args).spawn().unwrap())
    }

    /// Runs `syncline sync a b --once --json` with more arguments.
    pub fn sync_with(&self, more: &[&str]) -> Run {
        self.run(&[&["sync", "a", "b", "--once", "--json"], more].concat())
    }

    /// The same, and it must succeed.
    pub fn sync(&self) -> Value {
        let run = self.sync_with(&[]);
        assert_eq!(run.code, Some(0), "{run:?}");
        run.summary()
    }

    /// Starts `syncline sync a b --json`, which watches.
    pub fn watch(&self) -> Watching {
        Watching::start(&mut self.command(&["sync", "a", "b", "--json"]))
    }

    pub fn command(&self, args: &[&str]) -> Command {
        if self.ordinary {
            self.hand_over();
        }
        let mut command = Command::new(&self.binary);
        command.args(args).current_dir(self.base.path()).env_remove("SYNCLINE_LOG");
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        if self.ordinary && rustix::process::geteuid().is_root() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command
    }

    pub fn trees(&self) -> (Tree, Tree) {
        (Tree::read(&self.a("")), Tree::read(&self.b("")))
    }

    /// What stands in `b`.
    pub fn trees_of_b(&self) -> Vec<String> {
        Tree::read(&self.b("")).paths()
    }

    /// Both folders hold the same but for one entry of `a`.
    pub fn assert_equal_but(&self, path: &str) {
        fs::remove_file(self.a(path)).unwrap();
        self.assert_equal();
    }

    /// Both folders hold the same, and no staged file is left.
    pub fn assert_equal(&self) {
        let (a, b) = self.trees();
        a.assert_same(&b);
        for root in [self.a(""), self.b("")] {
            let staged: Vec<_> = fs::read_dir(root.join(".syncline/staging")).unwrap().collect();
            assert!(staged.is_empty(), "left in staging: {staged:?}");
        }
    }

    /// Gives all files to the ordinary user.
    fn hand_over(&self) {
        if rustix::process::geteuid().is_root() {
            give(self.base.path());
        }
    }
}

fn give(path: &Path) {
    std::os::unix::fs::lchown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    if path.is_dir() && !path.is_symlink() {
        for entry in fs::read_dir(path).unwrap() {
            give(&entry.unwrap().path());
        }
    } else if !path.is_symlink() {
        chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
    }
}

fn join(base: PathBuf, path: &str) -> PathBuf {
    if path.is_empty() { base } else { base.join(path) }
}

/// Waits for a command's end; one that hangs is killed and fails the test.
pub fn finish(child: Child) -> Run {
    let pid = Pid::from_child(&child);
    let (done, waited) = mpsc::channel();
    std::thread::spawn(move || done.send(child.wait_with_output()));
    match waited.recv_timeout(HANGS) {
        Ok(output) => {
            let output = output.unwrap();
            Run {
                code: output.status.code(),
                stdout: String::from_utf8(output.stdout).unwrap(),
                stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            }
        }
        Err(_) => {
            kill_process(pid, Signal::KILL).unwrap();
            panic!("the command hangs: {:?}", waited.recv().unwrap());
        }
    }
}

impl Run {
    /// The lines of `--json`.
    pub fn lines(&self) -> Vec<Value> {
        self.stdout
            .lines()
            .map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{e} in {line:?}")))
            .collect()
    }

    pub fn of_type(&self, kind: &str) -> Vec<Value> {
        self.lines().into_iter().filter(|line| line["type"] == kind).collect()
    }

    /// The only summary, which must come last.
    pub fn summary(&self) -> Value {
        assert_eq!(self.of_type("summary").len(), 1, "{self:?}");
        let last = self.lines().pop().unwrap();
        assert_eq!(last["type"], "summary", "{self:?}");
        last
    }
}

/// A command that watches.
pub struct Watching {
    child: Child,
    lines: BufReader<ChildStdout>,
}

impl Watching {
    /// Starts a command that goes on until it is told to end.
    pub fn start(command: &mut Command) -> Watching {
        let mut child = command.spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap());
        Watching { child, lines }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// The next line of a type.
    pub fn next(&mut self, kind: &str) -> Value {
        loop {
            let mut line = String::new();
            let count = self.lines.read_line(&mut line).unwrap();
            assert!(count > 0, "the command ended before a `{kind}` line");
            let value: Value = serde_json::from_str(&line).unwrap();
            if value["type"] == kind {
                return value;
            }
        }
    }

    pub fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// The lines that are still to come, until the command has ended. One that was killed may have left half a line.
    pub fn rest(mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        let mut line = String::new();
        while self.lines.read_line(&mut line).unwrap() > 0 {
            if line.ends_with('\n') {
                lines.push(serde_json::from_str(&line).unwrap());
            }
            line.clear();
        }
        lines
    }

    /// Waits for the end; the exit code comes back.
    pub fn end(mut self) -> Option<i32> {
        // Whatever is still printed must not block it.
        let _ = std::io::copy(&mut self.lines, &mut std::io::sink());
        self.child.wait().unwrap().code()
    }
}

impl Drop for Watching {
    fn drop(&mut self) {
        // It has ended already where a test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

pub fn write(path: impl AsRef<Path>, text: &str) {
    let path = path.as_ref();
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

pub fn read(path: impl AsRef<Path>) -> String {
    fs::read_to_string(path.as_ref()).unwrap_or_else(|e| panic!("{}: {e}", path.as_ref().display()))
}

pub fn set_mode(path: impl AsRef<Path>, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// Every count of the summary is zero.
pub fn assert_nothing_done(summary: &Value) {
    for name in ["created", "updated", "renamed", "removed", "bytes_moved"] {
        assert_eq!(summary[name], 0, "{summary}");
    }
    assert_eq!(summary["in_sync"], true, "{summary}");
}

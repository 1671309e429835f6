//! What must hold at the end.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use serde_json::Value;

use super::member::Plan;

/// A message; as a tuple it is in the total order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    lamport: u64,
    unix_ms: u64,
    author: String,
    counter: u64,
    text: String,
}

/// What a member's application has: each message once, in the order of its numbers. A message that was stored when its
/// application was killed, but not yet taken, may stand there twice, right behind itself.
pub fn kept(plan: &Plan, kills: usize) -> Vec<Kept> {
    let text = fs::read_to_string(&plan.kept).unwrap();
    let lines: Vec<(u64, Kept)> = text.lines().map(parse).collect();
    let mut kept: Vec<(u64, Kept)> = Vec::new();
    for line in lines.iter().cloned() {
        if kept.last() != Some(&line) {
            let expected = kept.last().map_or(1, |(sequence, _)| sequence + 1);
            assert_eq!(line.0, expected, "{}: messages are missing, or come again: {line:?}", plan.name);
            kept.push(line);
        }
    }
    let repeated = lines.len() - kept.len();
    assert!(repeated <= kills, "{}: {repeated} messages came twice, with {kills} kills", plan.name);
    kept.into_iter().map(|(_, kept)| kept).collect()
}

/// Exactly these texts, each once, whatever the order.
pub fn assert_all(name: &str, kept: &[Kept], said: &BTreeSet<String>) {
    let texts: BTreeSet<String> = kept.iter().map(|kept| kept.text.clone()).collect();
    let missing: Vec<_> = said.difference(&texts).take(9).collect();
    let invented: Vec<_> = texts.difference(said).take(9).collect();
    assert!(missing.is_empty() && invented.is_empty(), "{name}: missing {missing:?}, and nobody said {invented:?}");
    assert_eq!(kept.len(), said.len(), "{name}: some text came under two names");
}

/// The same messages in the same order.
pub fn assert_same(name: &str, kept: &[Kept], order: &[Kept]) {
    let differing = kept.iter().zip(order).find(|(one, other)| one != other);
    assert_eq!(differing, None, "{name}: another order");
    assert_eq!(kept.len(), order.len(), "{name}: not as many messages");
}

/// What `messages read` shows; nothing may be missing or wait.
pub fn read(folder: &Path, state: &Path) -> Vec<Kept> {
    let lines = run("read", folder, state);
    let of_messages = lines.iter().filter(|line| line["type"] == "message").map(shown);
    let shown: Vec<Kept> = of_messages.collect();
    assert!(shown.is_sorted(), "not in the total order");
    shown
}

/// `messages status` finds nothing that is missing or waits.
pub fn assert_settled(folder: &Path, state: &Path, messages: usize) {
    let lines = run("status", folder, state);
    let summary = lines.last().unwrap();
    assert_eq!(summary["messages"], messages, "{summary}");
    for name in ["gaps", "pending", "unverifiable"] {
        assert_eq!(summary[name], 0, "{summary}");
    }
}

/// Where every file is that a copy of the folder has, but those that were never finished.
pub fn files(copy: &Path) -> BTreeSet<PathBuf> {
    let mut files = all_files(copy);
    files.retain(|file| !is_unfinished(file));
    files
}

/// What a killed member left unfinished stays where it is.
pub fn assert_unfinished_not_carried(copies: &[PathBuf]) {
    let mut seen = BTreeSet::new();
    for file in copies.iter().flat_map(|copy| all_files(copy)).filter(|file| is_unfinished(file)) {
        assert!(seen.insert(file.clone()), "Syncthing carried {}", file.display());
    }
}

/// Whether this is a file that a member was putting together, or Syncthing.
fn is_unfinished(file: &Path) -> bool {
    let name = file.file_name().unwrap().to_string_lossy();
    name.starts_with("~syncthing~") || name.starts_with(".syncthing.")
}

fn all_files(copy: &Path) -> BTreeSet<PathBuf> {
    fn add(directory: &Path, files: &mut BTreeSet<PathBuf>) {
        for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
            match entry.file_type() {
                Ok(kind) if kind.is_dir() => add(&entry.path(), files),
                _ => drop(files.insert(entry.path())),
            }
        }
    }
    let session = copy.join("tempo-fs-session");
    let mut files = BTreeSet::new();
    add(&session, &mut files);
    files.iter().map(|file| file.strip_prefix(&session).unwrap().to_path_buf()).collect()
}

fn run(verb: &str, folder: &Path, state: &Path) -> Vec<Value> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_syncline"));
    command.args(["messages", verb, "--json", "--state"]).arg(state).arg(folder);
    let Output { status, stdout, stderr } = command.output().unwrap();
    let stdout = String::from_utf8(stdout).unwrap();
    let last: String = stdout.lines().rev().take(5).collect::<Vec<_>>().join("\n");
    assert_eq!(status.code(), Some(0), "{verb}: {last}\n{}", String::from_utf8_lossy(&stderr));
    stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn parse(line: &str) -> (u64, Kept) {
    let parts: Vec<&str> = line.splitn(6, ' ').collect();
    let number = |place: usize| parts[place].parse().unwrap_or_else(|e| panic!("{e}: {line}"));
    let (author, text) = (parts[3].to_string(), parts[5].to_string());
    (number(0), Kept { lamport: number(1), unix_ms: number(2), author, counter: number(4), text })
}

fn shown(line: &Value) -> Kept {
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"));
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_string();
    Kept {
        lamport: number("lamport"),
        unix_ms: number("unix_ms"),
        author: text("author"),
        counter: number("counter"),
        text: text("text"),
    }
}

//! Members that talk through a folder.

use std::fs;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::super::support::{Pair, Run, Watching, finish};

/// A shared folder `a`, and one state beside it for each member.
pub struct Chat {
    pub pair: Pair,
}

/// A message as it was printed; as a tuple it is in the total order.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Shown {
    pub lamport: u64,
    pub unix_ms: u64,
    pub author: String,
    pub counter: u64,
    pub text: String,
    pub sequence: u64,
}

impl Chat {
    /// A folder without a session.
    pub fn without_session() -> Chat {
        Chat { pair: Pair::new() }
    }

    /// A folder with a session that `anna` began.
    pub fn new() -> Chat {
        let chat = Self::without_session();
        chat.ok("anna", "init", &[]);
        chat
    }

    /// The same for ordinary users.
    pub fn ordinary() -> Chat {
        let chat = Chat { pair: Pair::ordinary() };
        chat.ok("anna", "init", &[]);
        chat
    }

    pub fn command(&self, who: &str, verb: &str, more: &[&str]) -> Command {
        self.command_in("a", who, verb, more)
    }

    /// The same in another folder than `a`.
    pub fn command_in(&self, folder: &str, who: &str, verb: &str, more: &[&str]) -> Command {
        let state = format!("state/{who}");
        self.pair.command(&[&["messages", verb, folder, "--state", &state, "--json"], more].concat())
    }

    pub fn run(&self, who: &str, verb: &str, more: &[&str]) -> Run {
        finish(self.command(who, verb, more).spawn().unwrap())
    }

    pub fn run_in(&self, folder: &str, who: &str, verb: &str, more: &[&str]) -> Run {
        finish(self.command_in(folder, who, verb, more).spawn().unwrap())
    }

    /// Runs a command that must succeed, and leave nothing to do.
    pub fn ok(&self, who: &str, verb: &str, more: &[&str]) -> Run {
        let run = self.run(who, verb, more);
        assert_eq!(run.code, Some(0), "{who} {verb} {more:?}: {run:?}");
        let summary = run.summary();
        assert_eq!((&summary["gaps"], &summary["pending"]), (&0.into(), &0.into()), "{who} {verb} {more:?}: {run:?}");
        run
    }

    /// Posts a text; its author and counter come back.
    pub fn post(&self, who: &str, text: &str) -> (String, u64) {
        posted(&self.ok(who, "post", &[text]))
    }

    /// What a member reads.
    pub fn read(&self, who: &str) -> Vec<Shown> {
        shown(&self.ok(who, "read", &[]))
    }

    pub fn texts(&self, who: &str) -> Vec<String> {
        texts(&self.read(who))
    }

    /// Follows until it is told to end.
    pub fn follow(&self, who: &str, more: &[&str]) -> Watching {
        Watching::start(&mut self.command(who, "follow", more))
    }

    /// A file of the shared folder's session.
    pub fn file(&self, path: &str) -> PathBuf {
        self.pair.a("tempo-fs-session").join(path)
    }

    /// The file of a message.
    pub fn message_file(&self, author: &str, counter: u64) -> PathBuf {
        self.file(author).join(format!("{counter:x}"))
    }

    /// The id of the session in `a`.
    pub fn session(&self) -> String {
        session_of(&fs::read(self.file("info")).unwrap())
    }
}

/// The session that an `info` names.
pub fn session_of(info: &[u8]) -> String {
    let info: Value = serde_json::from_slice(info).unwrap();
    info["session"].as_str().unwrap().to_string()
}

/// The only message line of a post.
pub fn posted(run: &Run) -> (String, u64) {
    let lines = run.of_type("message");
    assert_eq!(lines.len(), 1, "{run:?}");
    (lines[0]["author"].as_str().unwrap().to_string(), lines[0]["counter"].as_u64().unwrap())
}

/// The messages that a command printed.
pub fn shown(run: &Run) -> Vec<Shown> {
    run.of_type("message").iter().map(shown_in).collect()
}

/// A message's line.
pub fn shown_in(line: &Value) -> Shown {
    let number = |name: &str| line[name].as_u64().unwrap_or_else(|| panic!("no {name} in {line}"));
    let text = |name: &str| line[name].as_str().unwrap_or_else(|| panic!("no {name} in {line}")).to_string();
    Shown {
        lamport: number("lamport"),
        unix_ms: number("unix_ms"),
        author: text("author"),
        counter: number("counter"),
        text: text("text"),
        sequence: number("sequence"),
    }
}

pub fn texts(shown: &[Shown]) -> Vec<String> {
    shown.iter().map(|shown| shown.text.clone()).collect()
}

/// What was shown, without the number that each member gives by itself.
pub fn unnumbered(shown: Vec<Shown>) -> Vec<Shown> {
    shown.into_iter().map(|shown| Shown { sequence: 0, ..shown }).collect()
}

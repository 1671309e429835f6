//! A disk without room.

use std::fs;
use std::process::{Command, Stdio};

use super::super::support::finish;
use super::chat::{Chat, shown, texts};

/// What is tried on a small file system that only this script sees: `$0` is the command.
const SCRIPT: &str = r#"
set -eu
mount -t tmpfs -o size=128k tmpfs a
mkdir a/tempo-fs-session
cp -r shared/. a/tempo-fs-session
"$0" messages post a one --state state/anna --json
# What stands in the way is as large as the disk; dd ends with an error when that is full.
dd if=/dev/zero of=a/ballast bs=4096 2>/dev/null || true
code=0
"$0" messages post a two --state state/anna --json >post.json || code=$?
echo "$code" >code
rm a/ballast
"$0" messages status a --state state/anna --json
cp -r a/tempo-fs-session after
"#;

#[test]
#[cfg(target_os = "linux")]
fn what_does_not_fit_into_the_folder_waits_and_goes_there_when_it_does() {
    let chat = Chat::new();
    fs::rename(chat.file(""), chat.pair.base().join("shared")).unwrap();
    // A user of a name space of its own may mount there what it likes.
    let mut command = Command::new("unshare");
    command.args(["--user", "--map-root-user", "--mount", "sh", "-c", SCRIPT, env!("CARGO_BIN_EXE_syncline")]);
    command.current_dir(chat.pair.base()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let run = finish(command.spawn().expect("this test needs util-linux's unshare"));
    assert_eq!(run.code, Some(0), "this test needs the right to make user name spaces: {run:?}");

    let read = |name: &str| fs::read_to_string(chat.pair.base().join(name)).unwrap();
    assert_eq!(read("code"), "3\n", "{}", read("post.json"));
    let post = super::super::support::Run { code: Some(3), stdout: read("post.json"), stderr: String::new() };
    assert_eq!(post.of_type("message").len(), 1, "it is saved: {post:?}");
    assert_eq!(post.summary()["pending"], 1, "{post:?}");
    let notices: Vec<_> = post.of_type("notice").iter().map(|notice| notice["code"].clone()).collect();
    assert_eq!(notices, ["no_space"], "{post:?}");
    // With room again it went there, whole.
    fs::rename(chat.pair.base().join("after"), chat.file("")).unwrap();
    let bert = chat.run("bert", "read", &[]);
    assert_eq!((bert.code, texts(&shown(&bert))), (Some(0), vec!["one".into(), "two".into()]), "{bert:?}");
}

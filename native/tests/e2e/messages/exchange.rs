//! Messages go to everyone, once, in one order; lines for programs are what they are said to be.

use std::fs;
use std::io::Write;
use std::process::Stdio;

use super::super::support::{finish, write};
use super::chat::{Chat, posted, shown, texts, unnumbered};

#[test]
fn whoever_posts_or_reads_takes_part_and_all_see_one_order() {
    let chat = Chat::new();
    let again = chat.ok("anna", "init", &[]).of_type("session").remove(0);
    assert_eq!((&again["session"], &again["sealed"]), (&chat.session().into(), &false.into()));
    assert_eq!(chat.ok("carl", "init", &[]).of_type("session")[0]["session"], again["session"]);
    let mut said = Vec::new();
    for number in 0..4 {
        for who in ["anna", "bert", "carl"] {
            let text = format!("{who} {number}");
            chat.post(who, &text);
            said.push(text);
        }
    }
    let read = chat.read("anna");
    assert!(read.is_sorted(), "{read:?}");
    assert_eq!(texts(&read), said, "each was written after its author had seen those before");
    for who in ["bert", "carl", "newcomer"] {
        assert_eq!(unnumbered(chat.read(who)), unnumbered(read.clone()), "{who}");
    }
    // When all have heard of all, reading changes nothing any more.
    for who in ["anna", "bert", "carl"] {
        chat.read(who);
    }
    let files = |chat: &Chat| super::super::tree::Tree::read(&chat.file("")).paths();
    let before = files(&chat);
    for who in ["anna", "bert", "carl", "newcomer", "anna"] {
        assert_eq!(unnumbered(chat.read(who)), unnumbered(read.clone()), "{who}");
    }
    assert_eq!(files(&chat), before);
}

#[test]
fn lines_for_programs_have_the_promised_fields() {
    let chat = Chat::new();
    let post = chat.ok("anna", "post", &["hello"]);
    let (author, counter) = posted(&post);
    assert_eq!(post.lines().len(), 2, "{post:?}");
    chat.post("bert", "hello too");

    let read = chat.ok("anna", "read", &[]);
    let line = &read.of_type("message")[0];
    let names = |line: &serde_json::Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>();
    let fields = ["author", "counter", "lamport", "sequence", "stable", "text", "type", "unix_ms"];
    assert_eq!(names(line), fields);
    assert_eq!((&line["author"], &line["counter"]), (&author.as_str().into(), &counter.into()));
    let now = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis();
    assert!(now.abs_diff(line["unix_ms"].as_u64().unwrap().into()) < 3_600_000, "{line}");
    let summary = read.summary();
    let counted = ["messages", "members", "gaps", "pending"].map(|name| summary[name].as_u64());
    assert_eq!(counted, [Some(2), Some(2), Some(0), Some(0)], "{summary}");

    let status = chat.ok("bert", "status", &[]);
    let members = status.of_type("member");
    assert_eq!(members.len(), 2, "{status:?}");
    for member in &members {
        let fields = ["applied", "counter", "id", "last_seen_ms", "name", "state", "type"];
        assert_eq!(names(member), fields);
        let of_anna = member["id"] == author.as_str();
        assert_eq!(member["state"], if of_anna { "current" } else { "self" }, "{status:?}");
    }
    assert!(members.iter().any(|member| member["id"] == author.as_str()), "{status:?}");
    assert_eq!(counted, ["messages", "members", "gaps", "pending"].map(|name| status.summary()[name].as_u64()));
}

#[test]
fn reading_goes_on_behind_a_number() {
    let chat = Chat::new();
    for text in ["one", "two"] {
        chat.post("anna", text);
    }
    let last = |shown: &[super::chat::Shown]| shown.iter().map(|shown| shown.sequence).max().unwrap();
    let first = chat.read("bert");
    chat.post("anna", "three");
    let after = |number: u64| texts(&shown(&chat.ok("bert", "read", &["--after", &number.to_string()])));
    assert_eq!(after(last(&first)), ["three"]);
    assert_eq!(after(0), ["one", "two", "three"]);
    assert_eq!(after(last(&chat.read("bert"))), [""; 0]);
    assert_eq!(after(u64::MAX), [""; 0]);
}

#[test]
fn what_is_posted_comes_from_the_command_line_a_file_or_standard_input() {
    let chat = Chat::new();
    let strange = "first\nsecond\r\n\u{1b}[31mred\u{1b}[0m \u{202e}e\u{301} {\"type\":\"summary\"}";
    chat.post("anna", strange);
    chat.post("anna", "");
    chat.ok("anna", "post", &["--", "--json"]);
    write(chat.pair.base().join("file"), "from a file\n");
    chat.ok("anna", "post", &["--file", "file"]);
    let mut typing = chat.command("anna", "post", &[]).stdin(Stdio::piped()).spawn().unwrap();
    // All of it is one message, however it comes.
    let mut input = typing.stdin.take().unwrap();
    for part in ["from standard input\n", "and more\n"] {
        input.write_all(part.as_bytes()).unwrap();
        input.flush().unwrap();
    }
    drop(input);
    assert_eq!(finish(typing).code, Some(0));
    let said = [strange, "", "--json", "from a file\n", "from standard input\nand more\n"];
    assert_eq!(chat.texts("bert"), said);

    let plain = chat.pair.run(&["messages", "read", "a", "--state", "state/bert"]);
    assert!(!plain.stdout.contains('\u{1b}') && plain.stdout.contains("red"), "{plain:?}");
}

#[test]
fn bytes_that_are_no_text_come_as_base64() {
    let chat = Chat::new();
    let bytes: Vec<u8> = (0..=255).collect();
    fs::write(chat.pair.base().join("bytes"), &bytes).unwrap();
    chat.ok("anna", "post", &["--file", "bytes"]);
    let read = chat.ok("bert", "read", &[]);
    let line = &read.of_type("message")[0];
    assert!(line.get("text").is_none(), "{line}");
    use base64::Engine;
    let decoded = base64::engine::general_purpose::STANDARD.decode(line["base64"].as_str().unwrap()).unwrap();
    assert_eq!(decoded, bytes);
    let plain = chat.pair.run(&["messages", "read", "a", "--state", "state/bert"]);
    assert!(plain.stdout.contains("(256 bytes)"), "{plain:?}");
}

#[test]
fn without_a_state_directory_each_folder_has_one_of_its_own_outside_of_it() {
    let chat = Chat::without_session();
    let run = |verb: &str, folder: &str, more: &[&str]| {
        let mut command = chat.pair.command(&[&["messages", verb, folder, "--json"], more].concat());
        finish(command.env("XDG_STATE_HOME", chat.pair.base().join("home")).spawn().unwrap())
    };
    fs::create_dir(chat.pair.b("")).unwrap();
    for folder in ["a", "b"] {
        assert_eq!(run("init", folder, &[]).code, Some(0));
        assert_eq!(run("post", folder, &[folder]).code, Some(0));
    }
    for folder in ["a", "b"] {
        let read = run("read", folder, &[]);
        assert_eq!((read.code, texts(&shown(&read))), (Some(0), vec![folder.to_string()]), "{read:?}");
    }
    assert_eq!(fs::read_dir(chat.pair.base().join("home/syncline/messages")).unwrap().count(), 2);
    assert_eq!(super::super::tree::Tree::read(&chat.pair.a("")).paths().len(), 5, "one feed and info");
}

//! What cannot be done says so, with its exit code, and leaves no trace.

use std::fs;

use syncline_core::engine::limits::PAYLOAD_BYTES_MAX;

use super::super::support::{Run, write};
use super::super::tree::fingerprint;
use super::chat::{Chat, posted, shown, texts};

const VERBS: [&str; 5] = ["init", "post", "read", "follow", "status"];

fn more(verb: &str) -> &'static [&'static str] {
    if verb == "post" { &["text"] } else { &[] }
}

fn assert_refused(run: &Run, exit: i32, code: &str) {
    assert_eq!(run.code, Some(exit), "{run:?}");
    let errors = run.of_type("error");
    assert_eq!((errors.len(), run.lines().len()), (1, 1), "{run:?}");
    assert_eq!(errors[0]["code"], code, "{run:?}");
    assert!(errors[0]["message"].as_str().is_some_and(|message| message.len() > 20), "{run:?}");
    assert!(!run.stderr.is_empty(), "people are told too: {run:?}");
}

#[test]
fn what_is_no_folder_is_refused_and_nothing_is_made() {
    let chat = Chat::without_session();
    write(chat.pair.base().join("file"), "x");
    let before = fingerprint(chat.pair.base());
    for verb in VERBS {
        for (folder, code) in [("none", "missing_folder"), ("none/inner", "missing_folder"), ("file", "not_a_folder")] {
            assert_refused(&chat.run_in(folder, "anna", verb, more(verb)), 2, code);
        }
    }
    let sealed = chat.run_in("none", "anna", "init", &["--sealed", "--key-file", "key"]);
    assert_refused(&sealed, 2, "missing_folder");
    assert!(before == fingerprint(chat.pair.base()), "something was written");
}

#[test]
fn a_folder_without_a_session_is_joined_by_nobody() {
    let chat = Chat::without_session();
    write(chat.pair.a("letter"), "x");
    let before = fingerprint(chat.pair.base());
    for verb in VERBS.into_iter().filter(|verb| *verb != "init") {
        assert_refused(&chat.run("anna", verb, more(verb)), 2, "no_session");
    }
    assert!(before == fingerprint(chat.pair.base()), "something was written");
}

#[test]
fn wrong_arguments_end_with_2() {
    let chat = Chat::new();
    for args in [
        &["messages"][..],
        &["messages", "post"],
        &["messages", "shout", "a"],
        &["messages", "read", "a", "--after", "-1"],
        &["messages", "read", "a", "--after", "x"],
        &["messages", "follow", "a", "--order", "none"],
        &["messages", "post", "a", "text", "--file", "file"],
    ] {
        let run = chat.pair.run(args);
        assert_eq!((run.code, run.stdout.as_str()), (Some(2), ""), "{args:?}: {run:?}");
    }
}

#[test]
fn a_state_in_use_is_refused_and_free_after_a_kill() {
    let chat = Chat::new();
    chat.post("anna", "one");
    let mut first = chat.follow("anna", &[]);
    first.next("message");
    let pid = first.pid().to_string();
    for verb in VERBS {
        let run = chat.run("anna", verb, more(verb));
        assert_refused(&run, 1, "locked");
        assert!(run.stderr.contains(&pid), "it says who has it: {run:?}");
    }
    // Another user of the same machine has a state of its own.
    chat.post("bert", "two");
    first.signal(rustix::process::Signal::KILL);
    assert_eq!(first.end(), None);
    assert_eq!(chat.texts("anna"), ["one", "two"]);
}

#[test]
fn a_sealed_session_takes_its_key_and_no_other() {
    let chat = Chat::without_session();
    let init = chat.ok("anna", "init", &["--sealed"]);
    let session = &init.of_type("session")[0];
    let key_file = session["key_file"].as_str().unwrap().to_string();
    assert_eq!(session["sealed"], true);
    chat.post("anna", "a secret text");
    let before = fingerprint(&chat.pair.a(""));
    assert_refused(&chat.run("bert", "read", &[]), 1, "unusable_session");
    write(chat.pair.base().join("wrong"), &format!("{}\n", "5a".repeat(32)));
    write(chat.pair.base().join("none"), "no key\n");
    for verb in VERBS {
        let key = |file: &'static str| [more(verb), &["--key-file", file]].concat();
        assert_refused(&chat.run("bert", verb, &key("wrong")), 1, "unusable_session");
        assert_refused(&chat.run("bert", verb, &key("none")), 2, "not_a_key");
        assert_refused(&chat.run("bert", verb, &key("gone")), 1, "io");
    }
    assert!(before == fingerprint(&chat.pair.a("")), "something was written");
    assert!(!chat.pair.base().join("state/bert").exists(), "a state was made");

    let read = chat.ok("bert", "read", &["--key-file", &key_file]);
    assert_eq!(texts(&shown(&read)), ["a secret text"]);
    // From then on it is known.
    let (author, counter) = chat.post("bert", "another secret text");
    assert_eq!(chat.texts("anna"), ["a secret text", "another secret text"]);
    let file = fs::read(chat.message_file(&author, counter)).unwrap();
    assert!(!file.windows(6).any(|window| window == b"secret"), "the folder can be read without the key");
}

#[test]
fn an_open_session_is_not_taken_for_a_sealed_one() {
    let chat = Chat::new();
    chat.post("anna", "one");
    write(chat.pair.base().join("key"), &format!("{}\n", "5a".repeat(32)));
    let before = fingerprint(&chat.pair.a(""));
    for who in ["anna", "bert"] {
        assert_refused(&chat.run(who, "init", &["--sealed"]), 1, "unusable_session");
        assert_refused(&chat.run(who, "post", &["two", "--key-file", "key"]), 1, "unusable_session");
    }
    assert!(before == fingerprint(&chat.pair.a("")), "something was written");
    assert!(!chat.pair.base().join("state/bert").exists(), "a state was made");
    assert_eq!(chat.texts("anna"), ["one"]);
}

#[test]
fn a_text_that_is_too_long_is_refused_and_the_longest_is_not() {
    let chat = Chat::new();
    chat.post("anna", "before");
    let file = chat.pair.base().join("long");
    fs::write(&file, vec![b'x'; PAYLOAD_BYTES_MAX + 1]).unwrap();
    let before = fingerprint(&chat.file(""));
    assert_refused(&chat.run("anna", "post", &["--file", "long"]), 2, "message_too_long");
    let mut typed = chat.command("anna", "post", &[]);
    let run = super::super::support::finish(typed.stdin(fs::File::open(&file).unwrap()).spawn().unwrap());
    assert_refused(&run, 2, "message_too_long");
    assert!(before == fingerprint(&chat.file("")), "something was sent");

    fs::write(&file, vec![b'x'; PAYLOAD_BYTES_MAX]).unwrap();
    let (author, counter) = posted(&chat.ok("anna", "post", &["--file", "long"]));
    assert!(fs::metadata(chat.message_file(&author, counter)).unwrap().len() <= 1 << 20);
    let read = chat.texts("bert");
    assert_eq!(read.iter().map(String::len).collect::<Vec<_>>(), [6, PAYLOAD_BYTES_MAX]);
}

#[test]
fn a_file_that_is_not_there_is_no_message() {
    let chat = Chat::new();
    assert_refused(&chat.run("anna", "post", &["--file", "gone"]), 1, "io");
    assert_eq!(chat.read("anna"), []);
}

#[test]
fn a_folder_that_was_replaced_by_another_sessions_is_left_alone() {
    let chat = Chat::new();
    chat.post("anna", "one");
    fs::rename(chat.pair.a(""), chat.pair.b("")).unwrap();
    fs::create_dir(chat.pair.a("")).unwrap();
    let before = fingerprint(&chat.pair.a(""));
    for verb in VERBS.into_iter().filter(|verb| *verb != "init") {
        assert_refused(&chat.run("anna", verb, more(verb)), 2, "no_session");
    }
    assert!(before == fingerprint(&chat.pair.a("")), "something was written");
    chat.ok("bert", "init", &[]);
    let before = fingerprint(&chat.pair.a(""));
    for verb in VERBS {
        assert_refused(&chat.run("anna", verb, more(verb)), 1, "other_session");
    }
    assert!(before == fingerprint(&chat.pair.a("")), "something was written");
    fs::remove_dir_all(chat.pair.a("")).unwrap();
    fs::rename(chat.pair.b(""), chat.pair.a("")).unwrap();
    assert_eq!(chat.texts("anna"), ["one"]);
}

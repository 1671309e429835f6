//! What does not belong into the folder, or does not arrive whole, is told and loses nothing.

use std::fs;
use std::os::unix::fs::symlink;

use super::super::support::{Run, set_mode, write};
use super::super::tree::fingerprint;
use super::chat::{Chat, Shown, shown, texts};

/// Ten messages of two members; anna's first, then bert's, in turns.
fn talked() -> (Chat, Vec<Shown>) {
    let chat = Chat::new();
    for number in 0..5 {
        chat.post("anna", &format!("anna {number}"));
        chat.post("bert", &format!("bert {number}"));
    }
    let read = chat.read("anna");
    (chat, read)
}

fn assert_waiting(run: &Run) {
    assert_eq!(run.code, Some(3), "{run:?}");
    assert_eq!(run.of_type("summary").len(), 1, "{run:?}");
}

#[test]
fn a_message_that_is_missing_is_a_gap_until_it_comes() {
    let (chat, read) = talked();
    let missing = &read[4];
    let (file, away) = (chat.message_file(&missing.author, missing.counter), chat.pair.base().join("away"));
    fs::rename(&file, &away).unwrap();
    for verb in ["read", "status"] {
        let run = chat.run("carl", verb, &[]);
        assert_waiting(&run);
        let gaps = run.of_type("gap");
        assert_eq!((gaps.len(), &run.summary()["gaps"]), (1, &1.into()), "{run:?}");
        assert_eq!(gaps[0]["author"], missing.author.as_str(), "{run:?}");
        assert_eq!((&gaps[0]["from"], &gaps[0]["to"]), (&missing.counter.into(), &missing.counter.into()), "{run:?}");
        assert!(!run.stderr.is_empty(), "people are told too");
    }
    // The others are there all the same.
    assert_eq!(shown(&chat.run("carl", "read", &[])).len(), 9);
    fs::rename(&away, &file).unwrap();
    assert_eq!(texts(&chat.read("carl")), texts(&read));

    // An author puts back what is gone, be it the whole directory.
    fs::remove_file(&file).unwrap();
    fs::remove_dir_all(chat.file(&read[1].author)).unwrap();
    chat.ok("anna", "status", &[]);
    chat.ok("bert", "status", &[]);
    assert_eq!(texts(&chat.read("dora")), texts(&read));
}

#[test]
fn names_that_are_none_of_ours_are_ignored() {
    let (chat, read) = talked();
    let author = &read[0].author;
    let copied = fs::read(chat.message_file(author, read[0].counter)).unwrap();
    let junk = [
        "0",
        "0A",
        "A",
        "05",
        "0x1",
        "1 (1)",
        "1 (conflicted copy)",
        "1.sync-conflict-20260101-000000-ABCDEFG",
        "1 ",
        ".DS_Store",
        "desktop.ini",
        "Thumbs.db",
        "~1.tmp",
        ".syncthing.2.tmp",
        "10000000000000000",
        "٣",
        "-1",
        "+1",
    ];
    for name in junk {
        fs::write(chat.file(author).join(name), &copied).unwrap();
    }
    fs::create_dir(chat.file(author).join("ff")).unwrap();
    symlink("1", chat.file(author).join("fe")).unwrap();
    for directory in ["lost+found", ".stfolder", "6D0F2F3E-58B5-4C52-9F0C-0D4A1E6A7B01", "not a uuid"] {
        write(chat.file(directory).join("1"), "x");
    }
    write(chat.file("information"), "no info");
    write(chat.file("info.sync-conflict-20260101-000000-ABCDEFG"), "");
    for who in ["anna", "bert", "carl"] {
        assert_eq!(texts(&chat.read(who)), texts(&read), "{who}");
    }
}

#[test]
fn files_that_are_damaged_wait_and_are_read_when_they_are_whole() {
    let (chat, read) = talked();
    let broken: Vec<_> =
        [2, 5, 7].map(|place: usize| chat.message_file(&read[place].author, read[place].counter)).into();
    let whole: Vec<_> = broken.iter().map(|file| fs::read(file).unwrap()).collect();
    fs::write(&broken[0], "").unwrap();
    fs::write(&broken[1], &whole[1][..whole[1].len() / 2]).unwrap();
    let mut flipped = whole[2].clone();
    flipped[whole[2].len() / 2] ^= 1;
    fs::write(&broken[2], flipped).unwrap();
    for verb in ["read", "status"] {
        let run = chat.run("carl", verb, &[]);
        assert_waiting(&run);
        assert_eq!(run.summary()["unverifiable"], 3, "{run:?}");
    }
    let rest = read.iter().enumerate().filter(|(place, _)| ![2, 5, 7].contains(place)).map(|(_, shown)| &shown.text);
    assert_eq!(texts(&shown(&chat.run("carl", "read", &[]))), rest.cloned().collect::<Vec<_>>());
    // Who holds them already has lost nothing.
    for who in ["anna", "bert"] {
        assert_eq!(texts(&shown(&chat.run(who, "read", &[]))), texts(&read), "{who}");
    }
    for (file, bytes) in broken.iter().zip(whole) {
        fs::write(file, bytes).unwrap();
    }
    assert_eq!(texts(&chat.read("carl")), texts(&read));
}

#[test]
fn a_message_in_anothers_place_is_not_taken() {
    let (chat, read) = talked();
    let (one, other) = (&read[0], &read[1]);
    let forged = chat.message_file(&one.author, 0xffff);
    fs::copy(chat.message_file(&other.author, other.counter), &forged).unwrap();
    let run = chat.run("carl", "read", &[]);
    assert_waiting(&run);
    assert_eq!(run.summary()["unverifiable"], 1, "{run:?}");
    assert_eq!(texts(&shown(&run)), texts(&read));
    fs::remove_file(&forged).unwrap();
    assert_eq!(texts(&chat.read("carl")), texts(&read));
}

#[test]
fn an_emptied_folder_is_left_alone_until_it_is_back() {
    let (chat, read) = talked();
    let mut following = chat.follow("carl", &[]);
    for _ in 0..read.len() {
        following.next("message");
    }
    fs::rename(chat.file(""), chat.pair.base().join("away")).unwrap();
    assert_eq!(following.next("notice")["code"], "folder_missing");
    fs::rename(chat.pair.base().join("away"), chat.file("")).unwrap();
    chat.post("anna", "again");
    assert_eq!(following.next("message")["text"], "again");
    following.signal(rustix::process::Signal::INT);
    assert_eq!(following.end(), Some(0));
}

#[test]
fn without_its_info_the_folder_is_no_sessions_and_a_newer_one_is_refused() {
    let (chat, read) = talked();
    let info = fs::read_to_string(chat.file("info")).unwrap();
    fs::remove_file(chat.file("info")).unwrap();
    let before = fingerprint(&chat.pair.a(""));
    assert_eq!(chat.run("anna", "post", &["x"]).code, Some(2));
    for (bytes, code) in [("", 1), ("{}", 1), (&*info.replace("\"version\": 1", "\"version\": 2"), 1)] {
        fs::write(chat.file("info"), bytes).unwrap();
        let run = chat.run("anna", "post", &["x"]);
        assert_eq!((run.code, &run.of_type("error")[0]["code"]), (Some(code), &"unusable_session".into()), "{run:?}");
    }
    fs::remove_file(chat.file("info")).unwrap();
    let unchanged = |path: &std::path::PathBuf| path.ends_with("tempo-fs-session");
    let same = |mut print: std::collections::BTreeMap<_, _>| {
        print.retain(|path, _| !unchanged(path));
        print
    };
    assert!(same(before) == same(fingerprint(&chat.pair.a(""))), "something was written");
    fs::write(chat.file("info"), info).unwrap();
    assert_eq!(texts(&chat.read("anna")), texts(&read));
}

#[test]
fn in_a_folder_that_cannot_be_written_messages_are_read_and_posts_wait() {
    let chat = Chat::ordinary();
    chat.post("anna", "one");
    let author = chat.read("anna").remove(0).author;
    for path in ["", author.as_str()] {
        set_mode(chat.file(path), 0o555);
    }
    assert_eq!(texts(&shown(&chat.run("bert", "read", &[]))), ["one"]);
    let post = chat.run("anna", "post", &["two"]);
    assert_waiting(&post);
    assert_eq!(post.of_type("message").len(), 1, "it is saved: {post:?}");
    assert_eq!(post.summary()["pending"], 1, "{post:?}");
    let notices: Vec<_> = post.of_type("notice").iter().map(|notice| notice["code"].clone()).collect();
    assert_eq!(notices, ["unwritable"], "{post:?}");
    assert_eq!(texts(&shown(&chat.run("anna", "read", &[]))), ["one", "two"]);
    for path in ["", author.as_str()] {
        set_mode(chat.file(path), 0o755);
    }
    chat.ok("anna", "status", &[]);
    assert_eq!(chat.texts("bert"), ["one", "two"]);
}

//! Two devices that begin a session in the same folder at once end up in one, with all that either said.

use std::fs;
use std::path::Path;

use rustix::process::Signal;

use super::super::support::Watching;
use super::chat::{Chat, session_of, shown, texts, unnumbered};

/// Two members who each began a session in a folder of their own, and said something there, before a service joined
/// the folders.
struct Apart {
    chat: Chat,
    sessions: [String; 2],
}

const MEMBERS: [(&str, &str); 2] = [("anna", "a"), ("bert", "b")];

impl Apart {
    fn new(count: usize) -> Apart {
        let chat = Chat::without_session();
        fs::create_dir(chat.pair.b("")).unwrap();
        let sessions = MEMBERS.map(|(who, folder)| {
            assert_eq!(chat.run_in(folder, who, "init", &[]).code, Some(0));
            for text in said(who, count) {
                assert_eq!(chat.run_in(folder, who, "post", &[&text]).code, Some(0));
            }
            session_of(&fs::read(chat.pair.base().join(folder).join("tempo-fs-session/info")).unwrap())
        });
        Apart { chat, sessions }
    }

    /// What a service makes of it: one folder that holds everything, where one of the two `info`s has another name.
    /// `kept` is whose keeps it.
    fn join(&self, place: usize, kept: usize) {
        let sessions = MEMBERS.map(|(_, folder)| self.chat.pair.base().join(folder).join("tempo-fs-session"));
        let (from, to) = (&sessions[1 - place], &sessions[place]);
        if kept == place {
            fs::copy(from.join("info"), to.join("info (conflicted copy)")).unwrap();
        } else {
            fs::rename(to.join("info"), to.join("info (conflicted copy)")).unwrap();
        }
        copy_all(from, to);
    }

    /// Both go on in this folder until nothing is left to do, and read all that both said, in the smaller session.
    fn assert_joined(&self, place: usize, count: usize) {
        let folder = MEMBERS[place].1;
        // The files of the session that ended are there until their author has come.
        for (who, _) in MEMBERS {
            let run = self.chat.run_in(folder, who, "status", &[]);
            assert!(matches!(run.code, Some(0 | 3)), "{run:?}");
        }
        let smaller = self.sessions.iter().min().unwrap();
        let views = MEMBERS.map(|(who, _)| {
            let run = self.chat.run_in(folder, who, "read", &[]);
            assert_eq!((run.code, &run.summary()["pending"]), (Some(0), &0.into()), "{run:?}");
            let init = self.chat.run_in(folder, who, "init", &[]);
            assert_eq!(init.of_type("session")[0]["session"], smaller.as_str(), "{init:?}");
            unnumbered(shown(&run))
        });
        assert_eq!(views[0], views[1]);
        assert_eq!(views[0].len(), 2 * count, "each once: {views:?}");
        for (who, _) in MEMBERS {
            let texts = texts(&views[0]);
            let of_one = texts.iter().filter(|text| text.starts_with(who));
            assert!(of_one.eq(&said(who, count)), "{who}, in the order in which it was said: {texts:?}");
        }
    }

    /// Who was in the session that ends.
    fn moving(&self) -> usize {
        usize::from(self.sessions[0] < self.sessions[1])
    }
}

fn said(who: &str, count: usize) -> Vec<String> {
    (0..count).map(|number| format!("{who} {number}")).collect()
}

/// Copies what is not there.
fn copy_all(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let (from, to) = (entry.as_ref().unwrap().path(), to.join(entry.unwrap().file_name()));
        if from.is_dir() {
            fs::create_dir_all(&to).unwrap();
            copy_all(&from, &to);
        } else if !to.exists() {
            fs::copy(from, to).unwrap();
        }
    }
}

#[test]
fn f15_of_two_sessions_begun_at_once_the_smaller_goes_on_with_all_messages() {
    for kept in [0, 1] {
        let apart = Apart::new(5);
        apart.join(0, kept);
        apart.assert_joined(0, 5);
    }
}

#[test]
fn f15_a_move_to_the_other_session_that_is_killed_loses_nothing_and_says_nothing_twice() {
    const COUNT: usize = 60;
    let apart = Apart::new(COUNT);
    apart.join(0, 0);
    let (who, _) = MEMBERS[apart.moving()];
    let mut delay = std::time::Duration::from_millis(2);
    // Killed sooner or later in the midst of it, until one is done with it before it is killed.
    for _ in 0..40 {
        let mut child = apart.chat.command(who, "status", &[]).spawn().unwrap();
        std::thread::sleep(delay);
        child.kill().unwrap();
        child.wait().unwrap();
        delay = delay.mul_f64(1.15);
    }
    apart.assert_joined(0, COUNT);
}

#[test]
fn f15_who_follows_while_the_other_session_turns_up_is_told() {
    let apart = Apart::new(1);
    let place = apart.moving();
    let (who, folder) = MEMBERS[place];
    let mut following = Watching::start(&mut apart.chat.command_in(folder, who, "follow", &[]));
    assert_eq!(following.next("message")["text"], format!("{who} 0"));
    apart.join(place, place);
    assert_eq!(following.next("notice")["code"], "session_superseded");
    following.signal(Signal::INT);
    assert_eq!(following.end(), Some(3), "something is to be done");
    apart.assert_joined(place, 1);
}

/// Whoever can write the folder could else make everyone say again in the open what was sealed.
#[test]
fn what_was_said_in_a_sealed_session_is_never_said_again_in_one_that_others_can_read() {
    let chat = Chat::without_session();
    chat.ok("anna", "init", &["--sealed"]);
    chat.post("anna", "a secret text");
    let info = fs::read_to_string(chat.file("info")).unwrap();
    let open = info.replace(&chat.session(), "00000000-0000-0000-0000-000000000001").replace("true", "false");
    fs::write(chat.file("info (conflicted copy)"), open).unwrap();
    let before = super::super::tree::fingerprint(&chat.pair.a(""));
    for (verb, more) in [("read", &[][..]), ("post", &["another secret text"]), ("status", &[]), ("init", &[])] {
        let run = chat.run("anna", verb, more);
        assert_eq!((run.code, &run.of_type("error")[0]["code"]), (Some(1), &"other_session".into()), "{run:?}");
    }
    assert!(before == super::super::tree::fingerprint(&chat.pair.a("")), "something was written");
    fs::remove_file(chat.file("info (conflicted copy)")).unwrap();
    assert_eq!(chat.texts("anna"), ["a secret text"]);
}

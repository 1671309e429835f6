//! Following: each message once, until Ctrl-C.

use rustix::process::Signal;
use serde_json::Value;

use super::super::support::Watching;
use super::chat::{Chat, Shown, shown_in, texts, unnumbered};

/// The next messages, as many as are asked for.
fn next(following: &mut Watching, count: usize) -> Vec<Shown> {
    (0..count).map(|_| shown_in(&following.next("message"))).collect()
}

/// Ends it with Ctrl-C; its summary comes back.
fn end(mut following: Watching) -> Value {
    following.signal(Signal::INT);
    let summary = following.next("summary");
    assert_eq!(following.end(), Some(0));
    summary
}

#[test]
fn messages_are_followed_until_ctrl_c_and_none_comes_again_after_a_restart() {
    let chat = Chat::new();
    let mut said: Vec<String> = (0..5).map(|number| format!("before {number}")).collect();
    said.iter().for_each(|text| drop(chat.post("anna", text)));
    let mut following = chat.follow("bert", &[]);
    let mut heard = next(&mut following, 5);
    for number in 0..5 {
        said.push(format!("meanwhile {number}"));
        chat.post("anna", said.last().unwrap());
        heard.extend(next(&mut following, 1));
    }
    let summary = end(following);
    let counted = ["messages", "members", "gaps"].map(|name| summary[name].as_u64());
    assert_eq!(counted, [Some(10), Some(2), Some(0)], "{summary}");
    for number in 0..3 {
        said.push(format!("after {number}"));
        chat.post("anna", said.last().unwrap());
        let mut following = chat.follow("bert", &[]);
        heard.extend(next(&mut following, 1));
        end(following);
    }
    assert_eq!(texts(&heard), said);
    let numbers: Vec<u64> = heard.iter().map(|shown| shown.sequence).collect();
    assert_eq!(numbers, (1..=13).collect::<Vec<_>>(), "numbers go on without a gap");
}

#[test]
fn own_messages_are_followed_too() {
    let chat = Chat::new();
    chat.post("anna", "own");
    chat.post("bert", "other");
    let mut following = chat.follow("anna", &[]);
    assert_eq!(texts(&next(&mut following, 2)), ["own", "other"]);
    end(following);
}

#[test]
fn in_total_order_each_comes_when_nothing_can_come_before_it() {
    let chat = Chat::new();
    for number in 0..3 {
        chat.post("anna", &format!("anna {number}"));
        chat.post("bert", &format!("bert {number}"));
    }
    let mut following = chat.follow("carl", &["--order", "total"]);
    // Whoever could still write one that comes before shows by a later message that it does not.
    let mut heard = Vec::new();
    for turn in 0.. {
        chat.post(["anna", "bert"][turn % 2], &format!("later {turn}"));
        let read = chat.ok("dora", "read", &[]);
        let stable = read.of_type("message").iter().filter(|line| line["stable"] == true).count();
        if stable >= 6 {
            heard.extend(next(&mut following, 6));
            break;
        }
    }
    assert!(heard.is_sorted(), "{heard:?}");
    assert_eq!(heard.iter().map(|shown| shown.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    end(following);
    assert_eq!(unnumbered(heard), unnumbered(chat.read("dora").into_iter().take(6).collect()));

    // Each order has its own count of what was taken.
    let mut following = chat.follow("carl", &[]);
    assert_eq!(next(&mut following, 6).iter().map(|shown| shown.sequence).collect::<Vec<_>>(), [1, 2, 3, 4, 5, 6]);
    end(following);
    let mut following = chat.follow("carl", &["--order", "total"]);
    chat.post("anna", "at last");
    chat.post("bert", "at last");
    let next = next(&mut following, 1).remove(0);
    assert_eq!((next.sequence, next.text.as_str()), (7, "later 0"));
    end(following);
}

//! Killed at any moment: what was confirmed is there, and nothing is there twice.

use std::collections::BTreeMap;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::super::support::{Watching, finish};
use super::chat::{Chat, posted, shown_in, texts, unnumbered};

const POSTS: usize = 200;
const FOLLOWED: usize = 120;
const FOLLOWERS: usize = 12;

#[test]
fn of_posts_killed_at_random_moments_none_that_was_confirmed_is_lost_and_none_comes_twice() {
    let chat = Chat::new();
    let began = Instant::now();
    chat.post("anna", "whole");
    let uninterrupted = began.elapsed();
    let mut random = StdRng::seed_from_u64(0x5eed);
    let (mut confirmed, mut killed) = (vec![("whole".to_string(), 0)], 0);
    for number in 0..POSTS {
        let text = format!("post {number}");
        let mut child = chat.command("anna", "post", &[&text]).spawn().unwrap();
        if number % 3 != 0 {
            std::thread::sleep(uninterrupted.mul_f64(random.random::<f64>() * 1.2));
            child.kill().unwrap();
        }
        let run = finish(child);
        killed += usize::from(run.code.is_none());
        if run.of_type("message").len() == 1 {
            confirmed.push((text, posted(&run).1));
        }
    }
    assert!(killed > POSTS / 10 && confirmed.len() > POSTS / 3, "{killed} killed, {} confirmed", confirmed.len());
    let read = chat.read("bert");
    assert_eq!(unnumbered(chat.read("anna")), unnumbered(read.clone()));
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    read.iter().for_each(|shown| *counts.entry(&shown.text).or_default() += 1);
    assert_eq!(counts.values().max(), Some(&1), "{counts:?}");
    let lost: Vec<_> = confirmed.iter().filter(|(text, _)| !counts.contains_key(text.as_str())).collect();
    assert!(lost.is_empty(), "{lost:?}");
    for (text, counter) in confirmed.iter().skip(1) {
        let shown = read.iter().find(|shown| shown.text == *text).unwrap();
        assert_eq!(shown.counter, *counter, "it is there under the number that was told");
    }
    let order = |text: &str| text.strip_prefix("post ").map_or(0, |number| number.parse::<usize>().unwrap() + 1);
    assert!(read.iter().map(|shown| order(&shown.text)).is_sorted(), "in the order in which they were posted");
}

/// A message is taken when it was printed and that was noted; between the two a kill makes it come again.
#[test]
fn followers_killed_at_random_moments_miss_nothing_and_repeat_at_most_the_last_one() {
    let chat = Chat::new();
    let said: Vec<String> = (0..FOLLOWED).map(|number| format!("message {number}")).collect();
    let mut poster = Poster::start(&chat, said.clone());
    let mut random = StdRng::seed_from_u64(0xf0110);
    let mut heard: Vec<String> = Vec::new();
    let mut kills = 0;
    while heard.last() != said.last() {
        let mut following = chat.follow("bert", &[]);
        let mut printed: Vec<String> = Vec::new();
        for _ in 0..random.random_range(0..2 * FOLLOWED / FOLLOWERS) {
            printed.push(shown_in(&following.next("message")).text);
            if printed.last() == said.last() {
                break;
            }
        }
        // It prints on until it is dead: all that came out counts.
        printed.extend(killed(following));
        kills += 1;
        if heard.last().is_some() && heard.last() == printed.first() {
            heard.pop();
        }
        heard.extend(printed);
    }
    assert!(kills >= 3, "killed {kills} times only");
    poster.join();
    assert_eq!(heard, said);
    let following = chat.follow("bert", &[]);
    chat.post("anna", "the end");
    let rest = until(following, "the end");
    assert!(rest == ["the end"] || rest == [said.last().unwrap().as_str(), "the end"], "{rest:?}");
}

#[test]
fn whose_first_use_is_killed_takes_part_with_the_next() {
    let chat = Chat::new();
    chat.post("anna", "one");
    let began = Instant::now();
    chat.read("whole");
    let uninterrupted = began.elapsed();
    for number in 0..20 {
        let who = format!("member {number}");
        let mut child = chat.command(&who, "read", &[]).spawn().unwrap();
        std::thread::sleep(uninterrupted.mul_f64(f64::from(number) / 20.0));
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(chat.run(&who, "read", &[]).code, Some(0), "{who}");
    }
    assert_eq!(texts(&chat.read("anna")), ["one"]);
}

/// Posts in the background, one after the other.
struct Poster(Option<std::thread::JoinHandle<()>>);

impl Poster {
    fn start(chat: &Chat, said: Vec<String>) -> Poster {
        let mut commands: Vec<_> = said.iter().map(|text| chat.command("anna", "post", &[text])).collect();
        Poster(Some(std::thread::spawn(move || {
            for command in &mut commands {
                let run = finish(command.spawn().unwrap());
                assert_eq!(run.code, Some(0), "{run:?}");
            }
        })))
    }

    fn join(&mut self) {
        self.0.take().unwrap().join().unwrap();
    }
}

fn killed(following: Watching) -> Vec<String> {
    following.signal(rustix::process::Signal::KILL);
    following.rest().iter().filter(|line| line["type"] == "message").map(|line| shown_in(line).text).collect()
}

fn until(mut following: Watching, last: &str) -> Vec<String> {
    let mut heard: Vec<String> = Vec::new();
    while heard.last().is_none_or(|text| text != last) {
        heard.push(shown_in(&following.next("message")).text);
    }
    heard
}

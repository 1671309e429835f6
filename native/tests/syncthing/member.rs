//! A member: a process of its own that posts messages and keeps what it gets, until it is killed or told to end.

use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use futures::executor::block_on_stream;
use serde::{Deserialize, Serialize};
use syncline::messages::{MessageFolder, Messages, Options, Order};

/// Where a process finds its plan.
pub const PLAN: &str = "SYNCLINE_TEST_MEMBER";

/// What a member does.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Plan {
    /// What it calls itself, in its messages, too.
    pub name: String,
    /// The shared folder.
    pub folder: PathBuf,
    /// Its state.
    pub state: PathBuf,
    /// Where it keeps what it gets, a line for each message.
    pub kept: PathBuf,
    /// How many messages it posts in all, over all restarts.
    pub posts: usize,
    /// It wants messages in their total order, not as they arrive.
    pub is_total: bool,
}

/// What one of a member's messages says.
pub fn text(name: &str, number: usize) -> String {
    format!("{name} {number}")
}

/// No test but the process that the test starts three times; without a plan it has nothing to do.
#[test]
#[ignore = "a process of the exchange through Syncthing"]
fn process() {
    if let Ok(plan) = std::env::var(PLAN) {
        run(&serde_json::from_str(&plan).unwrap());
    }
}

fn run(plan: &Plan) {
    let order = if plan.is_total { Order::Total } else { Order::Arrival };
    let options = Options {
        state: Some(plan.state.clone()),
        name: Some(plan.name.clone()),
        order: Some(order),
        ..Options::default()
    };
    let mut folder = MessageFolder::open(&plan.folder, options).unwrap();
    let messages = folder.messages().unwrap();
    let is_ended = AtomicBool::new(false);
    let is_ended = &is_ended;
    std::thread::scope(|scope| {
        scope.spawn(|| keep(plan, messages));
        let poster = scope.spawn(move || {
            post(plan, &folder, is_ended);
            folder
        });
        // Whoever started it closes its standard input to end it.
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        is_ended.store(true, Ordering::Relaxed);
        // The messages end with the folder, and with them who keeps them.
        drop(poster.join().unwrap());
    });
}

/// Goes on behind what it had posted before it was killed: only its own history knows.
fn post(plan: &Plan, folder: &MessageFolder, is_ended: &AtomicBool) {
    let own = |payload: &[u8]| std::str::from_utf8(payload).is_ok_and(|text| text.starts_with(&plan.name));
    let posted = folder.history().unwrap().filter(|message| own(&message.as_ref().unwrap().payload)).count();
    say("posted", posted);
    for number in posted..plan.posts {
        if is_ended.load(Ordering::Relaxed) {
            return;
        }
        folder.post(text(&plan.name, number).into_bytes()).unwrap();
        say("posted", number + 1);
    }
}

/// Keeps each message before it says that it is taken.
fn keep(plan: &Plan, messages: Messages) {
    let taken = messages.taken();
    let mut kept = open_whole(&plan.kept);
    for message in block_on_stream(messages) {
        let text = String::from_utf8(message.payload).unwrap();
        let (sequence, unix_ms) = (message.sequence, message.unix_ms.0);
        let line = format!("{sequence} {} {unix_ms} {} {} {text}\n", message.lamport, message.author, message.counter);
        // A kill takes back nothing that was written.
        kept.write_all(line.as_bytes()).unwrap();
        taken.stored().unwrap();
        say("kept", usize::try_from(sequence).unwrap());
    }
}

/// Opens the file for more lines. What a kill left of a line is none.
fn open_whole(path: &Path) -> File {
    let mut file = OpenOptions::new().read(true).append(true).create(true).open(path).unwrap();
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).unwrap();
    let whole = bytes.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    file.set_len(whole as u64).unwrap();
    file
}

fn say(what: &str, number: usize) {
    // The test harness leaves a line unfinished, and nobody may be reading any more.
    let _ = std::io::stdout().lock().write_all(format!("\n{what} {number}\n").as_bytes());
}

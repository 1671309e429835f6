//! Members as the test sees them.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread::JoinHandle;

use super::member::{PLAN, Plan};

/// What a member has come to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Progress {
    /// It has posted so many messages.
    Posted(usize),
    /// It has kept the message of this number.
    Kept(usize),
    /// Its process has ended.
    Ended,
}

/// A member's process.
pub struct Member {
    plan: Plan,
    place: usize,
    progress: Sender<(usize, Progress)>,
    child: Child,
    reader: Option<JoinHandle<()>>,
}

impl Member {
    /// Starts it; its progress is told with its place among the members.
    pub fn start(plan: Plan, place: usize, progress: Sender<(usize, Progress)>) -> Member {
        let (child, reader) = spawn(&plan, place, progress.clone());
        Member { plan, place, progress, child, reader: Some(reader) }
    }

    /// Kills it, at whatever it is, and starts it again.
    pub fn kill_and_start(&mut self) {
        self.child.kill().unwrap();
        self.finish();
        let (child, reader) = spawn(&self.plan, self.place, self.progress.clone());
        (self.child, self.reader) = (child, Some(reader));
    }

    /// Lets it end in order.
    pub fn end(mut self) {
        drop(self.child.stdin.take());
        let status = self.child.wait().unwrap();
        assert!(status.success(), "{} ended with {status}", self.plan.name);
        self.finish();
    }

    fn finish(&mut self) {
        let _ = self.child.wait();
        if let Some(reader) = self.reader.take() {
            reader.join().unwrap();
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        // It has ended already where a test went well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(plan: &Plan, place: usize, progress: Sender<(usize, Progress)>) -> (Child, JoinHandle<()>) {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", "member::process", "--ignored", "--nocapture"]);
    command.env(PLAN, serde_json::to_string(plan).unwrap());
    // What it has to complain of goes where the test's own complaints go.
    command.stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let reader = std::thread::spawn(move || {
        for line in lines {
            let Ok(line) = line else { break };
            let told = line.split_once(' ').and_then(|(what, number)| Some((what, number.parse().ok()?)));
            let told = match told {
                Some(("posted", number)) => Progress::Posted(number),
                Some(("kept", number)) => Progress::Kept(number),
                _ => continue,
            };
            // A test that failed listens no more.
            let _ = progress.send((place, told));
        }
        let _ = progress.send((place, Progress::Ended));
    });
    (child, reader)
}

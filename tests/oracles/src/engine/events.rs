//! An engine that is told anything in any order.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{
        Command, Content, EntryKind, Event, Failure, Hint, LinkId, Membership, Monotonic, Now, Outcome, Stat, TaskId,
        UnixMs, Work, listing,
    },
    link::{Frame, Indexing},
    log::Dot,
};
use syncline_sim::{Clock, ROOT};

use super::device::{Device, Edit, config, plausible};
use crate::{
    link::{hello, packets},
    member::{Member, RawBody, RawChange, birth},
    script,
};

/// Pieces of work that one input lets an honest device do.
const WORK_MAX: usize = 2_000;

/// One thing that happens.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// Any event, with any task or link.
    Event(Event),
    /// The clocks show this from now on.
    Clock { monotonic_ms: u64, unix_ms: u64 },
    /// Work in flight ends this way, whatever the device holds.
    Answer { task: u8, outcome: Outcome },
    /// Work in flight ends as on a sound device.
    Perform { task: u8 },
    /// Work in flight fails.
    Fail { task: u8, failure: Failure },
    /// Work that ended before ends once more.
    Again { task: u8, outcome: Outcome },
    /// All work ends as on a sound device, until none is left or so many pieces are done.
    Work { count: u8 },
    /// A pipe opens and a member says hello.
    Meet { link: u8 },
    /// The member says something.
    Say { link: u8, frame: Frame },
    /// The member sends a message of its own.
    Write { link: u8, changes: Vec<RawChange>, skip: u8, lamport: u64 },
    /// The member forgets what it wrote, and writes it anew.
    Forget,
    /// People change the folder, and the watcher sees it.
    Edit(Edit),
    /// Time passes to the engine's deadline.
    Wait,
}

/// Whatever an engine is told, it keeps the boundary's rules; told the same again, it answers the same. Memory: a
/// mebibyte, 256 bytes for each byte told, and what reading the last event may take.
pub fn engine(bytes: &[u8]) {
    let steps = script::read::<Step>(bytes);
    let first = Run::new(true).play(&steps);
    let second = Run::new(false).play(&steps);
    assert_eq!(first, second, "the same seed, events and times gave other actions");
}

struct Run {
    device: Device,
    clock: Clock,
    now: Now,
    member: Member,
    ended: Vec<TaskId>,
    /// The engine was told what no device did: from now on outcomes come from none.
    lied: bool,
    work: usize,
}

impl Run {
    fn new(measured: bool) -> Run {
        let clock = Clock::new();
        let device = Device::empty(config(1, Membership::Founder), 1, &clock);
        let device = if measured { device } else { device.unmeasured() };
        let now = clock.now();
        Run { device, clock, now, member: Member::new(0xee), ended: Vec::new(), lied: false, work: 0 }
    }

    fn play(mut self, steps: &[Step]) -> blake3::Hash {
        for step in steps {
            self.step(step);
        }
        let _ = self.device.engine.status();
        self.device.digest()
    }

    fn step(&mut self, step: &Step) {
        match step {
            Step::Event(event) => self.event(event),
            Step::Clock { monotonic_ms, unix_ms } => {
                self.now = Now { monotonic: Monotonic(*monotonic_ms), unix: UnixMs(*unix_ms) };
            }
            Step::Answer { task, outcome } => {
                if let Some((task, _)) = self.device.take((*task).into()) {
                    self.lied = true;
                    self.complete(task, outcome.clone());
                }
            }
            Step::Perform { task } => {
                if let Some((task, work)) = self.device.take((*task).into()) {
                    self.perform(task, work);
                }
            }
            Step::Fail { task, failure } => {
                if let Some((task, _)) = self.device.take((*task).into()) {
                    self.complete(task, Outcome::Failed { failure: failure.clone() });
                }
            }
            Step::Again { task, outcome } => {
                if let Some(task) = self.ended.get(usize::from(*task) % self.ended.len().max(1)) {
                    self.tell(Event::Completed { task: *task, outcome: outcome.clone() });
                }
            }
            Step::Work { count } => {
                for _ in 0..*count {
                    let Some((task, work)) = self.device.take(0) else { return };
                    self.perform(task, work);
                }
            }
            Step::Meet { link } => {
                self.tell(Event::LinkUp { link: LinkId((*link).into()), message_bytes_max: 4_096 });
                self.tell(Event::LinkData { link: LinkId((*link).into()), bytes: hello() });
            }
            Step::Say { link, frame } => self.say(*link, frame),
            Step::Write { link, changes, skip, lamport } => {
                let message = self.member.seal(ROOT, changes.clone(), *skip, *lamport);
                self.say(*link, &Frame::Messages { messages: vec![ByteBuf::from(message)] });
            }
            Step::Forget => self.member.forget(),
            Step::Edit(edit) => {
                self.device.edit(edit);
                let hints = vec![Hint { directory: String::new(), recursive: true }];
                self.tell(Event::Changed { root: ROOT, hints });
            }
            Step::Wait => {
                if let Some(deadline) = self.device.engine.deadline() {
                    self.clock.advance(deadline.0.saturating_sub(self.now.monotonic.0).min(100_000));
                    self.now.monotonic = self.now.monotonic.max(deadline);
                    self.tell(Event::Wake);
                }
            }
        }
    }

    fn event(&mut self, event: &Event) {
        if let Event::Completed { task, .. } = event
            && let Some(index) = self.device.pending.iter().position(|(pending, _)| pending == task)
        {
            self.device.pending.remove(index);
            self.lied = true;
        }
        self.tell(event.clone());
    }

    fn perform(&mut self, task: TaskId, work: Work) {
        self.work += 1;
        if self.work > WORK_MAX {
            return;
        }
        let outcome = if self.lied { plausible(&work) } else { self.device.perform(work) };
        self.complete(task, outcome);
    }

    fn complete(&mut self, task: TaskId, outcome: Outcome) {
        self.ended.push(task);
        self.tell(Event::Completed { task, outcome });
    }

    fn say(&mut self, link: u8, frame: &Frame) {
        for bytes in packets(frame, frame.lane() as u8, 4 << 20) {
            self.tell(Event::LinkData { link: LinkId(link.into()), bytes });
        }
    }

    fn tell(&mut self, event: Event) {
        self.device.tell(self.now, event);
        self.device.sent.clear();
        self.device.closed.clear();
    }
}

/// The steps of a day on which nothing goes wrong, each piece of work with the outcome that a device gave it, and of
/// days on which a member says much.
pub(crate) fn recorded() -> Vec<Vec<Step>> {
    let command = |command| Step::Event(Event::Command { command });
    let edit = |path, text: &[u8]| Step::Edit(Edit::Write { path, bytes: text.to_vec() });
    let start = || vec![Step::Event(Event::Start), Step::Work { count: 40 }];
    let dot = |counter, index| Dot::new(Member::new(0xee).author(), counter, index);
    let link = |target: &[u8]| Content::Symlink { target: target.to_vec() };
    let write = |changes| Step::Write { link: 1, changes, skip: 0, lamport: 1 };
    let body = RawBody::Deleted;
    let delete = RawChange::Version { node: dot(1, 0), past: dot(1, 0).into(), body, modified_ns: 1 };
    let inner = RawChange::Birth {
        parent: Some(dot(1, 1)),
        name: "inner".into(),
        past: Default::default(),
        content: link(b"y"),
        mode: 0o777,
        modified_ns: 0,
    };
    let file = Content::File { hash: syncline_core::content::chunk_hash(b"seven b"), size: 7 };
    let hash = syncline_core::content::chunk_hash(b"seven b");
    let digest = syncline_core::api::Hash::from_bytes([0; 32]);
    let mut heads = syncline_core::log::Heads::new();
    heads.insert(dot(1, 0).author, 1);
    let mut days = vec![
        start(),
        vec![edit(0, b"one"), Step::Event(Event::Start), Step::Work { count: 60 }, Step::Wait],
        vec![edit(0, b"one"), edit(3, b"two"), Step::Event(Event::Start), Step::Work { count: 60 }],
        vec![Step::Meet { link: 1 }, Step::Event(Event::Start), Step::Work { count: 60 }],
    ];
    let mut long = start();
    long.extend([edit(0, b"one"), Step::Work { count: 20 }, Step::Meet { link: 1 }]);
    long.push(Step::Say { link: 1, frame: Frame::Heads { heads, digest, indexing: Indexing::Done } });
    long.extend([Step::Work { count: 20 }, write(vec![birth("l", link(b"x")), birth("d", Content::Directory)])]);
    long.extend([Step::Work { count: 40 }, write(vec![inner, delete]), Step::Work { count: 40 }]);
    long.extend([Step::Edit(Edit::Remove { path: 0 }), Step::Work { count: 20 }, Step::Wait, Step::Work { count: 20 }]);
    long.push(Step::Event(Event::Stop));
    days.push(long);
    let mut fetch = start();
    fetch.extend([Step::Meet { link: 1 }, Step::Work { count: 9 }, write(vec![birth("f", file)])]);
    fetch.extend([Step::Work { count: 9 }, Step::Say { link: 1, frame: chunk(hash) }, Step::Work { count: 40 }]);
    fetch.push(Step::Event(Event::LinkReady { link: LinkId(1) }));
    fetch.push(Step::Event(Event::LinkDown { link: LinkId(1) }));
    days.push(fetch);
    for asked in [
        Command::Rescan { root: ROOT },
        Command::AllowDeletions { root: ROOT },
        Command::RestoreDeletions { root: ROOT },
        Command::Retry { root: ROOT },
    ] {
        let mut day = start();
        day.extend([edit(2, b"x"), command(asked), Step::Work { count: 20 }]);
        day.push(Step::Fail { task: 0, failure: Failure::Denied });
        day.push(Step::Clock { monotonic_ms: 0, unix_ms: 1 });
        day.extend([Step::Wait, Step::Event(Event::Stop)]);
        days.push(day);
    }
    let answered: Vec<_> = days.iter().map(|day| answers(day)).collect();
    days.extend(answered);
    days.extend(hostile());
    days
}

/// Days on which hosts and members name what is none of the tree's business.
fn hostile() -> Vec<Vec<Step>> {
    const NAMES: [&str; 9] = ["..", "../x", "/etc", "a//b", "", ".", ".syncline", ".SYNCLINE/store", "a\0b"];
    let started = || vec![Step::Event(Event::Start), Step::Work { count: 40 }];
    let stat =
        Stat { kind: EntryKind::File, size: 3, mode: 0o644, modified_ns: 5, changed_ns: 5, file_id: 9, settled: true };
    let nothing = Content::File { hash: syncline_core::content::chunk_hash(b"not empty"), size: 0 };
    let mut days = Vec::new();
    for name in NAMES {
        let mut hinted = started();
        let hints = vec![
            Hint { directory: name.into(), recursive: false },
            Hint { directory: format!("{name}/{name}"), recursive: true },
        ];
        hinted.extend([Step::Event(Event::Changed { root: ROOT, hints }), Step::Work { count: 20 }]);
        days.push(hinted);

        let mut listed = Vec::new();
        for kind in [EntryKind::File, EntryKind::Directory, EntryKind::Symlink] {
            listing::push(&mut listed, name, &Stat { kind, ..stat });
        }
        let outcome = Outcome::Listed { listing: listed, more: true, marker: true };
        days.push(vec![
            Step::Event(Event::Start),
            Step::Perform { task: 0 },
            Step::Perform { task: 0 },
            Step::Answer { task: 0, outcome: outcome.clone() },
            Step::Answer { task: 1, outcome },
            Step::Work { count: 20 },
        ]);

        let mut written = started();
        let changes =
            vec![birth(name, Content::Directory), birth("d", Content::Directory), birth("z", nothing.clone())];
        written.extend([Step::Meet { link: 1 }, Step::Write { link: 1, changes, skip: 0, lamport: 0 }]);
        written.push(Step::Work { count: 40 });
        days.push(written);
    }
    days
}

fn chunk(content: syncline_core::api::Hash) -> Frame {
    Frame::Chunk { content, offset: 0, bytes: b"seven b".to_vec() }
}

/// The same day with each outcome written down instead of a device.
fn answers(day: &[Step]) -> Vec<Step> {
    let mut run = Run::new(true);
    let mut answers = Vec::new();
    for step in day {
        let Step::Work { count } = step else {
            run.step(step);
            answers.push(copy(step));
            continue;
        };
        for _ in 0..*count {
            let Some((task, work)) = run.device.take(0) else { break };
            let outcome = run.device.perform(work);
            answers.push(Step::Answer { task: 0, outcome: outcome.clone() });
            run.complete(task, outcome);
        }
    }
    answers
}

fn copy(step: &Step) -> Step {
    script::read(&script::write(std::slice::from_ref(step))).remove(0)
}

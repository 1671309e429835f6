//! An engine that is told anything in any order.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{Config, Event, Failure, Hint, LinkId, Membership, Monotonic, Now, Outcome, TaskId, UnixMs, Work},
    link::Frame,
};
use syncline_sim::{Clock, Disk, FOLDER, Host, ROOT, folder::FolderFile};

use super::{
    device::{Device, Edit, OTHER, config},
    folder::{FolderEdit, Setup},
    rows::Kept,
};
use crate::{
    link::{hello, packets},
    member::{Member, RawChange, Said},
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
    /// The engine ends at once, and one that is not started takes its place on the same device.
    Configure(Setup),
    /// Something happens to the message folder, and a watcher sees it or does not.
    Folder { edit: FolderEdit, seen: bool },
    /// The member sends a message of its own, about anything.
    Tell { link: u8, said: Said, skip: u8, lamport: u64 },
    /// The engine ends at once, and one that is not started and keeps rows takes its place on the same device.
    Keep(Kept),
}

/// Whatever an engine is told, it keeps the boundary's rules; told the same again, it answers the same. Memory: a
/// mebibyte, 256 bytes for each byte told, what reading the last event may take, and for rows what their keys may.
pub fn engine(bytes: &[u8]) {
    let steps = script::read::<Step>(bytes);
    let first = Run::new(true).play(&steps);
    let second = Run::new(false).play(&steps);
    assert_eq!(first, second, "the same seed, events and times gave other actions");
}

pub(super) struct Run {
    pub(super) device: Device,
    clock: Clock,
    now: Now,
    member: Member,
    ended: Vec<TaskId>,
    /// The engine was told what no device did: from now on outcomes come from none.
    lied: bool,
    work: usize,
    setup: Setup,
    kept: Option<Kept>,
    starts: u8,
}

impl Run {
    pub(super) fn new(measured: bool) -> Run {
        let clock = Clock::new();
        let device = Device::empty(config(1, Membership::Founder), 1, &clock);
        let device = if measured { device } else { device.unmeasured() };
        let now = clock.now();
        let setup = Setup { rooted: true, sealed: false, probing: false, delivery: None };
        let member = Member::new(OTHER);
        Run { device, clock, now, member, ended: Vec::new(), lied: false, work: 0, setup, kept: None, starts: 1 }
    }

    fn play(mut self, steps: &[Step]) -> blake3::Hash {
        for step in steps {
            self.step(step);
        }
        let _ = self.device.engine.status();
        self.device.digest()
    }

    pub(super) fn step(&mut self, step: &Step) {
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
                self.write(*link, Said::Changes(changes.clone()), *skip, *lamport);
            }
            Step::Tell { link, said, skip, lamport } => self.write(*link, said.clone(), *skip, *lamport),
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
            Step::Configure(setup) => self.configure(*setup),
            Step::Keep(kept) => {
                self.kept = Some(*kept);
                self.configure(self.setup);
            }
            Step::Folder { edit, seen } => {
                let paths =
                    edit.apply(self.setup, self.device.engine.replica(), &mut self.device.host, &mut self.member);
                if *seen && !paths.is_empty() {
                    self.tell(Event::FolderChanged { folder: FOLDER, paths });
                }
            }
        }
    }

    fn configure(&mut self, setup: Setup) {
        let mut host = Host::new(ROOT, Disk::new(self.clock.clone()));
        std::mem::swap(&mut host, &mut self.device.host);
        if host.folder.at("info").is_none() {
            host.folder.put("info", FolderFile::new(setup.info().to_json()));
        }
        self.starts = self.starts.wrapping_add(1);
        let config = Config { records: self.kept.map(Kept::config), ..setup.config(1) };
        let device = Device::new(config, self.starts, host);
        let measured = self.device.is_measured();
        self.device = if measured { device } else { device.unmeasured() };
        self.setup = setup;
        // The new engine knows what the store says, and what it is told from now on.
        (self.lied, self.ended) = (false, Vec::new());
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
        let outcome = if self.lied { self.device.pretend(work) } else { self.device.perform(work) };
        self.complete(task, outcome);
    }

    pub(super) fn complete(&mut self, task: TaskId, outcome: Outcome) {
        self.ended.push(task);
        self.tell(Event::Completed { task, outcome });
    }

    fn write(&mut self, link: u8, said: Said, skip: u8, lamport: u64) {
        let message = self.member.say(ROOT, said, skip, lamport);
        self.say(link, &Frame::Messages { messages: vec![ByteBuf::from(message)] });
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

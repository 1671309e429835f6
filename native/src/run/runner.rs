//! One engine on its own thread.

use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, TryRecvError};
use syncline_core::Engine;
use syncline_core::api::{
    Action, Delivery, Event, Failure, FolderId, LinkId, Monotonic, Notice, Now, Outcome, ReplicaId, TaskId, UnixMs,
    Work,
};

use super::board::Board;
use super::pool::{Pool, Reply, Witness};
use super::vault::{RowsNews, Vault};
use crate::Error;
use crate::disk::Disk;
use crate::folder::SharedFolder;

/// Gives messages to the application, in the order of the calls. It is called on the engine's thread, so what takes time is
/// done elsewhere; the reply is [`Delivered`](Outcome::Delivered), sent when the application has stored them.
pub(crate) type Deliver = Box<dyn FnMut(Vec<Delivery>, Reply) + Send>;

/// The only link of a runner.
pub(crate) const LINK: LinkId = LinkId(1);
/// The largest message of the pipe between two runners.
pub(crate) const MESSAGE_BYTES_MAX: u32 = 4 * 1024 * 1024;
/// How often a busy runner posts how it stands.
const POST_EVERY: Duration = Duration::from_millis(200);

/// What reaches a runner.
#[derive(Debug)]
pub(crate) enum Input {
    /// An event for the engine.
    Event(Event),
    /// A piece of work ended.
    Completed {
        /// The work.
        task: TaskId,
        /// How it ended.
        outcome: Outcome,
    },
    /// The other runner took a message out of the pipe.
    Taken,
}

/// What a runner is made from.
pub(crate) struct Setup {
    /// Which side of the board it posts to.
    pub(crate) side: usize,
    /// The engine, not yet started.
    pub(crate) engine: Engine,
    /// The disk of its root, if it has one.
    pub(crate) disk: Option<Arc<Disk>>,
    /// Its message folder, if it has one, under the name that its configuration gives it.
    pub(crate) folder: Option<(FolderId, Arc<SharedFolder>)>,
    /// What takes application messages, if it was configured to deliver any.
    pub(crate) deliver: Option<Deliver>,
    /// Hears under which name each message that was published is saved, in the order of the commands.
    pub(crate) published: Option<Box<dyn FnMut(ReplicaId, u64) + Send>>,
    /// The engine keeps records, of which the store is told.
    pub(crate) keeps_records: bool,
    /// Its store.
    pub(crate) vault: Vault,
    /// The threads for disk work.
    pub(crate) pool: Arc<Pool>,
    /// Where to post.
    pub(crate) board: Arc<Board>,
    /// What reaches it, and the way for completions.
    pub(crate) inbox: (Sender<Input>, Receiver<Input>),
    /// The other end of the link, if there is one.
    pub(crate) peer: Option<Sender<Input>>,
    /// Sees disk work and its outcomes.
    pub(crate) witness: Witness,
    /// Hears notices.
    pub(crate) notified: Box<dyn Fn(Notice) + Send>,
}

/// An engine's thread.
pub(crate) struct Runner {
    thread: JoinHandle<()>,
}

impl Runner {
    /// Starts an engine's thread.
    ///
    /// # Errors
    /// The system gives none.
    pub(crate) fn start(setup: Setup) -> Result<Runner, Error> {
        let thread = thread::Builder::new()
            .name(format!("engine-{}", setup.side))
            .spawn(move || Loop::new(setup).run())
            .map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?;
        Ok(Runner { thread })
    }

    /// Waits until the thread has ended and the store is closed.
    pub(crate) fn join(self) {
        // If it panicked, the board says that it ended.
        let _ = self.thread.join();
    }
}

/// Tells the board that a runner ended, also if it panics.
struct Ending {
    board: Arc<Board>,
    side: usize,
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.board.post(self.side, |side| {
            side.stopped = true;
            side.quiet = false;
        });
    }
}

struct Loop {
    setup: Setup,
    born: Instant,
    posted: Instant,
    /// Work under way.
    in_flight: usize,
    /// Messages in the pipe that the peer has not taken.
    untaken: usize,
    sent: u64,
    sent_bytes: u64,
    handled: u64,
    /// The store was told that the engine knows what it has of the application's rows.
    has_started: bool,
    stopped: bool,
}

impl Loop {
    fn new(setup: Setup) -> Self {
        let now = Instant::now();
        Self {
            setup,
            born: now,
            posted: now,
            in_flight: 0,
            untaken: 0,
            sent: 0,
            sent_bytes: 0,
            handled: 0,
            has_started: false,
            stopped: false,
        }
    }

    fn run(mut self) {
        let _ending = Ending { board: Arc::clone(&self.setup.board), side: self.setup.side };
        self.handle(Event::Start);
        if self.setup.peer.is_some() {
            self.handle(Event::LinkUp { link: LINK, message_bytes_max: MESSAGE_BYTES_MAX });
        }
        while !self.stopped {
            match self.setup.inbox.1.try_recv() {
                Ok(input) => self.take(input),
                Err(TryRecvError::Empty) => self.idle(),
                Err(TryRecvError::Disconnected) => break,
            }
            if self.posted.elapsed() >= POST_EVERY {
                self.post(false);
            }
        }
        self.post(false);
    }

    /// Nothing is queued: posts if nothing is under way either, then waits for input or the engine's deadline.
    fn idle(&mut self) {
        let due = self.setup.engine.deadline().map(|deadline| {
            let now = self.now().monotonic;
            Duration::from_millis(deadline.0.saturating_sub(now.0))
        });
        if due == Some(Duration::ZERO) {
            return self.handle(Event::Wake);
        }
        if self.in_flight == 0 && self.untaken == 0 {
            self.post(true);
        }
        let input = match due {
            None => self.setup.inbox.1.recv().map_err(|_| RecvTimeoutError::Disconnected),
            Some(due) => self.setup.inbox.1.recv_timeout(due),
        };
        match input {
            Ok(input) => self.take(input),
            Err(RecvTimeoutError::Timeout) => self.handle(Event::Wake),
            Err(RecvTimeoutError::Disconnected) => self.stopped = true,
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Event(event) => {
                let is_message = matches!(event, Event::LinkData { .. });
                self.handle(event);
                if is_message {
                    self.handled = self.handled.saturating_add(1);
                    self.tell_peer(Input::Taken);
                }
            }
            Input::Completed { task, outcome } => {
                self.in_flight = self.in_flight.saturating_sub(1);
                self.handle(Event::Completed { task, outcome });
            }
            Input::Taken => {
                self.untaken = self.untaken.saturating_sub(1);
                if self.untaken == 0 {
                    self.handle(Event::LinkReady { link: LINK });
                }
            }
        }
    }

    fn handle(&mut self, event: Event) {
        let now = self.now();
        for action in self.setup.engine.handle(now, event) {
            self.perform(action);
        }
        if self.setup.keeps_records
            && !self.has_started
            && let Some(records) = self.setup.engine.status().records
        {
            self.has_started = true;
            self.setup.vault.tell(RowsNews::Started { taken: records.taken });
        }
    }

    fn perform(&mut self, action: Action) {
        match action {
            Action::Perform { task, work } => {
                self.in_flight = self.in_flight.saturating_add(1);
                tracing::trace!("engine {} asks for {}", self.setup.side, about(&work));
                let reply = Reply::new(task, self.setup.inbox.0.clone());
                self.dispatch(work, reply);
            }
            Action::Send { bytes, .. } => {
                self.sent = self.sent.saturating_add(1);
                self.sent_bytes = self.sent_bytes.saturating_add(count(bytes.len()));
                self.untaken = self.untaken.saturating_add(1);
                self.tell_peer(Input::Event(Event::LinkData { link: LINK, bytes }));
            }
            Action::Close { reason, .. } => {
                self.tell_peer(Input::Event(Event::LinkDown { link: LINK }));
                self.setup.board.post(self.setup.side, |side| side.closed = Some(reason));
            }
            Action::Notify { notice } => (self.setup.notified)(notice),
            Action::Published { author, counter } => {
                if let Some(published) = &mut self.setup.published {
                    published(author, counter);
                }
            }
            Action::RowsWritten { taken } => self.setup.vault.tell(RowsNews::Written { taken }),
            // Applications look into their own databases.
            Action::RowsRead { .. } | Action::RowsChanged { .. } => {}
            Action::Stopped => self.stopped = true,
            // What is under way is soon done, and its completion is due all the same.
            Action::Cancel { .. } => {}
        }
    }

    /// Gives work to whoever does its kind.
    fn dispatch(&mut self, work: Work, reply: Reply) {
        if matches!(work, Work::Deliver { .. }) {
            // Who gets messages finds their authors among the members.
            self.post(false);
        }
        if let Work::FolderCreate { files, .. } = &work {
            self.sent_bytes =
                files.iter().fold(self.sent_bytes, |sum, file| sum.saturating_add(count(file.bytes.len())));
        }
        let setup = &mut self.setup;
        match work {
            Work::Load { .. } | Work::Save { .. } | Work::ApplyRows { .. } => setup.vault.perform(work, reply),
            Work::Deliver { messages } => match &mut setup.deliver {
                Some(deliver) => deliver(messages, reply),
                None => reply.send(refused("nothing takes messages here")),
            },
            Work::FolderList { folder, .. }
            | Work::FolderProbe { folder, .. }
            | Work::FolderRead { folder, .. }
            | Work::FolderCreate { folder, .. }
            | Work::FolderRemove { folder, .. }
            | Work::FolderFetch { folder, .. } => match &setup.folder {
                Some((id, shared)) if *id == folder => setup.pool.perform_in_folder(shared, work, reply),
                _ => reply.send(refused("there is no such message folder here")),
            },
            Work::List { .. }
            | Work::Probe { .. }
            | Work::Hash { .. }
            | Work::Read { .. }
            | Work::Stage { .. }
            | Work::Commit { .. }
            | Work::Discard { .. } => match &setup.disk {
                Some(disk) => setup.pool.perform(disk, work, reply, &setup.witness),
                None => reply.send(refused("there is no root here")),
            },
        }
    }

    fn tell_peer(&self, input: Input) {
        if let Some(peer) = &self.setup.peer {
            // A peer that has ended takes nothing any more.
            let _ = peer.send(input);
        }
    }

    fn post(&mut self, resting: bool) {
        let status = self.setup.engine.status();
        let (sent, sent_bytes, handled) = (self.sent, self.sent_bytes, self.handled);
        self.setup.board.post(self.setup.side, |side| {
            side.quiet = resting && status.quiet;
            side.status = Some(status);
            side.sent = sent;
            side.sent_bytes = sent_bytes;
            side.handled = handled;
        });
        self.posted = Instant::now();
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
        Now { monotonic: Monotonic(milliseconds(self.born.elapsed().as_millis())), unix: UnixMs(milliseconds(unix)) }
    }
}

/// Work in a few words, for the log. Paths are quoted as in Rust, so they steer no terminal.
fn about(work: &Work) -> String {
    match work {
        Work::Load { .. } => "a load".into(),
        Work::Save { writes } => format!("a save of {} pairs", writes.len()),
        Work::List { directory, after, .. } => format!("the list of {directory:?} behind {after:?}"),
        Work::Probe { paths, .. } => format!("probes of {} paths from {:?}", paths.len(), paths.first()),
        Work::Hash { items, .. } => {
            format!("hashes of {} paths from {:?}", items.len(), items.first().map(|item| &item.path))
        }
        Work::Read { ranges, .. } => {
            format!("{} parts of files from {:?}", ranges.len(), ranges.first().map(|range| &range.path))
        }
        Work::Stage { items, .. } => format!("the staging of {} chunks", items.len()),
        Work::Commit { items, .. } => {
            format!("{} changes from {:?}", items.len(), items.first().map(|item| &item.path))
        }
        Work::Discard { stages, .. } => format!("the discarding of {} stages", stages.len()),
        Work::FolderList { directory, page, .. } => format!("page {page:?} of the shared {directory:?}"),
        Work::FolderProbe { paths, .. } => format!("probes of {} shared files from {:?}", paths.len(), paths.first()),
        Work::FolderRead { paths, .. } => format!("{} shared files from {:?}", paths.len(), paths.first()),
        Work::FolderCreate { files, .. } => {
            format!("{} new shared files from {:?}", files.len(), files.first().map(|file| &file.path))
        }
        Work::FolderRemove { paths, .. } => {
            format!("the removal of {} shared files from {:?}", paths.len(), paths.first())
        }
        Work::FolderFetch { paths, .. } => {
            format!("the bytes of {} shared files from {:?}", paths.len(), paths.first())
        }
        Work::Deliver { messages } => format!("the delivery of {} messages", messages.len()),
        Work::ApplyRows { rows, .. } => format!("the application of {} rows", rows.len()),
    }
}

/// What this host was not set up for; the engine asks for no such thing unless it was configured otherwise than its host.
fn refused(why: &str) -> Outcome {
    Outcome::Failed { failure: Failure::Other { message: why.into() } }
}

fn count(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

fn milliseconds(number: u128) -> u64 {
    u64::try_from(number).unwrap_or(u64::MAX)
}

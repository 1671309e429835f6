//! Messages between devices through a folder that something else carries: Dropbox, iCloud Drive, Syncthing, a USB stick.
//!
//! ```no_run
//! use futures::StreamExt;
//! use syncline::messages::{MessageFolder, Options};
//!
//! # async fn chat() -> Result<(), syncline::Error> {
//! let mut folder = MessageFolder::open("shared".as_ref(), Options { create: true, ..Options::default() })?;
//! folder.post(b"hello".to_vec())?;
//! let mut messages = folder.messages().expect("they are asked for once");
//! while let Some(message) = messages.next().await {
//!     println!("{}: {}", message.author, String::from_utf8_lossy(&message.payload));
//! }
//! # Ok(())
//! # }
//! ```

mod former;
mod history;
pub mod key;
mod open;
mod state;
mod stream;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, Sender};
use syncline_core::api::{Command, Event, FolderId, FolderState, FolderStatus, GroupId, Notice, ReplicaId, Status};
use syncline_core::engine::limits::PAYLOAD_BYTES_MAX;

use crate::Error;
use crate::run::{Access, Board, Input, Runner};

pub use history::{HeldMessage, History};
pub use open::Options;
pub use stream::{Message, Messages, Taken};
pub use syncline_core::api::DeliveryOrder as Order;

/// What there is to tell people.
pub type Notices = futures_channel::mpsc::UnboundedReceiver<Notice>;

/// The only folder of an engine that serves one.
const FOLDER: FolderId = FolderId(1);
const SIDE: usize = 0;
/// How long a stop may take before the process goes on without it.
const STOP_WAIT: Duration = Duration::from_secs(10);

/// A device's part in a message folder: an engine that runs until this is dropped.
pub struct MessageFolder {
    inbox: Sender<Input>,
    board: Arc<Board>,
    runner: Option<Runner>,
    published: Receiver<(ReplicaId, u64)>,
    notices: Mutex<Option<Notices>>,
    failed: Arc<Mutex<Option<String>>>,
    messages: Option<Messages>,
    store: Access,
    session: GroupId,
    state: PathBuf,
    /// Held as long as the state is in use.
    _lock: crate::root::Lock,
    _watch: Option<crate::folder::FolderWatch>,
}

/// The name of a message that was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Posted {
    /// This device, as its messages name it.
    pub author: ReplicaId,
    /// The message's number.
    pub counter: u64,
}

impl MessageFolder {
    /// Sends a message; when this returns it is saved on this device and never lost. It goes into the folder at once, or as
    /// soon as that can be written.
    ///
    /// # Errors
    /// It is too long, or could not be saved.
    pub fn post(&self, payload: Vec<u8>) -> Result<Posted, Error> {
        if payload.len() > PAYLOAD_BYTES_MAX {
            return Err(Error::MessageTooLong { found: payload.len() as u64, limit: PAYLOAD_BYTES_MAX as u64 });
        }
        self.tell(Event::Command { command: Command::Publish { payload } });
        let (author, counter) = self.published.recv().map_err(|_| self.failure())?;
        Ok(Posted { author, counter })
    }

    /// What others and this device post, each once: also over restarts, as this device's state remembers what was taken.
    /// None if they were asked for before, or the folder was opened without.
    pub fn messages(&mut self) -> Option<Messages> {
        self.messages.take()
    }

    /// Waits until the folder was looked through and nothing is left to do; false if the time is over before. What was
    /// received is acknowledged then, which else waits a moment for more to come. A folder that cannot be used counts as
    /// looked through. What could not be written into it is not waited for: see [`FolderStatus::unwritten`].
    pub fn settle(&self, timeout: Duration) -> bool {
        self.tell(Event::Command { command: Command::Settle });
        self.wait(timeout, |status, quiet| quiet && status.folders.iter().all(is_read))
    }

    /// Waits until all that lies in the folder now is held; false if the time is over before.
    pub fn read(&self, timeout: Duration) -> bool {
        self.wait(timeout, |status, _| status.folders.iter().all(is_read))
    }

    /// How the engine stands; none before it has begun.
    pub fn status(&self) -> Option<Status> {
        self.board.read()[SIDE].status.clone()
    }

    /// The session's id.
    pub fn session(&self) -> GroupId {
        self.session
    }

    /// Where this device's state lies.
    pub fn state(&self) -> &Path {
        &self.state
    }

    /// Where the session's key lies, if it is sealed.
    pub fn key_file(&self) -> Option<PathBuf> {
        Some(self.state.join(open::KEY_FILE)).filter(|path| path.exists())
    }

    /// How the folder stands.
    pub fn folder(&self) -> Option<FolderStatus> {
        self.status()?.folders.into_iter().next()
    }

    /// What there is to tell people, as it happens. None if it was asked for before.
    pub fn notices(&self) -> Option<Notices> {
        self.notices.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// What there was to tell since this was last asked, unless [`notices`](MessageFolder::notices) were asked for.
    pub fn take_notices(&self) -> Vec<Notice> {
        let mut notices = self.notices.lock().unwrap_or_else(PoisonError::into_inner);
        std::iter::from_fn(|| notices.as_mut()?.try_recv().ok()).collect()
    }

    /// All messages that are held, in message order, the same on every member.
    ///
    /// # Errors
    /// The state cannot be read.
    pub fn history(&self) -> Result<History, Error> {
        let stable = self.status().and_then(|status| status.stable);
        History::load(&self.store, stable)
    }

    fn wait(&self, timeout: Duration, is_done: impl Fn(&Status, bool) -> bool) -> bool {
        let (begun, mut seen) = (Instant::now(), u64::MAX);
        loop {
            let left = timeout.saturating_sub(begun.elapsed());
            let [side, _] = self.board.wait(&mut seen, left);
            if side.stopped || side.status.as_ref().is_some_and(|status| status.failed || is_done(status, side.quiet)) {
                return true;
            }
            if left.is_zero() {
                return false;
            }
        }
    }

    fn tell(&self, event: Event) {
        // An engine that has ended takes nothing any more; what waits for its answers is told so.
        let _ = self.inbox.send(Input::Event(event));
    }

    /// Why the engine does not answer.
    fn failure(&self) -> Error {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Error::Failed { what: failed.unwrap_or_else(|| "the message folder's engine has ended".into()) }
    }
}

impl Drop for MessageFolder {
    /// Ends the engine: what is under way is saved first.
    fn drop(&mut self) {
        // Nobody takes messages any more: a delivery under way fails and is made again at the next start.
        self.messages = None;
        self.tell(Event::Stop);
        let (begun, mut seen) = (Instant::now(), u64::MAX);
        while !self.board.wait(&mut seen, STOP_WAIT.saturating_sub(begun.elapsed()))[SIDE].stopped {
            if begun.elapsed() >= STOP_WAIT {
                return;
            }
        }
        if let Some(runner) = self.runner.take() {
            runner.join();
        }
    }
}

fn is_read(folder: &FolderStatus) -> bool {
    folder.state == FolderState::Halted || folder.state == FolderState::Following && folder.indexed
}

//! What all parts of the engine work with: time, chance, tasks, the log, the open message, the store's next batch.

use alloc::string::String;
use alloc::vec::Vec;

use super::deliveries::DeliverPurpose;
use super::draft::Draft;
use super::folder::FolderPurpose;
use super::keys;
use super::peers::ServePurpose;
use super::random::Random;
use super::records::RecordsPurpose;
use super::root::RootPurpose;
use super::saver::{After, SavedLog, Saver};
use super::tasks::Tasks;
use crate::api::{
    Action, Hash, LinkId, MemberMode, Monotonic, Notice, NoticeCode, Now, ReplicaId, RootId, TaskId, Work,
};
use crate::log::{ComposeError, Entry, Log, Message, Sealed, message_key};
use crate::tree::{Change, ChangeOrder};

/// What a task was asked for.
pub enum Purpose {
    /// A page of what a start reads.
    Start,
    /// The batch in flight.
    Save {
        /// What becomes true with it.
        then: Vec<After>,
        /// The log once it is on disk.
        log: SavedLog,
    },
    /// Something for a root.
    Root {
        /// Its place in the configuration.
        root: usize,
        /// What for.
        purpose: RootPurpose,
    },
    /// Messages that a peer lacks.
    Feed {
        /// The peer's link.
        link: LinkId,
        /// Whose.
        author: ReplicaId,
        /// From this number.
        first: u64,
        /// To this one.
        last: u64,
    },
    /// Something for a message folder.
    Folder {
        /// Its place in the configuration.
        folder: usize,
        /// What for.
        purpose: FolderPurpose,
    },
    /// A step of application messages towards the application.
    Deliver {
        /// Which.
        purpose: DeliverPurpose,
    },
    /// Something for records.
    Records {
        /// What for.
        purpose: RecordsPurpose,
    },
    /// Content that a peer asked for.
    Serve {
        /// The peer's link.
        link: LinkId,
        /// Which.
        purpose: ServePurpose,
    },
}

/// The parts that every other part uses.
pub struct Shared {
    pub now: Now,
    pub random: Random,
    pub tasks: Tasks<Purpose>,
    pub log: Log,
    pub saver: Saver,
    pub draft: Option<Draft>,
    pub actions: Vec<Action>,
    /// Contents that files have come to stand for since peers were last told.
    pub landed: Vec<Hash>,
    pub name: String,
    pub debounce_ms: u64,
    pub dry_run: bool,
    /// How many application messages have a number in the order of delivery.
    pub numbers: u64,
    /// Which way data goes between this device and the others.
    pub mode: MemberMode,
    /// When an acknowledgement is written for members that are not spoken with, unless another message goes before.
    pub acknowledge: Option<Monotonic>,
}

impl Shared {
    /// Asks the host for work.
    pub fn perform(&mut self, purpose: Purpose, work: Work) -> TaskId {
        let task = self.tasks.begin(purpose);
        self.actions.push(Action::Perform { task, work });
        task
    }

    /// Asks the host for work for a root.
    pub fn perform_for(&mut self, root: usize, purpose: RootPurpose, work: Work) -> TaskId {
        self.perform(Purpose::Root { root, purpose }, work)
    }

    /// Tells people something of no place in particular.
    pub fn notify(&mut self, code: NoticeCode, message: impl Into<String>) {
        self.notify_about(code, message, None, None);
    }

    /// Tells people something about a path.
    pub fn notify_about(
        &mut self,
        code: NoticeCode,
        message: impl Into<String>,
        root: Option<RootId>,
        path: Option<&str>,
    ) {
        let notice = Notice { code, message: message.into(), root, path: path.map(String::from), replica: None };
        self.actions.push(Action::Notify { notice });
    }

    /// Writes a change into the open message, opening one if there is none. None if this feed can take no more.
    pub fn record(&mut self, root: RootId, change: &Change) -> Option<ChangeOrder> {
        if self.draft.is_none() {
            self.draft = Draft::open(&self.log, self.now.unix);
        }
        let draft = self.draft.as_mut()?;
        let order = draft.push(root, change);
        if draft.is_full() {
            self.close_draft();
        }
        Some(order)
    }

    /// Signs the open message, if there is one; it is sent once it is saved. A message from elsewhere may only be taken
    /// when no own one is open, for it moves the lamport clock that the open one was begun with.
    pub fn close_draft(&mut self) {
        if let Some(draft) = self.draft.take() {
            let composed = draft.compose(&mut self.log, &self.name);
            self.keep_own(composed);
        }
    }

    /// Writes a first message that only introduces this replica.
    pub fn introduce(&mut self) {
        self.write(Vec::new());
    }

    /// Writes a message that says this, behind the open one; none if the feed can take no more.
    pub fn write(&mut self, entries: Vec<Entry>) -> Option<Message> {
        self.close_draft();
        let composed = self.log.compose(self.now.unix, entries, &self.name);
        let message = composed.as_ref().ok().map(|sealed| sealed.message.clone());
        self.keep_own(composed);
        message
    }

    /// Keeps an own message. Without it nothing that rests on it may be saved.
    fn keep_own(&mut self, composed: Result<Sealed, ComposeError>) {
        match composed {
            Ok(sealed) => {
                self.acknowledge = None;
                self.keep(sealed);
            }
            Err(error) => {
                self.saver.fail();
                self.notify(NoticeCode::StoreFailed, alloc::format!("could not write a message: {error}"));
            }
        }
    }

    /// Saves a message with the next batch.
    pub fn keep(&mut self, sealed: Sealed) {
        let Sealed { message, bytes, .. } = sealed;
        if let Some(acts) = self.log.acts_to_save(&message, &bytes) {
            self.saver.put(keys::acts(message.author, message.counter), acts);
        }
        self.saver.put(message_key(message.author, message.counter), bytes);
    }

    /// Sends the next batch to the store, unless one is in flight.
    pub fn flush(&mut self) {
        if self.saver.is_busy() {
            return;
        }
        self.close_draft();
        if let Some((writes, then)) = self.saver.begin() {
            let log = self.log_now();
            self.perform(Purpose::Save { then, log }, Work::Save { writes });
        }
    }

    /// The log as it is held now.
    pub fn log_now(&self) -> SavedLog {
        SavedLog { heads: self.log.heads().clone(), digest: Some(self.digest()), numbers: self.numbers }
    }

    /// The log's digest. Most of the time nothing came since it was saved, and then nothing is hashed.
    pub fn digest(&self) -> Hash {
        let saved = self.saver.saved_digest().filter(|_| self.saver.saved_heads().is_clone_of(self.log.heads()));
        saved.unwrap_or_else(|| self.log.digest())
    }
}

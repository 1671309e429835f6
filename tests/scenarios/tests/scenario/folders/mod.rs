//! Message folders: what a service may do to them, and what comes through all the same.

mod clearing;
mod collection;
mod hostile;
mod messages;
mod trees;

use syncline_core::api::{
    Command, DeliveryConfig, DeliveryOrder, Event, FolderIndexing, FolderState, Gap, GroupConfig, NoticeCode,
    ReplicaId, UnixMs, Work, Write,
};
use syncline_core::crypto::{Identity, Signature};
use syncline_core::folder::{Info, message_path};
use syncline_core::log::{Entry, Log, Message, Previous, Sealed, message_key, parse_message_key};
use syncline_sim::folder::{Application, FolderFile, Trouble};
use syncline_sim::{FOLDER, GROUP, Order, SiteId, Tree, World, tree};

pub(super) const MINUTE_MS: u64 = 60_000;

/// A member that is written by hand, with files that no engine would write.
pub(super) struct Author {
    pub(super) log: Log,
    pub(super) identity: Identity,
    pub(super) replica: ReplicaId,
    pub(super) last: Option<Previous>,
    pub(super) lamport: u64,
}

impl Author {
    pub(super) fn new(number: u8) -> Author {
        let replica = ReplicaId::from_bytes([number; 16]);
        let identity = Identity::from_secret(&[number; 32]).unwrap();
        let mut log = Log::new(&group(), identity.clone()).unwrap();
        log.begin(replica);
        Author { log, identity, replica, last: None, lamport: 0 }
    }

    /// The first message, which introduces the author.
    pub(super) fn introduce(&mut self) -> Sealed {
        let sealed = self.log.compose(UnixMs(5), vec![], "by hand").unwrap();
        self.keep(&sealed);
        sealed
    }

    /// A message of any number.
    pub(super) fn write(&mut self, counter: u64, text: &str) -> Sealed {
        let message = Message {
            author: self.replica,
            counter,
            lamport: self.lamport + 1,
            unix_ms: UnixMs(5),
            previous: self.last,
            entries: vec![Entry::Application { payload: text.as_bytes().to_vec().into() }],
            signature: Signature::from_bytes([0; 64]),
        };
        let sealed = message.seal(GROUP, &self.identity).unwrap();
        self.keep(&sealed);
        sealed
    }

    pub(super) fn keep(&mut self, sealed: &Sealed) {
        self.last = Some(Previous { counter: sealed.message.counter, hash: sealed.hash });
        self.lamport = sealed.message.lamport;
    }
}

pub(super) fn group() -> GroupConfig {
    Info::open(GROUP).group(None).unwrap()
}

pub(super) fn put(world: &mut World, site: SiteId, sealed: &Sealed) {
    world.judge().admit_outsiders();
    let path = message_path(sealed.message.author, sealed.message.counter);
    world[site].host().folder.put(&path, FolderFile::new(sealed.bytes.clone()));
    notice(world, site, path);
}

pub(super) fn notice(world: &mut World, site: SiteId, path: String) {
    world.tell(site, Event::FolderChanged { folder: FOLDER, paths: vec![path] });
    world.settle();
}

pub(super) fn texts(world: &mut World, site: SiteId) -> Vec<String> {
    world[site].host().application.texts()
}

/// What a device got, in any order.
pub(super) fn sorted(world: &mut World, site: SiteId) -> Vec<String> {
    let mut texts = texts(world, site);
    texts.sort();
    texts
}

/// Where a text stands in the folder, as its author's own application knows.
pub(super) fn path_of(world: &mut World, author: SiteId, text: &str) -> String {
    world.settle();
    let stored = world[author].host().application.stored().to_vec();
    let message = stored.iter().find(|message| message.payload == text.as_bytes()).unwrap();
    message_path(message.author, message.counter)
}

pub(super) fn replica(world: &World, site: SiteId) -> ReplicaId {
    world[site].status().replica.unwrap()
}

//! Peers: what each of them holds, what it is sent, what it is asked for.
//!
//! Invariant: nothing is sent or acknowledged before it is saved
//! (`nothing_is_sent_before_it_is_saved`).

mod agreement;
mod clocks;
mod expel;
mod feed;
mod heartbeat;
mod lacks;
mod serve;
mod wants;

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use self::agreement::Agreement;
use self::clocks::Clocks;
use self::expel::Farewell;
use self::feed::say_heads;
use self::heartbeat::Pulse;
use self::lacks::Lacks;
pub use self::serve::ServePurpose;
use self::serve::Serving;
use super::limits::{CREDIT_BYTES, HELLO_BYTES_MAX};
use super::root::{ChunkWant, ManifestWant, Root};
use super::{Engine, Phase};
use crate::api::{Action, Hash, LinkId, Monotonic, Notice, NoticeCode, ReplicaId};
use crate::link::{Acknowledgement, Frame, Indexing, LinkError, Session, SessionConfig, State};
use crate::log::{Heads, IntervalSet};

/// What a link that came up too early brought; at most a hello.
pub struct EarlyLink {
    message_bytes_max: u32,
    hello: Option<Vec<u8>>,
}

/// One open link and the replica at its other end.
pub struct Peer {
    pub(super) session: Session,
    /// What it is known to have saved.
    received: Heads,
    /// That, and what was sent to it.
    sent: Heads,
    /// What was saved here when nothing of it was missing from that.
    fed: Heads,
    /// What it is known to have on its disk.
    applied: Heads,
    /// It said what it holds: messages can be sent.
    is_known: bool,
    /// What it said it holds, while that is not all held here.
    to_hear: Option<Heads>,
    /// How far it said it is with its own files.
    indexing: Indexing,
    /// What was said to it last.
    acknowledged: Heads,
    said_applied: Heads,
    said_indexing: Indexing,
    /// Messages are being read for it.
    feeding: bool,
    /// What its messages cost, to be given back once they are saved.
    credit_due: u64,
    pub(super) serving: Serving,
    manifests: BTreeMap<Hash, (usize, ManifestWant)>,
    chunks: BTreeMap<(Hash, u64), (usize, ChunkWant)>,
    /// Contents it does not have, or did not send as they are, and until when it is not asked for them again.
    lacks: Lacks,
    /// Its device is no member any more: it is sent these, and nothing else.
    farewell: Option<Farewell>,
    /// Its session took no more: the link is to be closed.
    failed: Option<LinkError>,
    pulse: Pulse,
    agreement: Agreement,
    clocks: Clocks,
}

impl Peer {
    fn new(session: Session, now: Monotonic) -> Self {
        Self {
            session,
            received: Heads::default(),
            sent: Heads::default(),
            fed: Heads::default(),
            applied: Heads::default(),
            is_known: false,
            to_hear: None,
            indexing: Indexing::default(),
            acknowledged: Heads::default(),
            said_applied: Heads::default(),
            said_indexing: Indexing::default(),
            feeding: false,
            credit_due: 0,
            serving: Serving::default(),
            manifests: BTreeMap::new(),
            chunks: BTreeMap::new(),
            lacks: Lacks::default(),
            farewell: None,
            failed: None,
            pulse: Pulse::new(now),
            agreement: Agreement::default(),
            clocks: Clocks::default(),
        }
    }

    /// It said what it has.
    pub fn is_known(&self) -> bool {
        self.is_known
    }

    /// All that the peer had when the link came up is here, what it knows of this device included; nobody waits for one that
    /// is no member any more.
    pub fn is_heard(&self) -> bool {
        self.farewell.is_some() || self.is_known && self.to_hear.is_none()
    }

    /// Who it is; none before it said so.
    pub fn replica(&self) -> Option<ReplicaId> {
        self.session.peer().map(|peer| peer.replica)
    }

    /// It has acknowledged saving these of an author.
    pub fn has_received_of(&self, author: ReplicaId, counters: &IntervalSet<u64>) -> bool {
        self.is_known && self.received.of(author).is_some_and(|theirs| theirs.contains_all(counters))
    }

    /// It has acknowledged saving all of these.
    pub fn has_received(&self, heads: &Heads) -> bool {
        self.is_known && self.received.contains_all(heads)
    }

    /// It has acknowledged that all of these stand on its disk.
    pub fn has_applied(&self, heads: &Heads) -> bool {
        self.is_known && self.applied.contains_all(heads)
    }

    /// Nothing is under way on this link as far as this side knows.
    pub fn is_idle(&self) -> bool {
        self.session.is_idle() && !self.feeding && self.credit_due == 0 && self.serving.is_idle()
    }

    pub(super) fn push(&mut self, frame: Frame) {
        if let Err(error) = self.session.push(frame)
            && self.failed.is_none()
        {
            self.failed = Some(error);
        }
    }

    fn can_ask(&self, content: &Hash) -> bool {
        self.is_known && self.farewell.is_none() && !self.lacks.contains(content)
    }

    /// When it may be asked again for something that it lacked.
    pub fn asks_again(&self, now: Monotonic) -> Option<Monotonic> {
        self.lacks.next(now)
    }
}

impl Engine {
    pub(in crate::engine) fn link_up(&mut self, link: LinkId, message_bytes_max: u32) {
        if self.peers.contains_key(&link) || self.early_links.contains_key(&link) {
            return self.shared.notify(NoticeCode::HostError, "a link came up twice");
        }
        if self.phase == Phase::Expelled {
            return self.refuse_link(link);
        }
        // A peer with an equal digest takes what it holds to be saved here.
        let own = self.shared.log.own().zip(self.shared.saver.saved_digest());
        let (Phase::Running, Some((replica, digest))) = (self.phase, own) else {
            self.early_links.insert(link, EarlyLink { message_bytes_max, hello: None });
            return;
        };
        let config = SessionConfig { group: self.group, replica, digest, credit: CREDIT_BYTES };
        let mut peer = Peer::new(Session::new(config, message_bytes_max), self.shared.now.monotonic);
        say_heads(&mut peer, &self.shared, self.indexing());
        self.peers.insert(link, peer);
        self.send(link);
    }

    pub(in crate::engine) fn open_early_links(&mut self) {
        for (link, early) in core::mem::take(&mut self.early_links) {
            self.link_up(link, early.message_bytes_max);
            if let Some(hello) = early.hello {
                self.link_data(link, &hello);
            }
        }
    }

    pub(in crate::engine) fn link_down(&mut self, link: LinkId) {
        self.early_links.remove(&link);
        if let Some(peer) = self.peers.remove(&link) {
            self.take_back_wants(peer);
        }
    }

    pub(in crate::engine) fn link_ready(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.session.ready();
            self.send(link);
        }
    }

    pub(in crate::engine) fn link_data(&mut self, link: LinkId, bytes: &[u8]) {
        if let Some(early) = self.early_links.get_mut(&link) {
            // A hello is one packet, and nothing follows it before it is answered.
            if early.hello.is_none() && bytes.len() <= HELLO_BYTES_MAX {
                early.hello = Some(bytes.to_vec());
            } else {
                self.early_links.remove(&link);
                self.shared.actions.push(Action::Close { link, reason: "too much came before a hello".to_string() });
            }
            return;
        }
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let was_open = peer.session.state() == State::Open;
        peer.pulse.hear(self.shared.now.monotonic);
        match peer.session.receive(bytes) {
            Ok(frame) => {
                let tells =
                    |frame: &Frame| matches!(frame, Frame::Hello(_) | Frame::Heads { .. } | Frame::Acknowledge { .. });
                peer.agreement.hear(frame.as_ref().is_some_and(tells));
                if !was_open && peer.session.state() == State::Open {
                    self.greeted(link);
                }
                if let Some(frame) = frame {
                    self.frame(link, frame);
                }
                self.send(link);
            }
            Err(error) => self.drop_peer(link, &error),
        }
    }

    /// The peer said who it is. If it holds what is held here, nothing more needs to be said.
    fn greeted(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        if peer.session.peer().map(|peer| peer.digest) == self.shared.saver.saved_digest() {
            peer.received = self.shared.saver.saved_heads().clone();
            peer.sent = peer.received.clone();
            peer.is_known = true;
            self.unpark_all();
        }
    }

    fn drop_peer(&mut self, link: LinkId, error: &LinkError) {
        let code = match error {
            LinkError::GroupDiffers { .. } => NoticeCode::PeerOtherGroup,
            LinkError::NoCommonVersion { .. } => NoticeCode::PeerVersion,
            _ => NoticeCode::PeerInvalid,
        };
        let replica = self.peers.get(&link).and_then(Peer::replica);
        let notice = Notice { code, message: error.to_string(), root: None, path: None, replica };
        self.shared.actions.push(Action::Notify { notice });
        self.close(link, error.to_string());
    }

    pub(in crate::engine) fn close(&mut self, link: LinkId, reason: alloc::string::String) {
        self.shared.actions.push(Action::Close { link, reason });
        self.link_down(link);
        self.has_closed = true;
    }

    fn invalid(&mut self, link: LinkId, what: &str) {
        let replica = self.peers.get(&link).and_then(Peer::replica);
        let notice =
            Notice { code: NoticeCode::PeerInvalid, message: what.to_string(), root: None, path: None, replica };
        self.shared.actions.push(Action::Notify { notice });
        self.close(link, what.to_string());
    }

    fn frame(&mut self, link: LinkId, frame: Frame) {
        if self.peers.get(&link).is_some_and(|peer| peer.farewell.is_some()) {
            return;
        }
        match frame {
            Frame::Hello(_) | Frame::Credit { .. } => {}
            Frame::Heartbeat { unix_ms, echo, .. } => self.compare_clocks(link, unix_ms, echo),
            Frame::Heads { heads, indexing, .. } => self.heads(link, heads, indexing),
            Frame::Messages { messages } => self.messages(link, messages),
            Frame::Acknowledge { kind, heads } => {
                let Some(peer) = self.peers.get_mut(&link) else { return };
                // A peer that claims what it does not have is not sent it: it harms itself alone.
                peer.received.union(&heads);
                peer.sent.union(&heads);
                if kind == Acknowledgement::Applied {
                    peer.applied.union(&heads);
                }
            }
            Frame::WantManifest { contents } => self.want_manifests(link, contents),
            Frame::WantChunks { wants } => self.want_chunks(link, wants),
            Frame::Manifest { content, bytes } => self.manifest_arrived(link, content, bytes),
            Frame::Chunk { content, offset, bytes } => self.chunk_arrived(link, content, offset, bytes),
            Frame::Absent { content, offset } => self.absent(link, content, offset),
            Frame::Present { contents } => self.present(link, &contents),
        }
    }

    /// Whether what stood on disk at the start is in the log, and all of that saved.
    fn indexing(&self) -> Indexing {
        let all_saved = self.shared.saver.saved_heads() == self.shared.log.heads();
        match self.is_indexed() && self.shared.draft.is_none() && all_saved {
            true => Indexing::Done,
            false if self.roots.iter().any(Root::is_joining) => Indexing::Waiting,
            false => Indexing::Underway,
        }
    }

    /// Says and sends what is due to every peer.
    pub(in crate::engine) fn peers_turn(&mut self) {
        let indexing = self.indexing();
        let failed = self.peers.iter().filter_map(|(link, peer)| Some((*link, peer.failed.clone()?)));
        for (link, error) in failed.collect::<Vec<_>>() {
            self.drop_peer(link, &error);
        }
        self.expel();
        self.beat();
        for link in self.acknowledge(indexing) {
            self.feed(link);
        }
        self.hear();
        self.ask();
        self.tell_landed();
        // With most events there is nothing to do for most peers.
        let links = self.peers.iter().filter(|(_, peer)| peer.serving.has_wants() || peer.session.has_queued());
        for link in links.map(|(link, _)| *link).collect::<Vec<_>>() {
            self.serve(link);
            self.send(link);
        }
    }

    /// Gives the pipe what it takes.
    pub(in crate::engine) fn send(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        while !self.shared.saver.has_failed()
            && let Some(bytes) = peer.session.next_packet()
        {
            peer.pulse.say(self.shared.now.monotonic);
            self.shared.actions.push(Action::Send { link, bytes });
        }
    }
}

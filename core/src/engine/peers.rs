//! Peers: what each of them holds, what it is sent, what it is asked for.
//!
//! Invariant: nothing is sent or acknowledged before it is saved
//! (`rules::nothing_is_sent_before_it_is_saved`).

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use serde_bytes::ByteBuf;

use super::limits::{
    ASK_AGAIN_MS, CREDIT_BYTES, FEED_BYTES_MAX, HELLO_BYTES_MAX, MESSAGE_BYTES_MAX, WANTED_CHUNKS_MAX,
    WANTED_MANIFESTS_MAX,
};
use super::root::{Arrival, ChunkWant, ManifestWant, Root};
use super::serve::Serving;
use super::shared::{Purpose, Shared};
use super::{Engine, Phase};
use crate::api::{
    Action, Hash, LinkId, LoadQuery, Monotonic, Notice, NoticeCode, Outcome, Pair, ReplicaId, StageId, Work,
};
use crate::link::{
    Acknowledgement, Frame, Lane, LinkError, Session, SessionConfig, State, Want, message_credit, messages_credit,
};
use crate::log::{Heads, Receipt, message_keys, parse_message_key};

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
    /// What it is known to have on its disk.
    applied: Heads,
    /// It said what it holds: messages can be sent.
    is_known: bool,
    /// What it said was complete, and is not all held here yet.
    to_hear: Option<Heads>,
    /// What was said to it last.
    acknowledged: Heads,
    said_applied: Heads,
    said_indexed: bool,
    /// Messages are being read for it.
    feeding: bool,
    /// What its messages cost, to be given back once they are saved.
    credit_due: u64,
    pub(super) serving: Serving,
    manifests: BTreeMap<Hash, (usize, ManifestWant)>,
    chunks: BTreeMap<(Hash, u64), (usize, ChunkWant)>,
    /// Contents it does not have, or did not send as they are, and until when it is not asked for them again.
    lacks: BTreeMap<Hash, Monotonic>,
    /// Its session took no more: the link is to be closed.
    failed: Option<LinkError>,
}

impl Peer {
    fn new(session: Session) -> Self {
        Self {
            session,
            received: Heads::default(),
            sent: Heads::default(),
            applied: Heads::default(),
            is_known: false,
            to_hear: None,
            acknowledged: Heads::default(),
            said_applied: Heads::default(),
            said_indexed: false,
            feeding: false,
            credit_due: 0,
            serving: Serving::default(),
            manifests: BTreeMap::new(),
            chunks: BTreeMap::new(),
            lacks: BTreeMap::new(),
            failed: None,
        }
    }

    /// Who it is; none before it said so.
    pub fn replica(&self) -> Option<ReplicaId> {
        self.session.peer().map(|peer| peer.replica)
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

    fn can_ask(&self, content: &Hash, now: Monotonic) -> bool {
        self.is_known && self.lacks.get(content).is_none_or(|until| *until <= now)
    }

    /// When it may be asked again for something that it lacked.
    pub fn asks_again(&self, now: Monotonic) -> Option<Monotonic> {
        self.lacks.values().copied().filter(|until| *until > now).min()
    }
}

impl Engine {
    pub(super) fn link_up(&mut self, link: LinkId, message_bytes_max: u32) {
        if self.peers.contains_key(&link) || self.early_links.contains_key(&link) {
            return self.shared.notify(NoticeCode::HostError, "a link came up twice");
        }
        let (Phase::Running, Some(replica)) = (self.phase, self.shared.log.own()) else {
            self.early_links.insert(link, EarlyLink { message_bytes_max, hello: None });
            return;
        };
        let config =
            SessionConfig { group: self.group, replica, digest: self.shared.log.digest(), credit: CREDIT_BYTES };
        let mut peer = Peer::new(Session::new(config, message_bytes_max));
        say_heads(&mut peer, &self.shared, self.roots.iter().all(Root::is_indexed));
        self.peers.insert(link, peer);
        self.send(link);
    }

    pub(super) fn open_early_links(&mut self) {
        for (link, early) in core::mem::take(&mut self.early_links) {
            self.link_up(link, early.message_bytes_max);
            if let Some(hello) = early.hello {
                self.link_data(link, &hello);
            }
        }
    }

    pub(super) fn link_down(&mut self, link: LinkId) {
        self.early_links.remove(&link);
        if let Some(peer) = self.peers.remove(&link) {
            self.take_back_wants(peer);
        }
    }

    pub(super) fn link_ready(&mut self, link: LinkId) {
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.session.ready();
            self.send(link);
        }
    }

    pub(super) fn link_data(&mut self, link: LinkId, bytes: &[u8]) {
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
        match peer.session.receive(bytes) {
            Ok(frame) => {
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

    fn close(&mut self, link: LinkId, reason: alloc::string::String) {
        self.shared.actions.push(Action::Close { link, reason });
        self.link_down(link);
    }

    fn invalid(&mut self, link: LinkId, what: &str) {
        let replica = self.peers.get(&link).and_then(Peer::replica);
        let notice =
            Notice { code: NoticeCode::PeerInvalid, message: what.to_string(), root: None, path: None, replica };
        self.shared.actions.push(Action::Notify { notice });
        self.close(link, what.to_string());
    }

    fn frame(&mut self, link: LinkId, frame: Frame) {
        match frame {
            Frame::Hello(_) | Frame::Credit { .. } | Frame::Heartbeat { .. } => {}
            Frame::Heads { heads, indexed, .. } => self.heads(link, heads, indexed),
            Frame::Messages { messages } => self.messages(link, messages),
            Frame::Acknowledge { kind, heads } => {
                let Some(peer) = self.peers.get_mut(&link) else { return };
                // A peer that claims what it does not have is not sent it: it harms itself alone.
                peer.received.union(&heads);
                peer.sent.union(&heads);
                if kind == Acknowledgement::Applied {
                    peer.applied.union(&heads);
                    peer.lacks.clear();
                }
            }
            Frame::WantManifest { contents } => self.want_manifests(link, contents),
            Frame::WantChunks { wants } => self.want_chunks(link, wants),
            Frame::Manifest { content, bytes } => self.manifest_arrived(link, content, bytes),
            Frame::Chunk { content, offset, bytes } => self.chunk_arrived(link, content, offset, bytes),
            Frame::Absent { content, offset } => self.absent(link, content, offset),
        }
    }

    fn heads(&mut self, link: LinkId, heads: Heads, indexed: bool) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.received.union(&heads);
        peer.sent.union(&heads);
        peer.is_known = true;
        peer.lacks.clear();
        if indexed {
            peer.to_hear = Some(heads);
        }
    }

    fn messages(&mut self, link: LinkId, messages: Vec<ByteBuf>) {
        self.shared.close_draft();
        let cost = messages_credit(&messages);
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.credit_due = peer.credit_due.saturating_add(cost);
        }
        for bytes in messages {
            self.message(link, &bytes);
        }
    }

    fn message(&mut self, link: LinkId, bytes: &[u8]) {
        let replica = self.peers.get(&link).and_then(Peer::replica);
        let mut receipt = self.shared.log.receive(bytes);
        if let Receipt::OwnFeedAhead { counter } = receipt {
            let message = alloc::format!(
                "message {counter} of this replica is known elsewhere and not here: its store is an old copy, so it goes on under a new id"
            );
            self.shared.notify(NoticeCode::NewIncarnation, message);
            self.begin_incarnation();
            self.shared.introduce();
            receipt = self.shared.log.receive(bytes);
        }
        let refusal = match receipt {
            Receipt::Accepted { messages, .. } => {
                for sealed in messages {
                    let (author, counter) = (sealed.message.author, sealed.message.counter);
                    if let Some(peer) = self.peers.get_mut(&link) {
                        peer.received.insert(author, counter);
                        peer.sent.insert(author, counter);
                    }
                    self.apply_message(&sealed.message);
                    self.shared.saver.put(crate::log::message_key(author, counter), sealed.bytes);
                }
                return;
            }
            Receipt::Known | Receipt::Waiting { .. } | Receipt::OwnFeedAhead { .. } => return,
            Receipt::AheadOfTime { lamport, .. } => {
                (NoticeCode::MessageRefused, alloc::format!("a message's lamport {lamport} is too far ahead; it waits"))
            }
            Receipt::Fork(fork) => (
                NoticeCode::Fork,
                alloc::format!(
                    "replica {} wrote message {} twice; the second one is not taken",
                    fork.author,
                    fork.counter
                ),
            ),
            Receipt::Refused(error) => (NoticeCode::MessageRefused, alloc::format!("a message was refused: {error}")),
        };
        let notice = Notice { code: refusal.0, message: refusal.1, root: None, path: None, replica };
        self.shared.actions.push(Action::Notify { notice });
    }

    /// Says and sends what is due to every peer.
    pub(super) fn peers_turn(&mut self) {
        let indexed = self.roots.iter().all(Root::is_indexed) && self.shared.draft.is_none();
        let failed = self.peers.iter().filter_map(|(link, peer)| Some((*link, peer.failed.clone()?)));
        for (link, error) in failed.collect::<Vec<_>>() {
            self.drop_peer(link, &error);
        }
        let links: Vec<LinkId> = self.peers.keys().copied().collect();
        for link in &links {
            self.acknowledge(*link, indexed);
            self.feed(*link);
        }
        self.ask();
        for link in links {
            self.serve(link);
            self.send(link);
        }
    }

    /// Tells a peer what is saved and what stands on disk, where it does not know.
    fn acknowledge(&mut self, link: LinkId, indexed: bool) {
        let saved = self.shared.saver.saved_heads();
        let all_saved = saved == self.shared.log.heads();
        let Some(peer) = self.peers.get_mut(&link) else { return };
        if peer.session.state() != State::Open {
            return;
        }
        let heard = peer.to_hear.as_ref().is_some_and(|heads| saved.contains_all(heads));
        if peer.credit_due > 0 && all_saved {
            let credit = core::mem::take(&mut peer.credit_due);
            peer.session.saved(credit);
            if peer.acknowledged != *saved {
                peer.acknowledged = saved.clone();
                peer.push(Frame::Acknowledge { kind: Acknowledgement::Received, heads: saved.clone() });
            }
        }
        if indexed && all_saved && !peer.said_indexed {
            say_heads(peer, &self.shared, true);
        }
        if peer.said_applied != self.applied {
            peer.said_applied = self.applied.clone();
            peer.push(Frame::Acknowledge { kind: Acknowledgement::Applied, heads: self.applied.clone() });
        }
        if heard {
            peer.to_hear = None;
            self.roots.iter_mut().for_each(Root::heard);
        }
    }

    /// Everything that is held also stands on disk.
    pub(super) fn note_applied(&mut self) {
        let saved = self.shared.saver.saved_heads();
        let settled = self.shared.saver.is_idle() && saved == self.shared.log.heads() && self.shared.draft.is_none();
        if settled && self.applied != *saved && self.roots.iter().all(Root::is_applied) {
            self.applied = saved.clone();
        }
    }

    /// Reads messages that a peer lacks, a page at a time.
    fn feed(&mut self, link: LinkId) {
        let saved = self.shared.saver.saved_heads();
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let has_room =
            peer.session.has_room(Lane::Small) && peer.session.message_credit() >= message_credit(MESSAGE_BYTES_MAX);
        if self.shared.saver.has_failed() || !peer.is_known || peer.feeding || !has_room {
            return;
        }
        let Some((author, first, last)) = saved.missing_from(&peer.sent).next() else { return };
        peer.feeding = true;
        let (start, end) = message_keys(author, first, last);
        let query = LoadQuery::Range { start, end, bytes_max: FEED_BYTES_MAX };
        self.shared.perform(Purpose::Feed { link, author, first, last }, Work::Load { query });
    }

    pub(super) fn feed_loaded(&mut self, link: LinkId, range: (ReplicaId, u64, u64), outcome: Outcome) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.feeding = false;
        let Outcome::Loaded { pairs, more } = outcome else {
            self.shared.saver.fail();
            let message = "messages that were saved could not be read; nothing is sent any more";
            return self.shared.notify(NoticeCode::StoreCorrupt, message);
        };
        if !more || pairs.is_empty() {
            // Numbers without a message are proven empty by the message behind them.
            let (author, first, last) = range;
            peer.sent.insert_range(author, first, last);
        }
        let mut messages = Vec::with_capacity(pairs.len());
        for Pair { key, value } in pairs {
            if let Some((author, counter)) = parse_message_key(&key) {
                peer.sent.insert(author, counter);
                messages.push(ByteBuf::from(value));
            }
        }
        if !messages.is_empty() {
            peer.push(Frame::Messages { messages });
        }
        self.send(link);
    }

    /// Hands the wishes of the roots to peers that may fulfil them.
    fn ask(&mut self) {
        let until = self.shared.now.monotonic.plus(ASK_AGAIN_MS);
        for root in &mut self.roots {
            for (link, content) in root.take_distrusted() {
                if let Some(peer) = self.peers.get_mut(&link) {
                    peer.lacks.insert(content, until);
                }
            }
        }
        for root in 0..self.roots.len() {
            self.ask_manifests(root);
            self.ask_chunks(root);
        }
    }

    fn ask_manifests(&mut self, index: usize) {
        let now = self.shared.now.monotonic;
        let Some(root) = self.roots.get_mut(index) else { return };
        let mut frames: BTreeMap<LinkId, Vec<Hash>> = BTreeMap::new();
        for want in root.take_manifest_wants() {
            let able = self.peers.iter_mut().find(|(_, peer)| peer.can_ask(&want.content, now));
            match able {
                Some((link, peer)) => {
                    frames.entry(*link).or_default().push(want.content);
                    peer.manifests.insert(want.content, (index, want));
                }
                None => root.want_manifest_again(want),
            }
        }
        for (link, contents) in frames {
            if let Some(peer) = self.peers.get_mut(&link) {
                for contents in contents.chunks(WANTED_MANIFESTS_MAX) {
                    peer.push(Frame::WantManifest { contents: contents.to_vec() });
                }
            }
        }
    }

    fn ask_chunks(&mut self, index: usize) {
        let now = self.shared.now.monotonic;
        let Some(root) = self.roots.get_mut(index) else { return };
        let mut frames: BTreeMap<LinkId, Vec<Want>> = BTreeMap::new();
        for want in root.take_chunk_wants() {
            // Among those who may have it, the one with the least to do.
            let able = self.peers.iter_mut().filter(|(_, peer)| peer.can_ask(&want.content, now));
            match able.min_by_key(|(_, peer)| peer.chunks.len()) {
                Some((link, peer)) => {
                    let ChunkWant { content, size, offset, length, .. } = want;
                    frames.entry(*link).or_default().push(Want { content, size, offset, length });
                    peer.chunks.insert((want.content, want.offset), (index, want));
                }
                None => root.want_chunk_again(want),
            }
        }
        for (link, wants) in frames {
            if let Some(peer) = self.peers.get_mut(&link) {
                for wants in wants.chunks(WANTED_CHUNKS_MAX) {
                    peer.push(Frame::WantChunks { wants: wants.to_vec() });
                }
            }
        }
    }

    fn manifest_arrived(&mut self, link: LinkId, content: Hash, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some((root, want)) = peer.manifests.remove(&content) else { return };
        if !self.deliver(root, want.stage, link, Arrival::Manifest(bytes)) {
            self.want_manifest_again(root, want);
            self.invalid(link, "a manifest does not match its content");
        }
    }

    fn chunk_arrived(&mut self, link: LinkId, content: Hash, offset: u64, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some((root, want)) = peer.chunks.remove(&(content, offset)) else { return };
        if !self.deliver(root, want.stage, link, Arrival::Chunk(want.index, bytes)) {
            self.want_chunk_again(root, want);
            self.invalid(link, "a chunk has another length than was asked for");
        }
    }

    fn deliver(&mut self, root: usize, stage: StageId, link: LinkId, arrival: Arrival) -> bool {
        match self.roots.get_mut(root) {
            Some(root) => root.arrived(&mut self.shared, stage, link, arrival),
            None => true,
        }
    }

    fn absent(&mut self, link: LinkId, content: Hash, offset: Option<u64>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        peer.lacks.insert(content, self.shared.now.monotonic.plus(ASK_AGAIN_MS));
        match offset {
            None => {
                if let Some((root, want)) = peer.manifests.remove(&content) {
                    self.want_manifest_again(root, want);
                }
            }
            Some(offset) => {
                if let Some((root, want)) = peer.chunks.remove(&(content, offset)) {
                    self.want_chunk_again(root, want);
                }
            }
        }
    }

    fn want_manifest_again(&mut self, root: usize, want: ManifestWant) {
        if let Some(root) = self.roots.get_mut(root) {
            root.want_manifest_again(want);
        }
    }

    fn want_chunk_again(&mut self, root: usize, want: ChunkWant) {
        if let Some(root) = self.roots.get_mut(root) {
            root.want_chunk_again(want);
        }
    }

    fn take_back_wants(&mut self, peer: Peer) {
        for (root, want) in peer.manifests.into_values() {
            self.want_manifest_again(root, want);
        }
        for (root, want) in peer.chunks.into_values() {
            self.want_chunk_again(root, want);
        }
    }

    /// Gives the pipe what it takes.
    pub(super) fn send(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        while !self.shared.saver.has_failed()
            && let Some(bytes) = peer.session.next_packet()
        {
            self.shared.actions.push(Action::Send { link, bytes });
        }
    }
}

/// Says what is held, and whether it is complete.
fn say_heads(peer: &mut Peer, shared: &Shared, indexed: bool) {
    let heads = shared.saver.saved_heads().clone();
    peer.said_indexed = indexed;
    if let Some(digest) = shared.saver.saved_digest() {
        peer.push(Frame::Heads { heads, digest, indexed });
    }
}

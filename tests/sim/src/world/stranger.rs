//! Members and outsiders that send what no honest one sends. Their messages are written and signed by hand.

use std::collections::BTreeSet;

use serde::Serialize;
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{Content, Event, GroupConfig, Hash, LinkId, ReplicaId, RootId, UnixMs},
    crypto::{Identity, Introduction, ProofKey},
    link::{Acknowledgement, Frame, Indexing, Session, SessionConfig, message_credit},
    log::{Dot, DotSet, Heads, Place, Previous},
};

use super::{ROOT, SiteId, World};
use crate::chance::Pick;

/// What a stranger tries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trick {
    /// A directory with a name that leads out of the folder, and something in it.
    Dots,
    /// A directory with the name of Syncline's own, and something in it.
    Reserved,
    /// A link whose target no link can have.
    Target,
    /// Bits that are more than permissions.
    Bits,
    /// A message in the name of a device of the group.
    ForgedAuthor,
    /// A message whose signature does not hold.
    Signature,
    /// A message of someone who was never introduced.
    NoIntroduction,
    /// The introduction of someone who does not know the group's key.
    NoKey,
    /// Claims to hold and to have carried out what nobody ever wrote.
    Claims,
    /// A message from further in the future than any clock can be wrong.
    Future,
    /// Directories in themselves, in each other, in what nobody has, and in links.
    NoTree,
    /// Bytes that are no frame.
    Garbage,
}

const TRICKS: [Trick; 12] = [
    Trick::Dots,
    Trick::Reserved,
    Trick::Target,
    Trick::Bits,
    Trick::ForgedAuthor,
    Trick::Signature,
    Trick::NoIntroduction,
    Trick::NoKey,
    Trick::Claims,
    Trick::Future,
    Trick::NoTree,
    Trick::Garbage,
];

const MESSAGE_VERSION: u8 = 1;
const SIGNATURE_CONTEXT: &str = "Syncline 2026 signature of a message, version 1";

/// A message's fields as they are written, with names that the real types refuse.
#[derive(Serialize)]
struct RawMessage {
    author: ReplicaId,
    counter: u64,
    lamport: u64,
    unix_ms: UnixMs,
    previous: Option<Previous>,
    entries: Vec<RawEntry>,
}

#[derive(Serialize)]
enum RawEntry {
    Introduction(Introduction),
    Tree { root: RootId, changes: Vec<RawChange> },
}

#[derive(Serialize)]
enum RawChange {
    Birth { parent: Option<Dot>, name: String, past: DotSet, content: Content, mode: u16, modified_ns: i64 },
}

impl World {
    /// A stranger connects to a device, tries something and leaves; tells what, or nothing if no engine hears it.
    ///
    /// Nothing of it may ever show in a folder, so that people's acts alone explain what stands there.
    pub(crate) fn visit(&mut self, site: SiteId, chance: &mut fastrand::Rng) -> Option<&'static str> {
        if !self[site].is_running() || self[site].is_stopped() || self[site].is_asleep() {
            return None;
        }
        let trick = TRICKS[chance.pick(TRICKS.len())];
        let devices: BTreeSet<ReplicaId> =
            self.sites.iter().filter(|site| site.is_running()).filter_map(|site| site.status().replica).collect();
        let devices: Vec<ReplicaId> = devices.into_iter().collect();
        let mut stranger = Stranger::new(self, site, trick, chance);
        stranger.talk(self);
        let told = stranger.play(self, trick, &devices, chance);
        stranger.talk(self);
        if self.outside.remove(&stranger.link).is_some() {
            self.tell(site, Event::LinkDown { link: stranger.link });
        }
        told
    }
}

/// Someone at the other end of a pipe.
struct Stranger {
    author: ReplicaId,
    group: GroupConfig,
    identity: Identity,
    session: Session,
    site: SiteId,
    link: LinkId,
}

impl Stranger {
    fn new(world: &mut World, site: SiteId, trick: Trick, chance: &mut fastrand::Rng) -> Stranger {
        let mut author = [0; 16];
        let mut secret = [0; 32];
        chance.fill(&mut author);
        chance.fill(&mut secret);
        let author = ReplicaId::from_bytes(author);
        let mut group = world[site].config().group.clone();
        if trick == Trick::NoKey {
            group.key = vec![6; 32];
        }
        // A member may say what it likes of itself; what it may not say must not be taken.
        if matches!(trick, Trick::Dots | Trick::Reserved | Trick::Target | Trick::Bits | Trick::NoTree) {
            world.judge().admit(author);
        }
        let config =
            SessionConfig { group: group.id, replica: author, digest: Hash::from_bytes([0; 32]), credit: 8 << 20 };
        Stranger {
            author,
            group,
            identity: Identity::from_secret(&secret).expect("32 bytes"),
            session: Session::new(config, world.message_bytes_max),
            site,
            link: world.open_pipe(site),
        }
    }

    /// Tries it; returns what in a sentence.
    fn play(
        &mut self,
        world: &mut World,
        trick: Trick,
        devices: &[ReplicaId],
        chance: &mut fastrand::Rng,
    ) -> Option<&'static str> {
        let device = (!devices.is_empty()).then(|| devices[chance.pick(devices.len().max(1))]);
        let told = match trick {
            Trick::Dots => {
                let name = [".", ".."][chance.pick(2)];
                self.send(&[self.directory_with_link(name)]);
                "a directory with a name of dots"
            }
            Trick::Reserved => {
                let name = [".syncline", ".SYNCLINE", ".Syncline"][chance.pick(3)];
                self.send(&[self.directory_with_link(name)]);
                "a directory that has the name of Syncline's own"
            }
            Trick::Target => {
                let target = if chance.bool() { b"a\0b".to_vec() } else { vec![b'x'; 5_000] };
                self.send(&[self.seal(vec![birth(None, "bad link", Content::Symlink { target }, 0)])]);
                "a link to what no link can lead to"
            }
            Trick::Bits => {
                let mode = [0o4755, 0o2755, 0o1777, u16::MAX][chance.pick(4)];
                self.send(&[self.seal(vec![birth(None, "bad bits", Content::Directory, mode)])]);
                "a directory with more than permissions"
            }
            Trick::ForgedAuthor => {
                let mut bytes = self.seal(vec![birth(None, "forged", Content::Directory, 0o755)]);
                // The author's id stands behind the version, its counter behind that.
                bytes[1..17].copy_from_slice(device?.as_bytes());
                bytes[17] = chance.u8(1..60);
                self.send(&[bytes]);
                "a message in the name of a device"
            }
            Trick::Signature => {
                let mut bytes = self.seal(vec![birth(None, "unsigned", Content::Directory, 0o755)]);
                let last = bytes.len() - 1 - chance.pick(64);
                bytes[last] ^= 1 << chance.u8(..8);
                self.send(&[bytes]);
                "a message whose signature does not hold"
            }
            Trick::NoIntroduction => {
                let changes = vec![birth(None, "unknown", Content::Directory, 0o755)];
                self.send(&[self.seal_as(1, vec![RawEntry::Tree { root: ROOT, changes }])]);
                "a message of someone who was never introduced"
            }
            Trick::NoKey => {
                self.send(&[self.seal(vec![birth(None, "no key", Content::Directory, 0o755)])]);
                "a message of someone who does not know the group's key"
            }
            Trick::Future => {
                self.send(&[self.seal_as(u64::MAX - 1, vec![self.introduction()])]);
                "a message from far in the future"
            }
            Trick::NoTree => {
                self.send(&[self.seal(self.no_tree())]);
                "directories that make no tree"
            }
            Trick::Claims => {
                let mut heads = Heads::new();
                devices.iter().chain([&self.author]).for_each(|author| heads.insert_range(*author, 1, u64::MAX));
                let digest = Hash::from_bytes([9; 32]);
                self.say(Frame::Heads { heads: heads.clone(), digest, indexing: Indexing::Done });
                self.say(Frame::Acknowledge { kind: Acknowledgement::Applied, heads });
                "claims to hold what nobody wrote"
            }
            Trick::Garbage => {
                let mut bytes = vec![0; 1 + chance.pick(199)];
                chance.fill(&mut bytes);
                world.tell(self.site, Event::LinkData { link: self.link, bytes });
                "bytes that are no frame"
            }
        };
        Some(told)
    }

    fn send(&mut self, messages: &[Vec<u8>]) {
        self.say(Frame::Messages { messages: messages.iter().cloned().map(ByteBuf::from).collect() });
    }

    /// What is too long to be said, or said to someone who has hung up, is not said.
    fn say(&mut self, frame: Frame) {
        let _ = self.session.push(frame);
    }

    /// Sends what waits and hears what is answered at once.
    fn talk(&mut self, world: &mut World) {
        let mut quiet = false;
        while !quiet && world.is_open(self.link) {
            quiet = true;
            while let Some(bytes) = self.session.next_packet() {
                world.tell(self.site, Event::LinkData { link: self.link, bytes });
                self.session.ready();
                quiet = false;
            }
            while let Some(packet) = world.take_sent(self.link) {
                if let Ok(Some(Frame::Messages { messages })) = self.session.receive(&packet) {
                    self.session.saved(messages.iter().map(|message| message_credit(message.len())).sum());
                }
                quiet = false;
            }
            world.tell(self.site, Event::LinkReady { link: self.link });
        }
    }

    fn directory_with_link(&self, name: &str) -> Vec<u8> {
        let inside = Content::Symlink { target: b"/etc".to_vec() };
        self.seal(vec![birth(None, name, Content::Directory, 0o755), birth(Some(self.own(0)), "inside", inside, 0)])
    }

    fn no_tree(&self) -> Vec<RawChange> {
        let nowhere = Dot { author: ReplicaId::from_bytes([1; 16]), place: Place { counter: 77, index: 0 } };
        vec![
            birth(Some(self.own(0)), "in itself", Content::Directory, 0o755),
            birth(Some(self.own(2)), "one", Content::Directory, 0o755),
            birth(Some(self.own(1)), "two", Content::Directory, 0o755),
            birth(Some(nowhere), "orphan", Content::Directory, 0o755),
        ]
    }

    /// The node of one of its first message's changes.
    fn own(&self, index: u32) -> Dot {
        Dot { author: self.author, place: Place { counter: 1, index } }
    }

    fn introduction(&self) -> RawEntry {
        let key = ProofKey::new(&self.group).expect("a group key");
        let introduction = Introduction::new(&self.identity, &key, self.author, "stranger").expect("a short name");
        RawEntry::Introduction(introduction)
    }

    /// Its first message with these changes.
    fn seal(&self, changes: Vec<RawChange>) -> Vec<u8> {
        self.seal_as(1_000, vec![self.introduction(), RawEntry::Tree { root: ROOT, changes }])
    }

    fn seal_as(&self, lamport: u64, entries: Vec<RawEntry>) -> Vec<u8> {
        let unix_ms = UnixMs(1_767_225_600_000);
        let message = RawMessage { author: self.author, counter: 1, lamport, unix_ms, previous: None, entries };
        let mut bytes = vec![MESSAGE_VERSION];
        bytes.extend(postcard::to_stdvec(&message).expect("plain data"));
        let mut hasher = blake3::Hasher::new_derive_key(SIGNATURE_CONTEXT);
        hasher.update(self.group.id.as_bytes()).update(&bytes);
        bytes.extend_from_slice(self.identity.sign(&hasher.finalize()).as_bytes());
        bytes
    }
}

fn birth(parent: Option<Dot>, name: &str, content: Content, mode: u16) -> RawChange {
    RawChange::Birth { parent, name: name.into(), past: DotSet::default(), content, mode, modified_ns: 0 }
}

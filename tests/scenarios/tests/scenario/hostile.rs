//! A member that sends what no honest one sends. Its messages are written and signed by hand.

use serde::Serialize;
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{Content, Hash},
    api::{Event, GroupConfig, LinkId, NoticeCode, ReplicaId, UnixMs},
    crypto::{Identity, Introduction, ProofKey},
    link::{Acknowledgement, Frame, Indexing, Session, SessionConfig, message_credit},
    log::{Dot, DotSet, Heads, Message, Place, Previous},
};
use syncline_sim::{ROOT, SiteId, Tree, World, tree};

/// Its own incarnation.
const AUTHOR: ReplicaId = ReplicaId::from_bytes([0xee; 16]);

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

#[derive(Serialize, Clone)]
enum RawEntry {
    Introduction(Introduction),
    Tree { root: syncline_core::api::RootId, changes: Vec<RawChange> },
}

#[derive(Serialize, Clone)]
enum RawChange {
    Birth { parent: Option<Dot>, name: String, past: DotSet, content: Content, mode: u16, modified_ns: i64 },
    Version { node: Dot, past: DotSet, body: RawBody, modified_ns: i64 },
    Mode { node: Dot, mode: u16 },
}

#[derive(Serialize, Clone)]
enum RawBody {
    Content(Content),
    Deleted,
}

fn birth(parent: Option<Dot>, name: &str, content: Content) -> RawChange {
    RawChange::Birth { parent, name: name.into(), past: DotSet::default(), content, mode: 0o755, modified_ns: 0 }
}

fn link_to(target: &[u8]) -> Content {
    Content::Symlink { target: target.to_vec() }
}

fn own(counter: u64, index: u32) -> Dot {
    Dot { author: AUTHOR, place: Place { counter, index } }
}

/// A hostile member at the other end of a pipe.
struct Impostor {
    group: GroupConfig,
    identity: Identity,
    session: Session,
    site: SiteId,
    link: LinkId,
    counter: u64,
    lamport: u64,
    previous: Option<Previous>,
}

impl Impostor {
    /// Connects to a device and says hello.
    fn new(world: &mut World, site: SiteId) -> Impostor {
        let group = world[site].config().group.clone();
        let config =
            SessionConfig { group: group.id, replica: AUTHOR, digest: Hash::from_bytes([0; 32]), credit: 8 << 20 };
        let mut impostor = Impostor {
            group,
            identity: Identity::from_secret(&[0x66; 32]).expect("32 bytes"),
            session: Session::new(config, 64 << 10),
            site,
            link: world.open(site),
            counter: 0,
            lamport: 1_000,
            previous: None,
        };
        impostor.talk(world);
        impostor
    }

    /// Sends what waits and hears what is answered, until nothing is left.
    fn talk(&mut self, world: &mut World) {
        loop {
            let mut quiet = true;
            while let Some(bytes) = self.session.next_packet() {
                world.tell(self.site, Event::LinkData { link: self.link, bytes });
                self.session.ready();
                quiet = false;
            }
            world.settle();
            while let Some(packet) = world.take_sent(self.link) {
                if let Ok(Some(Frame::Messages { messages })) = self.session.receive(&packet) {
                    let credit = messages.iter().map(|message| message_credit(message.len())).sum();
                    self.session.saved(credit);
                }
                quiet = false;
            }
            world.tell(self.site, Event::LinkReady { link: self.link });
            if quiet {
                return;
            }
        }
    }

    /// Says something.
    fn say(&mut self, world: &mut World, frame: Frame) {
        self.session.push(frame).expect("the frame is well-formed");
        self.talk(world);
    }

    /// Sends a message with these changes.
    fn send(&mut self, world: &mut World, changes: Vec<RawChange>) {
        let bytes = self.seal(changes);
        self.say(world, Frame::Messages { messages: vec![ByteBuf::from(bytes)] });
    }

    /// Its next message, signed.
    fn seal(&mut self, changes: Vec<RawChange>) -> Vec<u8> {
        self.counter += 1;
        self.lamport = self.lamport.saturating_add(1);
        let mut entries = Vec::new();
        if self.counter == 1 {
            let key = ProofKey::new(&self.group).expect("a group key");
            let introduction = Introduction::new(&self.identity, &key, AUTHOR, "impostor").expect("a short name");
            entries.push(RawEntry::Introduction(introduction));
        }
        entries.push(RawEntry::Tree { root: ROOT, changes });
        let message = RawMessage {
            author: AUTHOR,
            counter: self.counter,
            lamport: self.lamport,
            unix_ms: UnixMs(1_767_225_600_000),
            previous: self.previous,
            entries,
        };
        let mut bytes = vec![MESSAGE_VERSION];
        bytes.extend(postcard::to_stdvec(&message).expect("plain data"));
        let mut hasher = blake3::Hasher::new_derive_key(SIGNATURE_CONTEXT);
        hasher.update(self.group.id.as_bytes()).update(&bytes);
        bytes.extend_from_slice(self.identity.sign(&hasher.finalize()).as_bytes());
        self.previous = Some(Previous { counter: self.counter, hash: blake3::hash(&bytes).into() });
        bytes
    }
}

/// A device with one file, and a hostile member connected to it.
fn attacked() -> (World, SiteId, Impostor) {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default()]);
    world.settle();
    let impostor = Impostor::new(&mut world, sites[0]);
    (world, sites[0], impostor)
}

/// The device still works with honest members.
#[track_caller]
fn assert_sound(world: &mut World, site: SiteId) {
    let other = world.sites().find(|other| *other != site).expect("two devices");
    world[site].disk().write("after", "after");
    world.rescan(site);
    world.meet(site, other);
    world.meet(site, other);
    assert_eq!(world[other].tree(), world[site].tree());
    assert_eq!(world[site].tree().at("a"), Some(&"a".into()));
    assert_eq!(world[other].tree().at("after"), Some(&"after".into()));
}

#[test]
fn an_impostor_that_behaves_is_heard() {
    let (mut world, a, mut impostor) = attacked();
    impostor.send(&mut world, vec![birth(None, "l", link_to(b"x")), birth(None, "d", Content::Directory)]);
    assert_eq!(world[a].tree().len(), 3, "{:?}", world[a].tree());
    impostor.send(
        &mut world,
        vec![
            birth(Some(own(1, 1)), "inner", link_to(b"y")),
            RawChange::Version {
                node: own(1, 0),
                past: [own(1, 0)].into_iter().collect(),
                body: RawBody::Deleted,
                modified_ns: 0,
            },
        ],
    );
    assert_eq!(world[a].tree().at("d/inner"), Some(&syncline_sim::symlink("y")));
    assert_eq!(world[a].tree().at("l"), None);
    assert_sound(&mut world, a);
}

#[test]
fn h01_names_that_are_none_are_refused_with_their_message() {
    let long = "x".repeat(2_000);
    for name in ["", ".", "..", "/", "a/b", "../a", "/etc/passwd", "a\0", "\0", long.as_str()] {
        let (mut world, a, mut impostor) = attacked();
        impostor.send(&mut world, vec![birth(None, "beside", link_to(b"x")), birth(None, name, link_to(b"x"))]);
        assert_eq!(world[a].tree(), tree([("a", "a")]), "{name:?}");
        let noticed = world[a].has_notice(NoticeCode::MessageRefused) || world[a].has_notice(NoticeCode::PeerInvalid);
        assert!(noticed, "{name:?}");
        assert_sound(&mut world, a);
    }
}

#[test]
fn h01_synclines_own_directory_cannot_be_named() {
    for name in [".syncline", ".SYNCLINE", ".Syncline"] {
        let (mut world, a, mut impostor) = attacked();
        impostor.send(
            &mut world,
            vec![
                birth(None, name, Content::Directory),
                birth(Some(own(1, 0)), "store", link_to(b"x")),
                birth(None, name, link_to(b"/etc")),
            ],
        );
        assert_eq!(world[a].tree(), tree([("a", "a")]), "{name:?}");
        assert_sound(&mut world, a);
    }
}

#[test]
fn h01_special_bits_and_odd_targets_are_refused() {
    let with_mode = |mode| RawChange::Birth {
        parent: None,
        name: "x".into(),
        past: DotSet::default(),
        content: Content::Directory,
        mode,
        modified_ns: 0,
    };
    for change in [
        with_mode(0o4755),
        with_mode(0o2755),
        with_mode(0o1777),
        with_mode(u16::MAX),
        birth(None, "x", link_to(b"a\0b")),
        birth(None, "x", link_to(&[b'x'; 5_000])),
    ] {
        let (mut world, a, mut impostor) = attacked();
        impostor.send(&mut world, vec![change]);
        assert_eq!(world[a].tree(), tree([("a", "a")]));
        assert_sound(&mut world, a);
    }
}

#[test]
fn h01_changes_that_make_no_tree_do_no_harm() {
    let nowhere = Dot { author: ReplicaId::from_bytes([1; 16]), place: Place { counter: 77, index: 0 } };
    let version = |node| RawChange::Version {
        node,
        past: DotSet::default(),
        body: RawBody::Content(Content::Directory),
        modified_ns: i64::MIN,
    };
    let (mut world, a, mut impostor) = attacked();
    impostor.send(
        &mut world,
        vec![
            // In itself, in each other, in a node that nobody has, in a link.
            birth(Some(own(1, 0)), "own parent", Content::Directory),
            birth(Some(own(1, 2)), "one", Content::Directory),
            birth(Some(own(1, 1)), "two", Content::Directory),
            birth(Some(nowhere), "orphan", Content::Directory),
            birth(None, "link", link_to(b"/")),
            birth(Some(own(1, 4)), "passwd", link_to(b"x")),
            version(nowhere),
            version(own(1, 3)),
            RawChange::Mode { node: nowhere, mode: 0 },
            RawChange::Mode { node: own(9, 9), mode: 0o777 },
        ],
    );
    assert_sound(&mut world, a);
}

#[test]
fn h02_a_hundred_thousand_nested_directories_are_bounded() {
    const DEPTH: u32 = 100_000;
    const CHANGES: u32 = 10_000;
    let (mut world, a, mut impostor) = attacked();
    for first in (0..DEPTH).step_by(CHANGES as usize) {
        let counter = impostor.counter + 1;
        let parent = |index: u32| match (first, index) {
            (0, 0) => None,
            (_, 0) => Some(own(counter - 1, CHANGES - 1)),
            _ => Some(own(counter, index - 1)),
        };
        let changes = (0..CHANGES).map(|index| birth(parent(index), "d", Content::Directory)).collect();
        impostor.send(&mut world, changes);
    }
    let depth = world[a].tree().items().map(|(path, _)| path.split('/').count()).max();
    assert!(depth <= Some(1_000), "{depth:?}");

    // All but the last are deleted and live by it alone; then it goes too.
    let levels: Vec<Dot> =
        (1..=u64::from(DEPTH / CHANGES)).flat_map(|c| (0..CHANGES).map(move |i| own(c, i))).collect();
    for levels in levels.chunks(CHANGES as usize) {
        let delete = |node: &Dot| RawChange::Version {
            node: *node,
            past: [*node].into_iter().collect(),
            body: RawBody::Deleted,
            modified_ns: 0,
        };
        impostor.send(&mut world, levels.iter().map(delete).collect());
    }
    assert_eq!(world[a].tree(), tree([("a", "a")]));
    assert_sound(&mut world, a);
}

#[test]
fn h02_lengths_that_are_not_there_are_refused() {
    let mut huge = vec![0xff; 9];
    huge.push(0x01);
    for lane in 0..4u8 {
        for tag in 0..16u8 {
            for tail in [&huge[..], &[0x80, 0x80, 0x80, 0x80, 0x10], &[1, 0xff, 0xff, 0xff, 0xff, 0x0f]] {
                let (mut world, a, impostor) = attacked();
                let bytes = [&[lane | 0b100, tag], tail].concat();
                world.tell(a, Event::LinkData { link: impostor.link, bytes });
                world.settle();
                assert!(!world.is_open(impostor.link), "lane {lane}, tag {tag}");
                assert!(world[a].has_notice(NoticeCode::PeerInvalid));
            }
        }
    }
}

#[test]
fn h13_counters_and_lamports_at_their_end_do_no_harm() {
    let (mut world, a, mut impostor) = attacked();
    let replica = world[a].status().replica.expect("the store was read");
    for author in [AUTHOR, replica] {
        let mut heads = Heads::new();
        heads.insert_range(author, 1, u64::MAX);
        let digest = Hash::from_bytes([9; 32]);
        impostor.say(&mut world, Frame::Heads { heads: heads.clone(), digest, indexing: Indexing::Done });
        impostor.say(&mut world, Frame::Acknowledge { kind: Acknowledgement::Applied, heads });
    }
    impostor.send(&mut world, vec![birth(None, "now", link_to(b"x"))]);
    impostor.lamport = u64::MAX - 1;
    impostor.send(&mut world, vec![birth(None, "ahead", link_to(b"x"))]);
    assert!(world[a].tree().at("now").is_some());
    assert!(world[a].tree().at("ahead").is_none(), "a lamport this far ahead is held");
    assert_sound(&mut world, a);
}

#[test]
fn a_fork_is_noticed_and_does_no_harm() {
    let (mut world, a, mut impostor) = attacked();
    impostor.send(&mut world, vec![birth(None, "one", link_to(b"x"))]);
    (impostor.counter, impostor.previous) = (0, None);
    impostor.send(&mut world, vec![birth(None, "two", link_to(b"x"))]);
    assert!(world[a].has_notice(NoticeCode::Fork));
    assert!(world[a].tree().at("one").is_some());
    assert_sound(&mut world, a);
}

#[test]
fn a_message_that_another_key_signed_is_refused() {
    let (mut world, a, mut impostor) = attacked();
    let replica = world[a].status().replica.expect("the store was read");
    let mut bytes = impostor.seal(vec![birth(None, "x", link_to(b"x"))]);
    let (message, _) = Message::decode(&bytes).expect("a message");
    assert_eq!(message.author, AUTHOR);
    // The author's id stands behind the version.
    bytes[1..17].copy_from_slice(replica.as_bytes());
    impostor.say(&mut world, Frame::Messages { messages: vec![ByteBuf::from(bytes)] });
    assert_eq!(world[a].tree(), tree([("a", "a")]));
    assert_sound(&mut world, a);
}

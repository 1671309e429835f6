//! One end of a link, and anything at the other.

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{Hash, ReplicaId},
    link::{Frame, Indexing, Lane, LinkError, Session, SessionConfig, State, messages_credit},
};

use crate::{
    decoders::{check_error, check_frame},
    member::GROUP,
    memory, script,
};

/// The bit of a packet's header that ends a frame (`docs/protocol.md` §7.1).
const LAST: u8 = 0b100;

/// The longest frame before the peer's hello.
const HELLO_BYTES_MAX: usize = 1 << 10;

/// One step of a link's life.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// A message of the pipe.
    Packet(#[serde(with = "serde_bytes")] Vec<u8>),
    /// A frame on its lane, in packets of this length.
    Frame(Frame, u8),
    /// A frame on any lane.
    Astray(Frame, u8),
    /// The peer's hello.
    Hello,
    /// This end says something.
    Push(Frame),
    /// Messages were saved.
    Saved(u64),
    /// The pipe is empty.
    Ready,
    /// So many packets go out.
    Send(u8),
    /// This end closes.
    Close,
}

fn config(number: u8) -> SessionConfig {
    let replica = ReplicaId::from_bytes([number; 16]);
    SessionConfig { group: GROUP, replica, digest: Hash::from_bytes([number; 32]), credit: 0 }
}

/// The hello of the other end, as a packet.
pub(crate) fn hello() -> Vec<u8> {
    Session::new(config(2), 4_096).next_packet().expect("a hello is the first packet")
}

/// A frame as packets of at most `part` bytes of it.
pub(crate) fn packets(frame: &Frame, lane: u8, part: usize) -> Vec<Vec<u8>> {
    let bytes = frame.encode(Vec::new()).expect("plain data");
    let count = bytes.len().div_ceil(part.max(1));
    let header = |index| lane | if index + 1 == count { LAST } else { 0 };
    bytes.chunks(part.max(1)).enumerate().map(|(index, part)| [&[header(index)], part].concat()).collect()
}

/// A session takes anything and stays what it says it is: it gives only frames that stand in the protocol, holds no more
/// than it was given, speaks only when open, and says nothing more after its first error.
pub fn session(bytes: &[u8]) {
    let mut end = End { session: Session::new(config(1), 300), received: 0, pushed: 0, unsaved: 0, was_open: false };
    for step in script::read::<Step>(bytes) {
        match step {
            Step::Packet(packet) => end.receive(&packet),
            Step::Frame(frame, part) => {
                let lane = frame.lane() as u8;
                packets(&frame, lane, usize::from(part) + 1).iter().for_each(|packet| end.receive(packet));
            }
            Step::Astray(frame, lane) => {
                packets(&frame, lane & 3, usize::MAX).iter().for_each(|packet| end.receive(packet));
            }
            Step::Hello => end.receive(&hello()),
            Step::Push(frame) => end.push(frame),
            Step::Saved(credit) => {
                let before = end.session.unsaved_credit();
                end.session.saved(credit);
                let left = if end.session.state() == State::Closed { before } else { before.saturating_sub(credit) };
                assert_eq!(end.session.unsaved_credit(), left);
                end.unsaved = left;
            }
            Step::Ready => end.session.ready(),
            Step::Send(count) => end.send(count),
            Step::Close => end.session.close(),
        }
        end.check();
    }
}

struct End {
    session: Session,
    received: usize,
    pushed: usize,
    unsaved: u64,
    was_open: bool,
}

impl End {
    fn receive(&mut self, packet: &[u8]) {
        self.received += packet.len();
        let before = self.session.state();
        let limit = memory::of_reading(self.received) + 2 * self.pushed as u64;
        match memory::within(limit, || self.session.receive(packet)) {
            Ok(frame) => {
                assert_ne!(before, State::Closed, "a closed session hears");
                let Some(frame) = frame else { return };
                assert_eq!(before == State::AwaitingHello, matches!(frame, Frame::Hello(_)), "{frame:?}");
                assert!(packet[0] & LAST != 0, "a frame ends before its last packet");
                assert_eq!(frame.lane() as u8, packet[0] & 3, "a frame on another lane");
                check_frame(&frame, &frame.encode(Vec::new()).expect("it was read"));
                if let Frame::Messages { messages } = &frame {
                    self.unsaved += messages_credit(messages);
                    assert_eq!(self.session.unsaved_credit(), self.unsaved);
                }
            }
            Err(error) => {
                check_error(&error);
                assert_eq!(self.session.state(), State::Closed, "an error leaves the session open");
                assert_eq!(error == LinkError::Closed, before == State::Closed);
            }
        }
    }

    fn push(&mut self, frame: Frame) {
        let length = frame.encoded_len().expect("plain data");
        let closed = self.session.state() == State::Closed;
        match self.session.push(frame) {
            Ok(()) => {
                assert!(!closed, "a closed session takes a frame");
                self.pushed += length;
            }
            Err(error) => {
                check_error(&error);
                assert!(!closed || error == LinkError::Closed);
            }
        }
    }

    fn send(&mut self, count: u8) {
        for _ in 0..count {
            let Some(packet) = self.session.next_packet() else { return };
            assert_ne!(self.session.state(), State::Closed, "a closed session speaks");
            assert!((2..=300).contains(&packet.len()), "a packet of {} bytes", packet.len());
            assert!(packet[0] & !(LAST | 3) == 0 && packet[0] & 3 != 3, "a header of {:#b}", packet[0]);
        }
    }

    fn check(&mut self) {
        let session = &self.session;
        let state = session.state();
        assert!(!(self.was_open && state == State::AwaitingHello), "a link opens twice");
        self.was_open |= state == State::Open;
        assert!(state != State::Open || session.peer().is_some(), "open to nobody");
        assert!(session.held_bytes() <= self.received, "more is held than was received");
        assert!(state != State::AwaitingHello || session.held_bytes() <= HELLO_BYTES_MAX);
        if state == State::Closed {
            let waits: u64 = Lane::ALL.iter().map(|lane| session.queued_bytes(*lane)).sum();
            assert_eq!((session.held_bytes(), waits), (0, 0), "a closed session holds something");
            assert!(Lane::ALL.iter().all(|lane| !session.has_room(*lane)));
        }
    }
}

/// Frames, and how they come.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Parcel {
    /// What is said.
    pub frame: Frame,
    /// The lengths of its parts, again and again.
    pub parts: Vec<u8>,
}

/// However frames are cut and interleaved with those of other lanes, they are heard whole, each lane in its order.
pub fn packets_target(bytes: &[u8]) {
    let parcels = script::read::<Parcel>(bytes);
    let mut session = Session::new(config(1), 4_096);
    session.receive(&hello()).expect("a hello");
    let mut lanes: [Vec<(Vec<u8>, &Frame)>; 3] = Default::default();
    let mut chance = fastrand::Rng::with_seed(bytes.len() as u64);
    for parcel in &parcels {
        let allowed = !matches!(parcel.frame, Frame::Hello(_) | Frame::Credit { .. }) && parcel.frame.check().is_ok();
        if allowed {
            lanes[parcel.frame.lane() as usize].extend(cut(parcel).into_iter().map(|packet| (packet, &parcel.frame)));
        }
    }
    lanes.iter_mut().for_each(|lane| lane.reverse());
    let mut under_way = 0;
    while lanes.iter().any(|lane| !lane.is_empty()) {
        let lane = chance.usize(..3);
        let Some((packet, frame)) = lanes[lane].pop() else { continue };
        under_way += packet.len() - 1;
        let heard = session.receive(&packet).expect("an honest peer is heard");
        if packet[0] & LAST == 0 {
            assert_eq!(heard, None, "half a frame is heard");
        } else {
            assert_eq!(heard.as_ref(), Some(frame), "another frame is heard");
            under_way -= frame.encoded_len().expect("a length");
            if let Some(Frame::Messages { messages }) = &heard {
                session.saved(messages_credit(messages));
            }
        }
        assert_eq!(session.held_bytes(), under_way, "what is held is what came");
    }
}

fn cut(parcel: &Parcel) -> Vec<Vec<u8>> {
    let bytes = parcel.frame.encode(Vec::new()).expect("plain data");
    let lane = parcel.frame.lane() as u8;
    let mut packets = Vec::new();
    let mut parts = parcel.parts.iter().cycle();
    let mut rest = bytes.as_slice();
    while !rest.is_empty() {
        let length = parts.next().map_or(rest.len(), |part| usize::from(*part) + 1).min(rest.len());
        let (part, behind) = rest.split_at(length);
        let last = if behind.is_empty() { LAST } else { 0 };
        packets.push([&[lane | last], part].concat());
        rest = behind;
    }
    packets
}

/// Frames of each kind, for seeds.
pub(crate) fn frames(messages: &[Vec<u8>]) -> Vec<Frame> {
    use syncline_core::api::UnixMs;
    use syncline_core::link::{Acknowledgement, Echo, Hello, Want};
    let hash = Hash::from_bytes([4; 32]);
    let mut heads = syncline_core::log::Heads::new();
    heads.insert_range(ReplicaId::from_bytes([2; 16]), 1, 300);
    heads.insert_range(ReplicaId::from_bytes([2; 16]), 400, u64::MAX);
    heads.insert(ReplicaId::from_bytes([3; 16]), 1);
    let want = Want { content: hash, size: 100_000, offset: 50_000, length: 50_000 };
    let group = GROUP;
    let replica = ReplicaId::from_bytes([2; 16]);
    let hello =
        Hello { version_min: 1, version_max: 1, group, replica, capabilities: 0, credit: 4 << 20, digest: hash };
    vec![
        Frame::Hello(hello),
        Frame::Heads { heads: heads.clone(), digest: hash, indexing: Indexing::Done },
        Frame::Messages { messages: messages.iter().cloned().map(ByteBuf::from).collect() },
        Frame::Acknowledge { kind: Acknowledgement::Received, heads: heads.clone() },
        Frame::Acknowledge { kind: Acknowledgement::Applied, heads },
        Frame::WantManifest { contents: vec![hash, Hash::from_bytes([5; 32])] },
        Frame::Manifest { content: hash, bytes: vec![1; 80] },
        Frame::WantChunks { wants: vec![want, Want { offset: 0, ..want }] },
        Frame::Chunk { content: hash, offset: 50_000, bytes: vec![7; 200] },
        Frame::Absent { content: hash, offset: Some(50_000) },
        Frame::Absent { content: hash, offset: None },
        Frame::Credit { bytes: 1_000 },
        Frame::Heartbeat { digest: hash, unix_ms: UnixMs(300), echo: None },
        Frame::Heartbeat {
            digest: hash,
            unix_ms: UnixMs(1 << 40),
            echo: Some(Echo { unix_ms: UnixMs(u64::MAX), held_ms: 20_000 }),
        },
        Frame::Present { contents: vec![hash, Hash::from_bytes([5; 32])] },
    ]
}

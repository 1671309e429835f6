//! Frames: what two replicas say to each other on a link (`docs/protocol.md` §7.4).

use alloc::vec::Vec;
use core::fmt;

use postcard::ser_flavors;
use serde::{Deserialize, Deserializer, Serialize, de};
use serde_bytes::ByteBuf;

use super::credit::{message_credit, messages_credit};
use super::{Lane, LinkError};
use crate::api::{GroupId, Hash, ReplicaId, UnixMs};
use crate::engine::limits::{
    CHUNK_BYTES_MAX, MANIFEST_BYTES_MAX, MESSAGE_BYTES_MAX, MESSAGES_CREDIT_MAX, WANTED_CHUNKS_MAX,
    WANTED_MANIFESTS_MAX,
};
use crate::log::Heads;

/// One statement of a peer. Its place in this list is its number on the wire.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Frame {
    /// Who speaks, and how: the first frame each way, and only that.
    Hello(Hello),
    /// All that the sender holds. When a replica holds all that its peer's last heads listed, it has caught up with it.
    Heads {
        /// The counters held, of every author.
        heads: Heads,
        /// The digest that belongs to them.
        digest: Hash,
        /// Whether what stood on the sender's disk when it started is among them.
        indexing: Indexing,
    },
    /// Messages of the log, as their authors encoded them.
    Messages {
        /// At least one; at most [`MESSAGES_CREDIT_MAX`] in all ([`messages_credit`]).
        #[serde(deserialize_with = "within_credit")]
        messages: Vec<ByteBuf>,
    },
    /// What became of messages here. What was acknowledged once stays so; the sum of all counts.
    Acknowledge {
        /// How far they came.
        kind: Acknowledgement,
        /// Which ones.
        heads: Heads,
    },
    /// Asks for manifests. Each is answered by a [`Manifest`](Frame::Manifest) or an [`Absent`](Frame::Absent).
    WantManifest {
        /// Content ids, from 1 to [`WANTED_MANIFESTS_MAX`].
        contents: Vec<Hash>,
    },
    /// A manifest.
    Manifest {
        /// The content it describes.
        content: Hash,
        /// Its bytes, at most [`MANIFEST_BYTES_MAX`]; they hash to the content id. Empty: the content is a single chunk
        /// and has no manifest.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// Asks for parts of contents. Each is answered by a [`Chunk`](Frame::Chunk) or an [`Absent`](Frame::Absent).
    WantChunks {
        /// From 1 to [`WANTED_CHUNKS_MAX`].
        wants: Vec<Want>,
    },
    /// A part of a content.
    Chunk {
        /// The content.
        content: Hash,
        /// Where in it the bytes begin.
        offset: u64,
        /// The bytes, as many as were asked for.
        #[serde(with = "serde_bytes")]
        bytes: Vec<u8>,
    },
    /// The sender does not have what was asked for, or not any more. May overtake what it still sends of that content.
    Absent {
        /// The content.
        content: Hash,
        /// The offset of the part that was asked for; none for the manifest.
        offset: Option<u64>,
    },
    /// Messages were saved: as much more may be sent.
    Credit {
        /// How much, at least 1.
        bytes: u32,
    },
    /// The sender lives; equal digests mean that there is nothing to say.
    Heartbeat {
        /// The digest of what the sender holds.
        digest: Hash,
        /// What the sender's wall clock shows.
        unix_ms: UnixMs,
        /// The last heartbeat of the receiver that the sender heard.
        echo: Option<Echo>,
    },
    /// The sender has by now what it said to be [`Absent`](Frame::Absent): it may be asked again.
    Present {
        /// Content ids, from 1 to [`WANTED_MANIFESTS_MAX`].
        contents: Vec<Hash>,
    },
}

/// The first frame. Its form holds for all versions; later ones may add fields behind it, which are ignored.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The oldest version of frames the sender speaks.
    pub version_min: u16,
    /// The newest.
    pub version_max: u16,
    /// The group the link is for.
    pub group: GroupId,
    /// Who sends it.
    pub replica: ReplicaId,
    /// What the sender can do beyond the version, a bit each; both ends use what both have. None is defined yet.
    pub capabilities: u64,
    /// The credit for messages that the sender grants to start with, in bytes.
    pub credit: u32,
    /// The digest of what the sender has saved: where both are equal no heads need be sent.
    pub digest: Hash,
}

/// A heartbeat that comes back: both ends learn by it how far apart their clocks are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// What it said that its sender's clock showed.
    pub unix_ms: UnixMs,
    /// How long ago it came, in milliseconds.
    pub held_ms: u64,
}

/// Whether what stood on a disk at the start is in the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Indexing {
    /// Not yet.
    #[default]
    Underway,
    /// All of it. A replica that joins waits for this.
    Done,
    /// It joins, and waits for this itself.
    Waiting,
}

/// How far messages came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Acknowledgement {
    /// They are saved.
    Received,
    /// What they say is on disk.
    Applied,
}

/// A part of a content that is asked for. A chunk as its manifest cuts it: a holder need not serve other parts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Want {
    /// The content.
    pub content: Hash,
    /// The whole content's size, in bytes.
    pub size: u64,
    /// Where in it the part begins.
    pub offset: u64,
    /// How many bytes, from 1 to [`CHUNK_BYTES_MAX`], none beyond the size.
    pub length: u32,
}

impl Frame {
    /// Reads a frame.
    ///
    /// # Errors
    /// Bytes that are no frame, not its canonical form, or a frame beyond the limits. Nothing is allocated for a length
    /// or a count that the bytes do not bear out.
    pub fn decode(bytes: &[u8]) -> Result<Frame, LinkError> {
        let malformed = LinkError::FrameMalformed { length: bytes.len() };
        let Ok((frame, rest)) = postcard::take_from_bytes::<Frame>(bytes) else {
            return Err(malformed);
        };
        if !rest.is_empty() && !matches!(frame, Frame::Hello(_)) {
            return Err(malformed);
        }
        frame.check()?;
        let used = bytes.get(..bytes.len().saturating_sub(rest.len())).unwrap_or_default();
        match postcard::serialize_with_flavor(&frame, Same { expected: used }) {
            Ok(true) => Ok(frame),
            _ => Err(LinkError::FrameNotCanonical),
        }
    }

    /// Writes the frame behind what `buffer` holds already.
    ///
    /// # Errors
    /// [`LinkError::FrameUnencodable`]; never where [`encoded_len`](Self::encoded_len) gave a length.
    pub fn encode(&self, buffer: Vec<u8>) -> Result<Vec<u8>, LinkError> {
        postcard::to_extend(self, buffer).map_err(|_| LinkError::FrameUnencodable)
    }

    /// How long the frame will be, in bytes; costs no copy.
    ///
    /// # Errors
    /// [`LinkError::FrameUnencodable`].
    pub fn encoded_len(&self) -> Result<usize, LinkError> {
        postcard::serialize_with_flavor(self, ser_flavors::Size::default()).map_err(|_| LinkError::FrameUnencodable)
    }

    /// Holds the frame against the limits that its form does not imply.
    ///
    /// # Errors
    /// [`LinkError::OutOfRange`].
    pub fn check(&self) -> Result<(), LinkError> {
        match self {
            Frame::Hello(_) | Frame::Heads { .. } | Frame::Acknowledge { .. } => Ok(()),
            Frame::Absent { .. } | Frame::Heartbeat { .. } => Ok(()),
            Frame::Messages { messages } => {
                for message in messages {
                    range("the bytes of a message", 1, MESSAGE_BYTES_MAX, message.len())?;
                }
                range("the number of messages in a frame", 1, MESSAGES_CREDIT_MAX, messages.len())?;
                let credit = usize::try_from(messages_credit(messages)).unwrap_or(usize::MAX);
                range("the credit of a frame of messages", 1, MESSAGES_CREDIT_MAX, credit)
            }
            Frame::WantManifest { contents } => {
                range("the number of wanted manifests", 1, WANTED_MANIFESTS_MAX, contents.len())
            }
            Frame::Present { contents } => {
                range("the number of contents that are there", 1, WANTED_MANIFESTS_MAX, contents.len())
            }
            Frame::Manifest { bytes, .. } => range("the bytes of a manifest", 0, MANIFEST_BYTES_MAX, bytes.len()),
            Frame::WantChunks { wants } => {
                range("the number of wanted chunks", 1, WANTED_CHUNKS_MAX, wants.len())?;
                wants.iter().try_for_each(Want::check)
            }
            Frame::Chunk { bytes, .. } => range("the bytes of a chunk", 1, CHUNK_BYTES_MAX, bytes.len()),
            Frame::Credit { bytes } => {
                range("the bytes of granted credit", 1, usize::MAX, usize::try_from(*bytes).unwrap_or(usize::MAX))
            }
        }
    }

    /// The lane the frame belongs to.
    pub fn lane(&self) -> Lane {
        match self {
            Frame::Hello(_)
            | Frame::Heads { .. }
            | Frame::Acknowledge { .. }
            | Frame::Credit { .. }
            | Frame::Heartbeat { .. } => Lane::Control,
            Frame::Messages { .. }
            | Frame::WantManifest { .. }
            | Frame::WantChunks { .. }
            | Frame::Absent { .. }
            | Frame::Present { .. } => Lane::Small,
            Frame::Manifest { .. } | Frame::Chunk { .. } => Lane::Bulk,
        }
    }
}

impl Want {
    fn check(&self) -> Result<(), LinkError> {
        range("the bytes of a wanted chunk", 1, CHUNK_BYTES_MAX, usize::try_from(self.length).unwrap_or(usize::MAX))?;
        let found = self.offset.saturating_add(self.length.into());
        if found > self.size {
            return Err(LinkError::OutOfRange { what: "the end of a wanted chunk", min: 1, max: self.size, found });
        }
        Ok(())
    }
}

fn range(what: &'static str, min: usize, max: usize, found: usize) -> Result<(), LinkError> {
    if (min..=max).contains(&found) {
        return Ok(());
    }
    let number = |number| u64::try_from(number).unwrap_or(u64::MAX);
    Err(LinkError::OutOfRange { what, min: number(min), max: number(max), found: number(found) })
}

/// Compares what a value encodes to with bytes, without writing it anywhere.
struct Same<'b> {
    expected: &'b [u8],
}

impl ser_flavors::Flavor for Same<'_> {
    /// Whether the bytes ended with the value.
    type Output = bool;

    fn try_push(&mut self, byte: u8) -> postcard::Result<()> {
        self.try_extend(&[byte])
    }

    fn try_extend(&mut self, bytes: &[u8]) -> postcard::Result<()> {
        self.expected = self.expected.strip_prefix(bytes).ok_or(postcard::Error::SerializeBufferFull)?;
        Ok(())
    }

    fn finalize(self) -> postcard::Result<bool> {
        Ok(self.expected.is_empty())
    }
}

/// Reads messages and stops at the limit: each costs memory beside its bytes, and a frame holds room for a million empty
/// ones.
fn within_credit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<ByteBuf>, D::Error> {
    struct Within;

    impl<'de> de::Visitor<'de> for Within {
        type Value = Vec<ByteBuf>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "messages of at most {MESSAGES_CREDIT_MAX} bytes of credit")
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut sequence: A) -> Result<Vec<ByteBuf>, A::Error> {
            let mut messages = Vec::new();
            let mut credit = 0u64;
            while let Some(message) = sequence.next_element::<ByteBuf>()? {
                credit = credit.saturating_add(message_credit(message.len()));
                if usize::try_from(credit).map_or(true, |credit| credit > MESSAGES_CREDIT_MAX) {
                    return Err(de::Error::invalid_length(messages.len(), &self));
                }
                messages.push(message);
            }
            Ok(messages)
        }
    }

    deserializer.deserialize_seq(Within)
}

#[cfg(test)]
pub(super) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::engine::limits::{CONTROL_FRAME_BYTES_MAX, CREDIT_BYTES_MIN, HELLO_BYTES_MAX, PIPE_MESSAGE_BYTES_MIN};

    fn hash() -> impl Strategy<Value = Hash> {
        any::<[u8; 32]>().prop_map(Hash::from_bytes)
    }

    fn bytes(max: usize) -> impl Strategy<Value = Vec<u8>> {
        // Mostly short; long ones by repetition, which is fast to make and still shows a part in the wrong place.
        prop_oneof![
            prop::collection::vec(any::<u8>(), 1..64),
            (1..max, any::<u8>()).prop_map(|(length, salt)| {
                (0..length).map(|at| (at as u32).wrapping_mul(2_654_435_761).to_be_bytes()[0] ^ salt).collect()
            }),
        ]
    }

    fn heads() -> impl Strategy<Value = Heads> {
        let counter = prop_oneof![1..20u64, any::<u64>().prop_map(|number| number.max(1))];
        prop::collection::vec((0..4u8, counter), 0..20).prop_map(|dots| {
            let mut heads = Heads::default();
            for (author, counter) in dots {
                heads.insert(ReplicaId::from_bytes([author; 16]), counter);
            }
            heads
        })
    }

    pub fn hello() -> Hello {
        Hello {
            version_min: 1,
            version_max: 1,
            group: GroupId::from_bytes([7; 16]),
            replica: ReplicaId::from_bytes([1; 16]),
            capabilities: 0,
            credit: CREDIT_BYTES_MIN,
            digest: Hash::from_bytes([0; 32]),
        }
    }

    fn want() -> impl Strategy<Value = Want> {
        (hash(), any::<u64>(), 1..=CHUNK_BYTES_MAX as u32).prop_map(|(content, offset, length)| {
            let offset = offset.min(u64::MAX - u64::from(length));
            Want { content, size: offset + u64::from(length), offset, length }
        })
    }

    /// Any frame but a hello and credit, which a session sends itself.
    pub fn frame() -> impl Strategy<Value = Frame> {
        let kind = prop::sample::select(vec![Acknowledgement::Received, Acknowledgement::Applied]);
        let message = bytes(20_000).prop_map(ByteBuf::from);
        prop_oneof![
            (heads(), hash()).prop_map(|(heads, digest)| Frame::Heads { heads, digest, indexing: Indexing::Done }),
            prop::collection::vec(message, 1..5).prop_map(|messages| Frame::Messages { messages }),
            (kind, heads()).prop_map(|(kind, heads)| Frame::Acknowledge { kind, heads }),
            prop::collection::vec(hash(), 1..20).prop_map(|contents| Frame::WantManifest { contents }),
            (hash(), bytes(300_000)).prop_map(|(content, bytes)| Frame::Manifest { content, bytes }),
            prop::collection::vec(want(), 1..20).prop_map(|wants| Frame::WantChunks { wants }),
            (hash(), any::<u64>(), bytes(300_000)).prop_map(|(content, offset, bytes)| Frame::Chunk {
                content,
                offset,
                bytes
            }),
            (hash(), any::<Option<u64>>()).prop_map(|(content, offset)| Frame::Absent { content, offset }),
            (hash(), any::<u64>(), any::<Option<(u64, u64)>>()).prop_map(|(digest, unix_ms, echo)| Frame::Heartbeat {
                digest,
                unix_ms: UnixMs(unix_ms),
                echo: echo.map(|(unix_ms, held_ms)| Echo { unix_ms: UnixMs(unix_ms), held_ms }),
            }),
            prop::collection::vec(hash(), 1..20).prop_map(|contents| Frame::Present { contents }),
        ]
    }

    fn encoded(frame: &Frame) -> Vec<u8> {
        frame.encode(Vec::new()).unwrap()
    }

    #[test]
    fn a_hellos_bytes_are_these() {
        let mut expected = vec![0, 1, 1];
        expected.extend([7; 16]);
        expected.extend([1; 16]);
        expected.extend([0, 0x80, 0x80, 0x80, 0x02]);
        expected.extend([0; 32]);
        assert_eq!(encoded(&Frame::Hello(hello())), expected);
    }

    #[test]
    fn the_longest_hello_fits_the_smallest_packet() {
        let hello =
            Hello { version_min: u16::MAX, version_max: u16::MAX, capabilities: u64::MAX, credit: u32::MAX, ..hello() };
        assert!(encoded(&Frame::Hello(hello)).len() < PIPE_MESSAGE_BYTES_MIN);
    }

    #[test]
    fn a_later_versions_longer_hello_is_read() {
        let mut bytes = encoded(&Frame::Hello(hello()));
        bytes.extend([0xff; 100]);
        assert!(bytes.len() <= HELLO_BYTES_MAX);
        assert_eq!(Frame::decode(&bytes), Ok(Frame::Hello(hello())));
    }

    #[test]
    fn bytes_behind_other_frames_are_refused() {
        let mut bytes = encoded(&Frame::Credit { bytes: 1 });
        bytes.push(0);
        assert_eq!(Frame::decode(&bytes), Err(LinkError::FrameMalformed { length: bytes.len() }));
    }

    #[test]
    fn every_frame_has_its_number_and_lane() {
        let hash = Hash::from_bytes([0; 32]);
        let heads = Heads::default();
        let want = Want { content: hash, size: 1, offset: 0, length: 1 };
        for (number, lane, frame) in [
            (0, Lane::Control, Frame::Hello(hello())),
            (1, Lane::Control, Frame::Heads { heads: heads.clone(), digest: hash, indexing: Indexing::Underway }),
            (2, Lane::Small, Frame::Messages { messages: vec![ByteBuf::from([1])] }),
            (3, Lane::Control, Frame::Acknowledge { kind: Acknowledgement::Applied, heads }),
            (4, Lane::Small, Frame::WantManifest { contents: vec![hash] }),
            (5, Lane::Bulk, Frame::Manifest { content: hash, bytes: vec![1] }),
            (6, Lane::Small, Frame::WantChunks { wants: vec![want] }),
            (7, Lane::Bulk, Frame::Chunk { content: hash, offset: 0, bytes: vec![1] }),
            (8, Lane::Small, Frame::Absent { content: hash, offset: None }),
            (9, Lane::Control, Frame::Credit { bytes: 1 }),
            (10, Lane::Control, Frame::Heartbeat { digest: hash, unix_ms: UnixMs(1), echo: None }),
            (11, Lane::Small, Frame::Present { contents: vec![hash] }),
        ] {
            let bytes = encoded(&frame);
            assert_eq!(bytes[0], number, "{frame:?}");
            assert_eq!(frame.lane(), lane, "{frame:?}");
            assert_eq!(bytes.len(), frame.encoded_len().unwrap());
            assert_eq!(Frame::decode(&bytes), Ok(frame));
        }
        assert_eq!(Frame::decode(&[12]), Err(LinkError::FrameMalformed { length: 1 }));
        assert_eq!(Frame::decode(&[]), Err(LinkError::FrameMalformed { length: 0 }));
    }

    #[test]
    fn h02_lengths_and_counts_that_the_bytes_do_not_bear_out_are_refused() {
        // 2^60 and 2^64 - 1 as varints.
        let huge: [&[u8]; 2] = [
            &[0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x10],
            &[0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01],
        ];
        let hash = [3; 32];
        for length in huge {
            for front in [
                &[1][..],                          // heads: authors
                &[2],                              // messages: how many
                &[2, 1],                           // messages: the first one's length
                &[3, 0],                           // acknowledgement: authors
                &[4],                              // wanted manifests
                &[&[5], &hash[..]].concat(),       // a manifest's length
                &[6],                              // wanted chunks
                &[&[7], &hash[..], &[0]].concat(), // a chunk's length
            ] {
                let mut bytes = [front, length].concat();
                bytes.extend([1; 100]);
                let length = bytes.len();
                assert_eq!(Frame::decode(&bytes), Err(LinkError::FrameMalformed { length }), "{front:?}");
            }
        }
    }

    #[test]
    fn h02_a_million_tiny_messages_are_refused_early() {
        let mut bytes = vec![2, 0x80, 0x80, 0x40];
        bytes.resize(4 + (1 << 20), 0);
        assert_eq!(Frame::decode(&bytes), Err(LinkError::FrameMalformed { length: bytes.len() }));
    }

    #[test]
    fn frames_beyond_their_limits_are_refused() {
        let content = Hash::from_bytes([0; 32]);
        let want = Want { content, size: 10, offset: 4, length: 6 };
        let wants = |want| Frame::WantChunks { wants: vec![want] };
        wants(want).check().unwrap();
        for frame in [
            Frame::Messages { messages: vec![] },
            Frame::Messages { messages: vec![ByteBuf::new()] },
            Frame::Messages { messages: vec![ByteBuf::from(vec![0; MESSAGE_BYTES_MAX + 1])] },
            Frame::Messages { messages: vec![ByteBuf::from(vec![0; MESSAGE_BYTES_MAX]); 2] },
            Frame::WantManifest { contents: vec![] },
            Frame::WantManifest { contents: vec![content; WANTED_MANIFESTS_MAX + 1] },
            Frame::WantChunks { wants: vec![] },
            Frame::WantChunks { wants: vec![want; WANTED_CHUNKS_MAX + 1] },
            wants(Want { length: 0, ..want }),
            wants(Want { length: 7, ..want }),
            wants(Want { offset: u64::MAX, ..want }),
            wants(Want { size: u64::MAX, length: CHUNK_BYTES_MAX as u32 + 1, ..want }),
            Frame::Chunk { content, offset: 0, bytes: vec![] },
            Frame::Chunk { content, offset: 0, bytes: vec![0; CHUNK_BYTES_MAX + 1] },
            Frame::Manifest { content, bytes: vec![0; MANIFEST_BYTES_MAX + 1] },
            Frame::Credit { bytes: 0 },
        ] {
            assert!(matches!(frame.check(), Err(LinkError::OutOfRange { .. })), "{:?}", frame.lane());
            assert!(Frame::decode(&encoded(&frame)).is_err());
        }
    }

    #[test]
    fn a_content_of_one_chunk_has_an_empty_manifest() {
        let frame = Frame::Manifest { content: Hash::from_bytes([0; 32]), bytes: vec![] };
        frame.check().unwrap();
        assert_eq!(Frame::decode(&encoded(&frame)), Ok(frame));
    }

    #[test]
    fn the_largest_frames_fit_their_lanes() {
        let content = Hash::from_bytes([0; 32]);
        let want = Want { content, size: u64::MAX, offset: u64::MAX - (4 << 20), length: CHUNK_BYTES_MAX as u32 };
        for frame in [
            Frame::Messages { messages: vec![ByteBuf::from([9; 1]); MESSAGES_CREDIT_MAX / 65] },
            Frame::Messages { messages: vec![ByteBuf::from(vec![9; MESSAGE_BYTES_MAX - 64]); 2] },
            Frame::WantManifest { contents: vec![content; WANTED_MANIFESTS_MAX] },
            Frame::WantChunks { wants: vec![want; WANTED_CHUNKS_MAX] },
            Frame::Chunk { content, offset: u64::MAX, bytes: vec![0; CHUNK_BYTES_MAX] },
            Frame::Manifest { content, bytes: vec![0; MANIFEST_BYTES_MAX] },
        ] {
            frame.check().unwrap();
            assert!(frame.encoded_len().unwrap() <= frame.lane().frame_bytes_max());
        }
        assert!(Lane::Control.frame_bytes_max() == CONTROL_FRAME_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn frames_come_back_as_they_were(frame in frame()) {
            let bytes = encoded(&frame);
            prop_assert_eq!(bytes.len(), frame.encoded_len().unwrap());
            prop_assert_eq!(Frame::decode(&bytes), Ok(frame));
        }

        #[test]
        fn what_is_read_is_canonical(frame in frame(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
            let mut bytes = encoded(&frame);
            let at = at.index(bytes.len().min(80));
            bytes[at] = byte;
            if let Ok(read) = Frame::decode(&bytes) {
                let again = encoded(&read);
                // Behind a hello later versions may have added something.
                prop_assert!(bytes.starts_with(&again));
                prop_assert!(again.len() == bytes.len() || matches!(read, Frame::Hello(_)));
            }
        }

        #[test]
        fn a_longer_way_to_write_a_number_is_refused(bytes in 1..0x80u32) {
            let padded = [9, bytes as u8 | 0x80, 0];
            prop_assert_eq!(Frame::decode(&padded), Err(LinkError::FrameNotCanonical));
        }

        #[test]
        fn h04_garbage_is_refused_or_a_frame(bytes in prop::collection::vec(any::<u8>(), 0..300), first in 0..12u8) {
            let mut bytes = bytes;
            bytes.insert(0, first);
            let _ = Frame::decode(&bytes);
        }
    }
}

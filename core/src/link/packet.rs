//! Packets: frames cut to what a pipe carries, and put together again (`docs/protocol.md` §7.1).
//!
//! A packet is one header byte and a part of one frame. The pipe keeps order, so a part follows the part before it on
//! the same lane by construction: there are no offsets to lie about, no gaps and no overlaps. A frame's length is never
//! announced: what is held is what was received.

use alloc::borrow::Cow;
use alloc::vec::Vec;
use core::fmt;

use super::LinkError;
use crate::engine::limits::{
    CONTROL_FRAME_BYTES_MAX, FRAME_BYTES_MAX, PIPE_MESSAGE_BYTES_MAX, PIPE_MESSAGE_BYTES_MIN, SMALL_FRAME_BYTES_MAX,
};
use crate::planted::{Planted, planted};

/// How many bytes of a packet are its header.
pub(super) const HEADER_BYTES: usize = 1;

const LAST: u8 = 0b100;

/// What a frame waits for: only for frames of its own lane, and for one packet of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    /// What steers: hello, heads, acknowledgements, credit, heartbeats. Goes before everything.
    Control = 0,
    /// Messages, and what is wanted.
    Small = 1,
    /// Manifests and chunks.
    Bulk = 2,
}

impl Lane {
    /// All lanes, the most urgent first.
    pub const ALL: [Lane; 3] = [Lane::Control, Lane::Small, Lane::Bulk];

    /// The longest frame of the lane, in bytes.
    pub const fn frame_bytes_max(self) -> usize {
        match self {
            Lane::Control => CONTROL_FRAME_BYTES_MAX,
            Lane::Small => SMALL_FRAME_BYTES_MAX,
            Lane::Bulk => FRAME_BYTES_MAX,
        }
    }
}

impl fmt::Display for Lane {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Lane::Control => "control",
            Lane::Small => "small",
            Lane::Bulk => "bulk",
        })
    }
}

/// The largest packet for a pipe that claims to take messages of this size.
pub(super) fn packet_bytes_max(message_bytes_max: u32) -> usize {
    usize::try_from(message_bytes_max).unwrap_or(usize::MAX).clamp(PIPE_MESSAGE_BYTES_MIN, PIPE_MESSAGE_BYTES_MAX)
}

/// A packet's first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    /// The lane of the frame.
    pub lane: Lane,
    /// The frame ends with this packet.
    pub last: bool,
}

impl Header {
    pub fn to_byte(self) -> u8 {
        self.lane as u8 | if self.last { LAST } else { 0 }
    }

    fn from_byte(byte: u8) -> Result<Header, LinkError> {
        let lane = match byte & !LAST {
            0 => Lane::Control,
            1 => Lane::Small,
            2 => Lane::Bulk,
            _ => return Err(LinkError::PacketHeader { found: byte }),
        };
        Ok(Header { lane, last: byte & LAST != 0 })
    }
}

/// An encoded frame on its way out, too long for one packet.
#[derive(Debug)]
pub(super) struct Cut {
    bytes: Vec<u8>,
    sent: usize,
}

impl Cut {
    pub fn new(bytes: Vec<u8>) -> Cut {
        Cut { bytes, sent: 0 }
    }

    /// The next packet and whether it is the frame's last.
    pub fn next_packet(&mut self, lane: Lane, packet_bytes_max: usize) -> (Vec<u8>, bool) {
        let rest = self.bytes.get(self.sent..).unwrap_or_default();
        let header = if planted(Planted::PacketTooLong) { 0 } else { HEADER_BYTES };
        let length = rest.len().min(packet_bytes_max.saturating_sub(header));
        let last = length == rest.len();
        let mut packet = Vec::with_capacity(length.saturating_add(HEADER_BYTES));
        packet.push(Header { lane, last }.to_byte());
        packet.extend_from_slice(rest.get(..length).unwrap_or_default());
        self.sent = self.sent.saturating_add(length);
        (packet, last)
    }

    /// How long the next packet will be.
    pub fn next_packet_bytes(&self, packet_bytes_max: usize) -> usize {
        self.bytes.len().saturating_sub(self.sent).saturating_add(HEADER_BYTES).min(packet_bytes_max)
    }
}

/// A frame's bytes and the lane they came on; borrowed where the frame was one packet.
pub(super) type Whole<'p> = (Lane, Cow<'p, [u8]>);

/// Puts frames together again, one under way on each lane.
#[derive(Debug, Default)]
pub(super) struct Reassembly {
    control: Vec<u8>,
    small: Vec<u8>,
    bulk: Vec<u8>,
}

impl Reassembly {
    /// Takes a packet; returns the frame's bytes if it was the last of one, without a copy if it was also the first.
    /// `frame_bytes_max` tells what each lane may carry now.
    pub fn take<'p>(
        &mut self,
        packet: &'p [u8],
        frame_bytes_max: impl Fn(Lane) -> usize,
    ) -> Result<Option<Whole<'p>>, LinkError> {
        let found = packet.len();
        if found > PIPE_MESSAGE_BYTES_MAX {
            return Err(LinkError::PacketTooLong { found, limit: PIPE_MESSAGE_BYTES_MAX });
        }
        let Some((&header, part)) = packet.split_first() else {
            return Err(LinkError::PacketTooShort { found });
        };
        let Header { lane, last } = Header::from_byte(header)?;
        if part.is_empty() {
            return Err(LinkError::PacketTooShort { found });
        }
        let limit = frame_bytes_max(lane);
        let held = match lane {
            Lane::Control => &mut self.control,
            Lane::Small => &mut self.small,
            Lane::Bulk => &mut self.bulk,
        };
        if held.len().saturating_add(part.len()) > limit {
            return Err(LinkError::FrameTooLong { lane, limit });
        }
        if last && held.is_empty() {
            return Ok(Some((lane, Cow::Borrowed(part))));
        }
        held.extend_from_slice(part);
        Ok(last.then(|| (lane, Cow::Owned(core::mem::take(held)))))
    }

    /// Bytes of unfinished frames.
    pub fn held_bytes(&self) -> usize {
        self.control.len().saturating_add(self.small.len()).saturating_add(self.bulk.len())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn lane() -> impl Strategy<Value = Lane> {
        prop::sample::select(Lane::ALL.to_vec())
    }

    #[test]
    fn h06_a_pipes_largest_message_is_clamped() {
        for (claimed, used) in [
            (0, PIPE_MESSAGE_BYTES_MIN),
            (1, PIPE_MESSAGE_BYTES_MIN),
            (16_384, 16_384),
            (u32::MAX, PIPE_MESSAGE_BYTES_MAX),
        ] {
            assert_eq!(packet_bytes_max(claimed), used, "{claimed}");
        }
    }

    #[test]
    fn every_header_byte_is_a_header_or_refused() {
        for byte in 0..=u8::MAX {
            match Header::from_byte(byte) {
                Ok(header) => assert_eq!(header.to_byte(), byte),
                Err(error) => {
                    assert_eq!(error, LinkError::PacketHeader { found: byte });
                    assert!(byte & 0b11 == 3 || byte > 0b111, "{byte:#b}");
                }
            }
        }
    }

    #[test]
    fn h04_a_frame_that_never_ends_is_refused_at_its_lanes_limit() {
        for lane in Lane::ALL {
            let mut reassembly = Reassembly::default();
            let mut packet = vec![7; 1 << 20];
            packet[0] = Header { lane, last: false }.to_byte();
            let error = loop {
                match reassembly.take(&packet, Lane::frame_bytes_max) {
                    Ok(frame) => assert!(frame.is_none()),
                    Err(error) => break error,
                }
                assert!(reassembly.held_bytes() <= lane.frame_bytes_max());
            };
            assert_eq!(error, LinkError::FrameTooLong { lane, limit: lane.frame_bytes_max() });
        }
    }

    #[test]
    fn h04_packets_without_content_are_refused() {
        let mut reassembly = Reassembly::default();
        for packet in [&[][..], &[0], &[0b110]] {
            let found = packet.len();
            assert_eq!(reassembly.take(packet, Lane::frame_bytes_max), Err(LinkError::PacketTooShort { found }));
        }
        let found = PIPE_MESSAGE_BYTES_MAX + 1;
        let limit = PIPE_MESSAGE_BYTES_MAX;
        assert_eq!(
            reassembly.take(&vec![2; found], Lane::frame_bytes_max),
            Err(LinkError::PacketTooLong { found, limit })
        );
    }

    proptest! {
        #[test]
        fn what_is_cut_comes_together_again(
            frames in prop::collection::vec((lane(), 1..5_000usize), 1..6),
            packet_bytes_max in PIPE_MESSAGE_BYTES_MIN..6_000,
            order in prop::collection::vec(any::<prop::sample::Index>(), 0..60),
        ) {
            // Frames of different lanes interleave in any order; those of one lane follow each other.
            let mut waiting: Vec<(Lane, Cut, Vec<u8>)> = frames
                .into_iter()
                .enumerate()
                .map(|(number, (lane, length))| {
                    let bytes: Vec<u8> = (0..length).map(|at| (at * 31 + number) as u8).collect();
                    (lane, Cut::new(bytes.clone()), bytes)
                })
                .collect();
            let mut reassembly = Reassembly::default();
            let mut order = order.into_iter();
            while !waiting.is_empty() {
                let lane = order.next().map_or(waiting[0].0, |index| index.get(&waiting).0);
                let first = waiting.iter().position(|other| other.0 == lane).unwrap();
                let announced = waiting[first].1.next_packet_bytes(packet_bytes_max);
                let (packet, last) = waiting[first].1.next_packet(lane, packet_bytes_max);
                prop_assert_eq!(packet.len(), announced);
                prop_assert!(packet.len() <= packet_bytes_max);
                let taken = reassembly.take(&packet, Lane::frame_bytes_max).unwrap();
                if last {
                    let (_, _, bytes) = waiting.remove(first);
                    prop_assert_eq!(taken, Some((lane, Cow::Owned(bytes))));
                } else {
                    prop_assert_eq!(taken, None);
                }
            }
            prop_assert_eq!(reassembly.held_bytes(), 0);
        }
    }
}

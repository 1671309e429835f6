//! What waits to be sent on a link, lane by lane.

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::packet::{Cut, HEADER_BYTES, Header};
use super::{Frame, Lane, LinkError};
use crate::engine::limits::{LANE_QUEUE_BYTES_MAX, WAITING_FRAME_BYTES};

/// The lanes of one link on their way out. Frames of a lane go in order; between two packets a more urgent lane goes
/// first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    control: Queue,
    small: Queue,
    bulk: Queue,
}

impl Outbox {
    /// Adds a frame to its lane. A frame of the control lane joins an earlier one of its kind that still waits whole, so
    /// that a slow pipe does not pile them up.
    pub fn push(&mut self, frame: Frame) -> Result<(), LinkError> {
        let lane = frame.lane();
        let length = frame.encoded_len()?;
        if length > lane.frame_bytes_max() {
            return Err(LinkError::FrameTooLong { lane, limit: lane.frame_bytes_max() });
        }
        let queue = self.lane_mut(lane);
        if lane == Lane::Control && queue.join(&frame, length)? {
            return Ok(());
        }
        if lane != Lane::Bulk && queue.cost().saturating_add(length) > LANE_QUEUE_BYTES_MAX {
            return Err(LinkError::QueueFull { lane, limit: LANE_QUEUE_BYTES_MAX });
        }
        queue.waiting.push_back(Waiting { frame, length });
        queue.bytes = queue.bytes.saturating_add(length);
        Ok(())
    }

    /// The next packet, if it is no longer than `room`.
    pub fn next_packet(&mut self, packet_bytes_max: usize, room: usize) -> Option<Vec<u8>> {
        let lane = Lane::ALL.into_iter().find(|&lane| !self.lane(lane).is_empty())?;
        let queue = self.lane_mut(lane);
        if queue.next_packet_bytes(packet_bytes_max) > room {
            // A less urgent lane's packet might fit, and would then delay this one.
            return None;
        }
        queue.next_packet(lane, packet_bytes_max)
    }

    /// Nothing waits on any lane.
    pub fn is_empty(&self) -> bool {
        self.control.is_empty() && self.small.is_empty() && self.bulk.is_empty()
    }

    /// Bytes of one lane that have not been made packets.
    pub fn bytes(&self, lane: Lane) -> usize {
        self.lane(lane).bytes
    }

    fn lane(&self, lane: Lane) -> &Queue {
        match lane {
            Lane::Control => &self.control,
            Lane::Small => &self.small,
            Lane::Bulk => &self.bulk,
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut Queue {
        match lane {
            Lane::Control => &mut self.control,
            Lane::Small => &mut self.small,
            Lane::Bulk => &mut self.bulk,
        }
    }
}

/// One lane. Frames are encoded when their turn comes, straight into the packet where they fit one.
#[derive(Debug, Default)]
struct Queue {
    cut: Option<Cut>,
    waiting: VecDeque<Waiting>,
    bytes: usize,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    length: usize,
}

impl Queue {
    /// Lets a waiting frame say what this one says too; whether there was one.
    fn join(&mut self, frame: &Frame, frame_length: usize) -> Result<bool, LinkError> {
        for Waiting { frame: earlier, length } in &mut self.waiting {
            if length.saturating_add(frame_length) > Lane::Control.frame_bytes_max() {
                continue;
            }
            let joined = match (&mut *earlier, frame) {
                (Frame::Heads { .. }, Frame::Heads { .. }) | (Frame::Heartbeat { .. }, Frame::Heartbeat { .. }) => {
                    *earlier = frame.clone();
                    true
                }
                (Frame::Acknowledge { kind, heads }, Frame::Acknowledge { kind: same, heads: more })
                    if kind == same =>
                {
                    heads.union(more);
                    true
                }
                (Frame::Credit { bytes }, Frame::Credit { bytes: more }) => {
                    bytes.checked_add(*more).map(|sum| *bytes = sum).is_some()
                }
                _ => false,
            };
            if joined {
                let before = *length;
                *length = earlier.encoded_len()?;
                self.bytes = self.bytes.saturating_sub(before).saturating_add(*length);
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn next_packet(&mut self, lane: Lane, packet_bytes_max: usize) -> Option<Vec<u8>> {
        let mut cut = match self.cut.take() {
            Some(cut) => cut,
            None => {
                let Waiting { frame, length } = self.waiting.pop_front()?;
                let packet_bytes = length.saturating_add(HEADER_BYTES);
                if packet_bytes <= packet_bytes_max {
                    self.bytes = self.bytes.saturating_sub(length);
                    let mut packet = Vec::with_capacity(packet_bytes);
                    packet.push(Header { lane, last: true }.to_byte());
                    return frame.encode(packet).ok();
                }
                Cut::new(frame.encode(Vec::with_capacity(length)).ok()?)
            }
        };
        let (packet, last) = cut.next_packet(lane, packet_bytes_max);
        self.bytes = self.bytes.saturating_sub(packet.len().saturating_sub(HEADER_BYTES));
        self.cut = (!last).then_some(cut);
        Some(packet)
    }

    fn next_packet_bytes(&self, packet_bytes_max: usize) -> usize {
        match (&self.cut, self.waiting.front()) {
            (Some(cut), _) => cut.next_packet_bytes(packet_bytes_max),
            (None, Some(waiting)) => waiting.length.saturating_add(HEADER_BYTES).min(packet_bytes_max),
            (None, None) => 0,
        }
    }

    fn cost(&self) -> usize {
        self.bytes.saturating_add(self.waiting.len().saturating_mul(WAITING_FRAME_BYTES))
    }

    fn is_empty(&self) -> bool {
        self.cut.is_none() && self.waiting.is_empty()
    }
}

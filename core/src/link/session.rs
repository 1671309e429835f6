//! One link to one peer: bytes in, frames out, and the other way (`docs/protocol.md` §7).

use alloc::collections::VecDeque;
use alloc::vec::Vec;

use super::credit::{Granting, Spending, messages_credit};
use super::outbox::Outbox;
use super::packet::{Header, Reassembly, packet_bytes_max};
use super::state::Input;
use super::{Frame, Hello, Lane, LinkError, State};
use crate::api::{GroupId, Hash, ReplicaId};
use crate::engine::limits::{HELLO_BYTES_MAX, LANE_QUEUE_BYTES, LINK_WINDOW_BYTES};

/// The oldest version of frames this engine speaks.
pub const VERSION_MIN: u16 = 1;

/// The newest version of frames this engine speaks.
pub const VERSION_MAX: u16 = 1;

/// What this engine can do beyond its version.
pub const CAPABILITIES: u64 = 0;

/// Who this replica is on a link.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SessionConfig {
    /// The group the link is for.
    pub group: GroupId,
    /// This replica.
    pub replica: ReplicaId,
    /// The digest of what it has saved.
    pub digest: Hash,
    /// The credit it grants to start with, in bytes; raised to
    /// [`CREDIT_BYTES_MIN`](crate::engine::limits::CREDIT_BYTES_MIN).
    pub credit: u32,
}

/// Who is at the other end, as its hello said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Peer {
    /// The peer.
    pub replica: ReplicaId,
    /// The version of frames both use.
    pub version: u16,
    /// What both can do beyond it.
    pub capabilities: u64,
    /// The digest of what the peer had saved when the link opened.
    pub digest: Hash,
}

/// One link. The engine gives it what the pipe brings and what is to be said; it keeps the order, the limits and the
/// credit of both directions.
///
/// The hello of this side is the first packet; what is pushed before the peer's hello waits for it. Any error of
/// [`receive`](Self::receive) has closed the session: the pipe is to be closed and the error told.
#[derive(Debug)]
pub struct Session {
    config: SessionConfig,
    state: State,
    peer: Option<Peer>,
    packet_bytes_max: usize,
    reassembly: Reassembly,
    hello: Option<Hello>,
    outbox: Outbox,
    /// Messages that wait for credit, in order.
    withheld: VecDeque<Withheld>,
    withheld_credit: u64,
    /// Bytes in the host's buffer, as far as is known.
    outstanding: usize,
    /// All that waits or is in the host's buffer is a heartbeat, which comes from rest and leads to it.
    only_heartbeat: bool,
    spending: Spending,
    granting: Granting,
}

#[derive(Debug)]
struct Withheld {
    frame: Frame,
    credit: u64,
}

impl Session {
    /// Begins a link over a pipe that takes messages of this size; the size is clamped to the limits.
    pub fn new(config: SessionConfig, message_bytes_max: u32) -> Session {
        let granting = Granting::new(config.credit);
        let hello = Hello {
            version_min: VERSION_MIN,
            version_max: VERSION_MAX,
            group: config.group,
            replica: config.replica,
            capabilities: CAPABILITIES,
            credit: granting.offer(),
            digest: config.digest,
        };
        Session {
            config,
            state: State::AwaitingHello,
            peer: None,
            packet_bytes_max: packet_bytes_max(message_bytes_max),
            reassembly: Reassembly::default(),
            hello: Some(hello),
            outbox: Outbox::default(),
            withheld: VecDeque::new(),
            withheld_credit: 0,
            outstanding: 0,
            only_heartbeat: false,
            spending: Spending::default(),
            granting,
        }
    }

    /// Takes one message of the pipe; returns the frame that it completes, if it does. A hello and credit are returned
    /// too, after the session has taken note of them: there may be more to send now.
    ///
    /// # Errors
    /// Anything a peer of this version and group would not send. The session is closed then.
    pub fn receive(&mut self, packet: &[u8]) -> Result<Option<Frame>, LinkError> {
        let received = self.take(packet);
        if received.is_err() {
            self.close();
        }
        received
    }

    /// Says something to the peer, as soon as lanes, window and credit allow. Frames of one lane keep their order;
    /// messages that wait for credit let other frames pass.
    ///
    /// # Errors
    /// A closed session, a frame beyond the limits, or one that only the session sends: nothing has changed then. Or a
    /// [full queue](LinkError::QueueFull), which closes the session.
    pub fn push(&mut self, frame: Frame) -> Result<(), LinkError> {
        let pushed = self.enqueue(frame);
        if matches!(pushed, Err(LinkError::QueueFull { .. })) {
            self.close();
        }
        pushed
    }

    /// Received messages were saved, or need not be. Call it for each message once, whatever became of it, with what
    /// they cost ([`messages_credit`]): the peer's credit comes back from here only.
    pub fn saved(&mut self, credit: u64) {
        if self.state == State::Closed {
            return;
        }
        if let Some(bytes) = self.granting.saved(credit) {
            self.only_heartbeat = false;
            // Credit is a handful of bytes: it always fits its lane.
            let _ = self.outbox.push(Frame::Credit { bytes });
        }
    }

    /// The next message for the pipe. None: nothing waits, or the window is full until [`ready`](Self::ready), or the
    /// peer's hello is still to come.
    pub fn next_packet(&mut self) -> Option<Vec<u8>> {
        let packet = match (self.state, self.hello.take()) {
            (State::Closed, _) => return None,
            (_, Some(hello)) => {
                let header = Header { lane: Lane::Control, last: true };
                Frame::Hello(hello).encode(alloc::vec![header.to_byte()]).ok()?
            }
            (State::AwaitingHello, None) => return None,
            (State::Open, None) => {
                // One packet always goes, so that a large one does not wait for ever.
                let room = if self.outstanding == 0 {
                    self.packet_bytes_max
                } else {
                    LINK_WINDOW_BYTES.saturating_sub(self.outstanding)
                };
                self.outbox.next_packet(self.packet_bytes_max, room)?
            }
        };
        self.outstanding = self.outstanding.saturating_add(packet.len());
        Some(packet)
    }

    /// All that was sent has left the host's buffer.
    pub fn ready(&mut self) {
        self.outstanding = 0;
        self.only_heartbeat = false;
    }

    /// Ends the link: nothing more is read or sent, what waited is dropped.
    pub fn close(&mut self) {
        self.state = self.state.after(Input::End).unwrap_or(State::Closed);
        self.reassembly = Reassembly::default();
        self.outbox = Outbox::default();
        self.withheld = VecDeque::new();
        self.withheld_credit = 0;
        self.hello = None;
    }

    /// Where the link stands.
    pub fn state(&self) -> State {
        self.state
    }

    /// Who is at the other end; none before its hello.
    pub fn peer(&self) -> Option<&Peer> {
        self.peer.as_ref()
    }

    /// Bytes of a lane that wait to be sent. Messages that wait for credit count in theirs.
    pub fn queued_bytes(&self, lane: Lane) -> u64 {
        let queued = u64::try_from(self.outbox.bytes(lane)).unwrap_or(u64::MAX);
        match lane {
            Lane::Small => queued.saturating_add(self.withheld_credit),
            Lane::Control | Lane::Bulk => queued,
        }
    }

    /// Whether the pipe is to be given something, as soon as it takes it.
    pub fn has_queued(&self) -> bool {
        self.hello.is_some() || !self.outbox.is_empty()
    }

    /// Whether more should be produced for a lane now.
    pub fn has_room(&self, lane: Lane) -> bool {
        self.state != State::Closed && self.queued_bytes(lane) < LANE_QUEUE_BYTES
    }

    /// How much of messages could be pushed now without waiting for credit ([`messages_credit`]).
    pub fn message_credit(&self) -> u64 {
        self.spending.available().saturating_sub(self.withheld_credit)
    }

    /// What was received and not reported [`saved`](Self::saved) yet.
    pub fn unsaved_credit(&self) -> u64 {
        self.granting.unsaved()
    }

    /// Bytes of frames that have arrived in part.
    pub fn held_bytes(&self) -> usize {
        self.reassembly.held_bytes()
    }

    /// Whether nothing waits to be sent and the host's buffer is not known to hold anything; a heartbeat does not count.
    pub fn is_idle(&self) -> bool {
        self.only_heartbeat || self.is_drained()
    }

    /// Whether nothing waits to be sent and the host's buffer is not known to hold anything.
    pub fn is_drained(&self) -> bool {
        self.outstanding == 0 && self.hello.is_none() && Lane::ALL.iter().all(|&lane| self.queued_bytes(lane) == 0)
    }

    fn enqueue(&mut self, frame: Frame) -> Result<(), LinkError> {
        if self.state == State::Closed {
            return Err(LinkError::Closed);
        }
        frame.check()?;
        self.only_heartbeat = matches!(frame, Frame::Heartbeat { .. }) && self.is_idle();
        match frame {
            Frame::Hello(_) | Frame::Credit { .. } => Err(LinkError::FrameReserved),
            Frame::Messages { ref messages } => {
                let credit = messages_credit(messages);
                self.withheld_credit = self.withheld_credit.saturating_add(credit);
                self.withheld.push_back(Withheld { frame, credit });
                self.release_messages()
            }
            frame => self.outbox.push(frame),
        }
    }

    fn take(&mut self, packet: &[u8]) -> Result<Option<Frame>, LinkError> {
        let state = self.state;
        if state == State::Closed {
            return Err(LinkError::Closed);
        }
        let taken = self.reassembly.take(packet, |lane| match (state, lane) {
            (State::Open, lane) => lane.frame_bytes_max(),
            (_, Lane::Control) => HELLO_BYTES_MAX,
            (_, Lane::Small | Lane::Bulk) => 0,
        });
        let Some((lane, bytes)) = taken.map_err(|error| match (state, error) {
            (State::AwaitingHello, LinkError::FrameTooLong { .. }) => LinkError::HelloMissing,
            (_, error) => error,
        })?
        else {
            return Ok(None);
        };
        let frame = Frame::decode(&bytes)?;
        let belongs = frame.lane();
        if belongs != lane {
            return Err(LinkError::FrameOnWrongLane { lane, belongs });
        }
        let input = if matches!(frame, Frame::Hello(_)) { Input::Hello } else { Input::Frame };
        let next = state.after(input)?;
        match &frame {
            Frame::Hello(hello) => {
                self.peer = Some(meet(&self.config, hello)?);
                self.spending.offered(hello.credit)?;
            }
            Frame::Messages { messages } => self.granting.received(messages_credit(messages))?,
            Frame::Credit { bytes } => self.spending.granted(*bytes)?,
            _ => {}
        }
        self.state = next;
        self.release_messages()?;
        Ok(Some(frame))
    }

    /// Lets messages go that the credit covers.
    fn release_messages(&mut self) -> Result<(), LinkError> {
        while let Some(first) = self.withheld.front() {
            let credit = first.credit;
            if !self.spending.spend(credit) {
                break;
            }
            self.withheld_credit = self.withheld_credit.saturating_sub(credit);
            if let Some(Withheld { frame, .. }) = self.withheld.pop_front() {
                self.outbox.push(frame)?;
            }
        }
        Ok(())
    }
}

/// Who a hello is from, if the two can talk.
fn meet(config: &SessionConfig, hello: &Hello) -> Result<Peer, LinkError> {
    if hello.group != config.group {
        return Err(LinkError::GroupDiffers { ours: config.group, theirs: hello.group });
    }
    if hello.replica == config.replica {
        return Err(LinkError::OwnReplica { replica: hello.replica });
    }
    let ours = (VERSION_MIN, VERSION_MAX);
    let theirs = (hello.version_min, hello.version_max);
    let version = common_version(ours, theirs).ok_or(LinkError::NoCommonVersion {
        our_min: ours.0,
        our_max: ours.1,
        their_min: theirs.0,
        their_max: theirs.1,
    })?;
    Ok(Peer { replica: hello.replica, version, capabilities: hello.capabilities & CAPABILITIES, digest: hello.digest })
}

/// The newest version in both ranges, each from its oldest to its newest.
fn common_version(ours: (u16, u16), theirs: (u16, u16)) -> Option<u16> {
    let newest = ours.1.min(theirs.1);
    (newest >= ours.0.max(theirs.0)).then_some(newest)
}

#[cfg(test)]
#[path = "session_tests.rs"]
mod tests;

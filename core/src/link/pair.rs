//! Two sessions and a pipe between them, for tests.

use std::collections::VecDeque;

use super::{Frame, Lane, LinkError, Session, SessionConfig};
use crate::api::{GroupId, Hash, ReplicaId};
use crate::engine::limits::CREDIT_BYTES_MIN;

/// One end of a [`Pair`].
pub(crate) struct End {
    /// The session.
    pub session: Session,
    /// What it heard, hellos and credit too.
    pub heard: Vec<Frame>,
    /// What it sent and the other end has not got yet.
    pub pipe: VecDeque<Vec<u8>>,
    /// Messages are reported saved as soon as they are heard.
    pub saves: bool,
}

/// Two replicas on one ordered pipe. Nothing is lost, nothing overtakes.
pub(crate) struct Pair {
    pub a: End,
    pub b: End,
}

/// How replica `number` of the tests' group presents itself.
pub(crate) fn config(number: u8) -> SessionConfig {
    SessionConfig {
        group: GroupId::from_bytes([7; 16]),
        replica: ReplicaId::from_bytes([number; 16]),
        digest: Hash::from_bytes([0; 32]),
        credit: CREDIT_BYTES_MIN,
    }
}

impl End {
    fn new(session: Session) -> End {
        End { session, heard: Vec::new(), pipe: VecDeque::new(), saves: true }
    }

    /// Hands one packet to the pipe; whether there was one.
    pub fn send_packet(&mut self) -> bool {
        let packet = self.session.next_packet();
        let sent = packet.is_some();
        self.pipe.extend(packet);
        sent
    }

    /// Takes one packet of the other end's pipe; whether there was one.
    pub fn receive_packet(&mut self, pipe: &mut VecDeque<Vec<u8>>) -> Result<bool, LinkError> {
        let Some(packet) = pipe.pop_front() else {
            return Ok(false);
        };
        if let Some(frame) = self.session.receive(&packet)? {
            if let (true, Frame::Messages { messages }) = (self.saves, &frame) {
                self.session.saved(super::messages_credit(messages));
            }
            self.heard.push(frame);
        }
        Ok(true)
    }

    /// What was heard on one lane, without what sessions say by themselves.
    pub fn heard_on(&self, lane: Lane) -> Vec<&Frame> {
        self.heard
            .iter()
            .filter(|frame| frame.lane() == lane && !matches!(frame, Frame::Hello(_) | Frame::Credit { .. }))
            .collect()
    }
}

impl Pair {
    /// Two replicas that have said nothing yet.
    pub fn new(message_bytes_max: u32) -> Pair {
        Pair::between(Session::new(config(1), message_bytes_max), Session::new(config(2), message_bytes_max))
    }

    /// Two sessions.
    pub fn between(a: Session, b: Session) -> Pair {
        Pair { a: End::new(a), b: End::new(b) }
    }

    /// Two replicas that have met.
    pub fn open(message_bytes_max: u32) -> Pair {
        let mut pair = Pair::new(message_bytes_max);
        pair.run().unwrap();
        pair
    }

    /// One packet each way; whether anything moved. An emptied pipe is reported ready.
    pub fn step(&mut self) -> Result<bool, LinkError> {
        let mut moved = self.a.send_packet() | self.b.send_packet();
        moved |= self.b.receive_packet(&mut self.a.pipe)?;
        moved |= self.a.receive_packet(&mut self.b.pipe)?;
        for end in [&mut self.a, &mut self.b] {
            if end.pipe.is_empty() {
                end.session.ready();
            }
        }
        Ok(moved)
    }

    /// Steps until nothing moves.
    pub fn run(&mut self) -> Result<(), LinkError> {
        while self.step()? {}
        Ok(())
    }
}

//! Messages come in, whatever brought them, and own ones are written (§1: any carrier may bring them).

use alloc::string::String;
use alloc::vec::Vec;

use serde_bytes::ByteBuf;

use super::Engine;
use super::limits::{ACKNOWLEDGE_MS, PAYLOAD_BYTES_MAX};
use super::saver::After;
use crate::api::{NoticeCode, ReplicaId};
use crate::log::{Entry, Message, Receipt};
use crate::planted::{Planted, planted};

/// What became of bytes that a carrier brought.
pub enum Taken {
    /// They are a message, which is held now.
    Held {
        /// Its author.
        author: ReplicaId,
        /// Its number.
        counter: u64,
    },
    /// They are a message that was held already, or one that nobody needs.
    Known,
    /// They may be one later.
    Waits,
    /// They are none that is followed.
    Refused {
        /// What kind of refusal it is.
        code: NoticeCode,
        /// Why, for people.
        message: String,
    },
}

impl Engine {
    /// Takes a message from a carrier. Own changes that are not signed yet must have been before.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Taken {
        let mut receipt = self.shared.log.receive(bytes);
        if let Receipt::OwnFeedAhead { counter } = receipt
            && !planted(Planted::OwnFeedAheadIgnored)
        {
            self.leave_old_id(counter);
            receipt = self.shared.log.receive(bytes);
        }
        let refused = |code, message| Taken::Refused { code, message };
        match receipt {
            Receipt::Accepted { messages, .. } => {
                let first = messages.first().map(|sealed| (sealed.message.author, sealed.message.counter));
                for sealed in messages {
                    let message = &sealed.message;
                    self.apply_message(message);
                    self.deliveries.accept(&mut self.shared, message);
                    self.records.accept(&mut self.shared, message);
                    self.compaction.hear(&mut self.shared, message);
                    if message.wants_acknowledgement() && !self.folders.is_empty() {
                        self.holds_unapplied = true;
                        self.acknowledge_soon();
                    }
                    self.shared.keep(sealed);
                }
                first.map_or(Taken::Known, |(author, counter)| Taken::Held { author, counter })
            }
            Receipt::Known | Receipt::Void => Taken::Known,
            Receipt::Waiting { .. } | Receipt::OwnFeedAhead { .. } => Taken::Waits,
            Receipt::AheadOfTime { lamport, .. } => refused(
                NoticeCode::MessageRefused,
                alloc::format!("a message's lamport {lamport} is too far ahead; it waits"),
            ),
            Receipt::Fork(fork) => refused(
                NoticeCode::Fork,
                alloc::format!(
                    "replica {} wrote message {} twice; the second one is not taken",
                    fork.author,
                    fork.counter
                ),
            ),
            Receipt::Refused(error) => {
                refused(NoticeCode::MessageRefused, alloc::format!("a message was refused: {error}"))
            }
        }
    }

    /// Others know a message of this replica that it does not: whatever it wrote next might have a number that is taken.
    pub(super) fn leave_old_id(&mut self, counter: u64) {
        let message = alloc::format!(
            "message {counter} of this replica is known elsewhere and not here: its store is an old copy, so it goes on under a new id"
        );
        self.shared.notify(NoticeCode::NewIncarnation, message);
        self.begin_incarnation();
        self.shared.introduce();
    }

    /// Writes an application message, in a message of its own.
    pub(super) fn publish(&mut self, payload: &[u8]) {
        if !self.shared.mode.sends() {
            let message = "this device only receives: an application message was not sent";
            return self.shared.notify(NoticeCode::NotPermitted, message);
        }
        if payload.len() > PAYLOAD_BYTES_MAX {
            let message = alloc::format!(
                "expected an application message of at most {PAYLOAD_BYTES_MAX} bytes, found {}",
                payload.len()
            );
            return self.shared.notify(NoticeCode::MessageRefused, message);
        }
        if let Some((author, counter)) = self.write(Entry::Application { payload: ByteBuf::from(payload) }) {
            self.shared.saver.then(After::Publish { author, counter });
        }
    }

    /// Says what is saved and applied, if that is due and it is known what this device has said before.
    pub(super) fn acknowledge_if_due(&mut self) {
        if !self.has_begun || self.shared.acknowledge.is_none_or(|due| self.shared.now.monotonic < due) {
            return;
        }
        self.acknowledge_in_folders();
    }

    /// Says what is saved and applied.
    pub(super) fn acknowledge_in_folders(&mut self) {
        self.says_less_than_applied = self.holds_unapplied;
        let (received, applied) = (self.shared.log.heads().clone(), self.applied.clone());
        self.write(Entry::Acknowledgement { received, applied });
    }

    /// Others shall hear before long what became of their messages. An own message that goes before says so, too.
    pub(super) fn acknowledge_soon(&mut self) {
        if self.shared.acknowledge.is_none() {
            self.shared.acknowledge = Some(self.shared.now.monotonic.plus(ACKNOWLEDGE_MS));
        }
    }

    /// Takes a message from the store: its author may wait to hear that it is held here.
    pub(super) fn note_restored(&mut self, message: &Message) {
        let (spoken, wanting) = self.restored.entry(message.author).or_default();
        *spoken = (*spoken).max(message.lamport);
        if message.wants_acknowledgement() {
            *wanting = (*wanting).max(message.lamport);
        }
    }

    /// An engine that ended before it acknowledged what it had saved leaves that to the next one: nobody sends it again,
    /// and who is given messages in message order would wait for ever.
    pub(super) fn answer_what_was_restored(&mut self) {
        let restored = core::mem::take(&mut self.restored);
        let (own, others): (Vec<_>, Vec<_>) =
            restored.into_iter().partition(|(author, _)| self.shared.log.is_by_this_device(*author));
        let said = own.into_iter().map(|(_, (spoken, _))| spoken).max();
        let heard = others.into_iter().map(|(_, (_, wanting))| wanting).max();
        // Of equal lamports neither had seen the other, and either may come first.
        if heard.is_some() && heard >= said && !self.folders.is_empty() && !planted(Planted::AcknowledgementForgotten) {
            self.holds_unapplied = true;
            self.acknowledge_soon();
        }
    }

    pub(super) fn write(&mut self, entry: Entry) -> Option<(ReplicaId, u64)> {
        let message = self.shared.write(Vec::from([entry]))?;
        self.deliveries.accept(&mut self.shared, &message);
        self.compaction.note(&message, self.shared.log.own());
        self.records.note_own(&message, true);
        Some((message.author, message.counter))
    }
}

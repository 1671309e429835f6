//! Listens to what an engine sends, and checks it against what its device has saved (§2.3).

use std::collections::BTreeMap;

use syncline_core::{
    api::LinkId,
    link::Frame,
    log::{Heads, Message, message_key},
};

use super::Store;

/// The bit of a packet's header that ends a frame; the others are the lane (`docs/protocol.md` §7.1).
const LAST: u8 = 0b100;

/// What was sent on each lane of each link and is no whole frame yet.
#[derive(Default)]
pub(crate) struct Tap {
    parts: BTreeMap<(LinkId, u8), Vec<u8>>,
}

impl Tap {
    /// Checks a packet that is about to go out.
    pub fn hear(&mut self, link: LinkId, packet: &[u8], store: &Store) {
        let (header, part) = packet.split_first().expect("a packet has a header");
        let frame = self.parts.entry((link, header & !LAST)).or_default();
        frame.extend_from_slice(part);
        if header & LAST != 0 {
            let frame = std::mem::take(frame);
            check(&Frame::decode(&frame).expect("an engine sends frames"), store);
        }
    }

    /// Nothing is under way any more.
    pub fn clear(&mut self) {
        self.parts.clear();
    }
}

fn check(frame: &Frame, store: &Store) {
    match frame {
        Frame::Messages { messages } => {
            for bytes in messages {
                let (message, _) = Message::decode(bytes).expect("an engine sends messages");
                let saved = store.value(&message_key(message.author, message.counter));
                assert_eq!(saved, Some(bytes.as_slice()), "a message is sent that is not saved");
            }
        }
        Frame::Heads { heads, .. } | Frame::Acknowledge { heads, .. } => check_heads(heads, store),
        _ => {}
    }
}

fn check_heads(heads: &Heads, store: &Store) {
    for (author, counters) in heads.authors() {
        for (first, last) in counters.intervals() {
            for counter in first..=last {
                let saved = store.value(&message_key(author, counter)).is_some();
                assert!(saved, "message {counter} of {author} is acknowledged and not saved");
            }
        }
    }
}

//! Listens to what an engine sends, and checks it against what its device has saved (§2.3).

use std::collections::BTreeMap;

use syncline_core::{
    api::{LinkId, ReplicaId},
    link::{Acknowledgement, Frame},
    log::{Heads, IntervalSet, Message, message_key},
};

use super::{
    Store,
    voided::{is_void, voided},
};
use crate::{Invariant, Judge};

/// The bit of a packet's header that ends a frame; the others are the lane (`docs/protocol.md` §7.1).
const LAST: u8 = 0b100;

/// What was sent on each lane of each link and is no whole frame yet.
#[derive(Default)]
pub(crate) struct Tap {
    parts: BTreeMap<(LinkId, u8), Vec<u8>>,
    saved: Saved,
}

/// What was found in a store: it stays there while the store loses no message.
#[derive(Default)]
struct Saved {
    messages_lost: u64,
    /// All messages of an author up to this number.
    until: BTreeMap<ReplicaId, u64>,
    /// Messages of an author that checkpoints void.
    voided: BTreeMap<ReplicaId, IntervalSet<u64>>,
}

/// What a packet says whose frame it ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Said {
    /// What is held stands on disk.
    Applied,
    /// The engine lives, and no more.
    Heartbeat,
    /// Something else, or a part of something.
    Other,
}

impl Tap {
    /// Checks a packet that is about to go out.
    pub fn hear(&mut self, judge: &Judge, site: usize, link: LinkId, packet: &[u8], store: &Store) -> Said {
        let (header, part) = packet.split_first().expect("a packet has a header");
        let frame = self.parts.entry((link, header & !LAST)).or_default();
        if header & LAST == 0 || !frame.is_empty() {
            frame.extend_from_slice(part);
        }
        if header & LAST != 0 {
            let frame = std::mem::take(frame);
            let whole = if frame.is_empty() { part } else { frame.as_slice() };
            let decoded = Frame::decode(whole).expect("an engine sends frames");
            let unsaved = self.saved.unsaved(&decoded, store);
            judge.must(Invariant::CrashSafety, unsaved.is_none(), || {
                let what = unsaved.unwrap_or_default();
                format!("device {site} sends or acknowledges {what}, which is not saved")
            });
            if let Frame::Heads { heads, .. } = &decoded {
                judge.check_heads(site, link, heads);
            }
            return match decoded {
                Frame::Acknowledge { kind: Acknowledgement::Applied, .. } => Said::Applied,
                Frame::Heartbeat { .. } => Said::Heartbeat,
                _ => Said::Other,
            };
        }
        Said::Other
    }

    /// Nothing is under way any more.
    pub fn clear(&mut self) {
        self.parts.clear();
        self.saved = Saved::default();
    }
}

impl Saved {
    /// A message that a frame rests on and that is not in the store.
    fn unsaved(&mut self, frame: &Frame, store: &Store) -> Option<String> {
        match frame {
            Frame::Messages { messages } => messages.iter().find_map(|bytes| {
                // Those of devices were read when they were saved: here it counts which ones they are.
                let (author, counter) = Message::place_in(bytes).expect("an engine sends messages");
                let saved = store.value(&message_key(author, counter));
                let is_saved = saved == Some(bytes.as_slice()) || is_void(store, author, counter);
                (!is_saved).then(|| format!("message {counter} of {author}"))
            }),
            Frame::Heads { heads, .. } | Frame::Acknowledge { heads, .. } => self.unsaved_head(heads, store),
            _ => None,
        }
    }

    fn unsaved_head(&mut self, heads: &Heads, store: &Store) -> Option<String> {
        if self.messages_lost != store.messages_lost() {
            *self = Saved { messages_lost: store.messages_lost(), ..Saved::default() };
        }
        heads.authors().find_map(|(author, counters)| {
            let mut until = self.until.get(&author).copied().unwrap_or_default();
            for (first, last) in counters.intervals().filter(|(_, last)| *last > until).collect::<Vec<_>>() {
                for counter in first.max(until + 1)..=last {
                    if store.value(&message_key(author, counter)).is_none() && !self.is_void(store, author, counter) {
                        return Some(format!("message {counter} of {author}"));
                    }
                    if counter == until + 1 {
                        until = counter;
                    }
                }
            }
            self.until.insert(author, until);
            None
        })
    }

    fn is_void(&mut self, store: &Store, author: ReplicaId, counter: u64) -> bool {
        let known = self.voided.entry(author).or_default();
        if !known.contains(counter) {
            *known = voided(store, author);
        }
        known.contains(counter)
    }
}

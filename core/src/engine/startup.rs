//! The start: everything but contents is read from the store, page by page.

use alloc::vec::Vec;

use super::limits::LOAD_BYTES_MAX;
use super::shared::Purpose;
use super::{Engine, Phase, keys};
use crate::api::{LoadQuery, NoticeCode, Outcome, Pair, ReplicaId, Work};
use crate::log::message_key;
use crate::tree::ChangeOrder;

impl Engine {
    pub(super) fn load(&mut self, start: Vec<u8>) {
        let query = LoadQuery::Range { start, end: keys::END.to_vec(), bytes_max: LOAD_BYTES_MAX };
        self.shared.perform(Purpose::Start, Work::Load { query });
    }

    pub(super) fn loaded(&mut self, outcome: Outcome) {
        if self.phase != Phase::Loading {
            return;
        }
        let Outcome::Loaded { pairs, more } = outcome else {
            return self.corrupt("the store could not be read");
        };
        let last = pairs.last().map(|pair| pair.key.clone());
        for pair in pairs {
            if self.restore(pair).is_none() {
                return self.corrupt("the store holds what no version of this program wrote");
            }
        }
        match (more, last) {
            (true, Some(mut next)) => {
                next.push(0);
                self.load(next);
            }
            _ => self.start(),
        }
    }

    fn corrupt(&mut self, message: &str) {
        self.shared.saver.fail();
        self.phase = Phase::Stopped;
        self.shared.notify(NoticeCode::StoreCorrupt, message);
    }

    /// Takes one pair of the store; none if it makes no sense.
    fn restore(&mut self, Pair { key, value }: Pair) -> Option<()> {
        match keys::parse(&key) {
            keys::Key::Base(root, path) => match self.root_of(root) {
                Some(root) => root.restore_base(&path, &value),
                None => Some(()),
            },
            keys::Key::Intent(root, path) => match self.root_of(root) {
                Some(root) => root.restore_intent(&path, &value),
                None => Some(()),
            },
            keys::Key::Acts => self.shared.log.restore_acts(&value).ok(),
            keys::Key::Deliveries => self.deliveries.restore(&value),
            keys::Key::Heard(replica) => {
                self.compaction.restore_heard(replica, postcard::from_bytes(&value).ok()?);
                Some(())
            }
            keys::Key::Late(author, counter) => self.deliveries.restore_late(author, counter, &value),
            keys::Key::Written(id, author) => {
                let written = postcard::from_bytes(&value).ok()?;
                if let Some(folder) = self.folders.iter_mut().find(|folder| folder.id() == id) {
                    folder.restore(author, written);
                }
                Some(())
            }
            keys::Key::Owed(id, content) => {
                let size = postcard::from_bytes(&value).ok()?;
                if let Some(folder) = self.folders.iter_mut().find(|folder| folder.id() == id) {
                    folder.restore_owed(content, size);
                }
                Some(())
            }
            keys::Key::Incarnation => {
                let replica: ReplicaId = postcard::from_bytes(&value).ok()?;
                self.shared.log.begin(replica);
                Some(())
            }
            keys::Key::Message => {
                let message = self.shared.log.restore(&value).ok()?;
                // Under another key it would be held and could never be found.
                (key == message_key(message.author, message.counter)).then_some(())?;
                self.note_restored(&message);
                self.apply_message(&message);
                // What died of it was written down when it came.
                self.roots.iter_mut().for_each(|root| drop(root.take_dead()));
                self.deliveries.restore_message(&self.shared, &message);
                self.compaction.restore(&message, self.shared.log.own());
                if self.shared.log.own() == Some(message.author) {
                    self.records.note_own(&message, false);
                }
                Some(())
            }
            keys::Key::Records => self.records.restore(&value),
            keys::Key::Unmerged(author, counter) => {
                self.records.restore_unmerged(author, counter);
                Some(())
            }
            keys::Key::Unknown => None,
        }
    }

    fn start(&mut self) {
        self.phase = Phase::Running;
        let log = self.shared.log_now();
        self.shared.saver.saved(log);
        match self.shared.log.own() {
            None => self.begin_incarnation(),
            Some(_) if self.records.is_copy() => {
                let message = "this device's store may be a copy: it goes on under a new id";
                self.shared.notify(NoticeCode::NewIncarnation, message);
                self.begin_incarnation();
            }
            Some(_) => {}
        }
        self.follow_mode();
        self.deliveries.start(&mut self.shared);
        self.records.start(&mut self.shared);
        if self.shared.log.is_expelled() {
            return self.leave_group();
        }
        self.answer_what_was_restored();
        if self.folders.is_empty() {
            self.begin();
        }
        self.open_early_links();
    }

    /// It is known, as far as it can be, what this device has said: it speaks from now on.
    pub(super) fn begin(&mut self) {
        self.has_begun = true;
        if self.shared.log.next_counter() == Some(1) {
            self.shared.introduce();
        }
        for root in &mut self.roots {
            root.start(&mut self.shared);
            // What lies in the folders was heard.
            if !self.folders.is_empty() {
                root.heard();
            }
        }
        for payload in core::mem::take(&mut self.unpublished) {
            self.publish(&payload);
        }
        for command in core::mem::take(&mut self.postponed) {
            self.command(command);
        }
    }

    /// Writes under a new id from now on.
    pub(super) fn begin_incarnation(&mut self) {
        let replica = ReplicaId::from_bytes(
            uuid::Builder::from_random_bytes(self.shared.random.bytes()).into_uuid().into_bytes(),
        );
        self.shared.log.begin(replica);
        self.compaction.begin();
        self.records.begin_incarnation(&mut self.shared);
        if let Ok(value) = postcard::to_allocvec(&replica) {
            self.shared.saver.put(keys::incarnation(), value);
        }
    }

    /// Applies a message's changes to the roots they are of.
    pub(super) fn apply_message(&mut self, message: &crate::log::Message) {
        if self.shared.log.is_silenced(message.author, message.counter) {
            return;
        }
        for (dot, root, change) in message.changes() {
            let order = ChangeOrder::new(message.lamport, message.unix_ms, dot);
            match self.roots.iter_mut().find(|known| known.id() == root) {
                Some(root) => root.apply(order, change),
                None => self.has_other_roots |= self.shared.log.is_by_this_device(message.author),
            }
        }
    }
}

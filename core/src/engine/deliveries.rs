//! Application messages on their way to the application: numbered when they are saved, given out one batch at a time,
//! each once (§2.8).

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::keys;
use super::limits::{DELIVER_BYTES_MAX, DELIVER_INDEX_BYTES_MAX, DELIVER_ITEMS_MAX, RETRY_MS};
use super::shared::{Purpose, Shared};
use crate::api::{
    Delivery, DeliveryConfig, DeliveryOrder, Key, LoadQuery, Monotonic, NoticeCode, Outcome, Pair, ReplicaId, UnixMs,
    Work,
};
use crate::clock::MessageOrder;
use crate::log::{Message, message_key};
use crate::messages::{Orders, Stability, delivery_key, parse_delivery};
use crate::planted::{Planted, planted};

/// What a task was asked for.
pub enum DeliverPurpose {
    /// Which messages come next.
    Index,
    /// These messages themselves.
    Messages {
        /// Their numbers, authors and counters, in order.
        named: Vec<(u64, ReplicaId, u64)>,
    },
    /// To give them to the application.
    Deliver {
        /// The last one's number.
        last: u64,
    },
}

/// How far application messages are numbered, as it is saved.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
struct Numbered {
    /// In the order of arrival.
    arrived: u64,
    /// In message order.
    stable: u64,
    /// The highest message that has a number in message order.
    stable_until: Option<MessageOrder>,
}

/// All application messages that are held, and how far the application has them.
pub struct Deliveries {
    config: Option<DeliveryConfig>,
    stability: Stability,
    numbered: Numbered,
    /// Held and not stable yet, where message order is asked for.
    unstable: Orders,
    /// How many numbers are on disk, and how many will be when the batch in flight is.
    saved: u64,
    delivered: u64,
    busy: bool,
    /// This device takes nothing.
    paused: bool,
    again: Option<Monotonic>,
}

impl Deliveries {
    /// None numbered, none delivered but what the application says.
    pub fn new(config: Option<DeliveryConfig>) -> Deliveries {
        let delivered = config.as_ref().map_or(0, |config| config.delivered);
        Deliveries {
            config,
            stability: Stability::default(),
            numbered: Numbered::default(),
            unstable: Orders::default(),
            saved: 0,
            delivered,
            busy: false,
            paused: false,
            again: None,
        }
    }

    /// Takes what was saved of them; none if it makes no sense.
    pub fn restore(&mut self, value: &[u8]) -> Option<()> {
        self.numbered = postcard::from_bytes(value).ok()?;
        Some(())
    }

    /// Takes from the store that a message is not numbered in message order, though later ones are; none if what is said of
    /// it makes no sense.
    pub fn restore_late(&mut self, author: ReplicaId, counter: u64, value: &[u8]) -> Option<()> {
        let (lamport, unix_ms): (u64, UnixMs) = postcard::from_bytes(value).ok()?;
        if self.is_total() {
            self.unstable.insert(MessageOrder { lamport, unix_ms, author, counter });
        }
        Some(())
    }

    /// Takes a message from the store.
    pub fn restore_message(&mut self, shared: &Shared, message: &Message) {
        self.stability.note(message.order(), &shared.log);
        if self.is_total() && message.payload().is_some() && !self.is_late(message.order()) {
            self.unstable.insert(message.order());
        }
    }

    /// Numbers a message that was just taken or written; what is numbered is saved together with it.
    pub fn accept(&mut self, shared: &mut Shared, message: &Message) {
        self.stability.note(message.order(), &shared.log);
        if message.payload().is_some() {
            self.numbered.arrived = self.numbered.arrived.saturating_add(1);
            let place = (message.author, message.counter);
            self.number(shared, DeliveryOrder::Arrival, self.numbered.arrived, place);
            if self.is_late(message.order()) {
                self.save_late(shared, message.order());
            }
            if self.is_total() {
                self.unstable.insert(message.order());
            }
        }
        let changed = self.is_total() && self.settle(shared);
        if message.payload().is_some() || changed {
            self.save(shared);
        }
        shared.numbers = self.numbers();
    }

    /// All that was saved is restored: numbers what may have become stable under another order of delivery.
    ///
    /// An application that has more than this store ever numbered outlived it: the store is an old copy, or a new one. What
    /// comes is numbered behind what the application has, so that nothing is taken for something that it has already.
    pub fn start(&mut self, shared: &mut Shared) {
        match self.config.as_ref().map(|config| config.order) {
            _ if planted(Planted::NumbersGivenAgain) => {}
            Some(DeliveryOrder::Arrival) => self.numbered.arrived = self.numbered.arrived.max(self.delivered),
            Some(DeliveryOrder::Total) => self.numbered.stable = self.numbered.stable.max(self.delivered),
            None => {}
        }
        self.saved = self.numbers();
        if self.is_total() && self.settle(shared) {
            self.save(shared);
        }
        shared.numbers = self.numbers();
    }

    /// Gives the next messages to the application, if it has room for them.
    pub fn turn(&mut self, shared: &mut Shared) {
        let Some(config) = &self.config else { return };
        if self.busy
            || self.paused
            || self.delivered >= self.saved
            || self.again.is_some_and(|again| shared.now.monotonic < again)
        {
            return;
        }
        self.busy = true;
        self.again = None;
        // Numbers may have been left out, where the application was ahead of the store once.
        let start = delivery_key(config.order, self.delivered.saturating_add(1));
        let end = delivery_key(config.order, self.saved.saturating_add(1));
        let query = LoadQuery::Range { start, end, bytes_max: DELIVER_INDEX_BYTES_MAX };
        shared.perform(Purpose::Deliver { purpose: DeliverPurpose::Index }, Work::Load { query });
    }

    /// Nothing is given to the application, or again.
    pub fn pause(&mut self, paused: bool) {
        self.paused = paused;
    }

    /// A step towards the application ended.
    pub fn completed(&mut self, shared: &mut Shared, purpose: &DeliverPurpose, outcome: Outcome) {
        match (purpose, outcome) {
            (DeliverPurpose::Index, Outcome::Loaded { pairs, .. }) if !pairs.is_empty() => {
                let place = |pair: &Pair| parse_delivery(&pair.key, &pair.value);
                let named: Vec<_> = pairs.iter().filter_map(place).take(DELIVER_ITEMS_MAX).collect();
                let keys = named.iter().map(|(_, author, counter)| message_key(*author, *counter));
                let query = LoadQuery::Keys { keys: keys.map(|bytes| Key { bytes }).collect() };
                let purpose = DeliverPurpose::Messages { named };
                shared.perform(Purpose::Deliver { purpose }, Work::Load { query });
            }
            (DeliverPurpose::Messages { named }, Outcome::Loaded { pairs, .. }) => self.give(shared, named, pairs),
            (DeliverPurpose::Deliver { last }, Outcome::Delivered) => {
                self.delivered = *last;
                self.busy = false;
            }
            (DeliverPurpose::Deliver { last }, _) => {
                if planted(Planted::FailedDeliveryCounts) {
                    self.delivered = *last;
                }
                self.busy = false;
                self.again = Some(shared.now.monotonic.plus(RETRY_MS));
            }
            _ => lost(shared),
        }
    }

    /// How many have a number in the order that is asked for.
    fn numbers(&self) -> u64 {
        match self.config.as_ref().map(|config| config.order) {
            Some(DeliveryOrder::Arrival) => self.numbered.arrived,
            Some(DeliveryOrder::Total) => self.numbered.stable,
            None => 0,
        }
    }

    /// How far the application has them.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    /// These numbers are on disk.
    pub fn saved(&mut self, numbers: u64) {
        self.saved = numbers;
    }

    /// All that can be with the application is.
    pub fn is_done(&self) -> bool {
        self.config.is_none() || self.paused || self.delivered >= self.numbers()
    }

    /// Nothing that is held will be given to the application any more.
    pub fn has_all(&self) -> bool {
        self.is_done() && self.unstable.is_empty()
    }

    /// Nothing is under way, and nothing could be.
    pub fn is_idle(&self) -> bool {
        !self.busy && (self.config.is_none() || self.paused || self.delivered >= self.saved)
    }

    /// How many messages could be with the application and are not.
    pub fn undelivered(&self) -> u64 {
        if self.config.is_some() { self.numbers().saturating_sub(self.delivered) } else { 0 }
    }

    /// Messages up to this one are stable; none if no message is.
    pub fn stable_until(&self, shared: &Shared) -> Option<MessageOrder> {
        self.stability.bound(&shared.log)
    }

    /// When a delivery that failed is tried again.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.again.filter(|_| !self.busy && !self.paused && self.delivered < self.saved)
    }

    fn is_total(&self) -> bool {
        self.config.as_ref().is_some_and(|config| config.order == DeliveryOrder::Total)
    }

    /// Numbers what became stable; whether anything did.
    fn settle(&mut self, shared: &mut Shared) -> bool {
        let Some(bound) = self.stability.bound(&shared.log) else { return false };
        let before = self.numbered.stable;
        while let orders @ [_, ..] = self.unstable.take_until(bound).as_slice() {
            for order in orders {
                if self.is_late(*order) {
                    shared.saver.remove(keys::late(order.author, order.counter));
                }
                self.numbered.stable = self.numbered.stable.saturating_add(1);
                self.numbered.stable_until = self.numbered.stable_until.max(Some(*order));
                self.number(shared, DeliveryOrder::Total, self.numbered.stable, (order.author, order.counter));
            }
        }
        before != self.numbered.stable
    }

    /// Later ones have a number in message order. Whether a message has one itself is remembered apart then, whatever the
    /// order of delivery is: another one may be asked for at the next start.
    fn is_late(&self, order: MessageOrder) -> bool {
        self.numbered.stable_until.is_some_and(|until| order <= until)
    }

    fn save_late(&self, shared: &mut Shared, order: MessageOrder) {
        match postcard::to_allocvec(&(order.lamport, order.unix_ms)) {
            Ok(value) => shared.saver.put(keys::late(order.author, order.counter), value),
            Err(_) => shared.saver.fail(),
        }
    }

    fn save(&self, shared: &mut Shared) {
        match postcard::to_allocvec(&self.numbered) {
            Ok(value) => shared.saver.put(keys::deliveries(), value),
            Err(_) => shared.saver.fail(),
        }
    }

    fn number(&self, shared: &mut Shared, order: DeliveryOrder, sequence: u64, place: (ReplicaId, u64)) {
        match postcard::to_allocvec(&place) {
            Ok(value) => shared.saver.put(delivery_key(order, sequence), value),
            Err(_) => shared.saver.fail(),
        }
    }

    /// Gives out those of these messages that are there. One that was cleared is not: this application had it once, or
    /// nobody would have cleared it, and was put back since. Nor is one whose author was removed before it, or wrote it in a
    /// mode that does not send.
    fn give(&mut self, shared: &mut Shared, named: &[(u64, ReplicaId, u64)], pairs: Vec<Pair>) {
        let mut pairs = pairs.into_iter().peekable();
        let mut bytes = 0usize;
        let mut messages: Vec<Delivery> = Vec::with_capacity(named.len());
        for (sequence, author, counter) in named.iter().copied() {
            let pair = pairs.next_if(|pair| pair.key == message_key(author, counter));
            let is_cleared = || shared.log.cleared(author).is_some_and(|cleared| cleared.contains(counter));
            if shared.log.is_uncounted(author, counter) || pair.is_none() && is_cleared() {
                if messages.is_empty() {
                    self.delivered = sequence;
                }
                continue;
            }
            let Some(pair) = pair else { break };
            let message = Message::decode(&pair.value).ok();
            let Some((message, payload)) =
                message.as_ref().and_then(|(message, _)| Some((message, message.payload()?)))
            else {
                break;
            };
            bytes = bytes.saturating_add(payload.len());
            if bytes > DELIVER_BYTES_MAX && !messages.is_empty() {
                break;
            }
            let Message { lamport, unix_ms, .. } = *message;
            messages.push(Delivery { sequence, author, counter, lamport, unix_ms, payload: payload.to_vec() });
        }
        match messages.last().map(|message| message.sequence) {
            Some(last) => {
                let purpose = DeliverPurpose::Deliver { last };
                shared.perform(Purpose::Deliver { purpose }, Work::Deliver { messages });
            }
            None if named.last().is_some_and(|(last, ..)| self.delivered == *last) => self.busy = false,
            // What was numbered is an application message, or the store is not what it was.
            None => lost(shared),
        }
    }
}

fn lost(shared: &mut Shared) {
    shared.saver.fail();
    let message = "application messages that were saved could not be read; nothing is sent any more";
    shared.notify(NoticeCode::StoreCorrupt, message);
}

//! All messages that are held, in message order.

use syncline_core::api::{DeliveryOrder, Key, LoadQuery, MessagePlace, Pair, ReplicaId, UnixMs};
use syncline_core::log::{Message, message_key};
use syncline_core::messages::{delivery_keys, parse_delivery};

use crate::Error;
use crate::run::Access;

const LOAD_BYTES: u32 = 1 << 20;
/// Messages that are read at once.
const READ_ITEMS: usize = 32;

/// One message that is held.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HeldMessage {
    /// Its number in the order of arrival on this device.
    pub sequence: u64,
    /// Who wrote it.
    pub author: ReplicaId,
    /// Its number in its author's feed.
    pub counter: u64,
    /// It exceeds those of all messages that the author had seen.
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// No member that is known can write one that comes before it any more.
    pub stable: bool,
    /// What it says.
    pub payload: Vec<u8>,
}

/// Messages in message order, read a few at a time.
pub struct History {
    store: Access,
    stable: Option<MessagePlace>,
    /// Last first.
    places: Vec<(MessagePlace, u64)>,
    read: std::vec::IntoIter<HeldMessage>,
}

impl History {
    pub(super) fn load(store: &Access, stable: Option<MessagePlace>) -> Result<History, Error> {
        let mut places = Vec::new();
        let (mut start, end) = delivery_keys(DeliveryOrder::Arrival, 0);
        loop {
            let query = LoadQuery::Range { start, end: end.clone(), bytes_max: LOAD_BYTES };
            let (pairs, more) = store.load(query)?;
            let last = pairs.last().map(|pair| pair.key.clone());
            let named = pairs.iter().filter_map(|pair| parse_delivery(&pair.key, &pair.value)).collect::<Vec<_>>();
            for part in named.chunks(READ_ITEMS) {
                for (sequence, message) in read(store, part)? {
                    places.push((place(&message), sequence));
                }
            }
            match (more, last) {
                (true, Some(mut next)) => {
                    next.push(0);
                    start = next;
                }
                _ => break,
            }
        }
        places.sort_unstable_by(|one, other| other.cmp(one));
        Ok(History { store: store.clone(), stable, places, read: Vec::new().into_iter() })
    }

    /// How many are left.
    pub fn len(&self) -> usize {
        self.places.len() + self.read.len()
    }

    /// None is left.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn next_part(&mut self) -> Result<(), Error> {
        let rest = self.places.len().saturating_sub(READ_ITEMS);
        let part = self.places.split_off(rest);
        let named: Vec<_> =
            part.iter().rev().map(|(place, sequence)| (*sequence, place.author, place.counter)).collect();
        let held = read(&self.store, &named)?.into_iter().map(|(sequence, message)| HeldMessage {
            sequence,
            author: message.author,
            counter: message.counter,
            lamport: message.lamport,
            unix_ms: message.unix_ms,
            stable: self.stable.is_some_and(|stable| place(&message) <= stable),
            payload: message.payload().unwrap_or_default().to_vec(),
        });
        self.read = held.collect::<Vec<_>>().into_iter();
        Ok(())
    }
}

impl Iterator for History {
    type Item = Result<HeldMessage, Error>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.read.len() == 0 && !self.places.is_empty() {
            if let Err(error) = self.next_part() {
                return Some(Err(error));
            }
        }
        self.read.next().map(Ok)
    }
}

fn place(message: &Message) -> MessagePlace {
    let Message { lamport, unix_ms, author, counter, .. } = *message;
    MessagePlace { lamport, unix_ms, author, counter }
}

/// These messages, each with its number in the order of arrival. Those that were cleared are left out: their numbers stay.
fn read(store: &Access, named: &[(u64, ReplicaId, u64)]) -> Result<Vec<(u64, Message)>, Error> {
    let keys = named.iter().map(|(_, author, counter)| Key { bytes: message_key(*author, *counter) }).collect();
    let (pairs, _) = store.load(LoadQuery::Keys { keys })?;
    let mut named = named.iter();
    let decoded = pairs.iter().map(|Pair { key, value }| {
        let number = named.find(|(_, author, counter)| *key == message_key(*author, *counter));
        match (number, Message::decode(value)) {
            (Some((sequence, ..)), Ok((message, _))) => Ok((*sequence, message)),
            (None, _) => Err(store.damaged("a message was not asked for")),
            (_, Err(error)) => Err(store.damaged(&error.to_string())),
        }
    });
    decoded.collect()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use futures::StreamExt;

    use crate::messages::{MessageFolder, Options, Order};

    const MANY: usize = 200;
    const LONG: Duration = Duration::from_secs(60);

    #[test]
    fn what_was_cleared_is_left_out() {
        let place = tempfile::tempdir().unwrap();
        let shared = place.path().join("shared");
        std::fs::create_dir(&shared).unwrap();
        let open = |name: &str| {
            let state = Some(place.path().join(name));
            let options =
                Options { state, create: true, order: Some(Order::Arrival), clear: true, ..Options::default() };
            MessageFolder::open(&shared, options).unwrap()
        };
        let (mut author, mut reader) = (open("author"), open("reader"));
        for number in 0..MANY {
            author.post(format!("{number}").into_bytes()).unwrap();
        }
        for folder in [&mut author, &mut reader] {
            let stream = folder.messages().unwrap();
            std::thread::spawn(move || futures::executor::block_on(stream.count()));
        }
        let begun = Instant::now();
        let mut held = MANY;
        while held == MANY && begun.elapsed() < LONG {
            assert!([&reader, &author].iter().all(|folder| folder.settle(LONG)));
            held = reader.history().unwrap().map(Result::unwrap).count();
        }
        assert!(held < MANY, "nothing was cleared");
        author.post(b"more".to_vec()).unwrap();
        let last = author.history().unwrap().map(Result::unwrap).last();
        assert_eq!(last.map(|message| (message.payload, message.sequence)), Some((b"more".to_vec(), MANY as u64 + 1)));
    }
}

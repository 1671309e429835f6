//! The log: what it takes from anyone, in any order, often, or changed on the way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::OnceLock,
};

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{Content, ReplicaId},
    crypto::Identity,
    log::{Log, Receipt},
};
use syncline_sim::ROOT;

use crate::{
    decoders::check_error,
    member::{Member, RawBody, RawChange, birth, group},
    memory, script,
};

/// One step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Step {
    /// One of the genuine messages comes.
    Genuine(u8),
    /// It comes with a byte changed.
    Changed { message: u8, at: u16, flip: u8 },
    /// Bytes come.
    Bytes(Vec<u8>),
    /// The log's own replica writes.
    Write,
}

/// Messages of two members, with a gap and a fork, one far ahead in time, and those of one who is none.
pub(crate) fn genuine() -> &'static [Vec<u8>] {
    static MESSAGES: OnceLock<Vec<Vec<u8>>> = OnceLock::new();
    MESSAGES.get_or_init(|| {
        let (mut a, mut b) = (Member::new(1), Member::new(2));
        let mut stranger = Member::stranger(3);
        let node = syncline_core::log::Dot::new(a.author(), 1, 0);
        let delete = RawChange::Version { node, past: node.into(), body: RawBody::Deleted, modified_ns: 7 };
        let file = |size| Content::File { hash: syncline_core::content::chunk_hash(&[size]), size: u64::from(size) };
        let mut messages = vec![
            a.seal(ROOT, vec![birth("d", Content::Directory), birth("f", file(3))], 0, 0),
            a.seal(ROOT, vec![RawChange::Mode { node, mode: 0o700 }], 0, 0),
            a.seal(ROOT, vec![delete], 3, 0),
            b.seal(ROOT, vec![birth("l", Content::Symlink { target: b"f".to_vec() })], 0, 5),
            b.seal(ROOT, vec![birth("g", file(4))], 0, 1 << 20),
            b.seal(ROOT, vec![], 0, 1 << 33),
            b.seal(ROOT, vec![birth("..", file(4))], 0, 0),
            stranger.seal(ROOT, vec![birth("x", file(4))], 0, 0),
            stranger.seal(ROOT, vec![], 0, 0),
        ];
        a.forget();
        messages.push(a.seal(ROOT, vec![birth("fork", file(5))], 0, 0));
        messages.push(a.seal(ROOT, vec![birth("fork", file(6))], 0, 0));
        messages
    })
}

/// A log holds only genuine messages of members, says of each what became of it, never forgets, and comes to the same
/// state in any order.
pub fn log(bytes: &[u8]) {
    let genuine = genuine();
    let known: BTreeSet<&[u8]> = genuine.iter().map(Vec::as_slice).collect();
    let mut log = new(7);
    let mut own = BTreeSet::new();
    let mut held: BTreeMap<(ReplicaId, u64), Vec<u8>> = BTreeMap::new();
    let mut received = 0;
    for step in script::read::<Step>(bytes) {
        let before = log.heads().clone();
        let came = match step {
            Step::Genuine(index) => genuine[usize::from(index) % genuine.len()].clone(),
            Step::Changed { message, at, flip } => {
                let mut bytes = genuine[usize::from(message) % genuine.len()].clone();
                let at = usize::from(at) % bytes.len();
                bytes[at] ^= flip;
                bytes
            }
            Step::Bytes(bytes) => bytes,
            Step::Write => {
                let sealed = log.compose(syncline_core::api::UnixMs(1), Vec::new(), "own").expect("room for a message");
                held.insert((sealed.message.author, sealed.message.counter), sealed.bytes.clone());
                own.insert(sealed.bytes);
                continue;
            }
        };
        received += came.len();
        match memory::within(memory::of_reading(came.len() + received), || log.receive(&came)) {
            Receipt::Accepted { messages, .. } => {
                for sealed in messages {
                    assert!(known.contains(sealed.bytes.as_slice()), "a forgery is taken");
                    let key = (sealed.message.author, sealed.message.counter);
                    assert!(log.is_held(key.0, key.1, &sealed.hash), "what is taken is not held");
                    assert!(held.insert(key, sealed.bytes).is_none(), "a number is taken twice");
                }
            }
            Receipt::Known => assert!(held.values().any(|bytes| *bytes == came), "unknown bytes are known"),
            Receipt::Refused(error) => {
                check_error(&error);
                assert_eq!(log.heads(), &before, "what is refused is held");
            }
            _ => assert_eq!(log.heads(), &before, "what is not taken is held"),
        }
        assert!(log.heads().contains_all(&before), "heads go backwards");
    }
    for (author, counter) in held.keys() {
        assert!(log.heads().contains(*author, *counter));
    }
    check_order(&log, held.values().rev(), &own);
}

/// The same messages from last to first, and from a store.
fn check_order<'a>(log: &Log, messages: impl Iterator<Item = &'a Vec<u8>> + Clone, own: &BTreeSet<Vec<u8>>) {
    let mut stored = new(7);
    let mut other = new(8);
    for bytes in messages.clone() {
        stored.restore(bytes).expect("what is held can be restored");
    }
    assert_eq!((stored.heads(), stored.digest()), (log.heads(), log.digest()), "a store gives another log");
    for _ in 0..2 {
        for bytes in messages.clone() {
            let receipt = other.receive(bytes);
            assert!(!matches!(receipt, Receipt::Refused(_) | Receipt::Fork(_)), "{receipt:?} of what another holds");
        }
    }
    assert_eq!((other.heads(), other.digest()), (log.heads(), log.digest()), "another order gives another log");
    assert!(own.iter().all(|bytes| other.receive(bytes) == Receipt::Known));
}

fn new(number: u8) -> Log {
    let identity = Identity::from_secret(&[number; 32]).expect("32 bytes");
    let mut log = Log::new(&group(), identity).expect("a group");
    log.begin(ReplicaId::from_bytes([number; 16]));
    log
}

//! Signed messages.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Act, Dot, Entry, Heads, IntervalSet, InvalidEntry};
use crate::api::{GroupId, Hash, ReplicaId, RootId, UnixMs};
use crate::clock::MessageOrder;
use crate::crypto::{Identity, IntroductionError, PublicKey, Signature};
use crate::engine::limits::MESSAGE_BYTES_MAX;
use crate::records::Operations;
use crate::tree::Change;

/// The only version of messages so far: their first byte.
pub const MESSAGE_VERSION: u8 = 1;

const SIGNATURE_CONTEXT: &str = "Syncline 2026 signature of a message, version 1";

/// One message of one author's feed (§5.1).
///
/// As bytes: the version, the fields up to `entries` in postcard, the 64 bytes of the signature over all before and
/// the group's id. There is one form only; a message's hash is that of its bytes, BLAKE3.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// Who wrote it.
    pub author: ReplicaId,
    /// Its number in the author's feed, from 1.
    pub counter: u64,
    /// Exceeds the lamports of all messages that the author had seen.
    pub lamport: u64,
    /// When it was written, by the author's clock.
    pub unix_ms: UnixMs,
    /// The author's message before; none for the first. The numbers between are proven empty.
    pub previous: Option<Previous>,
    /// What it says.
    pub entries: Vec<Entry>,
    /// The author's signature.
    pub signature: Signature,
}

/// A message named by the next one of its author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Previous {
    /// Its number.
    pub counter: u64,
    /// Its hash, which stands for all before it too.
    pub hash: Hash,
}

/// A message with its bytes, as they are stored and sent, and their hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sealed {
    /// The message.
    pub message: Message,
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Their hash.
    pub hash: Hash,
}

/// The signed part, with entries borrowed when written and owned when read.
#[derive(Serialize, Deserialize)]
struct Body<E> {
    author: ReplicaId,
    counter: u64,
    lamport: u64,
    unix_ms: UnixMs,
    previous: Option<Previous>,
    entries: E,
}

impl Message {
    /// Reads a message and its hash. It is well-formed then; whether it is its author's is for the log to say.
    ///
    /// # Errors
    /// Bytes that are no message in its only form.
    pub fn decode(bytes: &[u8]) -> Result<(Message, Hash), MessageError> {
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong { found: bytes.len() as u64 });
        }
        let Some((version, rest)) = bytes.split_first() else { return Err(MessageError::Malformed) };
        if *version != MESSAGE_VERSION {
            return Err(MessageError::Version { found: *version });
        }
        let (body, signature) = rest.split_last_chunk().ok_or(MessageError::Malformed)?;
        let Body { author, counter, lamport, unix_ms, previous, entries } =
            postcard::from_bytes::<Body<Vec<Entry>>>(body).map_err(|_| MessageError::Malformed)?;
        let signature = Signature::from_bytes(*signature);
        let message = Message { author, counter, lamport, unix_ms, previous, entries, signature };
        if message.encode()? != bytes {
            return Err(MessageError::NotCanonical);
        }
        message.check()?;
        Ok((message, blake3::hash(bytes).into()))
    }

    /// Whose message bytes say that they are, and its number there, read without the rest: enough to look for one that
    /// is held. None where they cannot be read.
    pub fn place_in(bytes: &[u8]) -> Option<(ReplicaId, u64)> {
        let (_, rest) = bytes.split_first().filter(|(version, _)| **version == MESSAGE_VERSION)?;
        postcard::take_from_bytes(rest).ok().map(|(place, _)| place)
    }

    /// Signs a message, gives it its bytes and hash.
    ///
    /// # Errors
    /// Bytes that no replica would accept, such as too many.
    pub fn seal(mut self, group: GroupId, identity: &Identity) -> Result<Sealed, MessageError> {
        self.check()?;
        let mut bytes = self.encode_unsigned()?;
        self.signature = identity.sign(&signed_hash(group, &bytes));
        bytes.extend_from_slice(self.signature.as_bytes());
        if bytes.len() > MESSAGE_BYTES_MAX {
            return Err(MessageError::TooLong { found: bytes.len() as u64 });
        }
        let hash = blake3::hash(&bytes).into();
        Ok(Sealed { message: self, bytes, hash })
    }

    /// Whether `key` signed these bytes of a message for this group.
    pub fn verify(bytes: &[u8], group: GroupId, key: &PublicKey) -> bool {
        bytes.split_last_chunk().is_some_and(|(unsigned, signature)| {
            key.verify(&signed_hash(group, unsigned), &Signature::from_bytes(*signature))
        })
    }

    /// The message's bytes.
    ///
    /// # Errors
    /// None in practice; the encoder's signature has them.
    pub fn encode(&self) -> Result<Vec<u8>, MessageError> {
        let mut bytes = self.encode_unsigned()?;
        bytes.extend_from_slice(self.signature.as_bytes());
        Ok(bytes)
    }

    /// Where it stands among all messages.
    pub fn order(&self) -> MessageOrder {
        MessageOrder { lamport: self.lamport, unix_ms: self.unix_ms, author: self.author, counter: self.counter }
    }

    /// The changes of all roots, each with its name: they are numbered through the message, over all its entries.
    pub fn changes(&self) -> impl Iterator<Item = (Dot, RootId, &Change)> + '_ {
        // A message of a mebibyte has fewer changes than an index can name.
        (0..=u32::MAX)
            .zip(self.entries.iter().flat_map(tree_changes))
            .map(|(index, (root, change))| (Dot::new(self.author, self.counter, index), root, change))
    }

    /// The application message in it, if there is one.
    pub fn payload(&self) -> Option<&[u8]> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Application { payload } => Some(payload.as_slice()),
            _ => None,
        })
    }

    /// The operations on records in it.
    pub fn operations(&self) -> impl Iterator<Item = &Operations> + '_ {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Records(operations) => Some(operations),
            _ => None,
        })
    }

    /// What it acknowledges as applied, if it is an acknowledgement.
    pub fn acknowledged(&self) -> Option<&Heads> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Acknowledgement { applied, .. } => Some(applied),
            _ => None,
        })
    }

    /// Which messages of its author it voids, and which of those were application messages, if it is a checkpoint.
    pub fn checkpoint(&self) -> Option<(&IntervalSet<u64>, &IntervalSet<u64>)> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Checkpoint { voided, cleared, .. } => Some((voided, cleared)),
            _ => None,
        })
    }

    /// What was decided, as its author knew, when it voided messages of its own, if it did.
    pub fn voids_by(&self) -> Option<u64> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Checkpoint { decided, .. } => Some(*decided),
            _ => None,
        })
    }

    /// From when on its author's stamps do not count, and in which feeds that it has left, if it says so.
    pub fn retraction(&self) -> Option<(u64, &[ReplicaId])> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Retraction { after_ns, left } => Some((*after_ns, left.as_slice())),
            _ => None,
        })
    }

    /// What it decides for the group.
    pub fn acts(&self) -> impl Iterator<Item = &Act> + '_ {
        self.entries.iter().filter_map(|entry| match entry {
            Entry::Act(act) => Some(act),
            _ => None,
        })
    }

    /// The members that it declares stale, each with the highest number known of it, if it declares any.
    pub fn stale(&self) -> Option<&BTreeMap<ReplicaId, u64>> {
        self.entries.iter().find_map(|entry| match entry {
            Entry::Stale { members } => Some(members),
            _ => None,
        })
    }

    /// It says anything that another member may want to know was received.
    pub fn wants_acknowledgement(&self) -> bool {
        !self.entries.iter().all(Entry::is_passing)
    }

    fn encode_unsigned(&self) -> Result<Vec<u8>, MessageError> {
        let Message { author, counter, lamport, unix_ms, previous, ref entries, .. } = *self;
        let body = Body { author, counter, lamport, unix_ms, previous, entries: entries.as_slice() };
        postcard::to_extend(&body, Vec::from([MESSAGE_VERSION])).map_err(|_| MessageError::Malformed)
    }

    fn check(&self) -> Result<(), MessageError> {
        let first = self.counter == 1;
        match self.previous {
            _ if self.counter == 0 => return Err(MessageError::CounterZero),
            None if first => {}
            Some(previous) if previous.counter != 0 && previous.counter < self.counter => {}
            _ => return Err(MessageError::Previous),
        }
        for (index, entry) in self.entries.iter().enumerate() {
            if matches!(entry, Entry::Introduction(_)) != (first && index == 0) {
                return Err(MessageError::IntroductionPlace);
            }
            entry.check()?;
        }
        if let Some((voided, _)) = self.checkpoint()
            && voided.last().is_some_and(|last| last >= self.counter)
        {
            return Err(InvalidEntry::Checkpoint.into());
        }
        let count = |is: fn(&Entry) -> bool| self.entries.iter().filter(|entry| is(entry)).count();
        let once: [fn(&Entry) -> bool; 5] = [
            |entry| matches!(entry, Entry::Application { .. }),
            |entry| matches!(entry, Entry::Acknowledgement { .. }),
            |entry| matches!(entry, Entry::Checkpoint { .. }),
            |entry| matches!(entry, Entry::Stale { .. }),
            |entry| matches!(entry, Entry::Retraction { .. }),
        ];
        if once.into_iter().any(|is| count(is) > 1) {
            return Err(MessageError::EntryTwice);
        }
        if first && self.entries.is_empty() { Err(MessageError::IntroductionPlace) } else { Ok(()) }
    }
}

fn tree_changes(entry: &Entry) -> impl Iterator<Item = (RootId, &Change)> {
    let tree = match entry {
        Entry::Tree { root, changes } => Some((*root, changes)),
        _ => None,
    };
    tree.into_iter().flat_map(|(root, changes)| changes.iter().map(move |change| (root, change)))
}

fn signed_hash(group: GroupId, unsigned: &[u8]) -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key(SIGNATURE_CONTEXT);
    hasher.update(group.as_bytes()).update(unsigned);
    hasher.finalize()
}

/// Why bytes were refused as a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It is longer than any message.
    #[error("expected a message of at most {MESSAGE_BYTES_MAX} bytes, found {found}")]
    TooLong {
        /// How many bytes it has or would have.
        found: u64,
    },
    /// It is of a version that is not known here.
    #[error("expected a message of version {MESSAGE_VERSION}, found {found}: a newer Syncline may have written it")]
    Version {
        /// Its first byte.
        found: u8,
    },
    /// It ends early, or holds what no message holds.
    #[error("the message is malformed")]
    Malformed,
    /// It says what it says in another form than the only one.
    #[error("the message is not in its canonical form")]
    NotCanonical,
    /// It has the number 0.
    #[error("expected a message numbered from 1, found 0")]
    CounterZero,
    /// It has no message before it and is not the first, or one that cannot be before it.
    #[error("expected the author's message before, and none for the first")]
    Previous,
    /// It has no introduction and is the first, or one elsewhere.
    #[error("expected an introduction as the first entry of a feed, and nowhere else")]
    IntroductionPlace,
    /// It has two application messages, acknowledgements, checkpoints or declarations.
    #[error("expected at most one entry of each kind but changes of trees")]
    EntryTwice,
    /// Its introduction does not hold.
    #[error(transparent)]
    Introduction(#[from] IntroductionError),
    /// An entry says what none may.
    #[error(transparent)]
    Entry(#[from] InvalidEntry),
    /// The author did not sign it.
    #[error("expected the author's signature")]
    Signature,
    /// The author has another message in its place, or proved it empty.
    #[error("expected the author's only message {counter}, found another one")]
    Fork {
        /// Its number.
        counter: u64,
    },
}

#[cfg(test)]
mod tests {
    use alloc::boxed::Box;
    use alloc::string::String;

    use proptest::prelude::*;

    use super::*;
    use crate::api::{Content, GroupConfig};
    use crate::crypto::{Introduction, ProofKey};
    use crate::engine::limits::{DEVICE_NAME_BYTES_MAX, ENTRIES_BYTES_MAX};
    use crate::log::{DotSet, encoded_size};
    use crate::tree::{Body, Name};

    const GROUP: GroupId = GroupId::from_bytes([9; 16]);
    const AUTHOR: ReplicaId = ReplicaId::from_bytes([1; 16]);

    fn identity() -> Identity {
        Identity::from_secret(&[1; 32]).unwrap()
    }

    fn introduction() -> Entry {
        let proof_key = ProofKey::new(&GroupConfig { id: GROUP, key: vec![3; 32], founder: None }).unwrap();
        Entry::Introduction(Introduction::new(&identity(), &proof_key, AUTHOR, "desk").unwrap())
    }

    fn message(counter: u64, entries: Vec<Entry>) -> Message {
        let previous = (counter > 1).then(|| Previous { counter: counter - 1, hash: Hash::from_bytes([5; 32]) });
        let signature = Signature::from_bytes([0; 64]);
        Message {
            author: AUTHOR,
            counter,
            lamport: 7,
            unix_ms: UnixMs(1_700_000_000_000),
            previous,
            entries,
            signature,
        }
    }

    fn birth(name: &str) -> Change {
        Change::Birth {
            parent: None,
            name: Name::new(name).unwrap(),
            past: DotSet::new(),
            content: Content::File { hash: Hash::from_bytes([8; 32]), size: 3 },
            mode: 0o644,
            modified_ns: -5,
        }
    }

    fn tree(changes: Vec<Change>) -> Entry {
        Entry::Tree { root: RootId::from_bytes([4; 16]), changes }
    }

    /// The bytes that a hostile member would sign.
    fn forge(message: &Message) -> Vec<u8> {
        let mut bytes = message.encode_unsigned().unwrap();
        bytes.extend_from_slice(identity().sign(&signed_hash(GROUP, &bytes)).as_bytes());
        bytes
    }

    fn dot() -> impl Strategy<Value = Dot> {
        (any::<[u8; 16]>(), any::<u64>(), any::<u32>())
            .prop_map(|(author, counter, index)| Dot::new(ReplicaId::from_bytes(author), counter, index))
    }

    fn content() -> impl Strategy<Value = Content> {
        prop_oneof![
            (any::<[u8; 32]>(), any::<u64>())
                .prop_map(|(hash, size)| Content::File { hash: Hash::from_bytes(hash), size }),
            prop::collection::vec(1..=255u8, 0..40).prop_map(|target| Content::Symlink { target }),
            Just(Content::Directory),
        ]
    }

    fn change() -> impl Strategy<Value = Change> {
        let past = || prop::collection::vec(dot(), 0..4).prop_map(DotSet::from_iter);
        let body = prop_oneof![content().prop_map(Body::Content), Just(Body::Deleted)];
        prop_oneof![
            (prop::option::of(dot()), "[^/\0]{2,9}x", past(), content(), 0..=0o777u16, any::<i64>()).prop_map(
                |(parent, name, past, content, mode, modified_ns)| Change::Birth {
                    parent,
                    name: Name::new(name).unwrap(),
                    past,
                    content,
                    mode,
                    modified_ns
                }
            ),
            (dot(), past(), body, any::<i64>()).prop_map(|(node, past, body, modified_ns)| Change::Version {
                node,
                past,
                body,
                modified_ns
            }),
            (dot(), 0..=0o777u16).prop_map(|(node, mode)| Change::Mode { node, mode }),
        ]
    }

    fn messages() -> impl Strategy<Value = Message> {
        let tree = (any::<[u8; 16]>(), prop::collection::vec(change(), 0..5))
            .prop_map(|(root, changes)| Entry::Tree { root: RootId::from_bytes(root), changes });
        (1..=u64::MAX, any::<u64>(), any::<u64>(), any::<(u64, [u8; 32])>(), prop::collection::vec(tree, 0..3))
            .prop_map(|(counter, lamport, unix, (previous, hash), mut entries)| {
                let mut message = message(counter, Vec::new());
                message.lamport = lamport;
                message.unix_ms = UnixMs(unix);
                message.previous = (counter > 1)
                    .then(|| Previous { counter: 1 + previous % (counter - 1), hash: Hash::from_bytes(hash) });
                if counter == 1 {
                    entries.insert(0, introduction());
                }
                message.entries = entries;
                message
            })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn messages_round_trip(message in messages()) {
            let sealed = message.seal(GROUP, &identity()).unwrap();
            prop_assert_eq!(Message::decode(&sealed.bytes), Ok((sealed.message.clone(), sealed.hash)));
            prop_assert!(Message::verify(&sealed.bytes, GROUP, &identity().public_key()));
            prop_assert!(!Message::verify(&sealed.bytes, GroupId::from_bytes([8; 16]), &identity().public_key()));
        }

        #[test]
        fn h11_any_bytes_are_refused_or_one_form_only(mut bytes in prop::collection::vec(any::<u8>(), 0..400)) {
            let _ = Message::decode(&bytes);
            if let Some(version) = bytes.first_mut() {
                *version = MESSAGE_VERSION;
            }
            if let Ok((message, _)) = Message::decode(&bytes) {
                prop_assert_eq!(message.encode().unwrap(), bytes);
            }
        }

        #[test]
        fn h11_damaged_messages_never_panic_and_are_refused(
            message in messages(), at in any::<prop::sample::Index>(), with in any::<u8>(), cut in any::<bool>(),
        ) {
            let bytes = message.seal(GROUP, &identity()).unwrap().bytes;
            let mut damaged = bytes.clone();
            let at = at.index(bytes.len());
            if cut { damaged.truncate(at) } else { damaged[at] = with }
            let accepted = Message::decode(&damaged).is_ok()
                && Message::verify(&damaged, GROUP, &identity().public_key());
            prop_assert_eq!(accepted, damaged == bytes);
        }
    }

    #[test]
    fn every_flipped_bit_is_refused() {
        for message in
            [message(1, vec![introduction(), tree(vec![birth("a")])]), message(2, vec![tree(vec![birth("a")])])]
        {
            let bytes = message.seal(GROUP, &identity()).unwrap().bytes;
            for bit in 0..bytes.len() * 8 {
                let mut damaged = bytes.clone();
                damaged[bit / 8] ^= 1 << (bit % 8);
                let refused =
                    Message::decode(&damaged).is_err() || !Message::verify(&damaged, GROUP, &identity().public_key());
                assert!(refused, "bit {bit}");
            }
        }
    }

    #[test]
    fn changes_are_numbered_through_all_entries() {
        let name = |change: &Change| match change {
            Change::Birth { name, .. } => String::from(name.as_str()),
            _ => String::new(),
        };
        let entries = vec![introduction(), tree(vec![birth("a"), birth("b")]), tree(vec![]), tree(vec![birth("c")])];
        let message = message(1, entries);
        let listed: Vec<_> = message.changes().map(|(dot, _, change)| (dot, name(change))).collect();
        let expected = ["a", "b", "c"].into_iter().zip(0..);
        assert_eq!(listed, expected.map(|(name, at)| (Dot::new(AUTHOR, 1, at), name.into())).collect::<Vec<_>>());
    }

    #[test]
    fn impossible_places_in_a_feed_are_refused() {
        let previous = |counter| Some(Previous { counter, hash: Hash::from_bytes([5; 32]) });
        type Spoil = Box<dyn Fn(&mut Message)>;
        let cases: [(u64, Spoil, MessageError); 9] = [
            (2, Box::new(|m| m.counter = 0), MessageError::CounterZero),
            (2, Box::new(move |m| m.previous = previous(2)), MessageError::Previous),
            (2, Box::new(move |m| m.previous = previous(u64::MAX)), MessageError::Previous),
            (2, Box::new(move |m| m.previous = previous(0)), MessageError::Previous),
            (2, Box::new(|m| m.previous = None), MessageError::Previous),
            (1, Box::new(move |m| m.previous = previous(0)), MessageError::Previous),
            (1, Box::new(|m| m.entries.clear()), MessageError::IntroductionPlace),
            (1, Box::new(|m| m.entries.insert(0, tree(vec![]))), MessageError::IntroductionPlace),
            (2, Box::new(|m| m.entries.push(introduction())), MessageError::IntroductionPlace),
        ];
        for (at, (counter, spoil, error)) in cases.into_iter().enumerate() {
            let entries = if counter == 1 { vec![introduction()] } else { vec![] };
            let mut message = message(counter, entries);
            assert!(Message::decode(&forge(&message)).is_ok());
            spoil(&mut message);
            assert_eq!(Message::decode(&forge(&message)), Err(error), "case {at}");
            assert_eq!(message.seal(GROUP, &identity()), Err(error), "case {at}");
        }
    }

    #[test]
    fn h01_names_modes_and_link_targets_that_cannot_be_are_refused() {
        let plain = message(2, vec![tree(vec![birth("abc")])]).encode_unsigned().unwrap();
        let at = plain.windows(3).position(|window| window == b"abc").unwrap();
        for (name, refused) in
            [(*b"a/c", true), (*b"\0bc", true), (*b"a\\c", false), (*b"\x1b[m", false), (*b"\xff\xff\xff", true)]
        {
            let mut bytes = plain.clone();
            bytes[at..at + 3].copy_from_slice(&name);
            bytes.extend_from_slice(&[0; 64]);
            assert_eq!(Message::decode(&bytes).is_err(), refused, "{name:?}");
        }
        let node = Dot::new(AUTHOR, 1, 0);
        let link = |target| Change::Version {
            node,
            past: DotSet::new(),
            body: Body::Content(Content::Symlink { target }),
            modified_ns: 0,
        };
        for (change, error) in [
            (Change::Mode { node, mode: 0o4755 }, InvalidEntry::Mode),
            (link(b"a\0b".to_vec()), InvalidEntry::SymlinkTarget),
            (link(vec![b'a'; 4096]), InvalidEntry::SymlinkTarget),
        ] {
            let bytes = forge(&message(2, vec![tree(vec![change])]));
            assert_eq!(Message::decode(&bytes), Err(MessageError::Entry(error)));
        }
    }

    #[test]
    fn h02_lengths_and_counts_beyond_the_bytes_are_refused() {
        // Everything up to the number of entries, which is the last byte of an empty message's body.
        let mut start = message(2, vec![]).encode_unsigned().unwrap();
        assert_eq!(start.pop(), Some(0));
        let varint = |number: u128| {
            let mut rest = number;
            let mut bytes = Vec::new();
            while rest >= 0x80 {
                bytes.push(rest as u8 | 0x80);
                rest >>= 7;
            }
            bytes.push(rest as u8);
            bytes
        };
        let mut changes = vec![1, 1];
        changes.extend_from_slice(&[4; 16]);
        let mut name = changes.clone();
        name.extend_from_slice(&[1, 0, 0]);
        for before in [vec![], changes, name] {
            for claim in [1 << 10, 1 << 32, 1 << 60, (1 << 64) - 1, 1 << 64, 1 << 70] {
                let mut bytes = [&start[..], &before, &varint(claim)].concat();
                bytes.extend_from_slice(&[0; 100]);
                let error = Message::decode(&bytes).unwrap_err();
                assert_eq!(error, MessageError::Malformed, "{claim} after {before:?}");
            }
        }
    }

    #[test]
    fn other_forms_of_the_same_message_are_refused() {
        let plain = message(2, vec![]).encode_unsigned().unwrap();
        // The version, the author's bytes, then the counter: 2, with a padding byte.
        assert_eq!(plain[17], 2);
        let mut padded = plain.clone();
        padded.splice(17..18, [0x82, 0x00]);
        let longer = [&plain[..], &[0]].concat();
        for form in [padded, longer] {
            let bytes = [&form[..], &[0; 64]].concat();
            assert_eq!(Message::decode(&bytes), Err(MessageError::NotCanonical));
        }
        let mut newer = [&plain[..], &[0; 64]].concat();
        newer[0] = 2;
        assert_eq!(Message::decode(&newer), Err(MessageError::Version { found: 2 }));
    }

    #[test]
    fn messages_may_be_a_mebibyte_and_no_longer() {
        let change = birth(&"x".repeat(1000));
        let mut changes = vec![change.clone(); (ENTRIES_BYTES_MAX - 100) / encoded_size(&change)];
        let entry = tree(changes.clone());
        assert!(entry.encoded_size() <= ENTRIES_BYTES_MAX);
        let full = message(2, vec![entry]).seal(GROUP, &identity()).unwrap();
        assert!(full.bytes.len() <= MESSAGE_BYTES_MAX && full.bytes.len() > MESSAGE_BYTES_MAX - 5000);
        assert!(Message::decode(&full.bytes).is_ok());

        changes.extend(vec![change; 5]);
        let over = message(2, vec![tree(changes)]);
        assert!(matches!(over.clone().seal(GROUP, &identity()), Err(MessageError::TooLong { .. })));
        assert!(matches!(Message::decode(&forge(&over)), Err(MessageError::TooLong { .. })));
    }

    #[test]
    fn the_room_for_entries_is_there_in_the_first_message_too() {
        let proof_key = ProofKey::new(&GroupConfig { id: GROUP, key: vec![3; 32], founder: None }).unwrap();
        let name = "n".repeat(DEVICE_NAME_BYTES_MAX);
        let introduction = Introduction::new(&identity(), &proof_key, AUTHOR, &name).unwrap();
        let largest = |entries| {
            let mut message = message(u64::MAX, entries);
            (message.lamport, message.unix_ms) = (u64::MAX, UnixMs(u64::MAX));
            message.encode().unwrap().len()
        };
        assert!(largest(vec![Entry::Introduction(introduction)]) <= MESSAGE_BYTES_MAX - ENTRIES_BYTES_MAX);
    }
}

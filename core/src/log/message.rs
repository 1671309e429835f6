//! Signed messages.

use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use super::{Dot, Entry, InvalidEntry};
use crate::api::{GroupId, Hash, ReplicaId, RootId, UnixMs};
use crate::clock::MessageOrder;
use crate::crypto::{Identity, IntroductionError, PublicKey, Signature};
use crate::engine::limits::MESSAGE_BYTES_MAX;
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
        if first && self.entries.is_empty() { Err(MessageError::IntroductionPlace) } else { Ok(()) }
    }
}

fn tree_changes(entry: &Entry) -> impl Iterator<Item = (RootId, &Change)> {
    let tree = match entry {
        Entry::Tree { root, changes } => Some((*root, changes)),
        Entry::Introduction(_) => None,
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

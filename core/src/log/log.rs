//! Which messages are held, whose they are, and how new ones join them.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::feed::{Feed, Fit, Introduced};
use super::waiting::Waiting;
use super::{Entry, Fork, Heads, Message, MessageError, Receipt, Sealed};
use crate::api::{ConfigError, GroupConfig, Hash, MemberStatus, ReplicaId, UnixMs};
use crate::clock::Lamport;
use crate::crypto::{Identity, Introduction, IntroductionError, ProofKey, PublicKey, Signature};

const DIGEST_CONTEXT: &str = "Syncline 2026 digest of a log, version 1";

/// The log of one group on one replica.
///
/// It keeps what judging messages needs: who the authors are, the hashes of the messages held, the highest lamport. The
/// messages themselves stand in the store. What it decides depends on the set of messages alone, not on their order;
/// only between the branches of a fork the first one that arrives wins here, and the digests of replicas that chose
/// differently stay different.
#[derive(Debug, Clone)]
pub struct Log {
    identity: Identity,
    proof_key: ProofKey,
    own: Option<ReplicaId>,
    feeds: BTreeMap<ReplicaId, Feed>,
    heads: Heads,
    lamport: Lamport,
    waiting: Waiting,
}

impl Log {
    /// An empty log.
    ///
    /// # Errors
    /// A group key that is not 32 bytes.
    pub fn new(group: &GroupConfig, identity: Identity) -> Result<Log, ConfigError> {
        Ok(Log {
            identity,
            proof_key: ProofKey::new(group)?,
            own: None,
            feeds: BTreeMap::new(),
            heads: Heads::new(),
            lamport: Lamport::default(),
            waiting: Waiting::default(),
        })
    }

    /// Writes under this id from now on: behind the messages of it that are held, or from the first one on.
    pub fn begin(&mut self, replica: ReplicaId) {
        self.own = Some(replica);
    }

    /// Takes a message from the store, in any order. The store is trusted, so signatures are not checked again.
    ///
    /// # Errors
    /// A store that does not hold what was saved.
    pub fn restore(&mut self, bytes: &[u8]) -> Result<Message, MessageError> {
        let (message, hash) = Message::decode(bytes)?;
        let fit = self.feeds.get(&message.author).map_or(Fit::New, |feed| feed.fit(&message, hash));
        match fit {
            Fit::Fork => return Err(MessageError::Fork { counter: message.counter }),
            Fit::Known => {}
            Fit::New => {
                let introduced = introduction(&message).map(Introduction::public_key).transpose()?;
                self.admit(&message, hash, introduced);
            }
        }
        Ok(message)
    }

    /// Seals the next message of this replica; the log holds it from now on. The first one of an incarnation starts
    /// with its introduction, which takes no change's number.
    ///
    /// # Errors
    /// Nothing was composed: the message would be too long, say, or the feed has no number left.
    pub fn compose(&mut self, now: UnixMs, entries: Vec<Entry>, name: &str) -> Result<Sealed, ComposeError> {
        let author = self.own.ok_or(ComposeError::NotBegun)?;
        let counter = self.next_counter().ok_or(ComposeError::FeedFull)?;
        let introduction =
            if counter == 1 { Some(Introduction::new(&self.identity, &self.proof_key, author, name)?) } else { None };
        let message = Message {
            author,
            counter,
            lamport: self.lamport.next(),
            unix_ms: now,
            previous: self.feeds.get(&author).and_then(Feed::last),
            entries: introduction.into_iter().map(Entry::Introduction).chain(entries).collect(),
            signature: Signature::from_bytes([0; Signature::BYTES]),
        };
        let sealed = message.seal(self.proof_key.group(), &self.identity)?;
        self.admit(&sealed.message, sealed.hash, Some(self.identity.public_key()));
        Ok(sealed)
    }

    /// Judges bytes that someone brought, and holds the message if they are one.
    pub fn receive(&mut self, bytes: &[u8]) -> Receipt {
        let seen = self.lamport;
        let receipt = self.judge(bytes);
        let Receipt::Accepted { mut messages, mut forks } = receipt else { return receipt };
        // What waited is looked at again only when this one brought an author or moved the time.
        let mut changed = self.lamport != seen || messages.iter().any(|sealed| sealed.message.counter == 1);
        while changed && !self.waiting.is_empty() {
            changed = false;
            let feeds = &self.feeds;
            let introduced = |author| feeds.get(&author).is_some_and(|feed| feed.introduced.is_some());
            for bytes in self.waiting.take_ready(self.lamport.limit(), introduced) {
                match self.judge(&bytes) {
                    Receipt::Accepted { messages: more, .. } => {
                        messages.extend(more);
                        changed = true;
                    }
                    Receipt::Fork(fork) => forks.push(fork),
                    _ => {}
                }
            }
        }
        Receipt::Accepted { messages, forks }
    }

    /// The number of the message that [`compose`](Log::compose) seals next, so that changes can be named before; none
    /// before [`begin`](Log::begin), or if the feed has no number left and a new incarnation is due.
    pub fn next_counter(&self) -> Option<u64> {
        self.heads.highest(self.own?).checked_add(1)
    }

    /// The lamport of the message that [`compose`](Log::compose) seals next, unless another is received before.
    pub fn next_lamport(&self) -> u64 {
        self.lamport.next()
    }

    /// Under which id this replica writes.
    pub fn own(&self) -> Option<ReplicaId> {
        self.own
    }

    /// What is held.
    pub fn heads(&self) -> &Heads {
        &self.heads
    }

    /// A hash over all messages held, whatever the order they came in: the last message of each interval stands for all
    /// before it, since each names the one before.
    pub fn digest(&self) -> Hash {
        let mut hasher = blake3::Hasher::new_derive_key(DIGEST_CONTEXT);
        for (author, counters) in self.heads.authors() {
            hasher.update(author.as_bytes()).update(&(counters.intervals().len() as u64).to_le_bytes());
            for (first, last) in counters.intervals() {
                hasher.update(&first.to_le_bytes()).update(&last.to_le_bytes());
                if let Some(hash) = self.feeds.get(&author).and_then(|feed| feed.hash(last)) {
                    hasher.update(hash.as_bytes());
                }
            }
        }
        hasher.finalize().into()
    }

    /// The incarnations whose introductions are held, ascending.
    pub fn members(&self) -> impl Iterator<Item = MemberStatus> + '_ {
        self.feeds.iter().filter_map(|(replica, feed)| {
            let Introduced { public_key, name } = feed.introduced.as_ref()?;
            Some(MemberStatus {
                replica: *replica,
                name: name.clone(),
                public_key: public_key.as_bytes().to_vec(),
                counter: self.heads.highest(*replica),
                last_written: feed.last_written,
            })
        })
    }

    /// The key of an incarnation whose introduction is held.
    pub fn public_key(&self, replica: ReplicaId) -> Option<PublicKey> {
        Some(self.feeds.get(&replica)?.introduced.as_ref()?.public_key)
    }

    /// The hash of a message held; none for a number that is proven empty.
    pub fn hash(&self, author: ReplicaId, counter: u64) -> Option<Hash> {
        self.feeds.get(&author)?.hash(counter)
    }

    fn judge(&mut self, bytes: &[u8]) -> Receipt {
        let (message, hash) = match Message::decode(bytes) {
            Ok(decoded) => decoded,
            Err(error) => return Receipt::Refused(error),
        };
        let Message { author, counter, lamport, .. } = message;
        let fit = self.feeds.get(&author).map_or(Fit::New, |feed| feed.fit(&message, hash));
        if fit == Fit::Known {
            return Receipt::Known;
        }
        let introduced = match introduction(&message).map(|own| own.verify(&self.proof_key, author)).transpose() {
            Ok(introduced) => introduced,
            Err(error) => return Receipt::Refused(error.into()),
        };
        let Some(key) = introduced.or_else(|| self.public_key(author)) else {
            self.waiting.push(&message, hash, bytes);
            return Receipt::Waiting { author };
        };
        if !Message::verify(bytes, self.proof_key.group(), &key) {
            return Receipt::Refused(MessageError::Signature);
        }
        if self.own == Some(author) {
            return Receipt::OwnFeedAhead { counter };
        }
        if fit == Fit::Fork {
            return Receipt::Fork(Fork { author, counter, hash });
        }
        if lamport > self.lamport.limit() {
            self.waiting.push(&message, hash, bytes);
            return Receipt::AheadOfTime { author, counter, lamport, limit: self.lamport.limit() };
        }
        self.admit(&message, hash, introduced);
        Receipt::Accepted { messages: Vec::from([Sealed { message, bytes: bytes.to_vec(), hash }]), forks: Vec::new() }
    }

    /// Holds a message that was found to fit; `introduced` is the key of its introduction, if it has one.
    fn admit(&mut self, message: &Message, hash: Hash, introduced: Option<PublicKey>) {
        let feed = self.feeds.entry(message.author).or_default();
        if let (Some(public_key), Some(introduction)) = (introduced, introduction(message)) {
            feed.introduced = Some(Introduced { public_key, name: introduction.name.to_string() });
        }
        let first = feed.admit(message, hash);
        self.heads.insert_range(message.author, first, message.counter);
        self.lamport.observe(message.lamport);
    }
}

fn introduction(message: &Message) -> Option<&Introduction> {
    match message.entries.first() {
        Some(Entry::Introduction(introduction)) => Some(introduction),
        _ => None,
    }
}

/// Why no message was composed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ComposeError {
    /// The replica has no id yet.
    #[error("expected an incarnation to write under: call `begin` first")]
    NotBegun,
    /// The feed has used its last number.
    #[error("the feed has no number left: begin a new incarnation")]
    FeedFull,
    /// The messages held of this incarnation are not by this device's key.
    #[error("the feed was begun with another device's key: begin a new incarnation")]
    OtherIdentity,
    /// No replica would accept the message.
    #[error(transparent)]
    Message(#[from] MessageError),
}

impl From<IntroductionError> for ComposeError {
    fn from(error: IntroductionError) -> ComposeError {
        ComposeError::Message(error.into())
    }
}

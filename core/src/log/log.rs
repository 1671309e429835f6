//! Which messages are held, whose they are, and how new ones join them.

use alloc::collections::BTreeMap;
use alloc::string::ToString;
use alloc::vec::Vec;

use super::feed::{Feed, Fit, Introduced};
use super::group::Group;
use super::marks::MarkKey;
use super::waiting::Waiting;
use super::{Decided, Entry, Fork, Heads, IntervalSet, MemberKey, Message, MessageError, Receipt, Sealed};
use crate::api::{ConfigError, GroupConfig, Hash, ReplicaId, UnixMs};
use crate::clock::Lamport;
use crate::crypto::{Identity, Introduction, IntroductionError, ProofKey, PublicKey, Signature};
use crate::planted::{Planted, planted};

const DIGEST_CONTEXT: &str = "Syncline 2026 digest of a log, version 1";

/// The log of one group on one replica.
///
/// It keeps what judging messages needs: who the authors are, what tells the messages held from others, the highest
/// lamport. The messages themselves stand in the store. What it decides depends on the set of messages alone, not on their order;
/// only between the branches of a fork the first one that arrives wins here, and the digests of replicas that chose
/// differently stay different.
#[derive(Debug, Clone)]
pub struct Log {
    pub(super) identity: Identity,
    proof_key: ProofKey,
    mark_key: MarkKey,
    pub(super) own: Option<ReplicaId>,
    pub(super) feeds: BTreeMap<ReplicaId, Feed>,
    pub(super) heads: Heads,
    pub(super) group: Group,
    /// Incarnations of removed devices of which nothing counts, each with its device's key: some of them, at least.
    pub(super) removed: BTreeMap<ReplicaId, PublicKey>,
    /// What is decided as far as it was carried out here.
    pub(super) carried_out: Decided,
    lamport: Lamport,
    waiting: Waiting,
    /// Messages that were held and have become void since that was last asked.
    voided: Vec<(ReplicaId, u64)>,
    /// How many application messages of whom had become void before they came here, since that was last asked.
    missed: Vec<(ReplicaId, u64)>,
}

impl Log {
    /// An empty log.
    ///
    /// # Errors
    /// A group key or a founder's key that is not 32 bytes.
    pub fn new(group: &GroupConfig, identity: Identity) -> Result<Log, ConfigError> {
        let proof_key = ProofKey::new(group)?;
        let group = Group::new(founder(group)?);
        Ok(Log {
            carried_out: group.decided().clone(),
            group,
            proof_key,
            mark_key: MarkKey::new(&identity),
            identity,
            own: None,
            feeds: BTreeMap::new(),
            heads: Heads::new(),
            removed: BTreeMap::new(),
            lamport: Lamport::default(),
            waiting: Waiting::default(),
            voided: Vec::new(),
            missed: Vec::new(),
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
                // What was void when it was saved is not missed now.
                self.missed.clear();
                if planted(Planted::LamportForgotten) {
                    self.lamport = Lamport::default();
                }
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
        if counter > 1 && self.public_key(author) != Some(self.identity.public_key()) {
            return Err(ComposeError::OtherIdentity);
        }
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
            if planted(Planted::DigestSkipsAuthor) && self.feeds.keys().next() == Some(&author) {
                continue;
            }
            hasher.update(author.as_bytes()).update(&(counters.intervals().len() as u64).to_le_bytes());
            for (first, last) in counters.intervals() {
                hasher.update(&first.to_le_bytes()).update(&last.to_le_bytes());
                if let Some(hash) = self.feeds.get(&author).and_then(|feed| feed.end(last)) {
                    hasher.update(hash.as_bytes());
                }
            }
        }
        hasher.finalize().into()
    }

    /// The numbers of an author's messages that are held and in a set, ascending; those proven empty are left out.
    pub fn numbers(&self, author: ReplicaId, set: &IntervalSet<u64>) -> impl Iterator<Item = u64> + '_ {
        let feed = self.feeds.get(&author);
        let intervals: Vec<(u64, u64)> = set.intervals().collect();
        intervals
            .into_iter()
            .flat_map(move |(first, last)| feed.into_iter().flat_map(move |feed| feed.numbers(first, last)))
    }

    /// Bytes are a message that its author, whose introduction is held, has signed.
    pub fn is_signed(&self, bytes: &[u8]) -> bool {
        let key = Message::decode(bytes).ok().and_then(|(message, _)| self.public_key(message.author));
        key.is_some_and(|key| Message::verify(bytes, self.proof_key.group(), &key))
    }

    /// Whether an author's message of this number and hash is held.
    pub fn is_held(&self, author: ReplicaId, counter: u64, hash: &Hash) -> bool {
        self.feeds.get(&author).is_some_and(|feed| feed.is(counter, hash))
    }

    fn judge(&mut self, bytes: &[u8]) -> Receipt {
        if self.holds(bytes) {
            return Receipt::Known;
        }
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
            if planted(Planted::UnknownAuthorAccepted) {
                return self.hold(message, hash, bytes, None);
            }
            self.waiting.push(&message, hash, bytes);
            return Receipt::Waiting { author };
        };
        if !Message::verify(bytes, self.proof_key.group(), &key) && !planted(Planted::SignatureUnchecked) {
            return Receipt::Refused(MessageError::Signature);
        }
        if !self.group.decided().counts(key.as_bytes(), author, counter) && !planted(Planted::VoidTaken) {
            self.note_removed(author, key);
            return Receipt::Void;
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
        self.hold(message, hash, bytes, introduced)
    }

    /// These are the bytes of a message held, which most that come from a second peer are.
    fn holds(&self, bytes: &[u8]) -> bool {
        let place = Message::place_in(bytes);
        place.and_then(|(author, counter)| Some((self.feeds.get(&author)?, counter))).is_some_and(|(feed, counter)| {
            // Most that come for the first time are not hashed for nothing.
            feed.holds(counter) && feed.is(counter, &blake3::hash(bytes).into())
        })
    }

    /// Holds a message that was judged.
    fn hold(&mut self, message: Message, hash: Hash, bytes: &[u8], introduced: Option<PublicKey>) -> Receipt {
        self.admit(&message, hash, introduced);
        Receipt::Accepted { messages: Vec::from([Sealed { message, bytes: bytes.to_vec(), hash }]), forks: Vec::new() }
    }

    /// Holds a message that was found to fit; `introduced` is the key of its introduction, if it has one.
    fn admit(&mut self, message: &Message, hash: Hash, introduced: Option<PublicKey>) {
        let key = self.mark_key;
        let feed = self.feeds.entry(message.author).or_insert_with(|| Feed::new(key));
        if let (Some(public_key), Some(introduction)) = (introduced, introduction(message)) {
            let (name, lamport) = (introduction.name.to_string(), message.lamport);
            feed.introduced = Some(Introduced { public_key, name, lamport });
        }
        if let Some((voided, cleared)) = message.checkpoint() {
            let held = feed.held_among(voided);
            self.voided.extend(held.into_iter().map(|counter| (message.author, counter)));
            self.note_missed(message, cleared);
            for (first, last) in voided.intervals() {
                self.heads.insert_range(message.author, first, last);
            }
        }
        self.note_acts(message);
        let Some(feed) = self.feeds.get_mut(&message.author) else { return };
        let first = feed.admit(message, hash);
        self.heads.insert_range(message.author, first, message.counter);
        if !(planted(Planted::LamportNotRaised) && self.own != Some(message.author)) {
            self.lamport.observe(message.lamport);
        }
    }
}

fn founder(group: &GroupConfig) -> Result<Option<MemberKey>, ConfigError> {
    let key = |bytes: &Vec<u8>| {
        let found = u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        bytes.as_slice().try_into().map_err(|_| ConfigError::Founder { found })
    };
    group.founder.as_ref().map(key).transpose()
}

fn introduction(message: &Message) -> Option<&Introduction> {
    match message.entries.first() {
        Some(Entry::Introduction(introduction)) => Some(introduction),
        _ => None,
    }
}

impl Log {
    /// The messages that were held and have become void since this was last asked: nobody needs them any more.
    pub fn take_voided(&mut self) -> Vec<(ReplicaId, u64)> {
        core::mem::take(&mut self.voided)
    }

    /// They are asked for again: something here needs them still.
    pub fn put_back_voided(&mut self, messages: Vec<(ReplicaId, u64)>) {
        self.voided.extend(messages);
    }

    /// How many application messages, and whose, became void before they came to this device, which was a member
    /// already, since this was last asked.
    pub fn take_missed(&mut self) -> Vec<(ReplicaId, u64)> {
        core::mem::take(&mut self.missed)
    }

    /// What an author's checkpoints void, and the number of the last one; none if there is no checkpoint of it.
    pub fn voided(&self, author: ReplicaId) -> Option<(&IntervalSet<u64>, u64)> {
        let feed = self.feeds.get(&author)?;
        (feed.checkpoint > 0).then_some((&feed.voided, feed.checkpoint))
    }

    /// Of what an author's checkpoints void the application messages.
    pub fn cleared(&self, author: ReplicaId) -> Option<&IntervalSet<u64>> {
        self.feeds.get(&author).map(|feed| &feed.cleared)
    }

    /// What a member said last that it has applied.
    pub fn acknowledged(&self, replica: ReplicaId) -> Option<&Heads> {
        self.feeds.get(&replica)?.acknowledged.as_ref()
    }

    /// Somebody has taken stamps back.
    pub fn has_retracted(&self) -> bool {
        self.feeds.values().any(|feed| feed.retracted.is_some())
    }

    /// From when on an author's stamps do not count, in nanoseconds since 1970, if it has taken any back or it was decided
    /// so.
    pub fn retracted(&self, author: ReplicaId) -> Option<u64> {
        let introduced = self.feeds.get(&author)?.introduced.as_ref()?;
        let discarded = self.group.decided().discarded(introduced.public_key.as_bytes(), author);
        let is_same =
            |feed: &&Feed| feed.introduced.as_ref().is_some_and(|other| other.public_key == introduced.public_key);
        let own = self.feeds.get(&author)?.retracted.iter();
        let later = self.feeds.values().filter(|feed| feed.retracted.is_some()).filter(is_same);
        let later = later.filter_map(|feed| feed.retracted.as_ref()).filter(|later| later.left.contains(&author));
        own.chain(later).map(|retracted| retracted.after_ns).chain(discarded).min()
    }

    /// Application messages that a checkpoint clears and that never came here are missed only by who took part when they
    /// were written.
    fn note_missed(&mut self, checkpoint: &Message, cleared: &IntervalSet<u64>) {
        let own = self.feeds.values().filter_map(|feed| feed.introduced.as_ref());
        let own = own.filter(|introduced| introduced.public_key == self.identity.public_key());
        if own.map(|introduced| introduced.lamport).min().is_none_or(|joined| joined > checkpoint.lamport) {
            return;
        }
        let missing = match self.heads.of(checkpoint.author) {
            Some(held) => cleared.difference(held),
            None => cleared.clone(),
        };
        let count = missing.intervals().map(|(first, last)| last.saturating_sub(first).saturating_add(1));
        let count = count.fold(0, u64::saturating_add);
        if count > 0 {
            self.missed.push((checkpoint.author, count));
        }
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

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::{GroupId, RootId};
    use crate::engine::limits::{LAMPORT_AHEAD_MAX, WAITING_BYTES_MAX, WAITING_MESSAGES_MAX};
    use crate::log::{Dot, Previous};
    use crate::tree::Change;

    fn group(key: u8) -> GroupConfig {
        GroupConfig { id: GroupId::from_bytes([9; 16]), key: vec![key; 32], founder: None }
    }

    fn replica(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    fn identity(number: u8) -> Identity {
        Identity::from_secret(&[number; 32]).unwrap()
    }

    /// A log that only listens.
    fn listener() -> Log {
        Log::new(&group(3), identity(200)).unwrap()
    }

    fn writer(number: u8) -> Log {
        let mut log = Log::new(&group(3), identity(number)).unwrap();
        log.begin(replica(number));
        log
    }

    fn write(log: &mut Log) -> Sealed {
        log.compose(UnixMs(5), vec![], "desk").unwrap()
    }

    /// What a feed's owner can sign, honest or not.
    fn forge(number: u8, previous: Option<&Sealed>, change: impl FnOnce(&mut Message)) -> Sealed {
        let mut message = Message {
            author: replica(number),
            counter: previous.map_or(1, |sealed| sealed.message.counter + 1),
            lamport: previous.map_or(1, |sealed| sealed.message.lamport.saturating_add(1)),
            unix_ms: UnixMs(5),
            previous: previous.map(|sealed| Previous { counter: sealed.message.counter, hash: sealed.hash }),
            entries: vec![],
            signature: Signature::from_bytes([0; 64]),
        };
        if message.counter == 1 {
            let proof_key = ProofKey::new(&group(3)).unwrap();
            let introduction = Introduction::new(&identity(number), &proof_key, replica(number), "desk").unwrap();
            message.entries.push(Entry::Introduction(introduction));
        }
        change(&mut message);
        message.seal(group(3).id, &identity(number)).unwrap()
    }

    fn accepted(receipt: Receipt) -> Vec<u64> {
        match receipt {
            Receipt::Accepted { messages, forks } if forks.is_empty() => {
                messages.iter().map(|sealed| sealed.message.counter).collect()
            }
            other => panic!("expected an acceptance, found {other:?}"),
        }
    }

    /// Two feeds, one with numbers left out, each having seen some of the other.
    fn feeds() -> Vec<Sealed> {
        let (mut a, mut b) = (writer(1), writer(2));
        let mut all = vec![write(&mut a), write(&mut a), write(&mut b)];
        for sealed in &all {
            a.receive(&sealed.bytes);
            b.receive(&sealed.bytes);
        }
        all.push(write(&mut a));
        all.push(forge(2, Some(&all[2]), |message| message.counter = 7));
        all.push(forge(2, Some(&all[4]), |_| {}));
        all
    }

    #[test]
    fn what_one_writes_others_accept_once() {
        let (mut a, mut b) = (writer(1), writer(2));
        let first = write(&mut a);
        assert!(matches!(first.message.entries[..], [Entry::Introduction(_)]));
        let second = write(&mut a);
        assert_eq!(a.next_counter(), Some(3));
        assert_eq!(second.message.previous, Some(Previous { counter: 1, hash: first.hash }));
        assert_eq!(accepted(b.receive(&first.bytes)), [1]);
        assert_eq!(accepted(b.receive(&second.bytes)), [2]);
        assert_eq!(b.receive(&first.bytes), Receipt::Known);
        assert_eq!(a.receive(&second.bytes), Receipt::Known);
        assert_eq!((a.digest(), a.heads()), (b.digest(), b.heads()));
        assert!(write(&mut b).message.lamport > second.message.lamport);

        let member = b.members().next().unwrap();
        assert_eq!((member.replica, member.name.as_str(), member.counter), (replica(1), "desk", 2));
        assert_eq!(member.public_key, identity(1).public_key().as_bytes());
        assert_eq!(b.public_key(replica(1)), Some(identity(1).public_key()));
    }

    #[test]
    fn changes_can_be_named_before_they_are_sealed() {
        let mut log = writer(1);
        let node = Dot::new(replica(1), log.next_counter().unwrap(), 0);
        let entry = Entry::Tree { root: RootId::from_bytes([1; 16]), changes: vec![Change::Mode { node, mode: 0 }] };
        let sealed = log.compose(UnixMs(5), vec![entry], "desk").unwrap();
        assert_eq!(sealed.message.changes().next().unwrap().0, node);
    }

    #[test]
    fn messages_wait_for_their_authors_introduction() {
        let mut a = writer(1);
        let sealed: Vec<Sealed> = (0..4).map(|_| write(&mut a)).collect();
        let mut b = listener();
        for at in [3, 1, 3] {
            assert_eq!(b.receive(&sealed[at].bytes), Receipt::Waiting { author: replica(1) });
        }
        assert!(b.heads().is_empty());
        assert_eq!(accepted(b.receive(&sealed[0].bytes)), [1, 2, 4]);
        assert_eq!(b.heads().next_expected(replica(1)), Some(3));
        assert_eq!(accepted(b.receive(&sealed[2].bytes)), [3]);
        assert_eq!(b.digest(), a.digest());
    }

    #[test]
    fn waiting_takes_bounded_room_and_the_oldest_make_way() {
        let mut b = listener();
        let mut previous = forge(1, None, |_| {});
        let first = previous.clone();
        for _ in 0..WAITING_MESSAGES_MAX + 10 {
            previous = forge(1, Some(&previous), |_| {});
            assert!(matches!(b.receive(&previous.bytes), Receipt::Waiting { .. }));
        }
        let kept = accepted(b.receive(&first.bytes));
        assert_eq!(kept.len(), 1 + WAITING_MESSAGES_MAX);
        assert_eq!(kept.last(), Some(&previous.message.counter));

        let mut b = listener();
        let node = Dot::new(replica(1), 1, 0);
        let change = Change::Mode { node, mode: 0 };
        let entry = Entry::Tree { root: RootId::from_bytes([1; 16]), changes: vec![change; 45_000] };
        let mut previous = first.clone();
        for _ in 0..12 {
            previous = forge(1, Some(&previous), |message| message.entries.push(entry.clone()));
            b.receive(&previous.bytes);
        }
        let kept = accepted(b.receive(&first.bytes));
        assert_eq!(kept.len() - 1, WAITING_BYTES_MAX / previous.bytes.len());
        assert_eq!(kept.last(), Some(&previous.message.counter));
    }

    #[test]
    fn feeds_of_strangers_are_refused() {
        let mut stranger = Log::new(&group(4), identity(1)).unwrap();
        stranger.begin(replica(1));
        let first = write(&mut stranger);
        let mut b = listener();
        let refused = Receipt::Refused(MessageError::Introduction(IntroductionError::Proof));
        assert_eq!(b.receive(&first.bytes), refused);

        let mut a = writer(1);
        b.receive(&write(&mut a).bytes);
        let mut second = write(&mut a);
        // The right form, signed by another member.
        second = second.message.seal(group(3).id, &identity(2)).unwrap();
        assert_eq!(b.receive(&second.bytes), Receipt::Refused(MessageError::Signature));
        assert_eq!(b.heads().highest(replica(1)), 1);
    }

    #[test]
    fn h13_a_lamport_far_ahead_waits_until_others_come_near() {
        let mut b = listener();
        let first = forge(1, None, |_| {});
        b.receive(&first.bytes);
        let limit = 1 + LAMPORT_AHEAD_MAX;
        let ahead = forge(1, Some(&first), |message| message.lamport = limit + 5);
        let further = forge(1, Some(&ahead), |message| message.lamport = u64::MAX);
        let receipt = Receipt::AheadOfTime { author: replica(1), counter: 2, lamport: limit + 5, limit };
        assert_eq!(b.receive(&ahead.bytes), receipt);
        assert!(matches!(b.receive(&further.bytes), Receipt::AheadOfTime { counter: 3, .. }));
        assert_eq!(b.heads().highest(replica(1)), 1);

        let near = forge(2, None, |message| message.lamport = 5);
        assert_eq!(accepted(b.receive(&near.bytes)), [1]);
        let nearer = forge(3, None, |message| message.lamport = 6);
        assert_eq!(accepted(b.receive(&nearer.bytes)), [1, 2]);
        assert!(matches!(b.receive(&further.bytes), Receipt::AheadOfTime { counter: 3, .. }));
    }

    #[test]
    fn h13_at_the_end_of_the_range_writing_goes_on() {
        let mut log = writer(1);
        write(&mut log);
        let end = forge(2, None, |message| message.lamport = u64::MAX);
        log.restore(&end.bytes).unwrap();
        let (next, after) = (write(&mut log), write(&mut log));
        assert_eq!(next.message.lamport, u64::MAX);
        assert!(next.message.order() < after.message.order());
        let mut other = listener();
        other.restore(&end.bytes).unwrap();
        for sealed in [&next, &after] {
            other.restore(&sealed.bytes).unwrap();
        }

        let last = forge(1, Some(&after), |message| message.counter = u64::MAX);
        log.restore(&last.bytes).unwrap();
        assert_eq!(log.next_counter(), None);
        assert_eq!(log.compose(UnixMs(5), vec![], ""), Err(ComposeError::FeedFull));
        assert_eq!(log.heads().complete_until(replica(1)), u64::MAX);
        log.begin(replica(3));
        assert_eq!(write(&mut log).message.counter, 1);
    }

    #[test]
    fn a_second_message_of_one_number_is_a_fork_wherever_it_stands() {
        let first = forge(1, None, |_| {});
        let second = forge(1, Some(&first), |_| {});
        let third = forge(1, Some(&second), |_| {});
        let other_first = forge(1, None, |message| message.unix_ms = UnixMs(6));
        let other_second = forge(1, Some(&first), |message| message.unix_ms = UnixMs(6));
        let mut b = listener();
        for sealed in [&first, &second, &third] {
            b.receive(&sealed.bytes);
        }
        let digest = b.digest();
        for other in [&other_first, &other_second, &forge(1, Some(&other_second), |_| {})] {
            let fork = Fork { author: replica(1), counter: other.message.counter, hash: other.hash };
            assert_eq!(b.receive(&other.bytes), Receipt::Fork(fork));
        }
        assert_eq!(b.digest(), digest);
        assert_eq!(b.restore(&other_second.bytes), Err(MessageError::Fork { counter: 2 }));

        // Replicas that chose differently hold equal heads, and can tell.
        let (mut left, mut right) = (listener(), listener());
        for sealed in [&first, &second] {
            left.receive(&sealed.bytes);
        }
        for sealed in [&first, &other_second] {
            right.receive(&sealed.bytes);
        }
        assert_eq!(left.heads(), right.heads());
        assert_ne!(left.digest(), right.digest());
    }

    #[test]
    fn contradictions_in_a_chain_are_forks() {
        let first = forge(1, None, |_| {});
        let second = forge(1, Some(&first), |_| {});
        let other_second = forge(1, Some(&first), |message| message.unix_ms = UnixMs(6));
        let third = forge(1, Some(&second), |_| {});
        let skipping = forge(1, Some(&first), |message| message.counter = 3);
        let fork = |sealed: &Sealed| {
            Receipt::Fork(Fork { author: replica(1), counter: sealed.message.counter, hash: sealed.hash })
        };
        let cases = [
            ("behind another message", [&first, &other_second], &third),
            ("before a message that names another one", [&first, &third], &other_second),
            ("in a place that a later message proves empty", [&first, &skipping], &second),
            ("claiming that a held message does not exist", [&first, &second], &skipping),
        ];
        for (what, held, sealed) in cases {
            let mut b = listener();
            for sealed in held {
                assert_eq!(accepted(b.receive(&sealed.bytes)).len(), 1);
            }
            assert_eq!(b.receive(&sealed.bytes), fork(sealed), "{what}");
        }
        // One that had waited is reported by the message that it had waited for.
        let mut b = listener();
        b.receive(&second.bytes);
        b.receive(&other_second.bytes);
        let Receipt::Accepted { messages, forks } = b.receive(&first.bytes) else { panic!("not accepted") };
        assert_eq!((messages.len(), forks.len()), (2, 1));
    }

    #[test]
    fn an_own_feed_that_is_ahead_calls_for_a_new_incarnation() {
        let mut a = writer(1);
        let (first, second) = (write(&mut a), write(&mut a));
        let mut old = writer(1);
        old.restore(&first.bytes).unwrap();
        assert_eq!(old.receive(&first.bytes), Receipt::Known);
        assert_eq!(old.receive(&second.bytes), Receipt::OwnFeedAhead { counter: 2 });
        let other_second = old.compose(UnixMs(6), vec![], "desk").unwrap();
        assert_eq!(a.receive(&other_second.bytes), Receipt::OwnFeedAhead { counter: 2 });

        a.begin(replica(2));
        assert!(matches!(a.receive(&other_second.bytes), Receipt::Fork(_)));
        let fresh = write(&mut a);
        assert_eq!((fresh.message.counter, fresh.message.author), (1, replica(2)));
        assert_eq!(fresh.message.previous, None);
    }

    #[test]
    fn nothing_is_composed_under_no_id_or_anothers() {
        let mut log = listener();
        assert_eq!(log.compose(UnixMs(5), vec![], ""), Err(ComposeError::NotBegun));
        let mut log = writer(1);
        let long = "n".repeat(257);
        let error = ComposeError::Message(MessageError::Introduction(IntroductionError::Name));
        assert_eq!(log.compose(UnixMs(5), vec![], &long), Err(error));
        assert_eq!(log.next_counter(), Some(1));
        write(&mut log);
        let mut other = Log::new(&group(3), identity(2)).unwrap();
        let first = forge(1, None, |_| {});
        other.restore(&first.bytes).unwrap();
        other.begin(replica(1));
        assert_eq!(other.compose(UnixMs(5), vec![], ""), Err(ComposeError::OtherIdentity));
    }

    #[test]
    fn numbers_proven_empty_count_as_held() {
        let all = feeds();
        let mut log = listener();
        for sealed in &all {
            log.receive(&sealed.bytes);
        }
        assert_eq!(log.heads().complete_until(replica(2)), 8);
        assert!(log.numbers(replica(2), &IntervalSet::from_range(1, 9)).eq([1, 7, 8]));
        assert!(log.is_held(replica(2), 7, &all[4].hash) && !log.is_held(replica(2), 5, &all[4].hash));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_order_and_repetition_gives_equal_logs(
            order in Just((0..6usize).collect::<Vec<_>>()).prop_shuffle(),
            again in prop::collection::vec(0..6usize, 0..12),
            saved in prop::collection::vec(any::<bool>(), 6),
        ) {
            let all = feeds();
            let mut straight = listener();
            for sealed in &all {
                prop_assert_eq!(accepted(straight.receive(&sealed.bytes)).len(), 1);
            }
            let mut log = listener();
            let mut store = Vec::new();
            for at in again.iter().chain(&order) {
                if let Receipt::Accepted { messages, .. } = log.receive(&all[*at].bytes) {
                    store.extend(messages);
                }
            }
            prop_assert_eq!(store.len(), all.len());
            prop_assert_eq!((log.digest(), log.heads()), (straight.digest(), straight.heads()));
            prop_assert_eq!(log.members().collect::<Vec<_>>(), straight.members().collect::<Vec<_>>());

            // A restart in the middle: some come from the store, in any order, the rest again from peers.
            let mut restarted = listener();
            for at in &order {
                if saved[*at] {
                    prop_assert!(restarted.restore(&all[*at].bytes).is_ok());
                }
            }
            for at in again.iter().chain(&order) {
                restarted.receive(&all[*at].bytes);
            }
            prop_assert_eq!((restarted.digest(), restarted.heads()), (straight.digest(), straight.heads()));
            let next = |log: &mut Log| { log.begin(replica(1)); (log.next_counter(), log.lamport) };
            prop_assert_eq!(next(&mut restarted), next(&mut straight));
        }

        #[test]
        fn digests_of_different_sets_differ(left in prop::collection::vec(any::<bool>(), 6), right in prop::collection::vec(any::<bool>(), 6)) {
            let all = feeds();
            let of = |chosen: &[bool]| {
                let mut log = listener();
                for (sealed, _) in all.iter().zip(chosen).filter(|(_, chosen)| **chosen) {
                    log.restore(&sealed.bytes).unwrap();
                }
                log
            };
            prop_assert_eq!(of(&left).digest() == of(&right).digest(), left == right);
        }

        #[test]
        fn h11_arbitrary_and_damaged_bytes_never_panic_and_change_nothing(
            noise in prop::collection::vec(any::<u8>(), 0..300),
            at in any::<prop::sample::Index>(),
            with in 1..=255u8,
        ) {
            let all = feeds();
            let mut log = writer(1);
            log.receive(&all[0].bytes);
            log.restore(&all[0].bytes).unwrap();
            let digest = log.digest();
            let mut damaged = all[1].bytes.clone();
            let at = at.index(damaged.len());
            damaged[at] ^= with;
            for bytes in [&noise, &damaged] {
                let receipt = log.receive(bytes);
                prop_assert!(matches!(receipt, Receipt::Refused(_) | Receipt::Waiting { .. }), "{receipt:?}");
                let _ = listener().restore(bytes);
            }
            prop_assert_eq!(log.digest(), digest);
        }
    }
}

//! Bytes that a peer, a store or a host gives: each decoder takes them or refuses them, and what it takes it writes
//! the same way.

use std::{error::Error, fmt::Debug, sync::OnceLock};

use serde::{Serialize, de::DeserializeOwned};
use syncline_core::{
    api::{GroupConfig, Hash, ReplicaId, listing},
    content::{CHUNK_MAX, Manifest},
    crypto::{Identity, Introduction, ProofKey},
    engine::limits::DEVICE_NAME_BYTES_MAX,
    link::Frame,
    log::{DotSet, Entry, Heads, IntervalSet, Message, Ordinal, Place},
    tree::{Body, Change},
};

use crate::member::GROUP;
use crate::{memory, records};

/// How the chunks of a manifest are hashed together (`docs/protocol.md` §5.5).
const MANIFEST_CONTEXT: &str = "syncline 2026-11 content manifest v1";

/// A message is refused, or well-formed and in its only form.
pub fn message(bytes: &[u8]) {
    let limit = |decoded: &_| memory::of_reading(bytes.len()) + records::more_memory(decoded);
    let decoded = memory::within_for(limit, || Message::decode(bytes));
    let (message, hash) = match decoded {
        Ok(decoded) => decoded,
        Err(error) => return check_error(&error),
    };
    assert_eq!(message.encode().expect("a message that was read can be written"), bytes, "another form was taken");
    assert_eq!(hash, blake3::hash(bytes).into(), "a message's hash is that of its bytes");
    assert!(message.counter > 0, "there is no message 0");
    assert_eq!(message.previous.is_none(), message.counter == 1);
    assert!(message.previous.is_none_or(|previous| (1..message.counter).contains(&previous.counter)));
    for (index, entry) in message.entries.iter().enumerate() {
        let introduces = matches!(entry, Entry::Introduction(_));
        assert_eq!(introduces, message.counter == 1 && index == 0, "an introduction at {index}");
    }
    let mut last = None;
    for (dot, _, change) in message.changes() {
        assert!(last < Some(dot), "changes are numbered in their order");
        last = Some(dot);
        check_change(change);
    }
    message.operations().for_each(|operations| records::check(message.author, operations));
    let _ = message.order();
    let stranger = Identity::from_secret(&[77; 32]).expect("32 bytes").public_key();
    assert!(!Message::verify(bytes, GROUP, &stranger), "a key signs what it never saw");
}

fn check_change(change: &Change) {
    let (content, mode) = match change {
        Change::Birth { name, content, mode, .. } => {
            assert!(!matches!(name.as_str(), "" | "." | "..") && !name.contains(['/', '\0']), "{name:?}");
            (Some(content), *mode)
        }
        Change::Version { body: Body::Content(content), .. } => (Some(content), 0),
        Change::Version { body: Body::Deleted, .. } => (None, 0),
        Change::Mode { mode, .. } => (None, *mode),
    };
    assert!(mode <= 0o777, "{mode:o}");
    if let Some(syncline_core::api::Content::Symlink { target }) = content {
        assert!(target.len() <= 4_095 && !target.contains(&0), "a target that no link can have");
    }
}

/// A frame is refused, or within its limits and in its only form; only a hello may have more behind it.
pub fn frame(bytes: &[u8]) {
    match memory::within(memory::of_reading(bytes.len()), || Frame::decode(bytes)) {
        Ok(frame) => check_frame(&frame, bytes),
        Err(error) => check_error(&error),
    }
}

/// A frame that these bytes were taken for.
pub(crate) fn check_frame(frame: &Frame, bytes: &[u8]) {
    let again = frame.encode(Vec::new()).expect("a frame that was read can be written");
    assert!(bytes.starts_with(&again), "another form was taken");
    assert!(again.len() == bytes.len() || matches!(frame, Frame::Hello(_)), "bytes behind a frame were taken");
    assert_eq!(frame.encoded_len().expect("a length"), again.len());
    assert_eq!(Frame::decode(&again).as_ref(), Ok(frame));
    frame.check().expect("what was read is within the limits");
    assert!(again.len() <= frame.lane().frame_bytes_max());
}

/// Sets of counters and dots are refused or in their only form, and their laws hold. The first byte says which kind.
pub fn sets(bytes: &[u8]) {
    let Some((kind, bytes)) = bytes.split_first() else { return };
    match kind % 4 {
        0 => {
            let Some((a, rest)) = canonical::<Heads>(bytes) else { return };
            check_heads(&a, &canonical::<Heads>(rest).map_or_else(Heads::new, |(b, _)| b));
        }
        1 => {
            let Some((a, rest)) = canonical::<IntervalSet<u64>>(bytes) else { return };
            check_intervals(&a, &canonical(rest).map_or_else(IntervalSet::new, |(b, _)| b));
        }
        2 => {
            let Some((a, rest)) = canonical::<IntervalSet<Place>>(bytes) else { return };
            check_intervals(&a, &canonical(rest).map_or_else(IntervalSet::new, |(b, _)| b));
        }
        _ => {
            let Some((a, rest)) = canonical::<DotSet>(bytes) else { return };
            check_dots(&a, &canonical(rest).map_or_else(DotSet::new, |(b, _)| b));
        }
    }
}

/// Reads a value from the front. By itself it may stand there with longer numbers than need be; messages and frames,
/// in which alone it travels, are compared as a whole.
fn canonical<T: Serialize + DeserializeOwned + PartialEq + Debug>(bytes: &[u8]) -> Option<(T, &[u8])> {
    let read = memory::within(memory::of_reading(bytes.len()), || postcard::take_from_bytes::<T>(bytes));
    let (value, rest) = read.ok()?;
    let length = bytes.len() - rest.len();
    let again = postcard::to_stdvec(&value).expect("what was read can be written");
    assert!(again.len() <= length, "the only form is the shortest");
    assert!(again.len() < length || again == bytes[..length], "another form of the same length was taken");
    assert_eq!(postcard::from_bytes::<T>(&again).as_ref(), Ok(&value));
    Some((value, rest))
}

fn check_heads(a: &Heads, b: &Heads) {
    for (author, counters) in a.authors() {
        assert!(!counters.is_empty() && !counters.contains(0));
        assert!(a.contains(author, a.highest(author)));
        let until = a.complete_until(author);
        assert!(until == 0 || a.contains(author, until));
        assert!(a.next_expected(author).is_none_or(|next| !a.contains(author, next)));
    }
    let mut both = a.clone();
    both.union(b);
    let mut other = b.clone();
    other.union(a);
    assert_eq!(both, other, "a union depends on its order");
    assert!(both.contains_all(a) && both.contains_all(b));
    let mut filled = b.clone();
    for (author, first, last) in a.missing_from(b) {
        assert!(!b.contains(author, first) && !b.contains(author, last));
        filled.insert_range(author, first, last);
    }
    assert_eq!(filled, both, "what is missing fills the gap");
    assert_eq!(a.missing_from(b).next().is_none(), b.contains_all(a));
}

fn check_intervals<T: Ordinal + Debug>(a: &IntervalSet<T>, b: &IntervalSet<T>) {
    for set in [a, b] {
        for (first, last) in set.intervals() {
            assert!(first.leads_to(last) && set.contains(first) && set.contains(last));
            assert!(first.previous().is_none_or(|before| !set.contains(before)), "intervals touch");
            assert!(last.next().is_none_or(|behind| !set.contains(behind)), "intervals touch");
        }
    }
    let mut both = a.clone();
    both.union(b);
    let mut singly = b.clone();
    for (first, last) in a.intervals() {
        singly.insert_range(first, last);
    }
    assert_eq!(both, singly, "a union differs from its parts put in one by one");
    let rest = a.difference(b);
    let mut filled = rest.clone();
    filled.union(b);
    assert_eq!(filled, both, "a difference and what was taken away make the union");
    for (first, last) in rest.intervals() {
        assert!(a.contains(first) && a.contains(last) && !b.contains(first) && !b.contains(last));
    }
    assert_eq!(rest.is_empty(), b.contains_all(a));
    if let Some((first, _)) = a.intervals().next() {
        let mut less = a.clone();
        assert!(less.remove(first) && !less.contains(first) && less.insert(first));
        assert_eq!(&less, a);
    }
}

fn check_dots(a: &DotSet, b: &DotSet) {
    let mut both = a.clone();
    both.extend(b);
    let mut other = b.clone();
    other.extend(a);
    assert_eq!(both, other, "a union depends on its order");
    assert!(both.contains_all(a) && both.contains_all(b));
    let mut rest = a.clone();
    rest.subtract(b);
    assert_eq!(rest.is_empty(), b.contains_all(a));
    for (author, first, last) in rest.intervals() {
        assert_eq!(first.counter, last.counter, "an interval spans two messages");
        let dot = |place: Place| syncline_core::log::Dot { author, place };
        assert!(a.contains(&dot(first)) && !b.contains(&dot(first)) && !b.contains(&dot(last)));
    }
    rest.extend(b);
    assert_eq!(rest, both, "a difference and what was taken away make the union");
}

/// An introduction is refused, or it is the genuine one: only the group's key makes its proof, and only the device's
/// key its certificate. The bytes are laid over the genuine one as differences; from an odd first byte on they stand
/// for themselves.
pub fn introduction(bytes: &[u8]) {
    static GENUINE: OnceLock<(ProofKey, Introduction, Vec<u8>)> = OnceLock::new();
    const AUTHOR: ReplicaId = ReplicaId::from_bytes([1; 16]);
    let (key, genuine, encoded) = GENUINE.get_or_init(|| {
        let key = ProofKey::new(&GroupConfig { id: GROUP, key: vec![5; 32], founder: None }).expect("32 bytes");
        let identity = Identity::from_secret(&[1; 32]).expect("32 bytes");
        let introduction = Introduction::new(&identity, &key, AUTHOR, "desk").expect("a short name");
        let encoded = postcard::to_stdvec(&introduction).expect("plain data");
        (key, introduction, encoded)
    });
    let Some((first, rest)) = bytes.split_first() else { return };
    let mut laid = rest.to_vec();
    if first % 2 == 0 {
        laid.resize(encoded.len().max(laid.len()), 0);
        laid.iter_mut().zip(encoded).for_each(|(byte, genuine)| *byte ^= genuine);
    }
    let Some((read, _)) = canonical::<Introduction>(&laid) else { return };
    if let Err(error) = read.public_key() {
        check_error(&error);
        let named = read.name.len() <= DEVICE_NAME_BYTES_MAX;
        assert!(!named || syncline_core::crypto::PublicKey::from_bytes(&read.public_key).is_err());
    }
    match read.verify(key, AUTHOR) {
        Ok(public_key) => {
            assert_eq!(public_key.as_bytes(), &genuine.public_key, "another key is taken for the device's");
            assert_eq!((read.certificate, read.proof), (genuine.certificate, genuine.proof), "a forgery is taken");
        }
        Err(error) => {
            check_error(&error);
            assert_ne!(&read, genuine, "the genuine introduction is refused");
        }
    }
    let other = ReplicaId::from_bytes([2; 16]);
    assert!(read.verify(key, other).is_err(), "an introduction is taken for another incarnation");
}

/// A manifest is refused, or it is that of its content id and its chunks add up to the file. The first byte says
/// whether the id is the bytes' own; eight bytes are the file's size.
pub fn manifest(bytes: &[u8]) {
    let Some((first, rest)) = bytes.split_first() else { return };
    let Some((size, rest)) = rest.split_first_chunk() else { return };
    let size = u64::from_le_bytes(*size);
    let (content, rest) = match (first % 4, rest.split_first_chunk()) {
        (0, Some((content, rest))) => (Hash::from_bytes(*content), rest),
        _ => (Hash::from_bytes(blake3::derive_key(MANIFEST_CONTEXT, rest)), rest),
    };
    let decoded = memory::within(memory::of_reading(rest.len()), || Manifest::decode(rest, &content, size));
    let manifest = match decoded {
        Ok(manifest) => manifest,
        Err(error) => return check_error(&error),
    };
    assert_eq!(manifest.encode(), rest, "another form was taken");
    assert_eq!((manifest.content_hash(), manifest.size()), (content, size));
    assert!(manifest.chunks().len() >= 2, "a file of one chunk has no manifest");
    let mut end = 0;
    for (offset, chunk) in manifest.with_offsets() {
        assert_eq!(offset, end, "a chunk begins where the one before ends");
        assert!(chunk.length > 0 && u64::from(chunk.length) <= u64::from(CHUNK_MAX), "a chunk of {}", chunk.length);
        end += u64::from(chunk.length);
    }
    assert_eq!(end, size, "the chunks are the file");
}

/// A listing is refused or read whole; written again it is the same listing.
pub fn listing(bytes: &[u8]) {
    let entries = match memory::within(memory::of_reading(bytes.len()), || listing::entries(bytes)) {
        Ok(entries) => entries,
        Err(error) => return check_error(&error),
    };
    let mut again = Vec::new();
    for entry in &entries {
        listing::push(&mut again, &entry.name, &entry.stat);
    }
    assert_eq!(again, bytes, "another form was taken");
    assert_eq!(listing::entries(&again), Ok(entries));
}

/// An error tells people something, in one line of bounded length.
pub(crate) fn check_error(error: &dyn Error) {
    let text = error.to_string();
    assert!(!text.is_empty() && text.len() < 1_024 && !text.contains('\n'), "{text:?}");
}

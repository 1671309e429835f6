//! Keys of the store, besides those of messages ([`message_key`](crate::log::message_key)): one byte says what it is. Everything
//! a start needs to read lies in one range.

use alloc::string::String;
use alloc::vec::Vec;

use crate::api::{FolderId, Hash, ReplicaId, RootId};
use crate::log::parse_message_key;

const BASE: u8 = b'b';
const INCARNATION: u8 = b'i';
const DELIVERIES: u8 = b'd';
const WRITTEN: u8 = b'f';
/// Before all messages.
const ACTS: u8 = b'g';
const HEARD: u8 = b'h';
const LATE: u8 = b'l';
const OWED: u8 = b'o';
const INTENT: u8 = b't';
const RECORDS: u8 = b'c';
const UNMERGED: u8 = b'p';
const MANIFEST: u8 = b'x';
const CHUNK: u8 = b'y';
const DEAD: u8 = b'z';
/// Below all that a start reads, as rows are.
const CHANGED: u8 = b'C';

/// Where what a start reads begins.
pub const START: [u8; 1] = [BASE];
/// Behind the last key that a start reads.
pub const END: [u8; 1] = [INTENT.saturating_add(1)];

/// A key of the store, read.
#[derive(Debug, PartialEq, Eq)]
pub enum Key {
    /// A base entry.
    Base(RootId, String),
    /// How far application messages are numbered.
    Deliveries,
    /// An application message that came behind others which were stable, and is not numbered among them.
    Late(ReplicaId, u64),
    /// Which messages of a feed of this device are in a message folder.
    Written(FolderId, ReplicaId),
    /// What a message decides for the group, and that message.
    Acts,
    /// When a member was heard last.
    Heard(ReplicaId),
    /// A content that is to be put into a message folder, behind the message that names it.
    Owed(FolderId, Hash),
    /// The replica's own id.
    Incarnation,
    /// How far records are.
    Records,
    /// A message whose operations are not merged.
    Unmerged(ReplicaId, u64),
    /// A message.
    Message,
    /// What may have become of a path.
    Intent(RootId, String),
    /// No key that this version writes.
    Unknown,
}

/// Reads a key.
pub fn parse(key: &[u8]) -> Key {
    match key.split_first() {
        Some((&BASE, rest)) => path_key(rest).map_or(Key::Unknown, |(root, path)| Key::Base(root, path)),
        Some((&WRITTEN, rest)) => written_key(rest).unwrap_or(Key::Unknown),
        Some((&HEARD, rest)) => {
            rest.try_into().map_or(Key::Unknown, |replica| Key::Heard(ReplicaId::from_bytes(replica)))
        }
        Some((&OWED, rest)) => owed_key(rest).unwrap_or(Key::Unknown),
        Some((&ACTS, _)) => Key::Acts,
        Some((&DELIVERIES, [])) => Key::Deliveries,
        Some((&LATE, rest)) => place(rest).map_or(Key::Unknown, |(author, counter)| Key::Late(author, counter)),
        Some((&INCARNATION, [])) => Key::Incarnation,
        Some((&RECORDS, [])) => Key::Records,
        Some((&UNMERGED, rest)) => place(rest).map_or(Key::Unknown, |(author, counter)| Key::Unmerged(author, counter)),
        Some(_) if parse_message_key(key).is_some() => Key::Message,
        Some((&INTENT, rest)) => path_key(rest).map_or(Key::Unknown, |(root, path)| Key::Intent(root, path)),
        _ => Key::Unknown,
    }
}

/// Where the replica's own id stands.
pub fn incarnation() -> Vec<u8> {
    alloc::vec![INCARNATION]
}

/// Where it stands which messages of a feed of this device are in a message folder.
pub fn written(folder: FolderId, author: ReplicaId) -> Vec<u8> {
    [&[WRITTEN], folder.0.to_be_bytes().as_slice(), author.as_bytes().as_slice()].concat()
}

/// Where it stands what a message decides for the group.
pub fn acts(author: ReplicaId, counter: u64) -> Vec<u8> {
    [&[ACTS], author.as_bytes().as_slice(), counter.to_be_bytes().as_slice()].concat()
}

/// Where it stands when a member was heard last.
pub fn heard(replica: ReplicaId) -> Vec<u8> {
    [&[HEARD], replica.as_bytes().as_slice()].concat()
}

/// The pair says when a member was heard: nothing rests on it. It is for those who look into a store, as the simulator's
/// judge does.
pub fn is_presence(key: &[u8]) -> bool {
    matches!(parse(key), Key::Heard(_))
}

/// Where it stands that a content is to be put into a message folder, behind the message that names it.
pub fn owed(folder: FolderId, content: &Hash) -> Vec<u8> {
    [&[OWED], folder.0.to_be_bytes().as_slice(), content.as_bytes().as_slice()].concat()
}

/// Where it stands how far application messages are numbered.
pub fn deliveries() -> Vec<u8> {
    alloc::vec![DELIVERIES]
}

/// Where it stands that an application message came behind others which were stable. The value is its lamport and time.
pub fn late(author: ReplicaId, counter: u64) -> Vec<u8> {
    [&[LATE], author.as_bytes().as_slice(), counter.to_be_bytes().as_slice()].concat()
}

/// Where a base entry stands.
pub fn base(root: RootId, path: &str) -> Vec<u8> {
    [&[BASE], root.as_bytes().as_slice(), path.as_bytes()].concat()
}

/// Where it stands what may have become of a path.
pub fn intent(root: RootId, path: &str) -> Vec<u8> {
    [&[INTENT], root.as_bytes().as_slice(), path.as_bytes()].concat()
}

/// The path that a pair of the store says is about to be changed; none if it says nothing like that. It is for those who
/// look into a store, as the simulator's judge does.
pub fn intended_path(key: &[u8]) -> Option<String> {
    match parse(key) {
        Key::Intent(_, path) => Some(path),
        _ => None,
    }
}

/// Where the manifest of a content stands.
pub fn manifest(content: &Hash) -> Vec<u8> {
    [&[MANIFEST], content.as_bytes().as_slice()].concat()
}

/// Where it stands in which content a chunk occurs.
pub fn chunk(chunk: &Hash) -> Vec<u8> {
    [&[CHUNK], chunk.as_bytes().as_slice()].concat()
}

fn place(rest: &[u8]) -> Option<(ReplicaId, u64)> {
    let (author, counter) = rest.split_first_chunk::<16>()?;
    Some((ReplicaId::from_bytes(*author), u64::from_be_bytes(counter.try_into().ok()?)))
}

/// Where it stands how far records are.
pub fn records() -> Vec<u8> {
    alloc::vec![RECORDS]
}

/// Where it stands that a message's operations are not merged.
pub fn unmerged(author: ReplicaId, counter: u64) -> Vec<u8> {
    [&[UNMERGED], author.as_bytes().as_slice(), counter.to_be_bytes().as_slice()].concat()
}

/// Where it stands which rows are in a batch for the application's database.
pub fn changed(sequence: u64) -> Vec<u8> {
    [&[CHANGED], sequence.to_be_bytes().as_slice()].concat()
}

/// The batch whose rows the store has under this key; none for any other key.
pub fn parse_changed(key: &[u8]) -> Option<u64> {
    Some(u64::from_be_bytes(key.strip_prefix(&[CHANGED])?.try_into().ok()?))
}

/// Where it stands that a content is dead whose blobs a message folder may hold: that of a version by this author.
pub fn dead(folder: FolderId, author: ReplicaId, content: &Hash) -> Vec<u8> {
    [dead_of(folder).as_slice(), author.as_bytes().as_slice(), content.as_bytes().as_slice()].concat()
}

/// What the keys of all dead contents of a message folder begin with.
pub fn dead_of(folder: FolderId) -> Vec<u8> {
    [&[DEAD], folder.0.to_be_bytes().as_slice()].concat()
}

/// Behind the last key of a dead content of a message folder.
pub fn dead_end(folder: FolderId) -> Vec<u8> {
    match folder.0.checked_add(1) {
        Some(next) => dead_of(FolderId(next)),
        None => alloc::vec![DEAD.saturating_add(1)],
    }
}

/// The author and the content that the key of a dead content names; none for any other key.
pub fn parse_dead(key: &[u8]) -> Option<(ReplicaId, Hash)> {
    let (author, content) = key.strip_prefix(&[DEAD])?.get(8..)?.split_first_chunk::<16>()?;
    Some((ReplicaId::from_bytes(*author), Hash::from_bytes(content.try_into().ok()?)))
}

fn written_key(rest: &[u8]) -> Option<Key> {
    let (folder, author) = rest.split_first_chunk::<8>()?;
    let author = ReplicaId::from_bytes(author.try_into().ok()?);
    Some(Key::Written(FolderId(u64::from_be_bytes(*folder)), author))
}

fn owed_key(rest: &[u8]) -> Option<Key> {
    let (folder, content) = rest.split_first_chunk::<8>()?;
    let content = Hash::from_bytes(content.try_into().ok()?);
    Some(Key::Owed(FolderId(u64::from_be_bytes(*folder)), content))
}

fn path_key(rest: &[u8]) -> Option<(RootId, String)> {
    let (root, path) = rest.split_first_chunk::<16>()?;
    let path = core::str::from_utf8(path).ok()?;
    Some((RootId::from_bytes(*root), path.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::DeliveryOrder;
    use crate::messages::delivery_key;

    #[test]
    fn keys_are_read_as_they_are_written() {
        let root = RootId::from_bytes([7; 16]);
        assert_eq!(parse(&base(root, "a/b")), Key::Base(root, "a/b".into()));
        assert_eq!(parse(&incarnation()), Key::Incarnation);
        assert_eq!(parse(&deliveries()), Key::Deliveries);
        let author = ReplicaId::from_bytes([3; 16]);
        assert_eq!(parse(&written(FolderId(5), author)), Key::Written(FolderId(5), author));
        assert_eq!(parse(&heard(author)), Key::Heard(author));
        assert_eq!(parse(&heard(author)[..16]), Key::Unknown);
        assert!(is_presence(&heard(author)) && !is_presence(&late(author, 300)));
        assert_eq!(parse(&late(author, 300)), Key::Late(author, 300));
        assert_eq!(parse(&late(author, 300)[1..]), Key::Unknown);
        assert_eq!(parse(&intent(root, "a/b")), Key::Intent(root, "a/b".into()));
        assert_eq!(intended_path(&intent(root, "a/b")), Some("a/b".into()));
        assert_eq!(intended_path(&base(root, "a/b")), None);
        let content = Hash::from_bytes([4; 32]);
        assert_eq!(parse(&owed(FolderId(5), &content)), Key::Owed(FolderId(5), content));
        assert_eq!(parse_dead(&dead(FolderId(5), author, &content)), Some((author, content)));
        assert_eq!(parse(&manifest(&Hash::from_bytes([1; 32]))), Key::Unknown);
        assert_eq!(parse(b"b\xff"), Key::Unknown);
    }

    #[test]
    fn the_dead_contents_of_a_folder_are_one_range() {
        for (folder, next) in [(FolderId(0), Some(FolderId(1))), (FolderId(u64::MAX), None)] {
            let (start, end) = (dead_of(folder), dead_end(folder));
            let last = dead(folder, ReplicaId::from_bytes([0xff; 16]), &Hash::from_bytes([0xff; 32]));
            assert!(start < last && last < end);
            assert!(
                next.is_none_or(|next| end <= dead(next, ReplicaId::from_bytes([0; 16]), &Hash::from_bytes([0; 32])))
            );
        }
        for other in [&b"z"[..], b"z12345678", b"x", &[b'z'; 100]] {
            assert_eq!(parse_dead(other), None);
        }
    }

    #[test]
    fn a_start_reads_all_but_contents() {
        let root = RootId::from_bytes([0xff; 16]);
        for key in [
            base(root, "\u{10ffff}"),
            late(ReplicaId::from_bytes([7; 16]), 1),
            owed(FolderId(7), &Hash::from_bytes([7; 32])),
            incarnation(),
            intent(root, "\u{10ffff}"),
        ] {
            assert!(key.as_slice() >= START.as_slice() && key.as_slice() < END.as_slice());
        }
        let deliveries = [deliveries(), delivery_key(DeliveryOrder::Arrival, 0)];
        assert_eq!(deliveries.map(|key| key.as_slice() < END.as_slice()), [true, false]);
        let content = Hash::from_bytes([0; 32]);
        let dead = dead(FolderId(0), ReplicaId::from_bytes([0; 16]), &content);
        for key in [manifest(&content), chunk(&content), dead] {
            assert!(key.as_slice() >= END.as_slice());
        }
    }
}

//! What files in a message folder are called.

use alloc::format;
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::fmt::Write;

use crate::api::{Hash, ReplicaId};
use crate::planted::{Planted, planted};

/// The directory in the shared folder that holds everything.
pub const SESSION_DIRECTORY: &str = "tempo-fs-session";

/// The directory that holds the blobs of all feeds.
const BLOBS: &str = "blobs";
const INFO: &str = "info";
const COUNTER_DIGITS_MAX: usize = 16;

/// The directory of a feed, below the session's.
pub fn feed_directory(author: ReplicaId) -> String {
    author.to_string()
}

/// Whose feed a directory's name says it is; none for any other name, also of an id in another form.
pub fn parse_feed_directory(name: &str) -> Option<ReplicaId> {
    name.parse().ok().filter(|author: &ReplicaId| author.to_string() == name)
}

/// Where a message stands, below the session's directory.
pub fn message_path(author: ReplicaId, counter: u64) -> String {
    format!("{author}/{counter:x}")
}

/// Where many messages of one author stand: a look asks for hundreds.
pub fn message_paths(author: ReplicaId, counters: &[u64]) -> Vec<String> {
    let directory = feed_directory(author);
    let path = |counter: &u64| {
        let mut path = String::with_capacity(directory.len().saturating_add(1 + COUNTER_DIGITS_MAX));
        path.push_str(&directory);
        path.push('/');
        // Only what formats itself could fail, and a number does not.
        let _ = write!(path, "{counter:x}");
        path
    };
    counters.iter().map(path).collect()
}

/// Where a replica's copy of a chunk, a manifest or a file of one chunk stands, below the session's directory.
pub fn blob_path(author: ReplicaId, hash: &Hash) -> String {
    let hex = hash.to_hex();
    format!("{BLOBS}/{author}/{}/{hex}", hex.get(..2).unwrap_or_default())
}

/// Which blob a path names; none if it is the path of none.
pub fn parse_blob_path(path: &str) -> Option<Hash> {
    let name = path.strip_prefix(BLOBS)?.rsplit('/').next()?;
    let hash: Hash = blake3::Hash::from_hex(name).ok()?.into();
    (hash.to_hex() == name).then_some(hash)
}

/// Which message a path names; none if it is the path of none.
pub fn parse_message_path(path: &str) -> Option<(ReplicaId, u64)> {
    let (directory, name) = path.split_once('/')?;
    Some((parse_feed_directory(directory)?, parse_counter(name)?))
}

/// The counter that a file's name is; none for any other name, also of a counter in another form.
pub fn parse_counter(name: &str) -> Option<u64> {
    let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
    let is_canonical = !name.starts_with('0') || planted(Planted::PaddedCounterRead);
    let is_counter = is_canonical && name.len() <= COUNTER_DIGITS_MAX && name.bytes().all(is_digit);
    if is_counter { u64::from_str_radix(name, 16).ok() } else { None }
}

/// A name in the session's directory that `info` or a copy of it that a service made may have.
pub fn is_info(name: &str) -> bool {
    name.starts_with(INFO)
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;

    #[test]
    fn f03_only_canonical_names_are_counters() {
        for (name, counter) in [("1", 1), ("a", 10), ("ff", 255), ("ffffffffffffffff", u64::MAX)] {
            assert_eq!(parse_counter(name), Some(counter));
        }
        let others = [
            "",
            "0",
            "0A",
            "A",
            "0x1",
            "05",
            "10000000000000000",
            "1 ",
            " 1",
            "+1",
            "-1",
            "1.tmp",
            "٣",
            "1\0",
            "5 (1)",
            "5.sync-conflict-20260101-000000-ABC",
            "5 (conflicted copy)",
            ".5.icloud",
            "g",
        ];
        let read: Vec<_> = others.iter().filter(|name| parse_counter(name).is_some()).collect();
        assert!(read.is_empty(), "{read:?}");
    }

    #[test]
    fn blobs_are_named_by_their_hash() {
        let author: ReplicaId = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01".parse().unwrap();
        let hash = Hash::from_bytes([0xab; 32]);
        let path = blob_path(author, &hash);
        assert!(path.starts_with("blobs/6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01/ab/abab"), "{path}");
        assert_eq!(parse_blob_path(&path), Some(hash));
        for other in [&path[6..], &path[..path.len() - 1], &path.to_uppercase(), "blobs/x", "info"] {
            assert_eq!(parse_blob_path(other), None, "{other}");
        }
    }

    #[test]
    fn paths_are_read_as_they_are_written_and_in_no_other_form() {
        let author: ReplicaId = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01".parse().unwrap();
        assert_eq!(message_path(author, 0xab), "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01/ab");
        let counters = [1, 0xab, u64::MAX];
        assert_eq!(message_paths(author, &counters), counters.map(|counter| message_path(author, counter)));
        assert_eq!(parse_message_path(&message_path(author, u64::MAX)), Some((author, u64::MAX)));
        assert_eq!(parse_feed_directory(&feed_directory(author)), Some(author));
        for name in [
            "6D0F2F3E-58B5-4C52-9F0C-0D4A1E6A7B01",
            "6d0f2f3e58b54c529f0c0d4a1e6a7b01",
            "{6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01}",
            "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01 (1)",
            "blobs",
        ] {
            assert_eq!(parse_feed_directory(name), None, "{name}");
        }
    }
}

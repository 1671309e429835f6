//! Sealing of messages for carriers that shall not read them (`docs/protocol.md §10.4`).

use alloc::vec::Vec;
use core::fmt;

use chacha20poly1305::aead::{Aead, KeyInit, Payload};
use chacha20poly1305::{XChaCha20Poly1305, XNonce};

use crate::api::{Hash, ReplicaId};

const KEY_CONTEXT: &str = "Syncline 2026 key of sealed files, version 1";
const NONCE_CONTEXT: &str = "Syncline 2026 nonces of sealed files, version 1";
const NONCE_BYTES: usize = 24;

/// What opens and seals the files of a group's message folder.
#[derive(Clone)]
pub struct FileKey {
    cipher: XChaCha20Poly1305,
    nonces: [u8; 32],
}

impl FileKey {
    /// The key that belongs to a group's key.
    pub fn new(group_key: &[u8]) -> FileKey {
        let key = blake3::derive_key(KEY_CONTEXT, group_key);
        FileKey { cipher: XChaCha20Poly1305::new(&key.into()), nonces: blake3::derive_key(NONCE_CONTEXT, group_key) }
    }

    /// The file of a message. The nonce comes from the message itself: so no two messages share one, and one message gives
    /// one file, however often a crash makes its author write it.
    pub fn seal(&self, author: ReplicaId, counter: u64, message: &[u8]) -> Vec<u8> {
        self.seal_as(&place(author, counter), message)
    }

    /// The file of a blob, likewise.
    pub fn seal_blob(&self, hash: &Hash, bytes: &[u8]) -> Vec<u8> {
        self.seal_as(hash.as_bytes(), bytes)
    }

    /// The bytes in a blob's file; none if it was not sealed with this key as this blob.
    pub fn open_blob(&self, hash: &Hash, file: &[u8]) -> Option<Vec<u8>> {
        self.open_as(hash.as_bytes(), file)
    }

    /// The message in a file; none if it was not sealed with this key for this place.
    pub fn open(&self, author: ReplicaId, counter: u64, file: &[u8]) -> Option<Vec<u8>> {
        self.open_as(&place(author, counter), file)
    }

    fn seal_as(&self, place: &[u8], bytes: &[u8]) -> Vec<u8> {
        let hash = blake3::keyed_hash(&self.nonces, bytes);
        let nonce: [u8; NONCE_BYTES] = hash.as_bytes().first_chunk().copied().unwrap_or_default();
        // It fails only beyond lengths that nothing here has.
        let sealed = self.cipher.encrypt(XNonce::from_slice(&nonce), Payload { msg: bytes, aad: place });
        [nonce.as_slice(), &sealed.unwrap_or_default()].concat()
    }

    fn open_as(&self, place: &[u8], file: &[u8]) -> Option<Vec<u8>> {
        let (nonce, sealed) = file.split_first_chunk::<NONCE_BYTES>()?;
        self.cipher.decrypt(XNonce::from_slice(nonce), Payload { msg: sealed, aad: place }).ok()
    }
}

impl fmt::Debug for FileKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FileKey")
    }
}

/// The associated data: a file opens only where it belongs.
fn place(author: ReplicaId, counter: u64) -> Vec<u8> {
    [author.as_bytes().as_slice(), &counter.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_opens_only_with_its_key_and_in_its_place() {
        let (author, other) = (ReplicaId::from_bytes([1; 16]), ReplicaId::from_bytes([2; 16]));
        let key = FileKey::new(&[7; 32]);
        let file = key.seal(author, 5, b"hello");
        assert_eq!(file.len(), 5 + crate::engine::limits::SEALING_BYTES);
        assert_eq!(key.open(author, 5, &file).as_deref(), Some(b"hello".as_slice()));
        assert_eq!(key.open(author, 6, &file), None);
        assert_eq!(key.open(other, 5, &file), None);
        assert_eq!(FileKey::new(&[8; 32]).open(author, 5, &file), None);
        for at in 0..file.len() {
            let mut damaged = file.clone();
            damaged[at] ^= 1;
            assert_eq!(key.open(author, 5, &damaged), None);
            assert_eq!(key.open(author, 5, &file[..at]), None);
        }
    }

    #[test]
    fn a_message_gives_one_file_and_no_two_messages_share_a_nonce() {
        let author = ReplicaId::from_bytes([1; 16]);
        let key = FileKey::new(&[7; 32]);
        assert_eq!(key.seal(author, 5, b"one"), key.seal(author, 5, b"one"));
        assert_ne!(key.seal(author, 5, b"one")[..24], key.seal(author, 5, b"two")[..24]);
    }
}

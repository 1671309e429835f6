//! Names of things: replicas, groups, roots, tasks, links, stages, content.

use alloc::string::{String, ToString};
use core::fmt;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        ///
        /// 16 bytes in messages; shown, and crossing to other languages, as a UUID's text.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
        pub struct $name(#[cfg_attr(feature = "wasm", tsify(type = "string"))] Uuid);

        impl $name {
            /// The id with these 16 bytes.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(Uuid::from_bytes(bytes))
            }

            /// The id's 16 bytes.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                self.0.as_bytes()
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.hyphenated().fmt(f)
            }
        }

        impl core::str::FromStr for $name {
            type Err = InvalidId;

            fn from_str(text: &str) -> Result<Self, InvalidId> {
                Uuid::parse_str(text).map($name).map_err(|_| InvalidId { text: text.to_string() })
            }
        }

        // The uuid crate's own form puts a length before the 16 bytes.
        impl Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                if serializer.is_human_readable() {
                    self.0.serialize(serializer)
                } else {
                    self.as_bytes().serialize(serializer)
                }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
                if deserializer.is_human_readable() {
                    Uuid::deserialize(deserializer).map($name)
                } else {
                    <[u8; 16]>::deserialize(deserializer).map($name::from_bytes)
                }
            }
        }

        #[cfg(feature = "uniffi")]
        uniffi::custom_type!($name, String, {
            lower: |id| id.to_string(),
            try_lift: |text| Ok(text.parse::<$name>()?),
        });
    };
}

uuid_id!(
    /// One incarnation of a member: the author of one feed.
    ReplicaId
);
uuid_id!(
    /// A group of members that share one log.
    GroupId
);
uuid_id!(
    /// A folder that a group keeps in agreement; the same id on every member.
    RootId
);

/// A text that was given as an id and is no UUID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a UUID, found `{text}`")]
pub struct InvalidId {
    /// What was given.
    pub text: String,
}

macro_rules! number_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        #[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
        pub struct $name(#[cfg_attr(feature = "wasm", tsify(type = "bigint"))] pub u64);

        #[cfg(feature = "uniffi")]
        uniffi::custom_type!($name, u64, {
            lower: |id| id.0,
            try_lift: |number| Ok($name(number)),
        });
    };
}

number_id!(
    /// One piece of work the engine asked for; chosen by the engine, never reused within one engine's life.
    TaskId
);
number_id!(
    /// One open pipe to a peer; chosen by the host, never reused within one engine's life.
    LinkId
);
number_id!(
    /// One message folder; chosen by the host, the same at every start and never used for another one.
    FolderId
);
number_id!(
    /// One file being put together in the staging area; chosen by the engine.
    StageId
);

/// A BLAKE3 hash: of a chunk, of a file's content, of a message.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(feature = "wasm", derive(tsify::Tsify))]
pub struct Hash(#[cfg_attr(feature = "wasm", tsify(type = "Uint8Array"))] [u8; 32]);

impl Hash {
    /// The hash with these 32 bytes.
    pub const fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The hash's 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The hash as 64 lower-case hexadecimal digits.
    pub fn to_hex(&self) -> String {
        blake3::Hash::from(self.0).to_hex().to_string()
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&blake3::Hash::from(self.0).to_hex())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

impl From<blake3::Hash> for Hash {
    fn from(hash: blake3::Hash) -> Self {
        Self(hash.into())
    }
}

/// Bytes given as a [`struct@Hash`] that are not 32.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected a hash of 32 bytes, found {length}")]
pub struct InvalidHash {
    /// How many bytes were given.
    pub length: u64,
}

impl TryFrom<&[u8]> for Hash {
    type Error = InvalidHash;

    fn try_from(bytes: &[u8]) -> Result<Self, InvalidHash> {
        <[u8; 32]>::try_from(bytes).map(Self).map_err(|_| InvalidHash { length: bytes.len() as u64 })
    }
}

impl Serialize for Hash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            serde_bytes::serialize(&self.0, serializer)
        } else {
            self.0.serialize(serializer)
        }
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        if deserializer.is_human_readable() {
            let bytes: alloc::vec::Vec<u8> = serde_bytes::deserialize(deserializer)?;
            Hash::try_from(bytes.as_slice()).map_err(serde::de::Error::custom)
        } else {
            <[u8; 32]>::deserialize(deserializer).map(Self)
        }
    }
}

#[cfg(feature = "uniffi")]
uniffi::custom_type!(Hash, alloc::vec::Vec<u8>, {
    lower: |hash| hash.0.to_vec(),
    try_lift: |bytes| Ok(Hash::try_from(bytes.as_slice())?),
});

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_and_hashes_are_their_bytes_in_messages() {
        assert_eq!(postcard::to_allocvec(&ReplicaId::from_bytes([3; 16])).unwrap(), [3; 16]);
        assert_eq!(postcard::from_bytes(&[3; 16]), Ok(GroupId::from_bytes([3; 16])));
        assert_eq!(postcard::to_allocvec(&Hash::from_bytes([3; 32])).unwrap(), [3; 32]);
        assert_eq!(postcard::from_bytes(&[3; 32]), Ok(Hash::from_bytes([3; 32])));
    }
}

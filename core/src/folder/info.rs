//! What `info` says: which session a message folder holds, and so which group.

use alloc::string::String;
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::api::{GroupConfig, GroupId, Hash};
use crate::engine::limits::INFO_BYTES_MAX;
use crate::planted::{Planted, planted};

/// The only version of message folders so far.
pub const INFO_VERSION: u64 = 1;

const FORMAT: &str = "syncline";
const OPEN_KEY_CONTEXT: &str = "Syncline 2026 key of an open message folder, version 1";
const KEY_CHECK_CONTEXT: &str = "Syncline 2026 check of a group key, version 1";
const KEY_BYTES: usize = 32;

/// A message folder's `info`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Info {
    /// The session, whose id is the group's.
    pub session: GroupId,
    /// Of a sealed session, what tells its key from others.
    pub key_check: Option<Hash>,
}

#[derive(Serialize)]
struct Json {
    format: String,
    version: u64,
    session: String,
    sealed: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    key_check: Option<String>,
}

/// What tells whether the rest can be read.
#[derive(Deserialize)]
struct Version {
    format: String,
    version: u64,
}

/// The rest, of any session.
#[derive(Deserialize)]
struct Session {
    session: String,
    sealed: bool,
}

/// What only a sealed session's has to say.
#[derive(Deserialize)]
struct Sealed {
    key_check: String,
}

impl Info {
    /// A session that whoever can write the folder takes part in.
    pub fn open(session: GroupId) -> Info {
        Info { session, key_check: None }
    }

    /// A session whose messages are sealed with a key.
    pub fn sealed(session: GroupId, key: &[u8]) -> Info {
        Info { session, key_check: Some(key_check(key)) }
    }

    /// Reads an `info`.
    ///
    /// # Errors
    /// Bytes that are none, or of a newer version.
    pub fn parse(bytes: &[u8]) -> Result<Info, InfoError> {
        if bytes.len() > INFO_BYTES_MAX as usize {
            return Err(InfoError::Malformed);
        }
        // What is not looked at further is UTF-8, too.
        let text = core::str::from_utf8(bytes).map_err(|_| InfoError::Malformed)?;
        let Version { format, version } = parse_json(text)?;
        if format != FORMAT || version < INFO_VERSION {
            return Err(InfoError::Malformed);
        }
        if version > INFO_VERSION {
            return Err(InfoError::Newer { found: version });
        }
        let Session { session, sealed } = parse_json(text)?;
        let session = super::parse_feed_directory(&session).ok_or(InfoError::Malformed)?;
        let key_check = if sealed {
            let Sealed { key_check } = parse_json(text)?;
            Some(parse_hash(&key_check).ok_or(InfoError::Malformed)?)
        } else {
            None
        };
        Ok(Info { session: GroupId::from_bytes(*session.as_bytes()), key_check })
    }

    /// Which of several counts: that with the smallest session.
    ///
    /// # Errors
    /// There is none, or one of a newer version.
    pub fn choose(infos: impl IntoIterator<Item = Result<Info, InfoError>>) -> Result<Info, InfoError> {
        let mut chosen: Result<Info, InfoError> = Err(InfoError::Malformed);
        for info in infos {
            chosen = match (chosen, info) {
                (Err(newer @ InfoError::Newer { .. }), _) | (_, Err(newer @ InfoError::Newer { .. })) => Err(newer),
                (Ok(one), Ok(other)) if planted(Planted::LargestSessionWins) => {
                    Ok(if one.session > other.session { one } else { other })
                }
                (Ok(one), Ok(other)) => Ok(if one.session < other.session { one } else { other }),
                (Ok(info), Err(_)) | (Err(_), Ok(info)) => Ok(info),
                (Err(error), Err(_)) => Err(error),
            };
        }
        chosen
    }

    /// The group of the session; `key` is the secret of a sealed one.
    ///
    /// # Errors
    /// A key that is missing or another session's.
    pub fn group(&self, key: Option<&[u8]>) -> Result<GroupConfig, InfoError> {
        let key: Vec<u8> = match (self.key_check, key) {
            (None, _) => blake3::derive_key(OPEN_KEY_CONTEXT, self.session.as_bytes()).to_vec(),
            (Some(_), None) => return Err(InfoError::KeyMissing),
            (Some(check), Some(key)) if key.len() == KEY_BYTES && key_check(key) == check => key.to_vec(),
            (Some(_), Some(_)) => return Err(InfoError::KeyDiffers),
        };
        Ok(GroupConfig { id: self.session, key, founder: None })
    }

    /// The file's bytes.
    pub fn to_json(&self) -> String {
        let json = Json {
            format: FORMAT.into(),
            version: INFO_VERSION,
            session: alloc::format!("{}", self.session),
            sealed: self.key_check.is_some(),
            key_check: self.key_check.map(|check| check.to_hex()),
        };
        // Writing texts and numbers cannot fail.
        serde_json::to_string_pretty(&json).unwrap_or_default()
    }
}

/// The members that a type names, each there once, and others that nobody looks at. (Arrays would pass for objects.)
fn parse_json<'t, T: Deserialize<'t>>(text: &'t str) -> Result<T, InfoError> {
    let is_object = text.trim_start_matches([' ', '\t', '\n', '\r']).starts_with('{');
    if is_object { serde_json::from_str(text).map_err(|_| InfoError::Malformed) } else { Err(InfoError::Malformed) }
}

fn key_check(key: &[u8]) -> Hash {
    Hash::from_bytes(blake3::derive_key(KEY_CHECK_CONTEXT, key))
}

fn parse_hash(hex: &str) -> Option<Hash> {
    let hash: Hash = blake3::Hash::from_hex(hex).ok()?.into();
    (hash.to_hex() == hex).then_some(hash)
}

/// Why an `info` cannot be used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InfoError {
    /// It is no `info` of this format.
    #[error("expected the `info` of a message folder, found something else")]
    Malformed,
    /// A newer program made the folder.
    #[error("expected a message folder of version {INFO_VERSION}, found {found}: use a newer Syncline")]
    Newer {
        /// The version found.
        found: u64,
    },
    /// The session is sealed.
    #[error("the message folder is sealed: give the key of its group")]
    KeyMissing,
    /// The key is not the session's.
    #[error("the key is not that of the message folder's group")]
    KeyDiffers,
    /// A key was given, but there is nothing to seal with it.
    #[error(
        "the message folder is not sealed: whoever can read it can read its messages; give no key if that is meant"
    )]
    NotSealed,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(byte: u8) -> GroupId {
        GroupId::from_bytes([byte; 16])
    }

    #[test]
    fn an_info_is_read_as_it_is_written() {
        for info in [Info::open(session(1)), Info::sealed(session(2), &[7; 32])] {
            assert_eq!(Info::parse(info.to_json().as_bytes()), Ok(info));
        }
        let extended = Info::open(session(1)).to_json().replace("{", "{ \"more\": [1, null],");
        assert_eq!(Info::parse(extended.as_bytes()), Ok(Info::open(session(1))));
    }

    #[test]
    fn f15_what_is_no_info_or_a_newer_one_is_refused() {
        let newer = Info::open(session(1)).to_json().replace("\"version\": 1", "\"version\": 2");
        assert_eq!(Info::parse(newer.as_bytes()), Err(InfoError::Newer { found: 2 }));
        let strange = br#"{"format":"syncline","version":3,"unlike":{"anything":"known"}}"#;
        assert_eq!(Info::parse(strange), Err(InfoError::Newer { found: 3 }));
        let long = [b" ".repeat(INFO_BYTES_MAX as usize).as_slice(), newer.as_bytes()].concat();
        let other = Info::open(session(1)).to_json().replace("syncline", "tempo");
        let unkeyed = Info::open(session(1)).to_json().replace("false", "true");
        for bytes in [b"".as_slice(), b"{}", b"null", b"\xff", &long, other.as_bytes(), unkeyed.as_bytes()] {
            assert_eq!(Info::parse(bytes), Err(InfoError::Malformed));
        }
    }

    #[test]
    fn f15_an_info_has_each_of_its_members_once_and_in_its_only_form() {
        let own = r#""format":"syncline","version":1,"session":"01010101-0101-0101-0101-010101010101","sealed":false"#;
        let within = |members: &str| alloc::format!("{{{members}}}");
        let more = r#","key_check":7,"key_check":8,"x":{"version":9},"x":[1e999,"\u0000"]"#;
        for text in [within(own), within(&alloc::format!("{own}{more}")), alloc::format!(" \r\n\t{} ", within(own))] {
            assert_eq!(Info::parse(text.as_bytes()), Ok(Info::open(session(1))), "{text}");
        }
        for (from, to) in [
            ("\"sealed\":false", "\"sealed\":false,\"sealed\":false"),
            ("\"version\":1", "\"version\":1,\"version\":1"),
            (",\"sealed\":false", ""),
            ("false", "0"),
            ("false", "true"),
            ("false", "true,\"key_check\":null"),
            (":1,", ":0,"),
            (":1,", ":-0,"),
            (":1,", ":1.0,"),
            (":1,", ":1e0,"),
            (":1,", ":\"1\","),
            (":1,", ":18446744073709551616,"),
            ("01010101-", "0101ABCD-"),
            ("\"format\"", "\u{feff}\"format\""),
        ] {
            let text = within(&own.replacen(from, to, 1));
            assert_eq!(Info::parse(text.as_bytes()), Err(InfoError::Malformed), "{text}");
        }
        let sealed = within(&own.replace("false", "true,\"key_check\":\"ab\"").replace("ab", &"A".repeat(64)));
        let array = r#"["syncline",1,"01010101-0101-0101-0101-010101010101",false]"#;
        let marked = alloc::format!("\u{feff}{}", within(own));
        let two = alloc::format!("{} {{}}", within(own));
        for text in [sealed.as_str(), array, &marked, &two] {
            assert_eq!(Info::parse(text.as_bytes()), Err(InfoError::Malformed), "{text}");
        }
        let mut strange = within(&alloc::format!("{own},\"x\":\"?\"")).into_bytes();
        strange.iter_mut().filter(|byte| **byte == b'?').for_each(|byte| *byte = 0xff);
        assert_eq!(Info::parse(&strange), Err(InfoError::Malformed));
    }

    #[test]
    fn f15_the_smallest_session_wins_in_any_order() {
        let (one, two) = (Info::open(session(1)), Info::open(session(2)));
        let junk = Err(InfoError::Malformed);
        for infos in [[Ok(one), Ok(two), junk], [junk, Ok(two), Ok(one)], [Ok(two), junk, Ok(one)]] {
            assert_eq!(Info::choose(infos), Ok(one));
        }
        assert_eq!(Info::choose([junk]), junk);
        assert_eq!(Info::choose([]), junk);
        let newer = Err(InfoError::Newer { found: 2 });
        assert_eq!(Info::choose([Ok(one), newer, Ok(two)]), newer);
    }

    #[test]
    fn a_session_gives_its_group() {
        let open = Info::open(session(1)).group(None).unwrap();
        assert_eq!((open.id, open.key.len()), (session(1), 32));
        assert_ne!(open.key, Info::open(session(2)).group(None).unwrap().key);
        let sealed = Info::sealed(session(1), &[7; 32]);
        assert_eq!(sealed.group(Some(&[7; 32])).unwrap().key, [7; 32]);
        assert_eq!(sealed.group(None).err(), Some(InfoError::KeyMissing));
        for key in [[8; 32].as_slice(), &[7; 31]] {
            assert_eq!(sealed.group(Some(key)).err(), Some(InfoError::KeyDiffers));
        }
    }
}

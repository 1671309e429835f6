//! Names of entries in a directory.

use alloc::string::String;
use core::{borrow::Borrow, fmt, ops::Deref};

use serde::{Deserialize, Serialize};

use crate::planted::{Planted, planted};

/// The longest name, in bytes. File systems stop at 255 bytes or 255 UTF-16 units, which are at most 765 bytes.
pub const NAME_BYTES_MAX: usize = 1024;

/// One name in a directory: not empty, not `.` or `..`, without `/` and NUL. Anything else travels as it is.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Name(String);

impl Name {
    /// The name, if it is one.
    ///
    /// # Errors
    /// A text that is no name on any platform.
    pub fn new(text: impl Into<String>) -> Result<Name, InvalidName> {
        let text = text.into();
        match text.as_str() {
            "" => Err(InvalidName::Empty),
            "." | ".." if !planted(Planted::DotsAccepted) => Err(InvalidName::Dots),
            _ if text.len() > NAME_BYTES_MAX => Err(InvalidName::TooLong),
            _ if text.contains('/') => Err(InvalidName::Slash),
            _ if text.contains('\0') => Err(InvalidName::Nul),
            _ => Ok(Name(text)),
        }
    }

    /// The name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Deref for Name {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl Borrow<str> for Name {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl TryFrom<String> for Name {
    type Error = InvalidName;

    fn try_from(text: String) -> Result<Name, InvalidName> {
        Name::new(text)
    }
}

impl From<Name> for String {
    fn from(name: Name) -> String {
        name.0
    }
}

/// Why a text is no [`Name`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum InvalidName {
    /// It is empty.
    #[error("a name must not be empty")]
    Empty,
    /// It is `.` or `..`.
    #[error("a name must not be `.` or `..`")]
    Dots,
    /// It contains a slash.
    #[error("a name must not contain a slash")]
    Slash,
    /// It contains a NUL.
    #[error("a name must not contain NUL")]
    Nul,
    /// It is longer than [`NAME_BYTES_MAX`].
    #[error("a name must not be longer than {NAME_BYTES_MAX} bytes")]
    TooLong,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn h01_no_platforms_names_are_refused() {
        for (text, why) in [
            ("", InvalidName::Empty),
            (".", InvalidName::Dots),
            ("..", InvalidName::Dots),
            ("a/b", InvalidName::Slash),
            ("/", InvalidName::Slash),
            ("a\0", InvalidName::Nul),
        ] {
            assert_eq!(Name::new(text), Err(why), "{text:?}");
        }
        assert_eq!(Name::new("x".repeat(NAME_BYTES_MAX + 1)), Err(InvalidName::TooLong));
    }

    #[test]
    fn h01_odd_names_travel() {
        for text in ["a\\b", "-rf", "a\nb", "\u{1b}[31m", "CON", " ", "...", "é", "e\u{301}", "🗒"] {
            let name = Name::new(text).unwrap();
            let bytes = postcard::to_allocvec(&name).unwrap();
            assert_eq!(postcard::from_bytes::<Name>(&bytes).unwrap(), name);
        }
        let slash = postcard::to_allocvec("a/b").unwrap();
        assert!(postcard::from_bytes::<Name>(&slash).is_err());
    }
}

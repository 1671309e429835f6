//! Texts and the names that they stand under, as people see them.

use syncline_core::api::Content;

use crate::{Item, digest};

/// What stands under a name: a file's bytes, or a link's target.
pub(super) type Text = (Kind, Vec<u8>);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    File,
    Link,
}

/// The text that an item is; none of directories and what no text can be read from.
pub(super) fn text(item: &Item) -> Option<Text> {
    match item {
        Item::File { bytes, .. } => Some((Kind::File, bytes.clone())),
        Item::Symlink { target } => Some((Kind::Link, target.clone())),
        Item::Directory { .. } | Item::Special => None,
    }
}

/// What messages call a text.
pub(super) fn content((kind, bytes): &Text) -> Content {
    match kind {
        Kind::File => digest::content(bytes).0,
        Kind::Link => Content::Symlink { target: bytes.clone() },
    }
}

/// An item is this text.
pub(super) fn is_text(item: &Item, (kind, text): &Text) -> bool {
    match item {
        Item::File { bytes, .. } => *kind == Kind::File && bytes == text,
        Item::Symlink { target } => *kind == Kind::Link && target == text,
        Item::Directory { .. } | Item::Special => false,
    }
}

/// The plain path that a path belongs to: its own, without any marks of conflict copies. (Who forgot what a copy is takes
/// it for a file of its own, which then can have copies; and a copy that becomes a directory takes the plain name.)
pub(crate) fn family(path: &str) -> String {
    plainer(path).last().unwrap_or_default()
}

/// A path, and what it is without its last mark of a conflict copy, without its last two, and so on.
pub(super) fn plainer(path: &str) -> impl Iterator<Item = String> {
    std::iter::successors(Some(path.to_string()), |path| {
        let start = path.rfind(" (conflict ")?;
        let length = path[start..].find(')')?;
        let mut plain = path.clone();
        plain.replace_range(start..=start + length, "");
        Some(plain)
    })
}

/// A text as it is told, cut where it is long.
pub(super) fn show((kind, bytes): &Text) -> String {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(40)]);
    match kind {
        Kind::File if bytes.len() > 40 => format!("the file {text:?}… of {} bytes", bytes.len()),
        Kind::File => format!("the file {text:?}"),
        Kind::Link => format!("the link to {text:?}"),
    }
}

//! Names of conflict copies, computed from the version alone, so that every device shows the same.

use super::Name;
use crate::api::{Content, Hash};

/// The longest name that is computed, in bytes: what every common file system takes.
const COPY_NAME_BYTES_MAX: usize = 255;

/// What stands before and behind a mark's digits.
const MARK_START: &str = " (conflict ";
const MARK_END: &str = ")";

/// How many hexadecimal digits a copy's name carries, in the order tried when a name is taken.
pub const DIGITS: [usize; 4] = [8, 16, 32, 64];

/// `stem (conflict xxxxxxxx).ext` for a version of `name` that holds `content`, with so many digits of its hash.
pub fn copy_name(name: &Name, content: &Content, digits: usize) -> Option<Name> {
    let fits = name.len() <= room(digits)?;
    let hash = if fits { version_hash(content) } else { shortened_hash(name, content) };
    marked(name, hash.to_hex().get(..digits)?)
}

/// The name of a copy that has none with any number of digits: all of these are taken, or belong to another content
/// too, as the digits of a link and of a file that holds just its target do. Each round gives another name.
pub fn last_copy_name(name: &Name, content: &Content, round: u32) -> Option<Name> {
    let said = postcard::to_allocvec(&(content, name, round)).ok()?;
    marked(name, &Hash::from(blake3::hash(&said)).to_hex())
}

/// The plain name of a name that looks like a conflict copy's.
pub fn plain_name(copy: &Name) -> Option<Name> {
    let start = copy.rfind(MARK_START)?;
    let (stem, rest) = copy.split_at_checked(start)?;
    let (digits, extension) = rest.strip_prefix(MARK_START)?.split_once(MARK_END)?;
    let is_hash = DIGITS.contains(&digits.len())
        && digits.bytes().all(|digit| digit.is_ascii_digit() || (b'a'..=b'f').contains(&digit));
    let is_extension = extension.is_empty() || (extension.starts_with('.') && extension.rfind('.') == Some(0));
    if is_hash && is_extension { Name::new([stem, extension].concat()).ok() } else { None }
}

/// What all copies of a name begin with, however much they were shortened.
pub fn common_stem(name: &Name) -> &str {
    truncated(split_extension(name).0, 64)
}

/// The name with these digits in it; what there is no room for is cut off.
fn marked(name: &Name, digits: &str) -> Option<Name> {
    let (stem, extension) = split_extension(name);
    let room = room(digits.len())?;
    let extension = truncated(extension, room / 2);
    let stem = truncated(stem, room.saturating_sub(extension.len()));
    // Names of copies are computed with each comparison of their claim.
    Name::new([stem, MARK_START, digits, MARK_END, extension].concat()).ok()
}

/// How many bytes of a name have room beside a mark with so many digits.
fn room(digits: usize) -> Option<usize> {
    COPY_NAME_BYTES_MAX.checked_sub(MARK_START.len().saturating_add(digits).saturating_add(MARK_END.len()))
}

/// The name up to its last dot, and from it on; a leading dot is no extension.
fn split_extension(name: &Name) -> (&str, &str) {
    match name.rfind('.') {
        Some(dot) if dot > 0 => name.split_at(dot),
        _ => (name.as_str(), ""),
    }
}

fn version_hash(content: &Content) -> Hash {
    match content {
        Content::File { hash, .. } => *hash,
        Content::Symlink { target } => blake3::hash(target).into(),
        Content::Directory => blake3::hash(b"").into(),
    }
}

/// Shortened stems of two long names can be alike, so the whole name goes into the hash.
fn shortened_hash(name: &Name, content: &Content) -> Hash {
    let mut hasher = blake3::Hasher::new();
    hasher.update(version_hash(content).as_bytes());
    hasher.update(name.as_bytes());
    hasher.finalize().into()
}

fn truncated(text: &str, bytes_max: usize) -> &str {
    let mut end = bytes_max.min(text.len());
    while !text.is_char_boundary(end) {
        end = end.saturating_sub(1);
    }
    text.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use alloc::string::String;

    use super::*;

    fn file(byte: u8) -> Content {
        Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }
    }

    fn copy(name: &str) -> String {
        copy_name(&Name::new(name).unwrap(), &file(0xab), 8).unwrap().into()
    }

    #[test]
    fn the_hash_stands_before_the_last_dot() {
        assert_eq!(copy("a.md"), "a (conflict abababab).md");
        assert_eq!(copy("a.tar.gz"), "a.tar (conflict abababab).gz");
        assert_eq!(copy("README"), "README (conflict abababab)");
        assert_eq!(copy(".profile"), ".profile (conflict abababab)");
        assert_eq!(copy("x."), "x (conflict abababab).");
    }

    #[test]
    fn long_names_are_shortened_and_stay_apart() {
        let one = format!("{}1.md", "é".repeat(125));
        let two = format!("{}2.md", "é".repeat(125));
        let (one, two) = (copy(&one), copy(&two));
        assert!(one.len() <= 255 && one.ends_with(").md"), "{one}");
        assert_ne!(one, two);
        assert!(copy(&format!("a.{}", "x".repeat(253))).len() <= 255);
    }

    #[test]
    fn the_plain_name_comes_back() {
        for name in ["a.md", "README", "a.tar.gz", ".profile", "x."] {
            for digits in DIGITS {
                let name = Name::new(name).unwrap();
                let copy = copy_name(&name, &file(1), digits).unwrap();
                assert_eq!(plain_name(&copy), Some(name));
            }
        }
        for name in ["a (conflict 1234).md", "a (conflict ABABABAB).md", "a.md", "(conflict abababab)"] {
            assert_eq!(plain_name(&Name::new(name).unwrap()), None, "{name}");
        }
    }
}

//! From view to disk: what must be done at one path, given what stands there (§8.7).

use super::base::{BaseEntry, Standing};
use super::view::Shown;
use crate::api::Content;

/// The next thing to do at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Nothing.
    Rest,
    /// Nothing on disk, but it stands for other versions now.
    Relabel,
    /// Other permission bits.
    SetMode,
    /// Take away what stands: it is to be gone, or a directory is in the way of a file or the other way round.
    Remove,
    /// Make a directory.
    MakeDirectory,
    /// Put a link, where nothing, a file or another link stands.
    PutLink,
    /// Put a file, likewise.
    PutFile,
}

impl Step {
    /// The step takes something away that others may still have to read or to lie in: it waits until all others are
    /// done.
    pub fn is_late(self, wish: Option<&Shown>) -> bool {
        match self {
            Step::Remove => true,
            Step::SetMode => wish.is_some_and(|wish| wish.content == Content::Directory && wish.mode & OWNER != OWNER),
            _ => false,
        }
    }

    /// What stands there, if anything, is another thing after the step.
    pub fn changes_what_stands(self) -> bool {
        !matches!(self, Step::Rest | Step::Relabel)
    }
}

/// The owner's bits, without which nothing can be made in a directory.
pub const OWNER: u16 = 0o700;

/// Decides what to do at a path.
pub fn step(entry: Option<&BaseEntry>, wish: Option<&Shown>) -> Step {
    let standing = entry.and_then(|entry| entry.standing.as_ref());
    match (standing, wish) {
        (None, None) => Step::Rest,
        (Some(_), None) => Step::Remove,
        (None, Some(wish)) => put(&wish.content),
        (Some(standing), Some(wish)) => change(standing, wish),
    }
}

fn change(standing: &Standing, wish: &Shown) -> Step {
    if standing.is(wish) {
        return Step::Rest;
    }
    if standing.looks_like(wish) {
        return Step::Relabel;
    }
    if standing.content == wish.content {
        return Step::SetMode;
    }
    let is_directory = |content: &Content| *content == Content::Directory;
    match is_directory(&standing.content) == is_directory(&wish.content) {
        true => put(&wish.content),
        false => Step::Remove,
    }
}

fn put(content: &Content) -> Step {
    match content {
        Content::Directory => Step::MakeDirectory,
        Content::Symlink { .. } => Step::PutLink,
        Content::File { .. } => Step::PutFile,
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::api::Hash;
    use crate::log::DotSet;

    fn file(byte: u8) -> Shown {
        shown(Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 }, 0o644)
    }

    fn link() -> Shown {
        shown(Content::Symlink { target: Vec::from(*b"x") }, 0)
    }

    fn directory(mode: u16) -> Shown {
        shown(Content::Directory, mode)
    }

    fn shown(content: Content, mode: u16) -> Shown {
        Shown { content, mode, modified_ns: 0, nodes: Vec::new(), dots: Vec::new() }
    }

    fn standing(wish: &Shown) -> Option<BaseEntry> {
        let standing = Some(Standing::of(wish, DotSet::default()));
        Some(BaseEntry { standing, ..BaseEntry::default() })
    }

    #[test]
    fn every_pair_of_kinds_has_its_step() {
        let executable = Shown { mode: 0o755, ..file(1) };
        let table: [(Option<Shown>, Option<Shown>, Step); 12] = [
            (None, None, Step::Rest),
            (None, Some(file(1)), Step::PutFile),
            (None, Some(link()), Step::PutLink),
            (None, Some(directory(0o755)), Step::MakeDirectory),
            (Some(file(1)), None, Step::Remove),
            (Some(file(1)), Some(file(1)), Step::Rest),
            (Some(file(1)), Some(file(2)), Step::PutFile),
            (Some(file(1)), Some(executable), Step::SetMode),
            (Some(file(1)), Some(link()), Step::PutLink),
            (Some(file(1)), Some(directory(0o755)), Step::Remove),
            (Some(directory(0o755)), Some(file(1)), Step::Remove),
            (Some(directory(0o755)), Some(directory(0o555)), Step::SetMode),
        ];
        for (stands, wish, expected) in table {
            let entry = stands.as_ref().and_then(standing);
            assert_eq!(step(entry.as_ref(), wish.as_ref()), expected, "{stands:?} {wish:?}");
        }
    }

    #[test]
    fn what_others_may_need_goes_last() {
        assert!(Step::Remove.is_late(None));
        assert!(Step::SetMode.is_late(Some(&directory(0o555))));
        assert!(!Step::SetMode.is_late(Some(&directory(0o750))));
        assert!(!Step::PutFile.is_late(Some(&file(1))));
    }
}

//! Trees as literals.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde::Serialize;

/// What stands at a path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub enum Item {
    /// A file.
    File {
        /// What it holds.
        bytes: Vec<u8>,
        /// Permission bits.
        mode: u16,
    },
    /// A symbolic link.
    Symlink {
        /// Where it points.
        target: Vec<u8>,
    },
    /// A directory.
    Directory {
        /// Permission bits.
        mode: u16,
    },
    /// A socket, device or pipe.
    Special,
}

impl Item {
    /// A file's bytes.
    pub fn bytes(&self) -> Option<&[u8]> {
        match self {
            Item::File { bytes, .. } => Some(bytes),
            _ => None,
        }
    }

    /// The same with other permission bits.
    pub fn mode(mut self, bits: u16) -> Item {
        if let Item::File { mode, .. } | Item::Directory { mode } = &mut self {
            *mode = bits;
        }
        self
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Item {
        Item::File { bytes: text.as_bytes().to_vec(), mode: 0o644 }
    }
}

impl From<Vec<u8>> for Item {
    fn from(bytes: Vec<u8>) -> Item {
        Item::File { bytes, mode: 0o644 }
    }
}

/// A directory in a literal.
pub fn directory() -> Item {
    Item::Directory { mode: 0o755 }
}

/// A symbolic link in a literal.
pub fn symlink(target: &str) -> Item {
    Item::Symlink { target: target.as_bytes().to_vec() }
}

/// A whole folder: what stands at each path.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Tree {
    items: BTreeMap<String, Item>,
}

/// A folder as a literal; directories above an item need not be named.
pub fn tree<T: Into<Item>, const N: usize>(items: [(&str, T); N]) -> Tree {
    let mut tree = Tree::default();
    for (path, item) in items {
        tree.insert(path, item.into());
    }
    tree
}

impl Tree {
    /// Adds an item, and the directories above it.
    pub fn insert(&mut self, path: &str, item: Item) {
        let mut above = path;
        while let Some((parent, _)) = above.rsplit_once('/') {
            if !self.items.contains_key(parent) {
                self.items.insert(parent.into(), directory());
            }
            above = parent;
        }
        self.items.insert(path.into(), item);
    }

    /// Adds an item whose directory is there.
    pub(crate) fn insert_below(&mut self, path: String, item: Item) {
        self.items.insert(path, item);
    }

    /// This folder with one more item.
    pub fn with(mut self, path: &str, item: impl Into<Item>) -> Tree {
        self.insert(path, item.into());
        self
    }

    /// This folder without an item and what lies in it.
    pub fn without(mut self, path: &str) -> Tree {
        let below = format!("{path}/");
        self.items.retain(|other, _| other != path && !other.starts_with(&below));
        self
    }

    /// This folder as a file system without permission bits shows it.
    pub fn without_modes(self) -> Tree {
        Tree { items: self.items.into_iter().map(|(path, item)| (path, item.mode(0))).collect() }
    }

    /// Paths and what stands there, parents first.
    pub fn items(&self) -> impl Iterator<Item = (&str, &Item)> {
        self.items.iter().map(|(path, item)| (path.as_str(), item))
    }

    /// What stands at a path.
    pub fn at(&self, path: &str) -> Option<&Item> {
        self.items.get(path)
    }

    /// The bytes of every file.
    pub fn contents(&self) -> Vec<&[u8]> {
        let files = self.items.values().filter_map(|item| match item {
            Item::File { bytes, .. } => Some(bytes.as_slice()),
            _ => None,
        });
        files.collect()
    }

    /// The paths of the conflict copies.
    pub fn copies(&self) -> Vec<&str> {
        self.items.keys().map(String::as_str).filter(|path| path.contains(" (conflict ")).collect()
    }

    /// The directories in which something differs from another folder.
    pub fn changed_directories(&self, other: &Tree) -> Vec<String> {
        let changed = |one: &Tree, two: &Tree| -> Vec<String> {
            let differing = one.items.iter().filter(|(path, item)| two.items.get(*path) != Some(item));
            differing.map(|(path, _)| path.rsplit_once('/').map_or("", |(parent, _)| parent).to_string()).collect()
        };
        let all: BTreeSet<String> = changed(self, other).into_iter().chain(changed(other, self)).collect();
        all.into_iter().collect()
    }

    /// The paths at which another folder differs.
    pub fn differences(&self, other: &Tree) -> BTreeSet<String> {
        let paths = self.items.keys().chain(other.items.keys());
        paths.filter(|path| self.items.get(*path) != other.items.get(*path)).cloned().collect()
    }

    /// How many items there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }

    /// Nothing stands there.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }
}

impl fmt::Debug for Tree {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (path, item) in &self.items {
            match item {
                Item::File { bytes, mode } if bytes.len() <= 64 => {
                    writeln!(f, "  {mode:03o} {path:?} = {:?}", String::from_utf8_lossy(bytes))?;
                }
                Item::File { bytes, mode } => writeln!(f, "  {mode:03o} {path:?} = {} bytes", bytes.len())?,
                Item::Symlink { target } => writeln!(f, "      {path:?} -> {:?}", String::from_utf8_lossy(target))?,
                Item::Directory { mode } => writeln!(f, "  {mode:03o} {path:?}/")?,
                Item::Special => writeln!(f, "      {path:?} special")?,
            }
        }
        Ok(())
    }
}

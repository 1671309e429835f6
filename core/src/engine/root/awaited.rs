//! Bytes that a path is to hold as soon as it can: the last file that has them here stays until then, though every version
//! that it stands for may be dead.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};

use super::Root;
use super::projection::ReadyChange;
use crate::api::Content;
use crate::tree::view::{self, Shown};
use crate::tree::{Name, path};

/// The files that cannot be begun yet.
#[derive(Default)]
pub struct Awaited {
    /// By their paths: the plain names whose claims decide about them, and what they are to hold.
    by_path: BTreeMap<String, (Name, Content)>,
    by_content: BTreeSet<(Content, String)>,
}

impl Awaited {
    fn insert(&mut self, path: &str, plain: Name, content: Content) {
        self.remove(path);
        self.by_content.insert((content.clone(), path.to_string()));
        self.by_path.insert(path.to_string(), (plain, content));
    }

    /// False if nothing was put off there.
    fn remove(&mut self, path: &str) -> bool {
        let Some((_, content)) = self.by_path.remove(path) else { return false };
        self.by_content.remove(&(content, path.to_string()))
    }

    /// The paths that are to hold a content, and the plain names whose claims decide about them.
    fn of(&self, content: &Content) -> impl Iterator<Item = (&String, &Name)> {
        let paths = self.by_content.range((content.clone(), String::new())..);
        let paths = paths.take_while(move |(other, _)| other == content).map(|(_, path)| path);
        paths.filter_map(|path| Some((path, &self.by_path.get(path)?.0)))
    }
}

impl Root {
    /// A file is wanted at a path and cannot be begun now; or nothing is put off there any more, and what was kept for it
    /// may go.
    pub(super) fn note_awaited(&mut self, path: &str, plain: &Name, wish: Option<&Shown>) {
        match wish {
            Some(wish) => self.projection.awaited.insert(path, plain.clone(), wish.content.clone()),
            None if self.projection.awaited.remove(path) => self.projection.reconsider_kept(),
            None => {}
        }
    }

    /// This file has the only bytes here that another path awaits.
    pub(super) fn is_awaited(&self, path: &str, content: &Content) -> bool {
        let mut others = self.projection.awaited.of(content).filter(|(other, _)| *other != path);
        others.any(|(other, plain)| self.still_awaits(other, plain, content))
            && !self.base.showing(content).any(|other| other != path && !self.busy.contains(other))
    }

    /// The view wants a content at a path, and no change that brings it there is ready or under way.
    fn still_awaits(&self, path: &str, plain: &Name, content: &Content) -> bool {
        let Some((directory, name)) = path::split(path) else { return false };
        let has_intent = self.base.entry(directory, &name).is_some_and(|entry| entry.intent.is_some());
        let is_ready = |change: &ReadyChange| change.directory == directory && change.name == name;
        if has_intent || self.projection.ready.iter().any(is_ready) {
            return false;
        }
        let parents = view::directories_at(&self.merged, directory);
        let entries = view::entries(&self.merged, &parents, plain);
        entries.iter().any(|entry| entry.name == name && entry.shown.content == *content)
    }
}

#[cfg(test)]
mod tests {
    use alloc::vec::Vec;

    use super::*;
    use crate::api::Hash;

    #[test]
    fn what_is_awaited_is_found_by_its_content_until_it_is_not() {
        let content = |byte| Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 };
        let name = |text: &str| Name::new(text).unwrap();
        let mut awaited = Awaited::default();
        awaited.insert("d/a", name("a"), content(1));
        awaited.insert("d/b", name("b"), content(1));
        awaited.insert("d/b", name("b"), content(2));
        let paths =
            |awaited: &Awaited, byte| awaited.of(&content(byte)).map(|(path, _)| path.clone()).collect::<Vec<_>>();
        assert_eq!((paths(&awaited, 1), paths(&awaited, 2)), (alloc::vec!["d/a".into()], alloc::vec!["d/b".into()]));
        assert!(awaited.remove("d/a") && !awaited.remove("d/a"));
        assert!(paths(&awaited, 1).is_empty() && awaited.by_content.len() == 1);
    }
}

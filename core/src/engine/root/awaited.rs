//! Bytes that a path is to hold as soon as it can: the last file that has them here stays until then, though every version
//! that it stands for may be dead.

use alloc::collections::BTreeMap;
use alloc::string::{String, ToString};

use super::Root;
use super::project::ReadyChange;
use crate::api::Content;
use crate::tree::view::{self, Shown};
use crate::tree::{Name, path};

/// The paths of files that cannot be begun yet, and the plain names whose claims decide about them.
#[derive(Default)]
pub struct Awaited(BTreeMap<String, (Name, Content)>);

impl Root {
    /// A file is wanted at a path and cannot be begun now; or nothing is put off there any more, and what was kept for it
    /// may go.
    pub(super) fn note_awaited(&mut self, path: &str, plain: &Name, wish: Option<&Shown>) {
        let awaited = &mut self.projection.awaited.0;
        match wish {
            Some(wish) => drop(awaited.insert(path.to_string(), (plain.clone(), wish.content.clone()))),
            None if !awaited.is_empty() && awaited.remove(path).is_some() => self.projection.reconsider_kept(),
            None => {}
        }
    }

    /// This file has the only bytes here that another path awaits.
    pub(super) fn is_awaited(&self, path: &str, content: &Content) -> bool {
        let awaits = |(other, (plain, awaited)): (&String, &(Name, Content))| {
            other != path && awaited == content && self.still_awaits(other, plain, content)
        };
        self.projection.awaited.0.iter().any(awaits)
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

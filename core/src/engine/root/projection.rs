//! Which names may differ from what the view has, and what becomes of them: what [`project`](super::project) works off.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::PathQueue;
use super::awaited::Awaited;
use crate::api::Put;
use crate::tree::view::Shown;
use crate::tree::{Name, conflict, path};

/// Names whose view may differ from what stands.
#[derive(Default)]
pub struct Projection {
    /// Claims to compare: a directory's path and a name in it.
    pub(super) dirty: BTreeSet<(String, Name)>,
    /// Claims whose next step takes something away: their turn comes when nothing else is left to do.
    pub(super) late: BTreeSet<(String, Name)>,
    /// Conflict copies that are not as they should be yet, and the plain names whose claims decide about them: nothing
    /// else may tell where a copy belongs that does not stand.
    pub(super) copies: BTreeMap<String, Name>,
    /// Names at which the last copy of a version stands that belongs elsewhere now.
    pub(super) kept: BTreeSet<(String, Name)>,
    /// Files that are wanted and cannot be begun yet.
    pub(super) awaited: Awaited,
    /// Files in the way of directories, and where beside them they step aside to: until they are gone, what they hold does
    /// not go from there.
    pub(super) making_way: BTreeMap<String, String>,
    /// Directories of which every claim is to be compared.
    pub(super) sweeps: PathQueue,
    /// Changes that can be made as soon as their intents are saved.
    pub(super) ready: Vec<ReadyChange>,
    /// Batches of changes under way.
    pub(super) commits: usize,
}

/// A change of the disk that only waits for its intent to be saved.
pub struct ReadyChange {
    /// The directory.
    pub directory: String,
    /// The name in it.
    pub name: Name,
    /// The plain name, for a conflict copy.
    pub conflict_of: Option<Name>,
    /// What is to stand there; none for nothing.
    pub wish: Option<Shown>,
    /// How it comes there.
    pub put: Put,
    /// The manifest of a fetched file, to keep.
    pub manifest: Vec<u8>,
    /// This is only a place beside the one where it is to stand in the end.
    pub is_aside: bool,
    /// Where it was to be put at first and stepped aside from: nothing else is done there until it stands beside it.
    pub also_busy: Option<String>,
}

impl Projection {
    /// Compares a claim; for the name of a conflict copy also the claim that it belongs to.
    pub fn mark(&mut self, directory: &str, name: &Name) {
        if !self.copies.is_empty()
            && let Some(plain) = self.copies.get(&path::join(directory, name))
        {
            self.dirty.insert((directory.to_string(), plain.clone()));
        }
        self.dirty.insert((directory.to_string(), name.clone()));
    }

    /// Something ended: what was kept may go now.
    pub fn reconsider_kept(&mut self) {
        self.dirty.append(&mut self.kept);
    }

    /// Takes note of what becomes of a conflict copy.
    pub(super) fn note_copy(&mut self, path: &str, plain: Option<&Name>, rests: bool) {
        match plain {
            Some(plain) if !rests => drop(self.copies.insert(path.to_string(), plain.clone())),
            _ => drop(self.copies.remove(path)),
        }
    }

    /// Compares all claims of a directory.
    pub fn sweep(&mut self, directory: String) {
        self.sweeps.push(directory);
    }

    /// The conflict copies of a name that are not as they should be yet.
    pub(super) fn copies_of(&self, directory: &str, plain: &Name) -> Vec<Name> {
        if self.copies.is_empty() {
            return Vec::new();
        }
        let stem = path::join(directory, conflict::common_stem(plain));
        let paths = self.copies.range(stem.clone()..).take_while(|(path, _)| path.starts_with(&stem));
        let own =
            paths.filter(|(path, of)| *of == plain && path::split(path).is_some_and(|(parent, _)| parent == directory));
        own.filter_map(|(path, _)| Some(path::split(path)?.1)).collect()
    }

    /// Claims can be compared without any event from outside.
    pub fn wants_turn(&self) -> bool {
        !self.dirty.is_empty() || !self.sweeps.is_empty()
    }

    /// Nothing is left to compare or to change.
    pub fn is_idle(&self) -> bool {
        !self.wants_turn() && self.late.is_empty() && self.ready.is_empty() && self.commits == 0
    }
}

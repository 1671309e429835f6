//! What was last known to stand on this disk, path by path.

use alloc::boxed::Box;
use alloc::collections::{BTreeMap, BTreeSet};
use alloc::string::{String, ToString};
use alloc::vec::Vec;
use core::ops::Bound;

use serde::{Deserialize, Serialize};

use super::merged::NodeId;
use super::path::join;
use super::view::Shown;
use super::{Name, conflict};
use crate::api::{Content, Hash, Stat, UnixMs};
use crate::log::{Dot, DotSet};
use crate::planted::{Planted, planted};

/// What stands at a path and what it means.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Standing {
    /// The content.
    pub content: Content,
    /// Permission bits; 0 for links.
    pub mode: u16,
    /// The nodes it stands for, the one that local changes go to first.
    pub nodes: Vec<NodeId>,
    /// The versions it shows, sorted.
    pub dots: Vec<Dot>,
    /// Those and everything that they replace: the past of a version made here (§8.2).
    pub shown: DotSet,
}

impl Standing {
    /// What stands after the view's wish was carried out; `shown` is the closure of its versions.
    pub fn of(wish: &Shown, shown: DotSet) -> Self {
        Self {
            content: wish.content.clone(),
            mode: wish.mode,
            nodes: wish.nodes.clone(),
            dots: wish.dots.clone(),
            shown,
        }
    }

    /// It is this already: nothing on disk would change.
    pub fn looks_like(&self, wish: &Shown) -> bool {
        self.content == wish.content && (self.mode == wish.mode || planted(Planted::ModeNotCarriedOut))
    }

    /// It is this already, and stands for the same versions.
    pub fn is(&self, wish: &Shown) -> bool {
        self.looks_like(wish) && self.dots == wish.dots && self.nodes == wish.nodes
    }
}

/// What is known of one path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BaseEntry {
    /// What was last known to stand there.
    pub standing: Option<Standing>,
    /// Its metadata then; none if a look must decide.
    pub stat: Option<Stat>,
    /// The plain name, for a conflict copy.
    pub conflict_of: Option<Name>,
    /// Until then the first write supersedes nothing: an editor may still have the version open that stood here
    /// before an unrelated one took the path (§8.4).
    pub grace_until: Option<UnixMs>,
    /// A directory that the group deleted and that stays for entries which are not kept; not absorbed (§8.6).
    pub retained: bool,
    /// What a change under way puts here; saved under a key of its own before the change is made, and in doubt as soon as
    /// nobody knows whether it was.
    #[serde(skip)]
    pub intent: Option<Box<Intent>>,
}

impl BaseEntry {
    /// Nothing stands there but a directory that the group deleted.
    pub fn is_only_retained(&self) -> bool {
        self.retained && self.standing.is_none()
    }

    fn is_empty(&self) -> bool {
        self.standing.is_none() && self.intent.is_none() && !self.retained
    }
}

/// A change of a path that may or may not have been made when the engine starts again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intent {
    /// What stands there when it was made; none if it removes.
    pub standing: Option<Standing>,
    /// The plain name, for a conflict copy.
    pub conflict_of: Option<Name>,
}

/// How much stands.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Totals {
    /// Regular files.
    pub files: u64,
    /// Directories.
    pub directories: u64,
    /// Symbolic links.
    pub symlinks: u64,
    /// Bytes of the files.
    pub bytes: u64,
    /// Conflict copies among all of them.
    pub conflicts: u64,
}

/// The base of one root.
#[derive(Debug, Default)]
pub struct Base {
    directories: BTreeMap<String, BTreeMap<Name, BaseEntry>>,
    /// The paths of each content; of links, by a hash of the target that is no file's.
    contents: BTreeSet<(Hash, String)>,
    /// Likewise the paths that changes under way bring each content to.
    intended: BTreeSet<(Hash, String)>,
    totals: Totals,
}

impl Base {
    /// Replaces what is known of a path.
    pub fn set(&mut self, directory: &str, name: &Name, entry: BaseEntry) {
        if let Some(old) = self.remove(directory, name) {
            self.count(directory, name, &old, false);
        }
        if entry.is_empty() {
            return;
        }
        self.count(directory, name, &entry, true);
        match self.directories.get_mut(directory) {
            Some(names) => names.insert(name.clone(), entry),
            None => self.directories.entry(directory.to_string()).or_default().insert(name.clone(), entry),
        };
    }

    /// Sets or clears what a change under way puts at a path.
    pub fn set_intent(&mut self, directory: &str, name: &Name, intent: Option<Intent>) {
        let mut entry = self.entry(directory, name).cloned().unwrap_or_default();
        entry.intent = intent.map(Box::new);
        self.set(directory, name, entry);
    }

    /// What is known of a path.
    pub fn entry(&self, directory: &str, name: &str) -> Option<&BaseEntry> {
        self.directories.get(directory)?.get(name)
    }

    /// What stands at a path.
    pub fn standing(&self, directory: &str, name: &str) -> Option<&Standing> {
        self.entry(directory, name)?.standing.as_ref()
    }

    /// The entries of a directory, by name.
    pub fn children(&self, directory: &str) -> impl Iterator<Item = (&Name, &BaseEntry)> {
        self.directories.get(directory).into_iter().flatten()
    }

    /// The entries of a directory behind a name, up to and including another; from the start or to the end where there
    /// is none. Those whose directory is only retained are among them.
    pub fn children_between(&self, directory: &str, after: Option<&str>, last: Option<&str>) -> Vec<Name> {
        let lower = after.map_or(Bound::Unbounded, Bound::Excluded);
        let upper = last.map_or(Bound::Unbounded, Bound::Included);
        if let (Some(after), Some(last)) = (after, last)
            && after >= last
        {
            return Vec::new();
        }
        let names = self.directories.get(directory).into_iter().flat_map(|names| names.range::<str, _>((lower, upper)));
        names.filter(|(_, entry)| entry.standing.is_some() || entry.retained).map(|(name, _)| name.clone()).collect()
    }

    /// Nothing stands in a directory.
    pub fn is_empty(&self, directory: &str) -> bool {
        self.children(directory).all(|(_, entry)| entry.standing.is_none())
    }

    /// How much stands below the root.
    pub fn totals(&self) -> Totals {
        self.totals
    }

    /// The paths of the conflict copies of a name.
    pub fn copies_of(&self, directory: &str, plain: &Name) -> Vec<Name> {
        if self.totals.conflicts == 0 {
            return Vec::new();
        }
        let is_copy = |entry: &BaseEntry| {
            entry.conflict_of.as_ref() == Some(plain)
                || entry.intent.as_ref().is_some_and(|intent| intent.conflict_of.as_ref() == Some(plain))
        };
        let stem = conflict::common_stem(plain);
        let names = self
            .directories
            .get(directory)
            .into_iter()
            .flat_map(|names| names.range::<str, _>((Bound::Included(stem), Bound::Unbounded)));
        names
            .take_while(|(name, _)| name.starts_with(stem))
            .filter(|(_, entry)| is_copy(entry))
            .map(|(name, _)| name.clone())
            .collect()
    }

    /// Paths of files with this content.
    pub fn holders(&self, content: &Hash) -> impl Iterator<Item = &String> {
        self.holders_of(*content)
    }

    /// Paths where a file or link with this content stands.
    pub fn showing(&self, content: &Content) -> impl Iterator<Item = &String> {
        content_key(content).into_iter().flat_map(|key| self.holders_of(key))
    }

    /// Paths to which a change under way brings a file or link with this content.
    pub fn intending(&self, content: &Content) -> impl Iterator<Item = &String> {
        content_key(content).into_iter().flat_map(|key| paths_of(&self.intended, key))
    }

    /// Paths to which a change under way brings a file or link, and where nothing stands: no listing misses them.
    pub fn intended_anew(&self) -> Vec<String> {
        let stands = |path: &str| {
            let (directory, name) = super::path::split(path)?;
            self.standing(directory, &name)
        };
        self.intended.iter().map(|(_, path)| path).filter(|path| stands(path).is_none()).cloned().collect()
    }

    /// All paths below a directory at which something stands or is retained, children before their directories.
    pub fn below(&self, directory: &str) -> Vec<String> {
        let mut found = Vec::new();
        let mut queue = alloc::vec![directory.to_string()];
        while let Some(directory) = queue.pop() {
            for (name, entry) in self.children(&directory) {
                let content = entry.standing.as_ref().map(|standing| &standing.content);
                if content.is_none() && !entry.retained {
                    continue;
                }
                let path = join(&directory, name);
                if content.is_none_or(|content| *content == Content::Directory) {
                    queue.push(path.clone());
                }
                found.push(path);
            }
        }
        found.reverse();
        found
    }

    fn holders_of(&self, key: Hash) -> impl Iterator<Item = &String> {
        paths_of(&self.contents, key)
    }

    fn remove(&mut self, directory: &str, name: &Name) -> Option<BaseEntry> {
        let names = self.directories.get_mut(directory)?;
        let old = names.remove(name);
        if names.is_empty() {
            self.directories.remove(directory);
        }
        old
    }

    fn count(&mut self, directory: &str, name: &Name, entry: &BaseEntry, add: bool) {
        let path = || join(directory, name);
        let intended = entry.intent.as_ref().and_then(|intent| intent.standing.as_ref());
        index(&mut self.intended, intended, path, add);
        index(&mut self.contents, entry.standing.as_ref(), path, add);
        let Some(standing) = &entry.standing else { return };
        let totals = &mut self.totals;
        let count = |number: &mut u64, amount: u64| {
            *number = if add { number.saturating_add(amount) } else { number.saturating_sub(amount) };
        };
        count(&mut totals.conflicts, u64::from(entry.conflict_of.is_some()));
        match &standing.content {
            Content::Directory => count(&mut totals.directories, 1),
            Content::Symlink { .. } => count(&mut totals.symlinks, 1),
            Content::File { size, .. } => {
                count(&mut totals.files, 1);
                count(&mut totals.bytes, *size);
            }
        }
    }
}

/// Adds what stands at a path to an index by content, or takes it out.
fn index(index: &mut BTreeSet<(Hash, String)>, standing: Option<&Standing>, path: impl FnOnce() -> String, add: bool) {
    let Some(key) = standing.and_then(|standing| content_key(&standing.content)) else { return };
    if add {
        index.insert((key, path()));
    } else {
        index.remove(&(key, path()));
    }
}

fn paths_of(index: &BTreeSet<(Hash, String)>, key: Hash) -> impl Iterator<Item = &String> {
    let from = index.range((key, String::new())..);
    from.take_while(move |(hash, _)| *hash == key).map(|(_, path)| path)
}

fn content_key(content: &Content) -> Option<Hash> {
    match content {
        Content::File { hash, .. } => Some(*hash),
        Content::Symlink { target } => Some(Hash::from_bytes(blake3::derive_key("syncline base link target", target))),
        Content::Directory => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::api::ReplicaId;
    use crate::tree::path::split;

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    fn paths() -> Vec<&'static str> {
        Vec::from([
            "a",
            "a (conflict 01010101)",
            "a.md",
            "b",
            "d",
            "d/a",
            "d/a (conflict 01010101)",
            "d/d",
            "d/d/a",
            "da",
        ])
    }

    fn entry() -> impl Strategy<Value = BaseEntry> {
        let content = prop_oneof![
            3 => (0..2u8, 0..3u64).prop_map(|(byte, size)| Content::File { hash: Hash::from_bytes([byte; 32]), size }),
            1 => Just(Content::Symlink { target: b"x".to_vec() }),
            2 => Just(Content::Directory),
        ];
        let plain = || prop::option::of(prop::sample::select(Vec::from([name("a"), name("a.md")])));
        let standing = prop::option::weighted(
            0.8,
            content.prop_map(|content| {
                let dot = Dot::new(ReplicaId::from_bytes([1; 16]), 1, 0);
                Standing { content, mode: 0, nodes: Vec::from([dot]), dots: Vec::from([dot]), shown: DotSet::from(dot) }
            }),
        );
        (standing, plain(), any::<bool>()).prop_map(|(standing, conflict_of, retained)| BaseEntry {
            standing,
            conflict_of,
            retained,
            ..BaseEntry::default()
        })
    }

    #[test]
    fn what_changes_under_way_bring_is_found_until_they_end() {
        let dot = Dot::new(ReplicaId::from_bytes([1; 16]), 1, 0);
        let standing = |byte| Standing {
            content: Content::File { hash: Hash::from_bytes([byte; 32]), size: 1 },
            mode: 0,
            nodes: Vec::from([dot]),
            dots: Vec::from([dot]),
            shown: DotSet::from(dot),
        };
        let intent = |byte| Some(Intent { standing: Some(standing(byte)), conflict_of: None });
        let mut base = Base::default();
        base.set("d", &name("stands"), BaseEntry { standing: Some(standing(1)), ..BaseEntry::default() });
        base.set_intent("d", &name("stands"), intent(2));
        base.set_intent("d", &name("new"), intent(2));
        base.set_intent("d", &name("goes"), Some(Intent { standing: None, conflict_of: None }));
        let paths = |base: &Base, byte| base.intending(&standing(byte).content).cloned().collect::<Vec<_>>();
        assert_eq!(paths(&base, 2), ["d/new", "d/stands"]);
        assert_eq!(paths(&base, 1), [""; 0]);
        assert_eq!(base.intended_anew(), ["d/new"]);
        base.set_intent("d", &name("new"), None);
        base.set_intent("d", &name("stands"), intent(3));
        assert_eq!((paths(&base, 2), paths(&base, 3)), (Vec::new(), Vec::from(["d/stands".to_string()])));
        assert_eq!(base.holders(&Hash::from_bytes([1; 32])).collect::<Vec<_>>(), ["d/stands"]);
    }

    proptest! {
        #[test]
        fn base_agrees_with_a_plain_map(
            acts in prop::collection::vec((prop::sample::select(paths()), entry(), any::<bool>()), 1..24),
            bounds in (prop::sample::select(Vec::from(["a", "b", "d"])), prop::sample::select(Vec::from(["a", "b", "d"]))),
        ) {
            let mut base = Base::default();
            let mut model: BTreeMap<String, BaseEntry> = BTreeMap::new();
            for (path, entry, forget) in acts {
                let (directory, own) = split(path).unwrap();
                let entry = if forget { BaseEntry::default() } else { entry };
                base.set(directory, &own, entry.clone());
                model.remove(path);
                if entry.standing.is_some() || entry.retained {
                    model.insert(path.into(), entry);
                }
            }
            let standing: Vec<(&String, &BaseEntry, &Standing)> =
                model.iter().filter_map(|(path, entry)| Some((path, entry, entry.standing.as_ref()?))).collect();
            for path in paths() {
                let (directory, own) = split(path).unwrap();
                prop_assert_eq!(base.entry(directory, &own), model.get(path));
            }

            let mut totals = Totals::default();
            for (_, entry, standing) in &standing {
                totals.conflicts += u64::from(entry.conflict_of.is_some());
                match &standing.content {
                    Content::File { size, .. } => { totals.files += 1; totals.bytes += size; }
                    Content::Symlink { .. } => totals.symlinks += 1,
                    Content::Directory => totals.directories += 1,
                }
            }
            prop_assert_eq!(base.totals(), totals);

            for byte in 0..2 {
                let hash = Hash::from_bytes([byte; 32]);
                let holds = |standing: &Standing| matches!(standing.content, Content::File { hash: own, .. } if own == hash);
                let expected: Vec<&String> =
                    standing.iter().filter(|(.., standing)| holds(standing)).map(|(path, ..)| *path).collect();
                prop_assert_eq!(base.holders(&hash).collect::<Vec<_>>(), expected);
            }
            // What is reached through directories that stand or are retained, each before the directory that it lies in.
            let below = base.below("");
            let is_directory = |path: &str| {
                let entry = model.get(path);
                let is_other = |standing: &Standing| standing.content != Content::Directory;
                entry.is_some_and(|entry| !entry.standing.as_ref().is_some_and(is_other))
            };
            let is_reached = |path: &str| path.match_indices('/').all(|(at, _)| is_directory(&path[..at]));
            let reached = model.keys().filter(|path| is_reached(path)).cloned();
            prop_assert_eq!(below.iter().cloned().collect::<BTreeSet<_>>(), reached.collect::<BTreeSet<_>>());
            for (at, path) in below.iter().enumerate() {
                let (above, _) = split(path).unwrap();
                prop_assert!(!below[..at].iter().any(|earlier| earlier == above), "{:?}", below);
            }
            for directory in ["", "d", "d/d"] {
                let own: Vec<(Name, &BaseEntry)> = standing
                    .iter()
                    .filter_map(|(path, entry, _)| split(path).filter(|(above, _)| *above == directory).map(|(_, name)| (name, *entry)))
                    .collect();
                prop_assert_eq!(base.is_empty(directory), own.is_empty());
                let (after, last) = bounds;
                let known = model.keys().filter_map(|path| split(path)).filter(|(above, _)| *above == directory);
                let known: Vec<Name> = known.map(|(_, name)| name).collect();
                let between = known.iter().filter(|name| name.as_str() > after && name.as_str() <= last).cloned();
                prop_assert_eq!(base.children_between(directory, Some(after), Some(last)), between.collect::<Vec<_>>());
                prop_assert_eq!(base.children_between(directory, None, None).len(), known.len());
                for plain in [name("a"), name("a.md")] {
                    let copies = own.iter().filter(|(_, entry)| entry.conflict_of.as_ref() == Some(&plain));
                    let copies: Vec<Name> = copies.map(|(name, _)| name.clone()).filter(|name| name.starts_with('a')).collect();
                    let found = base.copies_of(directory, &plain);
                    prop_assert!(copies.iter().all(|copy| found.contains(copy)), "{:?} of {:?}", copies, found);
                }
            }
        }
    }
}

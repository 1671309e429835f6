//! A device in a nutshell: the three trees of one root and a disk that is as simple as can be. It absorbs and projects
//! path by path with the engine's own decisions; what the engine adds (looks, fetches, saves) happens at once here.

use super::*;
use crate::engine::limits::GRACE_MS;
use crate::tree::absorb::{Found, Meaning, meaning};
use crate::tree::base::{Base, BaseEntry, Standing};
use crate::tree::project::{OWNER, Step, step};
use crate::tree::view::ViewEntry;

/// What stands at a path: content and permission bits.
type Disk = BTreeMap<String, (Content, u16)>;

pub(super) struct Device {
    author: ReplicaId,
    pub now: UnixMs,
    pub merged: Merged,
    pub base: Base,
    pub disk: Disk,
    /// Every change held, as it came.
    pub held: Vec<Placed>,
    lamport: u64,
    /// Changes written here.
    pub written: u64,
}

impl Device {
    pub fn new(number: u8) -> Device {
        Device {
            author: replica_id(number),
            now: UnixMs(1_000),
            merged: Merged::default(),
            base: Base::default(),
            disk: Disk::new(),
            held: Vec::new(),
            lamport: 0,
            written: 0,
        }
    }

    /// Takes changes of others, in any order.
    pub fn receive(&mut self, changes: impl IntoIterator<Item = (u64, Placed)>) {
        for (lamport, change) in changes {
            if !self.held.contains(&change) {
                self.merged.apply(change.0, &change.1);
                self.lamport = self.lamport.max(lamport);
                self.held.push(change);
            }
        }
    }

    /// All that is held, each with a lamport that is at least its own.
    pub fn sent(&self) -> Vec<(u64, Placed)> {
        self.held.iter().map(|change| (self.lamport, change.clone())).collect()
    }

    fn publish(&mut self, change: Change) -> Dot {
        self.lamport += 1;
        self.written += 1;
        let dot = Dot::new(self.author, self.written, 0);
        let order = ChangeOrder::new(self.lamport, self.now, dot);
        self.merged.apply(order, &change);
        self.held.push((order, change));
        dot
    }

    /// Takes everything that differs between disk and base: what is gone first, contents before directories.
    pub fn absorb(&mut self) {
        for path in self.base.below("") {
            if !self.disk.contains_key(&path) {
                self.look(&path, None);
            }
        }
        for (path, (content, mode)) in self.disk.clone() {
            self.look(&path, Some(Found { content, mode }));
        }
    }

    /// What one path means, written down. Checks that it kills what it may kill and nothing else.
    fn look(&mut self, path: &str, found: Option<Found>) {
        let (directory, name) = path::split(path).unwrap();
        let view = self.claim_view(directory, &name);
        let old = self.base.entry(directory, &name).cloned().unwrap_or_default();
        let entry = self.base.entry(directory, &name);
        let meaning =
            meaning(&self.merged, entry, &view, &name, found.as_ref(), |author| author == self.author, self.now);
        let expected = self.to_be_killed(&name, &old, &view, &meaning);
        let before = self.live();

        let mut next = old.clone();
        next.grace_until = old.grace_until.filter(|_| matches!(meaning, Meaning::Known(_)));
        if matches!(meaning, Meaning::Adopted(_)) {
            let shown = view.iter().find(|entry| entry.name == name);
            next.conflict_of = shown.and_then(|entry| entry.conflict_of.clone());
        }
        let (dot, standing) = self.write(directory, &name, &old, meaning, found);
        next.standing = standing;
        self.base.set(directory, &name, next);

        let after = self.live();
        assert_eq!(before.difference(&after).copied().collect::<BTreeSet<_>>(), expected, "by a look at `{path}`");
        assert_eq!(
            after.difference(&before).copied().collect::<Vec<_>>(),
            Vec::from_iter(dot),
            "by a look at `{path}`"
        );
    }

    /// The live versions that a look may kill: those that base shows and their twins; none within the grace.
    fn to_be_killed(&self, name: &Name, old: &BaseEntry, view: &[ViewEntry], meaning: &Meaning) -> BTreeSet<Dot> {
        let in_grace = old.grace_until.is_some_and(|until| self.now < until);
        let kills = match meaning {
            Meaning::Edited { .. } => !in_grace,
            Meaning::Deleted { .. } => true,
            _ => false,
        };
        let Some(standing) = old.standing.as_ref().filter(|_| kills) else { return BTreeSet::new() };
        let twins = view.iter().filter(|entry| entry.name == *name && entry.shown.content == standing.content);
        let by_others = twins.flat_map(|entry| &entry.shown.dots).filter(|dot| dot.author != self.author);
        let shown = standing.dots.iter().chain(by_others).copied();
        shown.filter(|dot| self.merged.is_live(dot)).collect()
    }

    /// The version that it makes, if any, and what stands then.
    fn write(
        &mut self,
        directory: &str,
        name: &Name,
        old: &BaseEntry,
        meaning: Meaning,
        found: Option<Found>,
    ) -> (Option<Dot>, Option<Standing>) {
        let old_mode = old.standing.as_ref().map(|standing| standing.mode);
        match (meaning, found) {
            (Meaning::Known(standing), Some(found)) => (None, Some(self.with_mode(standing, &found))),
            (Meaning::Adopted(standing), _) => (None, Some(standing)),
            (Meaning::Born, Some(found)) => {
                let parent = path::split(directory).map(|(above, own)| {
                    self.base.standing(above, &own).expect("a directory is known before what lies in it").nodes[0]
                });
                let (content, mode) = (found.content.clone(), found.mode);
                let (name, past) = (name.clone(), DotSet::default());
                let dot = self.publish(Change::Birth { parent, name, past, content, mode, modified_ns: 0 });
                (Some(dot), Some(made_standing(&found, mode, dot, dot, DotSet::default())))
            }
            (Meaning::Edited { node, past }, Some(found)) => {
                let body = Body::Content(found.content.clone());
                let dot = self.publish(Change::Version { node, past: past.clone(), body, modified_ns: 0 });
                let standing = made_standing(&found, old_mode.unwrap_or(found.mode), node, dot, past);
                (Some(dot), Some(self.with_mode(standing, &found)))
            }
            (Meaning::Deleted { node, past }, _) => {
                (Some(self.publish(Change::Version { node, past, body: Body::Deleted, modified_ns: 0 })), None)
            }
            _ => (None, None),
        }
    }

    fn with_mode(&mut self, standing: Standing, found: &Found) -> Standing {
        let is_link = matches!(found.content, Content::Symlink { .. });
        if !is_link && standing.mode != found.mode {
            self.publish(Change::Mode { node: standing.nodes[0], mode: found.mode });
        }
        Standing { mode: found.mode, ..standing }
    }

    /// The entries of the claim that a path belongs to: of its plain name, if it is a conflict copy.
    fn claim_view(&self, directory: &str, name: &Name) -> Vec<ViewEntry> {
        let parents = tree_view::directories_at(&self.merged, directory);
        let known = self.base.entry(directory, name).and_then(|entry| entry.conflict_of.clone());
        let is_copy = known.is_some();
        if let Some(plain) = known.or_else(|| conflict::plain_name(name)) {
            let copies = tree_view::entries(&self.merged, &parents, &plain);
            if is_copy || copies.iter().any(|entry| entry.name == *name) {
                return copies;
            }
        }
        tree_view::entries(&self.merged, &parents, name)
    }

    /// Brings disk and base to the view; the disk is as base says. Returns how many rounds changed something.
    pub fn project(&mut self) -> usize {
        let wishes = flat_view(&self.merged);
        let mut displaced = Vec::new();
        let mut rounds = 0;
        while self.project_round(&wishes, &mut displaced) {
            rounds += 1;
            assert!(rounds < 10, "it does not come to rest");
        }
        for (content, dots) in displaced {
            let stands = self.disk.values().any(|(other, _)| *other == content);
            assert!(stands || dots.iter().all(|dot| !self.merged.is_live(dot)), "{content:?} lives and stands nowhere");
        }
        rounds
    }

    fn project_round(&mut self, wishes: &Flat, displaced: &mut Vec<(Content, Vec<Dot>)>) -> bool {
        let paths: BTreeSet<String> = wishes.keys().cloned().chain(self.base.below("")).collect();
        // What can be put at once is put before anything is taken away.
        let first = self.puts(wishes);
        let mut changed = false;
        for late in [false, true] {
            let ordered: Vec<&String> = if late { paths.iter().rev().collect() } else { paths.iter().collect() };
            for path in ordered {
                let (directory, name) = path::split(path).unwrap();
                let wish = wishes.get(path);
                let step = step(self.base.entry(directory, &name), wish.map(|(_, shown)| shown));
                if step.is_late(wish.map(|(_, shown)| shown)) == late && self.is_directory(directory) {
                    changed |= self.take_step(path, step, wishes, &first, displaced);
                }
            }
        }
        changed
    }

    /// Does one step on disk as a file system would let it, and notes it in base; whether it did something.
    fn take_step(
        &mut self,
        path: &str,
        step: Step,
        wishes: &Flat,
        first: &BTreeSet<String>,
        displaced: &mut Vec<(Content, Vec<Dot>)>,
    ) -> bool {
        let wish = wishes.get(path);
        let (directory, name) = path::split(path).unwrap();
        let old = self.base.entry(directory, &name).cloned().unwrap_or_default();
        let stands = self.disk.get(path).cloned();
        assert_eq!(
            stands.as_ref().map(|(content, _)| content),
            old.standing.as_ref().map(|standing| &standing.content)
        );
        let conflict_of = wish.and_then(|(conflict_of, _)| conflict_of.clone());
        let mut standing = wish.map(|(_, shown)| Standing::of(shown, self.merged.closure(&shown.dots)));
        match step {
            Step::Rest => {
                if old.standing.is_some() {
                    self.base.set(directory, &name, BaseEntry { conflict_of, ..old });
                }
                return false;
            }
            Step::Relabel => {
                let known = old.standing.as_ref().map_or(&[][..], |standing| &standing.dots);
                let dots = &wish.unwrap().1.dots;
                let made_here = dots.iter().any(|dot| dot.author == self.author && !known.contains(dot));
                let grace_until = old.grace_until.filter(|_| !made_here);
                self.base.set(directory, &name, BaseEntry { standing, conflict_of, grace_until, ..old });
                return true;
            }
            Step::Remove if !self.base.is_empty(path) => return false,
            Step::Remove => {
                assert!(self.puts(wishes).is_disjoint(first), "`{path}` is taken away before all is put");
                standing = None;
                self.disk.remove(path);
            }
            Step::SetMode => self.disk.get_mut(path).unwrap().1 = wish.unwrap().1.mode,
            Step::MakeDirectory => {
                assert_eq!(stands, None, "a directory is made where nothing stands");
                let mode = wish.unwrap().1.mode | OWNER;
                standing.as_mut().unwrap().mode = mode;
                self.disk.insert(path.into(), (Content::Directory, mode));
            }
            Step::PutLink | Step::PutFile => {
                assert!(stands.as_ref().is_none_or(|(content, _)| *content != Content::Directory));
                let Shown { content, mode, .. } = &wish.unwrap().1;
                self.disk.insert(path.into(), (content.clone(), *mode));
            }
        }
        let below = alloc::format!("{path}/");
        let is_directory = self.disk.get(path).is_some_and(|(content, _)| *content == Content::Directory);
        assert!(is_directory || !self.disk.keys().any(|other| other.starts_with(&below)), "`{path}` is not empty");
        displaced.extend(
            stands
                .filter(|(content, _)| *content != Content::Directory)
                .and_then(|(content, _)| Some((content, old.standing.as_ref()?.dots.clone()))),
        );
        let grace_until = self.grace(&old, standing.as_ref());
        self.base.set(directory, &name, BaseEntry { standing, conflict_of, grace_until, ..BaseEntry::default() });
        true
    }

    /// Where something can be put that does not stand yet, perhaps from what stands elsewhere.
    fn puts(&self, wishes: &Flat) -> BTreeSet<String> {
        let is_put = |(path, (_, shown)): &(&String, &(Option<Name>, Shown))| {
            let (directory, name) = path::split(path).unwrap();
            let step = step(self.base.entry(directory, &name), Some(shown));
            matches!(step, Step::PutFile | Step::PutLink | Step::MakeDirectory) && self.is_directory(directory)
        };
        wishes.iter().filter(is_put).map(|(path, _)| path.clone()).collect()
    }

    /// Until when the first write there supersedes nothing.
    fn grace(&self, old: &BaseEntry, new: Option<&Standing>) -> Option<UnixMs> {
        let (Some(before), Some(new)) = (&old.standing, new) else { return old.grace_until.filter(|_| false) };
        let is_unrelated = before.dots.iter().any(|dot| !new.shown.contains(dot));
        let made_beside = new.dots.iter().all(|dot| dot.author == self.author);
        match (is_unrelated, made_beside) {
            (true, true) => None,
            (true, false) => Some(self.now.plus(GRACE_MS)),
            (false, _) => old.grace_until,
        }
    }

    fn is_directory(&self, path: &str) -> bool {
        path::split(path).is_none_or(|(directory, name)| {
            self.base.standing(directory, &name).is_some_and(|standing| standing.content == Content::Directory)
        })
    }

    pub fn live(&self) -> BTreeSet<Dot> {
        self.held.iter().map(|(order, _)| order.dot()).filter(|dot| self.merged.is_live(dot)).collect()
    }

    /// What base says stands, by path.
    pub fn stands(&self) -> Disk {
        let at = |path: String| {
            let (directory, name) = path::split(&path)?;
            let standing = self.base.standing(directory, &name)?;
            Some((path.clone(), (standing.content.clone(), standing.mode)))
        };
        self.base.below("").into_iter().filter_map(at).collect()
    }

    /// The directories on disk, the root first.
    pub fn directories(&self) -> Vec<String> {
        let directories = self.disk.iter().filter(|(_, (content, _))| *content == Content::Directory);
        [String::new()].into_iter().chain(directories.map(|(path, _)| path.clone())).collect()
    }

    /// Takes a path and all below it off the disk, as a user does.
    pub fn delete(&mut self, path: &str) {
        let below = alloc::format!("{path}/");
        self.disk.retain(|other, _| other != path && !other.starts_with(&below));
    }
}

fn made_standing(found: &Found, mode: u16, node: NodeId, dot: Dot, past: DotSet) -> Standing {
    let mut shown = past;
    shown.insert(dot);
    Standing { content: found.content.clone(), mode, nodes: [node].into(), dots: [dot].into(), shown }
}

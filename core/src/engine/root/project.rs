//! From view to disk: finds the paths where they differ and begins what brings them together.

use alloc::collections::BTreeSet;
use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::projection::ReadyChange;
use super::{Cause, ListJob, Phase, Root, scan};
use crate::api::{Content, Put};
use crate::engine::limits::{CLAIMS_PER_TURN, COMMIT_ITEMS_MAX, DEPTH_MAX, PATH_BYTES_MAX, SWEEP_CLAIMS_MAX};
use crate::engine::shared::Shared;
use crate::log::{Dot, Log};
use crate::planted::{Planted, planted};
use crate::tree::base::{BaseEntry, Standing};
use crate::tree::merged::NodeId;
use crate::tree::project::{OWNER, Step, step};
use crate::tree::view::{self, Shown, ViewEntry};
use crate::tree::{Name, conflict, path};

/// Syncline's own folder: nothing that the log says of it is carried out.
fn is_reserved(path: &str) -> bool {
    scan::is_reserved(path) && !planted(Planted::ReservedNameProjected)
}

impl Root {
    /// Compares a bounded number of claims with what stands, and begins what they need.
    pub(super) fn project_turn(&mut self, shared: &mut Shared) {
        self.fill_dirty();
        for _ in 0..CLAIMS_PER_TURN {
            if !self.has_room() {
                break;
            }
            let Some((directory, name)) = self.projection.dirty.pop_first() else { break };
            self.project_claim(shared, &directory, &name, false);
        }
        if self.late_is_due() {
            for _ in 0..CLAIMS_PER_TURN {
                if !self.has_room() {
                    break;
                }
                // What lies in a directory goes before the directory.
                let Some((directory, name)) = self.projection.late.pop_last() else { break };
                self.project_claim(shared, &directory, &name, true);
            }
        }
    }

    /// Claims can be compared now.
    pub(super) fn wants_projection(&self) -> bool {
        self.projection.wants_turn() && self.has_room()
    }

    /// Nothing else is left to do than to take things away.
    pub(super) fn late_is_due(&self) -> bool {
        let is_rest = !self.projection.wants_turn() && self.projection.ready.is_empty() && self.projection.commits == 0;
        is_rest && !self.projection.late.is_empty() && self.fetches_rest()
    }

    /// Takes everything in view for what stood here before the folder was emptied on purpose; what the scan then does
    /// not find was deleted.
    pub(super) fn assume(&mut self, shared: &mut Shared) {
        self.fill_dirty();
        while let Some((directory, name)) = self.projection.dirty.pop_first() {
            let parents = view::directories_at(&self.merged, &directory);
            for ViewEntry { name, conflict_of, shown } in view::entries(&self.merged, &parents, &name) {
                let full = path::join(&directory, &name);
                if is_reserved(&full) {
                    continue;
                }
                let is_directory = shown.content == Content::Directory;
                self.relabel(shared, &directory, &name, &shown, conflict_of);
                if is_directory {
                    self.projection.sweep(full);
                }
            }
        }
        if !self.projection.wants_turn() {
            self.phase = Phase::Scanning;
            self.allow_deletions = true;
            self.scan.add(ListJob::below(String::new()));
        }
    }

    /// More may be begun now; otherwise something under way must end first.
    pub(super) fn has_room(&self) -> bool {
        !self.fetches.is_full() && self.projection.ready.len() < COMMIT_ITEMS_MAX
    }

    fn fill_dirty(&mut self) {
        while self.projection.dirty.len() < SWEEP_CLAIMS_MAX
            && let Some(directory) = self.projection.sweeps.pop()
        {
            let parents = view::directories_at(&self.merged, &directory);
            let names: BTreeSet<Name> = parents
                .iter()
                .flat_map(|parent| self.merged.names(*parent))
                .chain(self.base.children(&directory).map(|(name, _)| name))
                .cloned()
                .collect();
            for name in names {
                let full = path::join(&directory, &name);
                let stands = self.base.standing(&directory, &name);
                if stands.is_some_and(|standing| standing.content == Content::Directory) {
                    self.projection.sweep(full);
                }
                self.projection.dirty.insert((directory.clone(), name));
            }
        }
    }

    /// Compares one claim, conflict copies first: they may take their bytes from what stands at the plain name.
    fn project_claim(&mut self, shared: &mut Shared, directory: &str, name: &Name, late: bool) {
        let full = path::join(directory, name);
        if is_reserved(&full) || !self.stands_as_directory(directory) {
            return;
        }
        let parents = view::directories_at(&self.merged, directory);
        if self.rests(directory, &parents, name, &full) {
            self.wants_nothing(shared, &full, name);
            return self.succeeded(&full);
        }
        let plain = self.plain_name_of(directory, &parents, name);
        if let Some(plain) = &plain {
            self.project_name_of(shared, directory, plain, name, late);
        }
        let mut wishes = self.wishes(&shared.log, directory, &parents, name, plain.is_none());
        if wishes.iter().all(|(wished, ..)| wished != name) {
            self.wants_nothing(shared, &full, name);
        }
        wishes.reverse();
        for (name, conflict_of, shown) in wishes {
            self.project_path(shared, directory, &name, conflict_of, shown, late);
        }
    }

    /// Nothing is to change at a path: nothing is put off there, and nothing there is in the way.
    fn wants_nothing(&mut self, shared: &mut Shared, full: &str, name: &Name) {
        self.has_made_way(shared, full, Step::Rest);
        self.note_awaited(full, name, None);
    }

    /// What stands at a name is all that its claim wants, and nothing is under way there or was left by copies: what nearly
    /// every claim comes to, told without making a wish of it.
    fn rests(&self, directory: &str, parents: &[Option<NodeId>], name: &Name, full: &str) -> bool {
        let Some(entry) = self.base.entry(directory, name) else { return false };
        let is_plain = entry.conflict_of.is_none() && entry.intent.is_none();
        let is_wanted = |standing| view::shows_only(&self.merged, parents, name, standing);
        is_plain
            && entry.standing.as_ref().is_some_and(is_wanted)
            && path::depth(full) <= DEPTH_MAX
            && full.len() <= PATH_BYTES_MAX
            && !self.busy.contains(full)
            && !self.is_blocked(full)
            && !self.projection.copies.contains_key(full)
            && self.base.copies_of(directory, name).is_empty()
            && self.projection.copies_of(directory, name).is_empty()
    }

    /// The plain name whose conflict copy stands at a name, or shall stand there instead of what was a real name.
    fn plain_name_of(&self, directory: &str, parents: &[Option<NodeId>], name: &Name) -> Option<Name> {
        let stands = self.base.entry(directory, name).and_then(|entry| entry.conflict_of.clone());
        let is_copy =
            |plain: &Name| view::entries(&self.merged, parents, plain).iter().any(|entry| entry.name == *name);
        stands.or_else(|| conflict::plain_name(name).filter(is_copy))
    }

    /// A path of a conflict copy is decided by the claim of its plain name, unless a real name took it.
    fn project_name_of(&mut self, shared: &mut Shared, directory: &str, plain: &Name, copy: &Name, late: bool) {
        let parents = view::directories_at(&self.merged, directory);
        if view::shows_anything(&self.merged, &parents, copy) {
            return;
        }
        let copies = view::entries(&self.merged, &parents, plain);
        let shown = copies.into_iter().find(|entry| entry.name == *copy).map(|entry| entry.shown);
        self.project_path(shared, directory, copy, Some(plain.clone()), shown, late);
    }

    /// What a claim wants at which names, the plain one first; nothing at names of copies that it no longer has.
    fn wishes(
        &self,
        log: &Log,
        directory: &str,
        parents: &[Option<NodeId>],
        name: &Name,
        is_plain: bool,
    ) -> Vec<(Name, Option<Name>, Option<Shown>)> {
        let entries = view::entries(&self.merged, parents, name);
        let mut wishes = Vec::with_capacity(entries.len());
        let stands = self.base.entry(directory, name).is_some_and(|entry| self.is_removable(log, entry));
        if is_plain && entries.is_empty() && (stands || self.fetches.is_fetching_plain(&path::join(directory, name))) {
            wishes.push((name.clone(), None, None));
        }
        let under_way = self.projection.copies_of(directory, name);
        for copy in self.base.copies_of(directory, name).into_iter().chain(under_way) {
            let is_real = view::shows_anything(&self.merged, parents, &copy);
            let is_shown = entries.iter().any(|entry| entry.name == copy);
            if !is_real && !is_shown && !planted(Planted::WithdrawnCopyStays) {
                wishes.push((copy, Some(name.clone()), None));
            }
        }
        let shown = entries.into_iter().map(|entry| (entry.name, entry.conflict_of, Some(entry.shown)));
        shown.chain(wishes).collect()
    }

    fn project_path(
        &mut self,
        shared: &mut Shared,
        directory: &str,
        name: &Name,
        conflict_of: Option<Name>,
        wish: Option<Shown>,
        late: bool,
    ) {
        let full = path::join(directory, name);
        self.cancel_fetch_of_other(shared, &full, wish.as_ref());
        let entry = self.base.entry(directory, name);
        let step = step(entry, wish.as_ref());
        // Where a directory is retained, nothing else can stand before it is let go.
        let is_in_the_way = entry.is_some_and(BaseEntry::is_only_retained);
        let hides_a_write = entry.is_some_and(may_hide_a_write);
        self.projection.note_copy(&full, conflict_of.as_ref(), step == Step::Rest && !self.busy.contains(&full));
        if self.is_left_alone(shared, &full, wish.as_ref(), step) {
            return self.note_awaited(&full, name, None);
        }
        let must_wait = self.must_wait(&full);
        let is_put_off = step == Step::PutFile && (must_wait || is_in_the_way || hides_a_write);
        self.note_awaited(&full, conflict_of.as_ref().unwrap_or(name), wish.as_ref().filter(|_| is_put_off));
        if must_wait || matches!(step, Step::PutFile | Step::PutLink) && is_in_the_way {
            return;
        }
        if step == Step::Remove
            && self.keeps_the_last(shared, directory, name, conflict_of.as_ref(), wish.as_ref(), late)
        {
            return;
        }
        self.has_made_way(shared, &full, step);
        if step.is_late(wish.as_ref()) && !late {
            self.projection.late.insert((directory.to_string(), name.clone()));
            return;
        }
        let again = step == Step::Relabel && self.was_put_elsewhere(shared, directory, name, wish.as_ref());
        if (again || step.changes_what_stands()) && hides_a_write {
            return self.retry_later(shared.now.monotonic, &full, Cause::Surprise);
        }
        let change = |put| ReadyChange {
            directory: directory.to_string(),
            name: name.clone(),
            conflict_of: conflict_of.clone(),
            wish: wish.clone(),
            put,
            manifest: Vec::new(),
            is_aside: false,
            also_busy: None,
        };
        match (step, &wish) {
            (Step::Rest, _) => {
                self.succeeded(&full);
                self.note_conflict_name(shared, directory, name, conflict_of);
            }
            (Step::Relabel, Some(shown)) if again => self.begin_change(full, change(as_it_is(shown))),
            (Step::Relabel, Some(shown)) => self.relabel(shared, directory, name, &shown.clone(), conflict_of),
            (Step::Remove, _) if !self.base.is_empty(&full) => {}
            (Step::Remove, _) if self.is_needed(directory, name) => {
                let claim = conflict_of.clone().unwrap_or_else(|| name.clone());
                self.projection.kept.insert((directory.to_string(), claim));
            }
            (Step::Remove, _) => {
                let change = ReadyChange { wish: None, ..change(Put::Nothing) };
                self.begin_change(full, change);
            }
            (Step::SetMode, Some(shown)) => self.begin_change(full, change(Put::Mode { mode: shown.mode })),
            (Step::MakeDirectory, Some(shown)) => {
                let mode = shown.mode | OWNER;
                self.begin_change(full, change(Put::Directory { mode }));
            }
            (Step::PutLink, Some(Shown { content: Content::Symlink { target }, .. })) => {
                self.begin_change(full, change(Put::Symlink { target: target.clone() }));
            }
            (Step::PutFile, Some(shown)) => self.bring(shared, directory, name, conflict_of, shown),
            _ => {}
        }
    }

    /// Begins to bring a file to its path. Where there is no room for it, it waits as what cannot be begun.
    fn bring(&mut self, shared: &mut Shared, directory: &str, name: &Name, conflict_of: Option<Name>, shown: &Shown) {
        let full = path::join(directory, name);
        self.fetch(shared, directory, name, conflict_of.clone(), shown.clone(), false);
        let wish = Some(shown).filter(|_| self.is_blocked(&full));
        self.note_awaited(&full, conflict_of.as_ref().unwrap_or(name), wish);
    }

    /// Nothing is done at a path, whatever the view has there: it cannot be named here, something stands there that nobody is
    /// told of, or this device takes nothing.
    fn is_left_alone(&mut self, shared: &Shared, full: &str, wish: Option<&Shown>, step: Step) -> bool {
        let too_long = path::depth(full) > DEPTH_MAX || full.len() > PATH_BYTES_MAX;
        too_long
            || is_reserved(full)
            || self.hides_unsent(full, wish, step != Step::Rest)
            || !shared.mode.takes() && step.changes_what_stands()
    }

    /// What stands at a path is the last file of a version that lives, and not taken away now. Where something else is to
    /// stand there, it makes way as soon as nothing else can go on.
    fn keeps_the_last(
        &mut self,
        shared: &mut Shared,
        directory: &str,
        name: &Name,
        conflict_of: Option<&Name>,
        wish: Option<&Shown>,
        late: bool,
    ) -> bool {
        if !self.holds_the_last(&path::join(directory, name), self.base.entry(directory, name), wish) {
            return false;
        }
        if wish.is_some() && late {
            self.make_way(shared, directory, name, conflict_of);
        } else if wish.is_some() {
            self.projection.late.insert((directory.to_string(), name.clone()));
        }
        self.projection.kept.insert((directory.to_string(), conflict_of.unwrap_or(name).clone()));
        true
    }

    /// Somebody here gave another path the same bytes, maybe by moving what stood at this one. So it stands for that
    /// version, too, only if the disk has it still: it is put there again as it is, which the host compares first.
    fn was_put_elsewhere(&self, shared: &Shared, directory: &str, name: &Name, wish: Option<&Shown>) -> bool {
        let old = self.base.standing(directory, name);
        let gains = |shown: &Shown| old.is_some_and(|old| gains_own(shared, old, &shown.dots));
        wish.is_some_and(|shown| shown.content != Content::Directory && gains(shown))
    }

    pub(super) fn begin_change(&mut self, path: String, change: ReadyChange) {
        self.busy.insert(path);
        self.projection.ready.push(change);
    }

    /// The same stands there, for other versions.
    fn relabel(&mut self, shared: &mut Shared, directory: &str, name: &Name, shown: &Shown, conflict_of: Option<Name>) {
        let old = self.base.entry(directory, name).cloned().unwrap_or_default();
        let standing = Some(Standing::of(shown, self.merged.closure(&shown.dots)));
        let grown = shown.content == Content::Directory;
        self.base.set(directory, name, BaseEntry { standing, conflict_of, ..old });
        self.store_base(shared, directory, name);
        self.projection.reconsider_kept();
        if grown {
            self.projection.sweep(path::join(directory, name));
        }
    }

    /// A copy may become a real name, or the other way round, with the same version.
    fn note_conflict_name(&mut self, shared: &mut Shared, directory: &str, name: &Name, conflict_of: Option<Name>) {
        if let Some(entry) = self.base.entry(directory, name)
            && entry.standing.is_some()
            && entry.conflict_of != conflict_of
        {
            let entry = BaseEntry { conflict_of, ..entry.clone() };
            self.base.set(directory, name, entry);
            self.store_base(shared, directory, name);
        }
    }

    /// A version that lives stands nowhere else here: it stays until it stands where the view has it now.
    pub(super) fn holds_the_last(&self, path: &str, entry: Option<&BaseEntry>, wish: Option<&Shown>) -> bool {
        let Some(standing) = entry.and_then(|entry| entry.standing.as_ref()) else { return false };
        if standing.content == Content::Directory || wish.is_some_and(|wish| wish.content == standing.content) {
            return false;
        }
        let mut living = standing.dots.iter().filter(|dot| self.merged.is_live(dot));
        living.any(|dot| !self.stands_elsewhere(path, &standing.content, dot))
    }

    /// A version stands at another path, where nothing is about to change.
    pub(super) fn stands_elsewhere(&self, path: &str, content: &Content, dot: &Dot) -> bool {
        let shows = |other: &String| {
            let standing = path::split(other).and_then(|(directory, name)| self.base.standing(directory, &name));
            standing.is_some_and(|standing| standing.dots.contains(dot))
        };
        let stays = |other: &String| !self.busy.contains(other) && !self.projection.making_way.contains_key(other);
        self.base.showing(content).any(|other| other != path && stays(other) && shows(other))
    }

    /// The last copy here of bytes that the view still wants elsewhere stays until they stand there, or are staged.
    pub(super) fn is_needed(&self, directory: &str, name: &Name) -> bool {
        match self.base.standing(directory, name) {
            Some(Standing { content: content @ Content::File { hash, .. }, .. }) => {
                self.fetches.wants(hash) || self.is_awaited(&path::join(directory, name), content)
            }
            _ => false,
        }
    }

    fn stands_as_directory(&self, directory: &str) -> bool {
        match path::split(directory) {
            None => true,
            Some((parent, name)) => {
                self.base.standing(parent, &name).is_some_and(|standing| standing.content == Content::Directory)
            }
        }
    }
}

/// Puts what stands where it stands.
fn as_it_is(shown: &Shown) -> Put {
    match &shown.content {
        Content::Symlink { target } => Put::Symlink { target: target.clone() },
        _ => Put::Mode { mode: shown.mode },
    }
}

/// A write of the same length can have come right after the last look without another time to show for it. What stands
/// there is only touched after a look that leaves no doubt.
fn may_hide_a_write(entry: &BaseEntry) -> bool {
    let has_bytes = entry.standing.as_ref().is_some_and(|standing| standing.content != Content::Directory);
    has_bytes && entry.stat.is_some_and(|stat| !stat.settled)
}

/// Versions made here come to what stands at a path.
pub(super) fn gains_own(shared: &Shared, old: &Standing, dots: &[Dot]) -> bool {
    dots.iter().any(|dot| shared.log.is_by_this_device(dot.author) && !old.dots.contains(dot))
}

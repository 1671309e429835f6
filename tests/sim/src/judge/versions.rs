//! What people made and replaced, told from their acts alone.
//!
//! Every text that someone brings to a name is one *making*. Someone who replaces or removes a text that stood on his
//! disk *ends* the makings of that text under that name which he can have been shown. At rest, what was made and never
//! ended must stand in every folder, and nothing else may.
//!
//! Where it cannot be told from outside what someone had been shown, both are allowed: equal texts made twice, the ten
//! minutes after an unrelated version took a path (§8.4) unless it is known which text an editor had loaded, a device that
//! lost its memory, a path that an engine was changing when it ended.

mod put_back;

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::api::{Content, Now};

use super::text::{Kind, Text, content, family, is_text, plainer, show, text};
use super::{Invariant, Violation, broken, doubts::Doubts, grace::Graces, ledger::MessageId, loads::Loads};
use crate::{Item, Tree, digest};

/// The makings and endings of one text under one name.
#[derive(Default)]
struct Past {
    makings: Vec<Act>,
    endings: Vec<Act>,
}

struct Act {
    at: u64,
    site: usize,
    path: String,
    /// Of an ending: it surely reached what stood there. Of a making: it surely was one, and not what stood there
    /// before, back before anyone looked, nor what a device forgot that it had.
    is_certain: bool,
    /// Of an ending: an edit would have ended nothing.
    in_grace: bool,
    /// Of a making: the text that stood at its path, and the number of the act that ended this.
    over: Option<(u64, Text)>,
}

/// A message of a device says that a text stands under a name.
struct Telling {
    site: usize,
    message: MessageId,
    name: String,
    content: Content,
    /// How much people had done when it was written.
    acts: u64,
}

/// What people did in one world.
#[derive(Default)]
pub(super) struct Versions {
    acts: u64,
    /// By name and text.
    pasts: BTreeMap<(String, Text), Past>,
    graces: Graces,
    /// How much people had done when a path of a device was last looked at or changed by its host.
    seen: BTreeMap<(usize, String), u64>,
    unsure_clocks: BTreeSet<usize>,
    known: BTreeSet<usize>,
    /// Devices that lost their memory: what is removed there may be something that they have yet to learn of again.
    forgetful: BTreeSet<usize>,
    /// A device was put back to what it was at another time: what stands may stand nowhere else any more.
    has_put_back: bool,
    tellings: Vec<Telling>,
    /// What nobody knows of the folders of engines that ended.
    pub(super) doubts: Doubts,
    /// What editors had loaded.
    pub(super) loads: Loads,
}

impl Versions {
    /// A device's engine put something at a path, or nothing, where this file stood if that is known.
    pub fn synced(&mut self, site: usize, path: &str, now: Now, stood: Option<&Vec<u8>>, put: Option<&Content>) {
        let is_related = stood.zip(put).is_some_and(|(old, new)| self.derives(site, path, old, new));
        if !is_related {
            self.graces.begin(site, path, now, self.acts);
        }
        self.seen.insert((site, path.to_string()), self.acts);
        self.doubts.made(site, path, self.acts);
        self.loads.replaced(site, path, now);
    }

    /// A path was to be changed, and the host cannot say whether it was. What people did there since anyone looked may have
    /// come before the change or behind it: nobody knows what they were shown.
    pub fn unknown(&mut self, site: usize, path: &str) {
        let since = self.doubts.since(site, path);
        self.unsettle(site, &BTreeMap::from([(path.to_string(), since)]));
        self.doubts.unknown(site, path);
        self.loads.touched(site, path);
    }

    /// Nobody knows what people were shown who did something on a device at these paths and were not seen; if nobody ever
    /// looked, since so many acts.
    fn unsettle(&mut self, site: usize, doubts: &BTreeMap<String, u64>) {
        let endings = self.pasts.values_mut().flat_map(|past| &mut past.endings).filter(|ending| ending.site == site);
        for ending in endings {
            let Some(doubt) = doubts.get(&ending.path) else { continue };
            let since = self.seen.get(&(site, ending.path.clone())).unwrap_or(doubt);
            ending.is_certain &= ending.at <= *since;
        }
    }

    /// Someone loaded what stands at a path into an editor, which keeps the text.
    pub fn loaded(&mut self, site: usize, path: &str, item: &Item) {
        if let Some(text) = text(item) {
            self.loads.load(site, path, text);
        }
    }

    /// An engine was told that something was saved.
    pub fn told_saved(&mut self, site: usize) {
        for spared in self.loads.told(site) {
            let is_spared = |ending: &Act| ending.at == spared.at && ending.path == spared.path;
            self.past(&spared.path, spared.old.clone()).endings.retain(|ending| !is_spared(ending));
        }
    }

    /// A device writes a message that says what stands at these plain paths.
    pub fn telling(&mut self, site: usize, message: MessageId, contents: Vec<(String, Content)>) {
        for (path, content) in contents.into_iter().filter(|(_, content)| *content != Content::Directory) {
            if let Some(act) = self.made_only_at(site, &path, &content) {
                self.graces.told(site, &path, act);
            }
            self.tellings.push(Telling { site, message, name: family(&path), content, acts: self.acts });
        }
    }

    /// A host looked at a path for its engine. Where a change left in doubt was to bring a text that stood elsewhere, and it
    /// stands there, someone may have moved it: then what took its old place ended nothing.
    pub fn looked(&mut self, site: usize, path: &str, found: Option<&Content>) {
        self.seen.insert((site, path.to_string()), self.acts);
        if !self.doubts.looked(site, path, self.acts) {
            return;
        }
        let pasts = self.pasts.range_mut((family(path), (Kind::File, Vec::new()))..);
        let pasts = pasts.take_while(|((name, _), _)| *name == family(path));
        let brought = pasts.filter(|((_, text), _)| Some(&content(text)) == found);
        let endings = brought.flat_map(|(_, past)| &mut past.endings);
        let elsewhere = endings.filter(|ending| ending.site == site && ending.path != path);
        elsewhere.for_each(|ending| ending.is_certain = false);
    }

    /// An engine asks for a path to be changed, or for its intent to do so to be saved.
    pub fn asked(&mut self, site: usize, path: &str) {
        self.doubts.asked(site, path, self.acts);
    }

    /// A new engine starts on a device. What people did at a path that the last one left in doubt, and never saw, may have
    /// come before its change or behind it: nobody knows what they were shown.
    pub fn started(&mut self, site: usize) {
        self.loads.unsettled(site);
        let doubts = self.doubts.ended(site).into_iter().collect();
        self.unsettle(site, &doubts);
    }

    /// A device's wall clock was moved: what was done there before anyone looked may be taken for done in a grace that was
    /// over.
    pub fn clock_moved(&mut self, site: usize) {
        self.unsure_clocks.insert(site);
        self.loads.unsettled(site);
        let Versions { pasts, seen, graces, .. } = self;
        for ending in pasts.values_mut().flat_map(|past| &mut past.endings).filter(|ending| ending.site == site) {
            let place = (site, ending.path.clone());
            if graces.knows(site, &ending.path) && seen.get(&place).is_none_or(|seen| *seen < ending.at) {
                ending.is_certain = false;
            }
        }
    }

    /// Someone saved a text from an editor that had loaded the one before it: if something else took its place a moment
    /// ago, he was not shown that.
    pub fn saved_loaded(&mut self, site: usize, now: Now, path: &str, before: &Tree, after: &Tree) {
        let (spared, at) = (self.unseen(site, now, path, before), self.acts + 1);
        self.changed(site, now, before, after);
        if let (Some((old, until)), Some(Item::File { bytes, .. })) = (spared, after.at(path)) {
            self.loads.spare(site, path, old, digest::content(bytes).0, at, until);
        }
    }

    /// What stands at a path and surely is unrelated to what was loaded from there, surely was not made on this device,
    /// and surely took the path a short time ago; and until when that is short.
    fn unseen(&self, site: usize, now: Now, path: &str, before: &Tree) -> Option<(Text, u64)> {
        let (loaded, until) = self.loads.grace(site, path, now)?;
        let is_unsure = self.has_put_back || self.forgetful.contains(&site) || self.unsure_clocks.contains(&site);
        let old = before.at(path).and_then(text).filter(|old| old != loaded)?;
        if is_unsure || self.doubts.holds(site, path) || family(path) != path {
            return None;
        }
        let past = |text: &Text| self.pasts.get(&(path.to_string(), text.clone()));
        let lives = past(loaded).is_some_and(|past| !past.makings.is_empty() && past.endings.is_empty());
        let is_foreign = past(&old)
            .is_some_and(|past| past.makings.iter().all(|making| making.site != site) && !past.makings.is_empty());
        (lives && is_foreign).then_some((old, until))
    }

    /// Someone changed a folder.
    pub fn changed(&mut self, site: usize, now: Now, before: &Tree, after: &Tree) {
        self.acts += 1;
        let act = self.acts;
        let mut ended: Vec<(Text, Act)> = Vec::new();
        for (path, item) in before.items() {
            // Most acts change little of what stands.
            if after.at(path) == Some(item) {
                continue;
            }
            self.loads.touched(site, path);
            let (old, new) = (text(item), after.at(path).and_then(text));
            let stays =
                |old: &Text| after.items().any(|(other, item)| is_text(item, old) && family(other) == family(path));
            if let Some(old) = old.filter(|old| new.as_ref() != Some(old)) {
                // To an engine that saw no move since, it ended where it stood before, by what stands there now.
                let was_at = self.unseen_places(site, path, &old);
                let is_edit = after.at(path).is_some() || was_at.iter().any(|place| after.at(place).is_some());
                // Of two equal files of one name, the one that stays may be meant to stay.
                let in_grace = !was_at.is_empty() || self.may_be_in_grace(site, path, now);
                let in_doubt = self.forgetful.contains(&site) || self.doubts.holds(site, path);
                let is_certain = !(stays(&old) || in_doubt || is_edit && in_grace);
                ended.push((old, Act { at: act, site, path: path.to_string(), is_certain, in_grace, over: None }));
            }
        }
        self.end(ended);
        for (path, item) in after.items().filter(|(path, item)| before.at(path) != Some(*item)) {
            self.loads.touched(site, path);
            let (old, new) = (before.at(path).and_then(text), text(item));
            if let Some(new) = new.filter(|new| old.as_ref() != Some(new)) {
                self.make(site, path, new, true, old.map(|old| (act, old)));
            } else if before.at(path).is_none() {
                self.made_anew(site, path);
            }
        }
    }

    /// The host had taken a file to the history in whose place it put another one, and before it saw that someone had just
    /// written to it came a crash. The text need not stand anywhere then: it lies in the history (§10.1), where
    /// [`Displaced`](super::displaced::Displaced) demands it.
    pub fn raced(&mut self, site: usize, path: &str, item: &Item) {
        if let Some(text) = text(item) {
            self.acts += 1;
            let (at, path) = (self.acts, path.to_string());
            let ending = Act { at, site, path: path.clone(), is_certain: false, in_grace: false, over: None };
            self.past(&path, text).endings.push(ending);
        }
    }

    /// How often people have brought, replaced or removed something, as far as that was told.
    pub fn acts(&self) -> u64 {
        self.acts
    }

    /// Compares what stands in every folder with what people did.
    pub fn check(&self, folder: &Tree, histories: &[&[u8]], ignored: Option<Invariant>) -> Result<(), Violation> {
        let mut standing: BTreeMap<(String, Text), Vec<&str>> = BTreeMap::new();
        for (path, item) in folder.items() {
            if let Some(text) = text(item) {
                standing.entry((family(path), text)).or_default().push(path);
            }
        }
        let result = self.check_losses(&standing, histories);
        if result.is_err() && ignored != Some(Invariant::NoLoss) {
            return result;
        }
        standing.keys().try_for_each(|(name, text)| {
            let result = self.check_standing(folder, &standing, name, text);
            result.or_else(|violation| if ignored == Some(violation.invariant) { Ok(()) } else { Err(violation) })
        })
    }

    fn check_losses(
        &self,
        standing: &BTreeMap<(String, Text), Vec<&str>>,
        histories: &[&[u8]],
    ) -> Result<(), Violation> {
        for (key @ (name, text), past) in &self.pasts {
            let Some(lost) = past.makings.iter().find(|making| past.must_live(making)) else { continue };
            if !standing.contains_key(key) {
                let kept = histories.contains(&text.1.as_slice());
                let end = if kept { "stands only in a history" } else { "is gone" };
                let (shown, site) = (show(text), lost.site);
                let text = format!("{shown}, brought to `{name}` on device {site} and replaced by nobody, {end}");
                return broken(Invariant::NoLoss, text);
            }
        }
        Ok(())
    }

    /// Something stands: someone must have brought it, and nobody who had been shown it may have ended it.
    fn check_standing(
        &self,
        folder: &Tree,
        standing: &BTreeMap<(String, Text), Vec<&str>>,
        name: &str,
        text: &Text,
    ) -> Result<(), Violation> {
        let key = (name.to_string(), text.clone());
        let Some(all) = standing.get(&key) else { return Ok(()) };
        let Some(path) = all.first() else { return Ok(()) };
        let shown = show(text);
        let Some(past) = self.pasts.get(&key) else {
            return broken(Invariant::NoFalseConflict, format!("{shown} stands at `{path}`, where nobody brought it"));
        };
        let living = past.makings.iter().filter(|making| !past.is_ended(making)).count();
        if living >= all.len() {
            return Ok(());
        }
        let paths = all.iter().filter(|path| !self.is_awaited(standing, name, path)).count();
        if living >= paths {
            return Ok(());
        }
        let beside = family(path) != *path || folder.copies().iter().any(|copy| family(copy) == name);
        let (invariant, how) = match beside {
            true => (Invariant::NoFalseConflict, "stands as a version of its own and was replaced"),
            false => (Invariant::NoResurrection, "stands again and was removed or replaced"),
        };
        let ending = past.endings.last().map_or(String::new(), |ending| format!(" on device {}", ending.site));
        broken(invariant, format!("{shown} at `{path}` {how}{ending}; it stands {paths} times, and {living} may"))
    }

    /// A version of this name may live whose bytes nobody has any more, for its only file was removed or written over where
    /// that did not surely end it: where it belongs, what stood there before stays, whatever became of that. It belongs to
    /// where its file stood, or, as the latest one, to the name that this was a copy of. (To who forgot what a copy is that
    /// is a real name, and may have copies.)
    fn is_awaited(&self, standing: &BTreeMap<(String, Text), Vec<&str>>, name: &str, path: &str) -> bool {
        let pasts =
            self.pasts.range((name.to_string(), (Kind::File, Vec::new()))..).take_while(|(key, _)| key.0 == name);
        let mut gone = pasts.filter(|(key, _)| !standing.contains_key(*key));
        let is_its_place = |ending: &Act| plainer(&ending.path).any(|place| place == path);
        gone.any(|(_, past)| past.endings.iter().any(|ending| !ending.is_certain && is_its_place(ending)))
    }

    /// Removed and made anew before anyone looked is an edit, of whatever kind it is now; and so is what was moved away
    /// before, and removed there.
    fn made_anew(&mut self, site: usize, path: &str) {
        let Versions { pasts, seen, .. } = self;
        for past in pasts.range_mut((family(path), (Kind::File, Vec::new()))..) {
            if past.0.0 != family(path) {
                break;
            }
            let here = || past.1.endings.iter().filter(|ending| ending.in_grace && ending.site == site);
            let Some(first) = here().find(|ending| ending.path == path).map(|ending| ending.at) else { continue };
            let is_unseen = |ending: &Act| seen.get(&(site, ending.path.clone())).is_none_or(|seen| *seen < ending.at);
            let endings = past.1.endings.iter_mut().filter(|ending| ending.in_grace && ending.site == site);
            let removals = endings.filter(|ending| ending.path == path || ending.at > first && is_unseen(ending));
            removals.for_each(|ending| ending.is_certain = false);
        }
    }

    /// Where this text was taken from in grace to come to a path, and nobody looked since: the paths at which the device's
    /// engine has it.
    fn unseen_places(&self, site: usize, path: &str, text: &Text) -> Vec<String> {
        let is_unseen = |ending: &&Act| {
            let place = (site, ending.path.clone());
            self.seen.get(&place).is_none_or(|seen| *seen < ending.at)
        };
        let past = self.pasts.get(&(family(path), text.clone()));
        let endings = past.into_iter().flat_map(|past| &past.endings);
        let moved = endings.filter(|ending| ending.site == site && ending.in_grace && ending.path != path);
        moved.filter(is_unseen).map(|ending| ending.path.clone()).collect()
    }

    /// These ended at one time. Of equal files of one name none is surely meant to go if not all are.
    fn end(&mut self, ended: Vec<(Text, Act)>) {
        let key = |(old, ending): &(Text, Act)| (family(&ending.path), old.clone());
        let unsure: BTreeSet<_> = ended.iter().filter(|(_, ending)| !ending.is_certain).map(key).collect();
        for ended in ended {
            let key = key(&ended);
            let is_certain = !unsure.contains(&key);
            self.pasts.entry(key).or_default().endings.push(Act { is_certain, ..ended.1 });
        }
    }

    fn make(&mut self, site: usize, path: &str, text: Text, by_hand: bool, over: Option<(u64, Text)>) {
        self.acts += 1;
        let at = self.acts;
        self.made_anew(site, path);
        let past = self.past(path, text);
        let is_back = past.endings.iter().any(|ending| ending.site == site && ending.path == path);
        let is_certain = !is_back && (by_hand || past.makings.is_empty());
        past.makings.push(Act { at, site, path: path.to_string(), is_certain, in_grace: false, over });
    }

    fn past(&mut self, path: &str, text: Text) -> &mut Past {
        self.pasts.entry((family(path), text)).or_default()
    }

    fn may_be_in_grace(&self, site: usize, path: &str, now: Now) -> bool {
        self.graces.may_hold(site, path, now, self.has_put_back, self.unsure_clocks.contains(&site))
    }

    /// The latest act that brought this content to this path of a device, if none ever brought it to another path there.
    fn made_only_at(&self, site: usize, path: &str, content: &Content) -> Option<u64> {
        let of_name = self.pasts.range((family(path), (Kind::File, Vec::new()))..);
        let mut of_name = of_name.take_while(|((name, _), _)| *name == family(path));
        let (_, past) = of_name.find(|((_, text), _)| self::content(text) == *content)?;
        let mut here = past.makings.iter().filter(|making| making.site == site);
        let latest = here.clone().map(|making| making.at).max()?;
        here.all(|making| making.path == path).then_some(latest)
    }

    /// A text surely replaces this file everywhere: it was made once, at this path, over this file, which was made once, too,
    /// and surely was ended by that.
    fn derives(&self, site: usize, path: &str, old: &[u8], new: &Content) -> bool {
        if self.has_put_back || !self.forgetful.is_empty() || self.doubts.holds(site, path) || family(path) != path {
            return false;
        }
        let of_name = self.pasts.range((path.to_string(), (Kind::File, Vec::new()))..);
        let mut of_name = of_name.take_while(|((name, _), _)| name == path);
        let Some((_, past)) = of_name.find(|((_, text), _)| content(text) == *new) else { return false };
        let ([made], Some(replaced)) =
            (past.makings.as_slice(), self.pasts.get(&(path.to_string(), (Kind::File, old.to_vec()))))
        else {
            return false;
        };
        let is_over = |(at, text): &(u64, Text)| {
            let ends =
                |ending: &Act| ending.at == *at && ending.site == made.site && ending.path == path && ending.is_certain;
            text.1 == old && text.0 == Kind::File && replaced.endings.iter().any(ends)
        };
        replaced.makings.len() == 1 && made.path == path && made.over.as_ref().is_some_and(is_over)
    }
}

impl Past {
    /// Nobody ended a making: not later, and no one else at all, for who removed the same text from the same name may
    /// tell of it only after this one was made.
    fn must_live(&self, making: &Act) -> bool {
        let may_end = |ending: &Act| ending.at > making.at || ending.site != making.site;
        making.is_certain && !self.endings.iter().any(may_end)
    }

    /// Someone ended a making who surely had been shown it: its maker, or anyone if it was the only one.
    fn is_ended(&self, making: &Act) -> bool {
        self.endings.iter().any(|ending| {
            let others = self.makings.iter().filter(|other| other.at < ending.at).count() > 1;
            ending.at > making.at && ending.is_certain && (ending.site == making.site || !others)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree;

    const NOW: Now = Now { monotonic: syncline_core::api::Monotonic(0), unix: syncline_core::api::UnixMs(0) };

    fn after(acts: &[(usize, Tree, Tree)]) -> Versions {
        let mut versions = Versions::default();
        for (site, before, after) in acts {
            versions.changed(*site, NOW, before, after);
        }
        versions
    }

    fn verdict(versions: &Versions, folder: &Tree) -> Option<Invariant> {
        versions.check(folder, &[], None).err().map(|violation| violation.invariant)
    }

    #[test]
    fn what_nobody_replaced_must_stand() {
        let versions = after(&[(0, Tree::default(), tree([("a", "one")])), (1, Tree::default(), tree([("a", "two")]))]);
        assert_eq!(verdict(&versions, &tree([("a", "two"), ("a (conflict 00000000)", "one")])), None);
        assert_eq!(verdict(&versions, &tree([("a", "two")])), Some(Invariant::NoLoss));
    }

    #[test]
    fn what_was_replaced_must_not_stand() {
        let one = tree([("a", "one")]);
        let versions = after(&[(0, Tree::default(), one.clone()), (1, one, tree([("a", "two")]))]);
        assert_eq!(verdict(&versions, &tree([("a", "two")])), None);
        let copy = tree([("a", "two"), ("a (conflict 00000000)", "one")]);
        assert_eq!(verdict(&versions, &copy), Some(Invariant::NoFalseConflict));
    }

    #[test]
    fn of_two_equal_files_that_end_together_one_may_be_spared_by_grace() {
        let both = tree([("a", "one"), ("a (conflict 00000000)", "one")]);
        let mut versions = after(&[(0, Tree::default(), tree([("a", "one")]))]);
        versions.synced(1, "a", NOW, None, Some(&digest::content(b"one").0));
        versions.changed(1, NOW, &both, &tree([("a", "two")]));
        assert_eq!(verdict(&versions, &tree([("a", "two")])), None);
        assert_eq!(verdict(&versions, &tree([("a", "two"), ("a (conflict 00000000)", "one")])), None);
    }

    #[test]
    fn what_changed_places_in_grace_and_was_removed_where_nobody_saw_it_may_stay() {
        let copy = "a (conflict 00000000)";
        let exchanged = |in_grace: bool| {
            let stood = tree([("a", "one"), (copy, "two")]);
            let mut versions = after(&[(0, Tree::default(), stood.clone())]);
            if in_grace {
                versions.synced(0, "a", NOW, None, Some(&digest::content(b"one").0));
            }
            let swapped = tree([("a", "two"), (copy, "one")]);
            versions.changed(0, NOW, &stood, &swapped);
            versions.changed(0, NOW, &swapped, &tree([("a", "two")]));
            versions
        };
        let both = tree([("a", "two"), (copy, "one")]);
        assert_eq!(verdict(&exchanged(true), &both), None);
        assert_eq!(verdict(&exchanged(false), &both), Some(Invariant::NoFalseConflict));
    }

    #[test]
    fn what_was_removed_must_not_come_back() {
        let one = tree([("a", "one")]);
        let versions = after(&[(0, Tree::default(), one.clone()), (1, one.clone(), Tree::default())]);
        assert_eq!(verdict(&versions, &Tree::default()), None);
        assert_eq!(verdict(&versions, &one), Some(Invariant::NoResurrection));
    }

    #[test]
    fn equal_texts_made_twice_may_end_once_or_twice() {
        let one = tree([("a", "one")]);
        let versions = after(&[
            (0, Tree::default(), one.clone()),
            (1, Tree::default(), one.clone()),
            (0, one.clone(), Tree::default()),
        ]);
        assert_eq!(verdict(&versions, &Tree::default()), None);
        assert_eq!(verdict(&versions, &one), None);
    }

    #[test]
    fn of_what_a_device_put_back_had_that_must_live_which_others_have() {
        let (one, both) = (tree([("a", "one")]), tree([("a", "one"), ("b", "two")]));
        let put_back = |others: &[Tree]| {
            let mut versions = after(&[(0, Tree::default(), one.clone()), (0, one.clone(), both.clone())]);
            versions.rolled_back(0, 2, &both, &one, others, |_| false);
            versions
        };
        assert_eq!(verdict(&put_back(&[]), &one), None);
        assert_eq!(verdict(&put_back(&[]), &both), None);
        assert_eq!(verdict(&put_back(std::slice::from_ref(&both)), &one), Some(Invariant::NoLoss));
        assert_eq!(verdict(&put_back(std::slice::from_ref(&both)), &both), None);
    }

    /// Someone renames the copy `a (conflict 00000000)` to `b`, of which the device tells, and copies `b` to `a`, of which
    /// it may tell. Then it is put back to what it was before or after that, while on another device the copy stands
    /// still.
    fn brought_again_and_put_back(is_told: bool, to_before: bool) -> Option<Invariant> {
        let (copy, renamed) = (tree([("a (conflict 00000000)", "one")]), tree([("b", "one")]));
        let both = renamed.clone().with("a", "one");
        let mut versions = after(&[(0, Tree::default(), copy.clone())]);
        let early = versions.acts();
        versions.changed(0, NOW, &copy, &renamed);
        versions.changed(0, NOW, &renamed, &both);
        let message = (syncline_core::api::ReplicaId::from_bytes([1; 16]), 7);
        versions.telling(0, message, vec![("a".to_string(), digest::content(b"one").0)]);
        let acts = if to_before { early } else { versions.acts() };
        versions.rolled_back(0, acts, &both, &renamed, &[copy], |public| is_told && public == message);
        assert_eq!(verdict(&versions, &both), None);
        verdict(&versions, &renamed)
    }

    #[test]
    fn what_was_brought_again_and_forgotten_untold_need_not_stand() {
        assert_eq!(brought_again_and_put_back(false, true), None);
        assert_eq!(brought_again_and_put_back(true, true), Some(Invariant::NoLoss));
        assert_eq!(brought_again_and_put_back(false, false), Some(Invariant::NoLoss));
    }

    #[test]
    fn what_others_have_of_a_device_put_back_may_be_what_was_ended_there() {
        let (copy, none) = (tree([("a (conflict 00000000)", "one")]), Tree::default());
        let back = tree([("a", "one")]);
        let mut versions = after(&[(0, none.clone(), copy.clone()), (0, copy.clone(), none.clone())]);
        let acts = versions.acts();
        versions.changed(0, NOW, &none, &back);
        versions.rolled_back(0, acts, &back, &none, std::slice::from_ref(&copy), |_| false);
        assert_eq!(verdict(&versions, &none), None);
    }

    #[test]
    fn where_bytes_belong_that_nobody_has_what_was_replaced_there_stays() {
        let [place, other, third] = ["a (conflict 00000000)", "a (conflict 11111111)", "a (conflict 22222222)"];
        let at_rest = |lost: &str, stays: &str, new: &str| {
            let folder = |text: &str| tree([(place, text)]);
            let mut versions = after(&[(0, Tree::default(), folder("old")), (0, folder("old"), folder("new"))]);
            let with_lost = tree([(lost, "lost")]);
            versions.changed(1, NOW, &Tree::default(), &with_lost);
            let acts = versions.acts();
            versions.rolled_back(1, acts, &with_lost, &Tree::default(), &[], |_| false);
            verdict(&versions, &tree([(new, "new"), (stays, "old")]))
        };
        assert_eq!(at_rest(place, place, other), None);
        assert_eq!(at_rest(&format!("{place} (conflict 33333333)"), place, other), None);
        assert_eq!(at_rest(other, "a", place), None);
        assert_eq!(at_rest(place, other, third), Some(Invariant::NoFalseConflict));
        assert_eq!(at_rest(third, place, other), Some(Invariant::NoFalseConflict));
    }

    #[test]
    fn what_was_edited_while_it_was_brought_elsewhere_may_have_been_moved_there() {
        for is_brought in [false, true] {
            let mut versions = after(&[(0, Tree::default(), tree([("a", "one")]))]);
            versions.changed(0, NOW, &tree([("a", "one")]), &tree([("a", "two")]));
            let both = tree([("a", "two"), ("a (conflict 00000000)", "one")]);
            versions.asked(0, "a (conflict 00000000)");
            versions.started(0);
            let found = is_brought.then(|| digest::content(b"one").0);
            versions.looked(0, "a (conflict 00000000)", found.as_ref());
            let expected = if is_brought { None } else { Some(Invariant::NoFalseConflict) };
            assert_eq!(verdict(&versions, &both), expected);
        }
    }

    #[test]
    fn so_it_does_where_the_bytes_were_written_over_by_who_forgot_that_they_were_there() {
        let folder = |text: &str| tree([("a", text)]);
        let mut versions = after(&[(0, Tree::default(), folder("lost"))]);
        versions.forgot(0, &folder("lost"));
        versions.forgot(0, &folder("lost"));
        versions.changed(0, NOW, &folder("lost"), &folder("new"));
        let beside = folder("new").with("a (conflict 00000000)", "new");
        assert_eq!(verdict(&versions, &beside), None);
        assert_eq!(verdict(&versions, &beside.with("b", "new")), Some(Invariant::NoFalseConflict));
    }

    #[test]
    fn what_a_crash_left_in_the_history_need_not_stand() {
        let one = tree([("a", "one")]);
        let mut versions = after(&[(0, Tree::default(), one.clone())]);
        versions.raced(0, "a", &"one".into());
        assert_eq!(verdict(&versions, &Tree::default()), None);
        assert_eq!(verdict(&versions, &one), None);
    }

    #[test]
    fn an_edit_of_what_derives_from_what_stood_there_has_no_grace() {
        let folder = |text: &str| tree([("a", text)]);
        for (stood, ends) in [(Some(b"one".to_vec()), true), (Some(b"other".to_vec()), false), (None, false)] {
            let mut versions = after(&[(0, Tree::default(), folder("one")), (0, folder("one"), folder("two"))]);
            versions.synced(1, "a", NOW, stood.as_ref(), Some(&digest::content(b"two").0));
            versions.changed(1, NOW, &folder("two"), &folder("three"));
            let both = folder("three").with("a (conflict 00000000)", "two");
            assert_eq!(verdict(&versions, &both), ends.then_some(Invariant::NoFalseConflict));
        }
    }

    #[test]
    fn a_grace_is_over_when_the_first_write_in_it_was_told() {
        let folder = |text: &str| tree([("a", text)]);
        for is_told in [false, true] {
            let mut versions = after(&[(0, Tree::default(), folder("one"))]);
            versions.synced(1, "a", NOW, Some(&b"other".to_vec()), Some(&digest::content(b"one").0));
            versions.changed(1, NOW, &folder("one"), &folder("two"));
            if is_told {
                let told = (syncline_core::api::ReplicaId::from_bytes([1; 16]), 1);
                versions.telling(1, told, vec![("a".into(), digest::content(b"two").0)]);
            }
            versions.changed(1, NOW, &folder("two"), &folder("three"));
            let both = folder("three").with("a (conflict 00000000)", "two");
            assert_eq!(verdict(&versions, &both), is_told.then_some(Invariant::NoFalseConflict));
        }
    }

    #[test]
    fn what_was_done_before_a_clock_moved_may_be_taken_for_done_in_grace() {
        let folder = |text: &str| tree([("a", text)]);
        for (moved, ends) in [(false, true), (true, false)] {
            let mut versions = after(&[(0, Tree::default(), folder("one"))]);
            versions.synced(1, "a", NOW, Some(&b"other".to_vec()), Some(&digest::content(b"one").0));
            let later = Now { unix: NOW.unix.plus(super::super::grace::GRACE_MS), ..NOW };
            versions.changed(1, later, &folder("one"), &folder("two"));
            if moved {
                versions.clock_moved(1);
            }
            let both = folder("two").with("a (conflict 00000000)", "one");
            assert_eq!(verdict(&versions, &both), ends.then_some(Invariant::NoFalseConflict));
        }
    }

    /// Device 1 loads `one`; `two`, made on a device, takes its place, and a minute later the editor saves `three`,
    /// which its engine tells of so much later.
    fn saved_over(maker: usize, told_after_ms: u64) -> Versions {
        let folder = |text: &str| tree([("a", text)]);
        let at = |ms| Now { unix: syncline_core::api::UnixMs(ms), ..NOW };
        let mut versions = after(&[(1, Tree::default(), folder("one")), (maker, Tree::default(), folder("two"))]);
        versions.loaded(1, "a", &"one".into());
        versions.synced(1, "a", at(1_000), None, None);
        versions.saved_loaded(1, at(61_000), "a", &folder("two"), &folder("three"));
        versions.loads.telling(1, at(61_000 + told_after_ms), "a", &digest::content(b"three").0);
        versions.loads.saved(1);
        versions.told_saved(1);
        versions
    }

    #[test]
    fn what_an_editor_did_not_show_is_not_ended_by_its_save() {
        let rest = tree([("a", "three"), ("a (conflict 00000000)", "one")]);
        let whole = rest.clone().with("a (conflict 11111111)", "two");
        for (maker, told_after_ms, must_live) in [(0, 1_000, true), (1, 1_000, false), (0, 500_000, false)] {
            let versions = saved_over(maker, told_after_ms);
            assert_eq!(verdict(&versions, &whole), None);
            assert_eq!(verdict(&versions, &rest), must_live.then_some(Invariant::NoLoss));
        }
    }

    #[test]
    fn what_surely_replaced_the_loaded_text_may_be_ended_by_a_save() {
        let folder = |text: &str| tree([("a", text)]);
        let mut versions = after(&[(0, Tree::default(), folder("one")), (0, folder("one"), folder("two"))]);
        versions.loaded(1, "a", &"one".into());
        versions.synced(1, "a", NOW, None, None);
        assert_eq!(versions.unseen(1, NOW, "a", &folder("two")), None);
    }

    #[test]
    fn nobody_knows_what_an_editor_did_not_show_after_any_doubt() {
        let folder = |text: &str| tree([("a", text)]);
        let doubts: [fn(&mut Versions); 6] = [
            |versions| versions.synced(1, "a", NOW, None, None),
            |versions| versions.unknown(1, "a"),
            |versions| versions.started(1),
            |versions| versions.clock_moved(1),
            |versions| versions.forgot(1, &Tree::default()),
            |versions| versions.changed(1, NOW, &tree([("a", "two")]), &Tree::default()),
        ];
        let shown = |doubt: fn(&mut Versions)| {
            let mut versions = after(&[(1, Tree::default(), folder("one")), (0, Tree::default(), folder("two"))]);
            versions.loaded(1, "a", &"one".into());
            versions.synced(1, "a", NOW, None, None);
            doubt(&mut versions);
            versions.unseen(1, NOW, "a", &folder("two")).is_none()
        };
        assert!(!shown(|_| {}));
        assert!(doubts.into_iter().all(shown));
    }

    #[test]
    fn a_copy_belongs_to_its_plain_path() {
        assert_eq!(family("d/a (conflict 01234567).md"), "d/a.md");
        assert_eq!(family("d/a (conflict 01234567) (conflict 89abcdef).md"), "d/a.md");
        assert_eq!(family("d/a.md"), "d/a.md");
    }
}

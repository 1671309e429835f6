//! What people do to their folders.

mod belongings;
mod kind;

use serde::{Deserialize, Serialize};
use syncline_core::api::Command;

pub use self::kind::ActKind;

use crate::{Disk, Item, ROOT, SiteId, Tree, World};

/// Something that someone does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Act {
    /// What.
    pub kind: ActKind,
    /// On which device.
    pub device: u8,
    /// To which of the things that are there, or which name.
    pub at: u8,
    /// Where to, or how.
    pub to: u8,
    /// Makes its text differ from all others.
    pub number: u16,
}

/// The names that people give files: few, so that they meet.
const FILES: [&str; 12] =
    ["a.md", "b.md", "c", "d/a.md", "d/b.md", "d/e/a.md", "d/e/f", "g/a.md", "g/b", "h.txt", "a.md.d/x", "É.md"];

/// And directories.
const DIRECTORIES: [&str; 6] = ["d", "d/e", "g", "i", "i/j", "d/g"];

/// Permission bits that people choose; the owner can always read, write and search.
const MODES: [u16; 4] = [0o644, 0o600, 0o755, 0o700];

/// How many bytes a big file has: a handful of chunks.
const BIG_BYTES: usize = 400_000;

/// How many files are unpacked at once: more than what is looked at or deleted one by one.
const UNPACKED_FILES: usize = 70;

impl Act {
    /// Does it; returns it in a sentence, and the directories in which something changed. None if there is nothing that
    /// it could be done to.
    pub(crate) fn perform(&self, world: &mut World, site: SiteId) -> Option<String> {
        let command = match self.kind {
            ActKind::Allow => Some((Command::AllowDeletions { root: ROOT }, "allows the deletions that are held")),
            ActKind::Restore => Some((Command::RestoreDeletions { root: ROOT }, "takes held deletions back")),
            ActKind::Rescan => Some((Command::Rescan { root: ROOT }, "asks for a whole comparison")),
            _ => None,
        };
        if let Some((command, told)) = command {
            if self.kind != ActKind::Rescan && (!world[site].is_running() || world[site].root().held == 0) {
                return None;
            }
            if self.kind == ActKind::Restore {
                world.judge().restored(usize::from(self.device) % world.sites().count());
            }
            world.command(site, command);
            return Some(told.into());
        }
        if !world[site].disk().is_mounted() {
            return None;
        }
        if self.kind.is_about_belongings() {
            return self.use_belongings(world, site);
        }
        let before = world[site].tree();
        let told = self.change(world[site].disk(), &before)?;
        world.people_changed(site, &before);
        Some(told)
    }

    fn change(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        match self.kind {
            ActKind::Write | ActKind::WriteSame | ActKind::WriteBig | ActKind::Link | ActKind::Socket => {
                self.make(disk, tree)
            }
            ActKind::Edit | ActKind::Append | ActKind::Truncate | ActKind::Touch | ActKind::EditBig => {
                self.edit(disk, tree)
            }
            ActKind::Save | ActKind::SaveAside => self.save(disk, tree),
            ActKind::Rename | ActKind::Exchange | ActKind::Copy | ActKind::MoveDirectory => {
                self.put_elsewhere(disk, tree)
            }
            ActKind::Delete | ActKind::DeleteDirectory | ActKind::DeleteMost => self.delete(disk, tree),
            ActKind::MakeDirectory | ActKind::Swap | ActKind::Chmod | ActKind::Unpack => self.shape(disk, tree),
            ActKind::EditCopy | ActKind::DeleteCopy | ActKind::KeepCopy | ActKind::RenameCopy => {
                self.treat_copy(disk, tree)
            }
            _ => None,
        }
    }

    fn make(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        let path = self.new_name(tree, self.at)?;
        let is_free = tree.at(path).is_none();
        match self.kind {
            ActKind::Link if is_free || is_link(tree.at(path)) => {
                if !is_free {
                    disk.remove(path);
                }
                disk.symlink(path, format!("target {}", self.to % 4));
                Some(format!("makes a link `{path}`"))
            }
            ActKind::Socket if is_free => {
                disk.special(path);
                Some(format!("makes a socket `{path}`"))
            }
            ActKind::Link | ActKind::Socket => None,
            _ if !is_free && !is_file(tree.at(path)) => None,
            ActKind::WriteBig => {
                disk.write(path, big(self.number));
                Some(format!("writes {BIG_BYTES} bytes to `{path}`"))
            }
            ActKind::WriteSame => {
                let text = format!("common text {}", self.to % 3);
                disk.write(path, &text);
                Some(format!("writes \"{text}\" to `{path}`"))
            }
            _ => {
                disk.write(path, self.text());
                Some(format!("writes {:?} to `{path}`", self.text()))
            }
        }
    }

    fn edit(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        let is_big = |item: Option<&Item>| matches!(item, Some(Item::File { bytes, .. }) if bytes.len() > 10_000);
        let path = match self.kind {
            ActKind::EditBig => self.pick(tree, self.at, |item| is_big(Some(item)))?,
            _ => self.pick(tree, self.at, |item| is_file(Some(item)) && !is_big(Some(item)))?,
        };
        let mut bytes = disk.read(&path)?.to_vec();
        match self.kind {
            ActKind::Append => {
                disk.append(&path, format!(" and {}", self.text()));
                Some(format!("adds \" and {}\" to `{path}`", self.text()))
            }
            ActKind::Truncate => {
                bytes.truncate(bytes.len() / 2);
                disk.write(&path, &bytes);
                Some(format!("cuts `{path}` short, to {:?}", String::from_utf8_lossy(&bytes)))
            }
            ActKind::Touch => {
                disk.write(&path, &bytes);
                Some(format!("writes `{path}` anew as it was"))
            }
            ActKind::EditBig => {
                let (start, text) = (bytes.len() / 2, self.text().into_bytes());
                let end = (start + text.len()).min(bytes.len());
                bytes[start..end].copy_from_slice(&text[..end - start]);
                disk.write(&path, &bytes);
                Some(format!("writes {:?} into the middle of `{path}`", self.text()))
            }
            _ => {
                disk.write(&path, self.text());
                Some(format!("writes {:?} over `{path}`", self.text()))
            }
        }
    }

    fn save(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        let path = self.pick(tree, self.at, |item| is_file(Some(item)))?;
        if self.kind == ActKind::Save {
            disk.replace(&path, self.text());
            return Some(format!("saves {:?} as `{path}`", self.text()));
        }
        let aside = format!("{path}~");
        if tree.at(&aside).is_some_and(|item| !is_file(Some(item))) {
            return None;
        }
        disk.rename(&path, &aside);
        disk.write(&path, self.text());
        // Some editors keep the old file.
        if self.to.is_multiple_of(4) {
            return Some(format!("moves `{path}` to `{aside}` and writes {:?} in its place", self.text()));
        }
        disk.remove(&aside);
        Some(format!("saves {:?} as `{path}` by way of `{aside}`", self.text()))
    }

    fn put_elsewhere(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        if self.kind == ActKind::MoveDirectory {
            let from = self.pick(tree, self.at, is_directory)?;
            let to = DIRECTORIES[usize::from(self.to) % DIRECTORIES.len()];
            let inside = format!("{to}/").starts_with(&format!("{from}/"));
            if inside || tree.at(to).is_some() || !can_hold(tree, to) {
                return None;
            }
            disk.mkdir(parent(to));
            disk.rename(&from, to);
            return Some(format!("moves the directory `{from}` to `{to}`"));
        }
        let from = self.pick(tree, self.at, |item| is_file(Some(item)) || is_link(Some(item)))?;
        let to = self.new_name(tree, self.to)?;
        if from == to || tree.at(to).is_some_and(|item| is_directory(item) || *item == Item::Special) {
            return None;
        }
        match self.kind {
            ActKind::Rename => {
                disk.mkdir(parent(to));
                disk.rename(&from, to);
                Some(format!("renames `{from}` to `{to}`"))
            }
            ActKind::Copy => {
                let bytes = disk.read(&from)?.to_vec();
                if is_link(tree.at(to)) {
                    return None;
                }
                disk.write(to, bytes);
                Some(format!("copies `{from}` to `{to}`"))
            }
            _ => {
                tree.at(to)?;
                let aside = format!("{from}.exchanged");
                disk.rename(&from, &aside);
                disk.rename(to, &from);
                disk.rename(&aside, to);
                Some(format!("exchanges `{from}` and `{to}`"))
            }
        }
    }

    fn delete(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        match self.kind {
            ActKind::Delete => {
                let path = self.pick(tree, self.at, |item| !is_directory(item))?;
                disk.remove(&path);
                Some(format!("deletes `{path}`"))
            }
            ActKind::DeleteDirectory => {
                let path = self.pick(tree, self.at, is_directory)?;
                disk.remove(&path);
                Some(format!("deletes the directory `{path}`"))
            }
            _ => {
                let kept = self.pick(tree, self.at, |item| !is_directory(item))?;
                let paths: Vec<&str> = tree.items().map(|(path, _)| path).collect();
                for path in paths.into_iter().rev().filter(|path| !format!("{kept}/").starts_with(&format!("{path}/")))
                {
                    disk.remove(path);
                }
                Some(format!("deletes everything but `{kept}`"))
            }
        }
    }

    fn shape(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        match self.kind {
            ActKind::MakeDirectory => {
                let path = DIRECTORIES[usize::from(self.at) % DIRECTORIES.len()];
                if tree.at(path).is_some() || !can_hold(tree, path) {
                    return None;
                }
                disk.mkdir(path);
                Some(format!("makes the directory `{path}`"))
            }
            ActKind::Unpack => {
                let path = DIRECTORIES[usize::from(self.at) % DIRECTORIES.len()];
                if !can_hold(tree, &format!("{path}/x")) {
                    return None;
                }
                for part in 0..UNPACKED_FILES {
                    let file = format!("{path}/part {part}");
                    if tree.at(&file).is_none_or(|item| is_file(Some(item))) {
                        disk.write(&file, format!("part {part} of {}", self.text()));
                    }
                }
                Some(format!("unpacks {UNPACKED_FILES} files into `{path}`"))
            }
            ActKind::Chmod if !disk.traits().modes => None,
            ActKind::Chmod => {
                let path = self.pick(tree, self.at, |item| is_directory(item) || is_file(Some(item)))?;
                let mode = MODES[usize::from(self.to) % MODES.len()];
                let mode = if tree.at(&path).is_some_and(is_directory) { mode | 0o700 } else { mode };
                disk.chmod(&path, mode);
                Some(format!("sets the bits of `{path}` to {mode:o}"))
            }
            _ => {
                let path = self.pick(tree, self.at, |item| *item != Item::Special)?;
                let was_directory = tree.at(&path).is_some_and(is_directory);
                disk.remove(&path);
                if was_directory || self.to.is_multiple_of(3) {
                    disk.write(&path, self.text());
                    return Some(format!("replaces `{path}` by the file {:?}", self.text()));
                }
                if self.to % 3 == 1 {
                    disk.symlink(&path, "elsewhere");
                    return Some(format!("replaces `{path}` by a link"));
                }
                disk.write(&format!("{path}/inner"), self.text());
                Some(format!("replaces `{path}` by a directory with the file {:?}", self.text()))
            }
        }
    }

    fn treat_copy(&self, disk: &mut Disk, tree: &Tree) -> Option<String> {
        let is_copy = |path: &&str| is_file(tree.at(path)) && !parent(path).contains(" (conflict ");
        let copies: Vec<&str> = tree.copies().into_iter().filter(is_copy).collect();
        let copy = *copies.get(usize::from(self.at) % copies.len().max(1))?;
        let plain = crate::judge::family(copy);
        match self.kind {
            ActKind::EditCopy => {
                disk.write(copy, self.text());
                Some(format!("writes {:?} over `{copy}`", self.text()))
            }
            ActKind::DeleteCopy => {
                disk.remove(copy);
                Some(format!("deletes `{copy}`"))
            }
            ActKind::KeepCopy if can_hold(tree, &plain) && tree.at(&plain).is_none_or(|item| is_file(Some(item))) => {
                disk.mkdir(parent(&plain));
                disk.rename(copy, &plain);
                Some(format!("puts `{copy}` in the place of `{plain}`"))
            }
            ActKind::RenameCopy => {
                let to = format!("{}.kept", plain);
                if tree.at(&to).is_some() || !can_hold(tree, &to) {
                    return None;
                }
                disk.mkdir(parent(&to));
                disk.rename(copy, &to);
                Some(format!("renames `{copy}` to `{to}`"))
            }
            _ => None,
        }
    }

    /// A name that a new file can have: no directory stands there, and nothing else in its way.
    fn new_name(&self, tree: &Tree, number: u8) -> Option<&'static str> {
        let name = FILES[usize::from(number) % FILES.len()];
        (can_hold(tree, name) && !tree.at(name).is_some_and(is_directory)).then_some(name)
    }

    fn pick(&self, tree: &Tree, number: u8, wanted: impl Fn(&Item) -> bool) -> Option<String> {
        let paths: Vec<&str> = tree.items().filter(|(_, item)| wanted(item)).map(|(path, _)| path).collect();
        paths.get(usize::from(number) % paths.len().max(1)).map(ToString::to_string)
    }

    fn text(&self) -> String {
        format!("text {} of device {}", self.number, self.device)
    }
}

/// Directories stand above a path, or nothing.
fn can_hold(tree: &Tree, path: &str) -> bool {
    let mut above = parent(path);
    while !above.is_empty() {
        if tree.at(above).is_some_and(|item| !is_directory(item)) {
            return false;
        }
        above = parent(above);
    }
    true
}

fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(parent, _)| parent)
}

fn is_file(item: Option<&Item>) -> bool {
    matches!(item, Some(Item::File { .. }))
}

fn is_link(item: Option<&Item>) -> bool {
    matches!(item, Some(Item::Symlink { .. }))
}

fn is_directory(item: &Item) -> bool {
    matches!(item, Item::Directory { .. })
}

fn big(number: u16) -> Vec<u8> {
    let mut chance = fastrand::Rng::with_seed(u64::from(number));
    let mut bytes = vec![0; BIG_BYTES];
    chance.fill(&mut bytes);
    bytes
}

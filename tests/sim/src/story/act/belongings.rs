//! Files that programs hold open, texts that editors have in memory, backups, and folders that are copied whole.

use syncline_core::api::Membership;

use super::{Act, ActKind, can_hold, is_directory, is_file};
use crate::{
    Item, SiteId, World,
    world::{Loaded, Written},
};

/// The most files that the programs of one device hold open.
const OPEN_MAX: usize = 4;

/// The most texts that the editors of one device have in memory.
const LOADED_MAX: usize = 4;

/// The most devices of a group that folders are still copied to others in.
const DEVICES_MAX: usize = 8;

/// One of so many backups that are put back has no marker, for Syncline's own files were left out of it.
const UNMARKED_ONE_IN: u8 = 4;

impl Act {
    pub(super) fn use_belongings(&self, world: &mut World, site: SiteId) -> Option<String> {
        match self.kind {
            ActKind::OpenFile => self.open(world, site),
            ActKind::WriteOpen => self.write_open(world, site),
            ActKind::Load => self.load(world, site),
            ActKind::SaveLoaded => self.save_loaded(world, site),
            ActKind::BackUp => {
                let folder = world[site].disk().snapshot();
                world[site].belongings.back_up(folder);
                Some("takes a backup of the folder".into())
            }
            ActKind::CopyRoot => self.copy_root(world, site),
            _ => {
                let before = world[site].tree();
                let told = self.restore(world, site)?;
                world.people_changed(site, &before);
                Some(told)
            }
        }
    }

    fn open(&self, world: &mut World, site: SiteId) -> Option<String> {
        let tree = world[site].tree();
        let path = self.pick(&tree, self.at, |item| is_file(Some(item)))?;
        if world[site].belongings.open.len() >= OPEN_MAX {
            return None;
        }
        world.open_file(site, &path);
        Some(format!("opens `{path}` in a program"))
    }

    fn write_open(&self, world: &mut World, site: SiteId) -> Option<String> {
        let index = usize::from(self.at).checked_rem(world[site].belongings.open.len())?;
        let (text, closes) = (self.text(), self.to.is_multiple_of(3));
        let place = match world.write_open_file(site, index, text.as_bytes(), closes)? {
            Written::At(path) => format!("stands at `{path}`"),
            Written::Displaced => "lies in the history".into(),
            Written::Nowhere => "was removed".into(),
        };
        let end = if closes { ", and closes it" } else { "" };
        Some(format!("writes {text:?} to the file that a program holds open and that {place}{end}"))
    }

    fn load(&self, world: &mut World, site: SiteId) -> Option<String> {
        let path = self.pick(&world[site].tree(), self.at, |item| is_file(Some(item)))?;
        world.load_file(site, &path);
        let loaded = &mut world[site].belongings.loaded;
        loaded.drain(..loaded.len().saturating_sub(LOADED_MAX));
        Some(format!("loads `{path}` into an editor"))
    }

    /// Saves a text over which another one came, if there is one.
    fn save_loaded(&self, world: &mut World, site: SiteId) -> Option<String> {
        let tree = world[site].tree();
        let loaded = world[site].belongings.loaded.iter();
        let can_save = |path: &str| can_hold(&tree, path) && tree.at(path).is_none_or(|item| is_file(Some(item)));
        let savable: Vec<_> = loaded.filter(|loaded| can_save(&loaded.path)).collect();
        let is_replaced = |loaded: &&&Loaded| matches!(tree.at(&loaded.path), Some(Item::File { bytes, .. }) if *bytes != loaded.bytes);
        let replaced: Vec<_> = savable.iter().filter(is_replaced).copied().collect();
        let choice = if replaced.is_empty() { &savable } else { &replaced };
        let path = choice.get(usize::from(self.at).checked_rem(choice.len())?)?.path.clone();
        let over = if replaced.is_empty() { "" } else { ", over another text than it had loaded" };
        let (text, renames) = (self.text(), self.to.is_multiple_of(2));
        world.save_loaded(site, &path, text.as_bytes(), renames);
        let how = if renames { "by a new file" } else { "in place" };
        Some(format!("saves {text:?} as `{path}` {how} from an editor{over}"))
    }

    fn restore(&self, world: &mut World, site: SiteId) -> Option<String> {
        let tree = world[site].tree();
        let backup = world[site].belongings.backup(usize::from(self.to))?.clone();
        let disk = world[site].disk();
        if self.kind == ActKind::RestoreBackup {
            disk.restore(&backup);
            if !self.at.is_multiple_of(UNMARKED_ONE_IN) {
                return Some("puts a backup of the folder in its place".into());
            }
            disk.set_marker(false);
            return Some("puts a backup of the folder in its place, without Syncline's own files".into());
        }
        let wants_directory = self.kind == ActKind::RestoreDirectory;
        let paths = backup.paths(wants_directory);
        let path = paths.get(usize::from(self.at).checked_rem(paths.len())?)?;
        // Whoever wants back a file does not take away a directory for it.
        if !can_hold(&tree, path) || tree.at(path).is_some_and(|item| is_directory(item) != wants_directory) {
            return None;
        }
        disk.restore_at(&backup, path);
        Some(format!("puts `{path}` back from a backup"))
    }

    fn copy_root(&self, world: &mut World, site: SiteId) -> Option<String> {
        let count = world.sites().count();
        if count >= DEVICES_MAX {
            return None;
        }
        let copy = world.add(Membership::Joiner);
        let traits = world[site].disk().traits();
        world[copy].disk().set_traits(traits);
        world.copy_root(site, copy);
        Some(format!("copies the whole folder to a new device {count}"))
    }
}

//! Contents of files that others may be given, and those that nobody needs any more.

use alloc::string::String;
use alloc::vec::Vec;

use super::Root;
use crate::api::{Hash, Stat};
use crate::log::Dot;
use crate::tree::merged::{DeadContent, Version};
use crate::tree::path;

impl Root {
    /// The contents that died since this was last asked, each with the version that it died of: its own, if it was dead
    /// when it came.
    pub fn take_dead(&mut self) -> Vec<(DeadContent, Dot)> {
        core::mem::take(&mut self.dead)
    }

    /// A version lives, as far as is known here.
    pub fn is_live(&self, version: &Dot) -> bool {
        self.merged.is_live(version)
    }

    /// The versions that live.
    pub fn living(&self) -> impl Iterator<Item = &Version> {
        self.merged.living()
    }

    /// A path of a file with this content and its metadata.
    pub fn holder(&self, content: &Hash) -> Option<(String, Stat)> {
        self.holders(content).next()
    }

    /// The paths of all files with this content and their metadata.
    pub fn holders(&self, content: &Hash) -> impl Iterator<Item = (String, Stat)> {
        self.base.holders(content).filter_map(|path| {
            let (directory, name) = path::split(path)?;
            Some((path.clone(), self.base.entry(directory, &name)?.stat?))
        })
    }

    /// A content stands here, and not at this path any more.
    pub fn holds_elsewhere(&self, content: &Hash, path: &str) -> bool {
        let mut holders = self.base.holders(content).peekable();
        holders.peek().is_some() && holders.all(|holder| holder != path)
    }

    /// A file was found changed while a peer was served from it.
    pub fn suspect(&mut self, path: String) {
        self.look(path);
    }
}

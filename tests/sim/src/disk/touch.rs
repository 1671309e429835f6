//! What a watcher of the folder could see.

use super::{Body, Disk, ROOT, join};

impl Disk {
    /// Writes down from now on which directories people touch, or no more.
    pub fn watch(&mut self, watched: bool) {
        self.touched = watched.then(Vec::new);
    }

    /// What the host does counts as a touch, too, or does not.
    pub(crate) fn set_echo(&mut self, echo: bool) {
        self.echo = echo;
    }

    /// Work of the host begins or ends: a watcher can tell its touches from people's.
    pub(crate) fn set_acting_host(&mut self, acting: bool) {
        self.acting_host = acting;
    }

    /// The directories touched since this was last asked, in the order of the touches.
    pub fn take_touched(&mut self) -> Vec<String> {
        self.touched.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// A directory was touched since.
    pub fn is_touched(&self) -> bool {
        self.touched.as_ref().is_some_and(|touched| !touched.is_empty())
    }

    /// An entry of this directory changes.
    pub(super) fn touch(&mut self, directory: &str) {
        if let Some(touched) = &mut self.touched
            && (self.echo || !self.acting_host)
            && touched.last().is_none_or(|last| last != directory)
        {
            touched.push(directory.into());
        }
    }

    /// An inode changes wherever it stands.
    pub(super) fn touch_number(&mut self, number: u64) {
        if self.touched.is_some()
            && let Some(path) = self.path_of(number)
        {
            self.touch(super::parent(&path).to_string().as_str());
        }
    }

    /// Where an inode stands in the tree.
    pub(crate) fn path_of(&self, number: u64) -> Option<String> {
        let mut directories = vec![(String::new(), ROOT)];
        while let Some((path, directory)) = directories.pop() {
            let Body::Directory(entries) = &self.inodes[&directory].body else { continue };
            for (name, entry) in entries {
                let path = join(&path, &name.shown);
                if *entry == number {
                    return Some(path);
                }
                directories.push((path, *entry));
            }
        }
        None
    }
}

//! Watching a root: hints for the engine, gathered for a moment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use syncline_core::api::{Event, Hint, RootId};

use super::runner::Input;
use crate::Error;
use crate::disk::OWN;

/// How long hints are gathered before the engine gets them.
const GATHER: Duration = Duration::from_millis(30);
/// More directories than this at once are told as "anything".
const HINTS_MAX: usize = 1000;

/// Watches a root while it lives.
pub(crate) struct Watch {
    _watcher: RecommendedWatcher,
}

impl Watch {
    /// Starts to watch a root and all below it.
    ///
    /// # Errors
    /// The system refuses, for instance because too many directories are watched already.
    pub(crate) fn start(folder: &Path, root: RootId, to: Sender<Input>) -> Result<Watch, Error> {
        let refused = |e: notify::Error| Error::Failed {
            what: format!(
                "cannot watch `{}` for changes: {e}; it is compared as a whole from time to time instead",
                folder.display()
            ),
        };
        let (events, seen) = unbounded();
        let handler = move |event: notify::Result<notify::Event>| {
            // Who gathers ends with the watcher.
            let _ = events.send(event);
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(refused)?;
        watcher.watch(folder, RecursiveMode::Recursive).map_err(refused)?;
        let folder = folder.to_path_buf();
        let gather = move || gather(&folder, root, &seen, &to);
        thread::Builder::new()
            .name("watch".into())
            .spawn(gather)
            .map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?;
        Ok(Watch { _watcher: watcher })
    }
}

fn gather(folder: &Path, root: RootId, seen: &Receiver<notify::Result<notify::Event>>, to: &Sender<Input>) {
    while let Ok(first) = seen.recv() {
        let mut gathered = Gathered::default();
        gathered.add(folder, first);
        let until = Instant::now() + GATHER;
        loop {
            match seen.recv_deadline(until) {
                Ok(event) => gathered.add(folder, event),
                Err(RecvTimeoutError::Timeout) => break,
                Err(RecvTimeoutError::Disconnected) => return,
            }
        }
        let Some(hints) = gathered.hints() else { continue };
        if to.send(Input::Event(Event::Changed { root, hints })).is_err() {
            return;
        }
    }
}

/// Directories in which something may have changed, below the root; with all below them or without.
#[derive(Default)]
struct Gathered {
    directories: BTreeSet<(String, bool)>,
    anything: bool,
}

impl Gathered {
    fn add(&mut self, folder: &Path, event: notify::Result<notify::Event>) {
        let Ok(event) = event else {
            self.anything = true;
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        if event.need_rescan() {
            self.anything = true;
        }
        for path in event.paths {
            self.add_path(folder, &path, &event.kind);
        }
    }

    fn add_path(&mut self, folder: &Path, path: &Path, kind: &EventKind) {
        let Ok(below) = path.strip_prefix(folder) else { return };
        if below.starts_with(OWN) {
            return;
        }
        let Some(parent) = below.parent() else {
            // The root itself.
            self.anything |= matches!(kind, EventKind::Remove(_));
            self.directories.insert((String::new(), false));
            return;
        };
        self.insert(parent.to_path_buf(), false);
        // A directory that appears may already hold what nobody watched yet.
        if matches!(kind, EventKind::Create(_) | EventKind::Modify(notify::event::ModifyKind::Name(_)))
            && path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
        {
            self.insert(below.to_path_buf(), true);
        }
    }

    fn insert(&mut self, directory: PathBuf, recursive: bool) {
        // Names that are no UTF-8 are not kept, nor is what lies below them.
        if let Ok(directory) = directory.into_os_string().into_string() {
            self.directories.insert((directory, recursive));
        }
    }

    /// None if nothing of interest was seen; empty for "anything".
    fn hints(self) -> Option<Vec<Hint>> {
        if self.anything || self.directories.len() > HINTS_MAX {
            return Some(Vec::new());
        }
        if self.directories.is_empty() {
            return None;
        }
        Some(self.directories.into_iter().map(|(directory, recursive)| Hint { directory, recursive }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn changes_are_told_as_directories_and_own_files_not_at_all() {
        let folder = tempfile::tempdir().unwrap();
        let base = folder.path().canonicalize().unwrap();
        std::fs::create_dir_all(base.join(OWN)).unwrap();
        std::fs::create_dir(base.join("d")).unwrap();
        let (to, from) = unbounded();
        let root = RootId::from_bytes([1; 16]);
        let _watch = Watch::start(&base, root, to).unwrap();
        std::fs::write(base.join(OWN).join("store"), "x").unwrap();
        std::fs::write(base.join("d/a"), "x").unwrap();
        std::fs::create_dir(base.join("d/new")).unwrap();
        let mut seen = BTreeSet::new();
        while !seen.contains(&("d/new".to_string(), true)) {
            let Ok(Input::Event(Event::Changed { hints, .. })) = from.recv_timeout(Duration::from_secs(60)) else {
                panic!("nothing was seen")
            };
            seen.extend(hints.into_iter().map(|hint| (hint.directory, hint.recursive)));
        }
        assert!(seen.contains(&("d".to_string(), false)));
        assert!(seen.iter().all(|(directory, _)| !directory.starts_with(OWN)), "{seen:?}");
    }
}

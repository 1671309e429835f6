//! Watching a session's directory: hints for the engine, gathered for a moment.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread;
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, bounded};
use notify::event::ModifyKind;
use notify::{EventKind, RecommendedWatcher, RecursiveMode, Watcher};
use syncline_core::api::{Event, FolderId};
use syncline_core::folder::SESSION_DIRECTORY;

use super::SharedFolder;
use super::create::STAGED_PREFIX;
use super::look::placeholder_of;
use crate::Error;

/// How long hints are gathered before the engine gets them.
const GATHER: Duration = Duration::from_millis(30);
/// More paths than this at once are told as "anything".
const PATHS_MAX: usize = 1000;
/// How many of the system's events may wait; more are told as "anything".
const EVENTS_MAX: usize = 4096;

type Seen = notify::Result<notify::Event>;
type Shared = Mutex<RecommendedWatcher>;

/// Watches a session's directory while it lives.
pub struct FolderWatch {
    _watcher: Arc<Shared>,
}

impl SharedFolder {
    /// Watches the session's directory and all below it, also one that is made later, and tells what changes as
    /// [`Event::FolderChanged`] of this folder, until `tell` says that nobody listens any more. Of what else lies in the
    /// shared folder nothing is told.
    ///
    /// # Errors
    /// The system refuses, for instance because too many directories are watched already.
    pub fn watch(
        &self,
        id: FolderId,
        mut tell: impl FnMut(Event) -> bool + Send + 'static,
    ) -> Result<FolderWatch, Error> {
        let refused = |e: notify::Error| Error::Failed {
            what: format!(
                "cannot watch `{}` for changes: {e}; it is looked through from time to time instead",
                self.path().display()
            ),
        };
        let (events, seen) = bounded::<Seen>(EVENTS_MAX);
        let lost = Arc::new(AtomicBool::new(false));
        let is_lost = Arc::clone(&lost);
        let handler = move |event: Seen| {
            // Whoever gathers ends with the watcher; what does not fit is told as "anything".
            if events.try_send(event).is_err() {
                lost.store(true, Ordering::Relaxed);
            }
        };
        let mut watcher = notify::recommended_watcher(handler).map_err(refused)?;
        // Only the folder's own entries: what else is shared may be large.
        watcher.watch(self.path(), RecursiveMode::NonRecursive).map_err(refused)?;
        let session = self.path().join(SESSION_DIRECTORY);
        if is_directory(&session) {
            watcher.watch(&session, RecursiveMode::Recursive).map_err(refused)?;
        }
        let watcher = Arc::new(Mutex::new(watcher));
        let gatherer = Gatherer { session, watcher: Arc::downgrade(&watcher), seen, lost: is_lost };
        thread::Builder::new()
            .name("watch".into())
            .spawn(move || {
                gatherer.run(&mut |paths| tell(Event::FolderChanged { folder: id, paths }));
            })
            .map_err(|e| Error::Failed { what: format!("cannot start a thread: {e}") })?;
        Ok(FolderWatch { _watcher: watcher })
    }
}

struct Gatherer {
    session: PathBuf,
    /// Weak, or the thread would keep alive what it waits for the end of.
    watcher: Weak<Shared>,
    seen: Receiver<Seen>,
    lost: Arc<AtomicBool>,
}

impl Gatherer {
    fn run(&self, tell: &mut dyn FnMut(Vec<String>) -> bool) {
        while let Ok(first) = self.seen.recv() {
            let mut gathered = Gathered::default();
            gathered.add(&self.session, first);
            let until = Instant::now() + GATHER;
            loop {
                match self.seen.recv_deadline(until) {
                    Ok(event) => gathered.add(&self.session, event),
                    Err(RecvTimeoutError::Timeout) => break,
                    Err(RecvTimeoutError::Disconnected) => return,
                }
            }
            if gathered.other_session {
                self.watch_again();
            }
            gathered.anything |= self.lost.swap(false, Ordering::Relaxed);
            if gathered.paths().is_some_and(|paths| !tell(paths)) {
                return;
            }
        }
    }

    /// The session's directory was made, removed or replaced.
    fn watch_again(&self) {
        let Some(watcher) = self.watcher.upgrade() else { return };
        let mut watcher = watcher.lock().unwrap_or_else(PoisonError::into_inner);
        // There may be none of the one before.
        let _ = watcher.unwatch(&self.session);
        if is_directory(&self.session)
            && let Err(error) = watcher.watch(&self.session, RecursiveMode::Recursive)
        {
            tracing::warn!("cannot watch the session's directory: {error}; it is looked through from time to time");
        }
    }
}

/// Paths below the session's directory that may have changed.
#[derive(Default)]
struct Gathered {
    paths: BTreeSet<String>,
    anything: bool,
    other_session: bool,
}

impl Gathered {
    fn add(&mut self, session: &Path, event: Seen) {
        let Ok(event) = event else {
            self.anything = true;
            return;
        };
        if matches!(event.kind, EventKind::Access(_)) {
            return;
        }
        self.anything |= event.need_rescan();
        for path in event.paths {
            self.add_path(session, &path, &event.kind);
        }
    }

    fn add_path(&mut self, session: &Path, path: &Path, kind: &EventKind) {
        let Ok(below) = path.strip_prefix(session) else { return };
        if below.as_os_str().is_empty() {
            let is_inner = matches!(kind, EventKind::Modify(ModifyKind::Data(_) | ModifyKind::Metadata(_)));
            self.other_session |= !is_inner;
            self.anything |= !is_inner;
            return;
        }
        // Names that are no UTF-8 are no messages'.
        let Some(below) = below.to_str() else { return };
        let (parent, name) = below.rsplit_once('/').map_or(("", below), |(parent, name)| (parent, name));
        if name.starts_with(STAGED_PREFIX) || self.paths.len() > PATHS_MAX {
            return;
        }
        let name = placeholder_of(name).unwrap_or(name);
        self.paths.insert(if parent.is_empty() { name.to_string() } else { format!("{parent}/{name}") });
    }

    /// None if nothing of interest was seen; empty for "anything".
    fn paths(self) -> Option<Vec<String>> {
        if self.anything || self.paths.len() > PATHS_MAX {
            return Some(Vec::new());
        }
        (!self.paths.is_empty()).then(|| self.paths.into_iter().collect())
    }
}

fn is_directory(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;
    use notify::event::{CreateKind, DataChange, RenameMode};

    const SESSION: &str = "/s/tempo-fs-session";

    fn seen(kind: EventKind, paths: &[&str]) -> Seen {
        let event = notify::Event::new(kind);
        Ok(paths.iter().fold(event, |event, path| event.add_path(Path::new(SESSION).join(path))))
    }

    fn gathered(events: impl IntoIterator<Item = Seen>) -> Option<Vec<String>> {
        let mut gathered = Gathered::default();
        events.into_iter().for_each(|event| gathered.add(Path::new(SESSION), event));
        gathered.paths()
    }

    #[test]
    fn changes_are_told_once_by_the_names_of_files_and_staged_ones_not_at_all() {
        let create = EventKind::Create(CreateKind::File);
        let rename = EventKind::Modify(ModifyKind::Name(RenameMode::Both));
        let data = EventKind::Modify(ModifyKind::Data(DataChange::Any));
        let events = [
            seen(create, &["r/~syncthing~syncline-1.tmp"]),
            seen(data, &["r/~syncthing~syncline-1.tmp"]),
            seen(rename, &["r/~syncthing~syncline-1.tmp", "r/a"]),
            seen(data, &["r/a"]),
            seen(create, &["r/.b.icloud"]),
            seen(create, &["info"]),
            seen(create, &["/s/other/r/c"]),
        ];
        assert_eq!(gathered(events), Some(vec!["info".into(), "r/a".into(), "r/b".into()]));
        assert_eq!(gathered([seen(create, &["r/~syncthing~syncline-1.tmp", "/s/other"])]), None);
    }

    #[test]
    fn too_many_changes_errors_and_another_session_are_anything() {
        let create = EventKind::Create(CreateKind::Any);
        let many = |count: usize| (0..count).map(move |number| seen(create, &[&format!("r/{number:x}")]));
        assert_eq!(gathered(many(PATHS_MAX)).unwrap().len(), PATHS_MAX);
        assert_eq!(gathered(many(PATHS_MAX + 5)), Some(Vec::new()));
        assert_eq!(gathered([Err(notify::Error::generic("overflow"))]), Some(Vec::new()));
        assert_eq!(gathered([seen(create, &[""])]), Some(Vec::new()));
    }
}

//! The rules of the boundary that each answer of an engine is held against.

use std::collections::{BTreeMap, BTreeSet};

use super::{folder_rules::FolderRules, rows::RowRules};
use syncline_core::{
    api::{Action, Event, LinkId, LoadQuery, Outcome, Put, RootId, StageSource, TaskId, Work},
    engine::limits,
};

/// The most actions that one call may return.
const ACTIONS_MAX: usize = 1_024;

/// The most bytes that the actions of one call may hold.
const ACTION_BYTES_MAX: usize = 32 << 20;

/// The longest key of a store.
const KEY_BYTES_MAX: usize = 8 << 10;

/// What an engine was told and asked for so far.
pub(crate) struct Rules {
    root: Option<RootId>,
    folder: Option<FolderRules>,
    rows: Option<RowRules>,
    started: bool,
    given: BTreeSet<TaskId>,
    in_flight: BTreeSet<TaskId>,
    save: Option<TaskId>,
    /// A save failed: nothing may be sent any more.
    silenced: bool,
    stopped: bool,
    /// The open links and the largest message of each.
    links: BTreeMap<LinkId, usize>,
}

impl Rules {
    /// Nothing happened yet to an engine with at most this one root and this one message folder, and with rows or without.
    pub fn new(root: Option<RootId>, folder: Option<FolderRules>, rows: Option<RowRules>) -> Rules {
        Rules {
            root,
            folder,
            rows,
            started: false,
            given: BTreeSet::new(),
            in_flight: BTreeSet::new(),
            save: None,
            silenced: false,
            stopped: false,
            links: BTreeMap::new(),
        }
    }

    /// Takes note of what the engine is about to be told.
    pub fn told(&mut self, event: &Event) {
        self.folder.iter_mut().for_each(|folder| folder.told(event));
        self.rows.iter_mut().for_each(|rows| rows.told(event));
        match event {
            Event::Start => self.started = true,
            Event::Completed { task, outcome } if self.in_flight.remove(task) && self.save == Some(*task) => {
                self.save = None;
                self.silenced |= *outcome != Outcome::Saved;
            }
            Event::LinkUp { link, message_bytes_max } => {
                let max =
                    (*message_bytes_max as usize).clamp(limits::PIPE_MESSAGE_BYTES_MIN, limits::PIPE_MESSAGE_BYTES_MAX);
                // A link that is up already keeps what it was opened with, or takes the new size.
                let known = self.links.entry(*link).or_default();
                *known = max.max(*known);
            }
            Event::LinkDown { link } => drop(self.links.remove(link)),
            _ => {}
        }
    }

    /// Checks one answer and returns its bytes.
    pub fn check(&mut self, actions: &[Action]) -> Vec<u8> {
        assert!(actions.len() <= ACTIONS_MAX, "one call returned {} actions", actions.len());
        let bytes = postcard::to_stdvec(actions).expect("actions are plain data");
        assert!(bytes.len() <= ACTION_BYTES_MAX, "one call returned {} bytes of actions", bytes.len());
        for action in actions {
            self.check_action(action);
        }
        bytes
    }

    /// The engine said that it stopped.
    pub fn is_stopped(&self) -> bool {
        self.stopped
    }

    fn check_action(&mut self, action: &Action) {
        assert!(self.started || matches!(action, Action::Notify { .. }), "{action:?} before the start");
        match action {
            Action::Perform { task, work } => {
                assert!(!self.stopped, "work after the engine stopped: {work:?}");
                assert!(self.given.insert(*task), "task {} is given twice", task.0);
                self.in_flight.insert(*task);
                if let Work::Save { .. } = work {
                    assert_eq!(self.save, None, "two saves are in flight");
                    assert!(!self.silenced, "something is saved though a save failed");
                    self.save = Some(*task);
                }
                self.check_work(*task, work);
            }
            Action::Cancel { task } => assert!(self.in_flight.contains(task), "task {} is not in flight", task.0),
            Action::Send { link, bytes } => {
                assert!(!self.stopped && !self.silenced, "something is sent after the end");
                let max = self.links.get(link).unwrap_or_else(|| panic!("link {} is not open", link.0));
                assert!((2..=*max).contains(&bytes.len()), "a message of {} bytes, not 2 to {max}", bytes.len());
            }
            Action::Close { link, reason } => {
                assert!(self.links.remove(link).is_some(), "link {} is closed and not open", link.0);
                assert!(!reason.is_empty(), "a link is closed without a reason");
            }
            Action::Notify { notice } => assert!(!notice.message.is_empty(), "{notice:?}"),
            Action::Published { .. } => assert!(!self.silenced, "something is published after a failed save"),
            Action::RowsWritten { .. } => assert!(!self.silenced, "rows are written after a failed save"),
            Action::RowsRead { rows, .. } => self.rows().check(rows),
            Action::RowsChanged { rows } => assert!(!rows.is_empty(), "no rows changed"),
            Action::Stopped => {
                assert!(!self.stopped, "stopped twice");
                assert!(self.save.is_none(), "stopped with a save in flight");
                self.stopped = true;
            }
        }
    }

    fn check_work(&mut self, task: TaskId, work: &Work) {
        match work {
            Work::Load { query: LoadQuery::Keys { keys } } => {
                at_most(keys.len(), limits::CHUNK_LOOKUPS_MAX, "keys");
                keys.iter().for_each(|key| at_most(key.bytes.len(), KEY_BYTES_MAX, "bytes of a key"));
            }
            Work::Load { query: LoadQuery::Range { start, end, bytes_max } } => {
                assert!(start < end && *bytes_max > 0, "an empty range");
            }
            Work::Save { writes } => {
                writes.iter().for_each(|write| at_most(write.key.len(), KEY_BYTES_MAX, "bytes of a key"));
            }
            Work::List { root, directory, .. } => self.check_place(*root, [directory]),
            Work::Probe { root, paths } => {
                at_most(paths.len(), limits::PROBE_ITEMS_MAX, "paths of one probe");
                self.check_place(*root, paths);
            }
            Work::Hash { root, items } => {
                at_most(items.len(), limits::HASH_ITEMS_MAX, "files of one batch");
                self.check_place(*root, items.iter().map(|item| &item.path));
            }
            Work::Read { root, ranges } => {
                at_most(ranges.len(), limits::READ_ITEMS_MAX, "parts of one read");
                self.check_place(*root, ranges.iter().map(|range| &range.path));
                for range in ranges {
                    at_most(range.length as usize, limits::CHUNK_BYTES_MAX, "bytes of one part");
                    assert!(range.offset.checked_add(range.length.into()).is_some(), "{range:?}");
                }
            }
            Work::Stage { root, items } => {
                at_most(items.len(), limits::STAGE_ITEMS_MAX, "chunks of one batch");
                self.check_place(*root, []);
                for item in items {
                    at_most(item.length as usize, limits::CHUNK_BYTES_MAX, "bytes of one chunk");
                    match &item.source {
                        StageSource::Bytes { bytes } => assert_eq!(bytes.len(), item.length as usize),
                        StageSource::Copy { path, .. } => self.check_place(*root, [path]),
                    }
                }
            }
            Work::Commit { root, items } => {
                at_most(items.len(), limits::COMMIT_ITEMS_MAX, "changes of one batch");
                self.check_place(*root, items.iter().map(|item| &item.path));
                for item in items {
                    assert!(!item.path.is_empty(), "a change of the root itself");
                    check_put(&item.put);
                }
            }
            Work::Discard { root, .. } => self.check_place(*root, []),
            Work::FolderList { .. }
            | Work::FolderProbe { .. }
            | Work::FolderRead { .. }
            | Work::FolderCreate { .. }
            | Work::FolderRemove { .. }
            | Work::FolderFetch { .. }
            | Work::Deliver { .. } => {
                self.folder.as_mut().expect("no work for a message folder where none is configured").check(task, work);
            }
            Work::ApplyRows { sequence, rows } => self.rows().check_batch(task, *sequence, rows),
        }
    }

    fn rows(&mut self) -> &mut RowRules {
        self.rows.as_mut().expect("nothing of rows where none are kept")
    }

    /// Containment (§10.10): whatever comes, no work names a path outside the root or Syncline's own files in it.
    fn check_place<'a>(&self, root: RootId, paths: impl IntoIterator<Item = &'a String>) {
        assert_eq!(Some(root), self.root, "work for a root that is not configured");
        for path in paths {
            let honest = |name: &str| !matches!(name, "" | "." | "..") && !name.contains('\0');
            assert!(path.is_empty() || path.split('/').all(honest), "work names `{}`", path.escape_debug());
            let own = path.split('/').next().is_some_and(|name| name.eq_ignore_ascii_case(".syncline"));
            assert!(!own, "work names Syncline's own `{path}`");
            at_most(path.len(), limits::PATH_BYTES_MAX, "bytes of a path");
            at_most(path.split('/').count(), limits::DEPTH_MAX, "names of a path");
        }
    }
}

fn check_put(put: &Put) {
    match put {
        Put::File { mode, .. } | Put::Directory { mode } | Put::Mode { mode } => {
            assert!(*mode <= 0o777, "work sets the mode {mode:o}");
        }
        Put::Symlink { target } => {
            at_most(target.len(), limits::SYMLINK_TARGET_BYTES_MAX, "bytes of a target");
            assert!(!target.contains(&0), "a target with NUL");
        }
        Put::Nothing => {}
    }
}

#[track_caller]
fn at_most(found: usize, max: usize, what: &str) {
    assert!(found <= max, "expected at most {max} {what}, found {found}");
}

//! What happened in a world, line by line.

use std::{cell::RefCell, rc::Rc};

use syncline_core::api::{CommitItem, Outcome, Put, Work};

use super::Clock;

/// The lines of one world; clones write to the same.
#[derive(Clone)]
pub struct Narrative {
    lines: Rc<RefCell<Vec<String>>>,
    clock: Clock,
    with_work: bool,
}

impl Narrative {
    /// No line yet; with what devices do for their engines only if asked for.
    pub fn new(clock: Clock, with_work: bool) -> Narrative {
        Narrative { lines: Rc::default(), clock, with_work }
    }

    /// Adds a line.
    pub fn tell(&self, line: &str) {
        let seconds = self.clock.elapsed_ms() as f64 / 1_000.0;
        self.lines.borrow_mut().push(format!("{seconds:>10.3} s  {line}"));
    }

    /// The lines so far.
    pub fn lines(&self) -> Vec<String> {
        self.lines.borrow().clone()
    }

    pub(super) fn tell_work(&self, site: usize, work: &Work, outcome: &Outcome) {
        if self.with_work {
            self.tell(&format!("    device {site}: {} -> {}", show_work(work), show_outcome(outcome)));
        }
    }
}

fn show_work(work: &Work) -> String {
    match work {
        Work::Save { writes } => format!("save {} writes", writes.len()),
        Work::Load { .. } => "load".into(),
        Work::List { directory, after, .. } => format!("list `{directory}` after {after:?}"),
        Work::Probe { paths, .. } => format!("probe {paths:?}"),
        Work::Hash { items, .. } => format!("hash {:?}", items.iter().map(|item| &item.path).collect::<Vec<_>>()),
        Work::Read { ranges, .. } => format!("read {:?}", ranges.iter().map(|range| &range.path).collect::<Vec<_>>()),
        Work::Stage { items, .. } => format!("stage {:?}", items.iter().map(|item| item.stage.0).collect::<Vec<_>>()),
        Work::Commit { items, .. } => format!("commit {}", items.iter().map(show_item).collect::<Vec<_>>().join(", ")),
        Work::Discard { stages, .. } => format!("discard {} stages", stages.len()),
        Work::FolderList { directory, .. } => format!("list `{directory}` of the folder"),
        Work::FolderProbe { paths, .. } => {
            format!("probe {} names of the folder from {:?}", paths.len(), paths.first())
        }
        Work::FolderRead { paths, .. } => format!("read {paths:?} of the folder"),
        Work::FolderCreate { files, .. } => {
            format!("create {:?} in the folder", files.iter().map(|file| &file.path).collect::<Vec<_>>())
        }
        Work::FolderRemove { paths, .. } => format!("remove {paths:?} from the folder"),
        Work::FolderFetch { paths, .. } => format!("fetch {paths:?} of the folder"),
        Work::ApplyRows { sequence, rows } => format!("apply {} rows up to {sequence}", rows.len()),
        Work::Deliver { messages } => {
            format!("deliver {:?}", messages.iter().map(|message| message.sequence).collect::<Vec<_>>())
        }
    }
}

fn show_item(item: &CommitItem) -> String {
    let put = match &item.put {
        Put::File { stage, .. } => format!("stage {}", stage.0),
        Put::Symlink { .. } => "a link".into(),
        Put::Directory { .. } => "a directory".into(),
        Put::Mode { mode } => format!("bits {mode:o}"),
        Put::Nothing => "nothing".into(),
    };
    let over = if item.expect.is_some() { "what stands" } else { "nothing" };
    format!("{put} over {over} at `{}`", item.path)
}

fn show_outcome(outcome: &Outcome) -> String {
    match outcome {
        Outcome::Committed { results } => format!("{results:.60?}"),
        Outcome::Probed { results, marker } => {
            let there = |result| matches!(result, &syncline_core::api::ProbeResult::Present { .. });
            format!("there: {:?}, marker {marker}", results.iter().map(there).collect::<Vec<_>>())
        }
        Outcome::FolderRead { results } => format!("{results:.60?}"),
        Outcome::FolderWritten { results } => format!("{results:.60?}"),
        Outcome::Failed { failure } => format!("failed {failure:?}"),
        _ => "done".into(),
    }
}

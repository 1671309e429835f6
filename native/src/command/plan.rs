//! The plan of a dry run, and what a change is called.

use std::path::Path;

use serde::Serialize;
use syncline_core::api::{CommitItem, Content, EntryKind, Notice, NoticeCode, Put};

use super::output::shown;

/// One change of the plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct PlanLine {
    /// What would be done.
    pub(crate) action: Action,
    /// To which root, as it was given.
    pub(crate) root: String,
    /// To which path below it.
    pub(crate) path: String,
    /// Where it came from, for a rename.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) from: Option<String>,
    /// Bytes of a file.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) size: Option<u64>,
    /// Why.
    pub(crate) reason: String,
}

/// What is done to an entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Action {
    Create,
    Update,
    Remove,
    Conflict,
    Skip,
    Hold,
}

impl PlanLine {
    /// The line for a change.
    pub(crate) fn of_change(root: &Path, change: &CommitItem) -> PlanLine {
        let (action, reason) = explain(change);
        let size = match (&change.put, &change.expect) {
            (Put::File { content: Content::File { size, .. }, .. }, _) => Some(*size),
            (Put::Nothing, Some(stat)) if stat.kind == EntryKind::File => Some(stat.size),
            _ => None,
        };
        PlanLine { action, root: text(root), path: change.path.clone(), from: None, size, reason }
    }

    /// The line for what is left alone, if the notice is of such.
    pub(crate) fn of_notice(root: &Path, notice: &Notice) -> Option<PlanLine> {
        let action = match notice.code {
            NoticeCode::Skipped | NoticeCode::Unrepresentable | NoticeCode::Unreadable => Action::Skip,
            NoticeCode::DeletionsHeld => Action::Hold,
            _ => return None,
        };
        let path = notice.path.clone().unwrap_or_default();
        Some(PlanLine { action, root: text(root), path, from: None, size: None, reason: notice.message.clone() })
    }

    /// The line for people, not yet escaped.
    pub(crate) fn text(&self) -> String {
        let action = format!("{:?}", self.action).to_lowercase();
        let path = shown(Path::new(&self.root), &self.path);
        match self.size {
            Some(size) => format!("{action:<8} {path} ({}): {}", indicatif::HumanBytes(size), self.reason),
            None => format!("{action:<8} {path}: {}", self.reason),
        }
    }
}

fn explain(change: &CommitItem) -> (Action, String) {
    let kind = match &change.put {
        Put::File { .. } => "file",
        Put::Symlink { .. } => "link",
        Put::Directory { .. } => "directory",
        Put::Mode { mode } => return (Action::Update, format!("its permissions become {mode:o}")),
        Put::Nothing => return (Action::Remove, "it was removed on the other side".into()),
    };
    if let Some(plain) = &change.conflict_of {
        return (Action::Conflict, format!("`{plain}` was changed on both sides, this is the other version"));
    }
    match change.expect {
        None => (Action::Create, format!("the {kind} is new on the other side")),
        Some(_) => (Action::Update, format!("the {kind} was changed on the other side")),
    }
}

fn text(root: &Path) -> String {
    root.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(put: Put, conflict_of: Option<&str>) -> CommitItem {
        CommitItem { path: "d/a".into(), expect: None, put, conflict_of: conflict_of.map(Into::into) }
    }

    #[test]
    fn lines_carry_the_documented_fields() {
        let line = PlanLine::of_change(Path::new("/b"), &change(Put::Directory { mode: 0o755 }, None));
        let json = serde_json::to_value(&line).unwrap();
        let expected = serde_json::json!({
            "action": "create", "root": "/b", "path": "d/a", "reason": "the directory is new on the other side"
        });
        assert_eq!(json, expected);
        assert_eq!(line.text(), "create   /b/d/a: the directory is new on the other side");
    }

    #[test]
    fn conflict_copies_are_told_as_such() {
        let put = Put::Symlink { target: "x".into() };
        let line = PlanLine::of_change(Path::new("/b"), &change(put, Some("d/plain")));
        assert_eq!(line.action, Action::Conflict);
    }
}

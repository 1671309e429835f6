//! `syncline status`.

use indicatif::HumanBytes;
use serde_json::json;
use syncline::RootReport;

use super::args::StatusArgs;
use super::output::{Line, Output, time_or_never};
use super::{DONE, exit_code, logs};

/// Runs the command; its exit code comes back.
pub(crate) fn run(args: &StatusArgs) -> u8 {
    logs::start(false);
    let output = Output::new(args.json, false);
    match syncline::status(&args.root) {
        Ok(report) => {
            output.line(&Line::Status(&json(&report)));
            tell(&output, &report);
            DONE
        }
        Err(error) => {
            output.error(&error);
            exit_code(&error)
        }
    }
}

fn json(report: &RootReport) -> serde_json::Value {
    let members: Vec<_> = report
        .status
        .members
        .iter()
        .map(|member| {
            json!({
                "replica": member.replica.to_string(),
                "name": member.name,
                "counter": member.counter,
                "last_written_ms": member.last_written.0,
                "last_seen_ms": member.last_seen.0,
                "last_synchronized_ms": member.last_synchronized.0,
            })
        })
        .collect();
    let partners: Vec<_> = report
        .partners
        .iter()
        .map(|partner| json!({ "path": partner.path.to_string_lossy(), "replica": partner.replica.to_string() }))
        .collect();
    let mut value = json!({
        "root": report.path.to_string_lossy(),
        "group": report.group.to_string(),
        "replica": report.status.replica.map(|replica| replica.to_string()),
        "name": report.name,
        "members": members,
        "partners": partners,
    });
    if let (Some(root), Some(fields)) = (report.status.roots.first(), value.as_object_mut()) {
        for (name, number) in [
            ("files", root.files),
            ("directories", root.directories),
            ("symlinks", root.symlinks),
            ("bytes", root.bytes),
            ("conflicts", root.conflicts),
            ("pending", root.pending),
            ("waiting", root.waiting),
            ("held", root.held),
            ("skipped", root.skipped),
            ("unreadable", root.unreadable),
        ] {
            fields.insert(name.into(), number.into());
        }
    }
    value
}

fn tell(output: &Output, report: &RootReport) {
    output.text(&report.path.to_string_lossy());
    output.text(&format!("  group     {}", report.group));
    if let Some(replica) = report.status.replica {
        output.text(&format!("  replica   {replica} ({})", report.name));
    }
    if let Some(root) = report.status.roots.first() {
        output.text(&format!(
            "  holds     {} files ({}), {} directories, {} links",
            root.files,
            HumanBytes(root.bytes),
            root.directories,
            root.symlinks
        ));
        output.text(&format!(
            "  waits     {} pending, {} failed, {} deletions held, {} unreadable",
            root.pending, root.waiting, root.held, root.unreadable
        ));
        output.text(&format!("  conflicts {}", root.conflicts));
    }
    for member in &report.status.members {
        let seen = time_or_never(member.last_seen);
        output.text(&format!(
            "  member    {} ({}), {} messages, seen {seen}",
            member.replica, member.name, member.counter
        ));
    }
    for partner in &report.partners {
        output.text(&format!("  with      {}", partner.path.to_string_lossy()));
    }
}

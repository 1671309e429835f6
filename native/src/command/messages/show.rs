//! What the `messages` commands print.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use syncline::messages::{HeldMessage, MessageFolder};
use syncline_core::api::{FolderState, Notice, ReplicaId};

use super::super::WAITING;
use super::super::output::{Output, time};
use super::super::sync::code;

/// Members by the names of their devices.
pub(super) struct Names(BTreeMap<ReplicaId, String>);

impl Names {
    pub(super) fn of(folder: &MessageFolder) -> Names {
        let members = folder.status().map(|status| status.members).unwrap_or_default();
        Names(members.into_iter().map(|member| (member.replica, member.name)).collect())
    }

    fn shown(&self, author: ReplicaId) -> String {
        let id = author.to_string();
        let short = id.get(..8).unwrap_or_default();
        self.0.get(&author).map_or_else(|| short.to_string(), |name| format!("{name} ({short})"))
    }
}

/// One message.
pub(super) fn message(output: &Output, names: &Names, message: &HeldMessage) {
    let mut line = json!({
        "type": "message",
        "sequence": message.sequence,
        "author": message.author.to_string(),
        "counter": message.counter,
        "lamport": message.lamport,
        "unix_ms": message.unix_ms.0,
        "stable": message.stable,
    });
    let text = std::str::from_utf8(&message.payload);
    let (name, said) = match text {
        Ok(text) => ("text", text.to_string()),
        Err(_) => ("base64", STANDARD.encode(&message.payload)),
    };
    line[name] = Value::String(said);
    output.value(&line);
    let said = text.map_or_else(|_| format!("({} bytes)", message.payload.len()), String::from);
    // Lines stay lines: everything else that could steer a terminal is escaped by the output.
    let mut lines = said.lines();
    let first = lines.next().unwrap_or_default();
    output.text(&format!("{}  {}: {first}", time(message.unix_ms), names.shown(message.author)));
    lines.for_each(|line| output.text(&format!("    {line}")));
}

/// What there was to tell since the last time.
pub(super) fn notices(output: &Output, folder: &MessageFolder) {
    folder.take_notices().iter().for_each(|told| notice(output, told));
}

/// One thing to tell.
pub(super) fn notice(output: &Output, notice: &Notice) {
    output
        .value(&json!({ "type": "notice", "code": code(notice.code), "message": notice.message, "path": notice.path }));
    output.remark(&format!("syncline: {}", notice.message));
}

/// What is missing.
pub(super) fn gaps(output: &Output, folder: &MessageFolder) {
    for gap in folder.status().iter().flat_map(|status| &status.gaps) {
        output.value(&json!({ "type": "gap", "author": gap.author.to_string(), "from": gap.from, "to": gap.to }));
        output.remark(&format!("missing: {} {} to {}", gap.author, gap.from, gap.to));
    }
}

/// The summary, and how a command ends that has waited until all is done that can be.
pub(super) fn settled_ending(output: &Output, folder: &MessageFolder, done: u8) -> u8 {
    let unwritten = folder.folder().map_or(0, |own| own.unwritten);
    let ending = ending(output, folder, done);
    if unwritten > 0 { WAITING } else { ending }
}

/// The summary, and how the command ends.
pub(super) fn ending(output: &Output, folder: &MessageFolder, done: u8) -> u8 {
    let status = folder.status();
    let own = status.as_ref().and_then(|status| status.folders.first());
    let gaps = status.as_ref().map_or(0, |status| status.gaps.len());
    let members = status.as_ref().map_or(0, |status| status.members.len());
    let messages = folder.history().map_or(0, |history| history.len());
    let pending = own.map_or(0, |own| own.unwritten + own.placeholders);
    let unverifiable = own.map_or(0, |own| own.unverifiable);
    output.value(&json!({
        "type": "summary",
        "messages": messages,
        "members": members,
        "gaps": gaps,
        "pending": pending,
        "unverifiable": unverifiable,
    }));
    let is_halted = own.is_none_or(|own| own.state == FolderState::Halted);
    if gaps > 0 || unverifiable > 0 || is_halted { WAITING } else { done }
}

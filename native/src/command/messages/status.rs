//! `syncline messages status`.

use serde_json::json;
use syncline::Error;

use super::super::DONE;
use super::super::args::MessagesPlace;
use super::super::output::{Output, time, time_or_never};
use super::{LOOK_WAIT, open, show};

pub(super) fn run(output: &Output, place: &MessagesPlace) -> Result<u8, Error> {
    let folder = open(place, None)?;
    folder.settle(LOOK_WAIT);
    show::notices(output, &folder);
    let status = folder.status();
    let own = status.as_ref().and_then(|status| status.replica);
    output.text(&format!(
        "session {}, this device {}",
        folder.session(),
        own.map_or("-".into(), |own| own.to_string())
    ));
    for member in status.iter().flat_map(|status| &status.members) {
        let state = match member {
            member if member.removed => "removed",
            _ if Some(member.replica) == own => "self",
            member if member.stale => "stale",
            _ => "current",
        };
        output.value(&json!({
            "type": "member",
            "id": member.replica.to_string(),
            "name": member.name,
            "state": state,
            "counter": member.counter,
            "last_seen_ms": member.last_seen.0,
            "applied": if Some(member.replica) == own { member.counter } else { member.applied },
        }));
        let [seen, synchronized] = [member.last_seen, member.last_synchronized].map(time_or_never);
        output.text(&format!(
            "{}  {}  {} messages, last at {}, seen {seen}, had everything {synchronized}",
            member.replica,
            member.name,
            member.counter,
            time(member.last_written)
        ));
    }
    show::gaps(output, &folder);
    Ok(show::settled_ending(output, &folder, DONE))
}

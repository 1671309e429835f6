//! `syncline messages init`.

use serde_json::json;
use syncline::Error;
use syncline::messages::{MessageFolder, Options, key};

use super::super::DONE;
use super::super::args::MessagesPlace;
use super::super::output::Output;
use super::{LOOK_WAIT, options, show};

pub(super) fn run(output: &Output, place: &MessagesPlace, sealed: bool) -> Result<u8, Error> {
    let given = match place.key_file.as_deref() {
        Some(path) if path.exists() || !sealed => Some(key::read(path)?),
        _ => sealed.then(key::generate).transpose()?,
    };
    let folder = MessageFolder::open(&place.folder, Options { key: given, create: true, ..options(place) })?;
    if let (Some(path), Some(key)) = (place.key_file.as_deref(), given) {
        key::write(path, &key)?;
    }
    folder.settle(LOOK_WAIT);
    show::notices(output, &folder);
    let key_file = folder.key_file().map(|path| path.to_string_lossy().into_owned());
    let replica = folder.status().and_then(|status| status.replica).map(|replica| replica.to_string());
    output.value(&json!({
        "type": "session",
        "session": folder.session().to_string(),
        "sealed": key_file.is_some(),
        "key_file": key_file,
        "replica": replica,
        "state": folder.state().to_string_lossy(),
    }));
    output.text(&format!("session {} in {}", folder.session(), place.folder.display()));
    if let Some(key_file) = key_file {
        output.text(&format!("its key lies in {key_file}; the other members give it with --key-file"));
    }
    Ok(show::settled_ending(output, &folder, DONE))
}

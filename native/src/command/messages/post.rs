//! `syncline messages post`.

use std::fs;
use std::io::Read;
use std::path::Path;

use serde_json::json;
use syncline::Error;
use syncline_core::engine::limits::PAYLOAD_BYTES_MAX;

use super::super::DONE;
use super::super::args::MessagesPlace;
use super::super::output::Output;
use super::{LOOK_WAIT, open, show};

pub(super) fn run(
    output: &Output,
    place: &MessagesPlace,
    text: Option<&str>,
    file: Option<&Path>,
) -> Result<u8, Error> {
    let payload = payload(text, file)?;
    let folder = open(place, None)?;
    let posted = folder.post(payload)?;
    folder.settle(LOOK_WAIT);
    show::notices(output, &folder);
    output.value(&json!({
        "type": "message",
        "author": posted.author.to_string(),
        "counter": posted.counter,
    }));
    output.text(&format!("{} {}", posted.author, posted.counter));
    Ok(show::settled_ending(output, &folder, DONE))
}

fn payload(text: Option<&str>, file: Option<&Path>) -> Result<Vec<u8>, Error> {
    // One byte more than is allowed is enough to refuse it.
    let limit = PAYLOAD_BYTES_MAX as u64 + 1;
    let mut bytes = Vec::new();
    match (text, file) {
        (Some(text), _) => bytes.extend_from_slice(text.as_bytes()),
        (None, Some(path)) => {
            let opened = fs::File::open(path).map_err(|e| Error::io("open", path, e))?;
            opened.take(limit).read_to_end(&mut bytes).map_err(|e| Error::io("read", path, e))?;
        }
        (None, None) => {
            let read = std::io::stdin().lock().take(limit).read_to_end(&mut bytes);
            read.map_err(|e| Error::io("read", "standard input", e))?;
        }
    }
    Ok(bytes)
}

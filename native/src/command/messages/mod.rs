//! `syncline messages …`.

mod follow;
mod init;
mod post;
mod read;
mod show;
mod status;

use std::path::PathBuf;
use std::time::Duration;

use syncline::Error;
use syncline::messages::{MessageFolder, Options, Order, key};

use super::args::{MessagesCommand, MessagesPlace};
use super::output::Output;
use super::{exit_code, logs};

/// How long a folder is looked through before the command goes on with what there is.
const LOOK_WAIT: Duration = Duration::from_secs(120);

/// Runs the command; its exit code comes back.
pub(crate) fn run(command: &MessagesCommand) -> u8 {
    logs::start(false);
    let place = match command {
        MessagesCommand::Init { place, .. }
        | MessagesCommand::Post { place, .. }
        | MessagesCommand::Read { place, .. }
        | MessagesCommand::Follow { place, .. }
        | MessagesCommand::Status { place } => place,
    };
    let output = Output::new(place.json, false);
    let ended = match command {
        MessagesCommand::Init { place, sealed } => init::run(&output, place, *sealed),
        MessagesCommand::Post { place, text, file } => post::run(&output, place, text.as_deref(), file.as_deref()),
        MessagesCommand::Read { place, after } => read::run(&output, place, *after),
        MessagesCommand::Follow { place, order } => follow::run(&output, place, *order),
        MessagesCommand::Status { place } => status::run(&output, place),
    };
    ended.unwrap_or_else(|error| {
        output.error(&error);
        exit_code(&error)
    })
}

/// Takes part in the folder with the state and the key that were given.
fn open(place: &MessagesPlace, order: Option<Order>) -> Result<MessageFolder, Error> {
    let key = place.key_file.as_deref().map(key::read).transpose()?;
    MessageFolder::open(&place.folder, Options { key, order, ..options(place) })
}

fn options(place: &MessagesPlace) -> Options {
    Options { state: place.state.as_ref().map(PathBuf::from), ..Options::default() }
}

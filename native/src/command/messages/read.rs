//! `syncline messages read`.

use syncline::Error;

use super::super::DONE;
use super::super::args::MessagesPlace;
use super::super::output::Output;
use super::{LOOK_WAIT, open, show};

pub(super) fn run(output: &Output, place: &MessagesPlace, after: Option<u64>) -> Result<u8, Error> {
    let folder = open(place, None)?;
    folder.read(LOOK_WAIT);
    show::notices(output, &folder);
    let names = show::Names::of(&folder);
    for message in folder.history()? {
        let message = message?;
        if after.is_none_or(|after| message.sequence > after) {
            show::message(output, &names, &message);
        }
    }
    show::gaps(output, &folder);
    // What was received is acknowledged before the end.
    folder.settle(LOOK_WAIT);
    Ok(show::settled_ending(output, &folder, DONE))
}

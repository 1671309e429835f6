//! `syncline messages follow`.

use futures::StreamExt;
use futures::channel::mpsc;
use futures::executor::block_on_stream;
use futures::stream::select;
use syncline::Error;
use syncline::messages::{HeldMessage, Message, Order};
use syncline_core::api::Notice;

use super::super::args::{FollowOrder, MessagesPlace};
use super::super::output::Output;
use super::super::{DONE, INTERRUPTED};
use super::{open, show};

/// What can happen while messages are awaited.
enum Happening {
    Message(Message),
    Notice(Notice),
    Interrupt,
}

pub(super) fn run(output: &Output, place: &MessagesPlace, order: FollowOrder) -> Result<u8, Error> {
    let order = match order {
        FollowOrder::Arrival => Order::Arrival,
        FollowOrder::Total => Order::Total,
    };
    let interrupts = interrupts()?;
    let mut folder = open(place, Some(order))?;
    let (Some(messages), Some(notices)) = (folder.messages(), folder.notices()) else {
        return Err(Error::Failed { what: "the messages are asked for already".into() });
    };
    let taken = messages.taken();
    let notices = notices.map(Happening::Notice);
    let rest = select(notices, interrupts.map(|()| Happening::Interrupt));
    for happening in block_on_stream(select(messages.map(Happening::Message), rest)) {
        match happening {
            Happening::Message(message) => {
                show::message(output, &show::Names::of(&folder), &held(&folder, message, order));
                taken.stored()?;
            }
            Happening::Notice(notice) => show::notice(output, &notice),
            Happening::Interrupt => break,
        }
    }
    show::gaps(output, &folder);
    Ok(show::ending(output, &folder, DONE))
}

/// The first Ctrl-C ends the command in order, the second at once.
fn interrupts() -> Result<mpsc::UnboundedReceiver<()>, Error> {
    let (to, interrupts) = mpsc::unbounded();
    let handler = move || {
        if to.is_closed() || !to.is_empty() {
            std::process::exit(INTERRUPTED);
        }
        // Whoever waits is told; one who waits no more has ended.
        let _ = to.unbounded_send(());
    };
    ctrlc::set_handler(handler).map_err(|e| Error::Failed { what: format!("cannot listen for Ctrl-C: {e}") })?;
    Ok(interrupts)
}

fn held(folder: &syncline::messages::MessageFolder, message: Message, order: Order) -> HeldMessage {
    let Message { sequence, author, counter, lamport, unix_ms, payload } = message;
    let place = syncline_core::api::MessagePlace { lamport, unix_ms, author, counter };
    let bound = folder.status().and_then(|status| status.stable);
    let stable = order == Order::Total || bound.is_some_and(|bound| place <= bound);
    HeldMessage { sequence, author, counter, lamport, unix_ms, stable, payload }
}

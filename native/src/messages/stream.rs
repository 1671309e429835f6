//! Messages on their way to the application.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use futures_channel::mpsc::{UnboundedReceiver, unbounded};
use futures_core::Stream;
use syncline_core::api::{Delivery, Outcome};

use super::Order;
use super::state::taken;
use crate::Error;
use crate::run::{Access, Deliver, Reply};

/// One message, as the application gets it.
pub type Message = Delivery;

/// Messages as they come, each once. A message counts as taken when the next one is asked for, or when
/// [`Taken::stored`] says so; what was not taken comes again after the next start.
pub struct Messages {
    batches: UnboundedReceiver<(Vec<Delivery>, Reply)>,
    batch: VecDeque<Delivery>,
    reply: Option<Reply>,
    taken: Taken,
}

/// How far the application has taken its messages.
#[derive(Clone)]
pub struct Taken {
    order: Order,
    store: Access,
    given: Arc<AtomicU64>,
    stored: Arc<AtomicU64>,
}

impl Messages {
    pub(super) fn new(order: Order, store: Access) -> (Messages, Deliver) {
        let (to, batches) = unbounded();
        let deliver: Deliver = Box::new(move |messages, reply| {
            // Who dropped the stream takes nothing any more; the reply that is dropped says so.
            let _ = to.unbounded_send((messages, reply));
        });
        let taken = Taken { order, store, given: Arc::default(), stored: Arc::default() };
        (Messages { batches, batch: VecDeque::new(), reply: None, taken }, deliver)
    }

    /// A way to say that messages are dealt with before the next one is asked for.
    pub fn taken(&self) -> Taken {
        self.taken.clone()
    }

    /// The batch is dealt with as a whole: the engine may send the next.
    fn end_batch(&mut self) {
        let Some(reply) = self.reply.take() else { return };
        if self.taken.stored().is_ok() {
            reply.send(Outcome::Delivered);
        }
    }
}

impl Taken {
    /// All messages given so far are dealt with: none of them comes again, whatever happens.
    ///
    /// # Errors
    /// The state cannot be written.
    pub fn stored(&self) -> Result<(), Error> {
        let given = self.given.load(Ordering::Relaxed);
        if self.stored.load(Ordering::Relaxed) < given {
            self.store.save(vec![taken(self.order, given)])?;
            self.stored.store(given, Ordering::Relaxed);
        }
        Ok(())
    }
}

impl Stream for Messages {
    type Item = Message;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Message>> {
        loop {
            if let Some(message) = self.batch.pop_front() {
                self.taken.given.store(message.sequence, Ordering::Relaxed);
                return Poll::Ready(Some(message));
            }
            self.end_batch();
            match Pin::new(&mut self.batches).poll_next(context) {
                Poll::Ready(Some((messages, reply))) => {
                    self.batch = messages.into();
                    self.reply = Some(reply);
                }
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}

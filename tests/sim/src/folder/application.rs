//! An application that keeps what it is given, in one transaction with the number of the last message (§2.8).

use syncline_core::api::{Delivery, Failure, Outcome, ReplicaId};

/// What an application has stored.
#[derive(Debug, Clone, Default)]
pub struct Application {
    stored: Vec<Delivery>,
    failing: u32,
    published: Vec<(ReplicaId, u64)>,
}

impl Application {
    /// Stores messages, or fails to.
    pub fn deliver(&mut self, messages: &[Delivery]) -> Outcome {
        if self.failing > 0 {
            self.failing -= 1;
            return Outcome::Failed { failure: Failure::Other { message: "the application is busy".into() } };
        }
        self.stored.extend(messages.iter().cloned());
        Outcome::Delivered
    }

    /// A message that was published is saved.
    pub fn note_published(&mut self, author: ReplicaId, counter: u64) {
        self.published.push((author, counter));
    }

    /// The names of what was published and is saved, in order.
    pub fn published(&self) -> &[(ReplicaId, u64)] {
        &self.published
    }

    /// So many of the next deliveries fail.
    pub fn fail_next(&mut self, deliveries: u32) {
        self.failing += deliveries;
    }

    /// No delivery fails any more.
    pub fn mend(&mut self) {
        self.failing = 0;
    }

    /// The names of what was published and is saved since this was last asked, in order.
    pub fn take_published(&mut self) -> Vec<(ReplicaId, u64)> {
        std::mem::take(&mut self.published)
    }

    /// The number to give the next engine.
    pub fn delivered(&self) -> u64 {
        self.stored.last().map_or(0, |message| message.sequence)
    }

    /// What was stored, in the order it came.
    pub fn stored(&self) -> &[Delivery] {
        &self.stored
    }

    /// What was stored, as texts.
    pub fn texts(&self) -> Vec<String> {
        self.stored.iter().map(|message| String::from_utf8_lossy(&message.payload).into_owned()).collect()
    }
}

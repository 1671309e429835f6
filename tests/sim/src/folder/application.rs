//! An application that keeps what it is given, in one transaction with the number of the last message (§2.8).

use syncline_core::api::{Delivery, Failure, Outcome};

/// What an application has stored.
#[derive(Debug, Clone, Default)]
pub struct Application {
    stored: Vec<Delivery>,
    failing: u32,
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

    /// So many of the next deliveries fail.
    pub fn fail_next(&mut self, deliveries: u32) {
        self.failing += deliveries;
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

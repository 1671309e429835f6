//! The host's part in records: it gives the engine what people changed in the database.

use syncline_core::api::{Command, Event};

use super::{Outside, Site};

/// Changes that are given to an engine at once.
const GIVEN_AT_ONCE: usize = 64;

impl Site {
    /// The next engine is told how far the application and its database are, and was given nothing yet.
    pub(super) fn open_applications(&mut self) {
        if let Some(delivery) = &mut self.config.delivery {
            delivery.delivered = self.host.application.delivered();
        }
        if let Some(records) = &mut self.config.records {
            records.applied = records.applied.map(|_| self.host.database.applied());
            records.taken = self.host.database.taken();
        }
        (self.host.given, self.host.has_given) = (0, false);
    }

    /// The host has changes to give as soon as the engine tells what it has already.
    pub(super) fn give_first_rows(&mut self) -> Vec<Outside> {
        let keeps = self.config.records.as_ref().is_some_and(|records| records.has_changes);
        if keeps && !self.host.has_given && self.engine.as_ref().is_some_and(|engine| engine.status().records.is_some())
        {
            return self.give_rows();
        }
        Vec::new()
    }

    /// The host gives the engine what people changed.
    pub(crate) fn give_rows(&mut self) -> Vec<Outside> {
        let Some(records) = self.engine.as_ref().and_then(|engine| engine.status().records) else { return Vec::new() };
        self.host.has_given = true;
        self.host.database.forget(records.taken);
        let mut outside = Vec::new();
        loop {
            let given = records.taken.max(self.host.given);
            let (taken, changes) = self.host.database.next(given, GIVEN_AT_ONCE).unwrap_or((given, Vec::new()));
            self.host.given = taken;
            let more = self.host.database.next(taken, 1).is_some();
            let command = Command::WriteRows { taken, changes, more };
            outside.extend(self.handle(Event::Command { command }));
            if !more {
                return outside;
            }
        }
    }
}

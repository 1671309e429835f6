//! The engine for Swift and Kotlin: methods only, the types are `syncline-core`'s.
//!
//! Built to unwind, never with `panic = "abort"`: a panic must reach the other language as an error.

use std::sync::{Mutex, MutexGuard};

use syncline_core::api::{Action, Config, ConfigError, Event, Monotonic, Now, Seed, Status};

uniffi::setup_scaffolding!();

/// One replica of one group.
///
/// Calls from several threads wait for each other; a host that calls from one place at a time never waits.
#[derive(uniffi::Object)]
pub struct Engine {
    engine: Mutex<syncline_core::Engine>,
}

#[uniffi::export]
impl Engine {
    /// Makes an engine; it does nothing before the event `Start`.
    ///
    /// # Errors
    /// A configuration that no engine can work with.
    #[uniffi::constructor]
    pub fn new(config: Config, seed: Seed) -> Result<Self, ConfigError> {
        syncline_core::Engine::new(config, seed).map(|engine| Self { engine: Mutex::new(engine) })
    }

    /// Takes one event and returns what is to be done about it, in order.
    pub fn handle(&self, now: Now, event: Event) -> Vec<Action> {
        self.lock().handle(now, event)
    }

    /// When the host must send `Wake`, on the clock of `Now.monotonic`; none if only an event from outside changes
    /// anything.
    pub fn deadline(&self) -> Option<Monotonic> {
        self.lock().deadline()
    }

    /// A snapshot of how the engine stands.
    pub fn status(&self) -> Status {
        self.lock().status()
    }
}

impl Engine {
    /// # Panics
    /// After a panic inside the engine, which its rules exclude: a half-done change must not go on, so every later
    /// call fails too.
    fn lock(&self) -> MutexGuard<'_, syncline_core::Engine> {
        self.engine.lock().expect("an engine that has not panicked before")
    }
}

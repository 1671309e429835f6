//! The state machine itself.

pub mod limits;

use alloc::vec::Vec;

use crate::api::{Action, Config, ConfigError, Event, Monotonic, Now, Seed, Status};

/// One replica of one group.
pub struct Engine {}

impl Engine {
    /// Makes an engine; it does nothing before [`Event::Start`].
    ///
    /// # Errors
    /// A configuration that no engine can work with.
    pub fn new(config: Config, seed: Seed) -> Result<Engine, ConfigError> {
        let _ = (config, seed);
        Ok(Engine {})
    }

    /// Takes one event and returns what is to be done about it, in order.
    pub fn handle(&mut self, now: Now, event: Event) -> Vec<Action> {
        let _ = (now, event);
        Vec::new()
    }

    /// When the host must send [`Event::Wake`].
    pub fn deadline(&self) -> Option<Monotonic> {
        None
    }

    /// A snapshot.
    pub fn status(&self) -> Status {
        Status {
            replica: None,
            digest: crate::api::Hash::from_bytes([0; 32]),
            quiet: true,
            failed: false,
            members: Vec::new(),
            links: Vec::new(),
            roots: Vec::new(),
        }
    }
}

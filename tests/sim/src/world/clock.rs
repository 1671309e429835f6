//! Virtual time: it moves only when the world moves it.

use std::{cell::Cell, rc::Rc};

use syncline_core::api::{Monotonic, Now, UnixMs};

/// What the wall clocks of a new world show: 2026-01-01 00:00 UTC.
const EPOCH_MS: u64 = 1_767_225_600_000;

/// A handle on the world's time, and one device's view of it.
#[derive(Clone)]
pub struct Clock {
    elapsed_ms: Rc<Cell<u64>>,
    booted_ms: u64,
    ahead_ms: i64,
}

impl Clock {
    /// A clock at the beginning of a world.
    pub fn new() -> Clock {
        Clock { elapsed_ms: Rc::new(Cell::new(0)), booted_ms: 0, ahead_ms: 0 }
    }

    /// The same time as another device sees it, whose wall clock is this much ahead.
    pub fn shared(&self, ahead_ms: i64) -> Clock {
        Clock { elapsed_ms: self.elapsed_ms.clone(), booted_ms: 0, ahead_ms }
    }

    /// Moves the time of the whole world.
    pub fn advance(&self, milliseconds: u64) {
        self.elapsed_ms.set(self.elapsed_ms.get() + milliseconds);
    }

    /// The device's wall clock is moved.
    pub fn jump(&mut self, milliseconds: i64) {
        self.ahead_ms = self.ahead_ms.saturating_add(milliseconds);
    }

    /// The device starts anew: its monotonic clock begins again.
    pub fn boot(&mut self) {
        self.booted_ms = self.elapsed_ms.get();
    }

    /// Milliseconds since the world began.
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms.get()
    }

    /// The device's clocks.
    pub fn now(&self) -> Now {
        let elapsed = self.elapsed_ms.get();
        let unix = (EPOCH_MS + elapsed).saturating_add_signed(self.ahead_ms);
        Now { monotonic: Monotonic(elapsed - self.booted_ms), unix: UnixMs(unix) }
    }

    /// The device's wall clock as file systems stamp it: nanoseconds, though it ticks in milliseconds, so that two
    /// writes can carry one stamp.
    pub fn now_ns(&self) -> i64 {
        self.now().unix.0 as i64 * 1_000_000
    }

    /// When in the world's milliseconds a deadline of this device comes.
    pub fn in_world(&self, deadline: Monotonic) -> u64 {
        self.booted_ms.saturating_add(deadline.0)
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

//! Virtual time: it moves only when the world moves it.

use std::{cell::Cell, rc::Rc};

use syncline_core::api::{Monotonic, Now, UnixMs};

/// What the wall clocks of a new world show: 2026-01-01 00:00 UTC.
const EPOCH_MS: u64 = 1_767_225_600_000;

const MILLION: i128 = 1_000_000;

/// What a monotonic clock does while its device sleeps: platforms have both kinds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asleep {
    /// It goes on.
    GoesOn,
    /// It stands still.
    Stops,
}

/// A handle on the world's time, and one device's view of it. Clones are of the same device.
#[derive(Clone)]
pub struct Clock {
    elapsed_ms: Rc<Cell<u64>>,
    device: Rc<Cell<Device>>,
}

/// A device's clocks, from the last moment at which something about them changed.
#[derive(Clone, Copy)]
struct Device {
    /// That moment in the world's time, and what the clocks showed then.
    since_ms: u64,
    monotonic_ms: u64,
    unix_ms: u64,
    /// How much faster than the world's time they go.
    drift_ppm: i32,
    asleep: Option<Asleep>,
    /// How often the wall clock jumped: no two stamps of one clock are equal by a jump alone.
    jumps: i64,
}

impl Device {
    fn now(&self, elapsed_ms: u64) -> Now {
        let passed = self.passed(elapsed_ms.saturating_sub(self.since_ms));
        let ran = if self.asleep == Some(Asleep::Stops) { 0 } else { passed };
        Now {
            monotonic: Monotonic(self.monotonic_ms.saturating_add(ran)),
            unix: UnixMs(self.unix_ms.saturating_add(passed)),
        }
    }

    /// What the device's clocks count in so many milliseconds of the world.
    fn passed(&self, world_ms: u64) -> u64 {
        if self.drift_ppm == 0 {
            return world_ms;
        }
        let passed = i128::from(world_ms) * (MILLION + i128::from(self.drift_ppm)) / MILLION;
        u64::try_from(passed).unwrap_or(u64::MAX)
    }

    /// How many milliseconds of the world it takes at least until the device's clocks count so many.
    fn needed(&self, device_ms: u64) -> u64 {
        if self.drift_ppm == 0 {
            return device_ms;
        }
        let rate = MILLION + i128::from(self.drift_ppm);
        let needed = (i128::from(device_ms) * MILLION + rate - 1) / rate;
        u64::try_from(needed).unwrap_or(u64::MAX)
    }
}

impl Clock {
    /// A clock at the beginning of a world.
    pub fn new() -> Clock {
        Clock::of(Rc::new(Cell::new(0)), 0)
    }

    /// The same time as another device sees it, whose wall clock is this much ahead.
    pub fn shared(&self, ahead_ms: i64) -> Clock {
        Clock::of(self.elapsed_ms.clone(), ahead_ms)
    }

    fn of(elapsed_ms: Rc<Cell<u64>>, ahead_ms: i64) -> Clock {
        let since_ms = elapsed_ms.get();
        let unix_ms = (EPOCH_MS + since_ms).saturating_add_signed(ahead_ms);
        let device = Device { since_ms, monotonic_ms: since_ms, unix_ms, drift_ppm: 0, asleep: None, jumps: 0 };
        Clock { elapsed_ms, device: Rc::new(Cell::new(device)) }
    }

    /// Moves the time of the whole world.
    pub fn advance(&self, milliseconds: u64) {
        self.elapsed_ms.set(self.elapsed_ms.get() + milliseconds);
    }

    /// The device starts anew, awake: its monotonic clock begins again.
    pub fn boot(&mut self) {
        self.change(|device| (device.monotonic_ms, device.asleep) = (0, None));
    }

    /// The device's clocks go so many millionths faster than the world's time from now on, or slower.
    ///
    /// # Panics
    /// If they would stand still or go backwards.
    pub fn set_drift(&self, parts_per_million: i32) {
        assert!(i128::from(parts_per_million) > -MILLION, "a clock that does not go");
        self.change(|device| device.drift_ppm = parts_per_million);
    }

    /// The wall clock is set to another time, so many milliseconds from what it shows.
    pub fn jump(&self, milliseconds: i64) {
        self.change(|device| {
            device.unix_ms = device.unix_ms.saturating_add_signed(milliseconds);
            device.jumps += 1;
        });
    }

    /// The device falls asleep: its wall clock goes on.
    pub fn sleep(&self, monotonic: Asleep) {
        self.change(|device| device.asleep = Some(monotonic));
    }

    /// The device wakes up.
    pub fn wake(&self) {
        self.change(|device| device.asleep = None);
    }

    /// The device sleeps.
    pub fn is_asleep(&self) -> bool {
        self.device.get().asleep.is_some()
    }

    /// Milliseconds since the world began.
    pub fn elapsed_ms(&self) -> u64 {
        self.elapsed_ms.get()
    }

    /// The device's clocks.
    pub fn now(&self) -> Now {
        self.device.get().now(self.elapsed_ms.get())
    }

    /// The device's wall clock as file systems stamp it: nanoseconds, though it ticks in milliseconds, so that two
    /// writes can carry one stamp. Clocks that jump show other nanoseconds, as they would.
    pub fn now_ns(&self) -> i64 {
        self.now().unix.0 as i64 * 1_000_000 + self.device.get().jumps % 1_000_000
    }

    /// When in the world's milliseconds a deadline of this device comes; the end of time while its clock stands still.
    pub fn in_world(&self, deadline: Monotonic) -> u64 {
        let device = self.device.get();
        match deadline.0.saturating_sub(device.monotonic_ms) {
            0 => device.since_ms,
            _ if device.asleep == Some(Asleep::Stops) => u64::MAX,
            left => device.since_ms.saturating_add(device.needed(left)),
        }
    }

    fn change(&self, change: impl FnOnce(&mut Device)) {
        let mut device = self.device.get();
        let now = device.now(self.elapsed_ms.get());
        (device.since_ms, device.monotonic_ms, device.unix_ms) = (self.elapsed_ms.get(), now.monotonic.0, now.unix.0);
        change(&mut device);
        self.device.set(device);
    }
}

impl Default for Clock {
    fn default() -> Clock {
        Clock::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(clock: &Clock) -> (u64, u64) {
        let now = clock.now();
        (now.monotonic.0, now.unix.0 - EPOCH_MS)
    }

    #[test]
    fn devices_share_the_worlds_time_and_nothing_else() {
        let world = Clock::new();
        let mut device = world.shared(500);
        world.advance(1_000);
        device.boot();
        world.advance(10);
        assert_eq!((shown(&world), shown(&device)), ((1_010, 1_010), (10, 1_510)));
        device.clone().jump(-1_500);
        assert_eq!((shown(&world), shown(&device)), ((1_010, 1_010), (10, 10)));
    }

    #[test]
    fn a_clock_that_goes_wrong_reaches_its_deadlines_when_it_shows_them() {
        for drift in [0, 250, -250, 500_000, -900_000] {
            let clock = Clock::new();
            clock.advance(777);
            clock.set_drift(drift);
            for deadline in [777, 778, 1_000, 123_456] {
                let at = clock.in_world(Monotonic(deadline));
                let later = Clock { elapsed_ms: Rc::new(Cell::new(at)), device: clock.device.clone() };
                assert!(later.now().monotonic.0 >= deadline, "{drift} ppm, {deadline}");
                later.elapsed_ms.set(at - 1);
                assert!(at == 777 || later.now().monotonic.0 < deadline, "{drift} ppm, {deadline}");
            }
        }
    }

    #[test]
    fn the_wall_clock_goes_on_in_sleep_and_the_other_as_the_platform_has_it() {
        for (asleep, monotonic) in [(Asleep::GoesOn, 110), (Asleep::Stops, 20)] {
            let clock = Clock::new();
            clock.advance(10);
            clock.sleep(asleep);
            clock.advance(90);
            assert_eq!(clock.in_world(Monotonic(15)), if asleep == Asleep::Stops { u64::MAX } else { 15 });
            clock.wake();
            clock.advance(10);
            assert_eq!(shown(&clock), (monotonic, 110));
            assert_eq!(clock.in_world(Monotonic(monotonic + 5)), 115);
        }
    }

    #[test]
    fn a_jump_back_stamps_no_two_writes_alike() {
        let clock = Clock::new();
        let before = clock.now_ns();
        clock.advance(500);
        clock.jump(-500);
        assert_eq!(clock.now().unix.0, EPOCH_MS);
        assert_ne!(clock.now_ns(), before);
    }
}

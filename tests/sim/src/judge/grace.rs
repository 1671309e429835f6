//! Which paths of which devices may be in grace: an engine put something there that may be unrelated to what stood there
//! before, so that for a while a write may be one over what stood before (§8.4).

use std::collections::BTreeMap;

use syncline_core::api::Now;

/// How long the first write after an unrelated version supersedes nothing.
pub(super) const GRACE_MS: u64 = 600_000;

/// The graces of a world.
#[derive(Default)]
pub(super) struct Graces {
    of_paths: BTreeMap<(usize, String), Grace>,
}

struct Grace {
    /// By the device's wall clock.
    until: u64,
    /// How much people had done when it began.
    since: u64,
    /// The engine has told of what someone wrote there since: the next write is one over that.
    is_over: bool,
}

impl Graces {
    /// An engine put something at a path.
    pub fn begin(&mut self, site: usize, path: &str, now: Now, acts: u64) {
        let grace = Grace { until: now.unix.0 + GRACE_MS, since: acts, is_over: false };
        self.of_paths.insert((site, path.to_string()), grace);
    }

    /// An engine tells of a text that someone brought to this path, and nowhere else, with this act.
    pub fn told(&mut self, site: usize, path: &str, act: u64) {
        if let Some(grace) = self.of_paths.get_mut(&(site, path.to_string())) {
            grace.is_over |= act > grace.since;
        }
    }

    /// Something was put at a path, however long ago.
    pub fn knows(&self, site: usize, path: &str) -> bool {
        self.of_paths.contains_key(&(site, path.to_string()))
    }

    /// A write at a path may be in grace now. (What was told may be unknown to a device that was put back since, and a clock
    /// that jumped tells nothing.)
    pub fn may_hold(&self, site: usize, path: &str, now: Now, put_back: bool, unsure_clock: bool) -> bool {
        let grace = self.of_paths.get(&(site, path.to_string()));
        grace.is_some_and(|grace| (put_back || !grace.is_over) && (unsure_clock || now.unix.0 < grace.until))
    }
}

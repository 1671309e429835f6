//! The engine begins again, as other messages count than before (§5.3): what of it the host must not notice.

use super::{Job, Records, now_ns};
use crate::engine::shared::Shared;

impl Records {
    /// What was stamped ahead of this device's time does not count: it stamps by its clock again, under another id.
    pub fn set_clock_to_now(&mut self, shared: &Shared) {
        self.set_clock(shared, now_ns(shared.now));
    }

    /// How far the application's database is; none where there is none.
    pub fn applied_until(&self) -> Option<u64> {
        self.apply.applied_until()
    }

    /// Goes on with what an engine was asked for that began again.
    pub fn inherit(&mut self, old: &mut Records) {
        if let Job::Write(write) = core::mem::replace(&mut old.job, Job::Idle) {
            write.give_back(&mut old.writes);
        }
        self.writes = core::mem::take(&mut old.writes);
        self.reads.inherit(&mut old.reads);
        self.skewed = core::mem::take(&mut old.skewed);
        self.awaits_changes = old.awaits_changes;
        (self.taken, self.received, self.sent) = (old.taken, old.received, old.sent);
    }
}

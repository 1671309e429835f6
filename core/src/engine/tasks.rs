//! Work in flight: which task was asked for what.

use alloc::collections::BTreeMap;

use crate::api::TaskId;

/// Tasks that a completion is still due for, each with its purpose.
pub struct Tasks<P> {
    next: u64,
    in_flight: BTreeMap<TaskId, P>,
}

impl<P> Tasks<P> {
    /// No tasks. Ids start at an offset drawn from the seed, so that a completion meant for an earlier engine matches
    /// nothing (§2.2).
    pub fn new(offset: u64) -> Self {
        // 48 bits of offset leave 2^63 tasks before the end of the range.
        Self { next: (offset & 0xffff_ffff_ffff) << 15, in_flight: BTreeMap::new() }
    }

    /// A new task.
    pub fn begin(&mut self, purpose: P) -> TaskId {
        let task = TaskId(self.next);
        self.next = self.next.wrapping_add(1);
        self.in_flight.insert(task, purpose);
        task
    }

    /// The purpose of a task that completed; none if it was never asked for or completed before.
    pub fn complete(&mut self, task: TaskId) -> Option<P> {
        self.in_flight.remove(&task)
    }

    /// Nothing is in flight.
    pub fn is_empty(&self) -> bool {
        self.in_flight.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_completion_counts_once_and_never_for_another_engine() {
        let mut old: Tasks<u8> = Tasks::new(1);
        let mut new: Tasks<u8> = Tasks::new(2);
        let (of_old, of_new) = (old.begin(1), new.begin(2));
        assert_eq!(new.complete(of_old), None);
        assert_eq!(new.complete(of_new), Some(2));
        assert_eq!(new.complete(of_new), None);
        assert!(new.is_empty() && !old.is_empty());
    }
}

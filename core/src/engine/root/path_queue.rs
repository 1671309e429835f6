//! Paths that wait for their turn.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;

/// A set of paths in the order they came, each once.
#[derive(Default)]
pub struct PathQueue {
    order: VecDeque<String>,
    members: BTreeSet<String>,
}

impl PathQueue {
    /// Adds a path unless it is there.
    pub fn push(&mut self, path: String) {
        if self.members.insert(path.clone()) {
            self.order.push_back(path);
        }
    }

    /// Takes the first.
    pub fn pop(&mut self) -> Option<String> {
        let path = self.order.pop_front()?;
        self.members.remove(&path);
        Some(path)
    }

    /// Has none.
    pub fn is_empty(&self) -> bool {
        self.order.is_empty()
    }
}

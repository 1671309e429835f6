//! Operations of one table that are brought into the order of their rows.

use alloc::vec::Vec;

use super::OperationRef;

/// How many operations are put in order at once: some megabytes of memory, and a share of most batches' rows each.
const OPERATIONS_MAX: usize = 32_768;

/// Some operations, each with the number of its key.
#[derive(Debug, Default)]
pub(super) struct Round<'a> {
    operations: Vec<OperationRef<'a>>,
    /// Of each operation the number of its key and its own place.
    order: Vec<(u32, u32)>,
    /// Those of one row.
    row: Vec<OperationRef<'a>>,
}

impl<'a> Round<'a> {
    /// Adds one.
    pub(super) fn push(&mut self, row: u32, operation: OperationRef<'a>) {
        // Far fewer than 2^32 are in a round.
        self.order.push((row, u32::try_from(self.order.len()).unwrap_or(u32::MAX)));
        self.operations.push(operation);
    }

    /// It is to be visited before more is added.
    pub(super) fn is_full(&self) -> bool {
        self.operations.len() >= OPERATIONS_MAX
    }

    /// Gives the operations of each row together, as they came, in the order of their keys' numbers; none is left.
    pub(super) fn visit(&mut self, visit: &mut impl FnMut(&[OperationRef<'a>])) {
        self.order.sort_unstable();
        for row in self.order.chunk_by(|(a, _), (b, _)| a == b) {
            self.row.clear();
            self.row.extend(row.iter().filter_map(|(_, place)| self.operations.get(*place as usize)));
            visit(&self.row);
        }
        self.order.clear();
        self.operations.clear();
    }
}

//! The rules of records as pure functions (§7): operations and how they travel, rows and how operations merge into them, how
//! rows stand in the store. When they are applied is for `engine/records` to say.

mod builder;
#[cfg(test)]
mod laws;
mod lengths;
mod names;
mod operations;
mod round;
mod row;
mod rule;
mod size;
mod stored;

pub use builder::OperationsBuilder;
pub use operations::{InvalidOperations, Opened, OperationRef, Operations};
pub use row::{Counts, Row, SAID_BYTES, VALUE_BYTES};
pub use rule::Rule;
pub use size::{TooLarge, change_size, check_size};
pub use stored::{RowId, all_rows, table_end};

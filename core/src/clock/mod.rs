//! Time and order: lamports and the order of messages, stamps of records.

mod lamport;
mod offset;
mod order;
mod stamp;

pub use lamport::Lamport;
pub use offset::{Offset, Samples, own_ahead_ms};
pub use order::MessageOrder;
pub(crate) use stamp::LAST_NS;
pub use stamp::{Clock, ClockExhausted, InvalidStamp, StampText, parse_stamp, stamp_id};
pub use uhlc::{ID, NTP64, Timestamp};

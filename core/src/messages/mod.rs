//! Application messages: which of them can come before which.

mod keys;
mod orders;
mod stability;

pub use keys::{delivery_key, delivery_keys, parse_delivery};
pub use orders::Orders;
pub use stability::Stability;

//! Application messages: which of them can come before which.

mod keys;
mod stability;

pub use keys::{delivery_key, delivery_keys, parse_delivery};
pub use stability::Stability;

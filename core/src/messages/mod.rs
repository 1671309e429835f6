//! Application messages: which of them can come before which.

mod stability;

pub use stability::Stability;

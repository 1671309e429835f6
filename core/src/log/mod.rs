//! The log: signed messages by many authors, which of them are held, and what they say.

mod dot;
mod interval;

pub use dot::{Dot, DotSet, InvalidAuthors, Place};
pub use interval::{IntervalSet, InvalidIntervals, Ordinal};

//! The engine as a whole: whatever it is told, it keeps the rules of the boundary (DESIGN §2).

mod device;
mod events;
mod pair;
mod rules;
mod store;

pub(crate) use self::{device::Edit, events::recorded, pair::PairStep, store::pairs};
pub use self::{events::engine, pair::engine_pair, store::store};

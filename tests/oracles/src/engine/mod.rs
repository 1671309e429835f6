//! The engine as a whole: whatever it is told, it keeps the rules of the boundary (DESIGN §2).

mod device;
mod events;
mod folder;
mod folder_rules;
mod pair;
mod recorded;
mod rows;
mod rules;
mod store;

pub(crate) use self::{device::Edit, pair::PairStep, recorded::recorded, store::pairs};
pub use self::{events::engine, pair::engine_pair, store::store};

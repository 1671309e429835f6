//! Running engines: threads, clocks and pipes around them.

mod board;
mod pool;
mod runner;
#[cfg(test)]
mod tests;
mod vault;
mod watch;

pub(crate) use board::{Board, Side, agreed, at_rest};
pub(crate) use pool::{Pool, Reply, Witness};
pub(crate) use runner::{Deliver, Input, Runner, Setup};
pub(crate) use vault::{Access, Keeper, Memory, RowsNews, Vault};
pub(crate) use watch::Watch;

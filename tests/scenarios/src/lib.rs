//! A small executable [`model`] of the tree's rules. The named scenarios and the comparison of the engine with the
//! model are this package's tests; the world that they play in is `syncline-sim`.

pub mod model;

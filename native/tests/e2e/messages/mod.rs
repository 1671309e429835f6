//! `syncline messages`: members on one shared folder, each with a state of its own.

mod chat;
mod crashes;
mod damage;
mod exchange;
mod follow;
mod refusals;
mod sessions;
mod space;

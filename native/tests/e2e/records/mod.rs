//! `syncline records`: SQLite databases that other programs write, brought into agreement from the shell.

mod copies;
mod exchange;
mod kills;
mod library;
mod million;
mod refusals;
mod watching;

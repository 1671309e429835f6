//! The `syncline` command from outside: real processes, real folders.

mod agree;
mod conflicts;
mod dry_run;
mod exit_codes;
mod faults;
mod kills;
mod lock;
mod messages;
mod names;
mod records;
mod state;
mod status;
mod support;
mod tree;
mod via;
mod watch;

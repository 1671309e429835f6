//! Named scenarios: small stories of folders and people, each of which once broke a sync tool.

mod boundary;
mod conflicts;
mod content;
mod crashes;
mod deletions;
mod devices;
mod doubts;
mod faults;
mod folder_stories;
mod folders;
mod greetings;
mod heartbeats;
mod hostile;
mod joining;
mod kinds;
mod linked_clocks;
mod members;
mod modes;
mod names;
mod record_stories;
mod records;
mod records_clocks;
mod records_healing;
mod records_log;
mod records_members;

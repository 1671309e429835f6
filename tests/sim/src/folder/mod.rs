//! Message folders: each device has its own copy of one, and a service carries files between the copies.

mod application;
mod carrier;
mod copy;

pub use application::Application;
pub use carrier::{Carrier, Trouble};
pub use copy::{FolderCopy, FolderFile};

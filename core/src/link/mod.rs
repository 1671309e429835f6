//! Links: two replicas talk over any ordered pipe (`docs/protocol.md` §7).
//!
//! [`Session`] is one link, data and state only: [packets](Lane) in and out, [`Frame`]s out and in. It knows no log and
//! no disk; the engine decides what is said.

mod credit;
mod error;
mod frame;
mod outbox;
mod packet;
#[cfg(test)]
pub(crate) mod pair;
mod session;
mod state;

pub use credit::{message_credit, messages_credit};
pub use error::LinkError;
pub use frame::{Acknowledgement, Echo, Frame, Hello, Indexing, Want};
pub use packet::Lane;
pub use session::{CAPABILITIES, Peer, Session, SessionConfig, VERSION_MAX, VERSION_MIN};
pub use state::State;

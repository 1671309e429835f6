//! Whose operations nobody can take back any more (§5.3): who decides for the group may void of a member what it does not hold.
//! Only what lasts may cost anybody the values that it covers.

use crate::api::ReplicaId;
use crate::engine::Engine;
use crate::planted::{Planted, planted};

impl Engine {
    /// All that is held here of an author is held by everybody who may decide about it, or nobody may.
    pub(super) fn lasts(&self, author: ReplicaId) -> bool {
        let log = &self.shared.log;
        if log.is_by_this_device(author) || planted(Planted::CoveredByPassing) {
            return true;
        }
        let Some(held) = log.heads().of(author) else { return true };
        log.deciders_about(author).iter().all(|decider| {
            let is_decider = |replica: ReplicaId| log.public_key(replica).is_some_and(|key| key.as_bytes() == decider);
            let mut said = log.incarnations().filter(|(_, key)| key.as_bytes() == decider);
            let has_said = said.any(|(replica, _)| {
                let heads = log.acknowledged(replica);
                heads.and_then(|heads| heads.of(author)).is_some_and(|theirs| theirs.contains_all(held))
            });
            let is_linked = |peer: &crate::engine::peers::Peer| peer.replica().is_some_and(is_decider);
            has_said || self.peers.values().any(|peer| is_linked(peer) && peer.has_received_of(author, held))
        })
    }
}

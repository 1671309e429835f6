//! What an engine tells of itself.

use super::limits::GAPS_SHOWN_MAX;
use super::root::Root;
use super::{Engine, Phase};
use crate::api::{Gap, LinkStatus, MessagePlace, Status};

impl Engine {
    /// A snapshot.
    pub fn status(&self) -> Status {
        let shared = &self.shared;
        let saved = shared.saver.saved_heads();
        let all_saved = saved == shared.log.heads();
        let links = self.peers.iter().map(|(link, peer)| LinkStatus {
            link: *link,
            replica: peer.replica(),
            received: peer.has_received(saved),
            applied: peer.has_applied(saved),
        });
        Status {
            replica: shared.log.own(),
            digest: shared.digest(),
            quiet: self.is_quiet(),
            failed: shared.saver.has_failed(),
            members: self.members().collect(),
            links: links.collect(),
            roots: self.roots.iter().map(Root::status).collect(),
            folders: self.folders.iter().map(|folder| folder.status(&shared.log, all_saved)).collect(),
            gaps: self.gaps().take(GAPS_SHOWN_MAX).collect(),
            undelivered: self.deliveries.undelivered(),
            records: self.records.status().filter(|_| self.phase != Phase::Loading && self.phase != Phase::New),
            stable: self.deliveries.stable_until(shared).map(|order| MessagePlace {
                lamport: order.lamport,
                unix_ms: order.unix_ms,
                author: order.author,
                counter: order.counter,
            }),
        }
    }

    /// What is missing below messages that are held, feed by feed.
    fn gaps(&self) -> impl Iterator<Item = Gap> + '_ {
        self.shared.log.heads().authors().flat_map(|(author, held)| {
            let behind = held.intervals().map(|(_, last)| last);
            let below = core::iter::once(0).chain(behind).zip(held.intervals());
            let gaps = below.filter_map(|(below, (first, _))| Some((below.checked_add(1)?, first.checked_sub(1)?)));
            gaps.filter(|(from, to)| from <= to).map(move |(from, to)| Gap { author, from, to })
        })
    }
}

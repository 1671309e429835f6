//! Which messages are stable: no member can write one that comes before them any more (`docs/protocol.md §10.6`).

use alloc::collections::BTreeMap;

use crate::api::ReplicaId;
use crate::clock::MessageOrder;
use crate::crypto::PublicKey;
use crate::log::Log;
use crate::planted::{Planted, planted};

/// Where every feed stands in message order, as far as it is held without a gap.
///
/// It remembers one order for each interval held, so its cost is the number of gaps.
#[derive(Debug, Clone, Default)]
pub struct Stability {
    /// For each feed the last message of each interval held.
    ends: BTreeMap<ReplicaId, BTreeMap<u64, MessageOrder>>,
}

impl Stability {
    /// A message is held by now.
    pub fn note(&mut self, order: MessageOrder, log: &Log) {
        let Some((first, last)) = log.heads().interval_of(order.author, order.counter) else { return };
        let ends = self.ends.entry(order.author).or_default();
        ends.insert(order.counter, order);
        // Those that are not the last ones of their interval any more.
        let inner = ends.range(first..last).map(|(counter, _)| *counter);
        for counter in inner.collect::<alloc::vec::Vec<_>>() {
            ends.remove(&counter);
        }
    }

    /// Messages up to this one are stable; none if no message is. The device itself writes behind all that it holds, and
    /// an incarnation writes nothing more once its device has begun another.
    pub fn bound(&self, log: &Log) -> Option<MessageOrder> {
        let own = log.own().and_then(|own| log.public_key(own));
        let mut devices: BTreeMap<PublicKey, MessageOrder> = BTreeMap::new();
        for (replica, key) in log.incarnations().filter(|(replica, key)| Some(*key) != own && !log.is_removed(*replica))
        {
            let complete = log.heads().complete_until(replica);
            let order = self.ends.get(&replica)?.get(&complete)?;
            let latest = devices.entry(key).or_insert(*order);
            *latest = (*latest).max(*order);
        }
        if planted(Planted::StableTooEarly) {
            return devices.into_values().max();
        }
        Some(devices.into_values().min().unwrap_or(MessageOrder::LAST))
    }
}

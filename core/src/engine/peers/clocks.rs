//! What the clocks of linked members say of the own one (§4.4). Stamps do not follow them: a person is told.

use alloc::collections::BTreeMap;

use super::Peer;
use crate::api::{LinkId, Notice, NoticeCode, Now, UnixMs};
use crate::clock::{Offset, Samples, own_ahead_ms};
use crate::engine::Engine;
use crate::link::Echo;

/// Heartbeats both ways on one link, for what they say of clocks.
#[derive(Default)]
pub struct Clocks {
    /// When this side said the last one, and the one before: where both ends speak at one time, they cross.
    said: [Option<Now>; 2],
    /// The peer's last one, and when it came.
    heard: Option<(UnixMs, Now)>,
    samples: Samples,
}

impl Clocks {
    /// A heartbeat is said now: what it repeats.
    pub fn say(&mut self, now: Now) -> Option<Echo> {
        self.said = [Some(now), self.said[0]];
        let (unix_ms, at) = self.heard?;
        Some(Echo { unix_ms, held_ms: now.monotonic.0.saturating_sub(at.monotonic.0) })
    }

    /// The peer's heartbeat came. An echo of an older heartbeat than the last two tells nothing.
    fn hear(&mut self, now: Now, theirs: UnixMs, echo: Option<Echo>) {
        self.heard = Some((theirs, now));
        let said = |echo: &Echo| self.said.into_iter().flatten().find(|said| said.unix == echo.unix_ms);
        if let Some((echo, said)) = echo.and_then(|echo| Some((echo, said(&echo)?))) {
            self.samples.add(said, now, theirs, echo.held_ms);
        }
    }
}

impl Engine {
    /// A heartbeat came: the clocks are compared where stamps depend on them.
    pub(super) fn compare_clocks(&mut self, link: LinkId, theirs: UnixMs, echo: Option<Echo>) {
        let now = self.shared.now;
        if let Some(peer) = self.peers.get_mut(&link) {
            peer.clocks.hear(now, theirs, echo);
        }
        let Some(max_drift_ms) = self.records.max_drift_ms() else { return };
        let ahead_ms = own_ahead_ms(self.offsets(now), max_drift_ms);
        let is_wrong = ahead_ms != 0;
        let told_ms = core::mem::replace(&mut self.clock_told_ms, if is_wrong { ahead_ms } else { 0 });
        // What is told once is not told again for what the error of measuring changes.
        let same_ms = max_drift_ms.saturating_add(told_ms.unsigned_abs() / 4);
        if is_wrong && told_ms != 0 && ahead_ms.abs_diff(told_ms) <= same_ms {
            self.clock_told_ms = told_ms;
        } else if is_wrong {
            self.tell_own_clock(ahead_ms);
        }
    }

    /// Of each other device that is linked by how much its clock is ahead. One that goes by several ids, or is linked twice,
    /// counts once, and who is not known as a member does not.
    fn offsets(&self, now: Now) -> impl Iterator<Item = Offset> + use<> {
        let mut devices: BTreeMap<[u8; 32], Offset> = BTreeMap::new();
        for peer in self.peers.values() {
            let Some(replica) = peer.replica().filter(|replica| !self.shared.log.is_by_this_device(*replica)) else {
                continue;
            };
            let key = self.shared.log.public_key(replica);
            if let (Some(key), Some(offset)) = (key, peer.clocks.samples.offset(now)) {
                let best = devices.entry(*key.as_bytes()).or_insert(offset);
                if offset.error_ms < best.error_ms {
                    *best = offset;
                }
            }
        }
        devices.into_values()
    }

    fn tell_own_clock(&mut self, ahead_ms: i64) {
        let which = if ahead_ms > 0 { "ahead" } else { "behind" };
        let message = alloc::format!(
            "this device's clock is {which} by about {} ms, by those of most devices it is linked to: set it right",
            ahead_ms.unsigned_abs()
        );
        let replica = self.shared.log.own();
        let notice = Notice { code: NoticeCode::ClockSkew, message, root: None, path: None, replica };
        self.shared.actions.push(crate::api::Action::Notify { notice });
    }
}

impl Peer {
    /// What is said with a heartbeat besides the digest.
    pub(super) fn echo(&mut self, now: Now) -> Option<Echo> {
        self.clocks.say(now)
    }
}

//! Whether a linked peer is known to be where this device is: it has applied all that is saved here, and all that it said to
//! hold is saved here (§5.8).

use super::Peer;
use crate::log::Heads;

/// What is known of that.
#[derive(Default)]
pub struct Agreement {
    /// The peer spoke since the last look.
    is_news: bool,
    /// It said what it holds or has applied since then.
    is_told: bool,
    /// What was saved here at the last look.
    saved: Heads,
    is: bool,
}

impl Agreement {
    /// A packet came; it may have said what the peer holds.
    pub fn hear(&mut self, is_told: bool) {
        self.is_news = true;
        self.is_told |= is_told;
    }
}

impl Peer {
    /// Whether the peer spoke since the last look, and whether it is known to be where this device is by that, or from now
    /// on. With most events there is nothing to compare.
    pub fn agreement(&mut self, saved: &Heads) -> (bool, bool) {
        let is_news = core::mem::take(&mut self.agreement.is_news);
        let is_told = core::mem::take(&mut self.agreement.is_told);
        let was = self.agreement.is;
        if is_told || !self.agreement.saved.is_clone_of(saved) {
            self.agreement.saved = saved.clone();
            self.agreement.is = self.is_heard() && self.has_applied(saved) && saved.contains_all(&self.received);
        }
        (is_news, self.agreement.is && (is_news || !was))
    }
}

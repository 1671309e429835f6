//! Where two runners post how they stand, and one who waits reads it.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use syncline_core::api::{RootState, Status};

/// How one runner stood when it last had nothing else to do.
#[derive(Debug, Clone, Default)]
pub(crate) struct Side {
    /// The engine's own words; none before the first.
    pub(crate) status: Option<Status>,
    /// Nothing was queued, in flight or due.
    pub(crate) quiet: bool,
    /// Messages sent to the other side so far.
    pub(crate) sent: u64,
    /// Bytes sent to the other side, or written into the message folder, so far.
    pub(crate) sent_bytes: u64,
    /// Messages of the other side handled so far.
    pub(crate) handled: u64,
    /// The engine closed its link, and why.
    pub(crate) closed: Option<String>,
    /// The engine has stopped.
    pub(crate) stopped: bool,
}

/// Two runners' posts.
#[derive(Default)]
pub(crate) struct Board {
    posts: Mutex<Posts>,
    posted: Condvar,
}

#[derive(Default)]
struct Posts {
    sides: [Side; 2],
    /// Grows with each post.
    number: u64,
}

impl Board {
    /// Changes a runner's post.
    pub(crate) fn post(&self, side: usize, change: impl FnOnce(&mut Side)) {
        let mut posts = self.lock();
        if let Some(side) = posts.sides.get_mut(side) {
            change(side);
        }
        posts.number = posts.number.wrapping_add(1);
        drop(posts);
        self.posted.notify_all();
    }

    /// Both posts, once something was posted after what was `seen`, or the time is over.
    pub(crate) fn wait(&self, seen: &mut u64, timeout: Duration) -> [Side; 2] {
        let posts = self.lock();
        let waited = self.posted.wait_timeout_while(posts, timeout, |posts| posts.number == *seen);
        let posts = waited.unwrap_or_else(PoisonError::into_inner).0;
        *seen = posts.number;
        posts.sides.clone()
    }

    /// Both posts now.
    pub(crate) fn read(&self) -> [Side; 2] {
        self.lock().sides.clone()
    }

    fn lock(&self) -> MutexGuard<'_, Posts> {
        self.posts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether neither side does anything, nor will by itself: both posts are of quiet moments, and each has handled all
/// that the other had sent. (Whoever woke up after its post did so by a message, which the other's count shows.)
pub(crate) fn at_rest(sides: &[Side; 2]) -> bool {
    let [a, b] = sides;
    a.quiet && b.quiet && a.sent == b.handled && b.sent == a.handled
}

/// Whether both sides are at rest and know the same.
pub(crate) fn agreed(sides: &[Side; 2]) -> bool {
    let [a, b] = sides;
    let (Some(a), Some(b)) = (&a.status, &b.status) else { return false };
    at_rest(sides)
        && a.digest == b.digest
        && a.roots.iter().chain(&b.roots).all(|root| matches!(root.state, RootState::Following | RootState::Halted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quiet(sent: u64, handled: u64) -> Side {
        Side { quiet: true, sent, handled, ..Side::default() }
    }

    #[test]
    fn messages_under_way_are_no_rest() {
        assert!(at_rest(&[quiet(3, 2), quiet(2, 3)]));
        assert!(!at_rest(&[quiet(3, 2), quiet(2, 2)]));
        assert!(!at_rest(&[quiet(3, 2), quiet(3, 3)]));
        assert!(!at_rest(&[quiet(0, 0), Side::default()]));
    }

    #[test]
    fn a_post_wakes_who_waits() {
        let board = Board::default();
        std::thread::scope(|scope| {
            scope.spawn(|| board.post(1, |side| side.stopped = true));
            let mut seen = 0;
            while !board.wait(&mut seen, Duration::from_secs(60))[1].stopped {}
        });
    }
}

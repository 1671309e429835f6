//! What failed is tried again: later each time, and nothing is begun at the path before.

use alloc::string::{String, ToString};
use alloc::vec::Vec;

use super::{ListJob, Phase, Root};
use crate::api::{Failure, Monotonic, NoticeCode};
use crate::engine::limits::{MOMENT_MS, RETRY_MS, RETRY_MS_MAX, RETRY_MS_MIN};
use crate::engine::shared::Shared;
use crate::planted::{Planted, planted};
use crate::tree::path;

/// A path that failed.
pub struct Retry {
    pub cause: Cause,
    /// When it is tried again; nothing is begun there before. None while that is done.
    pub at: Option<Monotonic>,
    pub delay_ms: u64,
}

impl Retry {
    /// It is about to be known: no failure yet, and no rest either.
    fn is_momentary(&self) -> bool {
        self.cause == Cause::Surprise && self.delay_ms < MOMENT_MS
    }
}

/// What failed at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// It could not be read: it is looked at again.
    Reading,
    /// Something else stood there than base says: it is looked at.
    Surprise,
    /// It could not be written: that is tried again.
    Writing,
}

impl Root {
    /// Looks at a path again later, each time after twice the time. What could not be read stays so whatever else fails
    /// there: once it is read, the rest is tried again by itself.
    pub(super) fn retry_later(&mut self, now: Monotonic, path: &str, cause: Cause) {
        let cause = if self.is_unread(path) { Cause::Reading } else { cause };
        let delay_ms = match self.retries.get(path) {
            Some(retry) => retry.delay_ms.saturating_mul(2).clamp(RETRY_MS_MIN, RETRY_MS_MAX),
            None if cause == Cause::Surprise => 0,
            None => RETRY_MS,
        };
        self.retries.insert(path.to_string(), Retry { cause, at: Some(now.plus(delay_ms)), delay_ms });
    }

    pub(super) fn retry_all(&mut self) {
        self.forget_no_room();
        for retry in self.retries.values_mut().filter(|retry| retry.at.is_some()) {
            retry.at = Some(Monotonic(0));
        }
    }

    pub(super) fn wake_retries(&mut self, now: Monotonic) {
        let is_due = |retry: &Retry| retry.at.is_some_and(|at| at <= now);
        if !matches!(self.phase, Phase::Scanning | Phase::Following) || !self.retries.values().any(is_due) {
            return;
        }
        let mut due = Vec::new();
        for (path, retry) in self.retries.iter_mut().filter(|(_, retry)| is_due(retry)) {
            retry.at = None;
            due.push((path.clone(), retry.cause));
        }
        for (path, cause) in due {
            match (cause, path::split(&path)) {
                (_, None) => self.scan.add(ListJob::below(String::new())),
                (Cause::Writing, Some((directory, name))) => self.projection.mark(directory, &name),
                (Cause::Reading | Cause::Surprise, Some(_)) => self.look(path),
            }
        }
    }

    /// Something failed at a path, and its time has not come again.
    pub(super) fn is_blocked(&self, path: &str) -> bool {
        self.retries.get(path).is_some_and(|retry| retry.at.is_some()) && !planted(Planted::RetryAtOnce)
    }

    /// Nothing can be begun at a path: it is busy or failed, and marked again when it is free; or nobody knows whether what
    /// was intended there was done, and it is looked at first.
    pub(super) fn must_wait(&mut self, path: &str) -> bool {
        let entry = path::split(path).and_then(|(directory, name)| self.base.entry(directory, &name));
        let is_in_doubt = entry.is_some_and(|entry| entry.intent.is_some());
        let waits = self.busy.contains(path) || self.is_blocked(path);
        if is_in_doubt && !waits && !self.is_supplanted(path) {
            self.look(path.to_string());
        }
        waits || is_in_doubt
    }

    /// How many paths wait for another try after a failure.
    pub(super) fn waiting(&self) -> usize {
        self.retries.values().filter(|retry| retry.at.is_some() && !retry.is_momentary()).count()
    }

    /// How many paths are looked at again in a moment.
    pub(super) fn momentary(&self) -> usize {
        self.retries.values().filter(|retry| retry.at.is_some() && retry.is_momentary()).count()
    }

    /// A path could not be read when that was tried last.
    pub(super) fn is_unread(&self, path: &str) -> bool {
        self.retries.get(path).is_some_and(|retry| retry.cause == Cause::Reading)
    }

    /// A path could be read, or nothing is there any more, which says nothing of writing it.
    pub(super) fn was_read(&mut self, path: &str) {
        self.scan.forget_unreadable(path);
        if self.is_unread(path) {
            self.retries.remove(path);
            if let Some((directory, name)) = path::split(path) {
                self.projection.mark(directory, &name);
            }
        }
    }

    /// A path is as it should be, as far as it could be read.
    pub(super) fn succeeded(&mut self, path: &str) {
        if !self.retries.is_empty() && !self.is_unread(path) {
            self.retries.remove(path);
        }
    }

    pub(super) fn failed_at(&mut self, shared: &mut Shared, path: &str, code: NoticeCode, failure: &Failure) {
        if !self.retries.contains_key(path) {
            let told = match (code, failure) {
                (_, Failure::NoSpace) => NoticeCode::NoSpace,
                (NoticeCode::Unreadable, Failure::Changed) => NoticeCode::StillChanging,
                _ => code,
            };
            shared.notify_about(told, describe(told, failure), Some(self.id), Some(path));
        }
        let cause = if code == NoticeCode::Unreadable { Cause::Reading } else { Cause::Writing };
        self.retry_later(shared.now.monotonic, path, cause);
    }
}

fn describe(code: NoticeCode, failure: &Failure) -> String {
    let what = match code {
        NoticeCode::Unreadable => "could not read it",
        NoticeCode::StillChanging => return "it keeps changing while it is read; it is tried again".to_string(),
        _ => "could not write it",
    };
    let why = match failure {
        Failure::Missing => "it is missing",
        Failure::NotLocal => "its bytes are not on this device",
        Failure::Denied => "permission denied",
        Failure::NoSpace => "no space left on the device",
        Failure::Changed => "something else stands there",
        Failure::Corrupt => "the bytes do not match their hash",
        Failure::TooLarge => "it is too large",
        Failure::NotEmpty => "the directory is not empty",
        Failure::Unrepresentable => "this platform cannot hold it",
        Failure::Other { message } => message,
    };
    alloc::format!("{what}: {why}; it is tried again")
}

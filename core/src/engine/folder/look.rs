//! Looking through a folder: whose session it is, which feeds it holds, which of their files are new.

use alloc::collections::VecDeque;
use alloc::string::String;
use alloc::vec::Vec;

use super::{Folder, FolderPurpose};
use crate::api::{
    Failure, FolderEntryKind, FolderIndexing, FolderProbeResult, FolderState, NoticeCode, Outcome, ReadResult,
    ReplicaId, Work, listing,
};
use crate::engine::limits::{INFO_BYTES_MAX, INFOS_MAX, MOMENT_MS, PROBE_AHEAD, RELIST_MS};
use crate::engine::shared::Shared;
use crate::folder::{Info, InfoError, feed_directory, is_info, message_paths, parse_counter, parse_feed_directory};
use crate::log::IntervalSet;
use crate::planted::{Planted, planted};

/// A look through the folder, directory by directory.
#[derive(Default)]
pub struct Look {
    step: Step,
    /// The `info`s and feeds found in the session's directory.
    infos: Vec<String>,
    feeds: Vec<ReplicaId>,
    /// Feeds still to be looked at.
    queue: VecDeque<ReplicaId>,
    /// What was found of the own feed that is being listed, and of that the placeholders.
    own: IntervalSet<u64>,
    own_elsewhere: IntervalSet<u64>,
    /// The look that is under way began with the session's directory.
    is_whole: bool,
    was_whole: bool,
}

#[derive(Default, PartialEq, Eq)]
enum Step {
    #[default]
    Idle,
    Session,
    Feeds,
}

impl Look {
    /// None is under way.
    pub fn is_idle(&self) -> bool {
        self.step == Step::Idle
    }

    /// All of the folder was looked through since it was last in order.
    pub fn was_whole(&self) -> bool {
        self.was_whole
    }
}

impl Folder {
    /// Begins a look where one is due.
    pub(super) fn look_turn(&mut self, shared: &mut Shared) {
        if !self.look.is_idle() {
            return;
        }
        if self.due || self.next <= shared.now.monotonic {
            self.due = false;
            self.due_feeds.clear();
            let was_whole = self.look.was_whole;
            self.look = Look { step: Step::Session, is_whole: true, was_whole, ..Look::default() };
            self.list_session(shared, None);
        } else if !self.due_feeds.is_empty() && self.state == FolderState::Following {
            self.look.step = Step::Feeds;
            self.look.is_whole = false;
            self.look.queue = core::mem::take(&mut self.due_feeds).into_iter().collect();
            self.next_feed(shared);
        }
    }

    fn list_session(&self, shared: &mut Shared, page: Option<u64>) {
        let work = Work::FolderList { folder: self.config.id, directory: String::new(), page };
        self.perform(shared, FolderPurpose::Session, work);
    }

    pub(super) fn session_listed(&mut self, shared: &mut Shared, outcome: Outcome) {
        let Outcome::FolderListed { names, next } = outcome else {
            return self.missing(shared, &outcome);
        };
        for (kind, name) in listing::names(&names).map_while(Result::ok) {
            match kind {
                FolderEntryKind::Directory => self.look.feeds.extend(parse_feed_directory(name)),
                FolderEntryKind::File | FolderEntryKind::Placeholder
                    if is_info(name) && self.look.infos.len() < INFOS_MAX =>
                {
                    self.look.infos.push(name.into());
                }
                _ => {}
            }
        }
        if next.is_some() {
            return self.list_session(shared, next);
        }
        let paths = core::mem::take(&mut self.look.infos);
        if paths.is_empty() {
            return self.without_info(shared);
        }
        let work = Work::FolderRead { folder: self.config.id, paths: paths.clone(), bytes_max: INFO_BYTES_MAX };
        self.perform(shared, FolderPurpose::Infos { paths }, work);
    }

    fn without_info(&mut self, shared: &mut Shared) {
        let message =
            "the message folder has no `info`: it is empty, incomplete or replaced, so nothing is written into it";
        self.halt(shared, NoticeCode::FolderMissing, message);
        self.end_look(shared);
    }

    fn missing(&mut self, shared: &mut Shared, outcome: &Outcome) {
        let why = match outcome {
            Outcome::Failed { failure: Failure::Other { message } } => message.as_str(),
            Outcome::Failed { failure: Failure::Missing } => "it is not there",
            _ => "it cannot be listed",
        };
        let message = alloc::format!("the message folder cannot be used: {why}; nothing is written into it");
        self.halt(shared, NoticeCode::FolderMissing, message);
        self.end_look(shared);
    }

    pub(super) fn infos_read(&mut self, shared: &mut Shared, paths: &[String], outcome: Outcome) {
        let Outcome::FolderRead { results } = outcome else {
            return self.missing(shared, &outcome);
        };
        let elsewhere = paths.iter().zip(&results).filter(|(_, result)| is_elsewhere(result));
        let elsewhere: Vec<String> = elsewhere.map(|(path, _)| path.clone()).collect();
        let is_elsewhere = !elsewhere.is_empty();
        if is_elsewhere && !planted(Planted::InfoNotFetched) {
            let work = Work::FolderFetch { folder: self.config.id, paths: elsewhere };
            self.perform(shared, FolderPurpose::Fetch, work);
        }
        // What went away since it was listed is not there.
        let infos = results.into_iter().filter_map(|result| match result {
            ReadResult::Bytes { bytes } => Some(Info::parse(&bytes)),
            ReadResult::Failed { failure: Failure::Missing } => None,
            ReadResult::Failed { .. } => Some(Err(InfoError::Malformed)),
        });
        let infos: Vec<Result<Info, InfoError>> = infos.collect();
        if infos.is_empty() {
            return self.without_info(shared);
        }
        let is_ours = infos.iter().flatten().any(|info| info.session == self.session);
        self.has_other_sessions = infos.iter().flatten().any(|info| info.session != self.session);
        match Info::choose(infos) {
            Ok(info) if info.session == self.session || planted(Planted::OtherSessionFollowed) => {
                self.state = FolderState::Following;
                self.halted_for = None;
                let mut authors = core::mem::take(&mut self.look.feeds);
                // A directory of this device that is gone counts as one that is empty.
                authors.extend(self.own.authors());
                for author in authors {
                    self.meet(author);
                }
                // Own directories first: nothing is written before it is known what stands there.
                let is_own = |author: &ReplicaId| shared.log.is_by_this_device(*author);
                let (own, others): (VecDeque<_>, VecDeque<_>) = self.feeds.keys().copied().partition(is_own);
                self.look.queue = own.into_iter().chain(others).collect();
                self.look.step = Step::Feeds;
                return self.next_feed(shared);
            }
            Ok(info) if is_ours && info.session != self.session => {
                let message = "another device began a session in the same message folder at the same time; all go on with that one: open the folder again";
                self.halt(shared, NoticeCode::SessionSuperseded, message);
            }
            Ok(info) => {
                let message = alloc::format!(
                    "expected the message folder of session {}, found that of {}: nothing is written into it",
                    self.session,
                    info.session
                );
                self.halt(shared, NoticeCode::FolderMissing, message);
            }
            Err(InfoError::Malformed) if is_elsewhere => {
                let message = "the bytes of the message folder's `info` are elsewhere; they were asked for";
                self.halt(shared, NoticeCode::FolderUnusable, message);
            }
            Err(error) => {
                let message = alloc::format!("the message folder's `info` cannot be used: {error}");
                self.halt(shared, NoticeCode::FolderUnusable, message);
            }
        }
        self.end_look(shared);
    }

    /// Goes on with the next feed, by its directory or by names.
    fn next_feed(&mut self, shared: &mut Shared) {
        let Some(author) = self.look.queue.pop_front() else {
            self.look.was_whole |= self.look.is_whole;
            self.has_looked |= self.look.is_whole;
            self.blobs.hint();
            return self.end_look(shared);
        };
        let feed = self.feeds.entry(author).or_default();
        let listed_lately = feed.listed.is_some_and(|listed| shared.now.monotonic < listed.plus(RELIST_MS));
        if self.config.indexing == FolderIndexing::Probing && listed_lately && !feed.index.take_overflow() {
            return self.probe(shared, author);
        }
        (self.look.own, self.look.own_elsewhere) = Default::default();
        self.own.begin_listing();
        self.list_feed(shared, author, None);
    }

    fn list_feed(&self, shared: &mut Shared, author: ReplicaId, page: Option<u64>) {
        let work = Work::FolderList { folder: self.config.id, directory: feed_directory(author), page };
        self.perform(shared, FolderPurpose::Feed { author }, work);
    }

    pub(super) fn feed_listed(&mut self, shared: &mut Shared, author: ReplicaId, outcome: Outcome) {
        let Outcome::FolderListed { names, next } = outcome else {
            if outcome == (Outcome::Failed { failure: Failure::Missing }) {
                (self.look.own, self.look.own_elsewhere) = Default::default();
                self.own_listed(shared, author);
            }
            // It is looked at again with the next look.
            return self.next_feed(shared);
        };
        let settled = shared.log.settled(author);
        let is_own = shared.log.is_by_this_device(author);
        let feed = self.feeds.entry(author).or_default();
        for (kind, name) in listing::names(&names).map_while(Result::ok) {
            let is_file = matches!(kind, FolderEntryKind::File | FolderEntryKind::Placeholder);
            let Some(counter) = parse_counter(name).filter(|_| is_file) else { continue };
            if is_own {
                self.look.own.insert(counter);
                if kind == FolderEntryKind::Placeholder {
                    self.look.own_elsewhere.insert(counter);
                }
            }
            if !settled.contains(counter) {
                feed.index.find(counter);
            }
        }
        if next.is_some() {
            return self.list_feed(shared, author, next);
        }
        feed.listed = Some(shared.now.monotonic);
        if is_own {
            self.own_listed(shared, author);
        }
        self.next_feed(shared);
    }

    /// Where own messages went, so may have the blobs they name.
    fn own_listed(&mut self, shared: &mut Shared, author: ReplicaId) {
        let found = core::mem::take(&mut self.look.own);
        let elsewhere = core::mem::take(&mut self.look.own_elsewhere);
        if self.own.listed(author, &found, &elsewhere) {
            self.uploads.forget_done();
            self.save_written(shared, author);
        }
    }

    fn probe(&mut self, shared: &mut Shared, author: ReplicaId) {
        let settled = shared.log.settled(author);
        let Some(feed) = self.feeds.get(&author) else { return self.next_feed(shared) };
        let counters = feed.index.probes(&settled);
        let paths = message_paths(author, &counters);
        let work = Work::FolderProbe { folder: self.config.id, paths, count: Some(feed_directory(author)) };
        self.perform(shared, FolderPurpose::Probe { author, counters }, work);
    }

    pub(super) fn probed(&mut self, shared: &mut Shared, author: ReplicaId, counters: &[u64], outcome: Outcome) {
        let Outcome::FolderProbed { results, count } = outcome else {
            return self.next_feed(shared);
        };
        let is_there = |result: &FolderProbeResult| {
            let kinds = [FolderEntryKind::File, FolderEntryKind::Placeholder];
            matches!(result, FolderProbeResult::Present { kind } if kinds.contains(kind))
        };
        let feed = self.feeds.entry(author).or_default();
        // Where messages go on to the end of what was asked for, in the gaps or behind them, there may be more behind it. (A
        // run that ends before leaves the next names to the next look: most of them were missing just now.)
        let ends = [counters.len().saturating_sub(PROBE_AHEAD), counters.len()];
        let is_near_end = |at: usize| ends.iter().any(|end| at < *end && at.saturating_add(PROBE_AHEAD / 2) >= *end);
        let (mut found, mut goes_on) = (false, false);
        for (at, counter) in counters.iter().enumerate().filter(|(at, _)| results.get(*at).is_some_and(is_there)) {
            goes_on |= feed.index.find(*counter) && is_near_end(at);
            found = true;
        }
        // Something came under a name that was not asked for: the whole directory tells.
        let grew = count > feed.count && feed.count.is_some();
        feed.count = count;
        if grew && !found {
            feed.listed = None;
        }
        if goes_on || grew {
            self.due_feeds.insert(author);
        }
        self.next_feed(shared);
    }

    fn end_look(&mut self, shared: &Shared) {
        self.look.step = Step::Idle;
        let wait = if self.state == FolderState::Following { self.config.poll_ms.into() } else { MOMENT_MS };
        self.next = shared.now.monotonic.plus(wait.max(1));
    }
}

fn is_elsewhere(result: &ReadResult) -> bool {
    *result == ReadResult::Failed { failure: Failure::NotLocal }
}

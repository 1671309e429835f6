//! How often each kind of thing happened.

use std::collections::BTreeMap;

use syncline_core::api::{
    CommitResult, Failure, FolderProbeResult, FolderResult, HashResult, Outcome, ProbeResult, ReadResult, StageResult,
    Work,
};

/// Counts by kind: acts, troubles, work and its failures, notices, faults that struck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Coverage {
    counts: BTreeMap<String, u64>,
}

impl Coverage {
    /// It happened once more.
    pub fn count(&mut self, kind: impl AsRef<str> + Into<String>) {
        self.count_many(kind, 1);
    }

    /// It happened so many times more.
    pub fn count_many(&mut self, kind: impl AsRef<str> + Into<String>, times: u64) {
        match self.counts.get_mut(kind.as_ref()) {
            Some(count) => *count += times,
            None => drop(self.counts.insert(kind.into(), times)),
        }
    }

    /// A piece of work was done; counts how it and its items ended.
    pub(crate) fn count_work(&mut self, work: &Work, outcome: &Outcome) {
        let kind = work_kind(work);
        let mut failed = |failure: &Failure| self.count(format!("{kind} failed {}", failure_kind(failure)));
        match outcome {
            Outcome::Failed { failure } => failed(failure),
            Outcome::Probed { results, .. } => results.iter().for_each(|result| match result {
                ProbeResult::Failed { failure } => failed(failure),
                ProbeResult::Present { .. } => {}
            }),
            Outcome::Hashed { results } => results.iter().for_each(|result| match result {
                HashResult::Failed { failure } => failed(failure),
                HashResult::Hashed { .. } => {}
            }),
            Outcome::Read { results } => results.iter().for_each(|result| match result {
                ReadResult::Failed { failure } => failed(failure),
                ReadResult::Bytes { .. } => {}
            }),
            Outcome::Staged { results } => results.iter().for_each(|result| match result {
                StageResult::Failed { failure } => failed(failure),
                StageResult::Staged => {}
            }),
            Outcome::Committed { results } => results.iter().for_each(|result| match result {
                CommitResult::Failed { failure } => failed(failure),
                CommitResult::Committed { .. } => {}
            }),
            Outcome::FolderProbed { results, .. } => {
                let missing = FolderProbeResult::Failed { failure: Failure::Missing };
                if results.contains(&missing) {
                    failed(&Failure::Missing);
                }
            }
            Outcome::FolderRead { results } => results.iter().for_each(|result| match result {
                ReadResult::Failed { failure } => failed(failure),
                ReadResult::Bytes { .. } => {}
            }),
            Outcome::FolderWritten { results } => results.iter().for_each(|result| match result {
                FolderResult::Failed { failure } => failed(failure),
                FolderResult::Done => {}
            }),
            Outcome::FolderListed { .. } | Outcome::Delivered | Outcome::RowsApplied => {}
            Outcome::Loaded { .. } | Outcome::Saved | Outcome::Listed { .. } | Outcome::Discarded => {}
        }
        self.count(format!("work {kind}"));
    }

    /// Adds what was counted elsewhere.
    pub fn add(&mut self, other: &Coverage) {
        for (kind, count) in &other.counts {
            *self.counts.entry(kind.clone()).or_default() += count;
        }
    }

    /// How often a kind happened.
    pub fn of(&self, kind: &str) -> u64 {
        self.counts.get(kind).copied().unwrap_or_default()
    }

    /// Kinds and counts, by name.
    pub fn counts(&self) -> impl Iterator<Item = (&str, u64)> {
        self.counts.iter().map(|(kind, count)| (kind.as_str(), *count))
    }
}

/// The name of a kind of work.
pub(crate) fn work_kind(work: &Work) -> &'static str {
    match work {
        Work::Load { .. } => "Load",
        Work::Save { .. } => "Save",
        Work::List { .. } => "List",
        Work::Probe { .. } => "Probe",
        Work::Hash { .. } => "Hash",
        Work::Read { .. } => "Read",
        Work::Stage { .. } => "Stage",
        Work::Commit { .. } => "Commit",
        Work::Discard { .. } => "Discard",
        Work::FolderList { .. } => "FolderList",
        Work::FolderProbe { .. } => "FolderProbe",
        Work::FolderRead { .. } => "FolderRead",
        Work::FolderCreate { .. } => "FolderCreate",
        Work::FolderRemove { .. } => "FolderRemove",
        Work::FolderFetch { .. } => "FolderFetch",
        Work::Deliver { .. } => "Deliver",
        Work::ApplyRows { .. } => "ApplyRows",
    }
}

fn failure_kind(failure: &Failure) -> &'static str {
    match failure {
        Failure::Missing => "Missing",
        Failure::NotLocal => "NotLocal",
        Failure::Denied => "Denied",
        Failure::NoSpace => "NoSpace",
        Failure::Changed => "Changed",
        Failure::Corrupt => "Corrupt",
        Failure::TooLarge => "TooLarge",
        Failure::NotEmpty => "NotEmpty",
        Failure::Unrepresentable => "Unrepresentable",
        Failure::Other { .. } => "Other",
    }
}

//! One piece of work, and whether it ended as expected.

use std::collections::BTreeMap;

use syncline::folder::SharedFolder;
use syncline_core::api::{
    Failure, FolderEntryKind, FolderFile, FolderId, FolderProbeResult, FolderResult, Outcome, ReadResult, Work, listing,
};

use crate::case::{Entries, Listing, Step};

const FOLDER: FolderId = FolderId(1);
const PAGE_BYTES_MAX: usize = 256 * 1024;

type Checked = Result<(), String>;

/// Plays a step.
pub fn play(shared: &SharedFolder, step: &Step) -> Checked {
    let perform = |work: Work| shared.perform(&work).ok_or_else(|| format!("{work:?} is not done"));
    match step {
        Step::List { list, expect } => check_listing(expect, &read_listing(shared, list)?),
        Step::Page { page, of, expect } => {
            let work = Work::FolderList { folder: FOLDER, directory: of.clone(), page: Some(*page) };
            match perform(work)? {
                Outcome::Failed { failure } => same(expect, &failed(&failure)),
                outcome => Err(format!("expected {expect}, found {outcome:?}")),
            }
        }
        Step::Probe { probe, count, entries, expect } => {
            let work = Work::FolderProbe { folder: FOLDER, paths: probe.clone(), count: count.clone() };
            let Outcome::FolderProbed { results, count } = perform(work)? else { return Err(other("probes")) };
            if count.is_some() && count != *entries {
                return Err(format!("expected {entries:?} entries, found {count:?}"));
            }
            let results = results.iter().map(|result| match result {
                FolderProbeResult::Present { kind } => kind_name(*kind).to_string(),
                FolderProbeResult::Failed { failure } => failed(failure),
            });
            same(expect, &results.collect())
        }
        Step::Read { read, bytes_max, expect } => {
            let work = Work::FolderRead { folder: FOLDER, paths: read.clone(), bytes_max: *bytes_max };
            let Outcome::FolderRead { results } = perform(work)? else { return Err(other("files")) };
            let results = results.iter().map(|result| match result {
                ReadResult::Bytes { bytes } => format!("={}", String::from_utf8_lossy(bytes)),
                ReadResult::Failed { failure } => failed(failure),
            });
            same(expect, &results.collect())
        }
        Step::Create { create, expect } => {
            let files = create.iter().map(|(path, text)| FolderFile { path: path.clone(), bytes: text.clone().into() });
            let work = Work::FolderCreate { folder: FOLDER, files: files.collect() };
            check_written(expect, perform(work)?)
        }
        Step::Remove { remove, expect } => {
            check_written(expect, perform(Work::FolderRemove { folder: FOLDER, paths: remove.clone() })?)
        }
        Step::Fetch { fetch, expect } => {
            check_written(expect, perform(Work::FolderFetch { folder: FOLDER, paths: fetch.clone() })?)
        }
    }
}

/// A directory as its pages tell it, or why they do not.
type Pages = Result<(Vec<(String, FolderEntryKind)>, usize), Failure>;

fn read_listing(shared: &SharedFolder, directory: &str) -> Result<Pages, String> {
    let (mut entries, mut pages, mut page) = (Vec::new(), 0, None);
    loop {
        let work = Work::FolderList { folder: FOLDER, directory: directory.into(), page };
        let (names, next) = match shared.perform(&work) {
            Some(Outcome::FolderListed { names, next }) => (names, next),
            Some(Outcome::Failed { failure }) => return Ok(Err(failure)),
            outcome => return Err(format!("expected a listing, found {outcome:?}")),
        };
        if names.len() > PAGE_BYTES_MAX {
            return Err(format!("expected a page of at most {PAGE_BYTES_MAX} bytes, found {}", names.len()));
        }
        for entry in listing::names(&names) {
            let (kind, name) = entry.map_err(|error| error.to_string())?;
            entries.push((name.to_string(), kind));
        }
        pages += 1;
        page = next;
        if page.is_none() {
            return Ok(Ok((entries, pages)));
        }
    }
}

fn check_listing(expect: &Listing, pages: &Pages) -> Checked {
    match (expect, pages) {
        (Listing::Failure(expected), Err(failure)) => same(expected, &failed(failure)),
        (Listing::Entries(expected), Ok((entries, pages))) => check_entries(expected, entries, *pages),
        (expected, found) => Err(format!("expected {expected:?}, found {found:?}")),
    }
}

fn check_entries(expect: &Entries, entries: &[(String, FolderEntryKind)], pages: usize) -> Checked {
    let found: BTreeMap<String, String> =
        entries.iter().map(|(name, kind)| (name.clone(), kind_name(*kind).into())).collect();
    if found.len() != entries.len() {
        return Err(format!("expected each name once, found {entries:?}"));
    }
    if let Some(expected) = &expect.entries {
        same(expected, &found)?;
    }
    if let Some(expected) = &expect.messages {
        let is_file = |kind: &String| kind == "file" || kind == "placeholder";
        let messages = found.iter().filter(|(name, kind)| is_counter(name) && is_file(kind));
        same(expected, &messages.map(|(name, _)| name.clone()).collect())?;
    }
    if let Some(expected) = &expect.count {
        same(expected, &entries.len())?;
    }
    match expect.pages_min {
        Some(least) if pages < least => Err(format!("expected at least {least} pages, found {pages}")),
        _ => Ok(()),
    }
}

/// The protocol's words (section 10.1), again.
fn is_counter(name: &str) -> bool {
    let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    (1..=16).contains(&name.len()) && name.bytes().all(is_digit) && !name.starts_with('0')
}

fn check_written(expect: &Vec<String>, outcome: Outcome) -> Checked {
    let Outcome::FolderWritten { results } = outcome else { return Err(other("changes")) };
    let results = results.iter().map(|result| match result {
        FolderResult::Done => "done".to_string(),
        FolderResult::Failed { failure } => failed(failure),
    });
    same(expect, &results.collect())
}

fn same<T: PartialEq + std::fmt::Debug>(expected: &T, found: &T) -> Checked {
    if expected == found { Ok(()) } else { Err(format!("expected {expected:?}, found {found:?}")) }
}

fn other(what: &str) -> String {
    format!("expected the results of {what}, found another outcome")
}

fn kind_name(kind: FolderEntryKind) -> &'static str {
    match kind {
        FolderEntryKind::File => "file",
        FolderEntryKind::Placeholder => "placeholder",
        FolderEntryKind::Directory => "directory",
        FolderEntryKind::Other => "other",
    }
}

fn failed(failure: &Failure) -> String {
    let name = match failure {
        Failure::Missing => "missing",
        Failure::NotLocal => "not_local",
        Failure::Denied => "denied",
        Failure::NoSpace => "no_space",
        Failure::Changed => "changed",
        Failure::Corrupt => "corrupt",
        Failure::TooLarge => "too_large",
        Failure::NotEmpty => "not_empty",
        Failure::Unrepresentable => "unrepresentable",
        Failure::Other { .. } => "other",
    };
    format!("!{name}")
}

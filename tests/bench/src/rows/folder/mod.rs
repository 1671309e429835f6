//! Rows `folder-list` and `folder-probe`: ten new messages in a directory of a million.

mod author;
mod reader;

use std::cell::RefCell;
use std::fs;
use std::mem::MaybeUninit;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use rustix::fs::{Access, CWD, Mode, OFlags, RawDir};
use syncline_core::api::FolderIndexing;

use self::author::Author;
use self::reader::Reader;
use crate::data::Place;
use crate::measure::{Comparison, Runs, Target, in_turn_by};
use crate::report::RowReporter;

const FILES: u64 = 1_000_000;
const FEW_FILES: u64 = 1_000;
const NEW: usize = 10;
/// Runs where there is no target.
const DISK_RUNS: Runs = Runs(3);
/// Looks of one run by probing, which are too short to measure alone.
const LOOKS: usize = 100;
/// What a plain program reads a directory with at once; larger ones made it no faster.
const BUFFER_BYTES: usize = 256 * 1024;

/// Finds them by listing.
pub fn list(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    for place in Place::all()? {
        let (runs, target) = targets(&place, runs, Target::AtMost(1.3));
        let (author, reader) = begin(&place, "many", FILES, FolderIndexing::Listing)?;
        let (author, reader) = (RefCell::new(author), RefCell::new(reader));
        let ours = || -> Result<f64> {
            let (seconds, probed) = look(&mut author.borrow_mut(), &mut reader.borrow_mut())?;
            ensure!(probed.is_empty(), "the engine probed where it is to list");
            Ok(seconds)
        };
        let mut buffer = vec![MaybeUninit::uninit(); BUFFER_BYTES];
        let theirs = || -> Result<f64> {
            let author = author.borrow();
            let start = Instant::now();
            let found = read_directory(author.directory(), author.last() - NEW as u64, &mut buffer)?;
            let seconds = start.elapsed().as_secs_f64();
            ensure!(found.len() == NEW, "expected {NEW} new files, found {}", found.len());
            Ok(seconds)
        };
        let (ours, theirs) = in_turn_by(runs, ours, theirs)?;
        let milliseconds = |seconds: &[f64]| seconds.iter().map(|seconds| seconds * 1e3).collect();
        report.tell(&Comparison {
            what: format!("10 new among 1,000,000, {}", place.kind),
            peer: "getdents64 and parsing, nothing else".to_owned(),
            unit: "ms",
            ours: milliseconds(&ours),
            theirs: milliseconds(&theirs),
            target,
        });
        fs::remove_dir_all(place.path("many"))?;
    }
    Ok(())
}

/// Finds them by probing.
pub fn probe(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    for place in Place::all()? {
        let (runs, target) = targets(&place, runs, Target::AtMost(1.3));
        let (author, reader) = begin(&place, "many", FILES, FolderIndexing::Probing)?;
        let (author, reader) = (RefCell::new(author), RefCell::new(reader));
        let ours = || looks(&mut author.borrow_mut(), &mut reader.borrow_mut());
        let theirs = || asks(&mut author.borrow_mut(), &mut reader.borrow_mut());
        let (ours, theirs) = in_turn_by(runs, ours, theirs)?;
        report.tell(&Comparison {
            what: format!("a name, 10 new of 1,000,000, {}", place.kind),
            peer: "access() of the same names".to_owned(),
            unit: "µs",
            ours,
            theirs,
            target,
        });
        let (mut other_author, mut other_reader) = begin(&place, "few", FEW_FILES, FolderIndexing::Probing)?;
        let ours = || looks(&mut author.borrow_mut(), &mut reader.borrow_mut());
        let theirs = || looks(&mut other_author, &mut other_reader);
        let (ours, theirs) = in_turn_by(runs, ours, theirs)?;
        report.tell(&Comparison {
            what: format!("a name, in 1,000,000 files, {}", place.kind),
            peer: "the same in 1,000 files".to_owned(),
            unit: "µs",
            ours,
            theirs,
            target,
        });
        for name in ["many", "few"] {
            fs::remove_dir_all(place.path(name))?;
        }
    }
    Ok(())
}

/// The target is for memory, where no disk's moods count; the others are told beside it.
fn targets(place: &Place, runs: Runs, target: Target) -> (Runs, Target) {
    if place.kind == "tmpfs" { (runs, target) } else { (DISK_RUNS, Target::None) }
}

/// An author with so many files, and a reader that holds them all.
fn begin(place: &Place, name: &str, count: u64, indexing: FolderIndexing) -> Result<(Author, Reader)> {
    let folder = place.path(name);
    fs::create_dir(&folder)?;
    let mut author = Author::begin(&folder)?;
    author.post_as(count)?;
    let reader = Reader::begin(&folder, indexing)?;
    author.fill()?;
    Ok((author, reader))
}

/// Ten new messages are written and found; how many seconds the finding took, and which names were probed.
fn look(author: &mut Author, reader: &mut Reader) -> Result<(f64, Vec<String>)> {
    let posted = post(author)?;
    find(reader, &posted)
}

fn post(author: &mut Author) -> Result<Vec<String>> {
    (0..NEW).map(|_| author.post()).collect()
}

fn find(reader: &mut Reader, posted: &[String]) -> Result<(f64, Vec<String>)> {
    let start = Instant::now();
    let found = reader.look()?;
    let seconds = start.elapsed().as_secs_f64();
    let probed = found.probed();
    let mut files = reader.take(found)?;
    files.sort_by_key(|path| (path.len(), path.clone()));
    ensure!(files == posted, "expected the files {posted:?}, found {files:?}");
    Ok((seconds, probed))
}

/// Microseconds a name over many looks.
fn looks(author: &mut Author, reader: &mut Reader) -> Result<f64> {
    let (mut seconds, mut count) = (0.0, 0);
    for _ in 0..LOOKS {
        let (taken, probed) = look(author, reader)?;
        seconds += taken;
        count += probed.len();
    }
    ensure!(count >= LOOKS * NEW, "expected probes, found {count}");
    Ok(seconds * 1e6 / count as f64)
}

/// Microseconds a name that a plain program takes which asks for the names that the engine is about to probe, as often, and
/// with the same going on in between: what was written and read meanwhile is in the processor's caches for neither.
fn asks(author: &mut Author, reader: &mut Reader) -> Result<f64> {
    let feed = author.directory().to_path_buf();
    let session = feed.parent().context("a feed in a session")?;
    let (_, mut probed) = look(author, reader)?;
    let (mut seconds, mut count) = (0.0, 0);
    for _ in 0..LOOKS {
        let paths = probed.iter().map(|path| next(&session.join(path), &feed)).collect::<Result<Vec<PathBuf>>>()?;
        let posted = post(author)?;
        let start = Instant::now();
        let there = paths.iter().filter(|path| rustix::fs::access(path.as_path(), Access::EXISTS).is_ok()).count();
        seconds += start.elapsed().as_secs_f64();
        count += paths.len();
        ensure!(there == NEW, "expected {NEW} of the names, found {there}");
        (_, probed) = find(reader, &posted)?;
        ensure!(probed.iter().map(|path| session.join(path)).eq(paths), "expected that the engine probes these names");
    }
    Ok(seconds * 1e6 / count as f64)
}

/// What is probed in the place of this path once the next messages are there: in the feed that they are in a later number, in
/// the reader's own always the same.
fn next(path: &Path, feed: &Path) -> Result<PathBuf> {
    match path.strip_prefix(feed) {
        Ok(name) => {
            let counter = u64::from_str_radix(name.to_str().context("a number")?, 16)?;
            Ok(feed.join(format!("{:x}", counter + NEW as u64)))
        }
        Err(_) => Ok(path.to_path_buf()),
    }
}

/// What a plain program does that knows that the author's files up to `held` are not new.
fn read_directory(directory: &Path, held: u64, buffer: &mut [MaybeUninit<u8>]) -> Result<Vec<u64>> {
    let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
    let directory = rustix::fs::openat(CWD, directory, flags, Mode::empty())?;
    let mut entries = RawDir::new(directory, buffer);
    let mut found = Vec::new();
    while let Some(entry) = entries.next() {
        let entry = entry?;
        if let Some(counter) = parse(entry.file_name().to_bytes()).filter(|counter| *counter > held) {
            found.push(counter);
        }
    }
    Ok(found)
}

/// A file's number.
fn parse(name: &[u8]) -> Option<u64> {
    name.iter().try_fold(0u64, |number, byte| {
        let digit = match byte {
            b'0'..=b'9' => byte - b'0',
            b'a'..=b'f' => byte - b'a' + 10,
            _ => return None,
        };
        Some(number << 4 | u64::from(digit))
    })
}

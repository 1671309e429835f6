//! What the cases in `tests/conformance` cannot say.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use crossbeam_channel::unbounded;
use syncline_core::api::{Event, FolderEntryKind, FolderFile, FolderId, GroupId, listing};
use syncline_core::folder::{Info, InfoError, SESSION_DIRECTORY, is_info, parse_counter, parse_feed_directory};
use tempfile::TempDir;

use super::create::{Batch, STAGED_PREFIX};
use super::*;
use crate::ErrorClass;

const FEED: &str = "6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01";

struct Place {
    folder: TempDir,
    shared: SharedFolder,
}

impl Place {
    /// A shared folder with a session's directory and an empty feed.
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let shared = SharedFolder::open(folder.path()).unwrap();
        fs::create_dir_all(shared.path().join(SESSION_DIRECTORY).join(FEED)).unwrap();
        Self { folder, shared }
    }

    fn session(&self) -> PathBuf {
        self.shared.path().join(SESSION_DIRECTORY)
    }

    fn feed(&self) -> PathBuf {
        self.session().join(FEED)
    }

    fn names(&self, directory: &str) -> BTreeSet<String> {
        let (page, next) = self.shared.list(directory, None).unwrap();
        assert_eq!(next, None);
        listing::names(&page).map(|name| name.unwrap().1.to_string()).collect()
    }
}

fn file(counter: u64, bytes: &[u8]) -> FolderFile {
    FolderFile { path: format!("{FEED}/{counter:x}"), bytes: bytes.to_vec() }
}

#[test]
fn only_a_folder_that_is_there_is_opened() {
    let place = Place::new();
    fs::write(place.folder.path().join("file"), "x").unwrap();
    symlink("none", place.folder.path().join("link")).unwrap();
    for name in ["none", "file", "file/none", "link"] {
        let error = SharedFolder::open(&place.folder.path().join(name)).err().unwrap();
        assert_eq!(error.class(), ErrorClass::Usage, "{name}");
        assert!(!place.folder.path().join("none").exists());
    }
}

#[test]
fn f11_a_crash_between_staging_and_naming_leaves_nothing_that_is_read() {
    let place = Place::new();
    let session = place.shared.session().unwrap();
    let files = [file(1, b"one"), FolderFile { path: "info".into(), bytes: b"{}".to_vec() }];
    let mut batch = Batch::new(Directories::new(&session), &place.shared.swept);
    batch.stage_all(&files).unwrap();
    // A crash drops nothing.
    std::mem::forget(batch);

    let staged = place.names(FEED);
    assert!(staged.len() == 1 && staged.iter().all(|name| name.starts_with(STAGED_PREFIX)), "{staged:?}");
    // Syncthing's pattern and Dropbox's, which no service carries.
    let is_left_out = |name: &String| name.starts_with("~syncthing~") && name.ends_with(".tmp");
    assert!(staged.iter().all(is_left_out), "{staged:?}");
    assert!(staged.iter().all(|name| parse_counter(name).is_none()));
    let others = place.names("");
    assert_eq!(others.len(), 2);
    assert!(others.iter().all(|name| name == FEED || (!is_info(name) && parse_feed_directory(name).is_none())));

    // Another host may still be at it, so it stays for a while.
    let again = SharedFolder::open(place.folder.path()).unwrap();
    assert_eq!(again.create(&[file(1, b"one")]), [Ok(())]);
    assert_eq!(place.names(FEED).len(), 2);
    let path = place.feed().join(staged.first().unwrap());
    let old = SystemTime::now() - Duration::from_secs(2 * 3600);
    fs::File::options().write(true).open(&path).unwrap().set_modified(old).unwrap();
    let foreign = place.feed().join(".sync");
    fs::write(&foreign, "x").unwrap();
    fs::File::options().write(true).open(&foreign).unwrap().set_modified(old).unwrap();
    let later = SharedFolder::open(place.folder.path()).unwrap();
    assert_eq!(later.create(&[file(2, b"two")]), [Ok(())]);
    assert_eq!(place.names(FEED), BTreeSet::from(["1", "2", ".sync"].map(String::from)));
}

#[test]
fn a_batch_that_fails_leaves_no_staged_files() {
    let place = Place::new();
    fs::write(place.feed().join("2"), "theirs").unwrap();
    let results = place.shared.create(&[file(1, b"one"), file(2, b"two"), file(3, b"three")]);
    assert_eq!(results.first(), Some(&Ok(())));
    assert_eq!(results.get(1), Some(&Err(Failure::Changed)));
    assert!(matches!(results.get(2), Some(Err(Failure::Other { .. }))));
    assert_eq!(place.names(FEED), BTreeSet::from(["1", "2"].map(String::from)));
    assert_eq!(fs::read(place.feed().join("2")).unwrap(), b"theirs");
}

#[test]
fn what_takes_a_name_after_staging_is_not_overwritten() {
    for name in ["1", ".1.icloud"] {
        let place = Place::new();
        let session = place.shared.session().unwrap();
        let mut batch = Batch::new(Directories::new(&session), &place.shared.swept);
        batch.stage_all(&[file(1, b"ours")]).unwrap();
        fs::write(place.feed().join(name), "theirs").unwrap();
        assert_eq!(batch.publish_all(), (0, Some(Failure::Changed)), "{name}");
        let names: Vec<_> = fs::read_dir(place.feed()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        assert_eq!(names, [name]);
        assert_eq!(fs::read(place.feed().join(name)).unwrap(), b"theirs");
    }
}

#[test]
fn of_two_who_begin_a_session_one_makes_it() {
    let folder = tempfile::tempdir().unwrap();
    let [one, two] = [1, 2].map(|byte| Info::open(GroupId::from_bytes([byte; 16])));
    let shared = SharedFolder::open(folder.path()).unwrap();
    assert_eq!(shared.infos().unwrap(), []);
    shared.create_session(&two).unwrap();
    SharedFolder::open(folder.path()).unwrap().create_session(&one).unwrap();
    assert_eq!(shared.infos().unwrap(), [Ok(two)]);
    let entries: Vec<_> = fs::read_dir(folder.path().join(SESSION_DIRECTORY)).unwrap().collect();
    assert_eq!(entries.len(), 1);
}

#[test]
fn no_session_is_begun_where_messages_are_and_their_info_is_still_arriving() {
    let folder = tempfile::tempdir().unwrap();
    let feed = folder.path().join(SESSION_DIRECTORY).join("6d0f2f3e-58b5-4c52-9f0c-0d4a1e6a7b01");
    fs::create_dir_all(&feed).unwrap();
    let shared = SharedFolder::open(folder.path()).unwrap();
    let info = Info::open(GroupId::from_bytes([1; 16]));
    assert!(matches!(shared.create_session(&info), Err(Error::IncompleteSession { .. })));
    assert_eq!(shared.infos().unwrap(), []);
    fs::write(feed.parent().unwrap().join("info"), info.to_json()).unwrap();
    shared.create_session(&Info::open(GroupId::from_bytes([2; 16]))).unwrap();
    assert_eq!(shared.infos().unwrap(), [Ok(info)]);
}

#[test]
fn f15_all_files_that_may_be_the_info_are_read_and_one_that_is_elsewhere_is_none() {
    let place = Place::new();
    let [one, two] = [1, 2].map(|byte| Info::open(GroupId::from_bytes([byte; 16])));
    fs::write(place.session().join("info"), two.to_json()).unwrap();
    fs::write(place.session().join("info (conflicted copy)"), one.to_json()).unwrap();
    fs::create_dir(place.session().join("info.d")).unwrap();
    symlink("info", place.session().join("info.link")).unwrap();
    assert_eq!(Info::choose(place.shared.infos().unwrap()), Ok(one));
    fs::write(place.session().join(".info 2.icloud"), "").unwrap();
    let infos = place.shared.infos().unwrap();
    assert_eq!(infos.len(), 3);
    assert_eq!(infos.iter().filter(|info| **info == Err(InfoError::Malformed)).count(), 1);

    // What stands for an `info` keeps another one from being made.
    let away = Place::new();
    fs::write(away.session().join(".info.icloud"), "").unwrap();
    away.shared.create_session(&one).unwrap();
    assert_eq!(away.shared.infos().unwrap(), [Err(InfoError::Malformed)]);
}

#[test]
fn f05_polls_find_placeholders_once_one_was_listed_or_after_some_and_single_probes_at_once() {
    let place = Place::new();
    fs::write(place.feed().join(".5.icloud"), "").unwrap();
    fs::create_dir(place.feed().join(".6.icloud")).unwrap();
    let path = |name: &str| format!("{FEED}/{name}");
    let probe = |shared: &SharedFolder, count: Option<String>| {
        let work = Work::FolderProbe { folder: FolderId(1), paths: ["5", "6"].map(path).into(), count };
        match shared.perform(&work) {
            Some(Outcome::FolderProbed { results, count: None }) => results,
            outcome => panic!("{outcome:?}"),
        }
    };
    let poll = |shared: &SharedFolder| probe(shared, Some(FEED.to_string()));
    let missing = FolderProbeResult::Failed { failure: Failure::Missing };
    let found = [FolderProbeResult::Present { kind: FolderEntryKind::Placeholder }, missing];
    assert_eq!(probe(&place.shared, None), found);
    place.names(FEED);
    assert_eq!(poll(&place.shared), found);

    let unlisted = SharedFolder::open(place.folder.path()).unwrap();
    let polls = (1..1000).find(|_| poll(&unlisted) == found).unwrap();
    assert!(polls == 1 || !cfg!(target_vendor = "apple"), "{polls}");
    assert!((0..100).all(|_| poll(&unlisted) == found));
}

#[test]
fn more_infos_than_can_be_are_refused() {
    let place = Place::new();
    for number in 0..100 {
        fs::write(place.session().join(format!("info{number}")), "{}").unwrap();
    }
    assert!(place.shared.infos().is_err());
}

#[test]
fn a_session_is_not_begun_through_a_link() {
    let (folder, outside) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    symlink(outside.path(), folder.path().join(SESSION_DIRECTORY)).unwrap();
    let shared = SharedFolder::open(folder.path()).unwrap();
    assert!(shared.create_session(&Info::open(GroupId::from_bytes([1; 16]))).is_err());
    assert_eq!(shared.create(&[file(1, b"x")]), [Err(Failure::Missing)]);
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 0);
}

#[test]
fn pages_leave_no_directory_open_and_old_ones_end() {
    let mut place = Place::new();
    place.shared.streams = Streams::with_pages_of(8);
    let expected: BTreeSet<String> = (1..=10).map(|number| format!("{number:x}")).collect();
    expected.iter().for_each(|name| fs::write(place.feed().join(name), "x").unwrap());
    let mut pages = 0;
    while pages < 10_000 {
        let mut found = BTreeSet::new();
        let mut page = None;
        loop {
            let (names, next) = place.shared.list(FEED, page).unwrap();
            found.extend(listing::names(&names).map(|name| name.unwrap().1.to_string()));
            pages += 1;
            page = next;
            if page.is_none() {
                break;
            }
        }
        assert_eq!(found, expected);
        // One that nobody goes on with.
        place.shared.list(FEED, None).unwrap();
        pages += 1;
        assert!(open_below(&place.shared) <= 2 * 4, "after {pages} pages");
    }
    let (_, page) = place.shared.list(FEED, None).unwrap();
    for _ in 0..4 {
        place.shared.list(FEED, None).unwrap();
    }
    assert!(place.shared.list(FEED, page).is_err());
    assert!(place.shared.list(FEED, Some(u64::MAX)).is_err());
}

#[test]
fn a_page_is_of_the_directory_it_was_begun_in() {
    let mut place = Place::new();
    place.shared.streams = Streams::with_pages_of(4);
    ["1", "2"].iter().for_each(|name| fs::write(place.feed().join(name), "x").unwrap());
    let (_, page) = place.shared.list(FEED, None).unwrap();
    assert!(page.is_some() && place.shared.list("", page).is_err());
    assert!(place.shared.list(FEED, page).is_ok());
    assert!(place.shared.list(FEED, page).is_err());
}

/// How many files this process has open in the folder.
#[cfg(target_os = "linux")]
fn open_below(shared: &SharedFolder) -> usize {
    let open = fs::read_dir("/proc/self/fd").unwrap().filter_map(|entry| fs::read_link(entry.unwrap().path()).ok());
    open.filter(|path| path.starts_with(shared.path())).count()
}

#[cfg(not(target_os = "linux"))]
fn open_below(shared: &SharedFolder) -> usize {
    shared.streams.count()
}

#[test]
fn what_is_no_file_is_not_waited_for() {
    let place = Place::new();
    let path = place.feed().join("6");
    assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
    let _socket = std::os::unix::net::UnixListener::bind(place.feed().join("7")).unwrap();
    let paths = ["6", "7"].map(|name| format!("{FEED}/{name}"));
    let results = place.shared.each(&paths, |directories, path| read::whole(directories, path, 10));
    assert_eq!(results, [Err(Failure::Unrepresentable), Err(Failure::Unrepresentable)]);
    let kinds = place.shared.each(&paths, look::kind_of);
    assert_eq!(kinds, [Ok(FolderEntryKind::Other), Ok(FolderEntryKind::Other)]);
}

/// Waits until one of the hints is as expected.
fn wait_for(hints: &crossbeam_channel::Receiver<Event>, expected: impl Fn(&[String]) -> bool) {
    loop {
        let Ok(Event::FolderChanged { folder, paths }) = hints.recv_timeout(Duration::from_secs(60)) else {
            panic!("nothing was seen")
        };
        assert_eq!(folder, FolderId(3));
        if expected(&paths) {
            return;
        }
    }
}

#[test]
fn a_watcher_sees_files_that_are_created() {
    let place = Place::new();
    let (to, hints) = unbounded();
    let _watch = place.shared.watch(FolderId(3), move |event| to.send(event).is_ok()).unwrap();
    fs::write(place.folder.path().join("unrelated"), "x").unwrap();
    assert_eq!(place.shared.create(&[file(10, b"x")]), [Ok(())]);
    let expected = format!("{FEED}/a");
    wait_for(&hints, |paths| {
        assert!(paths.iter().all(|path| *path == expected), "{paths:?}");
        !paths.is_empty()
    });
}

#[test]
fn a_watcher_sees_a_session_that_is_begun_later_and_what_comes_then() {
    let folder = tempfile::tempdir().unwrap();
    let shared = SharedFolder::open(folder.path()).unwrap();
    let (to, hints) = unbounded();
    let _watch = shared.watch(FolderId(3), move |event| to.send(event).is_ok()).unwrap();
    shared.create_session(&Info::open(GroupId::from_bytes([1; 16]))).unwrap();
    // The session's directory is watched before this is told.
    wait_for(&hints, <[String]>::is_empty);
    fs::create_dir(shared.path().join(SESSION_DIRECTORY).join(FEED)).unwrap();
    wait_for(&hints, |paths| paths.iter().any(|path| path == FEED));
}

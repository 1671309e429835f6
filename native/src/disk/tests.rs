use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use syncline_core::api::listing::{Entry, entries};
use syncline_core::api::{
    CommitItem, CommitResult, Content, EntryKind, Failure, HashItem, HashResult, ProbeResult, Put, ReadRange,
    ReadResult, RootId, StageId, StageItem, StageResult, StageSource, Stat,
};
use syncline_core::content::{chunk_hash, hash};

use super::*;

const ROOT: RootId = RootId::from_bytes([7; 16]);
/// A time that lies well back.
const LONG_AGO_NS: i64 = 1_600_000_000_123_456_789;

struct Fixture {
    folder: tempfile::TempDir,
    disk: Disk,
}

impl Fixture {
    fn new() -> Fixture {
        let folder = tempfile::tempdir().unwrap();
        for own in ["staging", "history"] {
            fs::create_dir_all(folder.path().join(OWN).join(own)).unwrap();
        }
        fs::write(folder.path().join(OWN).join(MARKER), "here").unwrap();
        let disk = Self::disk(folder.path());
        Fixture { folder, disk }
    }

    fn disk(path: &Path) -> Disk {
        let open = |path: PathBuf| open_directory(rustix::fs::CWD, path.to_str().unwrap()).unwrap();
        let own = path.join(OWN);
        Disk::new(open(path.into()), open(own.clone()), open(own.join("staging")), open(own.join("history")))
    }

    fn without_swaps() -> Fixture {
        let mut fixture = Self::new();
        fixture.disk.swaps = false;
        fixture
    }

    fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    fn write(&self, path: &str, text: &str) {
        fs::create_dir_all(self.path(path).parent().unwrap()).unwrap();
        fs::write(self.path(path), text).unwrap();
    }

    fn text(&self, path: &str) -> String {
        fs::read_to_string(self.path(path)).unwrap()
    }

    fn perform(&self, work: Work) -> Outcome {
        self.disk.perform(&work, &mut Buffer::default()).unwrap()
    }

    fn list(&self, directory: &str, after: Option<&str>) -> (Vec<Entry>, bool, bool) {
        let work = Work::List { root: ROOT, directory: directory.into(), after: after.map(Into::into) };
        match self.perform(work) {
            Outcome::Listed { listing, more, marker } => (entries(&listing).unwrap(), more, marker),
            other => panic!("{other:?}"),
        }
    }

    fn probe(&self, path: &str) -> Result<Stat, Failure> {
        match self.perform(Work::Probe { root: ROOT, paths: vec![path.into()] }) {
            Outcome::Probed { mut results, .. } => match results.remove(0) {
                ProbeResult::Present { stat } => Ok(stat),
                ProbeResult::Failed { failure } => Err(failure),
            },
            other => panic!("{other:?}"),
        }
    }

    fn hash(&self, path: &str) -> HashResult {
        match self.perform(Work::Hash { root: ROOT, items: vec![HashItem { path: path.into(), size: 0 }] }) {
            Outcome::Hashed { mut results } => results.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn read(&self, ranges: Vec<ReadRange>) -> Vec<ReadResult> {
        match self.perform(Work::Read { root: ROOT, ranges }) {
            Outcome::Read { results } => results,
            other => panic!("{other:?}"),
        }
    }

    fn stage(&self, stage: u64, text: &str) -> StageResult {
        self.stage_item(StageItem {
            stage: StageId(stage),
            offset: 0,
            length: text.len() as u32,
            hash: chunk_hash(text.as_bytes()),
            source: StageSource::Bytes { bytes: text.into() },
        })
    }

    fn stage_item(&self, item: StageItem) -> StageResult {
        match self.perform(Work::Stage { root: ROOT, items: vec![item] }) {
            Outcome::Staged { mut results } => results.remove(0),
            other => panic!("{other:?}"),
        }
    }

    fn commit(&self, items: Vec<CommitItem>) -> Vec<CommitResult> {
        match self.perform(Work::Commit { root: ROOT, items }) {
            Outcome::Committed { results } => results,
            other => panic!("{other:?}"),
        }
    }

    fn commit_one(&self, path: &str, expect: Option<Stat>, put: Put) -> Result<Option<Stat>, Failure> {
        match self.commit(vec![CommitItem { path: path.into(), expect, put, conflict_of: None }]).remove(0) {
            CommitResult::Committed { stat } => Ok(stat),
            CommitResult::Failed { failure } => Err(failure),
        }
    }

    /// Stages a text and puts it at a path.
    fn put(&self, path: &str, expect: Option<Stat>, text: &str) -> Result<Option<Stat>, Failure> {
        assert_eq!(self.stage(1, text), StageResult::Staged);
        self.commit_one(path, expect, file(1, text))
    }

    /// Files in the history: path below the commit's folder, and text.
    fn history(&self) -> BTreeMap<String, String> {
        let mut found = BTreeMap::new();
        for commit in fs::read_dir(self.path(".syncline/history")).unwrap() {
            let commit = commit.unwrap().path();
            collect(&commit, &commit, &mut found);
        }
        found
    }

    fn staged(&self) -> usize {
        fs::read_dir(self.path(".syncline/staging")).unwrap().count()
    }
}

fn collect(base: &Path, folder: &Path, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() && !path.is_symlink() {
            collect(base, &path, found);
        } else {
            let name = path.strip_prefix(base).unwrap().to_str().unwrap().to_string();
            let text = match fs::read_link(&path) {
                Ok(target) => format!("-> {}", target.display()),
                Err(_) => fs::read_to_string(&path).unwrap(),
            };
            found.insert(name, text);
        }
    }
}

fn file(stage: u64, text: &str) -> Put {
    Put::File {
        stage: StageId(stage),
        content: hash(text.as_bytes()).unwrap().content,
        mode: 0o644,
        modified_ns: LONG_AGO_NS,
    }
}

fn names(entries: &[Entry]) -> Vec<&str> {
    entries.iter().map(|entry| entry.name.as_str()).collect()
}

#[test]
fn a_listing_shows_all_but_own_files_in_byte_order() {
    let fixture = Fixture::new();
    for name in ["b", "a", "Z", "é", "a\\b", "-rf", "new\nline", "🗒", ".hidden"] {
        fixture.write(name, "x");
    }
    fs::create_dir(fixture.path("dir")).unwrap();
    symlink("nowhere", fixture.path("link")).unwrap();
    let (listed, more, marker) = fixture.list("", None);
    let expected = ["-rf", ".hidden", "Z", "a", "a\\b", "b", "dir", "link", "new\nline", "é", "🗒"];
    assert_eq!((names(&listed), more, marker), (expected.to_vec(), false, true));
    assert_eq!(listed[6].stat.kind, EntryKind::Directory);
    assert_eq!(listed[7].stat.kind, EntryKind::Symlink);
    assert_eq!((listed[3].stat.kind, listed[3].stat.size), (EntryKind::File, 1));
}

#[test]
fn t39_names_that_are_no_utf8_and_special_files_are_told_as_such() {
    let fixture = Fixture::new();
    fs::write(fixture.folder.path().join(OsStr::from_bytes(b"caf\xe9")), "x").unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(fixture.path("socket")).unwrap();
    let (listed, _, _) = fixture.list("", None);
    assert_eq!(names(&listed), ["caf\u{fffd}", "socket"]);
    assert_eq!(listed[0].stat.kind, EntryKind::Unnameable);
    assert_eq!(listed[1].stat.kind, EntryKind::Special);
}

#[test]
fn a_large_directory_comes_in_pages() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("d")).unwrap();
    for number in 0..9000 {
        fs::write(fixture.path(&format!("d/{number:05}")), "").unwrap();
    }
    let mut seen = Vec::new();
    let mut after: Option<String> = None;
    let mut pages = 0;
    loop {
        let (listed, more, _) = fixture.list("d", after.as_deref());
        pages += 1;
        seen.extend(listed.into_iter().map(|entry| entry.name));
        after = seen.last().cloned();
        if !more {
            break;
        }
        // What another listing reads in between costs only a second reading.
        if pages == 1 {
            fixture.list("", None);
        }
    }
    let expected: Vec<String> = (0..9000).map(|number| format!("{number:05}")).collect();
    assert_eq!((seen, pages), (expected, 3));
}

#[test]
fn a_missing_marker_is_told() {
    let fixture = Fixture::new();
    fixture.write("a", "x");
    fs::remove_file(fixture.path(".syncline/marker")).unwrap();
    assert!(!fixture.list("", None).2);
    fs::remove_dir_all(fixture.path(".syncline")).unwrap();
    assert!(!fixture.list("", None).2);
}

#[test]
fn only_what_is_surely_absent_is_missing() {
    let fixture = Fixture::new();
    fixture.write("d/a", "x");
    symlink("d", fixture.path("link")).unwrap();
    assert_eq!(fixture.probe("d/a").unwrap().kind, EntryKind::File);
    for path in ["none", "none/a", "d/a/b", "link/a"] {
        assert_eq!(fixture.probe(path), Err(Failure::Missing), "{path}");
    }
    assert_eq!(fixture.probe(&"x".repeat(256)), Err(Failure::Unrepresentable));
    assert_eq!(fixture.probe(".syncline/marker"), Err(Failure::Unrepresentable));
}

#[test]
fn content_ids_are_those_of_the_bytes() {
    let fixture = Fixture::new();
    let large: String = (0..700_000).map(|number| format!("{number} ")).collect();
    for text in ["", "hello", large.as_str()] {
        fixture.write("a", text);
        let expected = hash(text.as_bytes()).unwrap();
        match fixture.hash("a") {
            HashResult::Hashed { content, stat, manifest } => {
                assert_eq!(content, expected.content);
                assert_eq!(manifest, expected.manifest.map(|manifest| manifest.encode()).unwrap_or_default());
                assert_eq!(stat.size, text.len() as u64);
            }
            failed => panic!("{failed:?}"),
        }
    }
    symlink("some/where", fixture.path("link")).unwrap();
    match fixture.hash("link") {
        HashResult::Hashed { content, .. } => assert_eq!(content, Content::Symlink { target: "some/where".into() }),
        failed => panic!("{failed:?}"),
    }
    fs::create_dir(fixture.path("d")).unwrap();
    assert_eq!(fixture.hash("d"), HashResult::Failed { failure: Failure::Changed });
    assert_eq!(fixture.hash("none"), HashResult::Failed { failure: Failure::Missing });
}

#[test]
fn shares_of_a_file_join_to_its_content_id() {
    let fixture = Fixture::new();
    let bytes: Vec<u8> =
        (0..5_000_000u32).flat_map(|number| (number.wrapping_mul(2_654_435_761)).to_le_bytes()).collect();
    fs::write(fixture.path("a"), &bytes).unwrap();
    let size = bytes.len() as u64;
    let item = HashItem { path: "a".into(), size };
    let mut buffer = Buffer::default();
    let parts = syncline_core::content::shares(size, 2)
        .into_iter()
        .map(|share| fixture.disk.hash_share(&item, share, &mut buffer))
        .collect();
    match fixture.disk.join_shares(parts, &mut buffer) {
        HashResult::Hashed { content, .. } => assert_eq!(content, hash(&bytes).unwrap().content),
        failed => panic!("{failed:?}"),
    }
    let wrong = HashItem { path: "a".into(), size: size + 1 };
    assert!(matches!(fixture.disk.hash_share(&wrong, 0..size, &mut buffer), Err(Failure::Changed)));
}

#[test]
fn t25_a_file_that_changed_is_not_read_as_what_it_was() {
    let fixture = Fixture::new();
    fixture.write("a", "hello world");
    let stat = fixture.probe("a").unwrap();
    let part = |offset, length| ReadRange { path: "a".into(), stat, offset, length };
    let read = fixture.read(vec![part(0, 5), part(6, 5), part(6, 6)]);
    assert_eq!(read[0], ReadResult::Bytes { bytes: "hello".into() });
    assert_eq!(read[1], ReadResult::Bytes { bytes: "world".into() });
    assert_eq!(read[2], ReadResult::Failed { failure: Failure::Changed });
    fixture.write("a", "hello world, and more");
    assert_eq!(fixture.read(vec![part(0, 5)])[0], ReadResult::Failed { failure: Failure::Changed });
    fs::remove_file(fixture.path("a")).unwrap();
    assert_eq!(fixture.read(vec![part(0, 5)])[0], ReadResult::Failed { failure: Failure::Missing });
}

#[test]
fn nothing_is_read_through_a_link() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("secret"), "secret").unwrap();
    symlink(outside.path(), fixture.path("out")).unwrap();
    symlink(outside.path().join("secret"), fixture.path("file")).unwrap();
    let stat = fs::metadata(outside.path().join("secret")).unwrap();
    let stat = Stat { file_id: stat.ino(), size: 6, ..fixture.probe("file").unwrap() };
    for path in ["out/secret", "file", "../secret"] {
        let range = ReadRange { path: path.into(), stat, offset: 0, length: 6 };
        assert!(matches!(fixture.read(vec![range])[0], ReadResult::Failed { .. }), "{path}");
    }
    assert_eq!(fixture.hash("out/secret"), HashResult::Failed { failure: Failure::Missing });
}

#[test]
fn chunks_are_staged_and_checked() {
    let fixture = Fixture::new();
    fixture.write("source", "0123456789");
    let item = |hash_of: &str, source| StageItem {
        stage: StageId(5),
        offset: 3,
        length: 4,
        hash: chunk_hash(hash_of.as_bytes()),
        source,
    };
    let copy = |offset| StageSource::Copy { path: "source".into(), offset };
    assert_eq!(fixture.stage_item(item("3456", copy(3))), StageResult::Staged);
    assert_eq!(fs::read(fixture.path(".syncline/staging/0000000000000005")).unwrap(), b"\0\0\x003456");
    let bytes = |text: &str| StageSource::Bytes { bytes: text.into() };
    let failed = |failure| StageResult::Failed { failure };
    assert_eq!(fixture.stage_item(item("3456", bytes("3457"))), failed(Failure::Corrupt));
    assert_eq!(fixture.stage_item(item("3456", bytes("34567"))), failed(Failure::Corrupt));
    assert_eq!(fixture.stage_item(item("3456", copy(4))), failed(Failure::Corrupt));
    assert_eq!(fixture.stage_item(item("3456", copy(8))), failed(Failure::Changed));
    fixture.stage(6, "other");
    assert_eq!(
        fixture.perform(Work::Discard { root: ROOT, stages: vec![StageId(6), StageId(99)] }),
        Outcome::Discarded
    );
    assert_eq!(fixture.staged(), 1);
    assert_eq!(fixture.perform(Work::Discard { root: ROOT, stages: vec![] }), Outcome::Discarded);
    assert_eq!(fixture.staged(), 0);
}

#[test]
fn a_new_file_appears_whole_with_its_mode_and_time() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("d")).unwrap();
    let stat = fixture.put("d/a", None, "hello").unwrap().unwrap();
    assert_eq!(fixture.text("d/a"), "hello");
    assert_eq!((stat.mode, stat.modified_ns, stat.size, stat.settled), (0o644, LONG_AGO_NS, 5, true));
    assert_eq!(Ok(stat), fixture.probe("d/a"));
    assert_eq!((fixture.staged(), fixture.history().len()), (0, 0));
    // The next one is in the way, and stays.
    assert_eq!(fixture.put("d/a", None, "other"), Err(Failure::Changed));
    assert_eq!(fixture.text("d/a"), "hello");
}

#[test]
fn an_empty_file_needs_no_staging() {
    let fixture = Fixture::new();
    let stat = fixture.commit_one("empty", None, file(9, "")).unwrap().unwrap();
    assert_eq!((stat.size, fixture.text("empty").as_str()), (0, ""));
    assert_eq!(fixture.commit_one("full", None, file(10, "not staged")), Err(Failure::Corrupt));
}

#[test]
fn what_is_replaced_moves_to_the_history() {
    for fixture in [Fixture::new(), Fixture::without_swaps()] {
        fixture.write("d/a", "old");
        let stat = fixture.probe("d/a").unwrap();
        let new = fixture.put("d/a", Some(stat), "new").unwrap().unwrap();
        assert_eq!(fixture.text("d/a"), "new");
        assert_eq!(fixture.put("d/a", Some(new), "newer").map(|_| ()), Ok(()));
        assert_eq!(fixture.text("d/a"), "newer");
        let mut texts: Vec<String> = Vec::new();
        for folder in fs::read_dir(fixture.path(".syncline/history")).unwrap() {
            texts.extend(fs::read_to_string(folder.unwrap().path().join("d/a")));
        }
        texts.sort();
        assert_eq!(texts, ["new", "old"]);
        assert_eq!(fixture.staged(), 0);
    }
}

#[test]
fn what_changed_meanwhile_is_left_alone() {
    for fixture in [Fixture::new(), Fixture::without_swaps()] {
        fixture.write("a", "old");
        let stat = fixture.probe("a").unwrap();
        fixture.write("a", "edited by its user");
        assert_eq!(fixture.put("a", Some(stat), "new"), Err(Failure::Changed));
        assert_eq!(fixture.commit_one("a", Some(stat), Put::Nothing), Err(Failure::Changed));
        assert_eq!(fixture.commit_one("a", Some(stat), Put::Mode { mode: 0o600 }), Err(Failure::Changed));
        assert_eq!(fixture.text("a"), "edited by its user");
        fs::remove_file(fixture.path("a")).unwrap();
        assert_eq!(fixture.put("a", Some(stat), "new"), Err(Failure::Changed));
        assert_eq!(fixture.commit_one("a", Some(stat), Put::Nothing), Err(Failure::Changed));
        assert!(!fixture.path("a").exists());
        assert_eq!(fixture.history().len(), 0);
    }
}

/// The look before the swap can be too early; what then comes out of it goes back.
#[test]
fn a_change_between_look_and_swap_is_undone() {
    for fixture in [Fixture::new(), Fixture::without_swaps()] {
        fixture.write("a", "old");
        let stat = fixture.probe("a").unwrap();
        fixture.stage(1, "new");
        fixture.write("a", "edited by its user");
        let own = fixture.disk.own.as_ref().unwrap();
        let put = file(1, "new");
        let replaced = commit::replace_unseen(own, &fixture.disk, "a", &stat, &put);
        assert_eq!(replaced, Err(Failure::Changed));
        assert_eq!(fixture.text("a"), "edited by its user");
        assert_eq!((fixture.history().len(), fixture.staged()), (0, 1));
        let removed = commit::replace_unseen(own, &fixture.disk, "a", &stat, &Put::Nothing);
        assert_eq!(removed, Err(Failure::Changed));
        assert_eq!(fixture.text("a"), "edited by its user");
    }
}

#[test]
fn what_is_removed_moves_to_the_history() {
    let fixture = Fixture::new();
    fixture.write("d/e/a", "kept");
    symlink("target", fixture.path("d/link")).unwrap();
    let item = |path: &str| CommitItem {
        path: path.into(),
        expect: Some(fixture.probe(path).unwrap()),
        put: Put::Nothing,
        conflict_of: None,
    };
    let items = ["d/e/a", "d/e", "d/link", "d"].map(item).to_vec();
    let results = fixture.commit(items);
    assert_eq!(results, vec![CommitResult::Committed { stat: None }; 4]);
    assert!(!fixture.path("d").exists());
    let expected = [("d/e/a".to_string(), "kept".to_string()), ("d/link".to_string(), "-> target".to_string())];
    assert_eq!(fixture.history(), BTreeMap::from(expected));
}

#[test]
fn a_directory_that_holds_something_stays() {
    let fixture = Fixture::new();
    fixture.write("d/a", "x");
    let stat = fixture.probe("d").unwrap();
    assert_eq!(fixture.commit_one("d", Some(stat), Put::Nothing), Err(Failure::NotEmpty));
    assert_eq!(fixture.put("d", Some(stat), "file"), Err(Failure::NotEmpty));
    assert_eq!(fixture.text("d/a"), "x");
    let link = Put::Symlink { target: "x".into() };
    fs::remove_file(fixture.path("d/a")).unwrap();
    assert_eq!(fixture.commit_one("d", Some(stat), link).unwrap().unwrap().kind, EntryKind::Symlink);
}

#[test]
fn kinds_replace_each_other() {
    for fixture in [Fixture::new(), Fixture::without_swaps()] {
        fixture.write("x", "file");
        let mut stat = fixture.probe("x").unwrap();
        for put in
            [Put::Directory { mode: 0o750 }, Put::Symlink { target: "away".into() }, Put::Directory { mode: 0o555 }]
        {
            stat = fixture.commit_one("x", Some(stat), put).unwrap().unwrap();
        }
        assert_eq!((stat.kind, stat.mode), (EntryKind::Directory, 0o755));
        let stat = fixture.put("x", Some(stat), "again").unwrap().unwrap();
        assert_eq!((stat.kind, fixture.text("x").as_str()), (EntryKind::File, "again"));
        let texts: Vec<String> = fixture.history().into_values().collect();
        assert_eq!(texts.len(), 1, "{texts:?}");
    }
}

#[test]
fn directories_made_and_replaced_in_one_batch_are_found_anew() {
    let fixture = Fixture::new();
    fs::create_dir(fixture.path("d")).unwrap();
    fs::create_dir(fixture.path("d/e")).unwrap();
    let item = |path: &str, expect, put| CommitItem { path: path.into(), expect, put, conflict_of: None };
    let (outer, inner) = (fixture.probe("d").unwrap(), fixture.probe("d/e").unwrap());
    fixture.stage(1, "one");
    fixture.stage(2, "two");
    let results = fixture.commit(vec![
        item("d/a", None, file(1, "one")),
        item("d/e", Some(inner), Put::Nothing),
        item("d/e", None, Put::Directory { mode: 0o755 }),
        item("d/e/b", None, file(2, "two")),
        item("d", Some(outer), Put::Mode { mode: 0o700 }),
    ]);
    assert!(results.iter().all(|result| matches!(result, CommitResult::Committed { .. })), "{results:?}");
    assert_eq!((fixture.text("d/a"), fixture.text("d/e/b")), ("one".into(), "two".into()));
    assert_eq!(fixture.probe("d").unwrap().mode, 0o700);
}

#[test]
fn nothing_is_written_through_a_link() {
    let fixture = Fixture::new();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("victim"), "untouched").unwrap();
    symlink(outside.path(), fixture.path("out")).unwrap();
    symlink(outside.path().join("victim"), fixture.path("file")).unwrap();
    assert_eq!(fixture.put("out/new", None, "x"), Err(Failure::Changed));
    let link = fixture.probe("file").unwrap();
    assert_eq!(fixture.commit_one("file", Some(link), Put::Mode { mode: 0o777 }), Err(Failure::Unrepresentable));
    assert_eq!(fixture.put("file", Some(link), "mine").unwrap().unwrap().kind, EntryKind::File);
    assert_eq!(fs::read_to_string(outside.path().join("victim")).unwrap(), "untouched");
    assert_eq!(fs::read_dir(outside.path()).unwrap().count(), 1);
}

#[test]
fn h01_own_files_and_paths_outside_are_refused_in_every_work() {
    let fixture = Fixture::new();
    for path in [".syncline", ".syncline/store.redb", "../x", "/tmp/x", "a//b", ""] {
        assert_eq!(fixture.put(path, None, "x"), Err(Failure::Unrepresentable), "{path}");
        assert_eq!(fixture.probe(path), Err(Failure::Unrepresentable), "{path}");
        assert_eq!(fixture.hash(path), HashResult::Failed { failure: Failure::Unrepresentable }, "{path}");
        let item = StageItem {
            stage: StageId(3),
            offset: 0,
            length: 1,
            hash: chunk_hash(b"x"),
            source: StageSource::Copy { path: path.into(), offset: 0 },
        };
        assert_eq!(fixture.stage_item(item), StageResult::Failed { failure: Failure::Unrepresentable }, "{path}");
    }
    let listed = fixture.perform(Work::List { root: ROOT, directory: ".syncline".into(), after: None });
    assert_eq!(listed, Outcome::Failed { failure: Failure::Unrepresentable });
}

#[test]
fn t28_special_bits_are_never_set() {
    let fixture = Fixture::new();
    fixture.stage(1, "x");
    let put = Put::File { stage: StageId(1), content: hash(b"x").unwrap().content, mode: 0o7777, modified_ns: 0 };
    let stat = fixture.commit_one("a", None, put).unwrap().unwrap();
    assert_eq!(fs::metadata(fixture.path("a")).unwrap().mode() & 0o7777, 0o777);
    fixture.commit_one("a", Some(stat), Put::Mode { mode: 0o6711 }).unwrap();
    assert_eq!(fs::metadata(fixture.path("a")).unwrap().mode() & 0o7777, 0o711);
    fixture.commit_one("d", None, Put::Directory { mode: 0o7000 }).unwrap();
    assert_eq!(fs::metadata(fixture.path("d")).unwrap().mode() & 0o7777, 0o700);
    // What its owner set on a directory stays.
    fs::set_permissions(fixture.path("d"), fs::Permissions::from_mode(0o1777)).unwrap();
    let stat = fixture.probe("d").unwrap();
    fixture.commit_one("d", Some(stat), Put::Mode { mode: 0o750 }).unwrap();
    assert_eq!(fs::metadata(fixture.path("d")).unwrap().mode() & 0o7777, 0o1750);
}

#[test]
fn a_file_nobody_may_read_can_get_its_bits_back() {
    let fixture = Fixture::new();
    fixture.write("a", "x");
    fs::set_permissions(fixture.path("a"), fs::Permissions::from_mode(0o000)).unwrap();
    let stat = fixture.probe("a").unwrap();
    assert_eq!(fixture.commit_one("a", Some(stat), Put::Mode { mode: 0o640 }).unwrap().unwrap().mode, 0o640);
}

#[test]
fn large_batches_reach_the_disk_too() {
    let fixture = Fixture::new();
    let mut items = Vec::new();
    for number in 0..200u64 {
        let directory = format!("d{}", number / 4);
        if number % 4 == 0 {
            let put = Put::Directory { mode: 0o755 };
            items.push(CommitItem { path: directory.clone(), expect: None, put, conflict_of: None });
        }
        let text = format!("text {number}");
        fixture.stage(number, &text);
        let put = file(number, &text);
        items.push(CommitItem { path: format!("{directory}/{number}"), expect: None, put, conflict_of: None });
    }
    let results = fixture.commit(items);
    assert!(results.iter().all(|result| matches!(result, CommitResult::Committed { .. })));
    assert_eq!((fixture.text("d49/199"), fixture.staged()), ("text 199".into(), 0));
}

#[test]
fn t39_long_and_odd_names_are_written_as_they_are() {
    let fixture = Fixture::new();
    let long = "ü".repeat(127) + "x";
    for name in ["a\\b", "-rf", "new\nline", "\u{1b}[31m", "🗒", long.as_str()] {
        let stat = fixture.put(name, None, name).unwrap();
        assert_eq!(fixture.text(name), name);
        fixture.commit_one(name, stat, Put::Nothing).unwrap();
        assert!(!fixture.path(name).exists());
    }
    assert_eq!(fixture.history().len(), 6);
    assert_eq!(fixture.put(&"x".repeat(256), None, "x"), Err(Failure::Unrepresentable));
}

#[test]
fn a_dry_run_changes_nothing() {
    let fixture = Fixture::new();
    fixture.write("a", "old");
    let root = open_directory(rustix::fs::CWD, fixture.folder.path().to_str().unwrap()).unwrap();
    let disk = Disk::dry(root, None);
    let stat = fixture.probe("a").unwrap();
    let item = |path: &str, expect, put| CommitItem { path: path.into(), expect, put, conflict_of: None };
    let items = vec![item("a", Some(stat), file(1, "new")), item("b", None, Put::Directory { mode: 0o755 })];
    let Some(Outcome::Committed { results }) =
        disk.perform(&Work::Commit { root: ROOT, items }, &mut Buffer::default())
    else {
        panic!("no commit")
    };
    let [CommitResult::Committed { stat: Some(file) }, CommitResult::Committed { stat: Some(directory) }] =
        &results[..]
    else {
        panic!("{results:?}")
    };
    assert_eq!((file.size, file.modified_ns, directory.kind), (3, LONG_AGO_NS, EntryKind::Directory));
    // What was pretended can be built upon.
    let items = vec![item("b", Some(*directory), Put::Nothing), item("a", Some(*file), Put::Mode { mode: 0o600 })];
    let again = disk.perform(&Work::Commit { root: ROOT, items }, &mut Buffer::default());
    let Some(Outcome::Committed { results }) = again else { panic!("{again:?}") };
    assert!(results.iter().all(|result| matches!(result, CommitResult::Committed { .. })), "{results:?}");
    assert_eq!((fixture.text("a").as_str(), fixture.path("b").exists()), ("old", false));
}

//! Folders as values, and generated ones.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

/// All entries of a folder but Syncline's own.
#[derive(Debug, PartialEq, Eq)]
pub struct Tree {
    entries: BTreeMap<PathBuf, Entry>,
}

#[derive(Debug, PartialEq, Eq)]
enum Entry {
    File { bytes: Vec<u8>, mode: u32, modified: (i64, i64) },
    Directory { mode: u32 },
    Link { target: PathBuf },
    Other,
}

impl Tree {
    pub fn read(root: &Path) -> Tree {
        let mut entries = BTreeMap::new();
        collect(root, root, &mut entries);
        Tree { entries }
    }

    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Names of the entries, for a look at small trees.
    pub fn paths(&self) -> Vec<String> {
        self.entries.keys().map(|path| path.to_string_lossy().into_owned()).collect()
    }

    pub fn assert_same(&self, other: &Tree) {
        for (path, entry) in &self.entries {
            match other.entries.get(path) {
                None => panic!("{} is on one side only: {:?} / {:?}", path.display(), self.paths(), other.paths()),
                Some(twin) => assert!(entry.agrees(twin), "{} differs: {entry:?} / {twin:?}", path.display()),
            }
        }
        assert_eq!(self.entries.len(), other.entries.len(), "{:?} / {:?}", self.paths(), other.paths());
    }

    /// Every file of this tree stands in the other one, whole.
    pub fn assert_files_within(&self, other: &Tree) {
        for (path, entry) in &self.entries {
            if let Entry::File { bytes, .. } = entry {
                match other.entries.get(path) {
                    Some(Entry::File { bytes: whole, .. }) => {
                        assert!(bytes == whole, "{} is not whole", path.display())
                    }
                    found => panic!("{} came from nowhere: {found:?}", path.display()),
                }
            }
        }
    }
}

impl Entry {
    /// Whether both are the same to a user. A link's time is not kept.
    fn agrees(&self, other: &Entry) -> bool {
        match (self, other) {
            (Entry::File { bytes, mode, .. }, Entry::File { bytes: twin, mode: twin_mode, .. }) => {
                bytes == twin && mode == twin_mode
            }
            (one, other) => one == other,
        }
    }
}

fn collect(root: &Path, folder: &Path, entries: &mut BTreeMap<PathBuf, Entry>) {
    for entry in fs::read_dir(folder).unwrap() {
        let entry = entry.unwrap();
        if folder == root && entry.file_name() == ".syncline" {
            continue;
        }
        let path = entry.path();
        let metadata = fs::symlink_metadata(&path).unwrap();
        let mode = metadata.mode() & 0o777;
        let found = if metadata.is_symlink() {
            Entry::Link { target: fs::read_link(&path).unwrap() }
        } else if metadata.is_dir() {
            collect(root, &path, entries);
            Entry::Directory { mode }
        } else if metadata.is_file() {
            let modified = (metadata.mtime(), metadata.mtime_nsec());
            Entry::File { bytes: fs::read(&path).unwrap(), mode, modified }
        } else {
            Entry::Other
        };
        entries.insert(path.strip_prefix(root).unwrap().to_path_buf(), found);
    }
}

/// What writing to an entry would change.
#[derive(Debug, PartialEq, Eq)]
pub struct Fingerprint {
    inode: u64,
    mode: u32,
    modified: (i64, i64),
    changed: (i64, i64),
    bytes: Vec<u8>,
}

/// Everything about a folder, Syncline's own files included, that writing to it would change.
pub fn fingerprint(root: &Path) -> BTreeMap<PathBuf, Fingerprint> {
    let mut found = BTreeMap::new();
    fingerprint_into(root, &mut found);
    found
}

fn fingerprint_into(path: &Path, found: &mut BTreeMap<PathBuf, Fingerprint>) {
    let Ok(metadata) = fs::symlink_metadata(path) else { return };
    let seen = Fingerprint {
        inode: metadata.ino(),
        mode: metadata.mode(),
        modified: (metadata.mtime(), metadata.mtime_nsec()),
        changed: (metadata.ctime(), metadata.ctime_nsec()),
        bytes: if metadata.is_file() { fs::read(path).unwrap() } else { Vec::new() },
    };
    found.insert(path.to_path_buf(), seen);
    if metadata.is_dir() {
        for entry in fs::read_dir(path).unwrap() {
            fingerprint_into(&entry.unwrap().path(), found);
        }
    }
}

/// Fills a folder like a system's shared data: nested directories, empty ones, links, odd modes and names.
pub fn generate(root: &Path, entries: usize, seed: u64) {
    const WORDS: [&str; 12] = [
        "notes",
        "Zürich",
        "日本",
        "back\\slash",
        "-dash",
        " space ",
        "new\nline",
        "🗒",
        "e\u{301}",
        "é",
        "a.tar.gz",
        ".hidden",
    ];
    let mut random = StdRng::seed_from_u64(seed);
    let mut directories = vec![root.to_path_buf()];
    for number in 0..entries {
        let parent = directories[random.random_range(0..directories.len())].clone();
        let word = WORDS[random.random_range(0..WORDS.len())];
        let path = parent.join(format!("{word}{number}"));
        match random.random_range(0..10) {
            0 => {
                fs::create_dir(&path).unwrap();
                fs::set_permissions(&path, fs::Permissions::from_mode([0o755, 0o700, 0o775][number % 3])).unwrap();
                directories.push(path);
            }
            1 => symlink(["nowhere", "../up", "/etc/passwd", "tëst"][number % 4], &path).unwrap(),
            _ => {
                let size = [0, 1, 100, 4096, 40_000][random.random_range(0..5)];
                let bytes: Vec<u8> = (0..size).map(|_| random.random::<u8>()).collect();
                fs::write(&path, bytes).unwrap();
                let mode = [0o644, 0o600, 0o755, 0o640, 0o444, 0o777][random.random_range(0..6)];
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            }
        }
    }
}

/// A name of 255 bytes.
pub fn longest_name() -> OsString {
    OsString::from("ü".repeat(127) + "x")
}

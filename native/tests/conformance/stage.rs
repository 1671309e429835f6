//! Setting a case up, and looking at what it left.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::fs;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;

use syncline::folder::SharedFolder;
use tempfile::TempDir;

use crate::case::{Case, Thing};
use crate::step;

const SESSION: &str = "tempo-fs-session";
/// The longest file that is compared by its text.
const TEXT_MAX: u64 = 1024;

/// Plays a case; tells what was not as expected.
pub fn play(case: &Case) -> Vec<String> {
    let folder = TempDir::new().unwrap();
    let session = folder.path().join(SESSION);
    if case.session {
        fs::create_dir(&session).unwrap();
    }
    case.setup.iter().for_each(|thing| set_up(&session, thing));
    let shared = SharedFolder::open(folder.path()).unwrap();
    let mut failures = Vec::new();
    for (number, step) in case.steps.iter().enumerate() {
        if let Err(failure) = step::play(&shared, step) {
            failures.push(format!("step {}: {failure}", number + 1));
        }
    }
    if let Some(after) = &case.after {
        let mut found = BTreeMap::new();
        look(folder.path(), "../", &mut found);
        if found != *after {
            failures.push(format!("expected {after:?} afterwards, found {found:?}"));
        }
    }
    failures
}

fn set_up(session: &Path, thing: &Thing) {
    let place = |path: &str| match path.strip_prefix("../") {
        Some(beside) => session.parent().unwrap().join(beside),
        None => session.join(path),
    };
    let around = |path: &str| -> PathBuf {
        let place = place(path);
        fs::create_dir_all(place.parent().unwrap()).unwrap();
        place
    };
    match thing {
        Thing::Directory { directory } => fs::create_dir_all(place(directory)).unwrap(),
        Thing::Text { file, text } => fs::write(around(file), text).unwrap(),
        Thing::Zeros { file, size } => fs::File::create(around(file)).unwrap().set_len(*size).unwrap(),
        Thing::Link { link, to } => symlink(to, around(link)).unwrap(),
        Thing::Placeholder { placeholder } => {
            let path = around(placeholder);
            let name = format!(".{}.icloud", path.file_name().unwrap().to_str().unwrap());
            fs::write(path.with_file_name(name), "").unwrap();
        }
        Thing::Fifo { fifo } => {
            assert!(Command::new("mkfifo").arg(around(fifo)).status().unwrap().success());
        }
        Thing::Raw { raw, r#in } => {
            let bytes: Vec<u8> = (0..raw.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(raw.get(at..at + 2).unwrap(), 16).unwrap())
                .collect();
            fs::create_dir_all(place(r#in)).unwrap();
            fs::write(place(r#in).join(OsStr::from_bytes(&bytes)), "").unwrap();
        }
        Thing::Many { many, count, length } => {
            fs::create_dir_all(place(many)).unwrap();
            (0..*count).for_each(|number| fs::write(place(many).join(format!("{number:0length$}")), "").unwrap());
        }
    }
}

/// All that stands in a directory, by its path below the session's.
fn look(directory: &Path, prefix: &str, found: &mut BTreeMap<String, String>) {
    for entry in fs::read_dir(directory).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name().into_string().unwrap();
        let metadata = entry.path().symlink_metadata().unwrap();
        let path = format!("{prefix}{name}");
        if metadata.is_dir() {
            let is_session = path == format!("../{SESSION}");
            let prefix = if is_session { String::new() } else { format!("{path}/") };
            look(&entry.path(), &prefix, found);
            if !is_session {
                found.insert(path, "/".into());
            }
            continue;
        }
        let placeholder = name.strip_prefix('.').and_then(|name| name.strip_suffix(".icloud"));
        if let Some(file) = placeholder {
            found.insert(format!("{prefix}{file}"), "placeholder".into());
            continue;
        }
        let what = if metadata.is_symlink() {
            format!("@{}", fs::read_link(entry.path()).unwrap().display())
        } else if metadata.is_file() && metadata.len() <= TEXT_MAX {
            format!("={}", fs::read_to_string(entry.path()).unwrap())
        } else if metadata.is_file() {
            format!("#{}", metadata.len())
        } else {
            "?".into()
        };
        found.insert(path, what);
    }
}

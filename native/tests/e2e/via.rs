//! Trees that are kept in sync through a message folder alone, which a hostile service carries.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Child;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::SliceRandom;
use rand::{RngExt, SeedableRng};

use super::support::{Pair, Run, assert_nothing_done, write};
use super::tree::{Tree, generate};

const ENTRIES: usize = 5_000;
/// Rounds in which runs are killed and the service does what it likes.
const ROUNDS: usize = 12;
/// Rounds within which all has to come through once the service works again.
const ROUNDS_MAX: usize = 20;

/// A service between two copies of a shared folder: it brings files in any order, some of them late, some as placeholders
/// first.
struct Service {
    copies: [PathBuf; 2],
    random: StdRng,
}

impl Service {
    fn new(pair: &Pair) -> Service {
        let copies = ["shared-a", "shared-b"].map(|name| pair.base().join(name));
        copies.iter().for_each(|copy| fs::create_dir(copy).unwrap());
        // One side begins the session, and the other hears of it before it takes part.
        assert_eq!(pair.run(&["messages", "init", "shared-a", "--state", "state"]).code, Some(0));
        let info = |copy: &PathBuf| copy.join("tempo-fs-session/info");
        fs::create_dir(copies[1].join("tempo-fs-session")).unwrap();
        fs::copy(info(&copies[0]), info(&copies[1])).unwrap();
        Service { copies, random: StdRng::seed_from_u64(7) }
    }

    /// Moves files both ways, of which it forgets some and evicts some; tells how many were brought whole.
    fn carry(&mut self, is_hostile: bool) -> usize {
        let all: BTreeSet<PathBuf> = self.copies.iter().flat_map(|copy| files_below(copy)).collect();
        let mut all: Vec<PathBuf> = all.into_iter().collect();
        all.shuffle(&mut self.random);
        let mut brought = 0;
        for path in all {
            for to in 0..2 {
                let (from, to) = (self.copies[1 - to].join(&path), self.copies[to].join(&path));
                if to.exists() || !from.exists() || is_hostile && self.random.random_bool(0.4) {
                    continue;
                }
                fs::create_dir_all(to.parent().unwrap()).unwrap();
                let placeholder = placeholder_of(&to);
                if is_hostile && self.random.random_bool(0.2) {
                    fs::write(placeholder, "elsewhere").unwrap();
                    continue;
                }
                // As services do it: under another name first.
                let arriving = to.with_file_name(format!(".arriving-{}", to.file_name().unwrap().to_string_lossy()));
                fs::copy(&from, &arriving).unwrap();
                fs::rename(&arriving, &to).unwrap();
                let _ = fs::remove_file(placeholder);
                brought += 1;
            }
        }
        brought
    }
}

fn placeholder_of(path: &Path) -> PathBuf {
    path.with_file_name(format!(".{}.icloud", path.file_name().unwrap().to_string_lossy()))
}

/// All files below a directory that are there whole.
fn files_below(base: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut directories = vec![base.to_path_buf()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() {
                directories.push(path);
            } else if !name.starts_with('.') {
                found.push(path.strip_prefix(base).unwrap().to_path_buf());
            }
        }
    }
    found
}

fn start(pair: &Pair, side: &str) -> Child {
    let shared = format!("shared-{side}");
    pair.command(&["sync", side, "--via", &shared, "--once", "--json"]).spawn().unwrap()
}

fn run(pair: &Pair, side: &str) -> Run {
    super::support::finish(start(pair, side))
}

#[test]
fn a_tree_of_thousands_comes_through_a_folder_that_reorders_delays_and_evicts_while_both_sides_are_killed() {
    let pair = Pair::new();
    fs::create_dir(pair.b("")).unwrap();
    let mut service = Service::new(&pair);
    generate(&pair.a(""), ENTRIES, 1);
    for round in 0..ROUNDS {
        for side in ["a", "b"] {
            let mut child = start(&pair, side);
            let moment = service.random.random_range(0..1_500);
            std::thread::sleep(Duration::from_millis(moment));
            child.kill().unwrap();
            child.wait().unwrap();
            let own = if side == "a" { pair.a("") } else { pair.b("") };
            write(own.join(format!("of {side} in round {round}")), &format!("text {round}"));
        }
        service.carry(true);
    }
    for _ in 0..ROUNDS_MAX {
        let codes = ["a", "b"].map(|side| run(&pair, side).code);
        if service.carry(false) == 0 && codes == [Some(0), Some(0)] {
            break;
        }
    }
    pair.assert_equal();
    let whole = Tree::read(&pair.a(""));
    assert!(whole.paths().len() > ENTRIES / 2, "{} entries", whole.paths().len());
    for side in ["a", "b"] {
        for round in 0..ROUNDS {
            assert!(pair.a(&format!("of {side} in round {round}")).exists());
        }
        let run = run(&pair, side);
        assert_eq!(run.code, Some(0), "{run:?}");
        assert_nothing_done(&run.summary());
    }
    assert_eq!(service.carry(false), 0, "the folder does not come to rest");

    // The same two roots meet directly: nothing of it is sent again.
    assert_nothing_done(&pair.sync());
    pair.assert_equal();
    write(pair.a("over the link"), "text");
    assert_eq!(pair.sync()["created"], 1);
    let blobs = |side: &str| files_below(&pair.base().join(format!("shared-{side}"))).len();
    let before = blobs("b");
    assert_eq!(run(&pair, "a").code, Some(0));
    service.carry(false);
    let told = run(&pair, "b");
    assert_eq!(told.code, Some(0), "{told:?}");
    assert_nothing_done(&told.summary());
    assert!(blobs("b") > before, "the change is in the folder, too");
}

#[test]
fn two_roots_that_begin_sessions_at_the_same_time_are_united_in_the_smaller_one() {
    let pair = Pair::new();
    fs::create_dir(pair.b("")).unwrap();
    write(pair.a("of-a"), "a");
    write(pair.b("of-b"), "b");
    for side in ["a", "b"] {
        fs::create_dir(pair.base().join(format!("shared-{side}"))).unwrap();
        assert_eq!(run(&pair, side).code, Some(0));
    }
    // The service keeps what differs under another name, on both sides.
    let session = |side: &str| pair.base().join(format!("shared-{side}/tempo-fs-session"));
    for (from, to) in [("a", "b"), ("b", "a")] {
        fs::copy(session(from).join("info"), session(to).join("info (conflicted copy)")).unwrap();
    }
    let copies = ["a", "b"].map(|side| pair.base().join(format!("shared-{side}")));
    let mut service = Service { copies, random: StdRng::seed_from_u64(1) };
    for _ in 0..4 {
        for side in ["a", "b"] {
            run(&pair, side);
        }
        service.carry(false);
    }
    pair.assert_equal();
    assert!(pair.a("of-b").exists() && pair.b("of-a").exists());
    for side in ["a", "b"] {
        assert_eq!(run(&pair, side).code, Some(0));
    }
}

#[test]
fn folders_that_cannot_be_used_so_are_refused_and_nothing_is_made() {
    let pair = Pair::new();
    let refused = |args: &[&str]| {
        let run = pair.run(args);
        assert_eq!(run.code, Some(2), "{run:?}");
        assert!(!pair.base().join("none").exists());
    };
    refused(&["sync", "a", "--via", "none", "--once"]);
    refused(&["sync", "a", "--via", "a", "--once"]);
    refused(&["sync", "a", "--once"]);
    refused(&["sync", "a", "b", "--via", "none"]);
    fs::create_dir(pair.b("")).unwrap();
    fs::create_dir(pair.base().join("shared")).unwrap();
    // A root of another group.
    pair.sync();
    refused(&["sync", "a", "--via", "shared", "--once"]);
}

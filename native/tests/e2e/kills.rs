//! Killed anywhere, the next run finishes.

use std::time::Duration;
use std::time::Instant;

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::support::{Pair, assert_nothing_done};
use super::tree::{Tree, generate};

/// How often a first run is killed.
const KILLS: u64 = 20;
const ENTRIES: usize = 400;

#[test]
fn t32_a_first_run_killed_at_random_moments_is_finished_by_the_next() {
    let whole = Pair::new();
    generate(&whole.a(""), ENTRIES, 0);
    let began = Instant::now();
    whole.sync();
    let uninterrupted = began.elapsed();
    let mut random = StdRng::seed_from_u64(0x5eed);
    for round in 0..KILLS {
        let pair = Pair::new();
        generate(&pair.a(""), ENTRIES, round);
        let original = Tree::read(&pair.a(""));
        let moment = Duration::from_secs_f64(uninterrupted.as_secs_f64() * random.random::<f64>());
        let mut child = pair.command(&["sync", "a", "b", "--once", "--json"]).spawn().unwrap();
        std::thread::sleep(moment);
        child.kill().unwrap();
        child.wait().unwrap();
        if pair.b("").exists() {
            Tree::read(&pair.b("")).assert_files_within(&original);
        }
        let run = pair.sync_with(&[]);
        assert_eq!(run.code, Some(0), "round {round}, killed after {moment:?}: {run:?}");
        pair.assert_equal();
        original.assert_same(&Tree::read(&pair.b("")));
        assert_eq!(run.summary()["conflicts"], 0, "round {round}");
        assert_nothing_done(&pair.sync());
    }
}

//! Killed anywhere, the next run finishes: nothing is repeated, nothing skipped.

use std::fmt::Write;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};

use super::library::Library;

const KILLS: u64 = 5;
const ROWS: u32 = 2_000;

fn fill(library: &Library, name: &str, mark: &str) {
    let mut sql = String::from("BEGIN;");
    for number in 0..ROWS {
        write!(sql, "INSERT INTO albums VALUES ('{mark}{number}', 'album {number}', {number}, NULL);").unwrap();
        write!(sql, "INSERT INTO file_paths VALUES ('/{mark}/{number}', {number});").unwrap();
    }
    sql.push_str(
        "UPDATE albums SET year = year + 1 WHERE year % 3 = 0; DELETE FROM albums WHERE year % 7 = 0; COMMIT;",
    );
    library.sql(name, &sql);
}

#[test]
fn two_databases_that_are_killed_at_random_moments_end_equal_with_each_change_sent_once() {
    let whole = Library::new();
    whole.begin("b.db");
    fill(&whole, "a.db", "a");
    fill(&whole, "b.db", "b");
    let began = Instant::now();
    let expected = whole.sync("a.db", "b.db");
    let uninterrupted = began.elapsed();
    let mut random = StdRng::seed_from_u64(0x5eed);
    for round in 0..KILLS {
        let library = Library::new();
        library.begin("b.db");
        fill(&library, "a.db", "a");
        fill(&library, "b.db", "b");
        for _ in 0..2 {
            let moment = Duration::from_secs_f64(uninterrupted.as_secs_f64() * random.random::<f64>());
            let args = ["records", "sync", "a.db", "b.db", "--once", "--json"];
            let mut child = library.pair.command(&args).spawn().unwrap();
            std::thread::sleep(moment);
            child.kill().unwrap();
            child.wait().unwrap();
        }
        library.sync("a.db", "b.db");
        library.assert_equal(&["a.db", "b.db"]);
        assert_eq!(library.rows("a.db", "albums"), whole.rows("a.db", "albums"), "round {round}");
        let operations = library.ok(&["log", "a.db"]).of_type("operation");
        let rows = operations.iter().filter(|line| line["resource_property"].is_null()).count();
        assert_eq!(rows as u64, expected["operations_sent"].as_u64().unwrap(), "round {round}");
    }
}

//! A soak of minutes, which asks for the room and the time that tests do not have:
//!
//! ```text
//! cargo test --release -p syncline --test e2e million -- --ignored --nocapture
//! ```

use std::fmt::Write;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{RngExt, SeedableRng};
use serde_json::Value;

use super::library::Library;

const ROWS: u32 = 1_000_000;
const EDITS: u32 = 20_000;
const KILLS: u32 = 4;

fn fill(library: &Library, name: &str, mark: &str) {
    let rows = format!(
        "WITH RECURSIVE n(i) AS (VALUES (0) UNION ALL SELECT i + 1 FROM n LIMIT {ROWS}) \
         INSERT INTO albums SELECT printf('{mark}%07d', i), printf('Album %d by %d', i, i % 5000), i % 1000, NULL FROM n"
    );
    library.sql(name, &rows);
}

/// What somebody does without the other one: changes, deletions and new rows.
fn edit(library: &Library, name: &str, random: &mut StdRng) {
    let mut sql = String::from("BEGIN;");
    for number in 0..EDITS {
        let id = format!("{}{:07}", if random.random() { 'a' } else { 'b' }, random.random_range(0..ROWS));
        match number % 10 {
            0 => write!(sql, "DELETE FROM albums WHERE id = '{id}';"),
            1 => write!(sql, "INSERT OR IGNORE INTO albums VALUES ('{name} {id}', 'new', 1, NULL);"),
            _ => write!(sql, "UPDATE albums SET name = 'edited in {name}, {number}' WHERE id = '{id}';"),
        }
        .unwrap();
    }
    sql.push_str("COMMIT;");
    library.sql(name, &sql);
}

/// Lets a run begin, and kills it some time later, a few times.
fn killed(library: &Library, runs: &[&[&str]], random: &mut StdRng) {
    for _ in 0..KILLS {
        for args in runs {
            let moment = Duration::from_millis(random.random_range(50..2_000));
            let mut child =
                library.pair.command(&[&["records", "sync"], *args, &["--once", "--quiet"]].concat()).spawn().unwrap();
            std::thread::sleep(moment);
            let _ = child.kill();
            child.wait().unwrap();
        }
    }
}

fn assert_equal(library: &Library) {
    let differing = format!(
        "ATTACH '{}' AS other; CREATE TEMP TABLE differing AS SELECT * FROM (SELECT * FROM main.albums EXCEPT SELECT * \
         FROM other.albums) UNION ALL SELECT * FROM (SELECT * FROM other.albums EXCEPT SELECT * FROM main.albums);",
        library.path("b.db").display()
    );
    let connection = rusqlite::Connection::open(library.path("a.db")).unwrap();
    connection.execute_batch(&differing).unwrap();
    let count: i64 = connection.query_row("SELECT count(*) FROM differing", [], |row| row.get(0)).unwrap();
    assert_eq!(count, 0, "rows differ");
}

fn told(what: &str, began: Instant, summary: &Value) {
    println!("{what}: {:.1} s, {summary}", began.elapsed().as_secs_f64());
}

#[test]
#[ignore = "a soak of minutes, see the top of this file"]
fn two_databases_of_a_million_rows_agree_by_a_pipe_and_through_a_folder_killed_on_the_way() {
    let library = Library::new();
    library.begin("b.db");
    fill(&library, "a.db", "a");
    fill(&library, "b.db", "b");
    let began = Instant::now();
    let summary = library.sync("a.db", "b.db");
    told("all rows by a pipe", began, &summary);
    assert_eq!(summary["rows_created"], 2 * ROWS);
    assert_equal(&library);
    let mut random = StdRng::seed_from_u64(0x5eed);
    for name in ["a.db", "b.db"] {
        edit(&library, name, &mut random);
    }
    killed(&library, &[&["a.db", "b.db"]], &mut random);
    let began = Instant::now();
    told("the rest of the edits by a pipe", began, &library.sync("a.db", "b.db"));
    assert_equal(&library);
    std::fs::create_dir(library.path("folder")).unwrap();
    for name in ["a.db", "b.db"] {
        edit(&library, name, &mut random);
    }
    killed(&library, &[&["a.db", "--via", "folder"], &["b.db", "--via", "folder"]], &mut random);
    for name in ["a.db", "b.db", "a.db"] {
        let began = Instant::now();
        told("the rest of the edits through a folder", began, &library.via(name, "folder"));
    }
    assert_equal(&library);
}

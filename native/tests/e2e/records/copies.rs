//! Files of databases that are copied, moved and put back.

use std::fs;

use super::library::Library;

fn albums(library: &Library, database: &str) -> String {
    library.text(database, "SELECT group_concat(id || ' ' || name) FROM (SELECT * FROM albums ORDER BY id)")
}

fn add(library: &Library, database: &str, id: &str) {
    library.sql(database, &format!("INSERT INTO albums (id, name) VALUES ('{id}', 'of {database}')"));
}

#[test]
fn a_copied_database_becomes_a_device_of_its_own() {
    let library = Library::new();
    add(&library, "a.db", "1");
    library.sync("a.db", "b.db");
    fs::copy(library.path("a.db"), library.path("c.db")).unwrap();
    add(&library, "a.db", "2");
    add(&library, "c.db", "3");
    library.sql("c.db", "UPDATE albums SET name = 'changed in c' WHERE id = '1'");
    library.sync("a.db", "b.db");
    let run = library.ok(&["sync", "c.db", "b.db", "--once"]);
    assert_eq!(run.of_type("notice")[0]["code"], "new_incarnation", "{run:?}");
    library.sync("a.db", "c.db");
    let all = albums(&library, "b.db");
    assert_eq!(all, "1 changed in c,2 of a.db,3 of c.db");
    assert_eq!((albums(&library, "a.db"), albums(&library, "c.db")), (all.clone(), all));
    // It is a device like any other from then on.
    add(&library, "c.db", "4");
    let run = library.ok(&["sync", "c.db", "b.db", "--once"]);
    assert!(run.of_type("notice").is_empty(), "{run:?}");
}

#[test]
fn a_renamed_database_is_the_same_device_and_one_put_back_goes_on_under_a_new_id() {
    let library = Library::new();
    add(&library, "a.db", "1");
    library.sync("a.db", "b.db");
    fs::copy(library.path("a.db"), library.path("backup.db")).unwrap();
    fs::rename(library.path("a.db"), library.path("renamed.db")).unwrap();
    add(&library, "renamed.db", "2");
    let run = library.ok(&["sync", "renamed.db", "b.db", "--once"]);
    assert!(run.of_type("notice").is_empty(), "{run:?}");
    // The backup takes its place, knows nothing of that, and something is written before it hears of it.
    fs::rename(library.path("backup.db"), library.path("renamed.db")).unwrap();
    add(&library, "renamed.db", "3");
    library.sync("renamed.db", "b.db");
    let all = albums(&library, "b.db");
    assert_eq!(all, "1 of a.db,2 of renamed.db,3 of renamed.db");
    assert_eq!(albums(&library, "renamed.db"), all);
}

#[test]
fn a_database_that_is_written_over_by_its_backup_goes_on_under_a_new_id() {
    let library = Library::new();
    add(&library, "a.db", "1");
    library.sync("a.db", "b.db");
    let backup = fs::read(library.path("a.db")).unwrap();
    add(&library, "a.db", "2");
    library.sync("a.db", "b.db");
    // It is the same file as before, so that only the others can tell.
    fs::write(library.path("a.db"), backup).unwrap();
    add(&library, "a.db", "3");
    let run = library.ok(&["sync", "a.db", "b.db", "--once"]);
    assert_eq!(run.of_type("notice")[0]["code"], "new_incarnation", "{run:?}");
    assert_eq!(albums(&library, "b.db"), "1 of a.db,2 of a.db,3 of a.db");
    assert_eq!(albums(&library, "a.db"), albums(&library, "b.db"));
}

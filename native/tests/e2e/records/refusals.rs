//! What cannot be done is refused with what to do instead, and nothing is changed.

use std::fs;

use super::library::Library;

fn refused(library: &Library, args: &[&str], code: i32, expected: &str) {
    let run = library.run(args);
    assert_eq!(run.code, Some(code), "{run:?}");
    let errors = run.of_type("error");
    assert_eq!(errors[0]["code"], expected, "{run:?}");
    assert!(run.stderr.contains("syncline: "), "{run:?}");
}

#[test]
fn tables_without_a_key_that_all_devices_can_name_are_refused() {
    let library = Library::new();
    library.sql("a.db", "CREATE TABLE plain (x); CREATE TABLE counted (id INTEGER PRIMARY KEY AUTOINCREMENT, x);");
    let before = fs::read(library.path("a.db")).unwrap();
    for table in ["plain", "counted", "nowhere"] {
        refused(&library, &["init", "a.db", "--shared", table], 2, "unfit_table");
    }
    assert_eq!(fs::read(library.path("a.db")).unwrap(), before);
}

#[test]
fn databases_that_are_not_there_not_prepared_or_the_same_are_refused() {
    let library = Library::new();
    refused(&library, &["init", "none.db", "--shared", "x"], 2, "missing_database");
    refused(&library, &["sync", "none.db", "a.db", "--once"], 2, "missing_database");
    assert!(!library.path("none.db").exists());
    library.sql("plain.db", "CREATE TABLE t (id TEXT PRIMARY KEY)");
    refused(&library, &["sync", "plain.db", "a.db", "--once"], 2, "unprepared_database");
    refused(&library, &["sync", "a.db", "a.db", "--once"], 2, "same_database");
    fs::write(library.path("text.db"), "no database at all, but a text of some length").unwrap();
    refused(&library, &["sync", "a.db", "text.db", "--once"], 2, "not_a_database");
    refused(&library, &["sync", "a.db", "--via", "nowhere", "--once"], 2, "missing_folder");
    refused(&library, &["show", "a.db", "nothing"], 2, "unknown_table");
}

#[test]
fn databases_of_two_groups_are_refused() {
    let library = Library::new();
    library.begin("c.db");
    library.sync("a.db", "b.db");
    library.sync("c.db", "d.db");
    refused(&library, &["sync", "a.db", "c.db", "--once"], 2, "other_group");
}

#[test]
fn taking_it_out_leaves_the_application_as_it_was() {
    let library = Library::new();
    library.sql("a.db", "INSERT INTO tags VALUES ('t', 'rock')");
    let made = library.ok(&["init", "a.db", "--shared", "tags"]).of_type("prepared").remove(0);
    assert_eq!(made["made"].as_array().unwrap().len(), 0, "again: no change");
    library.ok(&["deinit", "a.db"]);
    let left = library.text(
        "a.db",
        "SELECT group_concat(name) FROM (SELECT name FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY name)",
    );
    assert_eq!(left, "albums,file_paths,tags,tags_on_files");
    assert_eq!(library.count("a.db", "tags"), 1);
}

#[test]
fn a_row_that_is_too_large_to_be_sent_is_told_until_it_is_smaller_and_keeps_nothing_else_back() {
    let library = Library::new();
    library.sql("a.db", "INSERT INTO albums VALUES ('long', 'x', 1, randomblob(9000000)), ('short', 'y', 2, NULL)");
    for _ in 0..2 {
        let run = library.run(&["sync", "a.db", "b.db", "--once"]);
        assert_eq!(run.code, Some(3), "{run:?}");
        let notice = &run.of_type("notice")[0];
        assert_eq!((&notice["code"], &notice["key"]), (&"row_aside".into(), &"long".into()), "{run:?}");
        let summary = &run.of_type("summary")[0];
        assert_eq!((&summary["held"], &summary["in_sync"]), (&1.into(), &false.into()), "{run:?}");
        assert_eq!(library.text("b.db", "SELECT group_concat(id) FROM albums"), "short");
        assert_eq!(library.count("a.db", "albums"), 2);
    }
    let status = library.run(&["status", "a.db"]);
    assert_eq!(status.code, Some(3), "{status:?}");
    assert_eq!(status.of_type("aside")[0]["reason"], "it is too large to be sent to other devices");
    // It goes whole once it can, with what was changed of it since.
    library.sql("a.db", "UPDATE albums SET year = 7 WHERE id = 'long'");
    assert_eq!(library.run(&["sync", "a.db", "b.db", "--once"]).code, Some(3));
    library.sql("a.db", "UPDATE albums SET cover = x'01' WHERE id = 'long'");
    library.sync("a.db", "b.db");
    let all = "SELECT group_concat(id || name || year || hex(coalesce(cover, '')), ' ') FROM (SELECT * FROM albums ORDER BY id)";
    assert_eq!(library.text("b.db", all), "longx701 shorty2");
    assert_eq!(library.text("a.db", all), library.text("b.db", all));
}

#[test]
fn what_others_change_in_a_row_that_is_too_large_waits_and_deleting_it_ends_that() {
    let library = Library::new();
    library.sql("a.db", "INSERT INTO albums VALUES ('1', 'x', 1, NULL)");
    library.sync("a.db", "b.db");
    library.sql("a.db", "UPDATE albums SET cover = randomblob(600000)");
    library.sql("b.db", "UPDATE albums SET cover = x'02'");
    assert_eq!(library.run(&["sync", "a.db", "b.db", "--once"]).code, Some(3));
    assert_eq!(library.text("a.db", "SELECT CAST(length(cover) AS TEXT) FROM albums"), "600000");
    library.sql("a.db", "DELETE FROM albums");
    library.sync("a.db", "b.db");
    assert_eq!((library.count("a.db", "albums"), library.count("b.db", "albums")), (0, 0));
}

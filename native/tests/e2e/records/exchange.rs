//! What is written on both sides comes together, by a pipe and through a folder.

use std::fs;

use super::library::Library;

const FILL: &str = "
    INSERT INTO albums VALUES ('1', 'jeff', 1999, x'00ff'), ('2', 'it''s', NULL, NULL);
    INSERT INTO tags VALUES ('t1', 'rock');
    INSERT INTO tags_on_files VALUES ('f', 't1');
    INSERT INTO file_paths VALUES ('/m/a.flac', 9223372036854775807);
";

#[test]
fn an_empty_database_gets_the_tables_and_rows_of_the_other() {
    let library = Library::new();
    library.sql("a.db", FILL);
    let summary = library.sync("a.db", "b.db");
    library.assert_equal(&["a.db", "b.db"]);
    for (name, count) in [("rows_created", 5), ("rows_updated", 0), ("rows_deleted", 0), ("operations_sent", 5)] {
        assert_eq!(summary[name], count, "{summary}");
    }
    assert_eq!((&summary["operations_received"], &summary["in_sync"]), (&5.into(), &true.into()), "{summary}");
    let fields: Vec<&String> = summary.as_object().unwrap().keys().collect();
    let promised = [
        "bytes_moved",
        "elapsed_ms",
        "held",
        "in_sync",
        "operations_received",
        "operations_sent",
        "rows_created",
        "rows_deleted",
        "rows_updated",
        "type",
    ];
    assert_eq!(fields, promised);
    let again = library.sync("a.db", "b.db");
    for name in ["rows_created", "rows_updated", "rows_deleted", "operations_sent", "operations_received", "held"] {
        assert_eq!(again[name], 0, "{again}");
    }
}

#[test]
fn what_both_sides_changed_offline_is_merged_column_by_column_and_the_later_write_wins() {
    let library = Library::new();
    library.sql("a.db", FILL);
    library.sync("a.db", "b.db");
    library.sql("a.db", "UPDATE albums SET name = 'geoff' WHERE id = '1'; DELETE FROM tags_on_files;");
    library.sql("b.db", "UPDATE albums SET year = 2024 WHERE id = '1'; INSERT INTO tags VALUES ('t2', 'jazz');");
    library.sql("a.db", "UPDATE albums SET name = 'of a' WHERE id = '2'");
    std::thread::sleep(std::time::Duration::from_millis(20));
    library.sql("b.db", "UPDATE albums SET name = 'of b, later' WHERE id = '2'");
    // The other side is given first: which was written later decides.
    library.sync("b.db", "a.db");
    library.assert_equal(&["a.db", "b.db"]);
    let of = |id: &str| {
        library.text("a.db", &format!("SELECT name || ' ' || coalesce(year, 0) FROM albums WHERE id = '{id}'"))
    };
    assert_eq!((of("1"), of("2")), ("geoff 2024".into(), "of b, later 0".into()));
    assert_eq!((library.count("b.db", "tags"), library.count("b.db", "tags_on_files")), (2, 0));
    // What was deleted is made again.
    library.sql("b.db", "INSERT INTO tags_on_files VALUES ('f', 't1')");
    library.sync("a.db", "b.db");
    library.assert_equal(&["a.db", "b.db"]);
    assert_eq!(library.count("a.db", "tags_on_files"), 1);
}

#[test]
fn three_databases_come_together_through_a_message_folder_and_a_pipe() {
    let library = Library::new();
    fs::create_dir(library.path("shared")).unwrap();
    for name in ["b.db", "c.db"] {
        library.begin(name);
    }
    library.sql("a.db", FILL);
    library.sql("b.db", "INSERT INTO albums VALUES ('3', 'of b', 3, NULL)");
    library.sql("c.db", "INSERT INTO file_paths VALUES ('/m/c.flac', 3)");
    for name in ["a.db", "b.db", "c.db", "b.db", "a.db"] {
        library.via(name, "shared");
    }
    library.assert_equal(&["a.db", "b.db", "c.db"]);
    assert_eq!(library.count("a.db", "albums"), 3);
    library.sql("c.db", "DELETE FROM albums WHERE id = '3'");
    library.sync("c.db", "a.db");
    assert_eq!(library.count("a.db", "albums"), 2);
    // Each device puts its own messages into the folder.
    library.via("c.db", "shared");
    library.via("b.db", "shared");
    library.assert_equal(&["a.db", "b.db", "c.db"]);
}

#[test]
fn a_group_that_met_by_a_pipe_keeps_its_secret_in_a_folder() {
    let library = Library::new();
    library.sql("a.db", FILL);
    library.sync("a.db", "b.db");
    fs::create_dir(library.path("shared")).unwrap();
    library.via("a.db", "shared");
    let info = fs::read_to_string(library.path("shared/tempo-fs-session/info")).unwrap();
    assert!(info.contains("\"sealed\":true") || info.contains("\"sealed\": true"), "{info}");
    library.sql("a.db", "INSERT INTO tags VALUES ('t9', 'only by the folder')");
    library.via("a.db", "shared");
    library.via("b.db", "shared");
    library.assert_equal(&["a.db", "b.db"]);
}

#[test]
fn a_row_that_is_anothers_is_put_right_and_a_unique_value_has_one_row() {
    let library = Library::new();
    library.sql("a.db", FILL);
    library.sync("a.db", "b.db");
    library.sql("b.db", "UPDATE file_paths SET size = 7");
    let run = library.run(&["sync", "a.db", "b.db", "--once"]);
    assert_eq!(run.code, Some(0), "{run:?}");
    assert_eq!(run.of_type("notice")[0]["code"], "row_refused");
    library.assert_equal(&["a.db", "b.db"]);
    // Both make a tag of one name: the later one keeps it, the other is set aside on both sides and told.
    library.sql("a.db", "INSERT INTO tags VALUES ('a', 'folk')");
    std::thread::sleep(std::time::Duration::from_millis(20));
    library.sql("b.db", "INSERT INTO tags VALUES ('b', 'folk')");
    let run = library.run(&["sync", "a.db", "b.db", "--once"]);
    assert_eq!(run.code, Some(3), "{run:?}");
    library.assert_equal(&["a.db", "b.db"]);
    assert_eq!(library.text("a.db", "SELECT id FROM tags WHERE name = 'folk'"), "b");
    let status = library.run(&["status", "b.db"]);
    assert_eq!((status.code, &status.of_type("aside")[0]["key"]), (Some(3), &"a".into()), "{status:?}");
    // Whoever renames one of them brings the other back.
    library.sql("b.db", "UPDATE tags SET name = 'folk music' WHERE id = 'b'");
    library.sync("b.db", "a.db");
    library.assert_equal(&["a.db", "b.db"]);
    assert_eq!(library.count("a.db", "tags"), 3);
}

#[test]
fn rows_and_operations_are_shown_as_they_came_to_be() {
    let library = Library::new();
    library.sql("a.db", FILL);
    let pending = library.ok(&["log", "a.db"]).of_type("operation");
    let batch = pending.iter().find(|line| line["resource_type"] == "file_paths").unwrap();
    assert_eq!((&batch["method"], &batch["resource_uuid"]), (&"OwnedBatchCreate".into(), &serde_json::Value::Null));
    let tag = pending.iter().find(|line| line["resource_type"] == "tags").unwrap();
    assert_eq!((&tag["method"], &tag["value"]), (&"SharedCreate".into(), &serde_json::Value::Null));
    library.sync("a.db", "b.db");
    library.sql("b.db", "UPDATE albums SET name = 'geoff' WHERE id = '1'");
    library.sync("a.db", "b.db");
    let log = library.ok(&["log", "a.db", "albums"]).of_type("operation");
    let update = log.iter().find(|line| line["method"] == "SharedUpdate").unwrap();
    assert_eq!((&update["resource_property"], &update["value"]), (&"name".into(), &"geoff".into()));
    let stamp = update["uhlc_timestamp"].as_str().unwrap();
    syncline_core::clock::parse_stamp(stamp).unwrap();
    let client = update["client_uuid"].as_str().unwrap().replace('-', "").to_uppercase();
    assert!(stamp.ends_with(&client), "{stamp} of {client}");
    let row = library.ok(&["show", "a.db", "albums", "1"]).of_type("row").remove(0);
    assert_eq!((&row["values"]["name"]["value"], &row["values"]["year"]["value"]), (&"geoff".into(), &1999.into()));
    assert_eq!(row["values"]["name"]["uhlc_timestamp"], stamp);
    let status = library.ok(&["status", "a.db"]);
    assert_eq!((status.of_type("member").len(), &status.summary()["pending"]), (2, &0.into()));
}

#[test]
fn a_dry_run_tells_the_plan_and_writes_nothing() {
    let library = Library::new();
    library.sql("a.db", FILL);
    let before = fs::read(library.path("a.db")).unwrap();
    let run = library.ok(&["sync", "a.db", "b.db", "--dry-run"]);
    assert_eq!((run.of_type("plan").len(), &run.summary()["rows_created"]), (5, &5.into()), "{run:?}");
    assert!(!library.path("b.db").exists());
    assert_eq!(fs::read(library.path("a.db")).unwrap(), before);
}

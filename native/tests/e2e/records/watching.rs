//! Without `--once` what applications write is followed.

use rustix::process::Signal;

use super::super::support::Watching;
use super::library::Library;

#[test]
fn what_another_program_writes_arrives_while_it_is_followed() {
    let library = Library::new();
    library.sync("a.db", "b.db");
    let args = ["records", "sync", "a.db", "b.db", "--json"];
    let mut watching = Watching::start(&mut library.pair.command(&args));
    watching.next("settled");
    library.sql("a.db", "INSERT INTO tags VALUES ('t', 'rock')");
    while library.count("b.db", "tags") == 0 {
        watching.next("settled");
    }
    library.sql("b.db", "UPDATE tags SET name = 'jazz'");
    while library.text("a.db", "SELECT name FROM tags") != "jazz" {
        watching.next("settled");
    }
    // A second process for one of them is refused while the first one runs.
    let second = library.run(&["sync", "a.db", "c.db", "--once"]);
    assert_eq!((second.code, &second.of_type("error")[0]["code"]), (Some(1), &"locked".into()), "{second:?}");
    watching.signal(Signal::INT);
    let lines = watching.rest();
    assert_eq!(lines.last().unwrap()["type"], "summary");
    library.assert_equal(&["a.db", "b.db"]);
}

#[test]
fn a_row_that_is_too_large_is_held_until_it_is_smaller() {
    let library = Library::new();
    library.sync("a.db", "b.db");
    let mut watching = Watching::start(&mut library.pair.command(&["records", "sync", "a.db", "b.db", "--json"]));
    library.sql("a.db", "INSERT INTO tags VALUES ('t', hex(zeroblob(300000)))");
    while watching.next("settled")["held"] != 1 {}
    assert_eq!(library.count("b.db", "tags"), 0);
    library.sql("a.db", "UPDATE tags SET name = 'rock'");
    while watching.next("settled")["held"] != 0 {}
    while library.count("b.db", "tags") == 0 {
        watching.next("settled");
    }
    watching.signal(Signal::INT);
    assert_eq!(watching.rest().last().unwrap()["held"], 0);
    library.assert_equal(&["a.db", "b.db"]);
}

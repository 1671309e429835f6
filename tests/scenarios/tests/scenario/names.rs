//! Names that travel, and names that do not.

use syncline_core::api::NoticeCode;
use syncline_sim::{Tree, World, tree};

#[test]
fn t39_odd_names_travel_as_they_are() {
    let long = "x".repeat(255);
    let wide = "é".repeat(127);
    let names = [
        "back\\slash",
        "-rf",
        "new\nline",
        "tab\t",
        "🗒️ notes",
        "\u{1b}[31mred",
        "CON",
        " ",
        "...",
        "a:b",
        "x.",
        "é",
        "e\u{301}",
        "~",
        "*",
        "\"",
        "'",
        "\u{202e}txt",
        "conflict",
        "a (conflict 12345678).md",
        ".hidden",
        "a.b.c",
        &long,
        &wide,
    ];
    let mut folder = Tree::default();
    for name in names {
        folder.insert(name, name.into());
        folder.insert(&format!("dir {name}").chars().take(80).collect::<String>(), syncline_sim::directory());
    }
    folder = folder.with("deep \\ dir\n/-x/😀", "inside");
    let (world, _, _) = World::pair(1, folder.clone(), Tree::default());
    world.assert_all(&folder);
}

#[test]
fn t39_names_that_are_no_text_are_left_and_noticed() {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default()]);
    let (a, b) = (sites[0], sites[1]);
    world[a].disk().write_unnameable("", b"caf\xe9", "left alone");
    world[a].disk().write_unnameable("", b"\xff\xfe", "left alone");
    world.rescan(a);
    world.meet(a, b);
    assert_eq!(world[b].tree(), tree([("a", "a")]));
    assert!(world[a].has_notice(NoticeCode::Unrepresentable));
    assert_eq!(world[a].root().unreadable, 2);
    assert_eq!(world[a].tree().len(), 3);
}

#[test]
fn t07_names_that_differ_by_normalization_are_two_files() {
    let folder = tree([("caf\u{e9}", "composed"), ("cafe\u{301}", "decomposed")]);
    let (mut world, a, b) = World::pair(1, folder.clone(), Tree::default());
    world.rescan(a);
    world.rescan(b);
    world.assert_all(&folder);
}

#[test]
fn special_files_are_left_and_counted() {
    let (mut world, sites) = World::group(1, &[tree([("a", "a")]), Tree::default()]);
    world[sites[0]].disk().special("socket");
    world.rescan(sites[0]);
    world.meet(sites[0], sites[1]);
    assert_eq!(world[sites[1]].tree(), tree([("a", "a")]));
    assert_eq!(world[sites[0]].root().skipped, 1);
}

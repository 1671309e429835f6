//! What a device may say of itself when a link opens: only what it has saved.

use syncline_core::api::{RootState, Work};
use syncline_sim::{Tree, World, tree};

#[test]
fn a_device_that_lost_what_it_had_not_saved_never_counted_as_having_it() {
    let (mut world, a, b) = World::pair(1, tree([("a", "a")]), Tree::default());
    world[b].hold(|work| matches!(work, Work::Save { .. }));
    world[a].disk().write("b", "b");
    world.rescan(a);
    world.unlink(a, b);
    world.link(a, b);
    world.settle();
    assert!(!world[a].status().links[0].received, "a greeting told of what is not saved");
    world.crash(b);
    world[b].let_go();
    world.start(b);
    world.link(a, b);
    world.settle();
    assert!(world[a].status().links[0].received && world[a].status().links[0].applied);
    world.assert_all(&tree([("a", "a"), ("b", "b")]));
}

#[test]
fn a_joiner_does_not_go_on_before_what_it_has_to_hear_is_saved() {
    let folder = tree([("a", "a"), ("d/b", "b")]);
    let (mut world, sites) = World::group(1, &[folder.clone(), folder.clone()]);
    let (a, b) = (sites[0], sites[1]);
    world[a].hold(|work| matches!(work, Work::Save { .. }));
    world.settle();
    world.link(a, b);
    world.settle();
    assert_eq!(world[b].root().state, RootState::Joining);
    world[a].let_go();
    world.settle();
    assert_eq!(world[b].root().state, RootState::Following);
    world.assert_all(&folder);
}

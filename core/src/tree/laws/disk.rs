//! Disks: what users do on three devices, absorbed and projected in any order (§8.4 to §8.7).

use super::replica::Device;
use super::*;
use crate::engine::limits::GRACE_MS;

/// What happens on a device.
#[derive(Debug, Clone)]
enum Act {
    Put {
        directory: Index,
        name: Name,
        content: Content,
    },
    Overwrite {
        path: Index,
        content: Content,
    },
    Remove {
        path: Index,
    },
    Rename {
        path: Index,
        directory: Index,
        name: Name,
    },
    SetMode {
        path: Index,
        mode: u16,
    },
    Wait,
    /// Some of what another device holds arrives, in any order.
    Receive {
        from: Index,
        which: Vec<Index>,
    },
    /// Everything on disk is absorbed, nothing is projected.
    Absorb,
    Settle,
}

fn act() -> impl Strategy<Value = Act> {
    let name = || prop_oneof![3 => Just(name("a.md")), 1 => Just(name("b")), 1 => prop::sample::select(names())];
    let made =
        vec![file(1), file(2), file(3), link("x"), contents()[5].clone(), Content::Directory, Content::Directory];
    let content = || prop::sample::select(made.clone());
    let index = any::<Index>;
    prop_oneof![
        5 => (index(), name(), content()).prop_map(|(directory, name, content)| Act::Put { directory, name, content }),
        4 => (index(), content()).prop_map(|(path, content)| Act::Overwrite { path, content }),
        3 => index().prop_map(|path| Act::Remove { path }),
        2 => (index(), index(), name())
            .prop_map(|(path, directory, name)| Act::Rename { path, directory, name }),
        1 => (index(), prop::sample::select(vec![0o600, 0o755, 0o500]))
            .prop_map(|(path, mode)| Act::SetMode { path, mode }),
        1 => Just(Act::Wait),
        4 => (index(), prop::collection::vec(index(), 1..6))
            .prop_map(|(from, which)| Act::Receive { from, which }),
        2 => Just(Act::Absorb),
        4 => Just(Act::Settle),
    ]
}

/// What happens on which device, one after the other.
fn story() -> impl Strategy<Value = Vec<(usize, Act)>> {
    prop::collection::vec((0..3usize, act()), 1..30)
}

/// Three devices after a story, every law checked at each act.
fn lived(story: &[(usize, Act)]) -> Vec<Device> {
    let mut devices: Vec<Device> = (1..4).map(Device::new).collect();
    for (at, act) in story {
        happen(&mut devices, *at, act);
    }
    devices
}

fn happen(devices: &mut [Device], at: usize, act: &Act) {
    let others: Vec<_> = (0..devices.len()).filter(|other| *other != at).collect();
    match act {
        Act::Receive { from, which } => {
            let sent = devices[*from.get(&others)].sent();
            let some: Vec<_> = which.iter().filter(|_| !sent.is_empty()).map(|pick| pick.get(&sent).clone()).collect();
            devices[at].receive(some);
        }
        Act::Absorb => devices[at].absorb(),
        Act::Settle => settle(&mut devices[at]),
        Act::Wait => devices[at].now = devices[at].now.plus(GRACE_MS),
        act => touch(&mut devices[at], act),
    }
}

/// What users do to a disk.
fn touch(device: &mut Device, act: &Act) {
    let paths: Vec<String> = device.disk.keys().cloned().collect();
    let at = |pick: &Index| paths.get(pick.index(paths.len().max(1))).cloned();
    match act {
        Act::Put { directory, name, content } => {
            let path = path::join(directory.get::<String>(&device.directories()), name);
            device.delete(&path);
            device.disk.insert(path, (content.clone(), mode_of(content)));
        }
        Act::Overwrite { path, content } => {
            if let Some(path) = at(path) {
                device.delete(&path);
                device.disk.insert(path, (content.clone(), mode_of(content)));
            }
        }
        Act::Remove { path } => {
            if let Some(path) = at(path) {
                device.delete(&path);
            }
        }
        Act::Rename { path, directory, name } => {
            let Some(old) = at(path) else { return };
            let below = alloc::format!("{old}/");
            let new = path::join(directory.get::<String>(&device.directories()), name);
            if new == old || new.starts_with(&below) || old.starts_with(&alloc::format!("{new}/")) {
                return;
            }
            let moved: Vec<_> =
                device.disk.iter().filter(|(path, _)| **path == old || path.starts_with(&below)).collect();
            let moved: Vec<_> =
                moved.into_iter().map(|(path, stands)| (path.replacen(&old, &new, 1), stands.clone())).collect();
            device.delete(&old);
            device.delete(&new);
            device.disk.extend(moved);
        }
        Act::SetMode { path, mode } => {
            if let Some((content, held)) = at(path).and_then(|path| device.disk.get_mut(&path))
                && !matches!(content, Content::Symlink { .. })
            {
                *held = *mode;
            }
        }
        _ => {}
    }
}

fn mode_of(content: &Content) -> u16 {
    match content {
        Content::Directory => 0o755,
        Content::Symlink { .. } => 0,
        Content::File { .. } => 0o644,
    }
}

/// Absorbs and projects once, which is enough: disk, base and view are one then, and doing it again does nothing.
fn settle(device: &mut Device) {
    device.absorb();
    assert_eq!(device.stands(), device.disk, "base is what was absorbed");
    let rounds = device.project();
    assert!(rounds <= 3, "{rounds} rounds");

    let view = flat_view(&device.merged);
    let wanted: BTreeMap<_, _> =
        view.iter().map(|(path, (_, shown))| (path.clone(), (shown.content.clone(), shown.mode))).collect();
    assert_eq!(device.disk, wanted, "the disk is the view");
    for (path, (conflict_of, shown)) in &view {
        let (directory, name) = path::split(path).unwrap();
        let entry = device.base.entry(directory, &name).unwrap();
        assert!(entry.standing.as_ref().unwrap().is(shown));
        assert_eq!(&entry.conflict_of, conflict_of);
    }
    assert_eq!(device.stands(), device.disk, "base is the disk");

    let written = device.written;
    device.absorb();
    assert_eq!(device.written, written, "a disk that is as base says writes nothing");
    assert_eq!(device.project(), 0, "a disk that is as the view says needs nothing");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: ProptestConfig::default().cases * 8, ..ProptestConfig::default() })]

    #[test]
    fn the_plan_applied_to_base_gives_the_view_and_rests(story in story(), last in 0..3usize) {
        let mut devices = lived(&story);
        settle(&mut devices[last]);
    }

    #[test]
    fn devices_that_hear_all_of_each_other_come_to_one_tree_and_say_no_more(story in story()) {
        let mut devices = lived(&story);
        devices.iter_mut().for_each(Device::absorb);
        let all: Vec<_> = devices.iter().flat_map(Device::sent).collect();
        let written: Vec<u64> = devices.iter().map(|device| device.written).collect();
        for device in &mut devices {
            device.receive(all.clone());
            settle(device);
        }
        prop_assert_eq!(devices.iter().map(|device| device.written).collect::<Vec<_>>(), written);
        prop_assert_eq!(&devices[0].disk, &devices[1].disk);
        prop_assert_eq!(&devices[0].disk, &devices[2].disk);
    }

    /// A write is live until someone to whose disk it came writes or deletes there.
    #[test]
    fn what_a_user_wrote_stands_on_the_disk_after_it_is_absorbed(story in story(), last in 0..3usize) {
        let mut devices = lived(&story);
        let device = &mut devices[last];
        let before = device.stands();
        let written: Vec<Content> = device
            .disk
            .iter()
            .filter(|(path, (content, _))| before.get(*path).is_none_or(|(old, _)| old != content))
            .map(|(_, (content, _))| content.clone())
            .collect();
        settle(device);
        for content in written {
            prop_assert!(device.disk.values().any(|(stands, _)| *stands == content), "{:?}", content);
        }
    }
}

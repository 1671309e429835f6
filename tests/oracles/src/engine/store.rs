//! A start from a store that holds anything.

use syncline_core::api::{Config, DeliveryOrder, Event, Membership, Pair, RecordsConfig, RootConfig, Write};
use syncline_sim::{Clock, Disk, Host, ROOT, folder::FolderFile};

use super::{
    device::{Device, Edit, OTHER},
    folder::{Fate, FolderEdit, Setup},
    rows::{self, Kept},
};
use crate::{
    member::{Member, Said},
    records, script,
};

/// The device has all that an engine keeps something of in its store.
const SETUP: Setup = Setup { rooted: true, sealed: false, probing: false, delivery: Some((DeliveryOrder::Total, 0)) };

/// A deadline further away than this is no sign that anything is left to do: a message folder is looked through again and
/// again.
const SOON_MS: u64 = 50_000;

/// Pieces of work after which a device is taken to be at rest with nothing.
const WORK_MAX: usize = 5_000;

/// Deadlines that are waited for.
const WAITS_MAX: usize = 64;

/// Whatever a store holds, an engine refuses it or works with it within the root; what it then saves, the next one
/// takes.
pub fn store(bytes: &[u8]) {
    let pairs = script::read::<Pair>(bytes);
    let clock = Clock::new();
    let mut host = host(folder(&clock));
    let writes = pairs.into_iter().filter(|pair| pair.key.len() <= 1_024);
    host.store.save(writes.map(|Pair { key, value }| Write { key, value: Some(value) }).collect());
    let mut device = Device::new(setup(&host), 1, host);
    let told = run(&mut device, &clock);
    if told {
        let mut next = Device::new(setup(&device.host), 2, device.host);
        assert!(run(&mut next, &clock), "a store that was taken is refused at the next start");
    }
}

/// Runs an engine until it rests; whether it took the store.
fn run(device: &mut Device, clock: &Clock) -> bool {
    device.tell(clock.now(), Event::Start);
    let mut commands = rows::commands();
    let mut work = 0;
    for _ in 0..WAITS_MAX {
        while let Some((task, asked)) = device.take(0) {
            work += 1;
            assert!(work < WORK_MAX, "an engine asks without end: {asked:?}");
            let outcome = device.perform(asked);
            device.tell(clock.now(), Event::Completed { task, outcome });
        }
        let now = clock.now();
        match device.engine.deadline().filter(|deadline| deadline.0 < now.monotonic.0 + SOON_MS) {
            Some(deadline) => {
                clock.advance(deadline.0.saturating_sub(now.monotonic.0));
                device.tell(clock.now(), Event::Wake);
            }
            None => match commands.next() {
                Some(command) => device.tell(clock.now(), Event::Command { command }),
                None => break,
            },
        }
    }
    !device.engine.status().failed
}

fn setup(host: &Host) -> Config {
    let root = RootConfig { id: ROOT, membership: Membership::Founder, allow_deletions: false };
    let kept = Kept { has_changes: true, applied: None, max_drift_ms: 100 };
    let records = RecordsConfig { applied: Some(host.database.applied()), ..kept.config() };
    Config { roots: vec![root], records: Some(records), ..SETUP.config(1) }
}

/// A device with a message folder in which a member has said something, of which a part is missing.
fn host(disk: Disk) -> Host {
    let mut host = Host::new(ROOT, disk);
    host.folder.put("info", FolderFile::new(SETUP.info().to_json()));
    let mut member = Member::new(OTHER);
    let rows = records::said().into_iter().map(|said| (said, Fate::Whole));
    let texts = [
        (Said::Nothing, Fate::Whole),
        (Said::Text(b"one".to_vec()), Fate::Whole),
        (Said::Text(b"missing".to_vec()), Fate::Lost),
        (Said::Text(b"late".to_vec()), Fate::Whole),
    ];
    for (said, fate) in texts.into_iter().chain(rows) {
        FolderEdit::Say { said, skip: 0, lamport: 0, fate }.apply(SETUP, None, &mut host, &mut member);
    }
    host
}

fn folder(clock: &Clock) -> Disk {
    let mut disk = Disk::new(clock.clone());
    disk.write("a", "a");
    disk.write("d/b", "b");
    disk.symlink("l", "a");
    clock.advance(1_000);
    disk
}

/// What real stores hold: of a new device, and of one with files, links, directories and a file of many chunks.
pub(crate) fn pairs() -> Vec<Vec<Pair>> {
    let clock = Clock::new();
    let days = [
        vec![],
        vec![Edit::Write { path: 0, bytes: b"one".to_vec() }],
        vec![Edit::Directory { path: 2 }, Edit::Symlink { path: 7, target: b"a".to_vec() }],
        vec![Edit::Large { path: 3, seed: 1, kib: 300 }, Edit::Mode { path: 3, mode: 0o600 }],
    ];
    let mut stores: Vec<Vec<Pair>> = days
        .map(|edits| {
            let host = host(Disk::new(clock.clone()));
            let mut device = Device::new(setup(&host), 1, host);
            edits.iter().for_each(|edit| device.edit(edit));
            clock.advance(1_000);
            assert!(run(&mut device, &clock), "an engine takes an empty store");
            device.host.store.pairs().map(|(key, value)| Pair { key: key.to_vec(), value: value.to_vec() }).collect()
        })
        .into();
    // The same with base entries and intents in places where none belongs.
    let known = stores.concat();
    for path in ["..", "../x", "/etc", "a//b", ".syncline", ".syncline/store", "a\0b", "d/", "a/b"] {
        let moved = |pair: &Pair| match pair.key.split_at_checked(17) {
            Some((front, path_behind)) if front[0] == b'b' && !path_behind.is_empty() => {
                let key = [front, path.as_bytes()].concat();
                Some(Pair { key, value: pair.value.clone() })
            }
            _ => None,
        };
        let mut store = known.clone();
        store.extend(known.iter().filter_map(moved).take(1));
        stores.push(store);
    }
    stores
}

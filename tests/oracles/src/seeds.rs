//! Inputs to begin with: real encodings of everything.

use serde::Serialize;
use syncline_core::{
    api::{EntryKind, Failure, ReplicaId, Stat, listing},
    clock::{Clock, StampText, stamp_id},
    content,
    log::{Dot, DotSet, Heads, IntervalSet, Place},
};

use crate::{
    engine::{Edit, PairStep, pairs, recorded},
    link::{self, Parcel, frames},
    log::{self, genuine},
    records, script,
};

/// The inputs to begin with for a target; none for an unknown one.
pub fn seeds(target: &str) -> Vec<Vec<u8>> {
    match target {
        "message" => [genuine(), &records::messages()].concat(),
        "frame" => frames(genuine()).iter().map(|frame| frame.encode(Vec::new()).expect("plain data")).collect(),
        "sets" => sets(),
        "introduction" => introductions(),
        "manifest" => manifests(),
        "listing" => listings(),
        "log" => logs(),
        "session" => sessions(),
        "packets" => parcels(),
        "name" => names(),
        "stamp" => stamps(),
        "hasher" => files(),
        "store" => pairs().iter().map(|pairs| script::write(pairs)).collect(),
        "engine" => recorded().iter().map(|steps| script::write(steps)).collect(),
        "engine_pair" => days(),
        _ => Vec::new(),
    }
}

/// A day of two devices, drawn: what people do, what becomes of messages, and what fails.
pub fn drawn_day(chance: &mut fastrand::Rng) -> Vec<u8> {
    let failures = [Failure::Missing, Failure::Denied, Failure::NoSpace, Failure::Changed, Failure::Corrupt];
    let calm = chance.bool();
    let steps = std::iter::repeat_with(|| {
        let side = chance.u8(..2);
        let kind = if calm { chance.u8(..11) } else { chance.u8(..19) };
        match kind {
            0..=3 => PairStep::Change { site: side, edit: drawn_edit(chance) },
            4 => PairStep::Rescan { site: side },
            5 | 6 => PairStep::Work { site: side, count: chance.u8(1..20) },
            7 | 8 => PairStep::Deliver { to: side, count: chance.u8(1..6) },
            9 => PairStep::Settle,
            10 => PairStep::Pass { milliseconds: chance.u16(1..2_000) },
            11 => PairStep::Flip { to: side, at: chance.u16(..400), bits: 1 << chance.u8(..8) },
            12 => PairStep::Truncate { to: side, length: chance.u16(..300) },
            13 => PairStep::Drop { to: side },
            14 => PairStep::Duplicate { to: side },
            15 => PairStep::Swap { to: side },
            16 => PairStep::Fail { site: side, task: chance.u8(..4), failure: failures[chance.usize(..5)].clone() },
            17 => PairStep::Relink,
            _ => PairStep::Restart { site: side },
        }
    });
    let steps: Vec<_> = steps.take(60).collect();
    script::write(&steps)
}

fn drawn_edit(chance: &mut fastrand::Rng) -> Edit {
    let path = chance.u8(..12);
    match chance.u8(..10) {
        0..=3 => Edit::Write { path, bytes: vec![chance.u8(..4); chance.usize(..4)] },
        4 => Edit::Large { path, seed: chance.u8(..2), kib: chance.u16(..300) },
        5 => Edit::Remove { path },
        6 => Edit::Rename { from: path, to: chance.u8(..12) },
        7 => Edit::Directory { path },
        8 => Edit::Symlink { path, target: vec![chance.u8(..3); 2] },
        _ => Edit::Mode { path, mode: chance.u16(..0o1000) },
    }
}

fn sets() -> Vec<Vec<u8>> {
    let author = |number| ReplicaId::from_bytes([number; 16]);
    let mut heads = Heads::new();
    heads.insert_range(author(1), 1, 9);
    heads.insert_range(author(1), 20, u64::MAX);
    heads.insert(author(2), 4);
    let mut more = heads.clone();
    more.insert_range(author(1), 10, 19);
    let numbers: Vec<u64> = vec![1, 2, 5, 6, 7, 90, u64::MAX];
    let mut counters = IntervalSet::new();
    let mut places = IntervalSet::new();
    for number in numbers {
        counters.insert(number);
        places.insert(Place { counter: number / 3, index: number as u32 });
    }
    let mut dots: DotSet = [Dot::new(author(1), 1, 0), Dot::new(author(2), 7, 3)].into_iter().collect();
    dots.insert_range(author(1), 2, 0, 40);
    let few = DotSet::from(Dot::new(author(1), 2, 9));
    vec![
        kind(0, &(&heads, &more)),
        kind(0, &(&Heads::new(), &heads)),
        kind(1, &(&counters, IntervalSet::from_range(2u64, 6))),
        kind(1, &(IntervalSet::from_range(0u64, u64::MAX), &counters)),
        kind(2, &(&places, IntervalSet::from_range(Place { counter: 0, index: 1 }, Place { counter: 0, index: 2 }))),
        kind(3, &(&dots, &few)),
        kind(3, &(&few, &dots)),
    ]
}

fn kind(kind: u8, value: &impl Serialize) -> Vec<u8> {
    [vec![kind], postcard::to_stdvec(value).expect("plain data")].concat()
}

/// The genuine one, a byte of each of its parts changed, one that ends early, and others.
fn introductions() -> Vec<Vec<u8>> {
    let changed = |at: usize| [vec![0; at], vec![1]].concat();
    let mut seeds: Vec<_> = [1, 20, 33, 35, 38, 39, 80, 105, 130].map(changed).into();
    seeds.extend([vec![0; 8], vec![1; 140], [&[1][..], &[4; 200]].concat()]);
    seeds
}

fn manifests() -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for kib in [130u64, 400, 2_000] {
        let mut file = vec![0; (kib << 10) as usize];
        fastrand::Rng::with_seed(kib).fill(&mut file);
        let hashed = content::hash(&file).expect("a small file");
        let manifest = hashed.manifest.expect("many chunks").encode();
        let syncline_core::api::Content::File { hash, size } = hashed.content else { continue };
        seeds.push([&[1], &size.to_le_bytes()[..], &manifest].concat());
        seeds.push([&[0], &size.to_le_bytes()[..], hash.as_bytes(), &manifest].concat());
        seeds.push([&[1], &(size << 8).to_le_bytes()[..], &manifest].concat());
        seeds.push([&[1], &(size + 1).to_le_bytes()[..], &manifest].concat());
    }
    seeds
}

fn listings() -> Vec<Vec<u8>> {
    let stat = Stat {
        kind: EntryKind::File,
        size: 300,
        mode: 0o644,
        modified_ns: 1_767_225_600_000_000_001,
        changed_ns: -5,
        file_id: 77,
        settled: true,
    };
    let kinds = [EntryKind::Directory, EntryKind::Symlink, EntryKind::Special, EntryKind::Unnameable];
    let mut one = Vec::new();
    listing::push(&mut one, "a", &stat);
    let mut many = one.clone();
    for (name, kind) in ["dir", "link", "\u{fffd}", "..", ".syncline"].iter().zip(kinds.into_iter().cycle()) {
        listing::push(&mut many, name, &Stat { kind, size: 0, settled: false, ..stat });
    }
    vec![Vec::new(), one, many]
}

fn logs() -> Vec<Vec<u8>> {
    let all = || (0..genuine().len() as u8).map(log::Step::Genuine);
    let forward: Vec<_> = all().collect();
    let backward: Vec<_> = all().rev().collect();
    let changed = |message, at| log::Step::Changed { message, at, flip: 1 };
    vec![
        script::write(&forward),
        script::write(&backward),
        script::write(&[log::Step::Genuine(2), log::Step::Write, log::Step::Genuine(0), log::Step::Write]),
        script::write(&[changed(0, 40), changed(0, 3), log::Step::Genuine(0), log::Step::Bytes(vec![1; 90])]),
    ]
}

fn sessions() -> Vec<Vec<u8>> {
    let mut seeds = vec![script::write(&[link::Step::Packet(link::hello()), link::Step::Send(3)])];
    for frame in frames(&genuine()[..3]) {
        let step = link::Step::Frame(frame.clone(), 255);
        let push = link::Step::Push(frame.clone());
        seeds.push(script::write(&[link::Step::Hello, push, link::Step::Send(9), link::Step::Ready, step]));
        seeds.push(script::write(&[link::Step::Hello, link::Step::Astray(frame, 1), link::Step::Saved(80)]));
    }
    seeds.push(script::write(&[link::Step::Hello, link::Step::Close, link::Step::Hello]));
    seeds
}

fn parcels() -> Vec<Vec<u8>> {
    let parcels: Vec<_> =
        frames(genuine()).into_iter().map(|frame| Parcel { frame, parts: vec![0, 9, 200, 3] }).collect();
    let mut seeds: Vec<_> = parcels.iter().map(|parcel| script::write(std::slice::from_ref(parcel))).collect();
    seeds.push(script::write(&parcels));
    seeds
}

fn names() -> Vec<Vec<u8>> {
    let texts = ["", ".", "..", "a/b", "a\0", "a (conflict 00000000).md", ".syncline", "e\u{301}", "\x05hello", "CON"];
    let ids = ["67e55044-10b1-426f-9247-bb680e5fe0c8", "67E5504410B1426F9247BB680E5FE0C8", "\u{202e}txt.exe"];
    texts.iter().chain(&ids).map(|text| text.as_bytes().to_vec()).chain([vec![b'x'; 1_025], vec![0xff; 32]]).collect()
}

fn stamps() -> Vec<Vec<u8>> {
    let id = stamp_id(ReplicaId::from_bytes([9; 16])).expect("not nil");
    let mut clock = Clock::new(id);
    let stamp = clock.next(1_767_225_600_397_295_996).expect("room");
    let numbers: Vec<u8> = [1u64, 9 << 32, 1_767_225_600_397_295_996, u64::MAX, 0, 1 << 63]
        .into_iter()
        .flat_map(|number| number.to_le_bytes())
        .collect();
    vec![
        StampText(&stamp).to_string().into_bytes(),
        b"2022-04-09T06:53:36.397295996Z/89F9DD8514914648989315B2D30D7BE5".to_vec(),
        b"2106-02-07T06:28:15.999999999Z/1".to_vec(),
        b"1970-01-01T00:00:00.000000000Z/abc".to_vec(),
        [&[9; 16][..], &numbers].concat(),
    ]
}

fn files() -> Vec<Vec<u8>> {
    let head = |length: u32, seed, threads, stated| {
        let [l0, l1, l2, _] = length.to_le_bytes();
        vec![l0, l1, l2, seed, threads, stated, 0, 0]
    };
    vec![
        head(0, 0, 0, 0),
        head(49_152, 3, 1, 1),
        head(49_153, 3, 2, 255),
        [head(400_000, 5, 0, 0), vec![10, 200, 90, 128, 255]].concat(),
        [head(500_000, 8, 0, 7), vec![128; 3]].concat(),
        [head(300_000, 7, 8, 0), vec![255; 20]].concat(),
    ]
}

fn days() -> Vec<Vec<u8>> {
    use PairStep::*;
    let write = |site, path, text: &[u8]| PairStep::Change { site, edit: Edit::Write { path, bytes: text.to_vec() } };
    let large = || PairStep::Change { site: 0, edit: Edit::Large { path: 1, seed: 3, kib: 200 } };
    let gone = |site, path| PairStep::Change { site, edit: Edit::Remove { path } };
    let both = || [Rescan { site: 0 }, Rescan { site: 1 }];
    let mut days: Vec<Vec<PairStep>> = vec![
        vec![Settle],
        vec![write(0, 0, b"one"), Settle, gone(1, 0), Rescan { site: 1 }, Settle],
        vec![write(0, 0, b"one"), write(1, 0, b"two"), Settle],
        vec![Work { site: 0, count: 9 }, Deliver { to: 1, count: 2 }, Flip { to: 1, at: 9, bits: 4 }, Settle],
        vec![Settle, write(0, 3, b"x"), Rescan { site: 0 }, Work { site: 0, count: 20 }, Drop { to: 1 }, Settle],
        vec![Settle, large(), Rescan { site: 0 }, Work { site: 0, count: 30 }, Relink, Settle],
        vec![large(), Settle, Restart { site: 1 }, Settle, Restart { site: 0 }],
        vec![Settle, write(0, 4, b"x"), Rescan { site: 0 }, Fail { site: 0, task: 0, failure: Failure::NoSpace }],
        vec![Truncate { to: 0, length: 9 }, Deliver { to: 0, count: 1 }, Pass { milliseconds: 900 }, Settle],
        vec![Duplicate { to: 1 }, Deliver { to: 1, count: 2 }, Swap { to: 0 }, Insert { to: 0, bytes: vec![5] }],
    ];
    let mut conflict = vec![write(0, 0, b"one"), Settle, write(0, 0, b"left"), write(1, 0, b"right")];
    conflict.extend(both());
    conflict.extend([Settle, gone(0, 10), PairStep::Change { site: 1, edit: Edit::Rename { from: 0, to: 5 } }]);
    conflict.extend(both());
    days.push(conflict);
    let bad = [Edit::Marker(false), Edit::Full(true), Edit::Directory { path: 5 }, Edit::Mode { path: 0, mode: 7 }];
    for edit in bad {
        days.push(vec![write(0, 0, b"one"), Settle, PairStep::Change { site: 1, edit }, Rescan { site: 1 }, Settle]);
    }
    days.iter().map(|day| script::write(day)).collect()
}

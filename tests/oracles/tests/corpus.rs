//! Every oracle on its corpus, and on inputs near it and far from it. A fuzzer's finding becomes a file of the corpus,
//! and so a test on any compiler.

use std::{
    collections::BTreeSet,
    fs, io,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use syncline_oracles::{TARGETS, Target, drawn_day, seeds};

/// A corpus smaller than this shows little.
const FILES_MIN: usize = 10;

/// A corpus larger than this belongs into a fuzzer's own folder.
const FILES_MAX: usize = 100;

/// The longest input of a corpus.
const FILE_BYTES_MAX: usize = 4 << 10;

/// Bytes of all corpora.
const CORPORA_BYTES_MAX: usize = 2 << 20;

macro_rules! targets {
    ($($name:ident: $inputs:literal,)*) => {
        /// The targets with tests here.
        const TESTED: &[&str] = &[$(stringify!($name)),*];

        $(#[test]
        fn $name() {
            check(stringify!($name), $inputs);
        })*
    };
}

// How many inputs besides the corpus: as many as take about a second.
targets! {
    engine: 1_000,
    engine_pair: 200,
    frame: 5_000,
    hasher: 20,
    introduction: 500,
    listing: 5_000,
    log: 30,
    manifest: 5_000,
    message: 2_000,
    name: 5_000,
    packets: 1_000,
    session: 1_000,
    sets: 5_000,
    stamp: 5_000,
    store: 300,
}

#[test]
fn every_oracle_has_a_fuzzer_and_a_test() {
    let named: BTreeSet<String> = TARGETS.iter().map(|target| target.name.to_owned()).collect();
    let fuzzers = names(&fuzz().join("fuzz_targets"));
    assert_eq!(fuzzers, named.iter().map(|name| format!("{name}.rs")).collect());
    assert_eq!(TESTED.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>(), named);
    assert_eq!(names(&fuzz().join("corpus")), named);
}

#[test]
fn corpora_are_small() {
    let mut bytes = 0;
    for target in TARGETS {
        let corpus = corpus(target.name);
        assert!((FILES_MIN..=FILES_MAX).contains(&corpus.len()), "{} has {} inputs", target.name, corpus.len());
        for (path, input) in &corpus {
            assert!(input.len() <= FILE_BYTES_MAX, "{} has {} bytes", path.display(), input.len());
            bytes += input.len();
        }
    }
    assert!(bytes <= CORPORA_BYTES_MAX, "{bytes} bytes of corpora");
}

fn check(name: &str, inputs: u64) {
    let target = TARGETS.iter().find(|target| target.name == name).expect("a target");
    let corpus = corpus(name);
    for (path, input) in &corpus {
        judge(target, input, || path.display().to_string());
    }
    let mut known: Vec<Vec<u8>> = corpus.into_iter().map(|(_, input)| input).collect();
    let seeds = seeds(name);
    assert!(!seeds.is_empty(), "{name} begins with nothing");
    for seed in &seeds {
        judge(target, seed, || format!("seed {}", hex(seed)));
    }
    known.extend(seeds);
    let mut chance = fastrand::Rng::with_seed(inputs);
    for number in 0..inputs {
        let input = if number % 4 == 0 { random(&mut chance) } else { changed(&known, &mut chance) };
        judge(target, &input, || format!("input {number}: {}", hex(&input)));
    }
}

#[test]
fn days_of_two_devices_end_in_agreement() {
    let target = TARGETS.iter().find(|target| target.name == "engine_pair").expect("a target");
    for seed in 0..days() {
        let input = drawn_day(&mut fastrand::Rng::with_seed(seed));
        judge(target, &input, || format!("day {seed}: {}", hex(&input)));
    }
}

/// `SYNCLINE_DAYS` asks for more.
fn days() -> u64 {
    std::env::var("SYNCLINE_DAYS").ok().and_then(|days| days.parse().ok()).unwrap_or(200)
}

/// Gives an input to an oracle, and names it if that panics.
fn judge(target: &Target, input: &[u8], describe: impl FnOnce() -> String) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(|| (target.oracle)(input))) {
        eprintln!("{} fails on {}", target.name, describe());
        resume_unwind(panic);
    }
}

fn random(chance: &mut fastrand::Rng) -> Vec<u8> {
    let length = chance.usize(..200);
    std::iter::repeat_with(|| chance.u8(..)).take(length).collect()
}

/// A known input after a few small accidents.
fn changed(known: &[Vec<u8>], chance: &mut fastrand::Rng) -> Vec<u8> {
    let mut input = chance.choice(known).expect("there are inputs").clone();
    for _ in 0..chance.usize(1..5) {
        let at = chance.usize(..=input.len());
        match chance.u8(..6) {
            0 if at < input.len() => input[at] ^= 1 << chance.u8(..8),
            1 if at < input.len() => input[at] = chance.u8(..),
            2 => input.insert(at, *chance.choice([0, 1, 0x7f, 0x80, 0xff].iter()).expect("there are some")),
            3 => input.truncate(at),
            4 => drop(input.drain(at..input.len().min(at + chance.usize(1..9)))),
            _ => {
                let other = chance.choice(known).expect("there are inputs");
                let start = chance.usize(..=other.len());
                let end = chance.usize(start..=other.len());
                input.splice(at..at, other[start..end].iter().copied());
            }
        }
    }
    input
}

fn corpus(name: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let folder = fuzz().join("corpus").join(name);
    let read = |path: PathBuf| fs::read(&path).map(|bytes| (path, bytes));
    let files: io::Result<Vec<_>> = names(&folder).iter().map(|name| read(folder.join(name))).collect();
    files.expect("a corpus can be read")
}

fn names(folder: &Path) -> BTreeSet<String> {
    let entries = fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    entries.map(|entry| entry.expect("an entry").file_name().to_string_lossy().into_owned()).collect()
}

fn fuzz() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

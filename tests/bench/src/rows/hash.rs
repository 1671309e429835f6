//! Row `hash`: one file of 1 GiB in memory.

use std::hint::black_box;
use std::ops::Range;
use std::thread;

use anyhow::{Context, Result};
use fastcdc::v2020::FastCDC;
use rayon::prelude::*;
use syncline_core::content::{self, Chunk, Hashed, Hasher, Manifest, Scale};

use crate::data::noise;
use crate::measure::{Comparison, Runs, Target, gigabytes_per_second, in_turn};
use crate::report::RowReporter;

const SIZE: usize = 1 << 30;

/// Measures the row.
pub fn run(runs: Runs, report: &mut RowReporter<'_>) -> Result<()> {
    let bytes = noise("hash", SIZE);
    let hashed = content::hash(&bytes)?;
    let manifest = hashed.manifest.as_ref().context("1 GiB is more than one chunk")?;
    let scale = Scale::of(SIZE as u64)?;
    report.note(&format!(
        "{} chunks of {} to {} KiB, manifest of {} bytes",
        manifest.chunks().len(),
        scale.min() >> 10,
        scale.max() >> 10,
        manifest.encode().len()
    ));
    for threads in [1, 2] {
        hash_alone(&bytes, manifest, threads, runs, report)?;
        let average = scale.average() as usize;
        let usual = Sizes { name: "usual", min: average / 4, average, max: average * 4 };
        let same = Sizes { name: "our", min: scale.min() as usize, average, max: scale.max() as usize };
        chunk_and_hash(&bytes, &hashed, threads, usual, Target::AtLeast(1.5), runs, report)?;
        chunk_and_hash(&bytes, &hashed, threads, same, Target::None, runs, report)?;
    }
    Ok(())
}

/// Chunk sizes that fastcdc is given.
#[derive(Clone, Copy)]
struct Sizes {
    name: &'static str,
    min: usize,
    average: usize,
    max: usize,
}

/// Every chunk of a known list hashed, as when a file is verified, against the whole hashed at once.
fn hash_alone(
    bytes: &[u8],
    manifest: &Manifest,
    threads: usize,
    runs: Runs,
    report: &mut RowReporter<'_>,
) -> Result<()> {
    let chunks: Vec<(u64, Chunk)> = manifest.with_offsets().collect();
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let check = |share: &[(u64, Chunk)]| {
        for (offset, chunk) in share {
            let start = *offset as usize;
            assert!(chunk.matches(&bytes[start..start + chunk.length as usize]), "a chunk has another hash");
        }
    };
    let ours = || {
        thread::scope(|scope| {
            for share in chunks.chunks(chunks.len().div_ceil(threads)) {
                scope.spawn(|| check(share));
            }
        });
    };
    let theirs = || {
        let hash = match threads {
            1 => blake3::hash(bytes),
            _ => pool.install(|| blake3::Hasher::new().update_rayon(bytes).finalize()),
        };
        black_box(hash);
    };
    let (ours, theirs) = in_turn(runs, ours, theirs);
    report.tell(&Comparison {
        what: format!("hash alone, {}", counted(threads)),
        peer: "blake3 of the whole".to_owned(),
        unit: "GB/s",
        ours: gigabytes_per_second(SIZE, &ours),
        theirs: gigabytes_per_second(SIZE, &theirs),
        target: Target::AtLeast(0.95),
    });
    Ok(())
}

/// Chunks and their hashes found, against fastcdc followed by blake3 of each of its chunks.
fn chunk_and_hash(
    bytes: &[u8],
    expected: &Hashed,
    threads: usize,
    sizes: Sizes,
    target: Target,
    runs: Runs,
    report: &mut RowReporter<'_>,
) -> Result<()> {
    let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build()?;
    let ours = || assert!(black_box(hash_on(bytes, threads)) == *expected, "the content id depends on the threads");
    let theirs = || {
        let chunks = FastCDC::new(bytes, sizes.min, sizes.average, sizes.max);
        let slice = |chunk: fastcdc::v2020::Chunk| &bytes[chunk.offset..chunk.offset + chunk.length];
        let hashes: Vec<blake3::Hash> = match threads {
            1 => chunks.map(|chunk| blake3::hash(slice(chunk))).collect(),
            _ => {
                let chunks: Vec<_> = chunks.collect();
                pool.install(|| chunks.into_par_iter().map(|chunk| blake3::hash(slice(chunk))).collect())
            }
        };
        black_box(hashes);
    };
    let (ours, theirs) = in_turn(runs, ours, theirs);
    report.tell(&Comparison {
        what: format!("chunking + hash, {}", counted(threads)),
        peer: format!(
            "fastcdc at {} sizes ({}/{}/{} KiB), then blake3",
            sizes.name,
            sizes.min >> 10,
            sizes.average >> 10,
            sizes.max >> 10
        ),
        unit: "GB/s",
        ours: gigabytes_per_second(SIZE, &ours),
        theirs: gigabytes_per_second(SIZE, &theirs),
        target,
    });
    Ok(())
}

/// A file's content id on some threads, as a host computes it.
fn hash_on(bytes: &[u8], threads: usize) -> Hashed {
    let size = bytes.len() as u64;
    let slice = |range: &Range<u64>| &bytes[range.start as usize..range.end as usize];
    let shares = content::shares(size, threads as u32);
    let parts: Vec<Hasher> = thread::scope(|scope| {
        let hash_share = |share: Range<u64>| {
            move || {
                let mut part = Hasher::part(size, share.start).expect("the file is small enough");
                part.update(slice(&share));
                part
            }
        };
        let running: Vec<_> = shares.into_iter().map(|share| scope.spawn(hash_share(share))).collect();
        running.into_iter().map(|thread| thread.join().expect("hashing does not panic")).collect()
    });
    let mut parts = parts.into_iter();
    let mut whole = parts.next().expect("there is at least one share");
    for part in parts {
        while let Some(range) = whole.until_joined(&part) {
            whole.update(slice(&range));
        }
        whole.join(part);
    }
    whole.finish().expect("all bytes were given")
}

fn counted(threads: usize) -> String {
    if threads == 1 { "1 thread".to_owned() } else { format!("{threads} threads") }
}

//! Laws of the module as a whole.

use std::vec::Vec;

use proptest::prelude::*;

use super::*;
use crate::api::Content;

/// Bytes that look random, the same for the same seed everywhere.
fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut bytes = std::vec![0; length];
    blake3::Hasher::new().update(&seed.to_le_bytes()).finalize_xof().fill(&mut bytes);
    bytes
}

fn lengths(bytes: &[u8]) -> Vec<u32> {
    match hash(bytes).unwrap().manifest {
        Some(manifest) => manifest.chunks().iter().map(|chunk| chunk.length).collect(),
        None => std::vec![bytes.len() as u32],
    }
}

fn content_id(bytes: &[u8]) -> Hash {
    match hash(bytes).unwrap().content {
        Content::File { hash, size } => {
            assert_eq!(size, bytes.len() as u64);
            hash
        }
        other => panic!("expected a file, found {other:?}"),
    }
}

#[test]
fn file_of_one_chunk_is_named_by_its_bytes() {
    for length in [0, 1, 1000, CHUNK_MIN as usize - 1, CHUNK_MIN as usize] {
        let bytes = noise(1, length);
        let hashed = hash(&bytes).unwrap();
        assert_eq!(hashed.manifest, None);
        assert_eq!(content_id(&bytes), Hash::from(blake3::hash(&bytes)), "{length} bytes");
    }
}

#[test]
fn manifest_lists_the_chunks_of_the_bytes() {
    let bytes = noise(2, 1_500_000);
    let manifest = hash(&bytes).unwrap().manifest.unwrap();
    assert!(manifest.chunks().len() > 10);
    assert_eq!(manifest.size(), 1_500_000);
    let mut end = 0;
    for (offset, chunk) in manifest.with_offsets() {
        assert_eq!(offset, end);
        end = offset + u64::from(chunk.length);
        assert!(chunk.matches(&bytes[offset as usize..end as usize]));
        assert!(!chunk.matches(&bytes[offset as usize..end as usize - 1]));
    }
    assert_eq!(end, 1_500_000);
    assert_eq!(content_id(&bytes), manifest.content_hash());
}

#[test]
fn chunks_keep_their_limits_and_average() {
    let lengths = lengths(&noise(3, 32 << 20));
    let scale = Scale::of(32 << 20).unwrap();
    for length in &lengths[..lengths.len() - 1] {
        assert!((scale.min()..=scale.max()).contains(length), "{length}");
    }
    let average = (32 << 20) / lengths.len() as u32;
    assert!(average.abs_diff(scale.average()) < scale.average() / 20, "{average}");
}

#[test]
fn constant_bytes_are_cut_at_one_length() {
    let lengths = lengths(&std::vec![0; 1_000_000]);
    assert!(lengths[..lengths.len() - 1].iter().all(|length| *length == lengths[0]), "{lengths:?}");
}

#[test]
fn insertion_changes_few_chunks() {
    let before = noise(4, 16 << 20);
    let old: std::collections::BTreeSet<_> =
        hash(&before).unwrap().manifest.unwrap().chunks().iter().map(|chunk| chunk.hash).collect();
    for (place, length) in [(0, 1), (5_000_000, 1), (8 << 20, 1000), (12_345_678, 63), ((16 << 20) - 1, 3)] {
        let mut after = before.clone();
        after.splice(place..place, noise(5, length));
        let manifest = hash(&after).unwrap().manifest.unwrap();
        let new = manifest.chunks().iter().filter(|chunk| !old.contains(&chunk.hash)).count();
        assert!(new <= 12, "{new} of {} chunks are new behind an insertion at {place}", manifest.chunks().len());
    }
}

#[test]
fn shares_of_a_large_file_join_to_the_same_hash() {
    let bytes = noise(6, 20 << 20);
    let starts: Vec<u64> = shares(20 << 20, 2).into_iter().map(|share| share.start).collect();
    assert_eq!(starts, [0, 10 << 20]);
    assert_eq!(joined(&bytes, &starts), hash(&bytes).unwrap());
}

/// Hashes the parts that begin at `starts`, of which the first is 0, and joins them.
fn joined(bytes: &[u8], starts: &[u64]) -> Hashed {
    let size = bytes.len() as u64;
    let ends = starts.iter().skip(1).copied().chain([size]);
    let mut parts = starts.iter().zip(ends).map(|(start, end)| {
        let mut part = Hasher::part(size, *start).unwrap();
        part.update(&bytes[*start as usize..end as usize]);
        part
    });
    let mut whole = parts.next().unwrap();
    for part in parts {
        while let Some(range) = whole.until_joined(&part) {
            whole.update(&bytes[range.start as usize..range.end as usize]);
        }
        whole.join(part);
    }
    whole.finish().unwrap()
}

#[test]
fn shares_cover_the_file_and_are_worth_a_thread() {
    for size in [0, 1, 100_000, 17 << 20, 1 << 30, FILE_MAX] {
        for threads in [0, 1, 2, 7] {
            let shares = shares(size, threads);
            assert!(shares.len() <= threads.max(1) as usize);
            assert_eq!(shares[0].start, 0);
            assert_eq!(shares.last().unwrap().end, size);
            assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start));
            assert!(shares.len() == 1 || shares.iter().all(|share| share.end - share.start > 8 << 20));
        }
    }
}

#[test]
fn t25_file_that_grew_or_shrank_while_read_is_refused() {
    for length in [0, 5, 99_999, 100_001, 300_000] {
        let mut hasher = Hasher::new(100_000).unwrap();
        hasher.update(&noise(7, length));
        assert_eq!(hasher.finish(), Err(HashError::SizeChanged { expected: 100_000, read: length as u64 }));
    }
}

#[test]
fn part_alone_is_no_file() {
    let mut part = Hasher::part(100, 50).unwrap();
    part.update(&[0; 50]);
    assert_eq!(part.finish(), Err(HashError::SizeChanged { expected: 100, read: 50 }));
}

#[test]
fn file_above_the_largest_is_refused_before_it_is_read() {
    assert_eq!(Hasher::new(FILE_MAX + 1).unwrap_err(), HashError::TooLarge { size: FILE_MAX + 1 });
}

#[test]
fn changed_byte_changes_the_content_id() {
    let mut bytes = noise(8, 200_000);
    let id = content_id(&bytes);
    assert!(verify(&bytes, &id));
    bytes[150_000] ^= 1;
    assert!(!verify(&bytes, &id));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn pieces_of_any_size_give_the_same_hash(
        seed in any::<u64>(),
        size in 0_usize..700_000,
        repeat in 1_usize..400_000,
        pieces in prop::collection::vec(0_usize..200_000, 0..20),
    ) {
        // Repeated stretches reach cuts at the maximum, too.
        let bytes: Vec<u8> = noise(seed, repeat.min(size)).into_iter().cycle().take(size).collect();
        let mut hasher = Hasher::new(size as u64).unwrap();
        let mut rest = bytes.as_slice();
        for piece in pieces {
            let (now, later) = rest.split_at(piece.min(rest.len()));
            hasher.update(now);
            rest = later;
        }
        hasher.update(rest);
        prop_assert_eq!(hasher.finish().unwrap(), hash(&bytes).unwrap());
    }

    #[test]
    fn single_bytes_give_the_same_hash(seed in any::<u64>(), size in 30_000_usize..150_000) {
        let bytes = noise(seed, size);
        let mut hasher = Hasher::new(size as u64).unwrap();
        for byte in &bytes {
            hasher.update(core::slice::from_ref(byte));
        }
        prop_assert_eq!(hasher.finish().unwrap(), hash(&bytes).unwrap());
    }

    #[test]
    fn parts_from_any_places_join_to_the_same_hash(
        seed in any::<u64>(),
        size in 1_usize..1_500_000,
        repeat in 1_usize..1_500_000,
        mut starts in prop::collection::vec(0_usize..1_500_000, 0..5),
    ) {
        let bytes: Vec<u8> = noise(seed, repeat.min(size)).into_iter().cycle().take(size).collect();
        starts.push(0);
        starts.sort_unstable();
        let starts: Vec<u64> = starts.into_iter().map(|start| start.min(size) as u64).collect();
        prop_assert_eq!(joined(&bytes, &starts), hash(&bytes).unwrap());
    }

    #[test]
    fn chunks_are_the_bytes_in_their_order_within_the_scales_limits(
        seed in any::<u64>(),
        size in 0_usize..1_000_000,
        repeat in 1_usize..1_000_000,
    ) {
        // Repeated stretches reach cuts at the maximum, too.
        let bytes: Vec<u8> = noise(seed, repeat.min(size)).into_iter().cycle().take(size).collect();
        let lengths = lengths(&bytes);
        prop_assert_eq!(lengths.iter().map(|length| *length as usize).sum::<usize>(), size);
        let scale = Scale::of(size as u64).unwrap();
        let (last, others) = lengths.split_last().unwrap();
        prop_assert!(others.iter().all(|length| (scale.min()..=scale.max()).contains(length)), "{lengths:?}");
        prop_assert!(*last <= scale.max() && (*last > 0 || size == 0));
    }

    #[test]
    fn what_hashing_finds_is_read_back_as_its_own_manifest(seed in any::<u64>(), size in 0_usize..600_000) {
        let bytes = noise(seed, size);
        let Hashed { content, manifest } = hash(&bytes).unwrap();
        let Content::File { hash, .. } = content else { panic!("expected a file, found {content:?}") };
        prop_assert!(verify(&bytes, &hash));
        match manifest {
            Some(manifest) => {
                prop_assert_eq!(&Manifest::decode(&manifest.encode(), &hash, size as u64), &Ok(manifest.clone()));
                for (offset, chunk) in manifest.with_offsets() {
                    prop_assert!(chunk.matches(&bytes[offset as usize..][..chunk.length as usize]));
                }
            }
            None => prop_assert_eq!(hash, chunk_hash(&bytes)),
        }
    }

    /// Where a chunk ends hangs on nothing before its beginning and nothing behind its end.
    #[test]
    fn an_edit_moves_no_cut_before_it_and_none_behind_the_first_that_both_have(
        seed in any::<u64>(),
        size in 200_000_usize..1_500_000,
        place in any::<prop::sample::Index>(),
        removed in 0_usize..3,
        inserted in 0_usize..3,
    ) {
        let before = noise(seed, size);
        let place = place.index(size - removed);
        let mut after = before.clone();
        after.splice(place..place + removed, noise(seed ^ 1, inserted));
        let (old, new) = (cuts(&before), cuts(&after));
        let ahead = |cuts: &[usize]| cuts.iter().copied().filter(|cut| *cut <= place).collect::<Vec<_>>();
        prop_assert_eq!(ahead(&old), ahead(&new));
        // Counted from the end, what lies behind the edit is the same bytes.
        let behind = |cuts: &[usize], length: usize, edit_end: usize| -> Vec<usize> {
            cuts.iter().filter(|cut| **cut >= edit_end).map(|cut| length - cut).collect()
        };
        let old = behind(&old, before.len(), place + removed);
        let new = behind(&new, after.len(), place + inserted);
        let first = old.iter().find(|cut| new.contains(cut)).unwrap();
        let from = |cuts: &[usize]| cuts.iter().copied().skip_while(|cut| cut != first).collect::<Vec<_>>();
        prop_assert_eq!(from(&old), from(&new));
    }

    #[test]
    fn equal_bytes_have_one_id_and_others_another(seed in any::<u64>(), size in 1_usize..200_000, at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let mut bytes = noise(seed, size);
        let id = content_id(&bytes);
        prop_assert_eq!(content_id(&bytes), id);
        bytes[at.index(size)] ^= 1 << bit;
        prop_assert!(content_id(&bytes) != id && !verify(&bytes, &id));
        bytes.pop();
        prop_assert!(content_id(&bytes) != id);
    }
}

/// Where the chunks of a file end, the end of the file included.
fn cuts(bytes: &[u8]) -> Vec<usize> {
    let ends = lengths(bytes).into_iter().scan(0, |end, length| {
        *end += length as usize;
        Some(*end)
    });
    ends.collect()
}

//! Content ids: however a file is cut into pieces and shared among threads, it is the same file.

use std::ops::Range;

use syncline_core::content::{self, HashError, Hashed, Hasher, Manifest};

use crate::memory;

/// The longest file that an input stands for.
const FILE_BYTES_MAX: usize = 256 << 10;

/// What hashing may hold: documented are 2 KiB and 36 bytes a chunk, whatever the file's size.
const HASHER_BYTES_MAX: u64 = 32 << 10;

/// One pass, pieces of any size and joined shares give one result, and it checks. The first bytes are the file's length,
/// a seed for its bytes and the number of threads; the others are the pieces' lengths, and lie in the file themselves.
pub fn hasher(bytes: &[u8]) {
    let Some((head, rest)) = bytes.split_first_chunk::<8>() else { return };
    let [l0, l1, l2, seed, threads, stated, ..] = *head;
    let length = u32::from_le_bytes([l0, l1, l2, 0]) as usize % FILE_BYTES_MAX;
    let file = file(length, seed, rest);
    let size = file.len() as u64;
    let whole = content::hash(&file).expect("a small file");
    assert_eq!(pieces(&file, size, rest), Ok(whole.clone()), "pieces give another result");
    assert_eq!(joined(&file, u32::from(threads % 9), rest), Ok(whole.clone()), "joined shares give another result");

    let other = size.saturating_add_signed(i64::from(stated as i8));
    match pieces(&file, other, rest) {
        Ok(hashed) => assert!(other == size && hashed == whole, "a size that is not the file's is taken"),
        Err(error) => assert!(matches!(error, HashError::SizeChanged { .. }) && other != size, "{error}"),
    }
    check(&file, &whole);
}

/// Bytes that repeat with a seed, so that cuts differ, and hold the input itself in places.
fn file(length: usize, seed: u8, patch: &[u8]) -> Vec<u8> {
    let mut chance = fastrand::Rng::with_seed(u64::from(seed >> 1));
    let mut file = vec![0; length];
    if seed % 2 == 1 {
        chance.fill(&mut file);
    }
    for (index, byte) in patch.iter().enumerate() {
        let at = (index * 4_099 + usize::from(*byte) * 257) % length.max(1);
        if let Some(place) = file.get_mut(at) {
            *place = *byte;
        }
    }
    file
}

fn pieces(file: &[u8], size: u64, cuts: &[u8]) -> Result<Hashed, HashError> {
    memory::within(HASHER_BYTES_MAX, || {
        let mut hasher = Hasher::new(size)?;
        let mut cuts = cuts.iter().cycle();
        let mut rest = file;
        while !rest.is_empty() {
            let cut = cuts.next().map_or(rest.len(), |cut| usize::from(*cut) * usize::from(*cut) + 1);
            let (piece, behind) = rest.split_at(cut.min(rest.len()));
            hasher.update(piece);
            rest = behind;
        }
        hasher.finish()
    })
}

/// The file in shares that begin anywhere: where [`content::shares`] would cut it, or where the input says.
fn joined(file: &[u8], threads: u32, cuts: &[u8]) -> Result<Hashed, HashError> {
    let size = file.len() as u64;
    let shares = if threads > 0 { content::shares(size, threads) } else { any_shares(size, cuts) };
    assert_eq!((shares.first().map(|share| share.start), shares.last().map(|share| share.end)), (Some(0), Some(size)));
    assert!(shares.windows(2).all(|pair| pair[0].end == pair[1].start), "shares leave gaps");
    let part = |range: Range<u64>| &file[range.start as usize..range.end as usize];
    let mut parts = Vec::new();
    for share in shares {
        let mut hasher = Hasher::part(size, share.start)?;
        hasher.update(part(share));
        parts.push(hasher);
    }
    let mut parts = parts.into_iter();
    let mut whole = parts.next().expect("there is at least one share");
    for next in parts {
        let mut rounds = 0;
        while let Some(range) = whole.until_joined(&next) {
            assert!(range.start < range.end && range.end <= size, "asks for {range:?} of {size} bytes");
            whole.update(part(range));
            rounds += 1;
            assert!(rounds <= FILE_BYTES_MAX, "shares are never joined");
        }
        whole.join(next);
    }
    whole.finish()
}

fn any_shares(size: u64, cuts: &[u8]) -> Vec<Range<u64>> {
    let mut starts: Vec<u64> = cuts.iter().take(8).map(|cut| size * u64::from(*cut) / 256).collect();
    starts.push(0);
    starts.sort_unstable();
    starts.dedup();
    let ends = starts.iter().skip(1).copied().chain([size]);
    starts.iter().copied().zip(ends).map(|(start, end)| start..end).collect()
}

fn check(file: &[u8], hashed: &Hashed) {
    let syncline_core::api::Content::File { hash, size } = &hashed.content else {
        panic!("a file's content is no file: {:?}", hashed.content)
    };
    assert_eq!(*size, file.len() as u64);
    assert!(content::verify(file, hash), "a file is not what its id says");
    match &hashed.manifest {
        None => assert_eq!(*hash, content::chunk_hash(file), "a file of one chunk is named by it"),
        Some(manifest) => {
            assert_eq!(Manifest::decode(&manifest.encode(), hash, *size).as_ref(), Ok(manifest));
            for (offset, chunk) in manifest.with_offsets() {
                let start = offset as usize;
                assert!(chunk.matches(&file[start..start + chunk.length as usize]), "a chunk is not its bytes");
            }
        }
    }
    if let Some(first) = file.first() {
        let mut other = file.to_vec();
        other[0] = !first;
        assert!(!content::verify(&other, hash), "another file is taken for this one");
    }
}

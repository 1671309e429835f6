//! The peer: `negentropy` over ids of 32 bytes, in the order of their times.

use anyhow::{Result, anyhow};
use negentropy::{Id, Negentropy, NegentropyStorageVector};

use super::Exchange;

/// Ids in their order; `None` stands for one that is missing.
///
/// # Errors
/// None that is expected.
pub fn storage(numbers: impl Iterator<Item = u64>) -> Result<NegentropyStorageVector> {
    let mut storage = NegentropyStorageVector::new();
    for number in numbers {
        let id = Id::from_byte_array(blake3::hash(&number.to_le_bytes()).into());
        storage.insert(number, id).map_err(|error| anyhow!("{error}"))?;
    }
    storage.seal().map_err(|error| anyhow!("{error}"))?;
    Ok(storage)
}

/// Lets the one that lacks some find out which, from the first byte on.
///
/// # Errors
/// None that is expected.
pub fn exchange(full: &NegentropyStorageVector, lacking: &NegentropyStorageVector) -> Result<Exchange> {
    let refused = |error: negentropy::Error| anyhow!("{error}");
    let mut client = Negentropy::borrowed(lacking, 0).map_err(refused)?;
    let mut server = Negentropy::borrowed(full, 0).map_err(refused)?;
    let (mut have, mut need) = (Vec::new(), Vec::new());
    let mut query = client.initiate().map_err(refused)?;
    let (mut bytes, mut rounds) = (0, 0);
    loop {
        let answer = server.reconcile(&query).map_err(refused)?;
        bytes += query.len() + answer.len();
        rounds += 1;
        match client.reconcile_with_ids(&answer, &mut have, &mut need).map_err(refused)? {
            Some(next) => query = next,
            None => return Ok(Exchange { bytes, rounds, missing: need.len() as u64 }),
        }
    }
}

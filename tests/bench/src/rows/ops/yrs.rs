//! The same with `yrs`: a map with a key each, a transaction each.

use anyhow::Result;
use yrs::updates::decoder::Decode;
use yrs::{Doc, Map, ReadTxn, StateVector, Transact, Update as DocUpdate};

use super::data::Update;

const MAP: &str = "items";

/// Makes updates, a transaction each, and encodes the whole document at the end; both come back.
pub fn generate(client: u64, updates: &[Update]) -> (Vec<u8>, Doc) {
    let doc = Doc::with_client_id(client);
    let map = doc.get_or_insert_map(MAP);
    for update in updates {
        let mut transaction = doc.transact_mut();
        map.insert(&mut transaction, update.key.as_str(), update.number);
    }
    let bytes = doc.transact().encode_state_as_update_v1(&StateVector::default());
    (bytes, doc)
}

/// Decodes documents and merges them into a fresh one.
///
/// # Errors
/// None that is expected.
pub fn merge(updates: &[Vec<u8>]) -> Result<Doc> {
    let doc = Doc::with_client_id(200);
    for bytes in updates {
        doc.transact_mut().apply_update(DocUpdate::decode_v1(bytes)?)?;
    }
    Ok(doc)
}

/// How many keys the map has.
pub fn keys(doc: &Doc) -> usize {
    let map = doc.get_or_insert_map(MAP);
    map.len(&doc.transact()) as usize
}

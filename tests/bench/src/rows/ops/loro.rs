//! The same with `loro`: a map with a key each, a commit each.

use anyhow::Result;
use loro::{ExportMode, LoroDoc};

use super::data::Update;

const MAP: &str = "items";

/// Makes updates, a commit each, and exports all of them at the end; both come back.
///
/// # Errors
/// None that is expected.
pub fn generate(peer: u64, updates: &[Update]) -> Result<(Vec<u8>, LoroDoc)> {
    let doc = LoroDoc::new();
    doc.set_peer_id(peer)?;
    let map = doc.get_map(MAP);
    for update in updates {
        map.insert(&update.key, i64::from(update.number))?;
        doc.commit();
    }
    let bytes = doc.export(ExportMode::all_updates())?;
    Ok((bytes, doc))
}

/// Decodes what was exported and merges it into a fresh document.
///
/// # Errors
/// None that is expected.
pub fn merge(exported: &[Vec<u8>]) -> Result<LoroDoc> {
    let doc = LoroDoc::new();
    doc.set_peer_id(200)?;
    for bytes in exported {
        doc.import(bytes)?;
    }
    Ok(doc)
}

/// How many keys the map has.
pub fn keys(doc: &LoroDoc) -> usize {
    doc.get_map(MAP).len()
}

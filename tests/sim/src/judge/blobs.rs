//! What those who read a message folder may ask its writers for.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{Content, Hash, ReplicaId},
    folder::parse_message_path,
    log::{Dot, DotSet},
    tree::{Body, Change},
};

use super::{ledger::Ledger, posts::Posts};

/// The contents of files, and their sizes, of versions by these authors that stood in a message folder, and that nothing
/// replaces which stood there.
pub(super) fn owed(ledger: &Ledger, posts: &Posts, own: &BTreeSet<ReplicaId>) -> BTreeMap<Hash, u64> {
    let mut replaced = DotSet::default();
    let mut named: Vec<(Dot, Hash, u64)> = Vec::new();
    for place in posts.paths().filter_map(parse_message_path) {
        for (dot, change) in
            ledger.message(place).iter().flat_map(|message| message.changes()).map(|(dot, _, change)| (dot, change))
        {
            let content = match change {
                Change::Birth { past, content, .. } => {
                    replaced.extend(past);
                    content
                }
                Change::Version { past, body, .. } => {
                    replaced.extend(past);
                    let Body::Content(content) = body else { continue };
                    content
                }
                Change::Mode { .. } => continue,
            };
            if let Content::File { hash, size } = content
                && *size > 0
                && own.contains(&dot.author)
            {
                named.push((dot, *hash, *size));
            }
        }
    }
    named.into_iter().filter(|(dot, ..)| !replaced.contains(dot)).map(|(_, hash, size)| (hash, size)).collect()
}

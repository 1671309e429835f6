//! Authors write operations into messages, each time in other batches.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{GroupConfig, Hash, PropertyValue, ReplicaId, UnixMs},
    crypto::{Identity, Introduction, ProofKey, Signature},
    folder::message_path,
    log::{Entry, Message, Previous},
    records::OperationsBuilder,
};

use super::{Operation, OperationSet};

/// A message's path in the folder, and its bytes.
pub(super) type File = (String, Vec<u8>);

/// The messages of all authors. Each has its operations in as many as chance has it, in any order, some in two of them.
pub(super) fn feeds(set: &OperationSet, group: &GroupConfig, chance: &mut fastrand::Rng) -> Vec<File> {
    let mut authors: BTreeMap<u8, Vec<&Operation>> = BTreeMap::new();
    for operation in &set.operations {
        authors.entry(operation.author).or_default().push(operation);
    }
    let mut files = Vec::new();
    for (author, operations) in authors {
        let mut batches = vec![BTreeSet::new(); chance.usize(1..=operations.len())];
        for number in 0..operations.len() {
            for _ in 0..chance.usize(1..=2) {
                let batch = chance.usize(..batches.len());
                batches[batch].insert(number);
            }
        }
        let mut entries: Vec<Vec<Entry>> = batches
            .into_iter()
            .map(|batch| batch.into_iter().map(|number| operations[number]).collect())
            .map(|batch| vec![pack(set, batch)])
            .collect();
        let own = set.retractions.iter().filter(|retraction| retraction.author == author);
        for retraction in own {
            let place = chance.usize(..entries.len());
            entries[place].push(Entry::Retraction { after_ns: set.since_ns + retraction.after_ns, left: Vec::new() });
        }
        files.extend(seal(author, entries, group));
    }
    files
}

/// In the order of their stamps, as a message has them.
fn pack(set: &OperationSet, mut operations: Vec<&Operation>) -> Entry {
    operations.sort_by_key(|operation| operation.at_ns);
    let mut builder = OperationsBuilder::new();
    for Operation { at_ns, method, table, key, values, .. } in operations {
        let value = |(property, value): (&String, &String)| PropertyValue {
            property: property.clone(),
            value: value.clone().into_bytes(),
        };
        let values: Vec<PropertyValue> = values.iter().map(value).collect();
        builder.push(table, key.as_bytes(), *method, &values, set.since_ns + at_ns);
    }
    Entry::Records(builder.finish())
}

fn seal(author: u8, messages: Vec<Vec<Entry>>, group: &GroupConfig) -> Vec<File> {
    let (replica, identity) =
        (ReplicaId::from_bytes([author; 16]), Identity::from_secret(&[author; 32]).expect("32 bytes"));
    let key = ProofKey::new(group).expect("a group key");
    let introduction = Introduction::new(&identity, &key, replica, "author").expect("a short name");
    let mut previous: Option<(u64, Hash)> = None;
    let mut files = Vec::new();
    for (counter, mut entries) in (1..).zip(messages) {
        if counter == 1 {
            entries.insert(0, Entry::Introduction(introduction.clone()));
        }
        let message = Message {
            author: replica,
            counter,
            lamport: counter,
            unix_ms: UnixMs(1_767_225_600_000),
            previous: previous.map(|(counter, hash)| Previous { counter, hash }),
            entries,
            signature: Signature::from_bytes([0; 64]),
        };
        let sealed = message.seal(group.id, &identity).expect("a message that any replica takes");
        previous = Some((counter, sealed.hash));
        files.push((message_path(replica, counter), sealed.bytes));
    }
    files
}

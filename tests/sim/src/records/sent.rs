//! What devices told each other: every change in one operation.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{api::RowName, log::Message, log::parse_message_key};

use super::{act::DEFAULT, play::Scene};
use crate::Invariant;

impl Scene {
    /// No change was told twice, and each that must have been told was.
    pub(super) fn check_sent(&mut self) {
        let mut told: BTreeMap<(RowName, String, Vec<u8>), BTreeSet<u64>> = BTreeMap::new();
        let mut operations = 0;
        for (_, bytes) in self.world[self.sites[0]].store().pairs().filter(|(key, _)| parse_message_key(key).is_some())
        {
            let Ok((message, _)) = Message::decode(bytes) else { continue };
            for opened in message.operations().filter_map(|operations| operations.open().ok()) {
                opened.walk(message.author, |operation| {
                    operations += 1;
                    for (property, value) in operation.values() {
                        let row = RowName { table: operation.table.into(), key: operation.key.to_vec(), owner: vec![] };
                        // What is written again as it was stamped is the same operation.
                        told.entry((row, property.to_owned(), value.to_vec()))
                            .or_default()
                            .insert(operation.at.unix_ns);
                    }
                });
            }
        }
        self.coverage.count_many("operations", operations);
        for (index, deed) in self.model.deeds().iter().enumerate() {
            for (property, value) in deed.values.iter().flatten().filter(|(_, value)| *value != DEFAULT) {
                let row = RowName { owner: Vec::new(), ..deed.row.clone() };
                let times = told.get(&(row, property.clone(), value.clone().into_bytes())).map_or(0, BTreeSet::len);
                // A clock that was wrong and is healed stamps anew.
                let is_stamped_anew = deed.is_reborn || self.model.has_erred(deed.device);
                self.judge.must(Invariant::Idempotency, times <= 1 || is_stamped_anew, || {
                    format!("change {} of device {} ({index}) was told {times} times", deed.number, deed.device)
                });
                // What somebody wrote over may be void by now.
                let is_told = matches!(deed.row.table.as_str(), "lists" | "notes") && deed.is_sure();
                let is_told = is_told && self.model.is_alone(index);
                self.judge.must(Invariant::NoLoss, times > 0 || !is_told, || {
                    format!("change {} of device {} was taken and told to nobody", deed.number, deed.device)
                });
            }
        }
    }
}

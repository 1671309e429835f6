//! What devices told each other: every change in one operation.

use std::collections::BTreeMap;

use syncline_core::{api::RowName, log::Message, log::parse_message_key};

use super::{act::DEFAULT, play::Scene};
use crate::Invariant;

impl Scene {
    /// No change was told twice, and each that must have been told was.
    pub(super) fn check_sent(&mut self) {
        let mut told: BTreeMap<(RowName, String, Vec<u8>), u64> = BTreeMap::new();
        let mut operations = 0;
        for (_, bytes) in self.world[self.sites[0]].store().pairs().filter(|(key, _)| parse_message_key(key).is_some())
        {
            let Ok((message, _)) = Message::decode(bytes) else { continue };
            for opened in message.operations().filter_map(|operations| operations.open().ok()) {
                opened.walk(message.author, |operation| {
                    operations += 1;
                    for (property, value) in operation.values() {
                        let row = RowName { table: operation.table.into(), key: operation.key.to_vec(), owner: vec![] };
                        *told.entry((row, property.to_owned(), value.to_vec())).or_default() += 1;
                    }
                });
            }
        }
        self.coverage.count_many("operations", operations);
        for (index, deed) in self.model.deeds().iter().enumerate() {
            for (property, value) in deed.values.iter().flatten().filter(|(_, value)| *value != DEFAULT) {
                let row = RowName { owner: Vec::new(), ..deed.row.clone() };
                let times = told.get(&(row, property.clone(), value.clone().into_bytes())).copied().unwrap_or_default();
                self.judge.must(Invariant::Idempotency, times <= 1 || deed.is_reborn, || {
                    format!("change {} of device {} ({index}) was told {times} times", deed.number, deed.device)
                });
                let is_told = matches!(deed.row.table.as_str(), "lists" | "notes") && deed.is_sure();
                self.judge.must(Invariant::NoLoss, times > 0 || !is_told, || {
                    format!("change {} of device {} was taken and told to nobody", deed.number, deed.device)
                });
            }
        }
    }
}

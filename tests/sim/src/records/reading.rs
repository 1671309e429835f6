//! Reading rows from engines, as applications without a database do.

use syncline_core::api::{Command, RowQuery, RowState};

use super::{play::Scene, tables::Table};

/// What an application asked its engine for.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked {
    pub device: usize,
    table: Table,
    /// The engine was doing nothing else then.
    is_quiet: bool,
}

impl Scene {
    /// An application asks for the rows of a table, to show them.
    pub(super) fn ask(&mut self, device: usize, table: Table) {
        let site = self.sites[device];
        if !self.runs(site) || self.world[site].is_asleep() || !self.knows(device, table) {
            return;
        }
        self.requests += 1;
        let is_quiet = self.world[site].status().quiet;
        self.asked.insert(self.requests, Asked { device, table, is_quiet });
        let table = table.name().into();
        let query = RowQuery { table, after: None, from: Vec::new(), until: None, deleted: false, limit: u32::MAX };
        self.world.command(site, Command::ReadRows { request: self.requests, query });
    }

    /// Applications show what was answered.
    pub(super) fn show_answers(&mut self) {
        for (request, Asked { device, table, is_quiet }) in self.asked.clone() {
            let database = &mut self.world[self.sites[device]].host().database;
            let Some((rows, more)) = database.take_answer(request) else { continue };
            self.asked.remove(&request);
            if !more {
                database.show(table.name(), &rows);
                if is_quiet && database.pending().next().is_none() {
                    self.model.shows(device, table);
                }
                self.coverage.count("rows read");
            }
        }
    }

    /// All rows of a table that a device's engine has.
    pub(super) fn read(&mut self, device: usize, table: Table) -> Vec<RowState> {
        let rows = self.world.read_rows(self.sites[device], table.name(), false);
        self.judge.must(crate::Invariant::Quiescence, rows.is_some(), || {
            format!("device {device} does not answer what it is asked at rest")
        });
        rows.unwrap_or_default()
    }
}

//! Reading rows from engines, as applications without a database do.

use syncline_core::api::{Command, RowName, RowQuery, RowState};

use super::{play::Scene, tables::Table};

/// Rows of a page in the end: few, so that there are many pages.
const PAGE_ROWS: u32 = 7;

impl Scene {
    /// An application asks for the rows of a table, to show them.
    pub(super) fn ask(&mut self, device: usize, table: Table) {
        let site = self.sites[device];
        if !self.runs(site) || self.world[site].is_asleep() || !self.knows(device, table) {
            return;
        }
        self.requests += 1;
        self.asked.insert(self.requests, (device, table));
        let query = query(table, None, u32::MAX);
        self.world.command(site, Command::ReadRows { request: self.requests, query });
    }

    /// Applications show what was answered.
    pub(super) fn show_answers(&mut self) {
        for (request, (device, table)) in self.asked.clone() {
            let database = &mut self.world[self.sites[device]].host().database;
            let Some((rows, more)) = database.take_answer(request) else { continue };
            self.asked.remove(&request);
            if !more {
                database.show(table.name(), &rows);
                self.coverage.count("rows read");
            }
        }
    }

    /// All rows of a table that a device's engine has, page by page.
    pub(super) fn read(&mut self, device: usize, table: Table) -> Vec<RowState> {
        let (site, mut all) = (self.sites[device], Vec::new());
        let mut after: Option<RowName> = None;
        loop {
            self.requests += 1;
            let request = self.requests;
            self.world.command(site, Command::ReadRows { request, query: query(table, after.take(), PAGE_ROWS) });
            self.world.settle();
            let answer = self.world[site].host().database.take_answer(request);
            self.judge.must(crate::Invariant::Quiescence, answer.is_some(), || {
                format!("device {device} does not answer what it is asked at rest")
            });
            let Some((rows, more)) = answer else { return all };
            after = rows.last().map(|row| row.name.clone());
            all.extend(rows);
            if !more || after.is_none() {
                return all;
            }
        }
    }
}

fn query(table: Table, after: Option<RowName>, limit: u32) -> RowQuery {
    RowQuery { table: table.name().into(), after, from: Vec::new(), until: None, deleted: false, limit }
}

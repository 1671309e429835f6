//! Devices whose applications keep rows.

use syncline_core::api::{
    Command, DeleteRule, MergeType, RecordsConfig, RowName, RowQuery, RowState, TableConfig, TableKind,
};

use super::{SiteId, World};

/// Rows of a page: few, so that there are many pages.
const PAGE_ROWS: u32 = 7;

/// The number of what is asked and answered at once; nothing else is asked under it.
const REQUEST: u64 = u64::MAX;

/// A shared table whose rows are merged by property, and which later changes bring back.
pub fn table(name: &str) -> TableConfig {
    TableConfig {
        name: name.into(),
        kind: TableKind::Shared,
        merge: MergeType::LwwMap,
        delete: DeleteRule::UpdateRevives,
    }
}

/// A shared row's name.
pub fn row(table: &str, key: &str) -> RowName {
    RowName { table: table.into(), key: key.into(), owner: Vec::new() }
}

impl World {
    /// The next engine of a device keeps these tables, in a database of its application.
    pub fn keep_tables(&mut self, site: SiteId, tables: Vec<TableConfig>) {
        let config = self[site].config();
        config.records = Some(RecordsConfig {
            tables,
            max_drift_ms: 100,
            has_changes: true,
            is_copy: false,
            applied: Some(0),
            taken: 0,
        });
    }

    /// Somebody writes a row.
    pub fn put_row(&mut self, site: SiteId, name: RowName, values: &[(&str, &str)]) {
        let at = self[site].clock().now().unix;
        let tables = self[site].config().records.clone().map(|records| records.tables).unwrap_or_default();
        let kind = tables.iter().find(|table| table.name == name.table).map_or(TableKind::Shared, |table| table.kind);
        self[site].host().database.put(kind, name, values, at);
        self.give_rows(site);
    }

    /// Somebody deletes a row.
    pub fn delete_row(&mut self, site: SiteId, name: RowName) {
        let at = self[site].clock().now().unix;
        self[site].host().database.delete(name, at);
        self.give_rows(site);
    }

    /// All rows of a table that a device's engine has at rest, page by page; none if it does not answer.
    pub fn read_rows(&mut self, site: SiteId, table: &str, deleted: bool) -> Option<Vec<RowState>> {
        let (mut all, mut after): (Vec<RowState>, Option<RowName>) = (Vec::new(), None);
        loop {
            let query =
                RowQuery { table: table.into(), after, from: Vec::new(), until: None, deleted, limit: PAGE_ROWS };
            self.command(site, Command::ReadRows { request: REQUEST, query });
            self.settle();
            let (rows, more) = self[site].host().database.take_answer(REQUEST)?;
            after = rows.last().map(|row| row.name.clone());
            all.extend(rows);
            if !more || after.is_none() {
                return Some(all);
            }
        }
    }

    /// The host gives the engine what people changed, as a host does at its start and after each change.
    pub fn give_rows(&mut self, site: SiteId) {
        let outside = self[site].give_rows();
        self.route(site, outside);
    }
}

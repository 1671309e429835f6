//! Devices whose applications keep rows.

use syncline_core::api::{DeleteRule, MergeType, RecordsConfig, RowName, TableConfig, TableKind};

use super::{SiteId, World};

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
        config.records =
            Some(RecordsConfig { tables, max_drift_ms: 100, has_changes: true, is_copy: false, applied: Some(0) });
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

    /// The host gives the engine what people changed, as a host does at its start and after each change.
    pub fn give_rows(&mut self, site: SiteId) {
        let outside = self[site].give_rows();
        self.route(site, outside);
    }
}

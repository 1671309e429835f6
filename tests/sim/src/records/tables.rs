//! The tables of a story: one of each kind.

use syncline_core::api::{DeleteRule, MergeType, RowName, TableConfig, TableKind};

use crate::world::table;

/// A kind of table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Table {
    /// Shared, merged by property; a later change revives.
    Lists,
    /// Shared, merged by property; a deletion wins.
    Tags,
    /// Shared, merged as a whole; a later change revives.
    Notes,
    /// Shared, rows are only added.
    Genres,
    /// Owned.
    Paths,
}

/// What a row of a table merged as a whole has.
const WHOLE: &[&str] = &[""];
/// What other rows have.
const PROPERTIES: &[&str] = &["a", "b", "c"];

impl Table {
    pub const ALL: [Table; 5] = [Table::Lists, Table::Tags, Table::Notes, Table::Genres, Table::Paths];

    /// The one of this number.
    pub fn of(number: u8) -> Table {
        Table::ALL[usize::from(number) % Table::ALL.len()]
    }

    pub fn name(self) -> &'static str {
        match self {
            Table::Lists => "lists",
            Table::Tags => "tags",
            Table::Notes => "notes",
            Table::Genres => "genres",
            Table::Paths => "paths",
        }
    }

    /// The one of this name.
    pub fn named(name: &str) -> Option<Table> {
        Table::ALL.into_iter().find(|table| table.name() == name)
    }

    pub fn config(self) -> TableConfig {
        let plain = table(self.name());
        match self {
            Table::Lists => plain,
            Table::Tags => TableConfig { delete: DeleteRule::DeletionWins, ..plain },
            Table::Notes => TableConfig { merge: MergeType::LwwRow, ..plain },
            Table::Genres => TableConfig { merge: MergeType::GSet, ..plain },
            Table::Paths => TableConfig { kind: TableKind::Owned, ..plain },
        }
    }

    pub fn properties(self) -> &'static [&'static str] {
        if self == Table::Notes { WHOLE } else { PROPERTIES }
    }

    /// The row with this key, which the device with this public key owns where rows are owned.
    pub fn row(self, key: &str, owner: &[u8]) -> RowName {
        let owner = if self == Table::Paths { owner.to_vec() } else { Vec::new() };
        RowName { table: self.name().into(), key: key.into(), owner }
    }
}

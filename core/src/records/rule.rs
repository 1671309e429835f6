//! What a table's configuration makes of a row's state. The state is merged the same way whatever the rule is, so that a table
//! that becomes known later, or another rule, needs no operation again.

use crate::api::{DeleteRule, MergeType, TableConfig, TableKind};

/// A table's rule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rule {
    /// Who may write its rows.
    pub kind: TableKind,
    /// What becomes of concurrent changes.
    pub merge: MergeType,
    /// What becomes of a row that is deleted and changed.
    pub delete: DeleteRule,
}

impl Rule {
    /// The rule of a table. An owned row has one writer, whose latest word counts.
    pub fn of(table: &TableConfig) -> Rule {
        let delete = if table.kind == TableKind::Owned { DeleteRule::UpdateRevives } else { table.delete };
        Rule { kind: table.kind, merge: table.merge, delete }
    }
}

mod apply;
mod capture;
mod damage;
mod schema_changes;
mod store;
mod unique;

use std::collections::BTreeMap;
use std::path::PathBuf;

use rusqlite::Connection;
use syncline_core::api::{
    PropertyValue, ReplicaId, RowChange, RowChangeKind, RowName, RowStamp, RowState, StampedValue, TableConfig,
};
use tempfile::TempDir;

use super::*;

/// A database that an application writes with a connection of its own.
struct Bench {
    folder: TempDir,
    application: Connection,
    database: Database,
}

impl Bench {
    fn new(schema: &str, tables: &[TableConfig]) -> Bench {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let application = Connection::open(&path).unwrap();
        application.execute_batch(schema).unwrap();
        let mut database = Database::open(&path).unwrap();
        database.init(tables).unwrap();
        let bench = Bench { folder, application, database };
        bench.settle();
        bench
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    fn run(&self, sql: &str) {
        self.application.execute_batch(sql).unwrap();
    }

    fn reopen(&mut self) {
        self.database = Database::open(&self.path()).unwrap();
    }

    /// All that was noted, forgotten then.
    fn take(&self) -> Vec<RowChange> {
        let mut all = Vec::new();
        while let Some(page) = self.database.next_changes(1000).unwrap() {
            all.extend(page.changes);
            self.database.forget(page.taken).unwrap();
        }
        all
    }

    /// The same for people: `table key: kind column=value …`.
    fn told(&self) -> Vec<String> {
        self.take().iter().map(tell).collect()
    }

    fn settle(&self) {
        self.take();
        assert_eq!(self.database.noted().unwrap(), 0);
    }

    /// What a query gives, a text for each row.
    fn rows(&self, sql: &str) -> Vec<String> {
        let mut statement = self.application.prepare(sql).unwrap();
        let width = statement.column_count();
        let rows = statement.query_map([], |row| {
            let values = (0..width).map(|index| Value::from(row.get_ref(index).unwrap()).show());
            Ok(values.collect::<Vec<_>>().join("|"))
        });
        rows.unwrap().collect::<Result<_, _>>().unwrap()
    }

    fn apply(&self, rows: &[RowState]) -> Applied {
        self.apply_knowing(rows, rows)
    }

    fn apply_knowing(&self, rows: &[RowState], known: &[RowState]) -> Applied {
        let stamps = |name: &RowName| known.iter().find(|state| state.name == *name).cloned();
        let sequence = self.database.applied().unwrap() + 1;
        self.database.apply(sequence, rows, &Applying { given: 0, me: &[7; 32], stamps: &stamps }).unwrap()
    }
}

fn tell(change: &RowChange) -> String {
    assert!(change.at.is_some());
    let (kind, values) = match &change.change {
        RowChangeKind::Insert { values } => ("insert", values.as_slice()),
        RowChangeKind::Update { values } => ("update", values.as_slice()),
        RowChangeKind::Delete => ("delete", &[][..]),
    };
    let mut text = format!("{} {}: {kind}", change.table, show_key(&change.key));
    for PropertyValue { property, value } in values {
        match property.as_str() {
            "" => text += &format!(" {:?}", value::decode_row(value).unwrap()),
            property => text += &format!(" {property}={}", Value::decode(value).unwrap().show()),
        }
    }
    text
}

fn text(text: &str) -> Value {
    Value::Text(text.into())
}

fn stamp(unix_ns: u64, replica: u8) -> RowStamp {
    RowStamp { unix_ns, replica: ReplicaId::from_bytes([replica; 16]) }
}

/// A row with a text as its key, all of it written at once.
fn row(table: &str, key: &str, at: u64, values: &[(&str, Value)]) -> RowState {
    let sorted: BTreeMap<_, _> = values.iter().map(|(name, value)| (name.to_string(), value.encode())).collect();
    let stamped = |(property, value)| StampedValue { property, value, at: stamp(at, 1) };
    RowState {
        name: RowName { table: table.into(), key: encode_key(&[text(key)]), owner: Vec::new() },
        exists: true,
        values: sorted.into_iter().map(stamped).collect(),
        at: Some(stamp(at, 1)),
    }
}

fn gone(state: &RowState) -> RowState {
    RowState { exists: false, ..state.clone() }
}

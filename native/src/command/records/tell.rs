//! `syncline records status`, `show` and `log`.

use std::path::Path;

use serde_json::{Map, Value, json};
use syncline::Error;
use syncline::records::{self, LoggedOperation, RowShown, ValueShown};
use syncline::sqlite::Value as Cell;

use super::super::output::{Output, time_or_never};
use super::super::{DONE, WAITING};

pub(super) fn status(output: &Output, path: &Path) -> Result<u8, Error> {
    let report = records::status(path)?;
    let own = report.replica.map_or("none yet".into(), |replica| replica.to_string());
    output.text(&format!("{}: tables {}, this device {own}", path.display(), report.tables.join(", ")));
    for member in &report.members {
        let state = match member {
            member if member.removed => "removed",
            _ if Some(member.replica) == report.replica => "self",
            member if member.stale => "stale",
            _ => "current",
        };
        output.value(&json!({
            "type": "member",
            "id": member.replica.to_string(),
            "name": member.name,
            "state": state,
            "counter": member.counter,
            "last_seen_ms": member.last_seen.0,
            "last_synchronized_ms": member.last_synchronized.0,
        }));
        let [seen, synchronized] = [member.last_seen, member.last_synchronized].map(time_or_never);
        output.text(&format!(
            "{}  {}  {state}, {} messages, seen {seen}, had everything {synchronized}",
            member.replica, member.name, member.counter
        ));
    }
    for (table, key, why) in &report.aside {
        output.value(&json!({ "type": "aside", "table": table, "key": key, "reason": why }));
        output.text(&format!("{table} {key}: not in its table: {why}"));
    }
    output.value(&json!({
        "type": "summary",
        "tables": report.tables,
        "members": report.members.len(),
        "pending": report.pending,
        "held": report.held,
        "skew": report.held > 0,
        "aside": report.aside.len(),
    }));
    output.text(&format!("{} changes to be sent, {} held for a later time", report.pending, report.held));
    if report.held > 0 {
        output.text(
            "operations are stamped ahead of this device's clock: a clock is wrong, here or where they were made",
        );
    }
    Ok(if report.held > 0 || !report.aside.is_empty() { WAITING } else { DONE })
}

pub(super) fn show(output: &Output, path: &Path, table: &str, key: Option<&str>) -> Result<u8, Error> {
    records::show(path, table, key, |row| {
        output.value(&row_json(&row));
        output.text(&format!("{} {}", row.name.table, row.key));
        for ValueShown { column, value, stamp } in &row.values {
            let value = value.as_ref().map_or_else(|| "?".into(), Cell::show);
            output.text(&format!("  {column} = {value}  {}", stamp.as_deref().unwrap_or("(to be sent)")));
        }
    })?;
    Ok(DONE)
}

fn row_json(row: &RowShown) -> Value {
    let mut values = Map::new();
    for ValueShown { column, value, stamp } in &row.values {
        let author = stamp.as_deref().and_then(|stamp| Some(stamp.split_once('/')?.1));
        let value = value.as_ref().map(cell_json);
        values.insert(column.clone(), json!({ "value": value, "uhlc_timestamp": stamp, "author": author }));
    }
    json!({ "type": "row", "table": row.name.table, "key": row.key, "values": values })
}

pub(super) fn log(output: &Output, path: &Path, table: Option<&str>) -> Result<u8, Error> {
    records::log(path, table, |operation| {
        output.value(&operation_json(&operation));
        let cell = |text: &Option<String>| text.clone().unwrap_or_else(|| "NULL".into());
        let value = operation.value.as_ref().map(Cell::show);
        output.text(&format!(
            "{} | {} | {:?} | {} | {} | {} | {}",
            operation.client_uuid.map_or("pending".into(), |client| client.to_string()),
            cell(&operation.uhlc_timestamp),
            operation.method,
            operation.resource_type,
            cell(&operation.resource_uuid),
            cell(&operation.resource_property),
            cell(&value),
        ));
    })?;
    Ok(DONE)
}

fn operation_json(operation: &LoggedOperation) -> Value {
    json!({
        "type": "operation",
        "client_uuid": operation.client_uuid.map(|client| client.to_string()),
        "uhlc_timestamp": operation.uhlc_timestamp,
        "method": format!("{:?}", operation.method),
        "resource_type": operation.resource_type,
        "resource_uuid": operation.resource_uuid,
        "resource_property": operation.resource_property,
        "value": operation.value.as_ref().map(cell_json),
    })
}

/// A value as JSON has it; bytes as an object with their hexadecimal digits.
fn cell_json(cell: &Cell) -> Value {
    match cell {
        Cell::Null => Value::Null,
        Cell::Integer(number) => json!(number),
        Cell::Real(number) => json!(number),
        Cell::Text(text) => json!(text),
        Cell::Blob(_) | Cell::OddText(_) => json!({ "blob": cell.show() }),
    }
}

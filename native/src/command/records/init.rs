//! `syncline records init` and `deinit`.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::json;
use syncline::Error;
use syncline::sqlite::{Changes, Database, owned, parse_tables, set, shared};

use super::super::DONE;
use super::super::output::Output;

/// Which tables were asked for.
pub(super) struct Wanted<'a> {
    pub(super) shared: &'a [String],
    pub(super) owned: &'a [String],
    pub(super) set: &'a [String],
    pub(super) config: Option<&'a Path>,
}

pub(super) fn init(output: &Output, path: &Path, wanted: &Wanted<'_>) -> Result<u8, Error> {
    let mut tables: BTreeMap<String, _> = BTreeMap::new();
    if let Some(file) = wanted.config {
        let text = std::fs::read_to_string(file).map_err(|e| Error::io("read", file, e))?;
        tables.extend(parse_tables(&text)?.into_iter().map(|table| (table.name.clone(), table)));
    }
    tables.extend(wanted.shared.iter().map(|name| (name.clone(), shared(name))));
    tables.extend(wanted.owned.iter().map(|name| (name.clone(), owned(name))));
    tables.extend(wanted.set.iter().map(|name| (name.clone(), set(name))));
    let mut database = Database::open(path)?;
    if tables.is_empty() && !database.is_initialized()? {
        return Err(Error::UnpreparedDatabase { path: path.to_path_buf() });
    }
    let tables: Vec<_> = tables.into_values().collect();
    let changes = database.init(&tables)?;
    tell(output, path, &changes, "the database is prepared as asked already; nothing was changed");
    Ok(DONE)
}

pub(super) fn deinit(output: &Output, path: &Path) -> Result<u8, Error> {
    let mut database = Database::open(path)?;
    let changes = database.deinit()?;
    tell(output, path, &changes, "there is nothing of Syncline in the database; nothing was changed");
    Ok(DONE)
}

fn tell(output: &Output, path: &Path, changes: &Changes, nothing: &str) {
    output.value(&json!({
        "type": "prepared",
        "path": path.to_string_lossy(),
        "made": changes.made,
        "removed": changes.removed,
        "altered": changes.altered,
        "captured": changes.captured,
        "keyless": changes.keyless,
        "rebuilt": changes.rebuilt,
        "missing": changes.missing,
    }));
    if changes.is_none() {
        output.text(nothing);
    }
    for (names, what) in [
        (&changes.made, "made"),
        (&changes.removed, "removed"),
        (&changes.altered, "kept otherwise than before:"),
        (&changes.rebuilt, "built anew by the application, all rows are sent again:"),
        (&changes.missing, "not there any more:"),
    ] {
        for name in names {
            output.text(&format!("{what} {name}"));
        }
    }
    for (table, rows) in &changes.captured {
        output.text(&format!("{table}: {rows} rows will be sent"));
    }
    for (table, rows) in &changes.keyless {
        output.text(&format!(
            "{table}: {rows} rows with NULL in their key are left out; no other device could name them"
        ));
    }
}

//! Where a database's file lies, by which a copy of it is known.
//!
//! A copy holds the key and the numbers of the device that it was made from. If both went on with them they would give one
//! number to two messages, and others would take only one of these. So what may be a copy goes on under a new id: a file that
//! is another one than when it was last used. One that was renamed is the same file, and one that was written over from a
//! backup, which this does not tell apart, is known by what others hold of it.

use std::os::unix::fs::MetadataExt;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::Error;
use crate::sqlite::Database;

/// A file.
#[derive(PartialEq, Eq, Serialize, Deserialize)]
struct Place {
    device: u64,
    file: u64,
}

/// Whether a database's file is not the one that was last noted. Where none was, it is noted.
pub(super) fn is_copy(database: &Database) -> Result<bool, Error> {
    let Some(noted) = database.place()? else { return note(database).map(|()| false) };
    Ok(noted != found(database.path())?)
}

/// Notes that a database's file speaks for its device.
pub(super) fn note(database: &Database) -> Result<(), Error> {
    database.write_place(&found(database.path())?)
}

fn found(path: &Path) -> Result<String, Error> {
    let stat = std::fs::metadata(path).map_err(|e| Error::io("look at", path, e))?;
    let place = Place { device: stat.dev(), file: stat.ino() };
    serde_json::to_string(&place).map_err(|e| Error::Failed { what: e.to_string() })
}

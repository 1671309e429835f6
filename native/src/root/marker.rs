//! The marker: while it is there, the folder is the one that was kept in sync.

use std::fs::{self, File};
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;

use serde::{Deserialize, Serialize};
use syncline_core::api::{GroupId, RootId};

use crate::Error;
use crate::store::FORMAT;

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Marker {
    /// The format of all that lies beside it.
    pub(crate) format: u32,
    /// The group.
    pub(crate) group: GroupId,
    /// The root.
    pub(crate) root: RootId,
}

impl Marker {
    /// The marker of a new replica.
    pub(crate) fn new(group: GroupId, root: RootId) -> Self {
        Self { format: FORMAT, group, root }
    }

    /// Reads a marker, if it is there.
    ///
    /// # Errors
    /// It cannot be read, is of a newer format, or is no marker.
    pub(crate) fn read(path: &Path) -> Result<Option<Marker>, Error> {
        #[derive(Deserialize)]
        struct Format {
            format: u32,
        }
        let text = match fs::read_to_string(path) {
            Ok(text) => text,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(e) => return Err(Error::io("read the marker", path, e)),
        };
        let damaged = |e: serde_json::Error| Error::Damaged { path: path.to_path_buf(), detail: e.to_string() };
        let Format { format } = serde_json::from_str(&text).map_err(damaged)?;
        if format > FORMAT {
            return Err(Error::NewerFormat { path: path.to_path_buf(), found: format, known: FORMAT });
        }
        serde_json::from_str(&text).map(Some).map_err(damaged)
    }

    /// Writes the marker; it is there whole, and on disk, when this returns.
    ///
    /// # Errors
    /// The disk refused.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Error> {
        let draft = path.with_extension("new");
        let text =
            serde_json::to_string(self).map_err(|e| Error::Failed { what: format!("cannot write a marker: {e}") })?;
        let written = fs::OpenOptions::new()
            .write(true)
            .create(true)
            .truncate(true)
            .mode(0o600)
            .open(&draft)
            .and_then(|mut file| writeln!(file, "{text}").and_then(|()| file.sync_all()))
            .and_then(|()| fs::rename(&draft, path))
            .and_then(|()| path.parent().map_or(Ok(()), |folder| File::open(folder)?.sync_all()));
        written.map_err(|e| Error::io("write the marker", path, e))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markers_come_back_and_newer_ones_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("marker");
        assert_eq!(Marker::read(&path).unwrap(), None);
        let marker = Marker::new(GroupId::from_bytes([1; 16]), RootId::from_bytes([2; 16]));
        marker.write(&path).unwrap();
        assert_eq!(Marker::read(&path).unwrap(), Some(marker));
        fs::write(&path, r#"{"format":2,"new":"fields"}"#).unwrap();
        assert!(matches!(Marker::read(&path), Err(Error::NewerFormat { found: 2, .. })));
        fs::write(&path, "nonsense").unwrap();
        assert!(matches!(Marker::read(&path), Err(Error::Damaged { .. })));
    }
}

//! The files that devices wrote into a message folder, each as it was written first.

use std::collections::BTreeMap;

use syncline_core::api::{FolderFile, FolderResult, Hash};

use super::{Invariant, Violation, broken};
use crate::digest;

/// All files of a message folder that any device ever created.
#[derive(Default)]
pub(super) struct Posts {
    created: BTreeMap<String, Hash>,
}

impl Posts {
    /// A device created files: none of these names had other bytes before.
    pub fn created(&mut self, site: usize, files: &[FolderFile], results: &[FolderResult]) -> Result<(), Violation> {
        let done = files.iter().zip(results).filter(|(_, result)| **result == FolderResult::Done);
        for (file, _) in done {
            let hash = digest::chunk(&file.bytes);
            if *self.created.entry(file.path.clone()).or_insert(hash) != hash {
                let text = format!("device {site} created `{}` with other bytes than it had before", file.path);
                return broken(Invariant::Idempotency, text);
            }
        }
        Ok(())
    }

    /// These bytes were created under this name.
    pub fn was_created(&self, path: &str, bytes: &[u8]) -> bool {
        self.created.get(path).is_some_and(|hash| *hash == digest::chunk(bytes))
    }

    /// Nobody has or will ever see this file again.
    pub fn forget(&mut self, path: &str) {
        self.created.remove(path);
    }

    /// The names of all files that were created.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.created.keys().map(String::as_str)
    }
}

//! What a replica keeps: the engine's pairs and the host's own few facts, in one redb file.
//!
//! redb writes every commit to disk before it returns and opens at the last whole one after a crash.

mod facts;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::backends::InMemoryBackend;
use redb::{Builder, Database, ReadableDatabase, StorageBackend, TableDefinition};
use syncline_core::api::{Key, LoadQuery, Pair, Write};

pub use facts::{Facts, Partner};

use crate::Error;

/// The newest format of the state that this host writes and reads.
pub const FORMAT: u32 = 1;

const ENGINE: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("engine");
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// The store of one replica.
pub struct Store {
    database: Database,
    path: PathBuf,
}

impl Store {
    /// Makes a new store.
    ///
    /// # Errors
    /// The file cannot be written, or there is something else.
    pub fn create(path: &Path, facts: &Facts) -> Result<Store, Error> {
        let store = Self::guarded("create", path, || Self::builder().create(path))?;
        store.initialize(facts)?;
        Ok(store)
    }

    /// Makes a new store that lives in memory only.
    ///
    /// # Errors
    /// None that is expected.
    pub fn in_memory(facts: &Facts) -> Result<Store, Error> {
        let path = Path::new("(memory)");
        let store = Self::guarded("create", path, || Self::builder().create_with_backend(InMemoryBackend::new()))?;
        store.initialize(facts)?;
        Ok(store)
    }

    /// Opens a store that is there.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn open(path: &Path) -> Result<Store, Error> {
        Self::guarded("open", path, || Self::builder().open(path))
    }

    /// Opens a copy of a store in memory; the file is only read.
    ///
    /// # Errors
    /// The file cannot be read or is damaged.
    pub fn open_copy(path: &Path) -> Result<Store, Error> {
        let bytes = std::fs::read(path).map_err(|e| Error::io("read", path, e))?;
        Self::guarded("open", path, || {
            let backend = InMemoryBackend::new();
            backend.set_len(bytes.len() as u64)?;
            backend.write(0, &bytes)?;
            Self::builder().create_with_backend(backend)
        })
    }

    /// Writes a batch, all or nothing; it is on disk when this returns.
    ///
    /// # Errors
    /// The disk refused; nothing of the batch is kept.
    pub fn save(&self, writes: &[Write]) -> Result<(), Error> {
        let fail = |e: redb::Error| self.error("write to", e);
        let transaction = self.database.begin_write().map_err(|e| fail(e.into()))?;
        {
            let mut table = transaction.open_table(ENGINE).map_err(|e| fail(e.into()))?;
            for write in writes {
                match &write.value {
                    Some(value) => table.insert(write.key.as_slice(), value.as_slice()),
                    None => table.remove(write.key.as_slice()),
                }
                .map_err(|e| fail(e.into()))?;
            }
        }
        transaction.commit().map_err(|e| fail(e.into()))
    }

    /// Reads pairs, and whether the range has more behind them.
    ///
    /// # Errors
    /// The disk refused, or the store is damaged.
    pub fn load(&self, query: &LoadQuery) -> Result<(Vec<Pair>, bool), Error> {
        match query {
            LoadQuery::Range { start, end, bytes_max } => self.range(start, end, *bytes_max),
            LoadQuery::Keys { keys } => self.keys(keys).map(|pairs| (pairs, false)),
        }
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn range(&self, start: &[u8], end: &[u8], bytes_max: u32) -> Result<(Vec<Pair>, bool), Error> {
        let fail = |e: redb::Error| self.error("read from", e);
        let mut pairs = Vec::new();
        if start >= end {
            return Ok((pairs, false));
        }
        let transaction = self.database.begin_read().map_err(|e| fail(e.into()))?;
        let table = transaction.open_table(ENGINE).map_err(|e| fail(e.into()))?;
        let mut bytes = 0usize;
        for pair in table.range(start..end).map_err(|e| fail(e.into()))? {
            if bytes > bytes_max as usize {
                return Ok((pairs, true));
            }
            let (key, value) = pair.map_err(|e| fail(e.into()))?;
            let pair = Pair { key: key.value().to_vec(), value: value.value().to_vec() };
            bytes = bytes.saturating_add(pair.key.len()).saturating_add(pair.value.len());
            pairs.push(pair);
        }
        Ok((pairs, false))
    }

    fn keys(&self, keys: &[Key]) -> Result<Vec<Pair>, Error> {
        let fail = |e: redb::Error| self.error("read from", e);
        let transaction = self.database.begin_read().map_err(|e| fail(e.into()))?;
        let table = transaction.open_table(ENGINE).map_err(|e| fail(e.into()))?;
        let mut pairs = Vec::with_capacity(keys.len());
        for key in keys {
            if let Some(value) = table.get(key.bytes.as_slice()).map_err(|e| fail(e.into()))? {
                pairs.push(Pair { key: key.bytes.clone(), value: value.value().to_vec() });
            }
        }
        Ok(pairs)
    }

    fn initialize(&self, facts: &Facts) -> Result<(), Error> {
        let fail = |e: redb::Error| self.error("write to", e);
        let transaction = self.database.begin_write().map_err(|e| fail(e.into()))?;
        transaction.open_table(ENGINE).map_err(|e| fail(e.into()))?;
        facts::write(&transaction, facts).map_err(fail)?;
        transaction.commit().map_err(|e| fail(e.into()))
    }

    fn builder() -> Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(CACHE_BYTES);
        builder
    }

    /// Opens a database; redb may panic on a file that something else wrote into, which is told as damage.
    fn guarded(
        action: &'static str,
        path: &Path,
        open: impl FnOnce() -> Result<Database, redb::DatabaseError>,
    ) -> Result<Store, Error> {
        match catch_unwind(AssertUnwindSafe(open)) {
            Ok(Ok(database)) => Ok(Store { database, path: path.to_path_buf() }),
            Ok(Err(redb::DatabaseError::Storage(redb::StorageError::Corrupted(detail)))) => {
                Err(Error::Damaged { path: path.to_path_buf(), detail })
            }
            Ok(Err(error)) => Err(Error::Store { action, path: path.to_path_buf(), detail: error.to_string() }),
            Err(_) => {
                Err(Error::Damaged { path: path.to_path_buf(), detail: "what the file holds is no store".into() })
            }
        }
    }

    fn error(&self, action: &'static str, error: redb::Error) -> Error {
        match error {
            redb::Error::Corrupted(detail) => Error::Damaged { path: self.path.clone(), detail },
            error => Error::Store { action, path: self.path.clone(), detail: error.to_string() },
        }
    }
}

#[cfg(test)]
mod tests;

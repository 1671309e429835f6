//! Which databases are brought together, and that they may be.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use syncline_core::Engine;
use syncline_core::api::{
    CompactionConfig, Config, FolderConfig, FolderId, FolderIndexing, GroupConfig, GroupId, RecordsConfig, Seed,
};
use syncline_core::crypto::Identity;
use syncline_core::folder::Info;
use uuid::Uuid;

use super::place;
use crate::Error;
use crate::folder::SharedFolder;
use crate::root::{Lock, random};
use crate::sqlite::{Database, Facts};

/// The message folder's name in the engine's configuration.
pub(super) const FOLDER: FolderId = FolderId(1);
/// How often the folder is looked through where no watcher says anything.
const POLL_MS: u32 = 5_000;
/// How far ahead a stamp may be.
const MAX_DRIFT_MS: u32 = 100;
const DEVICE_NAME_BYTES_MAX: usize = 256;

/// Databases that are to be brought together, open and locked.
pub struct Databases {
    pub(super) sides: Vec<Side>,
    pub(super) folder: Option<(Arc<SharedFolder>, bool)>,
    pub(super) _scratch: Option<Scratch>,
}

/// A directory that goes with its owner.
pub(super) struct Scratch(PathBuf);

impl Drop for Scratch {
    fn drop(&mut self) {
        // What cannot be removed lies where systems clear up by themselves.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// One database.
pub struct Side {
    pub(super) database: Database,
    pub(super) facts: Facts,
    pub(super) group: GroupConfig,
    /// As it was given.
    pub(super) given: PathBuf,
    /// Its file may be a copy of one that still speaks for its device.
    pub(super) is_copy: bool,
    pub(super) _lock: Option<Lock>,
}

impl Databases {
    /// Opens two databases of one machine. The second one may be empty or not there: it gets the first one's tables.
    ///
    /// # Errors
    /// One is missing or cannot be used, nothing is kept in agreement in it, they are of two groups, or in use.
    pub fn pair(first: &Path, second: &Path) -> Result<Databases, Error> {
        let lock = lock(first)?;
        let a = prepared(first)?;
        if same(first, second) {
            return Err(Error::SameDatabase { path: first.to_path_buf() });
        }
        let other_lock = self::lock(second)?;
        let b = match Database::open(second) {
            Ok(b) if b.is_initialized()? => b,
            Ok(_) | Err(Error::MissingDatabase { .. }) => Database::create_like(second, &a)?,
            Err(error) => return Err(error),
        };
        let (mut a_facts, mut b_facts) = (facts(&a)?, facts(&b)?);
        let group = match (a_facts.group, b_facts.group) {
            (Some((a_group, _)), Some((b_group, _))) if a_group != b_group => {
                return Err(Error::OtherGroup {
                    first: first.to_path_buf(),
                    first_group: a_group,
                    second: second.to_path_buf(),
                    second_group: b_group,
                });
            }
            (Some(group), _) | (_, Some(group)) => group,
            (None, None) => (GroupId::from_bytes(*Uuid::new_v4().as_bytes()), random()?),
        };
        join(&a, &mut a_facts, group)?;
        join(&b, &mut b_facts, group)?;
        let side = |database: Database, facts, given: &Path, lock| -> Result<Side, Error> {
            let is_copy = place::is_copy(&database)?;
            Ok(Side {
                database,
                facts,
                group: config_of(group),
                given: given.to_path_buf(),
                is_copy,
                _lock: Some(lock),
            })
        };
        Ok(Databases {
            sides: vec![side(a, a_facts, first, lock)?, side(b, b_facts, second, other_lock)?],
            folder: None,
            _scratch: None,
        })
    }

    /// Copies of two databases, which are thrown away with the result: what becomes of them is what would become of those.
    ///
    /// # Errors
    /// As of [`pair`](Databases::pair), or there is no room for copies.
    pub fn copies(first: &Path, second: &Path) -> Result<Databases, Error> {
        if same(first, second) {
            return Err(Error::SameDatabase { path: first.to_path_buf() });
        }
        let scratch = Scratch(scratch()?);
        let copies = [scratch.0.join("first"), scratch.0.join("second")];
        prepared(first)?.copy_to(&copies[0])?;
        if second.exists() {
            Database::open(second)?.copy_to(&copies[1])?;
        }
        let mut databases = Databases::pair(&copies[0], &copies[1])?;
        for (side, given) in databases.sides.iter_mut().zip([first, second]) {
            (side.given, side.is_copy) = (given.to_path_buf(), false);
        }
        databases._scratch = Some(scratch);
        Ok(databases)
    }

    /// Opens a database and a message folder. A folder without a session gets one.
    ///
    /// # Errors
    /// One of them is missing or cannot be used, or the database is of another group than the folder's session.
    pub fn via(path: &Path, folder: &Path, key: Option<[u8; 32]>) -> Result<Databases, Error> {
        let lock = lock(path)?;
        let database = prepared(path)?;
        if !folder.exists() {
            let reason = "a message folder must be there, where something carries it".to_string();
            return Err(Error::MissingFolder { path: folder.to_path_buf(), reason });
        }
        let shared = Arc::new(SharedFolder::open(folder)?);
        let mut facts = facts(&database)?;
        // A group that has a secret key keeps it in a folder, too.
        let is_secret = |(id, own): &(GroupId, [u8; 32])| Info::open(*id).group(None).is_ok_and(|open| open.key != own);
        let key = key.or(facts.group.filter(is_secret).map(|(_, own)| own));
        let info = session(&shared, folder, key, facts.group)?;
        let unusable = |error| Error::UnusableSession { path: folder.to_path_buf(), error };
        let group = info.group(key.as_ref().map(|key| key.as_slice())).map_err(unusable)?;
        let group_key: [u8; 32] = group.key.as_slice().try_into().unwrap_or_default();
        if let Some((own, own_key)) = facts.group
            && (own != group.id || own_key != group_key)
        {
            return Err(Error::OtherGroup {
                first: path.to_path_buf(),
                first_group: own,
                second: folder.to_path_buf(),
                second_group: group.id,
            });
        }
        join(&database, &mut facts, (group.id, group_key))?;
        let is_sealed = info.key_check.is_some();
        let is_copy = place::is_copy(&database)?;
        let side = Side { database, facts, group, given: path.to_path_buf(), is_copy, _lock: Some(lock) };
        Ok(Databases { sides: vec![side], folder: Some((shared, is_sealed)), _scratch: None })
    }
}

impl Side {
    /// An engine for it.
    pub(super) fn engine(&self, sealed: Option<bool>) -> Result<Engine, Error> {
        let folder = |sealed| FolderConfig { id: FOLDER, sealed, indexing: FolderIndexing::Listing, poll_ms: POLL_MS };
        let config = Config {
            group: self.group.clone(),
            identity: self.facts.identity.to_vec(),
            name: self.facts.name.clone(),
            roots: Vec::new(),
            folders: sealed.into_iter().map(folder).collect(),
            delivery: None,
            records: Some(records_of(&self.database, self.is_copy)?),
            compaction: CompactionConfig::default(),
            debounce_ms: 0,
            dry_run: false,
        };
        Engine::new(config, Seed { bytes: random()?.to_vec() })
            .map_err(|e| Error::Damaged { path: self.given.clone(), detail: e.to_string() })
    }

    /// The device's public key.
    pub(super) fn public_key(&self) -> Result<[u8; 32], Error> {
        let identity = Identity::from_secret(&self.facts.identity);
        let identity = identity.map_err(|e| Error::Damaged { path: self.given.clone(), detail: e.to_string() })?;
        Ok(*identity.public_key().as_bytes())
    }
}

/// What the engine is to know of a database's tables.
pub(super) fn records_of(database: &Database, is_copy: bool) -> Result<RecordsConfig, Error> {
    Ok(RecordsConfig {
        tables: database.tables().iter().map(|tracked| tracked.config.clone()).collect(),
        max_drift_ms: MAX_DRIFT_MS,
        has_changes: true,
        is_copy,
        applied: Some(database.applied()?),
        // The store is a part of the database.
        taken: 0,
    })
}

/// A database in which tables are kept in agreement.
pub(super) fn prepared(path: &Path) -> Result<Database, Error> {
    let database = Database::open(path)?;
    if !database.is_initialized()? {
        return Err(Error::UnpreparedDatabase { path: path.to_path_buf() });
    }
    Ok(database)
}

pub(super) fn config_of((id, key): (GroupId, [u8; 32])) -> GroupConfig {
    GroupConfig { id, key: key.to_vec(), founder: None }
}

/// Who the replica is; a new one where there is none.
fn facts(database: &Database) -> Result<Facts, Error> {
    if let Some(facts) = database.facts()? {
        return Ok(facts);
    }
    let mut name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    while name.len() > DEVICE_NAME_BYTES_MAX {
        name.pop();
    }
    let facts = Facts { identity: random()?, name, group: None };
    database.write_facts(&facts)?;
    place::note(database)?;
    Ok(facts)
}

fn join(database: &Database, facts: &mut Facts, group: (GroupId, [u8; 32])) -> Result<(), Error> {
    if facts.group.is_none() {
        facts.group = Some(group);
        database.write_facts(facts)?;
    }
    Ok(())
}

/// The session that a folder holds; where there is none, a new one of the database's group.
fn session(
    shared: &SharedFolder,
    folder: &Path,
    key: Option<[u8; 32]>,
    own: Option<(GroupId, [u8; 32])>,
) -> Result<Info, Error> {
    let mut infos = shared.infos()?;
    if infos.is_empty() {
        let id = own.map_or_else(|| GroupId::from_bytes(*Uuid::new_v4().as_bytes()), |(id, _)| id);
        shared.create_session(&key.map_or_else(|| Info::open(id), |key| Info::sealed(id, &key)))?;
        infos = shared.infos()?;
    }
    Info::choose(infos).map_err(|error| Error::UnusableSession { path: folder.to_path_buf(), error })
}

/// One process for each database: its engine speaks for one device.
fn lock(path: &Path) -> Result<Lock, Error> {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(".syncline-lock");
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if !parent.is_dir() {
        return Err(Error::MissingDatabase { path: path.to_path_buf() });
    }
    Lock::take(path, &parent.join(name))
}

/// A new private directory among the system's temporary files.
fn scratch() -> Result<PathBuf, Error> {
    let path = std::env::temp_dir().join(format!("syncline-{}", Uuid::new_v4()));
    let made = std::os::unix::fs::DirBuilderExt::mode(&mut std::fs::DirBuilder::new(), 0o700).create(&path);
    made.map_err(|e| Error::io("create", &path, e))?;
    Ok(path)
}

fn same(a: &Path, b: &Path) -> bool {
    matches!((a.canonicalize(), b.canonicalize()), (Ok(a), Ok(b)) if a == b)
}

//! Roots: folders that are kept in sync, with Syncline's own files in them.

mod location;
mod lock;
mod marker;

use std::fs::{self, DirBuilder, OpenOptions, Permissions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fd::OwnedFd;
use rustix::fs::CWD;
use syncline_core::api::{GroupId, Membership, RootId};
use uuid::Uuid;

pub(crate) use location::{Found, Location};
pub(crate) use lock::Lock;
use marker::Marker;

use crate::Error;
use crate::disk::{Disk, MARKER, open_directory};
use crate::store::{Facts, Store};

const STORE: &str = "store.redb";
const STAGING: &str = "staging";
const HISTORY: &str = "history";
const LOCK: &str = "lock";
const NAME_BYTES_MAX: usize = 256;

/// A folder in use: locked, with its store open.
pub(crate) struct Root {
    /// As it was given.
    pub(crate) given: PathBuf,
    /// Its canonical path.
    pub(crate) canonical: PathBuf,
    /// What the engine keeps.
    pub(crate) store: Store,
    /// Who the replica is.
    pub(crate) facts: Facts,
    /// The folder's disk.
    pub(crate) disk: Arc<Disk>,
    /// Held as long as the folder is in use.
    pub(crate) lock: Option<Lock>,
}

/// The group and root that a new replica becomes part of.
pub(crate) struct Allegiance {
    pub(crate) group: GroupId,
    pub(crate) group_key: [u8; 32],
    pub(crate) root: RootId,
}

impl Allegiance {
    /// A new group with a new root.
    ///
    /// # Errors
    /// The system gives no random bytes.
    pub(crate) fn found() -> Result<Self, Error> {
        Ok(Self {
            group: GroupId::from_bytes(*Uuid::new_v4().as_bytes()),
            group_key: random()?,
            root: RootId::from_bytes(*Uuid::new_v4().as_bytes()),
        })
    }

    /// The group and root of a replica.
    pub(crate) fn of(facts: &Facts) -> Self {
        Self { group: facts.group, group_key: facts.group_key, root: facts.root }
    }
}

/// A replica's state, opened; the folder may turn out to be a copy of another.
pub(crate) struct Opened {
    pub(crate) root: Root,
    /// The folder was copied with its state: it must become a replica of its own.
    pub(crate) copied: bool,
}

impl Root {
    /// Opens a replica. In a dry run nothing is written.
    ///
    /// # Errors
    /// Another process has it, or its state cannot be read.
    pub(crate) fn open(location: &Location, dry: bool) -> Result<Opened, Error> {
        let own = location.own();
        let lock = if dry {
            Lock::take_unnoted(&location.given, &own.join(LOCK))?
        } else {
            Some(Lock::take(&location.given, &own.join(LOCK))?)
        };
        let path = own.join(STORE);
        let store = if dry { Store::open_copy(&path)? } else { Store::open(&path)? };
        let facts = store.facts()?;
        let place = inode(&own)?;
        let copied = facts.place != place && facts.path != location.canonical;
        if !copied && !dry {
            make_own_folders(&own)?;
            store.note_place(place, &location.canonical)?;
        }
        let disk = Arc::new(if dry { dry_disk(location)? } else { real_disk(location)? });
        let root =
            Root { given: location.given.clone(), canonical: location.canonical.clone(), store, facts, disk, lock };
        Ok(Opened { root, copied })
    }

    /// Makes a folder a replica; makes the folder first, if need be. The marker comes last: a folder without it is
    /// begun anew.
    ///
    /// # Errors
    /// The disk refused, or another process does the same.
    pub(crate) fn create(location: &Location, allegiance: Allegiance, membership: Membership) -> Result<Root, Error> {
        let own = location.own();
        if !location.exists() {
            fs::create_dir(&location.canonical).map_err(|e| Error::io("create", &location.given, e))?;
        }
        make_folder(&own)?;
        let lock = Lock::take(&location.given, &own.join(LOCK))?;
        make_own_folders(&own)?;
        remove_file(&own.join(MARKER))?;
        let path = own.join(STORE);
        set_aside(&path)?;
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        made.map_err(|e| Error::io("create", &path, e))?;
        let facts = facts(location, allegiance, membership, inode(&own)?)?;
        let store = Store::create(&path, &facts)?;
        Marker::new(facts.group, facts.root).write(&own.join(MARKER))?;
        Ok(Root {
            given: location.given.clone(),
            canonical: location.canonical.clone(),
            store,
            facts,
            disk: Arc::new(real_disk(location)?),
            lock: Some(lock),
        })
    }

    /// What [`create`](Self::create) would make, in memory.
    ///
    /// # Errors
    /// The folder cannot be read.
    pub(crate) fn imagine(location: &Location, allegiance: Allegiance, membership: Membership) -> Result<Root, Error> {
        let facts = facts(location, allegiance, membership, 0)?;
        Ok(Root {
            given: location.given.clone(),
            canonical: location.canonical.clone(),
            store: Store::in_memory(&facts)?,
            facts,
            disk: Arc::new(dry_disk(location)?),
            lock: None,
        })
    }
}

/// 32 random bytes.
///
/// # Errors
/// The system gives none.
pub(crate) fn random() -> Result<[u8; 32], Error> {
    let mut bytes = [0; 32];
    match getrandom::fill(&mut bytes) {
        Ok(()) => Ok(bytes),
        Err(e) => Err(Error::Failed { what: format!("cannot get random bytes from the system: {e}") }),
    }
}

fn facts(location: &Location, allegiance: Allegiance, membership: Membership, place: u64) -> Result<Facts, Error> {
    let folder = location.canonical.file_name().unwrap_or_default().to_string_lossy();
    let device = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut name = format!("{device}:{folder}");
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    Ok(Facts {
        group: allegiance.group,
        group_key: allegiance.group_key,
        identity: random()?,
        root: allegiance.root,
        membership,
        name,
        place,
        path: location.canonical.clone(),
    })
}

fn real_disk(location: &Location) -> Result<Disk, Error> {
    let own = location.own();
    Ok(Disk::new(open(&location.canonical)?, open(&own)?, open(&own.join(STAGING))?, open(&own.join(HISTORY))?))
}

fn dry_disk(location: &Location) -> Result<Disk, Error> {
    if !location.exists() {
        return Ok(Disk::absent());
    }
    let own = fs::symlink_metadata(location.own()).is_ok().then(|| open(&location.own())).transpose()?;
    Ok(Disk::dry(open(&location.canonical)?, own))
}

fn open(path: &Path) -> Result<OwnedFd, Error> {
    open_directory(CWD, path).map_err(|e| Error::io("open", path, e))
}

fn make_own_folders(own: &Path) -> Result<(), Error> {
    make_folder(&own.join(STAGING))?;
    make_folder(&own.join(HISTORY))
}

fn make_folder(path: &Path) -> Result<(), Error> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            let metadata = fs::symlink_metadata(path).map_err(|e| Error::io("look at", path, e))?;
            if !metadata.is_dir() {
                return Err(Error::NotAFolder { path: path.to_path_buf() });
            }
            if metadata.mode() & 0o777 != 0o700 {
                fs::set_permissions(path, Permissions::from_mode(0o700)).map_err(|e| Error::io("protect", path, e))?;
            }
        }
        Err(e) => return Err(Error::io("create", path, e)),
    }
    Ok(())
}

/// A store without a marker belongs to a replica that is no more; it is kept once, in case somebody wants to look.
fn set_aside(store: &Path) -> Result<(), Error> {
    match fs::rename(store, store.with_extension("redb.old")) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("set aside", store, e)),
        _ => Ok(()),
    }
}

fn remove_file(path: &Path) -> Result<(), Error> {
    match fs::remove_file(path) {
        Err(e) if e.kind() != ErrorKind::NotFound => Err(Error::io("remove", path, e)),
        _ => Ok(()),
    }
}

fn inode(own: &Path) -> Result<u64, Error> {
    fs::symlink_metadata(own).map(|metadata| metadata.ino()).map_err(|e| Error::io("look at", own, e))
}

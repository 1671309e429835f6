//! What a device keeps of its part in a message folder, never in the folder itself: who it is, what it holds, what its
//! application has taken.

use std::env;
use std::fs::{self, DirBuilder};
use std::io::ErrorKind;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use syncline_core::api::{GroupConfig, Membership, RootId, Write};
use syncline_core::folder::Info;

use super::former::Former;
use crate::Error;
use crate::root::{Lock, random};
use crate::store::{Facts, Store};

const STORE: &str = "state.redb";
/// A store that is being made; it gets its own name when it is whole.
const NEW_STORE: &str = "state.new.redb";
const LOCK: &str = "lock";
const NAME_BYTES_MAX: usize = 256;

/// A device's state, in use.
pub(super) struct State {
    pub(super) store: Store,
    pub(super) facts: Facts,
    pub(super) lock: Lock,
}

/// Where the state for a shared folder lies unless it is told: a directory per folder below the user's own.
///
/// # Errors
/// The system does not tell where a user's files are.
pub(super) fn default_directory(folder: &Path) -> Result<PathBuf, Error> {
    let base = match (env::var_os("XDG_STATE_HOME"), env::var_os("HOME")) {
        (Some(state), _) if Path::new(&state).is_absolute() => PathBuf::from(state),
        (_, Some(home)) if !home.is_empty() => PathBuf::from(home).join(".local/state"),
        _ => {
            let what = "cannot tell where to keep the state: set HOME or XDG_STATE_HOME, or give a directory";
            return Err(Error::Failed { what: what.into() });
        }
    };
    let hash = blake3::hash(folder.as_os_str().as_encoded_bytes()).to_hex();
    let name = folder.file_name().unwrap_or_default().to_string_lossy();
    Ok(base.join("syncline").join("messages").join(format!("{name}-{}", hash.get(..16).unwrap_or_default())))
}

impl State {
    /// Opens the state, making a new one where there is none. If it is of another session that ended, it is set aside, and
    /// what this device had posted there comes back as what is still to be posted here.
    ///
    /// # Errors
    /// It cannot be read or written, is in use, or belongs to a folder that is not this one any more.
    pub(super) fn open(
        directory: &Path,
        folder: &Path,
        group: &GroupConfig,
        name: Option<&str>,
        is_superseded: impl FnOnce(&Facts) -> bool,
    ) -> Result<(State, Former), Error> {
        make_private(directory)?;
        let lock = Lock::take(directory, &directory.join(LOCK))?;
        let path = directory.join(STORE);
        if path.exists() {
            let store = Store::open(&path)?;
            let facts = store.facts()?;
            if facts.group == group.id {
                let former = Former::of(directory, &store)?;
                return Ok((State { store, facts, lock }, former));
            }
            if !is_superseded(&facts) || !may_move(&facts, group) {
                return Err(Error::OtherSession {
                    path: folder.to_path_buf(),
                    found: group.id,
                    expected: facts.group,
                    state: directory.to_path_buf(),
                });
            }
            drop(store);
            Former::set_aside(directory, &path, facts.group)?;
        }
        let facts = match Former::facts(directory)? {
            Some(facts) => Facts { group: group.id, group_key: key_of(group), root: root_of(group), ..facts },
            None => new_facts(directory, folder, group, name)?,
        };
        let store = create(directory, &facts)?;
        let former = Former::of(directory, &store)?;
        Ok((State { store, facts, lock }, former))
    }
}

/// Makes a store. One that a crash leaves half made is made again.
fn create(directory: &Path, facts: &Facts) -> Result<Store, Error> {
    let (new, path) = (directory.join(NEW_STORE), directory.join(STORE));
    match fs::remove_file(&new) {
        Err(e) if e.kind() != ErrorKind::NotFound => return Err(Error::io("remove", &new, e)),
        _ => {}
    }
    drop(Store::create(&new, facts)?);
    rename(directory, &new, &path)?;
    Store::open(&path)
}

/// Renames a file; when this returns its new name is on disk.
pub(super) fn rename(directory: &Path, from: &Path, to: &Path) -> Result<(), Error> {
    fs::rename(from, to).map_err(|e| Error::io("rename", from, e))?;
    let synced = fs::File::open(directory).and_then(|directory| directory.sync_all());
    synced.map_err(|e| Error::io("put on disk", directory, e))
}

/// Whether what was said in one session may be said again in another: not where that would show what was sealed to those
/// who have not the key.
fn may_move(facts: &Facts, group: &GroupConfig) -> bool {
    let open_key = Info::open(facts.group).group(None).map(|open| open.key).unwrap_or_default();
    open_key == facts.group_key || group.key == facts.group_key
}

/// The root that a session's folder carries the files of is named like the session.
fn root_of(group: &GroupConfig) -> RootId {
    RootId::from_bytes(*group.id.as_bytes())
}

fn key_of(group: &GroupConfig) -> [u8; 32] {
    group.key.as_slice().try_into().unwrap_or_default()
}

fn new_facts(directory: &Path, folder: &Path, group: &GroupConfig, name: Option<&str>) -> Result<Facts, Error> {
    let device = rustix::system::uname().nodename().to_string_lossy().into_owned();
    let mut name = name.map_or(device, String::from);
    while name.len() > NAME_BYTES_MAX {
        name.pop();
    }
    let place = fs::metadata(directory).map_err(|e| Error::io("look at", directory, e))?;
    Ok(Facts {
        group: group.id,
        group_key: key_of(group),
        identity: random()?,
        root: root_of(group),
        membership: Membership::Joiner,
        name,
        place: std::os::unix::fs::MetadataExt::ino(&place),
        path: folder.to_path_buf(),
    })
}

/// Makes the state's directory, which nobody else may read.
pub(super) fn make_private(directory: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|e| Error::io("create", directory, e))
}

/// The pair that remembers what an application has taken in an order of delivery, beside the engine's own.
pub(super) fn taken_key(order: super::Order) -> Vec<u8> {
    match order {
        super::Order::Arrival => b"~taken in order of arrival".to_vec(),
        super::Order::Total => b"~taken in message order".to_vec(),
    }
}

/// That pair, written.
pub(super) fn taken(order: super::Order, sequence: u64) -> Write {
    Write { key: taken_key(order), value: Some(sequence.to_le_bytes().to_vec()) }
}

/// That pair, read.
pub(super) fn parse_taken(value: &[u8]) -> u64 {
    value.try_into().map_or(0, u64::from_le_bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_folder_has_a_state_of_its_own() {
        let one = default_directory(Path::new("/x/Dropbox/chat")).unwrap();
        let other = default_directory(Path::new("/x/iCloud/chat")).unwrap();
        assert_ne!(one, other);
        assert!(one.file_name().unwrap().to_string_lossy().starts_with("chat-"));
    }

    #[test]
    fn what_was_taken_is_read_as_it_was_written() {
        let write = taken(super::super::Order::Total, 300);
        assert_eq!(parse_taken(&write.value.unwrap()), 300);
        assert_eq!(parse_taken(b"?"), 0);
    }
}

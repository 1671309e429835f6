//! What a device keeps of its part in a message folder, never in the folder itself: who it is, what it holds, what its
//! application has taken.

use std::env;
use std::fs::{self, DirBuilder};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use syncline_core::api::{GroupConfig, Membership, Pair, RootId, Write};
use syncline_core::log::{Entry, Message, all_message_keys};

use crate::Error;
use crate::root::{Lock, random};
use crate::store::{Facts, Store};

const STORE: &str = "state.redb";
const LOCK: &str = "lock";
const NAME_BYTES_MAX: usize = 256;
const LOAD_BYTES: u32 = 4 << 20;

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
    /// Opens the state, making a new one where there is none. Another session's is set aside, and what this device had
    /// posted there is given back, to be posted again.
    ///
    /// # Errors
    /// It cannot be read or written, is in use, or belongs to a folder that is not this one any more.
    pub(super) fn open(
        directory: &Path,
        folder: &Path,
        group: &GroupConfig,
        name: Option<&str>,
        is_superseded: impl FnOnce(&Facts) -> bool,
    ) -> Result<(State, Vec<Vec<u8>>), Error> {
        make_private(directory)?;
        let lock = Lock::take(directory, &directory.join(LOCK))?;
        let path = directory.join(STORE);
        if !path.exists() {
            let facts = new_facts(directory, folder, group, name)?;
            let store = Store::create(&path, &facts)?;
            return Ok((State { store, facts, lock }, Vec::new()));
        }
        let store = Store::open(&path)?;
        let facts = store.facts()?;
        if facts.group == group.id {
            return Ok((State { store, facts, lock }, Vec::new()));
        }
        if !is_superseded(&facts) {
            let (path, session) = (folder.to_path_buf(), facts.group);
            return Err(Error::OtherSession {
                path,
                found: group.id,
                expected: session,
                state: directory.to_path_buf(),
            });
        }
        let posted = own_payloads(&store)?;
        let session = facts.group;
        drop(store);
        let aside = directory.join(format!("state-of-{session}.redb"));
        fs::rename(&path, &aside).map_err(|e| Error::io("rename", &path, e))?;
        let facts = Facts { group: group.id, group_key: key_of(group), root: root_of(group), ..facts };
        let store = Store::create(&path, &facts)?;
        Ok((State { store, facts, lock }, posted))
    }
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

fn make_private(directory: &Path) -> Result<(), Error> {
    let made = DirBuilder::new().recursive(true).mode(0o700).create(directory);
    made.map_err(|e| Error::io("create", directory, e))
}

/// What this device had posted, under all its incarnations, in order.
fn own_payloads(store: &Store) -> Result<Vec<Vec<u8>>, Error> {
    let own = syncline_core::crypto::Identity::from_secret(&store.facts()?.identity)
        .map_err(|e| Error::Damaged { path: store.path().to_path_buf(), detail: e.to_string() })?
        .public_key();
    let (mut start, end) = all_message_keys();
    let (mut own_feeds, mut posted) = (Vec::new(), Vec::new());
    loop {
        let query = syncline_core::api::LoadQuery::Range { start, end: end.clone(), bytes_max: LOAD_BYTES };
        let (pairs, more) = store.load(&query)?;
        let last = pairs.last().map(|pair| pair.key.clone());
        for Pair { value, .. } in pairs {
            let Ok((message, _)) = Message::decode(&value) else { continue };
            if let Some(Entry::Introduction(introduction)) = message.entries.first()
                && introduction.public_key == *own.as_bytes()
            {
                own_feeds.push(message.author);
            }
            if let Some(payload) = message.payload().filter(|_| own_feeds.contains(&message.author)) {
                posted.push((message.order(), payload.to_vec()));
            }
        }
        match (more, last) {
            (true, Some(mut next)) => {
                next.push(0);
                start = next;
            }
            _ => break,
        }
    }
    posted.sort_unstable_by_key(|(order, _)| *order);
    Ok(posted.into_iter().map(|(_, payload)| payload).collect())
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

//! What this device said in a session that ended for another one.
//!
//! Two devices that begin a session in the same folder at once all go on with one of them. Who was in the other one says
//! there again what it had said, and takes its files of the old session away, which nobody can verify any more. A crash
//! may come at any moment of that: the old store keeps a name of its own until all is done.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use syncline_core::api::{GroupId, LoadQuery, Pair, ReplicaId};
use syncline_core::crypto::Identity;
use syncline_core::folder::message_path;
use syncline_core::log::{Entry, Message, all_message_keys};

use super::state::rename;
use crate::Error;
use crate::folder::SharedFolder;
use crate::store::{Facts, Store};

/// Stores of sessions that ended, whose messages are being said again.
const MOVING: &str = "moving-from-";
/// Stores of sessions that ended, kept for people.
const KEPT: &str = "state-of-";
const EXTENSION: &str = ".redb";
const LOAD_BYTES: u32 = 4 << 20;

/// What is left to do for sessions that ended.
#[derive(Default)]
pub(super) struct Former {
    directory: PathBuf,
    sessions: Vec<GroupId>,
    unposted: Vec<Vec<u8>>,
    /// Own messages in the old sessions, by the places of their files.
    files: Vec<String>,
}

/// What a device wrote in one session.
#[derive(Default)]
struct Own {
    payloads: Vec<Vec<u8>>,
    files: Vec<String>,
}

impl Former {
    /// Gives the store of a session that ended its other name.
    pub(super) fn set_aside(directory: &Path, store: &Path, session: GroupId) -> Result<(), Error> {
        rename(directory, store, &directory.join(format!("{MOVING}{session}{EXTENSION}")))
    }

    /// Who this device was in the session that ended last; none if no store is set aside.
    pub(super) fn facts(directory: &Path) -> Result<Option<Facts>, Error> {
        let last = sessions(directory)?.pop();
        last.map(|session| open(directory, session)?.facts()).transpose()
    }

    /// What is left to do, beside this store of the session that goes on.
    pub(super) fn of(directory: &Path, store: &Store) -> Result<Former, Error> {
        let sessions = sessions(directory)?;
        if sessions.is_empty() {
            return Ok(Former::default());
        }
        let mut former = Former { directory: directory.to_path_buf(), sessions, ..Former::default() };
        for session in &former.sessions {
            let own = Own::read(&open(directory, *session)?)?;
            former.files.extend(own.files);
            // Nothing else is said in a session before all of the former one is said again.
            let repeated = former.unposted.len().min(own.payloads.len());
            former.unposted.extend(own.payloads.into_iter().skip(repeated));
        }
        let posted = Own::read(store)?.payloads.len().min(former.unposted.len());
        former.unposted.drain(..posted);
        Ok(former)
    }

    /// Nothing is left to do.
    pub(super) fn is_done(&self) -> bool {
        self.sessions.is_empty()
    }

    /// What is still to be said again, in order.
    pub(super) fn take_unposted(&mut self) -> Vec<Vec<u8>> {
        std::mem::take(&mut self.unposted)
    }

    /// All is said again and in the folder: takes this device's files of the old sessions away. What cannot be removed
    /// now is removed after another start.
    pub(super) fn end(self, folder: &SharedFolder) -> Result<(), Error> {
        let removed = folder.remove_own(&self.files);
        if let Err(failure) = removed {
            tracing::warn!("cannot remove messages of a session that ended: {failure:?}");
            return Ok(());
        }
        for session in self.sessions {
            let name = |prefix: &str| self.directory.join(format!("{prefix}{session}{EXTENSION}"));
            rename(&self.directory, &name(MOVING), &name(KEPT))?;
        }
        Ok(())
    }
}

/// The sessions that ended, in the order in which they did: each for a smaller one.
fn sessions(directory: &Path) -> Result<Vec<GroupId>, Error> {
    let fail = |e| Error::io("list", directory, e);
    let mut sessions = Vec::new();
    let entries = match fs::read_dir(directory) {
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(sessions),
        entries => entries.map_err(fail)?,
    };
    for entry in entries {
        let name = entry.map_err(fail)?.file_name();
        let session = name.to_str().and_then(|name| name.strip_prefix(MOVING)?.strip_suffix(EXTENSION));
        sessions.extend(session.and_then(|session| session.parse::<GroupId>().ok()));
    }
    sessions.sort_unstable_by(|one, other| other.cmp(one));
    Ok(sessions)
}

fn open(directory: &Path, session: GroupId) -> Result<Store, Error> {
    Store::open(&directory.join(format!("{MOVING}{session}{EXTENSION}")))
}

impl Own {
    /// What this device wrote, under all its incarnations, in order.
    fn read(store: &Store) -> Result<Own, Error> {
        let key = Identity::from_secret(&store.facts()?.identity)
            .map_err(|e| Error::Damaged { path: store.path().to_path_buf(), detail: e.to_string() })?
            .public_key();
        let (mut start, end) = all_message_keys();
        let (mut feeds, mut own, mut said): (Vec<ReplicaId>, _, Vec<_>) = (Vec::new(), Own::default(), Vec::new());
        loop {
            let query = LoadQuery::Range { start, end: end.clone(), bytes_max: LOAD_BYTES };
            let (pairs, more) = store.load(&query)?;
            let last = pairs.last().map(|pair| pair.key.clone());
            for Pair { value, .. } in pairs {
                let Ok((message, _)) = Message::decode(&value) else { continue };
                if let Some(Entry::Introduction(introduction)) = message.entries.first()
                    && introduction.public_key == *key.as_bytes()
                {
                    feeds.push(message.author);
                }
                if !feeds.contains(&message.author) {
                    continue;
                }
                own.files.push(message_path(message.author, message.counter));
                if let Some(payload) = message.payload() {
                    said.push((message.order(), payload.to_vec()));
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
        said.sort_unstable_by_key(|(order, _)| *order);
        own.payloads = said.into_iter().map(|(_, payload)| payload).collect();
        Ok(own)
    }
}

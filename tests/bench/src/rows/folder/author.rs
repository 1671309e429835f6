//! An author of messages, and its directory with very many files.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use syncline_core::api::{GroupConfig, GroupId, ReplicaId, UnixMs};
use syncline_core::crypto::{Identity, Signature};
use syncline_core::folder::{Info, SESSION_DIRECTORY, feed_directory};
use syncline_core::log::{Entry, Log, Message, Previous, Sealed};

const SESSION: GroupId = GroupId::from_bytes([7; 16]);

/// One who writes messages into a shared folder, by hand.
pub struct Author {
    identity: Identity,
    replica: ReplicaId,
    directory: PathBuf,
    last: Previous,
    lamport: u64,
}

/// The session's group.
///
/// # Errors
/// None that can be.
pub fn group() -> Result<GroupConfig> {
    Info::open(SESSION).group(None).map_err(|error| anyhow!("{error}"))
}

impl Author {
    /// Begins a session in a folder, with an introduction.
    pub fn begin(folder: &Path) -> Result<Author> {
        let replica = ReplicaId::from_bytes([9; 16]);
        let identity = Identity::from_secret(&[5; 32]).map_err(|error| anyhow!("{error}"))?;
        let session = folder.join(SESSION_DIRECTORY);
        let directory = session.join(feed_directory(replica));
        fs::create_dir_all(&directory)?;
        fs::write(session.join("info"), Info::open(SESSION).to_json())?;

        let mut log = Log::new(&group()?, identity.clone()).map_err(|error| anyhow!("{error}"))?;
        log.begin(replica);
        let first = log.compose(UnixMs(1), Vec::new(), "author").map_err(|error| anyhow!("{error}"))?;
        let (last, lamport) = (previous(&first), first.message.lamport);
        let author = Author { identity, replica, directory, last, lamport };
        author.put(&first)?;
        Ok(author)
    }

    /// Writes a message with this number. It says that between it and the one before no message ever was: who reads it
    /// holds all of these numbers.
    pub fn post_as(&mut self, counter: u64) -> Result<()> {
        let payload = format!("message {counter}").into_bytes().into();
        let message = Message {
            author: self.replica,
            counter,
            lamport: self.lamport + 1,
            unix_ms: UnixMs(1),
            previous: Some(self.last),
            entries: vec![Entry::Application { payload }],
            signature: Signature::from_bytes([0; 64]),
        };
        let sealed = message.seal(SESSION, &self.identity).map_err(|error| anyhow!("{error}"))?;
        (self.last, self.lamport) = (previous(&sealed), sealed.message.lamport);
        self.put(&sealed)
    }

    /// Makes empty files of all numbers between the first and the last one, in place of a million messages that would have
    /// to be signed and read first. Who holds these numbers never opens them.
    pub fn fill(&self) -> Result<()> {
        for counter in 2..self.last.counter {
            File::create(self.path(counter))?;
        }
        Ok(())
    }

    /// Writes the next message; where it stands below the session's directory comes back.
    pub fn post(&mut self) -> Result<String> {
        let counter = self.last.counter + 1;
        self.post_as(counter)?;
        Ok(format!("{}/{counter:x}", feed_directory(self.replica)))
    }

    /// Where its files are.
    pub fn directory(&self) -> &Path {
        &self.directory
    }

    /// The number of its last message.
    pub fn last(&self) -> u64 {
        self.last.counter
    }

    fn put(&self, sealed: &Sealed) -> Result<()> {
        let path = self.path(sealed.message.counter);
        fs::write(&path, &sealed.bytes).with_context(|| format!("{} cannot be written", path.display()))
    }

    fn path(&self, counter: u64) -> PathBuf {
        self.directory.join(format!("{counter:x}"))
    }
}

fn previous(sealed: &Sealed) -> Previous {
    Previous { counter: sealed.message.counter, hash: sealed.hash }
}

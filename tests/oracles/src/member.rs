//! A member of the group at the other end of a link: it knows the group's key and may write anything under its own.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_bytes::ByteBuf;
use syncline_core::{
    api::{Content, GroupConfig, GroupId, Hash, ReplicaId, RootId, UnixMs},
    crypto::{Identity, Introduction, ProofKey},
    log::{Act, Dot, DotSet, Heads, IntervalSet, Previous},
    records::Operations,
};

/// The group of all targets.
pub const GROUP: GroupId = GroupId::from_bytes([9; 16]);

/// The group's key.
const KEY: [u8; 32] = [5; 32];

const MESSAGE_VERSION: u8 = 1;
const SIGNATURE_CONTEXT: &str = "Syncline 2026 signature of a message, version 1";

/// The group as a configuration names it.
pub fn group() -> GroupConfig {
    GroupConfig { id: GROUP, key: KEY.to_vec(), founder: None }
}

/// A change as it is written, with names, modes and targets that the real type refuses.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RawChange {
    /// A new node.
    Birth {
        /// The directory it lies in.
        parent: Option<Dot>,
        /// Its name there.
        name: String,
        /// What it replaces.
        past: DotSet,
        /// What it holds.
        content: Content,
        /// Permission bits.
        mode: u16,
        /// Modification time.
        modified_ns: i64,
    },
    /// A new version of a node.
    Version {
        /// The node.
        node: Dot,
        /// What it replaces.
        past: DotSet,
        /// What it holds now.
        body: RawBody,
        /// Modification time.
        modified_ns: i64,
    },
    /// Other permission bits.
    Mode {
        /// The node.
        node: Dot,
        /// Permission bits.
        mode: u16,
    },
}

/// What a version holds.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum RawBody {
    /// Bytes, a link or a directory.
    Content(Content),
    /// Nothing.
    Deleted,
}

#[derive(Serialize)]
struct RawMessage {
    author: ReplicaId,
    counter: u64,
    lamport: u64,
    unix_ms: UnixMs,
    previous: Option<Previous>,
    entries: Vec<RawEntry>,
}

#[derive(Serialize)]
enum RawEntry {
    Introduction(Introduction),
    Tree { root: RootId, changes: Vec<RawChange> },
    Application { payload: ByteBuf },
    Acknowledgement { received: Heads, applied: Heads },
    Checkpoint { voided: IntervalSet<u64>, cleared: IntervalSet<u64>, decided: u64 },
    Stale { members: BTreeMap<ReplicaId, u64> },
    Records(Operations),
    Retraction { after_ns: u64, left: Vec<ReplicaId> },
    Act(Act),
}

/// What a member says beside who it is.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Said {
    /// Nothing.
    Nothing,
    /// Something for applications.
    Text(Vec<u8>),
    /// Something about the tree.
    Changes(Vec<RawChange>),
    /// What it claims to have.
    Acknowledgement {
        /// Saved.
        received: Heads,
        /// Applied.
        applied: Heads,
    },
    /// Operations on rows, whether their columns fit together or not.
    Records(Operations),
    /// What it stamped later does not count.
    Retraction {
        /// In nanoseconds since 1970.
        after_ns: u64,
    },
    /// What it decides for the group.
    Act(Act),
    /// Own messages are void.
    Checkpoint {
        /// Which.
        voided: IntervalSet<u64>,
    },
    /// Members of whom nothing was heard for long.
    Stale {
        /// Each with the highest number known of it.
        members: BTreeMap<ReplicaId, u64>,
    },
}

/// A writer of one feed.
#[derive(Clone)]
pub struct Member {
    author: ReplicaId,
    secret: [u8; 32],
    key: Vec<u8>,
    counter: u64,
    lamport: u64,
    previous: Option<Previous>,
}

impl Member {
    /// A member whose id and key are this number repeated.
    pub fn new(number: u8) -> Member {
        Member {
            author: ReplicaId::from_bytes([number; 16]),
            secret: [number; 32],
            key: KEY.to_vec(),
            counter: 0,
            lamport: 0,
            previous: None,
        }
    }

    /// The same, with another group's key.
    pub fn stranger(number: u8) -> Member {
        Member { key: vec![6; 32], ..Member::new(number) }
    }

    /// Its next message, about the tree.
    pub fn seal(&mut self, root: RootId, changes: Vec<RawChange>, skip: u8, lamport: u64) -> Vec<u8> {
        self.say(root, Said::Changes(changes), skip, lamport)
    }

    /// Its next message, with numbers passed over and this much of lamport added, signed.
    pub fn say(&mut self, root: RootId, said: Said, skip: u8, lamport: u64) -> Vec<u8> {
        let skip = if self.counter == 0 { 0 } else { u64::from(skip) };
        self.counter = self.counter.saturating_add(1).saturating_add(skip);
        self.lamport = self.lamport.saturating_add(1).saturating_add(lamport);
        let identity = Identity::from_secret(&self.secret).expect("32 bytes");
        let mut entries = Vec::new();
        if self.counter == 1 {
            let config = GroupConfig { id: GROUP, key: self.key.clone(), founder: None };
            let key = ProofKey::new(&config).expect("a group key");
            let introduction = Introduction::new(&identity, &key, self.author, "member").expect("a short name");
            entries.push(RawEntry::Introduction(introduction));
        }
        match said {
            Said::Nothing => {}
            Said::Text(text) => entries.push(RawEntry::Application { payload: ByteBuf::from(text) }),
            Said::Changes(changes) => entries.push(RawEntry::Tree { root, changes }),
            Said::Acknowledgement { received, applied } => {
                entries.push(RawEntry::Acknowledgement { received, applied });
            }
            Said::Records(operations) => entries.push(RawEntry::Records(operations)),
            Said::Act(act) => entries.push(RawEntry::Act(act)),
            Said::Retraction { after_ns } => {
                entries.push(RawEntry::Retraction { after_ns, left: Vec::new() });
            }
            Said::Checkpoint { voided } => {
                entries.push(RawEntry::Checkpoint { voided, cleared: IntervalSet::new(), decided: 0 });
            }
            Said::Stale { members } => entries.push(RawEntry::Stale { members }),
        }
        let message = RawMessage {
            author: self.author,
            counter: self.counter,
            lamport: self.lamport,
            unix_ms: UnixMs(1_767_225_600_000),
            previous: self.previous,
            entries,
        };
        let mut bytes = vec![MESSAGE_VERSION];
        bytes.extend(postcard::to_stdvec(&message).expect("plain data"));
        let mut hasher = blake3::Hasher::new_derive_key(SIGNATURE_CONTEXT);
        hasher.update(GROUP.as_bytes()).update(&bytes);
        bytes.extend_from_slice(identity.sign(&hasher.finalize()).as_bytes());
        let hash: Hash = blake3::hash(&bytes).into();
        self.previous = Some(Previous { counter: self.counter, hash });
        bytes
    }

    /// Forgets what it wrote: what it writes next forks.
    pub fn forget(&mut self) {
        (self.counter, self.previous) = (0, None);
    }

    /// Its id.
    pub fn author(&self) -> ReplicaId {
        self.author
    }

    /// The number of the message that it wrote last; 0 before the first.
    pub fn counter(&self) -> u64 {
        self.counter
    }
}

/// A birth in the root's top folder.
pub fn birth(name: &str, content: Content) -> RawChange {
    RawChange::Birth { parent: None, name: name.into(), past: DotSet::default(), content, mode: 0o644, modified_ns: 0 }
}

//! Every message as its author wrote it.

use std::collections::{BTreeMap, BTreeSet};

use syncline_core::{
    api::{Content, LinkId, ReplicaId, Write},
    log::{Dot, Heads, Message, parse_message_key},
    tree::{Body, Change},
};

use super::{Invariant, Violation, broken};

/// The messages of a world, and what devices said that they hold.
#[derive(Default)]
pub(super) struct Ledger {
    messages: BTreeMap<(ReplicaId, u64), Written>,
    births: BTreeMap<Dot, Birth>,
    told: BTreeMap<(usize, LinkId), Heads>,
    told_by_earlier: BTreeMap<usize, Heads>,
    has_outsiders: bool,
    outsiders: BTreeSet<ReplicaId>,
    authors: BTreeSet<ReplicaId>,
    /// Under which ids each device wrote so far.
    incarnations: BTreeMap<usize, BTreeSet<ReplicaId>>,
    /// Devices that somebody removed from the group.
    removed: BTreeSet<usize>,
}

/// A message's author and number.
pub(super) type MessageId = (ReplicaId, u64);

/// Where a node was born, and as what.
struct Birth {
    parent: Option<Dot>,
    name: String,
    is_directory: bool,
}

/// Something that a message deletes.
pub(super) struct Deletion {
    /// Its plain path.
    pub path: String,
    /// It is a file or a link.
    pub is_file: bool,
}

struct Written {
    bytes: Vec<u8>,
    lamport: u64,
    /// Another device has it: the author can no longer have forgotten it in a crash.
    is_public: bool,
}

impl Ledger {
    /// A device saves a batch; returns the messages in it that it wrote itself.
    pub fn writes(&mut self, site: usize, own: Option<ReplicaId>, writes: &[Write]) -> Result<Vec<Message>, Violation> {
        let mut written = Vec::new();
        // What a device wrote just before it went on under a new id is saved together with that.
        let incarnations = self.incarnations.entry(site).or_default();
        incarnations.extend(own);
        let incarnations = incarnations.clone();
        for write in writes {
            let (Some((author, counter)), Some(bytes)) = (parse_message_key(&write.key), &write.value) else {
                continue;
            };
            // A crash may have undone it the first time, and then nobody has it.
            let known = self.messages.get(&(author, counter));
            let is_new = known.is_none_or(|known| !known.is_public && known.bytes != *bytes);
            if Some(author) == own || is_new && incarnations.contains(&author) {
                if let Some(message) = self.write(author, counter, bytes)? {
                    written.push(message);
                }
                continue;
            }
            match self.messages.get_mut(&(author, counter)) {
                Some(known) if known.bytes == *bytes => known.is_public |= !incarnations.contains(&author),
                None if self.outsiders.contains(&author) => {}
                None if self.has_outsiders && !self.authors.contains(&author) => {}
                _ => {
                    let text = format!("message {counter} of {author} was taken, which that replica never wrote");
                    return broken(Invariant::Authority, text);
                }
            }
        }
        Ok(written)
    }

    /// From now on authors may be heard who are no device of the world: they sign as members do.
    pub fn admit_outsiders(&mut self) {
        self.has_outsiders = true;
    }

    /// From now on this author may be heard, who is no device of the world.
    pub fn admit(&mut self, author: ReplicaId) {
        self.outsiders.insert(author);
    }

    /// A device says on a link what it holds: not less than it said there before, nor than an earlier engine of this
    /// device said anywhere. (What one engine says on two links may leave in another order than it was said.) What a device
    /// wrote that is removed may be void by now, and is not held any more.
    pub fn told(&mut self, site: usize, link: LinkId, heads: &Heads) -> Result<(), Violation> {
        let mut heads = heads.clone();
        let removed = self.removed.iter().filter_map(|device| self.incarnations.get(device)).flatten();
        removed.for_each(|author| heads.insert_range(*author, 1, u64::MAX));
        let heads = &heads;
        let earlier = self.told_by_earlier.entry(site).or_default();
        let before = self.told.entry((site, link)).or_default();
        if !heads.contains_all(before) || !heads.contains_all(earlier) {
            return broken(Invariant::Idempotency, format!("device {site} said that it holds less than before"));
        }
        *before = heads.clone();
        Ok(())
    }

    /// A device is removed from the group.
    pub fn removed(&mut self, site: usize) {
        self.removed.insert(site);
    }

    /// A new engine starts on a device.
    pub fn started(&mut self, site: usize) {
        let earlier = self.told_by_earlier.entry(site).or_default();
        self.told.iter().filter(|((of, _), _)| *of == site).for_each(|(_, heads)| earlier.union(heads));
        self.told.retain(|(of, _), _| *of != site);
    }

    /// A device lost its store.
    pub fn forgot(&mut self, site: usize) {
        self.told.retain(|(of, _), _| *of != site);
        self.told_by_earlier.remove(&site);
    }

    /// The highest number that an author ever gave a message; 0 if it wrote none.
    pub fn highest_written(&self, author: ReplicaId) -> u64 {
        self.messages.range((author, 0)..=(author, u64::MAX)).next_back().map_or(0, |((_, counter), _)| *counter)
    }

    /// What a message deletes.
    pub fn deletions_of(&self, message: &Message) -> Vec<Deletion> {
        let is_file = |node: &Dot| self.births.get(node).is_some_and(|birth| !birth.is_directory);
        let deleted = message.changes().filter_map(|(_, _, change)| match change {
            Change::Version { node, body: Body::Deleted, .. } => {
                Some(Deletion { path: self.path(*node), is_file: is_file(node) })
            }
            _ => None,
        });
        deleted.collect()
    }

    /// The new versions of nodes in a message: their plain paths and contents.
    pub fn versions_of(&self, message: &Message) -> Vec<(String, Content)> {
        let versions = message.changes().filter_map(|(_, _, change)| match change {
            Change::Version { node, body: Body::Content(content), .. } => Some((self.path(*node), content.clone())),
            _ => None,
        });
        versions.collect()
    }

    /// What a message says of contents: the plain paths of what was born or changed, and what stands there.
    pub fn contents_of(&self, message: &Message) -> Vec<(String, Content)> {
        let born = message.changes().filter_map(|(dot, _, change)| match change {
            Change::Birth { content, .. } => Some((self.path(dot), content.clone())),
            _ => None,
        });
        born.chain(self.versions_of(message)).collect()
    }

    /// A message as its author wrote it last.
    pub fn message(&self, place: MessageId) -> Option<Message> {
        Some(Message::decode(&self.messages.get(&place)?.bytes).ok()?.0)
    }

    /// Another device has a message, or had it.
    pub fn is_public(&self, (author, counter): MessageId) -> bool {
        self.messages.get(&(author, counter)).is_some_and(|written| written.is_public)
    }

    fn write(&mut self, author: ReplicaId, counter: u64, bytes: &[u8]) -> Result<Option<Message>, Violation> {
        match self.messages.get(&(author, counter)) {
            Some(known) if known.bytes == bytes => return Ok(None),
            Some(known) if known.is_public => {
                return broken(Invariant::Idempotency, format!("{author} wrote two messages with number {counter}"));
            }
            _ => {}
        }
        self.authors.insert(author);
        let Ok((message, _)) = Message::decode(bytes) else {
            return broken(Invariant::Authority, format!("{author} saved a message {counter} that cannot be read"));
        };
        let lamport = message.lamport;
        let previous = message.previous.and_then(|previous| self.messages.get(&(author, previous.counter)));
        if let Some(previous) = previous.filter(|previous| previous.lamport >= lamport) {
            let what = format!("{author} wrote message {counter} at lamport {lamport}, behind {}", previous.lamport);
            return broken(Invariant::Idempotency, what);
        }
        self.messages.insert((author, counter), Written { bytes: bytes.to_vec(), lamport, is_public: false });
        for (dot, _, change) in message.changes() {
            if let Change::Birth { parent, name, content, .. } = change {
                let is_directory = *content == Content::Directory;
                self.births.insert(dot, Birth { parent: *parent, name: name.to_string(), is_directory });
            }
        }
        Ok(Some(message))
    }

    fn path(&self, node: Dot) -> String {
        let mut names = Vec::new();
        let mut next = Some(node);
        while let Some(birth) = next.and_then(|node| self.births.get(&node)) {
            names.push(birth.name.as_str());
            next = birth.parent;
        }
        names.reverse();
        names.join("/")
    }
}

//! Giving peers the contents they ask for, from the files that stand here.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::string::String;
use alloc::vec::Vec;

use super::Peer;
use crate::api::{Hash, Key, LinkId, LoadQuery, Outcome, ReadRange, ReadResult, Work};
use crate::engine::Engine;
use crate::engine::keys;
use crate::engine::limits::{
    READ_BYTES_MAX, READ_ITEMS_MAX, SERVE_BYTES_MAX, SERVE_MANIFESTS_MAX, SERVE_MISSED_MAX, SERVE_WANTS_MAX,
    WANTED_MANIFESTS_MAX,
};
use crate::engine::shared::Purpose;
use crate::link::{Frame, Lane, Want};

/// What is read for a peer.
pub enum ServePurpose {
    /// A manifest.
    Manifest(Hash),
    /// Parts of files of one root: which root, and for each part its want and the file's path.
    Chunks(usize, Vec<(Want, String)>),
}

/// What a peer asked for and did not get yet.
#[derive(Default)]
pub struct Serving {
    wants: VecDeque<Want>,
    manifest_wants: VecDeque<Hash>,
    reading: usize,
    reading_bytes: u64,
    manifests: usize,
    /// Contents that it asked for in vain: it is told once they are there.
    missed: BTreeSet<Hash>,
    /// Those of them that it is about to be told of.
    found: Vec<Hash>,
}

impl Serving {
    /// Nothing is asked for.
    pub fn is_idle(&self) -> bool {
        self.wants.is_empty() && self.manifest_wants.is_empty() && self.reading == 0 && self.manifests == 0
    }

    /// Something is asked for that is not read yet.
    pub fn has_wants(&self) -> bool {
        !self.wants.is_empty() || !self.manifest_wants.is_empty()
    }

    /// It asked for this in vain.
    fn miss(&mut self, content: Hash) {
        if self.missed.len() < SERVE_MISSED_MAX {
            self.missed.insert(content);
        }
    }
}

impl Peer {
    fn answer_absent(&mut self, content: Hash, offset: Option<u64>) {
        self.serving.miss(content);
        self.push(Frame::Absent { content, offset });
    }
}

impl Engine {
    pub(super) fn want_manifests(&mut self, link: LinkId, contents: Vec<Hash>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        for content in contents {
            if peer.serving.manifest_wants.len() >= SERVE_WANTS_MAX {
                peer.push(Frame::Absent { content, offset: None });
            } else {
                peer.serving.manifest_wants.push_back(content);
            }
        }
    }

    pub(super) fn want_chunks(&mut self, link: LinkId, wants: Vec<Want>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        for want in wants {
            if peer.serving.wants.len() >= SERVE_WANTS_MAX {
                peer.push(Frame::Absent { content: want.content, offset: Some(want.offset) });
            } else {
                peer.serving.wants.push_back(want);
            }
        }
    }

    /// Tells those who asked in vain what is there by now.
    pub(super) fn tell_landed(&mut self) {
        let landed = core::mem::take(&mut self.shared.landed);
        for content in landed {
            let mut missing = self.peers.values_mut().filter(|peer| peer.serving.missed.contains(&content)).peekable();
            if missing.peek().is_none() || !self.roots.iter().any(|root| root.holder(&content).is_some()) {
                continue;
            }
            for peer in missing {
                peer.serving.missed.remove(&content);
                peer.serving.found.push(content);
            }
        }
        for peer in self.peers.values_mut() {
            for contents in core::mem::take(&mut peer.serving.found).chunks(WANTED_MANIFESTS_MAX) {
                peer.push(Frame::Present { contents: contents.to_vec() });
            }
        }
    }

    /// Reads what is next for a peer, as much as its pipe keeps up with.
    pub(super) fn serve(&mut self, link: LinkId) {
        self.serve_manifests(link);
        while let Some(peer) = self.peers.get(&link)
            && !peer.serving.wants.is_empty()
            && peer.session.has_room(Lane::Bulk)
            && peer.serving.reading_bytes < SERVE_BYTES_MAX
        {
            self.read_batch(link);
        }
    }

    /// Reads the next manifests for a peer, a few at a time, for each may be large.
    fn serve_manifests(&mut self, link: LinkId) {
        while let Some(peer) = self.peers.get_mut(&link)
            && peer.session.has_room(Lane::Bulk)
            && peer.serving.manifests < SERVE_MANIFESTS_MAX
            && let Some(content) = peer.serving.manifest_wants.pop_front()
        {
            if !self.roots.iter().any(|root| root.holder(&content).is_some()) {
                peer.answer_absent(content, None);
                continue;
            }
            if let Some(bytes) = self.shared.saver.manifest(&content) {
                peer.push(Frame::Manifest { content, bytes: bytes.clone() });
                continue;
            }
            peer.serving.manifests = peer.serving.manifests.saturating_add(1);
            let keys = alloc::vec![Key { bytes: keys::manifest(&content) }];
            let purpose = ServePurpose::Manifest(content);
            self.shared.perform(Purpose::Serve { link, purpose }, Work::Load { query: LoadQuery::Keys { keys } });
        }
    }

    fn read_batch(&mut self, link: LinkId) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let mut batch: Vec<(Want, String)> = Vec::new();
        let mut ranges: Vec<ReadRange> = Vec::new();
        let mut of_root = None;
        let mut bytes = 0u64;
        while ranges.len() < READ_ITEMS_MAX
            && bytes < READ_BYTES_MAX
            && let Some(want) = peer.serving.wants.pop_front()
        {
            let holder = self.roots.iter().enumerate().find_map(|(index, root)| {
                root.holder(&want.content).map(|(path, stat)| (index, root.id(), path, stat))
            });
            let Some((index, id, path, stat)) = holder.filter(|(.., stat)| stat.size == want.size) else {
                peer.answer_absent(want.content, Some(want.offset));
                continue;
            };
            if of_root.is_some_and(|(other, _)| other != index) {
                peer.serving.wants.push_front(want);
                break;
            }
            of_root = Some((index, id));
            bytes = bytes.saturating_add(u64::from(want.length));
            ranges.push(ReadRange { path: path.clone(), stat, offset: want.offset, length: want.length });
            batch.push((want, path));
        }
        if let Some((index, id)) = of_root {
            peer.serving.reading = peer.serving.reading.saturating_add(1);
            peer.serving.reading_bytes = peer.serving.reading_bytes.saturating_add(bytes);
            let purpose = ServePurpose::Chunks(index, batch);
            self.shared.perform(Purpose::Serve { link, purpose }, Work::Read { root: id, ranges });
        }
    }

    pub(in crate::engine) fn served(&mut self, link: LinkId, purpose: ServePurpose, outcome: Outcome) {
        match (purpose, outcome) {
            (ServePurpose::Manifest(content), Outcome::Loaded { pairs, .. }) => {
                if let Some(peer) = self.peers.get_mut(&link) {
                    peer.serving.manifests = peer.serving.manifests.saturating_sub(1);
                    // A content that stands here and has no manifest is a single chunk.
                    let bytes = pairs.into_iter().next().map(|pair| pair.value).unwrap_or_default();
                    peer.push(Frame::Manifest { content, bytes });
                }
            }
            (ServePurpose::Manifest(content), _) => {
                if let Some(peer) = self.peers.get_mut(&link) {
                    peer.serving.manifests = peer.serving.manifests.saturating_sub(1);
                    peer.push(Frame::Absent { content, offset: None });
                }
            }
            (ServePurpose::Chunks(root, batch), Outcome::Read { results }) => {
                self.read_done(link, root, batch, results.into_iter());
            }
            (ServePurpose::Chunks(root, batch), _) => self.read_done(link, root, batch, Vec::new().into_iter()),
        }
        self.send(link);
    }

    fn read_done(
        &mut self,
        link: LinkId,
        root: usize,
        batch: Vec<(Want, String)>,
        mut results: impl Iterator<Item = ReadResult>,
    ) {
        let mut peer: Option<&mut Peer> = self.peers.get_mut(&link);
        if let Some(peer) = &mut peer {
            peer.serving.reading = peer.serving.reading.saturating_sub(1);
        }
        for (want, path) in batch {
            let length = u64::from(want.length);
            let bytes = match results.next() {
                Some(ReadResult::Bytes { bytes }) if bytes.len() as u64 == length => Some(bytes),
                _ => None,
            };
            let mut moved = false;
            if bytes.is_none()
                && let Some(root) = self.roots.get_mut(root)
            {
                moved = root.holds_elsewhere(&want.content, &path);
                root.suspect(path);
            }
            let Some(peer) = &mut peer else { continue };
            peer.serving.reading_bytes = peer.serving.reading_bytes.saturating_sub(length);
            let Want { content, offset, .. } = want;
            match bytes {
                Some(bytes) => peer.push(Frame::Chunk { content, offset, bytes }),
                // It was put in another place while it was read: a peer that is told that it is not here waits long.
                None if moved => peer.serving.wants.push_front(want),
                None => peer.answer_absent(content, Some(offset)),
            }
        }
    }
}

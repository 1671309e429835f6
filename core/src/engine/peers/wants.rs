//! Contents that the roots want: of whom they are asked, and what comes back.

use alloc::collections::BTreeMap;
use alloc::vec::Vec;

use super::Peer;
use crate::api::{Hash, LinkId, StageId};
use crate::engine::Engine;
use crate::engine::limits::{ASK_AGAIN_MS, WANTED_CHUNKS_MAX, WANTED_MANIFESTS_MAX};
use crate::engine::root::{Arrival, ChunkWant, ManifestWant, Root};
use crate::link::{Frame, Want};
use crate::planted::{Planted, planted};

impl Engine {
    /// Hands the wishes of the roots to peers that may fulfil them.
    pub(super) fn ask(&mut self) {
        let until = self.shared.now.monotonic.plus(ASK_AGAIN_MS);
        for root in &mut self.roots {
            for (link, content) in root.take_distrusted() {
                if let Some(peer) = self.peers.get_mut(&link)
                    && !planted(Planted::LiarAskedAgain)
                {
                    peer.lacks.insert(content, until);
                }
            }
        }
        let now = self.shared.now.monotonic;
        for peer in self.peers.values_mut().filter(|_| !planted(Planted::AbsentForGood)) {
            while let Some(content) = peer.lacks.take_due(now) {
                self.roots.iter_mut().for_each(|root| root.unpark(&content));
            }
        }
        for root in 0..self.roots.len() {
            self.ask_manifests(root);
            self.ask_chunks(root);
        }
    }

    fn ask_manifests(&mut self, index: usize) {
        let Some(root) = self.roots.get_mut(index) else { return };
        let mut frames: BTreeMap<LinkId, Vec<Hash>> = BTreeMap::new();
        for want in root.take_manifest_wants() {
            let is_free = |peer: &Peer| peer.manifests.get(&want.content).is_none_or(|(root, _)| *root == index);
            let able = self.peers.iter_mut().find(|(_, peer)| peer.can_ask(&want.content) && is_free(peer));
            match able {
                Some((link, peer)) => {
                    let content = want.content;
                    match peer.manifests.insert(content, (index, want)) {
                        // What was asked for a file that was given up since comes to the one that wants it now.
                        Some((_, given_up)) => root.want_manifest_again(given_up),
                        None => frames.entry(*link).or_default().push(content),
                    }
                }
                None => match self.folders.iter_mut().find(|folder| folder.may_have(&want.content)) {
                    Some(folder) => folder.ask_manifest(index, want),
                    None => root.park_manifest(want),
                },
            }
        }
        for (link, contents) in frames {
            if let Some(peer) = self.peers.get_mut(&link) {
                for contents in contents.chunks(WANTED_MANIFESTS_MAX) {
                    peer.push(Frame::WantManifest { contents: contents.to_vec() });
                }
            }
        }
    }

    fn ask_chunks(&mut self, index: usize) {
        let Some(root) = self.roots.get_mut(index) else { return };
        let mut frames: BTreeMap<LinkId, Vec<Want>> = BTreeMap::new();
        for want in root.take_chunk_wants() {
            // Among those who may have it, the one with the least to do.
            let is_free = |peer: &Peer| {
                let asked = peer.chunks.get(&(want.content, want.offset));
                asked.is_none_or(|(root, other)| {
                    *root == index && (other.size, other.length) == (want.size, want.length)
                })
            };
            let able = self.peers.iter_mut().filter(|(_, peer)| peer.can_ask(&want.content) && is_free(peer));
            match able.min_by_key(|(_, peer)| peer.chunks.len()) {
                Some((link, peer)) => {
                    let ChunkWant { content, size, offset, length, .. } = want;
                    match peer.chunks.insert((content, offset), (index, want)) {
                        Some((_, given_up)) => root.want_chunk_again(given_up),
                        None => frames.entry(*link).or_default().push(Want { content, size, offset, length }),
                    }
                }
                None => match self.folders.iter_mut().find(|folder| folder.may_have(&want.content)) {
                    Some(folder) => folder.ask_chunk(index, want),
                    None => root.park_chunk(want),
                },
            }
        }
        for (link, wants) in frames {
            if let Some(peer) = self.peers.get_mut(&link) {
                for wants in wants.chunks(WANTED_CHUNKS_MAX) {
                    peer.push(Frame::WantChunks { wants: wants.to_vec() });
                }
            }
        }
    }

    pub(super) fn manifest_arrived(&mut self, link: LinkId, content: Hash, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some((root, want)) = peer.manifests.remove(&content) else { return };
        self.unpark(&content);
        if !self.deliver(root, want.stage, Some(link), Arrival::Manifest(bytes)) {
            self.want_manifest_again(root, want);
            self.invalid(link, "a manifest does not match its content");
        }
    }

    pub(super) fn chunk_arrived(&mut self, link: LinkId, content: Hash, offset: u64, bytes: Vec<u8>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let Some((root, want)) = peer.chunks.remove(&(content, offset)) else { return };
        self.unpark(&content);
        if !self.deliver(root, want.stage, Some(link), Arrival::Chunk(want.index, bytes)) {
            self.want_chunk_again(root, want);
            self.invalid(link, "a chunk has another length than was asked for");
        }
    }

    pub(in crate::engine) fn deliver(
        &mut self,
        root: usize,
        stage: StageId,
        from: Option<LinkId>,
        arrival: Arrival,
    ) -> bool {
        match self.roots.get_mut(root) {
            Some(root) => root.arrived(&mut self.shared, stage, from, arrival),
            None => true,
        }
    }

    pub(super) fn absent(&mut self, link: LinkId, content: Hash, offset: Option<u64>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        let manifest = if offset.is_none() { peer.manifests.remove(&content) } else { None };
        let chunk = offset.and_then(|offset| peer.chunks.remove(&(content, offset)));
        if manifest.is_none() && chunk.is_none() {
            return;
        }
        if !planted(Planted::AbsentAskedAgain) {
            peer.lacks.insert(content, self.shared.now.monotonic.plus(ASK_AGAIN_MS));
        }
        self.unpark(&content);
        if let Some((root, want)) = manifest {
            self.want_manifest_again(root, want);
        }
        if let Some((root, want)) = chunk
            && !planted(Planted::AbsentChunkForgotten)
        {
            self.want_chunk_again(root, want);
        }
    }

    pub(super) fn present(&mut self, link: LinkId, contents: &[Hash]) {
        for content in contents {
            let Some(peer) = self.peers.get_mut(&link) else { return };
            if peer.lacks.contains(content) && !planted(Planted::AbsentForGood) {
                peer.lacks.remove(content);
                self.unpark(content);
            }
        }
    }

    /// A peer may have this content now.
    pub(in crate::engine) fn unpark(&mut self, content: &Hash) {
        self.roots.iter_mut().for_each(|root| root.unpark(content));
    }

    /// A peer may have anything now.
    pub(in crate::engine) fn unpark_all(&mut self) {
        self.roots.iter_mut().for_each(Root::unpark_all);
    }

    pub(in crate::engine) fn want_manifest_again(&mut self, root: usize, want: ManifestWant) {
        if let Some(root) = self.roots.get_mut(root) {
            root.want_manifest_again(want);
        }
    }

    pub(in crate::engine) fn want_chunk_again(&mut self, root: usize, want: ChunkWant) {
        if let Some(root) = self.roots.get_mut(root) {
            root.want_chunk_again(want);
        }
    }

    pub(super) fn take_back_wants(&mut self, peer: Peer) {
        if planted(Planted::WantLostWithLink) {
            return;
        }
        for (root, want) in peer.manifests.into_values() {
            self.want_manifest_again(root, want);
        }
        for (root, want) in peer.chunks.into_values() {
            self.want_chunk_again(root, want);
        }
    }
}

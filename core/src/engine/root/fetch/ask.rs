//! What is asked of peers. A content that none of them may have now is parked: it takes no room from other files and costs
//! nothing until a peer may have it.

use alloc::collections::VecDeque;
use alloc::collections::btree_map::Entry;
use alloc::vec::Vec;

use super::{ChunkWant, ManifestWant};
use crate::api::{Hash, LinkId};
use crate::engine::root::Root;

/// What to ask first of a peer that may have a content.
pub(super) enum Parked {
    /// How it is cut.
    Manifest(ManifestWant),
    /// One of its chunks.
    Chunk(ChunkWant),
}

impl Root {
    /// Manifests to ask peers for.
    pub fn take_manifest_wants(&mut self) -> VecDeque<ManifestWant> {
        let wants = core::mem::take(&mut self.fetches.manifest_wants);
        self.fetches.asked = self.fetches.asked.saturating_add(wants.len());
        wants
    }

    /// Chunks to ask peers for.
    pub fn take_chunk_wants(&mut self) -> VecDeque<ChunkWant> {
        let wants = core::mem::take(&mut self.fetches.chunk_wants);
        self.fetches.asked = self.fetches.asked.saturating_add(wants.len());
        wants
    }

    /// Something is wanted that no peer may have now.
    pub fn has_wants(&self) -> bool {
        self.fetches.has_wants()
    }

    /// Peers that sent what does not match its hash, and the contents they sent it of.
    pub fn take_distrusted(&mut self) -> Vec<(LinkId, Hash)> {
        core::mem::take(&mut self.fetches.distrusted)
    }

    /// Asks for a manifest again, for the peer asked did not have it or is gone.
    pub fn want_manifest_again(&mut self, want: ManifestWant) {
        self.fetches.asked = self.fetches.asked.saturating_sub(1);
        if self.fetches.jobs.contains_key(&want.stage) {
            self.fetches.manifest_wants.push_back(want);
        }
    }

    /// Asks for a chunk again, likewise.
    pub fn want_chunk_again(&mut self, want: ChunkWant) {
        self.fetches.asked = self.fetches.asked.saturating_sub(1);
        if self.fetches.jobs.contains_key(&want.stage) {
            self.fetches.chunk_wants.push_back(want);
        }
    }

    /// No peer may have this manifest now.
    pub fn park_manifest(&mut self, want: ManifestWant) {
        self.fetches.asked = self.fetches.asked.saturating_sub(1);
        if self.fetches.jobs.contains_key(&want.stage) {
            self.fetches.parked.insert(want.content, Parked::Manifest(want));
        }
    }

    /// No peer may have this chunk now.
    pub fn park_chunk(&mut self, want: ChunkWant) {
        self.fetches.asked = self.fetches.asked.saturating_sub(1);
        let Some(job) = self.fetches.jobs.get_mut(&want.stage) else { return };
        let length = u64::from(want.length);
        job.in_flight_bytes = job.in_flight_bytes.saturating_sub(length);
        self.fetches.in_flight_bytes = self.fetches.in_flight_bytes.saturating_sub(length);
        match self.fetches.parked.entry(want.content) {
            Entry::Occupied(_) => job.again.push_back(want.index),
            Entry::Vacant(first) => {
                first.insert(Parked::Chunk(want));
            }
        }
    }

    /// A peer may have this content now, if it is wanted.
    pub fn unpark(&mut self, content: &Hash) {
        match self.fetches.parked.remove(content) {
            None => {}
            Some(Parked::Manifest(want)) => self.fetches.manifest_wants.push_back(want),
            Some(Parked::Chunk(want)) => {
                let Some(job) = self.fetches.jobs.get_mut(&want.stage) else { return };
                let length = u64::from(want.length);
                job.in_flight_bytes = job.in_flight_bytes.saturating_add(length);
                self.fetches.in_flight_bytes = self.fetches.in_flight_bytes.saturating_add(length);
                self.fetches.unscheduled.push_back(want.stage);
                self.fetches.chunk_wants.push_back(want);
            }
        }
    }

    /// A peer may have anything now.
    pub fn unpark_all(&mut self) {
        let contents: Vec<Hash> = self.fetches.parked.keys().copied().collect();
        contents.iter().for_each(|content| self.unpark(content));
    }
}

//! One look for what may go from a folder: what died, what of it others can know to be dead, and which blobs of that nothing
//! else needs. It is told what the host found, and says what to ask for next.

use alloc::collections::{BTreeSet, VecDeque};
use alloc::vec::Vec;

use serde::{Deserialize, Serialize};

use crate::api::{Failure, FolderProbeResult, FolderResult, Hash, Pair, ReplicaId, UnixMs};
use crate::content::{CHUNK_MIN, Manifest};
use crate::engine::keys;
use crate::engine::limits::{
    COLLECT_AGE_MS, COLLECT_BYTES_MAX, COLLECT_ITEMS_MAX, COLLECT_REMOVALS_MAX, PROBE_ITEMS_MAX,
};
use crate::planted::{Planted, planted};

/// A dead content whose blobs may stand in the folder.
pub struct Dead {
    /// Who wrote the version that died.
    pub author: ReplicaId,
    /// The content.
    pub hash: Hash,
    /// What is known of it.
    pub record: Record,
}

/// What the store knows of a dead content.
#[derive(Serialize, Deserialize)]
pub struct Record {
    /// Its size in bytes.
    pub size: u64,
    /// When it died.
    pub died: UnixMs,
    /// The message that it died of; none if it was dead when it came.
    pub of: Option<(ReplicaId, u64)>,
}

/// A content whose blobs stay.
pub struct Spared {
    /// The content.
    pub hash: Hash,
    /// Its size in bytes.
    pub size: u64,
    /// It was cut here, so that it has a single chunk if there is no manifest of it.
    pub was_cut: bool,
}

/// What a pass does next.
pub enum Step {
    /// What died is to be read, from this key on.
    ReadDead(Vec<u8>),
    /// It is to be found out whether the messages that these died of stand in the folder.
    Prove(Vec<Dead>),
    /// What lives is to be [`spared`](Pass::spare).
    Gather,
    /// It is to be found out how these are cut, which stay.
    CutSpared(Vec<Spared>),
    /// It is to be found out how these are cut, which may go.
    CutDead(Vec<Dead>),
    /// These blobs are to be removed.
    Remove(Vec<Hash>),
    /// These are done with.
    Forget(Vec<(ReplicaId, Hash)>),
    /// There is nothing left to do.
    End,
}

/// One look.
pub struct Pass {
    /// Where the next page of what died begins; none once all of it is known.
    page: Option<Vec<u8>>,
    /// From whose directories blobs are removed: the id of now first, then earlier ones of this device.
    authors: Vec<ReplicaId>,
    /// What died long enough ago, and what it died of is still to be looked for.
    unproven: VecDeque<Dead>,
    /// What may go.
    dead: VecDeque<Dead>,
    has_gathered: bool,
    /// Contents that stay and whose chunks are still to be looked up.
    spared: Vec<Spared>,
    /// What the names of blobs that stay begin with, ascending once it is complete. A dead blob whose name begins so, too,
    /// stays with them.
    kept: Vec<u64>,
    /// The same of what was put there since the pass began.
    kept_since: BTreeSet<u64>,
    /// What died since.
    died_since: BTreeSet<Hash>,
    /// Blobs that may go, and whose they are.
    doomed: VecDeque<Hash>,
    records: Vec<(ReplicaId, Hash)>,
    has_failed: bool,
    is_again: bool,
}

impl Pass {
    /// Looks through what died, from this key of the store on, and removes what these authors put into the folder: the id of
    /// now first, then earlier ones of this device.
    pub fn new(start: Vec<u8>, authors: Vec<ReplicaId>) -> Pass {
        Pass {
            page: Some(start),
            authors,
            unproven: VecDeque::new(),
            dead: VecDeque::new(),
            has_gathered: false,
            spared: Vec::new(),
            kept: Vec::new(),
            kept_since: BTreeSet::new(),
            died_since: BTreeSet::new(),
            doomed: VecDeque::new(),
            records: Vec::new(),
            has_failed: false,
            is_again: false,
        }
    }

    /// What is to be done next; none while a message waits to find out which blobs are there, and some are to be removed.
    pub fn next(&mut self, is_free: bool) -> Option<Step> {
        if let Some(start) = self.page.take() {
            return Some(Step::ReadDead(start));
        }
        if !self.unproven.is_empty() {
            let count = self.unproven.len().min(PROBE_ITEMS_MAX);
            return Some(Step::Prove(self.unproven.drain(..count).collect()));
        }
        if self.dead.is_empty() && self.records.is_empty() {
            return Some(Step::End);
        }
        if !self.has_gathered {
            return Some(Step::Gather);
        }
        let mut room = Room::default();
        if !self.spared.is_empty() {
            let full = self.spared.iter().rposition(|content| !room.takes(content.size));
            return Some(Step::CutSpared(self.spared.split_off(full.map_or(0, |last| last.saturating_add(1)))));
        }
        while !self.doomed.is_empty() {
            if !is_free {
                return None;
            }
            let count = COLLECT_REMOVALS_MAX.checked_div(self.authors.len()).unwrap_or(1).clamp(1, self.doomed.len());
            let doomed: Vec<Hash> = self.doomed.drain(..count).collect();
            let doomed: Vec<Hash> = doomed.into_iter().filter(|hash| !self.keeps(hash)).collect();
            if !doomed.is_empty() {
                return Some(Step::Remove(doomed));
            }
        }
        if !self.records.is_empty() {
            let has_failed = core::mem::take(&mut self.has_failed);
            let mut records = core::mem::take(&mut self.records);
            // What lived again meanwhile, and died, was written down anew.
            records.retain(|(_, hash)| !has_failed && !self.died_since.contains(hash));
            return Some(Step::Forget(records));
        }
        let full = self.dead.iter().position(|dead| !room.takes(dead.record.size));
        Some(Step::CutDead(self.dead.drain(..full.unwrap_or(self.dead.len())).collect()))
    }

    /// A page of what died was read; false if it makes no sense.
    pub fn dead_read(&mut self, pairs: Vec<Pair>, more: bool, now: UnixMs) -> bool {
        self.page = pairs.last().filter(|_| more).map(|pair| [pair.key.as_slice(), &[0]].concat());
        for Pair { key, value } in pairs {
            let record = postcard::from_bytes::<Record>(&value).ok();
            let Some(((author, hash), record)) = keys::parse_dead(&key).zip(record) else { return false };
            // Where the clock was far ahead when it died, nobody knows how long ago that was.
            let is_old = record.died.plus(COLLECT_AGE_MS) <= now || now.plus(COLLECT_AGE_MS) < record.died;
            let dead = Dead { author, hash, record };
            if self.authors.contains(&author) && (is_old || planted(Planted::CollectedAtOnce)) {
                self.unproven.push_back(dead);
            } else {
                self.put_off(&dead);
            }
        }
        true
    }

    /// It was found out which of [`deaths`] stand in the folder: who reads it can know what died of them.
    pub fn proven(&mut self, dead: Vec<Dead>, results: &[FolderProbeResult]) {
        let is_there = |result: &FolderProbeResult| matches!(result, FolderProbeResult::Present { .. });
        let there = deaths(&dead).into_iter().zip(results).filter(|(_, result)| is_there(result));
        let there: BTreeSet<(ReplicaId, u64)> = there.map(|(place, _)| place).collect();
        for dead in dead {
            if dead.record.of.is_none_or(|of| there.contains(&of)) || planted(Planted::CollectedAtOnce) {
                self.dead.push_back(dead);
            } else {
                self.put_off(&dead);
            }
        }
    }

    /// A content stays.
    pub fn spare(&mut self, content: Spared) {
        self.kept.push(beginning(&content.hash));
        if content.size > u64::from(CHUNK_MIN) {
            self.spared.push(content);
        }
    }

    /// All that lives is spared.
    pub fn gathered(&mut self) {
        self.has_gathered = true;
        self.arrange();
    }

    /// It was looked up how contents are cut that stay.
    pub fn spared_cut(&mut self, contents: &[Spared], pairs: &[Pair]) {
        for content in contents {
            match cut(&content.hash, content.size, pairs) {
                Some(manifest) => self.kept.extend(manifest.chunks().iter().map(|chunk| beginning(&chunk.hash))),
                None if content.was_cut => {}
                // An earlier store knew how it is cut: what was put there under earlier ids stays.
                None => self.authors.truncate(1),
            }
        }
        self.arrange();
    }

    /// It was looked up how contents are cut that may go.
    pub fn dead_cut(&mut self, dead: &[Dead], pairs: &[Pair]) {
        for Dead { author, hash, record } in dead {
            self.doomed.push_back(*hash);
            if let Some(manifest) = cut(hash, record.size, pairs) {
                self.doomed.extend(manifest.chunks().iter().map(|chunk| chunk.hash));
            }
            self.records.push((*author, *hash));
        }
    }

    /// Blobs were removed, or not. What could not be is tried again later; a blob that is kept elsewhere, when something
    /// else died, or after the next start.
    pub fn removed(&mut self, results: &[FolderResult]) {
        let elsewhere = FolderResult::Failed { failure: Failure::NotLocal };
        self.has_failed |= results.iter().any(|result| *result != FolderResult::Done);
        self.is_again |= results.iter().any(|result| *result != FolderResult::Done && *result != elsewhere);
    }

    /// A message that is about to be written needs these blobs.
    pub fn keep(&mut self, hashes: impl Iterator<Item = Hash>) {
        if !planted(Planted::UploadsNotSpared) {
            self.kept_since.extend(hashes.map(|hash| beginning(&hash)));
        }
    }

    /// A content died: it lived when what is looked through was saved.
    pub fn died(&mut self, hash: Hash, size: u64) {
        self.died_since.insert(hash);
        if !self.has_gathered {
            self.spare(Spared { hash, size, was_cut: true });
        }
    }

    /// From whose directories blobs are removed: the id of now first.
    pub fn authors(&self) -> &[ReplicaId] {
        &self.authors
    }

    /// Something is left for another pass.
    pub fn is_again(&self) -> bool {
        self.is_again
    }

    /// Not everyone can know yet that a content is dead: it stays for now.
    fn put_off(&mut self, dead: &Dead) {
        self.is_again = true;
        self.spare(Spared { hash: dead.hash, size: dead.record.size, was_cut: true });
    }

    /// If all that stays is known, it can be looked up.
    fn arrange(&mut self) {
        if self.spared.is_empty() {
            self.kept.sort_unstable();
            self.kept.dedup();
        }
    }

    fn keeps(&self, hash: &Hash) -> bool {
        let name = beginning(hash);
        let is_kept = self.kept.binary_search(&name).is_ok() && !planted(Planted::SharedCollected);
        is_kept || self.kept_since.contains(&name)
    }
}

/// The messages that contents died of, each once.
pub fn deaths(dead: &[Dead]) -> BTreeSet<(ReplicaId, u64)> {
    dead.iter().filter_map(|dead| dead.record.of).collect()
}

/// How many contents are looked up at once: one always is.
#[derive(Default)]
struct Room {
    items: usize,
    bytes: u64,
}

impl Room {
    fn takes(&mut self, size: u64) -> bool {
        let is_free = self.items < COLLECT_ITEMS_MAX && self.bytes < COLLECT_BYTES_MAX;
        self.items = self.items.saturating_add(1);
        self.bytes = self.bytes.saturating_add(size);
        is_free
    }
}

/// How a content is cut, if a manifest of it was found.
fn cut(hash: &Hash, size: u64, pairs: &[Pair]) -> Option<Manifest> {
    let key = keys::manifest(hash);
    let pair = pairs.iter().find(|pair| pair.key == key)?;
    Manifest::decode(&pair.value, hash, size).ok()
}

/// What a blob's name begins with, in which hardly two agree.
fn beginning(hash: &Hash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = *hash.as_bytes();
    u64::from_be_bytes([a, b, c, d, e, f, g, h])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{FolderEntryKind, FolderId};
    use crate::content::{Hashed, hash};

    const HOUR: UnixMs = UnixMs(COLLECT_AGE_MS);
    const DAY: UnixMs = UnixMs(24 * COLLECT_AGE_MS);

    fn author(number: u8) -> ReplicaId {
        ReplicaId::from_bytes([number; 16])
    }

    fn name(number: u8) -> Hash {
        Hash::from_bytes([number; 32])
    }

    fn small(number: u8) -> Spared {
        Spared { hash: name(number), size: 1, was_cut: true }
    }

    fn pair(number: u8, by: u8, died: UnixMs, of: Option<(ReplicaId, u64)>) -> Pair {
        let value = postcard::to_allocvec(&Record { size: 1, died, of }).unwrap();
        Pair { key: keys::dead(FolderId(1), author(by), &name(number)), value }
    }

    /// A pass that was told of these dead contents, a day after the beginning of time.
    fn pass(pairs: Vec<Pair>) -> Pass {
        let mut pass = Pass::new(keys::dead_of(FolderId(1)), Vec::from([author(1), author(2)]));
        assert!(matches!(pass.next(true), Some(Step::ReadDead(_))));
        assert!(pass.dead_read(pairs, false, DAY));
        pass
    }

    /// Goes on to the end, where nothing has a manifest and every message stands in the folder; tells what is removed and
    /// what is done with.
    fn run(pass: &mut Pass, living: impl Fn() -> Vec<Spared>) -> (Vec<Hash>, Vec<Hash>) {
        let (mut removed, mut forgotten) = (Vec::new(), Vec::new());
        loop {
            match pass.next(true).unwrap() {
                Step::ReadDead(_) => panic!("all is read"),
                Step::Prove(dead) => {
                    let there = FolderProbeResult::Present { kind: FolderEntryKind::File };
                    pass.proven(dead, &[there.clone(), there]);
                }
                Step::Gather => {
                    living().into_iter().for_each(|content| pass.spare(content));
                    pass.gathered();
                }
                Step::CutSpared(contents) => pass.spared_cut(&contents, &[]),
                Step::CutDead(dead) => pass.dead_cut(&dead, &[]),
                Step::Remove(hashes) => {
                    pass.removed(&alloc::vec![FolderResult::Done; hashes.len()]);
                    removed.extend(hashes);
                }
                Step::Forget(records) => forgotten.extend(records.into_iter().map(|(_, hash)| hash)),
                Step::End => return (removed, forgotten),
            }
        }
    }

    #[test]
    fn what_is_old_and_dead_goes_and_what_lives_or_died_lately_stays() {
        let ahead = DAY.plus(2 * COLLECT_AGE_MS);
        let mut pass = pass(alloc::vec![
            pair(1, 1, UnixMs(0), None),
            pair(2, 2, UnixMs(0), None),
            pair(3, 1, UnixMs(0), None),
            pair(4, 1, DAY, None),
            pair(5, 3, UnixMs(0), None),
            pair(6, 1, ahead, None),
            pair(7, 1, UnixMs(DAY.0 - HOUR.0), None),
            pair(8, 1, UnixMs(DAY.0 - HOUR.0 + 1), None),
        ]);
        let (removed, forgotten) = run(&mut pass, || alloc::vec![small(3)]);
        assert_eq!(removed, [1, 2, 6, 7].map(name));
        assert_eq!(forgotten, [1, 2, 3, 6, 7].map(name));
        assert!(pass.is_again());
    }

    #[test]
    fn nothing_lives_or_is_removed_where_nothing_is_old() {
        let mut pass = pass(alloc::vec![pair(1, 1, DAY, None)]);
        assert!(matches!(pass.next(true), Some(Step::End)));
    }

    #[test]
    fn what_died_of_a_message_that_is_not_there_stays() {
        let dead = |number: u8| pair(number, 1, UnixMs(0), Some((author(9), u64::from(number % 2))));
        let mut pass = pass((1..=4).map(dead).collect());
        let Some(Step::Prove(dead)) = pass.next(true) else { panic!("it is to be proven") };
        assert_eq!(deaths(&dead).len(), 2);
        let gone = FolderProbeResult::Failed { failure: Failure::Missing };
        pass.proven(dead, &[gone, FolderProbeResult::Present { kind: FolderEntryKind::Placeholder }]);
        assert_eq!(run(&mut pass, Vec::new).0, [1, 3].map(name));
        assert!(pass.is_again());
    }

    #[test]
    fn what_is_put_there_or_dies_meanwhile_stays() {
        let mut pass = pass((1..=4).map(|number| pair(number, 1, UnixMs(0), None)).collect());
        pass.died(name(1), 1);
        pass.keep([name(2)].into_iter());
        assert_eq!(run(&mut pass, Vec::new), ([3, 4].map(name).into(), [2, 3, 4].map(name).into()));
    }

    #[test]
    fn nothing_is_removed_while_a_message_waits() {
        let mut pass = pass(alloc::vec![pair(1, 1, UnixMs(0), None)]);
        while let Some(step) = pass.next(false) {
            match step {
                Step::Prove(dead) => pass.proven(dead, &[]),
                Step::Gather => pass.gathered(),
                Step::CutDead(dead) => pass.dead_cut(&dead, &[]),
                _ => panic!("it goes on"),
            }
        }
        assert_eq!(run(&mut pass, Vec::new).0, [name(1)]);
    }

    #[test]
    fn what_could_not_be_removed_is_not_done_with() {
        for (failure, is_again) in [(Failure::Denied, true), (Failure::NotLocal, false)] {
            let mut pass = pass(alloc::vec![pair(1, 1, UnixMs(0), None)]);
            pass.proven(Vec::new(), &[]);
            while let Some(step) = pass.next(true) {
                match step {
                    Step::Prove(dead) => pass.proven(dead, &[]),
                    Step::Gather => pass.gathered(),
                    Step::CutDead(dead) => pass.dead_cut(&dead, &[]),
                    Step::Remove(_) => pass.removed(&[FolderResult::Failed { failure: failure.clone() }]),
                    Step::Forget(records) => assert!(records.is_empty()),
                    _ => break,
                }
            }
            assert_eq!(pass.is_again(), is_again);
        }
    }

    #[test]
    fn shared_chunks_stay_and_the_others_go() {
        let bytes: Vec<u8> =
            (0..400_000u32).flat_map(|number| (number.wrapping_mul(2_654_435_761) >> 8).to_le_bytes()).collect();
        let [old, new] = [&bytes[..1_200_000], &bytes[..1_100_000]].map(|bytes| {
            let Hashed { content: crate::api::Content::File { hash, size }, manifest } = hash(bytes).unwrap() else {
                panic!("a file")
            };
            (hash, size, manifest.unwrap())
        });
        let pairs: Vec<Pair> =
            [&old, &new].map(|(hash, _, cut)| Pair { key: keys::manifest(hash), value: cut.encode() }).into();
        let record = Record { size: old.1, died: UnixMs(0), of: None };
        let value = postcard::to_allocvec(&record).unwrap();
        let mut pass = pass(alloc::vec![Pair { key: keys::dead(FolderId(1), author(1), &old.0), value }]);
        let mut removed = BTreeSet::new();
        while let Some(step) = pass.next(true) {
            match step {
                Step::Prove(dead) => pass.proven(dead, &[]),
                Step::Gather => {
                    pass.spare(Spared { hash: new.0, size: new.1, was_cut: true });
                    pass.gathered();
                }
                Step::CutSpared(contents) => pass.spared_cut(&contents, &pairs),
                Step::CutDead(dead) => pass.dead_cut(&dead, &pairs),
                Step::Remove(hashes) => removed.extend(hashes),
                Step::End => break,
                _ => {}
            }
        }
        let chunks = |cut: &Manifest| cut.chunks().iter().map(|chunk| chunk.hash).collect::<BTreeSet<_>>();
        let mut expected: BTreeSet<Hash> = chunks(&old.2).difference(&chunks(&new.2)).copied().collect();
        assert!(!expected.is_empty() && expected.len() < chunks(&old.2).len());
        expected.insert(old.0);
        assert_eq!(removed, expected);
    }

    #[test]
    fn where_an_earlier_store_knew_how_something_is_cut_earlier_directories_are_left_alone() {
        let mut pass = pass(alloc::vec![pair(1, 1, UnixMs(0), None)]);
        run(&mut pass, || alloc::vec![Spared { hash: name(2), size: 1 << 20, was_cut: false }]);
        assert_eq!(pass.authors(), [author(1)]);
    }

    #[test]
    fn a_store_that_makes_no_sense_is_noticed() {
        let mut pass = Pass::new(Vec::new(), Vec::new());
        let strange = Pair { key: alloc::vec![b'z'; 20], value: Vec::new() };
        assert!(!pass.dead_read(alloc::vec![strange], false, DAY));
    }
}

//! What is left of work that was under way when an engine ended.

use syncline_core::{
    api::{CommitItem, CommitResult, Failure, Outcome, Put, RootId, StageItem, Work},
    folder::parse_blob_path,
};

use super::{Host, host::Undone};
use crate::{
    Item,
    chance::Pick,
    disk::{Reach, Undo},
};

/// How an engine ends without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Crash {
    /// Its process ends: what it did stays, what it did last may be done in part.
    Process,
    /// The device goes off: what was not yet known to be on disk may be gone, too.
    Power,
}

/// What was done of a piece of work that nobody heard of.
pub(crate) type Unheard = Option<(Work, Outcome)>;

/// A file of people's that a crash left in the history: they had written to it when its path was about to change hands.
pub(crate) struct Raced {
    pub path: String,
    pub number: u64,
    pub item: Item,
}

impl Host {
    /// Work that waited or was under way is not begun, done in part, or done whole. Tells what of it a save or the tree
    /// shows.
    pub(crate) fn interrupt(&mut self, work: Work, crash: Crash, chance: &mut fastrand::Rng) -> Unheard {
        match (chance.u32(..3), work) {
            (0, _) | (_, Work::Load { .. } | Work::List { .. } | Work::Probe { .. }) => None,
            (_, Work::Hash { .. } | Work::Read { .. }) => None,
            (1, Work::Stage { root, items }) => {
                self.stage_in_part(root, items, crash, chance);
                None
            }
            (1, Work::Commit { root, items }) => self.commit_in_part(root, items, crash, chance),
            (1, Work::Discard { root, stages }) if !stages.is_empty() => {
                let stages = stages.into_iter().filter(|_| chance.bool()).collect::<Vec<_>>();
                self.disk.strike(|faults| faults.work_in_part += 1);
                if !stages.is_empty() {
                    self.perform(Work::Discard { root, stages });
                }
                None
            }
            (1, Work::FolderCreate { folder, mut files }) => {
                files.truncate(chance.pick(files.len() + 1));
                self.disk.strike(|faults| faults.work_in_part += 1);
                let work = Work::FolderCreate { folder, files };
                let outcome = self.perform(work.clone());
                Some((work, outcome))
            }
            (1, Work::FolderRemove { folder, mut paths }) => {
                paths.truncate(chance.pick(paths.len() + 1));
                self.disk.strike(|faults| faults.work_in_part += 1);
                let work = Work::FolderRemove { folder, paths };
                let outcome = self.perform(work.clone());
                Some((work, outcome))
            }
            // A save is whole or not at all.
            (_, work) => {
                let outcome = self.perform(work.clone());
                self.disk.strike(|faults| faults.work_begun += 1);
                Some((work, outcome))
            }
        }
    }

    /// Work that was done, but that the engine never heard of: its host may have been about to put it on disk.
    pub(crate) fn take_back(&mut self, undone: Undone, chance: &mut fastrand::Rng) {
        match undone {
            Undone::Nothing => {}
            Undone::Save(before) => {
                if !before.is_empty() && chance.bool() {
                    self.store.take_back(before);
                    self.disk.strike(|faults| faults.saves_undone += 1);
                }
            }
            Undone::Commit(undos) => {
                let taken = |undo: &&Undo| chance.bool() && self.disk.take_back(undo);
                let count = undos.iter().rev().filter(taken).count() as u64;
                self.disk.strike(|faults| faults.items_undone += count);
            }
            Undone::Created(paths) => {
                for path in paths {
                    let length = self.folder.at(&path).map_or(0, |file| file.bytes.len());
                    // What messages name has the bytes of its name, or is not there.
                    let is_blob = parse_blob_path(&path).is_some();
                    match chance.u8(..3) {
                        0 => continue,
                        1 => self.folder.lose(&path, None),
                        _ if is_blob => self.folder.lose(&path, None),
                        _ => self.folder.lose(&path, Some(chance.pick(length + 1))),
                    }
                    self.disk.strike(|faults| faults.items_undone += 1);
                }
            }
        }
    }

    /// Staged files that were not put on disk may be gone, short, or hold zeros.
    pub(crate) fn tear_staging(&mut self, chance: &mut fastrand::Rng) {
        for (stage, mut bytes) in std::mem::take(&mut self.disk.staging) {
            let whole = bytes.len();
            let fate = chance.u32(..4);
            match fate {
                0 => {}
                1 => continue,
                2 => bytes.truncate(chance.pick(whole + 1)),
                _ => {
                    bytes.truncate(chance.pick(whole + 1));
                    bytes.resize(whole, 0);
                }
            }
            self.disk.staging.insert(stage, bytes);
            self.disk.strike(|faults| faults.staged_torn += u64::from(fate != 0));
        }
    }

    /// The first chunks are there; where the power failed, the next one may be there in part.
    fn stage_in_part(&mut self, root: RootId, items: Vec<StageItem>, crash: Crash, chance: &mut fastrand::Rng) {
        let whole = chance.pick(items.len() + 1);
        let mut rest = items.into_iter();
        let first: Vec<_> = rest.by_ref().take(whole).collect();
        self.perform(Work::Stage { root, items: first });
        self.disk.strike(|faults| faults.work_in_part += 1);
        if crash == Crash::Process {
            return;
        }
        if let Some(item) = rest.next()
            && let Ok(mut bytes) = self.chunk(&item)
        {
            let (whole, zeros) = (bytes.len(), chance.bool());
            bytes.truncate(chance.pick(whole + 1));
            if zeros {
                bytes.resize(whole, 0);
            }
            self.write_staged(&item, &bytes);
            self.disk.strike(|faults| faults.chunks_torn += 1);
        }
    }

    /// The first changes are there, or, where the power failed, any of them: renames reach the disk when they do.
    fn commit_in_part(
        &mut self,
        root: RootId,
        items: Vec<CommitItem>,
        crash: Crash,
        chance: &mut fastrand::Rng,
    ) -> Unheard {
        let ended = chance.pick(items.len() + 1);
        let (mut made, mut results) = (Vec::new(), Vec::new());
        for (index, item) in items.into_iter().enumerate() {
            let reach = match crash {
                Crash::Process if index > ended => Reach::Steps(0),
                Crash::Power if chance.bool() => Reach::Steps(0),
                Crash::Process if index < ended => Reach::Whole,
                _ => [Reach::Steps(1), Reach::Steps(2), Reach::Whole][chance.pick(3)],
            };
            if let Some(undo) = self.change_in_part(&item, reach) {
                results.push(CommitResult::Committed { stat: undo.now });
                made.push(item);
            }
        }
        self.disk.strike(|faults| faults.work_in_part += 1);
        Some((Work::Commit { root, items: made }, Outcome::Committed { results }))
    }

    fn change_in_part(&mut self, item: &CommitItem, reach: Reach) -> Option<Undo> {
        if reach == Reach::Steps(0) || self.disk.check_fault(&item.path).is_err() {
            return None;
        }
        let raced = !self.is_expected(item);
        if raced && !self.can_race(item) {
            return None;
        }
        let old = self.disk.find(&item.path).filter(|_| raced).map(|number| (number, self.disk.item(number)));
        let made = self.put(item, reach);
        if let Some((number, old)) = old.filter(|(number, _)| self.disk.is_kept(*number)) {
            self.raced.push(Raced { path: item.path.clone(), number, item: old });
        }
        self.disk.strike(|faults| {
            faults.items_raced += u64::from(raced && made.is_ok());
            faults.items_in_part += u64::from(matches!(made, Err(Failure::Other { .. })));
        });
        made.ok()
    }

    /// A file that was written to, as if right after the host's look at it: host and engine would have seen that in what
    /// came out, but the crash came before.
    fn can_race(&self, item: &CommitItem) -> bool {
        let Some(expect) = &item.expect else { return false };
        let found = self.disk.lookup(&item.path).map(|number| self.disk.stat(number));
        let written = found.is_ok_and(|found| found.kind == expect.kind && found.file_id == expect.file_id);
        written && !matches!(item.put, Put::Mode { .. })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use syncline_core::api::{StageId, StageSource, Write};

    use super::*;
    use crate::{Clock, Disk, ROOT, Tree, digest, tree};

    const SEEDS: std::ops::Range<u64> = 0..300;

    fn host(tree: &Tree) -> Host {
        let clock = Clock::new();
        let mut host = Host::new(ROOT, Disk::new(clock.clone()));
        host.disk.put(tree);
        clock.advance(60_000);
        host
    }

    fn stage(bytes: &[u8]) -> Work {
        let piece = |(index, bytes): (usize, &[u8])| StageItem {
            stage: StageId(1),
            offset: index as u64 * 4,
            length: bytes.len() as u32,
            hash: digest::chunk(bytes),
            source: StageSource::Bytes { bytes: bytes.to_vec() },
        };
        Work::Stage { root: ROOT, items: bytes.chunks(4).enumerate().map(piece).collect() }
    }

    fn change(host: &Host, path: &str, bytes: Option<&[u8]>) -> CommitItem {
        let file =
            |bytes| Put::File { stage: StageId(1), content: digest::content(bytes).0, mode: 0o644, modified_ns: 7 };
        let expect = host.disk.find(path).map(|number| host.disk.stat(number));
        CommitItem { path: path.into(), expect, put: bytes.map_or(Put::Nothing, file), conflict_of: None }
    }

    /// What is left in all runs of a story.
    fn outcomes<T: Ord>(story: impl Fn(&mut fastrand::Rng) -> T) -> BTreeSet<T> {
        SEEDS.map(|seed| story(&mut fastrand::Rng::with_seed(seed))).collect()
    }

    #[test]
    fn a_save_is_whole_or_not_at_all() {
        let write = |key: u8| Write { key: vec![key], value: Some(vec![1]) };
        for crash in [Crash::Process, Crash::Power] {
            let found = outcomes(|chance| {
                let mut host = host(&Tree::default());
                host.interrupt(Work::Save { writes: vec![write(1), write(2), write(3)] }, crash, chance);
                host.store.pairs().count()
            });
            assert_eq!(found, [0, 3].into());
        }
    }

    #[test]
    fn a_save_that_was_not_told_is_there_or_as_if_it_never_was() {
        let save =
            |value| Work::Save { writes: vec![Write { key: vec![1], value }, Write { key: vec![2], value: None }] };
        let found = outcomes(|chance| {
            let mut host = host(&Tree::default());
            host.perform(save(Some(vec![1])));
            let (outcome, undone) = host.carry_out(&save(Some(vec![2])));
            assert_eq!(outcome, Outcome::Saved);
            host.take_back(undone, chance);
            host.store.value(&[1]).map(<[u8]>::to_vec)
        });
        assert_eq!(found, [Some(vec![1]), Some(vec![2])].into());
    }

    #[test]
    fn a_process_leaves_whole_chunks_and_a_loss_of_power_torn_ones() {
        let staged = |crash| {
            outcomes(|chance| {
                let mut host = host(&Tree::default());
                host.interrupt(stage(b"onetwo"), crash, chance);
                if crash == Crash::Power {
                    host.tear_staging(chance);
                }
                host.disk.staging.get(&1).cloned()
            })
        };
        let whole = [None, Some(b"onet".to_vec()), Some(b"onetwo".to_vec())];
        assert_eq!(staged(Crash::Process), whole.clone().into());
        let torn = staged(Crash::Power);
        assert!(whole.iter().all(|whole| torn.contains(whole)));
        for torn in [&b"one"[..], b"onet\0\0", b"\0\0\0\0\0\0"] {
            assert!(staged(Crash::Power).contains(&Some(torn.to_vec())), "{torn:?}");
        }
    }

    #[test]
    fn a_path_holds_the_old_bytes_or_the_new_and_nothing_is_lost() {
        for crash in [Crash::Process, Crash::Power] {
            for told in [false, true] {
                let found = outcomes(|chance| {
                    let mut host = host(&tree([("a", "old"), ("b", "bytes")]));
                    host.perform(stage(b"new"));
                    let items = vec![change(&host, "a", Some(b"new")), change(&host, "b", None)];
                    let work = Work::Commit { root: ROOT, items };
                    if told {
                        let (_, undone) = host.carry_out(&work);
                        if crash == Crash::Power {
                            host.take_back(undone, chance);
                        }
                    } else {
                        host.interrupt(work, crash, chance);
                    }
                    let history: Vec<_> = host.disk.history().iter().map(|displaced| displaced.item.clone()).collect();
                    let (a, b) = (host.disk.read("a").unwrap().to_vec(), host.disk.read("b").is_some());
                    assert_eq!(a == b"new", history.contains(&"old".into()), "{a:?}, {history:?}");
                    assert_ne!(b, history.contains(&"bytes".into()), "{history:?}");
                    (a, b)
                });
                let (done, undone) = ((b"new".to_vec(), false), (b"old".to_vec(), true));
                assert!(found.contains(&done));
                assert_eq!(found.contains(&undone), !told || crash == Crash::Power);
                // Renames in any subset only where the power fails.
                assert_eq!(found.contains(&(b"old".to_vec(), false)), crash == Crash::Power);
            }
        }
    }

    #[test]
    fn what_people_did_after_a_change_holds_it() {
        for seed in SEEDS {
            let mut host = host(&tree([("a", "old")]));
            host.perform(stage(b"new"));
            let items = vec![change(&host, "a", Some(b"new"))];
            let (_, undone) = host.carry_out(&Work::Commit { root: ROOT, items });
            host.disk.append("a", ", and more");
            host.take_back(undone, &mut fastrand::Rng::with_seed(seed));
            assert_eq!(host.disk.tree(), tree([("a", "new, and more")]));
        }
    }
}

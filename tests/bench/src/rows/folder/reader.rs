//! A member that reads a message folder: the real engine, the real host, a store in memory.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail, ensure};
use syncline::folder::SharedFolder;
use syncline_core::Engine;
use syncline_core::api::{
    Action, CompactionConfig, Config, Event, FolderConfig, FolderId, FolderIndexing, LoadQuery, Monotonic, Now,
    Outcome, Pair, Seed, TaskId, UnixMs, Work,
};

use super::author;

const FOLDER: FolderId = FolderId(1);
/// Far apart, so that only what is asked for here makes it look into the folder.
const POLL_MS: u32 = 1_000_000_000;

/// An engine and what it needs.
pub struct Reader {
    engine: Engine,
    shared: SharedFolder,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    work: VecDeque<(TaskId, Work)>,
}

/// What a look at the folder has come to when nothing is left to do but to read messages that were found.
#[derive(Default)]
pub struct Found {
    /// The files to be read, below the session's directory.
    pub files: Vec<String>,
    probes: Vec<Work>,
    reads: Vec<(TaskId, Work)>,
}

impl Found {
    /// The names that were probed on the way.
    pub fn probed(&self) -> Vec<String> {
        let paths = self.probes.iter().filter_map(|work| match work {
            Work::FolderProbe { paths, .. } => Some(paths),
            _ => None,
        });
        paths.flatten().cloned().collect()
    }
}

impl Reader {
    /// Begins with an empty store and takes all that is in the folder.
    pub fn begin(folder: &Path, indexing: FolderIndexing) -> Result<Reader> {
        let config = Config {
            group: author::group()?,
            identity: vec![3; 32],
            name: "reader".to_owned(),
            roots: Vec::new(),
            folders: vec![FolderConfig { id: FOLDER, sealed: false, indexing, poll_ms: POLL_MS }],
            delivery: None,
            records: None,
            compaction: CompactionConfig::default(),
            debounce_ms: 1000,
            dry_run: false,
        };
        let engine = Engine::new(config, Seed { bytes: vec![4; 32] }).map_err(|error| anyhow!("{error}"))?;
        let shared = SharedFolder::open(folder).map_err(|error| anyhow!("{error}"))?;
        let mut reader = Reader { engine, shared, store: BTreeMap::new(), work: VecDeque::new() };
        reader.tell(Event::Start);
        reader.finish()?;
        Ok(reader)
    }

    /// Looks for new messages, up to where nothing is left to do but to read them.
    pub fn look(&mut self) -> Result<Found> {
        let mut found = Found::default();
        self.tell(Event::FolderChanged { folder: FOLDER, paths: Vec::new() });
        while let Some((task, work)) = self.work.pop_front() {
            match work {
                Work::FolderRead { ref paths, .. } if paths.iter().all(|path| path.contains('/')) => {
                    found.files.extend(paths.iter().cloned());
                    found.reads.push((task, work));
                    continue;
                }
                Work::FolderProbe { .. } => {
                    let outcome = self.shared.perform(&work).context("a probe is a folder's work")?;
                    self.tell(Event::Completed { task, outcome });
                    found.probes.push(work);
                }
                _ => self.perform(task, work)?,
            }
        }
        Ok(found)
    }

    /// Reads what was found, and all that follows from it; which files were read, for where a directory's pages tell new
    /// files far apart not all are asked for at once. Nothing is looked for any more.
    pub fn take(&mut self, found: Found) -> Result<Vec<String>> {
        let mut files = found.files;
        self.work.extend(found.reads);
        let mut begun = self.work.len();
        while let Some((task, work)) = self.work.pop_front() {
            match &work {
                Work::FolderRead { paths, .. } if begun == 0 => files.extend(paths.iter().cloned()),
                Work::FolderList { .. } | Work::FolderProbe { .. } => bail!("the look was not over: {work:?}"),
                _ => {}
            }
            begun = begun.saturating_sub(1);
            self.perform(task, work)?;
        }
        self.ensure_complete()?;
        Ok(files)
    }

    /// How many messages of others are missing below what is held, which there should be none of.
    pub fn ensure_complete(&self) -> Result<()> {
        let status = self.engine.status();
        ensure!(status.gaps.is_empty(), "the reader has gaps: {:?}", status.gaps);
        ensure!(status.folders.iter().all(|folder| folder.indexed), "the reader has not read everything: {status:?}");
        Ok(())
    }

    fn finish(&mut self) -> Result<()> {
        while let Some((task, work)) = self.work.pop_front() {
            self.perform(task, work)?;
        }
        self.ensure_complete()
    }

    fn perform(&mut self, task: TaskId, work: Work) -> Result<()> {
        let outcome = match self.shared.perform(&work) {
            Some(outcome) => outcome,
            None => self.store(work)?,
        };
        self.tell(Event::Completed { task, outcome });
        Ok(())
    }

    fn store(&mut self, work: Work) -> Result<Outcome> {
        let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| Pair { key: key.clone(), value: value.clone() };
        match work {
            Work::Save { writes } => {
                for write in writes {
                    match write.value {
                        Some(value) => drop(self.store.insert(write.key, value)),
                        None => drop(self.store.remove(&write.key)),
                    }
                }
                Ok(Outcome::Saved)
            }
            Work::Load { query: LoadQuery::Range { start, end, .. } } => {
                Ok(Outcome::Loaded { pairs: self.store.range(start..end).map(pair).collect(), more: false })
            }
            Work::Load { query: LoadQuery::Keys { keys } } => {
                let pairs = keys.iter().filter_map(|key| self.store.get_key_value(&key.bytes)).map(pair).collect();
                Ok(Outcome::Loaded { pairs, more: false })
            }
            other => Err(anyhow!("expected work on a store or a folder, found {other:?}")),
        }
    }

    /// Time stands still, so that nothing is due but what is asked for here.
    fn tell(&mut self, event: Event) {
        let now = Now { monotonic: Monotonic(1_000), unix: UnixMs(1_000_000) };
        for action in self.engine.handle(now, event) {
            if let Action::Perform { task, work } = action {
                self.work.push_back((task, work));
            }
        }
    }
}

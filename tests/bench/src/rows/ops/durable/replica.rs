//! Our side: a whole engine, and the store that its host gives it.

use std::collections::VecDeque;
use std::path::Path;
use std::time::{Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Result, anyhow, bail, ensure};
use redb::{Database, ReadableDatabase, TableDefinition};
use syncline_core::Engine;
use syncline_core::api::{
    Action, Command, CompactionConfig, Config, DeleteRule, Event, LoadQuery, MergeType, Monotonic, Now, Outcome, Pair,
    RecordsConfig, RowChange, RowChangeKind, Seed, TableConfig, TableKind, TaskId, UnixMs, Work, Write,
};
use syncline_core::records::{RowId, table_end};

use super::Keeper;
use crate::rows::ops::data::Update;
use crate::rows::ops::ours;

/// As the host's store has it, which is its own.
const PAIRS: TableDefinition<'_, &[u8], &[u8]> = TableDefinition::new("engine");
const CACHE_BYTES: usize = 64 * 1024 * 1024;

/// An engine and its store.
pub struct Replica {
    engine: Engine,
    store: Database,
    begun: Instant,
    work: VecDeque<(TaskId, Work)>,
    taken: u64,
    given: u64,
}

impl Keeper for Replica {
    fn create(directory: &Path) -> Result<Replica> {
        let store = Database::builder().set_cache_size(CACHE_BYTES).create(directory.join("store.redb"))?;
        let transaction = store.begin_write()?;
        transaction.open_table(PAIRS)?;
        transaction.commit()?;
        let engine = Engine::new(config(), Seed { bytes: vec![4; 32] }).map_err(|error| anyhow!("{error}"))?;
        let work = VecDeque::new();
        let mut replica = Replica { engine, store, begun: Instant::now(), work, taken: 0, given: 0 };
        replica.tell(Event::Start);
        replica.finish()?;
        Ok(replica)
    }

    fn take(&mut self, batch: &[Update]) -> Result<()> {
        let change = |update: &Update| RowChange {
            table: ours::TABLE.to_owned(),
            key: update.key.clone().into_bytes(),
            change: RowChangeKind::Update { values: ours::values(update).into() },
            at: None,
        };
        self.given += 1;
        let changes = batch.iter().map(change).collect();
        self.tell(Event::Command { command: Command::WriteRows { taken: self.given, changes, more: false } });
        self.finish()?;
        ensure!(self.taken == self.given, "a batch was not acknowledged");
        Ok(())
    }

    fn rows(&self) -> Result<usize> {
        let start = RowId::new(ours::TABLE, None, &[]).into_key();
        let table = self.store.begin_read()?.open_table(PAIRS)?;
        Ok(table.range(start.as_slice()..table_end(ours::TABLE).as_slice())?.count())
    }
}

fn config() -> Config {
    let table = TableConfig {
        name: ours::TABLE.to_owned(),
        kind: TableKind::Shared,
        merge: MergeType::LwwMap,
        delete: DeleteRule::UpdateRevives,
    };
    Config {
        group: ours::group(),
        identity: vec![3; 32],
        name: "bench".to_owned(),
        roots: Vec::new(),
        folders: Vec::new(),
        delivery: None,
        records: Some(RecordsConfig { tables: vec![table], max_drift_ms: 100, has_changes: false, is_copy: false, applied: None, taken: 0 }),
        compaction: CompactionConfig::default(),
        debounce_ms: 1000,
        dry_run: false,
    }
}

impl Replica {
    fn finish(&mut self) -> Result<()> {
        loop {
            while let Some((task, work)) = self.work.pop_front() {
                let outcome = self.perform(work)?;
                self.tell(Event::Completed { task, outcome });
            }
            let now = self.now();
            if self.engine.deadline().is_none_or(|deadline| deadline > now.monotonic) {
                return Ok(());
            }
            self.tell(Event::Wake);
        }
    }

    fn perform(&self, work: Work) -> Result<Outcome> {
        match work {
            Work::Save { writes } => self.save(&writes),
            Work::Load { query } => self.load(&query),
            other => bail!("expected work on a store, found {other:?}"),
        }
    }

    fn save(&self, writes: &[Write]) -> Result<Outcome> {
        let transaction = self.store.begin_write()?;
        {
            let mut table = transaction.open_table(PAIRS)?;
            for write in writes {
                match &write.value {
                    Some(value) => table.insert(write.key.as_slice(), value.as_slice())?,
                    None => table.remove(write.key.as_slice())?,
                };
            }
        }
        transaction.commit()?;
        Ok(Outcome::Saved)
    }

    fn load(&self, query: &LoadQuery) -> Result<Outcome> {
        let table = self.store.begin_read()?.open_table(PAIRS)?;
        let mut pairs = Vec::new();
        match query {
            LoadQuery::Keys { keys } => {
                for key in keys {
                    if let Some(value) = table.get(key.bytes.as_slice())? {
                        pairs.push(Pair { key: key.bytes.clone(), value: value.value().to_vec() });
                    }
                }
            }
            LoadQuery::Range { start, end, .. } => {
                for pair in table.range(start.as_slice()..end.as_slice())? {
                    let (key, value) = pair?;
                    pairs.push(Pair { key: key.value().to_vec(), value: value.value().to_vec() });
                }
            }
        }
        Ok(Outcome::Loaded { pairs, more: false })
    }

    fn tell(&mut self, event: Event) {
        let now = self.now();
        for action in self.engine.handle(now, event) {
            match action {
                Action::Perform { task, work } => self.work.push_back((task, work)),
                Action::RowsWritten { taken } => self.taken = taken,
                _ => {}
            }
        }
    }

    fn now(&self) -> Now {
        let unix = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let milliseconds = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        Now { monotonic: Monotonic(milliseconds(self.begun.elapsed())), unix: UnixMs(milliseconds(unix)) }
    }
}

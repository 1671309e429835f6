//! The one who works on a database: for the engine, and between the application and the engine.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use crossbeam_channel::Sender;
use syncline_core::api::{
    Command, Event, Key, LoadQuery, Outcome, RowChange, RowName, RowState, TableKind, Work, Write,
};
use syncline_core::records::{Row, RowId, Rule, check_size};

use super::{place, run::Observer};
use crate::run::{Input, Keeper, RowsNews};
use crate::sqlite::{Applying, Database, Page, RowNotice, Tracked, Trouble};
use crate::{Error, escape};

/// Rows of one page of changes.
const PAGE_ROWS: u32 = 4096;

/// What was done to a database so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) created: u64,
    pub(super) updated: u64,
    pub(super) deleted: u64,
    /// The application has changed nothing that the engine was not given.
    pub(super) is_given: bool,
    /// Rows are set aside.
    pub(super) has_aside: bool,
    /// Rows whose changes are too large to be sent.
    pub(super) kept_back: u64,
}

/// A database at work.
pub(super) struct Desk {
    database: Database,
    path: PathBuf,
    /// Of which device.
    public_key: [u8; 32],
    engine: Sender<Input>,
    observer: Arc<dyn Observer>,
    counts: Arc<Mutex<Counts>>,
    /// Its file may be a copy; once the engine has saved its new id it no longer is.
    is_copy: bool,
    has_started: bool,
    /// The engine has saved the application's changes up to here.
    taken: u64,
    /// A page was given, and the engine has not said that it has it.
    is_giving: bool,
    /// The engine waits to hear that there is nothing more: at the start, and behind each page.
    is_awaited: bool,
    /// Others' rows wait behind changes of the application.
    has_kept: bool,
}

impl Desk {
    pub(super) fn new(
        (database, is_copy): (Database, bool),
        given: PathBuf,
        public_key: [u8; 32],
        engine: Sender<Input>,
        observer: Arc<dyn Observer>,
        counts: Arc<Mutex<Counts>>,
    ) -> Desk {
        Desk {
            database,
            path: given,
            public_key,
            engine,
            observer,
            counts,
            is_copy,
            has_started: false,
            taken: 0,
            is_giving: false,
            is_awaited: false,
            has_kept: false,
        }
    }

    fn save(&mut self, writes: &[Write]) -> Result<(), Error> {
        self.database.save(writes)?;
        if std::mem::take(&mut self.is_copy) {
            place::note(&self.database)?;
        }
        Ok(())
    }

    fn apply(&mut self, sequence: u64, rows: &[RowState]) -> Result<(), Error> {
        let database = &self.database;
        let stamps = |name: &RowName| stored(database, name);
        let with = Applying { given: self.taken, me: &self.public_key, stamps: &stamps };
        let applied = database.apply(sequence, rows, &with)?;
        self.has_kept |= applied.kept > 0;
        for notice in &applied.notices {
            self.observer.row(&self.path, notice);
        }
        self.observer.applied(&self.path, rows, &applied);
        let has_aside = self.database.has_aside()?;
        self.count(|counts| {
            counts.created = counts.created.saturating_add(applied.created);
            counts.updated = counts.updated.saturating_add(applied.updated);
            counts.deleted = counts.deleted.saturating_add(applied.deleted);
            counts.has_aside = has_aside;
        });
        Ok(())
    }

    /// Gives the engine the next page of what the application changed, or says that there is nothing if it waits to hear that.
    fn give(&mut self) -> Result<(), Error> {
        let mut page = self.database.next_changes(PAGE_ROWS)?;
        while let Some(empty) = page.as_ref().filter(|page| page.changes.is_empty()) {
            // What was noted came to nothing.
            self.database.forget(empty.taken)?;
            self.taken = self.taken.max(empty.taken);
            page = self.database.next_changes(PAGE_ROWS)?;
        }
        self.count(|counts| counts.is_given = page.is_none());
        let (taken, changes, more) = match page {
            Some(page) => (page.taken, self.sendable(page)?, true),
            None if self.is_awaited => (self.taken, Vec::new(), false),
            None => {
                if std::mem::take(&mut self.has_kept) {
                    self.apply(self.database.applied()?, &[])?;
                }
                return Ok(());
            }
        };
        (self.is_giving, self.is_awaited) = (true, more);
        let command = Command::WriteRows { taken, changes, more };
        // An engine that has ended takes nothing any more.
        let _ = self.engine.send(Input::Event(Event::Command { command }));
        Ok(())
    }

    /// The changes of a page that a message can carry. The others are kept back, and told.
    fn sendable(&self, page: Page) -> Result<Vec<RowChange>, Error> {
        let (mut sendable, mut too_large) = (Vec::new(), BTreeSet::new());
        for change in page.changes {
            let name = self.name(&change);
            match check_size(&change) {
                // A row goes whole, or not at all.
                Ok(()) if too_large.contains(&name) => {}
                Ok(()) => sendable.push(change),
                Err(why) => {
                    self.observer.row(&self.path, &RowNotice { name: name.clone(), trouble: Trouble::TooLarge(why) });
                    too_large.insert(name);
                }
            }
        }
        if !too_large.is_empty() {
            self.database.keep_back(&too_large, page.taken)?;
        }
        self.count_kept_back()?;
        Ok(sendable)
    }

    fn count_kept_back(&self) -> Result<(), Error> {
        let mut rows = 0;
        for tracked in self.database.tables() {
            rows += self.database.kept_back(&tracked.config.name)?.len() as u64;
        }
        self.count(|counts| counts.kept_back = rows);
        Ok(())
    }

    /// The name of a row that the application changed.
    fn name(&self, change: &RowChange) -> RowName {
        let tables = self.database.tables();
        let is_owned = |tracked: &Tracked| tracked.config.kind == TableKind::Owned;
        let owned = tables.iter().any(|tracked| tracked.config.name == change.table && is_owned(tracked));
        let owner = if owned { self.public_key.to_vec() } else { Vec::new() };
        RowName { table: change.table.clone(), key: change.key.clone(), owner }
    }

    fn hear_news(&mut self, news: RowsNews) -> Result<(), Error> {
        match news {
            RowsNews::Started { taken } => {
                (self.has_started, self.is_awaited, self.taken) = (true, true, taken);
                self.database.forget(taken)?;
                self.database.try_kept_back()?;
                self.has_kept = self.database.has_aside()?;
                self.give()
            }
            // What an earlier engine has saved is told by the start.
            RowsNews::Written { .. } | RowsNews::Look if !self.has_started => Ok(()),
            RowsNews::Written { taken } => {
                self.is_giving = false;
                if taken > self.taken {
                    self.database.forget(taken)?;
                    self.taken = taken;
                    // What was kept back may have gone.
                    self.count_kept_back()?;
                }
                self.give()
            }
            RowsNews::Look if self.is_giving => Ok(()),
            RowsNews::Look => self.give(),
        }
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl Keeper for Desk {
    fn path(&self) -> &Path {
        &self.path
    }

    fn perform(&mut self, work: &Work) -> Result<Outcome, Error> {
        match work {
            Work::Save { writes } => self.save(writes).map(|()| Outcome::Saved),
            Work::Load { query } => self.database.load(query).map(|(pairs, more)| Outcome::Loaded { pairs, more }),
            Work::ApplyRows { sequence, rows } => self.apply(*sequence, rows).map(|()| Outcome::RowsApplied),
            _ => Err(Error::Failed { what: "a database of rows cannot do this".into() }),
        }
    }

    fn hear(&mut self, news: RowsNews) {
        if let Err(error) = self.hear_news(news) {
            // It is tried again at the next look.
            self.is_giving = false;
            self.observer.failed(&self.path, &error);
            tracing::error!("{}", escape(&error.to_string()));
        }
    }
}

/// A row as the engine has saved it.
fn stored(database: &Database, name: &RowName) -> Option<RowState> {
    let tracked = database.tables().iter().find(|tracked| tracked.config.name == name.table)?;
    let key = RowId::of(name)?.into_key();
    let (pairs, _) = database.load(&LoadQuery::Keys { keys: vec![Key { bytes: key }] }).ok()?;
    let row = Row::from_stored(&pairs.first()?.value)?;
    Some(row.state(name.clone(), Rule::of(&tracked.config)))
}

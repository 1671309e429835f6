//! How a root stands, from its state alone: its files are not looked at.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossbeam_channel::unbounded;
use syncline_core::api::{Event, GroupId, RootState, Status};

use crate::Error;
use crate::root::{Found, Location, Root};
use crate::run::{Board, Input, Pool, Runner, Setup, Vault};
use crate::store::Partner;
use crate::sync::{Options, engine};

/// How long reading the state may take.
const READ_MAX: Duration = Duration::from_secs(600);

/// How a root stands.
#[derive(Debug, Clone)]
pub struct RootReport {
    /// Its canonical path.
    pub path: PathBuf,
    /// The group.
    pub group: GroupId,
    /// This replica's name.
    pub name: String,
    /// The engine's own words.
    pub status: Status,
    /// The folders that it was kept in sync with on this machine.
    pub partners: Vec<PartnerReport>,
}

/// A folder that a root was kept in sync with.
#[derive(Debug, Clone)]
pub struct PartnerReport {
    /// Its canonical path.
    pub path: PathBuf,
    /// The replica that was there.
    pub replica: syncline_core::api::ReplicaId,
}

/// Reads how a root stands. Nothing is written.
///
/// # Errors
/// It is no root, another process has it, or its state cannot be read.
pub fn status(path: &Path) -> Result<RootReport, Error> {
    let location = Location::of(path)?;
    if !matches!(location.found, Found::Replica { .. }) {
        return Err(Error::NotARoot { path: path.to_path_buf() });
    }
    let mut root = Root::open(&location, true)?.root;
    let _lock = root.lock.take();
    let partners = root.store.partners()?;
    let (canonical, group, name) = (root.canonical.clone(), root.facts.group, root.facts.name.clone());
    let status = read(root, path)?;
    let partners = partners.into_iter().map(|Partner { path, replica }| PartnerReport { path, replica }).collect();
    Ok(RootReport { path: canonical, group, name, status, partners })
}

/// Starts an engine on a copy of the state, and stops it as soon as it has read that.
fn read(root: Root, given: &Path) -> Result<Status, Error> {
    let board = Arc::new(Board::default());
    let inbox = unbounded();
    let sender = inbox.0.clone();
    let setup = Setup {
        side: 0,
        engine: engine(&root, Options { once: true, dry_run: true, ..Options::default() })?,
        disk: Some(Arc::clone(&root.disk)),
        folder: None,
        deliver: None,
        published: None,
        keeps_records: false,
        vault: Vault::new(root.store)?,
        pool: Arc::new(Pool::new()?),
        board: Arc::clone(&board),
        inbox,
        peer: None,
        witness: Arc::new(|_, _| {}),
        notified: Box::new(|notice| tracing::debug!("{}", notice.message)),
    };
    let runner = Runner::start(setup)?;
    let began = Instant::now();
    let mut seen = 0;
    let status = loop {
        let [side, _] = board.wait(&mut seen, Duration::from_millis(500));
        let failed =
            |what: &str| Err(Error::Failed { what: format!("cannot read the state of `{}`: {what}", given.display()) });
        match side.status {
            Some(status) if status.failed => break failed("the store is damaged"),
            Some(status) if status.replica.is_some() && loaded(&status) => break Ok(status),
            _ if side.stopped => break failed("the engine ended by itself; this is a defect, please report it"),
            _ if began.elapsed() >= READ_MAX => break failed("it took too long"),
            _ => {}
        }
    };
    // An engine that has ended needs no telling.
    let _ = sender.send(Input::Event(Event::Stop));
    runner.join();
    status
}

fn loaded(status: &Status) -> bool {
    status.roots.iter().all(|root| root.state != RootState::Loading)
}

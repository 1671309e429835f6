//! Opening a message folder: which session it holds, with which state, and an engine for it.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crossbeam_channel::unbounded;
use syncline_core::Engine;
use syncline_core::api::{
    CompactionConfig, Config, DeliveryConfig, FolderConfig, FolderIndexing, FolderState, GroupConfig, GroupId, Key,
    LoadQuery, NoticeCode, Seed, Status,
};
use syncline_core::folder::{Info, InfoError};
use uuid::Uuid;

use super::key;
use super::state::{State, default_directory, make_private, parse_taken, taken_key};
use super::stream::Messages;
use super::{FOLDER, MessageFolder, Order, SIDE};
use crate::Error;
use crate::folder::SharedFolder;
use crate::root::random;
use crate::run::{Board, Input, Pool, Runner, Setup, Vault};
use crate::store::{Facts, Store};

/// Where a sealed session's key is kept in the state's directory.
pub(super) const KEY_FILE: &str = "group.key";
/// How often a folder is looked through where no watcher says anything.
const POLL_MS: u32 = 5_000;
/// How long what was said in a session that ended may take into the folder before the rest is left to the next start.
const FORMER_WAIT: Duration = Duration::from_secs(10);

/// How to take part in a message folder.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// Where this device's state is kept; else in the user's own directory for state, one for each shared folder. Two users
    /// of one machine, or two programs, give two.
    pub state: Option<PathBuf>,
    /// The group's key, of a sealed session.
    pub key: Option<[u8; 32]>,
    /// Begin a session if the folder has none; sealed, if a key is given.
    pub create: bool,
    /// The device's name as others see it; else the system's.
    pub name: Option<String>,
    /// Whether and in which order messages are given to [`MessageFolder::messages`].
    pub order: Option<Order>,
    /// Remove own messages from the folder once every member has them. Who joins later never gets those; else everyone gets
    /// all that was ever said.
    pub clear: bool,
}

impl MessageFolder {
    /// Takes part in a message folder. The engine runs until the result is dropped.
    ///
    /// # Errors
    /// The folder is not there, holds no session or one that cannot be joined, or the state cannot be used.
    pub fn open(folder: &Path, options: Options) -> Result<MessageFolder, Error> {
        let shared = Arc::new(SharedFolder::open(folder)?);
        let canonical = folder.canonicalize().map_err(|e| Error::io("find", folder, e))?;
        let directory = options.state.clone().map_or_else(|| default_directory(&canonical), Ok)?;
        let infos = infos(&shared, &directory, &options)?;
        let group = group(folder, &infos, options.key, || key::read(&directory.join(KEY_FILE)).ok())?;
        // Two devices that began at once: all go on with the smaller session, which both now know.
        let is_superseded = |facts: &Facts| infos.iter().flatten().any(|info| info.session == facts.group);
        let name = options.name.as_deref();
        let (state, mut former) = State::open(&directory, &canonical, &group, name, is_superseded)?;
        if let Some(key) = options.key {
            key::write(&directory.join(KEY_FILE), &key)?;
        }
        let opened = start(Arc::clone(&shared), group, state, &directory, &options)?;
        for payload in former.take_unposted() {
            opened.post(payload)?;
        }
        if !former.is_done() && opened.is_written(FORMER_WAIT) {
            former.end(&shared)?;
        }
        Ok(opened)
    }

    /// Waits until all that this device has said is in the folder; false if the time is over before.
    fn is_written(&self, timeout: Duration) -> bool {
        let is_written = |status: &Status| {
            status.folders.iter().all(|folder| folder.state == FolderState::Following && folder.unwritten == 0)
        };
        self.wait(timeout, |status, _| is_written(status));
        self.status().as_ref().is_some_and(is_written)
    }
}

fn infos(shared: &SharedFolder, directory: &Path, options: &Options) -> Result<Vec<Result<Info, InfoError>>, Error> {
    let infos = shared.infos()?;
    if !infos.is_empty() || !options.create {
        return Ok(infos);
    }
    let session = GroupId::from_bytes(*Uuid::new_v4().as_bytes());
    let info = options.key.map_or_else(|| Info::open(session), |key| Info::sealed(session, &key));
    if let Some(key) = options.key {
        // A session whose key nobody has must not be.
        make_private(directory)?;
        key::write(&directory.join(KEY_FILE), &key)?;
    }
    shared.create_session(&info)?;
    shared.infos()
}

fn group(
    folder: &Path,
    infos: &[Result<Info, InfoError>],
    given: Option<[u8; 32]>,
    remembered: impl FnOnce() -> Option<[u8; 32]>,
) -> Result<GroupConfig, Error> {
    let path = folder.to_path_buf();
    if infos.is_empty() {
        return Err(Error::NoSession { path });
    }
    let chosen = Info::choose(infos.iter().copied()).and_then(|info| match (info.key_check, given) {
        // Who gives a key relies on it that nothing is said in the open.
        (None, Some(_)) => Err(InfoError::NotSealed),
        _ => info.group(given.or_else(remembered).as_ref().map(|key| key.as_slice())),
    });
    chosen.map_err(|error| Error::UnusableSession { path, error })
}

/// The engine of a session, as far as its application has taken its messages.
fn engine(store: &Store, facts: &Facts, group: GroupConfig, options: &Options) -> Result<Engine, Error> {
    let sealed = Info::open(group.id).group(None).is_ok_and(|open| open.key != group.key);
    let order = options.order;
    let taken = match order {
        None => 0,
        Some(order) => {
            let keys = vec![Key { bytes: taken_key(order) }];
            let (pairs, _) = store.load(&LoadQuery::Keys { keys })?;
            pairs.first().map_or(0, |pair| parse_taken(&pair.value))
        }
    };
    let config = Config {
        group,
        identity: facts.identity.to_vec(),
        name: facts.name.clone(),
        roots: Vec::new(),
        folders: vec![FolderConfig { id: FOLDER, sealed, indexing: FolderIndexing::Listing, poll_ms: POLL_MS }],
        delivery: order.map(|order| DeliveryConfig { order, delivered: taken }),
        debounce_ms: 0,
        records: None,
        compaction: CompactionConfig { clear_applied: options.clear, ..CompactionConfig::default() },
        dry_run: false,
    };
    Engine::new(config, Seed { bytes: random()?.to_vec() })
        .map_err(|e| Error::Damaged { path: store.path().to_path_buf(), detail: e.to_string() })
}

fn start(
    shared: Arc<SharedFolder>,
    group: GroupConfig,
    state: State,
    directory: &Path,
    options: &Options,
) -> Result<MessageFolder, Error> {
    let State { store, facts, lock } = state;
    let (session, order) = (group.id, options.order);
    let engine = engine(&store, &facts, group, options)?;
    let (board, inbox) = (Arc::new(Board::default()), unbounded());
    let vault = Vault::new(store)?;
    let access = vault.access();
    let messages = order.map(|order| Messages::new(order, access.clone()));
    let (published_to, published) = unbounded();
    let (notices_to, notices) = futures_channel::mpsc::unbounded();
    let failed = Arc::new(Mutex::new(None));
    let heard = Arc::clone(&failed);
    let watch = {
        let to = inbox.0.clone();
        // Without a watcher the folder is looked through from time to time.
        shared.watch(FOLDER, move |event| to.send(Input::Event(event)).is_ok()).ok()
    };
    let (stream, deliver) = match messages {
        Some((stream, deliver)) => (Some(stream), Some(deliver)),
        None => (None, None),
    };
    let sender = inbox.0.clone();
    let runner = Runner::start(Setup {
        side: SIDE,
        engine,
        disk: None,
        folder: Some((FOLDER, shared)),
        deliver,
        published: Some(Box::new(move |author, counter| {
            let _ = published_to.send((author, counter));
        })),
        keeps_records: false,
        vault,
        pool: Arc::new(Pool::new()?),
        board: Arc::clone(&board),
        inbox,
        peer: None,
        witness: Arc::new(|_, _| {}),
        notified: Box::new(move |notice| {
            if matches!(notice.code, NoticeCode::StoreFailed | NoticeCode::StoreCorrupt) {
                *heard.lock().unwrap_or_else(PoisonError::into_inner) = Some(notice.message.clone());
            }
            let _ = notices_to.unbounded_send(notice);
        }),
    })?;
    Ok(MessageFolder {
        inbox: sender,
        board,
        runner: Some(runner),
        published,
        notices: Mutex::new(Some(notices)),
        failed,
        messages: stream,
        store: access,
        session,
        state: directory.to_path_buf(),
        _lock: lock,
        _watch: watch,
    })
}

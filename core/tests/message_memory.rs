//! What an engine holds in memory for each message at rest, counted by the allocator itself. One test only: the count is
//! the whole process's.
//!
//! `SYNCLINE_MESSAGES` says how many messages there are; `docs/benchmarks.md` has the figures for a million.

use std::collections::{BTreeMap, VecDeque};
use std::thread;

use peak_alloc::PeakAlloc;
use serde_bytes::ByteBuf;
use syncline_core::Engine;
use syncline_core::api::{
    Action, CompactionConfig, Config, DeliveryConfig, DeliveryOrder, Event, Failure, FolderConfig, FolderEntryKind,
    FolderId, FolderIndexing, FolderResult, GroupConfig, GroupId, LoadQuery, Monotonic, Now, Outcome, Pair, ReadResult,
    ReplicaId, Seed, TaskId, UnixMs, Work, Write, listing,
};
use syncline_core::crypto::{Identity, Signature};
use syncline_core::folder::{Info, feed_directory, parse_feed_directory, parse_message_path};
use syncline_core::log::{Entry, Log, Message, Previous, Sealed};

#[global_allocator]
static ALLOCATOR: PeakAlloc = PeakAlloc;

const SESSION: GroupId = GroupId::from_bytes([7; 16]);
const AUTHOR: ReplicaId = ReplicaId::from_bytes([1; 16]);
/// Its directory comes first, so that it is known before the others say anything.
const SILENT: ReplicaId = ReplicaId::from_bytes([0; 16]);
const FOLDER: FolderId = FolderId(1);
const MESSAGES: u64 = 10_000;
const PAGE_ENTRIES: usize = 1_000;

/// What each message may cost.
const BYTES_EACH: usize = 32;
/// What an engine costs that holds next to nothing: its parts, and blocks that are not full.
const BASE_BYTES: usize = 64 << 10;

fn group() -> GroupConfig {
    Info::open(SESSION).group(None).unwrap()
}

fn introduction(replica: ReplicaId, identity: &Identity) -> Sealed {
    let mut log = Log::new(&group(), identity.clone()).unwrap();
    log.begin(replica);
    log.compose(UnixMs(5), vec![], "by hand").unwrap()
}

type Feed = BTreeMap<u64, Vec<u8>>;

/// An author's messages, a minute between them.
fn feed(replica: ReplicaId, secret: u8, messages: u64) -> Feed {
    let identity = Identity::from_secret(&[secret; 32]).unwrap();
    let mut last = introduction(replica, &identity);
    let mut feed = Feed::from([(1, last.bytes.clone())]);
    for counter in 2..=messages {
        let message = Message {
            author: replica,
            counter,
            lamport: counter,
            unix_ms: UnixMs(1_700_000_000_000 + counter * 60_000),
            previous: Some(Previous { counter: counter - 1, hash: last.hash }),
            entries: vec![Entry::Application { payload: ByteBuf::from(format!("message {counter}")) }],
            signature: Signature::from_bytes([0; Signature::BYTES]),
        };
        last = message.seal(SESSION, &identity).unwrap();
        feed.insert(counter, last.bytes.clone());
    }
    feed
}

/// A host with a message folder, a store and an application.
#[derive(Default)]
struct Host {
    feeds: BTreeMap<ReplicaId, Feed>,
    store: BTreeMap<Vec<u8>, Vec<u8>>,
    delivered: u64,
    now: u64,
}

impl Host {
    /// A new engine that goes on until nothing is left to do.
    fn run(&mut self, order: DeliveryOrder) -> Engine {
        let config = Config {
            group: group(),
            identity: vec![9; 32],
            name: "desk".into(),
            roots: vec![],
            folders: vec![FolderConfig {
                id: FOLDER,
                sealed: false,
                indexing: FolderIndexing::Listing,
                poll_ms: 60_000,
            }],
            delivery: Some(DeliveryConfig { order, delivered: self.delivered }),
            records: None,
            compaction: CompactionConfig::default(),
            debounce_ms: 0,
            dry_run: false,
        };
        let mut engine = Engine::new(config, Seed { bytes: vec![3; 32] }).unwrap();
        let mut work = VecDeque::new();
        self.tell(&mut engine, Event::Start, &mut work);
        loop {
            while let Some((task, asked)) = work.pop_front() {
                let outcome = self.perform(asked);
                self.tell(&mut engine, Event::Completed { task, outcome }, &mut work);
            }
            let status = engine.status();
            assert!(!status.failed, "{:?}", status.folders);
            if status.quiet && status.folders[0].indexed && status.folders[0].unwritten == 0 {
                return engine;
            }
            self.now = self.now.max(engine.deadline().expect("something is left to do").0);
            self.tell(&mut engine, Event::Wake, &mut work);
        }
    }

    fn tell(&self, engine: &mut Engine, event: Event, work: &mut VecDeque<(TaskId, Work)>) {
        let now = Now { monotonic: Monotonic(self.now), unix: UnixMs(1_800_000_000_000 + self.now) };
        for action in engine.handle(now, event) {
            match action {
                Action::Perform { task, work: asked } => work.push_back((task, asked)),
                other => panic!("expected work, found {other:?}"),
            }
        }
    }

    fn perform(&mut self, work: Work) -> Outcome {
        match work {
            Work::Save { writes } => {
                for Write { key, value } in writes {
                    match value {
                        Some(value) => drop(self.store.insert(key, value)),
                        None => drop(self.store.remove(&key)),
                    }
                }
                Outcome::Saved
            }
            Work::Load { query } => self.load(query),
            Work::Deliver { messages } => {
                self.delivered = messages.last().expect("no delivery is empty").sequence;
                Outcome::Delivered
            }
            Work::FolderList { directory, page, .. } => self.list(&directory, page.unwrap_or(0)),
            Work::FolderRead { paths, .. } => {
                Outcome::FolderRead { results: paths.iter().map(|path| self.read(path)).collect() }
            }
            Work::FolderCreate { files, .. } => {
                let results = vec![FolderResult::Done; files.len()];
                for file in files {
                    let (author, counter) = parse_message_path(&file.path).unwrap();
                    assert!(self.feeds.entry(author).or_default().insert(counter, file.bytes).is_none());
                }
                Outcome::FolderWritten { results }
            }
            other => panic!("expected work on messages, found {other:?}"),
        }
    }

    fn load(&self, query: LoadQuery) -> Outcome {
        let pair = |(key, value): (&Vec<u8>, &Vec<u8>)| Pair { key: key.clone(), value: value.clone() };
        match query {
            LoadQuery::Keys { keys } => {
                let pairs = keys.iter().filter_map(|key| self.store.get_key_value(&key.bytes)).map(pair).collect();
                Outcome::Loaded { pairs, more: false }
            }
            LoadQuery::Range { start, end, bytes_max } => {
                let (mut pairs, mut bytes) = (Vec::new(), 0);
                let mut range = self.store.range(start..end);
                for found in range.by_ref() {
                    bytes += found.0.len() + found.1.len();
                    pairs.push(pair(found));
                    if bytes >= bytes_max as usize {
                        break;
                    }
                }
                Outcome::Loaded { pairs, more: range.next().is_some() }
            }
        }
    }

    fn list(&self, directory: &str, page: u64) -> Outcome {
        let (mut names, mut next) = (Vec::new(), None);
        if directory.is_empty() {
            listing::push_name(&mut names, FolderEntryKind::File, "info");
            for author in self.feeds.keys() {
                listing::push_name(&mut names, FolderEntryKind::Directory, &feed_directory(*author));
            }
        } else {
            let feed = parse_feed_directory(directory).and_then(|author| self.feeds.get(&author));
            let Some(feed) = feed else { return Outcome::Failed { failure: Failure::Missing } };
            let mut rest = feed.range(page..);
            for (counter, _) in rest.by_ref().take(PAGE_ENTRIES) {
                listing::push_name(&mut names, FolderEntryKind::File, &format!("{counter:x}"));
            }
            next = rest.next().map(|(counter, _)| *counter);
        }
        Outcome::FolderListed { names, next }
    }

    fn read(&self, path: &str) -> ReadResult {
        let bytes = match parse_message_path(path) {
            Some((author, counter)) => self.feeds.get(&author).and_then(|feed| feed.get(&counter)).cloned(),
            None => (path == "info").then(|| Info::open(SESSION).to_json().into_bytes()),
        };
        bytes.map_or(ReadResult::Failed { failure: Failure::Missing }, |bytes| ReadResult::Bytes { bytes })
    }
}

/// Runs an engine on a thread of its own, so that what a thread keeps for itself does not count.
fn run(mut host: Host, order: DeliveryOrder) -> (Host, Engine) {
    let run = move || {
        let engine = host.run(order);
        (host, engine)
    };
    thread::spawn(run).join().unwrap()
}

/// The bytes that an engine holds after following a folder, and those that another holds which starts with its store.
fn held(messages: u64, order: DeliveryOrder, is_one_silent: bool) -> [usize; 2] {
    let mut host = Host::default();
    host.feeds.insert(AUTHOR, feed(AUTHOR, 1, messages));
    if is_one_silent {
        host.feeds.insert(SILENT, feed(SILENT, 2, 1));
    }
    let mut bytes = [0; 2];
    for found in &mut bytes {
        let (left, engine) = run(host, order);
        host = left;
        let stable = engine.status().stable.map_or(0, |place| place.lamport);
        assert_eq!(stable < 2, is_one_silent, "stable up to {stable}");
        let is_delivered = order == DeliveryOrder::Arrival || !is_one_silent;
        assert_eq!(host.delivered, if is_delivered { messages - 1 } else { 0 });
        // What is free when it is gone is what it held.
        let before = ALLOCATOR.current_usage();
        drop(engine);
        *found = before - ALLOCATOR.current_usage();
    }
    bytes
}

#[test]
fn a_message_at_rest_costs_less_than_32_bytes() {
    let messages = std::env::var("SYNCLINE_MESSAGES").map_or(MESSAGES, |count| count.parse().unwrap());
    for (what, order, is_one_silent) in [
        ("in the order of arrival", DeliveryOrder::Arrival, false),
        ("in message order, all stable", DeliveryOrder::Total, false),
        ("in message order, none stable", DeliveryOrder::Total, true),
    ] {
        for (when, bytes) in ["after following", "after a start"].into_iter().zip(held(messages, order, is_one_silent))
        {
            let each = bytes as f64 / messages as f64;
            println!("{messages} messages {what}, {when}: {bytes} bytes, {each:.2} each");
            assert!(bytes <= BASE_BYTES + BYTES_EACH * messages as usize, "{what}, {when}: {each:.2} bytes each");
        }
    }
}

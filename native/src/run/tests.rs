//! Engines that reach each other through a message folder alone.

use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, Sender, unbounded};
use syncline_core::Engine;
use syncline_core::api::{
    Command, CompactionConfig, Config, Delivery, DeliveryConfig, DeliveryOrder, Event, FolderConfig, FolderId,
    FolderIndexing, GroupConfig, GroupId, Membership, Outcome, RootId, Seed,
};
use syncline_core::folder::Info;

use super::{Board, Input, Pool, Runner, Setup, Vault};
use crate::folder::{FolderWatch, SharedFolder};
use crate::root::random;
use crate::store::{Facts, Store};

const FOLDER: FolderId = FolderId(7);

struct Member {
    inbox: Sender<Input>,
    delivered: Receiver<Delivery>,
    runner: Runner,
    _watch: FolderWatch,
}

impl Member {
    fn start(shared: &Arc<SharedFolder>, group: &GroupConfig, pool: &Arc<Pool>) -> Self {
        let identity = random().unwrap();
        let folder = FolderConfig { id: FOLDER, sealed: false, indexing: FolderIndexing::Listing, poll_ms: 600_000 };
        let config = Config {
            group: group.clone(),
            identity: identity.to_vec(),
            name: "member".into(),
            roots: Vec::new(),
            folders: vec![folder],
            delivery: Some(DeliveryConfig { order: DeliveryOrder::Arrival, delivered: 0 }),
            debounce_ms: 20,
            records: None,
            compaction: CompactionConfig::default(),
            dry_run: false,
        };
        let facts = Facts {
            group: group.id,
            group_key: [0; 32],
            identity,
            root: RootId::from_bytes([0; 16]),
            membership: Membership::Joiner,
            name: String::new(),
            place: 0,
            path: shared.path().to_path_buf(),
        };
        let inbox = unbounded();
        let (to, delivered) = unbounded();
        let sender = inbox.0.clone();
        let hints = inbox.0.clone();
        let watch = shared.watch(FOLDER, move |event| hints.send(Input::Event(event)).is_ok()).unwrap();
        let setup = Setup {
            side: 0,
            engine: Engine::new(config, Seed { bytes: random().unwrap().to_vec() }).unwrap(),
            disk: None,
            folder: Some((FOLDER, Arc::clone(shared))),
            deliver: Some(Box::new(move |messages, reply| {
                messages.into_iter().for_each(|message| to.send(message).unwrap());
                reply.send(Outcome::Delivered);
            })),
            published: None,
            keeps_records: false,
            vault: Vault::new(Store::in_memory(&facts).unwrap()).unwrap(),
            pool: Arc::clone(pool),
            board: Arc::new(Board::default()),
            inbox,
            peer: None,
            witness: Arc::new(|_, _| {}),
            notified: Box::new(|_| {}),
        };
        Self { inbox: sender, delivered, runner: Runner::start(setup).unwrap(), _watch: watch }
    }

    fn publish(&self, text: &str) {
        let command = Command::Publish { payload: text.into() };
        self.inbox.send(Input::Event(Event::Command { command })).unwrap();
    }

    /// The next message, by whichever member.
    fn hear(&self) -> Delivery {
        self.delivered.recv_timeout(Duration::from_secs(60)).expect("nothing was delivered")
    }

    fn stop(self) {
        self.inbox.send(Input::Event(Event::Stop)).unwrap();
        self.runner.join();
    }
}

#[test]
fn members_hear_each_other_through_a_message_folder() {
    let folder = tempfile::tempdir().unwrap();
    let shared = Arc::new(SharedFolder::open(folder.path()).unwrap());
    shared.create_session(&Info::open(GroupId::from_bytes([5; 16]))).unwrap();
    let info = Info::choose(shared.infos().unwrap()).unwrap();
    let group = info.group(None).unwrap();
    let pool = Arc::new(Pool::new().unwrap());
    let members = [0, 1].map(|_| Member::start(&shared, &group, &pool));

    let [a, b] = &members;
    a.publish("hello");
    // What a member says is delivered to itself, too.
    for member in &members {
        let message = member.hear();
        assert_eq!((message.payload.as_slice(), message.sequence), (b"hello".as_slice(), 1));
    }
    b.publish("hello yourself");
    let answers = [a.hear(), b.hear()];
    assert!(answers.iter().all(|answer| answer.payload == b"hello yourself" && answer.sequence == 2), "{answers:?}");
    members.into_iter().for_each(Member::stop);
}

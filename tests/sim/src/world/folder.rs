//! Groups that speak through a message folder.

use syncline_core::api::{
    Command, DeliveryConfig, DeliveryOrder, Event, FolderConfig, FolderId, FolderIndexing, GroupConfig, GroupId,
    Membership, RootConfig,
};
use syncline_core::folder::Info;

use super::{GROUP, ROOT, SiteId, World};
use crate::folder::{FolderCopy, FolderFile, Trouble};

/// The only message folder of a world's devices.
pub const FOLDER: FolderId = FolderId(1);
/// How often a folder is looked through where nothing is heard of changes.
const POLL_MS: u32 = 60_000;
/// The key of sealed sessions.
const KEY: [u8; 32] = [5; 32];

/// What `info` says of a session.
pub(crate) fn info(session: GroupId, sealed: bool) -> Info {
    if sealed { Info::sealed(session, &KEY) } else { Info::open(session) }
}

impl World {
    /// So many devices that speak through an open message folder and have no root; all start.
    pub fn folder_group(seed: u64, devices: usize) -> (World, Vec<SiteId>) {
        let mut world = World::new(seed);
        let sites: Vec<SiteId> = (0..devices).map(|_| world.add_to_folder(false, FolderIndexing::Listing)).collect();
        for site in &sites {
            world.start(*site);
        }
        world.settle();
        world.carry();
        (world, sites)
    }

    /// Adds a device that speaks through the message folder; its engine is not started.
    pub fn add_to_folder(&mut self, sealed: bool, indexing: FolderIndexing) -> SiteId {
        let site = self.add(Membership::Founder);
        self.open_folder(site, GROUP, sealed);
        let config = self[site].config();
        config.folders = vec![FolderConfig { id: FOLDER, sealed, indexing, poll_ms: POLL_MS }];
        config.delivery = Some(DeliveryConfig { order: DeliveryOrder::Arrival, delivered: 0 });
        let info = info(GROUP, sealed).to_json();
        self[site].host().folder.put("info", FolderFile::new(info));
        site
    }

    /// Adds a device whose root is kept in sync through the message folder; its engine is not started.
    pub fn add_via_folder(&mut self, sealed: bool) -> SiteId {
        let site = self.add_to_folder(sealed, FolderIndexing::Listing);
        let config = self[site].config();
        config.roots = vec![RootConfig { id: ROOT, membership: Membership::Joiner, allow_deletions: false }];
        config.delivery = None;
        site
    }

    /// The next engine of a device takes part in this session of the message folder.
    pub(crate) fn open_folder(&mut self, site: SiteId, session: GroupId, sealed: bool) {
        let config = self[site].config();
        let founder = config.group.founder.take();
        let group = info(session, sealed).group(Some(&KEY)).expect("the key is the session's");
        config.group = GroupConfig { founder, ..group };
        config.roots = Vec::new();
    }

    /// Someone posts a text.
    pub fn post(&mut self, site: SiteId, text: &str) {
        self.command(site, Command::Publish { payload: text.into() });
    }

    /// The service brings every copy of the folder up to date, until all rest and none has anything new.
    pub fn carry(&mut self) {
        self.settle();
        while self.carry_by(|_, _| None) > 0 {
            self.settle();
        }
    }

    /// The service moves once, in this way; tells how many files changed.
    pub fn carry_by(&mut self, trouble: impl FnMut(usize, &str) -> Option<Trouble>) -> usize {
        let mut carrier = std::mem::take(&mut self.carrier);
        let mut copies: Vec<FolderCopy> =
            self.sites.iter_mut().map(|site| std::mem::take(&mut site.host().folder)).collect();
        let changed = carrier.carry(&mut copies.iter_mut().collect::<Vec<_>>(), trouble);
        for (site, copy) in self.sites.iter_mut().zip(copies) {
            site.host().folder = copy;
        }
        self.carrier = carrier;
        let count = changed.iter().map(Vec::len).sum();
        for (number, paths) in changed.into_iter().enumerate() {
            if !paths.is_empty() && self.sites[number].is_running() {
                self.tell(SiteId(number), Event::FolderChanged { folder: FOLDER, paths });
            }
        }
        count
    }
}

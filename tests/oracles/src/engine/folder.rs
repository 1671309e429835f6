//! Message folders under an engine: what a service and a member do to one.

use serde::{Deserialize, Serialize};
use syncline_core::{
    api::{Config, DeliveryConfig, DeliveryOrder, FolderConfig, FolderIndexing, GroupId, Membership, ReplicaId},
    content,
    crypto::FileKey,
    folder::{Info, blob_path, message_path},
};
use syncline_sim::{FOLDER, Host, ROOT, folder::FolderFile};

use super::device::config;
use crate::member::{GROUP, Member, Said, group};

/// How often a folder is looked through where nothing is heard of changes: seldom, so that time passes in large steps.
const POLL_MS: u32 = 60_000;

/// The most files that a service keeps.
const FILES_MAX: usize = 300;

/// What a device is set up for.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub(crate) struct Setup {
    /// It has a root.
    pub rooted: bool,
    /// The folder's messages are sealed.
    pub sealed: bool,
    /// New messages are found by probing.
    pub probing: bool,
    /// How application messages are delivered, and how many the application claims to have; none: not at all.
    pub delivery: Option<(DeliveryOrder, u8)>,
}

/// What becomes of bytes on their way into the folder.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum Fate {
    /// They come as they are.
    Whole,
    /// A byte changes.
    Damaged { at: u16, bits: u8 },
    /// They end early.
    Cut { length: u16 },
    /// They come under another name.
    Astray { path: String },
    /// They come sealed where they should be open, or the other way round.
    Wrapped,
    /// They are elsewhere: a placeholder stands for them.
    Evicted,
    /// A link stands in their place.
    Link,
    /// They do not come now.
    Lost,
}

/// What happens to a folder. A file is named by its place among all.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) enum FolderEdit {
    /// A member says something.
    Say { said: Said, skip: u8, lamport: u64, fate: Fate },
    /// A member brings a content of one chunk.
    Blob { bytes: Vec<u8>, fate: Fate },
    /// Something comes under any name.
    Put { path: String, bytes: Vec<u8> },
    /// The `info` says this session instead.
    Info { session: u8, sealed: bool },
    /// A file comes under another name, too.
    Copy { file: u8, path: String },
    /// A file goes.
    Take { file: u8 },
    /// The bytes of a file are elsewhere from now on.
    Evict { file: u8 },
    /// What was asked for comes back.
    Bring,
    /// So many of the next pieces of work fail.
    Fail { works: u8 },
    /// So many of the next files find no room.
    Full { files: u8 },
    /// The folder is there, or not.
    There(bool),
    /// The application fails to take so many deliveries.
    Refuse { deliveries: u8 },
    /// Something comes under the name of a message of this device.
    Own { counter: u8, bytes: Vec<u8> },
}

impl Setup {
    /// The configuration of a device with a folder.
    pub fn config(self, number: u8) -> Config {
        let indexing = if self.probing { FolderIndexing::Probing } else { FolderIndexing::Listing };
        let mut config = config(number, Membership::Joiner);
        config.roots.retain(|_| self.rooted);
        config.folders = vec![FolderConfig { id: FOLDER, sealed: self.sealed, indexing, poll_ms: POLL_MS }];
        config.delivery = self.delivery.map(|(order, delivered)| DeliveryConfig { order, delivered: delivered.into() });
        config
    }

    /// What `info` says.
    pub fn info(self) -> Info {
        if self.sealed { Info::sealed(GROUP, &group().key) } else { Info::open(GROUP) }
    }

    fn file(self, bytes: &[u8], seal: impl FnOnce(&FileKey, &[u8]) -> Vec<u8>, is_wrapped: bool) -> Vec<u8> {
        if self.sealed == is_wrapped { bytes.to_vec() } else { seal(&FileKey::new(&group().key), bytes) }
    }
}

impl FolderEdit {
    /// Does it; the paths that a watcher would tell of come back.
    pub fn apply(&self, setup: Setup, own: Option<ReplicaId>, host: &mut Host, member: &mut Member) -> Vec<String> {
        let folder = &mut host.folder;
        let paths: Vec<String> = folder.files().map(|(path, _)| path.to_owned()).collect();
        let named = |file: u8| paths.get(usize::from(file) % paths.len().max(1)).cloned();
        let changed = match self {
            FolderEdit::Say { said, skip, lamport, fate } => {
                let message = member.say(ROOT, said.clone(), *skip, *lamport);
                let (author, counter) = (member.author(), member.counter());
                let seal = |key: &FileKey, bytes: &[u8]| key.seal(author, counter, bytes);
                let file = setup.file(&message, seal, matches!(fate, Fate::Wrapped));
                fate.befall(message_path(author, counter), file)
            }
            FolderEdit::Blob { bytes, fate } => {
                let hash = content::chunk_hash(bytes);
                let seal = |key: &FileKey, bytes: &[u8]| key.seal_blob(&hash, bytes);
                let file = setup.file(bytes, seal, matches!(fate, Fate::Wrapped));
                fate.befall(blob_path(member.author(), &hash), file)
            }
            FolderEdit::Put { path, bytes } => Some((path.clone(), FolderFile::new(bytes.clone()))),
            FolderEdit::Own { counter, bytes } => {
                let path = own.map(|own| message_path(own, (*counter).into()));
                path.map(|path| (path, FolderFile::new(bytes.clone())))
            }
            FolderEdit::Info { session, sealed } => {
                let info = Setup { sealed: *sealed, ..setup }.info();
                let session = GroupId::from_bytes([*session; 16]);
                Some(("info".to_owned(), FolderFile::new(Info { session, ..info }.to_json())))
            }
            FolderEdit::Copy { file, path } => {
                let file = named(*file).and_then(|file| folder.at(&file).cloned());
                file.map(|file| (path.clone(), file))
            }
            FolderEdit::Take { file } => {
                let path = named(*file);
                path.iter().for_each(|path| drop(folder.take(path)));
                return path.into_iter().collect();
            }
            FolderEdit::Evict { file } => {
                named(*file).iter().for_each(|path| folder.evict(path));
                None
            }
            FolderEdit::Bring => return folder.bring(),
            FolderEdit::Fail { works } => {
                folder.failing = (*works).into();
                None
            }
            FolderEdit::Full { files } => {
                folder.full = (*files).into();
                None
            }
            FolderEdit::There(there) => {
                folder.is_there = *there;
                None
            }
            FolderEdit::Refuse { deliveries } => {
                host.application.fail_next((*deliveries).into());
                None
            }
        };
        let Some((path, file)) = changed.filter(|_| paths.len() < FILES_MAX) else { return Vec::new() };
        host.folder.put(&path, file);
        vec![path]
    }
}

impl Fate {
    fn befall(&self, path: String, mut bytes: Vec<u8>) -> Option<(String, FolderFile)> {
        let mut path = path;
        match self {
            Fate::Whole | Fate::Wrapped | Fate::Evicted | Fate::Link => {}
            Fate::Damaged { at, bits } => {
                let at = usize::from(*at) % bytes.len().max(1);
                bytes.iter_mut().skip(at).take(1).for_each(|byte| *byte ^= bits);
            }
            Fate::Cut { length } => bytes.truncate((*length).into()),
            Fate::Astray { path: other } => path.clone_from(other),
            Fate::Lost => return None,
        }
        let is_local = !matches!(self, Fate::Evicted);
        Some((path, FolderFile { bytes, is_local, is_link: matches!(self, Fate::Link) }))
    }
}

//! The rules of the boundary for work on a message folder and for application messages.

use std::collections::BTreeMap;

use syncline_core::{
    api::{Delivery, Event, FolderFile, FolderId, Outcome, ReplicaId, TaskId, Work},
    engine::limits,
    folder::{is_info, parse_blob_path, parse_feed_directory, parse_message_path},
};

/// The most files of one piece of work.
const ITEMS_MAX: usize = 512;

/// What an engine did in its message folder so far.
pub(crate) struct FolderRules {
    folder: FolderId,
    /// A member that is another device.
    other: ReplicaId,
    /// The hash of what was to be written under each name.
    written: BTreeMap<String, blake3::Hash>,
    /// The number of the last application message that was taken, and of the one under way.
    delivered: u64,
    delivering: Option<(TaskId, u64)>,
}

impl FolderRules {
    /// Nothing was done yet; the application claims to have so many messages.
    pub fn new(folder: FolderId, other: ReplicaId, delivered: u64) -> FolderRules {
        FolderRules { folder, other, written: BTreeMap::new(), delivered, delivering: None }
    }

    /// Takes note of what the engine is about to be told.
    pub fn told(&mut self, event: &Event) {
        if let Event::Completed { task, outcome } = event
            && let Some((_, last)) = self.delivering.take_if(|(delivering, _)| delivering == task)
            && *outcome == Outcome::Delivered
        {
            self.delivered = last;
        }
    }

    /// Checks work on the folder, or for the application.
    pub fn check(&mut self, task: TaskId, work: &Work) {
        match work {
            Work::FolderList { folder, directory, .. } => {
                self.check_folder(*folder);
                let is_known = directory.is_empty() || parse_feed_directory(directory).is_some();
                assert!(is_known, "the directory `{}` is listed", directory.escape_debug());
            }
            Work::FolderProbe { folder, paths, count } => {
                self.check_folder(*folder);
                check_paths(paths);
                assert!(count.as_deref().is_none_or(|directory| parse_feed_directory(directory).is_some()));
            }
            Work::FolderRead { folder, paths, bytes_max } => {
                self.check_folder(*folder);
                check_paths(paths);
                let max = limits::FRAME_BYTES_MAX + limits::SEALING_BYTES;
                assert!((1..=max).contains(&(*bytes_max as usize)), "files of {bytes_max} bytes are read");
            }
            Work::FolderFetch { folder, paths } => {
                self.check_folder(*folder);
                check_paths(paths);
            }
            Work::FolderRemove { folder, paths } => {
                self.check_folder(*folder);
                check_paths(paths);
                paths.iter().for_each(|path| self.check_own(path));
            }
            Work::FolderCreate { folder, files } => {
                self.check_folder(*folder);
                check_paths(files.iter().map(|file| &file.path));
                files.iter().for_each(|file| self.check_file(file));
            }
            Work::Deliver { messages } => self.check_delivery(task, messages),
            other => panic!("expected work on a folder, found {other:?}"),
        }
    }

    fn check_folder(&self, folder: FolderId) {
        assert_eq!(folder, self.folder, "work for a message folder that is not configured");
    }

    /// A replica touches nothing of another's, nor `info`.
    fn check_own(&self, path: &str) {
        assert!(!is_info(path) && !path.contains(&self.other.to_string()), "`{path}` is another's");
    }

    /// A name has one content.
    fn check_file(&mut self, file: &FolderFile) {
        self.check_own(&file.path);
        let hash = blake3::hash(&file.bytes);
        let before = self.written.insert(file.path.clone(), hash);
        assert!(before.is_none_or(|before| before == hash), "`{}` gets a second content", file.path);
    }

    /// Messages come in order, one batch at a time. A store that lies may have left numbers out; that an honest one never
    /// does is for the simulator to see.
    fn check_delivery(&mut self, task: TaskId, messages: &[Delivery]) {
        assert_eq!(self.delivering, None, "two deliveries are under way");
        assert!((1..=limits::DELIVER_ITEMS_MAX).contains(&messages.len()), "{} messages at once", messages.len());
        let mut before = self.delivered;
        for message in messages {
            assert!(message.sequence > before, "number {} is given behind {before}", message.sequence);
            before = message.sequence;
        }
        self.delivering = messages.last().map(|message| (task, message.sequence));
    }
}

/// Whatever stands in a folder, no work names anything but `info`s, messages and blobs.
fn check_paths<'a>(paths: impl IntoIterator<Item = &'a String>) {
    let mut count = 0;
    for path in paths {
        count += 1;
        let is_top = is_info(path) && !path.contains('/');
        let is_blob = parse_blob_path(path).is_some() && path.split('/').count() == 4;
        let is_known = is_top || is_blob || parse_message_path(path).is_some();
        assert!(is_known, "work names `{}`", path.escape_debug());
    }
    assert!((1..=ITEMS_MAX).contains(&count), "work on {count} files");
}
